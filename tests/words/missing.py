# SPDX-License-Identifier: BSD-2-Clause
"""Which messages of nginx's source have no row in user/core/conn/words_rows.c.

    python3 -m words.missing CHECKOUT [TAG...]    (in tests/; CHECKOUT is nginx's git repository; without a tag HEAD)

Prints the messages in the sources below, how many have a row, how many are none of ours and why, and each that is left;
status 1 if there is one.
"""
import re
import subprocess
import sys
from collections import Counter

from words import table

SOURCES = """
http/ngx_http_upstream.c http/ngx_http_upstream_round_robin.c http/ngx_http_request.c http/ngx_http_request_body.c
http/v2/ngx_http_v2.c http/v3/ngx_http_v3.c http/v3/ngx_http_v3_request.c
http/modules/ngx_http_proxy_module.c http/modules/ngx_http_proxy_v2_module.c http/modules/ngx_http_fastcgi_module.c
http/modules/ngx_http_uwsgi_module.c http/modules/ngx_http_scgi_module.c http/modules/ngx_http_grpc_module.c
http/modules/ngx_http_memcached_module.c http/modules/ngx_http_upstream_hash_module.c
http/modules/ngx_http_upstream_ip_hash_module.c http/modules/ngx_http_upstream_keepalive_module.c
http/modules/ngx_http_upstream_least_conn_module.c http/modules/ngx_http_upstream_random_module.c
http/modules/ngx_http_upstream_sticky_module.c http/modules/ngx_http_upstream_zone_module.c
http/modules/ngx_http_auth_request_module.c http/modules/ngx_http_limit_conn_module.c
http/modules/ngx_http_limit_req_module.c http/modules/ngx_http_slice_filter_module.c
stream/ngx_stream_proxy_module.c stream/ngx_stream_handler.c stream/ngx_stream_upstream.c
stream/ngx_stream_upstream_round_robin.c stream/ngx_stream_upstream_hash_module.c
stream/ngx_stream_upstream_least_conn_module.c stream/ngx_stream_upstream_random_module.c
stream/ngx_stream_upstream_zone_module.c
event/ngx_event_connect.c event/ngx_event_pipe.c event/ngx_event_openssl.c core/ngx_resolver.c
os/unix/ngx_recv.c os/unix/ngx_send.c os/unix/ngx_readv_chain.c os/unix/ngx_writev_chain.c
os/unix/ngx_linux_sendfile_chain.c os/unix/ngx_udp_recv.c os/unix/ngx_udp_send.c os/unix/ngx_udp_sendmsg_chain.c
""".split()

# Why a message is no row; the first that fits.
NOT_OURS = [(reason, re.compile(pattern)) for reason, pattern in (
    ("not on Linux", r"^kevent|BINDANY|transparent proxying for IPv6 on this"),
    ("never compiled", r"^uwsgi request is too little"),
    ("a client's request before an upstream is asked",
     r"^client (sent|exceeded|attempted|closed|SSL|%V closed)|server name|SSL renegotiation|handshake rejected"
     r"|SSL_read_early_data|SSL_write_early_data|early hints to"),
    ("a key's value", r"^the value of the "),
    ("cache and files", r"cache|^unlink|thread (pool|operation)|truncated|SSL_sendfile\(\) (reported|not)"),
    ("nginx's own state or memory",
     r"^http (finalize|request)|logged again|buffer|negative|^body already|duplicate last buf|(buf|buffers) |could not "
     r"(allocate|cancel)|pipelined|too large header to copy|state buffer|control frame|recycled|exec\(\)|regex"
     r"|^send\(\) returned zero|http3 session|too many parts|pcre2_match"),
    ("an option of a socket, or its close", r"^(setsockopt|close\(\)|shutdown\(\))"),
    ("a resolver's socket", r"^(socket|ioctl)"),
    ("TLS: settings, sessions, certificates of nginx",
     r"^(SSL_CTX|SSL_get_ex|X509|OPENSSL|OSSL|EVP|RAND|HMAC|BIO|PEM|SSL_CONF|ASN1|EC_|OBJ_|ENGINE|ignoring stale|could not"
     r" allocate new|nginx was built|password|deflate|\"ssl_|ngx_ssl_password)"),
)]


def show(checkout, tag, path):
    done = subprocess.run(["git", "-C", checkout, "show", f"{tag}:src/{path}"], capture_output=True, text=True)
    return done.stdout if not done.returncode else ""


def reason(message):
    if re.search("EMERG|DEBUG", message.level):
        return "of a configuration"
    if message.format is None:
        return "no literal"
    return next((why for why, pattern in NOT_OURS if pattern.search(message.format)), None)


def judge(checkout, tag, rows):
    """How many messages have a row or a reason for none, and those that have neither."""
    have = {row.format for row in rows}
    counts, missing = Counter(), []
    for path in SOURCES:
        for message in table.messages(show(checkout, tag, path)):
            counts["messages"] += 1
            why = "row" if message.format in have else reason(message)
            counts[why or "missing"] += 1
            if not why:
                missing.append((path, message))
    return counts, missing


def main(checkout, *tags):
    rows, left = table.rows(), 0
    for tag in tags or ("HEAD",):
        counts, missing = judge(checkout, tag, rows)
        left += len(missing)
        print(f"{tag}:", ", ".join(f"{n} {name}" for name, n in counts.most_common()))
        for path, message in missing:
            print(f"  {path}: {message.level} {message.format}")
    return bool(left)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
