# SPDX-License-Identifier: BSD-2-Clause
"""What nginx's debug log says of its upstream connections.

The log names a connection to an upstream by a number, "connect to ADDR, fd:F #C", and writes this line in the order of
connect() within each worker. The line carries the number *N of the client's connection that the request came on, as all
lines of the request do. A cached connection goes by its address in memory: "free keepalive peer: saving connection P" at
the end of a request, "get keepalive peer: using connection P" at the start of a later one. So each request's attempts are
known, each attempt's connection, and which attempt an error line is about: the newest one of the request of its *N.
"""
import re
from dataclasses import dataclass, field

LINE = re.compile(r"\d{4}/\d\d/\d\d [\d:]{8} \[(\w+)\] (\d+)#\d+: \*(\d+) (.*)")
CONNECT = re.compile(r"connect to (\S+), fd:\d+ #(\d+)$")
NOTED = ("connect to ", "get keepalive peer: using ", "free keepalive peer: saving ", "http request line: ", "http next upstream, ",
         "finalize http upstream request: ", "HTTP/1.1 ")
# connect() failed before the kernel had made it an attempt, so there is no connection to see
NO_SOCKET = re.compile(r"connect\(\) to \S+ failed \((101|113|13|22):")


@dataclass
class Connection:
    """nginx's connection to an upstream."""

    pid: int
    number: int
    addr: str
    attempts: list = field(default_factory=list)
    unseen: bool = False  # no connection for the kernel


@dataclass
class Attempt:
    """One request on one connection."""

    request: "Request"
    connection: Connection
    cached: bool
    lines: list = field(default_factory=list)  # (level, text) of what nginx wrote about it
    failed: str | None = None  # the failure type of "http next upstream"
    over: int = 0  # the place in the log of that

    def next_seen(self):
        """The attempt that followed it, as far as there was a connection to see."""
        after = self.request.attempts[self.request.attempts.index(self) + 1:]
        return next((a for a in after if not a.connection.unseen), None)

    def number(self):
        """Among those of its request, as far as there was a connection to see."""
        before = self.request.attempts[:self.request.attempts.index(self)]
        return 1 + sum(not a.connection.unseen for a in before)


@dataclass
class Request:
    pid: int
    client: int  # number of the client's connection
    number: int  # of the request on it
    line: str
    attempts: list = field(default_factory=list)
    lines: list = field(default_factory=list)  # not about any connection, such as "no live upstreams"
    status: int | None = None  # what the client was told

    @property
    def method(self):
        return self.line.split(" ")[0]

    @property
    def path(self):
        return self.line.split(" ")[1].partition("?")[0] if " " in self.line else ""


class DebugLog:
    def __init__(self):
        self.workers = {}  # connections of each pid, in the order of connect()
        self.requests = []
        self._open = {}  # the request of each client connection
        self._cached = {}
        self._noted = 0

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as f:
            for text in f:
                if ("[debug]" not in text or any(n in text for n in NOTED)) and (m := LINE.match(text)):
                    self._line(m[1], int(m[2]), int(m[3]), m[4])
        return self

    def _line(self, level, pid, client, text):
        request = self._open.get((pid, client))
        self._noted += 1
        if text.startswith("http request line: "):
            request = Request(pid, client, request.number + 1 if request else 1, text.partition('"')[2].rstrip('"'))
            self._open[pid, client] = request
            self.requests.append(request)
        elif request is None:
            return
        elif level != "debug":
            self._message(request, level, text)
        elif m := CONNECT.match(text):
            connection = Connection(pid, int(m[2]), m[1])
            self.workers.setdefault(pid, []).append(connection)
            self._attempt(request, connection, False)
        elif text.startswith("get keepalive peer: using "):
            self._attempt(request, self._cached[pid, text.split()[-1]], True)
        elif text.startswith("free keepalive peer: saving "):
            self._cached[pid, text.split()[-1]] = request.attempts[-1].connection
        elif text.startswith("http next upstream, ") and request.attempts:
            request.attempts[-1].failed = text.split()[-1]
            request.attempts[-1].over = self._noted
        elif text.startswith("HTTP/1.1 "):
            request.status = int(text.split()[1])

    @staticmethod
    def _attempt(request, connection, cached):
        attempt = Attempt(request, connection, cached)
        request.attempts.append(attempt)
        connection.attempts.append(attempt)

    @staticmethod
    def _message(request, level, text):
        if NO_SOCKET.match(text) and request.attempts:
            request.attempts[-1].connection.unseen = True
        if not request.attempts or "no live upstreams" in text:
            request.lines.append((level, text))
        elif ", upstream: " in text or "client prematurely closed" in text or " while sending to client" in text:
            request.attempts[-1].lines.append((level, text))
