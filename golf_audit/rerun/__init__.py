"""Real runs of a submission: planned, started on this machine or through Slurm, and kept in a ledger.

plan         what would be run: command, seeds, configuration, packages, time
places       places of another machine, found again below the data folder
environment  the hardware, software and data of a run
packages     what requirements.txt may ask for; install: its wheels, inside the sandbox
launch       a stranger's program in the sandbox, followed and ended; seed: one run of a plan
local        a plan on this machine
slurm        a plan as one job per seed; slurmjob: the part on the node; queue: Slurm itself
result       what a run's log says
ledger       the append-only record; golf_audit.ledger reads it
command      the whole of it: check, plan, ask, run, report
"""
