# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m suite [FILE.t...]

Runs nginx's own test suite, each file in a network namespace of its own, beside one upclose, and compares every upstream
connection and message of nginx's debug logs with what upclose says of it. Without FILEs, all in which nginx connects to
something.
  UPCLOSE_NGINX_TESTS  a checkout of the suite; without it, it is fetched
  UPCLOSE_SUITE_KEEP   a folder that keeps the logs; a second run with it only judges them once more
  UPCLOSE_SUITE_JOBS   files at a time (default 2)
Exit status 0: they agree, or the suite is not to be had ("skip suite: WHY"). 1: they do not.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from harness.proc import eventually
from harness.upclose import UPCLOSE

from .judge import Judge, agreement, report
from .run import Absent, Ran, checkout, run_files, with_upstreams


@contextlib.contextmanager
def upclose(folder):
    """Traces all the while into folder/upclose.json."""
    told = Path(folder, "upclose.err")
    with open(Path(folder, "upclose.json"), "wb") as out, open(told, "wb") as err:
        child = subprocess.Popen([UPCLOSE, "trace", "--all", "-o", "json"], stdout=out, stderr=err)
    try:
        eventually(lambda: "tracing" in told.read_text(), "upclose traces", 20)
        yield
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(20)


def gather(folder, names):
    with tempfile.TemporaryDirectory(prefix="upclose-suite-") as scratch:
        suite = checkout(scratch)
        with upclose(folder):
            ran = []
            for one in run_files(suite, names or with_upstreams(suite), folder, int(os.environ.get("UPCLOSE_SUITE_JOBS", "2"))):
                ran.append(one)
                if one.result != "ok":
                    print(f"{one.result} {one.name}: {one.why}", flush=True)
    Path(folder, "ran.json").write_text(json.dumps([asdict(r) for r in ran]), encoding="utf-8")


def judge(folder):
    made = Judge()
    with open(Path(folder, "upclose.json"), encoding="utf-8") as f:
        objects = [json.loads(line) for line in f]
    objects = [o for o in objects if o["kind"] != "summary"]
    for one in json.loads(Path(folder, "ran.json").read_text(encoding="utf-8")):
        made.run(Ran(**one), Path(folder, one["name"]), objects)
    return made


def main(names):
    if {"-h", "--help"} & set(names):
        print(__doc__)
        return 0
    keep = os.environ.get("UPCLOSE_SUITE_KEEP")
    folder = keep or tempfile.mkdtemp(prefix="upclose-suite-")
    try:
        Path(folder).mkdir(exist_ok=True)
        if not Path(folder, "ran.json").exists():
            gather(folder, names)
        made = judge(folder)
        print(report(made))
        return 0 if agreement(made) else 1
    except Absent as why:
        print(f"skip suite: {why}")
        return 0
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
