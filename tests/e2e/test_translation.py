# SPDX-License-Identifier: BSD-2-Clause
"""Both ends across address translation: nginx knows an address that the upstream has never heard of."""
import shutil
import subprocess

import pytest
from harness import faults
from harness.nginx import Route
from harness.upclose import assert_contract

VIRTUAL = "10.99.0.9:80"


def in_netns(netns, *argv, stdin=None):
    subprocess.run(["nsenter", f"--net={netns}", *argv], check=True, input=stdin, text=True)


@pytest.fixture
def translated(stage):
    """nginx and a Node upstream on both sides of a link, and DNAT of a virtual address on nginx's side."""
    if not shutil.which("nft"):
        pytest.skip("nft is not installed")
    link = stage.link(10)
    up = stage.node(host="10.77.0.2", netns=link.ready["b"])
    in_netns(link.ready["a"], "ip", "route", "add", "10.99.0.0/24", "dev", "tun0", "src", "10.77.0.1")
    in_netns(link.ready["a"], "nft", "-f", "-", stdin=f"""
        table ip t {{
            chain out {{ type nat hook output priority -100; ip daddr 10.99.0.9 tcp dport 80 dnat to 10.77.0.2:{up.port}; }}
            chain post {{ type nat hook postrouting priority 100; oifname "tun0" masquerade random; }}
        }}""")
    return up, stage.nginx(app=Route(VIRTUAL), netns=link.ready["a"])


def the_object(tr, target):
    obj = tr.wait(target=target, flagged=True)
    assert_contract(obj)
    up = obj["upstream"]
    assert f"{up['addr']}:{up['port']}" == VIRTUAL
    return obj


def test_deliberate_close(translated, stage, trace):
    up, nginx = translated
    tr = trace()
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST", warm=1)
    obj = the_object(tr, fault.target)
    assert (obj["verdict"], obj["proof"], obj["confidence"]) == ("upstream_closed", "deliberate_close", "proven")
    assert (obj["upstream"]["pid"], obj["upstream"]["exe"]) == (up.pid, up.exe)
    assert {m["side"] for m in obj["timeline"]} == {"nginx", "upstream"}


def test_death(translated, stage, trace):
    up, nginx = translated
    tr = trace()
    fault = faults.provoke(nginx, up, "kill", faults.CLOSED)
    obj = the_object(tr, fault.target)
    assert (obj["verdict"], obj["proof"], obj["upstream"]["signal"]) == ("upstream_died", "signal", "SIGKILL")


def test_race(translated, stage, trace):
    """The upstream's FIN and the next request cross on the link."""
    up, nginx = translated
    tr = trace()
    with nginx.client() as c:
        assert c.request("GET", "/ok/first").status == 200
        faults.close_idle(up)
        c.send("POST", "/ok/raced", body=faults.BODY)
        assert c.response("POST").status == 502
    obj = the_object(tr, "/ok/raced")
    assert (obj["verdict"], obj["proof"], obj["confidence"]) == ("keepalive_race", "request_unacked", "proven")
    assert obj["upstream"]["pid"] == up.pid and obj["upstream"]["exiting"] is False


def test_adopted(translated, stage, trace):
    """The ends of an idle connection that is older than the trace are found by their sequence numbers."""
    up, nginx = translated
    with nginx.client() as c:
        assert c.request("GET", "/ok/warm").status == 200
        tr = trace()
        assert c.request("GET", "/destroy/adopted").status == 502
    obj = the_object(tr, "/destroy/adopted")
    assert (obj["verdict"], obj["upstream"]["pid"]) == ("upstream_closed", up.pid)
