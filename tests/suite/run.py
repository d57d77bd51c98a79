# SPDX-License-Identifier: BSD-2-Clause
"""Runs files of nginx's test suite, each in a network namespace of its own, and keeps what nginx logged."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.nginx import NGINX

SOURCE = "https://github.com/nginx/nginx-tests"
# of the time of nginx 1.22; files that need a later nginx skip themselves
COMMIT = "fd399c8"
# seconds; the slowest of the suite takes twenty
PATIENCE = 120
PASSES = re.compile(r"\b(proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass\b")


class Absent(Exception):
    """The suite, or what it needs, is not to be had here."""


@dataclass
class Ran:
    """One file of the suite. result: "ok", "skipped" or "failed"; start and end: seconds since 1970."""

    name: str
    result: str
    why: str
    start: float
    end: float


def checkout(parent):
    """The suite's folder: UPCLOSE_NGINX_TESTS, or a clone below parent."""
    given = os.environ.get("UPCLOSE_NGINX_TESTS")
    if given:
        if not Path(given, "lib/Test/Nginx.pm").exists():
            raise Absent(f"UPCLOSE_NGINX_TESTS={given} is no checkout of nginx's tests")
        return Path(given)
    folder = Path(parent, "nginx-tests")
    for command in (["clone", "-q", SOURCE, folder], ["-C", folder, "checkout", "-q", COMMIT]):
        try:
            done = subprocess.run(["git", *command], capture_output=True, text=True, timeout=120, check=False,
                                  env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
        except subprocess.TimeoutExpired as late:
            raise Absent(f"cannot fetch {SOURCE}: not within 120 s") from late
        if done.returncode:
            raise Absent(f"cannot fetch {SOURCE}: {(done.stderr.strip().splitlines() or ['git failed'])[-1]}")
    return folder


def with_upstreams(suite):
    """The files in which nginx connects to something."""
    return [p.name for p in sorted(suite.glob("*.t")) if PASSES.search(p.read_text(errors="replace"))]


def configured():
    """What nginx -V tells, without the dynamic modules that are not installed; and the folder of modules."""
    told = subprocess.run([NGINX, "-V"], capture_output=True, text=True, check=True).stderr
    folder = re.search(r"--modules-path=(\S+)", told)
    folder = Path(folder[1] if folder else "/nonexistent")
    installed = {re.sub(r"^ngx_|_module$|_filter_module$", "", p.stem) for p in folder.glob("*.so")}

    def keep(option):
        return option[0] if re.sub("_module$", "", option[1]) in installed else ""

    return re.sub(r"--with-(\w+)=dynamic", keep, told), folder


def environment(scratch):
    """The suite takes every dynamic module of nginx -V for installed, so it is given an nginx that tells fewer.

    Its name is another one: for upclose a shell called nginx would be an nginx whose words are not heard.
    """
    told, folder = configured()
    program = Path(scratch, "told-nginx")
    program.write_text(f"#!/bin/sh\n[ \"$1\" != -V ] || exec cat '{scratch}/told' >&2\nexec '{NGINX}' \"$@\"\n")
    program.chmod(0o755)
    Path(scratch, "told").write_text(told)
    return {**os.environ, "TEST_NGINX_BINARY": str(program), "TEST_NGINX_LEAVE": "1", "TMPDIR": str(scratch),
            "TEST_NGINX_GLOBALS": "user root;\n", "TEST_NGINX_MODULES": str(folder), "LC_ALL": "C", "PERL5LIB": "lib"}


def result_of(status, output):
    skip = re.search(r"^1\.\.0 # SKIP (.*)", output, re.M | re.I)
    if skip:
        return "skipped", skip[1]
    if status:
        bad = [line for line in output.splitlines() if line.startswith("not ok") and "# TODO" not in line]
        return "failed", bad[0] if bad else f"exit status {status}"
    return "ok", ""


def run_file(suite, name, keep):
    """Runs one file; nginx's folder stays as keep/NAME."""
    home, start = Path(keep, name), time.time()
    home.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="upclose-suite-") as scratch:
        command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec perl "$0"', name]
        child = subprocess.Popen(command, cwd=suite, env=environment(scratch), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                 start_new_session=True)
        try:
            output = child.communicate(timeout=PATIENCE)[0]
            result = result_of(child.returncode, output)
        except subprocess.TimeoutExpired:
            result = "failed", f"not within {PATIENCE} s"
            output = ""
        finally:
            # its daemons too, where it died before it could end them
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        for log in Path(scratch).glob("nginx-test-*/error.log"):
            shutil.copy(log, home)
    Path(home, "output").write_text(output, encoding="utf-8")
    return Ran(name, *result, start, time.time())


def run_files(suite, names, keep, jobs):
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: run_file(suite, name, keep), names)
