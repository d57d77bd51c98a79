# SPDX-License-Identifier: BSD-2-Clause
"""upclose probe against servers that do one thing each, and against those that do nothing right: it says what it saw, in bounded
time and memory."""
import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest
from harness.client import SECRET
from harness.probe import Odd, Probe, probe, reset
from harness.proc import eventually, free_port
from harness.upclose import UPCLOSE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def serve(server, conn, idle=60.0, most=1 << 30, answer=OK, end=lambda conn: None):
    """Answers up to most requests; closes what has been idle for so long."""
    while most and select.select([conn], [], [], idle)[0] and server.head(conn):
        conn.sendall(answer)
        most -= 1
    end(conn)


def keeping(**options):
    return lambda server, conn: serve(server, conn, **options)


def test_idle_timeout():
    with Odd(keeping(idle=0.7)) as up:
        found = probe("--only", "idle", "--max-time", 5, f"{up.url}?token={SECRET}")
    assert found.status == 0
    idle = found.one["idle"]
    assert (idle["kept_alive"], idle["count"], idle["tried"], idle["unanswered"], idle["close"]) == (True, 5, 5, 0, "fin")
    assert 690 < idle["min_ms"] <= idle["timeout_ms"] <= idle["max_ms"] < 900
    assert idle["at_least_ms"] is None and idle["status"] is None
    assert len(up.heads) == 5 and all(h.startswith("GET /x?token=") and "User-Agent: upclose-probe/" in h for h in up.heads)
    assert SECRET not in found.stdout + found.stderr
    assert found.one["url"] == up.url and found.one["addr"] == "127.0.0.1" and found.one["http10"] is None


def test_idle_end_by_reset():
    with Odd(keeping(idle=0.3, end=reset)) as up:
        idle = probe("--only", "idle", "--samples", 3, up.url).one["idle"]
    assert (idle["close"], idle["count"]) == ("rst", 3) and 290 < idle["timeout_ms"] < 500


def test_idle_ends_with_an_answer():
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Odd(keeping(idle=0.3, end=lambda conn: conn.sendall(late))) as up:
        idle = probe("--only", "idle", "--samples", 2, up.url).one["idle"]
    assert (idle["status"], idle["close"], idle["kept_alive"]) == (408, "fin", True) and 290 < idle["timeout_ms"] < 500


def test_longer_than_measured():
    with Odd(keeping()) as up:
        found = probe("--only", "idle", "--max-time", 1, "--samples", 2, up.url)
        text = probe("--only", "idle", "--max-time", 1, "--samples", 2, up.url, output="text")
    idle = found.one["idle"]
    assert found.status == 0 and (idle["timeout_ms"], idle["count"], idle["close"], idle["candidates"]) == (None, 0, "none", [])
    assert 1000 <= idle["at_least_ms"] < 1100
    assert "longer than 1.0" in text.stdout


@pytest.mark.parametrize("quick", [False, True])
def test_no_keepalive(quick):
    closing = b"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n"
    with Odd(keeping(most=1, answer=closing)) as up:
        found = probe("--only", "idle,requests,http10", *(["--quick"] if quick else []), up.url)
    one = found.one
    assert found.status == 0 and one["idle"]["kept_alive"] is False and one["idle"]["count"] == 1
    assert one["idle"]["timeout_ms"] < 50 and one["idle"]["candidates"] == ["gunicorn sync worker"]
    assert one["requests_per_connection"] == {"count": 1, "at_least": None, "connection_close": True, "close": "fin"}
    assert one["http10"] == {"kept_alive": False} and one["server"] == "gunicorn"


def test_error_page_is_no_example():
    answer = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with Odd(keeping(most=1, answer=answer)) as up:
        assert probe("--only", "idle", up.url).one["idle"]["candidates"] == []
        assert "name a path that works" in probe("--only", "idle", up.url, output="text").stdout


@pytest.mark.parametrize("end", ["says", "fin", "rst", "never"])
def test_requests_per_connection(end):
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    def handler(server, conn):
        if end == "never":
            return serve(server, conn)
        serve(server, conn, most=6)
        if end == "says" and server.head(conn):
            conn.sendall(last)
        if end == "rst":
            reset(conn)
        if end == "fin":  # and a request may cross it
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(1000):
                pass

    with Odd(handler) as up:
        found = probe("--only", "requests", "--max-requests", 20, up.url).one["requests_per_connection"]
    assert found == {"count": {"says": 7, "never": None}.get(end, 6), "at_least": 20 if end == "never" else None,
                     "connection_close": end == "says", "close": {"never": "none", "rst": "rst"}.get(end, "fin")}


@pytest.mark.parametrize("how, want", [
    ("408", {"reaction": "answer", "status": 408, "close": "fin"}),
    ("fin", {"reaction": "fin", "status": None, "close": "fin"}),
    ("rst", {"reaction": "rst", "status": None, "close": "rst"}),
    ("none", {"reaction": "none", "status": None, "close": "none"}),
])
def test_header(how, want):
    def handler(server, conn):
        conn.settimeout(0.4 if how != "none" else 30)
        try:
            while server.head(conn):
                conn.sendall(OK)
        except TimeoutError:
            if how == "408":
                conn.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            if how == "rst":
                reset(conn)

    with Odd(handler) as up:
        header = probe("--only", "header", "--max-time", 1.5, up.url).one["header"]
    for half in header.values():
        assert {k: half[k] for k in want} == want
        if how == "none":
            assert half["timeout_ms"] is None and 1500 <= half["at_least_ms"] < 1700
        else:
            assert half["at_least_ms"] is None and 390 < half["timeout_ms"] < 600


@pytest.mark.parametrize("lingers", [False, True])
def test_closing(lingers):
    def handler(server, conn):
        while head := server.head(conn):
            conn.sendall(OK)
            if b"Connection: close" in head:
                break
        if lingers:
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(100):
                pass

    with Odd(handler) as up:
        assert probe("--only", "closing", up.url).one["closing"] == {"close": "fin", "lingers": lingers}


@pytest.mark.parametrize("answers", [False, True])
def test_half_close(answers):
    def handler(server, conn):
        while server.head(conn):
            first = len(server.heads) == 1
            poll = select.poll()
            poll.register(conn, select.POLLRDHUP)
            if not first and poll.poll(200) and not answers:
                return
            conn.sendall(OK)

    with Odd(handler) as up:
        assert probe("--only", "half-close", up.url).one["half_close"] == {"answered": answers}


def body_handler(early):
    def handler(server, conn):
        while head := server.head(conn):
            left = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0] or 0)
            if early and left:
                conn.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                if early == "lingers":
                    conn.shutdown(socket.SHUT_WR)
                    while conn.recv(1 << 16):
                        pass
                return
            conn.settimeout(0.5)
            while left and (part := conn.recv(min(left, 1 << 16))):
                left -= len(part)
            conn.settimeout(None)
            conn.sendall(OK)
    return handler


@pytest.mark.parametrize("early", ["", "resets", "lingers"])
def test_bodies(early):
    with Odd(body_handler(early)) as up:
        found = probe("--only", "body", "--body-tests", "--max-time", 3, up.url)
    body = found.one["body"]
    if early:
        assert body["answer"] == {"before_body": True, "status": 413, "reset": early == "resets"}
        assert (body["half_sent"]["reaction"], body["half_sent"]["status"]) == ("answer", 413)
    else:
        assert body["answer"] == {"before_body": False, "status": 200, "reset": False}
        assert body["half_sent"]["reaction"] == "fin" and 490 < body["half_sent"]["timeout_ms"] < 700
    assert sum(h.startswith("POST /x ") for h in up.heads) == 2 and "POST" in found.stderr


def test_gentle():
    """Without --body-tests no body is sent, and there are never more than 8 connections."""
    most = [0, 0]

    def handler(server, conn):
        most[0] += 1
        most[1] = max(most)
        serve(server, conn, idle=3.2, answer=OK.removesuffix(b"ok\n"))
        most[0] -= 1

    with Odd(handler) as up:
        found = probe("--max-time", 3.5, "--samples", 12, "-H", "X-Probe: yes", "-H", "Host: app.test", "--head", up.url)
        methods = {h.partition(" ")[0] for h in up.heads}
        assert all("X-Probe: yes\r\n" in h and h.count("Host: app.test\r\n") == 1 for h in up.heads if h.endswith("\r\n\r\n"))
    assert methods == {"HEAD"} and found.one["body"] is None and found.one["idle"]["count"] == 12
    assert 4 < most[1] <= 8 and found.one["requests"] > 1000


def test_one_connection_at_a_time():
    """A server with one thread for all is reported, not waited for forever."""
    turn = threading.Lock()

    def handler(server, conn):
        with turn:
            serve(server, conn, idle=1.0)

    with Odd(handler) as up:
        found = probe("--only", "idle", "--max-time", 1.3, up.url)
        text = probe("--only", "idle", "--max-time", 1.3, up.url, output="text")
    idle = found.one["idle"]
    assert found.status == 0 and idle["unanswered"] >= 1 and idle["tried"] + idle["unanswered"] == 5
    assert 990 < idle["timeout_ms"] < 1300
    assert "got no answer while others were idle" in text.stdout


# --- what is no server ---------------------------------------------------------------


def drip(server, conn):
    server.head(conn)
    for byte in OK * 1000:
        conn.sendall(bytes([byte]))
        time.sleep(0.2)


def flood(start, piece):
    def handler(server, conn):
        server.head(conn)
        conn.sendall(start)
        while True:
            conn.sendall(piece)
    return handler


def says(what, end=lambda conn: None):
    def handler(server, conn):
        server.head(conn)
        conn.sendall(what)
        end(conn)
        conn.shutdown(socket.SHUT_WR)
        conn.recv(1)
    return handler


GARBAGE = {
    "closes": (lambda server, conn: None, "(closed|reset) the connection without an answer"),
    "resets": (lambda server, conn: reset(conn), "reset the connection without an answer|closed as it was opened|cannot be connected to: Connection reset"),
    "closes_later": (lambda server, conn: server.head(conn) and None, "closed the connection without an answer"),
    "silent": (lambda server, conn: time.sleep(4), "did not answer within 2 s"),
    "endless_header": (flood(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 5000 + b"\r\n"), "header of more than 16 KiB"),
    "endless_line": (flood(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 5000), "header of more than 16 KiB"),
    "endless_body": (flood(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536), "more than 16 MiB"),
    "endless_chunk": (flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", b"x" * 65536), "more than 16 MiB"),
    "endless_extension": (flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536), "more than 16 MiB"),
    "bad_chunk": (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"), "chunks that are not valid"),
    "huge_chunk": (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n"), "chunks that are not valid"),
    "short_body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), "closed the connection within its answer, after 43 bytes"),
    "reset_body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", lambda c: (time.sleep(.1), reset(c), c.close())), "reset the connection within"),
    "http09": (says(b"<html>hello</html>\n"), 'begins with "<html>hello</htm"'),
    "ssh": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not answer in HTTP/1"),
    "control": (says(b"\x1b[2J\x00\xff\n"), r'begins with "\\x1b\[2J\\x00\\xff\\x0a"'),
    "tls": (says(b"\x15\x03\x01\x00\x02\x02\x46"), "answers in TLS: try https://"),
    "http2": (says(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"), "HTTP/2 only"),
    "two_lengths": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), "its Content-Length"),
    "drip": (drip, "had not ended its answer within 2 s"),
}


@pytest.fixture(scope="module")
def garbage():
    """All of them at once, by one process."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        ups = {what: stack.enter_context(Odd(handler)) for what, (handler, _) in GARBAGE.items()}
        found = probe("--max-time", 2, "--body-tests", *(up.url for up in ups.values()))
        found.took = time.monotonic() - began
    found.by = {what: o for what, up in ups.items() for o in found.objects if o["url"] == up.url}
    return found


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage(garbage, what):
    one = garbage.by[what]
    assert re.search(GARBAGE[what][1], one["error"]), one["error"]
    assert one["idle"] is None or one["idle"]["tried"] == 0
    assert one["answer"] is None and f"upclose: {one['url']} {one['error']}\n" in garbage.stderr


def test_garbage_is_bounded(garbage):
    assert garbage.status == 1 and garbage.took < 8
    assert len(garbage.objects) == len(GARBAGE)


def test_garbage_behind_a_good_answer():
    """The first answer is fine, all that follows is not: what can be measured is, and nothing breaks."""
    def handler(server, conn):
        server.head(conn)
        if len(server.heads) > 1:
            flood(b"\xff" * 99, b"\x00" * 65536)(server, conn)
        conn.sendall(OK)
        while True:
            conn.sendall(b"x" * 65536)

    with Odd(handler) as up:
        found = probe("--max-time", 1, "--body-tests", up.url)
    assert found.status == 0 and found.one["answer"]["status"] == 200


def test_tls_to_a_plain_port():
    def handler(server, conn):
        conn.recv(1000)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with Odd(handler) as up:
        found = probe(up.url.replace("http://", "https://"))
    assert found.status == 1 and "try http://" in found.one["error"]


def test_nobody_there():
    found = probe(f"http://127.0.0.1:{free_port()}/", f"http://name.invalid:{free_port()}/")
    assert found.status == 1
    assert all(not o["reached"] and o["error"].startswith("cannot be connected to: ") and o["addr"] is None for o in found.objects)
    assert found.objects[0]["error"].endswith(": Connection refused") or found.objects[1]["error"].endswith(": Connection refused")
    assert {o["url"].split(":")[1] for o in found.objects} == {"//127.0.0.1", "//name.invalid"}


def test_unix_socket(scratch):
    with Odd(keeping(idle=0.4), path=str(scratch / "up.sock")) as up:
        found = probe("--only", "idle,closing", "--samples", 3, up.url).one
    assert (found["unix"], found["addr"], found["port"]) == (str(scratch / "up.sock"), None, None)
    assert found["idle"]["count"] == 3 and 390 < found["idle"]["timeout_ms"] < 600


def test_interrupted():
    """What is known so far is printed."""
    with Odd(keeping(idle=30)) as up:
        p = Probe("--max-time", 25, up.url)
        eventually(lambda: sum(h.startswith("GET") for h in up.heads) > 1008, "all requests are there", 20)
        p.popen.send_signal(signal.SIGINT)
        found = p.wait()
    assert found.status == 0 and found.one["interrupted"] and found.one["error"] is None
    assert found.one["answer"]["status"] == 200 and found.one["idle"]["timeout_ms"] is None and found.one["idle"]["at_least_ms"] < 20000
    assert found.one["requests_per_connection"]["at_least"] == 1000


def test_several_at_once():
    """Each has its object, as soon as it is through; together they take as long as the slowest."""
    began = time.monotonic()
    with Odd(keeping(idle=1.2)) as slow, Odd(keeping(idle=0.3)) as fast:
        found = probe("--only", "idle", slow.url, fast.url)
    assert [o["url"] for o in found.objects] == [fast.url, slow.url] and time.monotonic() - began < 5


def test_progress_elsewhere_than_on_a_terminal():
    with Odd(keeping(idle=30)) as up:
        found = probe("--only", "idle", "--max-time", 5.5, "--samples", 2, up.url)
    assert "2 idle connections" in found.stderr and "\r" not in found.stderr and "\x1b" not in found.stderr


def test_progress_on_a_terminal():
    """One line that is written over, and gone before the result is there."""
    ours, theirs = pty.openpty()
    with Odd(keeping(idle=1.5)) as up:
        child = subprocess.Popen([UPCLOSE, "probe", "--only", "idle", "--samples", "2", up.url], stdout=theirs, stderr=theirs)
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the terminal's end once nobody writes to it
            while part := os.read(ours, 4096):
                seen += part
        os.close(ours)
        assert child.wait() == 0
    before, _, after = seen.decode().rpartition("\r\x1b[K")
    assert "2 requests sent, 2 idle connections, at most" in before and "idle connections" not in after
    assert "idle timeout         1.50 s" in after


@pytest.mark.parametrize("args, why", [
    ([], "which server"),
    (["ftp://127.0.0.1/"], "only http:// and https://"),
    (["127.0.0.1:80"], "begins with http"),
    (["http://"], "not a URL|host is missing"),
    (["http://a b/"], "not a URL|blanks"),
    (["http://127.0.0.1/a b"], "not a URL|blanks"),
    (["http://127.0.0.1/\r\nX: y"], "not a URL|blanks"),
    (["http://me:s3cr3t-hunter2@127.0.0.1/"], "no place for a password"),
    (["http://unix:run/x"], "begins with '/'"),
    (["http://unix:/" + "x" * 200], "at most 107"),
    (["http://unix:/x:y"], "with a '/'"),
    (["--max-time", "0", "http://x/"], "longest wait"),
    (["--max-requests", "x", "http://x/"], "number of requests"),
    (["--samples", "99", "http://x/"], "number of samples"),
    (["--only", "idle,", "http://x/"], "list of tests"),
    (["--only", "bogus", "http://x/"], "list of tests"),
    (["-o", "xml", "http://x/"], "output format"),
    (["-H", "no colon", "http://x/"], "Name: value"),
    (["-H", "Connection: close", "http://x/"], "its own"),
    (["-H", "X: a\r\nY: b", "http://x/"], "control byte"),
    (["--bogus"], "has the options"),
    ([f"http://127.0.0.1:{p}/" for p in range(1, 66)], "at most 64"),
])
def test_usage(args, why):
    found = probe(*args, output=None)
    assert found.status == 2 and not found.stdout and SECRET not in found.stderr
    assert re.search(why, found.stderr), found.stderr


def test_help():
    found = probe("--help", output=None)
    assert found.status == 0 and "--body-tests" in found.stdout and not found.stderr


def test_standard_output_is_gone():
    with Odd(keeping(idle=0.2)) as up, open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([UPCLOSE, "probe", "--only", "idle", up.url], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "cannot write" in done.stderr
