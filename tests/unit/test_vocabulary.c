/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>

#include "build.h"

/* Scripts, dashboards and alerts hold these names: a change here breaks them. */
static const struct {
	enum uc_verdict_id id;
	const char *name;
	bool flagged;
} verdicts[] = {
	{ UC_VERDICT_KEEPALIVE_RACE, "keepalive_race", true },
	{ UC_VERDICT_UPSTREAM_CLOSED, "upstream_closed", true },
	{ UC_VERDICT_UPSTREAM_DIED, "upstream_died", true },
	{ UC_VERDICT_UPSTREAM_RESET, "upstream_reset", true },
	{ UC_VERDICT_REQUEST_REJECTED, "request_rejected", true },
	{ UC_VERDICT_PARTIAL_HEADER, "partial_header", true },
	{ UC_VERDICT_PROTOCOL_MISMATCH, "protocol_mismatch", true },
	{ UC_VERDICT_CONNECT_FAILED, "connect_failed", true },
	{ UC_VERDICT_BODY_TRUNCATED, "body_truncated", true },
	{ UC_VERDICT_NGINX_TIMEOUT, "nginx_timeout", true },
	{ UC_VERDICT_NGINX_REJECTED_RESPONSE, "nginx_rejected_response", true },
	{ UC_VERDICT_WORKER_EXITED, "worker_exited", true },
	{ UC_VERDICT_CLIENT_GONE, "client_gone", false },
	{ UC_VERDICT_IDLE_CLOSE, "idle_close", false },
	{ UC_VERDICT_COMPLETE, "complete", false },
	{ UC_VERDICT_UNKNOWN, "unknown", true },
};

static void test_verdicts(void **state)
{
	(void)state;
	assert_int_equal(COUNT(verdicts), UC_VERDICT_MAX);
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		assert_string_equal(uc_verdict_name(verdicts[i].id), verdicts[i].name);
		assert_int_equal(uc_verdict_flagged(verdicts[i].id), verdicts[i].flagged);
	}
}

/* What nobody knows the name of is worth a look. */
static void test_verdict_out_of_range(void **state)
{
	(void)state;
	assert_true(uc_verdict_flagged(UC_VERDICT_MAX));
	assert_true(uc_verdict_flagged((enum uc_verdict_id)INT_MAX));
}

static const struct {
	enum uc_proof proof;
	const char *name;
} proofs[] = {
	{ UC_PROOF_NONE, "none" },
	{ UC_PROOF_REQUEST_UNACKED, "request_unacked" },
	{ UC_PROOF_REQUEST_UNREAD, "request_unread" },
	{ UC_PROOF_SENT_AFTER_FIN, "sent_after_fin" },
	{ UC_PROOF_DELIBERATE_CLOSE, "deliberate_close" },
	{ UC_PROOF_REQUEST_ACKED, "request_acked" },
	{ UC_PROOF_EXIT_CODE, "exit_code" },
	{ UC_PROOF_SIGNAL, "signal" },
	{ UC_PROOF_OOM, "oom" },
	{ UC_PROOF_RST, "rst" },
	{ UC_PROOF_STREAM_RESET, "stream_reset" },
	{ UC_PROOF_BODY_UNREAD, "body_unread" },
	{ UC_PROOF_BODY_UNACKED, "body_unacked" },
	{ UC_PROOF_HEADER_CUT, "header_cut" },
	{ UC_PROOF_FIRST_BYTES, "first_bytes" },
	{ UC_PROOF_REFUSED, "refused" },
	{ UC_PROOF_TIMEOUT, "timeout" },
	{ UC_PROOF_UNREACHABLE, "unreachable" },
	{ UC_PROOF_LOCAL, "local" },
	{ UC_PROOF_CONTENT_LENGTH, "content_length" },
	{ UC_PROOF_CHUNKED, "chunked" },
	{ UC_PROOF_END_REQUEST, "end_request" },
	{ UC_PROOF_READ_TIMEOUT, "read_timeout" },
	{ UC_PROOF_SEND_TIMEOUT, "send_timeout" },
	{ UC_PROOF_NGINX_CLOSED, "nginx_closed" },
	{ UC_PROOF_NGINX_EXITED, "nginx_exited" },
	{ UC_PROOF_CLIENT_CLOSED, "client_closed" },
	{ UC_PROOF_CLIENT_BODY_TIMEOUT, "client_body_timeout" },
	{ UC_PROOF_CLIENT_SEND_TIMEOUT, "client_send_timeout" },
	{ UC_PROOF_IDLE, "idle" },
	{ UC_PROOF_RESPONSE_COMPLETE, "response_complete" },
	{ UC_PROOF_LOSSY, "lossy" },
	{ UC_PROOF_UNSEEN_START, "unseen_start" },
	{ UC_PROOF_OPAQUE, "opaque" },
	{ UC_PROOF_NGINX_LOG, "nginx_log" },
};

static void test_proofs(void **state)
{
	(void)state;
	assert_int_equal(COUNT(proofs), UC_PROOF_MAX);
	for (size_t i = 0; i < COUNT(proofs); i++)
		assert_string_equal(uc_proof_name(proofs[i].proof), proofs[i].name);
}

static void test_rest(void **state)
{
	(void)state;
	assert_string_equal(uc_confidence_name(UC_CONFIDENCE_PROVEN), "proven");
	assert_string_equal(uc_confidence_name(UC_CONFIDENCE_LIKELY), "likely");
	assert_string_equal(uc_confidence_name(UC_CONFIDENCE_UNKNOWN), "unknown");
	assert_int_equal(UC_CONFIDENCE_MAX, 3);

	assert_string_equal(uc_closed_by_name(UC_CLOSED_BY_UPSTREAM), "upstream");
	assert_string_equal(uc_closed_by_name(UC_CLOSED_BY_NGINX), "nginx");
	assert_string_equal(uc_closed_by_name(UC_CLOSED_BY_UNKNOWN), "unknown");
	assert_int_equal(UC_CLOSED_BY_MAX, 3);

	assert_string_equal(uc_close_name(UC_CLOSE_FIN), "fin");
	assert_string_equal(uc_close_name(UC_CLOSE_RST), "rst");
	assert_string_equal(uc_close_name(UC_CLOSE_REFUSED), "refused");
	assert_string_equal(uc_close_name(UC_CLOSE_TIMEOUT), "timeout");
	assert_string_equal(uc_close_name(UC_CLOSE_UNREACHABLE), "unreachable");
	assert_string_equal(uc_close_name(UC_CLOSE_NONE), "none");
	assert_int_equal(UC_CLOSE_MAX, 6);

	assert_string_equal(uc_phase_name(UC_PHASE_CONNECT), "connect");
	assert_string_equal(uc_phase_name(UC_PHASE_TLS), "tls");
	assert_string_equal(uc_phase_name(UC_PHASE_REQUEST), "request");
	assert_string_equal(uc_phase_name(UC_PHASE_RESPONSE_HEADER), "response_header");
	assert_string_equal(uc_phase_name(UC_PHASE_RESPONSE_BODY), "response_body");
	assert_string_equal(uc_phase_name(UC_PHASE_UPGRADED), "upgraded");
	assert_string_equal(uc_phase_name(UC_PHASE_IDLE), "idle");
	assert_int_equal(UC_PHASE_MAX, 7);

	assert_string_equal(uc_outcome_name(UC_OUTCOME_RETRIED), "retried");
	assert_string_equal(uc_outcome_name(UC_OUTCOME_CLIENT_ERROR), "client_error");
	assert_string_equal(uc_outcome_name(UC_OUTCOME_UNKNOWN), "unknown");
	assert_int_equal(UC_OUTCOME_MAX, 3);
}

static const char *event_name(unsigned i)
{
	return uc_event_name(i);
}

static const char *lost_name(unsigned i)
{
	return uc_lost_name(i);
}

static const char *verdict_name(unsigned i)
{
	return uc_verdict_name((enum uc_verdict_id)i);
}

static const char *proof_name(unsigned i)
{
	return uc_proof_name((enum uc_proof)i);
}

static const char *confidence_name(unsigned i)
{
	return uc_confidence_name((enum uc_confidence)i);
}

static const char *closed_by_name(unsigned i)
{
	return uc_closed_by_name((enum uc_closed_by)i);
}

static const char *close_name(unsigned i)
{
	return uc_close_name((enum uc_close)i);
}

static const char *phase_name(unsigned i)
{
	return uc_phase_name((enum uc_phase)i);
}

static const char *outcome_name(unsigned i)
{
	return uc_outcome_name((enum uc_outcome_id)i);
}

static const struct {
	const char *(*name)(unsigned i);
	unsigned max;
} vocabularies[] = {
	{ verdict_name, UC_VERDICT_MAX },
	{ proof_name, UC_PROOF_MAX },
	{ confidence_name, UC_CONFIDENCE_MAX },
	{ closed_by_name, UC_CLOSED_BY_MAX },
	{ close_name, UC_CLOSE_MAX },
	{ phase_name, UC_PHASE_MAX },
	{ outcome_name, UC_OUTCOME_MAX },
	{ event_name, UC_EV_MAX },
	{ lost_name, UC_LOST_MAX },
};

/* Every number has one name of its own, in lower case, and none beyond the last. */
static void test_names_are_names(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT(vocabularies); v++) {
		for (unsigned i = 0; i < vocabularies[v].max; i++) {
			const char *name = vocabularies[v].name(i);

			assert_non_null(name);
			assert_true(*name);
			assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
			assert_string_not_equal(name, "invalid");
			for (unsigned k = 0; k < i; k++)
				assert_string_not_equal(name, vocabularies[v].name(k));
		}
		assert_string_equal(vocabularies[v].name(vocabularies[v].max), "invalid");
		assert_string_equal(vocabularies[v].name(INT_MAX), "invalid");
		assert_string_equal(vocabularies[v].name(UINT_MAX), "invalid");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),        cmocka_unit_test(test_verdict_out_of_range),
		cmocka_unit_test(test_proofs),          cmocka_unit_test(test_rest),
		cmocka_unit_test(test_names_are_names),
	};

	return cmocka_run_group_tests_name("vocabulary", tests, NULL, NULL);
}
