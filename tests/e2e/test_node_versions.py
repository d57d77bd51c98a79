# SPDX-License-Identifier: BSD-2-Clause
"""What differs from one major version of Node to the next: its name, its timers, how it shuts down. Each way of closing keeps its name."""
import pytest
from harness import faults, node_versions, proc
from harness.nginx import Route
from harness.stage import path, target

KEEPALIVE = 800  # ms; long enough to stop nginx within it on a busy machine
REQUEST = 400  # ms for a whole request to arrive


@pytest.fixture(params=node_versions.VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def start(stage, version):
    """Start this version."""
    binary = node_versions.node(version)
    if not binary:
        pytest.skip(f"Node {version} is not installed: run tests/deps.sh install test")
    return lambda *args: stage.node(*args, binary=binary)


def named(obj, up, **want):
    """Whatever it calls itself, it is known by its program."""
    assert (obj["upstream"]["pid"], obj["upstream"]["exe"]) == (up.pid, up.exe)
    assert {k: obj[k] for k in want} == want


def kept(version):
    """Since 20.18 a connection stays a second longer than keepAliveTimeout says."""
    return KEEPALIVE + (1000 if version >= 20 else 0)


def idle_when_closed(obj):
    """By the upstream's own end."""
    closed = next(e["t_ms"] for e in obj["timeline"] if (e["side"], e["event"]) == ("upstream", "close"))
    return closed - max(e["t_ms"] for e in obj["timeline"] if (e["side"], e["event"]) == ("upstream", "send"))


def test_idle_race(stage, trace, start, version):
    up = start("--keepalive", str(KEEPALIVE))
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race_sent_after_fin(nginx, up, close=faults.closed_by_itself)
    obj = tr.wait(nginx_port=fault.nginx_port)
    named(obj, up, verdict="keepalive_race", proof="sent_after_fin", confidence="proven")
    assert kept(version) - 10 <= idle_when_closed(obj) < kept(version) + 400


def test_ends(stage, trace, start):
    """An uncaught throw, and an exit call."""
    throws, exits = start(), start()
    nginx = stage.nginx(throws=Route(throws.addr), exits=Route(exits.addr))
    tr = trace(ports=[throws.port, exits.port])
    for route, up, behaviour, status in (("throws", throws, "throw", 1), ("exits", exits, "exit", 3)):
        fault = faults.provoke(nginx, up, behaviour, faults.CLOSED, route=route, warm=1)
        obj = tr.wait(nginx_port=fault.nginx_port)
        named(obj, up, verdict="upstream_died", proof="exit_code", confidence="proven")
        assert obj["upstream"]["exit_code"] == status == up.wait()


def test_deploy(stage, trace, start, version):
    """server.close() lets a request in flight end; idle connections are closed at once since 19, before that they time out."""
    up = start("--keepalive", str(KEEPALIVE))
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    idle, busy = target("slow", "ms=50"), target("slow", "ms=150")
    with nginx.client() as first, nginx.client() as second:
        first.send("GET", idle)
        second.send("GET", busy)
        up.event("request", path=path(idle))
        up.event("request", path=path(busy))
        assert first.response().status == 200
        up.command("deploy")
        up.event("closing")
        assert second.response().status == 200
    assert up.wait() == 0
    tr.wait(count=2)
    for obj in tr.all():
        named(obj, up, flagged=False, closed_by="upstream")
        assert obj["verdict"] in ("idle_close", "complete")
    (quiet,) = tr.all(target=path(idle))
    assert (idle_when_closed(quiet) < kept(version) - 10) == (version >= 20)
    assert not nginx.errors(r"\[error\]")
    assert nginx.get(late := target("ok")).status == 502
    nginx.wait_error(faults.REFUSED, path(late))
    assert tr.wait(flagged=True)["proof"] == "refused"


def test_request_that_does_not_arrive(stage, trace, start):
    """Node answers 408 and closes. nginx passes that on: an early answer, and a connection that ended as it should."""
    up = start("--request", str(REQUEST))
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_request_buffering off;"))
    tr = trace("--all", ports=[up.port])
    with nginx.client() as c:
        c.send("POST", t := target("upload"), body=b"x" * 100, length=1000)
        response = c.response()
    assert response.status == 408
    obj = tr.wait(target=path(t))
    named(obj, up, flagged=False, verdict="complete")
    assert obj["exchange"]["status"] == 408 and obj["exchange"]["request_bytes"] < 1000
    assert not nginx.errors(r"\[error\]")
    assert proc.eventually(lambda: nginx.accesses(f"^408 .*{path(t)}"), "nginx logs 408")
