# SPDX-License-Identifier: BSD-2-Clause
"""What a process uses, from /proc; what its BPF programs use, from the kernel's own statistics."""
import ctypes
import json
import os
import re
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of the process and of its threads that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def fine_cpu_seconds(pid):
    """The same to the nanosecond, for what uses less than a tick; of the threads that live."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def rss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return int(re.search(r"^Rss:\s+(\d+) kB", f.read(), re.M)[1]) * 1024


def bpf_fdinfo(pid):
    """What fdinfo says of each BPF map and program that the process holds."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as f:
                info = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except OSError:
            continue
        if "map_id" in info or "prog_id" in info:
            found.append(info)
    return found


def map_bytes(pid):
    """Kernel memory of its maps as the kernel accounts it; what sockets carry is not in it."""
    return sum(int(i["memlock"]) for i in {i["map_id"]: i for i in bpf_fdinfo(pid) if "map_id" in i}.values())


def holds(pid, *kinds):
    """How many file descriptors are of these anonymous kinds."""
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += any(kind in os.readlink(f"/proc/{pid}/fd/{fd}") for kind in kinds)
        except OSError:
            continue
    return n


def slab_bytes():
    """Kernel memory in slabs of the whole host."""
    with open("/proc/meminfo", encoding="ascii") as f:
        return int(re.search(r"^Slab:\s+(\d+) kB", f.read(), re.M)[1]) * 1024


class RunTimes:
    """The kernel's run-time statistics of BPF programs, on within a with block; the sysctl is left alone."""

    BPF_ENABLE_STATS = 32
    SYS_BPF = {"x86_64": 321, "aarch64": 280}

    def __enter__(self):
        attr = ctypes.create_string_buffer(128)  # type 0 is BPF_STATS_RUN_TIME
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.syscall(self.SYS_BPF[os.uname().machine], self.BPF_ENABLE_STATS, attr, 4)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS")
        return self

    def __exit__(self, *exc):
        os.close(self.fd)

    @staticmethod
    def read(pid):
        """{program: (run nanoseconds, runs)} of the programs that the process holds."""
        ids = {i["prog_id"] for i in bpf_fdinfo(pid) if "prog_id" in i}
        shown = json.loads(subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, check=True).stdout)
        return {p["name"]: (p.get("run_time_ns", 0), p.get("run_cnt", 0)) for p in shown if str(p["id"]) in ids}
