# SPDX-License-Identifier: BSD-2-Clause
"""From a fault behind nginx to whoever is woken by it: what an alert says, and that it arrives on bad days too."""
import re

import pytest
from harness import faults
from harness.client import SECRET
from harness.nginx import Route
from harness.proc import eventually
from harness.receiver import Receiver, quiet
from harness.upclose import assert_contract


@pytest.fixture
def receiver(stage):
    return stage.enter_context(Receiver())


@pytest.fixture
def site(stage):
    """nginx before a Node; site.close() has it close a connection without an answer."""

    class Site:
        up = stage.node()
        nginx = stage.nginx(app=Route(up.addr))

        def close(self):
            return faults.provoke(self.nginx, self.up, "destroy", faults.CLOSED, method="POST")  # which nginx does not repeat

        def exchange(self):
            assert self.nginx.get("/ok").status == 200

    return Site()


def rule(name="Closed", **more):
    return {"name": name, "verdicts": ["upstream_closed"], "window": "1s", "cooldown": "0s", "severity": "critical"} | more


def webhook(receiver, **more):
    return {"name": "hook", "type": "webhook", "url": receiver.url + "/hook?x=1", "retry": "50ms", "retry_max": "200ms"} | more


def config(sinks, *rules):
    return {"alerts": {"instance": "web1", "defaults": False, "rules": list(rules) or [rule()]}, "sinks": sinks}


def test_alert_and_resolution(stage, site, receiver):
    """The whole text of both, with the connection as its example."""
    stage.daemon(config([webhook(receiver)], rule(share="1%", window="2s")), ports=[site.up.port])
    site.exchange()
    fault = site.close()
    (firing,) = receiver.wait_alerts(status="firing")
    path, headers, _ = receiver.requests[0]
    assert path == "/hook?x=1" and headers["Idempotency-Key"] == firing["id"]
    assert (firing["schema"], firing["kind"], firing["repeat"], firing["test"]) == (1, "alert", False, False)
    assert (firing["name"], firing["severity"], firing["instance"]) == ("Closed", "critical", "web1")
    assert (firing["upstream"], firing["verdict"]) == (site.up.addr, "upstream_closed")
    assert firing["ends_at"] is None
    assert firing["summary"].startswith(f"upstream_closed on upstream {site.up.addr}: 1 connection within 2 s, ")
    assert "1 with an error for nginx's client" in firing["description"] and "proven" in firing["description"]
    assert firing["advice"] == firing["example"]["advice"] != []
    assert firing["evidence"][0].startswith("verdict upstream_closed, proven, proof ")
    assert any("close" in line and "upstream" in line for line in firing["timeline"])
    numbers = firing["numbers"]
    assert (numbers["connections"], numbers["total"], numbers["window_ms"]) == (1, 1, 2000)
    assert numbers["exchanges"] in (1, 2) and numbers["share"] == 1 / numbers["exchanges"]
    assert numbers["by_verdict"] == {"upstream_closed": 1} and numbers["by_outcome"]["client_error"] == 1
    assert_contract(firing["example"])
    assert firing["example"]["exchange"]["target"] == fault.target
    assert SECRET not in str(receiver.taken)

    (resolved,) = receiver.wait_alerts(status="resolved")
    assert resolved["fingerprint"] == firing["fingerprint"] and resolved["id"] != firing["id"]
    assert resolved["starts_at"] <= resolved["ends_at"] == resolved["time"]
    assert resolved["summary"] == f"upstream_closed on upstream {site.up.addr}: below its threshold again after 1 connection"
    assert len(receiver.taken) == 2


def test_bad_days(stage, site):
    """However a receiver fails: nothing is lost, nothing comes twice, and tracing goes on meanwhile."""
    receivers = {str(m): stage.enter_context(Receiver(m)) for m in ("hang", "reset", 500, 429, 302)}
    sinks = [webhook(r, name=f"hook-{name}", timeout="200ms") for name, r in receivers.items()]
    d = stage.daemon(config(sinks), ports=[site.up.port])
    rounds = 2
    for n in range(1, rounds + 1):
        for _ in range(3):
            site.close()
        eventually(lambda n=n: d.sample("upclose_flagged_connections_total", verdict="upstream_closed") == 3 * n, "it traces")
        eventually(lambda n=n: d.sample("upclose_sink_waiting_documents") == 2 * n * len(sinks), "alerts and resolutions wait", 10)
    for name, receiver in receivers.items():
        receiver.wait_requests(3)
        assert receiver.taken == []
        assert d.sample("upclose_sink_failed_attempts_total", sink=f"hook-{name}") >= 3
        receiver.mood = "take"
    for name, receiver in receivers.items():
        receiver.wait_alerts(rounds, status="resolved")
        quiet(d, f"hook-{name}")
        assert [a["status"] for a in receiver.taken] == ["firing", "resolved"] * rounds
        assert len({a["id"] for a in receiver.taken}) == 2 * rounds
        assert d.sample("upclose_sink_delivered_total", sink=f"hook-{name}") == 2 * rounds
        assert d.sample("upclose_sink_dropped_total", sink=f"hook-{name}") == 0
        assert len(re.findall(f"sink hook-{name} .* does not deliver", d.stderr())) == 1
        assert f"sink hook-{name} delivers again" in d.stderr()
