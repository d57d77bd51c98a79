# SPDX-License-Identifier: BSD-2-Clause
"""Connections that nobody has accepted: nginx has sent its request, and the upstream's listening socket goes away or is full."""
import os
import signal
import subprocess

import pytest
from harness import faults, proc
from harness.nginx import Route
from harness.stage import path, target

GONE = f"{faults.RESET}|connect\\(\\) failed \\(104"


def unread(up):
    """Wait until a request lies in the upstream's socket."""
    proc.eventually(lambda: any(s[0] == up.port and s[2] == "ESTABLISHED" and s[3] for s in proc.tcp_sockets(up.pid)), "the request is there")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("how, verdict, proof, said", [
    ("SIGKILL", "upstream_died", "signal", "ended by SIGKILL with this connection waiting to be accepted"),
    ("exit", "upstream_died", "exit_code", "exit status 0 with this connection waiting to be accepted"),
    ("unlisten", "upstream_closed", "request_unread", "closed its listening socket while this connection waited to be accepted"),
])
def test_listener_goes_away(stage, trace, how, verdict, proof, said, method):
    up = stage.raw("--deaf")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    t = target("queue")
    with nginx.client() as c:
        c.send(method, t, body=b"x" if method == "POST" else b"")
        unread(up)
        if how == "SIGKILL":
            os.kill(up.pid, signal.SIGKILL)
        elif how == "exit":
            up.popen.stdin.close()
        else:
            up.command("unlisten")
        assert c.response().status == 502
    nginx.wait_error(GONE, path(t))
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["confidence"], obj["closed_by"], obj["close"]) == (verdict, proof, "proven", "upstream", "rst")
    assert (obj["upstream"]["pid"], obj["upstream"]["exiting"]) == (up.pid, verdict == "upstream_died")
    assert said in obj["summary"]
    assert any("accept queue" in line for line in obj["evidence"])


def test_last_of_two_listeners_goes_away(stage, trace):
    """A fork holds the listening socket, too: only the end of both of them ends the connection."""
    up = stage.raw("--deaf", "--fork")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    t = target("queue")
    with nginx.client() as c:
        c.send("GET", t)
        unread(up)
        (child,) = proc.children(up.pid)
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
        assert not tr.all()
        os.kill(child, signal.SIGTERM)
        assert c.response().status == 502
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["upstream"]["signal"], obj["upstream"]["pid"]) == ("upstream_died", "SIGTERM", child)


@pytest.mark.parametrize("abort", [True, False])
def test_queue_overflows(stage, trace, abort):
    """The kernel ends the handshake, finds its queue full, and answers with a reset or, by default, not at all. No process is asked."""
    link = stage.link(20)
    subprocess.run(["nsenter", f"--net={link.ready['b']}", "sh", "-c", f"echo {int(abort)} > /proc/sys/net/ipv4/tcp_abort_on_overflow"], check=True)
    up = stage.raw("--deaf", "--backlog", "2", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 500ms;"), netns=link.ready["a"])
    tr = trace(ports=[up.port])
    clients = [stage.client(nginx) for _ in range(5)]
    targets = [target("queue") for _ in clients]
    for c, t in zip(clients[:2], targets[:2], strict=True):  # the queue takes three, and these three handshakes end at once
        c.send("POST", t, body=b"x")
        unread(up)
    for c, t in zip(clients[2:], targets[2:], strict=True):
        c.send("POST", t, body=b"x")
    statuses = [c.response().status for c in clients]
    assert statuses[:2] == [504] * 2
    objects = [tr.wait(target=path(t)) for t in targets]
    lost = [o for o in objects if o["exchange"]["unacked_bytes"]]
    assert 1 <= len(lost) <= 2
    for obj, status in zip(objects, statuses, strict=True):
        if obj in lost and status == 502:
            assert (obj["verdict"], obj["proof"], obj["confidence"], obj["upstream"]["pid"]) == ("upstream_reset", "rst", "proven", None)
        else:
            assert (obj["verdict"], obj["proof"], status) == ("nginx_timeout", "read_timeout", 504)
            assert ("acknowledged none of the request" in obj["summary"]) == (obj in lost)
    assert abort == any(o["verdict"] == "upstream_reset" for o in lost)
