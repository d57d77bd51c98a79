# SPDX-License-Identifier: BSD-2-Clause
"""The unit under systemd, as it was installed: each test goes on where the one before it ended."""
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from harness import bpf_objects
from harness.client import Client
from harness.daemon import samples
from harness.fallback import programs_used
from harness.proc import eventually
from harness.receiver import Receiver
from harness.stage import Stage
from harness.upclose import ended_at

CONFIG = Path("/etc/upclose/upclose.yaml")
ERROR_LOG = "/var/log/nginx/error.log"
NGINX = """\
server {
    listen 127.0.0.1:8080;
    location /close { proxy_pass http://127.0.0.1:%d; }
    location /never {
        proxy_read_timeout 1s;
        proxy_pass http://127.0.0.1:%d;
    }
}
"""
CAP_SYS_PTRACE = 1 << 19


def run(*argv, check=True):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False,
                          env=os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""})
    assert not check or done.returncode == 0, done
    return done


def systemctl(*argv, check=True):
    return run("systemctl", *argv, check=check)


def shown(name, unit="upclose"):
    return systemctl("show", "-P", name, unit).stdout.strip()


def pid():
    return int(shown("MainPID"))


def get(path="/metrics", port=9502):
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as r:
        return r.read().decode()


def sample(name, **labels):
    found = [v for (n, l), v in samples(get()).items() if n == name and labels.items() <= dict(l).items()]
    return sum(found) if found else None


def settled(check, what, timeout=20):
    """eventually(), for what costs a process to ask: this machine is slow."""
    eventually(lambda: check() or time.sleep(0.3), what, timeout)


def journal(*match):
    text = run("journalctl", "-q", "-o", "json", "--all", "-u", "upclose", *match, check=False).stdout
    return [json.loads(line) for line in text.splitlines()]


def said(pattern, since=0):
    return [e["MESSAGE"] for e in journal()[since:] if re.search(pattern, e["MESSAGE"])]


def flagged():
    return sample("upclose_flagged_connections_total") or 0


class Site:
    """nginx as Debian installs it, before an upstream that closes without an answer and one that never answers."""

    def __init__(self, stage):
        self.closing, self.never = stage.raw("read close"), stage.raw("read hold")
        Path("/etc/nginx/conf.d/app.conf").write_text(NGINX % (self.closing.port, self.never.port), encoding="ascii")
        systemctl("restart", "nginx")

    def fail(self, path="/close/1", status=502):
        """A request that fails; its entry in the journal."""
        before = len(journal("UPCLOSE_KIND=connection"))
        with Client(8080) as c:
            assert c.request("GET", path).status == status
        settled(lambda: len(journal("UPCLOSE_KIND=connection")) > before, "it is in the journal")
        return journal("UPCLOSE_KIND=connection")[before]


@pytest.fixture(scope="module", name="site")
def site_():
    with Stage() as stage:
        yield Site(stage)


def configure(**sections):
    """JSON is YAML."""
    CONFIG.write_text(json.dumps({"tracing": {"error_log": ERROR_LOG}} | sections), encoding="ascii")


def drop_in(name, text):
    folder = Path("/etc/systemd/system/upclose.service.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.conf").write_text(f"[Service]\n{text}\n", encoding="ascii")
    systemctl("daemon-reload")


@pytest.fixture(scope="module", autouse=True)
def booted():
    assert systemctl("is-system-running", "--wait", check=False).stdout.strip() == "running", systemctl("--failed").stdout


def test_units_are_valid():
    assert run("systemd-analyze", "verify", "upclose.service", "upclose.socket").stderr == ""


def test_enable_now(site):
    """It is up when systemctl returns: at once nothing is missed, and the page answers."""
    assert CONFIG.read_text(encoding="utf-8").startswith("#"), "as it was installed"
    systemctl("enable", "--now", "upclose")
    assert shown("ActiveState") == "active" and shown("SubState") == "running"
    assert re.fullmatch("tracing [23] processes of nginx", shown("StatusText"))
    assert get("/healthz") == "ok\n"
    entry = site.fail()
    assert entry["UPCLOSE_VERDICT"] == "upstream_closed" and entry["UPCLOSE_CONFIDENCE"] == "proven"
    assert flagged() == 1
    took = int(shown("ActiveEnterTimestampMonotonic")) - int(shown("ExecMainStartTimestampMonotonic"))
    print(f"ready {took / 1e6:.1f} s after its start; memory {int(shown('MemoryCurrent')) >> 20} MiB, {shown('TasksCurrent')} tasks")
    assert Path("/etc/systemd/system/multi-user.target.wants/upclose.service").exists()


def test_entry_of_the_journal(site):
    """Every fact is a field; the upstream's program and nginx's own line can be had in the sandbox."""
    configure()
    systemctl("restart", "upclose")
    entry = site.fail("/close/2?token=secret")
    nobody = pwd.getpwnam("nobody")
    assert entry["_SYSTEMD_UNIT"] == "upclose.service" and entry["SYSLOG_IDENTIFIER"] == "upclose" and entry["PRIORITY"] == "4"
    assert int(entry["_UID"]) == nobody.pw_uid
    assert entry["UPCLOSE_EXCHANGE_TARGET"] == "/close/2" and entry["UPCLOSE_EXCHANGE_METHOD"] == "GET"
    assert entry["UPCLOSE_UPSTREAM_EXE"] == site.closing.exe and int(entry["UPCLOSE_UPSTREAM_PORT"]) == site.closing.port
    assert "upstream prematurely closed" in entry["UPCLOSE_NGINX_LOG_MESSAGE"]
    assert "secret" not in json.dumps({k: v for k, v in entry.items() if k.startswith("UPCLOSE") or k == "MESSAGE"})
    assert "The client got 502" in entry["MESSAGE"]


def test_line_of_the_configuration(site):
    """nginx's own directive is named by a daemon that is nobody."""
    entry = site.fail("/never/1", 504)
    assert entry["UPCLOSE_VERDICT"] == "nginx_timeout"
    assert (entry["UPCLOSE_DIRECTIVE_NAME"], entry["UPCLOSE_DIRECTIVE_FILE"], entry["UPCLOSE_DIRECTIVE_LINE"]) == \
        ("proxy_read_timeout", "/etc/nginx/conf.d/app.conf", "5")


def test_what_it_may():
    with open(f"/proc/{pid()}/status", encoding="ascii") as f:
        s = {k: v.split() for k, _, v in (line.partition(":\t") for line in f)}
    assert int(s["CapPrm"][0], 16) == int(s["CapEff"][0], 16) == CAP_SYS_PTRACE
    assert int(s["CapInh"][0], 16) == int(s["CapBnd"][0], 16) == int(s["CapAmb"][0], 16) == 0
    assert s["NoNewPrivs"] == ["1"] and s["Seccomp"] == ["2"] and {int(u) for u in s["Uid"]} == {pwd.getpwnam("nobody").pw_uid}
    state = os.stat("/var/lib/upclose")
    assert (state.st_uid, state.st_mode & 0o777) == (pwd.getpwnam("nobody").pw_uid, 0o700)
    level = re.search(r"Overall exposure level for upclose.service: ([0-9.]+)", run("systemd-analyze", "security", "upclose").stdout)
    print(level[0])
    assert float(level[1]) <= 3.5


def test_programs():
    """The sandbox leaves it the programs that root has with all capabilities."""
    tags, _ = programs_used()
    assert tags and bpf_objects.program_tags(pid()) == tags


def test_reload(site):
    """A good configuration is applied; of a bad one systemctl itself tells, and nothing changes."""
    before, counted = pid(), flagged()
    configure(metrics={"listen": "127.0.0.1:9503"})
    systemctl("reload", "upclose")
    settled(lambda: said("is in use now"), "it was taken")
    assert get("/healthz", 9503) == "ok\n"
    CONFIG.write_text('{"metrics": {"listne": "off"}}', encoding="ascii")
    done = systemctl("reload", "upclose", check=False)
    assert done.returncode != 0 and "upclose.service" in done.stderr
    assert said(r"upclose\.yaml:1: metrics\.listne")
    assert get("/healthz", 9503) == "ok\n" and shown("ActiveState") == "active"
    configure()
    systemctl("reload", "upclose")
    settled(lambda: len(said("is in use now")) == 2, "it was taken")
    site.fail()
    assert flagged() == counted + 1 and pid() == before


def test_unsent_alert_survives_restarts(site):
    """What waits for a sink lies in the state folder, which is the same user's after a restart; a command runs in the sandbox."""
    rule = {"name": "Closed", "verdicts": ["upstream_closed"], "window": "1h"}
    with Receiver(503) as receiver:
        configure(alerts={"defaults": False, "rules": [rule]},
                  sinks=[{"name": "hook", "type": "webhook", "url": receiver.url, "retry": "1s", "retry_max": "1s"},
                         {"name": "script", "type": "exec", "command": ["/bin/sh", "-c", "echo told $UPCLOSE_ALERT by $(id -un) >&2"]}])
        systemctl("restart", "upclose")
        site.fail()
        receiver.wait_requests(1)
        settled(lambda: said("told Closed by nobody"), "the command has run")
        systemctl("restart", "upclose")
        assert said("sink hook: 1 documents wait in its spool"), said("sink|spool")
        receiver.mood = "take"
        receiver.wait_alerts(1, status="firing")
    configure()
    systemctl("restart", "upclose")


def test_watchdog(site):
    """A daemon whose loop stands still is ended and started again."""
    drop_in("watchdog", "WatchdogSec=3s\nRestartSec=1s")
    systemctl("restart", "upclose")
    before = pid()
    os.kill(before, signal.SIGSTOP)
    settled(lambda: shown("NRestarts") == "1" and shown("ActiveState") == "active", "it was started again")
    assert pid() != before
    assert re.search("Watchdog timeout", run("journalctl", "-q", "-o", "cat", "_PID=1", "UNIT=upclose.service").stdout)
    assert site.fail()["UPCLOSE_VERDICT"] == "upstream_closed"
    os.kill(pid(), signal.SIGKILL)
    settled(lambda: shown("NRestarts") == "2" and shown("ActiveState") == "active", "it was started again")
    assert site.fail()["UPCLOSE_VERDICT"] == "upstream_closed"


def test_clock_is_set(site):
    """Times follow the clock of the host, and nobody takes the step for a wait."""
    wall = time.time()
    time.clock_settime(time.CLOCK_REALTIME, wall + 86400)
    try:
        entry = site.fail()
        assert abs(ended_at({"time": entry["UPCLOSE_TIME"]}) - time.time()) < 30
        assert float(entry["UPCLOSE_EXCHANGE_WAITED_MS"]) < 30000
    finally:
        time.clock_settime(time.CLOCK_REALTIME, wall)
    assert abs(ended_at({"time": site.fail()["UPCLOSE_TIME"]}) - time.time()) < 30
    assert shown("NRestarts") == "2"


def test_socket(site):
    """With systemd's socket nobody is refused during a restart, and who comes meanwhile is answered."""
    systemctl("stop", "upclose")
    systemctl("enable", "--now", "upclose.socket")
    assert shown("ActiveState") == "inactive"
    assert get("/healthz") == "ok\n"
    assert shown("ActiveState") == "active"
    with subprocess.Popen(["systemctl", "restart", "upclose"]) as restart:
        while restart.poll() is None:
            socket.create_connection(("127.0.0.1", 9502)).close()
            time.sleep(0.1)
    assert restart.returncode == 0 and get("/healthz") == "ok\n"
    site.fail()
    systemctl("disable", "--now", "upclose.socket")


def test_given_up():
    """One that cannot start is tried as often as the unit says, not for ever."""
    drop_in("fast", "RestartSec=50ms\n[Unit]\nStartLimitBurst=3")
    systemctl("stop", "upclose")
    systemctl("reset-failed", "upclose")
    CONFIG.write_text("[", encoding="ascii")
    assert systemctl("start", "upclose", check=False).returncode != 0
    settled(lambda: shown("ActiveState") == "failed" and shown("Result") == "exit-code" and shown("NRestarts") == "3", "it is given up")
    assert said(r"upclose\.yaml:1")


def test_stop_leaves_nothing(site):
    configure()
    systemctl("reset-failed", "upclose")
    held = {kind: bpf_objects.ids(kind) for kind in bpf_objects.NEXT_ID}
    systemctl("start", "upclose")
    assert all(bpf_objects.ids(kind) > held[kind] for kind in ("prog", "map"))
    site.fail()
    cgroup = Path("/sys/fs/cgroup") / shown("ControlGroup").lstrip("/")
    assert cgroup.exists()
    systemctl("stop", "upclose")
    assert shown("Result") == "success" and shown("ExecMainStatus") == "0"
    assert said(r"1 connections ended, 1 exchanges in .* 1 flagged, 0 lost$")
    assert not cgroup.exists() and not Path("/run/upclose").exists()
    eventually(lambda: {kind: bpf_objects.ids(kind) for kind in bpf_objects.NEXT_ID} == held, "the kernel holds what it held before")
