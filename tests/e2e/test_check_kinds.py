# SPDX-License-Identifier: BSD-2-Clause
"""What check says of configurations as people have them, over the real nginx in several versions: refused or not, answered or not."""
import http.client
import http.server
import json
import re
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest
from harness import nginx_versions
from harness.nginx import NGINX
from harness.proc import eventually, free_port
from harness.upclose import run

VERSIONS = ["1.18", "1.22", "1.30"]


def program(version):
    found = NGINX if version == "1.22" else nginx_versions.nginx(version)
    if not found:
        pytest.skip(f"nginx {version} is not there: run tests/deps.sh install test")
    return found


def conf(tmp, text):
    file = tmp / "nginx.conf"
    file.write_text(f"user root; daemon off; pid {tmp}/nginx.pid; error_log {tmp}/error.log info;\nevents {{}}\nhttp {{\n access_log off;\n"
                    + "".join(f" {p}_temp_path {tmp}/{p};\n" for p in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + f"{text}\n}}\n", encoding="utf-8")
    return file


def told(kind, file, version, *args):
    got = run("check", "-o", "json", "--version-of", version, *args, file)
    return [o for o in map(json.loads, got.stdout.splitlines()) if o["kind"] == kind]


def found(file, version, *args):
    """Its errors and warnings."""
    return [o["rule"] for o in told("finding", file, version, *args) if o["severity"] != "note"]


@contextmanager
def running(version, file, port):
    nginx = subprocess.Popen([program(version), "-p", file.parent, "-c", file], stderr=subprocess.DEVNULL)
    try:
        yield lambda path="/", body=None, **headers: status(port, path, headers, body)
    finally:
        nginx.terminate()
        nginx.wait(20)


def status(port, path, headers, body):
    def attempt():
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            client.request("POST" if body else "GET", path, body, headers)
            return client.getresponse().status
        except ConnectionRefusedError:
            return None
        finally:
            client.close()
    return eventually(attempt, "nginx answers")


class Counting(http.server.BaseHTTPRequestHandler):
    """Counts connections and requests; answers each."""
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_GET(self):  # noqa: N802
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def app():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.connections = server.requests = 0
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


REFUSED = {
    "erb": ("template", "upstream app { <% if x %> server 127.0.0.1:3000; }"),
    "environment": ("template", "upstream app { server 127.0.0.1:3000; keepalive_timeout ${KT}s; }"),
    "time": ("value-invalid", "upstream app { server 127.0.0.1:3000; keepalive 2; keepalive_timeout 5x; }"),
    "no_time": ("value-invalid", "server { listen 127.0.0.1:{port}; location / { proxy_pass http://127.0.0.1:3000; proxy_connect_timeout ; } }"),
    "port": ("upstream-port", "upstream app { server 127.0.0.1:3000; } server { listen 127.0.0.1:{port}; location / { proxy_pass http://app:8080; } }"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, version, scratch):
    rule, text = REFUSED[name]
    file = conf(scratch, text.replace("{port}", str(free_port())))
    got = subprocess.run([program(version), "-t", "-p", scratch, "-c", file], capture_output=True, check=False)
    assert got.returncode == 1
    assert found(file, version) == [rule]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_resolver(version, scratch, app):
    """A host by a variable is a 502 at each request; an address, and a name that another place names as it is, are none."""
    port = free_port()
    to = f"server {{ listen 127.0.0.1:{port}; set $to %s; location / {{ proxy_pass http://$to:{app.server_port}; }} %s }}"
    for host, more, want, rules in (("localhost", "", 502, ["no-resolver"]), ("127.0.0.1", "", 204, []),
                                    ("localhost", f"location /x {{ proxy_pass http://localhost:{app.server_port}; }}", 204, [])):
        file = conf(scratch, to % (host, more))
        assert found(file, version) == rules
        with running(version, file, port) as get:
            assert get() == want
        assert bool(re.search("no resolver defined to resolve", (scratch / "error.log").read_text())) == (want == 502)
        (scratch / "error.log").unlink()


@pytest.mark.parametrize("version", VERSIONS)
def test_variable_is_not_kept(version, scratch, app):
    """What a variable names besides upstream{} has a connection for each request, and a group has its pool."""
    port = free_port()
    file = conf(scratch, f"""map $arg_to $to {{ default 127.0.0.1:{app.server_port}; group app; }}
        upstream app {{ server 127.0.0.1:{app.server_port}; keepalive 4; }}
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://$to; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}""")
    kept = {o["keepalive"]: o["upstream"] for o in told("contract", file, version)}
    assert kept == dict.fromkeys(("no_group", "kept"), f"127.0.0.1:{app.server_port}")
    with running(version, file, port) as get:
        for path, connections in (("/", 4), ("/?to=group", 1)):
            before = app.connections
            assert [get(path) for _ in range(4)] == [204] * 4
            assert app.connections - before == connections


def contract(file, version, port):
    """What is told of keep-alive and of the race, of the location at this port's server that stands last."""
    (last,) = told("contract", file, version, "--upstream", f"127.0.0.1:{port}=5")[-1:]
    return last["keepalive"], last["race"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value, before, kept", [
    ("$http_connection", "", {"": True, "close": False, "keep-alive": True}),
    ("$c", "set $c ''; if ($arg_close) { set $c close; }", {"": True, "?close=1": False}),
    ("$c", "set $c close;", {"": False}),
])
def test_connection_by_variable(value, before, kept, version, scratch, app):
    """The Connection header is decided for each case: kept where some requests keep it, and a race is possible with them."""
    port = free_port()
    file = conf(scratch, f"""upstream app {{ server 127.0.0.1:{app.server_port}; keepalive 4; }}
        server {{ listen 127.0.0.1:{port}; location / {{ {before} proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection {value}; }} }}""")
    assert contract(file, version, app.server_port) == (("kept", "possible") if any(kept.values()) else ("connection_close", "none"))
    with running(version, file, port) as get:
        for case, keeps in kept.items():
            get()
            before = app.connections
            for _ in range(4):
                assert (get("/" + case) if case.startswith("?") else get(Connection=case) if case else get()) == 204
            assert (app.connections - before < 2) == keeps, case


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("local", ["", " local"])
def test_shared_pool(local, version, scratch, app):
    """A location that sends close takes the connection that another one left, but not from a pool of its own."""
    if local and version != "1.30":
        pytest.skip("keepalive has no local there")
    port = free_port()
    file = conf(scratch, f"""upstream app {{ server 127.0.0.1:{app.server_port}; keepalive 4{local}; }}
        server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Connection "";
        location /kept {{ proxy_pass http://app; }} location /close {{ proxy_pass http://app; proxy_set_header Connection close; }} }}""")
    assert contract(file, version, app.server_port) == ("connection_close", "none" if local else "possible")
    (race,) = [o for o in told("finding", file, version, "--upstream", "*=5") if o["rule"] == "idle-race"]
    assert race["places"] == len(race["also"]) + 1 == (1 if local else 2)
    with running(version, file, port) as get:
        assert [get("/kept"), get("/close")] == [204, 204]
        assert app.connections == (2 if local else 1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sends, takes, want", [("on", "", 400), ("off", "", 204), ("on", " proxy_protocol", 204)])
def test_proxy_protocol(sends, takes, want, version, scratch):
    """stream{} before http{}: one side with the PROXY protocol is a 400."""
    outer, inner = free_port(), free_port()
    file = conf(scratch, f"""server {{ listen 127.0.0.1:{inner}{takes}; return 204; }} }}
        stream {{ proxy_timeout 1h; server {{ listen 127.0.0.1:{outer}; proxy_pass 127.0.0.1:{inner}; proxy_protocol {sends}; }}""")
    if "unknown directive" in subprocess.run([program(version), "-t", "-c", file], capture_output=True, text=True, check=False).stderr:
        pytest.skip(f"nginx {version} has no stream module here")
    assert found(file, version) == (["proxy-protocol"] if want == 400 else [])
    with running(version, file, outer) as get:
        assert get() == want


@pytest.mark.parametrize("version", VERSIONS)
def test_auth_request_body(version, scratch, app):
    """Who reads the body that was announced waits for it in vain; with the change that is told he answers."""
    port = free_port()
    for more, want, rules in (("", 500, ["auth-request-body"]), ('proxy_pass_request_body off; proxy_set_header Content-Length "";', 200, [])):
        file = conf(scratch, f"""server {{ listen 127.0.0.1:{port};
            location / {{ auth_request /auth; root {scratch}/www; error_page 405 =200 $uri; }}
            location = /auth {{ proxy_pass http://127.0.0.1:{app.server_port}; proxy_read_timeout 1s; {more} }} }}""")
        (scratch / "www").mkdir(exist_ok=True)
        (scratch / "www" / "page").write_text("x", encoding="utf-8")
        assert found(file, version) == rules
        with running(version, file, port) as get:
            assert get("/page") == 200
            assert get("/page", b"body") == want


def upgrading(listener):
    """Switches protocols, and is silent then."""
    with suppress(OSError):
        while True:
            c, _ = listener.accept()
            c.recv(4096)
            c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            with c:
                c.recv(1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("timeout, closed", [("1s", True), ("90s", False)])
def test_websocket_timeout(timeout, closed, version, scratch):
    """An upgraded connection without a word from the upstream ends with proxy_read_timeout."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        file = conf(scratch, f"""server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{listener.getsockname()[1]};
            proxy_http_version 1.1; proxy_read_timeout {timeout}; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }}""")
        assert ("websocket-timeout" in [o["rule"] for o in told("finding", file, version)]) == closed
        thread = threading.Thread(target=upgrading, args=(listener,))
        thread.start()
        with running(version, file, port):
            c = eventually(lambda: connected(port), "nginx listens")
            with c:
                c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
                assert b" 101 " in c.recv(4096)
                c.settimeout(3)
                if closed:
                    assert c.recv(1) == b""
                else:
                    with pytest.raises(TimeoutError):
                        c.recv(1)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError:
        return None
