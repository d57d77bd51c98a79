# SPDX-License-Identifier: BSD-2-Clause
"""The newest measurements as files of the tree: their figures, a page of tables for each, and the picture."""
import json

from . import table
from .drive import TOP
from .svg import draw

RESULTS = TOP / "tests" / "bench" / "results"
PAGES = {"compare": "README.md", "hooks": "hooks.md", "scale": "scale.md", "growth": "growth.md"}
INTRODUCTION = """\
# What upclose costs

Written by `make bench-render` from the newest `make bench`; the figures are in [compare.json](compare.json). The worst
case for a tracer: trivial requests over loopback that saturate every core, with nginx, its upstream and the load
generator on one host. Each round runs once without any tool and once with each; a ratio is "with" divided by
"without" of the same round. 1 is no cost; below 1 in throughput, or above 1 in processor time, is cost.

Also here: [hooks](hooks.md) (nanoseconds of each hook), [scale](scale.md) (many connections and failures at once),
[growth](growth.md) (the cost of one more request, connection or failure a second). [LOG.md](../LOG.md) records what
was tried to make it cheaper.

![throughput with each tool, divided by throughput without](compare.svg)

"""


def headline(result):
    m = result["machine"]
    rounds = f"; {result['pairs']} interleaved rounds of {result['seconds']} s" if "pairs" in result else ""
    quick = ", the quick way" if result["quick"] else ""
    return f"Measured on {m['date']}: {m['cpus']} CPUs ({m['cpu']}), kernel {m['kernel']}, in {result['took_s']} s{quick}{rounds}.\n\n"


def render(out):
    RESULTS.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        file = out / ("bench.json" if name == "compare" else f"bench-{name}.json")
        if not file.exists():
            continue
        result = json.loads(file.read_text(encoding="ascii"))
        words = (INTRODUCTION if name == "compare" else "") + headline(result)
        (RESULTS / page).write_text(words + getattr(table, name)(result), encoding="ascii")
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="ascii")
        if name == "compare":
            (RESULTS / "compare.svg").write_text(draw(result), encoding="ascii")
    return 0
