"""Programs that scripts call: nvidia-smi, lrzip, pyminify, pip, as small scripts first on PATH."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile

from golf_audit.dynamic.child.context import Context

SMI = """#!/bin/sh
echo "NVIDIA-SMI 570.86.15   Driver Version: 570.86.15   CUDA Version: 12.8"
echo "0  NVIDIA H100 80GB HBM3"
"""
MINIFY = """#!{python}
import sys
names = [a for a in sys.argv[1:] if not a.startswith("-")]
text = sys.stdin.read() if not names or names == ["-"] else open(names[0], encoding="utf-8").read()
if "--output" in sys.argv or "-o" in sys.argv:
    flag = "--output" if "--output" in sys.argv else "-o"
    open(sys.argv[sys.argv.index(flag) + 1], "w", encoding="utf-8").write(text)
else:
    sys.stdout.write(text)
"""
LRZIP = """#!{python}
# lrzip, lrunzip: copies with lzma inside; the options that scripts use.
import lzma, os, sys
args = sys.argv[1:]
unpack = "-d" in args or os.path.basename(sys.argv[0]) == "lrunzip"
out = args[args.index("-o") + 1] if "-o" in args else None
level = {{args.index(o) + 1 for o in ("-L", "-o", "-p", "-m", "-w", "-S", "-O") if o in args}}
name = [a for i, a in enumerate(args) if not a.startswith("-") and i not in level][-1]
data = open(name, "rb").read()
out = out or (name[:-4] if unpack and name.endswith(".lrz") else name + ".lrz")
open(out, "wb").write(lzma.decompress(data) if unpack else lzma.compress(data, preset=1))
"""
PROGRAMS = {
    "nvidia-smi": SMI,
    "pyminify": MINIFY,
    "lrzip": LRZIP,
    "lrunzip": LRZIP,
    "pip": "#!/bin/sh\nexit 0\n",
    "pip3": "#!/bin/sh\nexit 0\n",
}


def write(folder: str, names: list[str]) -> None:
    """Write programs as executable files."""
    for name in names:
        path = os.path.join(folder, name)
        text = PROGRAMS[name]
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.format(python=sys.executable) if "{python}" in text else text)
        os.chmod(path, stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)


def install(context: Context) -> None:
    """Put the programs that the machine lacks first on PATH; pip always, since nothing may be installed."""
    folder = tempfile.mkdtemp(prefix="programs-")
    missing = [name for name in PROGRAMS if name.startswith("pip") or shutil.which(name) is None]
    write(folder, missing)
    os.environ["PATH"] = os.pathsep.join(
        [folder, os.path.dirname(sys.executable), os.environ.get("PATH", "/usr/bin:/bin")]
    )
