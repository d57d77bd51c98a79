# SPDX-License-Identifier: BSD-2-Clause
"""Just enough HTTP/2 without TLS, by prior knowledge, to ask nginx for something and read the status."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
CANCEL = 8
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
STATUS = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}  # RFC 7541, appendix A


def literal(index, text):
    """A header of the static table's name, not indexed, not compressed; text is short."""
    return bytes([index, len(text)]) + text.encode()


class Client:
    def __init__(self, port, host="127.0.0.1", timeout=20):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(PREFACE + self.frame(SETTINGS, 0, 0))
        self.stream = -1
        self.status = {}
        self.ended = set()
        self._buf = b""

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload

    def send(self, method, target, body=b""):
        """Send a request; the number of its stream."""
        self.stream += 2
        head = {"GET": b"\x82", "POST": b"\x83"}.get(method) or literal(2, method)
        head += b"\x86" + literal(4, target) + literal(1, "upclose.test")
        self.sock.sendall(self.frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), self.stream, head)
                          + (self.frame(DATA, END_STREAM, self.stream, body) if body else b""))
        return self.stream

    def cancel(self, stream):
        self.sock.sendall(self.frame(RST_STREAM, 0, stream, struct.pack("!I", CANCEL)))

    def _read(self, size):
        while len(self._buf) < size:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the server ended the connection")
            self._buf += data
        part, self._buf = self._buf[:size], self._buf[size:]
        return part

    def response(self, stream):
        """The status of this stream's response, once all of it is there."""
        while stream not in self.ended:
            head = self._read(9)
            kind, flags, number = head[3], head[4], struct.unpack("!I", head[5:])[0] & 0x7FFFFFFF
            payload = self._read(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                self.sock.sendall(self.frame(SETTINGS, ACK, 0))
            elif kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {payload!r}")
            elif kind == HEADERS:
                while payload[0] & 0xE0 == 0x20:  # the size of nginx's table
                    payload = payload[1:]
                self.status[number] = STATUS.get(payload[0]) or int(payload[2:5])
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                self.ended.add(number)
        return self.status[stream]

    def request(self, method, target, body=b""):
        return self.response(self.send(method, target, body))

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
