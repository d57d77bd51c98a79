# SPDX-License-Identifier: BSD-2-Clause
"""upclose check on configurations: its rules, its outputs, its policy, and input that means harm."""
import difflib
import json
import os
import re
import resource
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from harness.nginx import NGINX
from harness.upclose import UPCLOSE, run

CORPUS = Path(__file__).resolve().parents[1] / "check"
PROXY = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def check(*args, **options):
    return run("check", *args, **options)


def objects(result):
    assert result.returncode in (0, 3), result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def findings(result):
    return [o for o in objects(result) if o["kind"] == "finding"]


def http(tmp, text):
    """A main file whose http{} holds this text."""
    file = tmp / "nginx.conf"
    file.write_text(f"events {{}}\nhttp {{\n{text}\n}}\n", encoding="utf-8")
    return file


# --- a corpus of real-world style configurations ------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(d.name for d in CORPUS.iterdir()))
def test_corpus(name):
    folder = CORPUS / name
    want = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
    args = [a.replace("{dir}", str(folder)) for a in want["args"]]
    got = check("-o", "json", *args, cwd=folder)
    assert got.returncode == want["status"], got.stderr
    found = objects(got)
    assert [[o[k] for k in ("rule", "severity", "file", "line", "upstream")] for o in found if o["kind"] == "finding"] == want["findings"]
    kept = {}
    for o in found:
        if o["kind"] == "contract":
            kept.setdefault(o["upstream"] or "null", []).append(o["keepalive"])
    assert kept == kept | want.get("keepalive", {})
    summary = found[-1]
    assert summary["kind"] == "check_summary"
    assert [f"{s['file']}:{s['line']}" for s in summary["skipped"]] == want.get("skipped", [])
    everything = got.stdout + got.stderr
    for how in ([], ["--fix"], ["-o", "sarif"]):
        other = check(*how, *args, cwd=folder)
        assert other.returncode == want["status"] or how == ["--fix"]
        everything += other.stdout + other.stderr
    for secret in want.get("never", []):
        assert secret not in everything


@pytest.mark.parametrize("version", ["1.9.0", "1.14.2", "1.15.3", "1.18.0", "1.22.1", "1.29.6", "1.29.7"])
@pytest.mark.parametrize("name", sorted(d.name for d in CORPUS.iterdir()))
def test_fix_settles(name, version, scratch):
    """A diff applied leaves nothing that a diff could mend, and brings no finding that was not there."""
    folder = shutil.copytree(CORPUS / name, scratch / name)
    args = json.loads((folder / "expect.json").read_text(encoding="utf-8"))["args"]
    args = [a.replace("{dir}", str(folder)) for a in args]
    for option in ("--from", "--to", "--version-of"):
        if option in args:
            del args[args.index(option):args.index(option) + 2]
    args += ["--version-of", version, "--upstream", "*=5", "--client-timeout", "30", "--balancer-idle", "90"]

    def found():
        return findings(check("-o", "json", *args, cwd=folder))

    before = {(f["rule"], f["upstream"]) for f in found()}
    diff = subprocess.run([UPCLOSE, "check", "--fix", *args], capture_output=True, cwd=folder, check=False)
    if diff.returncode == 0 or b"not shown" in diff.stderr or b"in the way" in diff.stderr:
        return
    subprocess.run(["patch", "-p1", "-s", "--binary"], input=diff.stdout, cwd=folder, check=True)
    after = found()
    assert [f["message"] for f in after if f["fixable"]] == []
    assert {(f["rule"], f["upstream"]) for f in after} <= before


def test_fix_keeps_line_ends(scratch):
    """A file of CRLF lines has none other behind its change."""
    conf = http(scratch, "upstream app {\n\tserver 127.0.0.1:3000;\n\tkeepalive 4;\n}\nserver {\n\tlocation / {\n\t\tproxy_pass http://app;\n\t}\n}")
    conf.write_bytes(conf.read_bytes().replace(b"\n", b"\r\n"))
    args = ["check", "--version-of", "1.28.0", "--upstream", "*=5", "nginx.conf"]
    diff = subprocess.run([UPCLOSE, *args, "--fix"], capture_output=True, cwd=scratch, check=False).stdout
    subprocess.run(["patch", "-p1", "-s", "--binary"], input=diff, cwd=scratch, check=True)
    text = conf.read_bytes()
    assert b"keepalive_timeout 4s;" in text and text.count(b"\n") == text.count(b"\r\n")
    assert check(*args[1:], cwd=scratch).returncode == 0


# --- rules: each has a configuration that triggers it, and one that nearly does --------------------------------------------

GROUP = "upstream app {{ server 127.0.0.1:3000; {} }} "
SITE = "server {{ location / {{ proxy_pass http://app; {} }} }}"
THREE = "upstream app { server 10.0.0.1; server 10.0.0.2; server 10.0.0.3; } "
RULES = {
    "idle-race": (
        (GROUP.format("keepalive 4;") + SITE.format(PROXY), ["--upstream", "app=5"]),
        (GROUP.format("keepalive 4; keepalive_timeout 4s;") + SITE.format(PROXY), ["--upstream", "app=5"]),
    ),
    "idle-race-after-upgrade": (
        (GROUP.format("") + SITE.format(""), ["--from", "1.29.6", "--to", "1.29.7", "--upstream", "app=5"]),
        (GROUP.format("") + SITE.format(""), ["--from", "1.28", "--to", "1.29.6", "--upstream", "app=5"]),
    ),
    "keepalive-not-effective": (
        (GROUP.format("keepalive 4;") + SITE.format("proxy_http_version 1.1;"), []),
        (GROUP.format("keepalive 4;") + SITE.format(PROXY), []),
    ),
    "connection-upgrade-always": (
        (GROUP.format("keepalive 4;") + SITE.format("proxy_http_version 1.1; proxy_set_header Connection upgrade;"), []),
        (GROUP.format("") + SITE.format("proxy_http_version 1.1; proxy_set_header Connection upgrade;"), []),
    ),
    "retry-multiplies": (
        (THREE + SITE.format("proxy_next_upstream error timeout http_502;"), []),
        (THREE + SITE.format("proxy_next_upstream error timeout http_502; proxy_next_upstream_tries 2;"), []),
    ),
    "retry-non-idempotent": (
        (THREE + SITE.format("proxy_next_upstream error non_idempotent;"), []),
        ("upstream app { server 10.0.0.1; } " + SITE.format("proxy_next_upstream error non_idempotent;"), []),
    ),
    "unbuffered-no-retry": (
        (GROUP.format("keepalive 4;") + SITE.format(PROXY + "proxy_request_buffering off;"), ["--upstream", "app=5"]),
        (GROUP.format("keepalive 4; keepalive_timeout 4s;") + SITE.format(PROXY + "proxy_request_buffering off;"), ["--upstream", "app=5"]),
    ),
    "timeout-shorter-than-response": (
        (GROUP.format("") + SITE.format("proxy_read_timeout 2s;"), ["--learned", "{slow}"]),
        (GROUP.format("") + SITE.format("proxy_read_timeout 10s;"), ["--learned", "{slow}"]),
    ),
    "timeout-chain": (
        (GROUP.format("") + SITE.format(""), ["--client-timeout", "60"]),
        (GROUP.format("") + SITE.format("proxy_connect_timeout 5s; proxy_read_timeout 50s;"), ["--client-timeout", "60"]),
    ),
    "balancer-race": (
        ("keepalive_timeout 60s; " + GROUP.format("") + SITE.format(""), ["--balancer-idle", "60"]),
        (GROUP.format("") + SITE.format(""), ["--balancer-idle", "aws-alb"]),
    ),
    "header-buffer-small": (
        (GROUP.format("") + SITE.format("proxy_buffer_size 2k;"), []),
        (GROUP.format("") + SITE.format("proxy_buffer_size 4k;"), []),
    ),
    "policy-required": (
        (GROUP.format("") + SITE.format(""), ["--policy", "{policy}"]),
        (GROUP.format("") + SITE.format("proxy_read_timeout 20s;"), ["--policy", "{policy}"]),
    ),
    "no-resolver": (
        ("server { location / { set $to app.example; proxy_pass http://$to:3000; } }", []),
        ("resolver 127.0.0.53; server { location / { set $to app.example; proxy_pass http://$to:3000; } }", []),
    ),
    "resolved-once": (
        ("upstream app { server localhost; server app.example; }", []),
        ("upstream app { server localhost; server app.example resolve; }", []),
    ),
    "upstream-port": (
        (GROUP.format("") + "server { location / { proxy_pass http://app:80; } }", []),
        (GROUP.format("") + SITE.format(""), []),
    ),
    "stream-timeout": (
        ("} stream { server { listen 1; proxy_pass 10.0.0.1:5432; }", []),
        ("} stream { server { listen 1; proxy_pass 10.0.0.1:5432; proxy_timeout 1h; }", []),
    ),
    "proxy-protocol": (
        ("server { listen 8080 proxy_protocol; } } stream { proxy_timeout 1h; server { listen 1; proxy_pass 127.0.0.1:8080; }", []),
        ("server { listen 8080 proxy_protocol; } } stream { proxy_timeout 1h; server { listen 1; proxy_pass 127.0.0.1:8080; proxy_protocol on; }", []),
    ),
    "max-fails": (
        ("upstream app { server 10.0.0.1 max_fails=0; server 10.0.0.2; }", []),
        ("upstream app { server 10.0.0.1 max_fails=1; server 10.0.0.2; }", []),
    ),
    "no-zone": (
        ("upstream app { server 10.0.0.1; server 10.0.0.2; } } worker_processes auto; types {", []),
        ("upstream app { zone app 64k; server 10.0.0.1; server 10.0.0.2; } } worker_processes auto; types {", []),
    ),
    "websocket-timeout": (
        (GROUP.format("") + SITE.format("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;"), []),
        (GROUP.format("") + SITE.format("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; "
                                        "proxy_read_timeout 1h;"), []),
    ),
    "auth-request-body": (
        ("server { location / { auth_request /auth; } location = /auth { proxy_pass http://127.0.0.1:9000; } }", []),
        ("server { location / { auth_request /auth; } location = /auth { proxy_pass http://127.0.0.1:9000; proxy_pass_request_body off; "
         'proxy_set_header Content-Length ""; } }', []),
    ),
    "template": (
        (GROUP.format("keepalive_timeout ${KT}s;") + SITE.format(""), []),
        ("map $host $KT { default x; } " + GROUP.format("") + SITE.format("add_header X ${KT};"), []),
    ),
    "value-invalid": (
        (GROUP.format("keepalive 4; keepalive_timeout 5x;") + SITE.format(PROXY), ["--upstream", "app=2"]),
        (GROUP.format("keepalive 4; keepalive_timeout 1s;") + SITE.format(PROXY), ["--upstream", "app=2"]),
    ),
}


def test_every_rule_is_tried(scratch):
    log = json.loads(check("-o", "sarif", http(scratch, "")).stdout)
    assert {r["id"] for r in log["runs"][0]["tool"]["driver"]["rules"]} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, scratch):
    slow = scratch / "slow.jsonl"
    slow.write_text(json.dumps({"schema": 1, "kind": "connection", "verdict": "complete", "upstream": {"addr": "127.0.0.1", "port": 3000},
                                "exchange": {"waited_ms": 5000.1}}) + "\n", encoding="utf-8")
    policy = scratch / "policy.yaml"
    policy.write_text("require:\n  read_timeout_max: 30s\n", encoding="utf-8")
    for fires, (text, args) in zip((True, False), RULES[rule], strict=True):
        args = [a.format(slow=slow, policy=policy) for a in args]
        base = [] if "--to" in args else ["--version-of", "1.28.0"]
        got = check("-o", "json", *base, *args, http(scratch, text))
        assert (rule in [f["rule"] for f in findings(got)]) == fires, got.stdout
        if not fires:
            assert got.returncode == 0 and not findings(got)
            continue
        (found,) = [f for f in findings(got) if f["rule"] == rule]
        assert got.returncode == (0 if found["severity"] == "note" else 3)
        assert found["line"] == 3 and found["column"] >= 1 and found["message"] and "\n" not in found["message"]
        text = check(*base, *args, http(scratch, text)).stdout
        assert f"{found['file']}:{found['line']}:{found['column']}: {found['severity']}: {found['message']} [{rule}]" in text


def test_error_needs_both_numbers(scratch):
    """What is not known is asked for, and is no finding."""
    got = check("--version-of", "1.28.0", http(scratch, GROUP.format("keepalive 4;") + SITE.format(PROXY)))
    assert got.returncode == 0
    assert "unknown" in got.stdout and "--upstream 127.0.0.1:3000=SECONDS" in got.stdout


def test_version_before_upstream_timeouts(scratch):
    """Before 1.15.3 nginx keeps idle connections without end: nothing in its configuration mends the race."""
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(PROXY))
    (found,) = findings(check("-o", "json", "--version-of", "1.14.2", "--upstream", "app=5", conf))
    assert found["rule"] == "idle-race" and found["figures"][0]["endless"] and not found["fixable"]
    # nor is what would bring it made effective
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(""))
    found = findings(check("-o", "json", "--version-of", "1.14.2", "--upstream", "app=5", conf))
    assert [(f["rule"], f["fixable"]) for f in found] == [("keepalive-not-effective", False)]


@pytest.mark.parametrize("idle, races", [("0", False), ("never", False), ("60", True), ("60.4", True), ("61", False), ("59", True)])
def test_numbers(idle, races, scratch):
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(PROXY))
    got = findings(check("-o", "json", "--version-of", "1.28.0", "--upstream", f"127.0.0.1:3000={idle}", conf))
    assert bool(got) == races
    if races:
        assert got[0]["severity"] == ("warning" if idle == "60.4" else "error")


def test_sources_in_order(scratch):
    """What was learned goes before what was told, and that before the kind."""
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(PROXY))
    learned = scratch / "learned.jsonl"
    idle = {"timeout_ms": 75010.5, "min_ms": 74990.1, "max_ms": 75100.0, "count": 9, "candidates": []}
    learned.write_text(json.dumps({"schema": 1, "kind": "summary", "duration_ms": 3600000.0, "upstreams": [
        {"addr": "127.0.0.1", "port": 3000, "idle": idle}]}) + "\n", encoding="utf-8")

    def source(*args):
        (contract,) = [o for o in objects(check("-o", "json", "--version-of", "1.28", *args, conf)) if o["kind"] == "contract"]
        return contract["upstream_idle"]["source"], contract["upstream_idle"]["timeout_ms"], contract["race"]

    kind, told = ["--kind", "127.0.0.1:3000=node20"], ["--upstream", "app=7"]
    assert source() == ("unknown", None, "unknown")
    assert source(*kind) == ("kind", 5000, "possible")
    assert source(*kind, *told) == ("stated", 7000, "possible")
    assert source(*kind, *told, "--learned", learned) == ("learned", 75010, "none")


# --- fixes ---------------------------------------------------------------------------------------------------------------


def test_fix_applies_and_mends(scratch):
    """`patch -p1` takes the diff, nothing is found behind it, and nothing else has changed."""
    (scratch / "conf.d").mkdir()
    (scratch / "nginx.conf").write_text("events {}\nhttp {\n    include conf.d/*.conf;\n}\n", encoding="utf-8")
    app = scratch / "conf.d" / "app.conf"
    app.write_text("""\
upstream app {
    server 127.0.0.1:3000;
    keepalive 16;
    # password: s3cr3t
}
upstream other { server 127.0.0.1:3001; keepalive 4; keepalive_timeout 90s; }
server {
    listen 80;
    proxy_set_header Host $host;
    location / {
        proxy_pass http://app;
    }
    location /other {
        proxy_set_header Authorization "Basic s3cr3t";
        proxy_set_header Connection "";
        proxy_http_version 1.1;
        proxy_pass http://other;
        proxy_next_upstream error timeout non_idempotent;
    }
    location /quiet { proxy_pass http://other; proxy_set_header Connection close; auth_basic_user_file /etc/s3cr3t; }
}
""", encoding="utf-8")
    args = ["--version-of", "1.22.1", "--kind", "app=node20", "--upstream", "other=5", "nginx.conf"]
    before = app.read_text(encoding="utf-8").splitlines()
    got = check("--fix", *args, cwd=scratch)
    assert got.returncode == 3 and "s3cr3t" not in got.stdout + got.stderr
    assert "1 changes are not shown" in got.stderr
    subprocess.run(["patch", "-p1", "-s"], input=got.stdout, text=True, cwd=scratch, check=True)
    after = app.read_text(encoding="utf-8").splitlines()
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert changes == [
        "+     keepalive_timeout 4s;",
        "- upstream other { server 127.0.0.1:3001; keepalive 4; keepalive_timeout 90s; }",
        "+ upstream other { server 127.0.0.1:3001; keepalive 4; keepalive_timeout 4s; }",
        '+     proxy_set_header Connection "";',
        "+         proxy_http_version 1.1;",
        "-         proxy_next_upstream error timeout non_idempotent;",
        "+         proxy_next_upstream error timeout;",
    ]
    # into the list that is in force, which its own list would replace
    assert after.index('    proxy_set_header Connection "";') == after.index("    proxy_set_header Host $host;") + 1
    left = findings(check("-o", "json", *args, cwd=scratch))
    assert [(f["rule"], f["line"]) for f in left] == [("keepalive-not-effective", 23)]


def conf_that_runs(tmp, app):
    (tmp / "sites-available").mkdir()
    (tmp / "sites-enabled").mkdir()
    (tmp / "nginx.conf").write_text(f"pid {tmp}/nginx.pid;\nerror_log {tmp}/error.log;\nevents {{}}\nhttp {{\n    access_log off;\n"
                                    f"    include sites-enabled/*;\n}}\n", encoding="utf-8")
    site = tmp / "sites-available" / "app"
    site.write_text(app, encoding="utf-8")
    (tmp / "sites-enabled" / "app").symlink_to("../sites-available/app")
    return site


IN_PLACE = """\
upstream app {
    server 127.0.0.1:3000;
    keepalive 16;
}
server {
    listen unix:%s/listen.sock;
    location / {
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
}
"""


def test_in_place(scratch):
    site = conf_that_runs(scratch, IN_PLACE % scratch)
    before = site.read_text(encoding="utf-8")
    os.chown(site, 33, 33)
    site.chmod(0o640)
    args = ["--kind", "app=node20", scratch / "nginx.conf"]
    got = check("--in-place", *args)
    assert got.returncode == 0, got.stderr
    assert "keepalive_timeout 4s;" in site.read_text(encoding="utf-8")  # 20.0 to 20.17 close after 5 s
    st = site.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (33, 33, 0o640)
    assert (scratch / "sites-enabled" / "app").is_symlink()
    (backup,) = site.parent.glob(".app.upclose-*")
    assert backup.read_text(encoding="utf-8") == before and str(backup) in got.stderr
    assert check(*args).returncode == 0
    assert check("--in-place", *args).returncode == 0  # nothing to do


def test_in_place_wants_a_configuration_that_passes(scratch):
    site = conf_that_runs(scratch, IN_PLACE % scratch + "an_unknown_directive s3cr3t;\n")
    before = site.read_text(encoding="utf-8")
    got = check("--in-place", "--kind", "app=node20", scratch / "nginx.conf")
    assert got.returncode == 1 and "fails before any change" in got.stderr and f"{scratch}/sites-enabled/app:13" in got.stderr
    assert "s3cr3t" not in got.stderr
    assert site.read_text(encoding="utf-8") == before and not list(site.parent.glob(".app*"))


def test_in_place_puts_back(scratch):
    """nginx refuses the change, here one that takes it for another version: every file is as it was."""
    site = conf_that_runs(scratch, IN_PLACE % scratch)
    before = site.read_text(encoding="utf-8")
    fussy = scratch / "nginx"
    fussy.write_text(f'#!/bin/sh\n! grep -q keepalive_timeout {site} && exec {NGINX} "$@"\nexit 1\n', encoding="utf-8")
    fussy.chmod(0o755)
    got = check("--in-place", "--nginx", fussy, "--kind", "app=node20", scratch / "nginx.conf")
    assert got.returncode == 1 and "every file was put back" in got.stderr
    assert site.read_text(encoding="utf-8") == before and not list(site.parent.glob(".app*"))


# --- outputs --------------------------------------------------------------------------------------------------------------


def test_sarif(scratch):
    text = THREE + SITE.format("proxy_next_upstream error http_502 non_idempotent; proxy_buffer_size 1k;")
    policy = scratch / "policy.yaml"
    policy.write_text("accept:\n  - {rule: header-buffer-small, reason: measured, until: 2999-01-01}\n", encoding="utf-8")
    http(scratch, text)
    log = json.loads(check("-o", "sarif", "--policy", policy, "./nginx.conf", cwd=scratch).stdout)
    assert set(log) == {"$schema", "version", "runs"} and set(log["runs"][0]) == {"tool", "columnKind", "results"}
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    driver, results = log["runs"][0]["tool"]["driver"], log["runs"][0]["results"]
    assert driver["name"] == "upclose"
    assert {r["ruleId"] for r in results} == {"retry-multiplies", "retry-non-idempotent", "header-buffer-small"}
    source = (scratch / "nginx.conf").read_bytes()
    for r in results:
        assert set(r) <= {"ruleId", "ruleIndex", "level", "message", "locations", "fixes", "suppressions", "properties"}
        assert driver["rules"][r["ruleIndex"]]["id"] == r["ruleId"]
        assert r["level"] in ("error", "warning", "note") and r["message"]["text"]
        (place,) = r["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "nginx.conf"
        assert place["physicalLocation"]["region"]["startLine"] == 3
        assert ("suppressions" in r) == (r["ruleId"] == "header-buffer-small")
        for fix in r.get("fixes", []):
            for change in fix["artifactChanges"]:
                for part in change["replacements"]:
                    start, size = part["deletedRegion"]["byteOffset"], part["deletedRegion"]["byteLength"]
                    assert source[start:start + size].decode() in ("", " non_idempotent", "proxy_buffer_size 1k;")


def test_colour_only_on_a_terminal(scratch):
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(""))
    assert "\033" not in check(conf).stdout


# --- policy ---------------------------------------------------------------------------------------------------------------


def test_policy_accepts_until(scratch):
    conf = http(scratch, GROUP.format("keepalive 4;") + SITE.format(PROXY))
    policy = scratch / "policy.yaml"

    def with_policy(text):
        policy.write_text(text, encoding="utf-8")
        return check("-o", "json", "--version-of", "1.28", "--upstream", "app=5", "--policy", policy, conf)

    accept = "accept:\n  - rule: idle-race\n    upstream: {}\n    file: nginx.conf\n    reason: only GET here\n    until: {}\n"
    for upstream in ("app", "127.0.0.1:3000"):
        got = with_policy(accept.format(upstream, "2999-12-31"))
        assert got.returncode == 0
        assert [f["accepted"] for f in findings(got)] == ["only GET here"]
    got = with_policy(accept.format("app", "2020-12-31"))
    assert got.returncode == 3
    assert [(f["accepted"], f["expired"]) for f in findings(got)] == [(None, "2020-12-31")]
    got = with_policy(accept.format("another", "2999-12-31"))
    assert got.returncode == 3 and "matches no finding" in got.stderr
    assert with_policy("fail_on: error\n").returncode == 3
    assert with_policy("").returncode == 3


def test_policy_numbers(scratch):
    conf = http(scratch, THREE + SITE.format(PROXY + "proxy_read_timeout 500ms;"))
    policy = scratch / "policy.yaml"
    for text, found in (
        ("upstream_keepalive_timeout_max: 4s", True), ("upstream_keepalive_timeout_max: 60s", False),
        ("read_timeout_max: 400ms", True), ("read_timeout_max: 1s", False), ("read_timeout_min: 1s", True),
        ("read_timeout_min: 100ms", False), ("connect_timeout_max: 5s", True), ("connect_timeout_max: 1m", False),
        ("attempts_max: 2", True), ("attempts_max: 3", False), ("upstream_idle_known: true", True), ("upstream_idle_known: false", False),
    ):
        policy.write_text(f"require:\n  {text}\n", encoding="utf-8")
        got = check("-o", "json", "--version-of", "1.30.0", "--policy", policy, conf)
        assert {f["rule"] for f in findings(got)} == ({"policy-required"} if found else set()), text
        assert got.returncode == (3 if found else 0)


@pytest.mark.parametrize("text, says", [
    ("require:\n  read_timeout_max: fast\n", r"policy.yaml:2:.*read_timeout_max"),
    ("require:\n  reed_timeout: 1s\n", r"policy.yaml:2:"),
    ("accept:\n  - {rule: no-such, reason: r, until: 2026-01-01}\n", r"no-such.*is no rule"),
    ("accept:\n  - {rule: idle-race, reason: r, until: tomorrow}\n", r"policy.yaml:2:.*until"),
    ("accept:\n  - {rule: idle-race, until: 2026-01-01}\n", r"policy.yaml:2:.*reason"),
    ("fail_on: never\n", r"policy.yaml:1:.*fail_on"),
    ("a: [\n", r"policy.yaml:"),
])
def test_policy_faults(text, says, scratch):
    policy = scratch / "policy.yaml"
    policy.write_text(text, encoding="utf-8")
    got = check("--policy", policy, http(scratch, ""))
    assert got.returncode == 2 and re.search(says, got.stderr), got.stderr


# --- usage and input that means harm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, says", [
    (["-o", "xml", "f"], "text, json or sarif"),
    (["--version-of", "2.0", "f"], "from 1.9 to 1.31"),
    (["--version-of", "latest", "f"], "from 1.9 to 1.31"),
    (["--from", "1.28", "f"], "--from needs --to"),
    (["--kind", "app=apache", "f"], "node20"),
    (["--kind", "node20", "f"], "ADDR=KIND"),
    (["--kind", "app=node20.x", "f"], "node22.9"),
    (["--balancer-idle", "alb", "f"], "aws-alb"),
    (["--upstream", "app", "f"], "ADDR=SECONDS"),
    (["--upstream", "app=-1", "f"], "ADDR=SECONDS"),
    (["--client-timeout", "0", "f"], "seconds"),
    (["--pid", "x"], "master process"),
    (["a", "b"], "one argument too many"),
    (["--nginx-t", "-", "f"], "exclude each other"),
    (["--in-place", "--nginx-t", "-"], "--in-place"),
    (["--no-such"], "--help"),
])
def test_usage(args, says):
    got = check(*args)
    assert got.returncode == 2 and says in got.stderr and got.stdout == ""


def test_help():
    got = check("--help")
    assert got.returncode == 0 and "--fix" in got.stdout and got.stderr == ""


@pytest.mark.parametrize("bytes_, says", [
    (b"http {", r":1:1: this block is not closed"),
    (b"events {}\n}\n", r":2:1: a \"}\" that closes no block"),
    (b"a 'b", r":1:3: this quote is not closed"),
    (b"a 'b'c;", r":1:6: unexpected \"c\""),
    (b"\x7fELF\x02\x01\x01\x00\x00", r":1:\d+: a NUL byte"),
    (b"include nginx.conf;", r"this file includes itself"),
    pytest.param(b"a {" * 100, r":1:193: more than 64 blocks", id="deep"),
    (b"content_by_lua_block { '", r":1:1: this block is not closed"),
    (b"a\x1b[31m", r":1:1: this directive is not ended"),
])
def test_broken(bytes_, says, scratch):
    (scratch / "nginx.conf").write_bytes(bytes_)
    got = check("nginx.conf", cwd=scratch)
    assert got.returncode == 1 and got.stdout == ""
    assert re.fullmatch(r"upclose: nginx\.conf" + (":1:1: " if "itself" in says else "") + says + r".*\n", got.stderr), got.stderr


@pytest.mark.parametrize("text", ["", "events {}", "# nothing", "http { server { return 204; } }", "[section]\nkey = value;"])
def test_nothing_to_check(text, scratch):
    (scratch / "nginx.conf").write_text(text, encoding="utf-8")
    got = check("nginx.conf", cwd=scratch)
    assert got.returncode == 0 and got.stdout.startswith("nothing to check: ")


def test_standard_input_is_named(scratch):
    got = check("-", cwd=scratch)
    assert got.returncode == 1 and "--nginx-t -" in got.stderr


def test_not_a_file(scratch):
    os.mkfifo(scratch / "fifo")
    for name in ("none", ".", "fifo", "/dev/zero"):
        got = check(name, cwd=scratch, timeout=10)
        assert got.returncode == 1 and name in got.stderr and got.stdout == ""


def test_million(scratch):
    """A million directives, and many places, within bounded memory."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    conf = scratch / "nginx.conf"
    conf.write_text("http {\n" + "geo $x { 10.0.0.0/8 1; }\n" * 300000 + "}\n", encoding="utf-8")
    got = check("-o", "json", conf, preexec_fn=limit)
    assert got.returncode == 0, got.stderr
    conf.write_text("a;\n" * 1100000, encoding="utf-8")
    got = check(conf, preexec_fn=limit)
    assert got.returncode == 1 and "more than 1048576 directives" in got.stderr
    conf.write_text("http { upstream u { server h; } server { " + "location / { proxy_pass http://u; }\n" * 70000 + "} }", encoding="utf-8")
    got = check(conf, preexec_fn=limit)
    assert got.returncode == 1 and "in more ways" in got.stderr


def test_root_is_not_left(scratch):
    """Neither `..` nor a link leads out of --root."""
    (scratch / "out.conf").write_text("upstream out { server 127.0.0.9:9; }", encoding="utf-8")
    root = scratch / "root"
    root.mkdir()
    (root / "nginx.conf").write_text("http { include /../out.conf; include /link.conf; include /l*.conf; }", encoding="utf-8")
    (root / "link.conf").symlink_to(scratch / "out.conf")
    got = check("-o", "json", "--root", root, "/nginx.conf")
    assert got.returncode == 0
    assert len(objects(got)[-1]["skipped"]) == 3


def test_terminal_escapes(scratch):
    """Nothing of a configuration reaches the terminal as it is."""
    conf = http(scratch, 'upstream "a\x1b[31m" { server "h\x1b]0;t\x07"; keepalive 4; }\nserver { server_name "n\x1b[2J"; '
                          'location "/\x1b[1m" { proxy_pass "http://a\x1b[31m"; ' + PROXY + '} }\ninclude "/none/\x1b[7m";')
    for how in ("text", "json", "sarif"):
        got = check("-o", how, "--version-of", "1.28", "--upstream", "*=5", conf)
        assert got.returncode == 3 and "\x1b" not in got.stdout + got.stderr


def test_nginx_t(scratch):
    """The text of `nginx -T`, its talk included, gives what the files give."""
    site = conf_that_runs(scratch, IN_PLACE % scratch)
    args = ["-o", "json", "--version-of", "1.22.1", "--kind", "app=node20"]
    dump = subprocess.run([NGINX, "-T", "-c", scratch / "nginx.conf"], capture_output=True, text=True, check=True)
    files = check(*args, scratch / "nginx.conf")
    piped = check(*args, "--nginx-t", "-", input=dump.stderr + dump.stdout)
    assert files.stdout == piped.stdout and files.returncode == piped.returncode == 3
    assert findings(piped)[0]["file"] == str(scratch / "sites-enabled" / "app")
    got = check("--nginx-t", site)
    assert got.returncode == 1 and "not the text of nginx -T" in got.stderr


def test_what_is_no_recording(scratch):
    conf, bad = http(scratch, ""), scratch / "bad"
    for text, says in (("{}\n", "no line of it"), ("{\"kind\":\"summary\"}\n{x\n", "bad:2: not a line of JSON"), ("talk\n", "no line of it"), ("", "no line of it")):
        bad.write_text(text, encoding="utf-8")
        got = check("--learned", bad, conf)
        assert got.returncode == 1 and says in got.stderr


def test_without_privilege(scratch):
    """Who may not read a file is told which; who may, needs nothing else."""
    conf = http(scratch, GROUP.format("") + SITE.format(""))
    os.chmod(scratch, 0o755)
    program = shutil.copy(UPCLOSE, scratch / "upclose")
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "check", conf]
    conf.chmod(0o600)
    got = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert got.returncode == 1 and f"{conf}: Permission denied" in got.stderr
    conf.chmod(0o644)
    assert subprocess.run(argv, capture_output=True, text=True, check=False).returncode == 0
