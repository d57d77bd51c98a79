# SPDX-License-Identifier: BSD-2-Clause
"""What another version of nginx does with the same configuration is what check says of it, over both versions."""
import subprocess

import pytest
from harness import faults, nginx_versions
from harness.check import contracts, found, mend, objects
from harness.nginx import NGINX, Plain
from harness.proc import eventually
from harness.stage import target
from harness.upclose import UPCLOSE

KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def program(version):
    found = nginx_versions.nginx(version)
    if not found:
        pytest.skip(f"nginx {version} is not there: run tests/deps.sh install test")
    return found


def test_race_by_an_upgrade(stage, trace, scratch):
    """The old nginx has no race, check tells of the one to come, the new nginx has it, and with check's own diff no more."""
    new = program("1.30")
    link = stage.link(20)
    up = stage.node("--keepalive", "200", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Plain(up.addr), netns=link.ready["a"])
    probe = ["nsenter", f"--net={link.ready['a']}", UPCLOSE, "probe", "-o", "json", "--only", "idle", "--samples", "1", f"http://{up.addr}/ok/probe"]
    probed = scratch / "probe.jsonl"
    probed.write_bytes(subprocess.run(probe, check=True, capture_output=True).stdout)
    told = ["--probe", probed]

    def meet(count, verdict=None):
        tr = trace("--all", ports=[up.port])
        statuses = [faults.meet_idle_close(nginx, up) for _ in range(count)]
        if verdict:
            tr.wait(count=count, verdict=verdict)
        tr.stop()
        return statuses, [o["verdict"] for o in tr.all(flagged=True)]

    assert meet(2) == ([200] * 2, [])
    assert found(nginx, *told) == []
    (finding,) = found(nginx, "--to", "1.30", *told)
    assert (finding["rule"], finding["severity"], finding["upstream"]) == ("idle-race-after-upgrade", "error", up.addr)

    nginx.upgrade(new)
    assert meet(4, "keepalive_race") == ([502] * 4, ["keepalive_race"] * 4)
    *_, finding, _, summary = objects(nginx, *told)
    assert summary["nginx"].startswith("nginx 1.30.") and finding["rule"] == "idle-race"

    mend(nginx, *told)
    assert meet(4) == ([200] * 4, [])


# name: directives of upstream{}, of location{}
WAYS = {
    "bare": ("", ""),
    "off": ("keepalive 0;", ""),
    "local": ("keepalive 4 local;", ""),
    "header_only": ("", "proxy_set_header X-Own 1;"),
    "says_close": ("", "proxy_set_header Connection close;"),
    "old_version": ("", "proxy_http_version 1.0;"),
    "old_version_asks": ("", "proxy_http_version 1.0; proxy_set_header Connection keep-alive;"),
    "pool": ("keepalive 4;", ""),
    "method_behind": ("keepalive 4; least_conn;", ""),
    "one_request": ("keepalive_requests 1;", ""),
    "no_time": ("keepalive_timeout 0;", ""),
    "few": ("keepalive_requests 2;", ""),
}


def test_defaults_of_1_30(stage, trace):
    """Three requests over each way: kept where check says so, though nothing asks for it."""
    ups = {name: stage.node() for name in WAYS}
    routes = {name: Plain(ups[name].addr, pool=pool, extra=extra) for name, (pool, extra) in WAYS.items()}
    ups["direct"] = stage.node()
    nginx = stage.nginx(binary=program("1.30"), direct=Plain(ups["direct"].addr, direct=True), **routes)
    says = {c["upstream"]: c["keepalive"] for c in contracts(nginx)}
    says = {name: says[up.addr] for name, up in ups.items()}
    assert says == {"bare": "kept", "off": "off", "local": "kept", "header_only": "kept", "says_close": "connection_close", "old_version": "http_1_0",
                    "old_version_asks": "kept", "pool": "kept", "method_behind": "kept", "one_request": "off", "no_time": "off", "few": "kept", "direct": "no_group"}
    tr = trace("--all", ports=[up.port for up in ups.values()])
    for name in ups:
        assert [nginx.get(target("ok"), name).status for _ in range(3)] == [200] * 3
    nginx.quit()
    for name, up in ups.items():
        want = [2, 1] if name == "few" else [3] if says[name] == "kept" else [1, 1, 1]
        tr.wait(upstream_port=up.port, count=len(want))
        assert [o["exchange"]["number"] for o in tr.all(upstream_port=up.port)] == want, name


def test_defaults_of_1_18(stage, trace):
    """Before 1.19.10 a connection is used for a hundred requests, and then for a thousand."""
    up = stage.node("--quiet")
    nginx = stage.nginx(binary=program("1.18"), early_log=False, app=Plain(up.addr, pool="keepalive 4;", extra=KEPT))

    def requests(end):
        tr = trace("--all", ports=[up.port])
        with nginx.client() as c:
            for _ in range(101):
                assert c.request("GET", target("ok")).status == 200
        end()
        eventually(lambda: sum(o["exchange"]["number"] for o in tr.all()) == 101, "every connection has ended")
        return [o["exchange"]["number"] for o in tr.all()]

    (contract,) = contracts(nginx)
    assert contract["group"]["keepalive_requests"] == 100 and contract["group"]["keepalive_time_ms"] is None
    (later,) = contracts(nginx, "--to", "1.22")
    assert later["group"]["keepalive_requests"] == 1000 and later["group"]["keepalive_time_ms"] == 3600000
    assert requests(nginx.quit) == [100, 1]
    nginx.start(binary=program("1.18"))
    nginx.upgrade(NGINX)
    assert requests(nginx.quit) == [101]
