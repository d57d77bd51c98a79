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

#include "base/log.h"
#include "base/util.h"
#include "check/policy.h"

static char said[4096];

static void note(int priority, const char *text)
{
	(void)priority;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

/* The path of a file with this text; the newest only. */
static const char *file_of(const char *text)
{
	static char path[64];
	int fd;

	strcpy(path, "/tmp/upclose-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static int read_text(const char *text, struct uc_policy **ret)
{
	const char *path = file_of(text);
	int err;

	said[0] = '\0';
	uc_log_writer = note;
	err = uc_policy_read(path, ret);
	uc_log_writer = NULL;
	unlink(path);
	return err;
}

static void test_empty_requires_nothing(void **state)
{
	struct uc_policy *p;
	struct uc_requirements r;

	(void)state;
	assert_int_equal(read_text("{}\n", &p), 0);
	r = uc_policy_requirements(p);
	assert_int_equal(r.read_timeout_max, -1);
	assert_int_equal(r.attempts_max, -1);
	assert_false(r.upstream_idle_known);
	assert_int_equal(uc_policy_fail_on(p), UC_SEVERITY_WARNING);
	uc_policy_free(p);
}

static void test_requirements(void **state)
{
	struct uc_policy *p;
	struct uc_requirements r;

	(void)state;
	assert_int_equal(
		read_text("require:\n  read_timeout_max: 30s\n  connect_timeout_max: 500ms\n"
			  "  attempts_max: 2\n  upstream_idle_known: true\nfail_on: error\n",
			  &p),
		0);
	r = uc_policy_requirements(p);
	assert_int_equal(r.read_timeout_max, 30000);
	assert_int_equal(r.connect_timeout_max, 500);
	assert_int_equal(r.attempts_max, 2);
	assert_true(r.upstream_idle_known);
	assert_int_equal(r.read_timeout_min, -1);
	assert_int_equal(uc_policy_fail_on(p), UC_SEVERITY_ERROR);
	uc_policy_free(p);
}

/* All faults of a file are said, each with its place. */
static void test_faults(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "require:\n  read_timeout_max: soon\n", "require.read_timeout_max" },
		{ "accept:\n - {rule: no-such, reason: x, until: 2099-01-01}\n",
		  "'no-such' is no rule" },
		{ "accept:\n - {rule: idle-race, reason: x, until: 2099-13-01}\n", "is no day" },
		{ "accept:\n - {rule: idle-race, reason: x, until: 2099-02-3x}\n", "is no day" },
		{ "fail_on: never\n", "fail_on" },
		{ "unknown_key: 1\n", "unknown_key" },
		{ "\tnot yaml", ":" },
	};
	struct uc_policy *p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(read_text(rows[i].text, &p) < 0);
		if (!strstr(said, rows[i].says))
			fail_msg("row %zu: '%s' does not name %s", i, said, rows[i].says);
	}
	assert_true(read_text("accept:\n - {rule: a-a, reason: x, until: 2099-01-01}\n"
			      " - {rule: b-b, reason: x, until: 2099-01-01}\n",
			      &p) < 0);
	assert_non_null(strstr(said, "a-a"));
	assert_non_null(strstr(said, "b-b"));
}

static void test_no_file(void **state)
{
	struct uc_policy *p;

	(void)state;
	uc_log_writer = note;
	said[0] = '\0';
	assert_int_equal(uc_policy_read("/nonexistent/policy", &p), -ENOENT);
	uc_log_writer = NULL;
	assert_non_null(strstr(said, "/nonexistent/policy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_requires_nothing),
		cmocka_unit_test(test_requirements),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
