# SPDX-License-Identifier: BSD-2-Clause
"""A kernel that refuses programs which the probes found possible: the next plan is used, or the reason is told."""
import re

import pytest
from harness.fallback import falls_back, needs_admin, plans, programs_used, trace


@pytest.fixture(scope="module")
def possible():
    return plans()[0]


def test_each_in_turn(possible):
    for count in range(1, len(possible) + 1):
        assert not falls_back(possible, possible[:count])


def test_nothing_else_than_was_asked_for(possible):
    status, said = trace(possible[:1], "--hooks", possible[0])
    assert status == 1
    assert re.search(f"the plan '{possible[0]}', .*: Operation not permitted", said)
    # two plans are called fentry
    assert "trying" not in said.replace(f"trying '{possible[0]}'", "")


def test_what_is_not_refused(possible):
    """The tool that refuses leaves all else alone."""
    status, said = trace([plan for plan in ("tracepoint", "fentry", "kprobe") if plan != possible[0]])
    assert status == 0 and "did not take" not in said


def test_without_cap_sys_admin(possible):
    assert not needs_admin(possible[0])
    if len(possible) > 1:
        assert programs_used()[0] != programs_used(options=("--hooks", possible[1]))[0], "tags tell plans apart"
