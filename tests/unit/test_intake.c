/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "source/intake.h"

#define RECORD 5848
#define MANY   1000 /* of them, in more than one chunk */

static struct uc_intake *b;
static uint8_t record[RECORD];

static int set_up(void **state)
{
	(void)state;
	return uc_intake_new(1 << 20, &b);
}

static int tear_down(void **state)
{
	(void)state;
	uc_intake_free(b);
	return 0;
}

static void put(unsigned n)
{
	memset(record, n, sizeof(record));
	assert_int_equal(uc_intake_put(b, record, 1 + n % RECORD), 0);
}

static void expect(unsigned n)
{
	size_t len = 0;
	const uint8_t *bytes = uc_intake_take(b, &len);

	assert_non_null(bytes);
	assert_int_equal(len, 1 + n % RECORD);
	assert_int_equal(bytes[0], n & 0xff);
	assert_int_equal(bytes[len - 1], n & 0xff);
}

static void expect_nothing(void)
{
	size_t len;

	assert_null(uc_intake_take(b, &len));
	assert_true(uc_intake_empty(b));
}

static void test_in_order(void **state)
{
	(void)state;
	expect_nothing();
	for (unsigned n = 0; n < MANY; n++)
		put(n * 37);
	assert_false(uc_intake_empty(b));
	for (unsigned n = 0; n < MANY; n++)
		expect(n * 37);
	expect_nothing();
	put(1);
	expect(1);
	expect_nothing();
}

static void test_put_and_take_by_turns(void **state)
{
	unsigned in = 0, out = 0;

	(void)state;
	while (in < MANY) {
		for (unsigned i = 0; i < 5; i++)
			put(in++ * 11);
		for (unsigned i = 0; i < 4; i++)
			expect(out++ * 11);
	}
	while (out < in)
		expect(out++ * 11);
	expect_nothing();
}

static void test_full(void **state)
{
	unsigned n = 0;

	(void)state;
	for (; !uc_intake_full(b); n++)
		put(RECORD - 1);
	assert_int_equal(n, (1 << 20) / RECORD + 1);
	/* what has begun to come may come in */
	put(RECORD - 1);
	for (unsigned i = 0; i < 2; i++)
		expect(RECORD - 1);
	assert_false(uc_intake_full(b));
	/* the sanitizer counts what tear_down leaves */
}

static void test_too_large(void **state)
{
	static uint8_t huge[1 << 20];

	(void)state;
	assert_true(uc_intake_put(b, huge, sizeof(huge)) < 0);
	expect_nothing();
	uc_intake_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_put_and_take_by_turns),
		TEST(test_full),
		TEST(test_too_large),
	};

	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
