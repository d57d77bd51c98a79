# SPDX-License-Identifier: BSD-2-Clause
"""How the cost grows: with requests, with connections, with failures a second, and with connections that are open."""
from concurrent.futures import ThreadPoolExecutor

from harness.daemon import Daemon

from . import agents, drive, meters
from .figures import slope
from .site import Site

# name, what one more is, port of the proxy, path, a failing answer, steps a second
SERIES = [
    ("requests", "request a second on kept-alive connections", "kept", "1k", False, (500, 1000, 2000, 4000, 8000)),
    ("connections", "new upstream connection a second", "fresh", "1k", False, (250, 500, 1000, 2000, 4000)),
    ("failures", "failed request a second", "fresh", "hangup", True, (250, 500, 1000, 2000, 4000)),
]
OPEN = (0, 2500, 5000, 10_000)


def kernel_seconds(agent):
    return sum(ns for ns, _ in meters.RunTimes.read(agent.pid).values()) / 1e9


def step(site, pool, path, failing, rate, seconds):
    """CPU of the reader and of the hooks, each in seconds a second, and the reader's memory."""
    agent = agents.upclose(site.port)
    try:
        drive.at_rate(getattr(site, pool), path, rate, 0.5, failing=failing)  # connections are open, caches warm
        with meters.RunTimes():
            hooks, reader = kernel_seconds(agent), meters.fine_cpu_seconds(agent.pid)
            load = drive.at_rate(getattr(site, pool), path, rate, seconds, failing=failing)
            return {"rate": load["done"] / load["seconds"],
                    "reader": (meters.fine_cpu_seconds(agent.pid) - reader) / load["seconds"],
                    "hooks": (kernel_seconds(agent) - hooks) / load["seconds"], "rss_bytes": meters.rss_bytes(agent.pid)}
    finally:
        agent.stop()


def series(steps, *what):
    xs = [s["rate"] for s in steps]
    fits = {key: slope(xs, [s[key] for s in steps]) for key in what}
    return {"steps": steps, "slopes": {key: {"each": each, "none": none} for key, (each, none) in fits.items()}}


def idle(count):
    """A reader with so many open connections that nobody uses."""
    with drive.Conns(max(count, 1)) as conns:
        agent = agents.upclose(conns.port, "--comm", "conns")
        try:
            if count:
                conns.do("open")
            before = meters.fine_cpu_seconds(agent.pid)
            drive.wait(2)
            return {"rate": count, "reader": (meters.fine_cpu_seconds(agent.pid) - before) / 2,
                    "rss_bytes": meters.rss_bytes(agent.pid)}
        finally:
            agent.stop()


def scraped(daemon, seconds):
    """As Prometheus does, but more often."""
    for _ in range(seconds):
        drive.wait(1)
        daemon.get()


def daemon(quick, say):
    """The daemon on a busy proxy, and with many connections."""
    rate, seconds = 10_000, 3 if quick else 30
    with Site(2) as site, Daemon(ports=[site.port]) as it:
        it.get()
        before = meters.fine_cpu_seconds(it.pid)
        with ThreadPoolExecutor(1) as beside:
            beside.submit(scraped, it, seconds)
            load = drive.at_rate(site.kept, "1k", rate, seconds)
        out = {"rate": load["done"] / load["seconds"], "cpu": (meters.fine_cpu_seconds(it.pid) - before) / load["seconds"],
               "rss_bytes": meters.rss_bytes(it.pid)}
    with drive.Conns(10_000) as conns, Daemon({"tracing": {"comms": ["conns"]}}, ports=[conns.port]) as it:
        conns.do("open")
        conns.do("ask 2")
        it.get()
        out["rss_many_bytes"] = meters.rss_bytes(it.pid)
    say(f"daemon: {rate} requests a second")
    return out


def measure(quick, say):
    seconds, out = 1 if quick else 5, {}
    with Site(2) as site:
        for name, each, pool, path, failing, rates in SERIES:
            steps = []
            for rate in rates[::2] if quick else rates:
                steps.append(step(site, pool, path, failing, rate, seconds))
                say(f"{name}: {rate} a second")
            out[name] = {"each": each} | series(steps, "reader", "hooks", "rss_bytes")
    out["open"] = {"each": "open connection, idle"} | series([idle(n) for n in OPEN], "reader", "rss_bytes")
    return {"series": out, "daemon": daemon(quick, say)}
