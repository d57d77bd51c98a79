# SPDX-License-Identifier: BSD-2-Clause
"""The truth table: what nginx writes about an upstream, and the verdicts that are right for it."""
import re
from dataclasses import dataclass

HEALTHY = {"complete", "idle_close"}


@dataclass(frozen=True)
class Kind:
    """A kind of line."""

    name: str
    pattern: str
    verdicts: set  # that are right
    phases: set | None = None  # each right verdict's phase
    closed_by: set | None = None
    proofs: set | None = None

    def allows(self, obj):
        """A client may leave as the upstream fails; but it has not failed when its answer was there for nginx to read."""
        if self.name == "client left" and obj["verdict"] in ENDED - {"request_rejected"} and answered(obj) \
                and not obj["exchange"]["response_bytes"]:
            return False
        return (obj["verdict"] in self.verdicts and (self.phases is None or obj["phase"] in self.phases)
                and (self.closed_by is None or obj["closed_by"] in self.closed_by)
                and (self.proofs is None or obj["proof"] in self.proofs))


def answered(obj):
    """The upstream sent something in the last exchange; its side is there if it is on this host."""
    last = ("upstream", "send", obj["exchange"]["number"])
    return any((e["side"], e["event"], e["exchange"]) == last for e in obj["timeline"])


HEADER = {"request", "response_header"}
BODY = {"response_body"}
HANDSHAKE = {"tls"}
UPSTREAM, NGINX = {"upstream"}, {"nginx"}
ENDED = {"keepalive_race", "upstream_closed", "upstream_died", "upstream_reset", "request_rejected", "partial_header"}
CLOSED = ENDED - {"upstream_reset"}

# The first pattern that is found decides.
KINDS = [
    Kind("connect refused", r"connect\(\) failed \(111", {"connect_failed"}, {"connect"}, UPSTREAM, {"refused"}),
    Kind("connect reset", r"connect\(\) failed \(104", {"keepalive_race", "upstream_closed", "upstream_died", "upstream_reset"}, None, UPSTREAM),
    Kind("connect failed", r"connect\(\) .*failed \(|bind\(.*failed", {"connect_failed"}, {"connect"}),
    Kind("connect timeout", r"timed out .* while connecting to", {"connect_failed"}, {"connect"}, None, {"timeout"}),
    Kind("TLS end", r"peer closed connection in SSL handshake", {"protocol_mismatch", "upstream_closed", "upstream_died", "upstream_reset"},
         HANDSHAKE, UPSTREAM),
    Kind("TLS timeout", r"timed out .* while SSL handshaking", {"nginx_timeout"}, HANDSHAKE, NGINX),
    Kind("TLS error", r"SSL_do_handshake\(\) failed|upstream SSL certificate|prematurely sent response",
         {"protocol_mismatch", "nginx_rejected_response"}),
    Kind("send timeout", r"timed out .* while sending request", {"nginx_timeout"}, HEADER, NGINX, {"send_timeout"}),
    Kind("read timeout", r"timed out .* while reading response header", {"nginx_timeout"}, HEADER, NGINX, {"read_timeout"}),
    Kind("body timeout", r"timed out .* while reading upstream", {"nginx_timeout"}, BODY, NGINX, {"read_timeout"}),
    Kind("header closed", r"upstream prematurely closed connection while reading response header", CLOSED, HEADER, UPSTREAM),
    Kind("header reset", r"(recv|readv)\(\) failed .* while reading response header", ENDED, HEADER, UPSTREAM),
    Kind("send failed", r"(writev|send|sendfile)\(\) failed .* while sending request", ENDED - {"partial_header"}, HEADER, UPSTREAM),
    Kind("header too big", r"upstream sent too big header", {"nginx_rejected_response"}, None, {"nginx", "upstream"}),
    Kind("no HTTP", r"upstream sent no valid HTTP/1.0 header", {"protocol_mismatch", "complete"}),
    Kind("chunk invalid", r"upstream sent invalid chunked response", {"nginx_rejected_response"}),
    Kind("header invalid", r"upstream sent (invalid|duplicate|no) .*header|upstream sent .* while reading response header",
         {"nginx_rejected_response"}),
    Kind("FastCGI", r"FastCGI", {"upstream_closed", "upstream_died", "complete", "unknown"}),
    Kind("body closed", r"upstream prematurely closed connection while (reading upstream|sending to client)",
         {"body_truncated", "upstream_died"}, BODY, UPSTREAM),
    # after a whole answer it is the rest of the request's body that was not wanted, if there was any
    Kind("body reset", r"(recv|readv)\(\) failed .* while (reading upstream|sending to client)",
         {"body_truncated", "upstream_died", "request_rejected", "upstream_reset"}, BODY | {"idle"}, UPSTREAM),
]
# At level info nginx writes of its clients only, such as "client prematurely closed connection", "writev() failed".
CLIENT_LEFT = Kind("client left", "", {"client_gone", "connect_failed", "body_truncated"} | ENDED | HEALTHY)
# nginx logs nothing of what the end of its own worker cuts.
NO_LINE = Kind("no line", "", HEALTHY | {"worker_exited"})
UNHEARD = Kind("unknown line", "", set())
MUTE = re.compile(r"temporary file|sent more data than specified|temporarily disabled")


def kind_of(lines):
    """The kind of what nginx wrote about one attempt: its errors, else what it wrote of its client."""
    errors = [text for level, text in lines if level in ("error", "crit", "alert") and not MUTE.search(text)]
    if not errors:
        return CLIENT_LEFT if any(level == "info" for level, _ in lines) else NO_LINE
    return next((k for k in KINDS for text in errors if re.search(k.pattern, text)), UNHEARD)
