# SPDX-License-Identifier: BSD-2-Clause
"""upclose check against the real nginx: what it says of a configuration is what nginx does, and its fix mends the race."""
import json

from harness import faults
from harness.nginx import Plain
from harness.proc import eventually
from harness.stage import path, target
from harness.upclose import run

CLEAR = 'proxy_set_header Connection "";'
MAPS = """
    map $http_upgrade $closes { default upgrade; '' close; }
    map $http_upgrade $keeps { default upgrade; '' ''; }
"""
# name: directives of upstream{}, of location{}
WAYS = {
    "bare": ("", ""),
    "pool_only": ("keepalive 4;", ""),
    "version_only": ("keepalive 4;", "proxy_http_version 1.1;"),
    "header_only": ("keepalive 4;", CLEAR),
    "kept": ("keepalive 4;", "proxy_http_version 1.1;" + CLEAR),
    "no_pool": ("", "proxy_http_version 1.1;" + CLEAR),
    "off_by_value": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Connection close;"),
    "http_1_0_asks": ("keepalive 4;", "proxy_set_header Connection keep-alive;"),
    "map_closes": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Connection $closes;"),
    "map_keeps": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Connection $keeps;"),
    "own_header": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header X-Own 1;"),
    "map_in_braces": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Connection ${keeps};"),
    "method_before": ("least_conn; keepalive 4;", "proxy_http_version 1.1;" + CLEAR),
    "method_behind": ("keepalive 4; least_conn;", "proxy_http_version 1.1;" + CLEAR),
    "hash_behind": ("keepalive 4; hash $host;", "proxy_http_version 1.1;" + CLEAR),
    "one_request": ("keepalive 4; keepalive_requests 1;", "proxy_http_version 1.1;" + CLEAR),
    "no_time": ("keepalive 4; keepalive_timeout 0;", "proxy_http_version 1.1;" + CLEAR),
    "upgrade_always": ("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"),
}


def contracts(nginx, *args):
    """What check says of the nginx that runs, by the name of each route's group or else its address."""
    got = run("check", "-o", "json", "--pid", nginx.pid, *args)
    assert got.returncode in (0, 3), got.stderr
    objects = [json.loads(line) for line in got.stdout.splitlines()]
    assert objects[-1]["nginx_source"] == f"of process {nginx.pid}"
    return objects


def test_effective_values(stage, trace):
    """Three requests over each way to pass them on: one connection where check says kept, three where it does not."""
    ups = {name: stage.node() for name in WAYS}
    routes = {name: Plain(ups[name].addr, pool=pool, extra=extra) for name, (pool, extra) in WAYS.items()}
    more = {"direct": Plain(stage.node().addr, extra="proxy_http_version 1.1;" + CLEAR, direct=True),
            "inherited": Plain(stage.node().addr, pool="keepalive 4;", inherited="proxy_http_version 1.1;" + CLEAR),
            "by_variable": Plain(stage.node().addr, pool="keepalive 4;", inherited="set $chosen by_variable;", passes="proxy_pass http://$chosen; #",
                                 extra="proxy_http_version 1.1;" + CLEAR),
            "list_replaced": Plain(stage.node().addr, pool="keepalive 4;", inherited="proxy_http_version 1.1;" + CLEAR,
                                   extra="proxy_set_header X-Own 1;")}
    routes |= more
    nginx = stage.nginx(http=MAPS, **routes)
    by_addr = {route.servers: name for name, route in routes.items()}
    says = {by_addr[o["upstream"]]: o["keepalive"] for o in contracts(nginx) if o["kind"] == "contract"}
    ports = [int(a.rpartition(":")[2]) for a in by_addr]
    traces = [trace("--all", ports=ports[i:i + 16]) for i in range(0, len(ports), 16)]
    for name in routes:
        for _ in range(3):
            assert nginx.get(target("ok"), name).status == 200
    # an idle connection ends with its nginx; the others have ended
    nginx.quit()
    for addr, name in by_addr.items():
        port = int(addr.rpartition(":")[2])
        tr = traces[ports.index(port) // 16]
        kept = says[name] == "kept"
        tr.wait(upstream_port=port, count=1 if kept else 3)
        numbers = [o["exchange"]["number"] for o in tr.all(upstream_port=port)]
        assert numbers == ([3] if kept else [1, 1, 1]), (name, says[name])
    assert {n for n, s in says.items() if s == "kept"} == {"kept", "http_1_0_asks", "map_keeps", "map_in_braces", "method_before", "upgrade_always", "inherited",
                                                              "by_variable"}


def test_keepalive_values(stage, trace):
    """keepalive_timeout and keepalive_requests of upstream{} are what nginx goes by, whatever http{} says for clients."""
    quick, few = stage.node(), stage.node()
    nginx = stage.nginx(quick=Plain(quick.addr, pool="keepalive 4; keepalive_timeout 400ms;", extra="proxy_http_version 1.1;" + CLEAR),
                        few=Plain(few.addr, pool="keepalive 4; keepalive_requests 2;", extra="proxy_http_version 1.1;" + CLEAR))
    said = [o for o in contracts(nginx) if o["kind"] == "contract"]
    groups = {o["group"]["name"]: o["group"] for o in said}
    assert {o["client_keepalive_timeout_ms"] for o in said} == {600000}  # the harness's own
    assert groups["quick"]["keepalive_timeout_ms"] == 400 and groups["quick"]["keepalive_requests"] == 1000
    assert groups["few"]["keepalive_timeout_ms"] == 60000 and groups["few"]["keepalive_requests"] == 2
    tr = trace("--all", ports=[quick.port, few.port])
    for name in ("quick", "few", "few"):
        assert nginx.get(target("ok"), name).status == 200
    closed = tr.wait(upstream_port=quick.port)
    assert closed["closed_by"] == "nginx" and closed["exchange"]["number"] == 1
    lasted = closed["timeline"][-1]["t_ms"]
    assert 390 < lasted < 1500, closed["timeline"]
    done = tr.wait(upstream_port=few.port)
    assert done["closed_by"] == "nginx" and done["exchange"]["number"] == 2


def test_race_before_the_fix_and_none_after(stage, trace, scratch):
    """Learned from its races alone, found with their number, mended by the own change, and gone."""
    link = stage.link(20)
    up = stage.node("--keepalive", "200", host="10.77.0.2", netns=link.ready["b"])
    nginx = stage.nginx(app=Plain(up.addr, pool="keepalive 4;", extra="proxy_http_version 1.1;" + CLEAR), netns=link.ready["a"])
    tr = trace(ports=[up.port])
    assert [faults.meet_idle_close(nginx, up) for _ in range(4)] == [502] * 4
    tr.wait(count=4, verdict="keepalive_race")
    tr.stop()
    learned = scratch / "learned.jsonl"
    learned.write_text(tr.stdout() + "\n", encoding="utf-8")

    (found,) = [o for o in contracts(nginx, "--learned", learned) if o["kind"] == "finding"]
    assert (found["rule"], found["severity"], found["upstream"], found["happened"]) == ("idle-race", "error", up.addr, 4)
    (theirs,) = [u["idle"] for u in json.loads(tr.stdout().splitlines()[-1])["upstreams"]]
    assert [f["value_ms"] for f in found["figures"]] == [60000, int(theirs["timeout_ms"])]
    text = run("check", "--pid", nginx.pid, "--learned", learned).stdout
    assert "happened  4 times" in text and "learned from 4 closes" in text

    fixed = run("check", "--pid", nginx.pid, "--learned", learned, "--in-place")
    assert fixed.returncode == 0, fixed.stderr
    again = run("check", "--pid", nginx.pid, "--learned", learned)
    assert again.returncode == 0, fixed.stdout + again.stdout
    old = set(nginx.reload())
    eventually(lambda: not old & set(nginx.workers()), "the old workers have ended")
    after = trace("--all", ports=[up.port])
    assert [faults.meet_idle_close(nginx, up) for _ in range(4)] == [200] * 4
    after.wait(count=4, closed_by="nginx")
    assert after.all(flagged=True) == []


def test_probed(stage, scratch):
    """What `upclose probe` measures goes before everything else, by address and by the name in the URL."""
    up = stage.node("--keepalive", "200")
    got = run("probe", "-o", "json", "--only", "idle", "--samples", "3", f"http://localhost:{up.port}/ok/probe")
    assert got.returncode == 0, got.stderr
    probed = scratch / "probe.jsonl"
    probed.write_text(got.stdout, encoding="utf-8")
    idle = json.loads(got.stdout)["idle"]
    for name in ("127.0.0.1", "localhost"):
        conf = scratch / "app.conf"
        conf.write_text(f"upstream a {{ server {name}:{up.port}; keepalive 1; }}\n"
                        f"server {{ location / {{ proxy_pass http://a; proxy_http_version 1.1; {CLEAR} }} }}\n", encoding="utf-8")
        said = run("check", "-o", "json", "--version-of", "1.28", "--probe", probed, "--upstream", "a=90", conf)
        assert said.returncode == 3, said.stderr
        finding, contract, _ = map(json.loads, said.stdout.splitlines())
        assert finding["rule"] == "idle-race"
        assert contract["upstream_idle"]["source"] == "probe" and contract["upstream_idle"]["timeout_ms"] == int(idle["timeout_ms"])
