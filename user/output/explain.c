/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "output/known_idle.h"
#include "base/text.h"

__attribute__((format(printf, 2, 3))) static void add(struct uc_lines *l, const char *fmt, ...)
{
	va_list args;

	if (l->count == UC_EXPLAIN_LINES)
		return;
	va_start(args, fmt);
	vsnprintf(l->line[l->count++], UC_EXPLAIN_LEN, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void say(struct uc_explanation *e, const char *fmt,
						      ...)
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
static void advise_on_retry(const struct uc_judged *r, struct uc_explanation *e)
{
	if (!r->facts->request.method || r->outcome.id == UC_OUTCOME_RETRIED)
		return;
	if (!repeats(&r->facts->request))
		add(&e->advice,
		    "nginx does not repeat a %.*s once it was sent; allow non_idempotent "
		    "only where repeating is harmless.",
		    (int)r->facts->request.method_len, r->facts->request.method);
	else if (r->outcome.id == UC_OUTCOME_UNKNOWN)
		add(&e->advice,
		    "nginx may have repeated this request by itself (proxy_next_upstream); "
		    "its access log shows it as two statuses in $upstream_status.");
}

static void explain_outcome(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_outcome *o = &r->outcome;
	char where[UC_ADDR_LEN], nth[32] = "";

	if (r->facts->nginx->x.attempt > 1)
		snprintf(nth, sizeof(nth), " (attempt %u)", r->facts->nginx->x.attempt);
	if (o->id == UC_OUTCOME_RETRIED) {
		uc_text_endpoint(o->retry_addr, o->retry_family, o->retry_port, where);
		if (o->retry_status)
			snprintf(e->outcome, sizeof(e->outcome),
				 "nginx sent it again to %s, which answered %u%s.", where,
				 o->retry_status, nth);
		else
			snprintf(e->outcome, sizeof(e->outcome), "nginx sent it again to %s%s.",
				 where, nth);
	} else if (o->client_gone) {
		snprintf(e->outcome, sizeof(e->outcome), "Its client had left by then%s.", nth);
	} else if (o->client_status) {
		snprintf(e->outcome, sizeof(e->outcome), "The client got %u%s%s.", o->client_status,
			 r->facts->phase == UC_PHASE_RESPONSE_BODY ? ", and a body cut short" : "",
			 nth);
	} else if (o->id == UC_OUTCOME_CLIENT_ERROR) {
		snprintf(e->outcome, sizeof(e->outcome),
			 "nginx did not repeat it; the client got an error%s.", nth);
	}
}

/* What is known to close at that age, as a hint and no more. */
static void name_candidates(const struct uc_judged *r, struct uc_explanation *e, uint64_t idle_ns)
{
	struct uc_known_idle known[UC_KNOWN_IDLE_MAX];
	size_t count = uc_known_idle(idle_ns, r->upstream_exe, known);

	if (count)
		add(&e->advice, "Known to close at that age by default: %s (%s)%s%s.",
		    known[0].name, known[0].setting, count > 1 ? ", or " : "",
		    count > 1 ? known[1].name : "");
}

/*
 * The learned timeout where there is one, else how long this connection had been
 * idle. nginx's own (keepalive_timeout of upstream{}, since 1.15.3) is 60 s by default.
 */
static void advise_on_idle(const struct uc_judged *r, struct uc_explanation *e)
{
	uint64_t own = uc_facts_upstream_idle(r->facts), idle = r->idle ? r->idle->ns : own;
	char source[64] = "here";

	if (!idle)
		idle = r->facts->idle_ns;
	if (r->idle)
		snprintf(source, sizeof(source), "learned from %u closes:", r->idle->count);
	if (!idle)
		add(&e->advice,
		    "Keep nginx's idle time (keepalive_timeout in upstream{}) below the "
		    "upstream's.");
	else if (idle >= 1500000000)
		add(&e->advice,
		    "Keep nginx's idle time below the upstream's (%s %s): `keepalive_timeout %us;` in "
		    "upstream{}, or raise the upstream's above nginx's (60 s by default).",
		    source, uc_span(idle).text, uc_idle_below_s(idle));
	else
		add(&e->advice,
		    "The upstream gave up the connection after %s idle: raise its keep-alive "
		    "timeout above nginx's keepalive_timeout (60 s by default), or find what "
		    "closes it early (a restart, a request limit).",
		    uc_span(idle).text);
	if (idle)
		name_candidates(r, e, idle);
}

struct clause {
	char text[128];
};

/* ", then exited with status 0 (2.9 ms after that)", or nothing. */
static struct clause then_exited(const struct uc_judged *r)
{
	struct clause c = { "" };
	char how[32];
	int status, sig;

	if (!r->exit)
		return c;
	uc_exit_of(&r->exit->task, &status, &sig);
	if (sig >= 0)
		uc_signal_name(sig, how, sizeof(how));
	else
		snprintf(how, sizeof(how), "status %d", status);
	snprintf(c.text, sizeof(c.text), ", then %s %s (%s after that)",
		 sig >= 0 ? "was ended by" : "exited with", how, uc_span(r->exit_after_ns).text);
	return c;
}

static void advise_on_exit(struct uc_explanation *e)
{
	add(&e->advice, "It was on its way out: find what ended it (a worker timeout, a restart, a "
			"limit on requests per worker, an exception), and let it drain first.");
}

static void explain_race(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	if (r->verdict.proof == UC_PROOF_SENT_AFTER_FIN)
		say(e,
		    "%s had closed its idle connection before nginx wrote the next request into it.",
		    who);
	else if (r->verdict.proof == UC_PROOF_REQUEST_UNREAD)
		say(e,
		    "%s closed its idle connection with nginx's next request lying unread in its socket.",
		    who);
	else
		say(e,
		    "%s closed its idle connection while nginx was sending the next request on it.",
		    who);
	if (r->exit)
		advise_on_exit(e);
	else
		advise_on_idle(r, e);
	advise_on_retry(r, e);
}

static void explain_unaccepted(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	say(e, "%s closed its listening socket while this connection waited to be accepted%s.", who,
	    then_exited(r).text);
	add(&e->advice,
	    "Take it out of upstream{} before it stops listening, or let it accept what "
	    "waits; a listening socket that is handed on to the next process loses nothing.");
	advise_on_retry(r, e);
}

static void explain_closed(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	const struct uc_facts *f = r->facts;
	struct uc_span waited = uc_span(f->waited_ns);

	if (f->phase == UC_PHASE_TLS) {
		say(e, "%s closed the connection during the TLS handshake.", who);
		add(&e->advice,
		    "Look in its log for what it refused: protocol version, cipher, server "
		    "name (proxy_ssl_server_name), client certificate.");
		return;
	}
	if (f->unaccepted) {
		explain_unaccepted(r, e, who);
		return;
	}
	switch (r->verdict.proof) {
	case UC_PROOF_DELIBERATE_CLOSE:
		if (f->exchange)
			say(e,
			    "%s read the request, and its code closed the connection %s later without a "
			    "response%s.",
			    who, waited.text, then_exited(r).text);
		else
			say(e, "%s closed a new connection before nginx had sent a request%s.", who,
			    then_exited(r).text);
		break;
	case UC_PROOF_REQUEST_UNREAD:
		say(e, "%s closed a new connection without reading the request.", who);
		break;
	case UC_PROOF_REQUEST_UNACKED:
	case UC_PROOF_SENT_AFTER_FIN:
		say(e, "%s accepted a new connection and closed it before the request had arrived.",
		    who);
		break;
	case UC_PROOF_REQUEST_ACKED:
		say(e,
		    "The upstream's host had received the whole request, then the connection was closed "
		    "after %s without a response.",
		    waited.text);
		break;
	default:
		say(e, "%s closed the connection without a response.", who);
	}
	if (r->verdict.proof == UC_PROOF_REQUEST_ACKED)
		add(&e->advice,
		    "Run upclose on the upstream's host to see whether its code closed the "
		    "connection or its process ended.");
	if (r->exit)
		advise_on_exit(e);
	else if (!f->exchange || r->verdict.proof == UC_PROOF_REQUEST_UNREAD ||
		 r->verdict.proof == UC_PROOF_REQUEST_UNACKED ||
		 r->verdict.proof == UC_PROOF_SENT_AFTER_FIN)
		add(&e->advice,
		    "Look for a connection limit, an access list, or a server that shuts down.");
	else if (f->waited_ns >= 900000000)
		add(&e->advice,
		    "It closed after %s: look for a timeout of that length in the "
		    "application or its server, and compare it with how long the request needs.",
		    waited.text);
	else
		add(&e->advice,
		    "Look in the application for what closes or destroys the socket of this "
		    "request: an error handler, a limit, a middleware, a client library's abort.");
	advise_on_retry(r, e);
}

static void explain_died(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	const char *with = r->facts->unaccepted ? "with this connection waiting to be accepted" :
			   r->facts->exchange   ? "while it held this request" :
						  "before nginx had sent it a request";
	char name[32];
	int status, sig;

	uc_exit_of(&r->upstream, &status, &sig);
	if (r->verdict.proof == UC_PROOF_OOM) {
		say(e, "%s was killed by the kernel's OOM killer %s.", who, with);
		add(&e->advice,
		    "Give it more memory (its cgroup's memory.max, or the host's), or find what "
		    "it allocates; the kernel log has the details (journalctl -k).");
		return;
	}
	if (r->verdict.proof == UC_PROOF_SIGNAL) {
		uc_signal_name(sig, name, sizeof(name));
		say(e, "%s was ended by %s %s.", who, name, with);
		if (!strcmp(name, "SIGKILL") || !strcmp(name, "SIGTERM"))
			add(&e->advice,
			    "Find who sent %s (a deploy, a supervisor's stop or health check, a "
			    "worker timeout), and let the process finish its requests first.",
			    name);
		else
			add(&e->advice,
			    "It crashed: look for a core dump (coredumpctl) and the last lines of "
			    "its log.");
		return;
	}
	say(e, "%s ended with exit status %d %s.", who, status, with);
	if (status)
		add(&e->advice,
		    "Look for an uncaught exception or an exit call at this time in its log; "
		    "all its other requests were cut too.");
	else
		add(&e->advice,
		    "It ended on purpose (a restart, a limit on requests per worker): let it "
		    "drain its connections before it exits.");
}

static void explain_connect(const struct uc_judged *r, struct uc_explanation *e)
{
	switch (r->verdict.proof) {
	case UC_PROOF_REFUSED:
		say(e, "The upstream's host refused the connection: nothing listens on that port.");
		add(&e->advice,
		    "Start the upstream, or correct the port in nginx's configuration; after a "
		    "crash or in a deploy this follows the closes of its old connections.");
		break;
	case UC_PROOF_TIMEOUT:
		say(e, "No answer to the connection request within %s (%u repeated).",
		    uc_span(r->facts->end_ns > r->facts->nginx->open_ns ?
				    r->facts->end_ns - r->facts->nginx->open_ns :
				    0)
			    .text,
		    r->facts->nginx->retransmits);
		add(&e->advice,
		    "Packets are dropped on the way (firewall, wrong address), or the upstream's "
		    "accept queue is full: compare `ss -ltn` (Recv-Q against Send-Q) there.");
		break;
	case UC_PROOF_UNREACHABLE:
		say(e, "The network answered that the upstream cannot be reached (%s).",
		    strerror(r->facts->err));
		add(&e->advice, "Check the route and the firewall between nginx and the upstream.");
		break;
	default:
		say(e, "The connection could not be started on nginx's host.");
		add(&e->advice,
		    "Free local ports may be used up: keep upstream connections alive, or widen "
		    "net.ipv4.ip_local_port_range.");
	}
}

/* Not a byte, though it was sent again: its kernel has no such connection, or never got it. */
static bool never_acknowledged(const struct uc_facts *f)
{
	return !f->reused && !f->adopted && f->nginx->retransmits && f->request_bytes &&
	       f->unacked_known && f->unacked_bytes == f->request_bytes && !f->response_bytes;
}

static void explain_timeout(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	const struct uc_facts *f = r->facts;
	struct uc_span stalled = uc_span(f->stalled_ns);

	if (r->verdict.proof == UC_PROOF_SEND_TIMEOUT) {
		say(e, "nginx could not send the rest of the request for %s and gave up.",
		    stalled.text);
		add(&e->advice,
		    "The upstream does not read its socket: find what blocks it, or raise "
		    "proxy_send_timeout if it is meant to be this slow.");
		return;
	}
	if (f->phase == UC_PHASE_RESPONSE_BODY)
		say(e, "%s stopped in the middle of the response; nginx waited %s and gave up.",
		    who, stalled.text);
	else if (never_acknowledged(f)) {
		say(e,
		    "The upstream's host acknowledged none of the request, which was sent %u times more; "
		    "nginx gave up after %s.",
		    f->nginx->retransmits, stalled.text);
		add(&e->advice,
		    "Its kernel dropped what nginx sent: its accept queue is full (`nstat -az "
		    "TcpExtListenOverflows` there; a larger backlog, a faster accept), or packets are "
		    "lost on the way.");
		return;
	} else
		say(e, "%s had not begun to answer after %s; nginx gave up.", who, stalled.text);
	if (f->upstream && f->read_none && f->request_bytes)
		add(&e->advice,
		    "It had not even read the request: its event loop is blocked, or all its "
		    "workers are busy.");
	else
		add(&e->advice,
		    "Make this request faster, or raise proxy_read_timeout above what it "
		    "really needs (here it was %s).",
		    stalled.text);
}

static void explain_body(const struct uc_judged *r, struct uc_explanation *e, const char *who)
{
	const struct uc_facts *f = r->facts;
	char client[64] = "the client got a cut response";

	if (f->response.status)
		snprintf(client, sizeof(client), "the client got a cut response with status %u",
			 f->response.status);
	if (r->verdict.proof == UC_PROOF_CONTENT_LENGTH && f->missing_bytes)
		say(e, "%s closed with %llu of %llu body bytes missing; %s.", who,
		    (unsigned long long)f->missing_bytes, (unsigned long long)f->response.length,
		    client);
	else if (r->verdict.proof == UC_PROOF_CONTENT_LENGTH)
		say(e, "%s closed before all of the response had come; %s.", who, client);
	else if (r->verdict.proof == UC_PROOF_CHUNKED)
		say(e, "%s closed before the last chunk; %s.", who, client);
	else if (r->verdict.proof == UC_PROOF_END_REQUEST)
		say(e, "%s closed before FastCGI's end of the request; %s.", who, client);
	else
		say(e, "A reset ended the response in its body; %s.", client);
	add(&e->advice,
	    "Look for an error while the body was being written (a failed stream, a file "
	    "that shrank, a wrong Content-Length).");
}

static void explain_unknown(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	switch (r->verdict.proof) {
	case UC_PROOF_NGINX_EXITED:
		say(e,
		    "nginx's worker itself ended and cut this request; the upstream is not at fault.");
		add(&e->advice,
		    "Stop nginx with SIGQUIT (nginx -s quit) to let requests finish; if it was "
		    "not stopped, look for its crash in the error log.");
		return;
	case UC_PROOF_NGINX_CLOSED:
		say(e,
		    "nginx closed the connection in the middle of an exchange; its client was active at "
		    "that moment, so whether the client cancelled or a timer fired cannot be told.");
		return;
	case UC_PROOF_LOSSY:
		say(e,
		    "The response's header was too long to be kept, so whether all of the response "
		    "came cannot be told.");
		return;
	case UC_PROOF_UNSEEN_START:
		say(e,
		    "The connection was older than this trace, and what was seen of it does not tell.");
		return;
	default:
		break;
	}
	if (f->err)
		say(e, "nginx's kernel ended the connection: %s.", strerror(f->err));
	else if (!f->exchange)
		say(e, "The connection ended without a request on it.");
	else
		say(e, "What was seen of this connection does not tell why it ended.");
}

/* Its socket is on this host, or nobody here had one: the far side need not be asked. */
static void explain_reset(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (f->upstream)
		say(e,
		    "A reset came while nginx waited for the response; the upstream's socket was ended "
		    "by %s, not closed by its process.",
		    f->upstream->end.err ? strerror(f->upstream->end.err) : "the kernel");
	else if (f->upstream_missing)
		say(e,
		    "A reset came while nginx waited for the response; the upstream's socket on this "
		    "host was not seen to end.");
	else if (f->own_host && !f->adopted)
		say(e,
		    "A reset came while nginx waited for the response; no process of this host had the "
		    "connection.");
	else
		say(e,
		    "A reset came while nginx waited for the response; what the far side did cannot be seen "
		    "from here.");
	if (f->reused && f->idle_known)
		add(&e->advice,
		    "The connection had been idle for %s: if that repeats, it is the "
		    "upstream's (or a firewall's) idle timeout; keep nginx's "
		    "keepalive_timeout below it.",
		    uc_span(f->idle_ns).text);
	if (f->upstream || f->upstream_missing)
		add(&e->advice,
		    "Look for what resets connections between the two: a firewall, connection "
		    "tracking, or somebody's `ss -K`.");
	else if (f->own_host && !f->adopted)
		add(&e->advice,
		    "Its accept queue may have overflowed (`nstat -az TcpExtListenOverflows`; with "
		    "net.ipv4.tcp_abort_on_overflow the kernel answers with a reset), or a firewall "
		    "rule rejects the connection.");
	else
		add(&e->advice, "Run upclose on the upstream's host to see who sent it.");
}

static void explain_summary(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	char who[96];

	uc_explain_upstream(r, who, sizeof(who));
	if (who[0] == 't' && !r->upstream.tgid)
		who[0] = 'T';
	switch (r->verdict.id) {
	case UC_VERDICT_KEEPALIVE_RACE:
		explain_race(r, e, who);
		break;
	case UC_VERDICT_UPSTREAM_CLOSED:
		explain_closed(r, e, who);
		break;
	case UC_VERDICT_UPSTREAM_DIED:
		explain_died(r, e, who);
		break;
	case UC_VERDICT_UPSTREAM_RESET:
		explain_reset(r, e);
		break;
	case UC_VERDICT_REQUEST_REJECTED:
		say(e, "%s closed the connection with part of the request unread.", who);
		add(&e->advice,
		    "Look for a limit on the request's size or time in the upstream (413, 431); a "
		    "server should read on for a while after such an answer, or it is lost.");
		break;
	case UC_VERDICT_PARTIAL_HEADER:
		say(e, "%s closed after %llu bytes of a response header, before its end.", who,
		    (unsigned long long)f->response_bytes);
		add(&e->advice,
		    "Look for an error or exit between the first header line and the empty line "
		    "that ends the header.");
		break;
	case UC_VERDICT_PROTOCOL_MISMATCH:
		say(e, f->plain_answer ? "nginx speaks TLS to a port that speaks plain HTTP." :
		       f->tls_answer   ? "nginx speaks plain HTTP to a port that speaks TLS." :
					 "The upstream's first bytes are no HTTP response.");
		add(&e->advice,
		    "Check the scheme in proxy_pass (http:// or https://) and the upstream's port.");
		break;
	case UC_VERDICT_CONNECT_FAILED:
		explain_connect(r, e);
		break;
	case UC_VERDICT_BODY_TRUNCATED:
		explain_body(r, e, who);
		break;
	case UC_VERDICT_NGINX_TIMEOUT:
		explain_timeout(r, e, who);
		break;
	case UC_VERDICT_NGINX_REJECTED_RESPONSE:
		say(e, "nginx closed on reading the response header: it did not accept it.");
		add(&e->advice,
		    "See nginx's error log: \"too big header\" wants a larger proxy_buffer_size, an "
		    "invalid header wants mending in the upstream.");
		break;
	case UC_VERDICT_CLIENT_GONE:
		say(e, "The client left, so nginx closed the upstream connection (its 499).");
		break;
	case UC_VERDICT_IDLE_CLOSE:
		say(e, "An idle connection was closed%s.",
		    f->close == UC_CLOSE_RST ? " by a reset" : " cleanly");
		break;
	case UC_VERDICT_COMPLETE:
		say(e, "The connection ended after a complete response.");
		break;
	case UC_VERDICT_UNKNOWN:
	case UC_VERDICT_MAX:
		explain_unknown(r, e);
	}
}

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
		add(l, "the last response was complete: %s", known_by[r->facts->response.framing]);
	if (r->facts->pooled)
		add(l, "nginx held the connection in its idle pool when it ended");
}

static void evidence_of_order(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	if (f->close == UC_CLOSE_FIN && f->closed_by == UC_CLOSED_BY_UPSTREAM && f->unacked_known) {
		if (f->sent_after_fin)
			add(l,
			    "nginx wrote the request after the FIN had arrived (by sequence number)");
		else if (f->unacked_bytes && f->unacked_bytes == f->request_bytes)
			add(l,
			    "when the FIN arrived, none of the request's %llu bytes was acknowledged",
			    (unsigned long long)f->request_bytes);
		else if (!f->unacked_bytes)
			add(l,
			    "when the FIN arrived, all of the request's %llu bytes were acknowledged",
			    (unsigned long long)f->request_bytes);
		else
			add(l,
			    "when the FIN arrived, %u of the request's %llu bytes were not acknowledged",
			    f->unacked_bytes, (unsigned long long)f->request_bytes);
	}
	if (f->upstream && f->exchange && !f->exchange_unseen && f->upstream->end.ts_ns) {
		if (f->got_none)
			add(l, "at the upstream's close no byte of the request had arrived there");
		else if (f->read_none)
			add(l,
			    "at the upstream's close the request lay unread in its socket (%u bytes)",
			    f->unread_bytes);
		else if (f->unread_bytes)
			add(l, "at the upstream's close %u bytes lay unread in its socket",
			    f->unread_bytes);
	}
}

static void evidence_of_closer(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_task *t = r->facts->upstream ? &r->facts->upstream->closer : NULL;

	if (!t || !t->tgid)
		return;
	if (t->flags & UC_TASK_KTHREAD)
		add(l, "the upstream's socket was closed by a kernel thread, not by its process");
	else if (t->flags & UC_TASK_EXITING)
		add(l,
		    "the upstream's socket was closed by the exit of pid %u (wait status 0x%x%s)",
		    t->tgid, (unsigned)t->exit_code,
		    t->flags & UC_TASK_OOM ? ", chosen by the OOM killer" : "");
	else
		add(l,
		    "the upstream's socket was closed by a call of pid %u, which was not exiting",
		    t->tgid);
	if (r->exit)
		add(l, "pid %u exited %s after it had closed the connection (wait status 0x%x)",
		    t->tgid, uc_span(r->exit_after_ns).text, (unsigned)r->exit->task.exit_code);
	if (r->facts->unaccepted)
		add(l,
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

static void evidence(const struct uc_judged *r, struct uc_lines *l)
{
	const struct uc_facts *f = r->facts;

	evidence_of_response(r, l);
	evidence_of_order(r, l);
	evidence_of_closer(r, l);
	if (f->nginx_exiting)
		add(l, "nginx's socket was closed by the exit of pid %u (wait status 0x%x)",
		    f->nginx->closer.tgid, (unsigned)f->nginx->closer.exit_code);
	else if (f->closed_by == UC_CLOSED_BY_NGINX && f->response_state != UC_RESPONSE_COMPLETE &&
		 !f->pooled) {
		if (f->client_gone)
			add(l,
			    "the next that nginx did was to close the connection of a client that had "
			    "left");
		else if (f->gave_up && f->gave_up_status)
			add(l, "the next that nginx did was to send its client a %u",
			    f->gave_up_status);
		else if (f->gave_up)
			add(l, "nginx went on with the request by itself: its client had not left");
		else if (f->client_gone_likely)
			add(l, "a client of this nginx worker had just closed its connection");
		else if (f->client_quiet)
			add(l,
			    "no client of this nginx worker had sent or closed anything just before");
		else
			add(l,
			    "what the clients of this nginx worker did just before does not tell");
	}
	if (!f->established && f->close == UC_CLOSE_TIMEOUT)
		add(l, "no answer to the SYN came before %s",
		    f->err ? "the kernel gave up" : "nginx gave up");
	if (r->verdict.proof == UC_PROOF_LOCAL)
		add(l,
		    "the call to connect gave up on nginx's own host, without an answer from the network");
	if (f->err)
		add(l, "the kernel's error on nginx's socket: %s", strerror(f->err));
	if (f->nginx->retransmits)
		add(l, "%u segments were sent again", f->nginx->retransmits);
	if (f->opaque)
		add(l, "%s", opaque_because(f));
	if (f->response_state == UC_RESPONSE_UNKNOWN && f->exchange && !f->opaque)
		add(l, "the response's header is longer than the part of it that was kept");
	if (f->adopted)
		add(l, "the connection existed before this trace; its past is unseen");
	if (f->unheard_bytes)
		add(l, "%u bytes of the exchange went by unseen: a hook missed a call",
		    f->unheard_bytes);
	if (f->log_torn)
		add(l, "two events came at once, and one of them may be lost");
	if (f->upstream_missing)
		add(l, "the upstream's end is on this host, but its record did not come");
	if (!f->upstream && !f->upstream_missing && f->established && !r->upstream.tgid)
		add(l, "the upstream's end was not seen on this host");
}

static void name_directive(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_directive_at *d = r->directive;
	struct uc_span now;

	if (!d)
		return;
	now = uc_span((uint64_t)d->ms * 1000000);
	if (!d->by_default)
		add(&e->advice, "nginx's %s is %s, set at %s:%u.", d->name, now.text, d->path,
		    d->line);
	else if (d->group[0])
		add(&e->advice,
		    "nginx's %s is %s by default; upstream %s at %s:%u has none of its own.",
		    d->name, now.text, d->group, d->path, d->line);
	else
		add(&e->advice, "nginx's %s is %s by default, for the pass at %s:%u.", d->name,
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
	evidence(r, &e->evidence);
}
