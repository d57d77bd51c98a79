/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "source/capture.h"
#include "daemon/health.h"
#include "daemon/history.h"
#include "base/text.h"

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

void uc_html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		const char *word = *text == '&'  ? "&amp;" :
				   *text == '<'  ? "&lt;" :
				   *text == '>'  ? "&gt;" :
				   *text == '"'  ? "&quot;" :
				   *text == '\'' ? "&#39;" :
						   NULL;

		if (word)
			fputs(word, out);
		else
			fputc(*text, out);
	}
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

	if (u->addr.port && uc_upstreams_idle(uc_engine_totals(v->engine).upstreams, &u->addr, &l))
		fprintf(f, "<td>%.2f s</td>", l.ns / 1e9);
	else
		fputs("<td class=dim>-</td>", f);
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
	fprintf(f,
		"<tr><td><code>%s</code></td><td>%u</td><td>%u</td><td>%llu</td><td>%" PRIu64
		"</td><td%s>%" PRIu64 "</td>",
		u->name, u->live.open, u->live.waiting, (unsigned long long)u->live.exchanges,
		u->ended, flagged ? " class=bad" : "", flagged);
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
	fputs("<div class=wide><table id=upstreams><thead><tr><th>address</th><th>open</th>"
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

	fprintf(f, "<tr><td class=m>%+.3f ms</td><td class=\"l %s\">%s</td><td class=l>%s</td>",
		json_number_value(json_object_get(m, "t_ms")), side, side, text_of(m, "event"));
	if (json_object_get(m, "bytes"))
		fprintf(f, "<td>%lld B</td>",
			(long long)json_integer_value(json_object_get(m, "bytes")));
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
	fputs("<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>upclose</title>"
	      "<meta name=viewport content=\"width=device-width,initial-scale=1\"><style>\n",
	      f);
	fputs(style, f);
	fprintf(f,
		"</style></head>\n<body><header><h1>upclose</h1><span class=%s>%s</span>"
		"<span>%" PRIu64 " connections ended, %" PRIu64 " flagged, %" PRIu64
		" lost</span><span class=dim>up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		"</span></header>\n",
		healthy ? "good" : "bad", healthy ? "healthy" : why, t.connections, t.flagged,
		uc_totals_lost(&t), up_s / 3600, up_s / 60 % 60, up_s % 60);
}

char *uc_page_write(const struct uc_view *v, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		return NULL;
	head(f, v);
	uc_page_alerts(f, v);
	upstreams(f, v);
	newest(f, v);
	fprintf(f,
		"<footer class=dim>upclose %s; times are UTC; <a href=/metrics>metrics</a>, <a href=/healthz>health</a></footer>"
		"</body></html>\n",
		uc_version);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
