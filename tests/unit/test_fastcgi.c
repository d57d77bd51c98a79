/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/conn/fastcgi.h"

static uint8_t buf[4096];
static size_t len;

static void record(uint8_t type, const char *body, size_t body_len, uint8_t padding)
{
	const uint8_t header[8] = { 1, type, 0, 1, body_len >> 8, body_len, padding };

	memcpy(buf + len, header, sizeof(header));
	memcpy(buf + len + sizeof(header), body, body_len);
	memset(buf + len + sizeof(header) + body_len, 0, padding);
	len += sizeof(header) + body_len + padding;
}

static void stdout_record(const char *text)
{
	record(6, text, strlen(text), 3);
}

static int start(void **state)
{
	(void)state;
	len = 0;
	return 0;
}

static enum uc_fastcgi_state state_of(size_t kept, uint64_t total)
{
	return uc_fastcgi_response(buf, kept, total, "", 0, true);
}

static void test_request(void **state)
{
	static const uint8_t begin[] = { 1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 };

	(void)state;
	assert_true(uc_fastcgi_request(begin, sizeof(begin)));
	for (size_t n = 0; n < 8; n++)
		assert_false(uc_fastcgi_request(begin, n));
	assert_false(uc_fastcgi_request("GET / HTTP/1.1\r\n", 16));
	assert_false(uc_fastcgi_request("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
}

static void test_complete(void **state)
{
	(void)state;
	stdout_record("Content-Type: text/plain\r\n\r\nhello");
	record(7, "a warning", 9, 0);
	record(3, "\0\0\0\0\0\0\0\0", 8, 0);
	assert_int_equal(state_of(len, len), UC_FASTCGI_COMPLETE);
}

static void test_cut(void **state)
{
	size_t header_end;

	(void)state;
	stdout_record("Content-Type: text/pl");
	stdout_record("ain\r\n\r");
	header_end = len;
	stdout_record("\nhello");
	record(3, "\0\0\0\0\0\0\0\0", 8, 0);
	for (size_t n = 0; n < len - 8; n++) {
		enum uc_fastcgi_state s = state_of(n, n);

		/* the line feed that ends the header is the first byte of its record */
		assert_int_equal(s, n > header_end + 8 ? UC_FASTCGI_BODY : UC_FASTCGI_HEADER);
	}
}

static void test_kept_in_part(void **state)
{
	(void)state;
	stdout_record("Status: 200\r\n\r\n");
	assert_int_equal(uc_fastcgi_response(buf, len, 100000, "\0\0\0\0\0\0\0\0", 8, true),
			 UC_FASTCGI_COMPLETE);
	assert_int_equal(uc_fastcgi_response(buf, len, 100000, "abcdefgh", 8, true),
			 UC_FASTCGI_UNKNOWN);
	assert_int_equal(uc_fastcgi_response(buf, len, 100000, "\0\0\0\0", 4, true),
			 UC_FASTCGI_UNKNOWN);
}

/* nginx awaits END_REQUEST only on a connection that it wants to keep */
static void test_stdout_ends(void **state)
{
	uint8_t begin[] = { 1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	const uint8_t *end;

	(void)state;
	assert_false(uc_fastcgi_keeps(begin, sizeof(begin)));
	begin[10] = 1;
	assert_true(uc_fastcgi_keeps(begin, sizeof(begin)));
	assert_false(uc_fastcgi_keeps(begin, 10));
	stdout_record("Content-Type: text/plain\r\n\r\nhello");
	assert_int_equal(uc_fastcgi_response(buf, len, len, "", 0, false), UC_FASTCGI_BODY);
	record(6, "", 0, 0);
	end = buf + len - 8;
	assert_int_equal(uc_fastcgi_response(buf, len, len, "", 0, false), UC_FASTCGI_COMPLETE);
	assert_int_equal(uc_fastcgi_response(buf, len, len, "", 0, true), UC_FASTCGI_BODY);
	assert_int_equal(uc_fastcgi_response(buf, 20, len, end, 8, false), UC_FASTCGI_COMPLETE);
	assert_int_equal(uc_fastcgi_response(buf, 20, len, end, 8, true), UC_FASTCGI_UNKNOWN);
}

static void test_no_fastcgi(void **state)
{
	(void)state;
	memcpy(buf, "HTTP/1.1 200 OK\r\n\r\n", 19);
	assert_int_equal(state_of(19, 19), UC_FASTCGI_UNKNOWN);
}

static void test_uwsgi(void **state)
{
	static const char packet[] = "\0\x20\0\0\x0e\0REQUEST_METHOD\x04\0HEAD";
	const char *method;
	size_t n;

	(void)state;
	assert_true(uc_uwsgi_request(packet, sizeof(packet) - 1, &method, &n));
	assert_int_equal(n, 4);
	assert_memory_equal(method, "HEAD", 4);
	for (size_t cut = 0; cut < sizeof(packet) - 1; cut++) {
		uc_uwsgi_request(packet, cut, &method, &n);
		assert_null(method);
	}
	assert_false(uc_uwsgi_request("GET / HTTP/1.1", 14, &method, &n));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
	static const struct CMUnitTest tests[] = { TEST(test_request),    TEST(test_complete),
						   TEST(test_cut),        TEST(test_kept_in_part),
						   TEST(test_no_fastcgi), TEST(test_uwsgi),
						   TEST(test_stdout_ends) };

	return cmocka_run_group_tests_name("fastcgi", tests, NULL, NULL);
}
