/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"
#include "daemon/tally.h"

#define MINUTE (60 * S)

static struct uc_tally *t;
static struct uc_conn conn;
static struct uc_facts facts;
static struct uc_judged r;

static int set_up(void **state)
{
	(void)state;
	memset(&conn, 0, sizeof(conn));
	facts = (struct uc_facts){ .nginx = &conn };
	r = (struct uc_judged){ .facts = &facts };
	return uc_tally_new(2, &t);
}

static int tear_down(void **state)
{
	(void)state;
	uc_tally_free(t);
	return 0;
}

static void end(uint16_t port, enum uc_verdict_id v, uint64_t now)
{
	conn.tuple.remote_port = port;
	r.verdict.id = v;
	r.verdict.flagged = uc_verdict_flagged(v);
	r.outcome.id = UC_OUTCOME_RETRIED;
	uc_tally_end(t, &r, now);
}

static uint64_t hour(size_t i, enum uc_verdict_id v, uint64_t now)
{
	uint64_t counts[UC_VERDICT_MAX];

	uc_tally_hour(t, i, now, counts);
	return counts[v];
}

static void test_ends(void **state)
{
	const struct uc_tally_upstream *u;

	(void)state;
	assert_int_equal(uc_tally_count(t), 0);
	end(80, UC_VERDICT_KEEPALIVE_RACE, S);
	end(80, UC_VERDICT_COMPLETE, S);
	end(81, UC_VERDICT_UPSTREAM_DIED, S);
	assert_int_equal(uc_tally_count(t), 2);
	u = uc_tally_at(t, 0);
	assert_string_equal(u->name, "[::]:80");
	assert_int_equal(u->ended, 2);
	assert_int_equal(u->flagged[UC_VERDICT_KEEPALIVE_RACE][UC_OUTCOME_RETRIED], 1);
	assert_int_equal(u->flagged[UC_VERDICT_COMPLETE][UC_OUTCOME_RETRIED], 0);
	assert_int_equal(uc_tally_at(t, 1)->ended, 1);
	assert_int_equal(uc_tally_folded(t), 0);
}

/* Beyond the capacity: one place for all, and those that have one keep it. */
static void test_other(void **state)
{
	(void)state;
	for (unsigned port = 1; port <= 100; port++)
		end(port, UC_VERDICT_KEEPALIVE_RACE, S);
	end(2, UC_VERDICT_KEEPALIVE_RACE, S);
	assert_int_equal(uc_tally_count(t), 3);
	assert_string_equal(uc_tally_at(t, 2)->name, "other");
	assert_int_equal(uc_tally_at(t, 0)->ended, 1);
	assert_int_equal(uc_tally_at(t, 1)->ended, 2);
	assert_int_equal(uc_tally_at(t, 2)->ended, 98);
	assert_int_equal(uc_tally_folded(t), 98);
}

static struct uc_live live(uint16_t port, uint64_t n)
{
	struct uc_live l = { .port = port,
			     .connections = n,
			     .exchanges = 2 * n,
			     .open = n,
			     .waiting = 1,
			     .waiting_since_ns = 1000 - n };

	l.first_byte.sum_ns = n;
	l.first_byte.bucket[3] = n;
	l.idle.bucket[UC_LIVE_BUCKETS - 1] = n;
	return l;
}

static void tell(uint16_t port, uint64_t n)
{
	struct uc_live l = live(port, n);

	uc_tally_live(t, &l);
}

/* Counts are told anew each time; those of addresses without a place are summed up. */
static void test_live(void **state)
{
	const struct uc_live *l;

	(void)state;
	for (unsigned again = 0; again < 3; again++) {
		uc_tally_live_begin(t);
		tell(80, 5);
		tell(81, 7);
		tell(82, 10);
		tell(83, 20);
		tell(0, 30); /* the kernel's own "other" */
	}
	assert_int_equal(uc_tally_count(t), 3);
	assert_int_equal(uc_tally_at(t, 0)->live.connections, 5);
	assert_int_equal(uc_tally_at(t, 1)->live.exchanges, 14);
	l = &uc_tally_at(t, 2)->live;
	assert_int_equal(l->connections, 60);
	assert_int_equal(l->open, 60);
	assert_int_equal(l->waiting, 3);
	assert_int_equal(l->waiting_since_ns, 970); /* the oldest */
	assert_int_equal(l->first_byte.sum_ns, 60);
	assert_int_equal(l->first_byte.bucket[3], 60);
	assert_int_equal(l->idle.bucket[UC_LIVE_BUCKETS - 1], 60);
	uc_tally_live_begin(t);
	assert_int_equal(uc_tally_at(t, 2)->live.connections, 0);
}

static void test_hour(void **state)
{
	(void)state;
	end(80, UC_VERDICT_KEEPALIVE_RACE, 10 * MINUTE);
	end(80, UC_VERDICT_KEEPALIVE_RACE, 10 * MINUTE);
	end(80, UC_VERDICT_COMPLETE, 10 * MINUTE);
	end(80, UC_VERDICT_KEEPALIVE_RACE, 40 * MINUTE);
	assert_int_equal(hour(0, UC_VERDICT_KEEPALIVE_RACE, 40 * MINUTE), 3);
	assert_int_equal(hour(0, UC_VERDICT_COMPLETE, 40 * MINUTE), 0);
	assert_int_equal(hour(0, UC_VERDICT_KEEPALIVE_RACE, 69 * MINUTE), 3);
	assert_int_equal(hour(0, UC_VERDICT_KEEPALIVE_RACE, 70 * MINUTE), 1);
	assert_int_equal(hour(0, UC_VERDICT_KEEPALIVE_RACE, 99 * MINUTE), 1);
	assert_int_equal(hour(0, UC_VERDICT_KEEPALIVE_RACE, 100 * MINUTE), 0);
	end(80, UC_VERDICT_UPSTREAM_DIED, 100 * MINUTE);
	/* a suspended host: days later nothing is left */
	assert_int_equal(hour(0, UC_VERDICT_UPSTREAM_DIED, 100000 * MINUTE), 0);
}

static void test_repeated(void **state)
{
	struct uc_upstream_addr addr = { .port = 80 };

	(void)state;
	uc_tally_repeated(t, &addr);
	uc_tally_repeated(t, &addr);
	assert_int_equal(uc_tally_at(t, 0)->repeated, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_ends), TEST(test_other),    TEST(test_live),
		TEST(test_hour), TEST(test_repeated),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
