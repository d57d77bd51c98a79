# SPDX-License-Identifier: BSD-2-Clause
"""A minute and a half of `make soak`, which is meant to run for twenty."""
import subprocess
import sys

from harness.upclose import TOP

SECONDS = 90


def test_soak(bpf):
    done = subprocess.run([sys.executable, TOP / "tests" / "soak.py", str(SECONDS)], capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    print(done.stdout, done.stderr, sep="\n")
    assert done.returncode == 0
