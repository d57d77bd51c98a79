/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_property.h"

/* Bytes that may hold a NUL. */
#define B(literal) literal, sizeof(literal) - 1
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

/* --- buffers between two guard pages ------------------------------------------- */

#define ROOM 65536

struct guarded {
	char *start; /* of ROOM bytes, a page without access before and behind them */
};

static struct guarded new_guarded(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, ROOM + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p, page, PROT_NONE), 0);
	assert_int_equal(mprotect(p + page + ROOM, page, PROT_NONE), 0);
	return (struct guarded){ .start = p + page };
}

static char *at_end(struct guarded g, const char *bytes, size_t len)
{
	char *p = g.start + ROOM - len;

	assert_true(len <= ROOM);
	memcpy(p, bytes, len);
	return p;
}

static char *at_start(struct guarded g, const char *bytes, size_t len)
{
	assert_true(len <= ROOM);
	memcpy(g.start, bytes, len);
	return g.start;
}

static struct guarded area[3];

/* The row of a table that a test is at, told when it fails there. */
static char row[200];

static void begin_row(const char *table, size_t i, const char *bytes)
{
	snprintf(row, sizeof(row), "%s %zu: %s", table, i, bytes);
}

static int end_rows(void **state)
{
	(void)state;
	if (row[0])
		print_message("at %s\n", row);
	row[0] = '\0';
	return 0;
}

static int set_up(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(area); i++)
		area[i] = new_guarded();
	return 0;
}

/* --- requests -------------------------------------------------------------------- */

static const struct {
	const char *bytes;
	size_t len;
	enum uc_head_state state;
	const char *method;
	const char *target;
	size_t query_len;
	bool target_cut;
	unsigned minor;
	size_t behind; /* bytes behind a COMPLETE head */
	enum uc_framing framing;
	uint64_t length;
	bool close;
} requests[] = {
#define EMPTY    .state = UC_HEAD_EMPTY, .framing = UC_FRAMING_CLOSE
#define PARTIAL  .state = UC_HEAD_PARTIAL, .framing = UC_FRAMING_CLOSE
#define COMPLETE .state = UC_HEAD_COMPLETE, .minor = 1
#define INVALID  .state = UC_HEAD_INVALID, .framing = UC_FRAMING_CLOSE
#define LENGTH   .framing = UC_FRAMING_LENGTH, .length
#define CHUNKED  .framing = UC_FRAMING_CHUNKED
#define CLOSE    .framing = UC_FRAMING_CLOSE
	{ B(""), EMPTY },

	/* first lines that are not all there */
	{ B("G"), PARTIAL },
	{ B("GET"), PARTIAL },
	{ B("GET "), PARTIAL, .method = "GET", .target = "", .target_cut = true },
	{ B("GET /a"), PARTIAL, .method = "GET", .target = "/a", .target_cut = true },
	{ B("GET /a\r"), PARTIAL, .method = "GET", .target = "/a", .target_cut = true },
	{ B("GET /a?"), PARTIAL, .method = "GET", .target = "/a", .query_len = 1 },
	{ B("GET /a?b=c"), PARTIAL, .method = "GET", .target = "/a", .query_len = 4 },
	{ B("GET /a?b=c "), PARTIAL, .method = "GET", .target = "/a", .query_len = 4 },
	{ B("GET /a?b=c HTT"), PARTIAL, .method = "GET", .target = "/a", .query_len = 4 },
	{ B("GET /a?b=c HTTX"), PARTIAL, .method = "GET", .target = "/a", .query_len = 9 },
	{ B("GET /a?b c d"), PARTIAL, .method = "GET", .target = "/a", .query_len = 6 },
	{ B("GET /a "), PARTIAL, .method = "GET", .target = "/a" },
	{ B("GET /a HTTP/1."), PARTIAL, .method = "GET", .target = "/a" },
	{ B("GET /a HTTP/1.1"), PARTIAL, .method = "GET", .target = "/a" },
	{ B("GET /a HTTP/1.1\r"), PARTIAL, .method = "GET", .target = "/a" },
	{ B("GET /a HTTP/1.1\r\n"), PARTIAL, .method = "GET", .target = "/a", .minor = 1 },
	{ B("GET /a HTTP/1.1\r\n\r"), PARTIAL, .method = "GET", .target = "/a", .minor = 1 },
	{ B("GET /a HTTP/1.0\r\n"), PARTIAL, .method = "GET", .target = "/a" },

	/* heads that are */
	{ B("GET / HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/" },
	{ B("GET / HTTP/1.1\n\n"), COMPLETE, .method = "GET", .target = "/" },
	{ B("GET / HTTP/1.1\r\n\n"), COMPLETE, .method = "GET", .target = "/" },
	{ B("GET / HTTP/1.1\r\n\r\nxyz"), COMPLETE, .method = "GET", .target = "/", .behind = 3 },
	{ B("GET /a?b#c HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/a",
	  .query_len = 4 },
	{ B("GET /a#b?c HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/a",
	  .query_len = 4 },
	{ B("GET /a?b c d HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/a",
	  .query_len = 6 },
	{ B("GET /a?b HTTP/1.1 HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/a",
	  .query_len = 11 },
	{ B("GET /a? HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "/a",
	  .query_len = 1 },
	{ B("GET ?a HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET", .target = "", .query_len = 2 },
	{ B("GET /\xc3\xa4\x01\x7f HTTP/1.1\r\n\r\n"), COMPLETE, .method = "GET",
	  .target = "/\xc3\xa4\x01\x7f" },
	{ B("OPTIONS * HTTP/1.1\r\n\r\n"), COMPLETE, .method = "OPTIONS", .target = "*" },
	{ B("M-SEARCH http://a/b HTTP/1.1\r\n\r\n"), COMPLETE, .method = "M-SEARCH",
	  .target = "http://a/b" },

	/* framing */
	{ B("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), COMPLETE, .method = "POST",
	  .target = "/", .behind = 3, LENGTH = 3 },
	{ B("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), COMPLETE, .method = "POST",
	  .target = "/", LENGTH = 0 },
	{ B("POST / HTTP/1.1\r\ncontent-LENGTH:3\r\n"), .state = UC_HEAD_PARTIAL, .method = "POST",
	  .target = "/", .minor = 1, LENGTH = 3 },
	{ B("POST / HTTP/1.1\r\nContent-Length: 3"), PARTIAL, .method = "POST", .target = "/",
	  .minor = 1 },
	{ B("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), COMPLETE,
	  .method = "POST", .target = "/", .behind = 5, CHUNKED },
	{ B("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), COMPLETE, .method = "POST",
	  .target = "/", CLOSE },
	{ B("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"), INVALID,
	  .method = "POST", .target = "/", .minor = 1 },

	/* close */
	{ B("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), COMPLETE, .method = "GET",
	  .target = "/", .close = true },
	{ B("GET / HTTP/1.1\r\nConnection: close\r\n"), PARTIAL, .method = "GET", .target = "/",
	  .minor = 1, .close = true },
	{ B("GET / HTTP/1.1\r\nConnection: x-close, closed\r\n\r\n"), COMPLETE, .method = "GET",
	  .target = "/" },
	{ B("GET / HTTP/1.0\r\n\r\n"), .state = UC_HEAD_COMPLETE, .method = "GET", .target = "/",
	  .close = true },
	{ B("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), .state = UC_HEAD_COMPLETE,
	  .method = "GET", .target = "/" },

	/* what is no request */
	{ B("\r\n"), INVALID },
	{ B("\n"), INVALID },
	{ B("\0"), INVALID },
	{ B(" GET / HTTP/1.1\r\n\r\n"), INVALID },
	{ B("GET\r\n"), INVALID },
	{ B("GET \r\n"), INVALID },
	{ B("GET /\r\n"), INVALID },
	{ B("GET / \r\n"), INVALID },
	{ B("GET  HTTP/1.1\r\n"), INVALID },
	{ B("GET / HTTP/1\r\n"), INVALID },
	{ B("GET / HTTP/1.\r\n"), INVALID },
	{ B("GET / HTTP/1.x"), INVALID },
	{ B("GET / HTTP/1.11"), INVALID },
	{ B("GET / HTTP/1.1 \r\n"), INVALID },
	{ B("GET / HTTP/1.1\rX"), INVALID },
	{ B("GET / HTTP/1.1\r\r\n"), INVALID },
	{ B("GET / http/1.1\r\n"), INVALID },
	{ B("GET / HTTP/2"), INVALID },
	{ B("GET /a b"), INVALID },
	{ B("GET /a\0b HTTP/1.1\r\n"), INVALID },
	{ B("GET /a\rb HTTP/1.1\r\n"), INVALID },
	{ B("GET /a?b\r\n"), INVALID },
	{ B("GET /a?b HTTP/2.0\r\n"), INVALID },
	{ B("G\tT / HTTP/1.1\r\n"), INVALID },
	{ B("G\0T / HTTP/1.1\r\n"), INVALID },
	{ B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), INVALID },
	{ B("HTTP/1.1 200 OK\r\n\r\n"), INVALID },
	{ B("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), INVALID },
#undef PARTIAL
#undef EMPTY
};

static void expect_request(size_t i, const char *p)
{
	struct uc_request_head h;
	size_t len = requests[i].len;

	begin_row("request", i, requests[i].bytes);
	uc_http_request(p, len, &h);
	assert_int_equal(h.state, requests[i].state);
	assert_int_equal(h.method != NULL, requests[i].method != NULL);
	assert_int_equal(h.target != NULL, requests[i].method != NULL);
	if (requests[i].method) {
		assert_int_equal(h.method_len, strlen(requests[i].method));
		assert_memory_equal(h.method, requests[i].method, h.method_len);
		assert_int_equal(h.target_len, strlen(requests[i].target));
		assert_memory_equal(h.target, requests[i].target, h.target_len);
	}
	assert_int_equal(h.query_len, requests[i].query_len);
	assert_int_equal(h.target_cut, requests[i].target_cut);
	assert_int_equal(h.minor, requests[i].minor);
	assert_int_equal(h.head_len, h.state == UC_HEAD_COMPLETE ? len - requests[i].behind : 0);
	assert_int_equal(h.framing, requests[i].framing);
	assert_int_equal(h.length, requests[i].length);
	assert_int_equal(h.close, requests[i].close);
}

static void test_request(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(requests); i++) {
		expect_request(i, at_end(area[0], requests[i].bytes, requests[i].len));
		expect_request(i, at_start(area[0], requests[i].bytes, requests[i].len));
	}
	row[0] = '\0';
}

/* --- responses ------------------------------------------------------------------- */

#define OK_LINE  "HTTP/1.1 200 OK\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static const struct {
	const char *bytes;
	size_t len;
	const char *method;
	enum uc_head_state state;
	unsigned status;
	unsigned minor;
	size_t interim_len;
	size_t behind;
	enum uc_framing framing;
	uint64_t length;
	bool close;
	int timeout; /* 1 more than keep_alive_s, so that 0 is none */
} responses[] = {
#define EMPTY      .state = UC_HEAD_EMPTY, .framing = UC_FRAMING_CLOSE
#define PARTIAL    .state = UC_HEAD_PARTIAL, .framing = UC_FRAMING_CLOSE
#define PARTIAL_OK .state = UC_HEAD_PARTIAL, .status = 200, .minor = 1
#define OK         .state = UC_HEAD_COMPLETE, .status = 200, .minor = 1
#define BAD_LENGTH INVALID, .status = 200, .minor = 1
#define TIMEOUT(s) .timeout = (s) + 1
	{ B(""), NULL, EMPTY },

	/* first lines that are not all there */
	{ B("H"), NULL, PARTIAL },
	{ B("HTTP/1."), NULL, PARTIAL },
	{ B("HTTP/1.1"), NULL, PARTIAL },
	{ B("HTTP/1.1 "), NULL, PARTIAL },
	{ B("HTTP/1.1 2"), NULL, PARTIAL },
	{ B("HTTP/1.1 200"), NULL, PARTIAL },
	{ B("HTTP/1.1 200\r"), NULL, PARTIAL },
	{ B("HTTP/1.1 200 "), NULL, PARTIAL_OK, CLOSE },
	{ B("HTTP/1.1 200 O"), NULL, PARTIAL_OK, CLOSE },
	{ B("HTTP/1.1 204 No"), NULL, .state = UC_HEAD_PARTIAL, .status = 204, .minor = 1 },
	{ B(OK_LINE), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "\r"), NULL, PARTIAL_OK, CLOSE },
	{ B("HTTP/1.0 200 OK\r\n"), NULL, PARTIAL, .status = 200 },

	/* first lines as nginx takes them */
	{ B("HTTP/1.1 200\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B("HTTP/1.1 200\n\n"), NULL, OK, CLOSE, .close = true },
	{ B("HTTP/1.1   200 OK\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B("HTTP/1.1 200.1 OK\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B("HTTP/1.1 200 \xff\0\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B("HTTP/1.1 999 ?\r\n\r\n"), NULL, .state = UC_HEAD_COMPLETE, .status = 999, .minor = 1,
	  CLOSE, .close = true },

	/* length */
	{ B(OK_LINE "Content-Length: 5\r\n\r\nhello"), NULL, OK, LENGTH = 5, .behind = 5 },
	{ B(OK_LINE "Content-Length: 5\r\n\r\nhello"), "GET", OK, LENGTH = 5, .behind = 5 },
	{ B(OK_LINE "CONTENT-length:\t 5 \t\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B("HTTP/1.1 200 OK\nContent-Length: 5\n\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5\r\n"), NULL, PARTIAL_OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5\r"), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "Content-Length: 5"), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5, 05 ,5\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 18446744073709551615\r\n\r\n"), NULL, OK,
	  LENGTH = UINT64_MAX },
	{ B(OK_LINE "Content-Length: 0000000000000000000000000000005\r\n\r\n"), NULL, OK,
	  LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 18446744073709551616\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 99999999999999999999999999999999\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: -1\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: +1\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 0x5\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 5 5\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 5\0\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 5,\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length:\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 5, 6\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: 5\r\nA: b\r\nContent-Length: 6\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: x\r\nA"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length: x\r\n"), NULL, PARTIAL_OK, CLOSE },

	/* names that are other names */
	{ B(OK_LINE "Content-Length : 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "Content-Lengths: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "Content-Lengt: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "X: Content-Length: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "Content-Length\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE " Content-Length: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "X: a\r\n Content-Length: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "X: a\rContent-Length: 5\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "\0\xff\x01\r\n:\r\n\r\r\n\r\n"), NULL, OK, CLOSE, .close = true },

	/* folded lines */
	{ B(OK_LINE "Content-Length:\r\n 5\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5\r\n \r\n\t\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5\r\n ,5\r\n\r\n"), NULL, OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 1\r\n 2\r\n\r\n"), NULL, BAD_LENGTH },
	{ B(OK_LINE "Content-Length:\r\n"), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "Content-Length: 5\r\n "), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "Content-Length: 5\r\n 6"), NULL, PARTIAL_OK, CLOSE },
	{ B(OK_LINE "Transfer-Encoding: gzip,\n\tchunked\n\n"), NULL, OK, CHUNKED },

	/* codings */
	{ B(OK_LINE "Transfer-Encoding: chunked\r\n\r\n"), NULL, OK, CHUNKED },
	{ B(OK_LINE "transfer-encoding:CHUNKED\r\n"), NULL, PARTIAL_OK, CHUNKED },
	{ B(OK_LINE "Transfer-Encoding: gzip , chunked,\r\n\r\n"), NULL, OK, CHUNKED },
	{ B(OK_LINE "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"), NULL, OK,
	  CHUNKED },
	{ B(OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n"), NULL, OK,
	  CLOSE, .close = true },
	{ B(OK_LINE "Transfer-Encoding: chunked, gzip\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "Transfer-Encoding: xchunked\r\n\r\n"), NULL, OK, CLOSE, .close = true },
	{ B(OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), NULL, OK, CHUNKED },
	{ B(OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), NULL, OK, CHUNKED },
	{ B(OK_LINE "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n"), NULL, OK, CLOSE,
	  .close = true },
	{ B(OK_LINE "Content-Length: -\r\nTransfer-Encoding: chunked\r\n\r\n"), NULL, BAD_LENGTH },

	/* no body, whatever the headers say */
	{ B(OK_LINE "Content-Length: 5\r\n\r\n"), "HEAD", OK },
	{ B(OK_LINE "Transfer-Encoding: chunked\r\n\r\n"), "HEAD", OK },
	{ B(OK_LINE "Content-Length: 5\r\n\r\n"), "head", OK, LENGTH = 5 },
	{ B(OK_LINE "Content-Length: 5\r\n\r\n"), "HEADS", OK, LENGTH = 5 },
	{ B("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), NULL,
	  .state = UC_HEAD_COMPLETE, .status = 204, .minor = 1 },
	{ B("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), NULL,
	  .state = UC_HEAD_COMPLETE, .status = 304, .minor = 1 },
	{ B("HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n\x81"),
	  NULL, .state = UC_HEAD_COMPLETE, .status = 101, .minor = 1, .behind = 1,
	  .framing = UC_FRAMING_UPGRADE },

	/* close and keep-alive */
	{ B(OK_LINE "Content-Length: 0\r\nConnection: close\r\n\r\n"), NULL, OK, LENGTH = 0,
	  .close = true },
	{ B(OK_LINE "Content-Length: 0\r\nConnection: foo\r\nConnection:bar ,CLOSE\r\n\r\n"), NULL,
	  OK, LENGTH = 0, .close = true },
	{ B(OK_LINE "Content-Length: 0\r\nConnection: keep-alive, close\r\n\r\n"), NULL, OK,
	  LENGTH = 0, .close = true },
	{ B(OK_LINE "Connection: close\r\n"), NULL, PARTIAL_OK, CLOSE, .close = true },
	{ B("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), NULL, .state = UC_HEAD_COMPLETE,
	  .status = 200, LENGTH = 0, .close = true },
	{ B("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"), NULL,
	  .state = UC_HEAD_COMPLETE, .status = 200, LENGTH = 0 },
	{ B("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), NULL, .state = UC_HEAD_COMPLETE,
	  .status = 200, CLOSE, .close = true },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: timeout=5\r\n\r\n"), NULL, OK, LENGTH = 0,
	  TIMEOUT(5) },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: max=9, TimeOut = 72, x\r\n\r\n"), NULL, OK,
	  LENGTH = 0, TIMEOUT(72) },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: timeout=0\r\n\r\n"), NULL, OK, LENGTH = 0,
	  TIMEOUT(0) },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: timeout=1,timeout=2\r\n\r\n"), NULL, OK,
	  LENGTH = 0, TIMEOUT(1) },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: timeout=2147483648\r\n\r\n"), NULL, OK,
	  LENGTH = 0 },
	{ B(OK_LINE "Content-Length: 0\r\nKeep-Alive: timeout=-1, timeout=, =3,5\r\n\r\n"), NULL,
	  OK, LENGTH = 0 },

	/* interim responses */
	{ B(CONTINUE), NULL, PARTIAL, .interim_len = 25 },
	{ B("HTTP/1.1 100 Con"), NULL, PARTIAL },
	{ B("HTTP/1.1 100 Continue\r\nX: a\r\n"), NULL, PARTIAL },
	{ B(CONTINUE "HTTP/1.1 2"), NULL, PARTIAL, .interim_len = 25 },
	{ B(CONTINUE OK_LINE), NULL, PARTIAL_OK, CLOSE, .interim_len = 25 },
	{ B(CONTINUE CONTINUE OK_LINE "Content-Length: 5\r\n\r\nhello"), NULL, OK, LENGTH = 5,
	  .interim_len = 50, .behind = 5 },
	{ B("HTTP/1.1 103 E\nContent-Length: x\n\n" OK_LINE "Content-Length: 5\r\n\r\n"), NULL, OK,
	  LENGTH = 5, .interim_len = 34 },
	{ B(CONTINUE "HTTP/1.1 101 S\r\n\r\n"), NULL, .state = UC_HEAD_COMPLETE, .status = 101,
	  .minor = 1, .interim_len = 25, .framing = UC_FRAMING_UPGRADE },
	{ B(CONTINUE "junk"), NULL, INVALID, .interim_len = 25 },

	/* what is no response */
	{ B("\r\n"), NULL, INVALID },
	{ B("\0\0\0"), NULL, INVALID },
	{ B("HTTP/1.1\r\n"), NULL, INVALID },
	{ B("HTTP/1.1 \r\n"), NULL, INVALID },
	{ B("HTTP/1.1 20\r\n"), NULL, INVALID },
	{ B("HTTP/1.1 20x"), NULL, INVALID },
	{ B("HTTP/1.1 2000"), NULL, INVALID },
	{ B("HTTP/1.1 200\tOK\r\n"), NULL, INVALID },
	{ B("HTTP/1.1 200\rOK\r\n"), NULL, INVALID },
	{ B("HTTP/1.1 000 OK\r\n"), NULL, INVALID },
	{ B("HTTP/1.1 099 OK\r\n"), NULL, INVALID },
	{ B("HTTP/1.1200 OK\r\n"), NULL, INVALID },
	{ B("HTTP/1.1\t200 OK\r\n"), NULL, INVALID },
	{ B("HTTP/1.x 200 OK\r\n"), NULL, INVALID },
	{ B("HTTP/2 200 OK\r\n"), NULL, INVALID },
	{ B("http/1.1 200 OK\r\n"), NULL, INVALID },
	{ B(" HTTP/1.1 200 OK\r\n"), NULL, INVALID },
	{ B("SSH-2.0-OpenSSH_9.2\r\n"), NULL, INVALID },
	{ B("\x15\x03\x01\x00\x02\x02\x46"), NULL, INVALID },
	{ B("\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64"), NULL, INVALID },
	{ B("<html>"), NULL, INVALID },
};

static void expect_response(size_t i, const char *p)
{
	const char *method = responses[i].method;
	struct uc_response_head h;
	size_t len = responses[i].len;

	begin_row("response", i, responses[i].bytes);
	uc_http_response(p, len, method, method ? strlen(method) : 0, &h);
	assert_int_equal(h.state, responses[i].state);
	assert_int_equal(h.status, responses[i].status);
	assert_int_equal(h.minor, responses[i].minor);
	assert_int_equal(h.interim_len, responses[i].interim_len);
	assert_int_equal(h.head_len, h.state == UC_HEAD_COMPLETE ? len - responses[i].behind : 0);
	assert_int_equal(h.framing, responses[i].framing);
	assert_int_equal(h.length, responses[i].length);
	assert_int_equal(h.close, responses[i].close);
	assert_int_equal(h.keep_alive_s, responses[i].timeout - 1);
}

static void test_response(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(responses); i++) {
		expect_response(i, at_end(area[0], responses[i].bytes, responses[i].len));
		expect_response(i, at_start(area[0], responses[i].bytes, responses[i].len));
	}
	row[0] = '\0';
}

/* --- bodies ---------------------------------------------------------------------- */

#define WITH_LENGTH OK_LINE "Content-Length: 10\r\n"
#define WITH_CHUNKS OK_LINE "Transfer-Encoding: chunked\r\n"
#define CHUNK       WITH_CHUNKS "\r\n5\r\nhello\r\n"
#define LAST        "\r\n0\r\n\r\n"

static const struct {
	const char *bytes;
	size_t len;
	uint64_t unkept; /* how much arrived behind them */
	const char *tail;
	enum uc_body_state state;
	uint64_t missing;
	const char *method;
} bodies[] = {
#define WHOLE     0, ""
#define SHORT     .state = UC_BODY_SHORT
#define UNKNOWN   .state = UC_BODY_UNKNOWN
#define NO_CHUNKS .state = UC_BODY_INVALID
#define ALL       .state = UC_BODY_COMPLETE
	/* no head, a part of one, none at all */
	{ B(""), WHOLE, SHORT },
	{ B(""), 100, LAST, UNKNOWN },
	{ B("HTTP/1.1 2"), WHOLE, SHORT },
	{ B(OK_LINE), WHOLE, SHORT },
	{ B(WITH_LENGTH), WHOLE, SHORT },
	{ B(CONTINUE), WHOLE, SHORT },
	{ B("HTTP/1.1 204 No\r\n"), WHOLE, SHORT },
	{ B("HTTP/1.1 204 No\r\n"), 1, "", UNKNOWN },
	{ B(OK_LINE), 100, LAST, UNKNOWN },
	{ B("junk"), WHOLE, UNKNOWN },
	{ B("junk"), 100, LAST, UNKNOWN },
	{ B(OK_LINE "Content-Length: x\r\n\r\n"), WHOLE, UNKNOWN },

	/* a length */
	{ B(WITH_LENGTH "\r\n"), WHOLE, SHORT, .missing = 10 },
	{ B(WITH_LENGTH "\r\n012345678"), WHOLE, SHORT, .missing = 1 },
	{ B(WITH_LENGTH "\r\n0123456789"), WHOLE, ALL },
	{ B(WITH_LENGTH "\r\n0123456789surplus"), WHOLE, ALL },
	{ B(WITH_LENGTH "\r\n01234"), 4, "", SHORT, .missing = 1 },
	{ B(WITH_LENGTH "\r\n01234"), 5, "", ALL },
	{ B(WITH_LENGTH "\r\n01234"), UINT64_MAX - 200, "", ALL },
	{ B(CONTINUE WITH_LENGTH "\r\n01234"), WHOLE, SHORT, .missing = 5 },
	{ B(OK_LINE "Content-Length: 18446744073709551615\r\n\r\nab"), WHOLE, SHORT,
	  .missing = UINT64_MAX - 2 },
	{ B(OK_LINE "Content-Length: 18446744073709551615\r\n\r\nab"), 1000, "", SHORT,
	  .missing = UINT64_MAX - 1002 },

	/* a length, and a head that goes on behind the buffer by one byte or more */
	{ B(WITH_LENGTH), 1, "", SHORT },
	{ B(WITH_LENGTH), 10, "", SHORT },
	{ B(WITH_LENGTH), 11, "", UNKNOWN },
	{ B(WITH_LENGTH), 1000000, "", UNKNOWN },
	{ B(OK_LINE "Content-Length: 18446744073709551615\r\n"), 5, "", SHORT },
	{ B(OK_LINE "Content-Length: 0\r\n"), 1, "", UNKNOWN },

	/* chunks that are all there */
	{ B(WITH_CHUNKS "\r\n0\r\n\r\n"), WHOLE, ALL },
	{ B(CHUNK "0\r\n\r\n"), WHOLE, ALL },
	{ B(CHUNK "0\r\n\r\n"), 100, "whatever", ALL },
	{ B(CHUNK "0\r\n\r\nsurplus"), WHOLE, ALL },
	{ B(CHUNK "1;a=b\r\nx\r\n1 ; c\r\ny\r\n000;d\r\nA: b\r\nC: d\r\n\r\n"), WHOLE, ALL },
	{ B("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n"), WHOLE, ALL },
	{ B(WITH_CHUNKS "\r\nA\r\n0123456789\r\n00a\r\n0123456789\r\n0\r\n\r\n"), WHOLE, ALL },
	{ B(WITH_CHUNKS "\r\n9\r\n\r\n0\r\n\r\nab\r\n0\r\n\r\n"), WHOLE, ALL },

	/* chunks that are not */
	{ B(WITH_CHUNKS "\r\n"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5;a"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5\r"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5\r\n"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5\r\nhell"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5\r\nhello"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n5\r\nhello\r"), WHOLE, SHORT },
	{ B(CHUNK), WHOLE, SHORT },
	{ B(CHUNK "0"), WHOLE, SHORT },
	{ B(CHUNK "0\r\n"), WHOLE, SHORT },
	{ B(CHUNK "0\r\n\r"), WHOLE, SHORT },
	{ B(CHUNK "0\r\nA: b\r\n"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\n9\r\n\r\n0\r\n\r\n"), WHOLE, SHORT },
	{ B(WITH_CHUNKS "\r\nffffffffffffffff\r\nhello"), WHOLE, SHORT },

	/* what is no chunk */
	{ B(WITH_CHUNKS "\r\nhello"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n;a\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n-5\r\nhello\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n5x\r\nhello\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n5\0\r\nhello\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n4\r\nhello\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n5\r\nhello\rx"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\n10000000000000000\r\nhello\r\n"), WHOLE, NO_CHUNKS },
	{ B(WITH_CHUNKS "\r\nhello"), 100, LAST, NO_CHUNKS },

	/* chunks that leave the buffer: the tail tells */
	{ B(CHUNK), 100, LAST, ALL },
	{ B(CHUNK), 100, "a" LAST, ALL },
	{ B(CHUNK), 100, "\n0\r\n\r\n", ALL },
	{ B(CHUNK), 5, "0\r\n\r\n", ALL },
	{ B(CHUNK), 100, "10\r\n\r\n", UNKNOWN },
	{ B(CHUNK), 100, "\r\n\r\n", UNKNOWN },
	{ B(CHUNK), 100, "", UNKNOWN },
	{ B(CHUNK), 100, ": b\r\n\r\n", UNKNOWN },
	{ B(CHUNK), 100, "a\n0\n\n", UNKNOWN },
	{ B(CHUNK), 100, "data\n\n\r\n", SHORT },
	{ B(CHUNK), 100, "abcdefgh", SHORT },
	{ B(CHUNK), 100, "\r\n0\r\n\r", SHORT },
	{ B(CHUNK "0\r\nA: "), 100, ": b\r\n\r\n", UNKNOWN },

	/* where a chunk cannot have ended, the tail does not matter */
	{ B(CHUNK "ff\r\nab"), 100, LAST, SHORT },
	{ B(CHUNK "ff"), 100, LAST, SHORT },
	{ B(CHUNK "64\r\n"), 102, "\r\n", SHORT },
	{ B(CHUNK "64\r\n"), 103, "a\r\n0\r\n\r\n", SHORT },
	{ B(CHUNK "64\r\n"), 107, LAST, ALL },
	{ B(CHUNK "64\r\nab"), 105, LAST, ALL },
	{ B(CHUNK "ffffffffffffffff\r\n"), UINT64_MAX - 200, LAST, SHORT },

	/* chunks behind a head that goes on behind the buffer */
	{ B(WITH_CHUNKS), 100, LAST, ALL },
	{ B(WITH_CHUNKS), 100, "ab\r\n\r\n", UNKNOWN },
	{ B(WITH_CHUNKS), 100, "abcdefgh", SHORT },
	{ B(WITH_CHUNKS), 100, "abc", UNKNOWN },

	/* what only the connection's end delimits, and what has no body */
	{ B(OK_LINE "\r\nabc"), WHOLE, ALL },
	{ B(OK_LINE "\r\nabc"), 100, "", ALL },
	{ B("HTTP/1.1 204 No\r\n\r\n"), WHOLE, ALL },
	{ B("HTTP/1.1 101 S\r\n\r\n"), WHOLE, ALL },
	{ B(WITH_LENGTH "\r\n"), WHOLE, ALL, .method = "HEAD" },
	{ B(WITH_CHUNKS "\r\n"), WHOLE, ALL, .method = "HEAD" },
};

static void expect_body(size_t i, const char *p)
{
	size_t len = bodies[i].len, tail_len = strlen(bodies[i].tail);
	const char *method = bodies[i].method;
	struct uc_response_head h;
	uint64_t missing = 77;

	begin_row("body", i, bodies[i].bytes);
	uc_http_response(p, len, method, method ? strlen(method) : 0, &h);
	assert_int_equal(uc_http_body(&h, p, len, len + bodies[i].unkept,
				      at_end(area[1], bodies[i].tail, tail_len), tail_len,
				      &missing),
			 bodies[i].state);
	assert_int_equal(missing, bodies[i].missing);
	assert_int_equal(uc_http_body(&h, p, len, len + bodies[i].unkept, bodies[i].tail, tail_len,
				      NULL),
			 bodies[i].state);
}

static void test_body(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		expect_body(i, at_end(area[0], bodies[i].bytes, bodies[i].len));
		expect_body(i, at_start(area[0], bodies[i].bytes, bodies[i].len));
	}
	row[0] = '\0';
}

/* What callers get wrong is no reason to read outside of what they gave. */
static void test_body_of_another_head(void **state)
{
	static const char head[] = WITH_CHUNKS "\r\n";
	struct uc_response_head h;

	(void)state;
	uc_http_response(B(head), NULL, 0, &h);
	assert_int_equal(uc_http_body(&h, "", 0, 0, NULL, 0, NULL), UC_BODY_UNKNOWN);
	assert_int_equal(uc_http_body(&h, head, h.head_len - 1, 1000, LAST, 7, NULL),
			 UC_BODY_UNKNOWN);
	assert_int_equal(uc_http_body(&h, B(head), 0, NULL, 0, NULL), UC_BODY_SHORT);
}

static void test_nothing(void **state)
{
	struct uc_response_head response;
	struct uc_request_head request;

	(void)state;
	uc_http_request(NULL, 0, &request);
	assert_int_equal(request.state, UC_HEAD_EMPTY);
	uc_http_response(NULL, 0, NULL, 0, &response);
	assert_int_equal(response.state, UC_HEAD_EMPTY);
	assert_int_equal(uc_http_body(&response, NULL, 0, 0, NULL, 0, NULL), UC_BODY_SHORT);
	uc_http_redact_request(NULL, 0);
	uc_http_redact_response(NULL, 0);
}

/* --- redaction ------------------------------------------------------------------- */

struct redaction {
	const char *before;
	size_t before_len;
	const char *after;
	size_t after_len;
};

static const struct redaction redacted_requests[] = {
	{ B("GET /a?token=s HTTP/1.1\r\nHost: h\r\nCookie:  id=1 \r\n\r\nbody"),
	  B("GET /a?xxxxxxx HTTP/1.1\r\nHost: x\r\nCookie:  xxxxx\r\n\r\nxxxx") },
	{ B("GET /a?b c HTTP/1.1\n\n"), B("GET /a?xxx HTTP/1.1\n\n") },
	{ B("GET /a#b HTTP/1.1\n\n"), B("GET /a#x HTTP/1.1\n\n") },
	{ B("GET /a?b c HT"), B("GET /a?xxx HT") },
	{ B("GET /a?b c d"), B("GET /a?xxxxx") },
	{ B("GET /path"), B("GET /path") },
	{ B("GET / HTTP/1.1\r\nAuthoriz"), B("GET / HTTP/1.1\r\nxxxxxxxx") },
	{ B("GET / HTTP/1.1\r\nA: secr\r"), B("GET / HTTP/1.1\r\nA: xxxx\r") },
	{ B("GET / HTTP/1.1\r\nA: a\r\n b: c\r\n \t d\r\nHost:h"),
	  B("GET / HTTP/1.1\r\nA: x\r\n xxxx\r\n \t x\r\nHost:x") },
	{ B("GET / HTTP/1.1\r\n fold\r\nno colon\r\nno name: a\r\n: b\r\n\r\n"),
	  B("GET / HTTP/1.1\r\n xxxx\r\nxxxxxxxx\r\nxxxxxxxxxx\r\nxxx\r\n\r\n") },
	{ B("GET / HTTP/1.1\r\nConnection: a\r\n b\r\nUpgrade: c\r\nKeep-Alive: d\r\n"
	    "content-length: 7\r\nTransfer-Encoding: e\r\n\r\nf"),
	  B("GET / HTTP/1.1\r\nConnection: a\r\n b\r\nUpgrade: c\r\nKeep-Alive: d\r\n"
	    "content-length: 7\r\nTransfer-Encoding: e\r\n\r\nx") },
	{ B("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;k=v\r\nab\r\n0\r\nT: t\r\n\r\nz"),
	  B("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;xxx\r\nxx\r\n0\r\nxxxx\r\n\r\nx") },
	{ B("PUT / HTTP/1.1\r\nContent-Length: z\r\nA: b\r\n\r\n2\r\nab"),
	  B("PUT / HTTP/1.1\r\nContent-Length: z\r\nA: x\r\n\r\nxxxxx") },
	{ B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), B("PRI * HT\nxxxxxxxxxxxxxxx") },
	{ B("GET /a?s HTTP/3.0\r\n"), B("GET /a?s\nxxxxxxxxxx") },
	{ B("justaword"), B("justaworx") },
	{ B("\x16\x03\x01\x02\x00\x01\x00\x01"), B("\x16\x03\x01\x02\x00\x01\x00\x01") },
};

static const struct redaction redacted_responses[] = {
	{ B("HTTP/1.1 200 Fine\r\nSet-Cookie: id=1\r\nContent-Length: 4\r\n\r\nbody"),
	  B("HTTP/1.1 200 Fine\r\nSet-Cookie: xxxx\r\nContent-Length: 4\r\n\r\nxxxx") },
	{ B("HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200\nLink: b\n\nc\r\n\r\nd: e"),
	  B("HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200\nLink: x\n\nxxxxxxxxx") },
	{ B("HTTP/1.1 103 E\r\nLink: a"), B("HTTP/1.1 103 E\r\nLink: x") },
	{ B("HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/2.0 200"),
	  B("HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/2.0\nxxx") },
	{ B(WITH_CHUNKS "\r\n5\r\nhello\r\nff\r\nab"),
	  B(WITH_CHUNKS "\r\n5\r\nxxxxx\r\nff\r\nxx") },
	{ B(WITH_CHUNKS "\r\n5 a"), B(WITH_CHUNKS "\r\n5 x") },
	{ B(WITH_CHUNKS "\r\n5x\r\nhello\r\n"), B(WITH_CHUNKS "\r\n5xxxxxxxxxx") },
	{ B(WITH_CHUNKS "\r\n2\r\nabc\r\n1\r\nd"), B(WITH_CHUNKS "\r\n2\r\nxxxxxxxxx") },
	{ B(WITH_CHUNKS "\r\n\r\nhello"), B(WITH_CHUNKS "\r\nxxxxxxx") },
	{ B("SSH-2.0-OpenSSH_9.2\r\n"), B("SSH-2.0-\nxxxxxxxxxxxx") },
	{ B("HTTP/1.1 200 Fi"), B("HTTP/1.1 200 Fi") },
};

static void expect_redaction(const char *table, size_t i, const struct redaction *r,
			     void (*redact)(void *, size_t))
{
	char *p = at_end(area[0], r->before, r->before_len);

	begin_row(table, i, r->before);
	assert_int_equal(r->before_len, r->after_len);
	redact(p, r->before_len);
	assert_memory_equal(p, r->after, r->after_len);
	p = at_start(area[0], r->before, r->before_len);
	redact(p, r->before_len);
	assert_memory_equal(p, r->after, r->after_len);
}

static void test_redact(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(redacted_requests); i++)
		expect_redaction("redacted request", i, &redacted_requests[i],
				 uc_http_redact_request);
	for (i = 0; i < COUNT(redacted_responses); i++)
		expect_redaction("redacted response", i, &redacted_responses[i],
				 uc_http_redact_response);
	row[0] = '\0';
}

/* What another protocol may say is no request, however much it looks like one. */
static void test_certain(void **state)
{
	static const struct {
		const char *bytes;
		size_t len, room;
		bool certain;
	} rows[] = {
		{ B("GET /a HTTP/1.1\r\n"), 512, true },
		{ B("FOO /a HTTP/1.0\r\n\r\n"), 512, true },
		{ B("GET /a HTTP/1.1"), 512, false },
		{ B("AUTH hunter2"), 512, false },
		{ B("AUTH /hunter2"), 13, false },
		{ B("GET /a-long-path"), 16, true },
		{ B("GET key-of-a-store"), 18, false },
		{ B("GET "), 4, false },
		{ B("SELECT /1 "), 10, false },
		{ B(""), 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct uc_request_head head;

		begin_row("certain", i, rows[i].bytes);
		uc_http_request(rows[i].bytes, rows[i].len, &head);
		assert_int_equal(uc_http_request_certain(&head, rows[i].len, rows[i].room),
				 rows[i].certain);
	}
	row[0] = '\0';
}

static const struct redaction redacted_foreign[] = {
	{ B("AUTH hunter2"), B("AUTH\nxxxxxxx") },
	{ B("$6\r\nsecret\r\n"), B("$6\nxxxxxxxxx") },
	{ B("SSH-2.0-OpenSSH\r\n"), B("SSH-2.0-\nxxxxxxxx") },
	{ B("\x16\x03\x01\x02\x00\x01\x00\x01\x02 "), B("\x16\x03\x01\x02\x00\x01\x00\x01\nx") },
	{ B("a"), B("a") },
};

static void test_redact_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(redacted_foreign); i++)
		expect_redaction("redacted foreign", i, &redacted_foreign[i],
				 uc_http_redact_foreign);
	row[0] = '\0';
}

/* --- properties, over every message above ---------------------------------------- */

static void for_each_message(void (*check)(const char *bytes, size_t len))
{
	size_t i;

	for (i = 0; i < COUNT(requests); i++)
		check(requests[i].bytes, requests[i].len);
	for (i = 0; i < COUNT(responses); i++)
		check(responses[i].bytes, responses[i].len);
	for (i = 0; i < COUNT(bodies); i++)
		check(bodies[i].bytes, bodies[i].len);
	for (i = 0; i < COUNT(redacted_requests); i++)
		check(redacted_requests[i].before, redacted_requests[i].before_len);
	for (i = 0; i < COUNT(redacted_responses); i++)
		check(redacted_responses[i].before, redacted_responses[i].before_len);
}

static void expect_step(enum uc_head_state before, enum uc_head_state after)
{
	if (before == UC_HEAD_COMPLETE || before == UC_HEAD_INVALID)
		assert_int_equal(after, before);
	else
		assert_true(after >= before);
}

static void check_prefixes(const char *bytes, size_t len)
{
	struct uc_response_head response = { .state = UC_HEAD_EMPTY }, next_response;
	struct uc_request_head request = { .state = UC_HEAD_EMPTY }, next_request;
	const char *p;
	size_t n;

	for (n = 0; n <= len; n++) {
		p = at_end(area[0], bytes, n);
		uc_http_request(p, n, &next_request);
		expect_step(request.state, next_request.state);
		if (request.state == UC_HEAD_COMPLETE)
			assert_int_equal(next_request.head_len, request.head_len);
		uc_http_response(p, n, NULL, 0, &next_response);
		expect_step(response.state, next_response.state);
		if (response.state == UC_HEAD_COMPLETE)
			assert_true(same_head(&response, &next_response));
		if (response.status)
			assert_int_equal(next_response.status, response.status);
		request = next_request;
		response = next_response;
	}
}

static void test_prefixes(void **state)
{
	(void)state;
	for_each_message(check_prefixes);
}

/* A verdict on a cut recording must not turn out to be wrong. */
static void check_kept(const char *bytes, size_t len)
{
	struct uc_response_head whole, cut;
	enum uc_body_state of_whole, of_cut;
	size_t tail_len = len < 8 ? len : 8, n;

	uc_http_response(bytes, len, NULL, 0, &whole);
	if (whole.state != UC_HEAD_COMPLETE || whole.framing != UC_FRAMING_LENGTH)
		return;
	of_whole = uc_http_body(&whole, bytes, len, len, NULL, 0, NULL);
	for (n = 0; n < len; n++) {
		uc_http_response(bytes, n, NULL, 0, &cut);
		of_cut = uc_http_body(&cut, bytes, n, len, bytes + len - tail_len, tail_len, NULL);
		if (of_cut != UC_BODY_UNKNOWN)
			assert_int_equal(of_cut, of_whole);
	}
}

static void test_kept(void **state)
{
	(void)state;
	for_each_message(check_kept);
}

static void check_redaction(const char *bytes, size_t len)
{
	const char *fault;
	size_t n;

	for (n = 0; n <= len; n++) {
		fault = redaction_fault(at_end(area[0], bytes, n), n, area[1].start + ROOM - n,
					area[2].start + ROOM - n);
		if (fault)
			fail_msg("%s: %.*s", fault, (int)n, bytes);
	}
}

static void test_redaction_keeps_the_facts(void **state)
{
	(void)state;
	for_each_message(check_redaction);
}

static void check_mutations(const char *bytes, size_t len)
{
	static const char hostile[] = { 0, '\t', '\n', '\r', ' ', ',', '0', ':', '?', 'x', '\xff' };
	char *p = at_end(area[0], bytes, len);
	const char *fault;
	size_t i, h;

	for (i = 0; i < len; i++) {
		for (h = 0; h < sizeof(hostile); h++) {
			p[i] = hostile[h];
			fault = redaction_fault(p, len, area[1].start + ROOM - len,
						area[2].start + ROOM - len);
			if (fault)
				fail_msg("%s, with byte %zu 0x%02x: %s", fault, i,
					 (unsigned char)hostile[h], bytes);
		}
		p[i] = bytes[i];
	}
}

static void test_mutations(void **state)
{
	(void)state;
	for_each_message(check_mutations);
}

static void check_large(const char *start, const char *repeated, char *p, char *scratch,
			size_t size)
{
	size_t len = strlen(start), step = strlen(repeated);

	memcpy(p, start, len);
	for (; len + step <= size; len += step)
		memcpy(p + len, repeated, step);
	memcpy(scratch, p, len);
	uc_http_redact_request(scratch, len);
	assert_true(same_request(p, scratch, len));
	memcpy(scratch, p, len);
	uc_http_redact_response(scratch, len);
}

/* The time that a quadratic scan takes here is noticed. */
static void test_large(void **state)
{
	static const char *const starts[] = { OK_LINE,
					      OK_LINE "Content-Length: 1",
					      OK_LINE "Connection: ",
					      WITH_CHUNKS "\r\n",
					      "",
					      "GET /?" };
	static const char *const repeated[] = { "a",          "\n",    " ",        ",",
						",1",         "\r\n ", "A: b\r\n", CONTINUE,
						"1\r\na\r\n", "0",     "\r",       "\n 1" };
	const size_t size = 2 << 20;
	char *p = malloc(size), *scratch = malloc(size);
	size_t s, r;

	(void)state;
	assert_true(p && scratch);
	for (s = 0; s < COUNT(starts); s++)
		for (r = 0; r < COUNT(repeated); r++)
			check_large(starts[s], repeated[r], p, scratch, size);
	free(p);
	free(scratch);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_request, end_rows),
		cmocka_unit_test_teardown(test_response, end_rows),
		cmocka_unit_test_teardown(test_body, end_rows),
		cmocka_unit_test(test_body_of_another_head),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test_teardown(test_redact, end_rows),
		cmocka_unit_test_teardown(test_certain, end_rows),
		cmocka_unit_test_teardown(test_redact_foreign, end_rows),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_redaction_keeps_the_facts),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests_name("http", tests, set_up, NULL);
}
