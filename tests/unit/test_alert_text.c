/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"

#include "alert/alert_text.h"
#include "alert/otlp.h"

#define UP     "10.0.0.5:3000"
#define OFFSET (1700000000 * (int64_t)S)

static const struct uc_alert_rule race = { .name = "Race",
					   .verdicts = UC_ALERT_VERDICT(UC_VERDICT_KEEPALIVE_RACE),
					   .severity = UC_ALERT_CRITICAL,
					   .count = 3,
					   .window_ns = 300 * S };
static const struct uc_alert_rule share = { .name = "Share",
					    .verdicts = ~0u,
					    .share_ppm = 10000,
					    .window_ns = 90 * S };

static const char example[] =
	"{\"verdict\":\"keepalive_race\",\"proof\":\"sent_after_fin\",\"confidence\":\"proven\","
	"\"summary\":\"node[7] closed it.\",\"advice\":[\"do this\",\"and that\"],\"evidence\":[\"seen\"],"
	"\"timeline\":[{\"t_ms\":0.0,\"side\":\"nginx\",\"event\":\"send\",\"bytes\":162},"
	"{\"t_ms\":1.5,\"side\":\"upstream\",\"event\":\"receive\",\"bytes\":100,\"count\":2,\"lasted_ms\":0.1},"
	"{\"t_ms\":2.25,\"side\":\"nginx\",\"event\":\"send_error\",\"errno\":104}]}";

static struct uc_alert alert;
static struct uc_alert_place place;
static json_t *doc;

static int set_up(void **state)
{
	(void)state;
	place = (struct uc_alert_place){ .instance = "web1", .wall_offset_ns = OFFSET };
	alert = (struct uc_alert){ .rule = &race,
				   .upstream = UP,
				   .state = UC_ALERT_FIRING,
				   .change = UC_ALERT_FIRES,
				   .since_ns = 10 * S,
				   .fired_ns = 20 * S,
				   .fired_wall_ns = OFFSET + 20 * S,
				   .now_ns = 20 * S,
				   .matched = 4,
				   .total = 7,
				   .first_ns = 5 * S,
				   .last_ns = 19 * S,
				   .example = example };
	alert.by_verdict[UC_VERDICT_KEEPALIVE_RACE] = 7;
	alert.by_outcome[UC_OUTCOME_CLIENT_ERROR] = 2;
	alert.by_outcome[UC_OUTCOME_RETRIED] = 4;
	alert.by_outcome[UC_OUTCOME_UNKNOWN] = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(doc);
	doc = NULL;
	return 0;
}

static void make(void)
{
	json_decref(doc);
	doc = uc_alert_document(&alert, &place);
	assert_non_null(doc);
}

static void expect(const char *key, const char *want)
{
	assert_string_equal(uc_document_text(doc, key), want);
}

static const char *line(const char *key, size_t i)
{
	return json_string_value(json_array_get(json_object_get(doc, key), i));
}

static void test_document(void **state)
{
	(void)state;
	make();
	expect("kind", "alert");
	expect("status", "firing");
	expect("name", "Race");
	expect("severity", "critical");
	expect("instance", "web1");
	expect("upstream", UP);
	expect("verdict", "keepalive_race");
	expect("time", "2023-11-14T22:13:40.000000000Z");
	expect("starts_at", "2023-11-14T22:13:40.000000000Z");
	expect("summary", "keepalive_race on upstream " UP ": 4 connections within 5 min");
	expect("description",
	       "node[7] closed it. Proven by sent_after_fin. 7 connections in all: 2 with an error for "
	       "nginx's client, 4 that nginx tried again, 1 of which it is not known.");
	assert_true(json_is_null(json_object_get(doc, "ends_at")));
	assert_string_equal(line("advice", 1), "and that");
	assert_string_equal(line("evidence", 0),
			    "verdict keepalive_race, proven, proof sent_after_fin");
	assert_string_equal(line("evidence", 1), "seen");
	assert_string_equal(line("timeline", 0), "+0.000 ms  nginx  send  162 B");
	assert_string_equal(line("timeline", 1), "+1.500 ms  upstream  receive  100 B  in 2 parts");
	assert_string_equal(line("timeline", 2), "+2.250 ms  nginx  send_error  errno 104");
	assert_null(line("timeline", 3));
}

static void test_whose(void **state)
{
	(void)state;
	alert.example =
		"{\"summary\":\"It died.\",\"confidence\":\"proven\",\"nginx\":{\"pod\":null,"
		"\"container\":null,\"unit\":\"nginx.service\"},\"upstream\":{\"pod\":{\"namespace\":"
		"\"shop\",\"name\":\"api-7d9f8b6c5-x2x4z\",\"uid\":null,\"workload\":\"api\"},"
		"\"container\":{\"runtime\":\"containerd\",\"id\":\"0123456789abcdef\",\"name\":"
		"\"web\"},\"unit\":null},\"evidence\":[\"seen\"]}";
	make();
	assert_string_equal(line("evidence", 1), "nginx: unit nginx.service");
	assert_string_equal(line("evidence", 2),
			    "upstream: pod shop/api-7d9f8b6c5-x2x4z (workload api), container web, "
			    "containerd 0123456789ab");
	assert_string_equal(line("evidence", 3), "seen");
	assert_non_null(strstr(
		uc_document_text(doc, "description"),
		"The upstream is pod shop/api-7d9f8b6c5-x2x4z (workload api), container web, containerd 0123456789ab."));
}

static void test_labels(void **state)
{
	static const struct uc_static_label labels[] = { { (char *)"cluster", (char *)"eu1" },
							 { (char *)"severity", (char *)"none" } };
	json_t *made = uc_alert_labels(labels, 2), *sent;

	(void)state;
	assert_null(uc_alert_labels(labels, 0));
	make();
	assert_null(json_object_get(doc, "labels"));
	place.labels = made;
	make();
	sent = uc_alert_for_alertmanager(doc);
	assert_string_equal(uc_document_text(json_object_get(sent, "labels"), "cluster"), "eu1");
	assert_string_equal(uc_document_text(json_object_get(sent, "labels"), "severity"),
			    "critical"); /* upclose's own stay */
	json_decref(sent);
	json_decref(made);
}

static void test_identity(void **state)
{
	char id[64], print[64];

	(void)state;
	make();
	snprintf(id, sizeof(id), "%s", uc_document_text(doc, "id"));
	snprintf(print, sizeof(print), "%s", uc_document_text(doc, "fingerprint"));
	assert_int_equal(strlen(print), 16);
	alert.now_ns += 1;
	make();
	expect("fingerprint", print);
	assert_string_not_equal(uc_document_text(doc, "id"), id);
	alert.now_ns -= 1;
	alert.change = UC_ALERT_RESOLVES;
	make();
	expect("fingerprint", print);
	assert_string_not_equal(uc_document_text(doc, "id"), id);
	/* each of the three tells alerts apart, and so does where one ends */
	place.instance = "web2";
	make();
	assert_string_not_equal(uc_document_text(doc, "fingerprint"), print);
	place.instance = "web1" UP;
	alert.upstream = "";
	make();
	assert_string_not_equal(uc_document_text(doc, "fingerprint"), print);
}

static void test_resolved(void **state)
{
	(void)state;
	alert.change = UC_ALERT_RESOLVES;
	alert.now_ns = 400 * S;
	make();
	expect("status", "resolved");
	expect("starts_at", "2023-11-14T22:13:40.000000000Z");
	expect("ends_at", "2023-11-14T22:20:00.000000000Z");
	expect("summary",
	       "keepalive_race on upstream " UP ": below its threshold again after 7 connections");
	alert.withdrawn = true;
	make();
	expect("summary", "keepalive_race on upstream " UP
			  ": its rule was changed or removed after 7 connections");
	/* a clock that was set back: no end before its beginning */
	place.wall_offset_ns -= 86400 * (int64_t)S;
	make();
	expect("ends_at", "2023-11-14T22:13:40.000000000Z");
}

static void test_share(void **state)
{
	json_t *numbers;

	(void)state;
	alert.rule = &share;
	alert.exchanges = 320;
	alert.by_verdict[UC_VERDICT_KEEPALIVE_RACE] = 2;
	alert.by_verdict[UC_VERDICT_UPSTREAM_DIED] = 5;
	make();
	expect("summary", "upstream_died 5, keepalive_race 2 on upstream " UP
			  ": 4 connections within 90 s, 1.25 % of 320 exchanges");
	assert_true(json_is_null(json_object_get(doc, "verdict")));
	numbers = json_object_get(doc, "numbers");
	assert_int_equal(json_integer_value(json_object_get(numbers, "exchanges")), 320);
	assert_true(json_real_value(json_object_get(numbers, "share")) == 0.0125);
	assert_int_equal(json_integer_value(json_object_get(numbers, "window_ms")), 90000);
	/* failed connects begin no exchange: never more than all */
	alert.exchanges = 1;
	make();
	expect("summary", "upstream_died 5, keepalive_race 2 on upstream " UP
			  ": 4 connections within 90 s, 100 % of 4 exchanges");
}

/* Without an example, and with something that is none. */
static void test_no_example(void **state)
{
	static const char *const examples[] = { NULL,
						"",
						"{",
						"[]",
						"3",
						"{}",
						"{\"timeline\":3,\"advice\":{},\"evidence\":\"x\"}",
						"{\"timeline\":[3,{},[]],\"summary\":7}" };

	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		alert.example = examples[i];
		make();
		assert_true(json_is_array(json_object_get(doc, "advice")));
		assert_true(json_is_array(json_object_get(doc, "evidence")));
		assert_true(json_is_array(json_object_get(doc, "timeline")));
		assert_true(*uc_document_text(doc, "description"));
	}
}

static void test_long_timeline(void **state)
{
	char text[8192] = "{\"timeline\":[", more[64];

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(more, sizeof(more),
			 "%s{\"t_ms\":%u,\"side\":\"nginx\",\"event\":\"send\"}", i ? "," : "", i);
		strcat(text, more);
	}
	strcat(text, "]}");
	alert.example = text;
	make();
	assert_int_equal(json_array_size(json_object_get(doc, "timeline")), 25);
	assert_string_equal(line("timeline", 0), "(36 earlier moments)");
	assert_string_equal(line("timeline", 24), "+59.000 ms  nginx  send");
}

static void test_alertmanager(void **state)
{
	json_t *a, *labels, *annotations;

	(void)state;
	make();
	a = uc_alert_for_alertmanager(doc);
	labels = json_object_get(a, "labels");
	annotations = json_object_get(a, "annotations");
	assert_int_equal(json_object_size(labels), 5);
	assert_string_equal(uc_document_text(labels, "alertname"), "Race");
	assert_string_equal(uc_document_text(labels, "verdict"), "keepalive_race");
	assert_int_equal(json_object_size(annotations), 5);
	assert_string_equal(uc_document_text(annotations, "advice"), "do this\nand that");
	assert_null(json_object_get(a, "endsAt"));
	json_decref(a);
	/* labels stay what they are when it ends, and where there is no verdict there is no label */
	alert.change = UC_ALERT_RESOLVES;
	alert.rule = &share;
	alert.example = NULL;
	make();
	a = uc_alert_for_alertmanager(doc);
	assert_int_equal(json_object_size(json_object_get(a, "labels")), 4);
	assert_null(json_object_get(json_object_get(a, "annotations"), "timeline"));
	assert_string_equal(uc_document_text(a, "endsAt"), uc_document_text(doc, "ends_at"));
	json_decref(a);
}

static const json_t *only_record(const json_t *request)
{
	const json_t *resource = json_array_get(json_object_get(request, "resourceLogs"), 0);
	const json_t *scope = json_array_get(json_object_get(resource, "scopeLogs"), 0);

	return json_array_get(json_object_get(scope, "logRecords"), 0);
}

static void test_otlp_times_and_severities(void **state)
{
	static const struct {
		const char *doc;
		const char *nanos;
		int severity;
	} docs[] = {
		{ "{\"kind\":\"connection\",\"time\":\"2026-11-22T12:07:57.140295911Z\","
		  "\"outcome\":\"client_error\"}",
		  "1795349277140295911", 17 },
		{ "{\"kind\":\"connection\",\"time\":\"1970-01-01T00:00:01.000000002Z\","
		  "\"outcome\":\"retried\"}",
		  "1000000002", 13 },
		{ "{\"kind\":\"alert\",\"status\":\"firing\",\"severity\":\"critical\",\"time\":\"now\"}",
		  "0", 18 },
		{ "{\"kind\":\"alert\",\"status\":\"firing\",\"severity\":\"warning\",\"time\":\"1970\"}",
		  "0", 13 },
		{ "{\"kind\":\"alert\",\"status\":\"firing\",\"severity\":\"info\"}", "0", 9 },
		{ "{\"kind\":\"alert\",\"status\":\"resolved\",\"severity\":\"critical\"}", "0",
		  10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(docs); i++) {
		json_t *list = json_pack("[o]", json_loads(docs[i].doc, 0, NULL));
		json_t *request = uc_otlp_logs(list);
		const json_t *r = only_record(request);

		assert_string_equal(uc_document_text(r, "timeUnixNano"), docs[i].nanos);
		assert_int_equal(json_integer_value(json_object_get(r, "severityNumber")),
				 docs[i].severity);
		json_decref(request);
		json_decref(list);
	}
}

/* One resource for each host, in order. */
static void test_otlp_resources(void **state)
{
	json_t *list = json_pack("[{s:s},{s:s},{s:s}]", "instance", "a", "instance", "a",
				 "instance", "b");
	json_t *request = uc_otlp_logs(list);
	const json_t *resources = json_object_get(request, "resourceLogs");

	(void)state;
	assert_int_equal(json_array_size(resources), 2);
	json_decref(request);
	json_decref(list);
}

/* The labels of the configuration are the resource's, and no attribute of a record. */
static void test_otlp_labels(void **state)
{
	json_t *list = json_pack("[{s:s,s:{s:s}},{s:s,s:{s:s}},{s:s,s:{s:s}}]", "instance", "a",
				 "labels", "env", "x", "instance", "a", "labels", "env", "x",
				 "instance", "a", "labels", "env", "y");
	json_t *request = uc_otlp_logs(list);
	const json_t *resources = json_object_get(request, "resourceLogs");
	char *text = json_dumps(json_array_get(resources, 0), JSON_COMPACT);

	(void)state;
	assert_int_equal(json_array_size(resources), 2);
	assert_non_null(strstr(text, "{\"key\":\"env\",\"value\":{\"stringValue\":\"x\"}}"));
	assert_null(strstr(text, "labels"));
	free(text);
	json_decref(request);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_document, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whose, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_labels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_identity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_resolved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_example, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_timeline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager, set_up, tear_down),
		cmocka_unit_test(test_otlp_times_and_severities),
		cmocka_unit_test(test_otlp_resources),
		cmocka_unit_test(test_otlp_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
