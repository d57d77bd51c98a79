# SPDX-License-Identifier: BSD-2-Clause
"""Interleaved A/B runs: each round measures every tool once on every scenario, in an order that moves on from round to round."""
import os
import time

from . import agents, drive, meters
from .figures import spread
from .site import Site

NONE = "without"
# (name, port of the proxy, body, workers of the proxy)
SCENARIOS = [(f"{pool}-{body}-{workers}w", pool, body, workers)
             for workers in (1, 2) for pool in ("kept", "fresh") for body in ("1k", "1m")]
LATENCY = [s for s in SCENARIOS if s[2] == "1k"]
# Of what the proxy can do without any tool: both cores have room, and queues stay short.
RATE_SHARE = 0.35


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def visit(site, tool, scenarios, rates, seconds):
    """One tool, attached once, through all the scenarios of a site."""
    agent = agents.AGENTS[tool](site.port) if tool != NONE else None
    seen, workers = {}, site.workers()
    try:
        for name, pool, body, _ in scenarios:
            before = meters.cpu_seconds(agent.pid) if agent else 0
            worked = sum(map(meters.fine_cpu_seconds, workers))
            one = {"requests_s": drive.saturate(getattr(site, pool), body, seconds)}
            work = sum(map(meters.fine_cpu_seconds, workers)) - worked
            if agent:
                one["cpu_s_per_s"] = (meters.cpu_seconds(agent.pid) - before) / seconds
                work += one["cpu_s_per_s"] * seconds
            one["work_us"] = 1e6 * work / (one["requests_s"] * seconds)
            if name in rates:
                load = drive.at_rate(getattr(site, pool), body, rates[name], seconds)
                one |= {"p50_us": load["p50_us"], "p99_us": load["p99_us"]}
            seen[name] = one
        if agent:
            seen["agent"] = {"rss_bytes": meters.rss_bytes(agent.pid), "map_bytes": meters.map_bytes(agent.pid)}
    finally:
        if agent:
            agent.stop()
    return seen


def rates_of(site, scenarios, seconds):
    return {name: round(RATE_SHARE * drive.saturate(getattr(site, pool), body, seconds), -2)
            for name, pool, body, _ in scenarios if (name, pool, body, _) in LATENCY}


def rounds(pairs, seconds, say):
    """{tool: {scenario: [figures of each round]}}, the fixed rates, and why tools are not among them."""
    found, rates, skipped = {}, {}, {}
    with Site() as site:
        tools = [NONE]
        for tool in agents.AGENTS:
            why = agents.refused(tool, site.port)
            if why:
                skipped[tool] = why
                say(f"skip {tool}: {why}")
            else:
                tools.append(tool)
    begun, done, total = time.monotonic(), 0, pairs * 2 * len(tools)
    for workers in (1, 2):
        scenarios = [s for s in SCENARIOS if s[3] == workers]
        with Site(workers) as site:
            rates |= rates_of(site, scenarios, seconds)
            for i in range(pairs):
                for tool in rotated(tools, i):
                    for name, one in visit(site, tool, scenarios, rates, seconds).items():
                        found.setdefault(tool, {}).setdefault(name, []).append(one)
                    done += 1
                    left = (time.monotonic() - begun) / done * (total - done)
                    say(f"{done}/{total} {workers} workers, round {i + 1}: {tool}; about {left / 60:.0f} min left")
    return found, rates, skipped


def ratios(base, with_tool, key):
    return spread([w[key] / b[key] for b, w in zip(base, with_tool) if key in w])


def summary(found, rates, skipped):
    """What of it goes to the table: ratios to the same round's run without a tool."""
    out = {"scenarios": [s[0] for s in SCENARIOS], "rates": rates, "skipped": skipped, "tools": {}, "without": {}}
    for name in out["scenarios"]:
        runs = found[NONE][name]
        out["without"][name] = {key: spread([r[key] for r in runs]) for key in runs[0]}
    for tool, seen in found.items():
        if tool == NONE:
            continue
        of = {}
        for name in out["scenarios"]:
            base, runs = found[NONE][name], seen[name]
            of[name] = {key: ratios(base, runs, key) for key in base[0]}
            of[name]["cpu_s_per_s"] = spread([r["cpu_s_per_s"] for r in runs])
        of["rss_bytes"] = spread([r["rss_bytes"] for r in seen["agent"]])
        of["map_bytes"] = spread([r["map_bytes"] for r in seen["agent"]])
        out["tools"][tool] = of
    return out


def measure(quick, say):
    pairs = int(os.environ.get("BENCH_PAIRS", 2 if quick else 7))
    seconds = int(os.environ.get("BENCH_SECONDS", 1 if quick else 2))
    return summary(*rounds(pairs, seconds, say)) | {"pairs": pairs, "seconds": seconds}
