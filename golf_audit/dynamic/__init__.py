"""The dynamic engine: the unmodified submission, run in miniature inside a sandbox, seen from our process.

    job.py       what one run is asked to do            messages.py  what it may say; wire.py how that travels
    contract.py  what the inside and the outside owe each other
    sandbox.py   where it runs                          run.py       one Job -> RunResult
    observed.py  messages -> Timeline and attestation   trace.py     the probes in order -> a trace file
    child/       the only part that runs inside the sandbox and meets the submission's code
    miniature/   tokenizer, shards and settings         probes/      which runs to make, and what they show

Only child/ imports torch. Nothing of a submission is imported or executed in our process.
"""
