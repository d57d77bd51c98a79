# SPDX-License-Identifier: BSD-2-Clause
"""One test for each verdict and proof, on real nginx and Node; each looks at the whole object."""
import socket

import pytest
from harness import cgroup, faults, proc
from harness.nginx import Route
from harness.stage import path, target
from harness.upclose import NOTHING_ASKED, values

V4, V6 = "127.0.0.1", "::1"


def check(obj, nginx, up, **want):
    """The facts that every fault shares, then those of `want`: fields of the object, or of its exchange."""
    if isinstance(up, str):  # "addr:port", nothing listens there or on another host
        addr, _, port = up.rpartition(":")
        process = (None, None, None)
    else:
        addr, port = up.host, up.port
        process = (up.pid, up.comm, up.exe)
    assert obj["nginx"]["pid"] in nginx.workers() and obj["nginx"]["comm"] == "nginx"
    assert (obj["upstream"]["addr"], obj["upstream"]["port"]) == (addr.strip("[]"), int(port))
    assert tuple(obj["upstream"][k] for k in ("pid", "comm", "exe")) == process
    want.setdefault("lossy", False)
    assert values(obj, want) == want


def check_exchange(obj, fault):
    """The exchange is the one that the client, nginx and the upstream saw."""
    x = obj["exchange"]
    assert (x["method"], x["target"], x["number"], x["reused"]) == (fault.method, fault.target, fault.number, fault.number > 1)
    assert obj["nginx"]["port"] == fault.nginx_port
    if fault.request_bytes is not None:
        assert x["request_bytes"] == fault.request_bytes
    if fault.idle_ms is not None:
        assert fault.idle_ms[0] <= x["idle_ms"] <= fault.idle_ms[1]
    else:
        assert x["idle_ms"] is None
    assert 0 <= x["waited_ms"] <= fault.took_ms


def steps(obj, *wanted):
    """The timeline holds these (side, event) pairs in this order."""
    events = [(e["side"], e["event"]) for e in obj["timeline"]]
    rest = iter(events)
    missing = [w for w in wanted if w not in rest]
    assert not missing, f"{missing} not in order in {events}"


LIVE = {"exiting": False, "exit_code": None, "signal": None, "oom": False}
OPEN = {"exiting": None, "exit_code": None, "signal": None, "oom": None}  # the upstream did not close
NO_RESPONSE = {"response_bytes": 0, "status": None, "headers_complete": False}


# keepalive_race


@pytest.mark.parametrize("method, host, workers", [("POST", V4, 1), ("GET", V6, 2), ("GET", V4, 1), ("POST", V6, 1)])
def test_race_sent_after_fin(stage, trace, method, host, workers):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr), workers=workers)
    tr = trace(ports=[up.port])
    fault = faults.race_sent_after_fin(nginx, up, method=method)
    assert fault.response.status == (502 if method == "POST" else 200)  # nginx tries a GET again
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="keepalive_race", proof="sent_after_fin", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="fin", **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)
    steps(obj, ("upstream", "close"), ("nginx", "fin_received"), ("nginx", "send"), ("nginx", "rst_received"))
    assert len(tr.all(flagged=True)) == 1


@pytest.mark.parametrize("method, host", [("POST", V4), ("GET", V4), ("POST", V6)])
def test_race_request_unacked(stage, trace, method, host):
    link = stage.link(30)
    up = stage.raw("read reply wait close", "serve", host="10.77.0.2" if host == V4 else "fd77::2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr), netns=link.ready["a"])
    tr = trace(ports=[up.port])
    fault = faults.race_unacked(nginx, up, method=method)
    assert fault.response.status == (502 if method == "POST" else 200)
    obj = tr.wait(nginx_port=fault.nginx_port)
    size = up.event("read", conn=1)["bytes"]  # both requests are of the same size
    check(obj, nginx, up, verdict="keepalive_race", proof="request_unacked", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="fin", request_bytes=size, unacked_bytes=size,
          **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)
    steps(obj, ("upstream", "close"), ("nginx", "send"), ("nginx", "fin_received"), ("nginx", "close"))
    assert any("4s" in text or "keepalive" in text for text in obj["advice"])
    assert len(tr.all(flagged=True)) == 1


@pytest.mark.parametrize("method, host", [("POST", V4), ("GET", V6)])
def test_race_request_unread(stage, trace, method, host):
    up = stage.raw("read reply unread close", "serve", host=host)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race_unread(nginx, up, method=method)
    assert fault.response.status == (502 if method == "POST" else 200)
    obj = tr.wait(nginx_port=fault.nginx_port)
    size = up.event("unread")["bytes"]
    check(obj, nginx, up, verdict="keepalive_race", proof="request_unread", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="rst", request_bytes=size, unread_bytes=size,
          **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)
    steps(obj, ("nginx", "send"), ("upstream", "close"), ("nginx", "rst_received"))


# the same end of a connection, by a host that cannot be looked into


@pytest.mark.parametrize("behaviour, log, want", [
    # from nginx's side alone a death of the process looks the same as a close by it
    ("fin", faults.CLOSED, {"verdict": "upstream_closed", "proof": "request_acked", "confidence": "likely", "close": "fin"}),
    ("reply_fin", faults.CLOSED, {"verdict": "upstream_closed", "proof": "request_acked", "confidence": "likely", "close": "fin"}),
    ("fin_unacked", faults.CLOSED, {"verdict": "upstream_closed", "proof": "request_unacked", "confidence": "proven", "close": "fin"}),
    ("reply_fin_unacked", faults.CLOSED,
     {"verdict": "keepalive_race", "proof": "request_unacked", "confidence": "proven", "close": "fin"}),
    ("rst", faults.RESET, {"verdict": "upstream_reset", "proof": "rst", "confidence": "proven", "close": "rst"}),
    ("reply_rst_unacked", faults.RESET, {"verdict": "upstream_reset", "proof": "rst", "confidence": "proven", "close": "rst"}),
])
def test_remote(stage, trace, behaviour, log, want):
    link = stage.link(5, "--remote", behaviour)
    nginx = stage.nginx(app=Route("10.77.0.2:8080"), netns=link.ready["a"])
    tr = trace()
    reused = behaviour.startswith("reply")
    with nginx.client() as c:
        if reused:
            assert c.request("POST", target("ok"), body=b"x").status == 200
        t = target("ok")
        assert c.request("POST", t, body=b"x").status == 502
    nginx.wait_error(log, path(t))
    obj = tr.wait(target=path(t))
    check(obj, nginx, "10.77.0.2:8080", **want, flagged=True, phase="response_header", closed_by="upstream", reused=reused,
          number=2 if reused else 1, method="POST", unread_bytes=None, **NO_RESPONSE)
    if want["close"] == "fin":
        size = obj["exchange"]["request_bytes"]
        assert obj["exchange"]["unacked_bytes"] == (size if want["proof"] == "request_unacked" else 0)


# upstream_closed


@pytest.mark.parametrize("method, host, keepalive, warm, workers", [
    ("GET", V4, 0, 0, 1), ("POST", V4, 8, 0, 1), ("GET", V4, 8, 2, 1), ("POST", V6, 8, 1, 2), ("GET", V6, 0, 0, 1),
])
def test_upstream_closed(stage, trace, method, host, keepalive, warm, workers):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr, keepalive=keepalive), workers=workers)
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED, method=method, warm=warm)
    assert fault.response.status == 502
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_closed", proof="deliberate_close", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="fin", unacked_bytes=0, **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)
    steps(obj, *([] if warm else [("nginx", "connect")]), ("nginx", "send"), ("upstream", "close"), ("nginx", "close"))


def test_upstream_closed_by_reset(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "reset", faults.RESET, method="POST", warm=1)
    assert fault.response.status == 502
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_closed", proof="deliberate_close", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="rst", **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)


def test_upstream_closed_reused_and_read(stage, trace):
    """A connection that is closed on its second request, which the upstream has read, is no race."""
    up = stage.raw("read reply read close", "serve")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race(nginx, up, faults.CLOSED, lambda client, port, send: send())
    assert fault.response.status == 502
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_closed", proof="deliberate_close", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="fin", unacked_bytes=0, **LIVE, **NO_RESPONSE)
    check_exchange(obj, fault)


# upstream_died


@pytest.mark.parametrize("behaviour, query, status, proof, code, signal, warm, method", [
    ("throw", "", 1, "exit_code", 1, None, 0, "GET"),
    ("exit", "code=3", 3, "exit_code", 3, None, 1, "POST"),
    ("kill", "", -9, "signal", None, "SIGKILL", 0, "POST"),
    ("term", "", -15, "signal", None, "SIGTERM", 1, "POST"),
    ("abort", "", -6, "signal", None, "SIGABRT", 0, "GET"),
])
@pytest.mark.parametrize("host", [V4, V6])
def test_upstream_died(stage, trace, behaviour, query, status, proof, code, signal, warm, method, host):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, behaviour, faults.CLOSED, method=method, query=query, warm=warm)
    assert fault.response.status == 502
    assert up.wait() == status
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_died", proof=proof, confidence="proven", flagged=True, phase="response_header",
          closed_by="upstream", close="fin", exiting=True, exit_code=code, signal=signal, oom=False, **NO_RESPONSE)
    check_exchange(obj, fault)


@pytest.mark.parametrize("query, said, code, signal", [
    ("ms=3", "exited with status 4", 4, None), ("ms=3&signal=SIGKILL", "was ended by SIGKILL", None, "SIGKILL"),
])
def test_closed_then_exited(stage, trace, query, said, code, signal):
    """Code that closes its connections on the way out: nobody says that the process lives."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "leave", faults.CLOSED, query=query)
    up.wait()
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_closed", proof="deliberate_close", confidence="proven", **LIVE)
    assert said in obj["summary"] and "on its way out" in obj["advice"][0]
    left = obj["upstream"]["exit"]
    assert (left["exit_code"], left["signal"]) == (code, signal)
    assert 0 < left["after_ms"] < 50


def test_closed_and_lives_on(stage, trace):
    """It exits, but long after its close: that is another event."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "leave", faults.CLOSED, query="ms=400")
    obj = tr.wait(nginx_port=fault.nginx_port)
    assert up.alive()
    check(obj, nginx, up, verdict="upstream_closed", proof="deliberate_close", confidence="proven", **LIVE)
    assert obj["upstream"]["exit"] is None and "exited" not in obj["summary"]


def test_upstream_died_takes_others_along(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    t = target("never")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("request", path=path(t))["peer_port"]
        fault = faults.provoke(nginx, up, "throw", faults.CLOSED)
        assert c.response().status == 502
    for nginx_port, target_ in ((port, path(t)), (fault.nginx_port, fault.target)):
        obj = tr.wait(nginx_port=nginx_port)
        check(obj, nginx, up, verdict="upstream_died", proof="exit_code", exit_code=1, target=target_, closed_by="upstream")


def test_upstream_died_out_of_memory(stage, trace):
    reason = cgroup.missing()
    if reason:
        pytest.skip(reason)
    up = stage.node()
    stage.enter_context(cgroup.Memory(up.pid, 160 << 20))
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "oom", faults.CLOSED)
    assert fault.response.status == 502
    assert up.wait() == -9
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="upstream_died", proof="oom", confidence="proven", flagged=True, phase="response_header",
          closed_by="upstream", close="fin", exiting=True, exit_code=None, signal="SIGKILL", oom=True, **NO_RESPONSE)
    check_exchange(obj, fault)


# partial_header, body_truncated


@pytest.mark.parametrize("method, host, warm", [("GET", V4, 0), ("POST", V6, 1)])
def test_partial_header(stage, trace, method, host, warm):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, "header_cut", faults.CLOSED, method=method, warm=warm)
    assert fault.response.status == 502
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="partial_header", proof="header_cut", confidence="proven", flagged=True,
          phase="response_header", closed_by="upstream", close="fin", response_bytes=len("HTTP/1.1 200 OK\r\nContent-Le"),
          status=200, headers_complete=False, **LIVE)
    check_exchange(obj, fault)
    steps(obj, ("nginx", "send"), ("nginx", "receive"), ("nginx", "close"))


def test_partial_header_in_pieces(stage, trace):
    pieces = ["HTTP/1.", "1\\x20200\\x20OK\\r\\nServer:\\x20x\\r\\n", "Content-Length:\\x205\\r\\n"]
    up = stage.raw("read " + " ".join(f"send:{p} sleep:30" for p in pieces) + " close")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    t = target("pieces")
    assert nginx.get(t).status == 502
    nginx.wait_error(faults.CLOSED, path(t))
    obj = tr.wait(target=path(t))
    size = sum(len(p.encode().decode("unicode_escape")) for p in pieces)
    check(obj, nginx, up, verdict="partial_header", proof="header_cut", confidence="proven", phase="response_header",
          closed_by="upstream", close="fin", response_bytes=size, headers_complete=False, status=200, **LIVE)
    assert obj["exchange"]["waited_ms"] >= 60


@pytest.mark.parametrize("behaviour, proof, method, host, warm, workers", [
    ("body_cut", "content_length", "GET", V4, 0, 1),
    ("body_cut", "content_length", "POST", V6, 1, 2),
    ("chunk_cut", "chunked", "GET", V4, 1, 1),
    ("last_chunk_cut", "chunked", "GET", V6, 0, 1),
])
def test_body_truncated(stage, trace, behaviour, proof, method, host, warm, workers):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr), workers=workers)
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, behaviour, faults.CUT, method=method, warm=warm)
    assert fault.response.status == 200 and not fault.response.complete  # the client keeps its 200
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="body_truncated", proof=proof, confidence="proven", flagged=True, phase="response_body",
          closed_by="upstream", close="fin", status=200, headers_complete=True, **LIVE)
    check_exchange(obj, fault)
    assert obj["exchange"]["response_bytes"] > 100 or proof == "chunked"


# connect_failed


@pytest.mark.parametrize("host, method, keepalive", [(V4, "GET", 0), (V6, "POST", 8)])
def test_connect_refused(stage, trace, host, method, keepalive):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as bound:  # bound, but not listening
        bound.bind((host, 0))
        port = bound.getsockname()[1]
        addr = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        nginx = stage.nginx(app=Route(addr, keepalive=keepalive))
        tr = trace(ports=[port])
        t = target("refused")
        assert nginx.get(t, method=method).status == 502
        nginx.wait_error(faults.REFUSED, path(t))
        obj = tr.wait(upstream_port=port)
    check(obj, nginx, addr, verdict="connect_failed", proof="refused", confidence="proven", flagged=True, phase="connect",
          closed_by="upstream", close="refused", **NOTHING_ASKED, **OPEN)
    assert 32768 <= obj["nginx"]["port"] <= 60999
    steps(obj, ("nginx", "connect"))
    assert len(tr.all(flagged=True)) == 1


def test_connect_timeout_backlog_full(stage, trace):
    with socket.create_server((V4, 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [stage.enter_context(socket.socket()) for _ in range(4)]
        for s in waiting:
            s.setblocking(False)
            s.connect_ex((V4, port))
        proc.eventually(lambda: any(s[1] == port and s[2] == "SYN_SENT" for s in proc.tcp_sockets()), "the backlog is full")
        nginx = stage.nginx(app=Route(f"{V4}:{port}", extra="proxy_connect_timeout 500ms;"))
        tr = trace(ports=[port])
        t = target("backlog")
        assert nginx.get(t).status == 504
        nginx.wait_error(faults.TIMED_OUT + "connecting to upstream", path(t))
        obj = tr.wait(nginx_pid=nginx.workers()[0])
    check(obj, nginx, f"{V4}:{port}", verdict="connect_failed", proof="timeout", confidence="proven", flagged=True,
          phase="connect", closed_by="nginx", close="timeout", **NOTHING_ASKED, **OPEN)


def test_connect_timeout_silent_host(stage, trace):
    link = stage.link(1, "--remote", "silent")
    nginx = stage.nginx(app=Route("10.77.0.2:8080", extra="proxy_connect_timeout 500ms;"), netns=link.ready["a"])
    tr = trace()
    t = target("silent")
    assert nginx.get(t).status == 504
    nginx.wait_error(faults.TIMED_OUT + "connecting to upstream", path(t))
    obj = tr.wait(upstream_addr="10.77.0.2", nginx_pid=nginx.workers()[0])
    check(obj, nginx, "10.77.0.2:8080", verdict="connect_failed", proof="timeout", confidence="proven", flagged=True,
          phase="connect", closed_by="nginx", close="timeout", **NOTHING_ASKED, **OPEN)


# nginx_timeout, client_gone


@pytest.mark.parametrize("behaviour, doing, status, method, host, warm, want", [
    ("never", "reading response header", 504, "GET", V4, 0, {"phase": "response_header", **NO_RESPONSE}),
    ("never", "reading response header", 504, "POST", V6, 1, {"phase": "response_header", **NO_RESPONSE}),
    ("stall", "reading upstream", 200, "GET", V4, 0, {"phase": "response_body", "status": 200, "headers_complete": True}),
    ("stall_header", "reading response header", 504, "GET", V4, 0, {"phase": "response_header", "headers_complete": False}),
])
def test_nginx_read_timeout(stage, trace, behaviour, doing, status, method, host, warm, want):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 500ms;"))
    tr = trace(ports=[up.port])
    fault = faults.provoke(nginx, up, behaviour, faults.TIMED_OUT + doing, method=method, warm=warm)
    assert fault.response.status == status and not (status == 200 and fault.response.complete)
    obj = tr.wait(nginx_port=fault.nginx_port)
    check(obj, nginx, up, verdict="nginx_timeout", proof="read_timeout", confidence="proven", flagged=True, closed_by="nginx",
          close="fin", **want, **OPEN)
    check_exchange(obj, fault)
    assert obj["exchange"]["waited_ms"] >= 499


def test_nginx_send_timeout(stage, trace):
    up = stage.raw("sip hold")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_send_timeout 500ms;"))
    tr = trace(ports=[up.port])
    t = target("upload")
    assert nginx.get(t, method="POST", body=b"u" * (12 << 20)).status == 504
    nginx.wait_error(faults.TIMED_OUT + "sending request to upstream", path(t))
    obj = tr.wait(target=path(t))
    check(obj, nginx, up, verdict="nginx_timeout", proof="send_timeout", confidence="proven", flagged=True, phase="request",
          closed_by="nginx", method="POST", **OPEN, **NO_RESPONSE)
    assert 0 < obj["exchange"]["request_bytes"] < 12 << 20
    assert obj["exchange"]["unacked_bytes"] > 0


@pytest.mark.parametrize("method, warm, leave", [("GET", 0, "close"), ("POST", 1, "abort")])
def test_client_gone(stage, trace, method, warm, leave):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    c = stage.client(nginx)
    for _ in range(warm):
        assert faults.exchange(c, method, target("ok")).status == 200
    t = target("never")
    c.send(method, t, body=faults.BODY if method == "POST" else b"")
    port = up.event("request", path=path(t))["peer_port"]
    getattr(c, leave)()
    nginx.wait_error("client prematurely closed connection|Connection reset by peer", path(t))
    proc.eventually(lambda: nginx.accesses(f"^499 .*{path(t)}"), "nginx logs 499")
    obj = tr.wait(nginx_port=port)
    check(obj, nginx, up, verdict="client_gone", proof="client_closed", flagged=False, phase="response_header",
          closed_by="nginx", close="fin", method=method, target=path(t), number=warm + 1, **OPEN, **NO_RESPONSE)


# ends that are never flagged


def test_idle_close_by_upstream(stage, trace):
    up = stage.raw("read reply sleep:300 close", "serve")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    t = target("ok")
    assert nginx.get(t).status == 200
    port = up.event("close")["peer_port"]
    obj = tr.wait(nginx_port=port)
    check(obj, nginx, up, verdict="idle_close", proof="idle", confidence="proven", flagged=False, phase="idle",
          closed_by="upstream", close="fin", number=1, reused=False, method="GET", target=path(t), status=200,
          headers_complete=True, **LIVE)
    assert nginx.errors(path(t)) == []


def test_idle_close_by_node(stage, trace):
    up = stage.node("--keepalive", "200", host=V6)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    with nginx.client() as c:
        for _ in range(3):
            t = target("ok")
            assert c.request("GET", t).status == 200
    port = up.event("request", path=path(t))["peer_port"]
    obj = tr.wait(nginx_port=port)
    check(obj, nginx, up, verdict="idle_close", proof="idle", flagged=False, phase="idle", closed_by="upstream", close="fin",
          number=3, reused=True, target=path(t), **LIVE)


def test_idle_close_by_nginx(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, pool="keepalive_timeout 300ms;"))
    tr = trace("--all", ports=[up.port])
    t = target("ok")
    assert nginx.get(t).status == 200
    obj = tr.wait(target=path(t))
    check(obj, nginx, up, verdict="idle_close", proof="idle", flagged=False, phase="idle", closed_by="nginx", close="fin", **OPEN)


@pytest.mark.parametrize("behaviour, method, host, version", [
    ("ok", "GET", V4, ""), ("chunked", "GET", V6, "1.1"), ("empty", "GET", V4, "1.1"), ("ok", "HEAD", V4, ""),
    ("upload", "POST", V6, ""), ("until_close", "GET", V4, ""),
])
def test_complete(stage, trace, behaviour, method, host, version):
    up = stage.node(host=host)
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, version=version))
    tr = trace("--all", ports=[up.port])
    t = target(behaviour)
    r = nginx.get(t, method=method, body=b"x" * 1000 if method == "POST" else b"")
    assert r.status in (200, 204) and r.complete
    port = up.event("request", path=path(t))["peer_port"]
    obj = tr.wait(nginx_port=port)
    check(obj, nginx, up, verdict="complete", proof="response_complete", flagged=False, number=1, reused=False,
          method=method, target=path(t), status=r.status, headers_complete=True)
    assert nginx.errors(path(t)) == []


# what was not seen is not claimed


def test_start_unseen(stage, trace):
    """What came before the connection's end was not seen, so there is no telling what its end cut off."""
    up = stage.raw(r"read send:HTTP/1.1\x20200\x20OK\r\nContent-Length:\x20100\r\n\r\nhalf wait send:more wait close")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_buffering off;"))
    t = target("early")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("read")["peer_port"]
        assert c.sock.recv(4096).endswith(b"half")
        tr = trace("--all", ports=[up.port])
        up.command("go")
        assert c.sock.recv(4096) == b"more"
        up.command("go")
        assert c.sock.recv(4096) == b""
    nginx.wait_error(faults.CUT, path(t))
    obj = tr.wait(nginx_port=port)
    check(obj, nginx, up, verdict="unknown", proof="unseen_start", confidence="unknown", flagged=True, closed_by="upstream",
          close="fin", method=None, target=None, number=None, status=None)


def test_only_flagged_are_printed(stage, trace):
    """Without --all nothing harmless is printed, but the summary counts it."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, keepalive=0))
    tr = trace(ports=[up.port])
    for _ in range(3):
        assert nginx.get(target("ok")).status == 200
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED)
    tr.wait(nginx_port=fault.nginx_port)
    objects, summary, _, status = tr.stop()
    assert status == 0 and [o["exchange"]["target"] for o in objects] == [fault.target]
    assert (summary["connections"], summary["exchanges"], summary["flagged"]) == (4, 4, 1)
    assert summary["by_verdict"] == {"upstream_closed": 1, "complete": 3}
