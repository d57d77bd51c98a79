/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/nginx/contract.h"

static enum uc_race race(enum uc_nginx_pool pool, int64_t nginx_ms, int64_t ms, int64_t min_ms)
{
	struct uc_idle idle = { UC_IDLE_STATED, ms, min_ms, 0, false };

	return uc_contract_race(pool, nginx_ms, &idle);
}

static void test_race(void **state)
{
	static const struct uc_idle unknown = { .origin = UC_IDLE_UNKNOWN };

	(void)state;
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 60000, 5000, 5000), UC_RACE_POSSIBLE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 5000, 5000, 5000), UC_RACE_POSSIBLE);
	/* the shortest seen counts, not the usual */
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 4950, 5000, 4940), UC_RACE_POSSIBLE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 4600, 5000, 5000), UC_RACE_NARROW);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 4500, 5000, 5000), UC_RACE_NONE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 4000, 5000, 4950), UC_RACE_NONE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, UC_NGINX_NEVER, 5000, 5000), UC_RACE_POSSIBLE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 60000, UC_NGINX_NEVER, UC_NGINX_NEVER),
			 UC_RACE_NONE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, 60000, 0, 0), UC_RACE_NONE);
	assert_int_equal(race(UC_NGINX_POOL_KEPT, UC_NGINX_UNKNOWN, 5000, 5000), UC_RACE_UNKNOWN);
	for (unsigned p = 0; p < UC_NGINX_POOL_MAX; p++)
		if (p != UC_NGINX_POOL_KEPT && p != UC_NGINX_POOL_UNKNOWN &&
		    p != UC_NGINX_POOL_UNREAD)
			assert_int_equal(race(p, 60000, 5000, 5000), UC_RACE_NONE);
	assert_int_equal(race(UC_NGINX_POOL_UNKNOWN, 60000, 5000, 5000), UC_RACE_UNKNOWN);
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_KEPT, 60000, &unknown), UC_RACE_UNKNOWN);
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_CLOSE, 60000, &unknown), UC_RACE_NONE);
}

/* A connection that was still open when its probe ended says that it is safe up to there, and no more. */
static void test_at_least(void **state)
{
	static const struct uc_idle idle = { UC_IDLE_PROBE, 100000, 100000, 5, true };

	(void)state;
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_KEPT, 60000, &idle), UC_RACE_NONE);
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_KEPT, 99999, &idle), UC_RACE_NONE);
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_KEPT, 100000, &idle), UC_RACE_UNKNOWN);
	assert_int_equal(uc_contract_race(UC_NGINX_POOL_KEPT, UC_NGINX_NEVER, &idle),
			 UC_RACE_UNKNOWN);
}

/* What is proposed is never a race itself. */
static void test_below(void **state)
{
	(void)state;
	assert_int_equal(uc_contract_below(5000), 4000);
	assert_int_equal(uc_contract_below(4950), 4000);
	assert_int_equal(uc_contract_below(5950), 5000);
	assert_int_equal(uc_contract_below(60000), 59000);
	assert_int_equal(uc_contract_below(1960), 1000);
	assert_int_equal(uc_contract_below(1000), 500);
	for (int64_t ms = 2; ms < 100000; ms += ms < 1000 ? 7 : 37) {
		assert_true(uc_contract_below(ms) > 0 && uc_contract_below(ms) < ms);
		assert_int_equal(race(UC_NGINX_POOL_KEPT, uc_contract_below(ms), ms, ms),
				 UC_RACE_NONE);
	}
}

static struct uc_nginx_place place_of(struct uc_nginx_group *g, int64_t next, int64_t tries,
				      int64_t limit)
{
	struct uc_nginx_place p = { .group = g };

	p.values[UC_NGINX_CONNECT_TIMEOUT].n = 5000;
	p.values[UC_NGINX_READ_TIMEOUT].n = 60000;
	p.values[UC_NGINX_NEXT_UPSTREAM].n = next;
	p.values[UC_NGINX_NEXT_UPSTREAM_TRIES].n = tries;
	p.values[UC_NGINX_NEXT_UPSTREAM_TIMEOUT].n = limit;
	return p;
}

static void test_attempts(void **state)
{
	enum { BOTH = UC_NGINX_NEXT_ERROR | UC_NGINX_NEXT_TIMEOUT };
	struct uc_nginx_server servers[4] = { [3] = { .down = true } };
	struct uc_nginx_group g = { .servers = servers, .server_count = 4 };
	struct uc_nginx_place p = place_of(&g, BOTH, 0, 0);

	(void)state;
	assert_int_equal(uc_contract_attempts(&p), 3);
	assert_int_equal(uc_contract_longest_wait(&p), 180000);
	p = place_of(&g, BOTH, 2, 0);
	assert_int_equal(uc_contract_attempts(&p), 2);
	assert_int_equal(uc_contract_longest_wait(&p), 120000);
	p = place_of(&g, BOTH, 0, 10000);
	assert_int_equal(uc_contract_longest_wait(&p), 70000);
	p = place_of(&g, UC_NGINX_NEXT_OFF, 0, 0);
	assert_int_equal(uc_contract_attempts(&p), 1);
	assert_int_equal(uc_contract_longest_wait(&p), 60000);
	p = place_of(&g, UC_NGINX_NEXT_ERROR, 0, 0);
	assert_int_equal(uc_contract_attempts(&p), 3);
	assert_int_equal(uc_contract_longest_wait(&p), 60000);
	p = place_of(&g, UC_NGINX_NEXT_NON_IDEMPOTENT, 0, 0);
	assert_int_equal(uc_contract_attempts(&p), 1);
	p.values[UC_NGINX_READ_TIMEOUT].n = UC_NGINX_UNKNOWN;
	assert_int_equal(uc_contract_longest_wait(&p), UC_NGINX_UNKNOWN);
	p = (struct uc_nginx_place){ .variable = true };
	assert_int_equal(uc_contract_attempts(&p), 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(uc_idle_origin_name(UC_IDLE_LEARNED), "learned");
	assert_string_equal(uc_idle_origin_name(UC_IDLE_ORIGIN_MAX), "invalid");
	assert_string_equal(uc_race_name(UC_RACE_NARROW), "narrow");
	assert_string_equal(uc_race_name(UC_RACE_MAX), "invalid");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),  cmocka_unit_test(test_at_least),
		cmocka_unit_test(test_below), cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
