# SPDX-License-Identifier: BSD-2-Clause
"""`upclose daemon` with a configuration of its own, as systemd would run it."""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .proc import PREFIX, Child, eventually, free_port
from .upclose import UPCLOSE

SAMPLE = re.compile(r"([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """{(name, ((label, value), ...)): number} of an exposition."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            m = SAMPLE.fullmatch(line)
            assert m, line
            key = (m[1], tuple(LABEL.findall(m[2] or "")))
            assert key not in found, f"{key} is there twice"
            found[key] = float(m[3])
    return found


class Daemon(Child):
    """config is a dict; folders and an address are put in where it has none."""

    def __init__(self, config=None, ports=(), wait=True, prefix=(), env=None, **popen):
        self.dir = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.dir.chmod(0o755)
        self.port = free_port()
        self.file = self.dir / "upclose.yaml"
        self.ports = list(ports)
        self.write(config or {})
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.dir / "notify"))
        os.chmod(self.dir / "notify", 0o777)
        self.states, self.lines = [], []
        environment = os.environ | {"NOTIFY_SOCKET": str(self.dir / "notify")} | (env or {})
        super().__init__([*prefix, UPCLOSE, "daemon", "--config", self.file], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         env=environment, **popen)
        self._threads = [threading.Thread(target=self._read_notify, daemon=True), threading.Thread(target=self._read_stderr)]
        for t in self._threads:
            t.start()
        if wait:
            try:
                self.wait_state("READY=1")
            except BaseException:
                self.stop()
                raise

    def write(self, config):
        """The configuration, as YAML, of which JSON is a part."""
        self.config = {"state_directory": f"{self.dir}/state", "runtime_directory": f"{self.dir}/run"} | config
        self.config["tracing"] = {"ports": self.ports} | config.get("tracing", {})
        self.config["metrics"] = {"listen": f"127.0.0.1:{self.port}"} | config.get("metrics", {})
        self.file.write_text(json.dumps(self.config, indent=1), encoding="utf-8")

    def reload(self, config=None, good=True):
        """Write a new configuration, if any, send SIGHUP and wait until it was taken or refused."""
        if config is not None:
            self.write(config)
        seen = len(self.states)
        self.kill(signal.SIGHUP)
        eventually(lambda: "READY=1" in self.states[seen:], "it was reloaded", 10)
        assert any(s.startswith("RELOADING=1") for s in self.states[seen:])
        self.wait_sample("upclose_config_last_reload_successful", good)  # the exposition is kept for a second

    def _read_notify(self):
        while True:
            try:
                data = self.notify.recv(4096)
            except OSError:
                return
            self.states += data.decode().split("\n")
            if data == b"end of test":
                return

    def _read_stderr(self):
        for line in self.popen.stderr:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def stderr(self):
        return "\n".join(self.lines)

    def wait_state(self, state, timeout=20):
        eventually(lambda: state in self.states or not self.alive(), f"{state} is notified; {self.stderr()}", timeout)
        assert state in self.states, self.stderr()

    def wait_stderr(self, pattern, timeout=10):
        return eventually(lambda: re.search(pattern, self.stderr()), f"{pattern!r} in its log", timeout)

    def get(self, path="/metrics", method="GET"):
        """(status, headers, text)"""
        try:
            with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", method=method), timeout=10) as r:
                return r.status, dict(r.headers), r.read().decode()
        except HTTPError as e:
            return e.code, dict(e.headers), e.read().decode()

    def samples(self):
        status, _, text = self.get()
        assert status == 200
        return samples(text)

    def sample(self, name, **labels):
        """The sum of this metric's samples that have these labels; None if there is none."""
        found = [v for (n, l), v in self.samples().items() if n == name and labels.items() <= dict(l).items()]
        return sum(found) if found else None

    def wait_sample(self, name, value, timeout=10, **labels):
        eventually(lambda: self.sample(name, **labels) == value, f"{name} {labels} is {value}", timeout)

    def wait(self, timeout=10):
        status = super().wait(timeout)
        self._threads[1].join()
        return status

    def stop(self):
        status = super().stop()
        if not self.dir.exists():
            return status
        self._threads[1].join()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"end of test", str(self.dir / "notify"))
        self._threads[0].join()
        self.notify.close()
        self.popen.stderr.close()
        subprocess.run(["rm", "-rf", self.dir], check=True)
        return status
