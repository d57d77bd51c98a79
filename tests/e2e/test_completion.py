# SPDX-License-Identifier: BSD-2-Clause
"""Completion in bash, by the function that bash itself would call."""
import subprocess

import pytest
from harness.upclose import TOP, UPCLOSE, run

SCRIPT = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_upclose
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", TOP / "user/share/completion/upclose.bash", UPCLOSE, *words],
                          capture_output=True, text=True, check=True, cwd=TOP, timeout=20)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_commands():
    listed = {line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ") and line[2].isalpha()}
    assert complete("") == listed | {"--help", "--version"}
    assert complete("da") == {"daemon"}


@pytest.mark.parametrize("command, some", [
    ("trace", {"--duration", "--write", "--port", "--error-log", "--help"}), ("daemon", {"--config", "--check-config", "--verbose"}),
    ("replay", {"--output", "--all"}), ("probe", {"--quick", "--samples"}),
])
def test_options(command, some):
    found = complete(command, "--")
    assert found >= some
    for option in found - {"--help"}:  # each is one that the command knows
        assert "unrecognized" not in run(command, option + "=x", "--help", timeout=10).stderr


def test_values():
    assert complete("trace", "-o", "") == {"text", "table", "json"}
    assert complete("daemon", "--config", "user/share/upclose.y") == {"user/share/upclose.yaml"}
