# SPDX-License-Identifier: BSD-2-Clause
"""nginx's own test suite as a judge; `make suite` runs all of it, and here is its judge judged."""
import tempfile
from pathlib import Path

import pytest
from suite.judge import Judge, agreement, summary
from suite.run import Ran

HEAD = "2026/11/22 10:26:07"
LOG = f"""\
{HEAD} [debug] 7#7: *1 stream socket 9
{HEAD} [debug] 7#7: *1 connect to 127.0.0.1:8081, fd:9 #2
{HEAD} [error] 7#7: *1 upstream prematurely closed connection while reading response header from upstream, client: 127.0.0.1, \
server: localhost, request: "GET / HTTP/1.0", upstream: "http://127.0.0.1:8081/", host: "localhost"
{HEAD} [debug] 7#7: *1 close http upstream connection: 9
{HEAD} [debug] 7#7: *3 stream socket 9
{HEAD} [debug] 7#7: *3 connect to 127.0.0.1:8082, fd:9 #4
{HEAD} [debug] 7#7: *3 close http upstream connection: 9
{HEAD} [error] 7#7: *5 no live upstreams while connecting to upstream, client: 127.0.0.1, server: localhost, \
request: "GET / HTTP/1.0", upstream: "http://u/", host: "localhost"
"""
START = 1795343167  # the time of HEAD


def told(text, client):
    return {"source": "words", "level": "error", "kind": "", "text": text, "action": "", "client": client}


def connection(second, port, verdict, phase, said=None):
    return {"kind": "connection", "time": f"2026-11-22T10:26:07.{second}00000000Z", "flagged": verdict != "complete", "verdict": verdict,
            "proof": None, "confidence": "proven", "phase": phase, "closed_by": "upstream", "nginx": {"pid": 7, "port": 4000 + second},
            "upstream": {"addr": "127.0.0.1", "port": port}, "exchange": {"number": 1, "method": "GET", "target": "/", "response_bytes": 0},
            "timeline": [{"t_ms": 0, "side": "nginx", "event": "connect"}, {"t_ms": 1, "side": "nginx", "event": "close"}],
            "evidence": ["x"], "nginx_log": said}


def right():
    closed = told("upstream prematurely closed connection while reading response header from upstream", 1)
    return [connection(1, 8081, "upstream_closed", "response_header", closed), connection(2, 8082, "complete", "idle"),
            {"kind": "nginx_log", "time": "2026-11-22T10:26:07.300000000Z", "pid": 7,
             "nginx_log": told("no live upstreams while connecting to upstream", 5)}]


@pytest.fixture
def judged():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "error.log").write_text(LOG)

        def run(objects):
            judge = Judge()
            judge.run(Ran("x.t", "ok", "", START - 1, START + 1), folder, objects)
            return judge

        yield run


def test_agreement(judged):
    judge = judged(right())
    assert agreement(judge), summary(judge)
    assert "1 files, 2 connections, 1 with an error line, 1 error lines without a connection" in summary(judge)


@pytest.mark.parametrize("change, complaint", [
    (lambda o: o[0].update(verdict="nginx_timeout"), "header closed: nginx_timeout"),
    (lambda o: o[0].update(verdict="complete", flagged=False), "header closed: complete"),
    (lambda o: o[1].update(verdict="upstream_closed", flagged=True), "nothing: upstream_closed"),
    (lambda o: o[1].update(nginx_log=o[0]["nginx_log"]), "nothing: nginx did not say of it"),
    (lambda o: o[0].update(nginx_log=None), "header closed: without nginx's words"),
    (lambda o: o.pop(2), "not told"),
    (lambda o: o.append(dict(o[2])), "told of no connection"),
    (lambda o: o.pop(1), "unpaired"),
], ids=["other", "missed", "healthy", "words of another", "no words", "no event", "event twice", "no object"])
def test_disagreement(judged, change, complaint):
    objects = right()
    change(objects)
    judge = judged(objects)
    assert not agreement(judge) and complaint in summary(judge)
