# SPDX-License-Identifier: BSD-2-Clause
"""What a failed attempt came to for nginx's client, against what the client got and nginx's access log says."""
import random
import re
import socket
import ssl
import threading
import time
from collections import Counter, defaultdict

import pytest
from harness import faults, h2, proc
from harness.certificate import certificate
from harness.nginx import Route
from harness.proc import Stopped, eventually
from harness.stage import path, target

FAIL = "read close"  # a raw upstream that reads a request and hangs up
BODY = b"b" * 100


def got(obj):
    """The fields that tell what came after."""
    return {k: obj[k] for k in ("outcome", "outcome_confidence", "retry", "client_status")}


def retried(obj, up, status=None):
    """It was retried there, proven; the status of the answer may come too late to be told."""
    return (obj["retry"] is not None and obj["retry"]["status"] in (None, status)
            and got(obj) == {"outcome": "retried", "outcome_confidence": "proven", "client_status": None,
                             "retry": {"addr": up.host, "port": up.port, "status": obj["retry"]["status"]}})


def client_error(status):
    return {"outcome": "client_error", "outcome_confidence": "proven", "retry": None, "client_status": status}


def no_error(status):
    """No second attempt, and the client got something that is no error."""
    return {"outcome": "unknown", "outcome_confidence": "unknown", "retry": None, "client_status": status}


def backup(up):
    return f"{up.addr} backup"


def ask(nginx, method, t, route=None):
    return nginx.get(t, route, method, body=BODY if method in ("POST", "PUT", "PATCH", "LOCK") else b"")


@pytest.fixture
def refused():
    """An address that refuses connections."""
    with socket.socket() as bound:  # bound, but not listening
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


# the second server


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_retried(stage, trace, method):
    """Also PUT and DELETE."""
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], keepalive=0))
    tr = trace("--all", ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, method, t).status == 200
    nginx.wait_error(faults.CLOSED, path(t))
    first, second = tr.wait(upstream_port=bad.port), tr.wait(upstream_port=good.port)
    assert (first["verdict"], first["confidence"], first["attempt"]) == ("upstream_closed", "proven", 1)
    assert retried(first, good, 200)
    assert (second["verdict"], second["attempt"], second["exchange"]["target"]) == ("complete", 2, path(t))
    assert got(second) in (no_error(None), no_error(200))
    _, summary, _, _ = tr.stop()
    assert summary["repeated_attempts"] == 1 and summary["by_outcome"] == {"retried": 1, "client_error": 0, "unknown": 0}


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
def test_not_retried(stage, trace, method):
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)]))
    tr = trace("--all", ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, method, t).status == 502
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["attempt"]) == ("upstream_closed", 1) and got(obj) == client_error(502)
    objects, summary, _, _ = tr.stop()
    assert len(objects) == 1 and summary["repeated_attempts"] == 0
    assert summary["by_outcome"] == {"retried": 0, "client_error": 1, "unknown": 0}


def test_post_is_retried_where_it_may_be(stage, trace):
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], extra="proxy_next_upstream error timeout non_idempotent;"))
    tr = trace(ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, "POST", t).status == 200
    assert retried(tr.wait(target=path(t)), good, 200)


LONG = r"send:HTTP/1.1\x20200\x20OK\r\nX-Long:\x20" + "l" * 400


@pytest.mark.parametrize("kind, verdict", [
    ("reset", "upstream_closed"),  # by its own process, which upclose sees
    (r"send:HTTP/1.1\x20200\x20OK\r\nContent-Le close", "partial_header"),
    (f"{LONG} close", "partial_header"),
    (f"{LONG} sleep:50 close", "partial_header"),
], ids=["reset", "short header", "long header", "long header, later"])
def test_every_kind_is_retried(stage, trace, kind, verdict):
    bad, good = stage.raw(f"read {kind}"), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], keepalive=0))
    tr = trace("--all", ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, "GET", t).status == 200
    obj = tr.wait(upstream_port=bad.port)
    assert obj["verdict"] == verdict and retried(obj, good, 200)
    assert tr.wait(upstream_port=good.port)["attempt"] == 2


def test_invalid_header_is_retried(stage, trace):
    """nginx closes first."""
    bad, good = stage.raw(r"read send:HTTP/1.1\x20200\x20OK\r\n\x01bad:\x20x\r\n\r\n hold"), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], extra="proxy_next_upstream error timeout invalid_header;"))
    tr = trace(ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, "GET", t).status == 200
    assert retried(tr.wait(upstream_port=bad.port), good, 200)


def test_an_answer_that_is_tried_again(stage, trace):
    """A 503 is an answer; nginx closes its connection, and the next attempt is the second."""
    bad = stage.raw(r"read send:HTTP/1.1\x20503\x20No\r\nContent-Length:\x200\r\n\r\n hold")
    good = stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], extra="proxy_next_upstream error timeout http_503;"))
    tr = trace("--all", ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, "GET", t).status == 200
    first = tr.wait(upstream_port=bad.port)
    assert not first["flagged"] and first["exchange"]["status"] == 503
    nginx.quit()
    assert tr.wait(upstream_port=good.port)["attempt"] == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused_is_retried(stage, trace, refused, method):
    """POST, too: it was not sent."""
    good = stage.node()
    nginx = stage.nginx(app=Route([f"127.0.0.1:{refused}", backup(good)]))
    tr = trace(ports=[refused, good.port])
    t = target("ok")
    assert ask(nginx, method, t).status == 200
    nginx.wait_error(faults.REFUSED, path(t))
    obj = tr.wait(upstream_port=refused)
    assert (obj["verdict"], obj["proof"], obj["attempt"]) == ("connect_failed", "refused", 1)
    assert retried(obj, good, 200)


def test_refused_everywhere(stage, trace, refused):
    nginx = stage.nginx(app=Route([f"127.0.0.1:{refused}", f"127.0.0.1:{refused} backup"]))
    tr = trace(ports=[refused])
    assert ask(nginx, "GET", target("ok")).status == 502
    tr.wait(upstream_port=refused, count=2)
    first, second = sorted(tr.all(), key=lambda o: o["attempt"])
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert got(first) == got(first) | {"outcome": "retried", "outcome_confidence": "proven", "client_status": None}
    assert first["retry"] == {"addr": "127.0.0.1", "port": refused, "status": None}
    assert got(second) == client_error(502)


def test_next_upstream_off(stage, trace):
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)], extra="proxy_next_upstream off;"))
    tr = trace(ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, "GET", t).status == 502
    assert got(tr.wait(target=path(t))) == client_error(502)


@pytest.mark.parametrize("tries", [0, 1, 3])
def test_chain(stage, trace, tries):
    """Each server fails; the client gets the last one's error."""
    ups = [stage.raw(FAIL) for _ in range(4)]
    nginx = stage.nginx(app=Route([up.addr for up in ups], extra=f"proxy_next_upstream_tries {tries};"))
    tr = trace(ports=[up.port for up in ups])
    t = target("ok")
    assert ask(nginx, "GET", t).status == 502
    count = tries or len(ups)
    tr.wait(count=count, target=path(t))
    chain = sorted(tr.all(), key=lambda o: o["attempt"])
    assert [o["attempt"] for o in chain] == list(range(1, count + 1))
    for this, following in zip(chain, chain[1:]):
        assert this["outcome"] == "retried" and this["outcome_confidence"] == "proven"
        assert this["retry"] == {"addr": "127.0.0.1", "port": following["upstream"]["port"], "status": None}
    assert got(chain[-1]) == client_error(502)
    _, summary, _, _ = tr.stop()
    assert summary["repeated_attempts"] == count - 1
    assert summary["by_outcome"] == {"retried": count - 1, "client_error": 1, "unknown": 0}


# the cached connection


def test_cached_connection_is_retried(stage, trace):
    """nginx writes its error line, and the client gets 200."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race_sent_after_fin(nginx, up, method="GET")
    assert fault.response.status == 200
    (line,) = eventually(lambda: nginx.accesses(fault.target), "nginx has logged it")
    assert line.startswith('200 "502, 200"')
    obj = tr.wait(nginx_port=fault.nginx_port)
    assert (obj["verdict"], obj["attempt"]) == ("keepalive_race", 1) and retried(obj, up, 200)


def test_cached_connection_post(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    fault = faults.race_sent_after_fin(nginx, up, method="POST")
    assert fault.response.status == 502
    assert got(tr.wait(nginx_port=fault.nginx_port)) == client_error(502)


def test_cached_connections_one_after_the_other(stage, trace):
    """One attempt on each stale connection that nginx tries, then a new one."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    clients = [stage.client(nginx) for _ in range(6)]
    t = target("ok")
    faults.race_of_many(nginx, up, clients, [t])
    assert clients[0].response().status == 200
    count = len(nginx.errors(f"{faults.CLOSED}.* {path(t)}"))
    nginx.quit()
    tr.wait(count=count + 1, target=path(t))
    chain = sorted(tr.all(target=path(t)), key=lambda o: o["attempt"])
    assert [o["attempt"] for o in chain] == list(range(1, count + 2))
    assert [o["outcome"] for o in chain] == ["retried"] * count + ["unknown"]
    assert [o["retry"]["status"] for o in chain[:-2]] == [None] * (count - 1) and chain[-2]["retry"]["status"] in (200, None)
    assert {o["attempt"] for o in tr.all() if o["exchange"]["target"] != path(t)} == {1}


# timeouts


@pytest.mark.parametrize("method, servers, status", [("GET", 1, 504), ("POST", 2, 504), ("GET", 2, 200)])
def test_timeout(stage, trace, method, servers, status):
    bad, good = stage.raw("read hold"), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)][:servers], extra="proxy_read_timeout 400ms;"))
    tr = trace(ports=[bad.port, good.port])
    t = target("ok")
    assert ask(nginx, method, t).status == status
    nginx.wait_error(faults.TIMED_OUT, path(t))
    obj = tr.wait(upstream_port=bad.port)
    assert (obj["verdict"], obj["proof"], obj["confidence"]) == ("nginx_timeout", "read_timeout", "proven")
    assert retried(obj, good, 200) if status == 200 else got(obj) == client_error(504)


def test_answer_to_the_retry_takes_long(stage, trace):
    """Nobody waits for it: that there was a retry is known at once."""
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)]))
    tr = trace(ports=[bad.port, good.port])
    t = target("slow", "ms=1500")
    with nginx.client() as c:
        start = time.monotonic()
        c.send("GET", t)
        assert retried(tr.wait(upstream_port=bad.port), good, None)
        assert time.monotonic() - start < 1
        assert c.response().status == 200


# what the client got is no error


def test_error_page(stage, trace):
    """The client gets another status than nginx's own."""
    pages = "".join(f"location /page{code} {{ internal; return {code} page; }}" for code in (200, 403, 503))
    routes, bad = {}, stage.raw(FAIL)
    for name, page in (("ok", "502 =200 /page200"), ("forbidden", "502 =403 /page403"), ("later", "502 = /page503")):
        routes[name] = Route(bad.addr, extra=f"error_page {page}; {pages}")
    nginx = stage.nginx(**routes)
    tr = trace(ports=[bad.port])
    for name, status in (("ok", 200), ("forbidden", 403), ("later", 503)):
        t = target("x")
        assert ask(nginx, "GET", t, name).status == status
        assert got(tr.wait(target=path(t))) == (no_error(200) if status == 200 else client_error(status))


def test_intercepted_error(stage, trace):
    """An upstream's own 500 is an answer, whatever nginx makes of it."""
    up = stage.raw(r"read send:HTTP/1.1\x20500\x20No\r\nContent-Length:\x200\r\nConnection:\x20close\r\n\r\n close")
    extra = "proxy_intercept_errors on; error_page 500 =200 /page; location /page { internal; return 200 page; }"
    nginx = stage.nginx(app=Route(up.addr, extra=extra))
    tr = trace("--all", ports=[up.port])
    t = target("x")
    assert ask(nginx, "GET", t).status == 200
    obj = tr.wait(target=path(t))
    assert not obj["flagged"] and obj["outcome"] == "unknown"


def test_stale_copy(stage, trace, scratch):
    up = stage.raw("read reply close", FAIL)
    extra = "proxy_cache c; proxy_cache_valid 200 1s; proxy_cache_use_stale error; proxy_ignore_headers Set-Cookie; proxy_cache_key x;"
    nginx = stage.nginx(app=Route(up.addr, extra=extra), http=f"proxy_cache_path {scratch}/cache keys_zone=c:1m;")
    tr = trace(ports=[up.port])
    assert ask(nginx, "GET", target("x")).status == 200

    def asked_again():
        assert ask(nginx, "GET", target("x")).status == 200
        return nginx.errors(faults.CLOSED)

    eventually(asked_again, "the copy is stale, and the upstream fails")
    obj = tr.wait(verdict="upstream_closed")
    assert got(obj) in (no_error(200), no_error(None))  # nginx answers before it closes the failed connection


@pytest.mark.parametrize("behaviour, log", [("body_cut", faults.CUT), ("chunk_cut", faults.CUT), ("stall", faults.TIMED_OUT)])
def test_cut_body(stage, trace, behaviour, log):
    """The client keeps its 200, but it is an error all the same; nothing can be tried again."""
    up, good = stage.node(), stage.node()
    nginx = stage.nginx(app=Route([up.addr, backup(good)], extra="proxy_read_timeout 400ms;"))
    tr = trace(ports=[up.port, good.port])
    fault = faults.provoke(nginx, up, behaviour, log)
    assert fault.response.status == 200 and not fault.response.complete
    obj = tr.wait(nginx_port=fault.nginx_port)
    assert (obj["outcome"], obj["retry"], obj["attempt"]) == ("client_error", None, 1)
    assert obj["client_status"] in (200, None)


def test_client_left_before(stage, trace):
    """nginx finds nobody to answer."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    t = target("never")
    with nginx.client() as c:
        c.send("GET", t)
        port = up.event("request", path=path(t))["peer_port"]
    obj = tr.wait(nginx_port=port)
    assert obj["verdict"] == "client_gone" and got(obj) == no_error(None)


# clients whose answers cannot be read


def front(listen, more=""):
    """A server of nginx's own beside its routes, to the upstream of the first of them."""
    return f"server {{ listen 127.0.0.1:{listen}; {more} location / {{ proxy_pass http://app; }} }}"


def test_tls_client(stage, trace, scratch):
    bad, good = stage.raw(FAIL), stage.node()
    port = proc.free_port()
    http = front(f"{port} ssl", "ssl_certificate %s; ssl_certificate_key %s;" % certificate(scratch))
    nginx = stage.nginx(app=Route([bad.addr, backup(good)]), http=http)
    tr = trace(ports=[bad.port, good.port])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def request(method, t):
        with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as s:
            s.sendall(f"{method} {t} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            return int(s.recv(4096).split()[1])

    t = target("ok")
    assert request("POST", t) == 502
    obj = tr.wait(target=path(t))
    assert got(obj) == {"outcome": "client_error", "outcome_confidence": "likely", "retry": None, "client_status": None}
    t = target("ok")
    assert request("GET", t) == 200
    assert retried(tr.wait(target=path(t), upstream_port=bad.port), good, 200)
    assert len(nginx.errors(faults.CLOSED)) == 2


def test_http2_client(stage, trace):
    """Streams of one connection that end in different ways."""
    bad, good = stage.raw(FAIL), stage.node()
    port = proc.free_port()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)]), http=front(f"{port} http2"))
    tr = trace(ports=[bad.port, good.port])
    streams = {}
    with h2.Client(port) as c:
        for method in ["POST", "GET"] * 5:
            t = target("ok")
            streams[t] = method, c.send(method, t, BODY if method == "POST" else b"")
        for t, (method, stream) in streams.items():
            assert c.response(stream) == (502 if method == "POST" else 200)
    tr.wait(count=10, upstream_port=bad.port)
    for t, (method, _) in streams.items():
        (obj,) = tr.all(target=path(t), upstream_port=bad.port)
        if method == "GET":
            assert got(obj) == got(obj) | {"outcome": "retried", "outcome_confidence": "proven", "client_status": None}
            assert (obj["retry"]["port"], obj["retry"]["status"] in (200, None)) == (good.port, True)
        else:
            assert got(obj) == {"outcome": "client_error", "outcome_confidence": "likely", "retry": None, "client_status": None}
    assert len(nginx.errors(faults.CLOSED)) == 10


# what is not followed is not guessed


def test_retry_to_a_port_that_is_not_followed(stage, trace):
    bad, good = stage.raw(FAIL), stage.node()
    nginx = stage.nginx(app=Route([bad.addr, backup(good)]))
    tr = trace("--all", ports=[bad.port])
    for _ in range(3):  # first by a new connection, then by one of the idle pool
        t = target("ok")
        assert ask(nginx, "GET", t).status == 200
        obj = tr.wait(target=path(t))
        assert obj["outcome"] == "unknown" and obj["retry"] is None and obj["client_status"] in (None, 200), obj
    assert {o["upstream"]["port"] for o in tr.all()} == {bad.port}


def not_followed(stage, trace, to):
    """A retry on a pooled connection that upclose does not follow; then the worker answers another client 404."""
    bad, other = stage.raw(FAIL, "read wait close"), stage.raw(r"read wait send:HTTP/1.1\x20404\x20No\r\nContent-Length:\x200\r\n\r\n hold")
    nginx = stage.nginx(app=Route([bad.addr, to]), other=Route(other.addr))
    tr = trace(ports=[bad.port])
    assert ask(nginx, "GET", target("ok"), "app").status == 200
    t = target("ok")
    victim, bystander = stage.client(nginx, "app"), stage.client(nginx, "other")
    victim.send("GET", t)
    bad.event("read", conn=2)
    (port,) = [p for p, state in nginx.sockets(bad.port).items() if state == "ESTABLISHED"]
    bystander.send("GET", target("other"))
    other.event("read", conn=1)
    with Stopped(nginx.workers()):
        bad.command("go")
        nginx.wait_state(port, bad.port, "CLOSE_WAIT")
        other.command("go")
        other.event("send", conn=1)
    assert victim.response().status == 200 and bystander.response().status == 404
    obj = tr.wait(target=path(t))
    assert obj["outcome"] == "unknown" and obj["retry"] is None and obj["client_status"] in (None, 200), obj


def test_retry_on_a_pooled_connection_that_is_not_followed(stage, trace):
    not_followed(stage, trace, backup(stage.node()))


def test_retry_on_a_unix_socket(stage, trace, scratch):
    """Unix sockets are not TCP, and not followed at all."""
    name = scratch / "socket"
    listener = stage.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(name))
    listener.listen()

    def serve():
        for _ in range(2):  # with or without keep-alive
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with conn:
                while conn.recv(65536):
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    not_followed(stage, trace, f"unix:{name} backup")


# under load


def parse(nginx):
    """(status, upstream statuses, upstream ports, method) of each target of the access log."""
    found = {}
    for line in nginx.accesses():
        m = re.fullmatch(r'(\d+) "([^"]*)" "([^"]*)" .* (\S+) ([^ ?]+)\S*', line)
        status, codes, addrs, method, where = m.groups()
        # the group's own name stands for "no live upstreams": nginx found nobody else to ask
        tried = [(c, int(a.rpartition(":")[2])) for c, a in zip(codes.split(", "), addrs.split(", ")) if a != "app"]
        found[where] = int(status), [c for c, _ in tried], [p for _, p in tried], method
    return found


def check_chain(objects, status, codes, ports):
    """The flagged attempts of one request, against the access log's line about it; what is wrong, or None."""
    failed = len(codes) if status >= 400 or len(codes) == len(objects) else len(codes) - 1
    chain = sorted(objects, key=lambda o: o["attempt"])
    if [o["attempt"] for o in chain] != list(range(1, failed + 1)):
        return "attempts"
    if [o["upstream"]["port"] for o in chain] != ports[:failed]:
        return "ports"
    for i, o in enumerate(chain[:len(codes) - 1]):
        answered = codes[i + 1] if i + 2 > failed else None  # the next attempt failed without a whole header
        if (o["outcome"], o["outcome_confidence"], o["client_status"]) != ("retried", "proven", None):
            return "outcome of a retried one"
        if o["retry"]["port"] != ports[i + 1] or (answered and o["retry"]["status"] not in (int(answered), None)):
            return "retry"
    if failed == len(codes):
        last = chain[-1]
        if last["outcome"] != "client_error":
            return "outcome of the last"
        if status >= 400 and (last["outcome_confidence"], last["client_status"]) != ("proven", status):
            return "the client's status"
    return None


def test_agrees_with_the_access_log(stage, trace, refused):
    """Two workers, many clients, all kinds of ends: every single outcome is the access log's."""
    bad, flaky, good = stage.raw(FAIL), stage.node("--quiet"), stage.node("--quiet")
    ports = [bad.port, flaky.port, good.port, refused]
    # only `refused` and `bad` fail whatever is asked; the paths that fail do so everywhere
    servers = [bad.addr, flaky.addr, good.addr, f"127.0.0.1:{refused}"]
    nginx = stage.nginx(app=Route(servers, extra="proxy_read_timeout 300ms;"), workers=2)
    tr = trace(ports=ports)
    what = ["ok"] * 8 + ["slow?ms=5", "destroy", "reset", "header_cut", "body_cut", "chunk_cut", "download"]

    def load(seed):
        rng = random.Random(seed)
        client = nginx.client()
        for _ in range(120):
            kind, _, query = rng.choice(what).partition("?")
            method = rng.choice(["GET", "GET", "POST", "PUT"])
            t = target(kind, query)
            r = client.request(method, t, body=BODY if method != "GET" else b"")
            if not r.complete:
                client.close()
                client = nginx.client()
        client.close()

    threads = [threading.Thread(target=load, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(nginx.accesses()) == 8 * 120, "nginx has logged all requests")
    logged = parse(nginx)
    assert len(logged) == 8 * 120
    lines = Counter(re.search(r'request: "[A-Z]+ ([^ ?]+)', line)[1] for line in nginx.errors(r"\[error\]")
                    if "no live upstreams" not in line)
    tr.wait(count=sum(lines.values()), flagged=True, timeout=10)
    objects = tr.stop()[0]
    of = defaultdict(list)
    refusals = Counter()
    for o in objects:
        if o["verdict"] == "connect_failed":
            refusals[o["outcome"], o["outcome_confidence"]] += 1
        else:
            of[o["exchange"]["target"]].append(o)
    # a refused connection has no request that would tell whose it was
    wrong = {}
    for where, (status, codes, ports_, _) in logged.items():
        if refused in ports_:
            continue
        if not of[where]:
            assert status < 400 and len(codes) == 1, (where, logged[where])
            continue
        reason = check_chain(of[where], status, codes, ports_)
        if reason:
            wrong[where] = reason, logged[where], [(o["attempt"], o["verdict"], o["proof"], got(o)) for o in of[where]]
    assert not wrong, f"{len(wrong)} of {len(logged)}: {list(wrong.items())[:5]}"
    count = sum(len(nginx.errors(rf"{faults.REFUSED}.* {where}\?")) for where in logged if refused in logged[where][2])
    last = sum(logged[where][2][-1] == refused for where in logged)
    assert refusals == {k: n for k, n in {("retried", "proven"): count - last, ("client_error", "proven"): last}.items() if n}
    by_outcome = Counter(o["outcome"] for o in objects)
    assert by_outcome["unknown"] == 0 and by_outcome["retried"] > 200 and by_outcome["client_error"] > 50, by_outcome
    assert sum(lines.values()) == len(objects)
    assert Counter(o["retry"]["status"] for o in objects if o["retry"])[200] > 100  # nearly all answers come in time
