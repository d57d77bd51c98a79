# SPDX-License-Identifier: BSD-2-Clause
"""The daemon under mixed traffic and faults for a long time: does it stay as small as it was?

    python3 tests/soak.py [SECONDS]     or make soak, SOAK_SECONDS=1200

nginx before upstreams that answer, hang up, reset, die and start again, close idle connections and race with
requests; nginx reloads, the daemon reloads, is scraped, and looked at by people. Samples become a table; the
last line says what stayed flat and what did not. The exit status is 0 where everything did.
"""
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from harness.nginx import Route  # noqa: E402
from harness.proc import PREFIX  # noqa: E402
from harness.stage import Stage, target  # noqa: E402

BEHAVIOURS = ("ok", "ok", "ok", "chunked", "empty", "destroy", "header_cut", "body_cut", "slow", "upload", "download")
CLIENTS = 6
ROWS = 12
# what may come on top between the second quarter and the last one
ALLOWED = {"anon_kib": 1024, "fds": 2, "threads": 0}


class Traffic:
    """Clients that ask, until told to stop."""

    def __init__(self, nginx, rate):
        self.nginx, self.pause, self.asked = nginx, CLIENTS / rate, 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def work(self, seed):
        dice = random.Random(seed)
        while not self.stopping.wait(dice.expovariate(1 / self.pause)):
            try:
                with self.nginx.client(dice.choice(["app", "app", "brief", "mortal"]), timeout=10) as c:
                    for _ in range(dice.randint(1, 4)):
                        self.asked += 1
                        if c.request("GET", target(dice.choice(BEHAVIOURS), "ms=20&bytes=50000")).status is None:
                            break
            except OSError:
                continue  # nginx is being reloaded, or an upstream is not there

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()


def sample(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as f:
        status = {k: v.split()[0] for k, _, v in (line.partition(":\t") for line in f) if v.strip()}
    with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    totals = {"flagged": 0, "ended": 0, "lost": 0}
    for (name, _), value in daemon.samples().items():
        for short, long in (("flagged", "flagged_connections"), ("ended", "connections_ended"), ("lost", "lost")):
            if name == f"upclose_{long}_total":
                totals[short] += int(value)
    return {"anon_kib": int(status["RssAnon"]), "rss_kib": int(status["VmRSS"]), "threads": int(status["Threads"]),
            "fds": len(os.listdir(f"/proc/{daemon.pid}/fd")), "cpu_s": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            **totals}


def mean(samples, name):
    return sum(s[name] for s in samples) / len(samples)


def verdicts(samples):
    """[(what, holds)], from the samples after a first quarter of warming up."""
    quarter = len(samples) // 4
    early, late = samples[quarter:2 * quarter], samples[-quarter:]
    found = []
    for name, allowed in ALLOWED.items():
        before, after = mean(early, name), mean(late, name)
        found.append((f"{name} {before:.0f} -> {after:.0f} (at most {allowed} more)", after - before <= allowed))
    last = samples[-1]
    found.append((f"{last['lost']} lost", last["lost"] == 0))
    found.append((f"{last['flagged']} of {last['ended']} connections flagged", 0 < last["flagged"] < last["ended"]))
    return found


def table(samples, seconds):
    names = ["anon_kib", "rss_kib", "fds", "threads", "cpu_s", "ended", "flagged", "lost"]
    print("  ".join(f"{n:>8}" for n in ["second", *names]))
    step = max(1, len(samples) // ROWS)
    for i in range(step - 1, len(samples), step):
        values = [f"{samples[i][n]:.2f}" if n == "cpu_s" else str(samples[i][n]) for n in names]
        print("  ".join(f"{v:>8}" for v in [round((i + 1) * seconds / len(samples)), *values]))
    cpu = samples[-1]["cpu_s"] - samples[0]["cpu_s"]
    print(f"CPU: {100 * cpu / seconds:.2f} % of a core, scrapes and pages included")


def soak(seconds, rate):
    """(samples, requests asked)"""
    with Stage() as stage:
        app, brief = stage.node("--quiet"), stage.node("--quiet", "--keepalive", "50")
        mortal = stage.node("--quiet")
        nginx = stage.nginx(workers=2, app=Route([app.addr, brief.addr]), brief=Route(brief.addr), mortal=Route(mortal.addr))
        daemon = stage.daemon({"log": {"to": "stderr", "max_per_second": 5}}, ports=[app.port, brief.port, mortal.port])
        traffic = Traffic(nginx, rate)
        every = max(0.5, seconds / 240)
        samples, start, turn = [], time.monotonic(), 0
        try:
            while (now := time.monotonic() - start) < seconds:
                turn += 1
                samples.append(sample(daemon))
                assert daemon.get("/")[0] == daemon.get("/healthz")[0] == 200
                if turn % 10 == 3:
                    daemon.reload({"log": {"to": "stderr", "max_per_second": 5 + turn % 2}})
                if turn % 20 == 7:
                    nginx.kill(signal.SIGHUP)
                if turn % 10 == 5 and mortal.alive():
                    port = mortal.port
                    mortal.kill(signal.SIGKILL)
                    mortal.wait()
                    mortal = stage.node("--quiet", "--port", str(port))
                time.sleep(max(0, start + turn * every - time.monotonic()))
                if now // 60 != (now - every) // 60 and seconds > 240:
                    print(f"  {now:.0f} s", file=sys.stderr)
        finally:
            traffic.stop()
        daemon.kill(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.stderr()
        return samples, traffic.asked


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1200
    rate = float(os.environ.get("SOAK_RATE", "150"))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        os.chmod(folder, 0o711)
        tempfile.tempdir = folder
        samples, asked = soak(seconds, rate)
        tempfile.tempdir = None
    table(samples, seconds)
    print(f"{asked} requests in {seconds:.0f} s")
    found = verdicts(samples)
    for what, holds in found:
        print(f"{'ok' if holds else 'NOT FLAT'}: {what}")
    return 0 if all(holds for _, holds in found) else 1


if __name__ == "__main__":
    sys.exit(main())
