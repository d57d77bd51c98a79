# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon exports: by Prometheus' own tools, and against what was made to happen."""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time

import pytest
from harness import bpf_objects, faults
from harness.daemon import samples
from harness.nginx import Route
from harness.proc import Stopped, eventually, free_port
from harness.prometheus import Prometheus
from harness.stage import target
from harness.upclose import TOP

RULES = TOP / "user" / "share" / "prometheus-rules.yaml"
FLAGGED = "upclose_flagged_connections_total"


@pytest.fixture
def up(stage):
    return stage.node()


@pytest.fixture
def nginx(stage, up):
    return stage.nginx(app=Route(up.addr))


def test_promtool(stage, nginx, up):
    """After some traffic: nothing to complain of."""
    d = stage.daemon(ports=[up.port])
    faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST", warm=1)
    d.wait_sample(FLAGGED, 1, verdict="upstream_closed")
    done = subprocess.run(["promtool", "check", "metrics"], input=d.get()[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_scrapes(stage, nginx, up):
    d = stage.daemon(ports=[up.port])
    prometheus = stage.enter_context(Prometheus(f"127.0.0.1:{d.port}", RULES))
    one = f'{FLAGGED}{{upstream="{up.addr}",verdict="upstream_closed",outcome="client_error"}}'
    prometheus.wait_query("up == 1")
    # the series is there before its first increase, so that a rate sees it
    assert nginx.get(target("ok")).status == 200
    prometheus.wait_query(f"{one} == 0")
    faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    prometheus.wait_query(f"{one} == 1")
    prometheus.wait_query(f"increase({one}[1m]) > 0")
    ((labels, _),) = prometheus.query("upclose_build_info")
    assert re.match(r"\d+\.\d+\.\d+", labels["version"])
    assert prometheus.query("scrape_samples_scraped")[0][1] > 100


def test_manual_has_every_metric(stage):
    d = stage.daemon(ports=[1])
    names = set(re.findall(r"# TYPE (upclose_\S+) ", d.get()[2]))
    manual = "".join(page.read_text(encoding="utf-8") for page in (TOP / "user" / "share" / "man").iterdir())
    documented = set(re.findall(r"\bupclose_[a-z_]+[a-z]\b", manual))
    assert names and names == documented


def test_counts(stage, nginx, up):
    """Exchanges are counted as they happen, ends as they end."""
    d = stage.daemon(ports=[up.port])
    with nginx.client() as c:
        for _ in range(5):
            assert c.request("GET", target("ok")).status == 200
    got = {name: d.sample(f"upclose_{name}", upstream=up.addr)
           for name in ("connections_opened_total", "connections_ended_total", "exchanges_total", "open_connections", "waiting_requests")}
    assert got == {"connections_opened_total": 1, "connections_ended_total": 0, "exchanges_total": 5, "open_connections": 1,
                   "waiting_requests": 0}
    faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")  # on the pooled connection, and not repeated
    d.wait_sample("upclose_connections_ended_total", 1, upstream=up.addr)
    d.wait_sample("upclose_exchanges_total", 6, upstream=up.addr)
    d.wait_sample("upclose_open_connections", 0, upstream=up.addr)


def test_histograms(stage, nginx, up):
    """A response after 300 ms, and a connection that was idle for 400 ms."""
    d = stage.daemon(ports=[up.port])
    with nginx.client() as c:
        assert c.request("GET", target("slow", "ms=300")).status == 200
        time.sleep(0.4)  # the idle time itself
        assert c.request("GET", target("ok")).status == 200
    found = d.samples()

    def buckets(name):
        return {dict(labels)["le"]: v for (n, labels), v in found.items() if n == f"upclose_{name}_bucket"}

    def one(name):
        return found[f"upclose_{name}", (("upstream", up.addr),)]

    first = buckets("time_to_first_byte_seconds")
    assert first["0.25"] == 1 and first["0.5"] == first["+Inf"] == one("time_to_first_byte_seconds_count") == 2
    assert 0.3 < one("time_to_first_byte_seconds_sum") < 0.5
    idle = buckets("idle_before_reuse_seconds")
    assert idle["0.25"] == 0 and idle["1"] == idle["+Inf"] == one("idle_before_reuse_seconds_count") == 1
    assert 0.4 < one("idle_before_reuse_seconds_sum") < 0.7
    assert list(first) == list(idle) and len(first) == 16


def test_request_in_flight(stage, nginx, up):
    d = stage.daemon(ports=[up.port])
    with nginx.client() as c:
        with Stopped([up.pid]):
            c.send("GET", target("ok"))
            eventually(lambda: d.sample("upclose_waiting_requests", upstream=up.addr) == 1, "it waits", 10)
            eventually(lambda: d.sample("upclose_longest_wait_seconds", upstream=up.addr) > 1.5, "it waits for long", 10)
        assert c.response().status == 200
    d.wait_sample("upclose_waiting_requests", 0, upstream=up.addr)
    assert d.sample("upclose_longest_wait_seconds", upstream=up.addr) == 0


def test_learned_idle_timeout(stage):
    up = stage.node("--keepalive", "300")
    nginx = stage.nginx(app=Route(up.addr))
    d = stage.daemon(ports=[up.port])
    assert d.sample("upclose_learned_idle_timeout_seconds") is None
    faults.at_once([stage.client(nginx) for _ in range(5)])
    eventually(lambda: d.sample("upclose_learned_idle_timeout_seconds", upstream=up.addr), "it is learned", 10)
    assert 0.29 < d.sample("upclose_learned_idle_timeout_seconds", upstream=up.addr) < 1.5
    assert d.sample(FLAGGED) == 0


def test_repeated_attempts(stage):
    """The first upstream hangs up, nginx asks the second: an attempt more there."""
    bad, good = stage.raw("read close"), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, good.addr], keepalive=0))
    d = stage.daemon(ports=[bad.port, good.port])

    def both_tried():
        assert nginx.get(target("ok")).status == 200
        return d.sample("upclose_repeated_attempts_total", upstream=good.addr)

    assert eventually(both_tried, "nginx repeated a request", 10) >= 1
    eventually(lambda: (d.sample(FLAGGED, upstream=bad.addr, outcome="retried") or 0) >= 1, "the failure is counted", 10)
    assert not d.sample(FLAGGED, upstream=good.addr)


def test_cardinality_is_capped(stage):
    """Two upstreams have series of their own; what the others did is counted under one name, nothing is lost."""
    ups = [stage.node() for _ in range(4)]
    nginx = stage.nginx(**{f"app{i}": Route(up.addr) for i, up in enumerate(ups)})
    d = stage.daemon({"metrics": {"max_upstreams": 2}}, ports=[up.port for up in ups])
    for i, up in enumerate(ups):
        faults.provoke(nginx, up, "destroy", faults.CLOSED, route=f"app{i}")
        d.wait_sample(FLAGGED, i + 1)
    names = {dict(labels).get("upstream") for _, labels in d.samples()} - {None}
    assert names == {ups[0].addr, ups[1].addr, "other"}
    assert d.sample(FLAGGED, upstream="other") == d.sample("upclose_exchanges_total", upstream="other") == 2
    assert d.sample("upclose_folded_connections_total") == 2


def test_quiet_upstreams_make_room(stage):
    """Four upstreams one after the other, of which two have a place at a time: no series goes up for it, and no sum down."""
    ups = [stage.node() for _ in range(4)]
    nginx = stage.nginx(**{f"app{i}": Route(up.addr) for i, up in enumerate(ups)})
    d = stage.daemon({"metrics": {"max_upstreams": 2, "quiet_after": "1s"}}, ports=[up.port for up in ups])
    for i, up in enumerate(ups):
        faults.provoke(nginx, up, "destroy", faults.CLOSED, route=f"app{i}")
        d.wait_sample(FLAGGED, 1, upstream=up.addr)
        assert d.sample(FLAGGED) + (d.sample("upclose_retired_counts_total", counter="flagged_connections") or 0) == i + 1
        assert d.sample("upclose_exchanges_total") + d.sample("upclose_retired_counts_total", counter="exchanges") == i + 1
        time.sleep(1.2)  # the quiet itself
    assert {dict(labels).get("upstream") for _, labels in d.samples()} - {None} == {ups[2].addr, ups[3].addr}
    assert d.sample("upclose_retired_upstreams_total") == 2 and d.sample("upclose_folded_connections_total") == 0


def test_by_name(stage):
    """Two servers of one upstream{} are one upstream."""
    ups = [stage.node() for _ in range(2)]
    nginx = stage.nginx(app=Route([up.addr for up in ups]))
    os.chmod(nginx.dir, 0o755)  # the daemon is nobody by then
    d = stage.daemon({"metrics": {"label": "name"}}, ports=[up.port for up in ups])
    for _ in ups:
        with nginx.client() as c:
            assert faults.exchange(c, "POST", target("destroy")).status == 502
    d.wait_sample(FLAGGED, 2, upstream="app")
    assert all(up.event("request") for up in ups)
    assert {dict(labels).get("upstream") for _, labels in d.samples()} - {None} <= {"app", "other"}


def test_only_what_was_seen(stage, nginx, up):
    d = stage.daemon({"metrics": {"series": "seen"}}, ports=[up.port])
    faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    d.wait_sample(FLAGGED, 1, upstream=up.addr)
    found = {name: [labels for n, labels in d.samples() if n == name] for name in (FLAGGED, "upclose_idle_before_reuse_seconds_bucket")}
    assert found == {FLAGGED: [(("upstream", up.addr), ("verdict", "upstream_closed"), ("outcome", "client_error"))],
                     "upclose_idle_before_reuse_seconds_bucket": []}


def test_static_labels(stage, nginx, up):
    """On each sample, and as promtool likes it."""
    d = stage.daemon({"labels": [{"name": "cluster", "value": "eu1"}, {"name": "env", "value": "prod, west"}]}, ports=[up.port])
    faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    d.wait_sample(FLAGGED, 1, upstream=up.addr, cluster="eu1", env="prod, west")
    assert all({("cluster", "eu1"), ("env", "prod, west")} <= set(labels) for _, labels in d.samples())
    assert subprocess.run(["promtool", "check", "metrics"], input=d.get()[2], check=False, text=True).returncode == 0


def test_agent_metrics(stage, nginx, up):
    d = stage.daemon({"tracing": {"ring_mib": 4}, "metrics": {"bpf_run_time": True}}, ports=[up.port])
    with nginx.client() as c:
        for _ in range(50):
            assert c.request("GET", target("ok")).status == 200
    found = d.samples()
    total = lambda name: sum(v for (n, _), v in found.items() if n == name)  # noqa: E731
    assert total("upclose_bpf_runs_total") > 100 and 0 < total("upclose_bpf_run_time_seconds_total") < 5
    assert total("upclose_ring_size_bytes") == 4 << 20 and total("upclose_ring_pending_bytes") < 1 << 20
    assert total("upclose_hook_attached") >= 5
    assert {dict(labels)["reason"] for (n, labels) in found if n == "upclose_lost_total"} > {"ring_full", "bad_record", "join_evicted"}
    assert total("upclose_lost_total") == 0
    assert {dict(labels)["kind"]: v for (n, labels), v in found.items() if n == "upclose_forgotten_total"} == \
        dict.fromkeys(("upstreams", "outcomes", "processes", "deaths"), 0)
    assert abs(total("process_start_time_seconds") - time.time()) < 60
    assert abs(total("process_open_fds") - len(os.listdir(f"/proc/{d.pid}/fd"))) <= 1  # the scrape's own
    with open(f"/proc/{d.pid}/statm", encoding="ascii") as f:
        assert abs(total("process_resident_memory_bytes") / os.sysconf("SC_PAGESIZE") - int(f.read().split()[1])) < 1000
    assert 0 < total("process_cpu_seconds_total") < 10
    assert total("upclose_adopted_connections_total") == 0


def test_adopted(stage, nginx, up):
    with nginx.client() as c:
        assert c.request("GET", target("ok")).status == 200
        d = stage.daemon(ports=[up.port])
        assert d.sample("upclose_adopted_connections_total") == d.sample("upclose_open_connections") == 1


def test_counters_never_fall(stage, nginx, up):
    """Scrapes while connections come and go."""
    d = stage.daemon(ports=[up.port])
    before = {}
    for n in range(12):
        faults.provoke(nginx, up, "destroy" if n % 2 else "ok", None)
        time.sleep(0.2)  # over several seconds: an exposition is kept for one
        now = d.samples()
        for key, value in before.items():
            if re.search("_(total|count|sum|bucket)$", key[0]):
                assert now[key] >= value, key
        before = now


# where it is served


def http(sock, request=b"GET /healthz HTTP/1.0\r\n\r\n"):
    sock.sendall(request)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            data += part
    return data


def test_unix_socket(stage, scratch):
    """Open to its owner and group; a second start replaces what a killed daemon left, and not what another serves."""
    file = scratch / "metrics.socket"
    for _ in range(2):
        d = stage.daemon({"metrics": {"listen": f"unix:{file}"}}, ports=[1])
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o660
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(file))
            assert b" 200 OK" in http(s)
        other = stage.daemon({"metrics": {"listen": f"unix:{file}"}}, ports=[1], wait=False)
        assert other.wait() == 1 and "in use" in other.stderr()
        d.kill(signal.SIGKILL)
        d.wait()


def test_ipv6(stage):
    port = free_port("::1")
    stage.daemon({"metrics": {"listen": f"[::1]:{port}"}}, ports=[1])
    with socket.create_connection(("::1", port)) as s:
        assert b" 200 OK" in http(s)


@pytest.fixture
def certificate(scratch):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=upclose",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", scratch / "key", "-out", scratch / "certificate"],
                   check=True, capture_output=True)
    return scratch / "certificate", scratch / "key"


def test_tls(stage, certificate):
    """The key is read before privilege is given up; plain HTTP gets no answer."""
    cert, key = certificate
    os.chmod(key, 0o600)
    d = stage.daemon({"metrics": {"tls": {"certificate": str(cert), "key": str(key)}}}, ports=[1])
    context = ssl.create_default_context(cafile=cert)
    with socket.create_connection(("127.0.0.1", d.port)) as s, context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
        assert b" 200 OK" in http(tls, b"GET /metrics HTTP/1.0\r\n\r\n")
    with socket.create_connection(("127.0.0.1", d.port)) as s:
        assert b"200 OK" not in http(s)


ACTIVATE = """
import os, socket, sys
fds = []
for port in sys.argv[1].split(","):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(port)))
    s.listen(16)
    fds.append(s)
for i, s in enumerate(fds):
    os.dup2(s.fileno(), 103 + i)
for i in range(len(fds)):
    os.dup2(103 + i, 3 + i)
    os.close(103 + i)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds))}
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(stage):
    """Sockets of systemd's are served instead of the configured address, through a reload too."""
    ports = [free_port(), free_port()]
    d = stage.daemon(ports=[1], prefix=[sys.executable, "-c", ACTIVATE, ",".join(map(str, ports))])
    configured = d.port
    for _ in range(2):
        for port in ports:
            d.port = port
            assert d.get("/healthz")[0] == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", configured)).close()
        d.kill(signal.SIGHUP)
        eventually(lambda: d.states.count("READY=1") >= 2, "it was reloaded")


def test_off(stage):
    d = stage.daemon({"metrics": {"listen": "off"}}, ports=[1])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", d.port)).close()


# hostile clients


def raw(d, data, half_close=False):
    with socket.create_connection(("127.0.0.1", d.port), timeout=10) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        return http(s, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X" * 100])
def test_other_methods(stage_daemon, method):
    answer = raw(stage_daemon, f"{method} /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert b" 405 " in answer.split(b"\r\n")[0] and b"Allow: GET, HEAD" in answer


@pytest.fixture(scope="module")
def stage_daemon():
    if os.geteuid() != 0:
        pytest.skip("not root, which BPF needs")
    from harness.daemon import Daemon
    with Daemon(ports=[1]) as d:
        yield d
        assert d.get("/healthz")[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_head(stage_daemon, path):
    head, _, body = raw(stage_daemon, f"HEAD {path} HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert b" 200 OK" in head and not body
    assert int(re.search(rb"Content-Length: (\d+)", head)[1]) > 0


@pytest.mark.parametrize("path", ["/nothing", "/../etc/passwd", "/metrics/", "//", "/metrics%00", "/%2e%2e/", "/<script>alert(1)</script>"])
def test_other_paths(stage_daemon, path):
    answer = raw(stage_daemon, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert b" 404 " in answer.split(b"\r\n")[0] and b"script" not in answer and b"passwd" not in answer


def test_query_is_ignored(stage_daemon):
    assert b" 200 OK" in raw(stage_daemon, b"GET /healthz?x=%3Cscript%3E HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("data", [
    b"\0" * 5000, os.urandom(5000), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" + b"\1" * 300,
    b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
], ids=["zeros", "noise", "short", "version", "tls", "length", "negative", "path", "headers", "chunked", "http2"])
def test_garbage(stage_daemon, data):
    """An error or a close, never a crash, and the next one is served."""
    with contextlib.suppress(OSError):
        answer = raw(stage_daemon, data, half_close=True)
        assert len(answer) < 100000
    assert stage_daemon.get("/healthz")[0] == 200


def test_many_clients(stage_daemon):
    """More silent connections than are allowed: the oldest of them go, and whoever asks is answered at once."""
    before = len(os.listdir(f"/proc/{stage_daemon.pid}/fd"))
    clients = []
    try:
        for _ in range(300):
            clients.append(socket.create_connection(("127.0.0.1", stage_daemon.port), timeout=10))
            with contextlib.suppress(OSError):
                clients[-1].sendall(b"GET /metr")
        start = time.monotonic()
        assert stage_daemon.get("/healthz")[0] == 200
        assert time.monotonic() - start < 2
        eventually(lambda: len(os.listdir(f"/proc/{stage_daemon.pid}/fd")) <= before + 65, "the oldest are gone")
    finally:
        for c in clients:
            c.close()
    eventually(lambda: len(os.listdir(f"/proc/{stage_daemon.pid}/fd")) <= before + 1, "they are gone")


def test_slow_clients_hold_up_nobody(stage_daemon):
    """Clients that send half a request, and clients that never read what they asked for."""
    slow = [socket.create_connection(("127.0.0.1", stage_daemon.port)) for _ in range(20)]
    try:
        for i, s in enumerate(slow):
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + (b"\r\n" if i % 2 else b""))
        for _ in range(20):
            start = time.monotonic()
            assert stage_daemon.get("/healthz")[0] == 200
            assert time.monotonic() - start < 2
    finally:
        for s in slow:
            s.close()


def test_many_scrapes_at_once(stage_daemon):
    answers = []

    def scrape():
        for _ in range(20):
            answers.append(samples(stage_daemon.get()[2]))

    threads = [threading.Thread(target=scrape) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 160 and all(len(a) > 10 for a in answers)


def test_no_room_to_join(stage, nginx, up):
    """The table by which the two ends find each other is full: counted, said, and no verdict claims what it did not see."""
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=[up.port])
    if not bpf_objects.fill(d.pid, "uc_joins"):
        pytest.skip("on this kernel the oldest entries make room")
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED)
    assert fault.response.status == 502
    d.wait_sample("upclose_lost_total", 1, reason="join_full")
    line = eventually(lambda: next((line for line in d.lines if line.startswith("{")), None), "an object in the log")
    obj = json.loads(line)
    assert obj["flagged"] and (obj["upstream"]["pid"], obj["upstream"]["exiting"]) == (None, None)
    assert d.sample("upclose_lost_total") == 1
