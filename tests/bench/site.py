# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: nginx as a proxy, and a second nginx as its upstream, over loopback."""
import os
import shutil
import tempfile

from harness.nginx import NGINX
from harness.proc import PREFIX, Child, children, cmdline, eventually, free_port, tcp_sockets

UPSTREAM_ADDRS = [f"127.0.1.{i}" for i in range(1, 9)]  # each has its own ephemeral ports
BODIES = {"1k": 1 << 10, "1m": 1 << 20}

COMMON = """\
user root;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log crit;
worker_processes {workers};
worker_rlimit_nofile 20000;
events {{ worker_connections 9000; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    sendfile on;
{http}
}}
"""

# 444: nginx closes the connection without a word
UPSTREAM = """\
    server {{
        {listen}
        root www;
        location = /hangup {{ return 444; }}
    }}
"""

PROXY = """\
    proxy_max_temp_file_size 0;
    upstream kept {{ {servers} keepalive 512; keepalive_requests 100000000; }}
    upstream fresh {{ {servers} }}
    server {{
        listen 127.0.0.1:{kept} backlog=4096;
        location / {{ proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
    server {{
        listen 127.0.0.1:{fresh} backlog=4096;
        location / {{ proxy_pass http://fresh; proxy_next_upstream off; }}
    }}
"""


class Server(Child):
    def __init__(self, workers, http, listen):
        self.dir = tempfile.mkdtemp(prefix=PREFIX)
        os.mkdir(f"{self.dir}/www")
        for name, size in BODIES.items():
            with open(f"{self.dir}/www/{name}", "wb") as f:
                f.write(b"b" * size)
        with open(f"{self.dir}/nginx.conf", "w", encoding="ascii") as f:
            f.write(COMMON.format(dir=self.dir, workers=workers, http=http))
        super().__init__([NGINX, "-p", self.dir, "-c", f"{self.dir}/nginx.conf", "-e", f"{self.dir}/error.log"])
        eventually(lambda: self.listens(listen), f"nginx listens on {listen}", 10)

    def listens(self, port):
        if not self.alive():
            raise RuntimeError(f"nginx did not start, see {self.dir}/error.log")
        return (port, "LISTEN") in {(s[0], s[2]) for s in tcp_sockets()}

    def workers(self):
        return [p for p in children(self.pid) if ": worker process" in cmdline(p)]

    def stop(self):
        status = super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        return status


class Site:
    """The two of them; .port of the upstream, .kept and .fresh of the proxy: with and without an idle pool."""

    def __init__(self, workers=1):
        self.count = workers
        self.port, self.kept, self.fresh = (free_port() for _ in range(3))
        listen = " ".join(f"listen {a}:{self.port} backlog=4096;" for a in UPSTREAM_ADDRS)
        servers = " ".join(f"server {a}:{self.port} max_fails=0;" for a in UPSTREAM_ADDRS)
        self.upstream = Server(1, UPSTREAM.format(listen=listen), self.port)
        try:
            http = PROXY.format(servers=servers, kept=self.kept, fresh=self.fresh)
            self.proxy = Server(workers, http, self.fresh)
        except BaseException:
            self.upstream.stop()
            raise

    def workers(self):
        """The pids of both nginx's workers."""
        count = self.count + 1
        return eventually(lambda: (lambda found: len(found) == count and found)(self.proxy.workers() + self.upstream.workers()),
                          f"{count} workers run", 10)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proxy.stop()
        self.upstream.stop()
