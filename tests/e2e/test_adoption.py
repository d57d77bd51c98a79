# SPDX-License-Identifier: BSD-2-Clause
"""Connections that exist when upclose starts: their past is unseen, what follows is judged."""
import pytest
from harness import faults
from harness.nginx import Route
from harness.proc import comm
from harness.stage import path, target
from harness.upclose import NOTHING_ASKED, values


def check(obj, up, port, **want):
    assert (obj["nginx"]["port"], obj["upstream"]["port"], obj["timeline"][0]["event"]) == (port, up.port, "adopted")
    want.setdefault("number", None)  # earlier exchanges were not counted
    assert values(obj, want) == want


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_idle_then_raced(stage, trace, host):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr))
    started = []
    fault = faults.race_sent_after_fin(nginx, up, between=lambda: started.append(trace(ports=[up.port])))
    assert fault.response.status == 502
    obj = started[0].wait(nginx_port=fault.nginx_port)
    check(obj, up, fault.nginx_port, verdict="keepalive_race", proof="sent_after_fin", confidence="proven", closed_by="upstream",
          close="fin", method="POST", target=fault.target, reused=True, response_bytes=0)


def test_idle_then_raced_on_the_wire(stage, trace):
    link = stage.link(20)
    up = stage.raw("read reply wait close", "serve", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr), netns=link.ready["a"])
    started = []
    fault = faults.race_unacked(nginx, up, between=lambda: started.append(trace(ports=[up.port])))
    assert fault.response.status == 502
    obj = started[0].wait(nginx_port=fault.nginx_port)
    size = up.event("read", conn=1)["bytes"]
    check(obj, up, fault.nginx_port, verdict="keepalive_race", proof="request_unacked", confidence="proven", method="POST",
          target=fault.target, reused=True, request_bytes=size, unacked_bytes=size, pid=up.pid, comm=comm(up.pid))


def test_idle_then_read_and_closed(stage, trace):
    """Not only what nginx did is seen of an adopted connection: the far end is found, too."""
    up = stage.raw("read reply read close", "serve")
    nginx = stage.nginx(app=Route(up.addr))
    started = []
    fault = faults.race(nginx, up, faults.CLOSED, lambda client, port, send: send(),
                        between=lambda: started.append(trace(ports=[up.port])))
    obj = started[0].wait(nginx_port=fault.nginx_port)
    check(obj, up, fault.nginx_port, verdict="upstream_closed", proof="deliberate_close", confidence="proven", method="POST",
          target=fault.target, reused=True, pid=up.pid, exiting=False)


def test_idle_then_closed(stage, trace):
    """Nothing happens to them until the upstream closes them: never flagged."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    ports = faults.pooled(nginx, up, [stage.client(nginx) for _ in range(3)])
    tr = trace("--all", ports=[up.port])
    up.command("close_idle")
    tr.wait(count=3, upstream_port=up.port)
    objects = tr.all(upstream_port=up.port)
    assert {o["nginx"]["port"] for o in objects} == ports
    for obj in objects:
        check(obj, up, obj["nginx"]["port"], verdict="idle_close", flagged=False, phase="idle", closed_by="upstream", close="fin",
              **NOTHING_ASKED)


def test_in_flight_then_complete(stage, trace):
    """The exchange whose start was not seen ends well; the next one on the same connection is seen whole."""
    up = stage.raw("read wait reply read close", "serve")
    nginx = stage.nginx(app=Route(up.addr))
    with nginx.client() as c:
        c.send("POST", target("ok"), body=b"x")
        port = up.event("read")["peer_port"]
        tr = trace(ports=[up.port])
        up.command("go")
        assert c.response().status == 200
        t = target("ok")
        assert c.request("POST", t, body=b"x").status == 502
    nginx.wait_error(faults.CLOSED, path(t))
    obj = tr.wait(nginx_port=port)
    check(obj, up, port, verdict="upstream_closed", proof="deliberate_close", confidence="proven", method="POST", target=path(t),
          reused=True, unacked_bytes=0)


def test_in_flight_then_closed(stage, trace):
    up = stage.raw("read wait close")
    nginx = stage.nginx(app=Route(up.addr))
    t = target("ok")
    with nginx.client() as c:
        c.send("POST", t, body=b"x")
        port = up.event("read")["peer_port"]
        tr = trace(ports=[up.port])
        up.command("go")
        assert c.response().status == 502
    nginx.wait_error(faults.CLOSED, path(t))
    obj = tr.wait(nginx_port=port)
    check(obj, up, port, verdict="upstream_closed", proof="unseen_start", confidence="likely", flagged=True, closed_by="upstream",
          close="fin", method=None, target=None, status=None)


def test_in_flight_then_died(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    t = target("never")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("request", path=path(t))["peer_port"]
        tr = trace(ports=[up.port])
        up.kill(9)
        assert c.response().status == 502
    nginx.wait_error(faults.CLOSED, path(t))
    obj = tr.wait(nginx_port=port)
    check(obj, up, port, verdict="upstream_died", proof="signal", confidence="likely", flagged=True, closed_by="upstream",
          signal="SIGKILL", pid=up.pid, method=None, target=None)
