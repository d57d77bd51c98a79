# SPDX-License-Identifier: BSD-2-Clause
"""A private nginx in a scratch folder."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass

from .client import Client
from .proc import PREFIX, Child, children, cmdline, eventually, free_port, tcp_sockets

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin") or "nginx"

CONFIG = """\
user root;
daemon off;
master_process on;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/error.log info;
worker_rlimit_nofile 4096;
worker_shutdown_timeout {shutdown};
events {{ worker_connections 2048; }}
http {{
    log_format upclose '$status "$upstream_status" "$upstream_addr" $upstream_bytes_received $request_method $request_uri';
    access_log {dir}/access.log upclose;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 0;
    keepalive_requests 100000;
    keepalive_timeout 600s;
    sendfile on;
    {http}
    server {{
        listen {host}:{ready_port};
        access_log off;
        location / {{ return 204; }}
    }}
{routes}
}}
"""

ROUTE = """\
    upstream {name} {{
        {servers}
        {pool}
    }}
    server {{
        listen {host}:{port} backlog=2048;
        location / {{
            proxy_pass {scheme}://{name};
            {http}
            {extra}
        }}
    }}
"""


@dataclass
class Route:
    """One server of nginx, on a port of its own, and the upstream that it passes everything to."""

    servers: str | list  # "127.0.0.1:3000" or several
    keepalive: int = 64  # connections in nginx's idle pool; 0: no keep-alive
    version: str = ""  # proxy_http_version, "" is 1.1 with keep-alive, else nginx's default
    pool: str = ""  # more directives of upstream{}
    extra: str = ""  # more directives of location{}
    scheme: str = "http"
    server: str = "max_fails=0"  # parameters of each server
    port: int = 0

    def config(self, name, host):
        servers = [self.servers] if isinstance(self.servers, str) else self.servers
        version = self.version or ("1.1" if self.keepalive else "")
        http = f"proxy_http_version {version};" if version else ""
        pool = self.pool
        if self.keepalive:
            http += ' proxy_set_header Connection "";'
            pool = f"keepalive {self.keepalive}; keepalive_requests 100000; {pool}"
        return ROUTE.format(name=name, servers=" ".join(f"server {s} {self.server};" for s in servers), pool=pool,
                            host=host, port=self.port, scheme=self.scheme, http=http, extra=self.extra)


PLAIN = """\
    upstream {name} {{
        {servers}
        {pool}
    }}
    server {{
        listen {host}:{port};
        {inherited}
        location / {{
            {before}
            {passes}{target};
            {extra}
        }}
    }}
"""


@dataclass
class Plain(Route):
    """Nothing but what the test writes; `direct` passes to the address itself."""

    server: str = ""
    inherited: str = ""  # directives of server{}
    before: str = ""  # directives of location{} before its proxy_pass
    passes: str = "proxy_pass http://"
    direct: bool = False

    def config(self, name, host):
        servers = [self.servers] if isinstance(self.servers, str) else self.servers
        return PLAIN.format(name=name, servers=" ".join(f"server {s} {self.server};" for s in servers), pool=self.pool, host=host,
                            port=self.port, inherited=self.inherited, before=self.before, passes=self.passes,
                            target=servers[0] if self.direct else name, extra=self.extra)


PARAMETERS = "".join(f"fastcgi_param {name} {value};" for name, value in {
    "REQUEST_URI": "$request_uri", "REQUEST_METHOD": "$request_method", "CONTENT_LENGTH": "$content_length",
    "QUERY_STRING": "$query_string", "SERVER_PROTOCOL": "$server_protocol"}.items())


@dataclass
class FastCGI(Plain):
    passes: str = PARAMETERS + "\n            fastcgi_pass "


class Nginx(Child):
    def __init__(self, workers=1, http="", netns=None, host="127.0.0.1", binary=NGINX, early_log=True, shutdown="20s", **routes):
        """routes: name=Route(...). Ports are free ones, so the routes' `port` is set here. early_log: 1.19.5 or later."""
        self.dir = tempfile.mkdtemp(prefix=PREFIX)
        self.netns = netns
        self.host = host
        self.routes = routes
        self.worker_count = workers
        listen = f"[{host}]" if ":" in host else host
        for route in routes.values():
            route.port = free_port(host)
        self.ready_port = free_port(host)
        conf = CONFIG.format(workers=workers, shutdown=shutdown, dir=self.dir, http=http, host=listen, ready_port=self.ready_port,
                             routes="\n".join(r.config(n, listen) for n, r in routes.items()))
        with open(f"{self.dir}/nginx.conf", "w", encoding="utf-8") as f:
            f.write(conf)
        self.options = ["-p", self.dir, "-c", f"{self.dir}/nginx.conf"]
        if early_log:
            self.options += ["-e", f"{self.dir}/error.log"]
        self.start(binary)

    def start(self, binary):
        self.binary = binary
        super().__init__([binary, *self.options], self.netns)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def upgrade(self, binary):
        """The same configuration with another nginx."""
        self.quit()
        self.start(binary)

    def test(self):
        """What `nginx -t` says."""
        return subprocess.run([self.binary, "-t", *self.options], capture_output=True, text=True, check=False)

    def wait_ready(self):
        def ready():
            if not self.alive():
                raise RuntimeError(f"nginx did not start: {self.errors()}")
            try:
                with Client(self.ready_port, self.host, self.netns) as c:
                    return len(self.workers()) == self.worker_count and c.request("GET", "/").status == 204
            except OSError:
                return False

        eventually(ready, "nginx is ready", 15)

    def workers(self):
        return [p for p in children(self.pid) if ": worker process" in cmdline(p)]  # there are cache managers, too

    def client(self, route=None, **options):
        """A connection to a route, by default the only one."""
        if route is None:
            (route,) = self.routes
        return Client(self.routes[route].port, self.host, self.netns, **options)

    def get(self, target, route=None, method="GET", headers=None, body=b"", version="1.1"):
        with self.client(route) as c:
            return c.request(method, target, {"Connection": "close"} | (headers or {}), body, version)

    def _lines(self, name, pattern):
        try:
            with open(f"{self.dir}/{name}", encoding="utf-8", errors="replace") as f:
                return [line.rstrip("\n") for line in f if re.search(pattern, line)]
        except FileNotFoundError:
            return []

    def errors(self, pattern=""):
        return self._lines("error.log", pattern)

    def accesses(self, pattern=""):
        return self._lines("access.log", pattern)

    def wait_error(self, *patterns, timeout=5.0):
        """The first line of the error log that has all of these patterns."""
        whole = "".join(f"(?=.*{p})" for p in patterns)
        return eventually(lambda: self.errors("^" + whole), f"nginx's error log has {patterns}", timeout)[0]

    def sockets(self, upstream_port):
        """State by local port of nginx's sockets to this upstream port."""
        return {s[0]: s[2] for s in tcp_sockets(self.pid) if s[1] == upstream_port}

    def wait_unread(self, *clients):
        """Wait until nginx's kernel has a request of each of these clients that nginx has not read."""
        ports = {c.port for c in clients}
        eventually(lambda: ports <= {s[1] for s in tcp_sockets(self.pid) if s[3]}, "the requests wait in nginx's sockets")

    def wait_state(self, port, upstream_port, state):
        """Wait until nginx's connection from this port to the upstream is in this TCP state."""
        eventually(lambda: self.sockets(upstream_port).get(port) == state, f"nginx's connection is in {state}")

    def reload(self):
        old = self.workers()
        self.kill(signal.SIGHUP)
        eventually(lambda: len(set(self.workers()) - set(old)) == self.worker_count, "new workers after a reload", 15)
        return old

    def reopen(self):
        """Let nginx write to a new error log, where the old one was moved away."""
        log = f"{self.dir}/error.log"

        def reopened(pid):
            links = [os.path.join(f"/proc/{pid}/fd", fd) for fd in os.listdir(f"/proc/{pid}/fd")]
            return log in [os.readlink(link) for link in links if os.path.islink(link)]

        self.kill(signal.SIGUSR1)
        eventually(lambda: all(map(reopened, self.workers())), "a new error log")

    def quit(self, timeout=30):
        """Graceful stop."""
        self.kill(signal.SIGQUIT)
        return self.wait(timeout)

    def stop(self):
        status = super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        return status
