# SPDX-License-Identifier: BSD-2-Clause
"""One scenario for each verdict family, both directions of the race, adopted connections, and healthy ones.

A scenario makes its connection end and answers by what that connection is found among upclose's objects. What its
object must say is the table at the end; nothing of it depends on the kernel or the hooks.
"""
import itertools
import socket

from harness import faults, proc
from harness.client import SECRET
from harness.nginx import Route
from harness.stage import Stage, path

V4 = "127.0.0.1"
BY_FILE = "kprobe by --btf"  # with a file in place of the kernel's BTF
HEALTHY = 20  # exchanges of the healthy connection

# What the connections to the raw upstream meet, in this order.
SCRIPTS = (
    "read reply wait close",  # raced_after_adoption
    "read reply wait close",  # fin_first
    "read reply unread close",  # request_first
    "read reply read close",  # read_and_closed
    r"read send:SSH-2.0-upstream\r\n close",  # protocol_mismatch
    r"read send:HTTP/1.1\x20200\x20OK\r\nBad\x01Header:\x201\r\n\r\n hold",  # invalid_header
)


numbers = itertools.count(1)


def target(behaviour, query=""):
    """As the harness's, but of the same length in every guest: the sizes of requests are compared, too."""
    return f"/{behaviour}/{next(numbers):05d}?token={SECRET}{query and '&' + query}"


class Site:
    """Everything that the scenarios use; started once, taken down by the stage."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.node = stage.node("--keepalive", "600000")
        self.raw = stage.raw(*SCRIPTS)
        self.doomed = stage.raw("read hold")  # is killed with an adopted connection
        self.mortal = stage.raw("read hold")  # is killed with one that was seen from its start
        self.server = stage.enter_context(socket.create_server((V4, 0)))  # accepts only what a scenario does
        bound = stage.enter_context(socket.socket())  # bound, but does not listen
        bound.bind((V4, 0))
        self.refusing = bound.getsockname()[1]
        self.link = stage.link(300)
        self.far = stage.raw("read reply wait close", host="10.77.0.2", netns=self.link.ready["b"])
        self.wire = stage.link(20, "--remote", "rst")
        self.nginx = stage.nginx(
            node=Route(self.node.addr), closing=Route(self.node.addr, keepalive=0), raw=Route(self.raw.addr),
            doomed=Route(self.doomed.addr), mortal=Route(self.mortal.addr),
            server=Route(f"{V4}:{self.server.getsockname()[1]}"), refusing=Route(f"{V4}:{self.refusing}"),
            hasty=Route(self.node.addr, keepalive=0, extra="proxy_read_timeout 2s;"))
        self.near = stage.nginx(app=Route(self.far.addr), netns=self.link.ready["a"])
        self.remote = stage.nginx(app=Route("10.77.0.2:8080"), netns=self.wire.ready["a"])

    def ports(self):
        ups = (self.node, self.raw, self.doomed, self.mortal, self.far)
        return [up.port for up in ups] + [self.server.getsockname()[1], self.refusing, 8080]


def adoption(site, start):
    """Two connections that exist when start() lets the tracers begin: one is raced, of one the upstream is killed."""
    t = target("ok")
    with site.nginx.client("doomed") as c:
        c.send("POST", t, body=faults.BODY)
        port = site.doomed.event("read")["peer_port"]
        raced = faults.race_sent_after_fin(site.nginx, site.raw, route="raw", between=start, target=target)
        site.doomed.kill(9)
        assert c.response().status == 502
    return {"raced_after_adoption": {"nginx_port": raced.nginx_port}, "died_after_adoption": {"nginx_port": port}}


def fin_first(site):
    return {"nginx_port": faults.race_sent_after_fin(site.nginx, site.raw, route="raw", target=target).nginx_port}


def request_first(site):
    return {"nginx_port": faults.race_unread(site.nginx, site.raw, route="raw", target=target).nginx_port}


def crossing(site):
    return {"nginx_port": faults.race_unacked(site.near, site.far, target=target).nginx_port}


def read_and_closed(site):
    fault = faults.race(site.nginx, site.raw, faults.CLOSED, lambda client, port, send: send(), route="raw",
                        target=target)
    return {"nginx_port": fault.nginx_port}


def provoke(behaviour, log, route="node", warm=1):
    def scenario(site):
        fault = faults.provoke(site.nginx, site.node, behaviour, log, route=route, method="POST", warm=warm,
                                target=target)
        return {"nginx_port": fault.nginx_port}

    return scenario


def raw(behaviour):
    def scenario(site):
        t = target(behaviour)
        site.nginx.get(t, "raw", method="POST", body=faults.BODY)
        return {"target": path(t)}

    return scenario


def killed(site):
    t = target("ok")
    with site.nginx.client("mortal") as c:
        c.send("POST", t, body=faults.BODY)
        site.mortal.event("read")
        site.mortal.kill(9)
        assert c.response().status == 502
    return {"target": path(t)}


def body_unread(site):
    t = target("upload")
    with site.nginx.client("server") as c:
        c.send("POST", t, body=b"u" * 20000)
        conn, _ = site.server.accept()
        with conn:
            conn.recv(200, socket.MSG_WAITALL)
            here = conn.getsockname()[1], conn.getpeername()[1]
            # all of it lies in the kernel: what nginx sends no longer changes what is unread
            proc.eventually(lambda: any(s[:2] == here and s[3] > 19000 for s in proc.tcp_sockets()), "the body is there")
        assert c.response("POST").status == 502
    return {"target": path(t)}


def refused(site):
    assert site.nginx.get(target("refused"), "refusing").status == 502
    return {"upstream_port": site.refusing}


def reset(site):
    t = target("ok")
    assert site.remote.get(t, method="POST", body=faults.BODY).status == 502
    return {"target": path(t)}


def client_gone(site):
    t = target("never")
    with site.nginx.client("node") as c:
        c.send("POST", t, body=faults.BODY)
        site.node.event("request", path=path(t))
    site.nginx.wait_error("client prematurely closed connection", path(t))
    return {"target": path(t)}


def complete(site):
    t = target("chunked")
    assert site.nginx.get(t, "closing").status == 200
    return {"target": path(t)}


def healthy(site):
    with site.nginx.client("node") as c:
        for _ in range(HEALTHY):
            t = target("ok")
            assert c.request("GET", t).status == 200
    site.node.command("close_idle")
    return {"target": path(t)}


def exited(site):
    """The last one on the Node upstream."""
    fault = faults.provoke(site.nginx, site.node, "exit", faults.CLOSED, route="node", method="POST", query="code=3",
                            target=target)
    return {"nginx_port": fault.nginx_port}


LIVE = {"exiting": False, "exit_code": None, "signal": None, "oom": False}
OPEN = {"exiting": None, "exit_code": None, "signal": None, "oom": None}
SILENT = {"response_bytes": 0, "status": None, "headers_complete": False}
RACE = {"verdict": "keepalive_race", "confidence": "proven", "phase": "response_header", "closed_by": "upstream",
        "reused": True, **LIVE, **SILENT}

# The scenarios of adoption() are made by it; the others are run in this order.
ADOPTED = {
    "raced_after_adoption": RACE | {"proof": "sent_after_fin", "close": "fin", "number": None},
    "died_after_adoption": {"verdict": "upstream_died", "proof": "signal", "confidence": "likely", "closed_by": "upstream",
                            "signal": "SIGKILL", "number": None, "method": None},
}
SCENARIOS = {
    "fin_first": (fin_first, RACE | {"proof": "sent_after_fin", "close": "fin", "number": 2}),
    "request_first": (request_first, RACE | {"proof": "request_unread", "close": "rst", "number": 2}),
    "crossing": (crossing, RACE | {"proof": "request_unacked", "close": "fin", "number": 2}),
    "read_and_closed": (read_and_closed, {
        "verdict": "upstream_closed", "proof": "deliberate_close", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "fin", "number": 2, "reused": True, "unacked_bytes": 0, **LIVE, **SILENT}),
    "closed": (provoke("destroy", faults.CLOSED), {
        "verdict": "upstream_closed", "proof": "deliberate_close", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "fin", "number": 2, "unacked_bytes": 0, **LIVE, **SILENT}),
    "killed": (killed, {
        "verdict": "upstream_died", "proof": "signal", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "fin", "number": 1, "exiting": True, "exit_code": None, "signal": "SIGKILL", **SILENT}),
    "reset": (reset, {
        "verdict": "upstream_reset", "proof": "rst", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "rst", "number": 1, "unread_bytes": None, **SILENT}),
    "body_unread": (body_unread, {
        "verdict": "request_rejected", "proof": "body_unread", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "rst", "number": 1, **SILENT}),
    "header_cut": (provoke("header_cut", faults.CLOSED), {
        "verdict": "partial_header", "proof": "header_cut", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "fin", "number": 2, "status": 200, "headers_complete": False, **LIVE}),
    "protocol_mismatch": (raw("ssh"), {"verdict": "protocol_mismatch", "proof": "first_bytes", "status": None, **LIVE}),
    "refused": (refused, {
        "verdict": "connect_failed", "proof": "refused", "confidence": "proven", "phase": "connect", "closed_by": "upstream",
        "close": "refused", "number": None, **OPEN}),
    "body_cut": (provoke("body_cut", faults.CUT), {
        "verdict": "body_truncated", "proof": "content_length", "confidence": "proven", "phase": "response_body",
        "closed_by": "upstream", "close": "fin", "number": 2, "status": 200, "headers_complete": True, **LIVE}),
    "chunk_cut": (provoke("chunk_cut", faults.CUT), {
        "verdict": "body_truncated", "proof": "chunked", "confidence": "proven", "phase": "response_body",
        "closed_by": "upstream", "close": "fin", "number": 2, "status": 200, "headers_complete": True, **LIVE}),
    "read_timeout": (provoke("never", faults.TIMED_OUT + "reading response header", route="hasty", warm=0), {
        "verdict": "nginx_timeout", "proof": "read_timeout", "confidence": "proven", "phase": "response_header",
        "closed_by": "nginx", "close": "fin", "number": 1, **OPEN, **SILENT}),
    "invalid_header": (raw("invalid"), {
        "verdict": "nginx_rejected_response", "proof": "nginx_closed", "closed_by": "nginx", "number": 1, **OPEN}),
    "client_gone": (client_gone, {
        "verdict": "client_gone", "proof": "client_closed", "flagged": False, "closed_by": "nginx", **OPEN, **SILENT}),
    "complete": (complete, {
        "verdict": "complete", "proof": "response_complete", "flagged": False, "number": 1, "reused": False, "status": 200,
        "headers_complete": True}),
    "healthy": (healthy, {
        "verdict": "idle_close", "proof": "idle", "flagged": False, "phase": "idle", "closed_by": "upstream", "close": "fin",
        "number": HEALTHY, "reused": True, "method": "GET", "status": 200, "headers_complete": True, **LIVE}),
    "exited": (exited, {
        "verdict": "upstream_died", "proof": "exit_code", "confidence": "proven", "phase": "response_header",
        "closed_by": "upstream", "close": "fin", "number": 1, "exiting": True, "exit_code": 3, "signal": None, **SILENT}),
}
WANTED = ADOPTED | {name: want for name, (_, want) in SCENARIOS.items()}
