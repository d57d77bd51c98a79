/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/status_page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert_text.h"
#include "alert/alerting.h"
#include "base/version.h"
#include "source/capture.h"
#include "daemon/health.h"
#include "daemon/history.h"
#include "base/text.h"
#include "output/markup.h"
#include "output/whose_text.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1c2128;--dim:#667080;--line:#d8dee6;"
	"--card:#f6f8fa;--bad:#c4302b;--warn:#9a6700;--good:#1a7f37;--nginx:#1f6feb;--up:#8250df}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e4e8ee;--dim:#8b96a5;"
	"--line:#2c333d;--card:#171c23;--bad:#ff7b72;--warn:#e3b341;--good:#56d364;--nginx:#79c0ff;"
	"--up:#d2a8ff}}\n"
	"*{box-sizing:border-box}body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--bg);"
	"color:var(--fg);font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .6rem}\n"
	"header{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;align-items:baseline;"
	"border-bottom:1px solid var(--line);padding-bottom:.8rem}\n"
	".dim,th{color:var(--dim)}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
	"th,td{text-align:right;padding:.3rem .7rem;border-bottom:1px solid var(--line);white-space:nowrap}\n"
	"th{font-weight:500;font-size:.85rem}th:first-child,td:first-child{text-align:left;padding-left:0}\n"
	"td.l,th.l{text-align:left;white-space:normal}\n"
	"details{background:var(--card);border:1px solid var(--line);border-radius:6px;margin:.5rem 0;"
	"padding:.55rem .8rem}summary{cursor:pointer;overflow-wrap:anywhere}\n"
	"summary b{margin-right:.6rem}details p{margin:.5rem 0;overflow-wrap:anywhere}\n"
	"details ul{margin:.3rem 0;padding-left:1.2rem}code,td.m{font-family:ui-monospace,monospace;"
	"font-size:.9em}details table{width:auto;margin:.6rem 0}details td{border:0;padding:.1rem .7rem}\n"
	".nginx{color:var(--nginx)}.upstream{color:var(--up)}footer{margin-top:2.5rem}a{color:inherit}\n";

/* A cell of a table; the text is escaped. */
__attribute__((format(printf, 3, 4))) static void cell(FILE *f, const char *class, const char *fmt,
						       ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(f, *class ? "<td class=\"%s\">" : "<td>", class);
	uc_html_text(f, text);
	fputs("</td>", f);
}

static void number(FILE *f, const char *class, uint64_t n)
{
	cell(f, class, "%" PRIu64, n);
}

/* --- alerts and sinks --------------------------------------------------------------- */

static const char *colour_of(const struct uc_alert *a)
{
	return a->state == UC_ALERT_PENDING           ? "dim" :
	       a->rule->severity == UC_ALERT_CRITICAL ? "bad" :
							"warn";
}

static void alert_row(FILE *f, const struct uc_alert *a)
{
	char summary[512], since[48] = "-";

	uc_alert_summary(a, summary, sizeof(summary));
	if (a->state == UC_ALERT_FIRING)
		uc_text_rfc3339(a->fired_wall_ns, since, sizeof(since));
	fputs("<tr>", f);
	cell(f, colour_of(a), "%s", uc_alert_state_name(a->state));
	cell(f, "l", "%s", a->rule->name);
	cell(f, "l", "%s", uc_alert_severity_name(a->rule->severity));
	fprintf(f, "<td title=\"%s\">%.8s</td>", since, a->fired_ns ? since + 11 : "-");
	cell(f, "l", "%s", summary);
	fputs("</tr>\n", f);
}

static void alerts(FILE *f, const struct uc_alerts *all)
{
	struct uc_alert a;
	size_t at = 0;

	if (!uc_alerts_active(all, &at, &a))
		return;
	fputs("<h2>Alerts</h2>\n<div class=wide><table id=alerts><thead><tr><th>state</th>"
	      "<th class=l>alert</th><th class=l>severity</th><th>since</th><th class=l></th></tr>"
	      "</thead><tbody>\n",
	      f);
	do
		alert_row(f, &a);
	while (uc_alerts_active(all, &at, &a));
	fputs("</tbody></table></div>\n", f);
}

static void sink_row(FILE *f, struct uc_delivery *d)
{
	const struct uc_sink_config *cfg = uc_delivery_config(d);
	struct uc_delivery_stats s = uc_delivery_stats(d);
	uint64_t dropped = 0;

	for (unsigned i = 0; i < UC_DROP_MAX; i++)
		dropped += s.backlog.dropped[i];
	fputs("<tr>", f);
	cell(f, "", "%s", cfg->name);
	cell(f, "l", "%s", uc_sink_type_name(cfg->type));
	number(f, "", s.delivered);
	number(f, "", s.backlog.waiting);
	number(f, dropped ? "bad" : "", dropped);
	cell(f, *s.last_error ? "l bad" : "l dim", "%s",
	     *s.last_error          ? s.last_error :
	     s.last_success_wall_ns ? "delivers" :
				      "not used yet");
	fputs("</tr>\n", f);
}

static void sinks(FILE *f, const struct uc_alerting *a)
{
	if (!uc_alerting_sinks(a))
		return;
	fputs("<h2>Sinks</h2>\n<div class=wide><table id=sinks><thead><tr><th>sink</th>"
	      "<th class=l>type</th><th>delivered</th><th>waiting</th><th>dropped</th>"
	      "<th class=l></th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < uc_alerting_sinks(a); i++)
		sink_row(f, uc_alerting_sink_at(a, i));
	fputs("</tbody></table></div>\n", f);
}

/* --- upstreams ---------------------------------------------------------------------- */

static uint64_t flagged_of(const struct uc_tally_upstream *u)
{
	uint64_t sum = 0;

	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		for (unsigned o = 0; o < UC_OUTCOME_MAX; o++)
			sum += u->flagged[v][o];
	return sum;
}

static void idle_cell(FILE *f, const struct uc_view *v, const struct uc_tally_upstream *u)
{
	struct uc_idle_learned l;

	if (uc_tally_idle(u, uc_engine_totals(v->engine).upstreams, &l))
		cell(f, "", "%.2f s", l.ns / 1e9);
	else
		cell(f, "dim", "-");
}

static void hour_cell(FILE *f, const uint64_t hour[UC_VERDICT_MAX])
{
	const char *separator = "";

	fputs("<td class=l>", f);
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++) {
		if (!hour[v])
			continue;
		fprintf(f, "%s<span class=bad>%s&nbsp;%" PRIu64 "</span>", separator,
			uc_verdict_name(v), hour[v]);
		separator = ", ";
	}
	fputs(*separator ? "</td>" : "<span class=dim>none</span></td>", f);
}

static void upstream_row(FILE *f, const struct uc_view *v, size_t i)
{
	const struct uc_tally_upstream *u = uc_tally_at(v->tally, i);
	uint64_t hour[UC_VERDICT_MAX], flagged = flagged_of(u);

	uc_tally_hour(v->tally, i, v->now_ns, hour);
	fputs("<tr><td><code>", f);
	uc_html_text(f, u->name);
	fputs("</code></td>", f);
	number(f, "", u->live.open);
	number(f, "", u->live.waiting);
	number(f, "", u->live.exchanges);
	number(f, "", u->ended);
	number(f, flagged ? "bad" : "", flagged);
	idle_cell(f, v, u);
	hour_cell(f, hour);
	fputs("</tr>\n", f);
}

static void upstreams(FILE *f, const struct uc_view *v)
{
	size_t count = uc_tally_count(v->tally);

	fputs("<h2>Upstreams</h2>\n", f);
	if (!count) {
		fputs("<p class=dim>nginx has opened no connection to an upstream yet.</p>\n", f);
		return;
	}
	fputs("<div class=wide><table id=upstreams><thead><tr><th>upstream</th><th>open</th>"
	      "<th>waiting</th><th>requests</th><th>ended</th><th>flagged</th>"
	      "<th>idle timeout</th><th class=l>verdicts of the last hour</th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < count; i++)
		upstream_row(f, v, i);
	fputs("</tbody></table></div>\n", f);
}

/* --- flagged connections ------------------------------------------------------------ */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "12:15:05" of "2026-11-22T12:15:05.472000000Z", and its day for the reader who hovers. */
static void when(FILE *f, const json_t *o)
{
	const char *time = text_of(o, "time");

	fprintf(f, "<time class=dim datetime=\"%s\" title=\"%s\">%.8s</time> ", time, time,
		strlen(time) > 19 ? time + 11 : time);
}

static void request_text(FILE *f, const json_t *o)
{
	const json_t *x = json_object_get(o, "exchange"), *up = json_object_get(o, "upstream");
	const char *addr = text_of(up, "addr");

	fprintf(f, strchr(addr, ':') ? "<code>[%s]:%lld</code> " : "<code>%s:%lld</code> ", addr,
		(long long)json_integer_value(json_object_get(up, "port")));
	if (!*text_of(x, "method"))
		return;
	fputs("<code>", f);
	uc_html_text(f, text_of(x, "method"));
	fputc(' ', f);
	uc_html_text(f, text_of(x, "target"));
	fputs("</code>", f);
}

static void moment_row(FILE *f, const json_t *m)
{
	const char *side = text_of(m, "side");
	char class[32];

	snprintf(class, sizeof(class), "l %s", side);
	fputs("<tr>", f);
	cell(f, "m", "%+.3f ms", json_number_value(json_object_get(m, "t_ms")));
	cell(f, class, "%s", side);
	cell(f, "l", "%s", text_of(m, "event"));
	if (json_object_get(m, "bytes"))
		cell(f, "", "%lld B", (long long)json_integer_value(json_object_get(m, "bytes")));
	fputs("</tr>\n", f);
}

static void list(FILE *f, const char *title, const json_t *lines)
{
	if (!json_array_size(lines))
		return;
	fprintf(f, "<p class=dim>%s</p><ul>", title);
	for (size_t i = 0; i < json_array_size(lines); i++) {
		fputs("<li>", f);
		uc_html_text(f, json_string_value(json_array_get(lines, i)));
		fputs("</li>", f);
	}
	fputs("</ul>\n", f);
}

static void whose(FILE *f, const char *end, const json_t *o)
{
	struct uc_whose_line l = uc_whose_text(json_object_get(o, end));

	if (!*l.text)
		return;
	fprintf(f, "<p><span class=%s>%s</span>: ", end, end);
	uc_html_text(f, l.text);
	fputs("</p>\n", f);
}

static void connection(FILE *f, const json_t *o, bool open)
{
	const json_t *moments = json_object_get(o, "timeline");
	bool proven = !strcmp(text_of(o, "confidence"), "proven");

	fprintf(f, "<details%s><summary>", open ? " open" : "");
	when(f, o);
	fprintf(f, "<b class=%s>%s</b>", proven ? "bad" : "warn", text_of(o, "verdict"));
	request_text(f, o);
	fputs("</summary>\n<p>", f);
	uc_html_text(f, text_of(o, "summary"));
	fprintf(f, " <span class=dim>%s", text_of(o, "confidence"));
	if (*text_of(o, "proof"))
		fprintf(f, " (%s)", text_of(o, "proof"));
	fprintf(f, ", outcome %s</span></p>\n<table>", text_of(o, "outcome"));
	for (size_t i = 0; i < json_array_size(moments); i++)
		moment_row(f, json_array_get(moments, i));
	fputs("</table>\n", f);
	whose(f, "nginx", o);
	whose(f, "upstream", o);
	list(f, "Known:", json_object_get(o, "evidence"));
	list(f, "Do:", json_object_get(o, "advice"));
	fputs("</details>\n", f);
}

static void newest(FILE *f, const struct uc_view *v)
{
	size_t count = uc_history_count(v->history);

	fputs("<h2>Newest flagged connections</h2>\n", f);
	if (!count)
		fputs("<p class=dim>None so far.</p>\n", f);
	for (size_t i = 0; i < count; i++) {
		json_t *o = uc_history_at(v->history, i);

		if (o)
			connection(f, o, !i);
		json_decref(o);
	}
}

/* --- the page ----------------------------------------------------------------------- */

static void head(FILE *f, const struct uc_view *v)
{
	struct uc_totals t = uc_engine_totals(v->engine);
	uint64_t up_s = (v->now_ns - v->began_ns) / 1000000000;
	char why[UC_HEALTH_WHY];
	bool healthy = uc_healthy(v, why);

	t.losses = uc_tracer_losses(v->tracer);
	uc_html_begin(f, "upclose", style);
	fprintf(f,
		"<header><h1>upclose</h1><span class=%s>%s</span>"
		"<span>%" PRIu64 " connections ended, %" PRIu64 " flagged, %" PRIu64
		" lost</span><span class=dim>up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		"</span></header>\n",
		healthy ? "good" : "bad", healthy ? "healthy" : why, t.connections, t.flagged,
		uc_totals_lost(&t), up_s / 3600, up_s / 60 % 60, up_s % 60);
}

char *uc_status_page_write(const struct uc_view *v, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		return NULL;
	head(f, v);
	alerts(f, uc_alerting_alerts(v->alerting));
	sinks(f, v->alerting);
	upstreams(f, v);
	newest(f, v);
	fprintf(f,
		"<footer class=dim>upclose %s; times are UTC; <a href=/metrics>metrics</a>, "
		"<a href=/healthz>health</a></footer>\n",
		uc_version);
	uc_html_end(f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
