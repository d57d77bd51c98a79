# SPDX-License-Identifier: BSD-2-Clause
"""The BPF objects that the kernel holds, by number.

Asked of the kernel itself: bpftool fails when one of those that it lists goes away meanwhile, and the tests that run
beside this one load and unload all the time.
"""

import ctypes
import errno
import os

SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
NEXT_ID = {"prog": 11, "map": 12, "link": 31}  # enum bpf_cmd: BPF_*_GET_NEXT_ID
LIBC = ctypes.CDLL(None, use_errno=True)


class Attr(ctypes.Structure):
    """What union bpf_attr holds for these commands."""

    _fields_ = [("start_id", ctypes.c_uint32), ("next_id", ctypes.c_uint32), ("open_flags", ctypes.c_uint32)]


def ids(kind):
    """The numbers of all programs ("prog"), maps or links of the host."""
    found, attr = set(), Attr()
    while LIBC.syscall(SYSCALL, NEXT_ID[kind], ctypes.byref(attr), ctypes.sizeof(attr)) == 0:
        found.add(attr.next_id)
        attr.start_id = attr.next_id
    if ctypes.get_errno() != errno.ENOENT:
        raise OSError(ctypes.get_errno(), f"BPF_{kind.upper()}_GET_NEXT_ID")
    return found
