/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/upstreams.h"
#include "scenario.h"

#define CAPACITY 3

static struct uc_upstreams *table;
static struct uc_idle_learned learned;

static int set_up(void **state)
{
	(void)state;
	memset(&learned, 0xaa, sizeof(learned));
	return uc_upstreams_new(CAPACITY, &table);
}

static int tear_down(void **state)
{
	(void)state;
	uc_upstreams_free(table);
	table = NULL;
	return 0;
}

static struct uc_upstream_addr at(uint16_t port)
{
	struct uc_upstream_addr a = { .port = port };

	loopback(a.addr);
	return a;
}

static void note(uint16_t port, uint64_t idle_ns)
{
	struct uc_upstream_addr a = at(port);

	uc_upstreams_note(table, &a, 1, false, idle_ns);
}

static bool learn(uint16_t port)
{
	struct uc_upstream_addr a = at(port);

	return uc_upstreams_idle(table, &a, &learned);
}

static void forget_all(void)
{
	tear_down(NULL);
	assert_int_equal(set_up(NULL), 0);
}

static void expect(uint64_t ns, uint64_t min_ns, uint64_t max_ns, uint32_t count, uint32_t seen)
{
	assert_int_equal(learned.ns, ns);
	assert_int_equal(learned.min_ns, min_ns);
	assert_int_equal(learned.max_ns, max_ns);
	assert_int_equal(learned.count, count);
	assert_int_equal(learned.seen, seen);
}

static void test_too_few(void **state)
{
	struct uc_idle_learned before = learned;

	(void)state;
	assert_false(learn(1));
	for (size_t i = 0; i < UC_IDLE_ENOUGH - 1; i++) {
		note(1, 5 * S);
		assert_false(learn(1));
	}
	/* ends that tell nothing of a timeout do not count */
	note(1, 0);
	assert_false(learn(1));
	assert_memory_equal(&learned, &before, sizeof(learned));
	note(1, 5 * S);
	assert_true(learn(1));
	expect(5 * S, 5 * S, 5 * S, 3, 3);
}

static void test_median(void **state)
{
	(void)state;
	note(1, 5020 * MS);
	note(1, 5000 * MS);
	note(1, 5001 * MS);
	assert_true(learn(1));
	expect(5001 * MS, 5000 * MS, 5020 * MS, 3, 3);
	note(1, 5050 * MS);
	note(1, 5051 * MS);
	assert_true(learn(1));
	expect(5020 * MS, 5000 * MS, 5051 * MS, 5, 5);
}

/* Samples agree within a tenth of a second, a tenth of a short time, or 3 % of a long one. */
static void test_agreement(void **state)
{
	(void)state;
	note(1, 1000 * MS);
	note(1, 1050 * MS);
	note(1, 1100 * MS + 1);
	assert_false(learn(1));
	note(1, 1100 * MS);
	assert_true(learn(1));
	expect(1100 * MS, 1050 * MS, 1100 * MS + 1, 3, 4);

	forget_all();
	note(1, 180 * MS);
	note(1, 190 * MS);
	note(1, 200 * MS + 10);
	assert_false(learn(1));
	note(1, 200 * MS);
	assert_true(learn(1));
	expect(200 * MS, 190 * MS, 200 * MS + 10, 3, 4);

	forget_all();
	for (size_t i = 0; i < 3; i++)
		note(1, 65 * S + i * 900 * MS);
	assert_true(learn(1));
	expect(65 * S + 900 * MS, 65 * S, 65 * S + 1800 * MS, 3, 3);

	forget_all();
	for (size_t i = 0; i < 3; i++)
		note(1, 65 * S + i * 1100 * MS);
	assert_false(learn(1));
}

/* A deploy closes connections at whatever age they have. */
static void test_early_closes(void **state)
{
	static const uint64_t ages[] = { 2, 310, 1200, 1900, 2700, 3300, 4100, 4800, 5500 };

	(void)state;
	for (size_t i = 0; i < COUNT(ages); i++) {
		note(1, ages[i] * MS);
		note(1, i < 4 ? 6000 * MS + i * MS : 0);
	}
	assert_true(learn(1));
	expect(6002 * MS, 6000 * MS, 6003 * MS, 4, COUNT(ages) + 4);
}

/* None of them agree: nothing is learned, however many there are. */
static void test_without_a_timeout(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= UC_IDLE_SAMPLES; i++) {
		note(1, i * 200 * MS + i * i * 9 * MS);
		assert_false(learn(1));
	}
}

/* A deploy right after the traffic ends closes many at one young age; a timeout is not younger than that. */
static void test_of_equal_windows_the_longer(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		note(1, 6 * S);
		note(1, 1 * S);
	}
	assert_true(learn(1));
	assert_int_equal(learned.ns, 6 * S);
	note(1, 1 * S);
	assert_true(learn(1));
	assert_int_equal(learned.ns, 1 * S);
}

/* Only the newest samples count: a server with a new setting is learned anew. */
static void test_new_setting(void **state)
{
	(void)state;
	for (size_t i = 0; i < UC_IDLE_SAMPLES; i++)
		note(1, 5 * S);
	assert_true(learn(1));
	expect(5 * S, 5 * S, 5 * S, UC_IDLE_SAMPLES, UC_IDLE_SAMPLES);
	for (size_t i = 0; i < UC_IDLE_SAMPLES; i++)
		note(1, 65 * S);
	assert_true(learn(1));
	expect(65 * S, 65 * S, 65 * S, UC_IDLE_SAMPLES, 2 * UC_IDLE_SAMPLES);
	note(1, 5 * S);
	assert_true(learn(1));
	expect(65 * S, 65 * S, 65 * S, UC_IDLE_SAMPLES - 1, 2 * UC_IDLE_SAMPLES + 1);
}

/* Times that no connection can have had are no reason to fail. */
static void test_extremes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		note(1, UINT64_MAX - i);
	assert_true(learn(1));
	expect(UINT64_MAX - 1, UINT64_MAX - 2, UINT64_MAX, 3, 3);
	for (size_t i = 0; i < 4; i++)
		note(1, 1);
	assert_true(learn(1));
	expect(1, 1, 1, 4, 7);
}

/* A tenth of the age up to 100 ms, or 3 %. */
static uint64_t spread_of(uint64_t ns)
{
	uint64_t tenth = ns / 10 < 100 * MS ? ns / 10 : 100 * MS;

	return ns / 33 > tenth ? ns / 33 : tenth;
}

/* Any samples in any order: what is said of them is so. */
static void test_any_samples(void **state)
{
	uint64_t random = 42, sample[UC_IDLE_SAMPLES];

	(void)state;
	for (size_t round = 0; round < 500; round++) {
		size_t n = 1 + next_random(&random) % UC_IDLE_SAMPLES, within = 0, widest = 0;
		uint64_t range = (1 + next_random(&random) % 100) * 100 * MS;

		forget_all();
		for (size_t i = 0; i < n; i++) {
			sample[i] = 1 + next_random(&random) % range;
			note(1, sample[i]);
		}
		for (size_t i = 0; i < n; i++) {
			size_t agree = 0;

			for (size_t k = 0; k < n; k++)
				agree += sample[k] <= sample[i] &&
					 sample[i] - sample[k] <= spread_of(sample[i]);
			widest = agree > widest ? agree : widest;
		}
		assert_int_equal(learn(1), widest >= UC_IDLE_ENOUGH);
		if (widest < UC_IDLE_ENOUGH)
			continue;
		for (size_t i = 0; i < n; i++)
			within += sample[i] >= learned.min_ns && sample[i] <= learned.max_ns;
		assert_true(learned.count == widest && widest <= within);
		assert_true(learned.min_ns <= learned.ns && learned.ns <= learned.max_ns);
		assert_true(learned.max_ns - learned.min_ns <= spread_of(learned.max_ns));
		assert_int_equal(learned.seen, n);
	}
}

/* --- the table ------------------------------------------------------------------------------ */

static void test_counts(void **state)
{
	struct uc_upstream_addr a = at(1), b = at(2);
	struct uc_upstream u;

	(void)state;
	assert_int_equal(uc_upstreams_count(table), 0);
	uc_upstreams_note(table, &a, 7, true, 0);
	uc_upstreams_note(table, &b, 1, false, 0);
	uc_upstreams_note(table, &a, 0, true, 0);
	uc_upstreams_note(table, &a, 3, false, 5 * S);
	assert_int_equal(uc_upstreams_count(table), 2);
	u = uc_upstreams_at(table, 0);
	assert_int_equal(u.addr.port, 1);
	assert_memory_equal(u.addr.addr, a.addr, sizeof(a.addr));
	assert_int_equal(u.connections, 3);
	assert_int_equal(u.exchanges, 10);
	assert_int_equal(u.flagged, 2);
	assert_false(u.idle_known);
	u = uc_upstreams_at(table, 1);
	assert_int_equal(u.addr.port, 2);
	assert_int_equal(u.connections, 1);
	note(1, 5 * S);
	note(1, 5 * S);
	u = uc_upstreams_at(table, 0);
	assert_true(u.idle_known);
	assert_int_equal(u.idle.ns, 5 * S);
	assert_int_equal(u.idle.count, 3);
	assert_false(uc_upstreams_at(table, 1).idle_known);
}

/* The port and every byte of the address tell upstreams apart. */
static void test_addresses(void **state)
{
	struct uc_upstream_addr a = at(1);

	(void)state;
	for (size_t i = 0; i < sizeof(a.addr); i++) {
		a = at(1);
		a.addr[i] ^= 1;
		note(1, 5 * S);
		note(1, 5 * S);
		uc_upstreams_note(table, &a, 1, false, 5 * S);
		assert_int_equal(uc_upstreams_count(table), 2);
		assert_false(learn(1));
		assert_false(uc_upstreams_idle(table, &a, &learned));
		assert_false(learn(257));
		forget_all();
	}
}

/* The one that was used least recently goes, and what was learned of it. */
static void test_eviction(void **state)
{
	(void)state;
	for (uint16_t port = 1; port <= CAPACITY; port++)
		for (size_t i = 0; i < 3; i++)
			note(port, port * S);
	note(1, 0);
	assert_int_equal(uc_upstreams_evicted(table), 0);
	note(9, 9 * S);
	assert_int_equal(uc_upstreams_evicted(table), 1);
	assert_int_equal(uc_upstreams_count(table), CAPACITY);
	assert_false(learn(2));
	assert_true(learn(1));
	assert_true(learn(3));
	assert_false(learn(9));
	/* it begins anew */
	note(2, 2 * S);
	assert_int_equal(uc_upstreams_evicted(table), 2);
	assert_false(learn(3));
	assert_false(learn(2));
	for (size_t i = 0; i < CAPACITY; i++) {
		struct uc_upstream u = uc_upstreams_at(table, i);

		assert_int_equal(u.connections, u.addr.port == 1 ? 4 : 1);
	}
}

static void test_no_capacity(void **state)
{
	struct uc_upstream_addr a = at(1);
	struct uc_upstreams *none;

	(void)state;
	assert_int_equal(uc_upstreams_new(0, &none), 0);
	uc_upstreams_note(none, &a, 1, true, 5 * S);
	assert_int_equal(uc_upstreams_count(none), 0);
	assert_false(uc_upstreams_idle(none, &a, &learned));
	uc_upstreams_free(none);
	uc_upstreams_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_too_few),           TEST(test_median),
		TEST(test_agreement),         TEST(test_early_closes),
		TEST(test_without_a_timeout), TEST(test_of_equal_windows_the_longer),
		TEST(test_new_setting),       TEST(test_extremes),
		TEST(test_any_samples),       TEST(test_counts),
		TEST(test_addresses),         TEST(test_eviction),
		TEST(test_no_capacity),
	};

	return cmocka_run_group_tests_name("upstreams", tests, NULL, NULL);
}
