/* SPDX-License-Identifier: BSD-2-Clause */
/* What a verdict is known by, a line each. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "output/words_text.h"
#include "output/sentences.h"

static void evidence_of_response(const struct uc_judged *r, struct uc_lines *l)
{
	static const char *const known_by[] = {
		[UC_FRAMING_NONE] = "it has no body",
		[UC_FRAMING_LENGTH] = "by its Content-Length",
		[UC_FRAMING_CHUNKED] = "by its last chunk",
		[UC_FRAMING_CLOSE] = "by the upstream's close",
		[UC_FRAMING_UPGRADE] = "it left HTTP",
	};

	if (r->facts->response_state == UC_RESPONSE_COMPLETE)
		uc_add(l, "the last response was complete: %s",
		       known_by[r->facts->response.framing]);
	if (r->facts->pooled)
		uc_add(l, "nginx held the connection in its idle pool when it ended");
}

static void evidence_of_order(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (f->close == UC_CLOSE_FIN && f->closed_by == UC_CLOSED_BY_UPSTREAM && f->unacked_known) {
		if (f->sent_after_fin)
			uc_add(l,
			       "nginx wrote the request after the FIN had arrived (by sequence number)");
		else if (f->unacked_bytes && f->unacked_bytes == f->request_bytes)
			uc_add(l,
			       "when the FIN arrived, none of the request's %llu bytes was acknowledged",
			       (unsigned long long)f->request_bytes);
		else if (!f->unacked_bytes)
			uc_add(l,
			       "when the FIN arrived, all of the request's %llu bytes were acknowledged",
			       (unsigned long long)f->request_bytes);
		else
			uc_add(l,
			       "when the FIN arrived, %u of the request's %llu bytes were not acknowledged",
			       f->unacked_bytes, (unsigned long long)f->request_bytes);
	}
	if (f->upstream && f->exchange && !f->exchange_unseen && f->upstream->end.ts_ns) {
		if (f->got_none)
			uc_add(l,
			       "at the upstream's close no byte of the request had arrived there");
		else if (f->read_none)
			uc_add(l,
			       "at the upstream's close the request lay unread in its socket (%u bytes)",
			       f->unread_bytes);
		else if (f->unread_bytes)
			uc_add(l, "at the upstream's close %u bytes lay unread in its socket",
			       f->unread_bytes);
	}
}

static void evidence_of_closer(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_task *t = r->facts->upstream ? &r->facts->upstream->closer : NULL;

	if (!t || !t->tgid)
		return;
	if (t->flags & UC_TASK_KTHREAD)
		uc_add(l,
		       "the upstream's socket was closed by a kernel thread, not by its process");
	else if (t->flags & UC_TASK_EXITING)
		uc_add(l,
		       "the upstream's socket was closed by the exit of pid %u (wait status 0x%x%s)",
		       t->tgid, (unsigned)t->exit_code,
		       t->flags & UC_TASK_OOM ? ", chosen by the OOM killer" : "");
	else
		uc_add(l,
		       "the upstream's socket was closed by a call of pid %u, which was not exiting",
		       t->tgid);
	if (r->exit)
		uc_add(l, "pid %u exited %s after it had closed the connection (wait status 0x%x)",
		       t->tgid, uc_span(r->exit_after_ns).text, (unsigned)r->exit->task.exit_code);
	if (r->facts->unaccepted)
		uc_add(l,
		       "the connection was in the accept queue of a listening socket that was closed");
}

static const char *opaque_because(const struct uc_facts *f)
{
	if (f->tls)
		return "the connection is encrypted: requests and responses cannot be read";
	if (f->fastcgi)
		return "the upstream speaks FastCGI: its requests are not read";
	if (f->http2)
		return "the connection speaks HTTP/2: its requests are not read";
	return "the request could not be read as HTTP/1";
}

static void evidence_of_words(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	for (size_t i = 0; i < r->pair->said.count; i++)
		uc_add(l, "nginx said: %s", uc_words_text(&r->pair->said.words[i]).text);
	if (f->silent && f->closed_by == UC_CLOSED_BY_NGINX && r->verdict.flagged)
		uc_add(l, "nginx, whose errors are heard, said none of this connection");
	if (r->line_contradicts)
		uc_add(l, "nginx's error log says otherwise of this request: %s",
		       uc_words_kind_name(r->line->kind));
}

/* What nginx did next, which tells why it closed. */
static void evidence_of_followup(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (f->client_gone)
		uc_add(l,
		       "nginx's very next action was to close the connection of a client that had "
		       "left");
	else if (f->gave_up && f->gave_up_status)
		uc_add(l, "nginx's very next action was to send its client a %u",
		       f->gave_up_status);
	else if (f->gave_up)
		uc_add(l, "nginx went on with the request by itself: its client had not left");
	else if (f->other_request)
		uc_add(l, "nginx went on with another request, and did not repeat this one");
	else if (f->client_gone_likely)
		uc_add(l, "a client of this nginx worker had just closed its connection");
	else if (f->client_quiet)
		uc_add(l, "no client of this nginx worker had sent or closed anything just before");
	else
		uc_add(l, "client activity on this nginx worker just before does not settle it");
}

static void evidence_of_nginx(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (f->nginx_exiting)
		uc_add(l, "nginx's socket was closed by the exit of pid %u (wait status 0x%x)",
		       f->nginx->closer.tgid, (unsigned)f->nginx->closer.exit_code);
	else if (f->nginx_exited)
		uc_add(l, "nginx's worker %u ended right after it had closed the connection",
		       f->nginx->closer.tgid);
	else if (f->closed_by == UC_CLOSED_BY_NGINX && f->response_state != UC_RESPONSE_COMPLETE &&
		 !f->pooled)
		evidence_of_followup(r, l);
	if (f->timer_fits)
		uc_add(l, "the wait was as long as nginx's timeout in force");
	else if (f->timer_excluded)
		uc_add(l, "the wait was not as long as nginx's timeout in force");
}

static void evidence_of_connect(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (!f->established && f->close == UC_CLOSE_TIMEOUT)
		uc_add(l, "no answer to the SYN came before %s",
		       f->err ? "the kernel gave up" : "nginx gave up");
	if (r->verdict.proof == UC_PROOF_LOCAL)
		uc_add(l, "connecting failed on nginx's own host; nothing was sent");
	if (f->by_icmp)
		uc_add(l, "the error came by an ICMP message; no reset came from the port");
}

/* What was not seen or not kept, and may matter. */
static void evidence_of_gaps(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (f->opaque)
		uc_add(l, "%s", opaque_because(f));
	if (f->response_state == UC_RESPONSE_UNKNOWN && f->exchange && !f->opaque)
		uc_add(l, "the response's header is longer than the part of it that was kept");
	if (f->adopted)
		uc_add(l, "the connection existed before this trace; its past is unseen");
	if (f->unheard_bytes)
		uc_add(l, "%u bytes of the exchange were not observed: a hook missed a call",
		       f->unheard_bytes);
	if (f->log_torn)
		uc_add(l, "two events collided, and one of them may be missing");
	if (f->upstream_missing)
		uc_add(l, "the upstream's end is on this host, but its record did not come");
	if (!f->upstream && !f->upstream_missing && f->established && !r->upstream.tgid)
		uc_add(l, "the upstream's end was not seen on this host");
}

void uc_evidence(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	evidence_of_words(r, l);
	evidence_of_response(r, l);
	evidence_of_order(r, l);
	evidence_of_closer(r, l);
	evidence_of_nginx(r, l);
	evidence_of_connect(r, l);
	if (f->err)
		uc_add(l, "the kernel's error on nginx's socket: %s", strerror(f->err));
	if (f->nginx->retransmits)
		uc_add(l, "%u segments were sent again", f->nginx->retransmits);
	evidence_of_gaps(r, l);
}
