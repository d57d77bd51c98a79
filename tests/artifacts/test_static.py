# SPDX-License-Identifier: BSD-2-Clause
"""The program that needs no library: what it is, and that it works where there is nothing."""
import os
import re
import subprocess
import sys

import pytest

import tree

MOST_BYTES = 10 << 20
# Of the end-to-end tests, those that need nothing but the program, and those that want commands and devices beside it.
ALONE = ("test_verdicts.py", "test_probe.py")
BESIDE_OTHERS = ("test_daemon.py", "test_alerts.py")
# Runs its arguments in a root that holds the program, what the kernel shows, and the test's own folder.
ENTER = """
mount -t tmpfs none "$0" && cd "$0" || exit 125
mkdir proc sys tmp && touch upclose && mount --bind "$1" upclose && mount --rbind /proc proc && mount --rbind /sys sys || exit 125
mkdir -p ".$TMPDIR" && mount --rbind "$TMPDIR" ".$TMPDIR" || exit 125
shift
exec chroot . /upclose "$@"
"""


@pytest.fixture(name="static", scope="module")
def fixture_static():
    tree.make(tree.TOP, "static", O=tree.O)
    return tree.TOP / tree.O / "static/upclose"


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], capture_output=True, text=True, check=True).stdout


def test_it_needs_nothing(static):
    assert "(NEEDED)" not in readelf("-d", static)
    assert "INTERP" not in readelf("-l", static)


def test_it_is_hardened_like_the_others(static):
    assert re.search(r"Type:\s+DYN", readelf("-h", static))
    assert "BIND_NOW" in readelf("-d", static)
    segments = readelf("-l", static)
    assert "GNU_RELRO" in segments and re.search(r"GNU_STACK.*RW ", segments)


def test_it_is_small(static):
    assert static.stat().st_size <= MOST_BYTES


def end_to_end(program, files):
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "3", "--dist", "loadfile",
                           *(f"tests/e2e/{name}" for name in files)], cwd=tree.TOP, capture_output=True, text=True,
                          env={**os.environ, "UPCLOSE": str(program)}, check=False)
    assert not done.returncode, done.stdout[-6000:]


def test_in_an_empty_root(static, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    run = tmp_path / "upclose"
    run.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{ENTER}' {root} {static} \"$@\"\n", encoding="ascii")
    run.chmod(0o755)
    end_to_end(run, ALONE)


def test_on_this_host(static):
    end_to_end(static, BESIDE_OTHERS)


def test_replays(static):
    subprocess.run(["tests/replay/run.sh", static], cwd=tree.TOP, stdout=subprocess.DEVNULL, check=True)
