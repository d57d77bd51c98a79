# SPDX-License-Identifier: BSD-2-Clause
"""Many connections, many failures a second, a reader that stands still: what is lost, is it said, is anything wrong.

Every case returns its figures and, under "wrong", what upclose got wrong; that list must be empty."""
import json
import os
import signal
import subprocess
import tempfile
import time

from harness.proc import PREFIX, Child, eventually
from harness.upclose import UPCLOSE

from . import drive, meters
from .site import Site

UNKNOWN = "unknown"


class Trace(Child):
    """`upclose trace -o json` into a file, so that nobody slows it down."""

    def __init__(self, port, *args):
        self.out = tempfile.NamedTemporaryFile(prefix=PREFIX)
        self.err = tempfile.NamedTemporaryFile(prefix=PREFIX)
        super().__init__([UPCLOSE, "trace", "-o", "json", "-p", port, *args], stdout=self.out, stderr=self.err)
        try:
            eventually(lambda: b"tracing" in self.said(), "upclose traces", 30)
        except BaseException:
            self.stop()
            raise

    def said(self):
        with open(self.err.name, "rb") as f:
            return f.read()

    def finish(self):
        """(verdicts and their confidence: how many connections, the summary)"""
        self.kill(signal.SIGINT)
        self.wait(120)
        kinds, summary = {}, None
        with open(self.out.name, encoding="utf-8") as f:
            for line in f:
                obj = json.loads(line)
                if obj["kind"] == "summary":
                    summary = obj
                else:
                    kind = (obj["verdict"], obj["confidence"])
                    kinds[kind] = kinds.get(kind, 0) + 1
        return kinds, summary

    def stop(self):
        status = super().stop()
        self.out.close()
        self.err.close()
        return status


def judged(kinds, summary, ended, flagged, right):
    """What is wrong with a trace of so many ends; `right`: the verdicts that a confident one may be."""
    wrong = []
    lost = summary["lost_by_reason"]
    known = summary["connections"]
    if known > ended:
        wrong.append(f"{known} connections ended, but there were only {ended}")
    if known + lost["ring_full"] + lost["no_storage"] < ended:
        wrong.append(f"{ended - known} of {ended} connections are missing, and only {summary['lost']} losses are counted")
    if known == ended and summary["flagged"] != flagged:
        wrong.append(f"{summary['flagged']} flagged instead of {flagged}")
    for (verdict, confidence), n in kinds.items():
        if verdict not in right and confidence != UNKNOWN:
            wrong.append(f"{n} were {verdict}, {confidence}")
    return wrong


def figures(kinds, summary):
    return {"connections": summary["connections"], "exchanges": summary["exchanges"], "flagged": summary["flagged"],
            "lost": summary["lost"], "lost_by_reason": {k: v for k, v in summary["lost_by_reason"].items() if v},
            "by_verdict": summary["by_verdict"], "confidence": {" ".join(k): n for k, n in kinds.items()}}


def many(count, asks, last, say, *args):
    """So many connections, opened, used, idle, and then closed by one side."""
    with drive.Conns(count) as conns, Trace(conns.port, "--comm", "conns", *args) as trace:
        took = {"open": conns.do("open"), "ask": conns.do(f"ask {asks}") / asks}
        cpu = meters.fine_cpu_seconds(trace.pid)
        rss = {"idle": meters.rss_bytes(trace.pid)}
        took[last] = conns.do(last)
        rss["after"] = meters.rss_bytes(trace.pid)
        kinds, summary = trace.finish()
    flagged = count if last == "fail" else 0
    right = {"fail": {"upstream_closed"}, "close": {"complete"}, "drop": {"idle_close", "complete"}}[last]
    wrong = judged(kinds, summary, count, flagged, right)
    wanted = count * (asks + (last == "fail"))
    if summary["connections"] == count and summary["exchanges"] != wanted:
        wrong.append(f"{summary['exchanges']} exchanges instead of {wanted}")
    say(f"{count} connections, {last}: {summary['lost']} lost, {len(wrong)} wrong")
    return figures(kinds, summary) | {"ended": count, "seconds": took, "cpu_s_before_ends": cpu, "rss_bytes": rss, "wrong": wrong}


def storage(count, say):
    """Kernel memory for each tracked connection (both of its ends here): slabs before and after adoption."""
    with drive.Conns(count) as conns:
        conns.do("open")
        conns.do("ask 2")
        time.sleep(1)  # what other processes freed is given back meanwhile
        before = meters.slab_bytes()
        with Trace(conns.port, "--comm", "conns") as trace:
            conns.do("ask 2")
            after = meters.slab_bytes()
            said = {"bytes_each": round((after - before) / count), "map_bytes": meters.map_bytes(trace.pid),
                    "rss_bytes": meters.rss_bytes(trace.pid)}
        conns.do("close")
    say(f"kernel memory of {count} connections: {said['bytes_each']} bytes each")
    return said


def failures(rate, seconds, say, stopped=0.0, *args):
    """nginx's upstream hangs up on every request, so many times a second; the reader may stand still meanwhile."""
    with Site(2) as site, Trace(site.port, *args) as trace:
        argv = [drive.LOAD, "-c", 256, "-r", rate, "-d", seconds, f"127.0.0.1:{site.fresh}", "/hangup"]
        before = meters.fine_cpu_seconds(trace.pid)
        with subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE) as load:
            if stopped:
                time.sleep(0.5)
                os.kill(trace.pid, signal.SIGSTOP)
                time.sleep(stopped)
                os.kill(trace.pid, signal.SIGCONT)
            client = json.loads(load.communicate()[0])
        cpu = meters.fine_cpu_seconds(trace.pid) - before
        rss = meters.rss_bytes(trace.pid)
        kinds, summary = trace.finish()
    wrong = judged(kinds, summary, client["not_200"], client["not_200"], {"upstream_closed"})
    if client["failed"]:
        wrong.append(f"the load itself failed {client['failed']} times")
    say(f"{rate}/s for {seconds} s, reader stopped {stopped} s: {summary['lost']} lost, {len(wrong)} wrong")
    return figures(kinds, summary) | {"rate": rate, "achieved": client["done"] / client["seconds"], "seconds": seconds, "stopped_s": stopped,
                                      "ended": client["not_200"], "cpu_s_per_s": cpu / client["seconds"], "rss_bytes": {"after": rss},
                                      "wrong": wrong}


def measure(quick, say):
    cases, large = {}, 10_000 if quick else 100_000
    for count in sorted({10_000, large}):
        for last in ("close", "drop", "fail"):
            cases[f"{count} connections, {last}"] = many(count, 5, last, say)
    cases["5,000 failures/s"] = failures(5000, 5 if quick else 60, say)
    cases["200 failures/s, reader stopped 5 s"] = failures(200, 7, say, 5)
    cases["5,000 failures/s, reader stopped 5 s"] = failures(5000, 7, say, 5)
    return {"cases": cases, "storage": storage(10_000, say), "failures": sum(len(c["wrong"]) for c in cases.values())}
