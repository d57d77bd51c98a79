# SPDX-License-Identifier: BSD-2-Clause
"""The daemon gives up what it does not need, and everything works on."""
import grp
import json
import os
import pwd
import re
import shutil
import signal
import subprocess

import pytest
from harness import faults
from harness.nginx import Route
from harness.proc import eventually
from harness.upclose import TOP, UPCLOSE

CAP_SYS_PTRACE = 1 << 19


@pytest.fixture
def site(stage):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))

    class Site:
        port, ups, nginx_ = up.port, up, nginx

        def destroy(self):
            return faults.provoke(nginx, up, "destroy", faults.CLOSED)

    return Site()


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {k: v.split() for k, _, v in (line.partition(":\t") for line in f)}


def logged(daemon):
    eventually(lambda: any(line.startswith("{") for line in daemon.lines), "an object in the log")
    return json.loads(next(line for line in daemon.lines if line.startswith("{")))


def test_what_is_left(stage, site):
    """Another user, one capability, no way back; and yet the program of root's upstream is named."""
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=[site.port])
    s = status(d.pid)
    wanted = "upclose" if "upclose" in [p.pw_name for p in pwd.getpwall()] else "nobody"
    assert {int(u) for u in s["Uid"]} == {pwd.getpwnam(wanted).pw_uid}
    assert {int(g) for g in s["Gid"]} == {pwd.getpwnam(wanted).pw_gid}
    assert int(s["CapPrm"][0], 16) == int(s["CapEff"][0], 16) == CAP_SYS_PTRACE
    assert int(s["CapInh"][0], 16) == int(s["CapBnd"][0], 16) == int(s["CapAmb"][0], 16) == 0
    assert s["NoNewPrivs"] == ["1"] and s["Seccomp"] == ["2"]
    site.destroy()
    obj = logged(d)
    assert obj["upstream"]["exe"] == site.ups.exe
    assert d.sample("upclose_open_connections") is not None and d.sample("upclose_lost_total") == 0
    state = os.stat(f"{d.dir}/state")
    assert (state.st_uid, state.st_mode & 0o777) == (pwd.getpwnam(wanted).pw_uid, 0o700)


def test_named_user(stage):
    d = stage.daemon({"user": "daemon"}, ports=[1])
    assert {int(u) for u in status(d.pid)["Uid"]} == {pwd.getpwnam("daemon").pw_uid}


def test_unknown_user(stage):
    d = stage.daemon({"user": "who-is-this"}, ports=[1], wait=False)
    assert d.wait() == 1 and re.search("user 'who-is-this': no such user.*'user'", d.stderr())


def test_configuration_of_root_alone(stage):
    """A configuration that the user may not read: said at the start, and a reload is refused."""
    d = stage.daemon(ports=[1])
    d.file.chmod(0o600)
    d.reload(good=False)
    d.wait_stderr("cannot read the configuration .*Permission denied")
    again = stage.daemon(ports=[1], prefix=["sh", "-c", 'chmod 600 "$4" && exec "$@"', "sh"], wait=False)
    again.wait_state("READY=1")
    again.wait_stderr("a reload will be refused")


def test_error_log_through_a_rotation(stage, site):
    """The log belongs to a group that may read it, as Debian's does; the new one is followed too."""
    nginx = site.nginx_
    log = f"{nginx.dir}/error.log"
    os.chmod(nginx.dir, 0o755)
    adm = grp.getgrnam("adm").gr_gid
    os.chown(log, 0, adm)
    os.chmod(log, 0o640)
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}, "tracing": {"error_log": log}}, ports=[site.port])
    assert str(adm) in status(d.pid)["Groups"]
    os.rename(log, f"{log}.1")
    os.close(os.open(log, os.O_CREAT | os.O_WRONLY, 0o640))
    os.chown(log, 0, adm)
    os.chmod(log, 0o640)
    nginx.reopen()
    site.destroy()
    assert "prematurely closed" in logged(d)["nginx_log"]["message"]


UNIT = TOP / "user" / "share" / "systemd" / "upclose.service"


def analyze(*args):
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, check=False,
                          env=os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""})


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_valid(scratch):
    """The unit and its socket as systemd reads them, with the program where it is installed."""
    for name in ("upclose.service", "upclose.socket"):
        text = (UNIT.parent / name).read_text(encoding="utf-8").replace("/usr/local/sbin/upclose", UPCLOSE)
        (scratch / name).write_text(text, encoding="utf-8")
    done = analyze("verify", "--man=no", str(scratch / "upclose.service"), str(scratch / "upclose.socket"))
    said = [line for line in done.stderr.splitlines() if "upclose" in line]
    assert done.returncode == 0 and not said, done


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_hardened():
    """`systemd-analyze security`: the exposure, where 10 is the worst."""
    done = analyze("security", "--offline=true", str(UNIT))
    print(done.stdout)
    level = re.search(r"Overall exposure level for upclose.service: ([0-9.]+)", done.stdout)
    assert level, done
    assert float(level[1]) <= 3.5


def test_unit_lines_have_reasons():
    """Each setting of the unit stands under a comment that says why."""
    why = False
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            why = True
        elif not line or line.startswith("["):
            why = False
        elif re.match("(Description|Documentation|After|WantedBy|Wants)=", line):
            continue
        else:
            assert why, f"no reason for {line}"
