"""The recorder of `rerun --instrument`: real sizes, real devices, every rank, and a bounded memory.

start.py        one rank: the recorder in place, then the submission's script
tokens.py       which position of the validation stream each token of a tensor is, by where it came from
tallies.py      what a number is made of: positions as runs, losses as sums
scores.py       the same ways of scoring as recorder/scores.py, without a look at whole distributions
collectives.py  a clock that all ranks share, and sums over ranks
recorder.py     every torch call

Nothing is replaced but torch.compile, which would hide the calls. What is sent: golf_audit.dynamic.messages.
"""
