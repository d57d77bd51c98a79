/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "probe/trials.h"

static struct uc_target to;

static int set_up(void **state)
{
	const char *why;

	(void)state;
	return uc_target_parse("http://app.test:8080/a?b=c", &to, &why);
}

static int tear_down(void **state)
{
	(void)state;
	uc_target_free(&to);
	return 0;
}

static void test_rows_stand_at_their_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < UC_TRIAL_COUNT; i++) {
		assert_int_equal(uc_trials[i].trial, i);
		assert_true(uc_trials[i].group < UC_GROUP_COUNT);
		assert_non_null(uc_group_name(uc_trials[i].group));
	}
}

static void test_groups(void **state)
{
	static const char *const bad[] = { "", ",", "idle,", ",idle", "Idle", "idle header", "all" };
	unsigned groups;

	(void)state;
	assert_true(uc_groups_parse("idle", &groups));
	assert_int_equal(groups, 1U << UC_GROUP_IDLE);
	assert_true(uc_groups_parse("half-close,idle,idle", &groups));
	assert_int_equal(groups, 1U << UC_GROUP_IDLE | 1U << UC_GROUP_HALF_CLOSE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(uc_groups_parse(bad[i], &groups));
}

static void test_header_faults(void **state)
{
	static const char *const good[] = { "Authorization: Bearer x", "Host: a", "X-Empty:" };
	static const char *const bad[] = { "",           "no colon",          ": x",
					   "A B: c",     "Connection: x",     "connection: x",
					   "Upgrade: x", "Content-Length: 3", "X: a\r\nB: c",
					   "X: \x7f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(uc_header_fault(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(uc_header_fault(bad[i]));
}

static void test_the_users_host_wins(void **state)
{
	struct uc_requests r = { .headers = { "host:  other.test" }, .header_count = 1 };
	char *bytes;

	(void)state;
	assert_string_equal(uc_requests_host(&r, &to), "other.test");
	bytes = uc_trial_bytes(UC_TRIAL_IDLE, &to, &r);
	assert_non_null(strstr(bytes, "host:  other.test\r\n"));
	assert_null(strstr(bytes, "app.test"));
	free(bytes);
	r.header_count = 0;
	assert_string_equal(uc_requests_host(&r, &to), "app.test:8080");
}

/* What each trial is about is in its bytes, and in no other's. */
static void test_bytes_of_each(void **state)
{
	static const struct {
		enum uc_trial trial;
		const char *begins, *has, *lacks;
	} rows[] = {
		{ UC_TRIAL_IDLE, "GET /a?b=c HTTP/1.1\r\n", "\r\n\r\n", "Connection" },
		{ UC_TRIAL_HTTP10, "GET /a?b=c HTTP/1.0\r\n", "Connection: keep-alive\r\n\r\n",
		  "Connection: close" },
		{ UC_TRIAL_CLOSING, "GET /a?b=c HTTP/1.1\r\n", "Connection: close\r\n\r\n",
		  "keep-alive" },
		{ UC_TRIAL_EARLY, "POST /a?b=c HTTP/1.1\r\n", "Content-Length: 1048576\r\n\r\n",
		  "Connection" },
		{ UC_TRIAL_HALF_HEADER, "GET /a?b=c HTTP/1.1\r\n", "X-Upclose", "\r\n\r\n" },
		{ UC_TRIAL_HALF_BODY, "POST /a?b=c HTTP/1.1\r\n",
		  "Content-Length: 16\r\n\r\nhalf a b", "Connection" },
	};
	const struct uc_requests r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *bytes = uc_trial_bytes(rows[i].trial, &to, &r);

		assert_memory_equal(bytes, rows[i].begins, strlen(rows[i].begins));
		assert_non_null(strstr(bytes, rows[i].has));
		assert_null(strstr(bytes, rows[i].lacks));
		free(bytes);
	}
}

static void test_silence_and_head(void **state)
{
	const struct uc_requests head = { .head = true };
	char *bytes = uc_trial_bytes(UC_TRIAL_SILENT, &to, &head);

	(void)state;
	assert_string_equal(bytes, "");
	free(bytes);
	bytes = uc_trial_bytes(UC_TRIAL_REQUESTS, &to, &head);
	assert_memory_equal(bytes, "HEAD ", 5);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_stand_at_their_number),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_header_faults),
		cmocka_unit_test_setup_teardown(test_the_users_host_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_of_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_and_head, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
