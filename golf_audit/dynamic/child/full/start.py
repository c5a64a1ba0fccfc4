"""One rank of an instrumented run: python start.py SCRIPT ARGUMENTS, in the run folder.

torchrun closes what it inherits, so messages go into a pipe that has a name: one for each rank, in the folder
that GOLF_MESSAGES names. GOLF_DATA is the data folder. Nothing is replaced but torch.compile.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Put the recorder in place and run the script as the program."""
    here = os.path.abspath(__file__)
    tool = here[: here.rindex("/golf_audit/")]
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(here)]
    sys.path.insert(0, tool)
    folder, data = os.environ.pop("GOLF_MESSAGES"), os.environ.pop("GOLF_DATA")
    os.environ["TORCHDYNAMO_DISABLE"] = "1"
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    pipe = os.open(os.path.join(folder, f"rank{rank}"), os.O_WRONLY)
    os.set_inheritable(pipe, False)

    from golf_audit.dynamic.child.full.run import run

    script, *argv = sys.argv[1:]
    return run(script, tuple(argv), data, pipe, rank, world)


if __name__ == "__main__":
    sys.exit(main())
