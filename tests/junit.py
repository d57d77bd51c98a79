# SPDX-License-Identifier: BSD-2-Clause
"""junit.py STAGE FILE: prints "ok", "not ok" or "skip" for each test in pytest's JUnit report."""

import sys
import xml.etree.ElementTree as ET


def why(element):
    lines = (element.get("message") or element.text or "").strip().splitlines()
    return f": {lines[0][:200]}" if lines else ""


def main(stage, path):
    try:
        cases = ET.parse(path).getroot().iter("testcase")
    except (OSError, ET.ParseError) as error:
        print(f"not ok {stage}: no report of pytest: {error}")
        return
    results = {}
    for case in cases:
        # A test that passed and whose teardown failed is reported twice.
        name = f"{case.get('classname', '')}::{case.get('name', '')}".replace("tests.e2e.", "")
        result = "ok", ""
        for tag, word in ("skipped", "skip"), ("failure", "not ok"), ("error", "not ok"):
            found = case.find(tag)
            if found is not None:
                result = word, why(found)
        if results.get(name, ("",))[0] != "not ok":
            results[name] = result
    for name, (word, reason) in results.items():
        print(f"{word} {stage} {name}{reason}")


main(*sys.argv[1:])
