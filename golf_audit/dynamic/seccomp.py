"""The system calls that a submission does not get, as a filter that bubblewrap installs.

Namespaces do not cover everything: AF_VSOCK leaves a network namespace, memfd_create and io_uring take memory
that no process is seen to hold, ptrace and its kin reach into other processes. Numbers are those of the
kernel's tables; another processor architecture gets no filter and therefore no sandbox.

With GPUs memfd_create is allowed: libraries of the CUDA stack share buffers by it, and the machine is the
run's own. pidfd_getfd is not: NCCL and torch's symmetric memory hand file descriptors over Unix sockets.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_LOAD, _EQUAL, _GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000


@dataclass(frozen=True)
class _Table:
    """The numbers of one architecture; `refused` calls do not exist for the submission."""

    audit: int
    socket: int
    refused: Mapping[str, int]


_NEW = {
    **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427},
    **{"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433},
    **{"pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "memfd_secret": 447},
}
_TABLES = {
    "x86_64": _Table(
        0xC000003E,
        41,
        {
            **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312},
            **{"memfd_create": 319, "userfaultfd": 323, "bpf": 321, "perf_event_open": 298},
            **{"add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "setns": 308},
            **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "quotactl": 179},
            **{"open_by_handle_at": 304, "name_to_handle_at": 303, "acct": 163, "swapon": 167},
            **_NEW,
        },
    ),
    "aarch64": _Table(
        0xC00000B7,
        198,
        {
            **{"ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272},
            **{"memfd_create": 279, "userfaultfd": 282, "bpf": 280, "perf_event_open": 241},
            **{"add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97, "setns": 268},
            **{"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "quotactl": 60},
            **{"open_by_handle_at": 265, "name_to_handle_at": 264, "acct": 89, "swapon": 224},
            **_NEW,
        },
    ),
}
_FOR_GPU = frozenset({"memfd_create"})
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)  # 16: netlink, which resolvers ask


def filter_for(machine: str = "", *, gpu: bool = False) -> bytes | None:
    """The compiled filter, or None for an architecture whose numbers are not known here."""
    table = _TABLES.get(machine or platform.machine())
    if table is None:
        return None
    refuse = _ERRNO | errno.EPERM
    code = [
        _load(_ARCHITECTURE),
        (_EQUAL, 1, 0, table.audit),
        (_RETURN, 0, 0, _KILL),
        _load(_NUMBER),
        (_GREATER_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, refuse),
    ]
    for name, number in table.refused.items():
        if gpu and name in _FOR_GPU:
            continue
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    code += [(_EQUAL, 0, len(_FAMILIES) + 2, table.socket), _load(_FIRST_ARGUMENT)]
    for position, family in enumerate(_FAMILIES):
        code += [(_EQUAL, len(_FAMILIES) - position, 0, int(family))]
    code += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *line) for line in code)


def _load(offset: int) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, offset)
