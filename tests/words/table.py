# SPDX-License-Identifier: BSD-2-Clause
"""The rows of user/core/conn/words_rows.c, and the messages that nginx's source has."""
import re
from dataclasses import dataclass
from pathlib import Path

ROWS = Path(__file__).resolve().parents[2] / "user" / "core" / "conn" / "words_rows.c"
STRING = r'"((?:\\.|[^"\\])*)"'
ROW = re.compile(rf'\{{ UC_WORDS_(\w+), {STRING}, (?:NULL|{STRING}), {STRING}, (\d+), (\d+|NEWEST) \}},')

# Position of the format among the arguments.
CALLS = {"ngx_log_error": 3, "ngx_log_error_core": 3, "ngx_connection_error": 2, "ngx_ssl_error": 3,
         "ngx_ssl_connection_error": 3}
CALL = re.compile(rf"\b({'|'.join(CALLS)})\s*\(")
# src/os/unix/ngx_socket.h and others, on Linux
NAMES = {"ngx_socket_n": "socket()", "ngx_close_socket_n": "close() socket", "ngx_nonblocking_n": "ioctl(FIONBIO)",
         "ngx_blocking_n": "ioctl(!FIONBIO)", "ngx_shutdown_socket_n": "shutdown()",
         "ngx_tcp_push_n": "setsockopt(!TCP_CORK)", "ngx_tcp_nopush_n": "setsockopt(TCP_CORK)",
         "ngx_socket_nread_n": "ioctl(FIONREAD)", "ngx_delete_file_n": "unlink()"}


@dataclass(frozen=True)
class Row:
    kind: str
    format: str
    action: str
    source: str
    first: int
    last: float


@dataclass(frozen=True)
class Message:
    level: str
    format: str  # None where the source has no literal


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text)


def rows():
    return [Row(kind, unescaped(fmt), unescaped(action) or None, source, int(first),
                float("inf") if last == "NEWEST" else int(last))
            for kind, fmt, action, source, first, last in ROW.findall(ROWS.read_text())]


def number(version):
    """As nginx counts: "1.22.1" is 1022001."""
    major, minor, patch = (int(n) for n in version.split("."))
    return major * 1000000 + minor * 1000 + patch


def without_comments(source):
    return re.sub(rf"({STRING})|/\*.*?\*/", lambda m: m[1] or " ", source, flags=re.S)


def arguments(source, at):
    """The arguments of the call whose bracket is before at."""
    found, depth, start = [], 0, at
    while at < len(source):
        text = re.compile(rf"{STRING}|'(?:\\.|[^'\\])+'").match(source, at)
        if text:
            at = text.end()
            continue
        if source[at] in ",)" and not depth:
            found.append(source[start:at].strip())
            start = at + 1
            if source[at] == ")":
                return found
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        at += 1
    return []


def literal(argument):
    for name, text in NAMES.items():
        argument = re.sub(rf"\b{name}\b", f'"{text}"', argument)
    if re.sub(STRING, "", argument).strip():
        return None
    return unescaped("".join(re.findall(STRING, argument)))


def messages(source):
    """What a file of nginx's source says, in its order."""
    source = without_comments(source)
    for call in CALL.finditer(source):
        args = arguments(source, call.end())
        at = CALLS[call[1]]
        if len(args) > at and not args[0].startswith(("ngx_connection_t ", "ngx_uint_t ")):
            yield Message(args[0], literal(args[at]))
