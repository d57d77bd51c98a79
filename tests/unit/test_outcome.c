/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/outcome.h"
#include "scenario.h"

#define NOW      (100 * S)
#define CAPACITY 4
#define PORT     9402

static struct uc_holds *holds;
static struct scenario scenario;
static struct uc_pair given, got;

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	memset(&given, 0, sizeof(given));
	memset(&got, 0xaa, sizeof(got));
	return uc_holds_new(CAPACITY, &holds);
}

static int tear_down(void **state)
{
	(void)state;
	uc_holds_free(holds);
	holds = NULL;
	return 0;
}

static bool put(uint64_t id, uint64_t now)
{
	given.nginx.conn.id = id;
	given.nginx.conn.open_ns = id * 10;
	return uc_holds_put(holds, &given, false, now);
}

static struct uc_rec_followup followup(uint64_t of_id, enum uc_followup what, const char *head)
{
	struct uc_rec_followup s = { .hdr = { UC_WIRE_VERSION, UC_REC_FOLLOWUP, sizeof(s), NOW },
				     .of_id = of_id,
				     .worker = WORKER,
				     .what = what };
	size_t len = strlen(head);

	s.head_len = len < UC_FOLLOWUP_HEAD ? len : UC_FOLLOWUP_HEAD;
	memcpy(s.head, head, s.head_len);
	if (what == UC_FOLLOWUP_RETRIED || what == UC_FOLLOWUP_ANSWERED) {
		s.next_id = of_id + 1;
		loopback(s.remote_addr);
		s.remote_port = PORT;
		s.family = AF_INET;
	}
	return s;
}

static bool come(uint64_t of_id, enum uc_followup what, const char *head)
{
	struct uc_rec_followup s = followup(of_id, what, head);

	return uc_holds_followup(holds, &s, &got);
}

static bool client_closes(uint64_t of_id, bool gone)
{
	struct uc_rec_followup s = followup(of_id, UC_FOLLOWUP_CLIENT_CLOSED, "");

	s.client_gone = gone;
	return uc_holds_followup(holds, &s, &got);
}

static bool expire(uint64_t now)
{
	return uc_holds_expire(holds, now, &got);
}

static void expect(uint64_t id, enum uc_outcome_id outcome, enum uc_confidence confidence)
{
	assert_int_equal(got.nginx.conn.id, id);
	assert_int_equal(got.nginx.conn.open_ns, id * 10);
	assert_int_equal(got.outcome.id, outcome);
	assert_int_equal(got.outcome.confidence, confidence);
}

static void expect_retry(unsigned status)
{
	__u8 addr[16];

	loopback(addr);
	assert_true(got.outcome.retry_known);
	assert_memory_equal(got.outcome.retry_addr, addr, sizeof(addr));
	assert_int_equal(got.outcome.retry_port, PORT);
	assert_int_equal(got.outcome.retry_family, AF_INET);
	assert_int_equal(got.outcome.retry_status, status);
	assert_int_equal(got.outcome.client_status, 0);
}

static void test_nothing_held(void **state)
{
	(void)state;
	assert_int_equal(uc_holds_deadline(holds), UINT64_MAX);
	assert_false(expire(UINT64_MAX));
	assert_false(come(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
}

static void test_none_to_free(void **state)
{
	(void)state;
	uc_holds_free(NULL);
}

static void test_expires_in_order(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		assert_true(put(id, NOW + id * MS));
	for (uint64_t id = 1; id <= 3; id++) {
		uint64_t due = NOW + id * MS + UC_OUTCOME_HOLD_NS;

		assert_int_equal(uc_holds_deadline(holds), due);
		assert_false(expire(due - 1));
		assert_true(expire(due));
		expect(id, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
		assert_int_equal(got.outcome.followup, 0);
		assert_false(got.outcome.retry_known);
	}
	assert_int_equal(uc_holds_deadline(holds), UINT64_MAX);
	assert_false(expire(UINT64_MAX));
}

static void test_capacity(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= CAPACITY; id++)
		assert_true(put(id, NOW));
	assert_false(put(9, NOW));
	/* room is made by either way out */
	assert_true(come(2, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	assert_true(put(9, NOW));
	assert_false(put(10, NOW));
	assert_true(expire(NOW + UC_OUTCOME_HOLD_NS));
	expect(1, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
	assert_true(put(10, NOW));
	assert_false(put(11, NOW));
}

static void test_no_capacity(void **state)
{
	struct uc_holds *none;

	(void)state;
	assert_int_equal(uc_holds_new(0, &none), 0);
	assert_false(uc_holds_put(none, &given, false, NOW));
	assert_int_equal(uc_holds_deadline(none), UINT64_MAX);
	uc_holds_free(none);
}

/* Out of the front, the middle and the end, and what is put in afterwards stays in order. */
static void test_taken_out_anywhere(void **state)
{
	static const uint64_t orders[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 },
					      { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		for (uint64_t id = 1; id <= 3; id++)
			assert_true(put(id, NOW));
		for (size_t k = 0; k < 2; k++) {
			assert_true(
				come(orders[i][k], UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
			expect(orders[i][k], UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN);
		}
		assert_true(put(4, NOW));
		assert_true(expire(UINT64_MAX));
		assert_int_equal(got.nginx.conn.id, orders[i][2]);
		assert_true(expire(UINT64_MAX));
		assert_int_equal(got.nginx.conn.id, 4);
		assert_false(expire(UINT64_MAX));
	}
}

/* Something else is waited for, too: its followup does not end the wait, whenever it comes. */
static void test_held_to_the_end(void **state)
{
	(void)state;
	assert_false(come(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	for (uint64_t id = 1; id <= 2; id++) {
		given.nginx.conn.id = id;
		given.nginx.conn.open_ns = id * 10;
		assert_true(uc_holds_put(holds, &given, true, NOW));
	}
	assert_false(come(2, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	assert_int_equal(uc_holds_deadline(holds), NOW + UC_OUTCOME_HOLD_NS);
	assert_false(expire(NOW + UC_OUTCOME_HOLD_NS - 1));
	for (uint64_t id = 1; id <= 2; id++) {
		assert_true(expire(NOW + UC_OUTCOME_HOLD_NS));
		expect(id, UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN);
	}
}

/* Nobody frees them but uc_holds_free: the leak checker watches. */
static void test_freed_while_held(void **state)
{
	(void)state;
	assert_true(put(1, NOW) && put(2, NOW));
}

static void test_retried(void **state)
{
	(void)state;
	assert_true(put(1, NOW));
	assert_false(come(1, UC_FOLLOWUP_RETRIED, ""));
	/* the answer did not come in time */
	assert_int_equal(uc_holds_deadline(holds), NOW + UC_OUTCOME_HOLD_NS);
	assert_true(expire(NOW + UC_OUTCOME_HOLD_NS));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	assert_int_equal(got.outcome.followup, UC_FOLLOWUP_RETRIED);
	expect_retry(0);
}

static void test_retried_and_answered(void **state)
{
	(void)state;
	assert_true(put(1, NOW));
	assert_false(come(1, UC_FOLLOWUP_RETRIED, ""));
	assert_true(come(1, UC_FOLLOWUP_ANSWERED, "HTTP/1.1 200 OK\r\n"));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	assert_int_equal(got.outcome.followup, UC_FOLLOWUP_ANSWERED);
	expect_retry(200);
	assert_false(expire(UINT64_MAX));
}

/* An answer says by itself that there was a retry; a retry that failed is one, too. */
static void test_answered_alone(void **state)
{
	(void)state;
	assert_true(put(1, NOW));
	assert_true(come(1, UC_FOLLOWUP_ANSWERED, "HTTP/1.0 503 Service"));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	expect_retry(503);
}

/* Of an encrypted answer nothing is known but that it came. */
static void test_answered_unreadably(void **state)
{
	(void)state;
	assert_true(put(1, NOW));
	assert_true(come(1, UC_FOLLOWUP_ANSWERED, "\x17\x03\x03xxxxxxxxxxxxx"));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	expect_retry(0);
}

static const struct {
	const char *head;
	enum uc_outcome_id id;
	enum uc_confidence confidence;
	unsigned status;
} sent[] = {
#define ERROR_PROVEN UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN
#define ERROR_LIKELY UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_LIKELY
#define NO_ERROR     UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN
	{ "HTTP/1.1 502 Bad", ERROR_PROVEN, 502 },
	{ "HTTP/1.1 504 Gat", ERROR_PROVEN, 504 },
	{ "HTTP/1.0 502 Bad", ERROR_PROVEN, 502 },
	{ "HTTP/1.1 400 Bad", ERROR_PROVEN, 400 },
	{ "HTTP/1.1 599 ???", ERROR_PROVEN, 599 },
	{ "HTTP/1.1 502", ERROR_PROVEN, 502 },
	{ "HTTP/1.1 399 ???", NO_ERROR, 399 },
	{ "HTTP/1.1 302 Fou", NO_ERROR, 302 },
	{ "HTTP/1.1 200 OK\r\n", NO_ERROR, 200 },
	/* not readable: most answers to a failure are errors */
	{ "", ERROR_LIKELY, 0 },
	{ "HTTP/1.1 50", ERROR_LIKELY, 0 },
	{ "HTTP/2.0 502 Bad", ERROR_LIKELY, 0 },
	{ "HTTP/1.1  502 Ba", ERROR_LIKELY, 0 },
	{ "HTTP/1.1 5o2 Bad", ERROR_LIKELY, 0 },
	{ "HTTP/1.1 50: Bad", ERROR_LIKELY, 0 },
	{ "http/1.1 502 Bad", ERROR_LIKELY, 0 },
	{ "HTTP/1.1_502 Bad", ERROR_LIKELY, 0 },
	{ "\x17\x03\x03\x01\x42xxxxxxxxxxx", ERROR_LIKELY, 0 },
};

static void test_client_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sent); i++) {
		assert_true(put(i + 1, NOW));
		assert_true(come(i + 1, UC_FOLLOWUP_CLIENT_SENT, sent[i].head));
		expect(i + 1, sent[i].id, sent[i].confidence);
		assert_int_equal(got.outcome.followup, UC_FOLLOWUP_CLIENT_SENT);
		assert_int_equal(got.outcome.client_status, sent[i].status);
		assert_false(got.outcome.retry_known);
	}
}

/* What lies behind head_len is not looked at. */
static void test_client_sent_head_len(void **state)
{
	struct uc_rec_followup s = followup(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad");

	(void)state;
	s.head_len = 11;
	assert_true(put(1, NOW));
	assert_true(uc_holds_followup(holds, &s, &got));
	expect(1, UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_LIKELY);
	assert_int_equal(got.outcome.client_status, 0);
}

static void test_client_closed(void **state)
{
	(void)state;
	assert_true(put(1, NOW));
	assert_true(client_closes(1, false));
	/* nginx answers before it closes: a stale copy from the cache even before it closes the upstream's */
	expect(1, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
	assert_int_equal(got.outcome.followup, UC_FOLLOWUP_CLIENT_CLOSED);
	assert_false(got.outcome.client_gone);
	/* one that had left saw no error */
	assert_true(put(2, NOW));
	assert_true(client_closes(2, true));
	expect(2, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
	assert_true(got.outcome.client_gone);
}

/* A number of a later version is the end of the wait, and claims nothing. */
static void test_strange_followup(void **state)
{
	struct uc_rec_followup s = followup(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad");

	(void)state;
	s.what = UC_FOLLOWUP_MAX;
	assert_true(put(1, NOW));
	assert_true(uc_holds_followup(holds, &s, &got));
	expect(1, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
}

static void test_others_are_left_alone(void **state)
{
	(void)state;
	assert_true(put(1, NOW) && put(2, NOW));
	assert_false(come(3, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	assert_true(come(2, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	expect(2, UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN);
	assert_true(expire(UINT64_MAX));
	expect(1, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
}

/* --- the followup comes first: its connection waited for the other end ----------------------- */

static void test_followup_first(void **state)
{
	(void)state;
	assert_false(come(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	assert_true(put(1, NOW));
	assert_true(expire(NOW));
	expect(1, UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN);
	assert_int_equal(got.outcome.client_status, 502);
}

static void test_retry_first(void **state)
{
	(void)state;
	assert_false(come(1, UC_FOLLOWUP_RETRIED, ""));
	assert_true(put(1, NOW));
	assert_false(expire(NOW));
	assert_true(come(1, UC_FOLLOWUP_ANSWERED, "HTTP/1.1 200 OK\r\n"));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	expect_retry(200);
}

static void test_retry_and_answer_first(void **state)
{
	(void)state;
	assert_false(come(1, UC_FOLLOWUP_RETRIED, ""));
	assert_false(come(1, UC_FOLLOWUP_ANSWERED, "HTTP/1.1 200 OK\r\n"));
	assert_true(put(1, NOW));
	assert_true(expire(NOW));
	expect(1, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
	expect_retry(200);
}

/* However many came before them: the order of their coming counts, not where they are kept. */
static void test_retry_and_answer_first_at_any_place(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 200; id++) {
		assert_false(come(id, UC_FOLLOWUP_RETRIED, ""));
		assert_false(come(id, UC_FOLLOWUP_ANSWERED, "HTTP/1.1 200 OK\r\n"));
		assert_false(come(1000 + id, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
		assert_true(put(id, NOW));
		assert_true(expire(NOW));
		expect(id, UC_OUTCOME_RETRIED, UC_CONFIDENCE_PROVEN);
		expect_retry(200);
	}
}

/* Of those that came first some are remembered, and memory does not grow. */
static void test_followup_first_long_ago(void **state)
{
	(void)state;
	assert_false(come(1, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 502 Bad"));
	for (uint64_t id = 2; id < 1000; id++)
		assert_false(come(id, UC_FOLLOWUP_CLIENT_SENT, "HTTP/1.1 504 Gat"));
	assert_true(put(1, NOW) && put(999, NOW));
	assert_true(expire(UINT64_MAX));
	expect(1, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
	assert_true(expire(UINT64_MAX));
	expect(999, UC_OUTCOME_CLIENT_ERROR, UC_CONFIDENCE_PROVEN);
	assert_int_equal(got.outcome.client_status, 504);
}

/* Records without an id belong to nobody. */
static void test_no_id(void **state)
{
	(void)state;
	assert_true(put(0, NOW));
	assert_true(expire(UINT64_MAX));
	expect(0, UC_OUTCOME_UNKNOWN, UC_CONFIDENCE_UNKNOWN);
}

/* --- settle ---------------------------------------------------------------------------------- */

static struct uc_outcome settled(const char *name)
{
	struct uc_outcome o;
	struct uc_verdict v;

	scenario_named(&scenario, name);
	v = scenario_judge(&scenario);
	o = scenario.pair.outcome;
	uc_outcome_settle(&scenario.facts, &v, &o);
	return o;
}

/* nginx had passed the header on: the client keeps its status, and its body is cut. */
static void test_settle_body(void **state)
{
	struct uc_outcome o;

	(void)state;
	o = settled("body_cut");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
	assert_int_equal(o.confidence, UC_CONFIDENCE_LIKELY);
	assert_int_equal(o.client_status, 200);
	o = settled("chunk_cut");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
	o = settled("stalled_within_body");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
}

/* Their status is not known to have left nginx. */
static void test_settle_refused_body(void **state)
{
	static const char *const names[] = { "chunks_not_accepted", "not_http_passed_on" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct uc_outcome o = settled(names[i]);

		assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
		assert_int_equal(o.confidence, UC_CONFIDENCE_LIKELY);
		assert_int_equal(o.client_status, 0);
	}
}

/* Encrypted: the client got the status that it was sent, and not all of the body. */
static void test_settle_encrypted_stall(void **state)
{
	struct uc_outcome o;

	(void)state;
	o = settled("encrypted_and_stalled");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
	assert_int_equal(o.confidence, UC_CONFIDENCE_LIKELY);
	assert_int_equal(o.client_status, 200);
	o = settled("encrypted_and_idle");
	assert_int_equal(o.id, UC_OUTCOME_UNKNOWN);
}

/* A worker that ends takes its clients' connections with it. */
static void test_settle_nginx_ends(void **state)
{
	struct uc_outcome o;

	(void)state;
	o = settled("nginx_ends");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
	assert_int_equal(o.confidence, UC_CONFIDENCE_LIKELY);
	assert_int_equal(o.client_status, 0);
	o = settled("nginx_ends_connecting");
	assert_int_equal(o.id, UC_OUTCOME_CLIENT_ERROR);
}

static void test_settle_nothing(void **state)
{
	static const char *const names[] = {
		"header_cut",
		"destroyed",
		"race_crossed",
		"refused_by_error",
		"never_answered_half_a_second",
		"idle_closed_by_upstream",
		"complete_not_kept",
		"upgraded",
		"not_http",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct uc_outcome o = settled(names[i]);

		assert_int_equal(o.id, UC_OUTCOME_UNKNOWN);
		assert_int_equal(o.confidence, UC_CONFIDENCE_UNKNOWN);
	}
}

/* It was after that header that nginx sent it, or closed the client's connection. */
static void test_settle_body_with_followup(void **state)
{
	static const struct {
		enum uc_followup followup;
		bool gone;
		unsigned status;
		enum uc_outcome_id id;
	} followups[] = {
		{ UC_FOLLOWUP_CLIENT_SENT, false, 200, UC_OUTCOME_CLIENT_ERROR },
		{ UC_FOLLOWUP_CLIENT_CLOSED, false, 0, UC_OUTCOME_CLIENT_ERROR },
		{ UC_FOLLOWUP_CLIENT_CLOSED, true, 0, UC_OUTCOME_UNKNOWN },
		/* another status is another answer */
		{ UC_FOLLOWUP_CLIENT_SENT, false, 302, UC_OUTCOME_UNKNOWN },
	};
	struct uc_verdict v;

	(void)state;
	for (size_t i = 0; i < COUNT(followups); i++) {
		struct uc_outcome o;

		scenario_named(&scenario, "body_cut");
		scenario.pair.outcome.followup = followups[i].followup;
		scenario.pair.outcome.client_gone = followups[i].gone;
		scenario.pair.outcome.client_status = followups[i].status;
		v = scenario_judge(&scenario);
		/* nginx had not looked at the upstream's end when it obeyed its client */
		assert_int_equal(v.id, followups[i].gone ? UC_VERDICT_CLIENT_GONE :
							   UC_VERDICT_BODY_TRUNCATED);
		o = scenario.pair.outcome;
		uc_outcome_settle(&scenario.facts, &v, &o);
		assert_int_equal(o.id, followups[i].id);
		if (followups[i].id == UC_OUTCOME_CLIENT_ERROR)
			assert_int_equal(o.client_status, 200);
	}
}

/* What a followup has told is left as it is. */
static void test_settle_leaves_what_is_known(void **state)
{
	struct uc_outcome o = { .id = UC_OUTCOME_RETRIED,
				.confidence = UC_CONFIDENCE_PROVEN,
				.followup = UC_FOLLOWUP_RETRIED,
				.retry_known = true };
	struct uc_outcome before = o;
	struct uc_verdict v;

	(void)state;
	scenario_named(&scenario, "body_cut");
	v = scenario_judge(&scenario);
	uc_outcome_settle(&scenario.facts, &v, &o);
	assert_memory_equal(&o, &before, sizeof(o));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_nothing_held),
		TEST(test_none_to_free),
		TEST(test_expires_in_order),
		TEST(test_capacity),
		TEST(test_no_capacity),
		TEST(test_taken_out_anywhere),
		TEST(test_held_to_the_end),
		TEST(test_freed_while_held),
		TEST(test_retried),
		TEST(test_retried_and_answered),
		TEST(test_answered_alone),
		TEST(test_answered_unreadably),
		TEST(test_client_sent),
		TEST(test_client_sent_head_len),
		TEST(test_client_closed),
		TEST(test_strange_followup),
		TEST(test_others_are_left_alone),
		TEST(test_followup_first),
		TEST(test_retry_first),
		TEST(test_retry_and_answer_first),
		TEST(test_retry_and_answer_first_at_any_place),
		TEST(test_followup_first_long_ago),
		TEST(test_no_id),
		TEST(test_settle_body),
		TEST(test_settle_body_with_followup),
		TEST(test_settle_refused_body),
		TEST(test_settle_encrypted_stall),
		TEST(test_settle_nginx_ends),
		TEST(test_settle_nothing),
		TEST(test_settle_leaves_what_is_known),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
