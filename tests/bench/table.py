# SPDX-License-Identifier: BSD-2-Clause
"""Tables in Markdown, readable as they are."""


def table(head, rows):
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines) + "\n"


def ratio(s):
    return f"{s['median']:.2f} ({s['q1']:.2f}-{s['q3']:.2f})"


def mib(n):
    return f"{n / (1 << 20):.1f}"


WORDS = {"kept": "kept alive", "fresh": "new each", "1k": "1 KiB", "1m": "1 MiB", "1w": "1 worker", "2w": "2 workers"}


def scenario_name(name):
    return ", ".join(WORDS[w] for w in name.split("-"))


def throughput(result):
    tools = result["tools"]
    return "Throughput with the tool over without, median of the rounds (quartiles):\n\n" + table(
        ["upstream connections, body, proxy", *tools],
        [[scenario_name(s), *(ratio(of[s]["requests_s"]) for of in tools.values())] for s in result["scenarios"]])


def work(result):
    tools = result["tools"]
    return "Processor time of nginx and of the tool for a request, with over without:\n\n" + table(
        ["upstream connections, body, proxy", "without, us", *tools],
        [[scenario_name(s), f"{result['without'][s]['work_us']['median']:.1f}", *(ratio(of[s]["work_us"]) for of in tools.values())]
         for s in result["scenarios"]])


def compare(result):
    tools = result["tools"]
    out = throughput(result) + "\n" + work(result)
    out += "\nLatency at a constant rate, with over without:\n\n"
    out += table(["", "requests/s", *tools],
                 [[f"{scenario_name(s)}, {key.partition('_')[0]}", f"{result['rates'][s]:.0f}",
                   *(ratio(of[s][key]) for of in tools.values())]
                  for s in result["scenarios"] if s in result["rates"] for key in ("p50_us", "p99_us")])
    out += "\nThe tool itself:\n\n"
    rows = [["CPU, % of a core: " + scenario_name(s), *(f"{100 * of[s]['cpu_s_per_s']['median']:.1f}" for of in tools.values())]
            for s in result["scenarios"] if s.endswith("-1k-2w")]
    rows.append(["resident memory, MiB", *(mib(of["rss_bytes"]["median"]) for of in tools.values())])
    rows.append(["kernel memory of its maps, MiB", *(mib(of["map_bytes"]["median"]) for of in tools.values())])
    out += table(["", *tools], rows)
    for tool, why in result["skipped"].items():
        out += f"\nNot run: {tool}: {why}.\n"
    return out


HOOKS = (("ask", "uc_send", "send"), ("ask", "uc_recv", "receive"), ("open", "uc_set_state", "state change, opening"),
         ("close", "uc_set_state", "state change, closing"), ("close", "uc_destroy", "destroy"))


def hooks(result):
    head = ["ns a run, average", *(f"{n} {kind}" for kind in ("tracked", "untracked") for n in result["counts"])]
    rows = []
    for phase, program, words in HOOKS:
        row = [words]
        for kind in ("tracked", "untracked"):
            for n in result["counts"]:
                ran = result[kind][str(n)][phase].get(program)
                row.append(f"{ran['ns']:.0f}" if ran else "-")
        rows.append(row)
    rows.append(["a program that does nothing, on send", *(f"{result['floor_ns'][str(n)]:.0f}" for n in result["counts"] * 2)])
    return table(head, rows)


def scale(result):
    rows = []
    for name, c in result["cases"].items():
        reasons = ", ".join(f"{k} {v}" for k, v in c["lost_by_reason"].items())
        rows.append([name, c["ended"], c["connections"], c["flagged"], reasons or 0, mib(c["rss_bytes"]["after"]), "; ".join(c["wrong"]) or "nothing"])
    s = result["storage"]
    return table(["case", "ended", "told", "flagged", "counted as lost", "RSS, MiB", "wrong"], rows) + (
        f"\nKernel memory: {s['bytes_each']} bytes for each connection with both ends on this host, {mib(s['map_bytes'])} MiB of maps; "
        f"resident {mib(s['rss_bytes'])} MiB at 10,000 connections.\n")


def growth(result):
    rows, slopes, d = [], [], result["daemon"]
    for s in result["series"].values():
        for step in s["steps"]:
            rows.append([s["each"], f"{step['rate']:.0f}", f"{100 * step['reader']:.2f}",
                         f"{100 * step['hooks']:.2f}" if "hooks" in step else "-", mib(step["rss_bytes"])])
        fit = s["slopes"]
        slopes.append([s["each"], f"{1e6 * fit['reader']['each']:.2f}",
                       f"{1e6 * fit['hooks']['each']:.2f}" if "hooks" in fit else "-", f"{fit['rss_bytes']['each']:.0f}"])
    return (table(["", "number", "reader, % of a core", "hooks, % of a core", "RSS, MiB"], rows) + "\nThe slopes, what one more costs:\n\n"
            + table(["one more", "reader, us", "hooks, us", "RSS, bytes"], slopes)
            + f"\nThe daemon, its metrics read every second, at {d['rate']:.0f} requests a second on kept-alive connections: "
            f"{100 * d['cpu']:.2f} % of a core, {mib(d['rss_bytes'])} MiB resident; with 10,000 connections: {mib(d['rss_many_bytes'])} MiB.\n")
