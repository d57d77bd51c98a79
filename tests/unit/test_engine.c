/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine forgets so that its memory stays bounded is counted, from the first one beyond each bound. */
#include "engine/engine.h"

#include "scenario.h"

static struct uc_engine *engine;
static struct uc_frames to;
static struct scenario scenario;

static unsigned told, told_without_peer;

static int take_connection(struct uc_output *output, const struct uc_judged *r)
{
	(void)output;
	told++;
	told_without_peer += r->pair->upstream_missing;
	return 0;
}

static int take_summary(struct uc_output *output, const struct uc_totals *t)
{
	(void)output;
	(void)t;
	return 0;
}

static int set_up(void **state)
{
	static struct uc_output output = { .connection = take_connection, .summary = take_summary };
	const struct uc_engine_config cfg = { .outputs = { &output }, .output_count = 1 };

	told = told_without_peer = 0;
	(void)state;
	assert_int_equal(uc_engine_new(&cfg, &engine), 0);
	to = uc_engine_frames(engine);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	uc_engine_free(engine);
	return 0;
}

/* A connection of its own that a living process closed without an answer. */
static void tell(uint32_t n)
{
	scenario.ngx_isn = NGX_ISN + n;
	scenario_play(&scenario, IN_HAND "close" END_FIN);
}

static void give_peer(void)
{
	to.record(to.ctx, &scenario.pair.upstream, sizeof(scenario.pair.upstream));
}

static void give_nginx(void)
{
	to.record(to.ctx, &scenario.pair.nginx, sizeof(scenario.pair.nginx));
}

static struct uc_totals totals(void)
{
	uc_engine_tick(engine, scenario.now);
	return uc_engine_totals(engine);
}

static void expect(enum uc_limit limit, uint64_t count)
{
	struct uc_totals t = totals();

	for (unsigned i = 0; i < UC_LIMIT_MAX; i++)
		assert_int_equal(t.forgotten[i], i == limit ? count : 0);
	assert_int_equal(uc_totals_lost(&t), 0);
}

static void test_processes(void **state)
{
	struct uc_proc proc = { .exe = "/usr/bin/node" };

	(void)state;
	for (proc.tgid = 1; proc.tgid <= 1024; proc.tgid++)
		to.proc(to.ctx, &proc);
	expect(UC_LIMIT_PROCESSES, 0);
	to.proc(to.ctx, &proc);
	expect(UC_LIMIT_PROCESSES, 1);
}

static void upstream(uint32_t n)
{
	scenario.ngx_isn = NGX_ISN + n;
	scenario_named(&scenario, "refused_by_error");
	ngx_conn(&scenario)->tuple.remote_addr[14] = n >> 8;
	ngx_conn(&scenario)->tuple.remote_addr[15] = n;
	give_nginx();
}

static void test_upstreams(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 256; n++)
		upstream(n);
	expect(UC_LIMIT_UPSTREAMS, 0);
	upstream(256);
	expect(UC_LIMIT_UPSTREAMS, 1);
}

static void death(uint32_t n)
{
	scenario.ngx_isn = NGX_ISN + n;
	scenario_play(&scenario, IN_HAND);
	up_conn(&scenario)->owner.tgid = SERVER + n;
	scenario_play(&scenario, "signal:9" END_FIN);
	give_peer();
	give_nginx();
}

static void test_deaths(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 64; n++)
		death(n);
	expect(UC_LIMIT_DEATHS, 0);
	assert_int_equal(totals().death_count, 64);
	death(64);
	expect(UC_LIMIT_DEATHS, 1);
	assert_int_equal(totals().death_count, 64);
}

static void awaited(uint32_t n)
{
	tell(n);
	ngx_conn(&scenario)->flags |= UC_CONN_FOLLOWUP;
	give_peer();
	give_nginx();
}

/* It is told at once, and what nginx did next is not in it. */
static void test_outcomes(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 1024; n++)
		awaited(n);
	expect(UC_LIMIT_OUTCOMES, 0);
	assert_int_equal(totals().flagged, 0);
	awaited(1024);
	expect(UC_LIMIT_OUTCOMES, 1);
	assert_int_equal(totals().flagged, 1);
	assert_int_equal(uc_engine_finish(engine, S, S), 0);
	assert_int_equal(totals().flagged, 1025);
}

/* Ends whose other end does not come: one too many costs the oldest, which is a loss. */
static void test_ends(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 16384; n++) {
		tell(n);
		give_peer();
	}
	assert_int_equal(totals().evicted, 0);
	tell(16384);
	give_peer();
	assert_int_equal(totals().evicted, 1);
	assert_int_equal(uc_totals_lost(&(struct uc_totals){ .evicted = totals().evicted }), 1);
	/* the oldest one's other end waits in the next oldest one's place, and is judged without it */
	tell(0);
	give_nginx();
	assert_int_equal(totals().evicted, 2);
	tell(2);
	give_nginx();
	assert_int_equal(uc_engine_finish(engine, S, S), 0);
	assert_int_equal(told, 2);
	assert_int_equal(told_without_peer, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_processes), TEST(test_upstreams), TEST(test_deaths),
		TEST(test_outcomes),  TEST(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
