# SPDX-License-Identifier: BSD-2-Clause
"""A small HTTP/1.1 client over a raw socket, for what a polite one would not do."""
import ctypes
import os
import socket
import struct
import threading
from dataclasses import dataclass, field

from .proc import PATIENCE

SECRET = "s3cr3t-hunter2"  # in targets, headers and bodies; upclose must never show or store it


def socket_in(netns, family):
    """A TCP socket of another network namespace, given as a path; None is the own one."""
    if not netns:
        return socket.socket(family, socket.SOCK_STREAM)
    made = []

    def make():
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(fd, 0x40000000):  # CLONE_NEWNET, for this thread only
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(family, socket.SOCK_STREAM))
        finally:
            os.close(fd)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


@dataclass
class Response:
    status: int | None = None  # None: the connection ended before a whole header
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False


class Client:
    def __init__(self, port, host="127.0.0.1", netns=None, timeout=20):
        self.host = host
        self.sock = socket_in(netns, socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.sock.getsockname()[1]
        self._buf = b""

    def send(self, method, target, headers=None, body=b"", version="1.1", length=None):
        """Send a request; with a length beyond the body's the rest is left to send_body()."""
        head = {"Host": "upclose.test", "Cookie": f"sid={SECRET}", "Authorization": f"Bearer {SECRET}"}
        if body or length is not None or method in ("POST", "PUT"):
            head["Content-Length"] = length if length is not None else len(body)
        head |= headers or {}
        lines = [f"{method} {target} HTTP/{version}"] + [f"{k}: {v}" for k, v in head.items()]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send_body(self, data):
        self.sock.sendall(data)

    def _fill(self):
        data = self.sock.recv(262144)
        self._buf += data
        return bool(data)

    def _until(self, end):
        while end not in self._buf:
            if not self._fill():
                return None
        found, _, self._buf = self._buf.partition(end)
        return found

    def _take(self, size):
        parts = []
        while size:
            if not self._buf and not self._fill():
                return b"".join(parts), False
            part, self._buf = self._buf[:size], self._buf[size:]
            size -= len(part)
            parts.append(part)
        return b"".join(parts), True

    def _chunks(self):
        body = b""
        while (size := self._until(b"\r\n")) is not None:
            size = int(size.partition(b";")[0], 16)
            data, whole = self._take(size)
            body += data
            if not whole or self._until(b"\r\n") is None:
                break
            if size == 0:
                return body, True
        return body, False

    def response(self, method="GET"):
        r = Response()
        head = self._until(b"\r\n\r\n")
        while head is not None and head.startswith(b"HTTP/1.1 100"):
            head = self._until(b"\r\n\r\n")
        if head is None:
            return r
        first, *lines = head.decode("latin-1").split("\r\n")
        r.status = int(first.split()[1])
        r.headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        if method == "HEAD" or r.status in (204, 304):
            r.complete = True
        elif "chunked" in r.headers.get("transfer-encoding", ""):
            r.body, r.complete = self._chunks()
        elif "content-length" in r.headers:
            r.body, r.complete = self._take(int(r.headers["content-length"]))
        else:
            while self._fill():
                pass
            r.body, self._buf, r.complete = self._buf, b"", True
        return r

    def request(self, method, target, headers=None, body=b"", version="1.1"):
        self.send(method, target, headers, body, version)
        return self.response(method)

    def abort(self):
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
