# SPDX-License-Identifier: BSD-2-Clause
"""Faults made to happen on purpose, each checked against what nginx and the client saw of it."""
import time
from dataclasses import dataclass

from .client import SECRET, Response
from .nginx import Nginx
from .proc import Stopped, eventually
from .stage import Upstream, path, target

# what nginx writes to its error log
CLOSED = "upstream prematurely closed connection while reading response header"
RESET = r"recv\(\) failed \(104: Connection reset by peer\) while reading response header"
CUT = "upstream prematurely closed connection while reading upstream"
REFUSED = r"connect\(\) failed \(111: Connection refused\) while connecting"
TIMED_OUT = r"upstream timed out \(110: Connection timed out\) while "
BODY = f"password={SECRET}".encode()


@dataclass
class Fault:
    """One connection's fault, as nginx, the client and the upstream know it."""

    target: str  # without the query
    method: str
    response: Response
    nginx_port: int | None = None
    number: int = 1  # of the exchange on its connection
    request_bytes: int | None = None
    idle_ms: tuple | None = None  # bounds
    took_ms: float = 0  # bound of the wait, seen by the client
    log: str | None = None  # nginx's line


def exchange(client, method, target_):
    """A request and its response; POST has a body."""
    return client.request(method, target_, body=BODY if method == "POST" else b"")


def at_once(clients, method="GET"):
    """A good exchange of each client with a Node upstream, all at the same time, so that each has a connection of its own."""
    for c in clients:
        c.send(method, target("slow", "ms=100"), body=BODY if method == "POST" else b"")
    assert [c.response(method).status for c in clients] == [200] * len(clients)


def pooled(nginx, up, clients, method="GET"):
    """nginx keeps a connection for each client: their ports, of nginx."""

    def kept():
        ports = {port for port, state in nginx.sockets(up.port).items() if state == "ESTABLISHED"}
        return ports if len(ports) == len(clients) else None

    at_once(clients, method)
    return eventually(kept, "nginx keeps all connections")


def provoke(nginx: Nginx, up: Upstream, behaviour, log, route=None, method="GET", query="", warm=0, target=target):
    """Ask a Node upstream for a fault, on a connection that had `warm` good exchanges before."""
    with nginx.client(route) as c:
        before = None
        for _ in range(warm):
            first = time.monotonic()
            t = target("ok")
            assert exchange(c, method, t).status == 200
            before = up.event("request", path=path(t))
        t = target(behaviour, query)
        start = time.monotonic()
        response = exchange(c, method, t)
        end = time.monotonic()
    seen = up.event("request", path=path(t))
    fault = Fault(path(t), method, response, seen["peer_port"], warm + 1, seen["bytes_read"], took_ms=(end - start) * 1000)
    if before:
        assert seen["peer_port"] == before["peer_port"], "nginx reuses the connection"
        fault.request_bytes -= before["bytes_read"]
        fault.idle_ms = (0, (end - first) * 1000)
    fault.log = nginx.wait_error(log, path(t)) if log else None
    return fault


def race(nginx, up, log, meet, method="POST", route=None, target=target, between=None):
    """The idle race on a raw or Node upstream: one good exchange, then meet(client, port, send) brings the upstream's
    close of the idle connection and the next request together. between() is called while the connection is idle."""
    with nginx.client(route) as c:
        first = time.monotonic()
        assert exchange(c, method, target("ok")).status == 200
        replied = time.monotonic()
        (port,) = [p for p, state in nginx.sockets(up.port).items() if state == "ESTABLISHED"]
        if between:
            between()
        t = target("ok")
        sent = []

        def send():
            sent.append(time.monotonic())
            c.send(method, t, body=BODY if method == "POST" else b"")

        meet(c, port, send)
        response = c.response(method)
        end = time.monotonic()
    idle = ((sent[0] - replied) * 1000, (end - first) * 1000)
    return Fault(path(t), method, response, port, 2, None, idle, (end - sent[0]) * 1000, nginx.wait_error(log, path(t)))


def close_idle(up):
    """Let the upstream close its idle connection, and wait until it has done so."""
    if up.argv[1].endswith("upstream.js"):
        up.command("close_idle")
        up.event("closed_idle")
    else:
        up.command("go")
        up.event("close")


def closed_by_itself(up):
    """Wait until Node's own idle timeout has closed the connection."""
    up.event("closed", timeout=10)


def race_sent_after_fin(nginx, up, close=close_idle, **how):
    """The request and the FIN wait for nginx's workers, which are stopped; the request came first and is served first."""

    def meet(client, port, send):
        with Stopped(nginx.workers()):
            send()
            nginx.wait_unread(client)
            close(up)
            nginx.wait_state(port, up.port, "CLOSE_WAIT")

    return race(nginx, up, CLOSED, meet, **how)


def race_of_many(nginx, up, clients, targets, method="GET"):
    """race_sent_after_fin() on a pooled connection for each client: these targets, one of a client, meet them all closed.
    The connections' ports, of nginx; the responses are left to the caller."""
    ports = pooled(nginx, up, clients, method)
    asking = clients[:len(targets)]
    with Stopped(nginx.workers()):
        for c, t in zip(asking, targets):
            c.send(method, t, body=BODY if method == "POST" else b"")
        nginx.wait_unread(*asking)
        up.command("close_idle")
        eventually(lambda: all(nginx.sockets(up.port).get(p) == "CLOSE_WAIT" for p in ports), "all FINs are there")
    return ports


def meet_idle_close(nginx, up, route=None):
    """A POST that reaches nginx when the upstream has just closed, or seen closed, the idle connection of the one before: its status."""
    with nginx.client(route) as c:
        t = target("ok")
        assert exchange(c, "POST", t).status == 200
        up.event("closed", timeout=10, peer_port=up.event("request", path=t.partition("?")[0])["peer_port"])
        return exchange(c, "POST", target("ok")).status


def race_unacked(nginx, up, close=close_idle, **how):
    """The FIN and the request cross on a slow link: nginx and the upstream are on the two ends of Stage.link()."""

    def meet(client, port, send):
        close(up)
        send()

    return race(nginx, up, CLOSED, meet, **how)


def race_unread(nginx, up, **how):
    """A raw upstream of the script "read reply unread close" closes with the request unread in its kernel."""
    return race(nginx, up, RESET, lambda client, port, send: send(), **how)
