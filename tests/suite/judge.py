# SPDX-License-Identifier: BSD-2-Clause
"""Holds upclose's connections and events against what nginx logged of the same ones."""
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from oracle.judge import opened, ratio, when

from .log import Log
from .truth import WITHOUT, errors, kind_of

# microseconds: nginx starts after its file and ends before it, but records come a little later
SLACK = 1.5e6


@dataclass
class Pair:
    connection: object  # of the log
    obj: dict  # upclose's
    kind: object
    wrong: list = field(default_factory=list)


def address(obj):
    host, port = obj["upstream"]["addr"], obj["upstream"]["port"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_said(told, message):
    """upclose's text, with "..." for what varies, is nginx's message. Not every message names what nginx was doing."""
    text, at = told["text"].removeprefix("*... "), 0
    if told["action"] and " while " not in message.text:
        text = text.removesuffix(f" while {told['action']}")
    for part in text.split("..."):
        at = message.text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return told["level"] == message.level and (told["client"] or 0) in (0, message.client)


@dataclass
class File:
    """What was found of one file of the suite."""

    name: str
    pairs: list = field(default_factory=list)
    told: int = 0  # messages of no connection that upclose told
    stray: list = field(default_factory=list)  # texts: what has no counterpart, by kind

    def disagreements(self):
        return [f"{p.kind.name}: {w}\n      {describe(p)}" for p in self.pairs for w in p.wrong] + [f"{k}: {t}" for k, t in self.stray]


def describe(pair):
    o, said = pair.obj, " | ".join(f"[{s.level}] {s.text[:160]}" for s in pair.connection.said) or "nginx said nothing"
    x = o["exchange"]
    return (f"{o['time']} pid {o['nginx']['pid']} port {o['nginx']['port']} to {o['upstream']['port']} {x['method']} {x['target']}: "
            f"{o['confidence']} {o['verdict']} ({o['proof']}) in {o['phase']} by {o['closed_by']}\n      {said}")


class Judge:
    def __init__(self):
        self.files = []

    def run(self, ran, folder, objects):
        """Judge one file of the suite; objects: all that upclose printed."""
        file = File(ran.name)
        log = Path(folder, "error.log")
        if log.exists():
            mine = [o for o in objects if ran.start * 1e6 <= when(o) <= ran.end * 1e6 + SLACK]
            self._judge(file, Log().read(log), mine)
        self.files.append(file)

    def _judge(self, file, log, objects):
        events = [o for o in objects if o["kind"] == "nginx_log"]
        unseen = []
        for pid, connections in log.workers.items():
            seen = [c for c in connections if not c.unseen and not c.addr.startswith("unix:")]
            unseen += [c for c in connections if c not in seen]
            mine = [o for o in objects if o["kind"] == "connection" and o["nginx"]["pid"] == pid and address(o) not in log.resolvers]
            self._pair(file, seen, mine)
        for pair in file.pairs:
            judge_pair(pair)
        loose = [s for s in log.loose if s.worse and WITHOUT.search(s.text)] + [s for c in unseen for s in errors(c.said)]
        self._match_events(file, loose, [e for e in events if e["pid"] in log.workers or any(s.pid == e["pid"] for s in loose)])

    @staticmethod
    def _pair(file, connections, objects):
        """Those of a worker in the order of connect(), one by one."""
        known = sorted((o for o in objects if opened(o) is not None), key=opened)
        lost = [o for o in objects if opened(o) is None]
        # a long timeline loses its beginning: that of the connection with the most requests
        long = sorted(connections, key=lambda c: len(c.clients))[len(connections) - len(lost):]
        pairs = [*zip([c for c in connections if c not in long], known), *zip(long, lost)]
        if len(connections) == len(objects) and all(c.addr.endswith(f":{o['upstream']['port']}") for c, o in pairs):
            file.pairs += [Pair(c, o, kind_of(c)) for c, o in pairs]
        else:
            file.stray.append(("unpaired", f"{len(connections)} connections in the log, {len(objects)} objects, {len(lost)} without a start"))

    @staticmethod
    def _match_events(file, loose, events):
        left = list(events)
        for s in loose:
            found = next((e for e in left if e["pid"] == s.pid and is_said(e["nginx_log"], s)), None)
            if found:
                left.remove(found)
                file.told += 1
            else:
                file.stray.append(("not told", f"[{s.level}] {s.text}"))
        for e in left:
            file.stray.append(("told of no connection, but nginx said it of one or not at all", f"{e['time']} {e['nginx_log']['text']}"))


def judge_pair(pair):
    obj = pair.obj
    if not pair.kind.allows(obj):
        pair.wrong.append(f"{obj['verdict']} ({obj['proof']}) in {obj['phase']} by {obj['closed_by']}")
    told = obj["nginx_log"]
    # the end of its worker is not said of any connection, but it is why this one ended
    if told and told["kind"] != "worker_shutdown" and not any(is_said(told, s) for s in pair.connection.said):
        pair.wrong.append(f"nginx did not say of it: {told['text']}")
    if not told and errors(pair.connection.said):
        pair.wrong.append(f"without nginx's words: {errors(pair.connection.said)[0].text[:80]}")


def summary(judge):
    """Numbers, and disagreements in kinds."""
    pairs = [p for f in judge.files for p in f.pairs]
    lines = [p for p in pairs if errors(p.connection.said)]
    flagged = [p for p in pairs if p.obj["flagged"]]
    told = sum(f.told for f in judge.files)
    missing = sum(1 for f in judge.files for kind, _ in f.stray if kind == "not told")
    kinds = Counter(f"{p.kind.name}: {w}" for p in pairs for w in p.wrong) + Counter(kind for f in judge.files for kind, _ in f.stray)
    rows = [f"{n:5} x {what}" for what, n in kinds.most_common()]
    rows.append(f"{len(judge.files)} files, {len(pairs)} connections, {len(lines)} with an error line, {told + missing} error lines without a connection")
    rows.append(f"precision {ratio(sum(1 for p in flagged if not p.wrong), len(flagged))}, "
                f"recall {ratio(sum(1 for p in lines if not p.wrong) + told, len(lines) + told + missing)}, "
                f"{sum(kinds.values())} disagreements")
    return "\n".join(rows)


def report(judge):
    """Every disagreement by file, and the summary."""
    rows = []
    for f in judge.files:
        found = f.disagreements()
        rows += [f"-- {f.name}", *(f"   {text}" for text in found)] if found else []
    return "\n".join([*rows, summary(judge)])


def agreement(judge):
    return not any(f.disagreements() for f in judge.files)
