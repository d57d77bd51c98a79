/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/otlp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alert/alert_text.h"
#include "base/util.h"
#include "base/version.h"

#define NAME_LEN 128

/* SeverityNumber, and which of syslog's names stand for which: the logs data model, appendix B. */
enum { INFO = 9, NOTICE = 10, WARN = 13, ERROR = 17, CRITICAL = 18 };

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

/* --- values ----------------------------------------------------------------------------- */

static json_t *text_value(const char *text)
{
	return json_pack("{s:s}", "stringValue", text);
}

static json_t *integer_text(json_int_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, n);
	return json_string(text);
}

static json_t *array_value(const json_t *list)
{
	json_t *values = json_array();
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		json_array_append_new(values, text_value(json_string_value(v)));
	}
	return json_pack("{s:{s:o}}", "arrayValue", "values", values);
}

/* An AnyValue; NULL for what has none. */
static json_t *any_value(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return text_value(json_string_value(v));
	case JSON_INTEGER:
		return json_pack("{s:o}", "intValue", integer_text(json_integer_value(v)));
	case JSON_REAL:
		return json_pack("{s:f}", "doubleValue", json_real_value(v));
	case JSON_TRUE:
	case JSON_FALSE:
		return json_pack("{s:b}", "boolValue", json_is_true(v));
	case JSON_ARRAY:
		return array_value(v);
	default:
		return NULL;
	}
}

static void add(json_t *attributes, const char *key, json_t *value)
{
	if (value)
		json_array_append_new(attributes,
				      json_pack("{s:s,s:o}", "key", key, "value", value));
}

static bool only_texts(const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		if (!json_is_string(v))
			return false;
	}
	return true;
}

/* {"upstream": {"port": 80}} is upclose.upstream.port; lists of anything but texts are left out. */
static void add_members(json_t *attributes, const char *prefix, const json_t *o)
{
	char name[NAME_LEN];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v) {
		snprintf(name, sizeof(name), "%s.%s", prefix, key);
		if (json_is_object(v))
			add_members(attributes, name, v);
		else if (!json_is_array(v) || only_texts(v))
			add(attributes, name, any_value(v));
	}
}

/* --- records ------------------------------------------------------------------------------ */

/* Of "2026-11-22T13:24:49.123456789Z"; "0", not known, of anything else. */
static json_t *unix_nanoseconds(const char *text)
{
	uint64_t ns = 0;
	char buf[32];
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest && *rest == '.' && strspn(rest + 1, "0123456789") == 9)
		ns = timegm(&tm) * 1000000000ULL + strtoull(rest + 1, NULL, 10);
	snprintf(buf, sizeof(buf), "%" PRIu64, ns);
	return json_string(buf);
}

static bool is(const json_t *doc, const char *key, const char *text)
{
	return !strcmp(uc_document_text(doc, key), text);
}

static int severity_of(const json_t *doc)
{
	if (is(doc, "kind", "connection"))
		return is(doc, "outcome", "client_error") ? ERROR : WARN;
	if (is(doc, "status", "resolved"))
		return NOTICE;
	return is(doc, "severity", "critical") ? CRITICAL :
	       is(doc, "severity", "warning")  ? WARN :
						 INFO;
}

static const char *severity_text(int number)
{
	return number == CRITICAL ? "critical" :
	       number == ERROR    ? "error" :
	       number == WARN     ? "warning" :
	       number == NOTICE   ? "notice" :
				    "info";
}

/* Names of the semantic conventions: server, HTTP, error, and whose the upstream is. */
static void add_conventions(json_t *attributes, const json_t *connection)
{
	static const struct {
		const char *name, *path[3];
	} known[] = {
		{ "server.address", { "upstream", "addr" } },
		{ "server.port", { "upstream", "port" } },
		{ "http.request.method", { "exchange", "method" } },
		{ "url.path", { "exchange", "target" } },
		{ "http.response.status_code", { "exchange", "status" } },
		{ "error.type", { "verdict" } },
		{ "container.id", { "upstream", "container", "id" } },
		{ "container.name", { "upstream", "container", "name" } },
		{ "container.runtime.name", { "upstream", "container", "runtime" } },
		{ "k8s.namespace.name", { "upstream", "pod", "namespace" } },
		{ "k8s.pod.name", { "upstream", "pod", "name" } },
		{ "k8s.pod.uid", { "upstream", "pod", "uid" } },
	};

	add(attributes, "network.transport", text_value("tcp"));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const json_t *v = connection;

		for (size_t k = 0; k < ARRAY_SIZE(known[i].path) && known[i].path[k]; k++)
			v = json_object_get(v, known[i].path[k]);
		if (v)
			add(attributes, known[i].name, any_value(v));
	}
}

static json_t *attributes_of(const json_t *doc)
{
	json_t *attributes = json_array(), *rest = json_copy((json_t *)doc);

	if (is(doc, "kind", "connection")) {
		add_conventions(attributes, doc);
		json_object_set_new(rest, "timeline", uc_timeline_lines(doc));
	}
	/* the example's own record is there, the others stand in fields of their own */
	json_object_del(rest, "example");
	json_object_del(rest, "schema");
	json_object_del(rest, "time");
	json_object_del(rest, "summary");
	json_object_del(rest, "instance");
	json_object_del(rest, "labels");
	add_members(attributes, "upclose", rest);
	json_decref(rest);
	return attributes;
}

static json_t *record_of(const json_t *doc)
{
	json_t *o = json_object();
	int severity = severity_of(doc);
	char name[64];

	snprintf(name, sizeof(name), "upclose.%.32s", uc_document_text(doc, "kind"));
	set(o, "timeUnixNano", unix_nanoseconds(uc_document_text(doc, "time")));
	set(o, "observedTimeUnixNano", unix_nanoseconds(uc_document_text(doc, "time")));
	set(o, "severityNumber", json_integer(severity));
	set(o, "severityText", json_string(severity_text(severity)));
	set(o, "eventName", json_string(name));
	set(o, "body", text_value(uc_document_text(doc, "summary")));
	set(o, "attributes", attributes_of(doc));
	return o;
}

/* --- the request ------------------------------------------------------------------------------ */

static json_t *resource_of(const json_t *doc)
{
	json_t *attributes = json_array(), *value;
	const char *name;

	add(attributes, "service.name", text_value("upclose"));
	add(attributes, "service.version", text_value(uc_version));
	add(attributes, "host.name", text_value(uc_document_text(doc, "instance")));
	json_object_foreach(json_object_get(doc, "labels"), name, value)
		add(attributes, name, any_value(value));
	return json_pack("{s:o}", "attributes", attributes);
}

/* Records of one resource; *ret_records is where more of them go. */
static json_t *resource_logs(const json_t *doc, json_t **ret_records)
{
	json_t *records = json_array();

	*ret_records = records;
	return json_pack("{s:o,s:[{s:{s:s,s:s},s:o}]}", "resource", resource_of(doc), "scopeLogs",
			 "scope", "name", "upclose", "version", uc_version, "logRecords", records);
}

static bool same_resource(const json_t *a, const json_t *b)
{
	const json_t *x = json_object_get(a, "labels"), *y = json_object_get(b, "labels");

	return is(a, "instance", uc_document_text(b, "instance")) &&
	       (x && y ? json_equal(x, y) : x == y);
}

json_t *uc_otlp_logs(const json_t *docs)
{
	json_t *all = json_array(), *records = NULL;
	const json_t *doc, *before = NULL;
	size_t i;

	json_array_foreach(docs, i, doc) {
		if (!before || !same_resource(doc, before))
			json_array_append_new(all, resource_logs(doc, &records));
		before = doc;
		json_array_append_new(records, record_of(doc));
	}
	return json_pack("{s:o}", "resourceLogs", all);
}
