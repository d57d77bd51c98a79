# SPDX-License-Identifier: BSD-2-Clause
"""Whose the ends are: containers and pods by the cgroups that runtimes make, their names out of files."""
import json
import os
import re
from pathlib import Path

import pytest
from harness import cgroup, faults
from harness.nginx import Route
from harness.upclose import assert_contract, run

UID = "12345678-9abc-def0-1234-56789abcdef0"
# A runtime's log file is all that names the pod; it is in a mount namespace of upclose's own.
WITH_LOGS = ["unshare", "-m", "sh", "-c", """
mount -t tmpfs none /var/log && mkdir /var/log/containers && touch "/var/log/containers/api-1_shop_web-$0.log" && exec "$@" """]


def new_id():
    return os.urandom(32).hex()


@pytest.fixture(name="site")
def fixture_site(stage):
    """nginx in a container of podman's, an upstream in a pod, and another in none."""
    if not cgroup.unified():
        pytest.skip("no cgroup v2 that may be written")
    pod, other = stage.node(), stage.node()
    nginx = stage.nginx(app=Route(pod.addr), other=Route(other.addr))
    ids = new_id(), new_id()
    stage.enter_context(cgroup.Container(f"/machine-{ids[0][:8]}.slice/libpod-{ids[0]}.scope", *nginx.workers()))
    slice_ = f"kubepods-{ids[1][:8]}.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice"
    stage.enter_context(cgroup.Container(f"/{slice_}/cri-containerd-{ids[1]}.scope", pod.pid))
    return nginx, pod, other, ids


@pytest.mark.parametrize("behaviour, verdict", [("destroy", "upstream_closed"), ("kill", "upstream_died")])
def test_both_ends(site, trace, behaviour, verdict):
    """Also of a process that is dead by the time it is told of, and in a recording of it."""
    nginx, pod, _, ids = site
    tr = trace(ports=[pod.port], prefix=[*WITH_LOGS, ids[1]])
    fault = faults.provoke(nginx, pod, behaviour, faults.CLOSED, route="app")
    obj = tr.wait(target=fault.target, flagged=True)
    assert_contract(obj)
    assert obj["verdict"] == verdict
    assert obj["upstream"]["container"] == {"runtime": "containerd", "id": ids[1], "name": "web"}
    assert obj["upstream"]["pod"] == {"namespace": "shop", "name": "api-1", "uid": UID, "workload": "api"}
    assert obj["upstream"]["local_addr"] == pod.host and obj["upstream"]["local_port"] == pod.port
    assert obj["nginx"]["container"] == {"runtime": "podman", "id": ids[0], "name": None}
    assert obj["nginx"]["pod"] is None and obj["nginx"]["cgroup"] == f"/machine-{ids[0][:8]}.slice/libpod-{ids[0]}.scope"
    tr.stop()
    again = [json.loads(line) for line in run("replay", "-o", "json", tr.recording).stdout.splitlines()]
    assert [o["upstream"]["pod"] for o in again if o["kind"] == "connection" and o["flagged"]] == [obj["upstream"]["pod"]]


@pytest.mark.parametrize("wanted", ["--pod=api-1", "--pod=shop/api-1", f"--pod={UID}", "--container=web", "--container={id}"])
def test_only_one(site, trace, wanted):
    nginx, pod, other, ids = site
    tr = trace(wanted.format(id=ids[1][:12]), prefix=[*WITH_LOGS, ids[1]])
    faults.provoke(nginx, other, "destroy", faults.CLOSED, route="other")
    fault = faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app")
    tr.wait(target=fault.target, flagged=True)
    tr.stop()
    assert [o["exchange"]["target"] for _, o in tr.objects()] == [fault.target]


def test_nginx_s_container(site, trace):
    """What goes out of a container counts as well as what goes in."""
    nginx, _, other, ids = site
    tr = trace(f"--container={ids[0]}")
    fault = faults.provoke(nginx, other, "destroy", faults.CLOSED, route="other")
    assert tr.wait(target=fault.target, flagged=True)["upstream"]["container"] is None


def test_no_such_pod(site, trace):
    nginx, pod, _, _ = site
    tr = trace("--pod=shop/api-2")
    faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app")
    tr.stop()
    assert tr.objects() == []


def test_daemon(site, stage):
    """On the page, and one series for all pods of a workload."""
    nginx, pod, _, ids = site
    d = stage.daemon({"metrics": {"label": "workload"}}, ports=[pod.port], prefix=[*WITH_LOGS, ids[1]])
    faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app", method="POST")
    d.wait_sample("upclose_flagged_connections_total", 1, upstream="shop/api", verdict="upstream_closed")
    page = d.get("/")[2]
    assert f"pod shop/api-1 (workload api), container web, containerd {ids[1][:12]}" in page
    assert f"podman {ids[0][:12]}" in page


def test_report(site, trace):
    nginx, pod, _, ids = site
    tr = trace(ports=[pod.port], prefix=[*WITH_LOGS, ids[1]])
    fault = faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app")
    tr.wait(target=fault.target, flagged=True)
    tr.stop()
    report = run("report", tr.recording).stdout
    assert re.search(rf"The upstream: pod shop/api-1 \\?\(workload api\\?\), container web, containerd {ids[1][:12]}", report)
    assert f"nginx: podman {ids[0][:12]}" in report


def test_for_people(site, stage):
    nginx, pod, _, ids = site
    text, table = (stage.upclose("-o", output, ports=[pod.port], output=None, prefix=[*WITH_LOGS, ids[1]]) for output in ("text", "table"))
    faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app")
    text.wait_text(re.escape(f"nginx[{nginx.workers()[0]}] in podman {ids[0][:12]} -> {pod.addr} node[{pod.pid}] in shop/api-1"))
    table.wait_text(r"upstream_closed .* shop/api-1 ")


def test_names_of_the_host(site, trace):
    """A container of its own has another root; the names are in that of the host's first process."""
    nginx, pod, _, ids = site
    logs = Path("/var/log/containers")
    ours = not logs.exists()
    logs.mkdir(exist_ok=True)
    name = logs / f"api-1_shop_web-{ids[1]}.log"
    try:
        name.touch()
        if not os.access(f"/proc/1/root{name}", os.F_OK):
            pytest.skip("the root of this host's first process is another one, or closed")
        tr = trace(ports=[pod.port], prefix=["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /var/log && exec "$@"', "sh"])
        fault = faults.provoke(nginx, pod, "destroy", faults.CLOSED, route="app")
        assert tr.wait(target=fault.target, flagged=True)["upstream"]["pod"] == {"namespace": "shop", "name": "api-1", "uid": UID}
    finally:
        name.unlink()
        if ours:
            logs.rmdir()
