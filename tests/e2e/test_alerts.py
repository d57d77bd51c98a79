# SPDX-License-Identifier: BSD-2-Clause
"""From a fault behind nginx to whoever is woken by it: what an alert says, and that it arrives on bad days too."""
import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import faults
from harness.client import SECRET
from harness.journal import Journal
from harness.nginx import Route
from harness.otlp import records, request_class
from harness.proc import eventually
from harness.prometheus import Alertmanager
from harness.receiver import Receiver, quiet
from harness.upclose import assert_contract, run


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
    assert " Proven by deliberate_close. 1 connection in all: 1 with an error for nginx's client." in firing["description"]
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
        site.close()
        eventually(lambda n=n: d.sample("upclose_flagged_connections_total", verdict="upstream_closed") == n, "it traces")
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
        d.wait_stderr(f"sink hook-{name} delivers again")


def test_threads_have_no_capability(stage, site, receiver):
    d = stage.daemon(config([webhook(receiver), {"name": "j", "type": "journal"}]), ports=[site.up.port])
    tasks = [p.read_text(encoding="ascii") for p in Path(f"/proc/{d.pid}/task").glob("*/status") if p.parent.name != str(d.pid)]
    assert len(tasks) == 2
    assert all(re.search(r"^CapEff:\t0{16}$", t, re.M) and re.search(r"^CapPrm:\t0{16}$", t, re.M) for t in tasks)


def test_page(stage, site, receiver):
    """The page tells what fires, and which sink does not deliver and why."""
    bad = stage.enter_context(Receiver(500))
    d = stage.daemon(config([webhook(receiver), webhook(bad, name="bad")], rule(window="1h")), ports=[site.up.port])
    text = d.get("/")[2]
    assert "id=alerts" not in text and "not used yet" in text
    site.close()
    receiver.wait_alerts(status="firing")
    bad.wait_requests(1)
    row = eventually(lambda: re.search(r'<tr><td class="bad">firing</td><td class="l">Closed</td>.*', d.get("/")[2]), "the alert is on it")[0]
    assert "critical" in row and f"upstream_closed on upstream {site.up.addr}: 1 connection within 1 h" in row
    eventually(lambda: "it answers 500" in d.get("/")[2] and "delivers" in d.get("/")[2], "the sinks are on it")


def test_journal(stage, site):
    """An entry for the connection by the log, and for the alert and its end by the sink, with a field for each fact."""
    journal = stage.enter_context(Journal())
    d = stage.daemon(config([{"name": "j", "type": "journal"}]) | {"log": {"to": "journal"}}, ports=[site.up.port], prefix=journal.prefix)
    fault = site.close()
    entry = journal.wait(UPCLOSE_KIND="connection")
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("4", "upclose")
    assert entry["UPCLOSE_VERDICT"] == "upstream_closed" and entry["UPCLOSE_EXCHANGE_TARGET"] == fault.target
    firing = journal.wait(UPCLOSE_KIND="alert", UPCLOSE_STATUS="firing")
    assert firing["PRIORITY"] == "2" and firing["MESSAGE"].startswith(f"alert Closed firing: upstream_closed on upstream {site.up.addr}")
    assert (firing["UPCLOSE_NAME"], firing["UPCLOSE_SEVERITY"], firing["UPCLOSE_UPSTREAM"]) == ("Closed", "critical", site.up.addr)
    assert firing["UPCLOSE_NUMBERS_TOTAL"] == "1" and "upstream  close" in firing["UPCLOSE_TIMELINE"]
    assert not [name for name in firing if name.startswith("UPCLOSE_EXAMPLE")]
    resolved = journal.wait(UPCLOSE_KIND="alert", UPCLOSE_STATUS="resolved")
    assert resolved["PRIORITY"] == "5" and resolved["UPCLOSE_FINGERPRINT"] == firing["UPCLOSE_FINGERPRINT"]
    quiet(d, "j")
    assert SECRET not in str(journal.entries)


def test_otlp(stage, site, receiver):
    """Flagged connections and alerts as a collector gets them, held against the protocol."""
    request = request_class()
    stage.daemon(config([{"name": "col", "type": "otlp", "url": receiver.url}]), ports=[site.up.port])
    site.exchange()
    fault = site.close()
    receiver.wait(lambda: "resolved" in str(receiver.taken), "the alert's end")
    found = [r for obj in receiver.taken for r in records(obj, request)]
    assert [path for path, *_ in receiver.requests] == ["/v1/logs"] * len(receiver.requests)
    assert [r.event_name for _, r, _ in found] == ["upclose.connection", "upclose.alert", "upclose.alert"]
    for resource, record, _ in found:
        assert resource["service.name"] == "upclose" and resource["service.version"] and resource["host.name"] == "web1"
        assert abs(record.time_unix_nano / 1e9 - time.time()) < 60 and record.body.string_value
    (_, connection, a), (_, firing, b), (_, resolved, c) = found
    assert (connection.severity_number, connection.severity_text) == (17, "error")  # the client got one
    assert (firing.severity_number, resolved.severity_number) == (18, 10)
    assert a["upclose.verdict"] == "upstream_closed" and a["upclose.proof"] == "deliberate_close"
    assert (a["server.address"], a["server.port"]) == (site.up.host, site.up.port) and a["upclose.upstream.pid"] == site.up.pid
    assert (a["http.request.method"], a["url.path"]) == ("POST", fault.target)
    assert a["error.type"] == a["upclose.verdict"]
    assert a["upclose.exchange.reused"] is True and type(a["upclose.exchange.waited_ms"]) is float
    assert any("upstream  close" in line for line in a["upclose.timeline"]) and a["upclose.advice"]
    assert (b["upclose.name"], b["upclose.status"], b["upclose.upstream"]) == ("Closed", "firing", site.up.addr)
    assert c["upclose.status"] == "resolved" and b["upclose.fingerprint"] == c["upclose.fingerprint"]
    assert SECRET not in str(receiver.taken)


def again(stage, daemon, site, **more):
    """A daemon after this one, in the same folders."""
    return stage.daemon({k: v for k, v in daemon.config.items() if k != "metrics"} | more, ports=[site.up.port])


def test_command(stage, site, scratch):
    """A command runs behind the daemon's system call filter, as its user and with no capability."""
    scratch.chmod(0o777)
    script = f'{{ cat; echo; env; id -u; grep CapEff /proc/self/status; }} >>{scratch}/$UPCLOSE_STATUS'
    d = stage.daemon(config([{"name": "run", "type": "exec", "command": ["/bin/sh", "-c", script]}]), ports=[site.up.port])
    site.close()
    eventually(lambda: d.sample("upclose_sink_delivered_total", sink="run") == 2, "it ran twice", 10)
    lines = (scratch / "firing").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["status"] == "firing" and f"UPCLOSE_UPSTREAM={site.up.addr}" in lines
    assert int(lines[-2]) != 0 and re.fullmatch(r"CapEff:\t0{16}", lines[-1])
    assert (scratch / "resolved").exists() and not [line for line in lines if line.startswith("NOTIFY_SOCKET")]


def test_kill_and_restart(stage, site, receiver):
    """What could not be delivered outlives kill -9, and arrives once."""
    receiver.mood = "hang"
    d = stage.daemon(config([webhook(receiver, timeout="10s")], rule(window="1h")), ports=[site.up.port])
    site.close()
    receiver.wait_requests(1)
    eventually(lambda: d.sample("upclose_sink_spool_bytes", sink="hook"), "it is on the disk")
    d.kill(signal.SIGKILL)
    assert d.wait() == -signal.SIGKILL
    receiver.mood = "take"
    d2 = again(stage, d, site)
    (alert,) = receiver.wait_alerts(status="firing")
    assert alert["id"] == receiver.requests[0][2]["id"]
    assert "1 documents wait in its spool" in d2.stderr()
    quiet(d2, "hook")
    assert d2.sample("upclose_sink_spool_bytes", sink="hook") == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_end_is_told_after_a_restart(stage, site, receiver, sig):
    """What fired before is resolved by the next daemon: by its rule, or at once where that is gone."""
    d = stage.daemon(config([webhook(receiver)], rule("Stays", window="4s"), rule("Goes", window="1h"), rule("Long", window="1h")),
                     ports=[site.up.port])
    site.close()
    first = {a["name"]: a for a in receiver.wait_alerts(3, status="firing")}
    quiet(d, "hook")
    d.kill(sig)
    d.wait()
    rules = config([webhook(receiver)], rule("Stays", window="4s"), rule("Long", window="1h"))["alerts"]
    d2 = again(stage, d, site, alerts=rules)
    assert "3 alerts fired when upclose ended" in d2.stderr()
    over = {a["name"]: a for a in receiver.wait_alerts(2, status="resolved")}
    for name, why in (("Goes", "its rule was changed or removed"), ("Stays", "no more of it since upclose restarted")):
        assert over[name]["summary"] == f"upstream_closed on upstream {site.up.addr}: {why}"
        assert over[name]["fingerprint"] == first[name]["fingerprint"]
        assert over[name]["starts_at"] == first[name]["starts_at"] < over[name]["ends_at"]
        assert over[name]["numbers"]["total"] == 0 and over[name]["numbers"]["first"] is None
    d2.wait_sample("upclose_alerts", 1, rule="Long", state="firing")
    assert len(receiver.taken) == 5


def test_damaged_spool(stage, site, receiver):
    """It is set aside and said, and is no reason not to trace."""
    d = stage.daemon(config([webhook(receiver)]), ports=[site.up.port])
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    spool = Path(d.config["state_directory"]) / "sinks" / "hook.spool"
    assert spool.exists()
    spool.write_bytes(b"not what it was")
    d2 = again(stage, d, site)
    assert "its spool was damaged, and is kept as" in d2.stderr()
    assert spool.with_suffix(".spool.damaged").read_bytes() == b"not what it was"
    site.close()
    receiver.wait_alerts(status="firing")


def test_full_disk(stage, site, receiver, scratch):
    """No room in the state folder: alerts go out as ever, what cannot wait is counted, and the disk is used again once it has room."""
    down = stage.enter_context(Receiver(503))
    scratch.chmod(0o711)
    state = scratch / "state"
    state.mkdir()
    mount = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=32k none "{state}" && exec "$@"', "sh"]
    sinks = [webhook(receiver), webhook(down, name="down", queue=3, retry_max="100ms")]
    d = stage.daemon(config(sinks, rule(window="1s")) | {"state_directory": str(state)}, ports=[site.up.port], prefix=mount)
    inside = Path(f"/proc/{d.pid}/root{state}")  # its mount
    subprocess.run(["dd", "if=/dev/zero", f"of={inside}/filler", "bs=4k"], capture_output=True, check=False)
    for n in range(1, 4):
        site.close()
        receiver.wait_alerts(n, status="resolved")
    # of six some are kept: in memory, and in what is left of the file's last page
    quiet(d, "hook")
    eventually(lambda: sum(d.sample(f"upclose_sink_{n}", sink="down") for n in ("dropped_total", "waiting_documents")) == 6, "all are counted")
    dropped = d.sample("upclose_sink_dropped_total", sink="down", reason="queue_full")
    assert dropped >= 1
    assert d.sample("upclose_sink_dropped_total", sink="hook") == 0
    assert len(re.findall(r"sink down: cannot write \S+: No space left on device; what waits is kept in memory", d.stderr())) == 1
    assert len(re.findall("cannot keep in .* what fires: No space left", d.stderr())) == 1

    (inside / "filler").unlink()
    eventually(lambda: (inside / "sinks" / "down.spool").stat().st_size > 4096, "the disk is used again", 15)
    site.close()
    receiver.wait_alerts(4, status="firing")
    eventually(lambda: (inside / "firing.json").exists(), "what fires is kept again")
    down.mood = "take"
    receiver.wait_alerts(4, status="resolved")
    down.wait(lambda: len(down.taken) == 8 - dropped, "all that waited arrives")
    sent, got = [a["id"] for a in receiver.taken], [a["id"] for a in down.taken]
    assert len(sent) == len(set(sent)) == 8 and got == [i for i in sent if i in got] and got[-2:] == sent[-2:]
    assert d.alive() and d.sample("upclose_lost_total") == 0


def test_disk_full_at_the_start(stage, site, receiver, scratch):
    """It traces and alerts all the same."""
    mount = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=4k none "{scratch}" && echo > "{scratch}/filler" && exec "$@"', "sh"]
    d = stage.daemon(config([webhook(receiver)]) | {"state_directory": str(scratch)}, ports=[site.up.port], prefix=mount)
    d.wait_stderr("No space left")
    d.wait_stderr("what waits is kept in memory alone")
    site.close()
    receiver.wait_alerts(status="resolved")
    assert d.sample("upclose_sink_dropped_total", sink="hook") == 0


def test_overflow_is_counted(stage, site):
    receiver = stage.enter_context(Receiver("hang"))
    sink = {"name": "col", "type": "otlp", "url": receiver.url, "queue": 3, "spool_mib": 0, "timeout": "60s"}
    d = stage.daemon(config([sink]), ports=[site.up.port])
    for n in range(10):
        site.close()
        receiver.wait_requests(1) if n == 0 else None
    eventually(lambda: d.sample("upclose_sink_dropped_total", sink="col", reason="queue_full") >= 7, "drops are counted")
    d.wait_sample("upclose_flagged_connections_total", 10, verdict="upstream_closed")
    assert d.sample("upclose_sink_waiting_documents", sink="col") == 3


def test_reload(stage, site, receiver):
    """A rule that did not change goes on firing; what fires by one that went is resolved; new sinks get what comes."""
    other = stage.enter_context(Receiver())
    stays, goes = rule("Stays", window="1h"), rule("Goes", window="1h")
    d = stage.daemon(config([webhook(receiver)], stays, goes), ports=[site.up.port])
    site.close()
    receiver.wait_alerts(2, status="firing")
    d.reload(config([webhook(receiver), webhook(other, name="other")], stays, rule("New", window="1h")))
    (resolved,) = receiver.wait_alerts(status="resolved")
    assert resolved["name"] == "Goes" and "its rule was changed or removed" in resolved["summary"]
    d.wait_sample("upclose_alerts", None, rule="Goes")
    assert d.sample("upclose_alerts", rule="Stays", state="firing") == 1
    d.wait_sample("upclose_sink_delivered_total", 3, sink="hook")
    site.close()
    (new,) = other.wait_alerts(name="New")
    assert new["numbers"]["total"] == 1 and receiver.wait_alerts(name="New") == [new]
    d.wait_sample("upclose_sink_delivered_total", 4, sink="hook")  # its counter went on
    assert len(other.taken) == 1
    # a bad one changes nothing
    d.reload(config([{"name": "x", "type": "webhook"}], stays), good=False)
    d.wait_sample("upclose_alerts", 1, rule="New", state="firing")
    assert "sinks[0].url: wants one of url and url_from" in d.stderr()


def test_resent_to_alertmanager(stage, site):
    """What fires stays active beyond Alertmanager's resolve_timeout, and is gone soon after the daemon is."""
    hook = stage.enter_context(Receiver())
    am = stage.enter_context(Alertmanager(hook.url, resolve_timeout="2s"))
    sink = {"name": "am", "type": "alertmanager", "url": am.url, "resend": "1s", "min_severity": "warning"}
    d = stage.daemon(config([sink], rule(window="1h"), rule("Quiet", window="1h", severity="info")), ports=[site.up.port])
    site.close()
    first = am.wait_alert(alertname="Closed")
    eventually(lambda: am.alerts(alertname="Closed") and d.sample("upclose_sink_delivered_total", sink="am") >= 4, "it is sent again")
    assert am.alerts(alertname="Closed")[0]["startsAt"] == first["startsAt"]
    assert not am.alerts(alertname="Quiet")
    d.kill(signal.SIGKILL)
    eventually(lambda: not am.alerts(), "Alertmanager forgets it", 10)


def test_repeated(stage, site, receiver):
    """Said again while it fires, where that is wanted."""
    stage.daemon(config([webhook(receiver)], rule(window="1h", repeat="500ms")), ports=[site.up.port])
    site.close()
    first, *more = receiver.wait(lambda: len(receiver.taken) >= 3 and list(receiver.taken), "it is said again")
    assert not first["repeat"] and all(a["repeat"] and a["fingerprint"] == first["fingerprint"] for a in more)
    assert len({a["id"] for a in [first, *more]}) == 1 + len(more)


def openssl(*args, cwd):
    subprocess.run(["openssl", *args], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def certificates(scratch):
    """ca.pem, and site.pem with site.key, which is for 127.0.0.1 and signed by it; other.pem is somebody else's."""
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
                "-subj", f"/CN=test {name}", cwd=scratch)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "site.key", "-out", "site.csr", "-subj", "/CN=site", cwd=scratch)
    (scratch / "ext").write_text("subjectAltName=IP:127.0.0.1", encoding="ascii")
    openssl("x509", "-req", "-in", "site.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "ext", "-out", "site.pem", cwd=scratch)
    scratch.chmod(0o755)
    return scratch


def test_test_alert(scratch, certificates, stage):
    """Each sink's way out is tried: what it said is printed, and the status tells whether all of them took it. TLS is verified."""
    good, bad = stage.enter_context(Receiver()), stage.enter_context(Receiver(500))
    tls = stage.enter_context(Receiver(tls=(certificates / "site.pem", certificates / "site.key")))
    token = scratch / "token"
    token.write_text("s3cr3t-token\n", encoding="ascii")
    sinks = {
        "good": webhook(good, bearer_token={"file": str(token)}),
        "bad": webhook(bad),
        "trusted": webhook(tls, ca_file=str(certificates / "ca.pem")),
        "stranger": webhook(tls, ca_file=str(certificates / "other.pem")),
        "system": webhook(tls),
        "script": {"type": "exec", "command": ["/bin/sh", "-c", f"cat >>{scratch}/out; echo $UPCLOSE_STATUS >>{scratch}/out"]},
        "missing": webhook(good, bearer_token={"file": "/nonexistent/token"}),
    }
    file = scratch / "upclose.yaml"
    scratch.chmod(0o777)  # the daemon's user does all of this

    def run_test(names):
        file.write_text(json.dumps({"sinks": [sinks[n] | {"name": n} for n in names]}), encoding="utf-8")
        done = run("daemon", "--config", file, "--test-alert", timeout=30)
        assert "s3cr3t" not in done.stdout + done.stderr
        return done, dict(re.findall(r"^(\w+) \(\w+\): (.*)$", done.stdout, re.M))

    done, said = run_test(["good", "trusted", "script"])
    assert done.returncode == 0 and done.stderr == ""
    assert all(s.startswith("delivered, ") for s in said.values()) and len(said) == 3
    assert [a["status"] for a in good.taken] == ["firing", "resolved"] and all(a["test"] for a in good.taken)
    assert good.requests[0][1]["Authorization"] == "Bearer s3cr3t-token"
    assert "nothing has happened" in good.taken[0]["description"]
    out = (scratch / "out").read_text(encoding="utf-8")
    assert "firing" in out and "resolved" in out

    done, said = run_test(["good", "bad", "stranger", "system", "missing"])
    assert done.returncode == 1
    assert said.pop("good").startswith("delivered, ")
    assert all(s.startswith("NOT delivered: ") for s in said.values())
    assert "it answers 500" in said["bad"] and "/nonexistent/token: No such file" in said["missing"]
    assert "certificate" in said["stranger"].lower() and "certificate" in said["system"].lower()
    assert len(tls.taken) == 2

    file.write_text("", encoding="utf-8")
    done = run("daemon", "--config", file, "--test-alert", timeout=30)
    assert done.returncode == 1 and "has no sinks" in done.stderr
