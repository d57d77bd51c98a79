/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In order of arrival, which is nearly that of the deadlines too. */
struct hold {
	struct hold *next;
	uint64_t deadline_ns;
	bool to_the_end;
	struct uc_pair pair;
};

/* Followups without a held connection, the newest ones. */
#define EARLY 64

struct uc_holds {
	size_t capacity, count;
	struct uc_rec_followup early[EARLY];
	size_t early_count; /* ever */
	struct hold *first, **end;
};

int uc_holds_new(size_t capacity, struct uc_holds **ret)
{
	struct uc_holds *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->capacity = capacity;
	h->end = &h->first;
	*ret = h;
	return 0;
}

/* Unlinks and frees the hold at *at. */
static void take_out(struct uc_holds *h, struct hold **at, struct uc_pair *ret)
{
	struct hold *hold = *at;

	if (ret)
		*ret = hold->pair;
	*at = hold->next;
	if (!hold->next)
		h->end = at;
	h->count--;
	free(hold);
}

void uc_holds_free(struct uc_holds *h)
{
	if (!h)
		return;
	while (h->first)
		take_out(h, &h->first, NULL);
	free(h);
}

/* The status of "HTTP/1.x NNN"; 0 where there is none. */
static unsigned status_of(const struct uc_rec_followup *s)
{
	const uint8_t *p = s->head;

	if (s->head_len < 12 || memcmp(p, "HTTP/1.", 7) || p[8] != ' ')
		return 0;
	for (int i = 9; i < 12; i++)
		if (p[i] < '0' || p[i] > '9')
			return 0;
	return (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
}

/* False while more is to come. */
static bool apply(struct uc_outcome *o, const struct uc_rec_followup *s)
{
	unsigned status = status_of(s);

	o->followup = s->what;
	o->client_gone = s->client_gone;
	switch (s->what) {
	case UC_FOLLOWUP_RETRIED:
	case UC_FOLLOWUP_ANSWERED:
		o->id = UC_OUTCOME_RETRIED;
		o->confidence = UC_CONFIDENCE_PROVEN;
		o->retry_known = true;
		memcpy(o->retry_addr, s->remote_addr, sizeof(o->retry_addr));
		o->retry_port = s->remote_port;
		o->retry_family = s->family;
		o->retry_status = status;
		return s->what == UC_FOLLOWUP_ANSWERED;
	case UC_FOLLOWUP_CLIENT_SENT:
		o->client_status = status;
		/* a stale copy from the cache, or an error_page with another status, is no error */
		if (status && status < 400)
			return true;
		o->id = UC_OUTCOME_CLIENT_ERROR;
		o->confidence = status ? UC_CONFIDENCE_PROVEN : UC_CONFIDENCE_LIKELY;
		return true;
	case UC_FOLLOWUP_CLIENT_CLOSED:
		/* it had left, or had its answer before: a body that is cut, or a stale copy from the cache */
	default:
		return true;
	}
}

bool uc_holds_put(struct uc_holds *h, const struct uc_pair *pair, bool to_the_end, uint64_t now_ns)
{
	struct hold *hold = h->count < h->capacity ? calloc(1, sizeof(*hold)) : NULL;

	if (!hold)
		return false;
	hold->deadline_ns = now_ns + UC_OUTCOME_HOLD_NS;
	hold->to_the_end = to_the_end;
	hold->pair = *pair;
	/* from the oldest on: a retry comes before its answer */
	for (size_t i = 0; i < EARLY; i++) {
		const struct uc_rec_followup *s = &h->early[(h->early_count + i) % EARLY];

		if (s->of_id && s->of_id == pair->nginx.conn.id && apply(&hold->pair.outcome, s) &&
		    !to_the_end)
			hold->deadline_ns = now_ns;
	}
	*h->end = hold;
	h->end = &hold->next;
	h->count++;
	return true;
}

bool uc_holds_followup(struct uc_holds *h, const struct uc_rec_followup *s, struct uc_pair *ret)
{
	for (struct hold **at = &h->first; *at; at = &(*at)->next) {
		const struct uc_conn *c = &(*at)->pair.nginx.conn;

		if (c->id != s->of_id)
			continue;
		if (!apply(&(*at)->pair.outcome, s) || (*at)->to_the_end)
			return false;
		take_out(h, at, ret);
		return true;
	}
	h->early[h->early_count++ % EARLY] = *s;
	return false;
}

/* What comes before the query; a request that cannot be read is equal to any. */
static bool same_request(const struct uc_heads *h, const struct uc_rec_attempt *a)
{
	size_t len = a->head_len < UC_ATTEMPT_HEAD ? a->head_len : UC_ATTEMPT_HEAD, n;
	struct uc_request_head x, y;

	uc_http_request(h->request, h->request_len, &x);
	uc_http_request(a->head, len, &y);
	if (!uc_http_request_certain(&x, h->request_len, UC_REQUEST_HEAD) ||
	    !uc_http_request_certain(&y, len, UC_ATTEMPT_HEAD))
		return true;
	n = x.target_len < y.target_len ? x.target_len : y.target_len;
	if (x.method_len != y.method_len || memcmp(x.method, y.method, x.method_len) ||
	    memcmp(x.target, y.target, n))
		return false;
	return x.target_len == y.target_len || (y.target_cut && y.target_len == n);
}

/* It was reset while idle, and nginx found that before it wrote: its last request was another's. */
static bool reset_unsent(const struct uc_pair *p)
{
	for (size_t i = 0; i < p->said.count; i++)
		if (p->said.words[i].kind == UC_WORDS_RESET_UNSENT)
			return true;
	return false;
}

enum uc_attempt uc_holds_attempt(struct uc_holds *h, const struct uc_rec_attempt *a,
				 struct uc_pair *ret)
{
	for (struct hold **at = &h->first; *at; at = &(*at)->next) {
		struct uc_pair *p = &(*at)->pair;

		if (p->nginx.conn.id != a->of_id || reset_unsent(p) ||
		    same_request(&p->nginx.heads, a))
			continue;
		p->outcome = (struct uc_outcome){ .other_request = true };
		if ((*at)->to_the_end)
			return UC_ATTEMPT_OTHER;
		take_out(h, at, ret);
		return UC_ATTEMPT_OTHER_READY;
	}
	return UC_ATTEMPT_REPEATED;
}

bool uc_holds_expire(struct uc_holds *h, uint64_t now_ns, struct uc_pair *ret)
{
	if (!h->first || h->first->deadline_ns > now_ns)
		return false;
	take_out(h, &h->first, ret);
	return true;
}

uint64_t uc_holds_deadline(const struct uc_holds *h)
{
	return h->first ? h->first->deadline_ns : UINT64_MAX;
}

/*
 * nginx never repeats once it has passed a header on (ngx_http_upstream.c,
 * process_upgraded and process_body_downstream finalize), or what it takes for
 * HTTP/0.9 (ngx_http_proxy_module.c, process_status_line).
 */
static bool passed_on(const struct uc_facts *f, const struct uc_verdict *v,
		      const struct uc_outcome *o)
{
	if (f->response_state == UC_RESPONSE_NOT_HTTP)
		return v->id == UC_VERDICT_PROTOCOL_MISMATCH &&
		       o->followup == UC_FOLLOWUP_CLIENT_CLOSED;
	if (v->id == UC_VERDICT_NGINX_REJECTED_RESPONSE && !f->chunks_invalid)
		return false;
	return f->phase == UC_PHASE_RESPONSE_BODY && f->response.status;
}

/* The client got the header of a response that cannot be read, and its body is cut. */
static bool cut_unread(const struct uc_facts *f, const struct uc_verdict *v,
		       const struct uc_outcome *o)
{
	return f->opaque && f->response_state == UC_RESPONSE_UNKNOWN &&
	       v->id == UC_VERDICT_NGINX_TIMEOUT && o->followup == UC_FOLLOWUP_CLIENT_SENT;
}

void uc_outcome_settle(const struct uc_facts *f, const struct uc_verdict *v, struct uc_outcome *o)
{
	if (o->id != UC_OUTCOME_UNKNOWN || o->client_gone || !v->flagged)
		return;
	/* a worker that ends takes its clients' connections with it */
	if (v->id == UC_VERDICT_WORKER_EXITED) {
		o->id = UC_OUTCOME_CLIENT_ERROR;
		o->confidence = UC_CONFIDENCE_LIKELY;
		return;
	}
	if (cut_unread(f, v, o)) {
		o->id = UC_OUTCOME_CLIENT_ERROR;
		o->confidence = UC_CONFIDENCE_LIKELY;
		return;
	}
	/* from the cache, or of an error page */
	if (o->client_status && o->client_status != f->response.status)
		return;
	if (!passed_on(f, v, o))
		return;
	o->id = UC_OUTCOME_CLIENT_ERROR;
	o->confidence = UC_CONFIDENCE_LIKELY;
	/* a header whose body was refused at once may never have left nginx's buffer */
	if (!f->chunks_invalid)
		o->client_status = f->response.status;
}
