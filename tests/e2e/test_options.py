# SPDX-License-Identifier: BSD-2-Clause
"""What trace's options promise, and the outputs for people."""
import re
import shutil
import signal

import pytest
from harness import faults
from harness.nginx import NGINX, Route
from harness.stage import target
from harness.upclose import run


@pytest.fixture
def site(stage):
    """nginx with two routes to a Node each."""
    ups = {"app": stage.node(), "other": stage.node()}
    nginx = stage.nginx(**{name: Route(up.addr) for name, up in ups.items()})

    def destroy(route="app"):
        return faults.provoke(nginx, ups[route], "destroy", faults.CLOSED, route=route)

    destroy.ports = {name: up.port for name, up in ups.items()}
    destroy.ok = lambda: nginx.get(target("ok"), "app")
    return destroy


def test_count_ends_the_trace(site, trace):
    tr = trace("-c", "2", ports=[site.ports["app"]])
    wanted = [site().target for _ in range(2)]
    assert tr.ended() == 0
    objects, summary, _, _ = tr.stop()
    assert [o["exchange"]["target"] for o in objects] == wanted and summary["flagged"] == 2


def test_duration_ends_the_trace(trace):
    assert trace("-d", "1").ended() == 0


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_trace_with_its_summary(site, trace, sig):
    tr = trace(ports=[site.ports["app"]])
    tr.wait(target=site().target)
    objects, summary, _, status = tr.stop(sig)
    assert (status, len(objects), summary["flagged"], summary["by_verdict"]) == (0, 1, 1, {"upstream_closed": 1})


@pytest.mark.parametrize("found", [True, False])
def test_exit_code_says_whether_something_was_found(site, stage, trace, found):
    tr = stage.upclose("--exit-code", "-c" if found else "-d", "1", ports=[site.ports["app"]])
    if found:
        site()
    assert tr.ended() == (3 if found else 0)


def test_port_selects_the_upstream(site, trace):
    both = trace(ports=site.ports.values())
    one = trace(ports=[site.ports["other"]])
    targets = {route: site(route).target for route in ("app", "other")}
    both.wait(target=targets["app"])
    both.wait(target=targets["other"])
    one.wait(target=targets["other"])
    assert [o["exchange"]["target"] for o in one.stop()[0]] == [targets["other"]]


def test_comm_selects_the_proxy(stage, trace, scratch):
    """Another name of nginx is traced when asked for, and only then."""
    up = stage.node()
    angie = shutil.copy(NGINX, scratch / "angie")
    proxies = {"nginx": stage.nginx(app=Route(up.addr)), "angie": stage.nginx(app=Route(up.addr), binary=angie)}
    only_angie = trace("--comm", "angie", ports=[up.port])
    both = trace("--comm", "angie", "--comm", "nginx", ports=[up.port])
    plain = trace(ports=[up.port])
    targets = {name: faults.provoke(proxy, up, "destroy", faults.CLOSED).target for name, proxy in proxies.items()}
    for tr, names in ((only_angie, ["angie"]), (both, ["nginx", "angie"]), (plain, ["nginx"])):
        for name in names:
            assert tr.wait(target=targets[name])["nginx"]["comm"] == name
        assert [o["exchange"]["target"] for o in tr.stop()[0]] == [targets[name] for name in names]


def test_text(site, trace):
    tr = trace(ports=[site.ports["app"]], output="text")
    fault = site()
    tr.wait_text(re.escape(fault.target))
    _, _, _, status = tr.stop()
    text = tr.stdout()
    assert status == 0 and "\033" not in text
    first = next(line for line in text.split("\n") if "upstream_closed" in line)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} +upstream_closed, proven \(deliberate_close\) +nginx\[\d+\] -> 127\.0\.0\.1:\d+ node\[\d+\]",
                    first)
    assert "GET " + fault.target in text and "What to do:" in text


def test_text_is_the_default_output(site, trace):
    tr = trace(ports=[site.ports["app"]], output=None)
    tr.wait_text(re.escape(site().target))
    assert "upstream_closed, proven" in tr.stdout()


def test_table(site, trace):
    """A line of names, then a line for each connection."""
    tr = trace(ports=[site.ports["app"]], output="table")
    targets = [site().target for _ in range(2)]
    tr.wait_text(re.escape(targets[1]))
    lines = tr.stdout().split("\n")
    assert "verdict" in lines[0].lower()
    assert [t for t in targets for line in lines if t in line and "upstream_closed" in line] == targets


def test_hooks(bpf):
    """Each fact has a hook that serves it; `proof` of what this host allows."""
    done = run("hooks")
    assert done.returncode == 0, done.stderr
    for fact in ("open", "send", "receive", "FIN", "reset", "close", "far end", "payload"):
        assert fact.lower() in done.stdout.lower(), f"{fact} is not in\n{done.stdout}"
