/* SPDX-License-Identifier: BSD-2-Clause */
#include <time.h>

#include "build.h"
#include "base/text.h"

static void expect_escape(const char *bytes, size_t len, size_t size, const char *text)
{
	/* as long as it is told to be, so that the sanitizer sees a byte too many */
	char *buf = malloc(size);

	assert_non_null(buf);
	memset(buf, '!', size);
	uc_text_escape(bytes, len, buf, size);
	assert_string_equal(buf, text);
	free(buf);
}

static void test_escape(void **state)
{
	(void)state;
	expect_escape("", 0, 1, "");
	expect_escape("/a b", 4, 64, "/a b");
	expect_escape("~ \x7f\x1f", 4, 64, "~ \\x7f\\x1f");
	expect_escape("a\0b", 3, 64, "a\\x00b");
	expect_escape("\\x00", 4, 64, "\\x5cx00");
	expect_escape("\x1b[31m\r\n\t", 8, 64, "\\x1b[31m\\x0d\\x0a\\x09");
	expect_escape("\xff\xc3\xa4", 3, 64, "\\xff\\xc3\\xa4");
	expect_escape("\"'%n", 4, 64, "\"'%n");
}

static void test_escape_cut(void **state)
{
	(void)state;
	expect_escape("abc", 3, 4, "abc");
	expect_escape("abc", 3, 3, "ab");
	expect_escape("abc", 3, 1, "");
	/* an escape is written whole or not at all */
	expect_escape("\n", 1, 5, "\\x0a");
	for (size_t size = 1; size < 5; size++)
		expect_escape("\n", 1, size, "");
	expect_escape("a\nb", 3, 5, "a");
	expect_escape("a\nb", 3, 6, "a\\x0a");
	expect_escape("a\nb", 3, 7, "a\\x0ab");
}

/* Nothing that a terminal would act on, nothing that JSON could not hold, for all bytes. */
static void test_escape_all(void **state)
{
	char bytes[256], text[4 * 256 + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	uc_text_escape(bytes, sizeof(bytes), text, sizeof(text));
	for (const char *p = text; *p; p++)
		assert_in_range(*p, 0x20, 0x7e);
	assert_true(strlen(text) > 256);
}

static void expect_address(const __u8 addr[16], unsigned family, const char *text)
{
	char buf[UC_ADDR_LEN], endpoint[UC_ADDR_LEN], expected[2 * UC_ADDR_LEN];

	uc_text_addr(addr, family, buf);
	assert_string_equal(buf, text);
	uc_text_endpoint(addr, family, 65535, endpoint);
	snprintf(expected, sizeof(expected), strchr(text, ':') ? "[%s]:65535" : "%s:65535", text);
	assert_string_equal(endpoint, expected);
}

static void test_addresses(void **state)
{
	static const __u8 v4[16] = { [10] = 0xff, 0xff, 192, 0, 2, 255 };
	static const __u8 any[16] = { 0 }, loopback6[16] = { [15] = 1 };
	static const __u8 link[16] = { 0xfe, 0x80, [8] = 1, 2, 3, 4, 5, 6, 7, 8 };
	__u8 full[16];

	(void)state;
	expect_address(v4, AF_INET, "192.0.2.255");
	expect_address(v4, AF_INET6, "192.0.2.255");
	expect_address(any, AF_INET, "0.0.0.0");
	expect_address(any, AF_INET6, "::");
	expect_address(loopback6, AF_INET6, "::1");
	expect_address(link, AF_INET6, "fe80::102:304:506:708");
	memset(full, 0xfd, sizeof(full));
	expect_address(full, AF_INET6, "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd");
	memset(full, 255, sizeof(full));
	expect_address(full, AF_INET, "255.255.255.255");
}

static void test_rfc3339(void **state)
{
	char buf[48];

	(void)state;
	uc_text_rfc3339(0, buf, sizeof(buf));
	assert_string_equal(buf, "1970-01-01T00:00:00.000000000Z");
	uc_text_rfc3339(1795353889123456789ULL, buf, sizeof(buf));
	assert_string_equal(buf, "2026-11-22T13:24:49.123456789Z");
	uc_text_rfc3339(951782400000000001ULL, buf, sizeof(buf));
	assert_string_equal(buf, "2000-02-29T00:00:00.000000001Z");
	uc_text_rfc3339(4102444799999999999ULL, buf, sizeof(buf));
	assert_string_equal(buf, "2099-12-31T23:59:59.999999999Z");
	/* a clock that makes no sense still makes a string */
	uc_text_rfc3339(UINT64_MAX, buf, sizeof(buf));
	assert_int_equal(strlen(buf), strlen("2026-11-22T13:24:49.123456789Z"));
}

static void expect_clock(const char *zone, uint64_t ns, const char *text)
{
	char buf[32];

	setenv("TZ", zone, 1);
	tzset();
	uc_text_clock(ns, buf, sizeof(buf));
	assert_string_equal(buf, text);
}

static void test_clock(void **state)
{
	(void)state;
	expect_clock("UTC0", 1795353889123456789ULL, "13:24:49.123");
	expect_clock("EST5", 1795353889123456789ULL, "08:24:49.123");
	expect_clock("IST-5:30", 1795353889000000000ULL, "18:54:49.000");
	/* cut, not rounded: the next second has not begun */
	expect_clock("UTC0", 1795353889999999999ULL, "13:24:49.999");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),     cmocka_unit_test(test_escape_cut),
		cmocka_unit_test(test_escape_all), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_rfc3339),    cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
