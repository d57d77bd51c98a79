# SPDX-License-Identifier: BSD-2-Clause
"""Wrong input and bad circumstances: a clear error that says what to do, and nothing left behind."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import bpf_objects, faults
from harness.nginx import NGINX, Route
from harness.proc import PREFIX, eventually
from harness.stage import Stage
from harness.upclose import UPCLOSE, Upclose, run


@pytest.fixture
def site(stage):
    """nginx and a Node whose connection to it can be destroyed."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))

    def destroy():
        return faults.provoke(nginx, up, "destroy", faults.CLOSED)

    destroy.port = up.port
    return destroy


def refused(done, *patterns, status=1):
    """The program said no: with this status, in a few lines that have these patterns, and not on standard output."""
    assert done.returncode == status, done
    assert done.stdout == ""
    assert 0 < len(done.stderr.splitlines()) <= 12, done.stderr
    for pattern in patterns:
        assert re.search(pattern, done.stderr, re.I), f"{pattern!r} is not in {done.stderr!r}"


# wrong usage


@pytest.mark.parametrize("args, patterns", [
    (["trace", "--nonsense"], ["--nonsense"]),
    (["trace", "-p", "0"], ["0", "port", "65535"]),
    (["trace", "-p", "65536"], ["65536", "65535"]),
    (["trace", "-p", "http"], ["http", "port"]),
    (["trace", "-p", "80x"], ["80x"]),
    (["trace", "-p", "-1"], ["-1"]),
    (["trace", "-o", "xml"], ["xml", "text", "table", "json"]),
    (["trace", "-d", "soon"], ["soon"]),
    (["trace", "-d", "-5"], ["-5"]),
    (["trace", "-c", "0"], ["0"]),
    (["trace", "-c", "99999999999999999999"], ["99999999999999999999"]),
    (["trace", "--comm", "a-name-of-more-than-15-letters"], ["15"]),
    (["trace", "--comm", ""], ["comm"]),
    (["trace", "surplus"], ["surplus"]),
    (["trace", "-w"], ["-w|argument"]),
    (["tracee"], ["tracee", "help"]),
    (["hooks", "surplus"], ["'surplus' is one argument too many", "hooks --help"]),
    (["daemon", "surplus"], ["'surplus' is one argument too many", "daemon --help"]),
    (["replay"], ["FILE"]),
    (["replay", "a", "b"], ["one recording"]),
])
def test_wrong_usage(args, patterns):
    refused(run(*args), *patterns, status=2)


@pytest.mark.parametrize("command", ["trace", "daemon", "replay", "report", "check", "probe", "hooks"])
def test_unknown_option(command):
    refused(run(command, "--nonsense"), "--nonsense", f"'upclose {command} --help' has the options", status=2)


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["trace", "--help"], ["trace", "-h"], ["replay", "-h"], ["hooks", "-h"], []])
def test_help(args):
    done = run(*args)
    assert (done.returncode, done.stderr) == (0, "") and "upclose" in done.stdout.lower()


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    done = run(option)
    assert (done.returncode, done.stderr) == (0, "") and re.search(r"\d+\.\d+\.\d+", done.stdout)


def test_help_to_a_full_disk():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([UPCLOSE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


# no privilege


def test_without_root(scratch):
    """What to do is said; also to somebody who is root already."""
    command = [shutil.copy(UPCLOSE, scratch / "upclose"), "trace"]
    os.chmod(scratch, 0o755)
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    refused(done, "root|sudo|CAP_BPF")


def test_root_without_capabilities(bpf):
    """BPF is refused, as in a container."""
    done = subprocess.run(["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", UPCLOSE, "trace"], capture_output=True, text=True,
                          timeout=20, check=False)
    refused(done, "CAP_BPF|root|privilege|permitted|capabilit")


# standard output


def test_standard_output_is_closed(bpf):
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", UPCLOSE, "trace", "-o", "json", "-d", "1"], capture_output=True, text=True,
                          timeout=20, check=False)
    refused(done, "standard output|stdout|Bad file descriptor")


def test_reader_of_standard_output_goes_away(site, bpf):
    read_end, write_end = os.pipe()
    with Upclose(ports=[site.port], stdout=write_end) as tr:
        os.close(write_end)
        os.close(read_end)
        site()
        assert tr.ended() == 1
        assert re.search("standard output|Broken pipe", tr.stderr(), re.I)


# the recording


@pytest.mark.parametrize("where, patterns", [
    ("/nonexistent/folder/file", ["/nonexistent/folder/file", "No such file"]),
    ("/tmp", ["/tmp", "Is a directory"]),
])
def test_recording_cannot_be_written(bpf, where, patterns):
    refused(run("trace", "-o", "json", "-d", "2", "-w", where), *patterns)


def test_disk_is_full_at_once(bpf):
    """The trace goes on without its recording; the failure is said and is in the status."""
    done = run("trace", "-o", "json", "-d", "1", "-p", "1", "-w", "/dev/full")
    assert done.returncode == 1 and "/dev/full" in done.stderr and done.stderr.count("No space left") == 1
    assert json.loads(done.stdout)["kind"] == "summary"


def test_disk_full_while_recording(site, bpf, scratch):
    """A tmpfs of 64 KiB in a mount namespace of its own."""
    mount = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=64k none "{scratch}" && exec "$@"', "sh"]
    with Upclose("-w", scratch / "recording", ports=[site.port], prefix=mount) as tr:
        def full():
            site()
            return "No space left" in tr.stderr()

        eventually(full, "the disk is full", 20)
        tr.kill(signal.SIGINT)
        assert tr.ended() == 1
        assert f"{scratch}/recording" in tr.stderr()
        assert tr.stderr().count("No space left") == 1


@pytest.fixture(scope="module")
def recorded():
    """A good recording of three connections."""
    if os.geteuid() != 0:
        pytest.skip("not root, which BPF needs")
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Stage() as stage:
        up = stage.node()
        nginx = stage.nginx(app=Route(up.addr))
        with Upclose("-w", f"{folder}/good", "-c", "3", ports=[up.port]) as tr:
            for _ in range(3):
                faults.provoke(nginx, up, "destroy", faults.CLOSED)
            assert tr.ended() == 0
        return Path(folder, "good").read_bytes()


def replay(scratch, data):
    file = scratch / "recording"
    file.write_bytes(data)
    return run("replay", "-o", "json", file)


def causes(done):
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [(o["verdict"], o["proof"], o["exchange"]["target"]) for o in objects if o["kind"] == "connection"]


def test_recording_is_cut_short(recorded, scratch):
    """At any byte: what is whole is shown, the cut is named, status 1; nothing crashes or hangs."""
    whole = replay(scratch, recorded)
    assert whole.returncode == 0 and len(causes(whole)) == 3
    step = max(1, len(recorded) // 60)
    for size in [*range(0, 64), *range(64, len(recorded), step), len(recorded) - 1]:
        done = replay(scratch, recorded[:size])
        assert done.returncode in (0, 1), (size, done)
        assert done.returncode == 0 or re.search("recording", done.stderr), (size, done.stderr)
        lines = done.stdout.splitlines()
        # what nginx did next may be behind the cut, so of the last connection only the cause is compared
        assert whole.stdout.splitlines()[: max(0, len(lines) - 2)] == lines[:-2], size
        assert causes(whole)[: max(0, len(lines) - 1)] == causes(done)[: max(0, len(lines) - 1)], size
    refused(replay(scratch, b""), "recording", "empty|short|not")
    assert re.search("cut|short|trunc|end", replay(scratch, recorded[:-1]).stderr)


def test_recording_is_corrupt(recorded, scratch):
    """One byte changed anywhere: an answer or an error, never a crash."""
    for at in [*range(0, 64), *range(64, len(recorded), max(1, len(recorded) // 60))]:
        data = bytearray(recorded)
        data[at] ^= 0xFF
        done = replay(scratch, bytes(data))
        assert done.returncode in (0, 1), (at, done)
        assert done.returncode == 0 or done.stderr, at


@pytest.mark.parametrize("data", [b"#!/bin/sh\necho no recording\n" * 10, b"\0" * 5000, os.urandom(5000)], ids=["text", "zeros", "noise"])
def test_file_is_no_recording(data, scratch):
    refused(replay(scratch, data), f"{scratch}/recording", "not a recording|no recording|not an upclose")


def test_recording_is_missing(scratch):
    refused(run("replay", scratch / "nothing"), "nothing", "No such file")
    refused(run("replay", scratch), "directory")


# circumstances


def test_no_nginx_runs(stage, trace, scratch):
    """It says so, waits, and works when one starts. Another name stands for `no nginx`, as others may run here."""
    binary = shutil.copy(NGINX, scratch / "nginx-late")
    up = stage.node()
    tr = trace("--comm", "nginx-late", ports=[up.port])
    tr.wait_stderr("nginx-late")
    assert re.search("no .*nginx-late.*(runs|running)|wait", tr.stderr(), re.I), tr.stderr()
    nginx = stage.nginx(app=Route(up.addr), binary=binary)
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED)
    assert tr.wait(target=fault.target)["nginx"]["comm"] == "nginx-late"


def test_two_traces_at_once(site, trace):
    first, second = trace(ports=[site.port]), trace(ports=[site.port])
    fault = site()
    objects = [tr.wait(target=fault.target) for tr in (first, second)]
    assert objects[0]["verdict"] == objects[1]["verdict"] == "upstream_closed"
    first.stop()
    fault = site()
    assert second.wait(target=fault.target)["confidence"] == "proven"


def bpf_ids(pid):
    """The BPF objects that a process holds: {"prog": {1, 2}, ...}."""
    held = {"prog": set(), "map": set(), "link": set()}
    for info in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with open(info, encoding="ascii") as f:
            for line in f:
                kind = re.fullmatch(r"(prog|map|link)_id:\s*(\d+)\n", line)
                if kind:
                    held[kind[1]].add(int(kind[2]))
    return held


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_in_the_kernel(site, bpf, sig):
    with Upclose(ports=[site.port]) as tr:
        tr.wait(target=site().target)
        held = bpf_ids(tr.pid)
        assert held["prog"] and held["map"] and held["link"]
        assert held["prog"] <= bpf_objects.ids("prog")
        tr.kill(sig)
        tr.ended()
    eventually(lambda: not any(bpf_objects.ids(kind) & ids for kind, ids in held.items()), "BPF objects are released", 10)
    assert not [p for p in glob.glob("/sys/fs/bpf/**", recursive=True) if "upclose" in p]
