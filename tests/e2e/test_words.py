# SPDX-License-Identifier: BSD-2-Clause
"""nginx's own words: equal verdicts whatever its client speaks, and where they are not heard never a wrong proof."""
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from harness import h2
from harness.certificate import certificate
from harness.nginx import NGINX, Route
from harness.proc import eventually, free_port
from harness.stage import path, target
from harness.upclose import assert_contract

HEAD = r"HTTP/1.1\x20200\x20OK\r\n"
CLIENTS = ["http", "https", "http2", "unix"]
BIG = rf"read send:{HEAD}X:{9000 * 'h'}\r\n\r\n hold"
BAD = rf"read send:{HEAD}Bad\x01Name:\x20x\r\n\r\n hold"
CUT = rf"read send:{HEAD}Content-Length:\x20100\r\n\r\nhalf close"
STALL = rf"read send:{HEAD}Content-Length:\x20100\r\n\r\nhalf hold"

# what the upstream does, and the verdict, proof, phase and closer that are right; the kind of nginx's words
FAULTS = {
    "closed": ("read close", "upstream_closed", "deliberate_close", "response_header", "upstream", "upstream_closed"),
    "reset": ("read reset", "upstream_closed", "deliberate_close", "response_header", "upstream", "recv_failed"),
    "header_too_big": (BIG, "nginx_rejected_response", "nginx_closed", None, "nginx", "header_too_big"),
    "header_invalid": (BAD, "nginx_rejected_response", "nginx_closed", None, "nginx", "header_invalid"),
    "silent": ("read hold", "nginx_timeout", "read_timeout", "response_header", "nginx", "upstream_timed_out"),
    "stalled": (STALL, "nginx_timeout", "read_timeout", "response_body", "nginx", "upstream_timed_out"),
    "cut": (CUT, "body_truncated", "content_length", "response_body", "upstream", "upstream_closed"),
    "ok": ("read reply close", "complete", "response_complete", "idle", None, None),
}


class Front:
    """A server of nginx to one raw upstream, and a way to ask it."""

    def __init__(self, stage, scratch, client, script, more="", level="info", location="proxy_read_timeout 1s;"):
        self.client = client
        self.up = stage.raw(script)
        self.port = free_port()
        self.socket = scratch / "front.sock"
        tls = "ssl_certificate %s; ssl_certificate_key %s;" % certificate(scratch)
        listen = {"http": self.port, "https": f"127.0.0.1:{self.port} ssl", "http2": f"127.0.0.1:{self.port} ssl http2",
                  "unix": f"unix:{self.socket}"}[client]
        self.nginx = stage.nginx(app=Route(self.up.addr, keepalive=0), http=f"""server {{ listen {listen}; {tls} {more}
            error_log {scratch}/front.log {level}; proxy_http_version 1.1; location / {{ {location} proxy_pass http://app; }} }}""")

    def get(self, t, *options, seconds=10):
        """The status, 0 where none came."""
        scheme = "http" if self.client in ("http", "unix") else "https"
        host = "unix.test" if self.client == "unix" else f"127.0.0.1:{self.port}"
        where = ["--unix-socket", self.socket] if self.client == "unix" else []
        version = "--http2" if self.client == "http2" else "--http1.1"
        done = subprocess.run(["curl", "-sk", version, *where, "-m", str(seconds), "-o", "/dev/null", "-w", "%{http_code}", *options,
                               f"{scheme}://{host}{t}"], capture_output=True, text=True, check=False)
        return int(done.stdout)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_for_each_client(stage, trace, scratch, fault, client):
    script, verdict, proof, phase, closed_by, kind = FAULTS[fault]
    front = Front(stage, scratch, client, script)
    tr = trace("--all", ports=[front.up.port])
    t = target("row")
    front.get(t)
    obj = tr.wait(target=path(t))
    assert_contract(obj)
    assert (obj["verdict"], obj["proof"], obj["confidence"]) == (verdict, proof, "proven")
    assert obj["phase"] == (phase or obj["phase"]) and obj["closed_by"] == (closed_by or obj["closed_by"])
    assert obj["flagged"] == (fault != "ok")
    said = obj["nginx_log"]
    assert (said and (said["kind"], said["source"], said["level"])) == (kind and (kind, "words", "error"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "ok"])
def test_each_fault_unsaid(stage, trace, scratch, fault, client):
    """At error_log crit: what TCP proves stays proven; what nginx decided is proven by no more than its answer, or likely, or unknown."""
    script, verdict, proof, _, closed_by, _ = FAULTS[fault]
    front = Front(stage, scratch, client, script, level="crit")
    tr = trace("--all", ports=[front.up.port])
    t = target("row")
    front.get(t)
    obj = tr.wait(target=path(t))
    assert obj["nginx_log"] is None
    if obj["confidence"] == "proven" or closed_by == "upstream":
        assert (obj["verdict"], obj["proof"], obj["confidence"]) == (verdict, proof, "proven")


@pytest.mark.parametrize("client", CLIENTS)
def test_client_that_leaves(stage, trace, scratch, client):
    front = Front(stage, scratch, client, "read hold", location="")
    tr = trace("--all", ports=[front.up.port])
    t = target("row")
    front.get(t, seconds=0.6)
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["confidence"], obj["flagged"]) == ("client_gone", "client_closed", "proven", False)
    assert obj["nginx_log"]["kind"] == "client_closed"


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_cancelled_stream(stage, trace, scratch, seconds):
    """HTTP/2: the client's connection goes on; a whole number of seconds is no timeout of nginx's."""
    up = stage.raw("read hold")
    port = free_port()
    stage.nginx(app=Route(up.addr), http=f"server {{ listen 127.0.0.1:{port} http2; location / {{ proxy_pass http://app; }} }}")
    tr = trace("--all", ports=[up.port])
    t = target("row")
    with h2.Client(port) as c:
        stream = c.send("GET", t)
        up.event("read")
        time.sleep(seconds)
        c.cancel(stream)
        obj = tr.wait(target=path(t))
    assert obj["verdict"] == "client_gone" and not obj["flagged"]


def test_client_that_sends_no_more(stage, trace, scratch):
    front = Front(stage, scratch, "http", "drain hold", more="client_body_timeout 1s;", location="proxy_request_buffering off;")
    tr = trace("--all", ports=[front.up.port])
    t = target("row")
    with socket.create_connection(("127.0.0.1", front.port), 10) as s:
        s.sendall(f"POST {t} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 5000)
        obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["flagged"]) == ("client_gone", "client_body_timeout", False)
    assert "client_body_timeout" in obj["summary"]


def test_client_that_takes_no_more(stage, trace, scratch):
    up = stage.node()
    port = free_port()
    stage.nginx(app=Route(up.addr), http=f"""server {{ listen 127.0.0.1:{port} sndbuf=32k; send_timeout 1s; proxy_max_temp_file_size 0;
        location / {{ proxy_pass http://app; }} }}""")
    tr = trace("--all", ports=[up.port])
    t = target("download", "bytes=30000000")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
        s.connect(("127.0.0.1", port))
        s.sendall(f"GET {t} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        obj = tr.wait(target=path(t), timeout=10)
    assert (obj["verdict"], obj["proof"], obj["flagged"]) == ("client_gone", "client_send_timeout", False)
    assert "send_timeout" in obj["summary"] and "proxy_read_timeout" not in " ".join([obj["summary"], *obj["advice"]])


def test_decisions_of_nginx_are_no_failures(stage, trace):
    """X-Accel-Redirect, an intercepted error, auth_request and a mirror leave a response's body unread."""
    body = 40000 * "x"
    accel = rf"HTTP/1.1\x20200\x20OK\r\nX-Accel-Redirect:\x20/file\r\nContent-Length:\x2040000\r\n\r\n{body}"
    missing = rf"HTTP/1.1\x20404\x20Not\x20Found\r\nContent-Length:\x2040000\r\n\r\n{body}"
    plain = rf"HTTP/1.1\x20200\x20OK\r\nContent-Length:\x2040000\r\n\r\n{body}"
    ups = {name: stage.raw(f"read send:{text} hold") for name, text in (("accel", accel), ("missing", missing), ("auth", plain))}
    good = stage.node()
    port = free_port()
    http = f"""server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1;
        location = /file {{ internal; return 200 file; }}
        location /accel {{ proxy_pass http://{ups["accel"].addr}; }}
        location /missing {{ proxy_pass http://{ups["missing"].addr}; proxy_intercept_errors on; error_page 404 =200 /file; }}
        location /guarded {{ auth_request /auth; proxy_pass http://{good.addr}/ok/guarded; }}
        location = /auth {{ internal; proxy_pass http://{ups["auth"].addr}; }} }}"""
    stage.nginx(app=Route(good.addr), http=http)
    every = [up.port for up in (*ups.values(), good)]
    tr = trace("--all", ports=every)
    for what in ("accel", "missing", "guarded"):
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/{what}"],
                              capture_output=True, text=True, check=True)
        assert done.stdout == "200"
    tr.wait(count=4)
    objects, summary, _, _ = tr.stop()
    assert [(o["verdict"], o["exchange"]["target"]) for o in objects if o["flagged"]] == [] and summary["flagged"] == 0


def test_reload_that_cuts(stage, trace):
    up = stage.raw("read hold")
    nginx = stage.nginx(app=Route(up.addr), shutdown="1s")
    tr = trace("--all", ports=[up.port])
    t = target("row")
    with nginx.client() as c:
        c.send("GET", t)
        up.event("read")
        (worker,) = nginx.workers()
        nginx.reload()
        obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["confidence"], obj["flagged"]) == ("worker_exited", "nginx_exited", "proven", True)
    assert "worker_shutdown_timeout" in " ".join(obj["advice"]) and obj["nginx"]["pid"] == worker


UPGRADE = r"read send:HTTP/1.1\x20101\x20Switching\x20Protocols\r\nUpgrade:\x20websocket\r\nConnection:\x20Upgrade\r\n\r\n"
WEBSOCKET = {"Upgrade": "websocket", "Connection": "Upgrade"}


@pytest.mark.parametrize("end, verdict, proof, flagged", [
    ("hold", "nginx_timeout", "read_timeout", True), ("reset", "upstream_reset", "rst", True), ("close", "complete", "response_complete", False),
])
def test_upgraded_connection(stage, trace, end, verdict, proof, flagged):
    up = stage.raw(f"{UPGRADE} {'' if end == 'hold' else 'sleep:100'} {end}")
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, version="1.1", extra="""proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade; proxy_read_timeout 1s;"""))
    tr = trace("--all", ports=[up.port])
    t = target("row")
    with nginx.client() as c:
        c.send("GET", t, headers=WEBSOCKET)
        obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["flagged"], obj["phase"]) == (verdict, proof, flagged, "upgraded")


def test_upgraded_connection_of_a_process_that_is_killed(stage, trace):
    up = stage.raw(f"{UPGRADE} hold")
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, version="1.1", extra="""proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;"""))
    tr = trace("--all", ports=[up.port])
    t = target("row")
    with nginx.client() as c:
        c.send("GET", t, headers=WEBSOCKET)
        up.event("send")
        up.kill(signal.SIGKILL)
        obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"], obj["phase"]) == ("upstream_died", "signal", "upgraded")


def test_no_live_upstreams(stage, bpf):
    """A request without a connection is an event of its own, and what led to it is named."""
    dead = [free_port(), free_port()]
    nginx = stage.nginx(app=Route([f"127.0.0.1:{p}" for p in dead], server="max_fails=1 fail_timeout=30s"))
    tr = stage.upclose()
    assert nginx.get(target("row")).status == 502
    for port in dead:
        tr.wait(upstream_port=port)
    assert nginx.get(target("row")).status == 502
    event = eventually(lambda: [e for e in tr.log_events() if e["pid"] in nginx.workers()], "nginx's words")[0]
    assert (event["nginx_log"]["kind"], event["nginx_log"]["level"]) == ("no_live_upstreams", "error")
    assert {c["port"] for c in event["failed_before"]} >= set(dead) and "max_fails" in event["summary"]
    _, summary, _, status = tr.stop()
    assert status == 0 and summary["nginx_log"]["no_live_upstreams"] >= 1


def pipelined(port, count):
    """So many requests at once, by one connection: nginx answers as fast as it can."""
    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as s:
        sender = threading.Thread(target=s.sendall, args=(request * count,))
        sender.start()
        seen, rest = 0, b""
        while seen < count:
            data = rest + s.recv(1 << 16)
            seen += data.count(b"HTTP/1.1 502")
            rest = data[-11:] if not data.endswith(b"HTTP/1.1 502") else b""
        sender.join()


@pytest.mark.alone
def test_storm(stage, bpf):
    """Tens of thousands of errors a second: each is counted, as an event or as lost."""
    dead, count = f"127.0.0.1:{free_port()}", 30000
    nginx = stage.nginx(app=Route([dead, dead], server="max_fails=1 fail_timeout=60s"))
    tr = stage.upclose()
    began = time.monotonic()
    pipelined(nginx.routes["app"].port, count)
    rate = count / (time.monotonic() - began)
    lines = Path(f"{nginx.dir}/error.log").read_text().count("no live upstreams")
    assert count - 2 <= lines <= count
    _, summary, _, status = tr.stop()
    print(f"{rate:.0f} errors a second, {summary['lost']} lost of {lines}")
    assert status == 0 and summary["nginx_log"]["no_live_upstreams"] + summary["lost"] >= lines


def test_daemon_counts_and_logs_them(stage, bpf):
    dead = [free_port(), free_port()]
    nginx = stage.nginx(app=Route([f"127.0.0.1:{p}" for p in dead], server="max_fails=1 fail_timeout=30s"))
    d = stage.daemon({})
    before = d.sample("upclose_nginx_log_total", kind="no_live_upstreams")
    for _ in range(3):
        assert nginx.get(target("row")).status == 502
    eventually(lambda: d.sample("upclose_nginx_log_total", kind="no_live_upstreams") >= before + 2, "both are counted")
    eventually(lambda: "no_live_upstreams" in d.stderr(), "they are in the log")


def another_nginx(scratch):
    """The same program in another file, whose processes have nginx's name."""
    (scratch / "later").mkdir()
    return shutil.copy(NGINX, scratch / "later" / "nginx")


def delegate_of(daemon):
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    return next(int(c) for c in children if Path(f"/proc/{c}/comm").read_text() == "upclose-words\n")


def test_daemon_hears_a_program_that_begins_later(stage, bpf, scratch):
    """Without privilege of its own: a second process keeps the right, and no other."""
    dead = f"127.0.0.1:{free_port()}"
    d = stage.daemon({})
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{delegate_of(d)}/status").read_text().splitlines() if ":\t" in line)
    bpf_perfmon, admin_ptrace = 3 << 38, 1 << 21 | 1 << 19
    assert int(status["CapEff"], 16) == bpf_perfmon | admin_ptrace and int(status["CapBnd"], 16) == 0
    assert status["Uid"].split()[0] != "0" and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    nginx = stage.nginx(app=Route([dead, dead], server="max_fails=1 fail_timeout=30s"), binary=another_nginx(scratch))
    count = d.sample("upclose_nginx_log_total", kind="no_live_upstreams")
    for _ in range(3):
        assert nginx.get(target("row")).status == 502
    eventually(lambda: d.sample("upclose_nginx_log_total", kind="no_live_upstreams") >= count + 1, "the new program is heard")


def test_daemon_without_its_delegate(stage, bpf, scratch):
    """It says that once, and goes on with what it hears already."""
    dead = f"127.0.0.1:{free_port()}"
    heard = stage.nginx(app=Route([dead, dead], server="max_fails=1 fail_timeout=30s"))
    d = stage.daemon({})
    os.kill(delegate_of(d), signal.SIGKILL)
    later = stage.nginx(app=Route([dead, dead], server="max_fails=1 fail_timeout=30s"), binary=another_nginx(scratch))
    later.get(target("row"))
    d.wait_stderr("begin from now on are not heard")
    count = d.sample("upclose_nginx_log_total", kind="no_live_upstreams")
    for _ in range(3):
        assert heard.get(target("row")).status == 502
    eventually(lambda: d.sample("upclose_nginx_log_total", kind="no_live_upstreams") >= count + 1, "the old program is heard")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0 and len(re.findall("begin from now on", d.stderr())) == 1


def test_name_of_two_families(stage, bpf):
    """`localhost` is two addresses to nginx; the upstream listens on one of them."""
    up = stage.node(host="127.0.0.1")
    nginx = stage.nginx(app=Route([f"[::1]:{up.port}", up.addr], server="max_fails=0"))
    tr = stage.upclose("-p", up.port)
    seen = eventually(lambda: nginx.get(target("ok")) and tr.all(verdict="connect_failed"), "the other family is refused")
    assert any("`localhost`" in line for line in seen[0]["advice"]) and seen[0]["outcome"] == "retried"


def test_announced_body_that_is_not_sent(stage, trace, scratch):
    """auth_request passes Content-Length on without the body."""
    up = stage.raw("read reply")
    port = free_port()
    stage.nginx(app=Route(up.addr), http=f"""server {{ listen 127.0.0.1:{port}; proxy_read_timeout 1s;
        location / {{ auth_request /auth; proxy_pass http://app; }} location = /auth {{ internal; proxy_pass http://app; }} }}""")
    tr = trace(ports=[up.port])
    subprocess.run(["curl", "-s", "-o", "/dev/null", "-d", 77 * "x", f"http://127.0.0.1:{port}/"], check=True)
    obj = tr.wait(target="/auth")
    assert obj["verdict"] == "nginx_timeout" and "77 bytes" in obj["summary"] and "Content-Length" in " ".join(obj["advice"])


def test_malformed_status_line(stage, trace):
    """nginx takes it for HTTP/0.9 and passes it on: the scheme is right, the line is not."""
    up = stage.raw(r"read send:HTTP/1.1\x20404:\x20Not\x20Found\r\nContent-Length:\x202\r\n\r\nno hold")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 1s;"))
    tr = trace(ports=[up.port])
    t = target("row")
    with nginx.client() as c:
        c.send("GET", t)
        obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["proof"]) == ("protocol_mismatch", "first_bytes")
    assert "status line" in " ".join(obj["advice"]) and "scheme" not in " ".join(obj["advice"])


def test_text_has_the_words_at_their_moment(stage, bpf):
    up = stage.raw("read hold")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 1s;"))
    tr = stage.upclose("-p", up.port, output="text")
    nginx.get(target("row"))
    tr.wait_text(r"ms  nginx     log +error: upstream timed out \(110: Connection timed out\) while reading response header from upstream")
    tr.stop()
