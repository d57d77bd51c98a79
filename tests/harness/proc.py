# SPDX-License-Identifier: BSD-2-Clause
"""Child processes that never outlive the harness, and what /proc says about them."""
import glob
import json
import os
import signal
import socket
import subprocess
import threading
import time

PREFIX = "upclose-test-"  # of every scratch folder and cgroup
PATIENCE = float(os.environ.get("UPCLOSE_PATIENCE", "1"))  # how much longer all waits may take, as in an emulated machine


def eventually(check, what, timeout=5.0):
    """Poll until check() is true and return its value."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(0.003)


class Child:
    """One process; it gets SIGTERM if the harness dies first."""

    def __init__(self, argv, netns=None, **popen):
        prefix = ["setpriv", "--pdeathsig", "TERM"]
        if netns:
            prefix += ["nsenter", f"--net={netns}"]
        self.argv = [str(a) for a in argv]
        popen.setdefault("start_new_session", True)  # Ctrl-C is for the harness, which then cleans up
        self.popen = subprocess.Popen(prefix + self.argv, **popen)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self, sig):
        if self.alive():
            self.popen.send_signal(sig)

    def wait(self, timeout=5.0):
        return self.popen.wait(timeout * PATIENCE)

    def stop(self):
        """End the process and return its exit status (negative: by a signal)."""
        self.kill(signal.SIGTERM)
        try:
            return self.wait(10)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class JsonChild(Child):
    """A helper that prints JSON lines, the first of them {"event": "ready", ...}; it ends when its stdin closes."""

    def __init__(self, argv, netns=None):
        super().__init__(argv, netns, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.events = []
        self.stderr = b""
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_stderr)]
        for t in self._threads:
            t.start()
        try:
            self.ready = self.event("ready", timeout=15)
        except BaseException:
            self.stop()
            raise

    def _read(self):
        for line in self.popen.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self.events.append({"event": "gone"})
            self._changed.notify_all()

    def _read_stderr(self):
        self.stderr = self.popen.stderr.read()

    def event(self, name, timeout=5.0, **want):
        """Wait for the (first) event of this name with these values."""

        def find():
            for e in self.events:
                if e["event"] == name and all(e.get(k) == v for k, v in want.items()):
                    return e
            return None

        with self._changed:
            self._changed.wait_for(lambda: find() or (name != "gone" and any(e["event"] == "gone" for e in self.events)), timeout * PATIENCE)
            found = find()
        if not found:
            text = self.stderr.decode("utf-8", "replace")[-2000:]
            raise TimeoutError(f"no event {name} {want} from {self.argv} in {self.events[-20:]} {text}")
        return found

    def command(self, text):
        self.popen.stdin.write(text.encode() + b"\n")
        self.popen.stdin.flush()

    def stop(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass
        status = super().stop()
        for t in self._threads:
            t.join()
        self.popen.stdout.close()
        self.popen.stderr.close()
        return status


def state(pid):
    """The process's state letter, such as S or T."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0]


def comm(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as f:
        return f.read().rstrip("\n")


def cmdline(pid):
    """With spaces between the words; empty once the process has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def exe(pid):
    return os.readlink(f"/proc/{pid}/exe")


def marked(variable):
    """Processes with this NAME=VALUE in the environment that they were started with, but this one."""
    found = []
    for env in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(env, "rb") as f:
                if variable.encode() in f.read().split(b"\0"):
                    found.append(int(env.split("/")[2]))
        except OSError:
            continue
    return [p for p in found if p != os.getpid()]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


class Stopped:
    """SIGSTOP processes for the time of a with block."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in self.pids:
            eventually(lambda pid=pid: state(pid) == "T", f"process {pid} stops")

    def __exit__(self, *exc):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


TCP_STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
              7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING"}


def tcp_sockets(pid="self"):
    """(local port, remote port, state, unread bytes) of each TCP socket in the process's network namespace."""
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            next(f)
            for line in f:
                col = line.split()
                local, remote = (int(a.rpartition(":")[2], 16) for a in col[1:3])
                found.append((local, remote, TCP_STATES.get(int(col[3], 16), "?"), int(col[4].partition(":")[2], 16)))
    return found


_given = set()


def free_port(host="127.0.0.1"):
    """A free port below the range of ephemeral ones, so that no connection takes it meanwhile; never the same one twice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket(family, socket.SOCK_STREAM) as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
