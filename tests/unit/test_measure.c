/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/measure.h"
#include "core/conn/upstreams.h"
#include "build.h"

static struct uc_observation seen[UC_SAMPLES_MAX + 8];
static size_t count;
static struct uc_measured m;

static int set_up(void **state)
{
	(void)state;
	memset(seen, 0, sizeof(seen));
	memset(&m, 0xaa, sizeof(m));
	count = 0;
	return 0;
}

/* Opened at 1 s, sent at 2 s, watched until 100 s. */
static struct uc_observation *see(enum uc_trial trial)
{
	struct uc_observation *o = &seen[count++];

	o->trial = trial;
	o->opened_ns = 1 * S;
	o->sent_ns = 2 * S;
	o->watched_ns = 100 * S;
	return o;
}

static struct uc_observation *answered(enum uc_trial trial, uint64_t at_ns, unsigned status)
{
	struct uc_observation *o = see(trial);

	o->answers = 1;
	o->answered_ns = at_ns;
	o->status = status;
	return o;
}

static void ended(struct uc_observation *o, enum uc_close close, uint64_t at_ns)
{
	o->close = close;
	o->ended_ns = o->watched_ns = at_ns;
}

static void measure(void)
{
	uc_measure(seen, count, &m);
}

static void test_stats(void **state)
{
	uint64_t some[] = { 5, 1, 4, 2 };
	struct uc_stats s = uc_stats_of(some, 4);

	(void)state;
	assert_int_equal(s.count, 4);
	assert_int_equal(s.median_ns, 2);
	assert_int_equal(s.min_ns, 1);
	assert_int_equal(s.max_ns, 5);
	assert_int_equal(uc_stats_of(some, 3).median_ns, 2);
	assert_int_equal(uc_stats_of(some, 1).median_ns, 1);
	assert_int_equal(uc_stats_of(some, 0).count, 0);
}

static void test_nothing_seen(void **state)
{
	(void)state;
	measure();
	assert_false(m.idle.known || m.silent.known || m.half_header.known || m.half_body.known);
	assert_false(m.requests.known || m.http10.known || m.closing.known);
	assert_false(m.half_close.known || m.early.known);
	/* planned, and never opened */
	seen[0].trial = UC_TRIAL_IDLE;
	seen[1].trial = UC_TRIAL_SILENT;
	seen[2].trial = UC_TRIAL_HALF_CLOSE;
	count = 3;
	measure();
	assert_false(m.idle.known || m.silent.known || m.half_close.known);
}

static void test_idle(void **state)
{
	(void)state;
	ended(answered(UC_TRIAL_IDLE, 3 * S, 200), UC_CLOSE_FIN, 8 * S);
	ended(answered(UC_TRIAL_IDLE, 4 * S, 200), UC_CLOSE_FIN, 9 * S + 10 * MS);
	ended(answered(UC_TRIAL_IDLE, 5 * S, 200), UC_CLOSE_FIN, 9 * S + 990 * MS);
	see(UC_TRIAL_IDLE);
	measure();
	assert_true(m.idle.known && m.idle.kept_alive);
	assert_int_equal(m.idle.tried, 3);
	assert_int_equal(m.idle.unanswered, 1);
	assert_int_equal(m.idle.stats.count, 3);
	assert_int_equal(m.idle.stats.median_ns, 5 * S);
	assert_int_equal(m.idle.stats.min_ns, 4 * S + 990 * MS);
	assert_int_equal(m.idle.stats.max_ns, 5 * S + 10 * MS);
	assert_int_equal(m.idle.at_least_ns, 0);
	assert_int_equal(m.idle.close, UC_CLOSE_FIN);
	assert_int_equal(m.idle.late, 0);
}

static void test_idle_longer_than_watched(void **state)
{
	(void)state;
	answered(UC_TRIAL_IDLE, 3 * S, 200);
	answered(UC_TRIAL_IDLE, 4 * S, 200);
	measure();
	assert_int_equal(m.idle.stats.count, 0);
	assert_int_equal(m.idle.at_least_ns, 96 * S);
	assert_int_equal(m.idle.close, UC_CLOSE_NONE);
	assert_true(m.idle.kept_alive);
}

static void test_idle_ends_differ(void **state)
{
	(void)state;
	ended(answered(UC_TRIAL_IDLE, 3 * S, 200), UC_CLOSE_FIN, 8 * S);
	ended(answered(UC_TRIAL_IDLE, 3 * S, 200), UC_CLOSE_RST, 8 * S);
	seen[1].late = 408;
	measure();
	assert_int_equal(m.idle.close, UC_CLOSE_NONE);
	assert_int_equal(m.idle.stats.count, 2);
	assert_int_equal(m.idle.late, 408);
}

static void test_idle_not_kept(void **state)
{
	struct uc_observation *o = answered(UC_TRIAL_IDLE, 3 * S, 200);

	(void)state;
	o->said_close = true;
	ended(o, UC_CLOSE_FIN, 3 * S + MS);
	measure();
	assert_true(m.idle.known);
	assert_false(m.idle.kept_alive);
	assert_int_equal(m.idle.stats.median_ns, MS);
}

/* A FIN in the same segment as the answer may send an earlier time than our reading of it. */
static void test_times_out_of_order(void **state)
{
	(void)state;
	ended(answered(UC_TRIAL_IDLE, 3 * S, 200), UC_CLOSE_FIN, 3 * S - MS);
	measure();
	assert_int_equal(m.idle.stats.median_ns, 0);
}

static void test_more_samples_than_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < UC_SAMPLES_MAX + 5; i++)
		ended(answered(UC_TRIAL_IDLE, 3 * S, 200), UC_CLOSE_FIN, 8 * S);
	measure();
	assert_int_equal(m.idle.stats.count, UC_SAMPLES_MAX);
}

static void test_waits(void **state)
{
	struct uc_observation *o = see(UC_TRIAL_SILENT);

	(void)state;
	o->sent_ns = 0;
	ended(o, UC_CLOSE_FIN, 31 * S);
	ended(answered(UC_TRIAL_HALF_HEADER, 62 * S, 408), UC_CLOSE_RST, 63 * S);
	see(UC_TRIAL_HALF_BODY);
	measure();
	assert_true(m.silent.known && m.silent.over);
	assert_int_equal(m.silent.after_ns, 30 * S);
	assert_int_equal(m.silent.status, 0);
	assert_int_equal(m.silent.close, UC_CLOSE_FIN);
	assert_true(m.half_header.over);
	assert_int_equal(m.half_header.after_ns, 60 * S);
	assert_int_equal(m.half_header.status, 408);
	assert_int_equal(m.half_header.close, UC_CLOSE_RST);
	assert_true(m.half_body.known);
	assert_false(m.half_body.over);
	assert_int_equal(m.half_body.after_ns, 98 * S);
}

static void test_requests(void **state)
{
	struct uc_observation *o = answered(UC_TRIAL_REQUESTS, 3 * S, 200);

	(void)state;
	o->answers = 100;
	measure();
	assert_true(m.requests.known);
	assert_false(m.requests.exact);
	assert_int_equal(m.requests.count, 100);
	o->said_close = true;
	measure();
	assert_true(m.requests.exact && m.requests.said_close);
	o->said_close = false;
	ended(o, UC_CLOSE_RST, 4 * S);
	measure();
	assert_true(m.requests.exact);
	assert_int_equal(m.requests.close, UC_CLOSE_RST);
}

static void test_http10(void **state)
{
	struct uc_observation *o = answered(UC_TRIAL_HTTP10, 3 * S, 200);

	(void)state;
	measure();
	assert_true(m.http10.known && !m.http10.kept_alive);
	/* stopped before the second answer: nothing is known */
	o->cut = true;
	measure();
	assert_false(m.http10.known);
	o->answers = 2;
	measure();
	assert_true(m.http10.known && m.http10.kept_alive);
}

static void test_closing(void **state)
{
	struct uc_observation *o = answered(UC_TRIAL_CLOSING, 3 * S, 200);

	(void)state;
	measure();
	assert_false(m.closing.known);
	ended(o, UC_CLOSE_FIN, 3 * S);
	o->poked = true;
	measure();
	assert_true(m.closing.known && m.closing.lingers);
	o->reset_behind = true;
	measure();
	assert_true(m.closing.known && !m.closing.lingers);
}

static void test_half_close(void **state)
{
	struct uc_observation *o = see(UC_TRIAL_HALF_CLOSE);

	(void)state;
	measure();
	assert_true(m.half_close.known && !m.half_close.answered);
	o->cut = true;
	measure();
	assert_false(m.half_close.known);
	o->answers = 1;
	measure();
	assert_true(m.half_close.known && m.half_close.answered);
}

static void test_early(void **state)
{
	struct uc_observation *o = answered(UC_TRIAL_EARLY, 3 * S, 413);

	(void)state;
	o->reset_behind = true;
	measure();
	assert_true(m.early.known && m.early.answered && m.early.reset);
	assert_int_equal(m.early.status, 413);
	o->reset_behind = false;
	o->whole = true;
	measure();
	assert_true(m.early.known && !m.early.answered && !m.early.reset);
	o->answers = o->status = 0;
	ended(o, UC_CLOSE_RST, 3 * S);
	measure();
	assert_true(m.early.known && !m.early.answered && m.early.reset);
}

static void test_below(void **state)
{
	(void)state;
	assert_int_equal(uc_idle_below_s(0), 0);
	assert_int_equal(uc_idle_below_s(1499 * MS), 0);
	assert_int_equal(uc_idle_below_s(1500 * MS), 1);
	assert_int_equal(uc_idle_below_s(4950 * MS), 4);
	assert_int_equal(uc_idle_below_s(6 * S), 5);
	assert_int_equal(uc_idle_below_s(75 * S), 74);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats),
		cmocka_unit_test_setup(test_nothing_seen, set_up),
		cmocka_unit_test_setup(test_idle, set_up),
		cmocka_unit_test_setup(test_idle_longer_than_watched, set_up),
		cmocka_unit_test_setup(test_idle_ends_differ, set_up),
		cmocka_unit_test_setup(test_idle_not_kept, set_up),
		cmocka_unit_test_setup(test_times_out_of_order, set_up),
		cmocka_unit_test_setup(test_more_samples_than_room, set_up),
		cmocka_unit_test_setup(test_waits, set_up),
		cmocka_unit_test_setup(test_requests, set_up),
		cmocka_unit_test_setup(test_http10, set_up),
		cmocka_unit_test_setup(test_closing, set_up),
		cmocka_unit_test_setup(test_half_close, set_up),
		cmocka_unit_test_setup(test_early, set_up),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
