# SPDX-License-Identifier: BSD-2-Clause
"""From close to printed verdict under 100 ms, whatever the verdict waits for."""
import statistics

import pytest
from harness import faults
from harness.nginx import Route
from harness.stage import path, target
from harness.upclose import ended_at

pytestmark = pytest.mark.alone

TIMES = 7


def late(tr):
    return [arrival - ended_at(obj) for arrival, obj in tr.objects()]


def quick(seconds):
    assert len(seconds) >= TIMES and min(seconds) > -0.001, seconds
    assert statistics.median(seconds) < 0.1, seconds


@pytest.mark.parametrize("behaviour, log, verdict", [
    ("destroy", faults.CLOSED, "upstream_closed"), ("reset", faults.RESET, "upstream_closed"),
    ("header_cut", faults.CLOSED, "partial_header"), ("body_cut", faults.CUT, "body_truncated"),
    ("never", faults.TIMED_OUT, "nginx_timeout"), ("ok", None, "complete"),
])
def test_both_ends_here(stage, trace, behaviour, log, verdict):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, keepalive=0, extra="proxy_read_timeout 200ms;"))
    tr = trace("--all", ports=[up.port])
    for _ in range(TIMES):
        fault = faults.provoke(nginx, up, behaviour, log)
        assert tr.wait(target=fault.target)["verdict"] == verdict
    quick(late(tr))


def test_the_process_died(stage, trace):
    ups = [stage.node() for _ in range(TIMES)]
    nginx = stage.nginx(**{f"app{i}": Route(up.addr) for i, up in enumerate(ups)})
    tr = trace(ports=[up.port for up in ups])
    for i, up in enumerate(ups):
        fault = faults.provoke(nginx, up, "throw", faults.CLOSED, route=f"app{i}")
        assert tr.wait(target=fault.target)["verdict"] == "upstream_died"
    quick(late(tr))


@pytest.mark.parametrize("behaviour, verdict", [("fin", "upstream_closed"), ("rst", "upstream_reset")])
def test_the_other_end_is_elsewhere(stage, trace, behaviour, verdict):
    link = stage.link(1, "--remote", behaviour)
    nginx = stage.nginx(app=Route("10.77.0.2:8080"), netns=link.ready["a"])
    tr = trace()
    for _ in range(TIMES):
        t = target("ok")
        assert nginx.get(t, method="POST", body=b"x").status == 502
        assert tr.wait(target=path(t))["verdict"] == verdict
    quick(late(tr))


def test_an_upstream_that_never_closes(stage, trace):
    """nginx gives up; the other end stays open, and its record does not come."""
    up = stage.raw("sip hold")
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_send_timeout 200ms;"))
    tr = trace(ports=[up.port])
    for _ in range(TIMES):
        t = target("upload")
        assert nginx.get(t, method="POST", body=b"u" * (12 << 20)).status == 504
        assert tr.wait(target=path(t))["verdict"] == "nginx_timeout"
    quick(late(tr))
