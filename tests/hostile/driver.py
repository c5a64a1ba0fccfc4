"""Runs one job as whoever started this and prints the result as JSON: tests start it as root and as others.

python driver.py SUBMISSION DATA SECONDS LIMITS.json ENVIRON.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import Print
from golf_audit.dynamic.run import Hosts, Way, run
from golf_audit.dynamic.sandbox import INSIDE, Limits


def main() -> None:
    submission, data, seconds, limits, environ = sys.argv[1:]
    job = Job(
        script="attack.py",
        submission=INSIDE.submission,
        data=INSIDE.data,
        work=INSIDE.work,
        val_tokens=f"{INSIDE.data}/val.bin",
        vocab=1024,
        seconds=float(seconds),
        environ=json.loads(environ),
    )
    child = (sys.executable, f"{INSIDE.submission}/attack.py", "{job}")
    way = Way(Limits(**json.loads(limits)), child=child)
    result = run(job, Hosts(Path(submission), Path(data)), way)
    answer = {
        "ending": result.ending.name,
        "reason": result.reason,
        "said": [m.text for m in result.of(Print)],
        "messages": len(result.messages),
        "tail": result.tail,
        "seconds": result.usage.seconds,
        "peak": result.usage.peak_bytes,
        "processes": result.usage.processes,
    }
    print(json.dumps(answer))  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main()
