# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m kernels.inside FILE [SCENARIO...]

Runs the scenarios once on this kernel, with an upclose for each hook plan that it allows beside the others, so that
all of them see the same connections. FILE gets, as JSON, what each plan said of each scenario.
"""
import json
import os
import platform
import re
import subprocess
import sys
import time
import traceback

from harness.fallback import falls_back, needs_admin, plans
from harness.stage import Stage
from harness.upclose import UPCLOSE, assert_contract, values

from .scenarios import ADOPTED, BY_FILE, SCENARIOS, Site, adoption

BTF = "/sys/kernel/btf/vmlinux"

# What is compared between kernels: all of the contract but times, numbers of processes and ports, and sentences.
FACTS = ("verdict", "proof", "confidence", "phase", "closed_by", "close", "flagged", "lossy", "comm", "exiting", "exit_code",
         "signal", "oom", "number", "reused", "method", "request_bytes", "unacked_bytes", "unread_bytes", "response_bytes",
         "status", "headers_complete")


def possible_by_types(upclose, file):
    """The plans that the BTF in a file has all types for, by the architecture that upclose was built for."""
    done = subprocess.run([upclose, "hooks", "--btf", file, "-o", "json"], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted({r["plan"] for r in rows if r["kind"] == "plan" and r["possible"]})


def programs():
    """The kernel's BPF programs by number; none where there is no bpftool."""
    try:
        done = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True, check=False)
        return {p["id"]: p for p in json.loads(done.stdout) if p.get("name", "").startswith("uc_")}
    except (OSError, ValueError):
        return {}


class Tracers:
    def __init__(self, stage, site, names):
        self.stage, self.site, self.names = stage, site, names
        self.by_plan, self.load = {}, {}

    def start(self):
        for name in self.names:
            before = programs()
            began = time.monotonic()
            options = ("--btf", BTF) if name == BY_FILE else ("--hooks", name)
            self.by_plan[name] = self.stage.upclose("--all", *options, ports=self.site.ports())
            took = time.monotonic() - began
            new = [p for number, p in programs().items() if number not in before]
            self.load[name] = {"seconds": round(took, 2), "programs": len(new),
                               "instructions": sum(p["bytes_xlated"] for p in new) // 8,
                               "verified": sum(p.get("verified_insns", 0) for p in new)}

    def facts(self, scenario, clue):
        """Of the connection with this clue, by plan."""
        found = {}
        for name, tracer in self.by_plan.items():
            try:
                obj = tracer.wait(**clue)
                assert_contract(obj)
                found[name] = values(obj, dict.fromkeys(FACTS))
            except (TimeoutError, AssertionError) as error:
                found[name] = {"error": str(error)[:2000]}
        return found


def run(names, only):
    results = {}

    def attempt(scenario, make):
        began = time.monotonic()
        try:
            clues = make()
            clues = clues if scenario is None else {scenario: clues}
            for key, clue in clues.items():
                results[key] = tracers.facts(key, clue)
        except Exception:  # pylint: disable=broad-except # one that fails must not hide the others
            for key in [scenario] if scenario else ADOPTED:
                results[key] = dict.fromkeys(names, {"error": traceback.format_exc()[-2000:]})
        print(f"{time.monotonic():7.1f} {scenario or 'adoption'}: {time.monotonic() - began:.1f} s", flush=True)

    with Stage() as stage:
        site = Site(stage)
        tracers = Tracers(stage, site, names)
        print(f"{time.monotonic():7.1f} started", flush=True)
        attempt(None, lambda: adoption(site, tracers.start))
        for name, (make, _) in SCENARIOS.items():
            if not only or name in only:
                attempt(name, lambda make=make: make(site))
        flagged = {}
        for name, tracer in tracers.by_plan.items():
            _, summary, stderr, status = tracer.stop()
            flagged[name] = summary["flagged"] if summary else None
            print(name, status, json.dumps(summary), stderr, flush=True)
    return {"release": platform.release(), "load": tracers.load, "flagged": flagged, "facts": results}


def main(file, *only):
    names, impossible = plans()
    wanted = re.split(r"[, ]+", os.environ["KERNELS_PLANS"]) if os.environ.get("KERNELS_PLANS") else names
    fallback, admin = falls_back(names, names[:1]), needs_admin(names[0])
    if "kprobe" in names:
        names.append(BY_FILE)
    report = run([n for n in names if n in wanted], only)
    report |= {"fallback": fallback, "admin": admin, "impossible": impossible, "types": possible_by_types(UPCLOSE, BTF)}
    with open(file, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
