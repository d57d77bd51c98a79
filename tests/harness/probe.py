# SPDX-License-Identifier: BSD-2-Clause
"""Run `upclose probe`, and servers in threads of the test for what no real server does."""
import json
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass, field

from .upclose import UPCLOSE


@dataclass
class Probed:
    status: int
    stdout: str
    stderr: str
    objects: list = field(default_factory=list)

    @property
    def one(self):
        (found,) = self.objects
        return found


class Probe:
    """`upclose probe -o json` (or as args say), started; .wait() gives what it said. It has MEMORY and no more."""

    MEMORY = 60 << 20  # bytes of heap and stacks

    def __init__(self, *args, output="json"):
        argv = ["prlimit", f"--data={self.MEMORY}", UPCLOSE, "probe", *(["-o", output] if output else []), *map(str, args)]
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.json = output == "json"

    def wait(self):
        err = []
        reader = threading.Thread(target=lambda: err.append(self.popen.stderr.read()))
        reader.start()
        out = self.popen.stdout.read()
        reader.join()
        self.popen.wait()
        self.popen.stdout.close()
        self.popen.stderr.close()
        objects = [json.loads(line) for line in out.splitlines()] if self.json else []
        print(out, err[0])  # pytest shows it when the test fails
        return Probed(self.popen.returncode, out, err[0], objects)


def probe(*args, **options):
    return Probe(*args, **options).wait()


def read_head(conn):
    """One request's head, or less at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(1) if data.endswith((b"\r", b"\n")) else conn.recv(4)
        if not part:
            break
        data += part
    return data


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Odd:
    """Each connection is given to handler(conn) in a thread, and closed behind it. .heads has what was asked."""

    def __init__(self, handler, path=None):
        self.handler = handler
        self.conns = []
        self.heads = []
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(64)
            self.url = f"http://unix:{path}:/x"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            self.conns.append(conn)
            self.threads.append(threading.Thread(target=self.handle, args=(conn,)))
            self.threads[-1].start()

    def head(self, conn):
        head = read_head(conn)
        if head:
            self.heads.append(head.decode("latin-1"))
        return head

    def handle(self, conn):
        try:
            self.handler(self, conn)
        except OSError:
            pass
        conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join()
        for conn in self.conns:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for t in self.threads:
            t.join()
