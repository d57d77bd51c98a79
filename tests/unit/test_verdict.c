/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

static struct scenario scenario;

static void expect_verdict(const char *name, struct uc_verdict v, enum uc_verdict_id id,
			   enum uc_proof proof, enum uc_confidence confidence)
{
	if (v.id == id && v.proof == proof && v.confidence == confidence)
		return;
	fail_msg("%s: %s by %s, %s; expected %s by %s, %s", name, uc_verdict_name(v.id),
		 uc_proof_name(v.proof), uc_confidence_name(v.confidence), uc_verdict_name(id),
		 uc_proof_name(proof), uc_confidence_name(confidence));
}

static struct uc_verdict verdict_of(const char *steps, uint32_t ngx_isn, uint32_t up_isn)
{
	scenario.ngx_isn = ngx_isn;
	scenario.up_isn = up_isn;
	scenario_play(&scenario, steps);
	return scenario_judge(&scenario);
}

static void expect_row(const struct scenario_row *row, uint32_t ngx_isn, uint32_t up_isn)
{
	expect_verdict(row->name, verdict_of(row->steps, ngx_isn, up_isn), row->id, row->proof,
		       row->confidence);
}

static void test_rules(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario_row *row = &scenarios[i];
		struct uc_verdict v = verdict_of(row->steps, 0, 0);

		if (v.id == row->id && v.proof == row->proof && v.confidence == row->confidence)
			continue;
		failed++;
		print_message("%s: %s by %s, %s; expected %s by %s, %s\n", row->name,
			      uc_verdict_name(v.id), uc_proof_name(v.proof),
			      uc_confidence_name(v.confidence), uc_verdict_name(row->id),
			      uc_proof_name(row->proof), uc_confidence_name(row->confidence));
	}
	assert_int_equal(failed, 0);
}

/* Wherever in the sequence space a connection begins, it ends the same. */
static void test_sequence_numbers_wrap(void **state)
{
	static const uint32_t bases[] = { 1,          0x7ffffff0, 0x80000000, 0xffffff00,
					  0xffffffe0, 0xfffffffe, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < scenario_count; i++)
		for (size_t b = 0; b < COUNT(bases); b++) {
			expect_row(&scenarios[i], bases[b], 0);
			expect_row(&scenarios[i], 0, bases[b]);
			expect_row(&scenarios[i], bases[b], bases[COUNT(bases) - 1 - b]);
		}
}

static void test_sequence_numbers_anywhere(void **state)
{
	uint64_t seed = 20261122;

	(void)state;
	for (size_t i = 0; i < scenario_count; i++)
		for (unsigned n = 0; n < 200; n++) {
			uint64_t r = next_random(&seed);

			expect_row(&scenarios[i], (uint32_t)r | 1, (uint32_t)(r >> 32) | 1);
		}
}

static void test_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		struct uc_verdict v = verdict_of(scenarios[i].steps, 0, 0);

		assert_int_equal(v.flagged, uc_verdict_flagged(v.id));
		assert_false(v.lossy && !scenario.pair.upstream_missing);
	}
}

/* Without the peer nothing may be claimed that only the peer shows. */
static void test_far_end_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		struct uc_verdict v;

		scenario.ngx_isn = scenario.up_isn = 0;
		scenario_play(&scenario, scenarios[i].steps);
		scenario_play(&scenario, "peer_lost");
		v = scenario_judge(&scenario);
		assert_false(v.lossy && v.confidence == UC_CONFIDENCE_PROVEN);
		/* nginx closed first, or nothing was cut: the peer could not change it */
		if (scenario.facts.closed_by != UC_CLOSED_BY_UPSTREAM || !v.flagged)
			assert_false(v.lossy);
		else if (v.id != UC_VERDICT_UNKNOWN && scenario.facts.established &&
			 !scenario.facts.tls_answer)
			assert_true(v.lossy);
		assert_int_not_equal(v.id, UC_VERDICT_UPSTREAM_DIED);
		assert_int_not_equal(v.proof, UC_PROOF_DELIBERATE_CLOSE);
		assert_int_not_equal(v.proof, UC_PROOF_REQUEST_UNREAD);
		assert_int_not_equal(v.proof, UC_PROOF_BODY_UNREAD);
		if (v.id == UC_VERDICT_KEEPALIVE_RACE || v.id == UC_VERDICT_UPSTREAM_RESET ||
		    v.id == UC_VERDICT_UPSTREAM_CLOSED)
			assert_int_not_equal(v.confidence, UC_CONFIDENCE_PROVEN);
	}
}

/*
 * A race needs a reused connection: the same end on a new one is the upstream's.
 * An adopted connection whose request was seen is as good as any.
 */
static void test_race_needs_reuse(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		if (scenarios[i].id != UC_VERDICT_KEEPALIVE_RACE)
			continue;
		scenario.ngx_isn = scenario.up_isn = 0;
		scenario_play(&scenario, scenarios[i].steps);
		ngx_conn(&scenario)->x.number = 1;
		expect_verdict(scenarios[i].name, scenario_judge(&scenario),
			       UC_VERDICT_UPSTREAM_CLOSED, scenarios[i].proof,
			       scenarios[i].confidence);
		ngx_conn(&scenario)->flags |= UC_CONN_ADOPTED | UC_CONN_REUSED;
		expect_verdict(scenarios[i].name, scenario_judge(&scenario),
			       UC_VERDICT_KEEPALIVE_RACE, scenarios[i].proof,
			       scenarios[i].confidence);
		assert_int_equal(scenario.facts.number, 0);
	}
}

/* --- the proof matrix, by nginx's side alone ------------------------------------------- */

enum how { BY_FIN, BY_RST };

/* A request of len bytes, of which acked were acknowledged when the close came. */
static struct uc_verdict matrix(bool reused, uint32_t len, uint32_t acked, enum how how)
{
	char arrive[32];
	static const char post[] = "POST /a HTTP/1.1\r\nHost: u\r\nContent-Length: 58\r\n\r\n";

	scenario.ngx_isn = 0xffffffff - 400;
	scenario.up_isn = 0;
	if (reused)
		scenario_play(&scenario, REUSED);
	else
		scenario_play(&scenario, "open");
	scenario_play(&scenario, "remote");
	scenario_request(&scenario, post, strlen(post), len);
	snprintf(arrive, sizeof(arrive), "arrive:%u", acked);
	scenario_play(&scenario, arrive);
	if (how == BY_FIN)
		scenario_play(&scenario, END_FIN);
	else
		scenario_play(&scenario, END_RST);
	return scenario_judge(&scenario);
}

static void test_proof_matrix_fin(void **state)
{
	const uint32_t len = 108;

	(void)state;
	/* FIN, unacked == len: never received */
	expect_verdict("race", matrix(true, len, 0, BY_FIN), V(KEEPALIVE_RACE), P(REQUEST_UNACKED),
		       C(PROVEN));
	expect_verdict("fresh", matrix(false, len, 0, BY_FIN), V(UPSTREAM_CLOSED),
		       P(REQUEST_UNACKED), C(PROVEN));
	/* FIN, 0 < unacked < len: it stopped within the request */
	for (uint32_t acked = 1; acked < len; acked++) {
		expect_verdict("part", matrix(true, len, acked, BY_FIN), V(REQUEST_REJECTED),
			       P(BODY_UNACKED), C(LIKELY));
		assert_int_equal(scenario.facts.unacked_bytes, len - acked);
		expect_verdict("part", matrix(false, len, acked, BY_FIN), V(REQUEST_REJECTED),
			       P(BODY_UNACKED), C(LIKELY));
	}
	/* FIN, unacked == 0: received; its process may have closed or died, so no more than likely */
	expect_verdict("all", matrix(true, len, len, BY_FIN), V(UPSTREAM_CLOSED), P(REQUEST_ACKED),
		       C(LIKELY));
	expect_verdict("all", matrix(false, len, len, BY_FIN), V(UPSTREAM_CLOSED), P(REQUEST_ACKED),
		       C(LIKELY));
}

/* A reset does not advance snd_una, so whatever is unacknowledged proves nothing. */
static void test_proof_matrix_rst(void **state)
{
	const uint32_t len = 108;

	(void)state;
	for (uint32_t acked = 0; acked <= len; acked++) {
		expect_verdict("reset", matrix(true, len, acked, BY_RST), V(UPSTREAM_RESET), P(RST),
			       C(PROVEN));
		expect_verdict("reset", matrix(false, len, acked, BY_RST), V(UPSTREAM_RESET),
			       P(RST), C(PROVEN));
	}
}

/* Only nginx's own close: the upstream is not to blame, whatever was acknowledged. */
static void test_proof_matrix_nginx(void **state)
{
	const uint32_t len = 108;

	(void)state;
	for (uint32_t acked = 0; acked <= len; acked += 27) {
		struct uc_verdict v;

		matrix(true, len, acked, BY_FIN);
		ngx_conn(&scenario)->peer_closed = 0;
		memset(&ngx_conn(&scenario)->peer, 0, sizeof(ngx_conn(&scenario)->peer));
		v = scenario_judge(&scenario);
		assert_true(v.id == UC_VERDICT_UNKNOWN || v.id == UC_VERDICT_NGINX_TIMEOUT);
		assert_int_equal(scenario.facts.closed_by, UC_CLOSED_BY_NGINX);
	}
}

/* --- exit statuses ------------------------------------------------------------------------ */

static void expect_exit(uint32_t flags, int code, int status, int sig)
{
	struct uc_task t = { .flags = flags, .exit_code = code };
	int got_status = 7, got_signal = 7;

	uc_exit_of(&t, &got_status, &got_signal);
	assert_int_equal(got_status, status);
	assert_int_equal(got_signal, sig);
}

/* Bytes that the socket knows of and no hook told, or events at once: nothing is proven by such a log. */
static void test_unheard(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		struct uc_verdict v;

		scenario.ngx_isn = scenario.up_isn = 0;
		scenario_play(&scenario, scenarios[i].steps);
		if (ngx_conn(&scenario)->end.ts_ns && ngx_conn(&scenario)->x.out_bytes) {
			ngx_conn(&scenario)->end.write_seq += 2;
			v = scenario_judge(&scenario);
			assert_int_equal(scenario.facts.unheard_bytes, 2);
			assert_true(v.lossy);
			assert_int_not_equal(v.confidence, UC_CONFIDENCE_PROVEN);
		}
		scenario_play(&scenario, scenarios[i].steps);
		ngx_conn(&scenario)->flags |= UC_CONN_TORN;
		v = scenario_judge(&scenario);
		assert_true(v.lossy);
		assert_int_not_equal(v.confidence, UC_CONFIDENCE_PROVEN);
	}
}

static void test_exit_of(void **state)
{
	(void)state;
	expect_exit(0, 0, -1, -1);
	expect_exit(0, SIGNAL(9), -1, -1);
	expect_exit(UC_TASK_OOM | UC_TASK_KTHREAD, EXIT(1), -1, -1);
	expect_exit(UC_TASK_EXITING, 0, 0, -1);
	expect_exit(UC_TASK_EXITING, EXIT(1), 1, -1);
	expect_exit(UC_TASK_EXITING, EXIT(255), 255, -1);
	expect_exit(UC_TASK_EXITING, SIGNAL(9), -1, 9);
	expect_exit(UC_TASK_EXITING, SIGNAL(11) | 0x80, -1, 11);
	expect_exit(UC_TASK_EXITING, -1, -1, 127);
}

/* --- total ------------------------------------------------------------------------------ */

static void fill_random(void *p, size_t len, uint64_t *seed)
{
	unsigned char *bytes = p;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(next_random(seed) >> 32);
}

static uint8_t one_of(const uint8_t *set, size_t n, uint64_t *seed)
{
	return set[next_random(seed) % n];
}

/* What the decoder lets through, and nothing narrower. */
static void make_valid(struct uc_conn *c, bool nginx, uint64_t *seed)
{
	static const uint8_t closes[] = { 0, UC_EV_FIN, UC_EV_RST };

	c->tuple.family = next_random(seed) & 1 ? AF_INET : AF_INET6;
	c->peer_closed = one_of(closes, COUNT(closes), seed);
	c->flags = nginx ? c->flags | UC_CONN_NGINX : c->flags & ~UC_CONN_NGINX;
	c->owner.comm[UC_COMM_LEN - 1] = c->closer.comm[UC_COMM_LEN - 1] = '\0';
	if (next_random(seed) & 1)
		c->events %= UC_EVENTS;
	for (size_t i = 0; i < UC_EVENTS; i++) {
		c->ev[i].kind = 1 + c->ev[i].kind % (UC_EV_MAX - 1);
		c->ev[i].count |= 1;
	}
	if (next_random(seed) & 1)
		c->end_state = 0;
	if (next_random(seed) & 1)
		c->established_ns = 0;
	if (next_random(seed) & 1)
		c->peer.ts_ns = 0;
	if (next_random(seed) & 1)
		c->x.in_bytes = 0;
}

static void random_heads(struct uc_heads *h, uint64_t *seed)
{
	static const char *const requests[] = { GET, POST_1000, "", "GET / HT", "\x16\x03\x01" };
	static const char *const responses[] = { OK, "HTTP/1.1 2", "", "\x15\x03\x01", "SSH-2.0" };
	const char *request = requests[next_random(seed) % COUNT(requests)];
	const char *response = responses[next_random(seed) % COUNT(responses)];

	h->request_len %= UC_REQUEST_HEAD + 1;
	h->response_len %= UC_RESPONSE_HEAD + 1;
	h->response_gap &= 1;
	h->tail_len %= UC_RESPONSE_TAIL + 1;
	if (next_random(seed) & 1) {
		h->request_len = (uint32_t)strlen(request);
		memcpy(h->request, request, h->request_len);
	}
	if (next_random(seed) & 1) {
		h->response_len = (uint32_t)strlen(response);
		memcpy(h->response, response, h->response_len);
	}
}

static void random_pair(struct uc_pair *p, uint64_t *seed)
{
	fill_random(p, sizeof(*p), seed);
	p->has_upstream = next_random(seed) & 1;
	p->upstream_missing = !p->has_upstream && next_random(seed) & 1;
	make_valid(&p->nginx.conn, true, seed);
	make_valid(&p->upstream.conn, false, seed);
	random_heads(&p->nginx.heads, seed);
	p->outcome.followup %= UC_FOLLOWUP_CLIENT_CLOSED + 1;
	p->outcome.client_gone = next_random(seed) & 1;
	p->outcome.other_request = next_random(seed) & 1;
	p->outcome.retry_known = next_random(seed) & 1;
	p->said.count %= UC_SAID_MAX + 1;
	for (size_t i = 0; i < UC_SAID_MAX; i++) {
		struct uc_words *w = &p->said.words[i];

		w->kind = (unsigned)w->kind % UC_WORDS_KIND_MAX;
		w->format[sizeof(w->format) - 1] = w->action[sizeof(w->action) - 1] = '\0';
	}
	/* mostly not said */
	if (next_random(seed) % 8)
		p->said.count = 0;
	p->hearing %= 9;
}

static void expect_valid(const struct uc_facts *f, const struct uc_verdict *v)
{
	assert_true((unsigned)v->id < UC_VERDICT_MAX);
	assert_true((unsigned)v->proof < UC_PROOF_MAX);
	assert_true((unsigned)v->confidence < UC_CONFIDENCE_MAX);
	assert_int_equal(v->flagged, uc_verdict_flagged(v->id));
	assert_int_equal(v->id == UC_VERDICT_UNKNOWN, v->confidence == UC_CONFIDENCE_UNKNOWN);
	assert_true(v->proof != UC_PROOF_NONE || v->confidence != UC_CONFIDENCE_PROVEN);
	assert_true((unsigned)f->closed_by < UC_CLOSED_BY_MAX);
	assert_true((unsigned)f->close < UC_CLOSE_MAX);
	assert_true((unsigned)f->phase < UC_PHASE_MAX);
	assert_true(f->unacked_bytes == 0 || f->request_bytes);
}

/* What was laid down for every verdict, of whatever record. */
static void expect_sound(const struct scenario *t, const struct uc_verdict *v)
{
	const struct uc_facts *f = &t->facts;

	if (v->id == UC_VERDICT_KEEPALIVE_RACE)
		assert_true(f->reused && f->closed_by == UC_CLOSED_BY_UPSTREAM);
	if (v->proof == UC_PROOF_REQUEST_UNACKED && !f->upstream)
		assert_int_equal(f->close, UC_CLOSE_FIN);
	if (v->id == UC_VERDICT_UPSTREAM_DIED)
		assert_true(f->upstream && f->upstream->closer.flags & UC_TASK_EXITING);
	if (v->proof == UC_PROOF_DELIBERATE_CLOSE)
		assert_true(f->upstream && !(f->upstream->closer.flags & UC_TASK_EXITING));
	if (v->id == UC_VERDICT_NGINX_TIMEOUT || v->id == UC_VERDICT_CLIENT_GONE)
		assert_int_not_equal(f->closed_by, UC_CLOSED_BY_UPSTREAM);
}

static void test_total(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	unsigned seen[UC_VERDICT_MAX] = { 0 }, kinds = 0;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct uc_verdict v;

		random_pair(&scenario.pair, &seed);
		v = scenario_judge(&scenario);
		expect_valid(&scenario.facts, &v);
		expect_sound(&scenario, &v);
		seen[v.id]++;
	}
	for (unsigned i = 0; i < UC_VERDICT_MAX; i++)
		kinds += seen[i] > 0;
	/* else the generator is too wild to mean anything */
	assert_true(kinds >= 10);
}

/* A scenario with one thing changed at random cannot be, but it has a verdict. */
static void test_total_near_scenarios(void **state)
{
	uint64_t seed = 362436069;

	(void)state;
	for (unsigned n = 0; n < 40000; n++) {
		struct uc_conn *c = ngx_conn(&scenario);
		unsigned char *bytes = (unsigned char *)c;
		struct uc_verdict v;

		scenario.ngx_isn = scenario.up_isn = 0;
		scenario_play(&scenario, scenarios[next_random(&seed) % scenario_count].steps);
		if (next_random(&seed) & 1)
			bytes = (unsigned char *)up_conn(&scenario);
		bytes[next_random(&seed) % offsetof(struct uc_conn, ev)] = next_random(&seed) >> 32;
		make_valid(c, true, &seed);
		make_valid(up_conn(&scenario), false, &seed);
		v = scenario_judge(&scenario);
		expect_valid(&scenario.facts, &v);
		expect_sound(&scenario, &v);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_sequence_numbers_wrap),
		cmocka_unit_test(test_sequence_numbers_anywhere),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_far_end_lost),
		cmocka_unit_test(test_race_needs_reuse),
		cmocka_unit_test(test_proof_matrix_fin),
		cmocka_unit_test(test_proof_matrix_rst),
		cmocka_unit_test(test_proof_matrix_nginx),
		cmocka_unit_test(test_unheard),
		cmocka_unit_test(test_exit_of),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_total_near_scenarios),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
