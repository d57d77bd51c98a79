/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/conn/words.h"

#define HEADER " while reading response header from upstream"

static const char *name_of(enum uc_words_kind k)
{
	return uc_words_kind_name(k);
}

static void found_is(const char *format, const char *action, int err, const char *kind)
{
	assert_string_equal(name_of(uc_words_find(format, action, err)), kind);
}

static void test_each_row_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < uc_words_row_count; i++) {
		const struct uc_words_row *row = &uc_words_rows[i];

		assert_int_equal(uc_words_find(row->format, row->action, 0),
				 uc_words_find(row->format, row->action ? row->action : "", 0));
		if (!row->action || !strstr(row->action, "client"))
			found_is(row->format, row->action, 0, name_of(row->kind));
	}
}

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 1; i < uc_words_row_count; i++) {
		const struct uc_words_row *a = &uc_words_rows[i - 1], *b = &uc_words_rows[i];
		int order = strcmp(a->format, b->format);

		assert_true(order <= 0);
		if (order)
			continue;
		assert_non_null(a->action);
		assert_true(!b->action || strcmp(a->action, b->action) < 0);
	}
}

static void test_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < uc_words_row_count; i++) {
		const struct uc_words_row *row = &uc_words_rows[i];

		assert_true(row->kind < UC_WORDS_KIND_MAX && row->kind != UC_WORDS_OTHER);
		assert_true(strlen(row->format) < UC_WORDS_FORMAT);
		assert_true(!row->action || strlen(row->action) < UC_WORDS_ACTION);
		assert_null(strstr(row->format, "%%"));
		assert_string_equal(row->source + strlen(row->source) - 2, ".c");
		assert_in_range(row->from, 1018000, 1099000);
		assert_true(row->to >= row->from);
		assert_true(row->to == UC_WORDS_NEWEST || row->to < 1099000);
	}
}

/* A format with something in place of each conversion. */
static void fill(const char *format, char *ret, size_t size)
{
	size_t len = 0;

	format += strncmp(format, "*%uA ", 5) ? 0 : 5;
	while (*format && len + 8 < size) {
		if (*format != '%') {
			ret[len++] = *format++;
			continue;
		}
		format += 1 + strspn(format + 1, "0123456789*.");
		format += strspn(format, "umxX") + 1;
		ret[len++] = 'z';
		ret[len++] = '7';
	}
	ret[len] = '\0';
}

static enum uc_words_kind match(const char *text)
{
	struct uc_slice action;
	int err;

	return uc_words_match(text, strlen(text), &err, &action);
}

static void test_each_row_is_matched(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < uc_words_row_count; i++) {
		const struct uc_words_row *row = &uc_words_rows[i];

		/* what they stand for has a text of its own */
		if (!strcmp(row->format, "%*s") || !strcmp(row->format, "%s %V"))
			continue;
		fill(row->format, text, sizeof(text));
		if (row->action) {
			strncat(text, " while ", sizeof(text) - strlen(text) - 1);
			strncat(text, row->action, sizeof(text) - strlen(text) - 1);
		}
		assert_string_equal(name_of(match(text)), name_of(row->kind));
	}
}

/* KIND, as nginx 1.18 to 1.31 wrote it, errno, action */
static const struct {
	const char *kind, *text;
	int err;
	const char *action;
} lines[] = {
	{ "upstream_closed", "upstream prematurely closed connection" HEADER, 0,
	  "reading response header from upstream" },
	{ "upstream_closed", "upstream prematurely closed FastCGI stdout" HEADER, 0,
	  "reading response header from upstream" },
	{ "upstream_timed_out",
	  "upstream timed out (110: Connection timed out) while connecting to upstream", 110,
	  "connecting to upstream" },
	{ "upstream_timed_out",
	  "connection timed out (110: Connection timed out) while proxying connection", 110,
	  "proxying connection" },
	{ "header_too_big", "upstream sent too big header" HEADER, 0,
	  "reading response header from upstream" },
	{ "header_invalid", "upstream sent invalid header: \"X: a\\x01...\"" HEADER, 0,
	  "reading response header from upstream" },
	{ "connect_failed",
	  "connect() failed (111: Connection refused) while connecting to upstream", 111,
	  "connecting to upstream" },
	{ "connect_failed",
	  "connect() to unix:/run/app.sock failed (2: No such file or directory) while "
	  "connecting to upstream",
	  2, "connecting to upstream" },
	{ "reset_before_request",
	  "connect() failed (104: Connection reset by peer) while connecting to upstream", 104,
	  "connecting to upstream" },
	{ "recv_failed", "recv() failed (104: Connection reset by peer)" HEADER, 104,
	  "reading response header from upstream" },
	{ "recv_failed", "readv() failed (104: Connection reset by peer) while reading upstream",
	  104, "reading upstream" },
	{ "recv_failed",
	  "SSL_read() failed (SSL: error:0A000126:SSL routines::unexpected eof while reading) "
	  "while reading upstream",
	  0, "reading upstream" },
	{ "send_failed", "writev() failed (32: Broken pipe) while sending request to upstream", 32,
	  "sending request to upstream" },
	{ "client_closed", "writev() failed (32: Broken pipe) while sending to client", 32,
	  "sending to client" },
	{ "client_closed",
	  "recv() failed (104: Connection reset by peer) while sending request to upstream", 104,
	  "sending request to upstream" },
	{ "client_closed",
	  "epoll_wait() reported that client prematurely closed connection, so upstream "
	  "connection is closed too while sending request to upstream",
	  0, "sending request to upstream" },
	{ "client_closed", "client canceled stream 1 while processing HTTP/2 connection", 0,
	  "processing HTTP/2 connection" },
	{ "client_timed_out",
	  "client timed out (110: Connection timed out) while sending to client", 110,
	  "sending to client" },
	{ "other", "client timed out (110: Connection timed out) while waiting for request", 110,
	  "waiting for request" },
	{ "tls_handshake_failed",
	  "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) "
	  "while SSL handshaking to upstream",
	  0, "SSL handshaking to upstream" },
	{ "tls_handshake_failed",
	  "SSL_do_handshake() failed (SSL: error:x) (104: Connection reset by peer) while SSL "
	  "handshaking to upstream",
	  104, "SSL handshaking to upstream" },
	{ "other", "SSL_do_handshake() failed (SSL: error:x) while SSL handshaking", 0,
	  "SSL handshaking" },
	{ "tls_closed",
	  "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL "
	  "handshaking to upstream",
	  104, "SSL handshaking to upstream" },
	{ "tls_certificate_rejected",
	  "upstream SSL certificate verify error: (18:self-signed certificate) while SSL "
	  "handshaking to upstream",
	  0, "SSL handshaking to upstream" },
	{ "tls_certificate_rejected",
	  "upstream SSL certificate does not match \"a.example\" while SSL handshaking to upstream",
	  0, "SSL handshaking to upstream" },
	{ "tls_shutdown_failed", "SSL_shutdown() failed (SSL: error:x) while reading upstream", 0,
	  "reading upstream" },
	{ "no_live_upstreams", "no live upstreams while connecting to upstream", 0,
	  "connecting to upstream" },
	{ "resolver_failed", "app.example could not be resolved (3: Host not found)", 0, NULL },
	{ "resolver_failed", "app.example could not be resolved (110: Operation timed out)", 0,
	  NULL },
	{ "resolver_failed",
	  "_http._tcp.app could not be resolved (3: Host not found) while resolving service http "
	  "of app",
	  0, NULL },
	{ "resolver_failed", "no resolver defined to resolve app.example", 0, NULL },
	{ "resolver_trouble", "DNS error (3: Host not found), query id:7 while resolving", 0,
	  "resolving" },
	{ "fastcgi_stderr", "FastCGI sent in stderr: \"upstream timed out\"" HEADER, 0,
	  "reading response header from upstream" },
	{ "fastcgi_stderr",
	  "FastCGI sent in stderr: \"no port in upstream \"x\" (111: Connection refused)\"" HEADER,
	  0, "reading response header from upstream" },
	{ "stream_reset", "upstream rejected request with error 8" HEADER, 0,
	  "reading response header from upstream" },
	{ "goaway", "upstream sent goaway with error 0" HEADER, 0,
	  "reading response header from upstream" },
	{ "stream_closed", "upstream prematurely closed stream while reading upstream", 0,
	  "reading upstream" },
	{ "body_invalid", "upstream sent invalid chunked response while reading upstream", 0,
	  "reading upstream" },
	{ "trailer_invalid", "upstream sent invalid trailer: \"\\x00...\" while reading upstream",
	  0, "reading upstream" },
	{ "response_too_early", "upstream prematurely sent response" HEADER, 0,
	  "reading response header from upstream" },
	{ "upgrade_refused", "connection upgrade in subrequest" HEADER, 0,
	  "reading response header from upstream" },
	{ "fastcgi_invalid", "upstream sent unsupported FastCGI protocol version: 72" HEADER, 0,
	  "reading response header from upstream" },
	{ "http2_invalid", "upstream sent too large http2 frame: 4740180" HEADER, 0,
	  "reading response header from upstream" },
	{ "memcached_invalid", "memcached sent invalid response: \"ERROR\"" HEADER, 0,
	  "reading response header from upstream" },
	{ "memcached_miss", "key: \"/a\" was not found by memcached" HEADER, 0,
	  "reading response header from upstream" },
	{ "slice_invalid", "unexpected status code 200 in slice response" HEADER, 0,
	  "reading response header from upstream" },
	{ "status_line_invalid", "upstream sent no valid HTTP/1.0 header" HEADER, 0,
	  "reading response header from upstream" },
	{ "header_ignored",
	  "upstream sent duplicate header line: \"Age: 1\", previous value: \"Age: 2\", ignored" HEADER,
	  0, "reading response header from upstream" },
	{ "surplus_data",
	  "upstream sent more data than specified in \"Content-Length\" header while reading "
	  "upstream",
	  0, "reading upstream" },
	{ "client_closed_unheeded",
	  "epoll_wait() reported that client prematurely closed connection while reading upstream",
	  0, "reading upstream" },
	{ "other", "two words while reading upstream", 0, "reading upstream" },
	{ "early_hints_too_big", "upstream sent too big early hints" HEADER, 0,
	  "reading response header from upstream" },
	{ "auth_request_status", "auth request unexpected status: 502 while sending to client", 0,
	  "sending to client" },
	{ "server_disabled", "upstream server temporarily disabled while connecting to upstream", 0,
	  "connecting to upstream" },
	{ "not_retried", "buffered data on next upstream while proxying connection", 0,
	  "proxying connection" },
	{ "address_invalid", "no port in upstream \"app\"", 0, NULL },
	{ "address_invalid", "invalid port in upstream \"app:x\"", 0, NULL },
	{ "request_invalid", "zero length URI to proxy", 0, NULL },
	{ "socket_failed",
	  "bind(10.0.0.1) failed (99: Cannot assign requested address) while connecting to "
	  "upstream",
	  99, "connecting to upstream" },
	{ "worker_connections",
	  "1024 worker_connections are not enough while connecting to upstream", 0,
	  "connecting to upstream" },
	{ "connections_reused", "1024 worker_connections are not enough, reusing connections", 0,
	  NULL },
	{ "group_remark", "cannot add new server to upstream \"app\", memory exhausted", 0, NULL },
	{ "stream_progress", "proxy 127.0.0.1:40000 connected to 127.0.0.1:9000", 0, NULL },
	{ "stream_progress",
	  "upstream disconnected, bytes from/to client:1/2, bytes from/to upstream:2/1", 0, NULL },
	{ "worker_shutdown", "shutdown timeout while proxying connection", 0,
	  "proxying connection" },
	{ "worker_shutdown", "open socket #12 left in connection 5", 0, NULL },
	{ "process_exited", "worker process 12 exited on signal 11 (core dumped)", 0, NULL },
	{ "limited", "limiting requests, excess: 5.000 by zone \"one\"", 0, NULL },
	{ "client_body_too_large", "client intended to send too large body: 2097152 bytes", 0,
	  NULL },
	{ "client_body_invalid",
	  "client sent invalid chunked body while sending request to upstream", 0,
	  "sending request to upstream" },
	{ "client_protocol_error", "http2 flood detected while processing HTTP/2 connection", 0,
	  "processing HTTP/2 connection" },
	{ "other", "directory index of \"/srv/\" is forbidden", 0, NULL },
	{ "other", "open() \"/srv/x\" failed (2: No such file or directory)", 2, NULL },
	{ "other", "", 0, NULL },
	{ "other", " while ", 0, "" },
	{ "other", "(110: ) while x", 0, "x" },
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static void test_written(void **state)
{
	struct uc_slice action;
	int err;

	(void)state;
	for (size_t i = 0; i < LINES; i++) {
		const char *text = lines[i].text;
		enum uc_words_kind k = uc_words_match(text, strlen(text), &err, &action);

		if (strcmp(name_of(k), lines[i].kind) != 0)
			fail_msg("%s: %s", text, name_of(k));
		assert_int_equal(err, lines[i].err);
		if (!lines[i].action) {
			assert_null(action.p);
			continue;
		}
		assert_int_equal(action.len, strlen(lines[i].action));
		assert_memory_equal(action.p, lines[i].action, action.len);
	}
}

static void test_each_kind_is_written(void **state)
{
	(void)state;
	for (int k = 0; k < UC_WORDS_KIND_MAX; k++) {
		bool seen = false;

		for (size_t i = 0; i < LINES; i++)
			seen = seen || !strcmp(lines[i].kind, name_of(k));
		/* its text is an argument, and a warning, which the error log's reader leaves out */
		if (!seen && k != UC_WORDS_BUFFERED_TO_FILE)
			fail_msg("no line of kind %s", name_of(k));
	}
}

static void test_names(void **state)
{
	(void)state;
	for (int a = 0; a < UC_WORDS_KIND_MAX; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(name_of(a), name_of(b));
	assert_string_equal(name_of(UC_WORDS_KIND_MAX), "other");
	assert_string_equal(name_of((enum uc_words_kind) - 1), "other");
	assert_int_equal(uc_words_means(UC_WORDS_KIND_MAX), UC_MEANS_OTHER);
	assert_int_equal(uc_words_means((enum uc_words_kind) - 1), UC_MEANS_OTHER);
	assert_int_equal(uc_words_means(UC_WORDS_GOAWAY), UC_MEANS_STREAM_RESET);
}

static void test_action_decides(void **state)
{
	(void)state;
	found_is("recv() failed", "reading response header from upstream", 104, "recv_failed");
	found_is("recv() failed", "proxying upgraded connection", 104, "recv_failed");
	found_is("recv() failed", "waiting for request", 104, "other");
	found_is("recv() failed", "resolving", 104, "resolver_trouble");
	found_is("sendfile() failed", "reading upstream", 32, "client_closed");
	found_is("%*s", "SSL handshaking to upstream", 0, "tls_handshake_failed");
	found_is("%*s", "reading upstream", 0, "recv_failed");
	found_is("%*s", "sending to client", 0, "client_closed");
	found_is("%*s", "", 0, "other");
	found_is("%*s", "SSL handshaking", 0, "other");
	found_is("%s %V", "reading upstream", 0, "buffered_to_file");
	found_is("%s %V", "", 0, "other");
	found_is("connection timed out", "returning text", 110, "other");
	found_is("connect() failed", "connecting to upstream", 104, "reset_before_request");
	found_is("connect() failed", "connecting to upstream", 111, "connect_failed");
	found_is("connect() failed", NULL, 111, "connect_failed");
}

static void test_cut_format(void **state)
{
	char format[UC_WORDS_FORMAT] = "";

	(void)state;
	memset(format, 'x', sizeof(format) - 1);
	found_is(format, "", 0, "other");
	found_is("upstream timed out ", "", 0, "other");
	found_is("upstream timed ou", "", 0, "other");
	found_is("", "", 0, "other");
	found_is("\377\001%n%s", "\377", 0, "other");
}

static void read_at(struct uc_words *ret, unsigned level, const char *format, const char *action)
{
	struct uc_rec_words rec = { .level = level, .err = 104, .worker = 7, .client = 4 };

	strncpy(rec.format, format, sizeof(rec.format) - 1);
	strncpy(rec.action, action, sizeof(rec.action) - 1);
	uc_words_read(&rec, ret);
}

static void test_level_decides(void **state)
{
	struct uc_words w;

	(void)state;
	read_at(&w, 4, "recv() failed", "proxying upgraded connection");
	assert_int_equal(w.kind, UC_WORDS_RECV_FAILED);
	assert_int_equal(w.worker, 7);
	assert_int_equal(w.client, 4);
	read_at(&w, 7, "recv() failed", "proxying upgraded connection");
	assert_int_equal(w.kind, UC_WORDS_CLIENT_CLOSED);
	read_at(&w, 7, "upstream timed out", "");
	assert_int_equal(w.kind, UC_WORDS_UPSTREAM_TIMED_OUT);
}

/* The texts of a record need not end. */
static void test_read_ends_texts(void **state)
{
	struct uc_rec_words rec = { .level = 4 };
	struct uc_words w;

	(void)state;
	memset(rec.format, 'f', sizeof(rec.format));
	memset(rec.action, 'a', sizeof(rec.action));
	uc_words_read(&rec, &w);
	assert_int_equal(strlen(w.format), sizeof(rec.format) - 1);
	assert_int_equal(strlen(w.action), sizeof(rec.action) - 1);
	assert_int_equal(w.kind, UC_WORDS_OTHER);
}

static void about(const char *format, const char *action, bool expected)
{
	struct uc_words w;

	read_at(&w, 4, format, action);
	assert_int_equal(uc_words_about_upstream(&w), expected);
}

static void test_about_upstream(void **state)
{
	(void)state;
	about("no live upstreams", "connecting to upstream", true);
	about("%V could not be resolved (%i: %s)", "", true);
	about("something new", "reading upstream", true);
	about("directory index of \"%s\" is forbidden", "", false);
	about("client prematurely closed connection", "", false);
	about("client prematurely closed connection", "sending request to upstream", false);
	about("%sproxy %V connected to %V", "proxying and reading from upstream", false);
	about("limiting requests%s, excess: %ui.%03ui by zone \"%V\"", "", false);
}

static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(uc_words_level("error", 5), 4);
	assert_int_equal(uc_words_level("info", 4), 7);
	assert_int_equal(uc_words_level("err", 3), 0);
	assert_string_equal(uc_words_level_name(4), "error");
	assert_string_equal(uc_words_level_name(99), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row_is_found),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_each_row_is_matched),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_each_kind_is_written),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_action_decides),
		cmocka_unit_test(test_cut_format),
		cmocka_unit_test(test_level_decides),
		cmocka_unit_test(test_read_ends_texts),
		cmocka_unit_test(test_about_upstream),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
