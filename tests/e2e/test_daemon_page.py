# SPDX-License-Identifier: BSD-2-Clause
"""The page for a person, in a real browser."""
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser

import pytest
from harness import faults
from harness.nginx import Route
from harness.proc import eventually
from harness.stage import target

HOSTILE = "/destroy/<script>alert(1)</script><img/src=x/onerror=alert(2)>&amp;\"'"


@pytest.fixture(scope="module")
def served():
    """A daemon that has seen a healthy request, a keep-alive race, a death and a hostile request target."""
    import os

    from harness.stage import Stage
    if os.geteuid() != 0:
        pytest.skip("not root, which BPF needs")
    with Stage() as stage:
        up, mortal = stage.node(), stage.node()
        nginx = stage.nginx(app=Route(up.addr), mortal=Route(mortal.addr))
        d = stage.daemon(ports=[up.port, mortal.port])
        d.up, d.mortal = up, mortal
        assert nginx.get(target("ok"), "app").status == 200
        faults.race_sent_after_fin(nginx, up, route="app")
        with nginx.client("app") as c:
            assert c.request("GET", HOSTILE).status == 502
        faults.provoke(nginx, mortal, "exit", faults.CLOSED, route="mortal", query="code=3")
        eventually(lambda: d.sample("upclose_flagged_connections_total") == 3, "all are counted", 10)
        yield d


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def test_content(served):
    status, headers, text = served.get("/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page(text)
    assert page.open == []
    for wanted in (served.up.addr, served.mortal.addr, "keepalive_race", "upstream_closed", "upstream_died", "healthy", "3 flagged",
                   "sent_after_fin", "exit status 3"):
        assert wanted in page.text, wanted
    hours = re.findall(r"(\w+)\xa0(\d+)", page.text)
    assert sorted(hours) == [("keepalive_race", "1"), ("upstream_closed", "1"), ("upstream_died", "1")]
    assert len([t for t, _ in page.tags if t == "details"]) == 3
    # the newest is open, its timeline is told from the connect on
    assert re.search(r"connect.*established.*send.*close", page.text, re.S)


def test_hostile_target(served):
    """The target of a request is text, whatever is in it."""
    _, headers, text = served.get("/")
    page = Page(text)
    assert HOSTILE in page.text
    assert not {"script", "img", "iframe", "object", "link"} & {t for t, _ in page.tags}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert "default-src 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_loaded(served):
    page = Page(served.get("/")[2])
    links = [attrs[a] for _, attrs in page.tags for a in attrs if a in ("src", "href", "action", "srcset")]
    assert sorted(links) == ["/healthz", "/metrics"]
    assert "url(" not in served.get("/")[2] and "@import" not in served.get("/")[2]


def test_page_can_be_off(stage):
    d = stage.daemon({"metrics": {"page": False}}, ports=[1])
    assert d.get("/")[0] == 404 and d.get("/metrics")[0] == 200


def test_empty_page(stage):
    page = Page(stage.daemon(ports=[1]).get("/")[2])
    assert "no connection to an upstream yet" in page.text and "None so far" in page.text


# in Chromium


def chromium(folder, *args):
    return subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
                           "--hide-scrollbars", "--no-first-run", *args], capture_output=True, timeout=60, check=True, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})


def pixels(png):
    """(width, height, rows of RGB or RGBA bytes) of a PNG as Chromium writes it."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data, head = 8, b"", None
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        at += 12 + size
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            data += body
    width, height, depth, colour, *_, interlace = head
    assert depth == 8 and colour in (2, 6) and not interlace
    step = 3 if colour == 2 else 4
    lines, raw, before = [], zlib.decompress(data), bytes(width * step)
    for y in range(height):
        kind, line = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for x in range(len(line)):
            a, b = line[x - step] if x >= step else 0, before[x]
            c = before[x - step] if x >= step else 0
            if kind == 1:
                line[x] = (line[x] + a) & 255
            elif kind == 2:
                line[x] = (line[x] + b) & 255
            elif kind == 3:
                line[x] = (line[x] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                line[x] = (line[x] + nearest) & 255
        lines.append(bytes(line))
        before = bytes(line)
    return width, height, [[tuple(line[i:i + 3]) for i in range(0, len(line), step)] for line in lines]


needs_chromium = pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")


@needs_chromium
def test_chromium_reads_it(served, scratch):
    """What the browser made of it: the rows are there, and nothing of the hostile target became a tag."""
    dom = chromium(scratch, "--dump-dom", f"http://127.0.0.1:{served.port}/").stdout.decode()
    rows = re.findall(r"<tr><td><code>([^<]+)</code>", dom)
    assert sorted(rows) == sorted([served.up.addr, served.mortal.addr])
    assert dom.count("<details") == 3 and "<script" not in dom and "<img" not in dom
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom


@needs_chromium
@pytest.mark.parametrize("scheme, background", [("light", (255, 255, 255)), ("dark", (15, 19, 24))])
def test_screenshot(served, scratch, scheme, background):
    """A picture that is not blank: its background, text, and the colours of verdicts and sides, in light and dark."""
    more = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    chromium(scratch, *more, f"--screenshot={scratch}/page.png", "--window-size=1000,900", f"http://127.0.0.1:{served.port}/")
    width, height, rows = pixels((scratch / "page.png").read_bytes())
    assert (width, height) == (1000, 900)
    counts = {}
    for row in rows:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    assert 0.1 < counts[background] / (width * height) < 0.97 and len(counts) > 100
    text, bad = ((28, 33, 40), (196, 48, 43)) if scheme == "light" else ((228, 232, 238), (255, 123, 114))
    assert counts.get(text, 0) > 500 and counts.get(bad, 0) > 20, sorted(counts.items(), key=lambda c: -c[1])[:20]
