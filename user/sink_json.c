/* SPDX-License-Identifier: BSD-2-Clause */
/* One object a line; its fields are a contract, see upclose(8). Absent facts are null. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "explain.h"
#include "known_idle.h"
#include "sink.h"
#include "text.h"

static json_t *string_or_null(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

static json_t *bytes_or_null(const char *bytes, size_t len)
{
	char text[4 * UC_ERROR_LINE_MAX + 1];

	if (!bytes)
		return json_null();
	uc_text_escape(bytes, len, text, sizeof(text));
	return json_string(text);
}

/* A path is bytes, and need not be UTF-8. */
static json_t *path_or_null(const char *path)
{
	return path ? bytes_or_null(path, strlen(path)) : json_null();
}

static json_t *comm_or_null(const struct uc_task *t)
{
	return t->tgid ? bytes_or_null(t->comm, strnlen(t->comm, UC_COMM_LEN)) : json_null();
}

static json_t *integer_if(bool known, uint64_t n)
{
	return known ? json_integer(n) : json_null();
}

/* To the microsecond: what is below is noise of the hooks. */
static json_t *milliseconds(int64_t ns)
{
	return json_real((ns + 500) / 1000 / 1e3);
}

static json_t *milliseconds_if(bool known, int64_t ns)
{
	return known ? milliseconds(ns) : json_null();
}

static json_t *address(const __u8 addr[16], unsigned family)
{
	char text[UC_ADDR_LEN];

	uc_text_addr(addr, family, text);
	return json_string(text);
}

static json_t *nginx_object(const struct uc_report *r)
{
	const struct uc_conn *c = r->facts->nginx;

	return json_pack("{s:o, s:o, s:o, s:i}", "pid", integer_if(c->owner.tgid, c->owner.tgid),
			 "comm", comm_or_null(&c->owner), "addr",
			 address(c->tuple.local_addr, c->tuple.family), "port",
			 c->tuple.local_port);
}

static json_t *upstream_object(const struct uc_report *r)
{
	const struct uc_conn *c = r->facts->nginx;
	const struct uc_task *t = &r->upstream;
	bool closed = r->facts->upstream && r->facts->upstream_closed;
	char name[32] = "";
	int status, sig;

	uc_exit_of(t, &status, &sig);
	if (sig >= 0)
		uc_signal_name(sig, name, sizeof(name));
	return json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "addr",
			 address(c->tuple.remote_addr, c->tuple.family), "port",
			 c->tuple.remote_port, "pid", integer_if(t->tgid, t->tgid), "comm",
			 comm_or_null(t), "exe", path_or_null(r->upstream_exe), "exiting",
			 closed ? json_boolean(t->flags & UC_TASK_EXITING) : json_null(),
			 "exit_code", integer_if(closed && status >= 0, status), "signal",
			 string_or_null(closed ? name : NULL), "oom",
			 closed ? json_boolean(t->flags & UC_TASK_OOM) : json_null());
}

static json_t *headers_complete(const struct uc_facts *f)
{
	switch (f->response_state) {
	case UC_RESPONSE_NONE:
	case UC_RESPONSE_HEADER:
	case UC_RESPONSE_NOT_HTTP:
		return json_false();
	case UC_RESPONSE_BODY:
	case UC_RESPONSE_COMPLETE:
	case UC_RESPONSE_UPGRADED:
		return json_true();
	case UC_RESPONSE_UNKNOWN:
		break;
	}
	return json_null();
}

/* Always an object, so that scripts need no special case; all null before the first exchange. */
static json_t *exchange_object(const struct uc_report *r)
{
	const struct uc_facts *f = r->facts;
	bool seen = f->exchange && !f->exchange_unseen;
	size_t target_len = f->request.target_len + (r->show_query ? f->request.query_len : 0);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "number", integer_if(f->exchange && f->number, f->number), "reused",
			 f->exchange ? json_boolean(f->reused) : json_null(), "idle_ms",
			 milliseconds_if(f->idle_known, f->idle_ns), "method",
			 bytes_or_null(f->request.method, f->request.method_len), "target",
			 bytes_or_null(f->request.target, target_len), "query_bytes",
			 integer_if(f->request.target, f->request.query_len), "request_bytes",
			 integer_if(seen, f->request_bytes), "unacked_bytes",
			 integer_if(f->unacked_known, f->unacked_bytes), "unread_bytes",
			 integer_if(f->upstream, f->unread_bytes), "response_bytes",
			 integer_if(f->exchange, f->response_bytes), "status",
			 integer_if(f->response.status, f->response.status), "headers_complete",
			 headers_complete(f), "waited_ms",
			 milliseconds_if(seen && f->nginx->x.out_last_ns, f->waited_ns));
}

static json_t *candidates_array(uint64_t idle_ns, const char *exe)
{
	struct uc_known_idle known[UC_KNOWN_IDLE_MAX];
	size_t count = uc_known_idle(idle_ns, exe, known);
	json_t *a = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(a, json_string(known[i].name));
	return a;
}

static json_t *idle_object(const struct uc_idle_learned *l, const char *exe)
{
	if (!l)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:I, s:o}", "timeout_ms", milliseconds(l->ns), "min_ms",
			 milliseconds(l->min_ns), "max_ms", milliseconds(l->max_ns), "count",
			 (json_int_t)l->count, "candidates", candidates_array(l->ns, exe));
}

static json_t *upstreams_array(const struct uc_upstreams *t)
{
	json_t *a = json_array();

	for (size_t i = 0; t && i < uc_upstreams_count(t); i++) {
		struct uc_upstream u = uc_upstreams_at(t, i);

		json_array_append_new(
			a, json_pack("{s:o, s:i, s:I, s:I, s:I, s:o}", "addr",
				     address(u.addr.addr, 0), "port", u.addr.port, "connections",
				     (json_int_t)u.connections, "exchanges",
				     (json_int_t)u.exchanges, "flagged", (json_int_t)u.flagged,
				     "idle", idle_object(u.idle_known ? &u.idle : NULL, NULL)));
	}
	return a;
}

static json_t *retry_object(const struct uc_outcome *o)
{
	if (!o->retry_known)
		return json_null();
	return json_pack("{s:o, s:i, s:o}", "addr", address(o->retry_addr, o->retry_family), "port",
			 o->retry_port, "status", integer_if(o->retry_status, o->retry_status));
}

static json_t *slice_or_null(struct uc_slice s)
{
	return bytes_or_null(s.p, s.len);
}

/* nginx's own line, with queries left out like everywhere. */
static json_t *log_object(const struct uc_report *r)
{
	const struct uc_error_line *l = r->line;
	struct uc_slice request;

	if (!l)
		return json_null();
	request = r->show_query ? l->request : uc_error_line_without_query(l->request);
	return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "level", slice_or_null(l->level),
			 "message", slice_or_null(l->message), "connection",
			 (json_int_t)l->connection, "client", slice_or_null(l->client), "server",
			 slice_or_null(l->server), "request", slice_or_null(request), "host",
			 slice_or_null(l->host));
}

static json_t *log_counts(const struct uc_totals *t)
{
	if (!t->error_log)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "lines", (json_int_t)t->log.lines, "matched",
			 (json_int_t)t->log.matched, "lines_without_connection",
			 (json_int_t)t->log.without_connection, "flagged_without_line",
			 (json_int_t)t->log.without_line);
}

static json_t *lines_array(const struct uc_lines *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->count; i++)
		json_array_append_new(a, json_string(l->line[i]));
	return a;
}

static json_t *timeline_array(const struct uc_report *r)
{
	const struct uc_timeline *t = r->timeline;
	json_t *a = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct uc_moment *m = &t->at[i];
		const struct uc_event *e = m->event;
		json_t *o = json_pack("{s:o, s:s, s:s, s:i}", "t_ms",
				      milliseconds(m->ts_ns - t->at[0].ts_ns), "side",
				      m->upstream ? "upstream" : "nginx", "event",
				      uc_event_name(e->kind), "exchange", e->exchange);

		if (e->kind == UC_EV_SEND || e->kind == UC_EV_RECV)
			json_object_set_new(o, "bytes", json_integer(e->bytes));
		if (e->count > 1) {
			json_object_set_new(o, "count", json_integer(e->count));
			json_object_set_new(o, "lasted_ms", milliseconds(e->last_ns - e->ts_ns));
		}
		if (e->err)
			json_object_set_new(o, "errno", json_integer(e->err));
		json_array_append_new(a, o);
	}
	return a;
}

static int print_line(const struct uc_sink *s, json_t *o)
{
	int err = 0;

	/* 15 digits print every microsecond as it was written */
	if (!o ||
	    json_dumpf(o, s->out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15)) ||
	    fputc('\n', s->out) == EOF || fflush(s->out))
		err = o ? -errno : -ENOMEM;
	json_decref(o);
	return err;
}

static int connection(struct uc_sink *s, const struct uc_report *r)
{
	const struct uc_facts *f = r->facts;
	const struct uc_verdict *v = &r->verdict;
	struct uc_explanation e;
	char when[48];

	uc_explain(r, &e);
	uc_text_rfc3339(uc_report_wall(r, f->end_ns), when, sizeof(when));
	return print_line(
		s,
		json_pack("{s:i, s:s, s:s, s:b, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:o, "
			  "s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:b}",
			  "schema", 1, "kind", "connection", "time", when, "flagged", v->flagged,
			  "verdict", uc_verdict_name(v->id), "proof",
			  v->proof ? json_string(uc_proof_name(v->proof)) : json_null(),
			  "confidence", uc_confidence_name(v->confidence), "phase",
			  uc_phase_name(f->phase), "closed_by", uc_closed_by_name(f->closed_by),
			  "close", uc_close_name(f->close), "nginx", nginx_object(r), "upstream",
			  upstream_object(r), "exchange", exchange_object(r), "summary", e.summary,
			  "advice", lines_array(&e.advice), "evidence", lines_array(&e.evidence),
			  "timeline", timeline_array(r), "outcome", uc_outcome_name(r->outcome.id),
			  "outcome_confidence", uc_confidence_name(r->outcome.confidence),
			  "attempt",
			  integer_if(f->exchange || !f->established,
				     f->nginx->x.attempt ? f->nginx->x.attempt : 1),
			  "retry", retry_object(&r->outcome), "client_status",
			  integer_if(r->outcome.client_status, r->outcome.client_status),
			  "upstream_idle", idle_object(r->idle, r->upstream_exe), "nginx_log",
			  log_object(r), "timeline_cut", r->timeline->cut, "lossy", v->lossy));
}

static int summary(struct uc_sink *s, const struct uc_totals *t)
{
	json_t *by_verdict = json_object(), *lost = json_object(), *by_outcome = json_object();
	char when[48];

	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (t->by_verdict[v])
			json_object_set_new(by_verdict, uc_verdict_name(v),
					    json_integer(t->by_verdict[v]));
	for (unsigned i = 0; i < UC_LOST_MAX; i++)
		json_object_set_new(lost, uc_lost_name(i), json_integer(t->losses.by_reason[i]));
	for (unsigned i = 0; i < UC_OUTCOME_MAX; i++)
		json_object_set_new(by_outcome, uc_outcome_name(i), json_integer(t->by_outcome[i]));
	json_object_set_new(lost, "bad_record", json_integer(t->bad_records));
	json_object_set_new(lost, "join_evicted", json_integer(t->evicted));
	uc_text_rfc3339(t->end_wall_ns, when, sizeof(when));
	return print_line(
		s,
		json_pack("{s:i, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o}",
			  "schema", 1, "kind", "summary", "time", when, "duration_ms",
			  milliseconds(t->duration_ns), "connections", (json_int_t)t->connections,
			  "exchanges", (json_int_t)t->exchanges, "flagged", (json_int_t)t->flagged,
			  "by_verdict", by_verdict, "by_outcome", by_outcome, "repeated_attempts",
			  (json_int_t)t->repeated, "lost", (json_int_t)uc_totals_lost(t),
			  "lost_by_reason", lost, "upstreams", upstreams_array(t->upstreams),
			  "error_log", log_counts(t)));
}

const struct uc_sink uc_sink_json = { .connection = connection, .summary = summary };
