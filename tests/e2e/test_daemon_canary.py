# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's canaries: requests through nginx now and then, counted by what they came to."""
import re
import signal

import pytest
from harness.client import SECRET
from harness.nginx import Route
from harness.proc import eventually
from harness.upclose import run


@pytest.fixture
def site(stage):
    """nginx before a Node; its proxy_read_timeout is 1 s."""

    class Site:
        up = stage.node()
        nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 1s;"))

        def url(self, what):
            return f"http://127.0.0.1:{self.nginx.routes['app'].port}/{what}?token={SECRET}"

    return Site()


def runs(daemon, canary, outcome):
    return daemon.sample("upclose_canary_runs_total", canary=canary, outcome=outcome)


def test_outcomes(stage, site):
    d = stage.daemon({"canaries": [{"name": "good", "url": site.url("ok"), "every": "1s"},
                                   {"name": "slow", "url": site.url("never"), "every": "1s", "host": "shop.test"},
                                   {"name": "impatient", "url": site.url("never"), "timeout": "300ms"}]}, ports=[site.up.port])
    eventually(lambda: runs(d, "good", "answered") >= 2 and runs(d, "slow", "nginx_timeout") >= 1 and runs(d, "impatient", "gave_up") == 1,
               "all have had their runs", 15)
    names = {"answered", "error_answered", "nginx_timeout", "bad_gateway", "nginx_error", "body_truncated", "no_answer", "gave_up",
             "connect_failed"}
    samples = d.samples()
    assert {dict(labels)["outcome"] for name, labels in samples if name == "upclose_canary_runs_total"} == names
    status = {dict(labels)["canary"]: value for (name, labels), value in samples.items() if name == "upclose_canary_last_status"}
    assert status == {"good": 200, "slow": 504, "impatient": 0}
    assert d.sample("upclose_canary_answered", canary="good") == 1 and d.sample("upclose_canary_answered", canary="slow") == 0
    assert 0.99 < d.sample("upclose_canary_last_run_seconds", canary="slow") < 2
    assert d.sample("upclose_canary_last_answered_timestamp_seconds", canary="good") > 1.7e9
    assert d.sample("upclose_canary_last_answered_timestamp_seconds", canary="slow") == 0
    assert d.sample("upclose_canary_run_seconds_total", canary="slow") > 0.99
    # its own traffic is traced like any other
    eventually(lambda: d.sample("upclose_flagged_connections_total", verdict="nginx_timeout"), "the timeout is traced too")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert len(re.findall("canary slow ", d.stderr())) == 1 and "nginx_timeout, 504 after 1." in d.stderr()
    assert "canary good" not in d.stderr() and SECRET not in d.stderr()


def test_a_change_is_logged(stage, site):
    d = stage.daemon({"canaries": [{"name": "front", "url": site.url("ok"), "every": "1s"}]}, ports=[site.up.port])
    eventually(lambda: runs(d, "front", "answered"), "it was answered")
    site.up.kill(signal.SIGSTOP)
    d.wait_stderr("canary front .*: nginx_timeout, 504")
    site.up.kill(signal.SIGCONT)
    d.wait_stderr("canary front .*: answered, 200")


def test_reload(stage, site):
    """Counts stay with their names; others begin and end."""
    first = {"name": "front", "url": site.url("ok"), "every": "1s"}
    d = stage.daemon({"canaries": [first]}, ports=[site.up.port])
    eventually(lambda: runs(d, "front", "answered") >= 2, "some runs")
    before = runs(d, "front", "answered")
    d.reload({"canaries": [{"name": "new", "url": site.url("ok")}, first]})
    assert runs(d, "front", "answered") >= before
    eventually(lambda: runs(d, "new", "answered") == 1, "the new one runs")
    d.write({"canaries": [{"name": "new", "url": "nonsense"}]})
    d.kill(signal.SIGHUP)
    d.wait_stderr("cannot apply the configuration")
    assert runs(d, "new", "answered") is not None
    d.reload({})
    assert runs(d, "front", "answered") is None and runs(d, "new", "answered") is None


@pytest.mark.parametrize("text, line, why", [
    ("canaries:\n  - {name: a, url: nonsense}\n", 2, "canaries[0].url: this URL is not valid: a URL begins with http"),
    ("canaries:\n  - name: a\n    url: http://me:s3cr3t-hunter2@x/\n", 3, "no place for a password"),
    ("canaries:\n  - name: Upper\n    url: http://x/\n", 2, "small letters"),
    ("canaries:\n  - {name: a, url: http://x/}\n  - {name: a, url: http://y/}\n", 3, "the name of another canary"),
    ("canaries:\n  - name: a\n    url: http://x/\n    every: 10ms\n", 4, "canaries[0].every"),
    ("canaries:\n  - name: a\n    url: http://x/\n    timeout: soon\n", 4, "canaries[0].timeout"),
    ("canaries:\n  - name: a\n    url: http://x/\n    host: a b\n", 4, "no blanks"),
    ("canaries:\n  - name: a\n", 2, "url"),
])
def test_configuration(scratch, text, line, why):
    file = scratch / "upclose.yaml"
    file.write_text(text, encoding="ascii")
    done = run("daemon", "--config", file, "--check-config", timeout=10)
    assert done.returncode == 1 and why in done.stderr and f"upclose.yaml:{line}:" in done.stderr and SECRET not in done.stderr, done.stderr
