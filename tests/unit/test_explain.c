/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/explain.h"
#include "scenario.h"

static struct scenario scenario;
static struct uc_judged report;
static struct uc_explanation said;
static const struct uc_directive_at *directive; /* that nginx's configuration has */
static void (*adjust)(struct uc_facts *f);
static enum uc_outcome_id outcome;
static struct uc_exit ended; /* of the process that closed; all zero: it did not */

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	directive = NULL;
	adjust = NULL;
	outcome = UC_OUTCOME_UNKNOWN;
	return 0;
}

static void explain(void)
{
	memset(&report, 0, sizeof(report));
	report.pair = &scenario.pair;
	report.facts = &scenario.facts;
	report.timeline = &scenario.timeline;
	report.verdict = scenario_judge(&scenario);
	report.upstream = !scenario.pair.has_upstream     ? scenario.pair.nginx.peer :
			  up_conn(&scenario)->closer.tgid ? up_conn(&scenario)->closer :
							    up_conn(&scenario)->owner;
	report.exit = ended.ts_ns ? &ended : NULL;
	report.exit_after_ns = ended.ts_ns - up_conn(&scenario)->end.ts_ns;
	report.directive = directive;
	report.outcome.id = outcome;
	if (adjust)
		adjust(&scenario.facts);
	memset(&said, '#', sizeof(said));
	uc_explain(&report, &said);
}

/* Digits in a row beyond what any time, size or pid of a scenario has. */
static bool has_huge_number(const char *text)
{
	for (size_t digits = 0; *text; text++) {
		digits = *text >= '0' && *text <= '9' ? digits + 1 : 0;
		if (digits > 10)
			return true;
	}
	return false;
}

/* A sentence for people: nothing left over of a format, whole, and of one line. */
static void expect_sentence(const char *name, const char *text)
{
	static const char *const leftovers[] = { "%",    "nan",  "inf ", "(null)", "  ", "\n",
						 "\x1b", "-nan", " ,",   " .",     "()" };

	assert_non_null(memchr(text, '\0', UC_EXPLAIN_LEN));
	if (strlen(text) < 10 || strlen(text) >= UC_EXPLAIN_LEN - 1)
		fail_msg("%s: empty or cut: '%s'", name, text);
	for (size_t i = 0; i < COUNT(leftovers); i++)
		if (strstr(text, leftovers[i]))
			fail_msg("%s: '%s' in '%s'", name, leftovers[i], text);
	if (has_huge_number(text))
		fail_msg("%s: a huge number in '%s'", name, text);
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			fail_msg("%s: not printable: '%s'", name, text);
}

static void expect_lines(const char *name, const struct uc_lines *lines)
{
	assert_true(lines->count <= UC_EXPLAIN_LINES);
	for (size_t i = 0; i < lines->count; i++) {
		expect_sentence(name, lines->line[i]);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(lines->line[i], lines->line[k]))
				fail_msg("%s says twice: %s", name, lines->line[i]);
	}
}

static void expect_explained(const char *name)
{
	expect_sentence(name, said.summary);
	if (said.summary[strlen(said.summary) - 1] != '.')
		fail_msg("%s: no full stop: '%s'", name, said.summary);
	expect_lines(name, &said.advice);
	expect_lines(name, &said.evidence);
}

static void test_every_scenario(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		scenario_play(&scenario, scenarios[i].steps);
		explain();
		expect_explained(scenarios[i].name);
		/* who looks at a flagged connection is told what to look for */
		if (report.verdict.flagged && report.verdict.id != UC_VERDICT_UNKNOWN)
			assert_true(said.advice.count > 0);
		if (!report.verdict.flagged)
			assert_int_equal(said.advice.count, 0);
	}
}

/* The same fact said of a connection that is not on this host, was adopted, was reused. */
static void test_every_scenario_otherwise(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		scenario_play(&scenario, scenarios[i].steps);
		scenario_play(&scenario, "remote");
		explain();
		expect_explained(scenarios[i].name);
		scenario_play(&scenario, scenarios[i].steps);
		scenario_play(&scenario, "peer_lost");
		explain();
		expect_explained(scenarios[i].name);
		scenario_play(&scenario, scenarios[i].steps);
		ngx_conn(&scenario)->flags |= UC_CONN_ADOPTED | UC_CONN_REUSED;
		ngx_conn(&scenario)->x.number = 7;
		explain();
		expect_explained(scenarios[i].name);
	}
}

/* Each verdict with each proof, whether or not a rule brings them together. */
static void test_every_verdict_and_proof(void **state)
{
	(void)state;
	scenario_named(&scenario, "destroyed");
	explain();
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		for (unsigned p = 0; p < UC_PROOF_MAX; p++) {
			char name[80];

			report.verdict.id = v;
			report.verdict.proof = p;
			uc_explain(&report, &said);
			snprintf(name, sizeof(name), "%s by %s", uc_verdict_name(v),
				 uc_proof_name(p));
			expect_sentence(name, said.summary);
			expect_lines(name, &said.advice);
			expect_lines(name, &said.evidence);
		}
	report.verdict.id = UC_VERDICT_MAX;
	uc_explain(&report, &said);
	expect_explained("no verdict");
}

static bool says(const char *word)
{
	bool found = strstr(said.summary, word);

	for (size_t i = 0; i < said.advice.count; i++)
		found |= strstr(said.advice.line[i], word) != NULL;
	for (size_t i = 0; i < said.evidence.count; i++)
		found |= strstr(said.evidence.line[i], word) != NULL;
	return found;
}

static void test_what_is_said(void **state)
{
	(void)state;
	scenario_named(&scenario, "race_crossed");
	explain();
	assert_true(says("node[18853]"));
	assert_true(says("keepalive_timeout"));
	assert_true(says("none of the request"));
	scenario_named(&scenario, "killed");
	explain();
	assert_true(says("SIGKILL"));
	scenario_named(&scenario, "uncaught");
	explain();
	assert_true(says("status 1"));
	scenario_named(&scenario, "killed_for_memory");
	explain();
	assert_true(says("OOM"));
	scenario_named(&scenario, "body_cut");
	explain();
	assert_true(says("96 of 100"));
	scenario_named(&scenario, "refused_by_error");
	explain();
	assert_true(says("refused"));
	scenario_named(&scenario, "race_crossed_far_lost");
	explain();
	assert_true(says("did not come"));
	scenario_named(&scenario, "killed_unaccepted");
	explain();
	assert_true(says("waiting to be accepted") && says("SIGKILL"));
	scenario_named(&scenario, "listener_closed_unaccepted");
	explain();
	assert_true(says("closed its listening socket") && says("accept queue"));
	scenario_named(&scenario, "closed_by_code_unasked");
	explain();
	assert_true(says("before nginx had sent a request") && !says("read the request"));
}

/* Whoever is told to look on the upstream's host is not already there. */
static void test_advice_on_resets(void **state)
{
	(void)state;
	scenario_named(&scenario, "reset_unacked");
	ngx_conn(&scenario)->tuple.remote_addr[12] = 10;
	explain();
	assert_true(says("cannot be seen from here") && says("On the upstream's host"));
	/* one address at both ends, or 127.0.0.0/8 */
	memcpy(ngx_conn(&scenario)->tuple.local_addr, ngx_conn(&scenario)->tuple.remote_addr, 16);
	explain();
	assert_true(says("no process of this host had") && !says("On the upstream's host"));
	loopback(ngx_conn(&scenario)->tuple.remote_addr);
	explain();
	assert_true(says("no process of this host had"));
	ngx_conn(&scenario)->flags |= UC_CONN_ADOPTED;
	explain();
	assert_true(says("cannot be seen from here"));
	scenario_named(&scenario, "reset_unacked_far_lost");
	explain();
	assert_true(says("not seen to end") && !says("On the upstream's host"));
	scenario_named(&scenario, "reset_both");
	explain();
	assert_true(says("not closed by its process") && !says("On the upstream's host"));
}

/* Its code closed, and it exited right after: never is it said to live. */
static void test_exit_after_the_close(void **state)
{
	(void)state;
	scenario_named(&scenario, "destroyed");
	explain();
	assert_false(says("the process lives") || says("on its way out"));
	ended = (struct uc_exit){ .task = up_conn(&scenario)->closer,
				  .ts_ns = up_conn(&scenario)->end.ts_ns + 2900 * US };
	ended.task.flags = UC_TASK_EXITING | UC_TASK_GROUP_EXIT;
	ended.task.exit_code = EXIT(1);
	explain();
	expect_explained("destroyed");
	assert_true(says("then exited with status 1 (2.9 ms after that)") &&
		    says("on its way out"));
	ended.task.exit_code = SIGNAL(6);
	explain();
	assert_true(says("then was ended by SIGABRT (2.9 ms after that)"));
	scenario_named(&scenario, "race_crossed");
	ended.ts_ns = up_conn(&scenario)->end.ts_ns + MS;
	explain();
	expect_explained("race_crossed");
	assert_true(says("on its way out") && !says("keepalive_timeout"));
	memset(&ended, 0, sizeof(ended));
}

/* nginx repeats everything but POST, LOCK and PATCH: to say otherwise would be wrong advice. */
static void test_advice_on_retry(void **state)
{
	static const struct {
		const char *method;
		bool repeated;
	} methods[] = { { "GET", true },   { "PUT", true },   { "DELETE", true },
			{ "POST", false }, { "LOCK", false }, { "PATCH", false },
			{ "POSTS", true }, { "POS", true },   { "OPTIONS", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		char request[80];

		snprintf(request, sizeof(request), "%s / HTTP/1.1\r\nHost: u\r\n\r\n",
			 methods[i].method);
		scenario_play(&scenario, REUSED);
		scenario_request(&scenario, request, strlen(request), strlen(request));
		scenario_play(&scenario, "arrive read close" END_FIN);
		explain();
		assert_int_equal(says("may have retried"), methods[i].repeated);
		assert_int_equal(says("does not retry"), !methods[i].repeated);
	}
}

static void is_fastcgi(struct uc_facts *f)
{
	f->fastcgi = true;
}

static void is_grpc(struct uc_facts *f)
{
	f->http2 = true;
}

static void ends_with(uint32_t wait_status, const char *comm)
{
	scenario_named(&scenario, "uncaught");
	up_conn(&scenario)->closer.exit_code = (int32_t)wait_status;
	snprintf(up_conn(&scenario)->closer.comm, UC_COMM_LEN, "%s", comm);
	explain();
	assert_int_equal(report.verdict.id, UC_VERDICT_UPSTREAM_DIED);
}

/* signal(7): whose default is to dump core crashed; the others were sent by somebody. */
static void test_signals_that_are_no_crash(void **state)
{
	static const int core[] = { 3, 4, 5, 6, 7, 8, 11, 24, 25, 31 };

	(void)state;
	for (int signal = 1; signal < 32; signal++) {
		bool crashed = false;

		if (signal == 17 || signal == 18 || signal == 23 || signal == 28)
			continue; /* ignored by default */
		for (size_t i = 0; i < COUNT(core); i++)
			crashed |= signal == core[i];
		ends_with(signal, "node");
		assert_int_equal(says("It crashed"), crashed);
		assert_int_equal(says("core dump"), crashed);
		assert_int_equal(says("Find who sent"), !crashed && signal != 13);
	}
}

/* What shells, Java and .NET make of a signal, and gunicorn's worker timeout. */
static void test_statuses_that_are_no_exception(void **state)
{
	static const struct {
		unsigned status;
		const char *comm, *says;
		bool exception;
	} of[] = { { 143, "java", "after SIGTERM", false },
		   { 137, "sh", "after SIGKILL", false },
		   { 130, "dotnet", "after SIGINT", false },
		   { 129, "bash", "after SIGHUP", false },
		   { 1, "gunicorn", "WORKER TIMEOUT", true },
		   { 1, "python3", "WORKER TIMEOUT", true },
		   { 1, "node", "uncaught exception", true },
		   { 3, "ruby", "uncaught exception", true },
		   { 128, "java", "uncaught exception", true },
		   { 0, "node", "on purpose", false } };

	(void)state;
	for (size_t i = 0; i < COUNT(of); i++) {
		ends_with(of[i].status << 8, of[i].comm);
		if (!says(of[i].says) || says("uncaught exception") != of[i].exception)
			fail_msg("%u of %s", of[i].status, of[i].comm);
	}
	assert_false(says("WORKER TIMEOUT"));
}

/* A directive is named in the protocol that is spoken: nginx knows no other there. */
static void test_directives_of_each_protocol(void **state)
{
	static const struct uc_directive_at uwsgi = { .name = "uwsgi_read_timeout", .ms = 3000 },
					    scgi = { .name = "scgi_read_timeout", .ms = 4000 },
					    keepalive = { .name = "keepalive_timeout" };
	static const struct {
		void (*adjust)(struct uc_facts *f);
		const struct uc_directive_at *directive;
		const char *prefix;
	} of[] = { { NULL, NULL, "proxy" },   { is_fastcgi, NULL, "fastcgi" },
		   { is_grpc, NULL, "grpc" }, { NULL, &uwsgi, "uwsgi" },
		   { NULL, &scgi, "scgi" },   { is_fastcgi, &keepalive, "fastcgi" } };

	(void)state;
	for (size_t i = 0; i < COUNT(of); i++) {
		char want[40];

		adjust = of[i].adjust;
		directive = of[i].directive;
		scenario_play(&scenario, REUSED);
		scenario_request(&scenario, "GET / HTTP/1.1\r\nHost: u\r\n\r\n", 27, 27);
		scenario_play(&scenario, "arrive read close" END_FIN);
		explain();
		snprintf(want, sizeof(want), "(%s_next_upstream)", of[i].prefix);
		assert_true(says(want));
	}
}

/* What an error_page passes on cannot be told from a retry. */
static void test_passed_on(void **state)
{
	(void)state;
	outcome = UC_OUTCOME_RETRIED;
	scenario_named(&scenario, "race_crossed");
	explain();
	assert_non_null(strstr(said.outcome, "(proxy_next_upstream, or an error_page)"));
	adjust = is_fastcgi;
	explain();
	assert_non_null(strstr(said.outcome, "(fastcgi_next_upstream, or an error_page)"));
}

/* Names come from others: nothing of them reaches a terminal as it is. */
static void test_hostile_name(void **state)
{
	(void)state;
	scenario_named(&scenario, "destroyed");
	memcpy(up_conn(&scenario)->closer.comm, "\x1b[2J%s%n\r\n\xff", 12);
	explain();
	for (const char *p = said.summary; *p; p++)
		assert_in_range(*p, 0x20, 0x7e);
	assert_true(says("\\x1b[2J%s%n\\x0d\\x0a\\xff[18853]"));
}

static void test_long_name(void **state)
{
	(void)state;
	scenario_named(&scenario, "destroyed");
	memset(up_conn(&scenario)->closer.comm, '\x80', UC_COMM_LEN - 1);
	up_conn(&scenario)->closer.tgid = UINT32_MAX;
	explain();
	expect_sentence("long name", said.summary);
}

/* The longest method that fits a head, in a sentence that does not. */
static void test_long_method(void **state)
{
	char request[UC_REQUEST_HEAD];

	(void)state;
	memset(request, 'M', sizeof(request));
	memcpy(request + 400, " / HTTP/1.1\r\n\r\n", 15);
	scenario_play(&scenario, REUSED);
	scenario_request(&scenario, request, 415, 415);
	scenario_play(&scenario, "arrive read close" END_FIN);
	explain();
	for (size_t i = 0; i < said.advice.count; i++)
		assert_non_null(memchr(said.advice.line[i], '\0', UC_EXPLAIN_LEN));
}

static void test_signal_names(void **state)
{
	char name[32];

	(void)state;
	uc_signal_name(9, name, sizeof(name));
	assert_string_equal(name, "SIGKILL");
	uc_signal_name(15, name, sizeof(name));
	assert_string_equal(name, "SIGTERM");
	for (int sig = -1; sig < 200; sig++) {
		uc_signal_name(sig, name, sizeof(name));
		assert_true(strlen(name) > 4);
	}
	uc_signal_name(127, name, sizeof(name));
	assert_string_equal(name, "signal 127");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	static const struct CMUnitTest tests[] = {
		TEST(test_every_scenario),
		TEST(test_every_scenario_otherwise),
		TEST(test_every_verdict_and_proof),
		TEST(test_what_is_said),
		TEST(test_advice_on_resets),
		TEST(test_exit_after_the_close),
		TEST(test_advice_on_retry),
		TEST(test_directives_of_each_protocol),
		TEST(test_passed_on),
		TEST(test_signals_that_are_no_crash),
		TEST(test_statuses_that_are_no_exception),
		TEST(test_hostile_name),
		TEST(test_long_name),
		TEST(test_long_method),
		TEST(test_signal_names),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
