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
#include "check/timeouts.h"

static struct uc_timeouts *known;
static char why[UC_TIMEOUTS_WHY];

static int set_up(void **state)
{
	(void)state;
	return uc_timeouts_new(&known);
}

static int tear_down(void **state)
{
	(void)state;
	uc_timeouts_free(known);
	return 0;
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

static int learn(const char *text)
{
	const char *path = file_of(text);
	int err = uc_timeouts_learned(known, path, why);

	unlink(path);
	return err;
}

static struct uc_idle idle_of(const char *host, uint16_t port)
{
	struct uc_nginx_server s = { .at = { .host = { host, (uint32_t)strlen(host) },
					     .port = port } };
	const char *source;

	return uc_timeouts_idle(known, &s, NULL, &source);
}

static void test_told(void **state)
{
	(void)state;
	assert_int_equal(uc_timeouts_state(known, "127.0.0.1:3000=5", why), 0);
	assert_int_equal(uc_timeouts_state(known, "127.0.0.1:3001=never", why), 0);
	assert_int_equal(uc_timeouts_state(known, "127.0.0.1:3002=0", why), 0);
	assert_int_equal(idle_of("127.0.0.1", 3000).ms, 5000);
	assert_int_equal(idle_of("127.0.0.1", 3001).ms, UC_NGINX_NEVER);
	assert_int_equal(idle_of("127.0.0.1", 3002).ms, 0);
	assert_int_equal(idle_of("127.0.0.1", 3003).origin, UC_IDLE_UNKNOWN);
}

/* "*" is for those of which nothing else is known. */
static void test_any(void **state)
{
	(void)state;
	assert_int_equal(uc_timeouts_state(known, "*=9", why), 0);
	assert_int_equal(uc_timeouts_state(known, "127.0.0.1:3000=5", why), 0);
	assert_int_equal(idle_of("127.0.0.1", 3000).ms, 5000);
	assert_int_equal(idle_of("127.0.0.1", 3001).ms, 9000);
}

static void test_faults(void **state)
{
	static const char *const bad[] = { "", "=5", "a", "a=", "a=x", "a=-1", "a=5x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(uc_timeouts_state(known, bad[i], why), -EINVAL);
		assert_non_null(strstr(why, "ADDR=SECONDS"));
	}
	assert_int_equal(uc_timeouts_kind(known, "a=no-such-kind", why), -EINVAL);
	assert_non_null(strstr(why, "node"));
}

#define LEARNED(ms)                                                                                    \
	"{\"schema\":1,\"kind\":\"connection\",\"verdict\":\"keepalive_race\",\"upstream\":{\"addr\":" \
	"\"127.0.0.1\",\"port\":3000},\"upstream_idle\":{\"timeout_ms\":" ms ",\"min_ms\":" ms         \
	",\"max_ms\":" ms ",\"count\":7}}\n"

static void test_learned_counts_and_is_told_from_what_was_told(void **state)
{
	struct uc_nginx_server s = { .at = { .host = { "127.0.0.1", 9 }, .port = 3000 } };
	const struct uc_timeouts_of *of;

	(void)state;
	assert_int_equal(learn(LEARNED("5000.5") LEARNED("5100")), 0);
	assert_in_range(idle_of("127.0.0.1", 3000).ms, 5000, 5100);
	of = uc_timeouts_find(known, &s);
	assert_non_null(of);
	assert_int_equal(of->happened[UC_VERDICT_KEEPALIVE_RACE], 2);
}

static void test_lines_that_are_none(void **state)
{
	(void)state;
	assert_true(learn("") < 0);
	assert_true(learn("{garbage\n" LEARNED("5000")) < 0);
	assert_non_null(strstr(why, ":1:"));
	assert_true(learn("{\"kind\":\"probe\"}\n") < 0);
	assert_true(uc_timeouts_learned(known, "/nonexistent", why) < 0);
	assert_non_null(strstr(why, "/nonexistent"));
}

static void test_hostile_numbers(void **state)
{
	(void)state;
	(void)learn(LEARNED("-5"));
	(void)learn(LEARNED("1e300"));
	(void)learn(LEARNED("\"x\""));
	assert_true(idle_of("127.0.0.1", 3000).ms >= -2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_any, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_learned_counts_and_is_told_from_what_was_told,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lines_that_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_numbers, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
