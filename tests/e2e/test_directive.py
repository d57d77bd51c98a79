# SPDX-License-Identifier: BSD-2-Clause
"""A verdict that is about a timeout names the line of nginx's own configuration that sets it."""
import json
import os
import re

import pytest
from harness import faults
from harness.nginx import NGINX, Route
from harness.proc import eventually
from harness.stage import target

# nginx at $0, called as the harness does: its configuration lies where only it sees it
ELSEWHERE = {
    "mounts": 'mount -t tmpfs none /srv && cp "$4" /srv/n.conf && exec "$0" "$1" "$2" -c /srv/n.conf -e "$6"',
    "root": 'mount -t tmpfs none /mnt && mkdir /mnt/r && mount --rbind / /mnt/r && mount -t tmpfs none /mnt/r/srv && '
            'cp "$4" /mnt/r/srv/n.conf && exec chroot /mnt/r "$0" "$1" "$2" -c /srv/n.conf -e "$6"',
}


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


def logged(daemon):
    eventually(lambda: any(line.startswith("{") for line in daemon.lines), "an object in the log")
    return json.loads(next(line for line in daemon.lines if line.startswith("{")))


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


@pytest.mark.parametrize("where", ["here", *ELSEWHERE])
def test_after_privilege_is_given_up(stage, scratch, where):
    """The daemon is nobody by then, and reads what everybody may: as nginx itself sees it, with its mounts and its root."""
    up = stage.node()
    options = {}
    if where in ELSEWHERE:
        options["binary"] = scratch / "nginx"
        options["binary"].write_text(f"#!/bin/sh\nexec unshare -m sh -c '{ELSEWHERE[where]}' {NGINX} \"$@\"\n", encoding="ascii")
        options["binary"].chmod(0o755)
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 150ms;"), **options)
    os.chmod(nginx.dir, 0o755)
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=[up.port])
    assert nginx.get(target("never")).status == 504
    assert logged(d)["directive"] == {
        "name": "proxy_read_timeout", "group": None, "file": f"{nginx.dir}/nginx.conf" if where == "here" else "/srv/n.conf",
        "line": line_of(nginx, "150ms"), "value_ms": 150, "default": False}


def test_configuration_of_root_alone(stage):
    """What only root may read a daemon without privilege does not name; the verdict is the same."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr, extra="proxy_read_timeout 150ms;"))
    os.chmod(nginx.dir, 0o755)
    os.chmod(f"{nginx.dir}/nginx.conf", 0o600)
    d = stage.daemon({"log": {"to": "stderr", "format": "json"}}, ports=[up.port])
    assert nginx.get(target("never")).status == 504
    obj = logged(d)
    assert (obj["verdict"], obj["confidence"], obj["directive"]) == ("nginx_timeout", "proven", None)
