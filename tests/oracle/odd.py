# SPDX-License-Identifier: BSD-2-Clause
"""An upstream that does, by the first segment of a request's path, what Node cannot do at an exact moment.

Prints JSON lines: ready, then one for each request whose head it has read. Ends when its stdin closes.
"""
import json
import os
import select
import socket
import struct
import sys
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
lock = threading.Lock()


def say(event, **more):
    with lock:
        os.write(1, json.dumps({"event": event, **more}).encode() + b"\n")


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def head(conn):
    """Method, path, and how much of the body is still to be read; byte by byte would be slow, so some of it is read too."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(2048)
        if not part:
            return None
        data += part
    first, *fields = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    length = sum(int(f.partition(":")[2]) for f in fields if f.lower().startswith("content-length:"))
    method, target, _ = first.split(" ")
    return method, target.partition("?")[0], length - len(data.partition(b"\r\n\r\n")[2])


def body(conn, left):
    while left > 0:
        part = conn.recv(min(left, 65536))
        if not part:
            return
        left -= len(part)


def wait_readable(conn):
    select.select([conn], [], [], 5)


def then(answer, *after):
    """Read the whole request, answer it with these bytes, and do what comes after."""
    def do(conn, left):
        body(conn, left)
        conn.sendall(answer)
        for step in after:
            step(conn)
        return not after
    return do


def close(conn):
    conn.close()


def hold(conn):
    conn.settimeout(10)
    try:
        while conn.recv(65536):
            pass
    finally:
        conn.close()


def sleep(ms):
    return lambda conn: time.sleep(ms / 1000)


def unread(then_):
    """With the body unread: what is not drained is answered with a reset."""
    def do(conn, left):
        time.sleep(0.01)
        then_(conn)
        return False
    return do


def early(conn):
    conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    conn.close()


DOES = {
    "ok": then(OK),
    "says_502": then(OK.replace(b"200 OK", b"502 Bad Gateway")),
    "big_header": then(b"HTTP/1.1 200 OK\r\nX-Long: " + b"l" * 9000 + b"\r\nContent-Length: 0\r\n\r\n", hold),
    "big_and_close": then(b"HTTP/1.1 200 OK\r\nX-Long: " + b"l" * 9000 + b"\r\nContent-Length: 0\r\n\r\n", close),
    "bad_header": then(b"HTTP/1.1 200 OK\r\nBad\x01Name: x\r\nContent-Length: 0\r\n\r\n", hold),
    "bad_and_close": then(b"HTTP/1.1 200 OK\r\nBad\x01Name: x\r\nContent-Length: 0\r\n\r\n", close),
    "not_http": then(b"220 this speaks another protocol\r\n", close),
    "bad_chunk": then(CHUNKED + b"5\r\nhello\r\nZZ\r\n", hold),
    "head_reset": then(b"HTTP/1.1 200 OK\r\nContent-Le", sleep(5), reset),
    "body_reset": then(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbody", sleep(5), reset),
    "late_reset": then(b"", sleep(20), reset),
    "unread_close": unread(close),
    "early_413": unread(early),
    "idle_fin": then(OK, sleep(8), close),
    "idle_reset": then(OK, sleep(8), reset),
    "race_unread": then(OK, wait_readable, close),
    "race_reset": then(OK, wait_readable, reset),
    "never_read": unread(lambda conn: time.sleep(3)),
}


def serve(conn):
    port = conn.getpeername()[1]
    try:
        while request := head(conn):
            method, path, left = request
            say("request", method=method, path=path, peer_port=port)
            if not DOES[path.split("/")[1]](conn, left):
                return
    except OSError:
        pass
    finally:
        conn.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    say("ready", port=listener.getsockname()[1], pid=os.getpid())

    def accept():
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
