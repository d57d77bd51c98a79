# SPDX-License-Identifier: BSD-2-Clause
"""Runs a command as a container does: as uid 0 with these capabilities and no other, where nothing can be written to.

usage: contain.py [--refuse-bpf] [--root FOLDER] CAPABILITY[,CAPABILITY...] COMMAND...

The root is read-only, but for $TMPDIR, where the tests of the harness have their files; with --root it is that folder.
--refuse-bpf: a seccomp filter as those of older runtimes, to which bpf(2) is not known.
"""
import ctypes
import errno
import os
import struct
import subprocess
import sys

NUMBERS = {"sys_chroot": 18, "sys_ptrace": 19, "sys_admin": 21, "perfmon": 38, "bpf": 39}
LAST = 40
# linux/prctl.h, linux/seccomp.h, linux/filter.h
CAPBSET_DROP, NO_NEW_PRIVS, SET_SECCOMP, FILTER = 24, 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)


def prctl(*args):
    if libc.prctl(*(ctypes.c_ulong(a) for a in args), *(ctypes.c_ulong(0),) * (5 - len(args))):
        raise OSError(ctypes.get_errno(), f"prctl{args}")


def refuse_bpf():
    rows = ((LOAD, 0, 0, 0), (EQUAL, 0, 1, SYS_BPF), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(code)))
    prctl(SET_SECCOMP, FILTER, ctypes.addressof(program))


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def enter(root):
    """Read-only; /proc stays that of the host, as with its pid namespace."""
    tmp = os.environ.get("TMPDIR", "/tmp")
    if root != "/":
        mount("--bind", root, root)
        for name in ("/proc", "/sys", tmp):
            os.makedirs(root + name, exist_ok=True)
            mount("--rbind", name, root + name)
        os.chroot(root)
    else:
        mount("--bind", tmp, tmp)
    libc.mount(None, b"/", None, ctypes.c_ulong(32 | 4096 | 1), None)  # MS_REMOUNT, MS_BIND, MS_RDONLY
    os.chdir("/")


def main(*args):
    args = list(args)
    if args[0] == "--inside":
        refuse, root, held = args[1] == "1", args[2], {NUMBERS[c] for c in args[3].split(",")}
        command = args[4:]
        enter(root)
        prctl(NO_NEW_PRIVS, 1)
        if refuse:
            refuse_bpf()
        for number in range(LAST + 1):
            if number not in held:
                prctl(CAPBSET_DROP, number)
        # what root may do after this is what is left in the bounding set
        os.execv(command[0], command)
    refuse, root = False, "/"
    while args[0].startswith("--"):
        if args.pop(0) == "--root":
            root = args.pop(0)
        else:
            refuse = True
    os.execvp("unshare", ["unshare", "-m", sys.executable, __file__, "--inside", str(int(refuse)), root, *args])


main(*sys.argv[1:])
