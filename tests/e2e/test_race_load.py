# SPDX-License-Identifier: BSD-2-Clause
"""The idle race many times under load: upclose and nginx's error log agree on every single connection."""
import re
import threading
import time
from collections import Counter

from harness import faults
from harness.nginx import Route
from harness.stage import path, target

RACES = 200


def in_log(nginx, pattern):
    """Number of nginx's error lines for each target."""
    return Counter(re.search(r'request: "[A-Z]+ ([^ ?]+)', line)[1] for line in nginx.errors(pattern))


def in_trace(tr, logged):
    """Number of flagged connections for each target, once as many are there as nginx has logged."""
    tr.wait(count=sum(logged.values()), flagged=True, timeout=10)
    return Counter(o["exchange"]["target"] for o in tr.stop()[0] if o["flagged"])


def test_race_on_the_wire_under_load(stage, trace):
    """Node closes its idle connections again and again while many clients keep nginx sending, 8 ms away."""
    link = stage.link(8)
    where = {"host": "10.77.0.2", "netns": link.ready["b"]}
    up, calm = stage.node("--quiet", **where), stage.node("--quiet", **where)
    nginx = stage.nginx(race=Route(up.addr), calm=Route(calm.addr), netns=link.ready["a"], workers=2)
    tr = trace(ports=[up.port, calm.port])
    stop = threading.Event()
    statuses = Counter()

    def load(route, method):
        seen = Counter()
        with nginx.client(route) as c:
            while not stop.is_set():
                seen[faults.exchange(c, method, target("ok")).status] += 1
        statuses.update({(route, method, status): n for status, n in seen.items()})

    kinds = [("race", "POST")] * 8 + [("race", "GET")] * 4 + [("calm", "POST")] * 4
    threads = [threading.Thread(target=load, args=kind) for kind in kinds]
    for t in threads:
        t.start()
    try:
        end = time.monotonic() + 60
        while len(nginx.errors(faults.CLOSED)) < RACES:
            assert time.monotonic() < end, "the race does not happen often enough"
            up.command("close_idle")
            time.sleep(0.08)  # traffic between two closes, not a wait for anything
    finally:
        stop.set()
        for t in threads:
            t.join()
    # a request that Node's kernel had, unread, when Node closed is answered with a reset
    logged = in_log(nginx, f"{faults.CLOSED}|{faults.RESET}")
    assert sum(logged.values()) >= RACES and in_log(nginx, r"\[(error|crit|alert)\]") == logged
    assert {k for k in statuses if k[0] == "calm"} == {("calm", "POST", 200)}
    assert statuses["race", "POST", 502] > 0 and ("race", "GET", 502) not in statuses
    assert in_trace(tr, logged) == logged
    assert {(o["verdict"], o["confidence"]) for o in tr.all(flagged=True)} == {("keepalive_race", "proven")}
    by_proof = Counter(o["proof"] for o in tr.all(flagged=True))
    assert by_proof["request_unread"] == len(nginx.errors(faults.RESET)), by_proof


def test_race_with_busy_workers(stage, trace):
    """32 requests at once meet 32 connections whose FIN nginx has not looked at yet, eight times."""
    width = 32
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    clients = [stage.client(nginx) for _ in range(width)]
    ports = set()
    for _ in range(8):
        ports |= faults.race_of_many(nginx, up, clients, [target("ok") for _ in clients], method="POST")
        assert [c.response().status for c in clients] == [502] * width
    logged = in_log(nginx, faults.CLOSED)
    assert sum(logged.values()) == 8 * width and set(logged.values()) == {1}
    assert in_trace(tr, logged) == logged
    flagged = tr.all(flagged=True)
    assert {(o["verdict"], o["proof"]) for o in flagged} == {("keepalive_race", "sent_after_fin")}
    assert {o["nginx"]["port"] for o in flagged} == ports


def test_each_line_has_its_connection_with_retries(stage, trace):
    """A GET goes through every stale connection, one error line each, and the client sees nothing of it."""
    up = stage.node("--quiet")
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace(ports=[up.port])
    clients = [stage.client(nginx) for _ in range(5)]
    t = target("ok")
    faults.race_of_many(nginx, up, clients, [t])
    assert clients[0].response().status == 200
    logged = in_log(nginx, faults.CLOSED)
    assert set(logged) == {path(t)}
    assert in_trace(tr, logged) == logged
