# SPDX-License-Identifier: BSD-2-Clause
"""Pairs each upstream connection of nginx's debug log with upclose's object, and holds the verdict against nginx's line.

The pairing: upclose's objects of a worker in the order of their connect() stand beside the worker's "connect to" lines,
one by one. An object's connect() is its end's time less the end's place in its timeline; a long timeline has lost its
beginning, and then the last request on the connection (method, target, its number, the upstream's port) finds it. The
same facts must agree for every pair, so a shift by one cannot go unnoticed.
"""
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from .debuglog import DebugLog
from .truth import HEALTHY, NO_LINE, kind_of

ENDS = ("fin_received", "rst_received", "abort", "close")


@dataclass
class Pair:
    connection: object  # of the debug log
    obj: dict  # upclose's
    kind: object = NO_LINE
    wrong: list = field(default_factory=list)
    undecided: bool = False  # flagged, and said to be unknown

    @property
    def attempt(self):
        return self.connection.attempts[-1]


def when(obj):
    """Microseconds since 1970."""
    whole, _, rest = obj["time"].partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**6 + int(rest[:9]) / 1000


def opened(obj):
    """When the connection was opened, or None where its timeline has lost that."""
    line = obj["timeline"]
    if line[0]["event"] != "connect":
        return None
    mine = [e for e in line if e["side"] == "nginx"]
    peer = [e for e in mine if e["event"] in ENDS[:2]]
    end = (peer or [e for e in mine if e["event"] in ENDS[2:]] or mine[-1:])[0]
    return when(obj) - end["t_ms"] * 1000


def last_request(obj):
    x = obj["exchange"]
    return x["method"], x["target"], x["number"], str(obj["upstream"]["port"])


def last_attempt(connection):
    request = connection.attempts[-1].request
    return request.method, request.path, len(connection.attempts), connection.addr.rpartition(":")[2]


def agrees(connection, obj):
    """None of what both name of the last request differs. A request that nginx never sent is not upclose's last one."""
    def same(attempts, number):
        request = attempts[-1].request
        mine = (request.method, request.path, number, connection.addr.rpartition(":")[2])
        return all(theirs in (None, ours) for ours, theirs in zip(mine, last_request(obj)))

    attempts = connection.attempts
    return same(attempts, len(attempts)) or (len(attempts) > 1 and same(attempts[:-1], len(attempts) - 1))


def pair_worker(connections, objects):
    """(pairs, connections left over, objects left over)"""
    pairs = []
    by_request = {}
    for c in connections:
        by_request.setdefault(last_attempt(c), []).append(c)
    known = sorted((o for o in objects if opened(o) is not None), key=opened)
    cut, taken = [o for o in objects if opened(o) is None], set()
    for o in [*cut, *cut]:  # once more, when others have found theirs
        # of an encrypted connection no request is known, but their number
        found = by_request.get(last_request(o)) or [c for c in connections if id(c) not in taken and agrees(c, o)]
        if len(found) == 1 and o in cut:
            pairs.append(Pair(found[0], o))
            taken.add(id(found[0]))
            cut.remove(o)
    left = [c for c in connections if id(c) not in taken]
    if len(left) == len(known):
        pairs += [Pair(c, o) for c, o in zip(left, known)]
        return pairs, [], cut
    # something is missing: what is in order and agrees is paired, so that the missing ones can be named
    missing = []
    for c in left:
        at = next((i for i, o in enumerate(known[:50]) if agrees(c, o)), None)
        if at is None:
            missing.append(c)
        else:
            pairs.append(Pair(c, known[at]))
            cut += known[:at]
            del known[: at + 1]
    return pair_rest(pairs, missing, cut + known)


def pair_rest(pairs, missing, left):
    """What agrees with one alone on either side: of an encrypted connection no request can be looked for, but their number is known."""
    for c in list(missing):
        same = [o for o in left if agrees(c, o)]
        if len(same) == 1 and [m for m in missing if agrees(m, same[0])] == [c]:
            pairs.append(Pair(c, same[0]))
            missing.remove(c)
            left.remove(same[0])
    return pair_equals(pairs, missing, left)


def pair_equals(pairs, missing, left):
    """Several of which nothing known differs, as many on either side: in the order in which they ended."""
    for c in list(missing):
        same = [o for o in left if agrees(c, o)]
        equals = [m for m in missing if [o for o in left if agrees(m, o)] == same]
        if c in missing and same and len(same) == len(equals) and all(m.attempts[-1].over for m in equals):
            pairs += map(Pair, sorted(equals, key=lambda m: m.attempts[-1].over), sorted(same, key=when))
            missing = [m for m in missing if m not in equals]
            left = [o for o in left if o not in same]
    return pairs, missing, left


def expected_outcome(attempt):
    """What became of a failed attempt, by the log: what outcome is right, and the client's status."""
    if attempt.next_seen():
        return "retried", None
    return "client_error", attempt.request.status


def outcome_wrong(pair):
    obj, attempt = pair.obj, pair.attempt
    want, status = expected_outcome(attempt)
    if obj["outcome"] != "unknown" and obj["outcome"] != want:
        yield f"outcome is {obj['outcome']}, nginx's log says {want}"
    if want == "client_error" and obj["client_status"] not in (None, status):
        yield f"client_status is {obj['client_status']}, the client got {status}"
    if want == "retried" and obj["retry"] and str(obj["retry"]["port"]) != attempt.next_seen().connection.addr.rpartition(":")[2]:
        yield f"retried at port {obj['retry']['port']}, nginx's log says {attempt.next_seen().connection.addr}"
    number = attempt.number()
    if obj["attempt"] not in (None, number):
        yield f"attempt is {obj['attempt']}, nginx's log says {number}"


class Judge:
    def __init__(self):
        self.pairs = []
        self.stray = []  # texts: what has no counterpart
        self.requests = 0
        self.undecided = Counter()  # things that may be unknown, and are

    def run(self, log: DebugLog, objects, ports=None, access=None):
        """Judge one nginx. ports: the upstream ports that upclose followed. access: (pid, client, number) to (status, upstream's)."""
        by_pid = {}
        for o in objects:
            by_pid.setdefault(o["nginx"]["pid"], []).append(o)
        self.requests += sum(1 for r in log.requests if r.attempts)
        made = []
        for pid, connections in log.workers.items():
            seen = [c for c in connections if not c.unseen and (ports is None or int(c.addr.rpartition(":")[2]) in ports)]
            pairs, missing, left = pair_worker(seen, by_pid.pop(pid, []))
            made += pairs
            self.stray += [f"no object for the connection #{c.number} of {pid} to {c.addr}, last request {c.attempts[-1].request.line}\n"
                           + told(c.attempts[-1]) for c in missing]
            self.stray += [f"no connection in the log for {json.dumps(o)}" for o in left]
        for pid, rest in by_pid.items():
            self.stray += [f"no worker {pid} in the log for {json.dumps(o)}" for o in rest]
        for pair in made:
            self.judge(pair)
        if access is not None:
            self.check_access(log, access)
        self.pairs += made
        return made

    def judge(self, pair):
        obj = pair.obj
        lines = [line for a in pair.connection.attempts for line in a.lines if a is pair.attempt or line[0] != "info"]
        pair.kind = kind_of(lines)
        if not agrees(pair.connection, obj):
            pair.wrong.append(f"the pair is no pair: nginx's last request is {last_attempt(pair.connection)}")
        pair.undecided = obj["verdict"] == "unknown" and not HEALTHY & pair.kind.verdicts
        if not pair.undecided and not pair.kind.allows(obj):
            pair.wrong.append(f"{obj['verdict']} in phase {obj['phase']} by {obj['closed_by']} is wrong for: {pair.kind.name}")
        if obj["flagged"]:
            pair.wrong += outcome_wrong(pair)
            if obj["outcome"] == "unknown":
                self.undecided["outcome, its client had left" if obj["client_left"] else "outcome"] += 1
            if obj["confidence"] != "proven":
                self.undecided[f"{obj['verdict']} only {obj['confidence']}"] += 1

    def check_access(self, log, access):
        """The debug log and the access log name the same attempts and status: the reading of the log is right."""
        for r in log.requests:
            status, upstreams = access.get((r.pid, r.client, r.number), (None, None))
            if status is None or not r.attempts:
                continue
            tries = len(r.attempts) + sum("no live upstreams" in text for _, text in r.lines)
            if len(upstreams) != tries or status not in (r.status or status, 499):
                self.stray.append(f"access log: {status} {upstreams}, debug log: {r.status} and {tries} attempts: {r.line}")

    def wrong(self):
        return [p for p in self.pairs if p.wrong]

    def unknown(self):
        return [p for p in self.pairs if p.undecided]

    def agreement(self):
        """Nothing contradicts; of a line in 200 it may be said that its cause cannot be known."""
        return not self.stray and not self.wrong() and 200 * len(self.unknown()) <= len(self.pairs)

    def summary(self):
        """What contradicts, a line each, for a reader who sees nothing else."""
        said = ["; ".join(p.wrong) for p in self.wrong()] + [s.splitlines()[0][:200] for s in self.stray]
        return f"{len(self.unknown())} of {len(self.pairs)} unknown; " + " | ".join(said)


def told(attempt):
    """nginx's lines of the attempt's request."""
    rows = [f"  *{attempt.request.client} request {attempt.request.number}: {attempt.request.line}"]
    for i, a in enumerate(attempt.request.attempts):
        rows.append(f"  {'>' if a is attempt else ' '} attempt {i + 1}: #{a.connection.number} {a.connection.addr}"
                    f"{', cached' if a.cached else ''}, next upstream: {a.failed}")
        rows += [f"      [{level}] {text}" for level, text in a.lines]
    rows += [f"    [{level}] {text}" for level, text in attempt.request.lines]
    return "\n".join([*rows, f"    the client got {attempt.request.status}"])


def table(judge):
    """Line kind by verdict, with precision and recall of what is flagged."""
    cells = Counter((p.kind.name, p.obj["verdict"], bool(p.wrong)) for p in judge.pairs)
    rows = ["nginx's line            verdict                     right  wrong"]
    for kind, verdict in sorted({c[:2] for c in cells}):
        rows.append(f"{kind:<23} {verdict:<25} {cells[kind, verdict, False]:>7} {cells[kind, verdict, True]:>6}")
    lines = [p for p in judge.pairs if not HEALTHY & p.kind.verdicts]
    flagged = [p for p in judge.pairs if p.obj["flagged"]]
    right = [p for p in flagged if not p.wrong and not p.undecided]
    missed = sum(1 for s in judge.stray if s.startswith("no object"))
    rows.append(f"{judge.requests} requests, {len(judge.pairs)} connections, {len(lines)} with an error line, {len(flagged)} flagged")
    rows.append(f"precision {ratio(len(right), len(flagged))}, recall "
                f"{ratio(sum(1 for p in lines if p.obj['flagged'] and not p.wrong), len(lines) + missed)}, "
                f"{len(judge.wrong())} disagreements, {len(judge.unknown())} unknown, {len(judge.stray)} without a counterpart")
    rows += [f"  {n} x {what}" for what, n in sorted(judge.undecided.items())]
    return "\n".join(rows)


def ratio(part, whole):
    return f"{part}/{whole} = {part / whole:.4f}" if whole else "0/0"


def report(judge):
    """Every disagreement in full, and the table."""
    rows = []
    for p in judge.wrong():
        rows += ["-- disagreement: " + "; ".join(p.wrong), told(p.attempt), "  " + json.dumps(p.obj)]
    for p in judge.unknown():
        rows += ["-- unknown: " + "; ".join(p.obj["evidence"]), told(p.attempt), "  " + json.dumps(p.obj)]
    rows += ["-- " + s for s in judge.stray]
    return "\n".join([*rows, table(judge)])


ACCESS = re.compile(r'(\d+) (\d+) (\d+) (\d+) "([^"]*)"')


def read_access(path):
    """An access log in the oracle's format."""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for text in f:
            if m := ACCESS.match(text):
                found[int(m[1]), int(m[2]), int(m[3])] = (int(m[4]), re.findall(r"[^ ,:]+", m[5]))
    return found


def read_objects(path):
    with open(path, encoding="utf-8") as f:
        found = [json.loads(line) for line in f if line.startswith("{")]
    return [o for o in found if o["kind"] == "connection"]
