# SPDX-License-Identifier: BSD-2-Clause
"""The packaged rules and dashboard, and a fault's way through the real Prometheus and Alertmanager."""
import json
import re

import pytest
from harness import faults
from harness.nginx import Route
from harness.prometheus import Alertmanager, Prometheus, promtool
from harness.receiver import Receiver
from harness.upclose import TOP

DAEMON = TOP / "user" / "share"
RULES = DAEMON / "prometheus-rules.yaml"
DASHBOARD = DAEMON / "grafana-dashboard.json"
RULES_TEST = TOP / "tests" / "e2e" / "prometheus_rules_test.yaml"


def test_rules(scratch):
    promtool("check", "rules", RULES)
    test = scratch / "test.yaml"
    test.write_text(RULES_TEST.read_text(encoding="utf-8").replace("RULES", str(RULES)), encoding="utf-8")
    promtool("test", "rules", test)


def test_every_alert_is_tested():
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    tested = RULES_TEST.read_text(encoding="utf-8").split("exp_alerts")
    assert len(alerts) > 8
    assert alerts == {m for part in tested[:-1] for m in re.findall(r"alertname: (\w+)", part)[-1:]}


def test_names_are_the_same():
    """The default rules of upclose, those for Prometheus, the manual and the configuration's comment."""
    source = (TOP / "user" / "core" / "alerts.c").read_text(encoding="utf-8")
    names = set(re.findall(r'\.name = "(\w+)"', source))
    packaged = RULES.read_text(encoding="utf-8").split("name: upclose-alerts")[1].split("name: upclose-nginx")[0]
    assert len(names) == 7 and set(re.findall(r"- alert: (\w+)", packaged)) == names
    assert set(re.findall(r"^\.It (Upclose\w+) Ta", (TOP / "user" / "share" / "man" / "upclose-alerts.7").read_text(encoding="utf-8"), re.M)) == names
    assert set(re.findall(r"Upclose\w+", (DAEMON / "upclose.yaml").read_text(encoding="utf-8"))) == names


def test_scrape_example():
    promtool("check", "config", "--syntax-only", DAEMON / "prometheus-scrape.yaml")


def expressions(panel):
    return [t["expr"] for t in panel.get("targets", [])]


def plain(expr):
    """A dashboard's expression with a value for each of its variables."""
    values = {"job": ".*", "instance": ".*", "upstream": ".*", "__rate_interval": "1m", "__range": "1h"}
    return re.sub(r"\$(\w+)", lambda m: values[m[1]], expr)


def test_dashboard(scratch):
    """Every expression parses, each panel says what it shows, and none covers another."""
    d = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [p for p in d["panels"] if p["type"] != "row"]
    exprs = [plain(e) for p in panels for e in expressions(p)]
    assert len(exprs) > 20
    rules = {"groups": [{"name": "g", "rules": [{"record": f"r{i}", "expr": e} for i, e in enumerate(exprs)]}]}
    (scratch / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    promtool("check", "rules", scratch / "rules.json")
    assert len({p["id"] for p in d["panels"]}) == len(d["panels"])
    cells = set()
    for p in d["panels"]:
        assert p["title"] and (p["type"] == "row" or (p["description"] and expressions(p)))
        g = p["gridPos"]
        covered = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert not covered & cells and max(x for x, _ in covered) < 24
        cells |= covered


def exported(daemon):
    """Names of all series that the daemon may have, by its TYPE lines."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", daemon.get()[2], re.M):
        names |= {name + s for s in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def test_metrics_are_those_of_the_daemon(stage):
    """Rules and dashboard ask for nothing that upclose does not export."""
    names = exported(stage.daemon(ports=[1])) | {"up"}
    text = RULES.read_text(encoding="utf-8")
    recorded = set(re.findall(r"record: (\S+)", text))
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    texts = [e for p in dashboard["panels"] for e in expressions(p)]
    texts += [v["definition"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    used = {n for t in [*texts, text] for n in re.findall(r"(?<![\w:])(?:upclose|process)_\w+", t)}
    assert len(used) > 15
    assert used - names - recorded == set()


@pytest.fixture
def site(stage):
    """nginx before a Node whose process dies when it is asked to."""

    class Site:
        up = stage.node()
        nginx = stage.nginx(app=Route(up.addr))

        def die(self):
            return faults.provoke(self.nginx, self.up, "exit", faults.CLOSED)

    return Site()


def notified(hook, name, status, **labels):
    """Alertmanager's alert of this name as it told the webhook."""
    for n in list(hook.taken):
        for a in n["alerts"]:
            if a["status"] == status and a["labels"]["alertname"] == name and labels.items() <= a["labels"].items():
                return a
    return None


def test_fault_to_notification(stage, site):
    """Alertmanager gets our direct alert and its resolution, and what Prometheus makes of our metrics by the packaged rules."""
    hook = stage.enter_context(Receiver())
    am = stage.enter_context(Alertmanager(hook.url))
    d = stage.daemon({
        "alerts": {"instance": "web1", "rules": [
            {"name": "Died", "verdicts": ["upstream_died"], "window": "2s", "cooldown": "0s", "severity": "critical"}]},
        "sinks": [{"name": "am", "type": "alertmanager", "url": am.url, "retry": "100ms"}],
    }, ports=[site.up.port])
    prom = stage.enter_context(Prometheus(f"127.0.0.1:{d.port}", RULES, am))
    assert site.nginx.get("/ok").status == 200
    prom.wait_query(f'upclose_exchanges_total{{upstream="{site.up.addr}"}} > 0')
    site.die()

    direct = am.wait_alert(alertname="Died")
    assert direct["labels"] == {"alertname": "Died", "severity": "critical", "instance": "web1", "upstream": site.up.addr,
                                "verdict": "upstream_died"}
    said = direct["annotations"]
    assert said["summary"].startswith(f"upstream_died on upstream {site.up.addr}: ")
    assert " ended with exit status 3 " in said["description"] and " Proven by exit_code. 1 connection in all" in said["description"]
    assert "verdict upstream_died, proven, proof exit_code" in said["evidence"]
    assert "upstream  close" in said["timeline"] and said["advice"]
    # the rules that are on by default, too
    default = am.wait_alert(alertname="UpcloseUpstreamDied", instance="web1")
    assert default["labels"]["severity"] == "critical"

    fired = prom.wait_firing("UpcloseUpstreamDied")
    assert fired["labels"] == {"alertname": "UpcloseUpstreamDied", "severity": "critical", "verdict": "upstream_died", "job": "upclose",
                               "instance": f"127.0.0.1:{d.port}", "upstream": site.up.addr}
    am.wait_alert(alertname="UpcloseUpstreamDied", job="upclose")
    prom.wait_query(f'upstream_verdict:upclose_flagged_connections:rate5m{{upstream="{site.up.addr}",verdict="upstream_died"}} > 0')

    first = hook.wait(lambda: notified(hook, "Died", "firing"), "Alertmanager tells of it")
    over = hook.wait(lambda: notified(hook, "Died", "resolved"), "Alertmanager tells of its end")
    assert first["labels"] == over["labels"] and first["startsAt"] == over["startsAt"] < over["endsAt"]
    assert "below its threshold again" in over["annotations"]["summary"]
    assert not am.alerts(alertname="Died") and am.alerts(alertname="UpcloseUpstreamDied", instance="web1")
