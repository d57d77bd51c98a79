# SPDX-License-Identifier: BSD-2-Clause
"""upclose probe against real servers, each with its own defaults: it finds the measured rows of idle-timeouts.json. All servers
are probed by one process at the same time, so the whole takes as long as nginx's 75 s."""
import contextlib
import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import node_versions, servers
from harness.probe import probe
from harness.proc import PREFIX

TOP = Path(__file__).resolve().parents[2]
ROWS = {row["name"]: row for row in json.loads((TOP / "user" / "share" / "idle-timeouts.json").read_text(encoding="ascii"))["servers"]}
MAX = 80  # seconds, the longest wait
OFF_MS = 300

NODE_5S, NODE_6S = "Node.js http before 20.18, 21, 22.0 to 22.8", "Node.js http 20.18+, 22.9+, 23 to 26"
NODES = [*node_versions.VERSIONS, *node_versions.MINORS]


def buffered(version):
    """Node closes a second later than it says. A major version stands for its newest."""
    return version >= 20 if isinstance(version, int) else version in ("20.18", "22.9")


# name: how to start it, its row, and how it behaves besides; of several values any will do
SERVERS = {
    **{f"node{v}": (functools.partial(servers.node, version=v), NODE_6S if buffered(v) else NODE_5S,
                    {"requests_per_connection.at_least": 1000, "closing.lingers": False, "half_close.answered": True}) for v in NODES},
    "gunicorn_gthread": (servers.gunicorn_gthread, "gunicorn gthread/async", {"requests_per_connection.at_least": 1000}),
    "uvicorn": (servers.uvicorn, "uvicorn", {"requests_per_connection.at_least": 1000, "header.nothing_sent.reaction": "none"}),
    "gunicorn_uvicorn": (servers.gunicorn_uvicorn, "gunicorn with uvicorn workers", {"requests_per_connection.at_least": 1000}),
    "aiohttp": (servers.aiohttp, "aiohttp web.run_app", {"requests_per_connection.at_least": 1000}),
    "lighttpd": (servers.lighttpd, "lighttpd", {"requests_per_connection.at_least": 1000}),
    "puma": (servers.puma, "Puma before 7", {"http10.kept_alive": True}),
    "httpd": (servers.httpd, "Apache httpd (event)",
              {"requests_per_connection.count": 101, "closing.lingers": True, "header.half_sent.status": 408}),
    "nginx": (servers.nginx, "nginx as upstream",
              {"requests_per_connection.count": 1000, "requests_per_connection.connection_close": True, "http10.kept_alive": True,
               "header.nothing_sent.reaction": "fin", "header.half_sent.reaction": "fin"}),
    "haproxy": (servers.haproxy, None,  # it has no default
                {"http10.kept_alive": True, "header.nothing_sent.status": 408, "header.half_sent.status": 408}),
    "tomcat": (servers.tomcat, "Tomcat (bundled server.xml)",
               {"requests_per_connection.count": 100, "header.nothing_sent.reaction": "fin"}),
    "gunicorn_sync": (servers.gunicorn_sync, "gunicorn sync worker",
                      # gunicorn 23 answers as it ends its worker, 20 does not
                      {"requests_per_connection.count": 1, "http10.kept_alive": False, "header.nothing_sent.reaction": ("fin", "answer")}),
}
# how long a header may take, in seconds, where the notes of the rows or the server's manual say it
HEADER = {"nginx.nothing_sent": 60, "nginx.half_sent": 60, "haproxy.nothing_sent": 50, "haproxy.half_sent": 50, "tomcat.nothing_sent": 20,
          "tomcat.half_sent": 20, "httpd.half_sent": 20, "puma.nothing_sent": 30, "puma.half_sent": 30, "gunicorn_sync.nothing_sent": 30}


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def measured():
    """Name of the server -> what was found, or what is missing."""
    found, ups = {}, {}
    with contextlib.ExitStack() as stack:
        for name, (start, _, _) in SERVERS.items():
            try:
                ups[name] = stack.enter_context(start(stack.enter_context(folder())))
            except servers.NotInstalled as e:
                found[name] = str(e)
        for up in ups.values():
            up.wait_answers()
        result = probe("--max-time", MAX, *(up.url for up in ups.values()))
    assert result.status == 0
    for name, up in ups.items():
        (found[name],) = [o for o in result.objects if o["url"] == up.url]
    return found


@pytest.fixture
def of(measured):
    def get(name):
        if not isinstance(measured[name], str):
            return measured[name]
        if os.environ.get("UPCLOSE_REQUIRE_BPF") == "1":
            pytest.fail(f"{measured[name]} is required")
        pytest.skip(f"{measured[name]} is not installed")
    return get


@pytest.mark.parametrize("name", [n for n, (_, row, _) in SERVERS.items() if row and n != "gunicorn_sync"])
def test_idle_timeout(of, name):
    """A timer is looked at late now and then, and never early: the shortest time is the timeout."""
    idle, row = of(name)["idle"], ROWS[SERVERS[name][1]]
    want = [1000 * row[key] for key in ("idle_s", "observed_s") if row[key]]
    late = 1000 * row.get("late_s", 0)
    assert any(ms - OFF_MS < idle["min_ms"] < ms + late + OFF_MS for ms in want), idle
    assert (idle["kept_alive"], idle["close"], idle["count"], idle["tried"]) == (True, "fin", 5, 5)
    assert idle["min_ms"] <= idle["timeout_ms"] <= idle["max_ms"] < idle["min_ms"] + 1500
    assert row["name"] in idle["candidates"]


def test_no_idle_timeout(of):
    idle = of("gunicorn_sync")["idle"]
    assert idle["kept_alive"] is False and idle["timeout_ms"] < OFF_MS and idle["candidates"] == ["gunicorn sync worker"]


def test_no_default(of):
    idle = of("haproxy")["idle"]
    assert abs(idle["min_ms"] - 50000) < OFF_MS and idle["candidates"] == []


@pytest.mark.parametrize("version", NODES)
def test_node_advertises_without_its_buffer(of, version):
    one = of(f"node{version}")
    assert one["answer"]["advertised_ms"] == 5000
    assert abs(one["idle"]["advertised_off_ms"] - (1000 if buffered(version) else 0)) < OFF_MS


@pytest.mark.parametrize("name", SERVERS)
def test_behaviour(of, name):
    one = of(name)

    def at(path):
        value = one
        for key in path.split("."):
            value = value[key]
        return value

    want = SERVERS[name][2]
    for path, right in want.items():
        assert at(path) in (right if isinstance(right, tuple) else (right,)), path
    assert one["answer"]["status"] == 200 and one["error"] is None


@pytest.mark.parametrize("what", HEADER)
def test_header_timeout(of, what):
    name, half = what.split(".")
    wait = of(name)["header"][half]
    assert HEADER[what] * 1000 - OFF_MS < wait["timeout_ms"] < HEADER[what] * 1000 + 2000


def test_node_waits_for_header_and_body():
    """By default 60 s and more, so these are shorter."""
    options = "headersTimeout: 1500, requestTimeout: 2500, connectionsCheckingInterval: 200"
    with folder() as scratch, servers.node(scratch, options=options) as up:
        one = probe("--only", "header,body", "--body-tests", "--max-time", 6, up.url).one
    for wait, ms in ((one["header"]["nothing_sent"], 1500), (one["header"]["half_sent"], 1500), (one["body"]["half_sent"], 2500)):
        assert (wait["reaction"], wait["status"], wait["close"]) == ("answer", 408, "fin")
        assert ms - 100 < wait["timeout_ms"] < ms + 200 + OFF_MS


def test_tls():
    with folder() as scratch:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=upclose.test", "-days", "2",
                        "-keyout", scratch / "key.pem", "-out", scratch / "cert.pem"], check=True, capture_output=True)
        extra = f"ssl_certificate {scratch}/cert.pem; ssl_certificate_key {scratch}/key.pem; keepalive_timeout 2s; client_header_timeout 1s;" \
                "client_body_timeout 1s; keepalive_requests 50;"
        with servers.nginx(scratch, " ssl", extra) as up:
            found = probe("--max-time", 4, "--body-tests", up.url.replace("http:", "https:"))
    one = found.one
    assert found.status == 0 and one["tls"] and one["server"].startswith("nginx/") and one["half_close"] is None
    assert 1900 < one["idle"]["timeout_ms"] < 2000 + OFF_MS and (one["idle"]["close"], one["idle"]["count"]) == ("fin", 5)
    assert one["requests_per_connection"] == {"count": 50, "at_least": None, "connection_close": True, "close": "fin"}
    # its clock is that of its last turn, which was before the handshake
    assert all(800 < one["header"][half]["timeout_ms"] < 1000 + OFF_MS for half in ("nothing_sent", "half_sent"))
    assert one["http10"] == {"kept_alive": True} and one["closing"]["close"] == "fin"
