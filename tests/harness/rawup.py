# SPDX-License-Identifier: BSD-2-Clause
"""A raw-socket upstream for what Node cannot do at an exact moment.

usage: rawup.py [--host H] [--port P] [--backlog N] [--deaf] [--fork] SCRIPT...

Connection n follows the n-th script, later ones the last. A script is a row of steps:
  read       read one request and report its size      reply      answer 200 with a body of known length
  serve      read and reply until the peer closes       send:TEXT  send TEXT (backslash escapes)
  unread     wait until data has arrived, do not read it
  wait       wait for a line `go` on stdin              sleep:MS
  sip        read a few bytes                             drain      read what has arrived
  hold       wait until the peer closes or the end of this process
  close      close()                                    reset      close with a reset
With --deaf nothing is accepted, with --fork a child holds the listening socket, too. A line `unlisten` on stdin closes the listening socket.
Prints JSON lines: {"event": "ready", "port": .., "pid": ..}, then one per step done. Ends when its stdin closes.
"""
import argparse
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: sid=s3cr3t-hunter2\r\n\r\nok\n"

go = threading.Semaphore(0)
lock = threading.Lock()


def say(event, **more):
    with lock:
        print(json.dumps({"event": event, **more}), flush=True)


def read_request(conn):
    """The size of one request, 0 at the end of the connection."""
    data = b""
    need = None
    while need is None or len(data) < need:
        part = conn.recv(65536)
        if not part:
            return 0
        data += part
        if need is None and b"\r\n\r\n" in data:
            head, _, _ = data.partition(b"\r\n\r\n")
            need = len(head) + 4
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    need += int(line.partition(b":")[2])
    return len(data)


def unread(conn):
    select.select([conn], [], [])
    return struct.unpack("i", fcntl.ioctl(conn, termios.FIONREAD, b"\0" * 4))[0]


def hold(conn):
    while conn.recv(65536, socket.MSG_PEEK):
        time.sleep(0.01)


def follow(number, conn, steps):
    port = conn.getpeername()[1]
    say("accept", conn=number, peer_port=port)
    for step in steps:
        name, _, arg = step.partition(":")
        more = {}
        if name == "read":
            more["bytes"] = read_request(conn)
            if not more["bytes"]:
                name = "eof"
        elif name == "reply":
            conn.sendall(REPLY)
        elif name == "serve":
            while size := read_request(conn):
                conn.sendall(REPLY)
                say("served", conn=number, peer_port=port, bytes=size)
            name = "eof"
        elif name == "send":
            conn.sendall(arg.encode().decode("unicode_escape").encode("latin-1"))
        elif name == "unread":
            more["bytes"] = unread(conn)
        elif name == "wait":
            go.acquire()
        elif name == "sleep":
            time.sleep(int(arg) / 1000)
        elif name == "drain":
            more["bytes"] = len(conn.recv(65536))
        elif name == "sip":
            more["bytes"] = len(conn.recv(10))
        elif name == "hold":
            hold(conn)
            name = "eof"
        elif name == "close":
            conn.close()
        elif name == "reset":
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.close()
        else:
            raise ValueError(f"no such step: {name}")
        say(name, conn=number, peer_port=port, **more)
        if name == "eof":
            break
    conn.close()


def run(number, conn, steps):
    try:
        follow(number, conn, steps)
    except OSError as e:
        say("error", conn=number, text=str(e))


def accept(listener, scripts):
    number = 0
    while True:
        conn, _ = listener.accept()
        steps = scripts[min(number, len(scripts) - 1)].split(" ")
        number += 1
        threading.Thread(target=run, args=(number, conn, steps), daemon=True).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--backlog", type=int, default=512)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("scripts", nargs="*")
    args = parser.parse_args()
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    listener = socket.create_server((args.host, args.port), family=family, backlog=args.backlog)
    if not args.deaf:
        threading.Thread(target=accept, args=(listener, args.scripts), daemon=True).start()
    if args.fork and not os.fork():
        os.close(1)  # whoever reads it does not wait for this one
        signal.pause()
    say("ready", port=listener.getsockname()[1], pid=os.getpid())
    for line in sys.stdin:
        if line.strip() == "go":
            go.release()
        elif line.strip() == "unlisten":
            listener.close()
            say("unlistened")
    os._exit(0)  # connections may still be held by their threads


if __name__ == "__main__":
    main()
