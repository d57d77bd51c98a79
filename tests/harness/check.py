# SPDX-License-Identifier: BSD-2-Clause
"""upclose check on an nginx that runs, and its own changes to that nginx's configuration."""
import json
import subprocess

from .proc import eventually
from .upclose import run


def check(nginx, *args):
    return run("check", "--pid", nginx.pid, *args)


def objects(nginx, *args):
    got = check(nginx, "-o", "json", *args)
    assert got.returncode in (0, 3), got.stderr
    return [json.loads(line) for line in got.stdout.splitlines()]


def found(nginx, *args):
    return [o for o in objects(nginx, *args) if o["kind"] == "finding"]


def contracts(nginx, *args):
    return [o for o in objects(nginx, *args) if o["kind"] == "contract"]


def mend(nginx, *args):
    """The own diff, taken by patch, accepted by nginx, in force, and nothing found behind it."""
    diff = check(nginx, "--fix", *args)
    assert diff.returncode == 3 and "not shown" not in diff.stderr and "in the way" not in diff.stderr, diff.stderr
    subprocess.run(["patch", "-p1", "-s", "-d", "/"], input=diff.stdout, text=True, check=True)
    tried = nginx.test()
    assert tried.returncode == 0, tried.stderr + diff.stdout
    assert found(nginx, *args) == [], diff.stdout
    old = set(nginx.reload())
    eventually(lambda: not old & set(nginx.workers()), "the old workers have ended")
