# SPDX-License-Identifier: BSD-2-Clause
"""Runs a command to which the kernel refuses BPF programs of these names: a stricter host than this one.

usage: refuse_bpf.py NAME[,NAME...] COMMAND...

seccomp(2) stops each bpf(BPF_PROG_LOAD) of the command and asks another process, which looks at the program's name.
"""
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys

BPF_PROG_LOAD, NAME_OFFSET, NAME_SIZE = 5, 48, 16  # union bpf_attr of linux/bpf.h
SYS_BPF, SYS_SECCOMP = {"x86_64": (321, 317), "aarch64": (280, 277)}[os.uname().machine]
# linux/seccomp.h
SET_MODE_FILTER, NEW_LISTENER, USER_NOTIF, ALLOW, CONTINUE = 1, 8, 0x7FC00000, 0x7FFF0000, 1
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
# linux/filter.h: BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NR, FIRST_ARGUMENT = 0, 16  # struct seccomp_data

libc = ctypes.CDLL(None, use_errno=True)


def install():
    """The file that asks about each load of this process and its children."""
    rows = ((LOAD, 0, 0, NR), (EQUAL, 0, 3, SYS_BPF), (LOAD, 0, 0, FIRST_ARGUMENT), (EQUAL, 0, 1, BPF_PROG_LOAD),
            (RETURN, 0, 0, USER_NOTIF), (RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(code)))
    listener = libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def answer(listener, refused):
    notice = bytearray(80)
    fcntl.ioctl(listener, NOTIF_RECV, notice)
    number, pid = struct.unpack_from("=QI", notice)
    attr = struct.unpack_from("=6Q", notice, 32)[1]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(attr + NAME_OFFSET)
        name = memory.read(NAME_SIZE).partition(b"\0")[0].decode()
    verdict = (-errno.EPERM, 0) if name in refused else (0, CONTINUE)
    fcntl.ioctl(listener, NOTIF_SEND, struct.pack("=QqiI", number, 0, *verdict))


def supervise(channel, refused):
    _, (listener,), _, _ = socket.recv_fds(channel, 1, 1)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while not any(events & select.POLLHUP for _, events in poll.poll()):
        answer(listener, refused)


def main(names, *command):
    here, there = socket.socketpair()
    if os.fork() == 0:
        here.close()
        # before 6.11 the filter is in use until the command is reaped, for which somebody may wait for the end of its output
        for fd in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
        supervise(there, names.split(","))
        return 0
    there.close()
    listener = install()
    socket.send_fds(here, [b"\0"], [listener])
    os.set_inheritable(listener, False)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
