# SPDX-License-Identifier: BSD-2-Clause
"""Load: as much as goes (wrk), and at a constant rate whatever the server does (load.c)."""
import json
import os
import re
import subprocess
import time
from pathlib import Path

from harness.proc import JsonChild, free_port

TOP = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("BENCH_BUILT", TOP / "build" / "bench"))
LOAD, CONNS = BUILT / "load", BUILT / "conns"


class Failed(Exception):
    """The load was not served as it should be, so that its figures say nothing."""


def saturate(port, path, seconds, connections=64):
    """Requests a second."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", f"http://127.0.0.1:{port}/{path}"],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise Failed(f"wrk on /{path}:\n{out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def at_rate(port, path, rate, seconds, connections=64, new_each=False, failing=False):
    """What load.c says; failing: answers other than 200 are wanted."""
    argv = [LOAD, *(["-n"] if new_each else []), "-c", connections, "-r", rate, "-d", seconds, f"127.0.0.1:{port}", f"/{path}"]
    said = json.loads(subprocess.run([str(a) for a in argv], capture_output=True, check=True).stdout)
    if said["failed"] or bool(said["not_200"]) != failing:
        raise Failed(f"{argv}: {said}")
    return said


class Conns(JsonChild):
    """conns.c; its connections are made by processes named "conns"."""

    def __init__(self, connections):
        self.port = free_port()
        self.count = 0
        super().__init__([CONNS, connections, self.port])

    def do(self, command, timeout=120):
        """The seconds that it took."""
        self.count += 1
        self.command(command)
        done = self.event("done", timeout, n=self.count)
        if done["failed"]:
            raise Failed(f"conns: {command}: {done['failed']} connections failed")
        return done["seconds"]


def wait(seconds):
    """What is measured is that nothing happens."""
    time.sleep(seconds)
