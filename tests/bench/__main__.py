# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m bench compare|hooks|scale|growth|render

Each prints its table on standard output, progress on standard error, and keeps its figures in BENCH_OUT (build).
  compare  nginx saturated, and at a constant rate: without, with upclose, with other tools
  hooks    nanoseconds of each hook, for tracked and untracked sockets
  scale    many connections, many failures, a reader that stands still
  growth   CPU and memory against requests, connections and failures a second
  render   tests/bench/results from the figures in BENCH_OUT
BENCH_PAIRS=7 rounds, BENCH_SECONDS=2 of each run; BENCH_QUICK=1 is a smaller and shorter one.
"""
import importlib
import json
import os
import platform
import sys
import time
from datetime import date
from pathlib import Path

from . import table
from .drive import TOP

QUICK = os.environ.get("BENCH_QUICK") == "1"
OUT = Path(os.environ.get("BENCH_OUT", TOP / "build"))


def say(words):
    print(f"bench: {words}", file=sys.stderr, flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = next((line.partition(":")[2].strip() for line in f if line.startswith("model name")), platform.machine())
    return {"cpus": os.cpu_count(), "cpu": model, "kernel": platform.release(), "date": date.today().isoformat()}


def main(args):
    if len(args) != 1 or args[0] not in ("compare", "hooks", "scale", "growth", "render"):
        print(__doc__, file=sys.stderr if args[:1] not in (["-h"], ["--help"]) else sys.stdout)
        return 0 if args[:1] in (["-h"], ["--help"]) else 2
    name = args[0]
    if name == "render":
        from . import render
        return render.render(OUT)
    module = importlib.import_module(f".{name}", __package__)
    begun = time.monotonic()
    result = {"machine": machine(), "quick": QUICK, **module.measure(QUICK, say)}
    result["took_s"] = round(time.monotonic() - begun)
    file = OUT / ("bench.json" if name == "compare" else f"bench-{name}.json")
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="ascii")
    m = result["machine"]
    print(f"{m['date']}, {m['cpus']} CPUs ({m['cpu']}), kernel {m['kernel']}, {result['took_s']} s\n")
    print(getattr(table, name)(result))
    say(f"the figures are in {file}")
    return 1 if result.get("failures") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
