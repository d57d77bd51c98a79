# SPDX-License-Identifier: BSD-2-Clause
"""In a container: uid 0 with three capabilities and no other, a read-only root, nowhere to keep a state."""
import signal
import subprocess
import sys
from pathlib import Path

from harness import faults
from harness.nginx import Route
from harness.upclose import UPCLOSE

CONTAIN = [sys.executable, Path(__file__).resolve().parents[1] / "harness/contain.py"]
THREE = [*CONTAIN, "bpf,perfmon,sys_ptrace"]
# what is nowhere on this host, and cannot be made
NO_STATE = {"state_directory": "/upclose-test-state", "runtime_directory": "/upclose-test-run"}


def status(daemon):
    lines = Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_trace(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port], prefix=THREE)
    fault = faults.provoke(nginx, up, "kill", faults.CLOSED)
    obj = tr.wait(target=fault.target, flagged=True)
    assert (obj["verdict"], obj["confidence"], obj["outcome"]) == ("upstream_died", "proven", "client_error")
    assert (obj["upstream"]["pid"], obj["upstream"]["exe"]) == (up.pid, up.exe)


def test_daemon(stage, bpf):
    """It stays root, keeps what names the upstream's program and nothing else, and does its work."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    d = stage.daemon(NO_STATE, ports=[up.port], prefix=THREE)
    d.wait_stderr("stays root")
    assert d.stderr().count("cannot be written to") == 2  # they were written before
    said = status(d)
    assert said["Uid"].split()[0] == "0" and int(said["CapEff"], 16) == int(said["CapPrm"], 16) == 1 << 19
    assert said["Seccomp"] == "2" and said["NoNewPrivs"] == "1"
    faults.provoke(nginx, up, "destroy", faults.CLOSED)
    d.wait_stderr("upstream_closed, proven")
    d.wait_sample("upclose_flagged_connections_total", 1, upstream=up.addr, verdict="upstream_closed", outcome="client_error")
    d.reload()
    d.kill(signal.SIGTERM)
    assert d.wait() == 0


def contained(*options):
    return subprocess.run([*CONTAIN, *options, UPCLOSE, "trace", "-d", "0.1"], capture_output=True, text=True, check=False)


def test_a_filter_is_named(bpf):
    """Not the kernel refuses then, and there is a remedy."""
    done = contained("--refuse-bpf", "bpf,perfmon,sys_ptrace")
    assert done.returncode == 1
    assert "seccomp" in done.stderr and "seccomp=unconfined" in done.stderr and "seccompProfile" in done.stderr


def test_no_capability_is_no_filter(bpf):
    done = contained("sys_ptrace")
    assert done.returncode == 1 and "CAP_BPF" in done.stderr and "seccomp" not in done.stderr
