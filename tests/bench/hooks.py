# SPDX-License-Identifier: BSD-2-Clause
"""Nanoseconds of each hook by the kernel's own statistics, on sockets that are followed and on others."""
from . import agents, drive, meters

# Requests in all, on so many connections.
ASKS = 100_000
COUNTS = (1, 100, 10_000)


def average(before, after):
    """Per program: nanoseconds of a run, and runs; those that ran too seldom say nothing."""
    out = {}
    for name, (ns, runs) in after.items():
        n = runs - before[name][1]
        if n >= 1000:
            out[name] = {"ns": (ns - before[name][0]) / n, "runs": n}
    return out


def one(count, tracked, asks):
    """Connections that exist are adopted, if followed; then each asks in turn."""
    rounds = max(asks // count, 1)
    with drive.Conns(count) as conns:
        agent = agents.upclose(conns.port if tracked else 1, "--comm", "conns")
        try:
            with meters.RunTimes():
                opened = meters.RunTimes.read(agent.pid)
                conns.do("open")
                asked = meters.RunTimes.read(agent.pid)
                conns.do(f"ask {rounds}")
                closing = meters.RunTimes.read(agent.pid)
                conns.do("close")
                closed = meters.RunTimes.read(agent.pid)
        finally:
            agent.stop()
    return {"ask": average(asked, closing), "open": average(opened, asked), "close": average(closing, closed)}


def floor(count, asks):
    """What the kernel's statistics say of a program that does nothing at all."""
    agent = agents.Agent([*agents.WITH_TRACEFS, "bpftrace", "-e", "tracepoint:sock:sock_send_length { }"], 1)
    try:
        with drive.Conns(count) as conns, meters.RunTimes():
            conns.do("open")
            before = meters.RunTimes.read(agent.pid)
            conns.do(f"ask {max(asks // count, 1)}")
            return next(iter(average(before, meters.RunTimes.read(agent.pid)).values()))["ns"]
    finally:
        agent.stop()


def measure(quick, say):
    result = {"floor_ns": {}, "counts": list(COUNTS), "tracked": {}, "untracked": {}}
    asks = ASKS // (5 if quick else 1)
    for count in COUNTS:
        result["floor_ns"][str(count)] = floor(count, asks)
        for kind in ("tracked", "untracked"):
            result[kind][str(count)] = one(count, kind == "tracked", asks)
            say(f"{count} {kind} connections")
    return result
