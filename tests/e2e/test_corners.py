# SPDX-License-Identifier: BSD-2-Clause
"""Corners where a verdict could go wrong with confidence, or where a connection could be missed."""
import os
import signal
import time

import pytest
from harness import faults
from harness.nginx import Route
from harness.proc import Stopped, eventually, tcp_sockets
from harness.stage import path, target
from harness.upclose import values


def has(obj, **want):
    assert values(obj, want) == want


def test_dual_stack_upstream(stage, trace):
    """An IPv6 socket that talks IPv4: nginx and the upstream name the same connection differently."""
    up = stage.node(host="::")
    nginx = stage.nginx(app=Route(f"127.0.0.1:{up.port}"))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST", warm=1)
    has(tr.wait(nginx_port=fault.nginx_port), verdict="upstream_closed", proof="deliberate_close", confidence="proven", pid=up.pid,
        upstream_addr="127.0.0.1", nginx_addr="127.0.0.1", number=2)


def test_dual_stack_upstream_adopted(stage, trace):
    up = stage.node(host="::")
    nginx = stage.nginx(app=Route(f"127.0.0.1:{up.port}"))
    started = []
    fault = faults.race_sent_after_fin(nginx, up, between=lambda: started.append(trace(ports=[up.port])))
    has(started[0].wait(nginx_port=fault.nginx_port), verdict="keepalive_race", proof="sent_after_fin", confidence="proven", pid=up.pid)


def test_long_lived_connection(stage, trace):
    """The log of events has wrapped many times; the newest exchange is known all the same."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST", warm=150)
    obj = tr.wait(nginx_port=fault.nginx_port)
    has(obj, verdict="upstream_closed", proof="deliberate_close", confidence="proven", number=151, reused=True, target=fault.target,
        request_bytes=fault.request_bytes, unacked_bytes=0)
    assert obj["timeline_cut"] is True


def test_process_dies_with_many_requests(stage, trace):
    """Each of them is flagged, each with the process's end; none is lost."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr, keepalive=256), workers=2)
    tr = trace(ports=[up.port])
    clients = [stage.client(nginx) for _ in range(150)]
    targets = [target("never") for _ in clients]
    for c, t in zip(clients, targets):
        c.send("POST", t, body=b"x")
    eventually(lambda: list(nginx.sockets(up.port).values()).count("ESTABLISHED") == 150, "all requests are at the upstream")
    faults_target = target("throw")
    assert nginx.get(faults_target).status == 502
    assert [c.response().status for c in clients] == [502] * 150
    tr.wait(count=151, verdict="upstream_died")
    died = tr.all(verdict="upstream_died", confidence="proven", proof="exit_code", exit_code=1, pid=up.pid)
    assert sorted(o["exchange"]["target"] for o in died) == sorted(map(path, [*targets, faults_target]))
    assert len(tr.all(flagged=True)) == 151


def test_nginx_worker_is_killed(stage, trace):
    """No fault of the upstream, and not said to be one."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    t = target("never")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("request", path=path(t))["peer_port"]
        (worker,) = nginx.workers()
        os.kill(worker, signal.SIGKILL)
        assert c.response().status is None
    has(tr.wait(nginx_port=port), verdict="worker_exited", proof="signal", closed_by="nginx", target=path(t), nginx_pid=worker)


def test_client_left_but_nginx_goes_on(stage, trace):
    """With proxy_ignore_client_abort it is nginx's timer that ends the wait, although a client has left."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_ignore_client_abort on; proxy_read_timeout 600ms;"))
    tr = trace("--all", ports=[up.port])
    t = target("never")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("request", path=path(t))["peer_port"]
        eventually(lambda: not nginx.errors(path(t)), "nginx waits")
    nginx.wait_error(faults.TIMED_OUT, path(t))
    obj = tr.wait(nginx_port=port)
    assert obj["verdict"] in ("nginx_timeout", "unknown") or obj["confidence"] != "proven", obj
    assert obj["flagged"] or obj["confidence"] != "proven"


def test_timeout_while_other_clients_leave(stage, trace):
    """Clients that leave all the time are not taken for the cause of other requests' timeouts, nor the other way round."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, extra="proxy_read_timeout 1s;"))
    tr = trace("--all", ports=[up.port])
    waiting = [stage.client(nginx) for _ in range(30)]
    slow = [target("never") for _ in waiting]
    for c, t in zip(waiting, slow):
        c.send("GET", t)
    gone = []
    while len(nginx.errors(faults.TIMED_OUT)) < len(slow):
        gone.append(target("never"))
        with nginx.client() as c:
            c.send("GET", gone[-1])
            c.sock.settimeout(len(gone) % 4 / 1000 or None)  # they leave at every moment of a request's life
            if len(gone) % 4:
                with pytest.raises(TimeoutError):
                    c.sock.recv(1)
    assert [c.response().status for c in waiting] == [504] * len(slow)
    for t in slow:
        obj = tr.wait(target=path(t))
        assert obj["verdict"] == "nginx_timeout" or obj["confidence"] != "proven", obj
        assert obj["flagged"], obj
    assert not {o["exchange"]["target"] for o in tr.all(verdict="nginx_timeout")} & set(map(path, gone))


def test_timeout_of_a_busy_worker_as_another_client_leaves(stage, trace):
    """nginx's timer fires before nginx has looked at the client that left, which had nothing to do with it."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 300ms;"))
    tr = trace("--all", ports=[up.port])
    waiting, idle = stage.client(nginx), stage.client(nginx)
    assert idle.request("GET", target("ok")).status == 200
    t = target("never")
    sent = time.monotonic()
    waiting.send("GET", t)
    up.event("request", path=path(t))
    with Stopped(nginx.workers()):
        eventually(lambda: time.monotonic() > sent + 0.4, "the timer is due")
        idle.close()
        eventually(lambda: any(s[1] == idle.port and s[2] == "CLOSE_WAIT" for s in tcp_sockets()), "the idle client's FIN is there")
    assert waiting.response().status == 504
    nginx.wait_error(faults.TIMED_OUT, path(t))
    obj = tr.wait(target=path(t))
    assert obj["flagged"] and (obj["verdict"] == "nginx_timeout" or obj["confidence"] != "proven"), obj


def test_client_leaves_at_once(stage, trace):
    """A client that goes while nginx connects, or before it has sent anything, is no fault of the upstream."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr, keepalive=0))
    tr = trace("--all", ports=[up.port])
    for _ in range(100):
        with nginx.client() as c:
            c.send("GET", target("never"))
    eventually(lambda: len(nginx.accesses("^499 ")) == 100, "nginx has noticed each client's end")
    eventually(lambda: "ESTABLISHED" not in nginx.sockets(up.port).values(), "nginx has closed its connections")
    tr.wait(closed_by="nginx")
    assert [o for o in tr.stop()[0] if o["verdict"] != "client_gone"] == []


@pytest.mark.parametrize("odd, shown", [
    (b"/caf\xc3\xa9", "/caf\\xc3\\xa9"), (b"/\xff\xfe", "/\\xff\\xfe"), (b'/"quoted\\"', None), (b"/%0a%1b[31m", "/%0a%1b[31m"),
    (b"/" + b"x" * 3000, None), (b"/;a=b#c", None),
], ids=["utf8", "not_utf8", "quoted", "escaped", "long", "signs"])
def test_odd_targets(stage, trace, odd, shown):
    """Whatever is in a target, the line is JSON and the verdict stands."""
    up = stage.raw("read close")
    nginx = stage.nginx(app=Route(up.addr), http="large_client_header_buffers 4 16k;")
    tr = trace(ports=[up.port])
    with nginx.client() as c:
        c.sock.sendall(b"GET " + odd + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert c.response().status == 502
    nginx.wait_error(faults.CLOSED)
    obj = tr.wait(upstream_port=up.port)
    has(obj, verdict="upstream_closed", proof="deliberate_close", method="GET", flagged=True)
    assert obj["exchange"]["target"].startswith("/") and obj["exchange"]["target"].isascii()
    assert shown is None or obj["exchange"]["target"] == shown


def test_body_cut_behind_a_long_header(stage, trace):
    """The header is longer than what is kept of it: the cut is seen, but not claimed to be proven."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr), http="proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;")
    tr = trace("--all", ports=[up.port])
    fault = faults.provoke(nginx, up, "long_cut", faults.CUT)
    assert fault.response.status == 200 and not fault.response.complete
    obj = tr.wait(nginx_port=fault.nginx_port)
    has(obj, closed_by="upstream", close="fin", target=fault.target, status=200, flagged=True)
    assert obj["confidence"] != "proven" and obj["verdict"] in ("body_truncated", "unknown")


def test_upgraded_connection(stage, trace):
    """A WebSocket's end is no fault, whichever way the bytes went."""
    up = stage.node()
    upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, version="1.1", extra=upgrade))
    tr = trace("--all", ports=[up.port])
    with nginx.client() as c:
        c.send("GET", target("socket"), {"Upgrade": "echo", "Connection": "upgrade"})
        eventually(lambda: b"\r\n\r\n" in c.sock.recv(4096, 2), "the connection is upgraded")  # 2: MSG_PEEK
        c.sock.recv(4096)
        c.sock.sendall(b"hello")
        assert c.sock.recv(4096) == b"bye"
    has(tr.wait(upstream_port=up.port), verdict="complete", flagged=False, status=101)


def test_requests_behind_a_retry(stage, trace):
    """Two upstreams: the first dies, nginx goes to the second; only the first's connection is flagged."""
    bad, good = stage.node(), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, good.addr]))
    tr = trace(ports=[bad.port, good.port])
    statuses = set()
    t = target("ok")
    bad.kill(signal.SIGKILL)
    bad.wait()
    for _ in range(4):
        statuses.add(nginx.get(t).status)
    assert statuses == {200}
    refused = len(nginx.errors(faults.REFUSED))
    assert refused > 0
    tr.wait(count=refused, verdict="connect_failed")
    assert {o["upstream"]["port"] for o in tr.all(flagged=True)} == {bad.port} and len(tr.all(flagged=True)) == refused
