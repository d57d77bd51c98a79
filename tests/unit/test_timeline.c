/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

static struct scenario scenario;
static struct uc_timeline line;

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	return 0;
}

static void tell(void)
{
	uc_timeline(ngx_conn(&scenario), scenario.pair.has_upstream ? up_conn(&scenario) : NULL,
		    &line);
}

static struct uc_event *newest(struct uc_conn *c)
{
	return &c->ev[(c->events - 1) % UC_EVENTS];
}

/* The event was traced that much later than it happened. */
static void traced_late(struct uc_conn *c, uint64_t ns)
{
	newest(c)->ts_ns += ns;
	newest(c)->last_ns += ns;
}

/* "n:connect u:receive ...", as far as it was told. */
static const char *order(void)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < line.count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%s", i ? " " : "",
				      line.at[i].upstream ? "u" : "n",
				      uc_event_name(line.at[i].event->kind));
	return text;
}

static void expect_sorted(void)
{
	for (size_t i = 1; i < line.count; i++)
		assert_true(line.at[i - 1].ts_ns <= line.at[i].ts_ns);
	for (size_t i = 0; i < line.count; i++)
		assert_true(line.at[i].ts_ns <= line.at[i].event->ts_ns);
}

static void exchange_and_fin(void)
{
	scenario_play(&scenario, "open");
	newest(up_conn(&scenario))->ts_ns += 1;
	scenario_play(&scenario,
		      "sleep:1ms request arrive read reply sleep:1ms close fin sleep:1ms");
}

static void test_by_clock(void **state)
{
	(void)state;
	exchange_and_fin();
	scenario_play(&scenario, "nginx_close");
	tell();
	assert_string_equal(order(), "n:connect n:established u:established n:send u:receive "
				     "u:send n:receive u:close n:fin_received n:close");
	expect_sorted();
	assert_false(line.cut);
	for (size_t i = 0; i < line.count; i++)
		assert_int_equal(line.at[i].ts_ns, line.at[i].event->ts_ns);
}

static void late_sends(uint32_t ngx_isn, uint32_t up_isn)
{
	scenario.ngx_isn = ngx_isn;
	scenario.up_isn = up_isn;
	scenario_play(&scenario, "open");
	newest(up_conn(&scenario))->ts_ns += 1;
	scenario_play(&scenario, "sleep:1ms request");
	traced_late(ngx_conn(&scenario), 900 * US);
	scenario_play(&scenario, "arrive read sleep:10us reply");
	traced_late(up_conn(&scenario), 800 * US);
	scenario_play(&scenario, "sleep:10us close fin sleep:10us nginx_close");
	tell();
	assert_string_equal(order(), "n:connect n:established u:established n:send u:receive "
				     "u:send n:receive u:close n:fin_received n:close");
	expect_sorted();
}

/* A send is traced after its call, when the other end may have read, answered and closed. */
static void test_send_traced_after_its_effects(void **state)
{
	(void)state;
	late_sends(0, 0);
	assert_int_equal(line.at[3].ts_ns, line.at[4].ts_ns);
	assert_true(line.at[3].event->ts_ns > line.at[6].ts_ns);
}

static void test_wrap_around(void **state)
{
	static const uint32_t bases[] = { 1,          0x7fffffe0, 0x7fffffff, 0x80000000,
					  0xffffffd0, 0xfffffff0, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++)
		for (size_t k = 0; k < COUNT(bases); k++)
			late_sends(bases[i], bases[k]);
}

/* What knew of nothing newer than the bytes before stays before the send. */
static void test_not_before_what_did_not_know(void **state)
{
	(void)state;
	exchange_and_fin();
	scenario_play(&scenario, "request");
	tell();
	assert_string_equal(order() + strlen("n:connect n:established u:established "),
			    "n:send u:receive u:send n:receive u:close n:fin_received n:send");
	assert_int_equal(line.at[line.count - 1].ts_ns, line.at[line.count - 1].event->ts_ns);
}

/* The FIN arrived behind the request's write, and the write's trace behind the FIN. */
static void test_send_before_fin_of_its_own_end(void **state)
{
	(void)state;
	scenario_play(&scenario, "open sleep:1ms request");
	traced_late(ngx_conn(&scenario), 5 * MS);
	scenario_play(&scenario, "close fin");
	tell();
	assert_string_equal(order() + strlen("n:connect n:established u:established "),
			    "u:close n:send n:fin_received");
	expect_sorted();
}

/* A socket's numbers before its handshake is over are no knowledge of the other's bytes. */
static void test_connect_knows_nothing(void **state)
{
	(void)state;
	scenario.ngx_isn = 10;
	scenario.up_isn = 0x70000000;
	scenario_play(&scenario, "open");
	/* as SYN_SENT has them: nothing received yet, garbage compared with anything */
	ngx_conn(&scenario)->ev[0].rcv_nxt = 0;
	ngx_conn(&scenario)->ev[0].write_seq = 0x40000000;
	ngx_conn(&scenario)->ev[1].write_seq = 0x40000000;
	up_conn(&scenario)->ev[0].rcv_nxt = 0x40000000;
	scenario_play(&scenario, "sleep:1ms request");
	tell();
	assert_int_equal(line.count, 4);
	assert_int_equal(line.at[3].event->kind, UC_EV_SEND);
	assert_int_equal(line.at[3].ts_ns, line.at[3].event->ts_ns);
	assert_int_equal(line.at[0].event->kind, UC_EV_CONNECT);
}

static void test_adopted(void **state)
{
	(void)state;
	scenario_play(&scenario, "open adopted:reused");
	ngx_conn(&scenario)->ev[0].write_seq = scenario.ngx.write_seq + 1000;
	up_conn(&scenario)->ev[0].rcv_nxt = scenario.ngx.write_seq + 1000;
	newest(up_conn(&scenario))->ts_ns += 1;
	scenario_play(&scenario, "sleep:1ms request");
	traced_late(ngx_conn(&scenario), MS);
	scenario_play(&scenario, "arrive read");
	tell();
	assert_string_equal(order(), "n:adopted u:adopted n:send u:receive");
	expect_sorted();
}

/* Several writes are one event, whose time is the first's: the first read may not stand before it. */
static void test_merged_reads(void **state)
{
	struct uc_event *e;

	(void)state;
	scenario_play(&scenario, "open");
	newest(up_conn(&scenario))->ts_ns += 1;
	scenario_play(&scenario, "sleep:1ms request:POST:600");
	traced_late(ngx_conn(&scenario), 2 * MS);
	scenario_play(&scenario, "arrive read");
	/* nginx goes on, and so does the upstream, each within its event */
	scenario_play(&scenario, "sleep:5ms");
	e = newest(ngx_conn(&scenario));
	scenario.ngx.write_seq += 400;
	*e = (struct uc_event){ e->ts_ns,
				scenario.now,
				scenario.ngx.write_seq,
				e->snd_una,
				e->rcv_nxt,
				e->copied_seq,
				1000,
				2,
				UC_EV_SEND,
				1,
				1,
				0 };
	scenario_play(&scenario, "sleep:1ms");
	e = newest(up_conn(&scenario));
	scenario.up.rcv_nxt = scenario.up.copied_seq = scenario.ngx.write_seq;
	e->last_ns = scenario.now;
	e->rcv_nxt = e->copied_seq = scenario.ngx.write_seq;
	e->bytes = 1000;
	e->count = 2;
	tell();
	assert_string_equal(order(), "n:connect n:established u:established n:send u:receive");
	expect_sorted();
}

static void test_without_upstream(void **state)
{
	(void)state;
	scenario_play(&scenario, "open request arrive remote sleep:1ms fin");
	tell();
	assert_string_equal(order(), "n:connect n:established n:send n:fin_received");
	for (size_t i = 0; i < line.count; i++)
		assert_false(line.at[i].upstream);
}

static void test_wrapped_log(void **state)
{
	struct uc_conn *c = ngx_conn(&scenario);
	uint64_t oldest;

	(void)state;
	scenario_play(&scenario, "open");
	for (unsigned n = 0; n < 3 * UC_EVENTS + 5; n++) {
		scenario_play(&scenario, "sleep:1ms event:retransmit");
		c->ev[(c->events - 1) % UC_EVENTS].exchange = n;
	}
	oldest = c->ev[c->events % UC_EVENTS].ts_ns;
	scenario_play(&scenario, "remote");
	tell();
	assert_true(line.cut);
	assert_int_equal(line.count, UC_EVENTS);
	assert_int_equal(line.at[0].ts_ns, oldest);
	for (size_t i = 1; i < line.count; i++)
		assert_int_equal(line.at[i].event->exchange, line.at[i - 1].event->exchange + 1);
	expect_sorted();
}

static void test_full_logs(void **state)
{
	(void)state;
	scenario_play(&scenario, "open");
	for (unsigned n = 0; n < 1000; n++) {
		scenario_play(&scenario, "event:retransmit up_event:retransmit");
	}
	tell();
	assert_int_equal(line.count, 2 * UC_EVENTS);
	/* the number of events runs over too */
	ngx_conn(&scenario)->events = UINT32_MAX;
	up_conn(&scenario)->events = UC_EVENTS;
	tell();
	assert_int_equal(line.count, 2 * UC_EVENTS);
	assert_true(line.cut);
}

static void test_empty(void **state)
{
	(void)state;
	uc_timeline(ngx_conn(&scenario), NULL, &line);
	assert_int_equal(line.count, 0);
	assert_false(line.cut);
	uc_timeline(ngx_conn(&scenario), up_conn(&scenario), &line);
	assert_int_equal(line.count, 0);
}

/* What came at the same moment keeps the order in which its end logged it. */
static void test_same_moment(void **state)
{
	static const enum uc_event_kind kinds[] = { UC_EV_FIN,        UC_EV_EOF,  UC_EV_RECV_ERROR,
						    UC_EV_RETRANSMIT, UC_EV_RST,  UC_EV_ABORT,
						    UC_EV_PEEK,       UC_EV_CLOSE };

	(void)state;
	scenario_play(&scenario, "open remote");
	ngx_conn(&scenario)->events = 0;
	for (unsigned n = 0; n < UC_EVENTS + 6; n++)
		scenario_event(&scenario, kinds[n % COUNT(kinds)]);
	tell();
	assert_int_equal(line.count, UC_EVENTS);
	for (size_t i = 0; i < line.count; i++)
		assert_int_equal(line.at[i].event->kind, kinds[(i + 6) % COUNT(kinds)]);
}

static void test_random(void **state)
{
	uint64_t seed = 2463534242;

	(void)state;
	for (unsigned n = 0; n < 5000; n++) {
		struct uc_conn *ends[2] = { ngx_conn(&scenario), up_conn(&scenario) };
		unsigned char seen[2][UC_EVENTS] = { { 0 } };

		for (size_t side = 0; side < 2; side++) {
			unsigned char *bytes = (unsigned char *)ends[side]->ev;

			for (size_t i = 0; i < sizeof(ends[side]->ev); i++)
				bytes[i] = next_random(&seed) >> 32;
			ends[side]->events = next_random(&seed) % (3 * UC_EVENTS);
			for (size_t i = 0; i < UC_EVENTS; i++)
				ends[side]->ev[i].kind = 1 +
							 ends[side]->ev[i].kind % (UC_EV_MAX - 1);
		}
		uc_timeline(ends[0], ends[1], &line);
		assert_true(line.count <= 2 * UC_EVENTS);
		for (size_t i = 0; i < line.count; i++) {
			size_t side = line.at[i].upstream;

			assert_false(seen[side][line.at[i].event - ends[side]->ev]++);
		}
		for (size_t i = 1; i < line.count; i++)
			assert_true(line.at[i - 1].ts_ns <= line.at[i].ts_ns);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	static const struct CMUnitTest tests[] = {
		TEST(test_by_clock),
		TEST(test_send_traced_after_its_effects),
		TEST(test_wrap_around),
		TEST(test_not_before_what_did_not_know),
		TEST(test_send_before_fin_of_its_own_end),
		TEST(test_connect_knows_nothing),
		TEST(test_adopted),
		TEST(test_merged_reads),
		TEST(test_without_upstream),
		TEST(test_wrapped_log),
		TEST(test_full_logs),
		TEST(test_empty),
		TEST(test_same_moment),
		TEST(test_random),
	};

	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
