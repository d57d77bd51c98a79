# SPDX-License-Identifier: BSD-2-Clause
"""upclose and nginx's own log agree on every connection of thousands of random faults; `make oracle` runs more of them."""
import os

import pytest
from oracle.drive import drive
from oracle.judge import report

pytestmark = pytest.mark.alone  # a busy machine makes real timeouts of its own

SEED = os.environ.get("ORACLE_SEED") or "upclose"
EXCHANGES = 2400


def test_oracle(bpf):
    judge = drive(SEED, EXCHANGES)
    print(report(judge))
    assert judge.requests >= 2000
    assert len([p for p in judge.pairs if p.obj["flagged"]]) >= 500
    assert judge.agreement(), f"ORACLE_SEED={SEED}: {judge.summary()}"
