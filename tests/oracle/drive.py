# SPDX-License-Identifier: BSD-2-Clause
"""Drives a private nginx into every fault by the seed, with upclose beside it, and judges what upclose said."""
import contextlib
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness.certificate import certificate
from harness.nginx import Route
from harness.proc import JsonChild, free_port
from harness.stage import HERE, Stage, Upstream, path, target

from .debuglog import DebugLog
from .judge import Judge, read_access
from .truth import HEALTHY

LOGS = """
    log_format oracle '$pid $connection $connection_requests $status "$upstream_status" $request_uri';
    access_log access.log upclose;
    access_log oracle.log oracle;
    error_log error.log info;
    error_log debug.log debug_http debug_event;
"""
KNOBS = "proxy_connect_timeout 300ms; proxy_send_timeout 400ms; proxy_read_timeout 400ms;"
BIG = b"u" * (4 << 20)

# behaviour: (weight, what is right when the upstream's program has read the request: (verdict, proof)...)
FINE = None
DEAD = {("upstream_died", "exit_code"), ("upstream_died", "signal")}
TIMER = {("nginx_timeout", "read_timeout")}
NODE = {
    "ok": (30, FINE), "chunked": (6, FINE), "empty": (4, FINE), "until_close": (3, FINE), "trickle": (2, FINE), "upload": (6, FINE),
    "download": (1, FINE), "slow": (4, FINE),
    "destroy": (5, {("upstream_closed", "deliberate_close")}),
    "reset": (4, {("upstream_closed", "deliberate_close")}),
    "header_cut": (3, {("partial_header", "header_cut")}),
    "body_cut": (3, {("body_truncated", "content_length")}),
    "chunk_cut": (3, {("body_truncated", "chunked")}),
    "last_chunk_cut": (2, {("body_truncated", "chunked")}),
    "never": (1, TIMER), "stall": (1, TIMER), "stall_header": (1, TIMER),
}
MORTAL = {
    "ok": (30, FINE), "chunked": (5, FINE), "upload": (5, FINE), "slow": (8, FINE), "destroy": (3, {("upstream_closed", "deliberate_close")}),
    "throw": (1, DEAD), "exit": (1, DEAD), "kill": (1, DEAD), "term": (1, DEAD), "abort": (1, DEAD),
}
# nginx may read the answer only after the reset came, and then it writes a line of a read that failed
RESET_LATE = {("idle_close", "idle"), ("complete", "response_complete"), ("upstream_reset", "rst")}
ODD = {
    "ok": (20, FINE), "says_502": (4, FINE), "idle_fin": (8, FINE), "idle_reset": (4, RESET_LATE), "race_unread": (6, FINE), "race_reset": (3, FINE),
    "big_header": (3, {("nginx_rejected_response", "nginx_closed")}),
    "big_and_close": (2, {("nginx_rejected_response", "nginx_closed")}),
    "bad_and_close": (2, {("nginx_rejected_response", "nginx_closed")}),
    "bad_header": (3, {("nginx_rejected_response", "nginx_closed")}),
    "bad_chunk": (3, {("nginx_rejected_response", "nginx_closed")}),
    "not_http": (2, {("protocol_mismatch", "first_bytes"), ("complete", "response_complete")}),
    "head_reset": (3, {("partial_header", "header_cut")}),
    "body_reset": (3, {("body_truncated", "content_length"), ("body_truncated", "rst")}),
    "late_reset": (3, {("upstream_closed", "deliberate_close")}),
    "unread_close": (2, {("request_rejected", "body_unread")}),
    "early_413": (2, {("request_rejected", "body_unread"), ("complete", "response_complete")}),
    "never_read": (1, {("nginx_timeout", "send_timeout"), ("nginx_timeout", "read_timeout")}),  # by how much the kernels hold
}
# Of an encrypted response nothing is read: nginx says whether it was cut short.
SECRET = {
    "ok": (20, FINE), "chunked": (4, FINE), "empty": (3, FINE), "upload": (4, FINE), "slow": (3, FINE),
    "destroy": (5, {("upstream_closed", "deliberate_close")}),
    "header_cut": (3, {("upstream_closed", "deliberate_close")}), "body_cut": (3, {("body_truncated", "nginx_log")}),
    "never": (1, TIMER), "stall": (1, TIMER),
}
BARE = {"ok", "chunked", "empty", "slow", "destroy", "reset", "header_cut", "never", "throw", "kill"}  # need no body in the response
BIG_BODY = {"unread_close", "early_413", "never_read"}
# the program never got to read the request
UNSEEN = {"keepalive_race", "upstream_closed", "upstream_died", "upstream_reset", "connect_failed", "request_rejected", "client_gone"} | HEALTHY


class Mortal:
    """A Node that is started again on its port whenever it dies."""

    def __init__(self, rng, seen):
        self.rng, self.seen = rng, seen
        self.port = free_port()
        self.addr = f"127.0.0.1:{self.port}"
        self.deaths = {}  # pid: (exit code, signal)
        self.ending = False
        self.current = self._start()
        self.thread = threading.Thread(target=self._again)
        self.thread.start()

    def _start(self):
        return JsonChild(["node", HERE / "upstream.js", "--port", self.port])

    def _again(self):
        while not self.ending:
            status = self.current.popen.wait()
            self.deaths[self.current.pid] = (status, None) if status >= 0 else (None, signal.Signals(-status).name)
            self.current.stop()
            self.seen += requests(self.current, self.port)
            time.sleep(self.rng.random() * 0.08)
            if not self.ending:
                self.current = self._start()

    def stop(self):
        self.ending = True
        self.current.stop()
        self.thread.join()


def requests(child, port):
    """Path, nginx's port and its own of each request that it has read."""
    return [(e["path"], e["peer_port"], port) for e in list(child.events) if e["event"] == "request"]


class Full(contextlib.ExitStack):
    """A listener whose backlog is full, so that a SYN is not answered."""

    def __init__(self):
        super().__init__()
        self.listener = self.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        self.port = self.listener.getsockname()[1]
        for _ in range(4):
            s = self.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(self.listener.getsockname())
        time.sleep(0.05)


class Site:
    """The upstreams and the nginx of one round."""

    def __init__(self, stage, rng, workers):
        self.scratch = stage.enter_context(tempfile.TemporaryDirectory())
        self.seen = []  # what those had read that have died
        self.calm, self.second = stage.node(), stage.node()
        self.odd = stage.enter_context(Upstream([sys.executable, Path(__file__).with_name("odd.py")]))
        self.mortals = [Mortal(rng, self.seen) for _ in range(2)]
        for m in self.mortals:
            stage.callback(m.stop)
        accept_reset, accept_close = stage.raw("reset"), stage.raw("close")
        full = stage.enter_context(Full())
        keys = certificate(self.scratch)[0].parent
        self.secret = stage.node("--tls", keys)
        tls_fin, tls_reset, tls_plain, tls_mute = (stage.raw(s) for s in ("drain close", "drain reset", "drain reply close", "drain hold"))
        refused = free_port()
        calm, second, odd, mortal = self.calm.addr, self.second.addr, self.odd.addr, self.mortals[0].addr
        none, stuck = f"127.0.0.1:{refused}", f"127.0.0.1:{full.port}"
        self.told = {u.port for u in (self.calm, self.second, self.secret, self.odd, *self.mortals)}  # they tell what they have read
        self.ports = [*self.told, *(u.port for u in (accept_reset, accept_close, full, tls_fin, tls_reset, tls_plain, tls_mute)), refused]
        raw = "proxy_buffering off; proxy_request_buffering off;" + KNOBS
        self.routes = {  # name: (route, behaviours, weight)
            "kept": (Route(calm, extra=KNOBS), NODE, 30), "plain": (Route(calm, keepalive=0, extra=KNOBS), NODE, 12),
            "few": (Route(calm, keepalive=2, extra=KNOBS), NODE, 8), "unbuffered": (Route(calm, extra=raw), NODE, 8),
            "both": (Route([calm, second], extra=KNOBS), NODE, 10),
            "mortal": (Route(mortal, extra=KNOBS), MORTAL, 12), "spare": (Route([mortal, self.mortals[1].addr], extra=KNOBS), MORTAL, 12),
            "odd": (Route(odd, extra=KNOBS), ODD, 20), "oddplain": (Route(odd, keepalive=0, extra=KNOBS), ODD, 8),
            "oddraw": (Route(odd, extra=raw), ODD, 6), "oddfew": (Route(odd, keepalive=1, extra=KNOBS), ODD, 8),
            "refused": (Route([none, calm], extra=KNOBS), NODE, 5), "nobody": (Route(none, extra=KNOBS), NODE, 2),
            "reset": (Route([accept_reset.addr, calm], extra=KNOBS), NODE, 4), "close": (Route([accept_close.addr, calm], extra=KNOBS), NODE, 4),
            "full": (Route([stuck, calm], extra=KNOBS), NODE, 1),
            "tls": (Route(self.secret.addr, scheme="https", extra=KNOBS), SECRET, 12),
            "tls_once": (Route(self.secret.addr, scheme="https", keepalive=0, extra=KNOBS), SECRET, 4),
            "tls_fin": (Route([tls_fin.addr, self.secret.addr], scheme="https", extra=KNOBS), SECRET, 3),
            "tls_reset": (Route([tls_reset.addr, self.secret.addr], scheme="https", extra=KNOBS), SECRET, 3),
            "tls_plain": (Route([tls_plain.addr, self.secret.addr], scheme="https", extra=KNOBS), SECRET, 3),
            "tls_mute": (Route([tls_mute.addr, self.secret.addr], scheme="https", extra=KNOBS), SECRET, 1),
            "plain_to_tls": (Route([self.secret.addr], extra=KNOBS), SECRET, 2),
            # a multicast address: connect() itself refuses it, and nothing leaves this host
            "unreachable": (Route(["224.0.0.1:80", calm], extra=KNOBS), NODE, 3),
            "none_left": (Route([none, stuck], server="max_fails=1 fail_timeout=1s", extra=KNOBS), NODE, 4),
            "goes_on": (Route(calm, extra=KNOBS + "proxy_ignore_client_abort on;"), NODE, 5),
        }
        self.nginx = stage.nginx(workers=workers, http=LOGS, **{n: r for n, (r, _, _) in self.routes.items()})

    def all_seen(self):
        """Known once the mortal ones have ended and the others are quiet."""
        return set(self.seen + [r for u in (self.calm, self.second, self.secret, self.odd) for r in requests(u, u.port)])

    def death(self, pid):
        return next((m.deaths[pid] for m in self.mortals if pid in m.deaths), None)


def pick(rng, weights):
    return rng.choices(list(weights), [w[-1] if isinstance(w[-1], int) else w[0] for w in weights.values()])[0]


class Client(threading.Thread):
    """Requests by a seed of its own, mostly on one connection for each route."""

    def __init__(self, site, seed, count, asked):
        super().__init__()
        self.site, self.count, self.asked = site, count, asked
        self.rng = random.Random(seed)
        self.error = None

    def run(self):
        self.open = {}
        try:
            for _ in range(self.count):
                self.one()
        except BaseException as e:  # noqa: BLE001: raised again by whoever joins
            self.error = e
        finally:
            for c in self.open.values():
                c.close()

    def one(self):
        rng = self.rng
        route = pick(rng, self.site.routes)
        behaviours = self.site.routes[route][1]
        behaviour = pick(rng, behaviours)
        big = behaviour in BIG_BODY
        methods = ["GET"] * 5 + ["POST"] * 3 + ["PUT", "DELETE"]
        if behaviour in BARE:
            methods.append("HEAD")
        method = "POST" if big or behaviour == "upload" else rng.choice(methods)
        body = BIG if big else b"x" * rng.randrange(1, 3000) if method in ("POST", "PUT") else b""
        query = f"ms={rng.randrange(250)}" if behaviour == "slow" else "bytes=300000" if behaviour == "download" else ""
        leave = rng.random() < 0.06
        t = target(behaviour, query)
        self.asked[path(t)] = (behaviour, behaviours[behaviour][1], leave)
        if rng.random() < 0.15:
            time.sleep(rng.random() * 0.03)
        client = self.open.pop(route, None) or self.site.nginx.client(route)
        keep = False
        try:
            # of a response without a head nginx does not tell the end
            client.send(method, t, {"Connection": "close"} if behaviour == "not_http" else None, body)
            if leave:
                time.sleep(rng.choice([0, 0, 0.001, 0.01, 0.05]))
                client.abort() if rng.random() < 0.4 else client.close()
                return
            r = client.response(method)
            keep = r.status is not None and r.complete and r.headers.get("connection") != "close" and rng.random() < 0.9
        except OSError:  # nginx gave up on the request's body
            pass
        finally:
            if keep:
                self.open[route] = client
            else:
                client.close()


def closer(site, stop, rng):
    """Closes Node's idle connections now and then, which makes races of what is on its way."""
    while not stop.wait(rng.random() * 0.15):
        rng.choice([site.calm, site.calm, site.second]).command("close_idle")


TIMEOUTS = {"connect timeout", "send timeout", "read timeout", "body timeout"}


def check_truth(site, asked, pairs):
    """Where the fault that was injected is known, the verdict and its proof are too."""
    seen = site.all_seen()
    for p in pairs:
        obj, request = p.obj, p.attempt.request
        behaviour, right, leave = asked[request.path]
        if obj["upstream"]["port"] not in site.told or p.undecided:
            continue
        verdict, up = obj["verdict"], obj["upstream"]
        answer = (verdict, obj["proof"])
        if p.kind.name in TIMEOUTS:
            continue  # a busy host: what was injected came too late, and nginx's own line has been judged
        if verdict == "upstream_died":
            if site.death(up["pid"]) != (up["exit_code"], up["signal"]):
                p.wrong.append(f"pid {up['pid']} ended with {site.death(up['pid'])}")
        elif (request.path, obj["nginx"]["port"], obj["upstream"]["port"]) not in seen:
            if verdict not in UNSEEN:
                p.wrong.append(f"{behaviour}: {verdict}, but no program read the request")
        elif verdict == "keepalive_race":
            p.wrong.append(f"{behaviour}: a race, but the upstream's program read the request")
        elif leave and verdict in HEALTHY | {"client_gone"}:
            continue
        elif right is FINE and verdict not in HEALTHY or right is not FINE and answer not in right:
            p.wrong.append(f"{behaviour}: {answer}, right is {right or HEALTHY}")


def run_round(seed, exchanges, workers, clients, judge, keep=None):
    rng = random.Random(f"{seed}-{workers}")
    asked = {}
    with Stage() as stage:
        site = Site(stage, random.Random(f"{seed}-{workers}-mortal"), workers)
        mine = set(site.nginx.workers())
        trace = stage.upclose("--all", ports=site.ports)
        stop = threading.Event()
        threads = [Client(site, f"{seed}-{workers}-{n}", exchanges // clients + (n < exchanges % clients), asked) for n in range(clients)]
        idle = threading.Thread(target=closer, args=(site, stop, rng))
        for t in [idle, *threads]:
            t.start()
        for t in threads:
            t.join()
        stop.set()
        idle.join()
        site.nginx.quit()
        time.sleep(0.2)  # the last ends are printed within 100 ms
        objects, summary, _, status = trace.stop()
        for m in site.mortals:
            m.stop()
        log = DebugLog().read(f"{site.nginx.dir}/debug.log")
        ours = [o for o in objects if o["nginx"]["pid"] in mine]  # another nginx may use the same port elsewhere
        pairs = judge.run(log, ours, set(site.ports), read_access(f"{site.nginx.dir}/oracle.log"))
        check_truth(site, asked, pairs)
        if keep:
            save(keep, workers, site.nginx.dir, trace)
    for t in threads:
        if t.error:
            raise t.error
    if status or summary["lost"] or summary["flagged"] != sum(o["flagged"] for o in objects):
        judge.stray.append(f"upclose ended with status {status}: {summary}")
    return summary


def save(folder, workers, nginx_dir, trace):
    """What run.py reads as the directory of another harness."""
    where = Path(folder, f"workers-{workers}")
    where.mkdir(parents=True, exist_ok=True)
    for name in ("debug.log", "oracle.log"):
        (where / name).write_bytes(Path(nginx_dir, name).read_bytes())
    (where / "upclose.json").write_text(trace.stdout() + "\n", encoding="utf-8")


def drive(seed, exchanges, clients=8, keep=None):
    """Half of the exchanges with one worker, half with two."""
    judge = Judge()
    for workers in (1, 2):
        run_round(seed, exchanges // 2, workers, clients, judge, keep)
    return judge
