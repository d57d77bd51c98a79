# SPDX-License-Identifier: BSD-2-Clause
"""What a process sends to systemd's journal: its socket, in a mount namespace of the process' own."""
import os
import socket
import struct
import tempfile
import threading

from .proc import PREFIX, eventually

ENTER = 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"'


def fields(data):
    """An entry in the journal's native protocol: NAME=value lines, or a name, a length and the value."""
    found = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        found[name.decode()] = value.decode()
        data = rest
    return found


class Journal:
    """.prefix starts a command in front of this journal; .entries are what it got."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix=PREFIX)
        os.chmod(self.dir.name, 0o755)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{self.dir.name}/socket")
        os.chmod(f"{self.dir.name}/socket", 0o666)
        self.prefix = ["unshare", "-m", "sh", "-c", ENTER, self.dir.name]
        self.entries = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
            for fd in fds:  # a large entry comes in a file
                with open(fd, "rb") as f:
                    f.seek(0)
                    data = f.read()
            if data == b"end of test":
                return
            self.entries.append(fields(data))

    def find(self, **want):
        return [e for e in list(self.entries) if want.items() <= e.items()]

    def wait(self, timeout=10, **want):
        return eventually(lambda: self.find(**want), f"the journal has {want}, it has {self.entries}", timeout)[0]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"end of test", f"{self.dir.name}/socket")
        self._thread.join()
        self.socket.close()
        self.dir.cleanup()
