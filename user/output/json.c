/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/json.h"

#include <string.h>

#include "base/json_value.h"
#include "output/explain.h"
#include "output/known_idle.h"
#include "output/words_text.h"
#include "base/text.h"
#include "core/workload.h"

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

/* To the microsecond: what is below is noise of the hooks. */
static json_t *address(const __u8 addr[16], unsigned family)
{
	char text[UC_ADDR_LEN];

	uc_text_addr(addr, family, text);
	return json_string(text);
}

/* One line a field; value is taken over. */
static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static void set_number(json_t *o, const char *name, uint64_t n)
{
	set(o, name, json_integer(n));
}

static json_t *text_or_null(const char *text)
{
	return *text ? path_or_null(text) : json_null();
}

static json_t *container_object(const struct uc_whose *w)
{
	json_t *o;

	if (!w->in.id[0])
		return json_null();
	o = json_object();
	set(o, "runtime", uc_json_text_if(w->in.runtime));
	set(o, "id", json_string(w->in.id));
	set(o, "name", text_or_null(w->proc->names.container));
	return o;
}

static json_t *pod_object(const struct uc_whose *w)
{
	char workload[sizeof(w->proc->names.pod)];
	json_t *o;

	if (!w->proc || (!w->in.pod_uid[0] && !w->proc->names.pod[0]))
		return json_null();
	o = json_object();
	set(o, "namespace", text_or_null(w->proc->names.pod_namespace));
	set(o, "name", text_or_null(w->proc->names.pod));
	set(o, "uid", text_or_null(w->in.pod_uid));
	uc_workload_of(w->proc->names.pod, workload, sizeof(workload));
	set(o, "workload", text_or_null(workload));
	return o;
}

static void set_whose(json_t *o, const struct uc_whose *w)
{
	set(o, "cgroup", text_or_null(w->proc ? w->proc->cgroup : ""));
	set(o, "container", container_object(w));
	set(o, "pod", pod_object(w));
	set(o, "unit", text_or_null(w->in.unit));
}

static json_t *nginx_object(const struct uc_judged *r)
{
	const struct uc_conn *c = r->facts->nginx;
	json_t *o = json_object();

	set(o, "pid", uc_json_integer_if(c->owner.tgid, c->owner.tgid));
	set(o, "comm", comm_or_null(&c->owner));
	set(o, "addr", address(c->tuple.local_addr, c->tuple.family));
	set_number(o, "port", c->tuple.local_port);
	set_whose(o, &r->nginx_is);
	return o;
}

/* How a process ended, if it did. */
static void set_end(json_t *o, const struct uc_task *t, bool known)
{
	char name[32] = "";
	int status, sig;

	uc_exit_of(t, &status, &sig);
	if (sig >= 0)
		uc_signal_name(sig, name, sizeof(name));
	set(o, "exit_code", uc_json_integer_if(known && status >= 0, status));
	set(o, "signal", uc_json_text_if(known ? name : NULL));
	set(o, "oom", known ? json_boolean(t->flags & UC_TASK_OOM) : json_null());
}

/* After it had closed the connection. */
static json_t *exit_object(const struct uc_judged *r)
{
	json_t *o;

	if (!r->exit)
		return json_null();
	o = json_object();
	set(o, "after_ms", uc_json_ms(r->exit_after_ns));
	set_end(o, &r->exit->task, true);
	return o;
}

static json_t *upstream_object(const struct uc_judged *r)
{
	const struct uc_conn *c = r->facts->nginx, *own = r->facts->upstream;
	const struct uc_task *t = &r->upstream;
	bool closed = r->facts->upstream && r->facts->upstream_closed;
	json_t *o = json_object();

	set(o, "addr", address(c->tuple.remote_addr, c->tuple.family));
	set_number(o, "port", c->tuple.remote_port);
	set(o, "local_addr", own ? address(own->tuple.local_addr, own->tuple.family) : json_null());
	set(o, "local_port", uc_json_integer_if(own, own ? own->tuple.local_port : 0));
	set(o, "pid", uc_json_integer_if(t->tgid, t->tgid));
	set(o, "comm", comm_or_null(t));
	set(o, "exe", path_or_null(r->upstream_exe));
	set_whose(o, &r->upstream_is);
	set(o, "exiting", closed ? json_boolean(t->flags & UC_TASK_EXITING) : json_null());
	set_end(o, t, closed);
	set(o, "exit", exit_object(r));
	return o;
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
static json_t *exchange_object(const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	bool seen = f->exchange && !f->exchange_unseen;
	size_t target_len = f->request.target_len + (r->show_query ? f->request.query_len : 0);
	json_t *o = json_object();

	set(o, "number", uc_json_integer_if(f->exchange && f->number, f->number));
	set(o, "reused", f->exchange ? json_boolean(f->reused) : json_null());
	set(o, "idle_ms", uc_json_ms_if(f->idle_known, f->idle_ns));
	set(o, "method", bytes_or_null(f->request.method, f->request.method_len));
	set(o, "target", bytes_or_null(f->request.target, target_len));
	set(o, "query_bytes", uc_json_integer_if(f->request.target, f->request.query_len));
	set(o, "request_bytes", uc_json_integer_if(seen, f->request_bytes));
	set(o, "unacked_bytes", uc_json_integer_if(f->unacked_known, f->unacked_bytes));
	set(o, "unread_bytes", uc_json_integer_if(f->upstream, f->unread_bytes));
	set(o, "response_bytes", uc_json_integer_if(f->exchange, f->response_bytes));
	set(o, "status", uc_json_integer_if(f->response.status, f->response.status));
	set(o, "headers_complete", headers_complete(f));
	set(o, "waited_ms", uc_json_ms_if(seen && f->nginx->x.out_last_ns, f->waited_ns));
	return o;
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
	json_t *o;

	if (!l)
		return json_null();
	o = json_object();
	set(o, "timeout_ms", uc_json_ms(l->ns));
	set(o, "min_ms", uc_json_ms(l->min_ns));
	set(o, "max_ms", uc_json_ms(l->max_ns));
	set_number(o, "count", l->count);
	set(o, "candidates", candidates_array(l->ns, exe));
	return o;
}

static json_t *upstreams_array(const struct uc_upstreams *t)
{
	json_t *a = json_array();

	for (size_t i = 0; t && i < uc_upstreams_count(t); i++) {
		struct uc_upstream u = uc_upstreams_at(t, i);
		json_t *o = json_object();

		set(o, "addr", address(u.addr.addr, 0));
		set_number(o, "port", u.addr.port);
		set_number(o, "connections", u.connections);
		set_number(o, "exchanges", u.exchanges);
		set_number(o, "flagged", u.flagged);
		set_number(o, "repeated_attempts", u.repeated);
		set(o, "idle", idle_object(u.idle_known ? &u.idle : NULL, NULL));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *retry_object(const struct uc_outcome *out)
{
	json_t *o;

	if (!out->retry_known)
		return json_null();
	o = json_object();
	set(o, "addr", address(out->retry_addr, out->retry_family));
	set_number(o, "port", out->retry_port);
	set(o, "status", uc_json_integer_if(out->retry_status, out->retry_status));
	return o;
}

static json_t *slice_or_null(struct uc_slice s)
{
	return bytes_or_null(s.p, s.len);
}

/* What nginx's log has of it beside its message; queries are left out like everywhere. */
static void set_line(json_t *o, const struct uc_judged *r)
{
	const struct uc_error_line *l = r->line;
	const struct uc_slice none = { NULL, 0 };
	struct uc_slice request = l ? l->request : none;

	set(o, "client_addr", slice_or_null(l ? l->client : none));
	set(o, "server", slice_or_null(l ? l->server : none));
	set(o, "request",
	    slice_or_null(r->show_query ? request : uc_error_line_without_query(request)));
	set(o, "host", slice_or_null(l ? l->host : none));
}

static json_t *words_object(const struct uc_words *w)
{
	json_t *o = json_object();

	set(o, "source", json_string("words"));
	set(o, "level", json_string(uc_words_level_name(w->level)));
	set(o, "kind", json_string(uc_words_kind_name(w->kind)));
	set(o, "text", json_string(uc_words_text(w).text));
	set(o, "errno", uc_json_integer_if(w->err > 0, w->err));
	set(o, "action", *w->action ? bytes_or_null(w->action, strlen(w->action)) : json_null());
	set(o, "client", uc_json_integer_if(w->client, w->client));
	return o;
}

static json_t *line_object(const struct uc_error_line *l)
{
	json_t *o = json_object();

	set(o, "source", json_string("file"));
	set(o, "level", slice_or_null(l->level));
	set(o, "kind", json_string(uc_words_kind_name(l->kind)));
	set(o, "text", slice_or_null(l->message));
	set(o, "errno", uc_json_integer_if(l->err, l->err));
	set(o, "action", slice_or_null(l->action));
	set(o, "client", uc_json_integer_if(l->connection, l->connection));
	return o;
}

/* The words that the verdict goes by, else the newest remark. */
static const struct uc_words *words_of(const struct uc_judged *r)
{
	const struct uc_said_of *said = &r->pair->said;

	if (r->facts->words)
		return r->facts->words;
	return said->count ? &said->words[said->count - 1] : NULL;
}

/* nginx's own words where they were heard, else its line. */
static json_t *log_object(const struct uc_judged *r)
{
	const struct uc_words *w = words_of(r);
	json_t *o;

	if (!w && !r->line)
		return json_null();
	o = w ? words_object(w) : line_object(r->line);
	set(o, "t_ms",
	    w && r->timeline->count ? uc_json_ms(w->ts_ns - r->timeline->at[0].ts_ns) :
				      json_null());
	set(o, "message", json_incref(json_object_get(o, "text")));
	set(o, "contradicts", json_boolean(!w && r->line_contradicts));
	set_line(o, r);
	return o;
}

/* Of requests that got no connection. */
static json_t *kind_counts(const uint64_t counts[UC_WORDS_KIND_MAX])
{
	json_t *o = json_object();

	for (unsigned k = 0; k < UC_WORDS_KIND_MAX; k++)
		if (counts[k])
			set_number(o, uc_words_kind_name(k), counts[k]);
	return o;
}

static json_t *log_counts(const struct uc_totals *t)
{
	json_t *o;

	if (!t->error_log)
		return json_null();
	o = json_object();
	set_number(o, "lines", t->log.lines);
	set_number(o, "matched", t->log.matched);
	set_number(o, "lines_without_connection", t->log.without_connection);
	set_number(o, "flagged_without_line", t->log.without_line);
	set(o, "kinds", kind_counts(t->log.alone));
	return o;
}

static json_t *death_object(const struct uc_death *d)
{
	json_t *o;

	if (!d)
		return json_null();
	o = json_object();
	set_number(o, "pid", d->task.tgid);
	set(o, "comm", comm_or_null(&d->task));
	set_end(o, &d->task, true);
	set_number(o, "connections", d->connections);
	set_number(o, "flagged", d->in_use);
	set(o, "lasted_ms", uc_json_ms(d->last_ns - d->first_ns));
	return o;
}

static json_t *deaths_array(const struct uc_totals *t)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->death_count; i++)
		json_array_append_new(a, death_object(&t->deaths[i]));
	return a;
}

static json_t *lines_array(const struct uc_lines *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->count; i++)
		json_array_append_new(a, json_string(l->line[i]));
	return a;
}

static json_t *moment_object(const struct uc_moment *m, uint64_t zero_ns)
{
	const struct uc_event *e = m->event;
	json_t *o = json_object();

	set(o, "t_ms", uc_json_ms(m->ts_ns - zero_ns));
	set(o, "side", json_string(m->upstream ? "upstream" : "nginx"));
	set(o, "event", json_string(uc_event_name(e->kind)));
	set_number(o, "exchange", e->exchange);
	if (e->kind == UC_EV_SEND || e->kind == UC_EV_RECV)
		set_number(o, "bytes", e->bytes);
	if (e->count > 1) {
		set_number(o, "count", e->count);
		set(o, "lasted_ms", uc_json_ms(e->last_ns - e->ts_ns));
	}
	if (e->err)
		set_number(o, "errno", e->err);
	return o;
}

static json_t *timeline_array(const struct uc_judged *r)
{
	const struct uc_timeline *t = r->timeline;
	json_t *a = json_array();

	for (size_t i = 0; i < t->count; i++)
		json_array_append_new(a, moment_object(&t->at[i], t->at[0].ts_ns));
	return a;
}

static json_t *directive_object(const struct uc_directive_at *d)
{
	json_t *o;

	if (!d)
		return json_null();
	o = json_object();
	set(o, "name", json_string(d->name));
	set(o, "group", d->group[0] ? json_string(d->group) : json_null());
	set(o, "file", json_string(d->path));
	set_number(o, "line", d->line);
	set_number(o, "value_ms", d->ms);
	set(o, "default", json_boolean(d->by_default));
	return o;
}

json_t *uc_json_connection(const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	const struct uc_verdict *v = &r->verdict;
	uint32_t attempt = f->nginx->x.attempt ? f->nginx->x.attempt : 1;
	struct uc_explanation e;
	json_t *o = json_object();
	char when[48];

	uc_explain(r, &e);
	uc_text_rfc3339(uc_judged_wall(r, f->end_ns), when, sizeof(when));
	set_number(o, "schema", 1);
	set(o, "kind", json_string("connection"));
	set(o, "time", json_string(when));
	set(o, "flagged", json_boolean(v->flagged));
	set(o, "verdict", json_string(uc_verdict_name(v->id)));
	set(o, "proof", v->proof ? json_string(uc_proof_name(v->proof)) : json_null());
	set(o, "confidence", json_string(uc_confidence_name(v->confidence)));
	set(o, "phase", json_string(uc_phase_name(f->phase)));
	set(o, "closed_by", json_string(uc_closed_by_name(f->closed_by)));
	set(o, "close", json_string(uc_close_name(f->close)));
	set(o, "nginx", nginx_object(r));
	set(o, "upstream", upstream_object(r));
	set(o, "exchange", exchange_object(r));
	set(o, "summary", json_string(e.summary));
	set(o, "advice", lines_array(&e.advice));
	set(o, "evidence", lines_array(&e.evidence));
	set(o, "timeline", timeline_array(r));
	set(o, "timeline_cut", json_boolean(r->timeline->cut));
	set(o, "outcome", json_string(uc_outcome_name(r->outcome.id)));
	set(o, "outcome_confidence", json_string(uc_confidence_name(r->outcome.confidence)));
	set(o, "attempt", uc_json_integer_if(f->exchange || !f->established, attempt));
	set(o, "retry", retry_object(&r->outcome));
	set(o, "client_left", json_boolean(r->outcome.client_gone));
	set(o, "client_status",
	    uc_json_integer_if(r->outcome.client_status, r->outcome.client_status));
	set(o, "upstream_idle", idle_object(r->idle, r->upstream_exe));
	set(o, "death", death_object(r->death));
	set(o, "directive", directive_object(r->directive));
	set(o, "nginx_log", log_object(r));
	set(o, "lossy", json_boolean(v->lossy));
	return o;
}

static json_t *causes_array(const struct uc_log_event *ev)
{
	json_t *a = json_array();

	for (size_t i = 0; i < ev->cause_count; i++) {
		const struct uc_log_cause *c = &ev->causes[i];
		json_t *o = json_object();

		set(o, "addr", address(c->addr.addr, 0));
		set_number(o, "port", c->addr.port);
		set(o, "verdict", json_string(uc_verdict_name(c->verdict)));
		set(o, "before_ms", uc_json_ms(ev->words->ts_ns - c->end_ns));
		json_array_append_new(a, o);
	}
	return a;
}

json_t *uc_json_log_event(const struct uc_log_event *ev)
{
	struct uc_explanation e;
	json_t *o = json_object();
	char when[48];

	uc_explain_log_event(ev, &e);
	uc_text_rfc3339(ev->words->ts_ns + (uint64_t)ev->wall_offset_ns, when, sizeof(when));
	set_number(o, "schema", 1);
	set(o, "kind", json_string("nginx_log"));
	set(o, "time", json_string(when));
	set(o, "pid", uc_json_integer_if(ev->words->worker, ev->words->worker));
	set(o, "nginx_log", words_object(ev->words));
	set(o, "summary", json_string(e.summary));
	set(o, "advice", lines_array(&e.advice));
	set(o, "failed_before", causes_array(ev));
	return o;
}

static json_t *verdict_counts(const struct uc_totals *t)
{
	json_t *o = json_object();

	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (t->by_verdict[v])
			set_number(o, uc_verdict_name(v), t->by_verdict[v]);
	return o;
}

static json_t *outcome_counts(const struct uc_totals *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < UC_OUTCOME_MAX; i++)
		set_number(o, uc_outcome_name(i), t->by_outcome[i]);
	return o;
}

static json_t *loss_counts(const struct uc_totals *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < UC_LOST_MAX; i++)
		set_number(o, uc_lost_name(i), t->losses.by_reason[i]);
	set_number(o, "bad_record", t->bad_records);
	set_number(o, "join_evicted", t->evicted);
	return o;
}

static json_t *forgotten_counts(const struct uc_totals *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < UC_LIMIT_MAX; i++)
		set_number(o, uc_limit_name(i), t->forgotten[i]);
	return o;
}

json_t *uc_json_summary(const struct uc_totals *t)
{
	json_t *o = json_object();
	char when[48];

	uc_text_rfc3339(t->end_wall_ns, when, sizeof(when));
	set_number(o, "schema", 1);
	set(o, "kind", json_string("summary"));
	set(o, "time", json_string(when));
	set(o, "duration_ms", uc_json_ms(t->duration_ns));
	set_number(o, "connections", t->connections);
	set_number(o, "exchanges", t->exchanges);
	set_number(o, "flagged", t->flagged);
	set(o, "by_verdict", verdict_counts(t));
	set(o, "by_outcome", outcome_counts(t));
	set_number(o, "repeated_attempts", t->repeated);
	set_number(o, "lost", uc_totals_lost(t));
	set(o, "lost_by_reason", loss_counts(t));
	set(o, "forgotten", forgotten_counts(t));
	set(o, "upstreams", upstreams_array(t->upstreams));
	set(o, "deaths", deaths_array(t));
	set(o, "nginx_log", kind_counts(t->words));
	set(o, "error_log", log_counts(t));
	return o;
}
