/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/alert_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "base/util.h"
#include "output/whose_text.h"

/* Of a long timeline the newest moments, which hold the end. */
#define TIMELINE_LINES 24

#define TEXT_LEN 1024

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static json_t *wall_text(uint64_t wall_ns)
{
	char text[48];

	uc_text_rfc3339(wall_ns, text, sizeof(text));
	return json_string(text);
}

static json_t *time_text(const struct uc_alert_place *p, uint64_t ns)
{
	return wall_text(ns + (uint64_t)p->wall_offset_ns);
}

/* Where the clock was set back meanwhile it is as long ago as the beginning: Alertmanager refuses less. */
static uint64_t end_of(const struct uc_alert *a, const struct uc_alert_place *p)
{
	uint64_t now = a->now_ns + (uint64_t)p->wall_offset_ns;

	return now > a->fired_wall_ns ? now : a->fired_wall_ns;
}

/* The only verdict of a rule, else NULL. */
static const char *only_verdict(const struct uc_alert_rule *r)
{
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (r->verdicts == UC_ALERT_VERDICT(v))
			return uc_verdict_name(v);
	return NULL;
}

/* --- sentences ------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void append(char buf[TEXT_LEN], const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf + used, TEXT_LEN - used, fmt, args);
	va_end(args);
}

static const char *connections(uint64_t n)
{
	return n == 1 ? "connection" : "connections";
}

/* "keepalive_race", or "keepalive_race 5, upstream_closed 2", the most frequent first. */
static void append_verdicts(char buf[TEXT_LEN], const struct uc_alert *a)
{
	bool said[UC_VERDICT_MAX] = { false };

	if (only_verdict(a->rule)) {
		append(buf, "%s", only_verdict(a->rule));
		return;
	}
	for (unsigned n = 0; n < UC_VERDICT_MAX; n++) {
		unsigned best = UC_VERDICT_MAX;

		for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
			if (!said[v] && a->by_verdict[v] &&
			    (best == UC_VERDICT_MAX || a->by_verdict[v] > a->by_verdict[best]))
				best = v;
		if (best == UC_VERDICT_MAX)
			break;
		said[best] = true;
		append(buf, "%s%s %" PRIu64, n ? ", " : "", uc_verdict_name(best),
		       a->by_verdict[best]);
	}
}

static void append_share(char buf[TEXT_LEN], const struct uc_alert *a)
{
	uint64_t all = a->exchanges > a->matched ? a->exchanges : a->matched;

	if (a->rule->share_ppm && all)
		append(buf, ", %.3g %% of %" PRIu64 " exchanges", 100.0 * a->matched / all, all);
}

/* Of an alert that an earlier run of the daemon began, which knew the numbers. */
static const char *without_numbers(const struct uc_alert *a)
{
	if (a->change != UC_ALERT_RESOLVES)
		return "not seen since upclose restarted";
	return a->withdrawn ? "its rule was changed or removed" :
			      "no more of it since upclose restarted";
}

static void summarize(const struct uc_alert *a, char buf[TEXT_LEN])
{
	char window[48];

	buf[0] = '\0';
	append_verdicts(buf, a);
	append(buf, "%s on upstream %s: ", *buf ? "" : a->rule->name, a->upstream);
	if (!a->total) {
		append(buf, "%s", without_numbers(a));
		return;
	}
	if (a->change == UC_ALERT_RESOLVES) {
		append(buf, "%s after %" PRIu64 " %s",
		       a->withdrawn ? "its rule was changed or removed" :
				      "below its threshold again",
		       a->total, connections(a->total));
		return;
	}
	uc_print_duration_words(a->rule->window_ns, window, sizeof(window));
	append(buf, "%" PRIu64 " %s within %s", a->matched, connections(a->matched), window);
	append_share(buf, a);
}

/* What it was for nginx's clients. */
static void append_outcomes(char buf[TEXT_LEN], const struct uc_alert *a)
{
	uint64_t failed = a->by_outcome[UC_OUTCOME_CLIENT_ERROR];
	uint64_t retried = a->by_outcome[UC_OUTCOME_RETRIED];
	uint64_t rest = a->by_outcome[UC_OUTCOME_UNKNOWN];

	const char *separator = ": ";

	append(buf, "%" PRIu64 " %s in all", a->total, connections(a->total));
	if (failed) {
		append(buf, "%s%" PRIu64 " with an error for nginx's client", separator, failed);
		separator = ", ";
	}
	if (retried) {
		append(buf, "%s%" PRIu64 " that nginx tried again", separator, retried);
		separator = ", ";
	}
	if (rest)
		append(buf, "%s%" PRIu64 " of which it is not known", separator, rest);
	append(buf, ".");
}

void uc_alert_summary(const struct uc_alert *a, char *buf, size_t size)
{
	char text[TEXT_LEN];

	summarize(a, text);
	snprintf(buf, size, "%s", text);
}

const char *uc_document_text(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

/* "Proven by exit_code." */
static void append_confidence(char buf[TEXT_LEN], const char *confidence, const char *proof)
{
	append(buf, "%s%s%s. ",
	       !strcmp(confidence, "proven") ? "Proven" :
	       !strcmp(confidence, "likely") ? "Likely" :
					       "Not known for certain",
	       *proof ? " by " : "", proof);
}

static json_t *description(const struct uc_alert *a, const json_t *example)
{
	char text[TEXT_LEN] = "";
	const char *proof = uc_document_text(example, "proof");
	struct uc_whose_line whose;

	if (example) {
		append(text, "%s ", uc_document_text(example, "summary"));
		append_confidence(text, uc_document_text(example, "confidence"), proof);
	}
	if (a->total)
		append_outcomes(text, a);
	else
		append(text, "upclose restarted meanwhile: its earlier counts were lost.");
	whose = uc_whose_text(json_object_get(example, "upstream"));
	if (*whose.text)
		append(text, " The upstream is %s.", whose.text);
	return json_string(text);
}

/* --- the example's timeline ------------------------------------------------------------- */

static json_t *moment_line(const json_t *m)
{
	const json_t *bytes = json_object_get(m, "bytes"), *count = json_object_get(m, "count"),
		     *err = json_object_get(m, "errno");
	char text[TEXT_LEN] = "";

	append(text, "%+.3f ms  %s  %s", json_number_value(json_object_get(m, "t_ms")),
	       uc_document_text(m, "side"), uc_document_text(m, "event"));
	if (bytes)
		append(text, "  %" JSON_INTEGER_FORMAT " B", json_integer_value(bytes));
	if (count)
		append(text, "  in %" JSON_INTEGER_FORMAT " parts", json_integer_value(count));
	if (err)
		append(text, "  errno %" JSON_INTEGER_FORMAT, json_integer_value(err));
	return json_string(text);
}

json_t *uc_timeline_lines(const json_t *connection)
{
	const json_t *moments = json_object_get(connection, "timeline");
	size_t count = json_array_size(moments), from = 0;
	json_t *lines = json_array();
	char text[64];

	if (count > TIMELINE_LINES) {
		from = count - TIMELINE_LINES;
		snprintf(text, sizeof(text), "(%zu earlier moments)", from);
		json_array_append_new(lines, json_string(text));
	}
	for (size_t i = from; i < count; i++)
		json_array_append_new(lines, moment_line(json_array_get(moments, i)));
	return lines;
}

/* --- the document --------------------------------------------------------------------------- */

static json_t *counts_object(const uint64_t *counts, unsigned max,
			     const char *(*name_of)(unsigned i), bool zeros)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < max; i++)
		if (counts[i] || zeros)
			set(o, name_of(i), json_integer(counts[i]));
	return o;
}

static const char *verdict_name(unsigned i)
{
	return uc_verdict_name(i);
}

static const char *outcome_name(unsigned i)
{
	return uc_outcome_name(i);
}

static json_t *numbers_object(const struct uc_alert *a, const struct uc_alert_place *p)
{
	uint64_t all = a->exchanges > a->matched ? a->exchanges : a->matched;
	bool shares = a->rule->share_ppm;
	json_t *o = json_object();

	set(o, "window_ms", json_integer(a->rule->window_ns / 1000000));
	set(o, "connections", json_integer(a->matched));
	set(o, "exchanges", shares ? json_integer(all) : json_null());
	set(o, "share", shares && all ? json_real((double)a->matched / all) : json_null());
	set(o, "total", json_integer(a->total));
	set(o, "first", a->total ? time_text(p, a->first_ns) : json_null());
	set(o, "last", a->total ? time_text(p, a->last_ns) : json_null());
	set(o, "by_verdict", counts_object(a->by_verdict, UC_VERDICT_MAX, verdict_name, false));
	set(o, "by_outcome", counts_object(a->by_outcome, UC_OUTCOME_MAX, outcome_name, true));
	return o;
}

static json_t *rule_object(const struct uc_alert_rule *r)
{
	json_t *o = json_object(), *verdicts = json_array();

	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (r->verdicts & UC_ALERT_VERDICT(v))
			json_array_append_new(verdicts, json_string(uc_verdict_name(v)));
	set(o, "verdicts", verdicts);
	set(o, "upstream", json_string(r->upstream[0] ? r->upstream : "*"));
	set(o, "count", json_integer(r->count ? r->count : 1));
	set(o, "share", r->share_ppm ? json_real(r->share_ppm / 1e6) : json_null());
	return o;
}

/* Of name, instance and upstream: what receivers tell alerts apart by. */
static uint64_t fingerprint(const struct uc_alert *a, const struct uc_alert_place *p)
{
	const char *const parts[] = { a->rule->name, p->instance, a->upstream };
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *c = parts[i];

		/* its end, too: "a" and "bc" are not "ab" and "c" */
		do
			h = (h ^ (unsigned char)*c) * 1099511628211ULL;
		while (*c++);
	}
	return h;
}

static void set_identity(json_t *o, const struct uc_alert *a, const struct uc_alert_place *p)
{
	uint64_t print = fingerprint(a, p);
	char text[64];

	snprintf(text, sizeof(text), "%016" PRIx64 "-%" PRIu64 "-%d", print,
		 a->now_ns + (uint64_t)p->wall_offset_ns, a->change);
	set(o, "id", json_string(text));
	snprintf(text, sizeof(text), "%016" PRIx64, print);
	set(o, "fingerprint", json_string(text));
}

static json_t *lines_of(const json_t *example, const char *key)
{
	json_t *lines = json_object_get(example, key);

	return json_is_array(lines) ? json_incref(lines) : json_array();
}

/* "upstream: pod shop/api-0" */
static void add_whose(json_t *lines, const char *end, const json_t *example)
{
	struct uc_whose_line whose = uc_whose_text(json_object_get(example, end));
	char text[TEXT_LEN] = "";

	append(text, "%s: %s", end, whose.text);
	if (*whose.text)
		json_array_append_new(lines, json_string(text));
}

static json_t *evidence_lines(const json_t *example)
{
	json_t *lines = json_array(), *more = json_object_get(example, "evidence");
	char text[TEXT_LEN] = "";

	if (example) {
		append(text, "verdict %s, %s", uc_document_text(example, "verdict"),
		       uc_document_text(example, "confidence"));
		if (*uc_document_text(example, "proof"))
			append(text, ", proof %s", uc_document_text(example, "proof"));
		json_array_append_new(lines, json_string(text));
	}
	add_whose(lines, "nginx", example);
	add_whose(lines, "upstream", example);
	if (json_is_array(more))
		json_array_extend(lines, more);
	return lines;
}

json_t *uc_alert_labels(const struct uc_static_label *labels, size_t count)
{
	json_t *o = count ? json_object() : NULL;

	for (size_t i = 0; o && i < count; i++)
		set(o, labels[i].name, json_string(labels[i].value));
	return o;
}

json_t *uc_alert_document(const struct uc_alert *a, const struct uc_alert_place *place)
{
	json_t *o = json_object(), *example = a->example ? json_loads(a->example, 0, NULL) : NULL;
	const char *verdict = only_verdict(a->rule);
	bool over = a->change == UC_ALERT_RESOLVES;
	char text[TEXT_LEN];

	set(o, "schema", json_integer(1));
	set(o, "kind", json_string("alert"));
	set_identity(o, a, place);
	set(o, "status", json_string(over ? "resolved" : "firing"));
	set(o, "repeat", json_boolean(a->change == UC_ALERT_REPEATS));
	set(o, "test", json_boolean(place->test));
	set(o, "time", time_text(place, a->now_ns));
	set(o, "starts_at", wall_text(a->fired_wall_ns));
	set(o, "ends_at", over ? wall_text(end_of(a, place)) : json_null());
	set(o, "name", json_string(a->rule->name));
	set(o, "severity", json_string(uc_alert_severity_name(a->rule->severity)));
	set(o, "instance", json_string(place->instance));
	set(o, "upstream", json_string(a->upstream));
	set(o, "verdict", verdict ? json_string(verdict) : json_null());
	summarize(a, text);
	set(o, "summary", json_string(text));
	set(o, "description", description(a, example));
	set(o, "advice", lines_of(example, "advice"));
	set(o, "evidence", evidence_lines(example));
	set(o, "timeline", uc_timeline_lines(example));
	set(o, "numbers", numbers_object(a, place));
	set(o, "rule", rule_object(a->rule));
	set(o, "example", example ? example : json_null());
	if (place->labels)
		set(o, "labels", json_incref((json_t *)place->labels));
	return o;
}

/* --- Alertmanager ---------------------------------------------------------------------------- */

static void copy_text(json_t *to, const char *name, const json_t *doc, const char *key)
{
	const char *text = uc_document_text(doc, key);

	if (*text)
		set(to, name, json_string(text));
}

static void copy_lines(json_t *to, const char *name, const json_t *doc)
{
	const json_t *lines = json_object_get(doc, name), *line;
	char *text = NULL;
	size_t i, len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	json_array_foreach(lines, i, line) {
		fprintf(out, "%s%s", i ? "\n" : "", json_string_value(line));
	}
	if (!fclose(out) && len)
		set(to, name, json_string(text));
	free(text);
}

json_t *uc_alert_for_alertmanager(const json_t *doc)
{
	json_t *o = json_object(), *labels = json_object(), *annotations = json_object();

	json_object_update(labels, json_object_get(doc, "labels"));
	copy_text(labels, "alertname", doc, "name");
	copy_text(labels, "severity", doc, "severity");
	copy_text(labels, "instance", doc, "instance");
	copy_text(labels, "upstream", doc, "upstream");
	copy_text(labels, "verdict", doc, "verdict");
	copy_text(annotations, "summary", doc, "summary");
	copy_text(annotations, "description", doc, "description");
	copy_lines(annotations, "advice", doc);
	copy_lines(annotations, "evidence", doc);
	copy_lines(annotations, "timeline", doc);
	set(o, "labels", labels);
	set(o, "annotations", annotations);
	copy_text(o, "startsAt", doc, "starts_at");
	copy_text(o, "endsAt", doc, "ends_at");
	return o;
}

/* --- to try it -------------------------------------------------------------------------------- */

const struct uc_alert_rule uc_alert_test_rule = {
	.name = "UpcloseTest",
	.verdicts = UC_ALERT_VERDICT(UC_VERDICT_KEEPALIVE_RACE),
	.severity = UC_ALERT_INFO,
	.count = 1,
	.window_ns = 60000000000ULL,
};

/* 192.0.2.0/24 is for documentation (RFC 5737): nobody's upstream. */
static const char test_example[] =
	"{\"schema\":1,\"kind\":\"connection\",\"verdict\":\"keepalive_race\",\"proof\":\"request_unacked\","
	"\"confidence\":\"proven\",\"summary\":\"This is a test alert of upclose: nothing has happened.\","
	"\"advice\":[\"No action needed: this is a test alert.\"],"
	"\"evidence\":[\"it was asked for by 'upclose daemon --test-alert'\"],"
	"\"timeline\":[{\"t_ms\":0.0,\"side\":\"nginx\",\"event\":\"send\",\"exchange\":2,\"bytes\":162},"
	"{\"t_ms\":29.857,\"side\":\"nginx\",\"event\":\"fin_received\",\"exchange\":2}]}";

struct uc_alert uc_alert_test(enum uc_alert_change change, uint64_t now_ns, uint64_t wall_ns)
{
	struct uc_alert a = { .rule = &uc_alert_test_rule,
			      .upstream = "192.0.2.1:8080",
			      .state = UC_ALERT_FIRING,
			      .change = change,
			      .since_ns = now_ns,
			      .fired_ns = now_ns,
			      .fired_wall_ns = wall_ns,
			      .now_ns = now_ns,
			      .first_ns = now_ns,
			      .last_ns = now_ns,
			      .matched = 1,
			      .total = 1,
			      .example = test_example };

	a.by_verdict[UC_VERDICT_KEEPALIVE_RACE] = 1;
	a.by_outcome[UC_OUTCOME_CLIENT_ERROR] = 1;
	return a;
}
