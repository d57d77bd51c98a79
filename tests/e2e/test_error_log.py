# SPDX-License-Identifier: BSD-2-Clause
"""--error-log: nginx's own line beside each verdict."""
import json
import os
import shutil
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from harness import faults
from harness.client import SECRET
from harness.nginx import NGINX, Route
from harness.upclose import UPCLOSE, run

UTC = timezone.utc
RECORDING = Path(__file__).parents[1] / "replay" / "keepalive_race-request_unacked.rec"


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


def recorded_line(hours=0):
    """What nginx wrote of the connection in RECORDING, and when, in UTC; with its clock so many hours ahead."""
    connection = json.loads(RECORDING.with_suffix(".json").read_text().splitlines()[0])
    at = datetime.fromisoformat(connection["time"][:19])
    upstream, exchange = connection["upstream"], connection["exchange"]
    return at, (f"{at + timedelta(hours=hours):%Y/%m/%d %H:%M:%S} [error] {connection['nginx']['pid']}#0: *7 "
                "upstream prematurely closed connection while reading response header from upstream, client: 10.0.0.7, "
                f'server: , request: "{exchange["method"]} {exchange["target"]} HTTP/1.1", upstream: '
                f'"http://{upstream["addr"]}:{upstream["port"]}{exchange["target"]}", host: "h"')


def replay(log, text, **popen):
    done = run("replay", RECORDING, "-o", "json", "--error-log", log, input=text, env={**os.environ, "TZ": "UTC"}, **popen)
    assert done.returncode == 0, done.stderr
    connection, summary = map(json.loads, done.stdout.splitlines())
    return connection, summary["error_log"]


def replayed(log, text, **popen):
    connection, counts = replay(log, text, **popen)
    return connection["nginx_log"], counts


@pytest.mark.parametrize("frame", ["plain", "cri", "docker", "zone"])
def test_standard_input_in_each_form(frame):
    at, line = recorded_line(hours=0 if frame == "plain" else 5)
    wrapped = {"cri": f"{at:%Y-%m-%dT%H:%M:%S}.5Z stderr F {line}",
               "docker": json.dumps({"log": line + "\n", "stream": "stderr", "time": f"{at:%Y-%m-%dT%H:%M:%S}.5Z"})}
    found, counts = replayed("-", wrapped.get(frame, line) + "\n")
    assert found["client"] == 7 and counts["matched"] == 1
    assert found["message"].startswith("upstream prematurely closed connection")


def cri(line):
    """As containerd and CRI-O keep it, in two parts where it is long."""
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
    return f"{at} stderr P {line[:100]}\n{at} stderr F {line[100:]}\n"


def docker(line):
    return json.dumps({"log": line + "\n", "stream": "stderr", "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"}) + "\n"


class Runtime:
    """Keeps what nginx says as a container's runtime keeps it, while that says it."""

    def __init__(self, nginx, path, frame):
        self.ended = threading.Event()
        path.touch()
        self.thread = threading.Thread(target=self.keep, args=(log_of(nginx), path, frame))

    def keep(self, log, path, frame):
        with open(log, encoding="utf-8") as said, open(path, "a", encoding="utf-8", buffering=1) as kept:
            said.seek(0, os.SEEK_END)
            while not self.ended.wait(0.005):
                for line in said:
                    kept.write(frame(line.removesuffix("\n")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


@pytest.mark.parametrize("frame", [cri, docker])
def test_container_s_log(stage, trace, scratch, frame):
    """Followed while the runtime writes it: the line is nginx's own, without what is around it."""
    up = stage.node()
    nginx = stage.nginx(app=Route(up.addr))
    with Runtime(nginx, scratch / "0.log", frame):
        tr = trace("-p", up.port, "--error-log", scratch / "0.log")
        for behaviour, log in ("destroy", faults.CLOSED), ("body_cut", faults.CUT):
            fault = faults.provoke(nginx, up, behaviour, log, method="POST")
            line = tr.wait(target=fault.target)["nginx_log"]
            assert (line["request"], line["host"]) == (f"POST {fault.target}", "upclose.test")
            assert line["message"] in fault.log and line["client_addr"] == "127.0.0.1"
        counts = tr.stop()[1]["error_log"]
    assert (counts["lines"], counts["matched"], counts["lines_without_connection"]) == (2, 2, 0)


def test_line_of_another_kind_contradicts():
    """It is shown as that, nothing is proven any more, and it is not counted as the connection's own."""
    _, line = recorded_line()
    other = line.replace("prematurely closed connection", "sent too big header") + "\n"
    obj, counts = replay("-", other)
    assert (counts["lines"], counts["matched"], counts["flagged_without_line"]) == (1, 0, 1)
    assert obj["nginx_log"]["contradicts"] and obj["nginx_log"]["kind"] == "header_too_big"
    assert (obj["verdict"], obj["confidence"]) == ("keepalive_race", "likely")
    assert "nginx's error log says otherwise of this request: header_too_big" in obj["evidence"]
    obj, _ = replay("-", line + "\n")
    assert not obj["nginx_log"]["contradicts"] and obj["confidence"] == "proven"


def test_line_of_another_request_contradicts_nothing():
    _, line = recorded_line()
    obj, _ = replay("-", line.replace("prematurely closed connection", "sent too big header").replace(' HTTP/1.1"', '/other HTTP/1.1"')
                    .replace('", host', '/other", host') + "\n")
    assert obj["nginx_log"] is None and obj["confidence"] == "proven"


def in_own_processes(script, *args):
    """A shell that sees no process but its own."""
    return subprocess.run([shutil.which("unshare"), "-pf", "--mount-proc", "sh", "-euc", script, "sh", *map(str, args)],
                          capture_output=True, text=True, timeout=30, check=False, env={**os.environ, "TZ": "UTC"})


AUTO = """
nginx=$1 conf=$2 upclose=$3
shift 3
if [ -n "$conf" ]; then
    "$nginx" -c "$conf"
    # before it has its own title, a worker has its master's
    until grep -qs "nginx: [w]orker" /proc/[0-9]*/cmdline; do sleep 0.01; done
fi
"$upclose" "$@"
"""


def test_auto_is_the_log_of_the_configuration(scratch):
    log = scratch / "http.log"
    conf = scratch / "nginx.conf"
    conf.write_text(f"user root; error_log {scratch}/main.log; pid {scratch}/pid; events {{}} http {{ error_log {log}; }}\n")
    log.write_text(recorded_line()[1] + "\n")
    replay = (UPCLOSE, "replay", RECORDING, "-o", "json", "--error-log", "auto")
    done = in_own_processes(AUTO, NGINX, conf, *replay)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["error_log"]["matched"] == 1

    none = in_own_processes(AUTO, NGINX, "", *replay)
    assert none.returncode == 1 and "no nginx runs here: name the file" in none.stderr
    conf.write_text(f"user root; error_log /dev/stderr; pid {scratch}/pid; events {{}} http {{}}\n")
    pipe = in_own_processes(AUTO, NGINX, conf, *replay)
    assert pipe.returncode == 1 and "which is no file" in pipe.stderr
