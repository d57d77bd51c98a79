# SPDX-License-Identifier: BSD-2-Clause
"""Run upclose and hold what it prints against its contract."""
import json
import os
import re
import signal
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from .proc import PATIENCE, Child

TOP = Path(__file__).resolve().parents[2]
UPCLOSE = os.environ.get("UPCLOSE", str(TOP / "build" / "upclose"))

VERDICTS = {
    "keepalive_race", "upstream_closed", "upstream_died", "upstream_reset", "request_rejected", "partial_header",
    "protocol_mismatch", "connect_failed", "body_truncated", "nginx_timeout", "nginx_rejected_response", "client_gone",
    "idle_close", "complete", "unknown", "worker_exited",
}
UNFLAGGED = {"idle_close", "complete", "client_gone"}
PROOFS = {
    "request_unacked", "request_unread", "sent_after_fin", "deliberate_close", "request_acked", "exit_code", "signal", "oom",
    "rst", "body_unread", "body_unacked", "header_cut", "first_bytes", "refused", "timeout", "unreachable", "local",
    "content_length", "chunked", "end_request", "stream_reset", "nginx_log", "read_timeout", "send_timeout", "nginx_closed", "nginx_exited", "client_closed", "idle",
    "client_body_timeout", "client_send_timeout",
    "response_complete", "lossy", "unseen_start", "opaque",
    None,
}
PHASES = {"connect", "tls", "request", "response_header", "response_body", "upgraded", "idle"}
CLOSED_BY = {"upstream", "nginx", "unknown"}
CLOSES = {"fin", "rst", "refused", "timeout", "unreachable", "none"}
CONFIDENCES = {"proven", "likely", "unknown"}
OUTCOMES = {"retried", "client_error", "unknown", None}

number = (int, float)
nothing = type(None)
FIELDS = {
    "schema": int, "kind": str, "time": str, "flagged": bool, "verdict": str, "proof": (str, nothing), "confidence": str, "phase": str,
    "closed_by": str, "close": str, "nginx": dict, "upstream": dict, "exchange": dict, "summary": str, "advice": list,
    "evidence": list, "timeline": list, "lossy": bool,
}
WHOSE = {"cgroup": (str, nothing), "container": (dict, nothing), "pod": (dict, nothing), "unit": (str, nothing)}
CONTAINER = {"runtime": (str, nothing), "id": str, "name": (str, nothing)}
POD = {"namespace": (str, nothing), "name": (str, nothing), "uid": (str, nothing), "workload": (str, nothing)}
NGINX = {"pid": int, "comm": str, "addr": str, "port": int, **WHOSE}
UPSTREAM = {
    **WHOSE, "local_addr": (str, nothing), "local_port": (int, nothing),
    "addr": str, "port": int, "pid": (int, nothing), "comm": (str, nothing), "exe": (str, nothing), "exiting": (bool, nothing),
    "exit_code": (int, nothing), "signal": (str, nothing), "oom": (bool, nothing), "exit": (dict, nothing),
}
EXIT = {"after_ms": number, "exit_code": (int, nothing), "signal": (str, nothing), "oom": bool}
EXCHANGE = {
    "number": (int, nothing), "reused": (bool, nothing), "idle_ms": (*number, nothing), "method": (str, nothing),
    "target": (str, nothing), "request_bytes": (int, nothing), "unacked_bytes": (int, nothing), "unread_bytes": (int, nothing),
    "response_bytes": (int, nothing), "status": (int, nothing), "headers_complete": (bool, nothing),
    "waited_ms": (*number, nothing),
}
NOTHING_ASKED = dict.fromkeys(("number", "idle_ms", "method", "target", "request_bytes", "status", "waited_ms"))
EVENT = {"t_ms": number, "side": str, "event": str}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)")


def assert_fields(obj, fields, where):
    for name, types in fields.items():
        assert name in obj, f"{where}.{name} is missing in {obj}"
        value = obj[name]
        types = types if isinstance(types, tuple) else (types,)
        assert type(value) in types, f"{where}.{name} is {value!r}"
        if type(value) in number:
            assert name in ("t_ms", "exit_code") or value >= 0, f"{where}.{name} is negative: {value}"


def assert_contract(obj):
    """Every fixed field of a connection object: presence, type, vocabulary, and which facts may be absent together."""
    assert_fields(obj, FIELDS, "connection")
    assert obj["schema"] == 1 and obj["kind"] == "connection"
    assert RFC3339.fullmatch(obj["time"]), obj["time"]
    for name, allowed in (("verdict", VERDICTS), ("proof", PROOFS), ("phase", PHASES), ("closed_by", CLOSED_BY),
                          ("close", CLOSES), ("confidence", CONFIDENCES), ("outcome", OUTCOMES)):
        assert obj.get(name) in allowed, f"{name} is {obj[name]!r}"
    assert obj["flagged"] == (obj["verdict"] not in UNFLAGGED)
    assert (obj["confidence"] == "unknown") == (obj["verdict"] == "unknown")
    assert obj["proof"] or obj["confidence"] != "proven"
    assert not (obj["lossy"] and obj["confidence"] == "proven")

    nginx, up, x = obj["nginx"], obj["upstream"], obj["exchange"]
    assert_fields(nginx, NGINX, "nginx")
    assert_fields(up, UPSTREAM, "upstream")
    for end in nginx, up:
        for name, fields in ("container", CONTAINER), ("pod", POD):
            if end[name]:
                assert_fields(end[name], fields, name)
    assert nginx["pid"] > 0 and 0 <= nginx["port"] < 65536 and 0 < up["port"] < 65536
    if up["pid"] is None:  # nothing is known of a process that was not seen
        assert [up[k] for k in ("comm", "exe", "exit_code", "signal")] == [None] * 4
        assert not up["exiting"] and not up["oom"]
    else:
        assert up["pid"] > 0
    if up["exit_code"] is not None or up["signal"] is not None:
        assert up["exiting"] is True
    if up["exit"]:
        assert_fields(up["exit"], EXIT, "upstream.exit")
        assert up["exiting"] is False and (up["exit"]["exit_code"] is None) != (up["exit"]["signal"] is None)
    assert up["signal"] is None or re.fullmatch(r"SIG[A-Z0-9+]+", up["signal"])

    assert_fields(x, EXCHANGE, "exchange")
    assert x["method"] is None or re.fullmatch(r"[A-Z]+", x["method"])
    assert x["target"] is None or (x["target"] and "?" not in x["target"])
    assert x["status"] is None or 100 <= x["status"] <= 999
    if x["unacked_bytes"] is not None and x["request_bytes"] is not None:
        assert x["unacked_bytes"] <= x["request_bytes"]
    if x["number"] == 1:
        assert x["reused"] is False

    assert obj["summary"] and "\n" not in obj["summary"]
    for text in obj["advice"] + obj["evidence"]:
        assert isinstance(text, str) and text
    assert obj["evidence"]
    assert obj["timeline"]
    for event in obj["timeline"]:
        assert_fields(event, EVENT, "timeline")
        assert event["side"] in ("nginx", "upstream")
        assert re.fullmatch(r"[a-z_]+", event["event"]), event
    assert_order([(e["side"], e["event"]) for e in obj["timeline"]])
    times = [e["t_ms"] for e in obj["timeline"]]
    assert times[0] == 0 and times == sorted(times)


def assert_order(events):
    """No effect stands before its cause, as far as the connection was seen from its start."""
    if ("nginx", "connect") not in events:
        return
    for cause, effect in ((("nginx", "connect"), None), (("nginx", "connect"), ("nginx", "established")),
                          (("nginx", "established"), ("nginx", "send")), (("upstream", "established"), ("upstream", "receive")),
                          (("nginx", "send"), ("upstream", "receive")), (("upstream", "send"), ("nginx", "receive")),
                          (("upstream", "close"), ("nginx", "fin_received"))):
        if cause in events and (effect is None or effect in events):
            first = 0 if effect is None else events.index(effect)
            assert events.index(cause) <= first, f"{effect} stands before {cause} in {events}"


class Upclose(Child):
    """`upclose trace -o json`, or with output="text" the lines that a person sees."""

    def __init__(self, *args, ports=(), output="json", wait=True, prefix=(), **popen):
        options = ["-o", output] if output else []
        for port in ports:
            options += ["-p", port]
        popen.setdefault("stdout", subprocess.PIPE)
        super().__init__([*prefix, UPCLOSE, "trace", *options, *args], stderr=subprocess.PIPE, **popen)
        self.output = output
        self.lines = []  # (arrival in seconds since 1970, line)
        self.errors = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read, args=(self.popen.stderr, self.errors))]
        if self.popen.stdout:
            self._threads.append(threading.Thread(target=self._read, args=(self.popen.stdout, self.lines)))
        for t in self._threads:
            t.start()
        if wait:
            try:
                self.wait_tracing()
            except BaseException:
                self.stop(check=False)
                raise

    def _read(self, stream, lines):
        for line in stream:
            now = time.time()
            with self._changed:
                lines.append((now, line.decode("utf-8", "replace").rstrip("\n")))
                self._changed.notify_all()
        with self._changed:
            lines.append(None)
            self._changed.notify_all()

    def _wait_for(self, find, what, timeout):
        end = time.monotonic() + timeout * PATIENCE
        with self._changed:
            while not (found := find()):
                ended = self.errors[-1:] == [None] and (not self.popen.stdout or self.lines[-1:] == [None])
                left = end - time.monotonic()
                if ended or left <= 0:
                    raise TimeoutError(f"{'upclose ended' if ended else f'not within {timeout} s'}: {what}\n"
                                       f"stderr: {self.stderr()}\nstdout: {self.stdout()[-6000:]}")
                self._changed.wait(left)
        return found

    def wait_stderr(self, pattern, timeout=20):
        return self._wait_for(lambda: re.search(pattern, self.stderr(), re.M), f"{pattern!r} on standard error", timeout)

    def wait_tracing(self):
        self.wait_stderr("tracing")

    def stderr(self):
        return "\n".join(line[1] for line in list(self.errors) if line)

    def stdout(self):
        return "\n".join(line[1] for line in list(self.lines) if line)

    def objects(self):
        """(arrival, object) of each connection so far."""
        parsed = [(line[0], json.loads(line[1])) for line in list(self.lines) if line]
        return [(t, o) for t, o in parsed if o["kind"] == "connection"]

    def log_events(self):
        """What nginx said of requests without a connection."""
        return [o for line in list(self.lines) if line and (o := json.loads(line[1]))["kind"] == "nginx_log"]

    def all(self, **want):
        return [o for _, o in self.objects() if values(o, want) == want]

    def wait(self, timeout=5.0, count=1, **want):
        """Wait for `count` objects with these values, such as target="/x" or nginx_port=1; return the last."""
        return self._wait_for(lambda: len(found := self.all(**want)) >= count and found[count - 1], f"an object with {want}", timeout)

    def wait_text(self, pattern, timeout=5.0):
        return self._wait_for(lambda: re.search(pattern, self.stdout()), f"{pattern!r} on standard output", timeout)

    def ended(self, timeout=10.0):
        """Wait for its own end; the exit status."""
        status = Child.wait(self, timeout)
        for t in self._threads:
            t.join()
        return status

    def stop(self, sig=signal.SIGINT, check=True):
        """End it; return (connection objects, summary, standard error, exit status)."""
        self.kill(sig)
        try:
            status = self.ended()
        finally:
            self.kill(signal.SIGKILL)
            Child.wait(self)
        objects, summary = [], None
        if self.output == "json" and self.popen.stdout:
            parsed = [json.loads(line[1]) for line in self.lines if line]
            objects = [o for o in parsed if o["kind"] == "connection"]
            if check:
                summary = parsed[-1]
                assert summary["kind"] == "summary"
                assert {o["kind"] for o in parsed[:-1]} <= {"connection", "nginx_log"}
        for stream in (self.popen.stderr, self.popen.stdout):
            if stream:
                stream.close()
        return objects, summary, self.stderr(), status

    def __exit__(self, *exc):
        self.stop(check=False)


def value(obj, name):
    """A value of the object, or of one of its parts: verdict, nginx_port, upstream_port, pid (the upstream's), target, ..."""
    part, _, field = name.partition("_")
    if part in ("nginx", "upstream") and field:
        return obj[part][field]
    if name in EXCHANGE:
        return obj["exchange"][name]
    return obj[name] if name in obj else obj["upstream"][name]


def values(obj, want):
    """What the object has where `want` wants something."""
    return {name: value(obj, name) for name in want}


def ended_at(obj):
    """The object's time in seconds since 1970."""
    whole, _, rest = obj["time"].partition(".")
    zone = rest.lstrip("0123456789")
    assert zone == "Z" or zone == "+00:00" or datetime.fromisoformat(whole + zone), zone
    stamp = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    return stamp.astimezone(timezone.utc).timestamp() + float("0." + rest[: len(rest) - len(zone)])


def run(*args, timeout=30, **popen):
    """Run upclose to its end; a CompletedProcess with text."""
    return subprocess.run([UPCLOSE, *map(str, args)], capture_output=True, text=True, timeout=timeout, check=False, **popen)
