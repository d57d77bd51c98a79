# SPDX-License-Identifier: BSD-2-Clause
"""What nginx says of an upstream connection, and the verdicts that are right for it: what oracle/truth.py leaves out."""
import re

from oracle.truth import BODY, ENDED, HEALTHY, KINDS, NGINX, UPSTREAM, Kind

REJECTED = {"nginx_rejected_response"}
CUT = ENDED | {"body_truncated"}

# The first pattern that is found decides; then those of the oracle.
MORE = [
    Kind("HTTP/2 end", r"upstream (rejected request|sent goaway with error|prematurely closed stream)", {"upstream_reset", "upstream_closed"}),
    Kind("HTTP/2 invalid", r"upstream (sent .*(frame|http2|window update)|violated .* flow control)", REJECTED),
    Kind("body invalid", r"upstream sent (response body larger|invalid trailer|trailer without|too big trailers)", REJECTED),
    Kind("FastCGI end", r"upstream prematurely closed FastCGI", CUT, None, UPSTREAM),
    Kind("FastCGI invalid", r"upstream sent .*FastCGI", REJECTED),
    Kind("memcached invalid", r"memcached sent invalid", REJECTED),
    Kind("upgrade refused", r"connection upgrade in subrequest", REJECTED),
    Kind("header invalid", r"upstream sent (invalid|duplicate|unknown|\"Content-Length\" and) ", REJECTED),
    # behind TLS, and in HTTP/2, it is not known how much was to come
    Kind("body closed", r"upstream prematurely closed connection while (reading upstream|sending to client)", CUT | {"complete"}, None, UPSTREAM),
    Kind("upgraded end", r"(recv|send)\(\) failed .* while proxying upgraded", CUT, {"upgraded"}, UPSTREAM),
    Kind("stream reset", r"(recv|send|SSL_read|SSL_write)\(\) failed .* while proxying", CUT),
    Kind("body timeout", r"upstream timed out .* while (reading upstream|proxying upgraded)", {"nginx_timeout"}, BODY | {"upgraded"}, NGINX),
]
# of nginx's own work, of a remark, or of the application
REMARK = re.compile(r"FastCGI sent in stderr|too big subrequest response|temporary file|sent more data than specified|temporarily disabled|"
                    r"auth request unexpected status|sent no valid HTTP/1.0 header|data after (final chunk|trailers)|, ignored while")
# An info line is about a client; a session of stream{} that ends is no fault.
INFO = Kind("information", "", HEALTHY | {"client_gone"})
SILENT = Kind("nothing", "", HEALTHY | {"client_gone"})
WORKER = Kind("worker's end", "", HEALTHY | {"client_gone", "worker_exited"})
UNHEARD = Kind("unknown message", "", set())


def errors(said):
    return [s for s in said if s.worse and not REMARK.search(s.text)]


def kind_of(connection):
    """The kind of what nginx said of it."""
    worst = errors(connection.said)
    if worst:
        return next((k for k in MORE + KINDS for s in worst if re.search(k.pattern, s.text)), UNHEARD)
    if connection.cut:
        return WORKER
    return INFO if any(s.level == "info" for s in connection.said) else SILENT


# Said of a request that got no connection.
WITHOUT = re.compile(r"no live upstreams|could not be resolved|no resolver defined|, upstream: |in upstream \"|no upstream configuration|worker_connections are not enough")
