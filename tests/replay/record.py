#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the recordings of this folder anew: real nginx and upstreams, one connection in each file.

usage: record.py [NAME...]      as root; UPCLOSE names the program, build/upclose by default

Afterwards `run.sh --update UPCLOSE` writes what they print. The fuzzers' seeds are made of some of them.
"""
import os
import re
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import cgroup, faults, proc  # noqa: E402
from harness.nginx import Route  # noqa: E402
from harness.stage import Stage  # noqa: E402
from harness.upclose import run  # noqa: E402

CORPUS = HERE.parent / "fuzz" / "corpus"
SEEDS = ("keepalive_race-request_unacked", "upstream_died-signal", "body_truncated-chunked", "connect_failed-refused")
TEXTS = ("keepalive_race-sent_after_fin", "upstream_died-exit_code", "idle_close-idle", "connect_failed-refused",
         "upstream_closed-deliberate_close-exit")
UP, PORT = "10.77.0.2", 8099  # the far side of a link


class Take:
    """One scenario on a stage of its own; rec() starts the recording, once all is set up."""

    def __init__(self, stage, name):
        self.stage = stage
        self.file = HERE / f"{name}.rec"
        self.trace = None

    def rec(self, nginx, *args, ports=()):
        self.trace = self.stage.upclose("--all", "-w", self.file, *args, ports=ports)
        return nginx

    def node(self, *args, pool="", extra="", keepalive=64, **route):
        up = self.stage.node(*args)
        nginx = self.stage.nginx(app=Route(up.addr, pool=pool, extra=extra, keepalive=keepalive, **route))
        return self.rec(nginx, ports=[up.port]), up

    def raw(self, *scripts, extra="", keepalive=64):
        up = self.stage.raw(*scripts)
        nginx = self.stage.nginx(app=Route(up.addr, extra=extra, keepalive=keepalive))
        return self.rec(nginx, ports=[up.port]), up

    def remote(self, behaviour, **more):
        link = self.stage.link(5, "--remote", behaviour)
        return self.rec(self.stage.nginx(app=Route(f"{UP}:{PORT}", **more), netns=link.ready["a"]), ports=[PORT])


def target(behaviour, query=""):
    return f"/{behaviour}?token={faults.SECRET}{query and '&' + query}"


def provoke(behaviour, log, **how):
    node = how.pop("node", {})

    def scenario(take):
        nginx, up = take.node(**node)
        faults.provoke(nginx, up, behaviour, log, target=target, **how)

    return scenario


def race_after_fin(take):
    nginx, up = take.node()
    faults.race_sent_after_fin(nginx, up, target=target)


def race_unacked(take):
    link = take.stage.link(30)
    up = take.stage.raw("read reply wait close", host=UP, netns=link.ready["b"])
    nginx = take.rec(take.stage.nginx(app=Route(up.addr), netns=link.ready["a"]), ports=[up.port])
    faults.race_unacked(nginx, up, target=target)


def race_unread(take):
    nginx, up = take.raw("read reply unread close")
    faults.race_unread(nginx, up, target=target)


def remote(behaviour, log):
    def scenario(take):
        nginx = take.remote(behaviour)
        with nginx.client() as c:
            if behaviour.startswith("reply"):
                assert c.request("POST", target("ok"), body=b"x").status == 200
            assert c.request("POST", target("ok"), body=b"x").status == 502
        nginx.wait_error(log)

    return scenario


def refused(take):
    bound = take.stage.enter_context(socket.socket())  # bound, but it does not listen
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    nginx = take.rec(take.stage.nginx(app=Route(f"127.0.0.1:{port}")), ports=[port])
    assert nginx.get(target("ok")).status == 502


def no_answer(take):
    nginx = take.remote("silent", extra="proxy_connect_timeout 1500ms;")
    assert nginx.get(target("ok")).status == 504


def body_unread(take):
    server = take.stage.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = server.getsockname()[1]
    nginx = take.rec(take.stage.nginx(app=Route(f"127.0.0.1:{port}")), ports=[port])
    with nginx.client() as c:
        c.send("POST", target("upload"), body=b"u" * 20000)
        conn, _ = server.accept()
        conn.recv(200)
        time.sleep(0.2)
        conn.close()
        assert c.response("POST").status == 502


def in_the_queue(sig):
    def scenario(take):
        nginx, up = take.raw("--deaf")
        with nginx.client() as c:
            c.send("GET", target("ok"))
            proc.eventually(lambda: any(s[0] == up.port and s[3] for s in proc.tcp_sockets()), "the request is there")
            if sig:
                os.kill(up.pid, sig)
            else:
                up.command("unlisten")
            assert c.response().status == 502

    return scenario


def plain_to_other(take):
    nginx, up = take.raw(r"read send:SSH-2.0-upstream\r\n close")
    del up
    nginx.get(target("ok"))


def too_big_header(take):
    nginx, up = take.raw(r"read send:HTTP/1.1\x20200\x20OK\r\nX:" + 2000 * "a" + " hold",
                         extra="proxy_buffer_size 1k; proxy_buffers 4 1k; proxy_busy_buffers_size 2k;")
    del up
    assert nginx.get(target("ok")).status == 502


def invalid_header(take):
    nginx, up = take.raw(r"read send:HTTP/1.1\x20200\x20OK\r\nBad\x01Header:\x201\r\n\r\n hold")
    del up
    assert nginx.get(target("ok")).status == 502


def send_timeout(take):
    nginx, up = take.raw("hold", extra="proxy_send_timeout 500ms;")
    del up
    assert nginx.get(target("upload"), method="POST", body=b"u" * (12 << 20)).status == 504


def client_gone(take):
    nginx, up = take.node()
    c = take.stage.client(nginx)
    c.send("GET", target("never"))
    up.event("request", path="/never")
    c.close()
    nginx.wait_error("client prematurely closed connection")


def idle_close(take):
    nginx, up = take.node("--keepalive", "200")
    with nginx.client() as c:
        for _ in range(3):
            assert c.request("GET", target("ok")).status == 200
        port = up.event("request", path="/ok")["peer_port"]
        proc.eventually(lambda: nginx.sockets(up.port).get(port) is None, "the upstream closed its idle connection")


def complete(take):
    nginx, up = take.node(keepalive=0)
    del up
    assert nginx.get(target("chunked")).status == 200


def worker_killed(take):
    nginx, up = take.node()
    c = take.stage.client(nginx)
    c.send("GET", target("never"))
    up.event("request", path="/never")
    os.kill(nginx.workers()[0], 9)
    take.trace.wait()


def unseen_start(take):
    up = take.stage.raw(r"read send:HTTP/1.1\x20200\x20OK\r\nContent-Length:\x20100\r\n\r\nhalf wait send:more wait close")
    nginx = take.stage.nginx(app=Route(up.addr, extra="proxy_buffering off;"))
    with nginx.client() as c:
        c.send("GET", target("early"))
        up.event("read")
        assert c.sock.recv(4096).endswith(b"half")
        take.rec(nginx, ports=[up.port])
        up.command("go")
        assert c.sock.recv(4096) == b"more"
        up.command("go")
        assert c.sock.recv(4096) == b""
        take.trace.wait()


def out_of_memory(take):
    if cgroup.missing():
        raise proc.subprocess.SubprocessError(cgroup.missing())
    nginx, up = take.node()
    take.stage.enter_context(cgroup.Memory(up.pid, 160 << 20))
    faults.provoke(nginx, up, "oom", faults.CLOSED, target=target)


SCENARIOS = {
    "keepalive_race-sent_after_fin": race_after_fin,
    "keepalive_race-request_unacked": race_unacked,
    "keepalive_race-request_unread": race_unread,
    "upstream_closed-deliberate_close": provoke("destroy", faults.CLOSED, method="POST", warm=1),
    "upstream_closed-deliberate_close-exit": provoke("leave", faults.CLOSED),
    "upstream_closed-request_unread-queue": in_the_queue(None),
    "upstream_closed-request_acked": remote("fin", faults.CLOSED),
    "keepalive_race-request_unacked-remote": remote("reply_fin_unacked", faults.CLOSED),
    "upstream_died-exit_code": provoke("throw", faults.CLOSED),
    "upstream_died-signal": provoke("kill", faults.CLOSED, method="POST", warm=1),
    "upstream_died-signal-queue": in_the_queue(signal.SIGKILL),
    "upstream_died-oom": out_of_memory,
    "upstream_reset-rst": remote("reply_rst_unacked", faults.RESET),
    "request_rejected-body_unread": body_unread,
    "partial_header-header_cut": provoke("header_cut", faults.CLOSED),
    "protocol_mismatch-first_bytes": plain_to_other,
    "connect_failed-refused": refused,
    "connect_failed-timeout": no_answer,
    "body_truncated-content_length": provoke("body_cut", faults.CUT),
    "body_truncated-chunked": provoke("chunk_cut", faults.CUT),
    "nginx_timeout-read_timeout": provoke("never", faults.TIMED_OUT, node={"extra": "proxy_read_timeout 500ms;"}),
    "nginx_timeout-send_timeout": send_timeout,
    "nginx_rejected_response-nginx_closed": too_big_header,
    "nginx_rejected_response-nginx_closed-whole": invalid_header,
    "client_gone-client_closed": client_gone,
    "idle_close-idle": idle_close,
    "complete-response_complete": complete,
    "worker_exited-signal": worker_killed,
    "unknown-unseen_start": unseen_start,
}


def records(data):
    """The wire records of a recording; see include/recording_format.h."""
    at = 24  # behind the file header
    while at < len(data):
        kind, size, _, _ = struct.unpack_from("=IIII", data, at)
        if kind == 1:
            yield data[at + 16:at + 16 + size]
        at += 16 + size


def seeds():
    for kind in ("recording", "decode"):
        shutil.rmtree(CORPUS / kind, ignore_errors=True)
        (CORPUS / kind).mkdir(parents=True)
    for name in SEEDS:
        data = (HERE / f"{name}.rec").read_bytes()
        (CORPUS / "recording" / f"{name}.rec").write_bytes(data)
        (CORPUS / "decode" / f"{name}.bin").write_bytes(b"".join(records(data)))


def record(name):
    with Stage() as stage:
        take = Take(stage, name)
        SCENARIOS[name](take)
        time.sleep(0.1)  # the other end's record
        objects, summary, stderr, status = take.trace.stop()
    assert status == 0 and summary["lost"] == 0, stderr
    data = take.file.read_bytes()
    if len(objects) != 1:
        return False
    assert faults.SECRET.encode() not in data
    assert not re.search(rb"/(root|home)/", data), "use the system's programs, also for Python"
    assert len(data) < 30 << 10, f"{take.file} has {len(data)} bytes"
    verdicts = [f"{o['verdict']}-{o['proof']}" for o in objects]
    again = run("replay", "-o", "json", "--all", take.file)
    assert again.returncode == 0, again.stderr
    take.file.chmod(0o644)
    print(f"{name}: {len(data)} bytes" if verdicts == ["-".join(name.split("-")[:2])] else f"{name}: JUDGED {verdicts}", flush=True)
    return True


def main():
    names = sys.argv[1:] or list(SCENARIOS)
    tempfile.tempdir = tempfile.mkdtemp(prefix=proc.PREFIX)
    try:
        for name in names:
            try:
                while not record(name):
                    print(f"{name}: another nginx was at work here, once more")
            except proc.subprocess.SubprocessError as e:
                print(f"{name}: left as it is: {e}")
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    for name in TEXTS:
        (HERE / f"{name}.txt").touch()
    seeds()


if __name__ == "__main__":
    main()
