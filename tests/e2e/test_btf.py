# SPDX-License-Identifier: BSD-2-Clause
"""A kernel's BTF as a file: what upclose needs of it and does not find is named, and garbage is refused."""
import json
import os
import random
import subprocess

import pytest
from harness.upclose import UPCLOSE

BTF = "/sys/kernel/btf/vmlinux"


def check(file, *options):
    return subprocess.run([UPCLOSE, "hooks", "--btf", file, *options], capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(scope="module")
def types():
    if not os.path.exists(BTF):
        pytest.skip("this kernel has no BTF")
    with open(BTF, "rb") as f:
        return f.read()


def renamed(types, *names):
    """The same types where these names are others of the same length."""
    for name in names:
        assert f"\0{name}\0".encode() in types, name
        types = types.replace(f"\0{name}\0".encode(), f"\0{name[:-1]}?\0".encode())
    return types


def test_this_kernel(types):
    done = check(BTF)
    assert done.returncode == 0, done.stdout
    assert "possible" in done.stdout


@pytest.mark.parametrize("name, missing, plans", [
    ("snd_una", "struct tcp_sock.snd_una", set()),
    ("icsk_ack", "struct tcp_sock.inet_conn.icsk_ack", {"tracepoint", "fentry", "kprobe"}),  # adoption is done without
    ("oom_mm", "struct signal_struct.oom_mm", set()),
    ("btf_trace_tcp_destroy_sock", "tracepoint tcp_destroy_sock", set()),
    ("btf_trace_sock_recv_length", "tracepoint sock_recv_length", {"fentry", "kprobe"}),
    ("tcp_recvmsg", "function tcp_recvmsg", {"tracepoint", "kprobe"}),
    ("tcp_cleanup_rbuf", "function tcp_cleanup_rbuf", {"tracepoint", "fentry"}),
    ("bpf_iter_task_file", "function task_file", {"tracepoint", "fentry", "kprobe"}),
    ("tcp_sock", "struct tcp_sock", set()),
    ("sock", "argument 1 of inet_sock_set_state, a pointer to struct sock", set()),
])
def test_missing(types, scratch, name, missing, plans):
    """Each kind of thing that can be missing is named, with the plans that it costs."""
    if name == "btf_trace_sock_recv_length" and f"\0{name}\0".encode() not in types:
        pytest.skip("this kernel is older than 6.3")
    (scratch / "btf").write_bytes(renamed(types, name))
    done = check(scratch / "btf", "-o", "json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert missing in {r["name"] for r in rows if r["kind"] == "missing"}, done.stdout
    whole = {json.loads(line)["plan"] for line in check(BTF, "-o", "json").stdout.splitlines()
             if json.loads(line)["kind"] == "plan" and json.loads(line)["possible"]}
    assert {r["plan"] for r in rows if r["kind"] == "plan" and r["possible"]} == plans & whole
    assert done.returncode == (0 if plans & whole else 1)


def test_wanted_plan(types, scratch):
    (scratch / "btf").write_bytes(renamed(types, "tcp_cleanup_rbuf"))
    assert check(scratch / "btf", "--hooks", "kprobe").returncode == 1
    assert check(scratch / "btf", "--hooks", "fentry").returncode == 0


def test_garbage(types, scratch):
    file = scratch / "btf"
    chance = random.Random(1)
    whole = bytearray(types)
    pieces = [b"", b"\x9f\xeb", types[:24], types[: len(types) // 2], chance.randbytes(4096), b"\x7fELF" + chance.randbytes(4096)]
    for piece in pieces:
        file.write_bytes(piece)
        done = check(file)
        assert done.returncode == 1 and str(file) in done.stderr and "BTFHub" in done.stderr, (piece[:8], done)
    for _ in range(40):  # bytes that are not what they were: an answer or an error, never a crash
        damaged = whole[:]
        for _ in range(200):
            damaged[chance.randrange(24, len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged)
        assert check(file).returncode in (0, 1)
    for path in (scratch, "/nope"):
        done = check(path)
        assert done.returncode == 1 and str(path) in done.stderr


def test_kernel_without_btf(bpf, types, scratch):
    """It says where to get the types, and a file of them serves in their place, as far as this host allows kprobes."""
    file = scratch / "btf"
    file.write_bytes(types)

    def trace(*options):
        hidden = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\""
        return subprocess.run(["unshare", "--mount", "sh", "-c", hidden, "sh", UPCLOSE, "trace", "-d", "0.1", *options],
                              capture_output=True, text=True, timeout=20, check=False)

    done = trace()
    if os.path.exists(f"/boot/vmlinux-{os.uname().release}"):  # libbpf looks there, too
        pytest.skip("the kernel's types are also in /boot")
    assert done.returncode == 1
    assert "no BTF" in done.stderr and "BTFHub" in done.stderr and "--btf" in done.stderr
    done = trace("--btf", file)
    if os.path.exists("/sys/bus/event_source/devices/kprobe"):
        assert done.returncode == 0 and "tracing" in done.stderr, done.stderr
    else:
        assert done.returncode == 1 and "kprobe" in done.stderr
