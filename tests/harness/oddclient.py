# SPDX-License-Identifier: BSD-2-Clause
"""Opens one connection and sends a request in a way that nginx does not, under a name that --comm can follow.

usage: oddclient.py PORT HOW    HOW: writev | sendmsg | sendmsg_empty_first | sendfile | split | fastopen | plain
Prints JSON lines: {"event":"ready","pid":..} before it connects (a line on stdin lets it go on), {"event":"answer",..}.
"""
import json
import os
import socket
import sys
import tempfile

REQUEST = b"GET /destroy/odd HTTP/1.1\r\nHost: odd\r\nConnection: close\r\n\r\n"


def say(**what):
    print(json.dumps(what), flush=True)


def send(sock, how):
    line, rest = REQUEST[:20], REQUEST[20:]
    if how == "writev":
        os.writev(sock.fileno(), [line, rest])
    elif how == "sendmsg":
        sock.sendmsg([REQUEST])
    elif how == "sendmsg_empty_first":
        sock.sendmsg([b"", b"", REQUEST])
    elif how == "sendfile":
        with tempfile.TemporaryFile() as f:
            f.write(REQUEST)
            f.flush()
            os.sendfile(sock.fileno(), f.fileno(), 0, len(REQUEST))
    elif how == "split":
        for i in range(0, len(REQUEST), 7):
            sock.send(REQUEST[i:i + 7])
    else:
        sock.send(REQUEST)


with open("/proc/self/comm", "w", encoding="ascii") as comm:
    comm.write("odd-client")
say(event="ready", pid=os.getpid(), port=0)
sys.stdin.readline()
with socket.socket() as s:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.argv[2] == "fastopen":  # the request goes out with the SYN
        s.sendto(REQUEST, socket.MSG_FASTOPEN, ("127.0.0.1", int(sys.argv[1])))
    else:
        s.connect(("127.0.0.1", int(sys.argv[1])))
        send(s, sys.argv[2])
    try:
        got = s.recv(4096)
    except ConnectionResetError:
        got = b""
say(event="answer", bytes=len(got))
