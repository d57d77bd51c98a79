# SPDX-License-Identifier: BSD-2-Clause
"""upclose probe --through: what a request through the real nginx comes to, and who ended it."""
import re
import signal
import subprocess
import time

import pytest
from harness.client import SECRET
from harness.nginx import Nginx
from harness.probe import Odd, Probe, probe, reset
from harness.proc import eventually, free_port
from harness.upclose import UPCLOSE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def upstream(server, conn):
    """The path says what it does."""
    while head := server.head(conn):
        what = head.split(b" ")[1].partition(b"?")[0].strip(b"/").decode()
        if what == "close":
            return
        if what == "reset":
            reset(conn)
            return
        if what == "cut":
            conn.sendall(OK.replace(b"3", b"9999"))
            return
        if what == "500":
            conn.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\noops\n")
            continue
        if what == "504":  # of another gateway behind it
            conn.sendall(b"HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 5\r\n\r\noops\n")
            continue
        if what == "slow":
            time.sleep(0.4)
        if what == "stuck":
            conn.recv(1)
            return
        conn.sendall(OK)


@pytest.fixture(scope="module")
def path():
    """URL of nginx, by the path's first word."""
    port = free_port()
    with Odd(upstream) as up:
        gone = free_port()
        where = f"http://127.0.0.1:{up.listener.getsockname()[1]}"
        conf = f"""
            upstream up {{ server {where[7:]}; keepalive 4; }}
            server {{
                listen 127.0.0.1:{port};
                proxy_read_timeout 1s;
                location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }}
                location /gone {{ proxy_pass http://127.0.0.1:{gone}; }}
                location /pages/ {{ proxy_pass http://127.0.0.1:{gone}; error_page 502 /own; }}
                location /own {{ return 200 "a page of our own"; }}
                location /silent {{ return 444; }}
                location /full {{ return 503; }}
                location /moved {{ return 301 /elsewhere; }}
            }}
        """
        with Nginx(http=conf) as nginx:
            nginx.base = f"http://127.0.0.1:{port}"
            yield nginx


def through(nginx, what, *args):
    return probe("--through", f"{nginx.base}/{what}?token={SECRET}", *args)


@pytest.mark.parametrize("what, outcome, status, ended_by", [
    ("ok", "answered", 200, None),
    ("slow", "answered", 200, None),
    ("moved", "answered", 301, None),
    ("stuck", "nginx_timeout", 504, "nginx"),
    ("close", "bad_gateway", 502, None),
    ("reset", "bad_gateway", 502, None),
    ("gone", "bad_gateway", 502, None),
    ("pages/", "error_answered", 502, None),
    ("500", "error_answered", 500, None),
    ("504", "error_answered", 504, None),
    ("full", "nginx_error", 503, "nginx"),
    ("cut", "body_truncated", 200, None),
    ("silent", "no_answer", None, "nginx"),
])
def test_outcome(path, what, outcome, status, ended_by):
    found = through(path, what, "--max-time", 5)
    one = found.one
    assert (one["kind"], one["outcome"], one["status"], one["ended_by"]) == ("canary", outcome, status, ended_by)
    assert one["url"] == f"{path.base}/{what}" and SECRET not in found.stdout + found.stderr
    assert found.status == 0 and (one["error"] is None) == (outcome not in ("body_truncated", "no_answer"))
    if what == "stuck":  # proxy_read_timeout is 1 s
        assert 990 < one["total_ms"] < 1400 and one["server"].startswith("nginx")
    if what == "slow":
        assert 390 < one["first_byte_ms"] <= one["total_ms"] < 800


def test_it_gives_up_first(path):
    """nginx logs a 499 for it."""
    before = len(path.accesses("^499 "))
    one = through(path, "stuck", "--max-time", 0.4).one
    assert (one["outcome"], one["ended_by"], one["status"]) == ("gave_up", "canary", None) and 390 < one["total_ms"] < 700
    eventually(lambda: len(path.accesses("^499 ")) == before + 1, "nginx has logged it")


def test_nobody_there():
    found = probe("--through", f"http://127.0.0.1:{free_port()}/", "--exit-code")
    assert found.status == 1 and (found.one["outcome"], found.one["error"]) == ("connect_failed", "Connection refused")


@pytest.mark.parametrize("what, status", [("ok", 0), ("stuck", 3), ("500", 3)])
def test_exit_code(path, what, status):
    assert through(path, what, "--exit-code").status == status


def test_again_and_again(path):
    found = through(path, "ok", "--every", 0.2, "-c", 4)
    *runs, summary = found.objects
    starts = [r["time"] for r in runs]
    assert [r["outcome"] for r in runs] == ["answered"] * 4 and starts == sorted(starts)
    assert (summary["kind"], summary["runs"], summary["by_outcome"]["answered"]) == ("canary_summary", 4, 4)
    assert summary["min_ms"] <= summary["median_ms"] <= summary["max_ms"] == max(r["total_ms"] for r in runs)


def test_a_run_that_lasts_skips_its_turn(path):
    """Never two at a time on the same path."""
    began = time.monotonic()
    found = through(path, "slow", "--every", 0.1, "-d", 1.4)
    assert 1.3 < time.monotonic() - began < 2.5 and 2 <= found.objects[-1]["runs"] <= 4


def test_several_paths(path):
    urls = [arg for what in ("ok", "slow", "500") for arg in ("--through", f"{path.base}/{what}")]
    found = probe(*urls, "--every", 0.5, "-c", 2)
    assert found.status == 0
    assert {o["url"].rpartition("/")[2]: o["runs"] for o in found.objects if o["kind"] == "canary_summary"} == {"ok": 2, "slow": 2, "500": 2}


def test_interrupted(path):
    before = len(path.accesses("GET /ok$"))
    p = Probe("--through", f"{path.base}/ok", "--every", 0.2)
    eventually(lambda: len(path.accesses("GET /ok$")) > before + 3, "some runs")
    p.popen.send_signal(signal.SIGTERM)
    found = p.wait()
    assert found.status == 0 and found.objects[-1]["kind"] == "canary_summary" and found.objects[-1]["runs"] > 1


def test_text(path):
    found = probe("--through", f"{path.base}/stuck", "--every", 5, "-c", 1, output="text")
    first, last = found.stdout.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  504 in 1\.\d{3} s  nginx_timeout +http://\S+/stuck: nginx gave up", first)
    assert last.startswith(f"{path.base}/stuck: 1 runs, 1 nginx_timeout; median 1.")


def test_garbage_for_nginx():
    def handler(server, conn):
        server.head(conn)
        conn.sendall(b"\x15\x03\x01" * 99)

    def flood(server, conn):
        server.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        while True:
            conn.sendall(b"x" * 65536)

    with Odd(handler) as garbage, Odd(flood) as endless, Odd(lambda s, c: reset(c)) as resets:
        found = probe(*(a for up in (garbage, endless, resets) for a in ("--through", up.url)), "--max-time", 5)
    by = {o["url"]: o for o in found.objects}
    assert by[garbage.url]["outcome"] == "no_answer" and by[garbage.url]["status"] is None
    assert by[endless.url]["outcome"] == "answered" and by[endless.url]["response_bytes"] > 16 << 20
    assert by[resets.url]["outcome"] in ("no_answer", "connect_failed")


def test_unix_socket_and_header(scratch):
    with Odd(upstream, path=str(scratch / "front.sock")) as up:
        found = probe("--through", up.url, "-H", "Host: app.test", "--head")
        assert up.heads[0].startswith("HEAD /x HTTP/1.1\r\n") and "Host: app.test\r\n" in up.heads[0] and "User-Agent: upclose-canary/" in up.heads[0]
    assert found.one["outcome"] == "answered" and found.one["url"] == up.url


@pytest.mark.parametrize("args, why", [
    (["--through", "x"], "begins with http"),
    (["--through", "http://x/", "http://y/"], "one of them"),
    (["--every", "1", "http://x/"], "for --through"),
    (["--exit-code", "http://x/"], "for --through"),
    (["--through", "http://x/", "-c", "3"], "need --every"),
    (["--through", "http://x/", "--only", "idle"], "one request"),
    (["--through", "http://x/", "--every", "0"], "interval"),
    (["--through", "http://x/", "--every", "1", "-d", "-1"], "duration"),
    (["--through", "http://x/", "--every", "1", "-c", "0"], "count"),
])
def test_usage(args, why):
    found = probe(*args, output=None)
    assert found.status == 2 and not found.stdout and re.search(why, found.stderr), found.stderr


def test_standard_output_is_gone():
    with Odd(upstream) as up, open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([UPCLOSE, "probe", "--through", up.url, "--every", "0.1"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=20)
    assert done.returncode == 1 and "cannot go on" in done.stderr


def test_name_that_does_not_resolve():
    found = probe("--through", "http://name.invalid/", "--max-time", 3)
    assert found.status == 1 and found.one["outcome"] == "connect_failed" and "resolve" in found.one["error"].lower()
