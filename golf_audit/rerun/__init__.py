"""Real runs of a submission: planned, started on this machine or through Slurm, and kept in a ledger.

plan         what would be run: command, seeds, configuration, packages, time       (pure)
environment  the hardware, software and data of a run
launch       one seed on this machine, in the sandbox; slurm: one job per seed
ledger       the append-only record; golf_audit.ledger reads it
rerun        the whole of it: check, plan, ask, run, report
"""
