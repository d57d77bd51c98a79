# SPDX-License-Identifier: BSD-2-Clause
"""The comparison as a picture: one dot for each tool and scenario, its quartiles as a line."""
from .table import scenario_name

COLOURS = ["#0b6e4f", "#c1121f", "#7b2cbf", "#3a86ff", "#8d6e63", "#ef6c00", "#455a64"]
LEFT, RIGHT, TOP, ROW, GROUP = 190, 30, 66, 11, 18


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def draw(result, width=760):
    tools, scenarios = list(result["tools"]), result["scenarios"]
    high = 1.1

    def at(value):
        return LEFT + (width - LEFT - RIGHT) * min(max(value, 0), high) / high

    height = TOP + len(scenarios) * (len(tools) * ROW + GROUP) + 26
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
           text(12, 20, "Throughput of a saturated nginx, with the tool over without", more='font-size="14" font-weight="bold"')]
    x = 12
    for tool, colour in zip(tools, COLOURS):
        out.append(f'<circle cx="{x + 5}" cy="38" r="4.5" fill="{colour}"/>' + text(x + 14, 42, tool))
        x += 30 + 7 * len(tool)
    for tick in range(0, 11, 2):
        line = at(tick / 10)
        out.append(f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{TOP - 8}" y2="{height - 22}" '
                   f'stroke="{"#222222" if tick == 10 else "#dddddd"}"/>')
        out.append(text(line, height - 6, f"{tick / 10:.1f}", "middle"))
    y = TOP
    for scenario in scenarios:
        out.append(text(12, y + len(tools) * ROW / 2 + 4, scenario_name(scenario), more='font-size="11"'))
        for tool, colour in zip(tools, COLOURS):
            s = result["tools"][tool][scenario]["requests_s"]
            out.append(f'<line x1="{at(s["q1"]):.1f}" x2="{at(s["q3"]):.1f}" y1="{y + 5}" y2="{y + 5}" stroke="{colour}" stroke-width="2"/>')
            out.append(f'<circle cx="{at(s["median"]):.1f}" cy="{y + 5}" r="4" fill="{colour}"><title>{tool}: {s["median"]:.3f}</title></circle>')
            y += ROW
        y += GROUP
    return "\n".join([*out, "</svg>"]) + "\n"
