# SPDX-License-Identifier: BSD-2-Clause
"""--error-log: nginx's own line beside each verdict."""
import os

from harness import faults
from harness.client import SECRET
from harness.nginx import Route


def log_of(nginx):
    return f"{nginx.dir}/error.log"


def test_line_beside_each_verdict(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr), workers=2)
    tr = trace("-p", up.port, "--error-log", log_of(nginx))
    done = [faults.provoke(nginx, up, how, log, method=method) for how, log, method in (
        ("destroy", faults.CLOSED, "POST"), ("header_cut", faults.CLOSED, "GET"), ("body_cut", faults.CUT, "GET"))]
    for fault in done:
        obj = tr.wait(target=fault.target)
        line = obj["nginx_log"]
        assert line["message"] in fault.log and line["level"] == "error"
        assert line["request"] == f"{fault.method} {fault.target}"
        assert line["client_addr"] == "127.0.0.1" and line["host"]
        assert f"*{line['client']} " in fault.log
    objects, summary, _, status = tr.stop()
    assert status == 0 and SECRET not in str(objects)
    counts = summary["error_log"]
    assert (counts["lines"], counts["matched"]) == (3, 3)
    assert (counts["lines_without_connection"], counts["flagged_without_line"]) == (0, 0)


def test_rotation(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    tr = trace("-p", up.port, "--error-log", log_of(nginx))
    first = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    assert tr.wait(target=first.target)["nginx_log"]
    os.rename(log_of(nginx), log_of(nginx) + ".1")
    between = faults.provoke(nginx, up, "destroy", None, method="POST")
    assert tr.wait(target=between.target)["nginx_log"]
    nginx.reopen()
    last = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    assert tr.wait(target=last.target)["nginx_log"]
    assert tr.stop()[1]["error_log"]["matched"] == 3


def test_lines_and_connections_that_lack_the_other(stage, trace):
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    quiet = f"{nginx.dir}/other.log"
    with open(quiet, "w", encoding="utf-8"):
        pass
    tr = trace("-p", up.port, "--error-log", quiet)
    fault = faults.provoke(nginx, up, "destroy", faults.CLOSED, method="POST")
    obj = tr.wait(target=fault.target)
    assert (obj["nginx_log"]["source"], obj["nginx_log"]["host"]) == ("words", None)
    with open(quiet, "a", encoding="utf-8") as f:
        f.write("garbage\n" + "x" * 100000 + "\n" + fault.log.replace("#", "1#", 1).replace("] ", "] 9", 1) + "\n")
    counts = tr.stop()[1]["error_log"]
    assert (counts["lines"], counts["matched"]) == (1, 0)
    assert (counts["lines_without_connection"], counts["flagged_without_line"]) == (1, 1)
