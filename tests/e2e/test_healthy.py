# SPDX-License-Identifier: BSD-2-Clause
"""No false alarm: more than 10,000 healthy requests of every kind, and none of their connections is flagged."""
import itertools
import threading

import pytest
from harness.certificate import certificate
from harness.nginx import Route
from harness.proc import eventually
from harness.stage import target

BODY = b"x" * 300
BIG = b"u" * (3 << 20)
KEPT = ("keep", "keep10", "unbuffered", "direct")
ROUTES = ("plain", "close", *KEPT)

# (method, behaviour, status, headers, body, client's HTTP version)
KINDS = [
    ("GET", "ok", 200, {}, b"", "1.1"), ("GET", "ok", 200, {}, b"", "1.0"), ("GET", "chunked", 200, {}, b"", "1.1"),
    ("HEAD", "ok", 200, {}, b"", "1.1"), ("GET", "empty", 204, {}, b"", "1.1"), ("GET", "cached", 200, {}, b"", "1.1"),
    ("GET", "cached", 304, {"If-None-Match": '"v1"'}, b"", "1.1"), ("POST", "ok", 200, {}, BODY, "1.1"),
    ("POST", "upload", 200, {}, BODY, "1.1"), ("POST", "upload", 200, {"Expect": "100-continue"}, BODY, "1.1"),
    ("PUT", "upload", 200, {}, BODY, "1.1"), ("GET", "until_close", 200, {}, b"", "1.1"), ("GET", "long", 200, {}, b"", "1.1"),
    ("GET", "trickle", 200, {}, b"", "1.1"), ("DELETE", "ok", 200, {}, b"", "1.1"),
]
BIG_KINDS = [
    ("POST", "upload", 200, {}, BIG, "1.1"), ("GET", "download", 200, {}, b"", "1.1"),
    ("GET", "download_chunked", 200, {}, b"", "1.1"), ("GET", "download", 200, {}, b"", "1.0"),
]
TOTAL = 10_000


def ask(nginx, route, kind, client=None):
    method, behaviour, status, headers, body, version = kind
    t = target(behaviour.removesuffix("_chunked"), "chunked=1" if behaviour.endswith("_chunked") else "")
    if client is None or version == "1.0":
        r = nginx.get(t, route, method, headers, body, version)
    else:
        r = client.request(method, t, headers, body, version)
    assert r.status == status and r.complete, (route, kind[:3], r)
    if behaviour == "upload":
        assert int(r.body) == len(body)
    if behaviour.startswith("download"):
        assert len(r.body) == 3 << 20


def in_threads(count, work):
    """Run work(number) in threads; an exception in any of them is raised here."""
    failed = []

    def run(number):
        try:
            work(number)
        except BaseException as e:  # noqa: BLE001: reported below
            failed.append(e)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def test_ten_thousand_healthy_requests(stage, trace):
    up = stage.node("--quiet")
    brief = stage.node("--quiet", "--keepalive", "300")
    nginx = stage.nginx(
        workers=2, http="proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;",
        plain=Route(up.addr, keepalive=0), close=Route(up.addr, keepalive=0, version="1.1"), keep=Route(up.addr),
        keep10=Route(up.addr, version="1.0"), unbuffered=Route(up.addr, extra="proxy_request_buffering off;"),
        direct=Route(up.addr, extra="proxy_buffering off;"), brief=Route(brief.addr),
        short=Route(up.addr, pool="keepalive_timeout 200ms;"), few=Route(up.addr, keepalive=1))
    tr = trace(ports=[up.port, brief.port])
    done = itertools.count()

    def small(number):
        """Each thread goes through the kinds on each route, over one client connection per route."""
        clients = {route: nginx.client(route) for route in ROUTES}
        for kind in itertools.cycle(KINDS):
            for route in ROUTES:
                if next(done) >= TOTAL:
                    return [c.close() for c in clients.values()]
                ask(nginx, route, kind, clients[route])

    in_threads(6, small)
    in_threads(4, lambda n: [ask(nginx, route, kind) for route in ROUTES for kind in BIG_KINDS])

    # a pool smaller than the connections in use, and idle ends from either side
    in_threads(8, lambda n: [ask(nginx, route, KINDS[0]) for route in ("few", "short", "brief") for _ in range(5)])
    eventually(lambda: not nginx.sockets(brief.port), "Node has closed its idle connections")

    # a reload and a graceful stop in the middle of traffic
    stop = threading.Event()

    def traffic(number):
        while not stop.is_set():
            ask(nginx, ROUTES[number % len(ROUTES)], KINDS[number % 3])

    def reload(number):
        if number:
            return traffic(number)
        try:
            for _ in range(2):
                old = nginx.reload()
                eventually(lambda old=old: not set(old) & set(nginx.workers()), "the old workers are gone", 20)
        finally:
            stop.set()

    in_threads(4, reload)
    with nginx.client("keep") as c:
        c.send("GET", target("slow", "ms=500"))
        eventually(lambda: "ESTABLISHED" in nginx.sockets(up.port).values(), "the request is on its way")
        assert nginx.quit() == 0
        assert c.response().status == 200

    served = nginx.accesses()
    wrong = [line for line in served if line.split()[0] not in ("200", "204", "304")]
    assert wrong == [] and len(served) >= TOTAL
    assert nginx.errors(r"\[(error|crit|alert|emerg)\]") == []
    tr.all(flagged=True)  # nothing more to do without upclose
    objects, summary, _, status = tr.stop()
    assert (objects, status, summary["flagged"]) == ([], 0, 0)
    assert summary["exchanges"] == len(served)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_goodbye_in_tls(stage, trace, scratch, version):
    """Before it closes nginx says so in an alert, which looks like a request's bytes in TLS 1.3, and is none."""
    up = stage.node("--tls", certificate(scratch)[0].parent)
    only = f"proxy_ssl_protocols {version};"
    nginx = stage.nginx(once=Route(up.addr, keepalive=0, scheme="https", extra=only),
                        kept=Route(up.addr, keepalive=4, pool="keepalive_timeout 100ms;", scheme="https", extra=only))
    tr = trace("--all", ports=[up.port])
    for behaviour, status in (("ok", 200), ("chunked", 200), ("empty", 204)) * 3:
        assert [nginx.get(target(behaviour), route).status for route in ("once", "kept")] == [status] * 2
    tr.wait(count=10)  # 9 once, and what was kept
    assert {o["verdict"] for o in tr.all()} <= {"complete", "idle_close"}
    numbers = [o["exchange"]["number"] for o in tr.all()]
    assert sum(numbers) == 18 and numbers.count(1) >= 9
