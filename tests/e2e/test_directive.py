# SPDX-License-Identifier: BSD-2-Clause
"""A verdict that is about a timeout names the line of nginx's own configuration that sets it."""
import re

from harness import faults
from harness.nginx import Route
from harness.proc import eventually
from harness.stage import target


def line_of(nginx, pattern):
    with open(f"{nginx.dir}/nginx.conf", encoding="utf-8") as f:
        (number,) = [n for n, line in enumerate(f, 1) if re.search(pattern, line)]
    return number


def edit(nginx, old, new):
    name = f"{nginx.dir}/nginx.conf"
    with open(name, encoding="utf-8") as f:
        text = f.read()
    assert text.count(old) == 1
    with open(name, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def reload(nginx):
    """Until no worker of before is left."""
    old = set(nginx.reload())
    eventually(lambda: not old & set(nginx.workers()), "the old workers have ended")


def race(nginx, up, tr):
    fault = faults.race_sent_after_fin(nginx, up)
    return tr.wait(nginx_port=fault.nginx_port, verdict="keepalive_race")


def test_race(stage, trace):
    """By default, and set with a reload. Between a change and its reload what nginx runs on is told by who had read it."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, pool="zone z 64k;"))
    tr = trace(ports=[up.port])
    conf = f"{nginx.dir}/nginx.conf"

    obj = race(nginx, up, tr)
    assert obj["directive"] == {"name": "keepalive_timeout", "group": "app", "file": conf, "line": line_of(nginx, "upstream app"),
                                "value_ms": 60000, "default": True}
    assert any(f"upstream app at {conf}:{obj['directive']['line']} has none of its own" in a for a in obj["advice"])

    edit(nginx, "zone z 64k;", "zone z 64k;\n        keepalive_timeout 50s;")
    late = trace(ports=[up.port])
    before = obj["directive"]
    obj = race(nginx, up, tr)
    assert obj["directive"] == before
    assert late.wait(nginx_port=obj["nginx"]["port"])["directive"] is None
    reload(nginx)
    obj = race(nginx, up, tr)
    assert (obj["directive"]["line"], obj["directive"]["value_ms"], obj["directive"]["default"]) == (line_of(nginx, "timeout 50s"), 50000, False)
    assert late.wait(nginx_port=obj["nginx"]["port"])["directive"] == obj["directive"]
    assert any(f"keepalive_timeout is 50.00 s, set at {conf}:{obj['directive']['line']}" in a for a in obj["advice"])


def test_timeouts(stage, trace):
    """nginx's own timeouts; two locations that differ leave it open which was meant."""
    up, other = stage.node(), stage.node()
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 150ms;"),
                        one=Route(other.addr, extra="proxy_read_timeout 151ms;"), two=Route(other.addr, extra="proxy_read_timeout 2s;"))
    tr = trace(ports=[up.port, other.port])
    assert nginx.get(target("never"), "app").status == 504
    obj = tr.wait(upstream_port=up.port, verdict="nginx_timeout")
    assert (obj["directive"]["name"], obj["directive"]["line"]) == ("proxy_read_timeout", line_of(nginx, "150ms"))
    assert nginx.get(target("never"), "one").status == 504
    assert tr.wait(upstream_port=other.port, verdict="nginx_timeout")["directive"] is None


def test_unreadable(stage, trace):
    """A configuration that went away, and one that is none, cost the verdict nothing."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    edit(nginx, "events {", "events {{{{")
    obj = race(nginx, up, tr)
    assert obj["directive"] is None and obj["confidence"] == "proven"
