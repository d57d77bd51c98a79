/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences for the verdicts about what nginx did, its connect() included. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "output/words_text.h"
#include "output/sentences.h"

static void explain_refused(const struct uc_judged *r, struct uc_explanation *e)
{
	if (r->facts->by_icmp) {
		uc_say(e, "An ICMP message rejected the connection: a firewall or router on the "
			  "way, not the upstream's port, answered.");
		uc_add(&e->advice,
		       "Look for a rule that rejects (iptables or nftables REJECT); in Kubernetes a "
		       "Service without a ready pod is rejected so.");
		return;
	}
	uc_say(e, "The upstream's host refused the connection by a reset: nothing listens on that "
		  "port, or a firewall rejects it.");
	uc_add(&e->advice,
	       "Start the upstream, or correct the port in nginx's configuration. After a crash or "
	       "during a deploy this is expected until the new process listens.");
	if (r->outcome.id == UC_OUTCOME_RETRIED && r->facts->localhost_twin)
		uc_add(&e->advice,
		       "`localhost` is both 127.0.0.1 and ::1 to nginx, and the upstream listens on "
		       "one of them: name that one.");
}

static void explain_connect_timeout(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_conn *c = r->facts->nginx;
	uint64_t since = c->open_ns && r->facts->end_ns > c->open_ns ?
				 r->facts->end_ns - c->open_ns :
				 0;

	uc_say(e, "No answer to the connection request within %s (SYN sent again: %u).",
	       uc_span(since).text, c->retransmits);
	uc_add(&e->advice,
	       "Packets are dropped on the way (firewall, wrong address), or the upstream's accept "
	       "queue is full: compare `ss -ltn` (Recv-Q against Send-Q) there.");
}

void uc_explain_connect(const struct uc_judged *r, struct uc_explanation *e)
{
	switch (r->verdict.proof) {
	case UC_PROOF_REFUSED:
		explain_refused(r, e);
		break;
	case UC_PROOF_TIMEOUT:
		explain_connect_timeout(r, e);
		break;
	case UC_PROOF_UNREACHABLE:
		uc_say(e, "%s that the upstream cannot be reached (%s).",
		       r->facts->by_icmp ? "An ICMP message said" : "The network said",
		       strerror(r->facts->err));
		uc_add(&e->advice, "Check the route between nginx and the upstream, firewall rules "
				   "that reject, and whether the upstream's host is up.");
		break;
	default:
		uc_say(e,
		       "The connection could not be started on nginx's own host; nothing was sent.");
		uc_add(&e->advice,
		       "Free local ports may be used up: keep upstream connections alive, or widen "
		       "net.ipv4.ip_local_port_range.");
	}
}

/* Not a byte, though it was sent again: its kernel has no such connection, or never got it. */
static bool never_acknowledged(const struct uc_facts *f)
{
	return !f->adopted && f->nginx->retransmits && f->request_bytes && f->unacked_known &&
	       f->unacked_bytes == f->request_bytes && !f->response_bytes;
}

static void explain_unacknowledged(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	char idle[48] = "";

	if (f->idle_known)
		snprintf(idle, sizeof(idle), ", idle for %s before", uc_span(f->idle_ns).text);
	uc_say(e,
	       "On a %s connection%s, the upstream's host acknowledged none of the request, which "
	       "was sent %u more time%s; nginx timed out after %s.",
	       f->reused ? "reused" : "new", f->reused ? idle : "", f->nginx->retransmits,
	       f->nginx->retransmits == 1 ? "" : "s", uc_span(f->stalled_ns).text);
	if (f->reused)
		uc_add(&e->advice,
		       "Something on the way (NAT, a firewall, a balancer) forgot the connection "
		       "while it was idle, and drops what comes on it: keep nginx's "
		       "keepalive_timeout below that device's idle timeout, or set `%s on;` with a "
		       "short net.ipv4.tcp_keepalive_time.",
		       uc_directive_name(r, "socket_keepalive").text);
	else
		uc_add(&e->advice,
		       "Its kernel dropped what nginx sent: its accept queue is full (`nstat -az "
		       "TcpExtListenOverflows` there; a larger backlog, a faster accept), or "
		       "packets are lost on the way.");
}

/* A Content-Length was announced, and no byte of a body sent: the upstream waits for it. */
static bool body_withheld(const struct uc_facts *f)
{
	return f->request.state == UC_HEAD_COMPLETE && f->request_cut && !f->body_begun &&
	       f->request.framing == UC_FRAMING_LENGTH && !f->response_bytes;
}

static void explain_body_withheld(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e,
	       "The request announced a body of %llu bytes (Content-Length) and nginx sent none of "
	       "it, so the upstream was still waiting for the request when nginx timed out after "
	       "%s.",
	       (unsigned long long)r->facts->request.length, uc_span(r->facts->stalled_ns).text);
	uc_add(&e->advice,
	       "nginx passes a subrequest's header on without its body (auth_request): add `%s "
	       "off;` and `%s Content-Length \"\";` to that location.",
	       uc_directive_name(r, "pass_request_body").text,
	       r->facts->fastcgi ? "fastcgi_param" : uc_directive_name(r, "set_header").text);
}

static void explain_send_timeout(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e, "nginx could not send the rest of the request for %s and timed out.",
	       uc_span(r->facts->stalled_ns).text);
	uc_add(&e->advice,
	       "The upstream does not read its socket: find what blocks it, or raise %s if it is "
	       "meant to be this slow.",
	       uc_directive_name(r, "send_timeout").text);
}

static void say_what_did_not_come(const struct uc_judged *r, struct uc_explanation *e)
{
	struct uc_span stalled = uc_span(r->facts->stalled_ns);
	struct uc_clause who = uc_who(r);

	if (r->facts->phase == UC_PHASE_UPGRADED || r->facts->stream)
		uc_say(e, "Nothing came or went on the %s for %s, and nginx closed it.",
		       r->facts->stream ? "relayed connection" : "upgraded connection",
		       stalled.text);
	else if (r->facts->phase == UC_PHASE_TLS)
		uc_say(e, "%s did not complete the TLS handshake for %s, and nginx timed out.",
		       who.text, stalled.text);
	else if (r->facts->phase == UC_PHASE_RESPONSE_BODY)
		uc_say(e, "%s stopped in the middle of the response; nginx timed out after %s.",
		       who.text, stalled.text);
	else
		uc_say(e, "%s did not begin to answer for %s, and nginx timed out.", who.text,
		       stalled.text);
}

static void advise_on_wait(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	struct uc_clause name = uc_directive_name(r, "read_timeout");

	if (f->phase == UC_PHASE_UPGRADED)
		uc_add(&e->advice,
		       "Send something more often than that (WebSocket pings), or raise %s for this "
		       "location.",
		       name.text);
	else if (f->stream)
		uc_add(&e->advice,
		       "Send something more often than that (keep-alive messages of the protocol), "
		       "or raise proxy_timeout of stream{}.");
	else if (f->upstream && f->read_none && f->request_bytes)
		uc_add(&e->advice,
		       "It never read the request: its event loop is blocked, or all its workers "
		       "are busy.");
	else
		uc_add(&e->advice,
		       "The request took longer than %s (%s here). Speed it up, or raise the "
		       "timeout for this location.",
		       name.text, uc_span(f->stalled_ns).text);
}

void uc_explain_timeout(const struct uc_judged *r, struct uc_explanation *e)
{
	if (r->verdict.proof == UC_PROOF_SEND_TIMEOUT) {
		explain_send_timeout(r, e);
	} else if (body_withheld(r->facts)) {
		explain_body_withheld(r, e);
	} else if (never_acknowledged(r->facts)) {
		explain_unacknowledged(r, e);
	} else {
		say_what_did_not_come(r, e);
		advise_on_wait(r, e);
	}
}

void uc_explain_response_rejected(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_words *w = r->facts->words;
	const enum uc_words_kind kind = w ? w->kind : UC_WORDS_OTHER;

	if (kind == UC_WORDS_HEADER_TOO_BIG) {
		uc_say(e, "nginx did not accept the response: its header is larger than %s.",
		       uc_directive_name(r, "buffer_size").text);
		uc_add(&e->advice,
		       "Make the header smaller (cookies are the usual cause), or double %s (and "
		       "%s to match).",
		       uc_directive_name(r, "buffer_size").text,
		       uc_directive_name(r, "busy_buffers_size").text);
	} else if (w && r->facts->phase == UC_PHASE_TLS && r->facts->tls_alert >= 0) {
		uc_explain_tls_alert(r, e);
	} else if (w && r->facts->phase == UC_PHASE_TLS) {
		uc_say(e, "nginx refused the upstream's TLS handshake: %s.", uc_words_text(w).text);
		uc_add(&e->advice,
		       "Check the upstream's certificate against %s and %s (%s is on), and what both "
		       "sides support.",
		       uc_directive_name(r, "ssl_trusted_certificate").text,
		       uc_directive_name(r, "ssl_name").text,
		       uc_directive_name(r, "ssl_verify").text);
	} else if (w) {
		uc_say(e, "nginx did not accept the response: %s.", uc_words_text(w).text);
		uc_add(&e->advice, "Correct the response in the application.");
	} else {
		uc_say(e, "nginx closed on reading the response: it did not accept it.");
		uc_add(&e->advice,
		       "See nginx's error log: if it says \"too big header\", raise %s; if it says "
		       "\"invalid header\", correct the header in the application.",
		       uc_directive_name(r, "buffer_size").text);
	}
}

void uc_explain_worker_exited(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_task *t = &r->facts->nginx->closer;

	if (r->verdict.proof == UC_PROOF_SIGNAL) {
		uc_say(e,
		       "nginx's worker %u was ended by %s and cut this request; the upstream is not "
		       "at fault.",
		       t->tgid, uc_how_it_ended(t).text);
		uc_add(&e->advice,
		       "Look for the signal in nginx's error log (\"worker process exited on "
		       "signal\"), for a core dump (coredumpctl), and for what was changed: a "
		       "module, a library.");
		return;
	}
	uc_say(e,
	       "nginx's worker %u ended (a reload or a stop) and cut this connection; neither "
	       "the upstream nor the client is at fault.",
	       t->tgid);
	uc_add(&e->advice,
	       "An old worker ends its connections after worker_shutdown_timeout, or at once by a "
	       "fast stop: raise worker_shutdown_timeout above the longest request, and stop nginx "
	       "with SIGQUIT (nginx -s quit).");
}

/* The connection stands, and the client does nothing. */
static void explain_client_stalled(const struct uc_judged *r, struct uc_explanation *e)
{
	const bool sending = r->verdict.proof == UC_PROOF_CLIENT_BODY_TIMEOUT;

	if (sending)
		uc_say(e,
		       "The client stopped sending its request's body for %s, and nginx gave it up "
		       "(client_body_timeout, its 408).",
		       uc_span(r->facts->stalled_ns).text);
	else
		uc_say(e, "The client did not take the response any more, and nginx gave it up "
			  "(send_timeout).");
	uc_add(&e->advice,
	       "Neither the upstream nor its timeouts are at fault: the client's connection "
	       "stalled. Raise %s only where clients are known to pause.",
	       sending ? "client_body_timeout" : "send_timeout");
}

void uc_explain_client_gone(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (r->verdict.proof != UC_PROOF_CLIENT_CLOSED) {
		explain_client_stalled(r, e);
		return;
	}
	uc_say(e, "The client left%s, so nginx closed the upstream connection (its 499).",
	       f->body_begun && f->request_cut ? " while it was sending its request" : "");
	if (f->waited_ns >= 1000000000 && !f->response_bytes)
		uc_add(&e->advice,
		       "The client waited %s: where many leave after the same time, a balancer's "
		       "or client's timeout of that length is shorter than this request.",
		       uc_span(f->waited_ns).text);
}

void uc_explain_idle_close(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e, "An idle connection was closed%s.",
	       r->facts->close == UC_CLOSE_RST ? " by a reset" : " cleanly");
}

void uc_explain_complete(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (f->phase == UC_PHASE_UPGRADED)
		uc_say(e, "The upgraded connection ended by a plain close.");
	else if (r->verdict.proof != UC_PROOF_NGINX_CLOSED)
		uc_say(e, "The connection ended after a complete response.");
	else if (f->accel_redirect)
		uc_say(e, "nginx did not want the response's body: its header has "
			  "X-Accel-Redirect, and nginx serves what that names.");
	else
		uc_say(e, "nginx did not want the response's body (an auth_request, a mirror, an "
			  "intercepted error), and closed.");
}

void uc_explain_unknown(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (r->verdict.proof == UC_PROOF_NGINX_CLOSED)
		uc_say(e,
		       "nginx closed the connection in the middle of an exchange, and whether "
		       "its client left, a timer fired or it did not accept the response is unknown.");
	else if (r->verdict.proof == UC_PROOF_LOSSY)
		uc_say(e,
		       "The response's header was too long to be kept, so whether all of the response came is unknown.");
	else if (r->verdict.proof == UC_PROOF_UNSEEN_START)
		uc_say(e,
		       "The connection was older than this trace, and what was seen of it does not show why it ended.");
	else if (f->err)
		uc_say(e, "nginx's kernel ended the connection: %s.", strerror(f->err));
	else if (!f->exchange)
		uc_say(e, "The connection ended without a request on it.");
	else
		uc_say(e, "What was seen of this connection does not show why it ended.");
}
