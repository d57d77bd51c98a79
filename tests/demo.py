#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""upclose at work: a private nginx, Node upstreams that hang up on it, and what each side has to say about it.

Run it by `sudo make demo`. Everything happens on free loopback ports and in a scratch folder; nothing is left behind.
"""
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from harness import faults  # noqa: E402
from harness.nginx import Route  # noqa: E402
from harness.proc import PREFIX  # noqa: E402
from harness.stage import Stage  # noqa: E402
from harness.upclose import UPCLOSE  # noqa: E402

IDLE = ("--keepalive", "1000")  # ms; as in production, Node closes idle connections by itself
HEAD = re.compile(r"\d\d:\d\d:\d\d\.\d+ ")  # how the text about a connection begins
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def target(behaviour, query=""):
    return f"/{behaviour}{query and '?' + query}"


def block(trace, verdict, clue):
    """What upclose says about the connection with this clue; waits until all of it is there."""

    def find():
        lines = trace.stdout().split("\n")
        heads = [i for i, line in enumerate(lines) if HEAD.match(line)] + [len(lines)]
        for start, end in zip(heads, heads[1:]):
            text = lines[start:end]
            if any(clue in line for line in text) and verdict in text[0]:
                return text
        return None

    end = time.monotonic() + 3
    text = find()
    while time.monotonic() < end and not (text and text[-1] == ""):  # an empty line ends it
        time.sleep(0.01)
        text = find()
    return text and text[:-1]


class Demo:
    def __init__(self, stage):
        self.stage = stage
        self.shown = 0
        self.wrong = []
        ups = {name: stage.node() for name in ("destroy", "throw", "kill", "header_cut", "body_cut")}
        ups["race"] = stage.node(*IDLE)
        self.bound = stage.enter_context(socket.socket())  # bound, but it does not listen
        self.bound.bind(("127.0.0.1", 0))
        routes = {name: Route(up.addr) for name, up in ups.items()}
        routes["refused"] = Route(f"127.0.0.1:{self.bound.getsockname()[1]}")
        self.ups = ups
        self.nginx = stage.nginx(**routes)
        self.trace = None

    def show(self, heading, verdict, nginx_said, response, clue):
        self.shown += 1
        cut = response.status == 200 and not response.complete
        print(f"\n{paint('1', f'{self.shown}. {heading}')}")
        print(f"   client got      {response.status}{', and a body that is cut short' if cut else ''}")
        print(f"   nginx logged    {nginx_said.split(' ', 2)[2]}")
        text = block(self.trace, verdict, clue)
        if text:
            print(f"   upclose said\n     {paint('36', text[0])}", *text[1:], sep="\n     ")
        else:
            self.wrong.append(heading)
            print(paint("31", f"   upclose said    nothing of {verdict}"))
        sys.stdout.flush()

    def fault(self, heading, verdict, name, log, **how):
        fault = faults.provoke(self.nginx, self.ups[name], name, log, route=name, target=target, **how)
        self.show(heading, verdict, fault.log, fault.response, fault.target)

    def race_on_a_slow_link(self):
        """nginx and Node in two namespaces, joined by a link of 40 ms each way."""
        link = self.stage.link(40)
        up = self.stage.node(*IDLE, host="10.77.0.2", netns=link.ready["b"])
        nginx = self.stage.nginx(race=Route(up.addr), netns=link.ready["a"])
        fault = faults.race_unacked(nginx, up, close=faults.closed_by_itself, target=target)
        self.show("The keep-alive race: Node closes an idle connection while nginx's next request is on the wire (40 ms away)",
                  "keepalive_race", fault.log, fault.response, "(request_unacked)")

    def run(self):
        self.trace = self.stage.upclose(output="text")
        if os.path.exists("/dev/net/tun"):
            self.race_on_a_slow_link()
        else:
            print("\n(no /dev/net/tun here, so no slow link: the race on the wire is left out)")
        fault = faults.race_sent_after_fin(self.nginx, self.ups["race"], close=faults.closed_by_itself, route="race", target=target)
        self.show("The same race when nginx is busy: Node's FIN is there already, nginx has not looked yet", "keepalive_race",
                  fault.log, fault.response, "(sent_after_fin)")
        self.fault("The application calls socket.destroy()", "upstream_closed", "destroy", faults.CLOSED, method="POST", warm=1)
        self.fault("The application throws, nobody catches", "upstream_died", "throw", faults.CLOSED)
        self.fault("The application is killed with SIGKILL", "upstream_died", "kill", faults.CLOSED, method="POST", warm=1)
        self.fault("The response stops within its header", "partial_header", "header_cut", faults.CLOSED)
        self.fault("The response stops within its body", "body_truncated", "body_cut", faults.CUT)
        response = self.nginx.get("/refused", route="refused")
        self.show("Nobody listens", "connect_failed", self.nginx.wait_error(faults.REFUSED, "/refused"), response,
                  f":{self.bound.getsockname()[1]}")


def leave(signum, _frame):
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)  # clean up in peace
    raise SystemExit(128 + signum)


def main():
    if os.geteuid() != 0:
        return "the demo needs root, because upclose loads BPF programs: sudo make demo"
    if not os.access(UPCLOSE, os.X_OK):
        return f"{UPCLOSE} is not there; build it first: make"
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, leave)
    start = time.monotonic()
    tempfile.tempdir = tempfile.mkdtemp(prefix=PREFIX)
    try:
        with Stage() as stage:
            demo = Demo(stage)
            demo.run()
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    if demo.wrong:
        return "\nupclose did not name: " + "; ".join(demo.wrong)
    print(paint("32", f"\nupclose named all {demo.shown} faults, in {time.monotonic() - start:.1f} s. Nothing is left behind."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
