/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/explain.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "output/sentences.h"

void uc_add(struct uc_lines *l, const char *fmt, ...)
{
	va_list args;

	if (l->count == UC_EXPLAIN_LINES)
		return;
	va_start(args, fmt);
	vsnprintf(l->line[l->count++], UC_EXPLAIN_LEN, fmt, args);
	va_end(args);
}

void uc_say(struct uc_explanation *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->summary, sizeof(e->summary), fmt, args);
	va_end(args);
}

void uc_signal_name(int signal, char *buf, size_t len)
{
	const char *abbrev = sigabbrev_np(signal);

	if (abbrev)
		snprintf(buf, len, "SIG%s", abbrev);
	else
		snprintf(buf, len, "signal %d", signal);
}

void uc_explain_upstream(const struct uc_judged *r, char *buf, size_t len)
{
	char comm[4 * UC_COMM_LEN];

	if (!r->upstream.tgid) {
		snprintf(buf, len, "the upstream");
		return;
	}
	uc_text_escape(r->upstream.comm, strnlen(r->upstream.comm, UC_COMM_LEN), comm,
		       sizeof(comm));
	snprintf(buf, len, "%s[%u]", comm, r->upstream.tgid);
}

struct uc_clause uc_who(const struct uc_judged *r)
{
	struct uc_clause c;

	uc_explain_upstream(r, c.text, sizeof(c.text));
	if (!r->upstream.tgid)
		c.text[0] = (char)toupper(c.text[0]);
	return c;
}

struct uc_clause uc_how_it_ended(const struct uc_task *t)
{
	struct uc_clause c;
	int status, sig;

	uc_exit_of(t, &status, &sig);
	if (sig >= 0)
		uc_signal_name(sig, c.text, sizeof(c.text));
	else
		snprintf(c.text, sizeof(c.text), "status %d", status);
	return c;
}

/* As the configuration has it, "uwsgi" of uwsgi_read_timeout, or as the bytes say. */
static const char *protocol(const struct uc_judged *r)
{
	static const char *const known[] = { "proxy", "fastcgi", "uwsgi", "scgi", "grpc" };
	const char *name = r->directive ? r->directive->name : "";

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strncmp(name, known[i], strlen(known[i])) && name[strlen(known[i])] == '_')
			return known[i];
	return r->facts->fastcgi ? "fastcgi" : r->facts->http2 ? "grpc" : "proxy";
}

struct uc_clause uc_directive_name(const struct uc_judged *r, const char *setting)
{
	struct uc_clause c;

	if (r->facts->stream && strstr(setting, "timeout"))
		snprintf(c.text, sizeof(c.text), "proxy_timeout");
	else
		snprintf(c.text, sizeof(c.text), "%s_%s", protocol(r), setting);
	return c;
}

static bool repeats(const struct uc_request_head *req)
{
	static const char *const never[] = { "POST", "LOCK", "PATCH" };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (req->method && req->method_len == strlen(never[i]) &&
		    !memcmp(req->method, never[i], req->method_len))
			return false;
	return true;
}

/* nginx src/http/ngx_http_upstream.c, ngx_http_upstream_next(): NON_IDEMPOTENT once sent. */
void uc_advise_on_retry(const struct uc_judged *r, struct uc_explanation *e)
{
	if (!r->facts->request.method || r->outcome.id == UC_OUTCOME_RETRIED)
		return;
	if (!repeats(&r->facts->request))
		uc_add(&e->advice,
		       "nginx does not retry a %.*s after sending it. Add non_idempotent to %s "
		       "only where running the request twice is harmless.",
		       (int)r->facts->request.method_len, r->facts->request.method,
		       uc_directive_name(r, "next_upstream").text);
	else if (r->outcome.id == UC_OUTCOME_UNKNOWN)
		uc_add(&e->advice,
		       "nginx may have retried this request (%s); its access log shows two "
		       "statuses if log_format has $upstream_status.",
		       uc_directive_name(r, "next_upstream").text);
}

static const char *cut_short(const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;

	return f->phase == UC_PHASE_RESPONSE_BODY && f->response.status &&
			       r->outcome.client_status == f->response.status ?
		       ", and a body cut short" :
		       "";
}

static void explain_outcome(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_outcome *o = &r->outcome;
	char where[UC_ADDR_LEN], nth[32] = "", answered[32] = "";

	if (r->facts->nginx->x.attempt > 1)
		snprintf(nth, sizeof(nth), " (attempt %u)", r->facts->nginx->x.attempt);
	if (o->id == UC_OUTCOME_RETRIED) {
		uc_text_endpoint(o->retry_addr, o->retry_family, o->retry_port, where);
		if (o->retry_status)
			snprintf(answered, sizeof(answered), ", which answered %u",
				 o->retry_status);
		/* what an error_page passes on looks like a retry */
		snprintf(e->outcome, sizeof(e->outcome),
			 "nginx passed the request on to %s (%s, or an error_page)%s%s.", where,
			 uc_directive_name(r, "next_upstream").text, answered, nth);
	} else if (o->client_gone) {
		snprintf(e->outcome, sizeof(e->outcome), "Its client had left by then%s.", nth);
	} else if (o->client_status) {
		snprintf(e->outcome, sizeof(e->outcome), "The client got %u%s%s.", o->client_status,
			 cut_short(r), nth);
	} else if (o->id == UC_OUTCOME_CLIENT_ERROR) {
		snprintf(e->outcome, sizeof(e->outcome),
			 "nginx did not retry it; the client got an error%s.", nth);
	}
}

static void explain_summary(const struct uc_judged *r, struct uc_explanation *e)
{
	static void (*const by_verdict[])(const struct uc_judged *, struct uc_explanation *) = {
		[UC_VERDICT_UNKNOWN] = uc_explain_unknown,
		[UC_VERDICT_KEEPALIVE_RACE] = uc_explain_race,
		[UC_VERDICT_UPSTREAM_CLOSED] = uc_explain_closed,
		[UC_VERDICT_UPSTREAM_DIED] = uc_explain_died,
		[UC_VERDICT_UPSTREAM_RESET] = uc_explain_reset,
		[UC_VERDICT_REQUEST_REJECTED] = uc_explain_request_rejected,
		[UC_VERDICT_PARTIAL_HEADER] = uc_explain_partial_header,
		[UC_VERDICT_PROTOCOL_MISMATCH] = uc_explain_mismatch,
		[UC_VERDICT_CONNECT_FAILED] = uc_explain_connect,
		[UC_VERDICT_BODY_TRUNCATED] = uc_explain_body,
		[UC_VERDICT_NGINX_TIMEOUT] = uc_explain_timeout,
		[UC_VERDICT_NGINX_REJECTED_RESPONSE] = uc_explain_response_rejected,
		[UC_VERDICT_WORKER_EXITED] = uc_explain_worker_exited,
		[UC_VERDICT_CLIENT_GONE] = uc_explain_client_gone,
		[UC_VERDICT_IDLE_CLOSE] = uc_explain_idle_close,
		[UC_VERDICT_COMPLETE] = uc_explain_complete,
	};
	static_assert(ARRAY_SIZE(by_verdict) == UC_VERDICT_MAX, "a sentence for each verdict");

	if ((unsigned)r->verdict.id < UC_VERDICT_MAX)
		by_verdict[r->verdict.id](r, e);
	else
		uc_explain_unknown(r, e);
}

static void name_directive(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_directive_at *d = r->directive;
	struct uc_span now;

	if (!d)
		return;
	now = uc_span((uint64_t)d->ms * 1000000);
	if (!d->by_default)
		uc_add(&e->advice, "nginx's %s is %s, set at %s:%u.", d->name, now.text, d->path,
		       d->line);
	else if (d->group[0])
		uc_add(&e->advice,
		       "nginx's %s is %s by default; upstream %s at %s:%u has none of its own.",
		       d->name, now.text, d->group, d->path, d->line);
	else
		uc_add(&e->advice, "nginx's %s is %s by default, for the pass at %s:%u.", d->name,
		       now.text, d->path, d->line);
}

void uc_explain(const struct uc_judged *r, struct uc_explanation *e)
{
	e->summary[0] = '\0';
	e->outcome[0] = '\0';
	e->advice.count = 0;
	e->evidence.count = 0;
	explain_summary(r, e);
	name_directive(r, e);
	if (r->verdict.flagged)
		explain_outcome(r, e);
	uc_evidence(r, &e->evidence);
}
