/* SPDX-License-Identifier: BSD-2-Clause */
/* For a person: a headline, the exchange, its timeline, the sentence, the advice. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "output/words_text.h"
#include "output/explain.h"
#include "engine/output.h"
#include "base/text.h"
#include "base/util.h"

#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define GREEN  "\033[32m"
#define BOLD   "\033[1m"
#define DIM    "\033[2m"
#define RESET  "\033[0m"

/* Of the connections in use that one death closed, this many are told in full. */
#define DEATH_SHOWN 3

static const char *paint(const struct uc_output *s, const char *code)
{
	return s->colour ? code : "";
}

static const char *verdict_colour(const struct uc_verdict *v)
{
	if (!v->flagged)
		return GREEN;
	return v->confidence == UC_CONFIDENCE_PROVEN ? RED : YELLOW;
}

static void headline(const struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_conn *c = r->facts->nginx;
	const struct uc_verdict *v = &r->verdict;
	char when[32], to[UC_ADDR_LEN], who[96] = "";
	char from_in[UC_WHOSE_LEN], to_in[UC_WHOSE_LEN];

	uc_text_clock(uc_judged_wall(r, r->facts->end_ns), when, sizeof(when));
	uc_text_endpoint(c->tuple.remote_addr, c->tuple.family, c->tuple.remote_port, to);
	if (r->upstream.tgid)
		uc_explain_upstream(r, who, sizeof(who));
	fprintf(s->out, "%s  %s%s%s%s", when, paint(s, BOLD), paint(s, verdict_colour(v)),
		uc_verdict_name(v->id), paint(s, RESET));
	if (v->id != UC_VERDICT_UNKNOWN)
		fprintf(s->out, ", %s", uc_confidence_name(v->confidence));
	if (v->proof)
		fprintf(s->out, " (%s)", uc_proof_name(v->proof));
	uc_whose_name(&r->nginx_is, from_in);
	uc_whose_name(&r->upstream_is, to_in);
	fprintf(s->out, "   nginx[%u]%s%s -> %s%s%s%s%s%s\n", c->owner.tgid, *from_in ? " in " : "",
		from_in, to, *who ? " " : "", who, *to_in ? " in " : "", to_in,
		v->lossy ? "   (lossy)" : "");
}

static void exchange_line(const struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	char method[64], target[256];

	if (!f->exchange)
		return;
	if (f->request.method) {
		uc_text_escape(f->request.method, f->request.method_len, method, sizeof(method));
		uc_text_escape(f->request.target,
			       f->request.target_len + (r->show_query ? f->request.query_len : 0),
			       target, sizeof(target));
		fprintf(s->out, "  %s %s%s", method, target,
			f->request.query_len && !r->show_query ? "?..." : "");
	} else {
		fprintf(s->out, "  %s",
			f->exchange_unseen ? "a request sent before this trace" :
			f->tls             ? "an encrypted request" :
			f->fastcgi         ? "a FastCGI request" :
					     "a request that is not HTTP/1");
	}
	if (f->number)
		fprintf(s->out, ", request %u on this connection", f->number);
	if (f->idle_known && f->idle_ns < 1000000000)
		fprintf(s->out, ", after %.1f ms idle", f->idle_ns / 1e6);
	else if (f->idle_known)
		fprintf(s->out, ", after %.3f s idle", f->idle_ns / 1e9);
	if (f->response.status)
		fprintf(s->out, ", answered %u", f->response.status);
	fputc('\n', s->out);
}

static const char *event_word(const struct uc_event *e)
{
	static const char *const words[] = {
		[UC_EV_CONNECT] = "connect",
		[UC_EV_ESTABLISHED] = "open",
		[UC_EV_ADOPTED] = "adopted",
		[UC_EV_SEND] = "send",
		[UC_EV_RECV] = "receive",
		[UC_EV_EOF] = "read EOF",
		[UC_EV_FIN] = "FIN",
		[UC_EV_RST] = "RST",
		[UC_EV_CLOSE] = "close",
		[UC_EV_ABORT] = "abort",
		[UC_EV_RETRANSMIT] = "resend",
		[UC_EV_SEND_ERROR] = "send!",
		[UC_EV_RECV_ERROR] = "receive!",
		[UC_EV_PEEK] = "idle",
		[UC_EV_ICMP] = "ICMP",
	};
	static_assert(ARRAY_SIZE(words) == UC_EV_MAX, "a word for each event");

	return words[e->kind];
}

/* What the line says behind the event's name; "" for nothing. */
static void fin_detail(const struct uc_facts *f, char *buf, size_t size)
{
	if (f->sent_after_fin)
		snprintf(buf, size, "before nginx wrote the request");
	else if (f->unacked_bytes == f->request_bytes)
		snprintf(buf, size, "none of the request had reached the upstream (%u B unacked)",
			 f->unacked_bytes);
	else if (f->unacked_bytes)
		snprintf(buf, size, "%u B of the request unacked", f->unacked_bytes);
	else if (f->response_state == UC_RESPONSE_NONE)
		snprintf(buf, size, "the upstream's kernel had the whole request");
}

static void bytes_detail(const struct uc_event *e, char *buf, size_t size)
{
	if (e->count > 1)
		snprintf(buf, size, "%u B in %u calls over %.3f ms", e->bytes, e->count,
			 (e->last_ns - e->ts_ns) / 1e6);
	else
		snprintf(buf, size, "%u B", e->bytes);
}

static void upstream_close_detail(const struct uc_facts *f, char *buf, size_t size)
{
	const char *by = f->upstream->closer.flags & UC_TASK_EXITING ? "the process exited" :
								       "called by the application";

	if (f->unread_bytes)
		snprintf(buf, size, "%s, %u B unread", by, f->unread_bytes);
	else
		snprintf(buf, size, "%s", by);
}

static void event_detail(const struct uc_facts *f, const struct uc_moment *m, char *buf,
			 size_t size)
{
	const struct uc_event *e = m->event;

	buf[0] = '\0';
	if (e->kind == UC_EV_SEND || e->kind == UC_EV_RECV)
		bytes_detail(e, buf, size);
	else if (e->err)
		snprintf(buf, size, "%s", strerror(e->err));
	else if (e->kind == UC_EV_RETRANSMIT)
		snprintf(buf, size, "%u segments", e->count);
	else if (e->kind == UC_EV_PEEK)
		snprintf(buf, size, "nginx kept it in its pool");
	else if (e->kind == UC_EV_FIN && !m->upstream && f->unacked_known &&
		 f->nginx->peer.ts_ns == e->ts_ns)
		fin_detail(f, buf, size);
	else if (e->kind == UC_EV_CLOSE && m->upstream)
		upstream_close_detail(f, buf, size);
	else if (e->kind == UC_EV_CLOSE && f->exchange)
		snprintf(buf, size, "%llu response bytes", (unsigned long long)f->response_bytes);
}

/*
 * The story is the newest exchange, and what closed the connection if that came
 * before it; its zero is nginx's first event in that exchange.
 */
static void story(const struct uc_judged *r, size_t *ret_first, size_t *ret_zero)
{
	const struct uc_timeline *t = r->timeline;
	uint32_t number = r->facts->nginx->x.number;
	size_t zero = 0, first;

	while (number && zero < t->count &&
	       (t->at[zero].upstream || t->at[zero].event->exchange != number))
		zero++;
	if (zero == t->count || number < 2)
		zero = 0;
	for (first = 0; first < zero; first++) {
		enum uc_event_kind kind = t->at[first].event->kind;

		if (kind == UC_EV_CLOSE || kind == UC_EV_FIN || kind == UC_EV_RST)
			break;
	}
	*ret_first = first;
	*ret_zero = zero;
}

static void moment_time(const struct uc_output *s, uint64_t ts_ns, uint64_t zero_ns)
{
	fprintf(s->out, "  %s%+12.3f ms%s  ", paint(s, DIM),
		((int64_t)ts_ns - (int64_t)zero_ns) / 1e6, paint(s, RESET));
}

/* nginx's words stand where they were said; *at is the first that was not printed yet. */
static void words_until(const struct uc_output *s, const struct uc_judged *r, size_t *at,
			uint64_t until_ns, uint64_t zero_ns)
{
	const struct uc_said_of *said = &r->pair->said;

	for (; *at < said->count && said->words[*at].ts_ns < until_ns; ++*at) {
		const struct uc_words *w = &said->words[*at];

		moment_time(s, w->ts_ns, zero_ns);
		fprintf(s->out, "%-8s  %-10s%s: %s\n", "nginx", "log",
			uc_words_level_name(w->level), uc_words_text(w).text);
	}
}

static void timeline(const struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_timeline *t = r->timeline;
	size_t first, zero, words = 0;

	story(r, &first, &zero);
	for (size_t i = first; i < t->count; i++) {
		const struct uc_moment *m = &t->at[i];
		char detail[128];

		words_until(s, r, &words, m->ts_ns, t->at[zero].ts_ns);
		event_detail(r->facts, m, detail, sizeof(detail));
		moment_time(s, m->ts_ns, t->at[zero].ts_ns);
		fprintf(s->out, "%-8s  %-*s%s\n", m->upstream ? "upstream" : "nginx",
			*detail ? 10 : 0, event_word(m->event), detail);
	}
	if (t->count)
		words_until(s, r, &words, UINT64_MAX, t->at[zero].ts_ns);
}

/* What nginx knew of it: its client, and its words. */
static void nginx_line(const struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_error_line *l = r->line;
	struct uc_slice request;
	char text[512];

	if (!l)
		return;
	request = r->show_query ? l->request : uc_error_line_without_query(l->request);
	uc_text_escape(l->message.p, l->message.len, text, sizeof(text));
	fprintf(s->out, "  nginx's log%s: *%llu %s",
		r->line_contradicts ? ", which contradicts" : "", (unsigned long long)l->connection,
		text);
	uc_text_escape(l->client.p, l->client.len, text, sizeof(text));
	fprintf(s->out, ", client %s", text);
	uc_text_escape(request.p, request.len, text, sizeof(text));
	fprintf(s->out, ", request %s", text);
	if (l->host.p) {
		uc_text_escape(l->host.p, l->host.len, text, sizeof(text));
		fprintf(s->out, ", host %s", text);
	}
	fputc('\n', s->out);
}

static int done(const struct uc_output *s)
{
	return fflush(s->out) || ferror(s->out) ? (errno ? -errno : -EIO) : 0;
}

static void advice(const struct uc_output *s, const struct uc_explanation *e)
{
	for (size_t i = 0; i < e->advice.count; i++)
		fprintf(s->out, "  %-11s %s\n", i ? "" : "What to do:", e->advice.line[i]);
}

static int connection(struct uc_output *s, const struct uc_judged *r)
{
	struct uc_explanation e;

	headline(s, r);
	/* a death is one event: the rest of its connections is a line each, and counted at the end */
	if (r->death && r->verdict.flagged && r->death->in_use > DEATH_SHOWN) {
		fprintf(s->out, "  the %lluth connection in use that this death closed\n\n",
			(unsigned long long)r->death->in_use);
		return done(s);
	}
	uc_explain(r, &e);
	exchange_line(s, r);
	if (r->verdict.flagged)
		timeline(s, r);
	fprintf(s->out, "  %s%s%s\n", paint(s, BOLD), e.summary, paint(s, RESET));
	nginx_line(s, r);
	if (*e.outcome)
		fprintf(s->out, "  %s\n", e.outcome);
	if (r->verdict.flagged && r->verdict.confidence != UC_CONFIDENCE_PROVEN)
		for (size_t i = 0; i < e.evidence.count; i++)
			fprintf(s->out, "  Known: %s.\n", e.evidence.line[i]);
	advice(s, &e);
	fputc('\n', s->out);
	return done(s);
}

static int words(struct uc_output *s, const struct uc_log_event *ev)
{
	const struct uc_words *w = ev->words;
	struct uc_explanation e;
	char when[32];

	uc_text_clock(w->ts_ns + (uint64_t)ev->wall_offset_ns, when, sizeof(when));
	fprintf(s->out, "%s  %s%s%s   nginx[%u] %s: %s", when, paint(s, BOLD),
		uc_words_kind_name(w->kind), paint(s, RESET), w->worker,
		uc_words_level_name(w->level), uc_words_text(w).text);
	if (w->client)
		fprintf(s->out, " (client *%llu)", (unsigned long long)w->client);
	uc_explain_log_event(ev, &e);
	fprintf(s->out, "\n  %s%s%s\n", paint(s, BOLD), e.summary, paint(s, RESET));
	advice(s, &e);
	fputc('\n', s->out);
	return done(s);
}

/* One line for each upstream whose idle timeout is known. */
static void idle_lines(const struct uc_output *s, const struct uc_upstreams *t)
{
	char where[UC_ADDR_LEN];

	for (size_t i = 0; t && i < uc_upstreams_count(t); i++) {
		struct uc_upstream u = uc_upstreams_at(t, i);

		if (!u.idle_known)
			continue;
		uc_text_endpoint(u.addr.addr, 0, u.addr.port, where);
		fprintf(s->out,
			"%s closes idle connections after %.2f s (%.2f to %.2f, %u closes).\n",
			where, u.idle.ns / 1e9, u.idle.min_ns / 1e9, u.idle.max_ns / 1e9,
			u.idle.count);
	}
}

static void death_lines(const struct uc_output *s, const struct uc_totals *t)
{
	char comm[4 * UC_COMM_LEN], how[32];
	int status, sig;

	for (size_t i = 0; i < t->death_count; i++) {
		const struct uc_death *d = &t->deaths[i];

		uc_exit_of(&d->task, &status, &sig);
		if (sig >= 0)
			uc_signal_name(sig, how, sizeof(how));
		else
			snprintf(how, sizeof(how), "exit status %d", status);
		uc_text_escape(d->task.comm, strnlen(d->task.comm, UC_COMM_LEN), comm,
			       sizeof(comm));
		fprintf(s->out,
			"%llu connection%s closed in %.1f ms by the death of %s[%u], %s%s; %llu in use.\n",
			(unsigned long long)d->connections, d->connections == 1 ? "" : "s",
			(d->last_ns - d->first_ns) / 1e6, comm, d->task.tgid, how,
			d->task.flags & UC_TASK_OOM ? ", OOM" : "", (unsigned long long)d->in_use);
	}
}

static void forgotten_line(struct uc_output *s, const struct uc_totals *t)
{
	const char *before = "Dropped to limit memory:";

	for (unsigned i = 0; i < UC_LIMIT_MAX; i++) {
		if (!t->forgotten[i])
			continue;
		fprintf(s->out, "%s %s %llu", before, uc_limit_name(i),
			(unsigned long long)t->forgotten[i]);
		before = ",";
	}
	if (*before == ',')
		fputs(".\n", s->out);
}

/* What nginx said of no connection, by kind. */
static void log_event_line(const struct uc_output *s, const struct uc_totals *t)
{
	const char *before = "nginx said, of requests without a connection:";

	for (unsigned k = 0; k < UC_WORDS_KIND_MAX; k++) {
		if (!t->words[k])
			continue;
		fprintf(s->out, "%s %s %llu", before, uc_words_kind_name(k),
			(unsigned long long)t->words[k]);
		before = ",";
	}
	if (*before == ',')
		fputs(".\n", s->out);
}

/* Each list adds up to the number before it. */
static void verdict_list(const struct uc_output *s, const struct uc_totals *t, bool flagged)
{
	const char *separator = " (";

	for (unsigned v = 0; v < UC_VERDICT_MAX; v++) {
		if (!t->by_verdict[v] || uc_verdict_flagged(v) != flagged)
			continue;
		fprintf(s->out, "%s%s %llu", separator, uc_verdict_name(v),
			(unsigned long long)t->by_verdict[v]);
		separator = ", ";
	}
	fputs(*separator == ',' ? ")" : "", s->out);
}

static void verdict_lines(const struct uc_output *s, const struct uc_totals *t)
{
	fprintf(s->out, "%s%llu flagged%s", paint(s, t->flagged ? RED : GREEN),
		(unsigned long long)t->flagged, paint(s, RESET));
	verdict_list(s, t, true);
	fprintf(s->out, "; %llu not flagged", (unsigned long long)(t->connections - t->flagged));
	verdict_list(s, t, false);
	fputs(".\n", s->out);
}

int uc_output_text_summary(struct uc_output *s, const struct uc_totals *t)
{
	uint64_t lost = uc_totals_lost(t);

	if (!t->connections) {
		fprintf(s->out, "No upstream connection ended in %.1f s.\n", t->duration_ns / 1e9);
	} else {
		fprintf(s->out,
			"%llu upstream connection%s ended in %.1f s, after %llu exchange%s.\n",
			(unsigned long long)t->connections, t->connections == 1 ? "" : "s",
			t->duration_ns / 1e9, (unsigned long long)t->exchanges,
			t->exchanges == 1 ? "" : "s");
		verdict_lines(s, t);
	}
	if (t->flagged)
		fprintf(s->out,
			"nginx retried %llu of the flagged; %llu ended in an error for a client.\n",
			(unsigned long long)t->by_outcome[UC_OUTCOME_RETRIED],
			(unsigned long long)t->by_outcome[UC_OUTCOME_CLIENT_ERROR]);
	log_event_line(s, t);
	if (t->error_log)
		fprintf(s->out,
			"nginx logged %llu lines about upstreams, %llu found their connection; "
			"%llu flagged connections have none.\n",
			(unsigned long long)t->log.lines, (unsigned long long)t->log.matched,
			(unsigned long long)t->log.without_line);
	death_lines(s, t);
	idle_lines(s, t->upstreams);
	forgotten_line(s, t);
	if (lost) {
		fprintf(s->out, "%s%llu lost:%s", paint(s, RED), (unsigned long long)lost,
			paint(s, RESET));
		for (unsigned i = 0; i < UC_LOST_MAX; i++)
			if (t->losses.by_reason[i])
				fprintf(s->out, " %s %llu", uc_lost_name(i),
					(unsigned long long)t->losses.by_reason[i]);
		if (t->bad_records)
			fprintf(s->out, " bad_record %llu", (unsigned long long)t->bad_records);
		if (t->evicted)
			fprintf(s->out, " join_evicted %llu", (unsigned long long)t->evicted);
		fputc('\n', s->out);
	}
	return done(s);
}

const struct uc_output uc_output_text = { .connection = connection,
					  .words = words,
					  .summary = uc_output_text_summary };
