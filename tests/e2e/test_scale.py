# SPDX-License-Identifier: BSD-2-Clause
"""Many connections, many failures at once, a reader that stands still. `make bench-scale` is the same at full size."""
import pytest
from bench import drive, scale

pytestmark = pytest.mark.alone


@pytest.fixture
def programs(bpf):
    if not drive.CONNS.exists() or not drive.LOAD.exists():
        pytest.skip("make bench-programs builds what this needs")


def nothing_wrong(case):
    assert case["wrong"] == []
    return case


@pytest.mark.parametrize("last", ["close", "drop", "fail"])
def test_many_connections(programs, last):
    """All end within a moment; what is missing then is counted."""
    case = nothing_wrong(scale.many(4000, 3, last, print))
    assert case["connections"] + case["lost"] >= 4000


def test_all_of_them_with_room(programs):
    case = nothing_wrong(scale.many(4000, 3, "fail", print, "--ring-mib", "32"))
    assert (case["connections"], case["flagged"], case["lost"]) == (4000, 4000, 0)


def test_failures(programs):
    case = nothing_wrong(scale.failures(1500, 3, print))
    assert (case["flagged"], case["lost"]) == (4500, 0)


def test_reader_stands_still(programs):
    """Shorter than the ring lasts, and longer."""
    case = nothing_wrong(scale.failures(100, 3, print, 2))
    assert (case["flagged"], case["lost"]) == (300, 0)
    case = nothing_wrong(scale.failures(1500, 3, print, 2))
    assert 0 < case["lost_by_reason"]["ring_full"] and 0 < case["flagged"] < 4500
