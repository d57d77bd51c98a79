# SPDX-License-Identifier: BSD-2-Clause
"""The demo names every fault, and leaves nothing behind, however it ends."""
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from harness.proc import PREFIX, Child, eventually, marked
from harness.upclose import TOP, UPCLOSE

DEMO = [sys.executable, TOP / "tests" / "demo.py"]


@pytest.fixture
def upclose_is_there(bpf, request):
    if request.config.getoption("--no-upclose"):
        pytest.skip("the demo needs upclose")


def left():
    return glob.glob(f"{tempfile.gettempdir()}/{PREFIX}*")


def test_demo(upclose_is_there):
    files, start = left(), time.monotonic()
    done = subprocess.run(DEMO, capture_output=True, text=True, env=os.environ | {"UPCLOSE": UPCLOSE}, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - start < 60 and "\033" not in done.stdout and done.stderr == ""
    for verdict in ("keepalive_race, proven (request_unacked)", "keepalive_race, proven (sent_after_fin)", "upstream_closed, proven",
                    "upstream_died, proven (exit_code)", "upstream_died, proven (signal)", "partial_header, proven",
                    "body_truncated, proven (content_length)", "connect_failed, proven (refused)"):
        assert verdict in done.stdout
    assert len(re.findall("nginx logged", done.stdout)) == 8 and "s3cr3t" not in done.stdout
    assert left() == files


@pytest.mark.parametrize("sig, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_demo_is_interrupted(upclose_is_there, sig, status):
    files = left()
    mark = f"UPCLOSE_DEMO=test-{os.getpid()}-{status}"
    with Child(["env", mark, *DEMO], env=os.environ | {"UPCLOSE": UPCLOSE}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as demo:
        demo.popen.stdout.readline()
        assert demo.popen.stdout.readline()  # the first heading: all is running
        demo.kill(sig)
        assert demo.wait(20) == status
        demo.popen.stdout.close()
    eventually(lambda: left() == files, "the scratch folder is gone")
    eventually(lambda: not marked(mark), "its processes are gone")


def test_demo_fails_when_a_fault_is_not_named(upclose_is_there, scratch):
    mute = scratch / "upclose"
    mute.write_text('#!/bin/sh\necho tracing >&2\ntrap "exit 0" INT TERM\nwhile :; do sleep 0.1; done\n', encoding="ascii")
    mute.chmod(0o755)
    done = subprocess.run(DEMO, capture_output=True, text=True, env=os.environ | {"UPCLOSE": str(mute)}, timeout=60, check=False)
    assert done.returncode == 1 and "did not name" in done.stderr
