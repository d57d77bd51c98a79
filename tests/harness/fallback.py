# SPDX-License-Identifier: BSD-2-Clause
"""What upclose does where the kernel refuses the programs of a plan that its probes found possible."""
import json
import re
import subprocess
import sys
from pathlib import Path

from .bpf_objects import program_tags
from .proc import PATIENCE
from .upclose import UPCLOSE, Upclose

# A program that no other plan has.
PROGRAMS = {"tracepoint": "uc_send", "fentry": "uc_send_fexit", "kprobe": "uc_send_return"}
WITHOUT_ADMIN = ("setpriv", "--bounding-set", "-sys_admin")


def plans():
    """The names of those that are possible here, in order, and why the others are not."""
    done = subprocess.run([UPCLOSE, "hooks", "-o", "json"], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [r for r in rows if r["kind"] == "plan"]
    possible = dict.fromkeys(r["plan"] for r in rows if r["use"] in ("used", "spare"))
    return list(possible), {r["plan"]: r["reason"] for r in rows if r["plan"] not in possible}


def trace(refused, *options):
    """A short trace on a host that refuses these plans; exit status and standard error."""
    names = ",".join(PROGRAMS[plan] for plan in refused)
    argv = [sys.executable, Path(__file__).with_name("refuse_bpf.py"), names, UPCLOSE, "trace", "-p", "1", "-d", "0.1", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20 * PATIENCE, check=False)
    return done.returncode, done.stderr


def falls_back(possible, refused):
    """Whether each of the refused plans was said to be, and the first of the others is used; what is wrong, or None."""
    status, said = trace(refused)
    left = [plan for plan in possible if plan not in refused]
    wanted = [f"programs of the plan '{plan}'" for plan in refused]
    wanted += [f"trying '{left[0]}'", "tracing "] if left else ["Operation not permitted (run with -vv to see why)"]
    missing = [words for words in wanted if words not in said]
    # two plans have the name 'fentry': what is tried is not what was refused, and what the next note names
    failed, tried = re.findall(r"programs of the plan (.*)", said), re.findall(r"; trying (.*)", said)
    missing += [plan for plan, this, then in zip(tried, failed, failed[1:]) if this.startswith(plan) or not then.startswith(plan)]
    if missing or status != (0 if left else 1):
        return f"exit status {status}, without {missing}: {said}"
    return None


def programs_used(*prefix, options=()):
    """Tags of the programs that a trace loads, and what it says."""
    tracer = Upclose(*options, ports=[1], prefix=prefix)
    try:
        tags = program_tags(tracer.pid)
    finally:
        tracer.stop()
    return tags, tracer.stderr()


def kprobes_need_admin():
    """Debian's and Ubuntu's kernels have such a level, and it lets nobody else have a kprobe: is that said? What is not, or None."""
    said = subprocess.run([*WITHOUT_ADMIN, UPCLOSE, "hooks"], capture_output=True, text=True, timeout=20 * PATIENCE, check=False).stdout
    return None if "perf_event_paranoid above 2" in said else said


def uprobes_need_admin():
    """The same of uprobes: their rows are refused, and say why."""
    said = subprocess.run([*WITHOUT_ADMIN, UPCLOSE, "hooks"], capture_output=True, text=True, timeout=20 * PATIENCE, check=False).stdout
    rows = [line for line in said.splitlines() if "ngx_log_error_core" in line]
    return None if rows and not any(" used " in row for row in rows) and "CAP_SYS_ADMIN" in rows[0] else said


def needs_admin(plan):
    """Whether a trace by root without CAP_SYS_ADMIN uses other programs than one with it; what differs, or None."""
    if plan == "kprobe" and int(Path("/proc/sys/kernel/perf_event_paranoid").read_text(encoding="ascii")) > 2:
        return kprobes_need_admin()
    tags, _ = programs_used()
    without, said = programs_used(*WITHOUT_ADMIN)
    # many kernels let nobody else have a uprobe: nginx's words are the one thing that is not heard
    if without < tags and len(tags - without) == 1 and "did not take" not in said:
        return uprobes_need_admin()
    if not tags or tags != without or "did not take" in said:
        return f"with CAP_SYS_ADMIN {sorted(tags)}, without {sorted(without)}: {said}"
    return None
