# SPDX-License-Identifier: BSD-2-Clause
"""What nginx's debug log says of its upstream connections, for clients of any protocol.

"connect to ADDR, fd:F #C" is written in the order of connect() within each worker, under the number *N of the client's
connection. A connection is closed by "close http upstream connection: F" and its kin, or goes to the cache by its address
in memory. A message is about the connection of its *N to the address that it names; where several are open, as those of
subrequests or HTTP/2 streams, about the one that is closed next.
"""
import re
from dataclasses import dataclass, field

LINE = re.compile(r"\d{4}/\d\d/\d\d [\d:]{8} \[(\w+)\] (\d+)#\d+: (?:\*(\d+) )?(.*)")
SOCKET = re.compile(r"(\w+) socket (\d+)$")
CONNECT = re.compile(r"connect to (\S+), fd:(\d+) #(\d+)$")
CLOSE = re.compile(r"close (?:http upstream|stream proxy upstream|mail upstream) connection: (\d+)$|close connection: (\d+)$")
SAVED = re.compile(r"free keepalive peer: saving connection (\S+)$")
USED = re.compile(r"get keepalive peer: using connection (\S+)$")
UPSTREAM = re.compile(r', upstream: "(?:\w+://)?(unix:[^:"]+|\[[^]]+\]:\d+|[^/",]+)')
# said of nginx's own work, not of a connection
WORSE = ("emerg", "alert", "crit", "error")
# connect() failed before the kernel had made it an attempt, so there is no connection to see
NO_SOCKET = re.compile(r"connect\(\) to \S+ failed \((101|113|13|22|99):")


@dataclass
class Said:
    """A message: its level and its text."""

    level: str
    text: str
    pid: int
    client: int  # *N
    addr: str | None  # of the upstream that it names

    @property
    def worse(self):
        return self.level in WORSE


@dataclass
class Connection:
    """nginx's connection to an upstream."""

    pid: int
    number: int
    addr: str
    fd: int
    clients: list  # that used it, the newest last
    said: list = field(default_factory=list)
    unseen: bool = False  # no connection for the kernel
    cut: bool = False  # open until its worker was to end


class Log:
    def __init__(self):
        self.workers = {}  # connections of each pid, in the order of connect()
        self.loose = []  # messages that are about no connection
        self._ending = set()  # workers
        self.resolvers = set()  # addresses that a resolver was connected to
        self._sockets = {}  # what kind of socket a pid and fd is
        self._open = {}  # by pid and fd
        self._cached = {}  # by pid and address
        self._undecided = []  # messages with several connections that they may be about

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as f:
            for text in f:
                if m := LINE.match(text):
                    self._line(m[1], int(m[2]), int(m[3] or 0), m[4])
        for said, among in self._undecided:
            among[-1].said.append(said)
        for c in self._open.values():
            c.cut = True
        return self

    def connections(self):
        return [c for found in self.workers.values() for c in found]

    def _line(self, level, pid, client, text):
        if level == "notice" and text in ("gracefully shutting down", "exiting"):
            self._ending.add(pid)
        elif level != "debug":
            self._message(Said(level, text, pid, client, (m := UPSTREAM.search(text)) and m[1]))
        elif m := SOCKET.match(text):
            self._sockets[pid, int(m[2])] = m[1]
        elif m := CONNECT.match(text):
            self._connect(Connection(pid, int(m[3]), m[1], int(m[2]), [client]))
        elif m := CLOSE.match(text):
            self._close(pid, int(m[1] or m[2]))
        elif m := SAVED.match(text):
            mine = self._of_client(pid, client)
            if mine:
                self._cached[pid, m[1]] = mine[-1]
                self._settle(mine[-1])
        elif (m := USED.match(text)) and (pid, m[1]) in self._cached:
            c = self._cached.pop((pid, m[1]))
            c.clients.append(client)

    def _connect(self, c):
        kind = self._sockets.get((c.pid, c.fd))
        if kind in ("TCP", "UDP"):
            self.resolvers.add(c.addr)
        if kind != "stream":
            return
        self.workers.setdefault(c.pid, []).append(c)
        self._open[c.pid, c.fd] = c

    def _of_client(self, pid, client):
        mine = [c for (p, _), c in self._open.items() if p == pid and c.clients[-1] == client]
        idle = [id(c) for c in self._cached.values()]
        # the one that came to this client last is last
        return sorted((c for c in mine if id(c) not in idle), key=lambda c: c.number)

    def _close(self, pid, fd):
        c = self._open.pop((pid, fd), None)
        if c:
            c.cut = pid in self._ending
            self._settle(c)
            self._cached = {k: v for k, v in self._cached.items() if v is not c}

    def _settle(self, c):
        """Messages that waited for the next close are about this one."""
        for said, among in list(self._undecided):
            if c in among:
                c.said.append(said)
                self._undecided.remove((said, among))

    def _message(self, said):
        mine = self._of_client(said.pid, said.client) if said.client else []
        if said.addr:
            mine = [c for c in mine if c.addr == said.addr]
        about = said.addr or "upstream" in said.text or said.level == "info"
        if not mine or not about or "no live upstreams" in said.text:
            self.loose.append(said)
        elif len(mine) == 1:
            mine[0].said.append(said)
        else:
            self._undecided.append((said, mine))
        if mine and NO_SOCKET.match(said.text):
            mine[-1].unseen = True
