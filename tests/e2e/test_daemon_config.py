# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's configuration: every fault is said with its file, its line and what is allowed."""
import os
import re

import pytest
from harness.upclose import TOP, run

DEFAULT = TOP / "user" / "share" / "upclose.yaml"


@pytest.fixture
def check(scratch):
    def check_text(text):
        file = scratch / "upclose.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run("daemon", "--config", file, "--check-config", timeout=10)

    return check_text


def faults(done, status=1):
    """[(line, rest)] of what was said."""
    assert (done.returncode, done.stdout) == (status, ""), done
    said = [re.fullmatch(r"upclose: \S+/upclose\.yaml:(\d+)?:? ?(.*)", line) for line in done.stderr.splitlines()]
    assert all(said), done.stderr
    return [(int(m[1] or 0), m[2]) for m in said]


def good(done):
    assert (done.returncode, done.stdout) == (0, "") and "is good" in done.stderr, done


def test_default_is_good():
    good(run("daemon", "--config", DEFAULT, "--check-config"))


def test_every_commented_line_is_good(check):
    """What the default shows as comments is right when the "#" goes."""
    lines = DEFAULT.read_text(encoding="utf-8").split("\n")
    opened = [re.sub(r"^( *)#(?=( {2})*(- )?[a-z_]+:)", r"\1", line) for line in lines]
    assert opened != lines
    good(check("\n".join(opened)))


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "tracing:\n", "---\nmetrics:\n  page: no\n", "log: {to: stderr, format: json}\n",
                                  "metrics: {listen: off}\n", 'metrics: {listen: "[::1]:9502"}\n', "metrics: {listen: unix:/run/x}\n",
                                  "\ufefftracing: {}\n", "tracing: {ports: [1, 65535], comms: [a, b]}\r\n"])
def test_good(check, text):
    good(check(text))


@pytest.mark.parametrize("text, line, patterns", [
    ("tracing:\n  ring_mib: 4\n\n  commms: [a]\n", 4, ["tracing.commms: no such key", "allowed here: comms, ports, ring_mib"]),
    ("tracer: {}\n", 1, ["tracer: no such key", "allowed here: tracing, metrics, log"]),
    ("tracing:\n  ring_mib: 4x\n", 2, ["tracing.ring_mib: '4x'", "a whole number"]),
    ("tracing:\n  ring_mib: -4\n", 2, ["'-4'", "a whole number"]),
    ("tracing:\n  ring_mib: 0x10\n", 2, ["'0x10'", "a whole number"]),
    ("tracing:\n  ring_mib:\n", 2, ["''", "a whole number"]),
    ("tracing:\n  ring_mib: 0\n", 2, ["0 is not valid", "from 1 to 1024"]),
    ("tracing:\n  ring_mib: 2048\n", 2, ["2048 is not valid", "from 1 to 1024"]),
    ("tracing:\n  ring_mib: 5\n", 2, ["a power of two"]),
    ("tracing:\n  ring_mib: 99999999999\n", 2, ["at most 4294967295"]),
    ("tracing:\n  ring_mib: 99999999999999999999999\n", 2, ["a whole number"]),
    ("tracing:\n  ring_mib: [1]\n", 2, ["one value"]),
    ("tracing:\n  comms: nginx\n", 2, ["a list is wanted", r"\[a, b\]"]),
    ("tracing:\n  comms: []\n", 2, ["0 entries; allowed are 1 to 8"]),
    ("tracing:\n  comms:\n    - nginx\n    - sixteen-is-a-lot\n", 4, [r"comms\[1\]", "16 bytes; allowed are 1 to 15"]),
    ("tracing:\n  comms: [a, b, c, d, e, f, g, h, i]\n", 2, ["9 entries; allowed are 1 to 8"]),
    ("tracing:\n  ports: [80, 65536]\n", 2, [r"ports\[1\]: '65536'", "65535"]),
    ("tracing:\n  ports: [80, 0]\n", 2, ["ports", "1 to 65535"]),
    ("tracing:\n  ports: [http]\n", 2, [r"ports\[0\]: 'http'", "a whole number"]),
    ("tracing:\n  error_log: error.log\n", 2, ["error_log: 'error.log'", "begins with /"]),
    ("tracing:\n  show_query: maybe\n", 2, ["'maybe'", "true or false"]),
    ("log:\n  to: syslog\n", 2, ["'syslog'", "allowed: auto, stderr, journal"]),
    ("log:\n  to: 1\n", 2, ["'1'", "allowed: auto, stderr, journal"]),
    ("log:\n  to: journal\n  format: json\n", 3, ["log.format", "stderr"]),
    ("metrics:\n  listen: localhost:80\n", 2, ["'localhost:80'", r"127\.0\.0\.1:9502", r"\[::1\]:9502", "unix:/PATH", "off"]),
    ("metrics:\n  listen: 127.0.0.1\n", 2, ["ADDRESS:PORT"]),
    ("metrics:\n  listen: 127.0.0.1:70000\n", 2, ["ADDRESS:PORT"]),
    ("metrics:\n  listen: ::1:80\n", 2, ["ADDRESS:PORT"]),
    ("metrics:\n  listen: '[::1:80'\n", 2, ["ADDRESS:PORT"]),
    ("metrics:\n  listen: unix:socket\n", 2, ["unix:/PATH"]),
    ("metrics:\n  listen: unix:/" + "x" * 110 + "\n", 2, ["unix:/PATH"]),
    ("metrics:\n  max_upstreams: 0\n", 2, ["from 1 to 1024"]),
    ("metrics:\n  tls:\n    key: /k\n", 3, ["metrics.tls.certificate: is missing"]),
    ("metrics:\n  tls: {key: k, certificate: /c}\n", 2, ["tls.key: 'k'", "begins with /"]),
    ("tracing: 5\n", 1, ["keys and values"]),
    ("- tracing\n", 1, ["keys and values"]),
    ("just words\n", 1, ["keys and values"]),
    ("user: a\nuser: b\n", 2, ["user: is a duplicate key"]),
    ("user: ''\n", 1, ["user: is empty"]),
    ("user: &x a\nstate_directory: *x\n", 1, ["aliases are not allowed"]),
    ("state_directory: var\n", 1, ["begins with /"]),
    ("tracing: {}\n---\nlog: {}\n", 0, ["one YAML document only"]),
    ("tracing:\n   comms: [a]\n ports: [\n", 3, ["not YAML"]),
    ("tracing:\n\tports: []\n", 2, ["not YAML"]),
    ("tracing: {ports: [1\n", 2, ["not YAML"]),
    ("? [a]\n: b\n", 1, ["a key must be a word", "allowed here: tracing"]),
    (b"user: \xff\xfe\n", 1, ["not YAML"]),
    (b'user: "a\\0b"\n', 1, ["must not contain NUL"]),
])
def test_fault(check, text, line, patterns):
    found = faults(check(text))
    assert found[0][0] == line, found
    for pattern in patterns:
        assert re.search(pattern, found[0][1]), f"{pattern!r} is not in {found}"


def test_deep_nesting(check):
    assert faults(check("[" * 100000)) and faults(check("tracing: " + "{a: " * 10000 + "}" * 10000))


def test_all_faults_are_said(check):
    found = faults(check("tracing:\n  ring_mib: x\n  nonsense: 1\nlog:\n  to: nowhere\nuser: ''\n"))
    assert [line for line, _ in found] == [2, 3, 5, 6]


def test_many_faults_are_counted(check):
    found = faults(check("".join(f"key{i}: 1\n" for i in range(50))))
    assert len(found) == 21 and "30 more" in found[-1][1]


def test_bomb_of_aliases(check):
    """Nine levels of nine aliases each."""
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    assert faults(check(text))


def test_file_is_missing(scratch):
    done = run("daemon", "--config", scratch / "nothing.yaml", "--check-config")
    assert done.returncode == 1 and re.search(r"nothing\.yaml: No such file", done.stderr)
    done = run("daemon", "--config", scratch, "--check-config")
    assert done.returncode == 1 and "Is a directory" in done.stderr


def test_file_without_end():
    done = run("daemon", "--config", "/dev/zero", "--check-config", timeout=10)
    assert done.returncode == 1 and "1 MiB" in done.stderr


def test_configuration_from_a_pipe():
    read_end, write_end = os.pipe()
    os.write(write_end, b"tracing: {}\n")
    os.close(write_end)
    done = run("daemon", "--config", "/dev/stdin", "--check-config", stdin=read_end)
    os.close(read_end)
    assert done.returncode == 0, done


@pytest.mark.parametrize("args, pattern", [(["--nonsense"], "nonsense"), (["surplus"], "surplus"), (["--config"], "config")])
def test_wrong_usage(args, pattern):
    done = run("daemon", *args)
    assert (done.returncode, done.stdout) == (2, "") and pattern in done.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    done = run("daemon", option)
    assert (done.returncode, done.stderr) == (0, "") and "--check-config" in done.stdout
