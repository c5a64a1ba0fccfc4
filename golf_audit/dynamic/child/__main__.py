"""python -m golf_audit.dynamic.child JOB.json"""

from __future__ import annotations

import sys
from pathlib import Path

from golf_audit.dynamic.child.run import run
from golf_audit.dynamic.job import Job

if __name__ == "__main__":
    sys.exit(run(Job.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))))
