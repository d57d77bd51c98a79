/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"
#include "daemon/tally.h"

#define MINUTE (60 * S)
#define HOUR   (60 * MINUTE)

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
	return uc_tally_new(&(struct uc_tally_config){ .capacity = 2, .quiet_ns = HOUR }, &t);
}

static int tear_down(void **state)
{
	(void)state;
	uc_tally_free(t);
	return 0;
}

static void end_named(uint16_t port, const char *name, enum uc_verdict_id v, uint64_t now)
{
	conn.tuple.remote_port = port;
	r.verdict.id = v;
	r.verdict.flagged = uc_verdict_flagged(v);
	r.outcome.id = UC_OUTCOME_RETRIED;
	uc_tally_end(t, &r, name, now);
}

static void end(uint16_t port, enum uc_verdict_id v, uint64_t now)
{
	end_named(port, NULL, v, now);
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
		uc_tally_live_begin(t, S);
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
	uc_tally_live_begin(t, S);
	assert_int_equal(uc_tally_at(t, 2)->live.connections, 60);
	assert_int_equal(uc_tally_at(t, 2)->live.open, 0);
}

static struct uc_live closed(uint16_t port, uint64_t n)
{
	struct uc_live l = live(port, n);

	l.open = l.waiting = 0;
	l.waiting_since_ns = 0;
	return l;
}

static void tell_closed(uint64_t now, uint16_t port, uint64_t n)
{
	struct uc_live l = closed(port, n);

	uc_tally_live_begin(t, now);
	uc_tally_live(t, &l);
}

static uint64_t sum_of_ends(void)
{
	uint64_t count, sum = uc_tally_retired(t, &count)->ended;

	for (size_t i = 0; i < uc_tally_count(t); i++)
		sum += uc_tally_at(t, i)->ended;
	return sum;
}

static uint64_t sum_of_connections(void)
{
	uint64_t count, sum = uc_tally_retired(t, &count)->live.connections;

	for (size_t i = 0; i < uc_tally_count(t); i++)
		sum += uc_tally_at(t, i)->live.connections;
	return sum;
}

/* Pods come and go: each gets a place of its own once another was quiet for an hour, and nothing is lost. */
static void test_churn(void **state)
{
	uint64_t retired;

	(void)state;
	for (uint16_t port = 1; port <= 100; port++) {
		end(port, UC_VERDICT_KEEPALIVE_RACE, port * HOUR);
		tell_closed(port * HOUR, port, 3);
		assert_int_equal(sum_of_ends(), port);
		assert_int_equal(sum_of_connections(), 3 * port);
	}
	assert_int_equal(uc_tally_count(t), 2);
	assert_int_equal(uc_tally_folded(t), 0);
	assert_int_equal(uc_tally_retired(t, &retired)
				 ->flagged[UC_VERDICT_KEEPALIVE_RACE][UC_OUTCOME_RETRIED],
			 98);
	assert_int_equal(retired, 98);
}

static void test_not_quiet(void **state)
{
	struct uc_live open;
	uint64_t retired;

	(void)state;
	end(1, UC_VERDICT_COMPLETE, HOUR);
	end(2, UC_VERDICT_COMPLETE, HOUR);
	end(3, UC_VERDICT_COMPLETE, 2 * HOUR - 1); /* too early */
	assert_int_equal(uc_tally_folded(t), 1);
	open = live(1, 1);
	uc_tally_live_begin(t, 2 * HOUR);
	uc_tally_live(t, &open); /* in use for as long as one is open */
	end(3, UC_VERDICT_COMPLETE, 10 * HOUR);
	end(4, UC_VERDICT_COMPLETE, 10 * HOUR);
	assert_string_equal(uc_tally_at(t, 0)->name, "[::]:1");
	assert_string_equal(uc_tally_at(t, 1)->name, "[::]:3");
	assert_int_equal(uc_tally_folded(t), 2);
	uc_tally_retired(t, &retired);
	assert_int_equal(retired, 1);
}

/* The kernel's counts of one that lost its place stay where they were counted. */
static void test_comes_back(void **state)
{
	(void)state;
	tell_closed(HOUR, 1, 5);
	end(2, UC_VERDICT_COMPLETE, 2 * HOUR);
	end(3, UC_VERDICT_COMPLETE, 2 * HOUR);
	tell_closed(3 * HOUR, 1, 5); /* no news: no place */
	assert_string_equal(uc_tally_at(t, 0)->name, "[::]:3");
	assert_int_equal(sum_of_connections(), 5);
	tell_closed(4 * HOUR, 1, 7);
	assert_int_equal(uc_tally_at(t, 0)->addr[0].port, 1);
	assert_int_equal(uc_tally_at(t, 0)->live.connections, 2);
	assert_int_equal(sum_of_connections(), 7);
}

/* One name of several addresses; before the first end that gives it, what they do is "other". */
static void test_names(void **state)
{
	struct uc_tally_config cfg = { .capacity = 2, .quiet_ns = HOUR, .named = true };

	(void)state;
	uc_tally_free(t);
	assert_int_equal(uc_tally_new(&cfg, &t), 0);
	tell(1, 4);
	assert_string_equal(uc_tally_at(t, 0)->name, "other");
	end_named(1, "api", UC_VERDICT_COMPLETE, S);
	end_named(2, "api", UC_VERDICT_COMPLETE, S);
	end_named(2, NULL, UC_VERDICT_COMPLETE, S); /* as before */
	end_named(3, NULL, UC_VERDICT_COMPLETE, S);
	assert_int_equal(uc_tally_count(t), 3);
	assert_string_equal(uc_tally_at(t, 0)->name, "api");
	assert_int_equal(uc_tally_at(t, 0)->ended, 3);
	assert_int_equal(uc_tally_at(t, 0)->addrs, 2);
	assert_string_equal(uc_tally_at(t, 1)->name, "[::]:3");
	uc_tally_live_begin(t, S);
	tell(1, 6);
	tell(2, 1);
	assert_int_equal(uc_tally_at(t, 0)->live.connections, 3);
	assert_int_equal(uc_tally_at(t, 0)->live.open, 7);
	assert_int_equal(uc_tally_at(t, 2)->live.connections, 4);
}

static void test_name_is_plain(void **state)
{
	struct uc_tally_config cfg = { .capacity = 2, .quiet_ns = HOUR, .named = true };

	(void)state;
	uc_tally_free(t);
	assert_int_equal(uc_tally_new(&cfg, &t), 0);
	end_named(1, "a\"b\\c\nd", UC_VERDICT_COMPLETE, S);
	assert_string_equal(uc_tally_at(t, 0)->name, "a_b_c_d");
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
	uc_tally_repeated(t, &addr, S);
	uc_tally_repeated(t, &addr, S);
	assert_int_equal(uc_tally_at(t, 0)->repeated, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_ends),          TEST(test_other),      TEST(test_live),
		TEST(test_hour),          TEST(test_repeated),   TEST(test_churn),
		TEST(test_not_quiet),     TEST(test_comes_back), TEST(test_names),
		TEST(test_name_is_plain),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
