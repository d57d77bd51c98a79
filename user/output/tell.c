/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/tell.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "output/whose_text.h"

typedef unsigned long long ull;

#define CELLS(...) ((const char *const[]){ __VA_ARGS__ })
/* CELLS(), and how many they are */
#define ROW(...) CELLS(__VA_ARGS__), sizeof(CELLS(__VA_ARGS__)) / sizeof(const char *)

/* A short text that lives as long as the statement it stands in. */
struct note {
	char text[512];
};

static struct note number(uint64_t n)
{
	struct note t;

	snprintf(t.text, sizeof(t.text), "%llu", (ull)n);
	return t;
}

/* "1 connection", "2 connections" */
static struct note counted(uint64_t n, const char *thing)
{
	struct note t;

	snprintf(t.text, sizeof(t.text), "%llu %.32s%s", (ull)n, thing, n == 1 ? "" : "s");
	return t;
}

static const char *were(uint64_t n)
{
	return n == 1 ? "was" : "were";
}

static struct note share(uint64_t part, uint64_t whole)
{
	struct note t;

	snprintf(t.text, sizeof(t.text), "%.0f %%", whole ? 100.0 * part / whole : 0.0);
	return t;
}

/* Of milliseconds; nothing where there are none. */
static struct uc_span span(const json_t *ms)
{
	if (!json_is_number(ms))
		return (struct uc_span){ "" };
	return uc_span_ms(json_number_value(ms));
}

static struct note endpoint(const json_t *o)
{
	const char *addr = uc_incident_text(o, "addr");
	struct note t;

	snprintf(t.text, sizeof(t.text), strchr(addr, ':') ? "[%.60s]:%llu" : "%.60s:%llu", addr,
		 (ull)uc_incident_number(o, "port"));
	return t;
}

/* "keepalive_race (sent_after_fin)" */
static struct note name_of(const struct uc_incident_cause *c)
{
	struct note t;

	snprintf(t.text, sizeof(t.text), *c->proof ? "%s (%s)" : "%s", c->verdict, c->proof);
	return t;
}

/* The most frequent first. */
static struct note places(const struct uc_incident_cause *c)
{
	struct note t = { "" };
	size_t at = 0, shown = c->addresses < 3 ? c->addresses : 3;

	for (size_t k = 0; k < shown; k++)
		at += snprintf(t.text + at, sizeof(t.text) - at, "%s%s (%llu)", k ? ", " : "",
			       c->at[k].text, (ull)c->at[k].count);
	if (shown < c->addresses)
		snprintf(t.text + at, sizeof(t.text) - at, " and more");
	return t;
}

static void tell_totals(const struct uc_incident *i, struct uc_doc *p)
{
	const json_t *s = i->summary, *outcomes = json_object_get(s, "by_outcome");
	uint64_t flagged = uc_incident_number(s, "flagged"), lost = uc_incident_number(s, "lost");
	struct note t;

	if (!s) {
		snprintf(t.text, sizeof(t.text),
			 "%.64s %s flagged. What was read has no summary, so how many were healthy "
			 "is not known.",
			 counted(i->flagged, "connection").text, were(i->flagged));
		uc_doc_paragraph(p, t.text);
		return;
	}
	snprintf(
		t.text, sizeof(t.text),
		"%.64s from nginx to its upstreams ended within %.40s, after %.64s; %llu %s flagged. "
		"nginx retried %llu of the flagged; %llu ended in an error for a client.",
		counted(uc_incident_number(s, "connections"), "connection").text,
		span(json_object_get(s, "duration_ms")).text,
		counted(uc_incident_number(s, "exchanges"), "exchange").text, (ull)flagged,
		were(flagged), (ull)uc_incident_number(outcomes, "retried"),
		(ull)uc_incident_number(outcomes, "client_error"));
	uc_doc_paragraph(p, t.text);
	if (!lost)
		return;
	snprintf(t.text, sizeof(t.text),
		 "%.64s %s lost: there was more than this report shows, and verdicts that could "
		 "depend on it are not called proven.",
		 counted(lost, "record").text, were(lost));
	uc_doc_paragraph(p, t.text);
}

static void tell_causes(const struct uc_incident *i, struct uc_doc *p)
{
	uc_doc_heading(p, 2, "What happened");
	if (!i->causes) {
		uc_doc_paragraph(p, "Nothing was flagged.");
		return;
	}
	uc_doc_table(p, ROW("Verdict (proof)", "Connections", "Share", "Proven", "Repeated",
			    "Reached a client", "Upstreams"));
	for (size_t k = 0; k < i->causes; k++) {
		const struct uc_incident_cause *c = &i->cause[k];

		uc_doc_row(p, ROW(name_of(c).text, number(c->count).text,
				  share(c->count, i->flagged).text, number(c->proven).text,
				  number(c->retried).text, number(c->client_errors).text,
				  places(c).text));
	}
	uc_doc_table_end(p);
}

static void tell_items(const json_t *lines, struct uc_doc *p)
{
	const json_t *line;
	size_t k;

	uc_doc_list(p);
	json_array_foreach(lines, k, line)
		if (json_is_string(line))
			uc_doc_item(p, json_string_value(line));
	uc_doc_list_end(p);
}

static const json_t *advice_of(const struct uc_incident_address *a)
{
	return json_object_get(a->newest, "advice");
}

/* The upstreams of this cause from first on to which the same advice applies, and their share. */
static void tell_change(const struct uc_incident *i, const struct uc_incident_cause *c,
			size_t first, struct uc_doc *p)
{
	struct uc_incident_cause same = { .addresses = 0 };
	const json_t *advice = advice_of(&c->at[first]);
	struct note t;

	for (size_t k = first; k < c->addresses; k++) {
		if (!json_equal(advice, advice_of(&c->at[k])))
			continue;
		same.at[same.addresses++] = c->at[k];
		same.count += c->at[k].count;
	}
	snprintf(t.text, sizeof(t.text), "%.16s of the flagged: %.80s, at %.300s",
		 share(same.count, i->flagged).text, name_of(c).text, places(&same).text);
	uc_doc_heading(p, 3, t.text);
	tell_items(advice, p);
}

/* An advice may hold a number of its upstream: one that has another gets its own. */
static bool is_told(const struct uc_incident_cause *c, size_t at)
{
	for (size_t k = 0; k < at; k++)
		if (json_equal(advice_of(&c->at[k]), advice_of(&c->at[at])))
			return true;
	return false;
}

static void tell_changes(const struct uc_incident *i, struct uc_doc *p)
{
	bool any = false;

	for (size_t k = 0; k < i->causes; k++) {
		const struct uc_incident_cause *c = &i->cause[k];

		for (size_t a = 0; a < c->addresses; a++) {
			if (!json_array_size(advice_of(&c->at[a])) || is_told(c, a))
				continue;
			if (!any)
				uc_doc_heading(p, 2, "What to change, most frequent cause first");
			any = true;
			tell_change(i, c, a, p);
		}
	}
}

static void tell_upstream(const json_t *u, struct uc_doc *p)
{
	const json_t *idle = json_object_get(u, "idle"), *candidate;
	struct note learned = { "not learned" }, known = { "" };
	size_t k, at = 0;

	if (json_is_object(idle))
		snprintf(learned.text, sizeof(learned.text), "%.40s (%.64s)",
			 span(json_object_get(idle, "timeout_ms")).text,
			 counted(uc_incident_number(idle, "count"), "close").text);
	json_array_foreach(json_object_get(idle, "candidates"), k, candidate)
		if (json_is_string(candidate) && at < sizeof(known.text))
			at += snprintf(known.text + at, sizeof(known.text) - at, "%s%s",
				       at ? ", " : "", json_string_value(candidate));
	uc_doc_row(p, ROW(endpoint(u).text, number(uc_incident_number(u, "connections")).text,
			  number(uc_incident_number(u, "exchanges")).text,
			  number(uc_incident_number(u, "flagged")).text,
			  number(uc_incident_number(u, "repeated_attempts")).text, learned.text,
			  known.text));
}

static void tell_upstreams(const struct uc_incident *i, struct uc_doc *p)
{
	const json_t *all = json_object_get(i->summary, "upstreams"), *u;
	size_t k;

	if (!json_array_size(all))
		return;
	uc_doc_heading(p, 2, "Upstreams");
	uc_doc_table(p, ROW("Address", "Connections", "Exchanges", "Flagged", "Repeated attempts",
			    "Idle timeout", "Known to close at that age"));
	json_array_foreach(all, k, u)
		tell_upstream(u, p);
	uc_doc_table_end(p);
}

static void tell_death(const json_t *d, struct uc_doc *p)
{
	const char *sig = uc_incident_text(d, "signal");
	struct note who, how;

	snprintf(who.text, sizeof(who.text), "%.64s[%llu]", uc_incident_text(d, "comm"),
		 (ull)uc_incident_number(d, "pid"));
	if (*sig)
		snprintf(how.text, sizeof(how.text), "%.32s%s", sig,
			 json_is_true(json_object_get(d, "oom")) ? ", by the OOM killer" : "");
	else
		snprintf(how.text, sizeof(how.text), "exit status %llu",
			 (ull)uc_incident_number(d, "exit_code"));
	uc_doc_row(p, ROW(who.text, how.text, number(uc_incident_number(d, "connections")).text,
			  number(uc_incident_number(d, "flagged")).text,
			  span(json_object_get(d, "lasted_ms")).text));
}

static void tell_deaths(const struct uc_incident *i, struct uc_doc *p)
{
	const json_t *all = json_object_get(i->summary, "deaths"), *d;
	size_t k;

	if (!json_array_size(all))
		return;
	uc_doc_heading(p, 2, "Processes that ended");
	uc_doc_table(p, ROW("Process", "How", "Connections that it closed", "In use", "Within"));
	json_array_foreach(all, k, d)
		tell_death(d, p);
	uc_doc_table_end(p);
}

static void tell_moment(const json_t *e, struct uc_doc *p)
{
	const json_t *bytes = json_object_get(e, "bytes");
	struct note t;
	int at;

	at = snprintf(t.text, sizeof(t.text), "%+12.3f ms  %-8.16s  %.32s",
		      json_number_value(json_object_get(e, "t_ms")), uc_incident_text(e, "side"),
		      uc_incident_text(e, "event"));
	if (json_is_integer(bytes))
		snprintf(t.text + at, sizeof(t.text) - at, "  %llu B",
			 (ull)uc_incident_number(e, "bytes"));
	uc_doc_line(p, t.text);
}

static void tell_whose(const char *who, const json_t *end, struct uc_doc *p)
{
	struct uc_whose_line whose = uc_whose_text(end);
	struct note t;

	if (!*whose.text)
		return;
	snprintf(t.text, sizeof(t.text), "%s: %.480s.", who, whose.text);
	uc_doc_paragraph(p, t.text);
}

static void tell_example(const struct uc_incident_cause *c, struct uc_doc *p)
{
	const json_t *o = c->example, *x = json_object_get(o, "exchange"), *e;
	const char *log = uc_incident_text(json_object_get(o, "nginx_log"), "message");
	struct note t;
	size_t k;

	uc_doc_heading(p, 3, name_of(c).text);
	snprintf(t.text, sizeof(t.text), "%.40s, %.40s: %.16s %.256s to %.80s",
		 uc_incident_text(o, "time"), uc_incident_text(o, "confidence"),
		 uc_incident_text(x, "method"), uc_incident_text(x, "target"),
		 endpoint(json_object_get(o, "upstream")).text);
	uc_doc_paragraph(p, t.text);
	uc_doc_paragraph(p, uc_incident_text(o, "summary"));
	tell_whose("nginx", json_object_get(o, "nginx"), p);
	tell_whose("The upstream", json_object_get(o, "upstream"), p);
	if (*log) {
		snprintf(t.text, sizeof(t.text), "nginx's log: %.480s", log);
		uc_doc_paragraph(p, t.text);
	}
	uc_doc_block(p);
	json_array_foreach(json_object_get(o, "timeline"), k, e)
		tell_moment(e, p);
	uc_doc_block_end(p);
	uc_doc_paragraph(p, "Known:");
	tell_items(json_object_get(o, "evidence"), p);
}

static void tell_examples(const struct uc_incident *i, struct uc_doc *p)
{
	if (!i->causes)
		return;
	uc_doc_heading(p, 2, "Examples");
	for (size_t k = 0; k < i->causes; k++)
		tell_example(&i->cause[k], p);
}

void uc_incident_tell(const struct uc_incident *i, const char *source, struct uc_doc *p)
{
	struct note t;

	uc_doc_begin(p, "Why nginx's upstreams hung up");
	if (i->flagged > 1)
		snprintf(t.text, sizeof(t.text), "Source: %.200s. First and last flagged: %s, %s.",
			 source, i->first, i->last);
	else
		snprintf(t.text, sizeof(t.text), "Source: %.200s.", source);
	uc_doc_paragraph(p, t.text);
	tell_totals(i, p);
	tell_causes(i, p);
	tell_changes(i, p);
	tell_upstreams(i, p);
	tell_deaths(i, p);
	tell_examples(i, p);
	uc_doc_end(p);
}
