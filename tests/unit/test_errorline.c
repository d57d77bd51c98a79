/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/conn/errorline.h"

#define HEAD "2026/11/22 10:26:07 [error] 19401#19401: *4 "
#define TOLD "upstream prematurely closed connection while reading response header from upstream"

static const char good[] = HEAD TOLD
	", client: 10.0.0.7, server: example.org, request: \"POST /a/b?token=s HTTP/1.1\", "
	"upstream: \"http://127.0.0.1:3000/b?token=s\", host: \"example.org:8080\"";

static struct uc_error_line line;

static bool parse(const char *text)
{
	return uc_error_line_parse(text, strlen(text), &line);
}

static void is(struct uc_slice s, const char *text)
{
	assert_non_null(s.p);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.p, text, s.len);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(parse(good));
	assert_int_equal(line.year, 2026);
	assert_int_equal(line.month, 11);
	assert_int_equal(line.day, 22);
	assert_int_equal(line.hour, 10);
	assert_int_equal(line.minute, 26);
	assert_int_equal(line.second, 7);
	assert_int_equal(line.pid, 19401);
	assert_int_equal(line.connection, 4);
	is(line.level, "error");
	is(line.message, TOLD);
	is(line.client, "10.0.0.7");
	is(line.server, "example.org");
	is(line.request, "POST /a/b?token=s HTTP/1.1");
	is(line.peer, "127.0.0.1:3000");
	is(line.path, "/b");
	is(line.host, "example.org:8080");
}

static void test_without_query(void **state)
{
	(void)state;
	assert_true(parse(good));
	is(uc_error_line_without_query(line.request), "POST /a/b");
	is(uc_error_line_without_query((struct uc_slice){ "GET / HTTP/1.1", 14 }),
	   "GET / HTTP/1.1");
}

static void test_kinds(void **state)
{
	(void)state;
	assert_true(parse(
		HEAD "connect() failed (111: Connection refused) while connecting to upstream, "
		     "client: ::1, server: , request: \"GET / HTTP/2.0\", "
		     "upstream: \"http://[::1]:3000/\", host: \"h\""));
	is(line.message, "connect() failed (111: Connection refused) while connecting to upstream");
	is(line.server, "");
	is(line.peer, "[::1]:3000");
	is(line.path, "/");
	assert_true(parse(
		HEAD "upstream prematurely closed FastCGI request, client: 1.2.3.4, server: s, "
		     "request: \"GET /x.php HTTP/1.1\", upstream: \"fastcgi://127.0.0.1:9000\", "
		     "host: \"h\""));
	is(line.peer, "127.0.0.1:9000");
	assert_int_equal(line.path.len, 0);
	assert_true(parse(HEAD TOLD ", client: 1.2.3.4, server: s, request: \"GET / HTTP/1.0\", "
				    "upstream: \"http://127.0.0.1:3000/\""));
	assert_null(line.host.p);
}

/* What a client chooses comes before what nginx adds. */
static void test_forged(void **state)
{
	(void)state;
	assert_true(parse(
		HEAD TOLD
		", client: 1.2.3.4, server: s, request: \"GET /, upstream: \"http://6.6.6.6:6/\", "
		"HTTP/1.1\", upstream: \"http://127.0.0.1:3000/real\", host: \"h\""));
	is(line.peer, "127.0.0.1:3000");
	is(line.path, "/real");
}

static void test_other_lines(void **state)
{
	static const char *const others[] = {
		"",
		"garbage",
		"2026/11/22 10:26:07 [notice] 1#1: signal process started",
		"2026/13/22 10:26:07 [error] 1#1: *4 x",
		"2026/11/22 10:26:07 [error",
		"2026/11/22 10:26:07 [error] 99999999999#1: *4 x",
		HEAD
		"open() \"/x\" failed (2: No such file or directory), client: 1.2.3.4, server: s",
		HEAD "FastCGI sent in stderr: \"PHP message: upstream timed out\" while reading "
		     "response header from upstream, client: 1.2.3.4, server: s, request: "
		     "\"GET / HTTP/1.1\", upstream: \"fastcgi://127.0.0.1:9000\", host: \"h\"",
		HEAD "client prematurely closed connection, client: 1.2.3.4, server: s",
		"2026/11/22 10:26:07 [info] 1#1: *4 upstream disconnected, bytes from/to "
		"client:1/2, bytes from/to upstream:2/1",
		"2026/11/22 10:26:07 [loud] 1#1: *4 no live upstreams while connecting to upstream",
		"2026/11/22 10:26:07 [warn] 1#1: *4 upstream server temporarily disabled while connecting "
		"to upstream, client: 1.2.3.4, upstream: \"http://127.0.0.1:3000/\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(parse(others[i]));
}

static void alone_is(const char *text, const char *kind, const char *peer)
{
	assert_true(parse(text));
	assert_true(line.alone);
	assert_string_equal(uc_words_kind_name(line.kind), kind);
	if (peer)
		is(line.peer, peer);
	else
		assert_int_equal(line.peer.len, 0);
}

static void test_without_connection(void **state)
{
	(void)state;
	alone_is(HEAD "no live upstreams while connecting to upstream, client: 1.2.3.4, server: s, "
		      "request: \"GET / HTTP/1.1\", upstream: \"http://app/\", host: \"h\"",
		 "no_live_upstreams", "app");
	alone_is(HEAD "no live upstreams while connecting to upstream, client: 1.2.3.4, server: s, "
		      "request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.1:80/\", host: \"h\"",
		 "no_live_upstreams", "10.0.0.1:80");
	alone_is(HEAD "app.example could not be resolved (3: Host not found), client: 1.2.3.4, "
		      "server: s, request: \"GET / HTTP/1.1\", host: \"h\"",
		 "resolver_failed", NULL);
	is(line.host, "h");
	alone_is("2026/11/22 10:26:07 [error] 1#1: app.example could not be resolved (110: "
		 "Operation timed out)",
		 "resolver_failed", NULL);
	assert_int_equal(line.connection, 0);
	alone_is(
		"2026/11/22 10:26:07 [crit] 1#1: *4 connect() to unix:/run/app.sock failed (2: No "
		"such file or directory) while connecting to upstream, client: 1.2.3.4, server: s, "
		"request: \"GET / HTTP/1.1\", upstream: \"http://unix:/run/app.sock:/\", host: \"h\"",
		"connect_failed", "unix:/run/app.sock");
	assert_int_equal(line.err, 2);
	alone_is(HEAD TOLD ", client: 1.2.3.4, server: s, request: \"GET / HTTP/1.1\", "
			   "upstream: \"http://unix:/run/app.sock:/\", host: \"h\"",
		 "upstream_closed", "unix:/run/app.sock");
	alone_is("2026/11/22 10:26:07 [alert] 1#1: 1024 worker_connections are not enough",
		 "worker_connections", NULL);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(parse(good));
	assert_int_equal(line.kind, UC_WORDS_UPSTREAM_CLOSED);
	assert_int_equal(line.err, 0);
	assert_false(line.alone);
	is(line.action, "reading response header from upstream");
	assert_true(parse(HEAD
			  "something new while reading upstream, client: 1.2.3.4, server: s, "
			  "request: \"GET / HTTP/1.1\", upstream: \"http://127.0.0.1:3000/\""));
	assert_int_equal(line.kind, UC_WORDS_OTHER);
	is(line.action, "reading upstream");
}

/* ngx_stream_log_error(): its upstream has no scheme and no path */
static void test_stream(void **state)
{
	(void)state;
	assert_true(parse(
		HEAD "connect() failed (111: Connection refused) while connecting to upstream, "
		     "client: 127.0.0.1, server: 0.0.0.0:9000, upstream: \"127.0.0.1:9001\", bytes "
		     "from/to client:0/0, bytes from/to upstream:0/0"));
	is(line.peer, "127.0.0.1:9001");
	assert_int_equal(line.path.len, 0);
	assert_int_equal(line.err, 111);
	assert_true(
		parse("2026/11/22 10:26:07 [info] 1#1: *4 connection timed out (110: Connection "
		      "timed out) while proxying connection, client: 127.0.0.1, server: "
		      "0.0.0.0:9000, upstream: \"[::1]:9001\", bytes from/to client:1/0, bytes "
		      "from/to upstream:0/1"));
	assert_int_equal(line.kind, UC_WORDS_UPSTREAM_TIMED_OUT);
	is(line.peer, "[::1]:9001");
}

/* Cut anywhere, in a buffer of just that size: the sanitizer sees a byte too many. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, good, n);
		uc_error_line_parse(copy, n, &line);
		free(copy);
	}
}

static void test_long(void **state)
{
	static char text[3 * UC_ERROR_LINE_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, good, sizeof(good) - 1);
	assert_true(uc_error_line_parse(text, sizeof(text), &line));
	assert_int_equal(line.len, UC_ERROR_LINE_MAX - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),        cmocka_unit_test(test_without_query),
		cmocka_unit_test(test_kinds),       cmocka_unit_test(test_forged),
		cmocka_unit_test(test_other_lines), cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_long),        cmocka_unit_test(test_without_connection),
		cmocka_unit_test(test_words),       cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests_name("errorline", tests, NULL, NULL);
}
