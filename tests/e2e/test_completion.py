# SPDX-License-Identifier: BSD-2-Clause
"""Completion: in bash by the function that it would call, in fish by its own command, in zsh with its system's functions told to print."""
import os
import re
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

# What zsh's completion system has around the file, which is the body of a function.
ZSH = """
compadd() { while [[ $1 == -- ]]; do shift; done; print -rl -- $@ }
_describe() { print -rl -- ${(@P)2%%:*} }
_files() { print -rl -- ${PREFIX}*(N) }
functions[_upclose]=$(<$1)
shift
local -a words=("$@")
local CURRENT=$# PREFIX=${@[-1]}
_upclose
"""


def complete(*words):
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", TOP / "user/share/completion/upclose.bash", UPCLOSE, *words],
                          capture_output=True, text=True, check=True, cwd=TOP, timeout=20)
    assert done.stderr == ""
    return set(done.stdout.split())


def in_zsh(*words):
    done = subprocess.run(["zsh", "-f", "-c", "() {" + ZSH + '} "$@"', "zsh", TOP / "user/share/completion/upclose.zsh", UPCLOSE, *words],
                          capture_output=True, text=True, check=True, cwd=TOP, timeout=20)
    assert done.stderr == ""
    return {w for w in done.stdout.split() if w.startswith(words[-1])}


def in_fish(*words):
    """With the explanations that fish shows."""
    line = "upclose " + " ".join(words)
    done = subprocess.run(["fish", "--no-config", "-c", "function upclose; $UPCLOSE $argv; end; source $argv[1]; complete -C $argv[2]",
                           TOP / "user/share/completion/upclose.fish", line],
                          capture_output=True, text=True, check=True, cwd=TOP, timeout=20, env=os.environ | {"UPCLOSE": str(UPCLOSE)})
    assert done.stderr == ""
    return dict((line + "\t").split("\t")[:2] for line in done.stdout.splitlines())


def commands():
    return {line.split()[0] for line in run("--help").stdout.splitlines() if re.match("  [a-z]", line)}


def test_zsh():
    assert in_zsh("") == commands()
    assert in_zsh("da") == {"daemon"}
    assert in_zsh("trace", "--") == complete("trace", "--")
    assert in_zsh("check", "-o", "") == {"text", "json", "sarif"}
    assert in_zsh("daemon", "--config", "user/share/upclose.y") == {"user/share/upclose.yaml"}


def test_fish():
    assert set(in_fish("''")) >= commands()
    assert set(in_fish("da")) == {"daemon"} and in_fish("da")["daemon"]
    found = in_fish("trace", "--")
    assert set(found) == complete("trace", "--") and all(found.values())
    assert set(in_fish("trace", "-o", "t")) == {"text", "table"}
    assert "user/share/upclose.yaml" in in_fish("daemon", "--config", "user/share/upclose.y")


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
