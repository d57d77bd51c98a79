# SPDX-License-Identifier: BSD-2-Clause
"""`upclose report` tells of a recording, or of what trace printed, to people who were not there."""
import html.parser
import re
import time

import pytest
from harness import faults
from harness.client import SECRET
from harness.nginx import Route
from harness.proc import eventually
from harness.upclose import run

HOSTILE = "/<script>alert(1)</script>|`**b**`/[a](http://x.test)"


class Page(html.parser.HTMLParser):
    """The page's elements and words; it fails on what an escaped page cannot have."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words = [], set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert not {a for a, _ in attrs} - {"lang", "charset", "http-equiv", "content", "name"}, (tag, attrs)

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def incident(stage, trace, scratch):
    """A trace with several causes: (recording, file of its JSON)."""
    up, doomed, raw = stage.node("--keepalive", "300"), stage.node(), stage.raw("read close")
    nginx = stage.nginx(app=Route(up.addr), doomed=Route(doomed.addr), raw=Route(raw.addr))
    tr = trace(ports=[up.port, doomed.port, raw.port])
    for _ in range(3):
        faults.provoke(nginx, up, "destroy", faults.CLOSED, route="app")
    faults.provoke(nginx, up, "body_cut", faults.CUT, route="app")
    faults.provoke(nginx, doomed, "kill", faults.CLOSED, route="doomed")
    assert nginx.get(f"{HOSTILE}?token={SECRET}", "raw").status == 502
    faults.at_once([stage.client(nginx, "app") for _ in range(4)])
    tr.wait(count=6, flagged=True)
    eventually(lambda: "ESTABLISHED" not in nginx.sockets(up.port).values(), "the idle connections are closed", 10)
    time.sleep(0.1)  # their ends are judged
    tr.stop()
    lines = scratch / "trace.json"
    lines.write_text(tr.stdout() + "\n")
    return tr.recording, lines


def report(path, *args):
    done = run("report", *args, path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert SECRET not in done.stdout
    return done.stdout.replace(path.name, "SOURCE")


def test_report(incident):
    recording, lines = incident
    told = report(recording)
    assert told == report(lines) == report(recording, "-o", "md")
    rows = [[c.strip() for c in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", told.replace(r"\|", "/"), re.M)]
    assert {len(r) for r in rows} == {7, 5}
    causes = [r for r in rows[1:] if re.match(r"\w+ \(\w+\)$", r[0])]
    assert causes[0][:4] == ["upstream_closed (deliberate_close)", "4", "67 %", "4"]
    assert sorted(r[0] for r in causes[1:]) == ["body_truncated (content_length)", "upstream_died (signal)"]
    assert "6 were flagged" in told and "SIGKILL" in told
    # the advice in the order of how much it explains
    ranked = re.findall(r"^### (\d+) % of the flagged: (\w+)", told, re.M)
    assert ranked[0] == ("67", "upstream_closed") and len(ranked) == 3
    # the idle timeout was learned from the four clean closes
    assert re.search(r"\| \d+\.\d+ (ms|s) \(4 closes\) \|", told)
    assert "<script>" not in told and "[a](" not in told


def test_html(incident):
    recording, lines = incident
    told = report(recording, "-o", "html")
    assert told == report(lines, "-o", "html")
    page = Page(told)
    assert page.seen == {"html", "head", "meta", "style", "title", "body", "h1", "h2", "h3", "p", "table", "tr", "th", "td", "ul", "li", "pre"}
    assert "upstream_died (signal)" in page.words
    # its cause has other connections, and one of them is the example
    assert "alert(1)" not in told or HOSTILE in page.words


def test_hostile_target_is_escaped(stage, trace, scratch):
    raw = stage.raw("read close")
    nginx = stage.nginx(app=Route(raw.addr))
    tr = trace(ports=[raw.port])
    assert nginx.get(HOSTILE).status == 502
    tr.wait(flagged=True)
    tr.stop()
    assert f"GET {HOSTILE} to" in Page(report(tr.recording, "-o", "html")).words
    assert r"GET /\<script\>alert(1)\</script\>\|\`\*\*b\*\*\`/\[a\](http://x.test) to" in report(tr.recording)


def test_standard_input_and_an_unfinished_trace(incident):
    """Without the summary's line what was flagged is told, and that the rest is not known."""
    _, lines = incident
    cut = "\n".join(lines.read_text().splitlines()[:-1])
    done = run("report", "-", input=cut)
    assert done.returncode == 0 and "Source: standard input" in done.stdout
    assert "6 connections were flagged" in done.stdout and "is not known" in done.stdout


@pytest.mark.parametrize("text, why", [
    ("", "not a recording"), ("UPCLOSE", "cut short|not a recording"), ("{\n", "line 1 is no JSON object"),
    ('{"schema":1,"kind":"hook"}\n\n{"kind":"x"\n', "line 3 is no JSON object"), ('{"a":1}', "line 1 is no object of 'upclose trace -o json'"),
    ('{"schema":2,"kind":"connection"}', "line 1 is of a schema"), ('{"schema":1,"kind":"summary"}\n' * 2, "line 2 is a second summary"),
    (None, "line 1 is longer than 1 MiB"),
])
def test_bad_files(scratch, text, why):
    file = scratch / "bad"
    file.write_text("{" + " " * (1 << 20) + "}" if text is None else text)
    done = run("report", file)
    assert done.returncode == 1 and re.search(why, done.stderr) and "bad" in done.stderr, done.stderr


def test_usage():
    assert run("report", "--help").stdout.startswith("Usage: upclose report")
    for args, why in (((), "Name a recording"), (("a", "b"), "one file at a time"), (("-o", "pdf", "a"), "md and html"), (("-x",), "--help")):
        done = run("report", *args)
        assert done.returncode == 2 and why in done.stderr, done.stderr
    done = run("report", "/nonexistent/x.rec")
    assert done.returncode == 1 and "No such file" in done.stderr
