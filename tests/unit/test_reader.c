/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/reader.h"
#include "build.h"

#define HEAD_200 "HTTP/1.1 200 OK\r\n"
#define CHUNKED  HEAD_200 "Transfer-Encoding: chunked\r\n\r\n"

static struct uc_reader reader;

/* In pieces of so many bytes, from a copy that is as long as the piece. */
static size_t feed(const char *bytes, size_t len, size_t piece)
{
	size_t at = 0;

	while (at < len) {
		size_t want = len - at < piece ? len - at : piece, taken;
		char *copy = malloc(want);

		assert_non_null(copy);
		memcpy(copy, bytes + at, want);
		taken = uc_reader_feed(&reader, copy, want);
		free(copy);
		at += taken;
		if (taken < want)
			break;
	}
	return at;
}

struct row {
	const char *bytes;
	enum uc_reader_state state;
	size_t surplus; /* at the end of bytes, that belong to no answer */
	bool ended;     /* and then the connection ends */
};

static const struct row rows[] = {
	{ "", UC_READER_HEAD, 0, false },
	{ "HTTP/1.1 20", UC_READER_HEAD, 0, false },
	{ HEAD_200 "Content-Length: 3\r\n", UC_READER_HEAD, 0, true },
	{ HEAD_200 "Content-Length: 3\r\n\r\nok\n", UC_READER_DONE, 0, false },
	{ HEAD_200 "Content-Length: 3\r\n\r\nok\nHTTP", UC_READER_DONE, 4, false },
	{ HEAD_200 "Content-Length: 3\r\n\r\nok", UC_READER_BODY, 0, true },
	{ HEAD_200 "Content-Length: 0\r\n\r\n", UC_READER_DONE, 0, false },
	{ "HTTP/1.1 204 No Content\r\n\r\nxx", UC_READER_DONE, 2, false },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", UC_READER_DONE, 0, false },
	{ "HTTP/1.1 100 Continue\r\n\r\n" HEAD_200 "Content-Length: 1\r\n\r\nx", UC_READER_DONE, 0,
	  false },
	{ "HTTP/1.1 101 Switching Protocols\r\n\r\nraw", UC_READER_DONE, 3, false },
	{ HEAD_200 "\r\nuntil the end", UC_READER_BODY, 0, false },
	{ HEAD_200 "\r\nuntil the end", UC_READER_DONE, 0, true },
	{ HEAD_200 "Content-Length: x\r\nA: b\r\n\r\n", UC_READER_NOT_HTTP, 0, false },
	{ HEAD_200 "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", UC_READER_NOT_HTTP, 0, false },
	{ "<html>a page of HTTP/0.9\n", UC_READER_NOT_HTTP, 0, false },
	{ "\x15\x03\x01\x02\x02\x46", UC_READER_NOT_HTTP, 0, false },

	{ CHUNKED "3\r\nok\n\r\n0\r\n\r\n", UC_READER_DONE, 0, false },
	{ CHUNKED "3\nok\n\n0\n\n", UC_READER_DONE, 0, false },
	{ CHUNKED "0003;name=value\r\nok\n\r\n0\r\n\r\nmore", UC_READER_DONE, 4, false },
	{ CHUNKED "3 \r\nok\n\r\n0\t\r\n\r\n", UC_READER_DONE, 0, false },
	{ CHUNKED "0\r\nX-Sum: 1\r\n\r\n", UC_READER_DONE, 0, false },
	{ CHUNKED "0\r\n\r\r\n\r\n", UC_READER_DONE, 0, false },
	{ CHUNKED "0\r\nX-Sum: 1\r\n", UC_READER_BODY, 0, true },
	{ CHUNKED "3\r\nok", UC_READER_BODY, 0, true },
	{ CHUNKED "fffffffffffffff\r\nx", UC_READER_BODY, 0, false },
	{ CHUNKED "FFFFFFFFFFFFFFFF\r\nx", UC_READER_BODY, 0, false },
	{ CHUNKED "10000000000000000\r\n", UC_READER_BAD_CHUNK, 2, false },
	{ CHUNKED "\r\n", UC_READER_BAD_CHUNK, 1, false },
	{ CHUNKED "g\r\n", UC_READER_BAD_CHUNK, 2, false },
	{ CHUNKED "1\rx", UC_READER_BAD_CHUNK, 0, false },
	{ CHUNKED "1\r\nxy", UC_READER_BAD_CHUNK, 0, false },
	{ CHUNKED "1\r\nx\rz", UC_READER_BAD_CHUNK, 0, false },
};

static void test_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = rows[i].bytes[0] == 0x15 ? 6 : strlen(rows[i].bytes);

		for (size_t piece = 1; piece <= len + 1; piece++) {
			size_t taken;

			uc_reader_init(&reader, false);
			taken = feed(rows[i].bytes, len, piece);
			if (rows[i].ended)
				uc_reader_end(&reader);
			/* how much of what is no HTTP was looked at matters to nobody */
			if (reader.state == UC_READER_NOT_HTTP)
				taken = len;
			if (reader.state != rows[i].state || taken != len - rows[i].surplus)
				fail_msg("row %zu in pieces of %zu: state %d, %zu of %zu taken", i,
					 piece, reader.state, taken, len);
		}
	}
}

/* What says nothing more is not looked at again. */
static void test_nothing_after_the_end(void **state)
{
	(void)state;
	uc_reader_init(&reader, false);
	feed("nonsense\r\n", 10, 10);
	assert_int_equal(uc_reader_feed(&reader, "more", 4), 0);
	assert_int_equal(reader.state, UC_READER_NOT_HTTP);
}

static void test_answer_to_head(void **state)
{
	static const char answer[] = HEAD_200 "Content-Length: 300\r\n\r\n";

	(void)state;
	uc_reader_init(&reader, true);
	assert_int_equal(feed(answer, sizeof(answer) - 1, 7), sizeof(answer) - 1);
	assert_int_equal(reader.state, UC_READER_DONE);
	assert_int_equal(reader.head.status, 200);
}

/* However it comes, a head without end is given up at its limit. */
static void test_endless_head(void **state)
{
	static const char *const starts[] = { HEAD_200, HEAD_200 "X: ", "HTTP/1.1 200 " };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		for (size_t piece = 1; piece <= 65536; piece *= 16) {
			size_t len = strlen(starts[i]), taken;

			uc_reader_init(&reader, false);
			taken = feed(starts[i], len, piece);
			while (reader.state == UC_READER_HEAD && taken < 1 << 20)
				taken += feed("X-Filler: as long as one likes\r\n", i ? 8 : 32,
					      piece);
			assert_int_equal(reader.state, UC_READER_TOO_LONG);
			assert_int_equal(taken, UC_READER_HEAD_MAX);
		}
	}
}

static void test_longest_head(void **state)
{
	static char bytes[UC_READER_HEAD_MAX + 5];
	const char start[] = HEAD_200 "Content-Length: 5\r\nX: ";

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, start, sizeof(start) - 1);
	memcpy(bytes + UC_READER_HEAD_MAX - 4, "\r\n\r\n12345", 9);
	uc_reader_init(&reader, false);
	assert_int_equal(feed(bytes, sizeof(bytes), 1000), sizeof(bytes));
	assert_int_equal(reader.state, UC_READER_DONE);
}

static void expect_field(const char *name, const char *want)
{
	const char *value = NULL;
	size_t len = 0;
	bool found = uc_reader_field(&reader, name, &value, &len);

	assert_int_equal(found, want != NULL);
	if (want) {
		assert_int_equal(len, strlen(want));
		assert_memory_equal(value, want, len);
	}
}

static void test_fields(void **state)
{
	static const char answer[] = "HTTP/1.1 103 Early Hints\r\nServer: hints\r\n\r\n" HEAD_200
				     "SERVER:  nginx/1.22.1 \r\nServer: second\r\nEmpty:\r\n"
				     "Folded: a\r\n b\r\nContent-Length: 9\r\n\r\nServer: x";

	(void)state;
	uc_reader_init(&reader, false);
	feed(answer, 60, 60);
	expect_field("server", NULL);
	uc_reader_init(&reader, false);
	feed(answer, sizeof(answer) - 1, 11);
	assert_int_equal(reader.state, UC_READER_DONE);
	expect_field("server", "nginx/1.22.1");
	expect_field("empty", "");
	expect_field("folded", "a\r\n b");
	expect_field("serve", NULL);
	expect_field("x", NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_pieces),     cmocka_unit_test(test_nothing_after_the_end),
		cmocka_unit_test(test_answer_to_head), cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_longest_head),   cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
