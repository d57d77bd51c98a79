# SPDX-License-Identifier: BSD-2-Clause
"""What was measured last, as files of the tree: the tables, the picture, and their part of the README."""
import json

from . import table
from .drive import TOP
from .svg import draw

RESULTS = TOP / "tests" / "bench" / "results"
BEGIN, END = "<!-- measured: make bench, make bench-render -->\n", "<!-- /measured -->\n"


def headline(result):
    m = result["machine"]
    return f"Measured on {m['date']}: {m['cpus']} CPUs ({m['cpu']}), kernel {m['kernel']}"


def readme(result):
    text = (TOP / "README.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md lacks {BEGIN.strip()} or {END.strip()}")
    part = f"{headline(result)}; {result['pairs']} interleaved rounds of {result['seconds']} s.\n\n"
    part += "The whole of it, with latencies, scale and growth, is in [tests/bench/results](tests/bench/results), and what was\ntried in [tests/bench/LOG.md](tests/bench/LOG.md).\n\n"
    part += "![throughput with each tool over without](tests/bench/results/compare.svg)\n\n" + table.throughput(result) + "\n" + table.work(result)
    (TOP / "README.md").write_text(f"{before}{BEGIN}\n{part}\n{END}{after}", encoding="utf-8")


def render(out):
    RESULTS.mkdir(exist_ok=True)
    for name in ("compare", "hooks", "scale", "growth"):
        file = out / ("bench.json" if name == "compare" else f"bench-{name}.json")
        if not file.exists():
            continue
        result = json.loads(file.read_text(encoding="ascii"))
        words = f"{headline(result)}, in {result['took_s']} s{', the quick way' if result['quick'] else ''}.\n\n"
        (RESULTS / f"{name}.md").write_text(words + getattr(table, name)(result), encoding="ascii")
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="ascii")
        if name == "compare":
            (RESULTS / "compare.svg").write_text(draw(result), encoding="ascii")
            readme(result)
    return 0
