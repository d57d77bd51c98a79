# SPDX-License-Identifier: BSD-2-Clause
"""What the guests reported: a result for each kernel, plan and scenario, and the README's table."""
from .scenarios import ADOPTED, BY_FILE, WITHOUT_LISTENERS, wanted

FAMILIES = {  # of the table's columns, and the scenarios behind each
    "race, FIN first": ("fin_first",),
    "race, request first": ("request_first", "crossing"),
    "closed": ("closed", "read_and_closed"),
    "died": ("killed", "exited"),
    "reset, rejected": ("reset", "body_unread", "invalid_header", "protocol_mismatch"),
    "cut": ("header_cut", "body_cut", "chunk_cut"),
    "no connection": ("refused",),
    "nginx or client gave up": ("read_timeout", "client_gone"),
    "adopted": ("raced_after_adoption", "died_after_adoption"),
    "healthy": ("complete", "healthy"),
}


def differs(facts, want):
    """What is not as wanted, in words; None when all is."""
    if "error" in facts:
        return facts["error"].strip().replace("\n", " | ")[-600:]
    wrong = [f"{name} is {facts[name]!r}, not {value!r}" for name, value in want.items() if facts[name] != value]
    return "; ".join(wrong) or None


def reference(reports):
    """The facts that the first plan of the first kernel told of each scenario: every other must tell the same."""
    facts = {}
    for report in reports.values():
        for scenario, by_plan in report.get("facts", {}).items():
            for told in by_plan.values():
                if "error" not in told:
                    facts.setdefault(scenario, told)
    return facts


def results(kernels, reports):
    same = reference(reports)
    for kernel in kernels:
        report = reports[kernel.name]
        if "unavailable" in report:
            yield f"{'not ok' if kernel.required else 'skip'} kernels {kernel.name}: {report['unavailable']}"
            continue
        if "error" in report:
            yield f"not ok kernels {kernel.name}: {report['error']}"
            continue
        yield types_result(kernel, report)
        for plan in report["load"]:
            yield from plan_results(kernel, report, plan, same)


def types_result(kernel, report):
    """What `hooks --btf` reads out of the kernel's file is what the guest then allowed."""
    name = f"kernels {kernel.name} types"
    booted = {plan for plan in report["load"] if plan != BY_FILE}
    if set(report["types"]) != booted:
        return f"not ok {name}: by its BTF {report['types']} are possible, in the guest {sorted(booted)}"
    return f"ok {name}"


def plan_results(kernel, report, plan, same):
    flagged = sum(want.get("flagged", True) for want in wanted(plan).values())
    for scenario, want in wanted(plan).items():
        facts = report["facts"].get(scenario, {}).get(plan, {"error": "it was not run"})
        why = differs(facts, want)
        if not why and not (plan == BY_FILE and scenario in WITHOUT_LISTENERS):
            why = differs(facts, same.get(scenario, {}))
        yield f"{'not ok' if why else 'ok'} kernels {kernel.name} {plan} {scenario}" + (f": {why}" if why else "")
    found = report["flagged"].get(plan)
    name = f"kernels {kernel.name} {plan} nothing else is flagged"
    yield f"ok {name}" if found == flagged else f"not ok {name}: {found} connections are, of {flagged}"


def cell(report, plan, scenarios):
    if plan == BY_FILE and set(scenarios) <= set(ADOPTED):
        return "no"
    facts = [report["facts"].get(s, {}).get(plan, {"error": ""}) for s in scenarios]
    if any(differs(f, wanted(plan)[s]) for f, s in zip(facts, scenarios)):
        return "differs"
    told = {f["confidence"] for f in facts if f["flagged"]}
    return " or ".join(c for c in ("proven", "likely", "unknown") if c in told) or "yes"


def table(kernels, reports):
    columns = ["kernel", "hooks", *FAMILIES]
    rows = ["| " + " | ".join(columns) + " |", "|" + "-|" * len(columns)]
    for kernel in kernels:
        report = reports[kernel.name]
        for plan in report.get("load", {}):
            release = report["release"].partition("-")[0].partition("+")[0]
            cells = [release, f"`{plan}`", *(cell(report, plan, s) for s in FAMILIES.values())]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
