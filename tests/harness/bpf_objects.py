# SPDX-License-Identifier: BSD-2-Clause
"""The BPF objects that the kernel holds, by number, and the maps of a process.

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


def program_tags(pid):
    """The kernel's hashes of the instructions of the programs that the process has open."""
    tags = set()
    for entry in os.scandir(f"/proc/{pid}/fdinfo"):
        with open(entry.path, encoding="ascii") as f:
            tags |= {line.split()[1] for line in f if line.startswith("prog_tag:")}
    return tags


class BatchAttr(ctypes.Structure):
    _fields_ = [("in_batch", ctypes.c_uint64), ("out_batch", ctypes.c_uint64), ("keys", ctypes.c_uint64), ("values", ctypes.c_uint64),
                ("count", ctypes.c_uint32), ("map_fd", ctypes.c_uint32), ("elem_flags", ctypes.c_uint64), ("flags", ctypes.c_uint64)]


class InfoAttr(ctypes.Structure):
    _fields_ = [("bpf_fd", ctypes.c_uint32), ("info_len", ctypes.c_uint32), ("info", ctypes.c_uint64)]


class MapInfo(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint32), ("id", ctypes.c_uint32), ("key_size", ctypes.c_uint32), ("value_size", ctypes.c_uint32),
                ("max_entries", ctypes.c_uint32), ("map_flags", ctypes.c_uint32), ("name", ctypes.c_char * 16)]


MAP_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, MAP_UPDATE_BATCH = 14, 15, 26
HASH = 1  # BPF_MAP_TYPE_HASH


def call(command, attr):
    result = LIBC.syscall(SYSCALL, command, ctypes.byref(attr), ctypes.sizeof(attr))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result


def map_of(pid, name):
    """(descriptor, what it is) of the map that the process has open by this name."""
    for entry in os.scandir(f"/proc/{pid}/fdinfo"):
        with open(entry.path, encoding="ascii") as f:
            found = [line.split()[1] for line in f if line.startswith("map_id:")]
        for number in found:
            fd = call(MAP_GET_FD_BY_ID, Attr(start_id=int(number)))
            info = MapInfo()
            call(OBJ_GET_INFO_BY_FD, InfoAttr(fd, ctypes.sizeof(info), ctypes.addressof(info)))
            if info.name == name.encode():
                return fd, info
            os.close(fd)
    raise LookupError(name)


def fill(pid, name):
    """Leave no room in a hash of the process; whether it is one that refuses then."""
    fd, info = map_of(pid, name)
    try:
        if info.type != HASH:
            return False
        keys = b"".join(n.to_bytes(info.key_size, "little") for n in range(1, info.max_entries + 1))
        values = bytes(info.value_size * info.max_entries)
        attr = BatchAttr(keys=ctypes.cast(keys, ctypes.c_void_p).value, values=ctypes.cast(values, ctypes.c_void_p).value,
                         count=info.max_entries, map_fd=fd)
        try:
            call(MAP_UPDATE_BATCH, attr)
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
    finally:
        os.close(fd)
    return True
