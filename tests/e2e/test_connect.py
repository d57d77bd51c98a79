# SPDX-License-Identifier: BSD-2-Clause
"""The ways in which there is no connection, beside refused and timeout."""
import os
import subprocess

from harness import faults
from harness.nginx import Route
from harness.upclose import assert_contract


def in_netns(netns, *argv):
    subprocess.run(["nsenter", f"--net={netns}", *argv], check=True)


def failed(tr, proof):
    obj = tr.wait(verdict="connect_failed", proof=proof)
    assert_contract(obj)
    assert obj["flagged"] and obj["phase"] == "connect"
    assert obj["summary"] and obj["advice"] and obj["evidence"]
    return obj


def test_no_local_port(stage, trace):
    """Two local ports are left, and both are used by idle connections to the same upstream."""
    link = stage.link(1)
    up = stage.node(host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Route(up.addr, keepalive=0), netns=link.ready["a"])
    clients = [stage.client(nginx) for _ in range(3)]
    in_netns(link.ready["a"], "sh", "-c", "echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range")
    tr = trace()
    for c in clients[:2]:
        c.send("GET", "/never/held")
        up.event("request", path="/never/held")
    assert clients[2].request("GET", "/ok/third").status == 502
    nginx.wait_error(r"connect\(\) to .* failed \(99: ", "/ok/third")
    obj = failed(tr, "local")
    assert (obj["confidence"], obj["closed_by"], obj["close"]) == ("proven", "unknown", "none")
    assert (obj["upstream"]["addr"], obj["upstream"]["port"]) == ("10.77.0.2", up.port)


def test_unreachable(stage, trace):
    """A router answers the SYN with an ICMP error."""
    link = stage.link(1)
    in_netns(link.ready["a"], "ip", "route", "add", "10.98.0.0/24", "via", "10.77.0.2")
    in_netns(link.ready["b"], "ip", "route", "add", "unreachable", "10.98.0.0/24")
    in_netns(link.ready["b"], "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    nginx = stage.nginx(app=Route("10.98.0.1:80"), netns=link.ready["a"])
    tr = trace()
    assert nginx.get("/ok/nowhere").status == 502
    nginx.wait_error(r"connect\(\) failed \(113: ", "/ok/nowhere")
    obj = failed(tr, "unreachable")
    assert (obj["confidence"], obj["close"]) == ("proven", "unreachable")
    assert os.strerror(113) in " ".join(obj["evidence"])


def test_refused_then_answered(stage, trace):
    """A reset in the handshake is no connection, however many there were before on the same address."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, keepalive=0))
    tr = trace()
    assert nginx.get("/ok/first").status == 200
    up.stop()
    assert nginx.get("/ok/second").status == 502
    nginx.wait_error(faults.REFUSED, "/ok/second")
    obj = failed(tr, "refused")
    assert obj["close"] == "refused" and obj["client_status"] == 502
