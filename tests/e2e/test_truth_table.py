# SPDX-License-Identifier: BSD-2-Clause
"""Ways in which an attempt fails that have no test of their own elsewhere: what nginx writes of each, and the verdict.

Where the others are, beside the oracle, which drives nearly all of them at random:
  connect: refused, timed out, no route, no local port     test_connect, test_verdicts; a full accept queue: test_accept_queue
  FIN or reset while nginx waits, a header or body cut     test_verdicts, test_servers, test_node_versions
  into a connection that is closed already                 test_verdicts, test_race_load, test_idle_learning
  read and send timeouts, stalls                           test_verdicts, test_corners
  an early 413, a body unread                              the oracle, replay/request_rejected-*
  no HTTP, TLS to a plain port and plain to a TLS one      replay/protocol_mismatch-*, the oracle
  TLS: an end, a reset, silence in the handshake           test_servers, the oracle
  invalid chunks, the client leaves, a 101                 test_corners, test_outcome, the oracle
  FastCGI, HTTP/2, gRPC                                    test_servers, test_outcome, unit/test_fastcgi
  a wrapped log, lost records, twins, reused ports         test_traps; who runs in a softirq: every test that names the process
  a name that differs by version                           test_node_versions
"""
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import faults
from harness.certificate import certificate
from harness.nginx import NGINX, Route
from harness.proc import JsonChild, eventually, free_port
from harness.stage import path, target
from harness.upclose import assert_contract

REJECTED = ("nginx_rejected_response", "nginx_closed")
HEAD = r"HTTP/1.1\x20200\x20OK\r\n"


def nginx_version():
    said = subprocess.run([NGINX, "-v"], check=True, capture_output=True, text=True).stderr
    return tuple(map(int, re.search(r"/(\d+)\.(\d+)", said).groups()))


def judged(stage, trace, script, log=None, status=502, extra="", method="GET"):
    """One request to a raw upstream that answers by the script; upclose's object."""
    up = stage.raw(script)
    nginx = stage.nginx(app=Route(up.addr, extra=extra))
    tr = trace("--all", ports=[up.port])
    t = target("row")
    assert nginx.get(t, method=method).status == status
    if log:
        nginx.wait_error(log, path(t))
    obj = tr.wait(target=path(t))
    if not log:
        assert not nginx.errors(r"\[(error|crit|alert)\]")
    return obj


@pytest.mark.parametrize("after", ["hold", "close"])
@pytest.mark.parametrize("head, log", [
    ("X:" + 9000 * "h" + r"\r\n\r\n", "upstream sent too big header"),
    (r"Bad\x01Name:\x20x\r\n\r\n", "upstream sent invalid header"),
    (r"Content-Length:\x203\r\nContent-Length:\x203\r\n\r\nok\n", "upstream sent duplicate header line"),
], ids=["too_big", "invalid", "duplicate"])
def test_header_that_nginx_refuses(stage, trace, head, log, after):
    """The same verdict whether the upstream waits, or has closed its end before nginx does."""
    if "duplicate" in log and nginx_version() < (1, 23):
        pytest.skip("this nginx takes a duplicate header line")
    obj = judged(stage, trace, f"read send:{HEAD}{head} {after}", log)
    assert (obj["verdict"], obj["proof"], obj["flagged"], obj["closed_by"]) == (*REJECTED, True, "nginx")
    assert (obj["outcome"], obj["client_status"]) == ("client_error", 502)


def test_more_than_the_length(stage, trace):
    """nginx warns, and does not keep the connection: the response was whole."""
    obj = judged(stage, trace, rf"read send:{HEAD}Content-Length:\x202\r\n\r\nok-and-more hold", status=200)
    assert (obj["verdict"], obj["flagged"]) in (("complete", False), ("idle_close", False))


def test_interim_response_and_fin(stage, trace):
    """A 103 and no more: no final response ever came."""
    up = stage.raw(r"read send:HTTP/1.1\x20103\x20Early\x20Hints\r\nLink:\x20</a>\r\n\r\n close")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    t = target("row")
    with nginx.client() as c:
        c.send("GET", t)
        eventually(lambda: nginx.accesses(path(t)) or c.sock.recv(4096), "nginx has answered")
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["exchange"]["status"]) == ("partial_header", "header_cut", None)


def test_certificate_that_nginx_refuses(stage, trace, scratch):
    """nginx closes behind a handshake that went well: it did not like who was there."""
    keys = certificate(scratch)[0].parent
    up = stage.node("--tls", keys)
    nginx = stage.nginx(app=Route(up.addr, scheme="https", extra=f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {keys}/cert.pem;"
                                                                 "proxy_ssl_name another.test;"))
    tr = trace("--all", ports=[up.port])
    t = target("ok")
    assert nginx.get(t).status == 502
    nginx.wait_error("upstream SSL certificate", path(t))
    obj = tr.wait(flagged=True)
    assert (obj["verdict"], obj["phase"], obj["closed_by"]) == ("nginx_rejected_response", "tls", "nginx")


def test_reset_that_no_peer_sent(stage, trace):
    """Data for a socket that its process has closed resets it from within: nothing of the kind came from nginx."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race_sent_after_fin(nginx, up)
    obj = tr.wait(nginx_port=fault.nginx_port)
    events = [(e["side"], e["event"]) for e in obj["timeline"]]
    assert ("nginx", "rst_received") in events and ("upstream", "rst_received") not in events
    assert (obj["verdict"], obj["closed_by"], obj["close"]) == ("keepalive_race", "upstream", "fin")


def test_nobody_left(stage, trace):
    """"no live upstreams" has no connection; those that brought it about have."""
    port = free_port()
    nginx = stage.nginx(app=Route([f"127.0.0.1:{port}", f"127.0.0.2:{port}"], server="max_fails=1 fail_timeout=10s"))
    tr = trace("--all", ports=[port])
    for _ in range(2):
        assert nginx.get(target("ok")).status == 502
    nginx.wait_error("no live upstreams")
    objects, summary, _, _ = tr.stop()
    assert [o["verdict"] for o in objects] == ["connect_failed"] * 2 and summary["connections"] == 2


@pytest.mark.parametrize("behaviour", ["reset", "close"])
def test_closed_at_accept(stage, trace, behaviour):
    """The upstream closes what it accepts, with or without having been asked."""
    up = stage.raw(behaviour)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    t = target("ok")
    assert nginx.get(t, method="POST", body=b"x").status == 502
    nginx.wait_error(r"(recv|connect|writev|send)\(\) failed \((104|32)|prematurely closed", path(t))
    obj = tr.wait(flagged=True)
    assert (obj["verdict"], obj["confidence"], obj["closed_by"], obj["upstream"]["pid"]) == ("upstream_closed", "proven", "upstream", up.pid)


def test_body_cut_by_a_reset(stage, trace):
    obj = judged(stage, trace, rf"read send:{HEAD}Content-Length:\x20100\r\n\r\nhalf sleep:50 reset",
                 r"(recv|readv)\(\) failed \(104.* while reading upstream", status=200)
    assert (obj["verdict"], obj["proof"], obj["close"], obj["outcome"]) == ("body_truncated", "content_length", "rst", "client_error")


def test_tcp_fast_open(stage, bpf):
    """The request comes with the SYN, so that the accepting socket has it before its handshake is over."""
    link = stage.link(1)
    subprocess.run(["nsenter", f"--net={link.ready['a']}", "sh", "-c", "ip link set lo up; echo 1543 > /proc/sys/net/ipv4/tcp_fastopen"], check=True)
    up = stage.node(netns=link.ready["a"])
    tr = stage.upclose("--comm", "odd-client", "-p", up.port)
    child = stage.enter_context(JsonChild([sys.executable, Path(faults.__file__).with_name("oddclient.py"), up.port, "fastopen"], link.ready["a"]))
    child.command("go")
    child.event("answer")
    obj = tr.wait(nginx_pid=child.pid)
    assert_contract(obj)
    counts = subprocess.run(["nsenter", f"--net={link.ready['a']}", "cat", "/proc/net/netstat"], check=True, capture_output=True, text=True).stdout
    names, values = (line.split() for line in counts.splitlines()[:2])
    assert int(values[names.index("TCPFastOpenPassive")]) == 1, "the kernel took data from the SYN"
    assert (obj["verdict"], obj["closed_by"], obj["exchange"]["reused"]) == ("upstream_closed", "upstream", False)
    assert obj["proof"] in ("deliberate_close", "request_acked")
    assert obj["exchange"]["unacked_bytes"] == 0
