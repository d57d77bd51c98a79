# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m oracle [DIR...]

Without DIR, drives nginx into random faults: ORACLE_SEED (a new one by default), ORACLE_EXCHANGES (2000), and
ORACLE_KEEP=DIR keeps the logs. With DIRs, judges logs that another harness left. Of each DIR it reads
  debug.log or error.log    nginx's error log at level debug (or: debug_http debug_event)
  upclose.json              the output of upclose trace --all -o json, started before nginx's first upstream connection
  oracle.log                if there: an access log that begins with
                            $pid $connection $connection_requests $status "$upstream_status"
Exit status 0: they agree on every connection. 1: they do not.
"""
import os
import random
import sys
import time
from pathlib import Path

from .debuglog import DebugLog
from .drive import drive
from .judge import Judge, read_access, read_objects, report


def judge_folder(judge, folder):
    log = folder / "debug.log"
    access = folder / "oracle.log"
    judge.run(DebugLog().read(log if log.exists() else folder / "error.log"), read_objects(folder / "upclose.json"),
              access=read_access(access) if access.exists() else None)


def main(folders):
    if {"-h", "--help"} & set(folders):
        print(__doc__)
        return 0
    start = time.monotonic()
    if folders:
        judge = Judge()
        for folder in folders:
            judge_folder(judge, Path(folder))
    else:
        seed = os.environ.get("ORACLE_SEED") or str(random.randrange(10**6))
        exchanges = int(os.environ.get("ORACLE_EXCHANGES") or 2000)
        print(f"ORACLE_SEED={seed} ORACLE_EXCHANGES={exchanges}", flush=True)
        judge = drive(seed, exchanges, keep=os.environ.get("ORACLE_KEEP"))
    print(report(judge))
    print(f"{'agreement' if judge.agreement() else 'DISAGREEMENT'} after {time.monotonic() - start:.0f} s")
    return 0 if judge.agreement() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
