"""The part that runs inside the sandbox: stand-ins for a GPU machine, a recorder, the submission itself.

    __main__.py  python -m golf_audit.dynamic.child JOB.json
    run.py       prepares the process, runs the script, says how it ended
    script.py    compiles and executes the submission's text; class attributes; Python 3.12 syntax
    mode.py      the one place through which every torch call passes
    shims/       one module per thing that is replaced
    recorder/    which positions were scored, adapted on and printed

Only here may torch be imported and a submission's code run.
"""
