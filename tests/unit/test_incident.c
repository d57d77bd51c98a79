/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/tell.h"
#include "build.h"

static struct uc_incident incident;

static int set_up(void **state)
{
	(void)state;
	memset(&incident, 0, sizeof(incident));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	uc_incident_clear(&incident);
	return 0;
}

static int add(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);
	int err;

	assert_non_null(o);
	err = uc_incident_add(&incident, o);
	json_decref(o);
	return err;
}

static int add_connection(const char *verdict, const char *proof, const char *confidence,
			  unsigned port, const char *outcome)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"schema\":1,\"kind\":\"connection\",\"flagged\":true,\"time\":\"T%u\","
		 "\"verdict\":\"%s\",\"proof\":\"%s\",\"confidence\":\"%s\",\"outcome\":\"%s\","
		 "\"upstream\":{\"addr\":\"10.0.0.1\",\"port\":%u},\"timeline_cut\":false}",
		 port, verdict, proof, confidence, outcome, port);
	return add(text);
}

/* As Markdown; the caller frees it. */
static char *tell(void)
{
	char *text = NULL;
	size_t len;
	struct uc_doc page = { .markup = uc_markup("md"), .out = open_memstream(&text, &len) };

	uc_incident_rank(&incident);
	uc_incident_tell(&incident, "x.rec", &page);
	fclose(page.out);
	return text;
}

static void test_ranked(void **state)
{
	(void)state;
	assert_int_equal(add_connection("upstream_died", "signal", "proven", 1, "retried"), 0);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(add_connection("keepalive_race", "request_unacked",
						k ? "proven" : "likely", 2 + k % 2, "client_error"),
				 0);
	uc_incident_rank(&incident);
	assert_int_equal(incident.flagged, 4);
	assert_int_equal(incident.causes, 2);
	assert_string_equal(incident.cause[0].verdict, "keepalive_race");
	assert_int_equal(incident.cause[0].count, 3);
	assert_int_equal(incident.cause[0].proven, 2);
	assert_int_equal(incident.cause[0].client_errors, 3);
	assert_int_equal(incident.cause[1].retried, 1);
	/* the first that is proven */
	assert_string_equal(uc_incident_text(incident.cause[0].example, "time"), "T3");
	assert_string_equal(uc_incident_text(incident.cause[0].at[0].newest, "time"), "T2");
	assert_string_equal(incident.cause[0].at[0].text, "10.0.0.1:2");
	assert_int_equal(incident.cause[0].at[0].count, 2);
	assert_string_equal(incident.first, "T1");
	assert_string_equal(incident.last, "T3");
}

static void add_advice(unsigned port, const char *advice)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"schema\":1,\"kind\":\"connection\",\"flagged\":true,\"verdict\":\"v\","
		 "\"upstream\":{\"addr\":\"10.0.0.1\",\"port\":%u},\"advice\":[\"%s\"]}",
		 port, advice);
	assert_int_equal(add(text), 0);
}

/* An advice has the numbers of its upstream; where they are the same, it is given once. */
static void test_advice_of_each_upstream(void **state)
{
	const char *first, *second;
	char *told;

	(void)state;
	add_advice(1, "Raise proxy_read_timeout (2.00 s here).");
	add_advice(2, "Raise fastcgi_read_timeout (1.00 s here).");
	add_advice(3, "Raise proxy_read_timeout (2.00 s here).");
	add_advice(2, "Raise fastcgi_read_timeout (1.50 s here).");
	told = tell();
	assert_non_null(strstr(told, "50 % of the flagged: v, at 10.0.0.1:2 (2)"));
	assert_non_null(strstr(told, "50 % of the flagged: v, at 10.0.0.1:1 (1), 10.0.0.1:3 (1)"));
	assert_null(strstr(told, "1.00 s here"));
	first = strstr(told, "2.00 s here");
	second = first ? strstr(first + 1, "2.00 s here") : NULL;
	assert_true(first && !second);
	assert_non_null(strstr(told, "1.50 s here"));
	free(told);
}

static void test_bounded(void **state)
{
	char proof[16], *told;

	(void)state;
	for (unsigned k = 0; k < 3 * UC_INCIDENT_CAUSES; k++) {
		snprintf(proof, sizeof(proof), "p%u", k);
		assert_int_equal(add_connection("v", proof, "proven", k, "retried"), 0);
	}
	for (unsigned k = 0; k < 3 * UC_INCIDENT_ADDRESSES; k++)
		assert_int_equal(add_connection("v", "p0", "proven", k, "retried"), 0);
	assert_int_equal(incident.causes, UC_INCIDENT_CAUSES);
	assert_int_equal(incident.cause[0].addresses, UC_INCIDENT_ADDRESSES);
	assert_int_equal(incident.flagged, 3 * UC_INCIDENT_CAUSES + 3 * UC_INCIDENT_ADDRESSES);
	told = tell();
	assert_non_null(strstr(told, "and more"));
	free(told);
}

static void test_strangers(void **state)
{
	(void)state;
	assert_int_equal(add("[]"), -EINVAL);
	assert_int_equal(add("7"), -EINVAL);
	assert_int_equal(add("{}"), -EINVAL);
	assert_int_equal(add("{\"kind\":7,\"schema\":1}"), -EINVAL);
	assert_int_equal(add("{\"kind\":\"connection\"}"), -EPROTO);
	assert_int_equal(add("{\"kind\":\"connection\",\"schema\":2}"), -EPROTO);
	assert_int_equal(add("{\"kind\":\"hook\",\"schema\":1}"), 0);
	assert_int_equal(add("{\"kind\":\"summary\",\"schema\":1}"), 0);
	assert_int_equal(add("{\"kind\":\"summary\",\"schema\":1}"), -EEXIST);
	assert_int_equal(incident.flagged + incident.healthy + incident.causes, 0);
}

/* Every member of a type that it should not have, or missing, or far too long. */
static void test_members_of_other_types(void **state)
{
	static const char *const values[] = {
		"null",      "7",       "-7",
		"1e308",     "\"\"",    "\"<b>|\"",
		"[]",        "[[], 1]", "[null]",
		"{\"a\":1}", "true",    "[{\"t_ms\":\"x\",\"side\":1,\"event\":[],\"bytes\":-1}]"
	};
	static const char *const names[] = { "time",     "verdict",  "proof",    "confidence",
					     "outcome",  "upstream", "exchange", "advice",
					     "evidence", "timeline", "summary",  "nginx_log" };
	static const char *const totals[] = { "upstreams", "deaths", "by_outcome", "duration_ms",
					      "lost" };

	(void)state;
	for (size_t k = 0; k < COUNT(names); k++)
		for (size_t v = 0; v < COUNT(values); v++) {
			char text[512], *told;

			snprintf(
				text, sizeof(text),
				"{\"schema\":1,\"kind\":\"connection\",\"flagged\":true,\"%s\":%s}",
				names[k], values[v]);
			assert_int_equal(add(text), 0);
			snprintf(text, sizeof(text),
				 "{\"schema\":1,\"kind\":\"summary\",\"%s\":%s}",
				 totals[k % COUNT(totals)], values[v]);
			assert_int_equal(add(text), 0);
			told = tell();
			assert_null(strstr(told, "<b>"));
			free(told);
			uc_incident_clear(&incident);
		}
}

static void test_long_members(void **state)
{
	char *text = malloc(70000), *told;
	int at = sprintf(text,
			 "{\"schema\":1,\"kind\":\"connection\",\"flagged\":true,\"verdict\":\"");

	(void)state;
	memset(text + at, 'v', 60000);
	strcpy(text + at + 60000, "\"}");
	assert_int_equal(add(text), 0);
	assert_int_equal(add(text), 0);
	assert_int_equal(incident.causes, 1);
	told = tell();
	assert_true(strlen(told) < 10000);
	free(told);
	free(text);
}

static void test_nothing(void **state)
{
	char *told = tell();

	(void)state;
	assert_non_null(strstr(told, "Nothing was flagged."));
	assert_non_null(strstr(told, "no summary"));
	free(told);
}

static void expect_told(const char *sentence)
{
	char *told = tell();

	if (!strstr(told, sentence))
		fail_msg("'%s' is not in\n%s", sentence, told);
	free(told);
}

static void test_one_and_many(void **state)
{
	static const char one[] =
		"{\"kind\":\"summary\",\"schema\":1,\"connections\":1,\"exchanges\":1,"
		"\"flagged\":1,\"lost\":1,\"duration_ms\":1}";
	static const char many[] =
		"{\"kind\":\"summary\",\"schema\":1,\"connections\":2,\"exchanges\":0,"
		"\"flagged\":2,\"lost\":2,\"duration_ms\":1}";

	expect_told("0 connections were flagged.");
	add_connection("upstream_died", "signal", "proven", 1, "client_error");
	expect_told("1 connection was flagged.");
	assert_int_equal(add(one), 0);
	expect_told("1 connection from nginx to its upstreams ended within 1.0 ms, after 1 "
		    "exchange; 1 was flagged.");
	expect_told("1 record was lost:");
	tear_down(state);
	set_up(state);
	assert_int_equal(add(many), 0);
	expect_told("2 connections from nginx to its upstreams ended within 1.0 ms, after 0 "
		    "exchanges; 2 were flagged.");
	expect_told("2 records were lost:");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_ranked),
		TEST(test_advice_of_each_upstream),
		TEST(test_bounded),
		TEST(test_strangers),
		TEST(test_members_of_other_types),
		TEST(test_long_members),
		TEST(test_nothing),
		TEST(test_one_and_many),
	};

	return cmocka_run_group_tests_name("incident", tests, NULL, NULL);
}
