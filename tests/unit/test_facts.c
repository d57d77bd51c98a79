/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

static struct scenario scenario;
static const struct uc_facts *f = &scenario.facts;

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	return 0;
}

static void play(const char *name)
{
	scenario_named(&scenario, name);
	scenario_judge(&scenario);
}

static void test_no_connection(void **state)
{
	(void)state;
	play("refused_by_error");
	assert_false(f->established);
	assert_false(f->exchange);
	assert_int_equal(f->closed_by, UC_CLOSED_BY_UPSTREAM);
	assert_int_equal(f->close, UC_CLOSE_REFUSED);
	assert_int_equal(f->phase, UC_PHASE_CONNECT);
	assert_int_equal(f->err, ECONNREFUSED);
	assert_false(f->unacked_known);
	play("no_route");
	assert_int_equal(f->close, UC_CLOSE_UNREACHABLE);
	assert_int_equal(f->closed_by, UC_CLOSED_BY_UNKNOWN);
	play("syn_repeated");
	assert_int_equal(f->close, UC_CLOSE_TIMEOUT);
	assert_int_equal(f->closed_by, UC_CLOSED_BY_NGINX);
	play("kernel_gives_up_connecting");
	assert_int_equal(f->closed_by, UC_CLOSED_BY_UNKNOWN);
}

static void test_first_exchange(void **state)
{
	(void)state;
	play("destroyed");
	assert_true(f->established && f->exchange && !f->reused && !f->idle_known);
	assert_int_equal(f->number, 1);
	assert_int_equal(f->request_bytes, strlen(GET));
	assert_memory_equal(f->request.method, "GET", 3);
	assert_int_equal(f->request.target_len, strlen("/a"));
	assert_int_equal(f->request.query_len, strlen("?q=1"));
	assert_int_equal(f->phase, UC_PHASE_RESPONSE_HEADER);
	assert_int_equal(f->closed_by, UC_CLOSED_BY_UPSTREAM);
	assert_int_equal(f->close, UC_CLOSE_FIN);
	assert_true(f->unacked_known);
	assert_int_equal(f->unacked_bytes, 0);
	assert_int_equal(f->unread_bytes, 0);
	assert_true(f->upstream_closed && !f->got_none && !f->read_none);
	assert_int_equal(f->end_ns, ngx_conn(&scenario)->peer.ts_ns);
	assert_in_range(f->waited_ns, 300 * MS, 301 * MS);
	assert_int_equal(f->waited_ns, f->stalled_ns);
}

static void test_reused(void **state)
{
	(void)state;
	play("race_crossed");
	assert_true(f->reused && f->idle_known);
	assert_int_equal(f->number, 2);
	assert_in_range(f->idle_ns, 5 * S, 5 * S + MS);
	assert_int_equal(f->unacked_bytes, f->request_bytes);
	assert_true(f->got_none && f->read_none);
	assert_false(f->sent_after_fin);
	assert_int_equal(f->unread_bytes, 0);
	play("race_after_fin");
	assert_true(f->sent_after_fin);
	assert_int_equal(f->unacked_bytes, f->request_bytes);
	play("race_unread");
	assert_true(!f->got_none && f->read_none);
	assert_int_equal(f->unread_bytes, strlen(GET));
	assert_int_equal(f->close, UC_CLOSE_RST);
}

/* An idle time that makes no sense is none. */
static void test_idle_not_known(void **state)
{
	(void)state;
	play("race_crossed");
	ngx_conn(&scenario)->x.idle_ns = (uint64_t)-5;
	scenario_judge(&scenario);
	assert_true(f->reused && !f->idle_known);
	assert_int_equal(f->idle_ns, 0);
	ngx_conn(&scenario)->x.idle_ns = 0;
	scenario_judge(&scenario);
	assert_false(f->idle_known);
}

static void test_request_cut(void **state)
{
	(void)state;
	play("upload_stuck_half_a_second");
	assert_true(f->request_cut);
	assert_int_equal(f->phase, UC_PHASE_REQUEST);
	assert_int_equal(f->request_bytes, 600);
	play("upload_rejected");
	assert_false(f->request_cut);
	assert_int_equal(f->unread_bytes, strlen(POST_1000) + 1000 - 200);
	play("never_answered_half_a_second");
	assert_false(f->request_cut);
}

/* A Content-Length that the sum of all bytes cannot hold is no reason to be wrong. */
static void test_request_of_any_length(void **state)
{
	static const char post[] = "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n";

	(void)state;
	scenario_play(&scenario, "open");
	scenario_request(&scenario, post, strlen(post), strlen(post));
	scenario_play(&scenario, "nginx_close");
	scenario_judge(&scenario);
	assert_true(f->request_cut);
}

static void test_unread_does_not_count_the_fin(void **state)
{
	(void)state;
	/* nginx's FIN is in the upstream's socket and unread, as its request is */
	scenario_play(&scenario, "open request arrive nginx_close");
	scenario.up.rcv_nxt++;
	up_conn(&scenario)->peer_closed = UC_EV_FIN;
	scenario_play(&scenario, "close");
	scenario_judge(&scenario);
	assert_int_equal(f->unread_bytes, strlen(GET));
	assert_int_equal(f->closed_by, UC_CLOSED_BY_NGINX);
}

static void test_unread_by_nginx(void **state)
{
	(void)state;
	scenario_play(&scenario, IN_HAND);
	scenario.ngx.rcv_nxt += 100;
	scenario_play(&scenario, "nginx_close");
	scenario_judge(&scenario);
	assert_int_equal(f->unread_by_nginx, 100);
	/* close() with unread bytes answers with a reset */
	assert_int_equal(f->close, UC_CLOSE_RST);
	assert_int_equal(f->closed_by, UC_CLOSED_BY_NGINX);
}

static const struct {
	const char *response;
	uint64_t bytes;
	enum uc_response_state state;
	unsigned status;
	enum uc_phase phase;
	uint64_t missing;
} responses[] = {
#define R(text) text, sizeof(text) - 1
	{ R("H"), UC_RESPONSE_HEADER, 0, UC_PHASE_RESPONSE_HEADER, 0 },
	{ R("HTTP/1.1 200 OK\r\n"), UC_RESPONSE_HEADER, 200, UC_PHASE_RESPONSE_HEADER, 0 },
	{ R("HTTP/1.1 100 Continue\r\n\r\n"), UC_RESPONSE_HEADER, 0, UC_PHASE_RESPONSE_HEADER, 0 },
	{ R(OK), UC_RESPONSE_COMPLETE, 200, UC_PHASE_IDLE, 0 },
	{ R("HTTP/1.1 204 No Content\r\n\r\n"), UC_RESPONSE_COMPLETE, 204, UC_PHASE_IDLE, 0 },
	{ R("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), UC_RESPONSE_BODY, 200,
	  UC_PHASE_RESPONSE_BODY, 7 },
	{ R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), UC_RESPONSE_COMPLETE,
	  200, UC_PHASE_IDLE, 0 },
	{ R("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), UC_RESPONSE_BODY, 200,
	  UC_PHASE_RESPONSE_BODY, 0 },
	{ R("HTTP/1.1 200 OK\r\n\r\nabc"), UC_RESPONSE_COMPLETE, 200, UC_PHASE_IDLE, 0 },
	{ R("HTTP/1.1 101 Switching\r\n\r\n\x01"), UC_RESPONSE_UPGRADED, 101, UC_PHASE_UPGRADED,
	  0 },
	{ R("SSH-2.0-x\r\n"), UC_RESPONSE_NOT_HTTP, 0, UC_PHASE_RESPONSE_HEADER, 0 },
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(responses); i++) {
		scenario_play(&scenario, IN_HAND);
		scenario_send(&scenario, responses[i].response, responses[i].bytes,
			      responses[i].bytes);
		scenario_play(&scenario, END_FIN);
		scenario_judge(&scenario);
		assert_int_equal(f->response_state, responses[i].state);
		assert_int_equal(f->response.status, responses[i].status);
		assert_int_equal(f->response_bytes, responses[i].bytes);
		assert_int_equal(f->phase, responses[i].phase);
		assert_int_equal(f->missing_bytes, responses[i].missing);
	}
}

/* Only a FIN of the upstream is the end of a body without a length. */
static void test_body_until_close(void **state)
{
	(void)state;
	play("complete_until_close");
	assert_int_equal(f->response_state, UC_RESPONSE_COMPLETE);
	play("reset_until_close");
	assert_int_equal(f->response_state, UC_RESPONSE_BODY);
	scenario_play(&scenario, IN_HAND "send:'HTTP/1.0 200 OK\r\n\r\nbody' nginx_close");
	scenario_judge(&scenario);
	assert_int_equal(f->response_state, UC_RESPONSE_BODY);
}

static void test_persistent(void **state)
{
	(void)state;
	play("idle_closed_by_upstream");
	assert_true(f->persistent);
	play("complete_not_kept");
	assert_false(f->persistent);
	scenario_play(&scenario, IN_HAND
		      "send:'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'" END_FIN);
	scenario_judge(&scenario);
	assert_false(f->persistent);
}

static void test_clients(void **state)
{
	struct uc_clients *cl = &scenario.pair.nginx.clients;

	(void)state;
	play("some_client_leaves");
	assert_true(f->client_gone_likely && !f->client_gone && !f->client_quiet);
	play("client_leaves");
	assert_true(f->client_gone && !f->client_gone_likely && !f->gave_up);
	play("never_answered_half_a_second");
	assert_true(!f->client_gone_likely && f->client_quiet);
	cl->known = 0;
	scenario_judge(&scenario);
	assert_true(!f->client_gone_likely && !f->client_quiet);
	cl->known = 1;
	cl->last_recv_ns = ngx_conn(&scenario)->end.ts_ns - MS;
	scenario_judge(&scenario);
	assert_true(!f->client_gone_likely && !f->client_quiet);
	/* one that had left and whose socket was closed already is no cause */
	cl->last_recv_ns = 0;
	cl->last_gone_ns = ngx_conn(&scenario)->end.ts_ns - MS;
	cl->gone = 0;
	scenario_judge(&scenario);
	assert_true(!f->client_gone_likely && f->client_quiet);
	/* the count is kept by two hooks that may meet, and may be below zero for a moment */
	cl->gone = -1;
	scenario_judge(&scenario);
	assert_true(!f->client_gone_likely && f->client_quiet);
}

static void test_adopted(void **state)
{
	(void)state;
	play("adopted_idle");
	assert_true(f->adopted && f->established && !f->exchange && !f->exchange_unseen);
	assert_int_equal(f->phase, UC_PHASE_IDLE);
	play("unseen_request");
	assert_true(f->exchange && f->exchange_unseen && f->reused);
	assert_int_equal(f->number, 0);
	assert_false(f->got_none || f->read_none);
	/* a request that was seen on it: known, but for its number */
	scenario_play(&scenario, "open adopted request arrive" END_FIN);
	scenario_judge(&scenario);
	assert_true(f->exchange && !f->exchange_unseen && !f->reused);
	assert_int_equal(f->number, 0);
	assert_int_equal(f->unacked_bytes, 0);
}

static void test_seen(void **state)
{
	(void)state;
	play("race_crossed_far_lost");
	assert_true(f->upstream_missing);
	assert_null(f->upstream);
	assert_false(f->log_wrapped);
	ngx_conn(&scenario)->events = UC_EVENTS + 1;
	scenario_judge(&scenario);
	assert_true(f->log_wrapped);
}

static void test_opaque(void **state)
{
	(void)state;
	play("encrypted_and_answered");
	assert_true(f->tls && f->opaque && !f->plain_answer && !f->tls_answer);
	assert_int_equal(f->response_state, UC_RESPONSE_UNKNOWN);
	assert_int_equal(f->response.status, 0);
	play("handshake_refused");
	assert_int_equal(f->phase, UC_PHASE_TLS);
	play("tls_to_plain_port");
	assert_true(f->tls && f->plain_answer);
	play("plain_to_tls_port");
	assert_true(!f->tls && f->tls_answer);
	/* a head that could not be read */
	scenario_play(&scenario, IN_HAND);
	scenario.pair.nginx.heads.request_len = 0;
	scenario_play(&scenario, END_FIN);
	scenario_judge(&scenario);
	assert_true(f->opaque && !f->tls);
	assert_int_equal(f->number, 0);
}

/* Of requests longer than half of the sequence space the begin is always behind. */
static void test_huge_request(void **state)
{
	(void)state;
	play("huge_upload_then_fin");
	assert_false(f->sent_after_fin || f->got_none || f->read_none);
	assert_int_equal(f->unacked_bytes, 0);
	assert_true(f->request_bytes > 3000000000u);
}

static void test_unacked(void **state)
{
	(void)state;
	play("upload_part_unacked");
	assert_int_equal(f->unacked_bytes, strlen(POST_1000) + 1000 - 400);
	/* what was written behind the FIN was not acknowledged by it either */
	play("race_crossed_half_written");
	assert_int_equal(f->unacked_bytes, f->request_bytes);
	assert_false(f->sent_after_fin);
	play("upload_rest_after_fin");
	assert_int_equal(f->unacked_bytes, strlen(POST_1000) + 1000 - 600);
	/* nginx closed: what was unacknowledged then */
	play("upload_stuck_half_a_second");
	assert_int_equal(f->unacked_bytes, 600);
	play("opened_for_nothing");
	assert_false(f->unacked_known);
}

/* The numbers of the record are believed in sum: more may have been sent than was traced. */
static void test_unacked_beyond_what_was_traced(void **state)
{
	(void)state;
	scenario_play(&scenario, IN_HAND);
	scenario.ngx.write_seq += 5000;
	scenario_play(&scenario, END_FIN);
	scenario_judge(&scenario);
	assert_int_equal(f->unacked_bytes, 5000);
	scenario_play(&scenario, IN_HAND);
	scenario.ngx.write_seq += 5000;
	scenario.ngx.snd_una = scenario.ngx.write_seq;
	scenario_play(&scenario, END_FIN);
	scenario_judge(&scenario);
	assert_int_equal(f->unacked_bytes, 0);
}

static uint64_t idle_of(const char *name)
{
	play(name);
	return uc_facts_upstream_idle(f);
}

#define assert_idle(ns, of) assert_in_range(ns, of, (of) + MS)

/* By its own end: from its last use to its close, whatever nginx did meanwhile. */
static void test_upstream_idle(void **state)
{
	(void)state;
	assert_idle(idle_of("idle_closed_by_upstream"), 5 * S);
	assert_idle(idle_of("race_crossed"), 5 * S);
	assert_idle(idle_of("race_after_fin"), 5 * S);
	/* the clock of the peer counts, not the time on the way */
	play("idle_closed_by_upstream");
	ngx_conn(&scenario)->peer.ts_ns += 3 * S;
	ngx_conn(&scenario)->end.ts_ns += 3 * S;
	scenario_judge(&scenario);
	assert_idle(uc_facts_upstream_idle(f), 5 * S);
	/* nginx was late: its request came two seconds after the FIN */
	scenario_play(&scenario, REUSED "close fin sleep:2s request nginx_close");
	scenario_judge(&scenario);
	assert_true(f->sent_after_fin);
	assert_idle(uc_facts_upstream_idle(f), 5 * S);
}

/* From nginx's side alone, and where the other end's record was lost. */
static void test_upstream_idle_from_afar(void **state)
{
	(void)state;
	assert_idle(idle_of("race_crossed_remote"), 5 * S);
	assert_idle(idle_of("race_crossed_far_lost"), 5 * S);
	assert_idle(idle_of("race_after_fin_remote"), 5 * S);
	play("idle_closed_by_upstream");
	scenario_play(&scenario, "remote");
	scenario_judge(&scenario);
	assert_idle(uc_facts_upstream_idle(f), 5 * S);
	/* a race on a connection whose earlier use was not seen */
	play("race_crossed_remote");
	ngx_conn(&scenario)->x.idle_ns = 0;
	scenario_judge(&scenario);
	assert_int_equal(uc_facts_upstream_idle(f), 0);
}

/* No timeout fired. */
static void test_upstream_idle_unknown(void **state)
{
	static const char *const names[] = {
		"idle_and_upstream_killed", /* "its" "process" "ended" */
		"idle_closed_by_nginx",
		"race_unread", /* "a" "reset": "it" "closed" "with" "the" "request" "unread", "and" "may" "have" "been" "busy" */
		"race_crossed_reset",
		"refused_by_error",
		"no_route",
		"opened_for_nothing",
		"never_answered_half_a_second",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(idle_of(names[i]), 0);
	play("idle_closed_by_upstream");
	up_conn(&scenario)->closer.flags = UC_TASK_KTHREAD;
	scenario_judge(&scenario);
	assert_int_equal(uc_facts_upstream_idle(f), 0);
	/* the upstream's kernel ended it, not a close */
	up_conn(&scenario)->closer.flags = 0;
	up_conn(&scenario)->end_state = 0;
	scenario_judge(&scenario);
	assert_int_equal(uc_facts_upstream_idle(f), 0);
	/* times that make no sense */
	up_conn(&scenario)->end_state = ST_ESTABLISHED;
	up_conn(&scenario)->activity_ns = up_conn(&scenario)->end.ts_ns + 1;
	scenario_judge(&scenario);
	assert_int_equal(uc_facts_upstream_idle(f), 0);
	up_conn(&scenario)->activity_ns = 0;
	scenario_judge(&scenario);
	assert_int_equal(uc_facts_upstream_idle(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	static const struct CMUnitTest tests[] = {
		TEST(test_no_connection),
		TEST(test_first_exchange),
		TEST(test_reused),
		TEST(test_idle_not_known),
		TEST(test_request_cut),
		TEST(test_request_of_any_length),
		TEST(test_unread_does_not_count_the_fin),
		TEST(test_unread_by_nginx),
		TEST(test_responses),
		TEST(test_body_until_close),
		TEST(test_persistent),
		TEST(test_clients),
		TEST(test_adopted),
		TEST(test_seen),
		TEST(test_opaque),
		TEST(test_huge_request),
		TEST(test_unacked),
		TEST(test_unacked_beyond_what_was_traced),
		TEST(test_upstream_idle),
		TEST(test_upstream_idle_from_afar),
		TEST(test_upstream_idle_unknown),
	};

	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
