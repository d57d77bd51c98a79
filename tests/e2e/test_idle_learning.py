# SPDX-License-Identifier: BSD-2-Clause
"""The upstream's idle timeout, learned from how long connections had been idle when it closed them."""
import time

import pytest
from harness import faults
from harness.client import Client
from harness.nginx import Route
from harness.proc import eventually
from harness.stage import target

FIELDS = {"timeout_ms", "min_ms", "max_ms", "count", "candidates"}


def idle_out(nginx, up, tr, width=6):
    """So many connections at once, each for one exchange; wait until the upstream has closed them all."""
    before = len(tr.all(upstream_port=up.port, verdict="idle_close"))
    clients = [nginx.client() for _ in range(width)]
    faults.at_once(clients)
    for c in clients:
        c.close()
    tr.wait(count=before + width, upstream_port=up.port, verdict="idle_close", timeout=15)


def learned(obj_or_summary, up=None):
    """What an object, or the summary for this upstream, says; after a look at its form."""
    if up:
        (found,) = [u for u in obj_or_summary["upstreams"] if u["port"] == up.port]
        assert found["addr"] == up.host
        idle = found["idle"]
    else:
        idle = obj_or_summary["upstream_idle"]
    if idle:
        assert set(idle) >= FIELDS
        assert idle["min_ms"] <= idle["timeout_ms"] <= idle["max_ms"] and idle["count"] >= 3
    return idle


def measured(stage, ms):
    """What Node really does with this setting, which differs by its version: seen by a client of its own."""
    up = stage.node("--keepalive", str(ms))
    with Client(up.port) as c:
        assert c.request("GET", target("ok")).status == 200
        start = time.monotonic()
        assert c.sock.recv(1) == b""
        return (time.monotonic() - start) * 1000


@pytest.mark.parametrize("ms, host", [(200, "127.0.0.1"), (900, "::1")])
def test_node(stage, trace, ms, host):
    up = stage.node("--keepalive", str(ms), host=host)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    idle_out(nginx, up, tr)
    want = measured(stage, ms)
    _, summary, _, _ = tr.stop()
    idle = learned(summary, up)
    assert abs(idle["timeout_ms"] - want) < 100 and idle["max_ms"] - idle["min_ms"] < 200
    assert idle["count"] >= 4  # a busy machine's timers are late now and then


def test_raw(stage, trace):
    """Connections that were used more than once: the time counts from the last use."""
    up = stage.raw("read sleep:100 reply read sleep:100 reply read sleep:100 reply sleep:1000 close")  # so that none is free for the next client
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    clients = [stage.client(nginx) for _ in range(4)]
    for pause in (0, 0.4, 0.4):
        time.sleep(pause)  # the idle time between two exchanges, which is not the last
        for c in clients:
            c.send("GET", target("x"))
        assert [c.response().status for c in clients] == [200] * 4
    tr.wait(count=4, verdict="idle_close")
    _, summary, _, _ = tr.stop()
    idle = learned(summary, up)
    assert 990 < idle["timeout_ms"] < 1100 and idle["count"] >= 3
    assert {o["exchange"]["number"] for o in tr.all()} == {3}


def test_two_are_not_enough(stage, trace):
    up = stage.raw("read reply sleep:1000 close")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    for n in range(1, 3):
        assert nginx.get(target("x")).status == 200
        assert learned(tr.wait(count=n, verdict="idle_close")) is None
    for n in range(3, 6):
        assert nginx.get(target("x")).status == 200
        last = tr.wait(count=n, verdict="idle_close")
    assert learned(last)["count"] >= 3


def test_race_object_names_it(stage, trace):
    """A race that comes later is told with the timeout that was learned before."""
    up = stage.node("--keepalive", "300")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    idle_out(nginx, up, tr)
    fault = faults.race_sent_after_fin(nginx, up, close=faults.closed_by_itself)
    obj = tr.wait(nginx_port=fault.nginx_port)
    assert obj["verdict"] == "keepalive_race"
    _, summary, _, _ = tr.stop()
    idle, total = learned(obj), learned(summary, up)
    # the race is a sample itself: the upstream closed when its time had come
    assert idle["count"] == total["count"] >= 3
    assert abs(idle["timeout_ms"] - measured(stage, 300)) < 100


def test_races_alone(stage, trace):
    """On a link: nginx's request does not make the connection any younger, nor does the way to the upstream."""
    link = stage.link(20)
    up = stage.raw("read reply sleep:1000 close", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr), netns=link.ready["a"])
    tr = trace(ports=[up.port])
    for n in range(1, 5):
        def meet(client, port, send, n=n):
            up.event("close", conn=n)
            send()

        faults.race(nginx, up, faults.CLOSED, meet)
        tr.wait(count=n, verdict="keepalive_race")
    _, summary, _, _ = tr.stop()
    idle = learned(summary, up)
    assert 990 < idle["timeout_ms"] < 1100 and idle["count"] >= 3


def test_early_closes_do_not_spoil_it(stage, trace):
    """Deploys: some connections are closed at any age, by a live process and by one that ends."""
    up = stage.node("--keepalive", "300")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    idle_out(nginx, up, tr)
    for age in (0.01, 0.12, 0.23):
        ends = len(tr.all(verdict="idle_close"))
        assert nginx.get(target("ok")).status == 200
        time.sleep(age)  # the age of the connection, nothing to wait for
        up.command("close_idle")
        tr.wait(count=ends + 1, verdict="idle_close")
    assert nginx.get(target("ok")).status == 200
    eventually(lambda: "ESTABLISHED" in nginx.sockets(up.port).values(), "it is pooled")
    up.stop()
    tr.wait(count=10, verdict="idle_close")
    _, summary, _, _ = tr.stop()
    idle = learned(summary, up)
    assert abs(idle["timeout_ms"] - measured(stage, 300)) < 100 and 3 <= idle["count"] <= 6


def test_deaths_teach_nothing(stage, trace):
    """Processes that end with idle connections, again and again at the same age."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    faults.pooled(nginx, up, [stage.client(nginx) for _ in range(5)])
    up.stop()
    tr.wait(count=5, verdict="idle_close")
    _, summary, _, _ = tr.stop()
    assert learned(summary, up) is None


def test_nginx_closes(stage, trace):
    """nginx's own timeout says nothing about the upstream's."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, pool="keepalive_timeout 200ms;"))
    tr = trace("--all", ports=[up.port])
    idle_out(nginx, up, tr)
    _, summary, _, _ = tr.stop()
    assert learned(summary, up) is None


def test_upstreams_are_told_apart(stage, trace):
    quick, slow = stage.raw("read sleep:100 reply sleep:500 close"), stage.raw("read sleep:100 reply sleep:1200 close")
    nginx = stage.nginx(quick=Route(quick.addr), slow=Route(slow.addr))
    tr = trace("--all", ports=[quick.port, slow.port])
    clients = [stage.client(nginx, route) for route in ("quick", "slow") for _ in range(6)]
    for c in clients:
        c.send("GET", target("x"))
    assert [c.response().status for c in clients] == [200] * 12
    tr.wait(count=12, verdict="idle_close")
    _, summary, _, _ = tr.stop()
    assert 490 < learned(summary, quick)["timeout_ms"] < 600
    assert 1190 < learned(summary, slow)["timeout_ms"] < 1300
    assert {(u["port"], u["connections"]) for u in summary["upstreams"]} == {(quick.port, 6), (slow.port, 6)}


def test_candidates(stage, trace):
    """Node's default, as shipped: named on the object, where the program is known, and on the summary among others."""
    up = stage.node("--keepalive", "5000")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    idle_out(nginx, up, tr)
    obj = tr.all(verdict="idle_close")[-1]  # in the order in which they were said
    _, summary, _, _ = tr.stop()
    idle, total = learned(obj), learned(summary, up)
    assert idle["count"] >= 3 and idle["timeout_ms"] == total["timeout_ms"]
    buffered = 5800 < idle["timeout_ms"] < 6200  # Node 20.18 and later add a second
    assert buffered or 4800 < idle["timeout_ms"] < 5300
    assert idle["candidates"] and idle["candidates"][0].startswith("Node.js http 20.18+" if buffered else "Node.js http before 20.18")
    assert all("Node" in c or "Express" in c for c in idle["candidates"])
    assert idle["candidates"][0] in total["candidates"]
