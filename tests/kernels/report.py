# SPDX-License-Identifier: BSD-2-Clause
"""What the guests reported: a result for each kernel, plan and scenario, and the tables of README.md beside this file."""
from .scenarios import ADOPTED, BY_FILE, WANTED


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
        yield fallback_result(kernel, report)
        yield admin_result(kernel, report)
        for plan in report["load"]:
            yield from plan_results(kernel, report, plan, same)


def types_result(kernel, report):
    """What `hooks --btf` reads out of the kernel's types is what the guest then allowed."""
    name = f"kernels {kernel.name} types"
    booted = {plan for plan in report["load"] if plan != BY_FILE}
    if set(report["types"]) - set(kernel.refused) != booted:
        return f"not ok {name}: by its BTF {report['types']} are possible, in the guest {sorted(booted)}"
    return f"ok {name}"


def fallback_result(kernel, report):
    """Its first plan was refused: the next one was used."""
    name = f"kernels {kernel.name} fallback"
    return f"not ok {name}: {report['fallback']}" if report["fallback"] else f"ok {name}"


def admin_result(kernel, report):
    """The capabilities that the manual names suffice for the same programs."""
    name = f"kernels {kernel.name} without CAP_SYS_ADMIN"
    return f"not ok {name}: {report['admin']}" if report["admin"] else f"ok {name}"


def plan_results(kernel, report, plan, same):
    flagged = sum(want.get("flagged", True) for want in WANTED.values())
    for scenario, want in WANTED.items():
        facts = report["facts"].get(scenario, {}).get(plan, {"error": "it was not run"})
        why = differs(facts, want)
        why = why or differs(facts, same.get(scenario, {}))
        yield f"{'not ok' if why else 'ok'} kernels {kernel.name} {plan} {scenario}" + (f": {why}" if why else "")
    found = report["flagged"].get(plan)
    name = f"kernels {kernel.name} {plan} nothing else is flagged"
    yield f"ok {name}" if found == flagged else f"not ok {name}: {found} connections are, of {flagged}"


def rows_of_table():
    """(name, scenarios): the verdicts, and by themselves the connections that existed before."""
    rows = {}
    for name, want in WANTED.items():
        rows.setdefault("adopted connections" if name in ADOPTED else f"`{want['verdict']}`", []).append(name)
    adopted = rows.pop("adopted connections")
    return [*rows.items(), ("adopted connections", adopted)]


def cell(report, plan, scenarios):
    """How sure the plan is of the verdict, in all the scenarios of it."""
    facts = [report["facts"].get(s, {}).get(plan, {"error": "it was not run"}) for s in scenarios]
    if any(differs(f, WANTED[s]) for f, s in zip(facts, scenarios)):
        return "differs"
    told = {f["confidence"] for f in facts}
    return " or ".join(c for c in ("proven", "likely", "unknown") if c in told)


def version(kernel, report):
    number = report["release"].partition("-")[0].partition("+")[0]
    return number if kernel.arch == "amd64" else f"{number} {kernel.arch}"


def plans_table(kernels, reports):
    """The hook plans that were tried on each kernel."""
    rows = [(version(k, reports[k.name]), reports[k.name]["load"]) for k in kernels if reports[k.name].get("load")]
    return "| kernel | hook plans |\n|-|-|\n" + "".join(f"| {name} | {', '.join(plans)} |\n" for name, plans in rows)


def heading(columns):
    """The plans by kernel, one kernel a line."""
    by_kernel = {}
    for kernel, report, plan in columns:
        by_kernel.setdefault(version(kernel, report), []).append(plan)
    return "<br>".join(f"{name} {', '.join(plans)}" for name, plans in by_kernel.items())


def verdicts_table(kernels, reports):
    """How sure each verdict was; plans that were equally sure of all of them share a column."""
    rows, columns = rows_of_table(), {}
    for kernel in kernels:
        report = reports[kernel.name]
        for plan in report.get("load", {}):
            cells = tuple(cell(report, plan, scenarios) for _, scenarios in rows)
            columns.setdefault(cells, []).append((kernel, report, plan))
    headings = ["all of them"] if len(columns) == 1 else map(heading, columns.values())
    lines = ["| verdict | " + " | ".join(headings) + " |", "|-|" + "-|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for (name, _), *cells in zip(rows, *columns)]
    return "\n".join(lines) + "\n"


def table(kernels, reports):
    return plans_table(kernels, reports) + "\n" + verdicts_table(kernels, reports)
