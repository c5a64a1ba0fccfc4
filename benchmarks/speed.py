"""How long `golf-audit check` takes on one folder, beside the parser it stands on, in the same run.

    python benchmarks/speed.py FOLDER [--runs 5]

Prints: libcst.parse_module plus positions on the folder's script, the whole `check` command (start-up
included), the largest process's peak memory, `--help`, and whether they keep the limits:
check <= 2.5 x libcst + 1 s, memory <= 500 MB, --help <= 0.3 s.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

PARSE = """
import sys, time
import libcst
from libcst.metadata import MetadataWrapper, PositionProvider
text = open(sys.argv[1], encoding="utf-8").read()
start = time.perf_counter()
MetadataWrapper(libcst.parse_module(text), unsafe_skip_copy=True).resolve(PositionProvider)
print(time.perf_counter() - start)
"""
# The largest resident set of the command and of every process it waited for, from the kernel (Linux: kB).
MEMORY = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    tool = [sys.executable, "-m", "golf_audit"]
    check = [*tool, "check", "--exit-zero", str(arguments.folder)]
    script = str(arguments.folder / "train_gpt.py")

    seconds(check)  # warms the file cache, as any second run of a user would find it
    libcst, checks, helps = [], [], []
    for _ in range(arguments.runs):  # interleaved, so that a busy machine burdens all alike
        done = subprocess.run(
            [sys.executable, "-c", PARSE, script], capture_output=True, text=True, check=True
        )
        libcst.append(float(done.stdout))
        checks.append(seconds(check))
        helps.append(seconds([*tool, "--help"]))
    done = subprocess.run([sys.executable, "-c", MEMORY, *check], capture_output=True, text=True, check=True)
    megabytes = int(done.stdout.split()[1]) / 1024

    limit = 2.5 * median(libcst) + 1.0
    print(f"libcst parse + positions   {median(libcst):6.2f} s   median of {arguments.runs}")
    kept = _kept(median(checks) <= limit)
    print(f"golf-audit check           {median(checks):6.2f} s   limit {limit:.2f} s   {kept}")
    print(f"peak memory, one process   {megabytes:6.0f} MB  limit 500 MB    {_kept(megabytes <= 500)}")
    print(
        f"golf-audit --help          {median(helps):6.2f} s   limit 0.30 s    {_kept(median(helps) <= 0.3)}"
    )


def _kept(holds: bool) -> str:
    return "kept" if holds else "MISSED"


if __name__ == "__main__":
    main()
