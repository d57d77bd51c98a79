# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP server that takes what the daemon sends, and has bad days when told to."""
import json
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .proc import PATIENCE, eventually


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.receiver.on_request(self, body)

    def handle(self):
        try:
            super().handle()
        except OSError:  # the other side left, or we did
            pass

    def log_message(self, *args):
        pass

    def answer(self, status, headers=(), body=b"{}"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()
        self.close_connection = True


class Receiver:
    """mood: "take", "hang", "reset", or a status to answer with. .taken holds what was answered with 200."""

    def __init__(self, mood="take", port=0, tls=None):
        self.mood = mood
        self.requests = []  # (path, headers, object) of all, taken or not
        self.taken = []  # objects
        self._end = threading.Event()
        self._changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.receiver = self
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def on_request(self, handler, body):
        obj = json.loads(body)
        with self._changed:
            mood = self.mood
            self.requests.append((handler.path, dict(handler.headers), obj))
            if mood == "take":
                self.taken.append(obj)
            self._changed.notify_all()
        if mood == "take":
            handler.answer(200)
        elif mood == "hang":
            self._end.wait()
        elif mood == "reset":
            handler.reset()
        else:
            handler.answer(mood)

    def wait(self, check, what, timeout=15):
        """What check() returns once it is true; it is asked again with each request."""
        end = time.monotonic() + timeout * PATIENCE
        with self._changed:
            while not (found := check()):
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not within {timeout} s: {what}; taken: {self.taken}")
                self._changed.wait(left)
        return found

    def alerts(self, **want):
        return [o for o in list(self.taken) if all(o.get(k) == v for k, v in want.items())]

    def wait_alerts(self, count=1, timeout=15, **want):
        """The alerts that have these values, once there are so many; never more."""
        found = self.wait(lambda: len(f := self.alerts(**want)) >= count and f, f"{count} alerts {want}", timeout)
        assert len(found) == count, found
        return found

    def wait_requests(self, count, timeout=15):
        self.wait(lambda: len(self.requests) >= count, f"{count} requests", timeout)

    def close(self):
        self._end.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def quiet(daemon, sink):
    """Wait until nothing waits for a sink."""
    eventually(lambda: daemon.sample("upclose_sink_waiting_documents", sink=sink) == 0, f"nothing waits for {sink}", 10)
