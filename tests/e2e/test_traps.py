# SPDX-License-Identifier: BSD-2-Clause
"""What could lead astray: lost records, a wrapped log, twins in two namespaces, requests that are sent in odd ways."""
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import faults
from harness.nginx import Route
from harness.proc import JsonChild, eventually
from harness.upclose import assert_contract

HARNESS = Path(faults.__file__).parent


def test_lost_records(stage, bpf):
    """The reader stands still while more ends come than the ring holds: the loss is counted, and nothing is made up."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr, keepalive=0))
    tr = stage.upclose("-p", up.port, "--ring-mib", 1)
    tr.kill(signal.SIGSTOP)
    for _ in range(1000):
        assert nginx.get("/destroy/lost").status == 502
    tr.kill(signal.SIGCONT)
    tr.wait(target="/destroy/lost")
    objects, summary, _, status = tr.stop()
    assert status == 0
    lost = summary["lost_by_reason"]["ring_full"]
    assert 0 < lost <= summary["lost"]
    assert 0 < len(objects) < 1000 <= len(objects) + lost
    for obj in objects:
        assert_contract(obj)
        assert (obj["verdict"], obj["upstream"]["addr"]) == ("upstream_closed", "127.0.0.1")
        if obj["lossy"]:
            assert obj["confidence"] == "likely"
        else:
            assert obj["proof"] == "deliberate_close" and obj["confidence"] == "proven"


def test_wrapped_log(stage, trace):
    """Far more events than the log keeps: the counts are right, and the timeline says that it is cut."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace()
    with nginx.client() as c:
        for _ in range(100):
            assert c.request("GET", "/ok/many").status == 200
        assert c.request("POST", "/destroy/last", body=b"x").status == 502
    obj = tr.wait(target="/destroy/last")
    assert obj["timeline_cut"] is True and obj["lossy"] is False
    assert (obj["verdict"], obj["confidence"], obj["exchange"]["number"]) == ("upstream_closed", "proven", 101)


def test_twins_in_two_namespaces(stage, trace):
    """The same addresses and ports at both ends at the same time, in two pairs of namespaces."""
    tr = trace()
    sides = []
    for behaviour in ("destroy", "kill"):
        link = stage.link(5)
        subprocess.run(["nsenter", f"--net={link.ready['a']}", "sh", "-c",
                        "echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range"], check=True)
        up = stage.node("--port", "8000", host="10.77.0.2", netns=link.ready["b"])
        nginx = stage.nginx(app=Route(up.addr), netns=link.ready["a"])
        sides.append((nginx, up, behaviour, stage.client(nginx)))
    for nginx, up, behaviour, c in sides:
        assert c.request("GET", f"/ok/{behaviour}").status == 200
    for nginx, up, behaviour, c in sides:
        c.send("POST", f"/{behaviour}/twin", body=b"x")
    for nginx, up, behaviour, c in sides:
        assert c.response("POST").status == 502
        obj = tr.wait(target=f"/{behaviour}/twin")
        assert (obj["nginx"]["addr"], obj["nginx"]["port"], obj["upstream"]["port"]) == ("10.77.0.1", 40000, 8000)
        assert obj["upstream"]["pid"] == up.pid and obj["nginx"]["pid"] in nginx.workers()
        assert obj["verdict"] == ("upstream_closed" if behaviour == "destroy" else "upstream_died")


def test_port_reused_at_once(stage, trace):
    """One local port for all connections of nginx, one after the other."""
    link = stage.link(1)
    up = stage.node(host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr, keepalive=0), netns=link.ready["a"])
    clients = [stage.client(nginx) for _ in range(6)]
    subprocess.run(["nsenter", f"--net={link.ready['a']}", "sh", "-c",
                    "echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range"], check=True)
    tr = trace()
    for i, c in enumerate(clients):
        # nginx is the one that receives the FIN, so its port is free as soon as its own is acknowledged
        eventually(lambda: not nginx.sockets(up.port), "the port is free again")
        assert c.request("GET", f"/destroy/{i}").status == 502
    for i in range(6):
        obj = tr.wait(target=f"/destroy/{i}")
        assert obj["nginx"]["port"] == 40000 and obj["exchange"]["number"] == 1
        assert (obj["verdict"], obj["proof"]) == ("upstream_closed", "deliberate_close")


@pytest.mark.parametrize("how", ["plain", "writev", "sendmsg", "sendmsg_empty_first", "split", "sendfile"])
def test_odd_requests(how, stage, bpf):
    """
    A head that the caller's buffer does not hold, or not at its beginning, is read or called opaque; never garbage.
    A line whose end was not seen may be no request, but somebody's password: it is not shown.
    """
    up = stage.node()
    tr = stage.upclose("--comm", "odd-client", "-p", up.port)
    child = stage.enter_context(JsonChild([sys.executable, HARNESS / "oddclient.py", up.port, how]))
    child.command("go")
    child.event("answer")
    obj = tr.wait(nginx_pid=child.pid)
    assert_contract(obj)
    assert (obj["verdict"], obj["proof"], obj["upstream"]["pid"]) == ("upstream_closed", "deliberate_close", up.pid)
    unread = how in ("sendfile", "split", "writev")
    method, target = obj["exchange"]["method"], obj["exchange"]["target"]
    assert (method, target) == ((None, None) if unread else ("GET", "/destroy/odd"))
    assert unread == any("could not be read" in line for line in obj["evidence"])
    assert tr.stop()[1]["lost"] == (how == "sendfile")
