/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"
#include "base/log.h"
#include "cmd/options.h"

static struct uc_output_options opt;

static unsigned said;

/* What is said on bad values is for people: here it is counted. */
void uc_error(const char *fmt, ...)
{
	assert_true(*fmt);
	said++;
}

static int set_up(void **state)
{
	(void)state;
	uc_output_options_init(&opt);
	return 0;
}

static void expect_number(const char *text, uint64_t min, uint64_t max, bool good, uint64_t n)
{
	uint64_t got = 4711;

	if (uc_parse_number(text, min, max, &got) != good)
		fail_msg("'%s' is %s", text, good ? "refused" : "taken");
	assert_int_equal(got, good ? n : 4711);
}

static void test_numbers(void **state)
{
	static const char *const bad[] = { "",
					   " ",
					   "1 ",
					   " 1",
					   "-1",
					   "+1",
					   "0x10",
					   "1e3",
					   "1.0",
					   "1,0",
					   "one",
					   "१",
					   "1\n",
					   "--",
					   "NaN",
					   "18446744073709551616",
					   "99999999999999999999999" };

	(void)state;
	expect_number("0", 0, 9, true, 0);
	expect_number("9", 0, 9, true, 9);
	expect_number("10", 0, 9, false, 0);
	expect_number("4", 5, 9, false, 0);
	expect_number("007", 0, 9, true, 7);
	expect_number("18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX);
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_number(bad[i], 0, UINT64_MAX, false, 0);
}

static void expect_seconds(const char *text, bool good, uint64_t ns)
{
	uint64_t got = 4711;

	if (uc_parse_seconds(text, &got) != good)
		fail_msg("'%s' is %s", text, good ? "refused" : "taken");
	assert_int_equal(got, good ? ns : 4711);
}

static void test_seconds(void **state)
{
	static const char *const bad[] = { "", "0", "0.0", "-1", "+1", "1s", "1 s", " 1", "1 ",
					   "1e3", "0x1", "0x1p3", "inf", "nan", "INF", "1..2", ".",
					   "1,5", "1.5.", "1:00", "315360001",
					   "9999999999999999999999",
					   /* less than a nanosecond is no time at all */
					   "0.0000000001", ".0000000000000000000000000001" };

	(void)state;
	expect_seconds("1", true, S);
	expect_seconds("0.5", true, 500 * MS);
	expect_seconds(".25", true, 250 * MS);
	expect_seconds("2.", true, 2 * S);
	expect_seconds("0.000000001", true, 1);
	expect_seconds("315360000", true, 315360000 * S);
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_seconds(bad[i], false, 0);
}

/* A bad value is said. */
static bool give(int option, const char *value)
{
	unsigned before = said;
	bool good = uc_output_options_take(&opt, option, value) == UC_GO_ON;

	assert_int_equal(said - before, !good);
	return good;
}

static void test_defaults(void **state)
{
	(void)state;
	assert_ptr_equal(opt.output.connection, uc_output_text.connection);
	assert_int_equal(opt.engine.max_count, 0);
	assert_int_equal(opt.engine.port_count, 0);
	assert_int_equal(opt.engine.comm_count, 0);
	assert_false(opt.all);
	assert_false(opt.engine.show_query);
	assert_false(opt.exit_code);
	assert_false(opt.unredacted);
}

static void test_output(void **state)
{
	(void)state;
	assert_true(give('o', "json"));
	assert_ptr_equal(opt.output.connection, uc_output_json.connection);
	assert_true(give('o', "table"));
	assert_ptr_equal(opt.output.connection, uc_output_table.connection);
	assert_true(give('o', "text"));
	assert_ptr_equal(opt.output.connection, uc_output_text.connection);
	assert_false(give('o', "xml"));
	assert_false(give('o', ""));
	assert_false(give('o', "JSON"));
}

static void test_count(void **state)
{
	(void)state;
	assert_true(give('c', "1"));
	assert_int_equal(opt.engine.max_count, 1);
	assert_false(give('c', "0"));
	assert_false(give('c', "-1"));
	assert_false(give('c', "many"));
}

static void test_ports(void **state)
{
	char port[8];

	(void)state;
	for (unsigned i = 1; i <= 16; i++) {
		snprintf(port, sizeof(port), "%u", i * 4095);
		assert_true(give('p', port));
		assert_int_equal(opt.engine.port_count, i);
		assert_int_equal(opt.engine.ports[i - 1], i * 4095);
	}
	assert_false(give('p', "80"));
	assert_int_equal(opt.engine.port_count, 16);
	set_up(NULL);
	assert_false(give('p', "0"));
	assert_false(give('p', "65536"));
	assert_false(give('p', "http"));
	assert_true(give('p', "65535"));
	assert_int_equal(opt.engine.port_count, 1);
}

static void test_names(void **state)
{
	(void)state;
	assert_false(give('C', ""));
	assert_false(give('C', "sixteen-is-a-lot"));
	for (unsigned i = 1; i <= 8; i++)
		assert_true(give('C', "fifteen-is-fine"));
	assert_false(give('C', "nginx"));
	assert_int_equal(opt.engine.comm_count, 8);
	assert_string_equal(opt.engine.comms[7], "fifteen-is-fine");
}

static void test_switches(void **state)
{
	(void)state;
	assert_true(give('a', NULL));
	assert_true(opt.all);
	assert_true(give('x', NULL));
	assert_true(opt.exit_code);
	assert_true(give('U', NULL));
	assert_true(opt.unredacted && opt.engine.show_query);
}

/* Each long name leads to its short one, and the help has them all. */
static void test_help(void **state)
{
	static const struct option longs[] = { UC_OUTPUT_LONG };

	(void)state;
	for (size_t i = 0; i < COUNT(longs); i++) {
		char name[32];

		snprintf(name, sizeof(name), "--%s", longs[i].name);
		assert_non_null(strstr(UC_OUTPUT_HELP, name));
		if (!strchr("vh", longs[i].val))
			give(longs[i].val, "1");
		if (strchr("ocpvh", longs[i].val))
			assert_non_null(strchr(UC_OUTPUT_SHORT, longs[i].val));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	static const struct CMUnitTest tests[] = {
		TEST(test_numbers), TEST(test_seconds),  TEST(test_defaults),
		TEST(test_output),  TEST(test_count),    TEST(test_ports),
		TEST(test_names),   TEST(test_switches), TEST(test_help),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
