# SPDX-License-Identifier: BSD-2-Clause
"""A recording gives again what the trace said, to everybody and without privilege."""
import json
import os
import shutil
import subprocess

from harness import faults
from harness.nginx import Route
from harness.stage import target
from harness.upclose import UPCLOSE, run


def record(stage, trace, *args, output="json"):
    """A trace of several faults and healthy requests."""
    up, doomed = stage.node(), stage.node()
    nginx = stage.nginx(app=Route(up.addr), doomed=Route(doomed.addr), closing=Route(up.addr, keepalive=0))
    os.unlink(f"{nginx.dir}/nginx.conf")  # of which a recording knows nothing
    tr = trace(*args, ports=[up.port, doomed.port], output=output)
    faults.race_sent_after_fin(nginx, up, route="app")
    for behaviour, log in (("destroy", faults.CLOSED), ("header_cut", faults.CLOSED), ("body_cut", faults.CUT)):
        faults.provoke(nginx, up, behaviour, log, route="app", warm=1)
    faults.provoke(nginx, doomed, "throw", faults.CLOSED, route="doomed")
    doomed.wait()
    nginx.get(target("refused"), "doomed")
    for _ in range(3):
        assert nginx.get(target("ok"), "closing").status == 200
    return tr


def test_replay_gives_the_same_objects(stage, trace, scratch):
    tr = record(stage, trace, "--all")
    tr.wait(verdict="complete", count=3)
    objects, summary, _, _ = tr.stop()
    done = run("replay", tr.recording, "-o", "json", "--all")
    assert done.returncode == 0, done.stderr
    *again, total = map(json.loads, done.stdout.splitlines())
    assert again == objects
    assert {k: total[k] for k in ("connections", "exchanges", "flagged", "by_verdict")} == {
        k: summary[k] for k in ("connections", "exchanges", "flagged", "by_verdict")}
    assert len({o["verdict"] for o in objects}) == 7, [o["verdict"] for o in objects]

    # without --all the flagged ones, and the same by somebody without any privilege
    flagged = [o for o in objects if o["flagged"]]
    program = shutil.copy(UPCLOSE, scratch / "upclose")
    os.chmod(scratch, 0o755)
    os.chmod(tr.recording, 0o644)
    nobody = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", program, "replay",
                             "-o", "json", tr.recording], capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in nobody.stdout.splitlines()][:-1] == flagged


def test_replay_gives_the_same_text(stage, trace):
    tr = record(stage, trace, output="text")
    tr.wait_text("connect_failed")
    tr.stop()
    done = run("replay", tr.recording)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip("\n") == tr.stdout().rstrip("\n")
    assert run("replay", tr.recording, "-o", "table").stdout.count("\n") >= 6
