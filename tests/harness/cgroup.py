# SPDX-License-Identifier: BSD-2-Clause
"""Processes in cgroups: a memory limit for one, and a path as a container's."""
import os
from pathlib import Path

from .proc import PREFIX

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


def v1():
    return (V1 / "memory.limit_in_bytes").exists()


def missing():
    """Why no memory can be limited here, or None."""
    if v1():
        return None if os.access(V1, os.W_OK) else "the cgroup v1 memory hierarchy cannot be written"
    try:
        if "memory" in (V2 / "cgroup.subtree_control").read_text(encoding="ascii").split() and os.access(V2, os.W_OK):
            return None
    except OSError:
        pass
    return "no memory controller of cgroups v1 or v2 to limit a process with"


class Memory:
    def __init__(self, pid, limit):
        self.home = V1 if v1() else V2
        self.path = self.home / f"{PREFIX}{pid}"
        self.path.mkdir()
        limits = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit} if v1() else {
            "memory.max": limit, "memory.swap.max": 0}
        for name, value in limits.items():
            if (self.path / name).exists():
                (self.path / name).write_text(str(value), encoding="ascii")
        (self.path / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split():
            (self.home / "cgroup.procs").write_text(pid, encoding="ascii")
        self.path.rmdir()


def unified():
    """Where cgroup v2 is mounted and may be written, or None."""
    for folder in (V2 / "unified", V2):
        if (folder / "cgroup.controllers").exists() and os.access(folder, os.W_OK):
            return folder
    return None


class Container:
    """These processes are where a runtime would put them: path is "/kubepods/pod.../...", below no other name."""

    def __init__(self, path, *pids):
        self.home = unified()
        self.made = []
        folder = self.home
        for name in path.strip("/").split("/"):
            folder = folder / name
            if not folder.exists():
                folder.mkdir()
                self.made.append(folder)
        for pid in pids:
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for folder in reversed(self.made):
            for pid in (folder / "cgroup.procs").read_text(encoding="ascii").split():
                (self.home / "cgroup.procs").write_text(pid, encoding="ascii")
            folder.rmdir()
