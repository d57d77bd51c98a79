# SPDX-License-Identifier: BSD-2-Clause
"""One stage holds all that a scenario needs and takes it down in the end."""
import contextlib
import itertools
import os
import sys
from pathlib import Path

from .client import SECRET
from .daemon import Daemon
from .nginx import Nginx
from .proc import JsonChild, comm, exe
from .upclose import Upclose

HERE = Path(__file__).resolve().parent
ids = itertools.count(1)


def target(behaviour, query=""):
    """A target no other request has; its query holds a secret."""
    return f"/{behaviour}/{os.getpid()}-{next(ids):05d}?token={SECRET}{query and '&' + query}"


def path(target_):
    """The target as upclose shows it: without the query."""
    return target_.partition("?")[0]


class Upstream(JsonChild):
    """A Node or raw upstream; .addr is what nginx's configuration wants."""

    def __init__(self, argv, host="127.0.0.1", netns=None):
        self.host = host
        super().__init__(argv, netns)
        self.port = self.ready["port"]
        self.comm, self.exe = comm(self.pid), exe(self.pid)
        self.addr = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Stage(contextlib.ExitStack):
    def node(self, *args, host="127.0.0.1", netns=None, binary="node"):
        return self.enter_context(Upstream([binary, HERE / "upstream.js", "--host", host, *args], host, netns))

    def raw(self, *scripts, host="127.0.0.1", netns=None):
        return self.enter_context(Upstream([sys.executable, HERE / "rawup.py", "--host", host, *scripts], host, netns))

    def fastcgi(self, *args, host="127.0.0.1", netns=None):
        argv = ["env", "NODE_PATH=/usr/share/nodejs", "node", HERE / "fastcgi.js"]
        return self.enter_context(Upstream([*argv, "--host", host, *args], host, netns))

    def link(self, delay_ms, *args):
        return self.enter_context(JsonChild([sys.executable, HERE / "delaylink.py", delay_ms, *args]))

    def nginx(self, **options):
        return self.enter_context(Nginx(**options))

    def upclose(self, *args, **options):
        return self.enter_context(Upclose(*args, **options))

    def daemon(self, *args, **options):
        return self.enter_context(Daemon(*args, **options))

    def client(self, nginx, route=None, **options):
        return self.enter_context(nginx.client(route, **options))
