# SPDX-License-Identifier: BSD-2-Clause
"""Each rule with a change of its own, over the real nginx: the failure before it, the diff applied, and no failure after."""
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness.check import found, mend
from harness.faults import BODY, meet_idle_close
from harness.nginx import FastCGI, Plain
from harness.proc import eventually, free_port, tcp_sockets
from harness.stage import path, target
from harness.upclose import run

CLEAR = 'proxy_set_header Connection "";'
KEPT = "proxy_http_version 1.1;" + CLEAR
UNAVAILABLE = r"read send:HTTP/1.1\x20503\x20Busy\r\nContent-Length:\x200\r\nConnection:\x20close\r\n\r\n close"


def attempts(nginx, what):
    """How many upstreams nginx's access log names for this request."""
    return len(eventually(lambda: nginx.accesses(path(what)), "nginx has logged the request")[0].split('"')[3].split(", "))


def asked(nginx, method="GET"):
    """Status, and how many upstreams it was sent to. A body comes behind its header: nginx repeats what it read together."""
    t = target("ok")
    body = BODY if method in ("POST", "PUT") else b""
    with nginx.client() as c:
        c.send(method, t, length=len(body))
        eventually(lambda: any(s[1] == c.port and not s[3] for s in tcp_sockets(nginx.pid)), "nginx has read the header")
        c.send_body(body)
        return c.response(method).status, attempts(nginx, t)


def received(ups):
    """How many requests each upstream has read."""
    return [sum(e["event"] == "read" for e in up.events) for up in ups]


# --- one request, whatever comes of it ----------------------------------------------------------------------------------


@dataclass
class Case:
    rule: str
    scripts: list  # of the raw upstreams, in the order that nginx tries them
    extra: str  # of location{}
    before: tuple  # status, and the requests that each upstream reads
    after: tuple
    method: str = "GET"
    more: dict = field(default_factory=dict)


LOST = "read close"
TOO_LONG = r"read send:HTTP/1.1\x20200\x20OK\r\nContent-Length:\x200\r\nX-Long:\x20" + "l" * 3000 + r"\r\n\r\n close"
SERVES = "read reply close"
CASES = {
    "load_times_three": Case("retry-multiplies", [UNAVAILABLE] * 3, "proxy_next_upstream error timeout http_503;", (503, [1, 1, 1]), (503, [1, 1, 0])),
    "tries_without_limit": Case("retry-multiplies", [UNAVAILABLE] * 3, "proxy_next_upstream http_503; proxy_next_upstream_tries 0;",
                                (503, [1, 1, 1]), (503, [1, 1, 0])),
    "tries_inherited": Case("retry-multiplies", [UNAVAILABLE] * 3, "", (503, [1, 1, 1]), (503, [1, 1, 0]),
                            more={"inherited": "proxy_next_upstream http_503;"}),
    "ordered_twice": Case("retry-non-idempotent", [LOST, SERVES], "proxy_next_upstream error non_idempotent timeout;", (200, [1, 1]), (502, [1, 0]), "POST"),
    "upload_lost": Case("unbuffered-no-retry", [LOST, SERVES], "proxy_request_buffering off;", (502, [1, 0]), (200, [1, 1]), "PUT"),
    "too_big_header": Case("header-buffer-small", [TOO_LONG], "proxy_buffer_size 1k;", (502, [1]), (200, [1])),
}


@pytest.mark.parametrize("name", CASES)
def test_request(name, stage):
    case = CASES[name]
    ups = [stage.raw(script) for script in case.scripts]
    nginx = stage.nginx(app=Plain([up.addr for up in ups], extra=case.extra, **case.more))
    status, counts = case.before
    assert asked(nginx, case.method) == (status, sum(counts))
    eventually(lambda: received(ups) == counts, "each upstream has told what it read")
    if case.rule == "header-buffer-small":
        nginx.wait_error("upstream sent too big header")
    (finding,) = found(nginx)
    assert finding["rule"] == case.rule and finding["fixable"]
    mend(nginx)
    status, more = case.after
    assert asked(nginx, case.method) == (status, sum(more))
    eventually(lambda: received(ups) == [a + b for a, b in zip(counts, more, strict=True)], "each upstream has told what it read")


def test_unbuffered_in_one_piece(stage):
    """A body that nginx reads together with its header is not streamed, whatever the configuration says, and is repeated."""
    lost, serves = stage.raw(LOST), stage.raw(SERVES)
    nginx = stage.nginx(app=Plain([lost.addr, serves.addr], extra="proxy_request_buffering off;"))
    assert nginx.get(target("ok"), method="PUT", body=BODY).status == 200
    lost.event("read")


def test_buffers_that_must_fit(stage):
    """nginx refuses buffer sizes that do not fit each other, so that here the change is told in words alone."""
    up = stage.raw(TOO_LONG)
    nginx = stage.nginx(app=Plain(up.addr, extra="proxy_buffer_size 1k; proxy_buffers 4 1k; proxy_busy_buffers_size 2k;"))
    assert asked(nginx) == (502, 1)
    (finding,) = found(nginx)
    assert finding["rule"] == "header-buffer-small" and not finding["fixable"] and "busy_buffers_size" in finding["change"]


# --- keep-alive ------------------------------------------------------------------------------------------------------------

MAPS = "map $http_upgrade $closes { default upgrade; '' close; }"
# name: directives of location{} behind and before its proxy_pass, of server{}, of upstream{}
WAYS = {
    "pool_only": ("", "", ""),
    "version_only": ("proxy_http_version 1.1;", "", ""),
    "header_only": (CLEAR, "", ""),
    "says_close": ("proxy_http_version 1.1; proxy_set_header Connection close;", "", ""),
    "old_version": (f"proxy_http_version 1.0; {CLEAR}", "", ""),
    "map_closes": ("proxy_http_version 1.1; proxy_set_header Connection $closes;", "", ""),
    "list_replaced": ("proxy_set_header X-Own 1;", "", KEPT),
    "list_inherited": ("", "", "proxy_set_header X-Own 1;"),
    "within_if": ("", "if ($request_method = NEVER) { proxy_pass http://within_if; }", ""),
    "method_behind": (KEPT, "", "", "keepalive 4; keepalive_timeout 4s; least_conn;"),
}


def test_keepalive_not_effective(stage, trace):
    """Three requests use three connections before, and one after."""
    ups = {name: stage.node() for name in WAYS}
    nginx = stage.nginx(http=MAPS, **{name: Plain(ups[name].addr, pool=pool[0] if pool else "keepalive 4; keepalive_timeout 4s;", extra=extra, before=before,
                                                    inherited=inherited) for name, (extra, before, inherited, *pool) in WAYS.items()})
    tr = trace("--all", ports=[up.port for up in ups.values()])

    def connections(end):
        """Of three requests each: which number on its connection each connection's last one had."""
        seen = {name: len(tr.all(upstream_port=up.port)) for name, up in ups.items()}
        for name in WAYS:
            assert [nginx.get(target("ok"), name).status for _ in range(3)] == [200] * 3
        numbers = end(seen)
        return {name: sorted(numbers[name][seen[name]:]) for name in WAYS}

    def numbers():
        return {name: [o["exchange"]["number"] for o in tr.all(upstream_port=up.port)] for name, up in ups.items()}

    def each_ended(seen):
        for name, up in ups.items():
            tr.wait(upstream_port=up.port, count=seen[name] + 3)
        return numbers()

    def nginx_ended(seen):
        nginx.quit()
        for name, up in ups.items():
            tr.wait(upstream_port=up.port, count=seen[name] + 1)
        return numbers()

    assert connections(each_ended) == {name: [1, 1, 1] for name in WAYS}
    told = [arg for up in ups.values() for arg in ("--upstream", f"{up.addr}=60")]
    rules = found(nginx, *told)
    assert {f["rule"] for f in rules} == {"keepalive-not-effective"} and all(f["fixable"] for f in rules)
    mend(nginx, *told)
    assert connections(nginx_ended) == {name: [3] for name in WAYS}


def test_fastcgi_keep_conn(stage, trace):
    """Off by default: a connection for each request. The change keeps them, and against the idle race that comes with it, for less long."""
    up = stage.fastcgi("--idle", "1200")
    nginx = stage.nginx(app=FastCGI(up.addr, pool="keepalive 4;"))
    told = ["--upstream", f"{up.addr}=1.2"]

    def exchanges(end, count):
        tr = trace("--all", ports=[up.port])
        assert [nginx.get(target("ok")).status for _ in range(3)] == [200] * 3
        end()
        tr.wait(count=count)
        return [(o["verdict"], o["exchange"]["number"]) for o in tr.all()]

    # nginx may close before END_REQUEST comes
    assert exchanges(lambda: None, 3) == [("complete", 1)] * 3
    (finding,) = found(nginx, *told)
    assert finding["rule"] == "keepalive-not-effective" and finding["fixable"]
    mend(nginx, *told)
    assert exchanges(nginx.quit, 1) == [("complete", 3)]


def test_fastcgi_race(stage, trace):
    """With fastcgi_keep_conn the idle race is that of HTTP."""
    link = stage.link(20)
    up = stage.fastcgi("--idle", "300", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=FastCGI(up.addr, pool="keepalive 4;", extra="fastcgi_keep_conn on;"), netns=link.ready["a"])
    told = ["--upstream", f"{up.addr}=0.3"]
    tr = trace(ports=[up.port])
    assert [meet_idle_close(nginx, up) for _ in range(4)] == [502] * 4
    tr.wait(count=4, verdict="keepalive_race")
    (finding,) = found(nginx, *told)
    assert (finding["rule"], finding["severity"], finding["upstream"]) == ("idle-race", "error", up.addr)
    mend(nginx, *told)
    after = trace("--all", ports=[up.port])
    assert [meet_idle_close(nginx, up) for _ in range(4)] == [200] * 4
    after.wait(count=4, closed_by="nginx")
    assert after.all(flagged=True) == []


# --- times ---------------------------------------------------------------------------------------------------------------


def test_balancer_race(stage):
    """A connection that the balancer may still use, since it keeps idle ones for 0.7 s."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Plain(up.addr, inherited="keepalive_timeout 500ms;"))

    def balanced():
        with nginx.client() as c:
            assert c.request("GET", target("ok")).status == 200
            time.sleep(0.65)
            try:
                return c.request("GET", target("ok")).status
            except (BrokenPipeError, ConnectionResetError):
                return None

    assert balanced() is None
    (finding,) = found(nginx, "--balancer-idle", "0.7")
    assert finding["rule"] == "balancer-race" and [f["value_ms"] for f in finding["figures"]] == [500, 700]
    mend(nginx, "--balancer-idle", "0.7")
    assert balanced() == 200


@pytest.mark.parametrize("extra, attempts", [
    ("", 1),
    ("proxy_read_timeout 3s; proxy_connect_timeout 500ms;", 1),
    ("proxy_read_timeout 2s;", 2),
    ("proxy_read_timeout 600ms; proxy_connect_timeout 600ms;", 2),
])
def test_timeout_chain(extra, attempts, stage):
    """The client waits for a second, and before the change learns nothing; then nginx answers, and its log names the upstream."""
    ups = [stage.raw("read hold") for _ in range(attempts)]
    nginx = stage.nginx(app=Plain([up.addr for up in ups], extra=extra))

    def waited(seconds):
        try:
            with nginx.client(timeout=seconds) as c:
                return c.request("GET", target("never")).status
        except TimeoutError:
            return None

    assert waited(1) is None
    eventually(lambda: nginx.accesses("^499 "), "nginx has logged that its client left")
    assert not nginx.errors("upstream timed out.*while reading response header.*upstream: .*" + ups[-1].addr)
    (finding,) = found(nginx, "--client-timeout", "1")
    assert finding["rule"] == "timeout-chain" and finding["fixable"]
    mend(nginx, "--client-timeout", "1")
    assert waited(1) == 504
    nginx.wait_error("upstream timed out", ups[0].addr)


def test_timeout_chain_of_an_upgrade(stage):
    """A connection that was upgraded is silent for longer than a response takes: nothing shortens its timeout by itself."""
    up = stage.raw("read hold")
    nginx = stage.nginx(http=MAPS, app=Plain(up.addr, extra="proxy_http_version 1.1; proxy_set_header Connection $closes;"))
    (finding,) = found(nginx, "--client-timeout", "1")
    assert finding["rule"] == "timeout-chain" and not finding["fixable"] and "upgrades" in finding["change"]


def test_timeout_shorter_than_response(stage, scratch):
    """A response is measured through nginx, then a timeout is set below it: found before the reload, a 504 after it, and mended."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Plain(up.addr), other=Plain(up.addr))
    url = f"http://127.0.0.1:{nginx.routes['app'].port}/slow/x?ms=1100"
    probed = scratch / "canary.jsonl"

    def measure():
        got = run("probe", "--through", url, "-o", "json")
        assert got.returncode == 0, got.stderr
        probed.write_text(got.stdout, encoding="utf-8")
        return json.loads(got.stdout)["outcome"]

    def slow():
        return nginx.get("/slow/x?ms=1100", "app").status

    assert measure() == "answered" and found(nginx, "--probe", probed) == []
    conf = Path(nginx.dir) / "nginx.conf"
    conf.write_text(conf.read_text(encoding="utf-8").replace("proxy_pass", "proxy_read_timeout 1s;\n            proxy_pass"), encoding="utf-8")
    (finding,) = found(nginx, "--probe", probed)
    assert (finding["rule"], finding["severity"], finding["fixable"]) == ("timeout-shorter-than-response", "error", True)
    measured = probed.read_text(encoding="utf-8")
    old = set(nginx.reload())
    eventually(lambda: not old & set(nginx.workers()), "the old workers have ended")
    assert slow() == 504
    # a run that nginx ended tells no number to set
    assert measure() == "nginx_timeout"
    (finding,) = found(nginx, "--probe", probed)
    assert finding["rule"] == "timeout-shorter-than-response" and not finding["fixable"]
    probed.write_text(measured, encoding="utf-8")
    mend(nginx, "--probe", probed)
    assert slow() == 200 and conf.read_text(encoding="utf-8").count("proxy_read_timeout 1s;") == 1


NAMED = """
    server {{ listen 127.0.0.1:{port}; server_name a.example; location / {{ proxy_pass http://{addr}; proxy_read_timeout 1s; }} }}
    server {{ listen 127.0.0.1:{port}; server_name b.example *.b.example;
        location / {{ return 404; location /slow/ {{ proxy_pass http://{addr}; proxy_read_timeout 1s; }} }} }}
"""


@pytest.mark.parametrize("host, line", [("a.example", 0), ("b.example", 2), ("www.b.example:80", 2), ("other.example", 0)])
def test_canary_finds_its_server(host, line, stage, scratch):
    """nginx gives up after a second: the finding is at the location that the request came to, by its name and path."""
    up, port = stage.node("--quiet"), free_port()
    nginx = stage.nginx(http=NAMED.format(port=port, addr=up.addr))
    conf = (Path(nginx.dir) / "nginx.conf").read_text(encoding="utf-8").splitlines()
    probed = scratch / "canary.jsonl"
    got = run("probe", "--through", f"http://127.0.0.1:{port}/slow/x?ms=3000", "-H", f"Host: {host}", "-o", "json")
    probed.write_text(got.stdout, encoding="utf-8")
    assert json.loads(got.stdout)["outcome"] == "nginx_timeout"
    (finding,) = found(nginx, "--probe", probed)
    first = next(i for i, text in enumerate(conf) if "server_name a.example" in text) + 1
    assert (finding["rule"], finding["line"]) == ("timeout-shorter-than-response", first + line)
