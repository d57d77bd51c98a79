# SPDX-License-Identifier: BSD-2-Clause
"""The table of nginx's words against the nginx that is installed: its rows are literally in the program."""
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from harness import nginx_versions
from harness.nginx import NGINX
from words import table

HANDSHAKE = "SSL_do_handshake() failed"
# Folders that are one module.
MODULES = {"stream": "ngx_stream_module", "http/v2": "ngx_http_v2_module", "http/v3": "ngx_http_v3_module"}
# Only in an nginx that is built without TLS.
WITHOUT_TLS = {"grpcs protocol requires SSL support", "suwsgi protocol requires SSL support"}



@dataclass(frozen=True)
class Program:
    version: int
    binaries: bytes

    def has(self, text):
        return text.encode() + b"\0" in self.binaries

    def built(self, source):
        """By the name of the source's module, which nginx keeps as a string."""
        folder, _, name = source.rpartition("/")
        if name.endswith("_module.c"):
            return self.has(name.removesuffix(".c"))
        if name == "ngx_event_openssl.c":
            return self.has(HANDSHAKE)
        return folder not in MODULES or self.has(MODULES[folder])

    def rows(self):
        return [row for row in table.rows() if row.first <= self.version <= row.last and self.built(row.source)]


@cache
def read(program):
    version = re.search(r"/(\d+\.\d+\.\d+)", nginx_versions.said(program))[1]
    modules = program.parents[1] / "lib" / "nginx" / "modules"
    files = [program, *sorted(modules.glob("*.so"))]
    return Program(table.number(version), b"\0".join(f.read_bytes() for f in files))


@pytest.fixture(params=["installed", *nginx_versions.VERSIONS])
def nginx(request):
    program = Path(NGINX) if request.param == "installed" else nginx_versions.nginx(request.param)
    if not program:
        pytest.skip(f"nginx {request.param} is not there: python3 -m harness.nginx_versions install")
    return read(program)


def test_table_is_read():
    text = table.ROWS.read_text()
    assert len(table.rows()) == text.count("UC_WORDS_") - text.count("UC_WORDS_NEWEST")


@pytest.mark.parametrize("source", ["http/ngx_http_upstream.c", "http/modules/ngx_http_proxy_module.c",
                                    "stream/ngx_stream_proxy_module.c", "os/unix/ngx_recv.c"])
def test_source_is_built(source):
    assert any(row.source == source for row in read(Path(NGINX)).rows())


def test_rows_are_in_nginx(nginx):
    without = WITHOUT_TLS if nginx.has(HANDSHAKE) else ()
    assert [row for row in nginx.rows() if not nginx.has(row.format) and row.format not in without] == []


def test_actions_are_in_nginx(nginx):
    doing = {row.action for row in nginx.rows() if row.action}
    if not nginx.has("ngx_stream_module"):
        doing = {action for action in doing if not action.startswith("proxying and ")}
    assert {action for action in doing if not nginx.has(action)} == set()
