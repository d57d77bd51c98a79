# SPDX-License-Identifier: BSD-2-Clause
"""Real upstream servers, each with the timeouts that it has by default, on a port of its own."""
import os
import shutil
import subprocess
from pathlib import Path

from . import node_versions
from .client import Client
from .nginx import NGINX
from .proc import Child, eventually, free_port, tcp_sockets

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin"
MODULES = "/usr/lib/apache2/modules"
TOMCAT = Path("/usr/share/tomcat10")

NODE = """
require('http').createServer({%(options)s}, (req, res) => { req.on('end', () => res.end('ok\\n')).resume(); }).listen(%(port)d, '127.0.0.1');
"""
WSGI = """
def app(environ, start):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [("Content-Length", "3")])
    return [b"ok\\n"]
"""
ASGI = """
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\\n"})
"""
PUMA = """
app { |env| env['rack.input'].read; [200, {'Content-Length' => '3'}, ["ok\\n"]] }
bind 'tcp://127.0.0.1:%(port)d'
threads 8, 8
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
LoadModule dir_module %(modules)s/mod_dir.so
LoadModule reqtimeout_module %(modules)s/mod_reqtimeout.so
DocumentRoot %(dir)s/www
Mutex pthread
"""
HAPROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 50s
    timeout server 5s
frontend f
    bind 127.0.0.1:%(port)d
    http-request return status 200 content-type text/plain string ok
"""
LIGHTTPD = """
server.document-root = "%(dir)s/www"
server.port = %(port)d
server.bind = "127.0.0.1"
server.errorlog = "%(dir)s/lighttpd.log"
index-file.names = ("index.html")
"""
AIOHTTP = """
from aiohttp import web
async def ok(request):
    await request.read()
    return web.Response(text="ok\\n")
app = web.Application()
app.router.add_route("*", "/", ok)
web.run_app(app, host="127.0.0.1", port=%(port)d, print=None)
"""
NGINX_CONF = """
daemon off;
user root;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
    server { listen 127.0.0.1:%(port)d%(listen)s; %(extra)s location / { return 200 "ok\\n"; } }
}
"""


class NotInstalled(Exception):
    """A server, or the version of it, that is not on this machine."""


def which(name):
    found = shutil.which(name, path=PATH)
    if not found:
        raise NotInstalled(name)
    return found


class Server(Child):
    """A server in the foreground that listens."""

    def __init__(self, argv, port, folder, **popen):
        self.port, self.addr, self.url = port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/"
        with open(folder / "output", "wb") as out:
            super().__init__(argv, stdin=-3, stdout=out, stderr=out, cwd=folder, **popen)
        try:
            eventually(self.listens, f"{argv[0]} listens: {(folder / 'output').read_bytes()[-500:]}", 60)
        except BaseException:
            self.stop()
            raise

    def wait_answers(self):
        """Some listen long before they do."""
        def answers():
            try:
                with Client(self.port) as c:
                    return c.request("GET", "/").status == 200
            except OSError:
                return False

        eventually(answers, f"{self.argv[0]} answers", 60)

    def listens(self):
        if not self.alive():
            raise RuntimeError(f"{self.argv} ended")
        return any(s[0] == self.port and s[2] == "LISTEN" for s in tcp_sockets())


def write(folder, name, text, **more):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text % more if more else text, encoding="ascii")
    return path


def node(folder, version=None, options=""):
    """Of a version as node_versions has it, or as installed."""
    binary = node_versions.node(version) if version else which("node")
    if not binary:
        raise NotInstalled(f"Node {version}, see tests/deps.sh install test")
    port = free_port()
    return Server([binary, write(folder, "up.js", NODE, port=port, options=options)], port, folder)


def gunicorn(folder, *args):
    port = free_port()
    write(folder, "wsgi.py", WSGI)
    return Server([which("gunicorn"), "-b", f"127.0.0.1:{port}", "--worker-tmp-dir", folder, *args, "wsgi:app"], port, folder)


def gunicorn_sync(folder):
    return gunicorn(folder)


def gunicorn_gthread(folder):
    return gunicorn(folder, "--worker-class", "gthread", "--threads", "12")


def uvicorn(folder):
    port = free_port()
    write(folder, "asgi.py", ASGI)
    return Server([which("uvicorn"), "--port", str(port), "--app-dir", folder, "asgi:app"], port, folder)


def gunicorn_uvicorn(folder):
    port = free_port()
    write(folder, "asgi.py", ASGI)
    return Server([which("gunicorn"), "-b", f"127.0.0.1:{port}", "--worker-tmp-dir", folder, "-k", "uvicorn.workers.UvicornWorker", "asgi:app"],
                  port, folder)


def python_server(module, *args):
    """Of Debian's Python, which has its packages."""
    if subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], check=False, capture_output=True).returncode:
        raise NotInstalled(module)
    return ["/usr/bin/python3", *args]


def aiohttp(folder):
    port = free_port()
    return Server(python_server("aiohttp", write(folder, "up.py", AIOHTTP, port=port)), port, folder)


def lighttpd(folder):
    port = free_port()
    write(folder, "www/index.html", "ok\n")
    return Server([which("lighttpd"), "-D", "-f", write(folder, "lighttpd.conf", LIGHTTPD, dir=folder, port=port)], port, folder)


def puma(folder):
    port = free_port()
    return Server([which("puma"), "-C", write(folder, "puma.rb", PUMA, port=port)], port, folder)


def httpd(folder):
    port = free_port()
    write(folder, "www/index.html", "ok\n")
    conf = write(folder, "httpd.conf", HTTPD, dir=folder, port=port, modules=MODULES)
    return Server([which("apache2"), "-DFOREGROUND", "-f", conf], port, folder)


def haproxy(folder):
    port = free_port()
    return Server([which("haproxy"), "-db", "-f", write(folder, "haproxy.cfg", HAPROXY, port=port)], port, folder)


def nginx(folder, listen="", extra=""):
    port = free_port()
    conf = write(folder, "nginx.conf", NGINX_CONF, dir=folder, port=port, listen=listen, extra=extra)
    return Server([NGINX, "-p", folder, "-c", conf, "-e", folder / "error.log"], port, folder)


def tomcat(folder):
    """With the server.xml that comes with it, but for its ports."""
    skel = TOMCAT / "skel" / "conf"
    if not skel.exists() or not shutil.which("java"):
        raise NotInstalled("tomcat10")
    port = free_port()
    shutil.copytree(skel, folder / "conf")
    xml = folder / "conf" / "server.xml"
    text = xml.read_text(encoding="utf-8")
    assert '<Connector port="8080"' in text and '<Server port="-1"' in text
    xml.write_text(text.replace('<Connector port="8080"', f'<Connector address="127.0.0.1" port="{port}"'), encoding="utf-8")
    for name in ("logs", "temp", "work"):
        (folder / name).mkdir()
    write(folder, "webapps/ROOT/index.html", "ok\n")
    env = os.environ | {"CATALINA_HOME": str(TOMCAT), "CATALINA_BASE": str(folder), "JAVA_OPTS": "-Xmx64m -XX:TieredStopAtLevel=1"}
    return Server([TOMCAT / "bin" / "catalina.sh", "run"], port, folder, env=env)
