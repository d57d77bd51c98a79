# SPDX-License-Identifier: BSD-2-Clause
"""Real upstream servers, each with its own way of closing: healthy traffic is never flagged, the idle timeout is learned, and
a fault is named. A server that is not installed is skipped by name."""
import os
import shutil
import signal
import subprocess
import threading

import pytest
from harness import faults
from harness.certificate import certificate
from harness.client import Client
from harness.nginx import Route
from harness.proc import Child, children, eventually, free_port, tcp_sockets
from harness.stage import path, target

IDLE = 1.0  # seconds; every server here is told to keep an idle connection that long

WSGI = """
import os, time
def app(environ, start):
    what = environ["PATH_INFO"].split("/")[1]
    if what == "hang":
        time.sleep(60)
    if what == "exit":
        os._exit(3)
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [("Content-Length", "3")])
    return [b"ok\\n"] if environ["REQUEST_METHOD"] != "HEAD" else []
"""
ASGI = """
import os
async def app(scope, receive, send):
    what = scope["path"].split("/")[1]
    if what == "exit":
        os._exit(3)
    while (await receive()).get("more_body"):
        pass
    if what == "throw":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"cut", "more_body": True})
        raise ValueError("as the test wants it")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\\n"})
"""
PUMA = """
app do |env|
  what = env['PATH_INFO'].split('/')[1]
  exit! 4 if what == 'exit'
  env['rack.input'].read
  [200, {'Content-Length' => '3'}, ["ok\\n"]]
end
bind 'tcp://127.0.0.1:%(port)d'
persistent_timeout 1
threads 4, 4
log_requests false
"""
HTTPD = """
ServerRoot %(dir)s
ServerName upclose.test
PidFile %(dir)s/httpd.pid
ErrorLog %(dir)s/httpd.log
Listen 127.0.0.1:%(port)d
LoadModule mpm_event_module %(modules)s/mod_mpm_event.so
LoadModule authz_core_module %(modules)s/mod_authz_core.so
LoadModule alias_module %(modules)s/mod_alias.so
DocumentRoot %(dir)s
AliasMatch ^/ok/ %(dir)s/ok
AliasMatch ^/download/ %(dir)s/download
KeepAlive On
KeepAliveTimeout 1
MaxKeepAliveRequests 0
Mutex pthread
"""
HAPROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout http-keep-alive 1s
frontend f
    bind 127.0.0.1:%(port)d
    http-request reject if { path_beg /reject/ }
    http-request return status 200 content-type text/plain string ok
"""
NGINX = """
    server {
        listen 127.0.0.1:%(port)d%(ssl)s;
        keepalive_timeout 1s;
        location / { return 200 "ok\\n"; }
        location /close/ { return 444; }
    }
"""
FPM = """
[global]
error_log = %(dir)s/fpm.log
daemonize = no
[www]
listen = 127.0.0.1:%(port)d
pm = static
pm.max_children = 4
user = root
group = root
request_terminate_timeout = %(timeout)s
"""
PHP = """<?php
$what = explode('/', $_SERVER['REQUEST_URI'])[1];
if ($what == 'hang') { sleep(60); }
header('Content-Type: text/plain');
echo "ok\\n";
"""


def which(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin")
    return found or pytest.skip(f"{name} is not installed")


class Server(Child):
    """A server in the foreground; .addr is what nginx's configuration wants."""

    def __init__(self, argv, port, **popen):
        self.port, self.addr = port, f"127.0.0.1:{port}"
        with open(os.devnull, "w", encoding="ascii") as null:
            super().__init__(argv, stdout=null, stderr=null, **popen)
        try:
            eventually(self.listens, f"{argv[0]} listens", 20)
        except BaseException:
            self.stop()
            raise

    def listens(self):
        assert self.alive(), f"{self.argv} ended"
        return any(s[0] == self.port and s[2] == "LISTEN" for s in tcp_sockets())

    def workers(self):
        return eventually(lambda: children(self.pid), "workers")

    def serving(self):
        """The processes that may hold a connection."""
        return {self.pid, *children(self.pid)}


def gunicorn(scratch, *args):
    port = free_port()
    (scratch / "wsgi.py").write_text(WSGI)
    return Server([which("gunicorn"), "-b", f"127.0.0.1:{port}", "--chdir", scratch, "--worker-tmp-dir", scratch, *args, "wsgi:app"], port)


def gunicorn_sync(scratch):
    return gunicorn(scratch, "--timeout", "1")


def gunicorn_gthread(scratch):
    return gunicorn(scratch, "--worker-class", "gthread", "--threads", "4", "--keep-alive", "1")


def uvicorn(scratch):
    port = free_port()
    (scratch / "asgi.py").write_text(ASGI)
    return Server([which("uvicorn"), "--port", str(port), "--app-dir", scratch, "--timeout-keep-alive", "1", "asgi:app"], port)


def puma(scratch):
    port = free_port()
    (scratch / "puma.rb").write_text(PUMA % {"port": port})
    return Server([which("puma"), "-C", scratch / "puma.rb"], port, cwd=scratch)


def httpd(scratch):
    port = free_port()
    binary = which("apache2")
    modules = "/usr/lib/apache2/modules"
    (scratch / "ok").write_text("ok\n")
    (scratch / "download").write_bytes(b"d" * (32 << 20))
    (scratch / "httpd.conf").write_text(HTTPD % {"dir": scratch, "port": port, "modules": modules})
    return Server([binary, "-DFOREGROUND", "-f", scratch / "httpd.conf"], port)


def haproxy(scratch):
    port = free_port()
    (scratch / "haproxy.cfg").write_text(HAPROXY % {"port": port})
    return Server([which("haproxy"), "-db", "-f", scratch / "haproxy.cfg"], port)


SERVERS = {s.__name__: s for s in (gunicorn_sync, gunicorn_gthread, uvicorn, puma, httpd, haproxy)}


@pytest.fixture
def serve(stage, scratch):
    return lambda name: stage.enter_context(SERVERS[name](scratch))


def ask(nginx, what, log=None, route=None, method="GET"):
    t = target(what)
    response = nginx.get(t, route, method, body=b"x" * 300 if method == "POST" else b"")
    if log:
        nginx.wait_error(log, path(t))
    return path(t), response


def healthy(nginx, trace, count, routes=(None,)):
    """Requests from a few clients at once, all of them answered; nginx has nothing to say, and neither has upclose."""
    failed = []

    def some(route):
        for method in ("GET", "POST", "HEAD") * (count // 3):
            if ask(nginx, "ok", route=route, method=method)[1].status != 200:
                failed.append(route)

    threads = [threading.Thread(target=some, args=(r,)) for r in routes for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed and not nginx.errors(r"\[(error|crit|alert)\]")
    assert trace.all(flagged=True) == []


@pytest.mark.parametrize("server", SERVERS)
def test_healthy_and_idle(stage, trace, serve, server):
    """Each of three pools has a connection that the server closes when it has been idle long enough, if it keeps any."""
    up = serve(server)
    nginx = stage.nginx(a=Route(up.addr), b=Route(up.addr), c=Route(up.addr), plain=Route(up.addr, keepalive=0))
    tr = trace("--all", ports=[up.port])
    routes = ("a", "b", "c", "plain")
    healthy(nginx, tr, 30, routes[:3] if server == "httpd" else routes)
    for _ in range(2):  # busy servers are late, so once more with a quiet one
        eventually(lambda: "ESTABLISHED" not in nginx.sockets(up.port).values(), "the idle connections are closed", IDLE + 10)
        assert [ask(nginx, "ok", route=r)[1].status for r in routes] == [200] * len(routes)
    eventually(lambda: "ESTABLISHED" not in nginx.sockets(up.port).values(), "the idle connections are closed", IDLE + 10)
    objects, summary, _, _ = tr.stop()
    assert {o["verdict"] for o in objects} <= {"complete", "idle_close"} and summary["flagged"] == 0
    assert {o["upstream"]["port"] for o in objects} == {up.port}
    (seen,) = summary["upstreams"]
    closes = [o for o in objects if o["verdict"] == "idle_close" and o["closed_by"] == "upstream"]
    if server == "gunicorn_sync":  # keeps no connection
        assert not seen["idle"] or seen["idle"]["timeout_ms"] < 100
        return
    assert len(closes) >= 3
    assert IDLE * 1000 - 100 <= seen["idle"]["timeout_ms"] <= IDLE * 1000 + 700, seen["idle"]
    assert {o["upstream"]["exe"] for o in closes} == {os.path.realpath(f"/proc/{up.pid}/exe")}


def test_gunicorn_worker_timeout(stage, trace, serve):
    """The arbiter ends a worker that hangs: SIGABRT, upon which the worker's own code closes the connection, and it exits then."""
    up = serve("gunicorn_sync")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    pids = up.workers()
    hung, response = ask(nginx, "hang", None, method="POST")
    if response.status == 500:  # newer versions answer for the worker that they end
        assert not nginx.errors(faults.CLOSED) and not tr.all(flagged=True)
        return
    assert response.status == 502 and nginx.errors(faults.CLOSED)
    obj = tr.wait(target=hung)
    if obj["verdict"] == "upstream_closed":
        assert obj["proof"] == "deliberate_close"
        left = obj["upstream"]["exit"]  # on a busy machine it takes longer than upclose waits for it
        assert ("then exited with status" in obj["summary"]) == (left is not None)
        assert left is None or left["exit_code"] is not None
    else:
        assert (obj["verdict"], obj["proof"]) == ("upstream_died", "exit_code")
    assert obj["upstream"]["pid"] in pids and obj["outcome"] == "client_error"
    assert 500 < obj["exchange"]["waited_ms"] < 4000


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn_max_requests(stage, trace, scratch, kind):
    """Workers are replaced all the time. What nginx complains of, and nothing else, is flagged."""
    up = stage.enter_context(gunicorn(scratch, "--worker-class", kind, "--workers", "2", "--max-requests", "20"))
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("--all", ports=[up.port])
    with nginx.client() as c:
        for _ in range(150):
            assert c.request("GET", target("ok")).status in (200, 502)
    lines = nginx.errors(r"\[error\]")
    tr.wait(verdict="idle_close" if kind == "gthread" else "complete")
    eventually(lambda: len(tr.all(flagged=True)) >= len(lines), "each line has its connection")
    objects = tr.stop()[0]
    assert len([o for o in objects if o["flagged"]]) == len(lines), lines
    assert {o["verdict"] for o in objects if o["flagged"]} <= {"keepalive_race", "upstream_closed", "upstream_died", "connect_failed"}


@pytest.mark.parametrize("server, code", [("gunicorn_gthread", 3), ("uvicorn", 3), ("puma", 4)])
def test_process_exits(stage, trace, serve, server, code):
    up = serve(server)
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    pids = up.serving()
    assert ask(nginx, "ok")[1].status == 200
    gone, response = ask(nginx, "exit", f"{faults.CLOSED}|{faults.RESET}", method="POST")
    assert response.status == 502
    obj = tr.wait(target=gone)
    assert (obj["verdict"], obj["proof"], obj["confidence"], obj["upstream"]["exit_code"]) == ("upstream_died", "exit_code", "proven", code)
    assert obj["upstream"]["pid"] in pids


def test_uvicorn_application_throws(stage, trace, serve):
    """In the middle of a response: uvicorn closes the connection, the process lives."""
    up = serve("uvicorn")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    cut, response = ask(nginx, "throw", faults.CUT)
    assert response.status == 200 and not response.complete
    obj = tr.wait(target=cut)
    assert (obj["verdict"], obj["proof"], obj["confidence"], obj["upstream"]["exiting"]) == ("body_truncated", "content_length", "proven", False)


def test_httpd_is_killed(stage, trace, serve):
    up = serve("httpd")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_buffering off;"))
    tr = trace(ports=[up.port])
    t = target("download")
    with nginx.client() as c:
        c.send("GET", t)
        assert c.sock.recv(1000)
        pids = up.serving()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while c.sock.recv(1 << 20):
            pass
    nginx.wait_error(r"(prematurely closed connection|failed \(104.*) while (reading upstream|sending to client)", path(t))
    obj = tr.wait(target=path(t))
    assert (obj["verdict"], obj["confidence"], obj["phase"]) == ("upstream_died", "proven", "response_body")
    assert obj["upstream"]["signal"] == "SIGKILL" and obj["upstream"]["pid"] in pids


def test_haproxy_rejects(stage, trace, serve):
    up = serve("haproxy")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    gone, response = ask(nginx, "reject", f"{faults.CLOSED}|{faults.RESET}")
    assert response.status == 502
    obj = tr.wait(target=gone)
    assert (obj["verdict"], obj["proof"], obj["upstream"]["comm"]) == ("upstream_closed", "deliberate_close", "haproxy")


@pytest.fixture
def behind(stage):
    """nginx whose only location is of a form that Route does not have."""
    def start(location, upstream=""):
        port = free_port()
        nginx = stage.nginx(http=f"{upstream} server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}")
        nginx.client = lambda route=None, **options: Client(port, nginx.host, **options)
        return nginx
    return start


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_nginx_as_upstream(stage, trace, scratch, behind, tls):
    """nginx behind nginx, both of them followed. Over TLS requests are not read, but who closed is known all the same."""
    port = free_port()
    keys = "ssl_certificate %s; ssl_certificate_key %s;" % certificate(scratch) if tls else ""
    far = stage.nginx(http=keys + NGINX % {"port": port, "ssl": " ssl" if tls else ""})
    scheme = "https" if tls else "http"
    nginx = behind(f'proxy_pass {scheme}://far; proxy_http_version 1.1; proxy_set_header Connection "";',
                   f"upstream far {{ server 127.0.0.1:{port}; keepalive 8; }}")
    tr = trace("--all", ports=[port])
    healthy(nginx, tr, 30)
    eventually(lambda: "ESTABLISHED" not in nginx.sockets(port).values(), "the idle connections are closed", IDLE + 5)
    tr.wait(count=1)
    assert {o["verdict"] for o in tr.all()} <= {"idle_close", "complete"} and not tr.all(flagged=True)
    gone, response = ask(nginx, "close", faults.CLOSED)
    assert response.status == 502
    obj = tr.wait(flagged=True)
    assert (obj["verdict"], obj["proof"]) == ("upstream_closed", "deliberate_close")
    # a newer nginx says goodbye in TLS first, and what its bytes are cannot be read
    assert obj["confidence"] == "proven" or (tls and obj["confidence"] == "likely")
    assert obj["upstream"]["pid"] in far.workers() and obj["nginx"]["pid"] in nginx.workers()
    assert obj["exchange"]["target"] == (None if tls else gone)


def test_openssl_server_is_killed(stage, trace, scratch, behind):
    cert, key = certificate(scratch)
    port = free_port()
    up = stage.enter_context(Server([which("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", "-cert", cert, "-key", key],
                                    port, stdin=subprocess.PIPE))
    nginx = behind(f"proxy_pass https://127.0.0.1:{port};")
    tr = trace("--all", ports=[port])
    assert ask(nginx, "ok")[1].status == 200
    tr.wait(count=1, flagged=False)
    os.kill(up.pid, signal.SIGSTOP)
    with nginx.client() as c:
        c.send("GET", t := target("ok"))
        eventually(lambda: any(s[0] == port and s[2] == "ESTABLISHED" for s in tcp_sockets()), "the connection is there")
        up.kill(signal.SIGKILL)
        assert c.response().status == 502
    nginx.wait_error("SSL handshak", path(t))
    obj = tr.wait(flagged=True)
    assert (obj["phase"], obj["closed_by"]) == ("tls", "upstream")
    assert obj["verdict"] in ("upstream_died", "upstream_reset", "upstream_closed")


@pytest.fixture
def fpm(stage, scratch, behind):
    binary = next((b for b in map(shutil.which, ["php-fpm", *(f"/usr/sbin/php-fpm{v}" for v in ("8.4", "8.3", "8.2"))]) if b), None)
    if not binary:
        pytest.skip("php-fpm is not installed")

    def start(timeout):
        port = free_port()
        (scratch / "fpm.conf").write_text(FPM % {"dir": scratch, "port": port, "timeout": timeout})
        (scratch / "app.php").write_text(PHP)
        up = stage.enter_context(Server([binary, "-n", "-R", "-y", scratch / "fpm.conf"], port))
        nginx = behind(f"fastcgi_pass 127.0.0.1:{port}; fastcgi_param SCRIPT_FILENAME {scratch}/app.php; fastcgi_param REQUEST_URI $request_uri;"
                       "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_LENGTH $content_length;")
        return up, nginx
    return start


def test_php_fpm_healthy(trace, fpm):
    up, nginx = fpm("0")
    tr = trace("--all", ports=[up.port])
    healthy(nginx, tr, 60)
    eventually(lambda: len(tr.all()) == 120, "every connection has ended")
    assert {o["verdict"] for o in tr.all()} <= {"complete", "idle_close"}


@pytest.mark.parametrize("how", ["killed", "timeout"])
def test_php_fpm_worker_dies(trace, fpm, how):
    """Killed from outside, or by the master as request_terminate_timeout says."""
    up, nginx = fpm("1s" if how == "timeout" else "0")
    tr = trace("--all", ports=[up.port])
    pids = up.workers()
    t = target("hang")
    with nginx.client() as c:
        c.send("GET", t)
        if how == "killed":
            # all but the end of its empty body, of eight bytes
            eventually(lambda: any(s[0] == up.port and s[2] == "ESTABLISHED" and s[3] <= 8 for s in tcp_sockets()), "a worker has read it")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        assert c.response().status == 502
    nginx.wait_error(r"(prematurely closed (connection|FastCGI)|failed \(104)", path(t))
    obj = tr.wait(upstream_port=up.port)
    assert obj["flagged"] and obj["phase"] in ("request", "response_header", "response_body"), obj
    assert (obj["verdict"], obj["upstream"]["signal"]) == ("upstream_died", "SIGKILL" if how == "killed" else "SIGTERM")
    assert obj["upstream"]["pid"] in pids
