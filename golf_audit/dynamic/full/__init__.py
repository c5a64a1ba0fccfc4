"""Our side of an instrumented run: what the ranks say, merged, and what it shows of the claimed number.

account.py   the messages of all ranks, bounded, each rank until its first bad line
sums.py      what a number is made of, over all ranks
shown.py     the claimed number's positions: counted how often, adapted on before

Nothing that a rank says is believed by itself: a number counts as seen when the losses that are said to be in
it give it again to its printed digits. All of it is still said by the process in which the submission runs.
"""
