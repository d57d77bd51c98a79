# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's life: readiness, log, reload, lock, end."""
import json
import os
import re
import signal

import pytest
from harness import faults
from harness.client import SECRET
from harness.nginx import Route
from harness.proc import Stopped, eventually
from harness.upclose import assert_contract, run


@pytest.fixture
def site(stage):
    """nginx before two Nodes; site(route) destroys a connection, with the daemons that are on it."""

    class Site:
        ups = {route: stage.node() for route in ("app", "other")}
        nginx = stage.nginx(**{route: Route(up.addr) for route, up in ups.items()})
        ports = {route: up.port for route, up in ups.items()}

        def destroy(self, route="app"):
            return faults.provoke(self.nginx, self.ups[route], "destroy", faults.CLOSED, route=route)

    return Site()


def flagged(daemon, site, route="app", **labels):
    return daemon.sample("upclose_flagged_connections_total", upstream=site.ups[route].addr, **labels) or 0


def wait_flagged(daemon, site, count, route="app", **labels):
    eventually(lambda: flagged(daemon, site, route, **labels) == count, f"{count} flagged on {route}", 10)


def test_life(stage, site):
    """Ready when it traces, a line for each flagged connection without its query, a summary at the end."""
    d = stage.daemon(ports=site.ports.values())
    d.wait_stderr("tracing")  # it is written before READY=1, and read by a thread of the test
    fault = site.destroy()
    line = d.wait_stderr(r"\S+Z upclose_closed.*|\S+Z upstream_closed.*")[0]
    assert f"upstream {site.ups['app'].addr}: node[" in line and "The client got 502." in line
    assert fault.target not in line
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert d.states[-1:] == ["STOPPING=1"]
    assert re.search(r"^1 connections ended, 1 exchanges in .* 1 flagged, 0 lost$", d.stderr(), re.M)
    assert SECRET not in d.stderr()


def test_log_as_json(stage, site):
    """The same object as a trace prints, and the summary."""
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=site.ports.values())
    fault = site.destroy()
    d.wait_stderr("upstream_closed")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    objects = [json.loads(line) for line in d.lines if line.startswith("{")]
    assert [o["kind"] for o in objects] == ["connection", "summary"]
    assert_contract(objects[0])
    assert objects[0]["exchange"]["target"] == fault.target
    assert objects[1]["flagged"] == 1 and SECRET not in d.stderr()


def test_log_is_limited(stage, site):
    d = stage.daemon({"log": {"max_per_second": 1}}, ports=site.ports.values())
    for _ in range(20):
        site.destroy()
    wait_flagged(d, site, 20)
    d.wait_stderr("not logged one by one")
    d.kill(signal.SIGTERM)
    d.wait()
    logged = len(re.findall("upstream_closed, proven", d.stderr()))
    counted = sum(int(n) for n in re.findall(r"(\d+) more flagged", d.stderr()))
    assert logged < 20 and logged + counted <= 20


def test_reload_follows_another_port(stage, site):
    """What is selected changes while it runs; nothing of what was counted is lost."""
    d = stage.daemon(ports=[site.ports["app"]])
    site.destroy("app")
    wait_flagged(d, site, 1, "app")
    site.destroy("other")
    site.destroy("app")
    wait_flagged(d, site, 2, "app")
    assert flagged(d, site, "other") == 0
    d.ports = [site.ports["other"]]
    d.reload({})
    site.destroy("app")
    site.destroy("other")
    wait_flagged(d, site, 1, "other")
    assert flagged(d, site, "app") == 2


def test_reload_adopts_what_is_open(stage, site):
    """A connection that was open before its port was selected is followed from then on."""
    d = stage.daemon(ports=[1])
    with site.nginx.client("app") as c:
        assert faults.exchange(c, "GET", "/ok").status == 200
        d.ports = [site.ports["app"]]
        d.reload({})
        assert d.sample("upclose_open_connections", upstream=site.ups["app"].addr) == 1


def test_reload_keeps_open_connections(stage, site):
    """A connection's past is not forgotten: its second exchange, after three reloads, is known as the second."""
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=site.ports.values())
    up = site.ups["app"]

    def reloads():
        for _ in range(3):
            d.reload({"log": {"to": "stderr", "format": "json"}})

    fault = faults.race_sent_after_fin(site.nginx, up, route="app", between=reloads)
    d.wait_stderr("keepalive_race")
    obj = next(json.loads(line) for line in d.lines if "keepalive_race" in line)
    assert obj["exchange"]["number"] == 2 and obj["nginx"]["port"] == fault.nginx_port and not obj["lossy"]


@pytest.mark.parametrize("broken, patterns", [
    ('{"tracing": {"ports": ["http"]}}', [r"upclose\.yaml:1: tracing\.ports\[0\]", "cannot apply the configuration"]),
    ("{", ["not YAML", "cannot apply the configuration"]),
    ('{"tracing": {"error_log": "/nonexistent/log"}}', ["/nonexistent/log", "cannot apply the configuration"]),
    ('{"metrics": {"listen": "unix:/nonexistent/socket"}}', ["/nonexistent/socket", "cannot apply the configuration"]),
    ('{"metrics": {"tls": {"key": "/nonexistent/key", "certificate": "/dev/null"}}}', ["/nonexistent/key", "cannot apply the configuration"]),
    ('{"metrics": {"tls": {"key": "/dev/null", "certificate": "/dev/null"}}}', ["certificate", "cannot apply the configuration"]),
])
def test_bad_reload_is_refused(stage, site, broken, patterns):
    """Said, told as a metric, and the old configuration works on; the next good one is taken."""
    d = stage.daemon(ports=[site.ports["app"]])
    d.file.write_text(broken, encoding="utf-8")
    d.reload(good=False)
    for pattern in patterns:
        d.wait_stderr(pattern)
    site.destroy()
    wait_flagged(d, site, 1)
    d.reload({})
    assert d.get("/healthz")[0] == 200


def test_reload_says_what_waits(stage):
    d = stage.daemon(ports=[1])
    d.reload({"tracing": {"ring_mib": 8}, "metrics": {"max_upstreams": 7}})
    assert re.findall(r"(\S+) takes effect after a restart", d.stderr()) == ["tracing.ring_mib", "metrics.max_upstreams"]


def test_reload_moves_the_server(stage, site):
    d = stage.daemon(ports=[site.ports["app"]])
    site.destroy()
    wait_flagged(d, site, 1)
    old = d.port
    d.port = next(p for p in range(old + 1, old + 50) if p not in site.ports.values())
    d.reload({})
    assert flagged(d, site) == 1
    d.port = old
    with pytest.raises(OSError):
        d.get()


def test_two_daemons(stage, scratch):
    """The second is refused as long as the first lives, also when that one is killed without a chance to tidy up."""
    d = stage.daemon(ports=[1])
    second = run("daemon", "--config", d.file)
    assert second.returncode == 1 and re.search(rf"another daemon runs here, process {d.pid}\b", second.stderr)
    d.kill(signal.SIGKILL)
    d.wait()
    third = stage.daemon({"runtime_directory": f"{d.dir}/run"}, ports=[1])
    assert third.get("/healthz")[0] == 200


def test_trace_beside_a_daemon(stage, trace, site):
    d = stage.daemon(ports=[site.ports["app"]])
    tr = trace(ports=[site.ports["app"]])
    fault = site.destroy()
    assert tr.wait(target=fault.target)["confidence"] == "proven"
    wait_flagged(d, site, 1)
    tr.stop()
    site.destroy()
    wait_flagged(d, site, 2)


def test_address_in_use(stage):
    d = stage.daemon(ports=[1])
    other = stage.daemon({"metrics": {"listen": f"127.0.0.1:{d.port}"}}, ports=[1], wait=False)
    assert other.wait() == 1
    assert re.search("cannot serve metrics on .*in use.*metrics.listen", other.stderr())


def test_nginx_comes_and_goes(stage, site):
    """nginx reloads, is killed, and another one starts: all are followed."""
    d = stage.daemon(ports=site.ports.values())
    site.destroy()
    wait_flagged(d, site, 1)
    site.nginx.reload()
    site.destroy()
    wait_flagged(d, site, 2)
    for worker in site.nginx.workers():
        os.kill(worker, signal.SIGKILL)
    site.nginx.kill(signal.SIGKILL)
    site.nginx.wait()
    site.nginx = stage.nginx(app=Route(site.ups["app"].addr))
    faults.provoke(site.nginx, site.ups["app"], "destroy", faults.CLOSED)
    wait_flagged(d, site, 3, verdict="upstream_closed")


def test_stopped_reader(stage, site):
    """SIGSTOP: what ends meanwhile waits in the ring, and is told afterwards."""
    d = stage.daemon(ports=[site.ports["app"]])
    with Stopped([d.pid]):
        for _ in range(30):
            site.destroy()
    wait_flagged(d, site, 30)
    assert d.sample("upclose_lost_total") == 0 and d.get("/healthz")[0] == 200


def test_watchdog(stage):
    """systemd's watchdog is fed as long as the loop turns, and not when it does not."""
    d = stage.daemon(ports=[1], env={"WATCHDOG_USEC": "400000"})
    eventually(lambda: d.states.count("WATCHDOG=1") >= 3, "the watchdog is fed", 5)
    with Stopped([d.pid]):
        before = d.states.count("WATCHDOG=1")
    eventually(lambda: d.states.count("WATCHDOG=1") > before, "the watchdog is fed again", 5)
