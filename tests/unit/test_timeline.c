/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"

static struct tale tale;
static struct uc_timeline line;

static int set_up(void **state)
{
	(void)state;
	memset(&tale, 0, sizeof(tale));
	return 0;
}

static void tell(void)
{
	uc_timeline(ngx_conn(&tale), tale.pair.has_upstream ? up_conn(&tale) : NULL, &line);
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
	tale_begin(&tale);
	newest(up_conn(&tale))->ts_ns += 1;
	tale_wait(&tale, MS);
	tale_write(&tale, GET);
	tale_arrive(&tale);
	tale_read_all(&tale);
	tale_answer(&tale, OK);
	tale_wait(&tale, MS);
	tale_peer_close(&tale, 0, 0);
	tale_fin(&tale);
	tale_wait(&tale, MS);
}

static void test_by_clock(void **state)
{
	(void)state;
	exchange_and_fin();
	tale_close(&tale);
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
	tale.ngx_isn = ngx_isn;
	tale.up_isn = up_isn;
	tale_begin(&tale);
	newest(up_conn(&tale))->ts_ns += 1;
	tale_wait(&tale, MS);
	tale_write(&tale, GET);
	traced_late(ngx_conn(&tale), 900 * US);
	tale_arrive(&tale);
	tale_read_all(&tale);
	tale_wait(&tale, 10 * US);
	tale_answer(&tale, OK);
	traced_late(up_conn(&tale), 800 * US);
	tale_wait(&tale, 10 * US);
	tale_peer_close(&tale, 0, 0);
	tale_fin(&tale);
	tale_wait(&tale, 10 * US);
	tale_close(&tale);
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
	tale_write(&tale, GET);
	tell();
	assert_string_equal(order() + strlen("n:connect n:established u:established "),
			    "n:send u:receive u:send n:receive u:close n:fin_received n:send");
	assert_int_equal(line.at[line.count - 1].ts_ns, line.at[line.count - 1].event->ts_ns);
}

/* The FIN arrived behind the request's write, and the write's trace behind the FIN. */
static void test_send_before_fin_of_its_own_end(void **state)
{
	(void)state;
	tale_begin(&tale);
	tale_wait(&tale, MS);
	tale_write(&tale, GET);
	traced_late(ngx_conn(&tale), 5 * MS);
	tale_peer_close(&tale, 0, 0);
	tale_fin(&tale);
	tell();
	assert_string_equal(order() + strlen("n:connect n:established u:established "),
			    "u:close n:send n:fin_received");
	expect_sorted();
}

/* A socket's numbers before its handshake is over are no knowledge of the other's bytes. */
static void test_connect_knows_nothing(void **state)
{
	(void)state;
	tale.ngx_isn = 10;
	tale.up_isn = 0x70000000;
	tale_begin(&tale);
	/* as SYN_SENT has them: nothing received yet, garbage compared with anything */
	ngx_conn(&tale)->ev[0].rcv_nxt = 0;
	ngx_conn(&tale)->ev[0].write_seq = 0x40000000;
	ngx_conn(&tale)->ev[1].write_seq = 0x40000000;
	up_conn(&tale)->ev[0].rcv_nxt = 0x40000000;
	tale_wait(&tale, MS);
	tale_write(&tale, GET);
	tell();
	assert_int_equal(line.count, 4);
	assert_int_equal(line.at[3].event->kind, UC_EV_SEND);
	assert_int_equal(line.at[3].ts_ns, line.at[3].event->ts_ns);
	assert_int_equal(line.at[0].event->kind, UC_EV_CONNECT);
}

static void test_adopted(void **state)
{
	(void)state;
	tale_begin(&tale);
	tale_adopt(&tale, UC_CONN_REUSED);
	ngx_conn(&tale)->ev[0].write_seq = tale.ngx.write_seq + 1000;
	up_conn(&tale)->ev[0].rcv_nxt = tale.ngx.write_seq + 1000;
	newest(up_conn(&tale))->ts_ns += 1;
	tale_wait(&tale, MS);
	tale_write(&tale, GET);
	traced_late(ngx_conn(&tale), MS);
	tale_arrive(&tale);
	tale_read_all(&tale);
	tell();
	assert_string_equal(order(), "n:adopted u:adopted n:send u:receive");
	expect_sorted();
}

/* Several writes are one event, whose time is the first's: the first read may not stand before it. */
static void test_merged_reads(void **state)
{
	struct uc_event *e;

	(void)state;
	tale_begin(&tale);
	newest(up_conn(&tale))->ts_ns += 1;
	tale_wait(&tale, MS);
	tale_write_bytes(&tale, POST_1000, strlen(POST_1000), 600);
	traced_late(ngx_conn(&tale), 2 * MS);
	tale_arrive(&tale);
	tale_read_all(&tale);
	/* nginx goes on, and so does the upstream, each within its event */
	tale_wait(&tale, 5 * MS);
	e = newest(ngx_conn(&tale));
	tale.ngx.write_seq += 400;
	*e = (struct uc_event){ e->ts_ns,   tale.now,   tale.ngx.write_seq,
				e->snd_una, e->rcv_nxt, e->copied_seq,
				1000,       2,          UC_EV_SEND,
				1,          1,          0 };
	tale_wait(&tale, MS);
	e = newest(up_conn(&tale));
	tale.up.rcv_nxt = tale.up.copied_seq = tale.ngx.write_seq;
	e->last_ns = tale.now;
	e->rcv_nxt = e->copied_seq = tale.ngx.write_seq;
	e->bytes = 1000;
	e->count = 2;
	tell();
	assert_string_equal(order(), "n:connect n:established u:established n:send u:receive");
	expect_sorted();
}

static void test_without_upstream(void **state)
{
	(void)state;
	tale_begin(&tale);
	tale_write(&tale, GET);
	tale_arrive(&tale);
	tale_remote(&tale);
	tale_wait(&tale, MS);
	tale_fin(&tale);
	tell();
	assert_string_equal(order(), "n:connect n:established n:send n:fin_received");
	for (size_t i = 0; i < line.count; i++)
		assert_false(line.at[i].upstream);
}

static void test_wrapped_log(void **state)
{
	struct uc_conn *c = ngx_conn(&tale);
	uint64_t oldest;

	(void)state;
	tale_begin(&tale);
	for (unsigned n = 0; n < 3 * UC_EVENTS + 5; n++) {
		tale_wait(&tale, MS);
		ngx_event(&tale, UC_EV_RETRANSMIT, 0, 0);
		c->ev[(c->events - 1) % UC_EVENTS].exchange = n;
	}
	oldest = c->ev[c->events % UC_EVENTS].ts_ns;
	tale_remote(&tale);
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
	tale_begin(&tale);
	for (unsigned n = 0; n < 1000; n++) {
		ngx_event(&tale, UC_EV_RETRANSMIT, 0, 0);
		up_event(&tale, UC_EV_RETRANSMIT, 0, 0);
	}
	tell();
	assert_int_equal(line.count, 2 * UC_EVENTS);
	/* the number of events runs over too */
	ngx_conn(&tale)->events = UINT32_MAX;
	up_conn(&tale)->events = UC_EVENTS;
	tell();
	assert_int_equal(line.count, 2 * UC_EVENTS);
	assert_true(line.cut);
}

static void test_empty(void **state)
{
	(void)state;
	uc_timeline(ngx_conn(&tale), NULL, &line);
	assert_int_equal(line.count, 0);
	assert_false(line.cut);
	uc_timeline(ngx_conn(&tale), up_conn(&tale), &line);
	assert_int_equal(line.count, 0);
}

/* What came at the same moment keeps the order in which its end logged it. */
static void test_same_moment(void **state)
{
	static const enum uc_event_kind kinds[] = { UC_EV_FIN,        UC_EV_EOF,  UC_EV_RECV_ERROR,
						    UC_EV_RETRANSMIT, UC_EV_RST,  UC_EV_ABORT,
						    UC_EV_PEEK,       UC_EV_CLOSE };

	(void)state;
	tale_begin(&tale);
	tale_remote(&tale);
	ngx_conn(&tale)->events = 0;
	for (unsigned n = 0; n < UC_EVENTS + 6; n++)
		ngx_event(&tale, kinds[n % COUNT(kinds)], 0, 0);
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
		struct uc_conn *ends[2] = { ngx_conn(&tale), up_conn(&tale) };
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
