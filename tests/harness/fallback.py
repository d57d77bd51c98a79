# SPDX-License-Identifier: BSD-2-Clause
"""What upclose does where the kernel refuses the programs of a plan that its probes found possible."""
import json
import subprocess
import sys
from pathlib import Path

from .proc import PATIENCE
from .upclose import UPCLOSE

# A program that no other plan has.
PROGRAMS = {"tracepoint": "uc_send", "fentry": "uc_send_fexit", "kprobe": "uc_send_return"}


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
    if missing or status != (0 if left else 1):
        return f"exit status {status}, without {missing}: {said}"
    return None
