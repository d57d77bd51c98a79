/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences for the verdicts about what the upstream did. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "output/known_idle.h"
#include "output/sentences.h"

/*
 * Programs that pass bytes on: their close says that theirs was closed. nginx is one
 * where it is an upstream itself.
 */
static bool relays(const struct uc_task *t)
{
	static const char *const names[] = { "docker-proxy", "haproxy",      "envoy",
					     "nginx",        "traefik",      "linkerd2-proxy",
					     "socat",        "rootlessport", "systemd-socket-" };

	for (size_t i = 0; t->tgid && i < ARRAY_SIZE(names); i++)
		if (!strncmp(t->comm, names[i], UC_COMM_LEN - 1))
			return true;
	return false;
}

static bool advise_on_relay(const struct uc_judged *r, struct uc_explanation *e)
{
	if (!relays(&r->upstream))
		return false;
	uc_add(&e->advice,
	       "%s relays to something behind it and is only the messenger: look at what it "
	       "connects to, and in its log.",
	       uc_who(r).text);
	return true;
}

/* "Puma 7+ (`persistent_timeout 75` sets it)" */
static struct uc_clause candidate(const struct uc_known_idle *k)
{
	struct uc_clause c;

	snprintf(c.text, sizeof(c.text), k->set ? "%s (`%s` sets it)" : "%s (%s)", k->name,
		 k->set ? k->set : k->setting);
	return c;
}

/* What is known to close at that age, as a hint and no more. */
static void name_candidates(const struct uc_judged *r, struct uc_explanation *e, uint64_t idle_ns)
{
	struct uc_known_idle known[UC_KNOWN_IDLE_MAX];
	size_t count = uc_known_idle(idle_ns, r->upstream_exe, known);
	char more[32] = "";

	if (count > 2)
		snprintf(more, sizeof(more), " and %zu more", count - 2);
	if (count)
		uc_add(&e->advice, "Known to close at that age by default: %s%s%s%s.",
		       candidate(&known[0]).text,
		       count > 2 ? ", " :
		       count > 1 ? ", or " :
				   "",
		       count > 1 ? candidate(&known[1]).text : "", more);
}

/* nginx's own limit of idle connections: keepalive_timeout of upstream{}, since 1.15.3. */
static struct uc_clause own_limit(const struct uc_judged *r)
{
	const struct uc_directive_at *d = r->directive;
	struct uc_clause c = { "60 s by default" };

	if (d && !strcmp(d->name, "keepalive_timeout"))
		snprintf(c.text, sizeof(c.text), "%s", uc_span((uint64_t)d->ms * 1000000).text);
	return c;
}

/* The learned timeout where there is one, else how long this connection had been idle. */
static void advise_on_idle(const struct uc_judged *r, struct uc_explanation *e)
{
	uint64_t own = uc_facts_upstream_idle(r->facts), idle = r->idle ? r->idle->ns : own;
	char source[64] = "here";

	if (!idle)
		idle = r->facts->idle_ns;
	if (r->idle)
		snprintf(source, sizeof(source), "learned from %u closes:", r->idle->count);
	if (!idle)
		uc_add(&e->advice,
		       "Keep nginx's idle time (keepalive_timeout in upstream{}) below the "
		       "upstream's.");
	else if (idle >= 1500000000)
		uc_add(&e->advice,
		       "Keep nginx's idle time below the upstream's (%s %s): `keepalive_timeout "
		       "%us;` in upstream{}, or raise the upstream's above nginx's (%s).",
		       source, uc_span(idle).text, uc_idle_below_s(idle), own_limit(r).text);
	else
		uc_add(&e->advice,
		       "The upstream gave up the connection after %s idle: raise its keep-alive "
		       "timeout above nginx's keepalive_timeout (%s), or find what closes it early "
		       "(a restart, a request limit).",
		       uc_span(idle).text, own_limit(r).text);
	if (idle)
		name_candidates(r, e, idle);
}

/* ", then exited with status 0 (2.9 ms after that)", or nothing. */
static struct uc_clause then_exited(const struct uc_judged *r)
{
	struct uc_clause c = { "" };

	if (r->exit)
		snprintf(c.text, sizeof(c.text), ", then %s %.32s (%s after that)",
			 r->exit->task.exit_code & 0x7f ? "was ended by" : "exited with",
			 uc_how_it_ended(&r->exit->task).text, uc_span(r->exit_after_ns).text);
	return c;
}

static void advise_on_exit(struct uc_explanation *e)
{
	uc_add(&e->advice,
	       "The process was on its way out: find out why (a worker timeout, a restart, a limit "
	       "on requests per worker, an exception), and let it finish open requests first.");
}

void uc_explain_race(const struct uc_judged *r, struct uc_explanation *e)
{
	const char *how =
		r->verdict.proof == UC_PROOF_SENT_AFTER_FIN ?
			"had closed its idle connection before nginx wrote the next request "
			"into it" :
		r->verdict.proof == UC_PROOF_REQUEST_UNREAD ?
			"closed its idle connection with nginx's next request lying unread "
			"in its socket" :
			"closed its idle connection while nginx was sending the next "
			"request on it";

	uc_say(e, "%s %s.", uc_who(r).text, how);
	if (r->exit)
		advise_on_exit(e);
	else
		advise_on_idle(r, e);
	uc_advise_on_retry(r, e);
}

static void explain_unaccepted(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e, "%s closed its listening socket while this connection waited to be accepted%s.",
	       uc_who(r).text, then_exited(r).text);
	uc_add(&e->advice,
	       "Take it out of upstream{} before it stops listening, or let it accept what "
	       "waits; a listening socket that is handed on to the next process loses nothing.");
	uc_advise_on_retry(r, e);
}

/* RFC 8446, section 6: the fatal ones that a handshake ends with. */
static const char *alert_name(int alert)
{
	static const struct {
		int number;
		const char *name;
	} alerts[] = {
		{ 40, "handshake_failure" },
		{ 42, "bad_certificate" },
		{ 43, "unsupported_certificate" },
		{ 44, "certificate_revoked" },
		{ 45, "certificate_expired" },
		{ 46, "certificate_unknown" },
		{ 47, "illegal_parameter" },
		{ 48, "unknown_ca" },
		{ 49, "access_denied" },
		{ 50, "decode_error" },
		{ 51, "decrypt_error" },
		{ 70, "protocol_version" },
		{ 71, "insufficient_security" },
		{ 80, "internal_error" },
		{ 109, "missing_extension" },
		{ 110, "unsupported_extension" },
		{ 112, "unrecognized_name" },
		{ 116, "certificate_required" },
		{ 120, "no_application_protocol" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
		if (alerts[i].number == alert)
			return alerts[i].name;
	return "unknown";
}

static void advise_on_alert(const struct uc_judged *r, struct uc_explanation *e)
{
	switch (r->facts->tls_alert) {
	case 112:
		uc_add(&e->advice,
		       "The upstream does not know the name that nginx asked for, or got none: set "
		       "`%s on;`, and `%s` to the name of its certificate.",
		       uc_directive_name(r, "ssl_server_name").text,
		       uc_directive_name(r, "ssl_name").text);
		break;
	case 42:
	case 116:
		uc_add(&e->advice, "The upstream wants a client certificate: set %s and %s.",
		       uc_directive_name(r, "ssl_certificate").text,
		       uc_directive_name(r, "ssl_certificate_key").text);
		break;
	case 70:
		uc_add(&e->advice,
		       "The two have no TLS version in common: compare %s with the upstream's.",
		       uc_directive_name(r, "ssl_protocols").text);
		break;
	case 40:
	case 71:
		uc_add(&e->advice,
		       "The two have nothing in common, or the upstream needs the server name: "
		       "compare %s and %s with the upstream's, and try `%s on;`.",
		       uc_directive_name(r, "ssl_ciphers").text,
		       uc_directive_name(r, "ssl_protocols").text,
		       uc_directive_name(r, "ssl_server_name").text);
		break;
	default:
		uc_add(&e->advice, "Look in the upstream's log for why it sent this alert.");
	}
}

void uc_explain_tls_alert(const struct uc_judged *r, struct uc_explanation *e)
{
	const char *name = alert_name(r->facts->tls_alert);

	uc_say(e, "%s ended the TLS handshake with the alert \"%s\".", uc_who(r).text, name);
	advise_on_alert(r, e);
}

static void explain_handshake(const struct uc_judged *r, struct uc_explanation *e)
{
	if (r->facts->tls_alert >= 0) {
		uc_explain_tls_alert(r, e);
		return;
	}
	uc_say(e, "%s closed the connection during the TLS handshake.", uc_who(r).text);
	uc_add(&e->advice,
	       "Look in its log for what it refused: protocol version, cipher, server name (%s on; "
	       "%s), client certificate.",
	       uc_directive_name(r, "ssl_server_name").text, uc_directive_name(r, "ssl_name").text);
}

static void say_closed(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	struct uc_clause who = uc_who(r), then = then_exited(r);
	struct uc_span waited = uc_span(f->waited_ns);

	switch (r->verdict.proof) {
	case UC_PROOF_DELIBERATE_CLOSE:
		if (f->exchange)
			uc_say(e,
			       "%s read the request, and its code closed the connection %s later "
			       "without a response%s.",
			       who.text, waited.text, then.text);
		else
			uc_say(e, "%s closed a new connection before nginx had sent a request%s.",
			       who.text, then.text);
		break;
	case UC_PROOF_REQUEST_UNREAD:
		uc_say(e, "%s closed a new connection without reading the request.", who.text);
		break;
	case UC_PROOF_REQUEST_UNACKED:
	case UC_PROOF_SENT_AFTER_FIN:
		uc_say(e,
		       "%s accepted a new connection and closed it before the request had arrived.",
		       who.text);
		break;
	case UC_PROOF_REQUEST_ACKED:
		uc_say(e,
		       "The upstream's host had received the whole request, then the connection was "
		       "closed after %s without a response.",
		       waited.text);
		break;
	default:
		uc_say(e, "%s closed the connection without a response.", who.text);
	}
}

/* Its end was not seen: nothing here tells a close from a death. */
static void advise_where_it_runs(const struct uc_judged *r, struct uc_explanation *e)
{
	char when[32];

	uc_text_clock(uc_judged_wall(r, r->facts->end_ns), when, sizeof(when));
	uc_add(&e->advice,
	       "On the upstream's host, look in its log and in `journalctl -k` and `coredumpctl` at "
	       "%s (nginx's host) for whether its code closed the connection or its process ended.",
	       when);
}

static void advise_on_close(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (!f->exchange || r->verdict.proof == UC_PROOF_REQUEST_UNREAD ||
	    r->verdict.proof == UC_PROOF_REQUEST_UNACKED ||
	    r->verdict.proof == UC_PROOF_SENT_AFTER_FIN)
		uc_add(&e->advice,
		       "Look for a connection limit, an access list, or a server that shuts down.");
	else if (f->waited_ns >= 900000000)
		uc_add(&e->advice,
		       "It closed after %s: look for a timeout of that length in the application, "
		       "its server or a proxy between, and compare it with how long the request "
		       "needs.",
		       uc_span(f->waited_ns).text);
	else
		uc_add(&e->advice,
		       "Look in the application, or a proxy between, for what closes or destroys "
		       "the socket of this request: an error handler, middleware, a size limit, a "
		       "short timeout, a client library's abort.");
}

/* HTTP/2: the connection stood, and one stream on it was ended (RFC 9113, sections 6.4 and 6.8). */
static void explain_stream(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_words *w = r->facts->words;
	const enum uc_words_kind kind = w ? w->kind : UC_WORDS_STREAM_RESET;

	uc_say(e, "%s %s.", uc_who(r).text,
	       kind == UC_WORDS_GOAWAY ? "sent GOAWAY and did not process this request" :
	       kind == UC_WORDS_STREAM_CLOSED ?
					 "ended the HTTP/2 stream before its response was whole" :
					 "refused or reset the HTTP/2 stream");
	uc_add(&e->advice,
	       "Look in the upstream for a limit of streams or requests for each connection, a "
	       "shutdown, or an error in its handler.");
}

void uc_explain_closed(const struct uc_judged *r, struct uc_explanation *e)
{
	if (r->verdict.proof == UC_PROOF_STREAM_RESET) {
		explain_stream(r, e);
		return;
	}
	if (r->facts->phase == UC_PHASE_TLS) {
		explain_handshake(r, e);
		return;
	}
	if (r->facts->unaccepted) {
		explain_unaccepted(r, e);
		return;
	}
	say_closed(r, e);
	if (r->verdict.proof == UC_PROOF_REQUEST_ACKED)
		advise_where_it_runs(r, e);
	if (r->exit)
		advise_on_exit(e);
	else if (!advise_on_relay(r, e))
		advise_on_close(r, e);
	uc_advise_on_retry(r, e);
}

/* Signals whose default is to dump core (signal(7)): the process did something wrong itself. */
static bool crash(int signal)
{
	static const int core[] = { SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
				    SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS };

	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (signal == core[i])
			return true;
	return false;
}

static void advise_on_signal(struct uc_explanation *e, int signal)
{
	char name[32];

	uc_signal_name(signal, name, sizeof(name));
	if (crash(signal))
		uc_add(&e->advice,
		       "It crashed: look for a core dump (coredumpctl) and the last lines of its "
		       "log%s.",
		       signal == SIGABRT ? "; SIGABRT is abort(), a failed assertion, or a runtime "
					   "out of memory" :
					   "");
	else if (signal == SIGPIPE)
		uc_add(&e->advice,
		       "It wrote into a pipe or socket whose other end was closed, and does not "
		       "ignore SIGPIPE.");
	else
		uc_add(&e->advice,
		       "Find who sent %s (a deploy, a supervisor's stop or health check, a worker "
		       "timeout, a terminal), and let the process finish its requests first.",
		       name);
}

/* Shells, Java and .NET end with 128 + n after signal n that they have handled. */
static void advise_on_status(const struct uc_judged *r, struct uc_explanation *e, int status)
{
	char name[32];

	if (!status) {
		uc_add(&e->advice, "It ended on purpose (a restart, a limit on requests per "
				   "worker): let it drain its connections before it exits.");
		return;
	}
	if (status > 128 && status <= 128 + 31) {
		uc_signal_name(status - 128, name, sizeof(name));
		uc_add(&e->advice,
		       "Status %d is what shells, Java and .NET end with after %s: find who sent "
		       "it.",
		       status, name);
		return;
	}
	uc_add(&e->advice,
	       "Look for an uncaught exception or an exit call at this time in its log; all its "
	       "other requests were cut too.");
	if (!strncmp(r->upstream.comm, "gunicorn", 8) || !strncmp(r->upstream.comm, "python", 6))
		uc_add(&e->advice,
		       "A gunicorn worker that its master ends for being silent longer "
		       "than --timeout (30 s by default) exits so, too: look for WORKER "
		       "TIMEOUT in its log.");
}

void uc_explain_died(const struct uc_judged *r, struct uc_explanation *e)
{
	const char *with = r->facts->unaccepted ? "with this connection waiting to be accepted" :
			   r->facts->phase == UC_PHASE_UPGRADED ?
						  "while it held this upgraded connection" :
			   r->facts->exchange ? "while it held this request" :
						"before nginx had sent it a request";
	struct uc_clause who = uc_who(r);
	int status, sig;

	uc_exit_of(&r->upstream, &status, &sig);
	if (r->verdict.proof == UC_PROOF_OOM) {
		uc_say(e, "%s was killed by the kernel's OOM killer %s.", who.text, with);
		uc_add(&e->advice,
		       "Give it more memory (its cgroup's memory.max, or the host's), or find what "
		       "it allocates; the kernel log has the details (journalctl -k).");
	} else if (r->verdict.proof == UC_PROOF_SIGNAL) {
		uc_say(e, "%s was ended by %s %s.", who.text, uc_how_it_ended(&r->upstream).text,
		       with);
		advise_on_signal(e, sig);
	} else {
		uc_say(e, "%s ended with exit status %d %s.", who.text, status, with);
		advise_on_status(r, e, status);
	}
}

/* Its socket is on this host, or nobody here had one: the far side need not be asked. */
void uc_explain_reset(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	const char *when;

	if (r->verdict.proof == UC_PROOF_STREAM_RESET) {
		explain_stream(r, e);
		return;
	}
	when = f->phase == UC_PHASE_UPGRADED ? "A reset ended the upgraded connection" :
					       "A reset came while nginx waited for the response";

	if (f->upstream)
		uc_say(e, "%s; the upstream's socket was ended by %s, not closed by its process.",
		       when, f->upstream->end.err ? strerror(f->upstream->end.err) : "the kernel");
	else if (f->upstream_missing)
		uc_say(e, "%s; the upstream's socket on this host was not seen to end.", when);
	else if (f->own_host && !f->adopted)
		uc_say(e, "%s; no process of this host had the connection.", when);
	else
		uc_say(e, "%s; what the far side did cannot be seen from here.", when);
	if (f->reused && f->idle_known)
		uc_add(&e->advice,
		       "The connection had been idle for %s: if that repeats, it is the upstream's "
		       "(or a firewall's) idle timeout; keep nginx's keepalive_timeout below it.",
		       uc_span(f->idle_ns).text);
	if (f->upstream || f->upstream_missing)
		uc_add(&e->advice,
		       "Look for what resets connections between the two: a firewall, connection "
		       "tracking, or `ss -K`.");
	else if (f->own_host && !f->adopted)
		uc_add(&e->advice,
		       "Its accept queue may have overflowed (`nstat -az TcpExtListenOverflows`; "
		       "with net.ipv4.tcp_abort_on_overflow the kernel answers with a reset), or a "
		       "firewall rule rejects the connection.");
	else
		advise_where_it_runs(r, e);
}

void uc_explain_request_rejected(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e, "%s closed the connection before reading the whole request.", uc_who(r).text);
	uc_add(&e->advice,
	       "Look for a limit on the request's size or time in the upstream (413, 431). After "
	       "rejecting a request, a server should keep reading briefly; otherwise the reset that "
	       "its close causes can destroy its own answer.");
}

void uc_explain_partial_header(const struct uc_judged *r, struct uc_explanation *e)
{
	uc_say(e, "%s closed after %llu bytes of a response header, before its end.",
	       uc_who(r).text, (unsigned long long)r->facts->response_bytes);
	uc_add(&e->advice,
	       "Look for an error or exit between the first header line and the empty line that "
	       "ends the header.");
}

void uc_explain_mismatch(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;

	if (f->status_malformed) {
		uc_say(e, "The upstream's response has a malformed status line, so nginx took it "
			  "for HTTP/0.9 and passed all of it on as the body.");
		uc_add(&e->advice,
		       "Correct the status line in the application: `HTTP/1.1 404 Not Found`, a "
		       "version, a space, three digits, a space (RFC 9112, section 4).");
		return;
	}
	uc_say(e, f->plain_answer ? "nginx speaks TLS to a port that speaks plain HTTP." :
		  f->tls_answer   ? "nginx speaks plain HTTP to a port that speaks TLS." :
				    "The upstream's first bytes are no HTTP response.");
	if (f->plain_answer || f->tls_answer)
		uc_add(&e->advice, "Check the scheme in proxy_pass (http:// or https://) and the "
				   "upstream's port.");
	else
		uc_add(&e->advice,
		       "Check what speaks on that port: FastCGI and uwsgi servers need fastcgi_pass "
		       "and uwsgi_pass, gRPC and HTTP/2 without TLS grpc_pass, TLS https://.");
}

void uc_explain_body(const struct uc_judged *r, struct uc_explanation *e)
{
	const struct uc_facts *f = r->facts;
	struct uc_clause who = uc_who(r);
	char client[64] = "the client got a cut response";

	if (f->response.status)
		snprintf(client, sizeof(client), "the client got a cut response with status %u",
			 f->response.status);
	if (r->verdict.proof == UC_PROOF_CONTENT_LENGTH && f->missing_bytes)
		uc_say(e, "%s closed with %llu of %llu body bytes missing; %s.", who.text,
		       (unsigned long long)f->missing_bytes, (unsigned long long)f->response.length,
		       client);
	else if (r->verdict.proof == UC_PROOF_CONTENT_LENGTH)
		uc_say(e, "%s closed before all of the response had come; %s.", who.text, client);
	else if (r->verdict.proof == UC_PROOF_CHUNKED)
		uc_say(e, "%s closed before the last chunk; %s.", who.text, client);
	else if (r->verdict.proof == UC_PROOF_NGINX_LOG)
		uc_say(e, "%s closed before the end of the response, as nginx read it; %s.",
		       who.text, client);
	else if (r->verdict.proof == UC_PROOF_END_REQUEST)
		uc_say(e, "%s closed before FastCGI's end of the request; %s.", who.text, client);
	else
		uc_say(e, "A reset ended the response in its body; %s.", client);
	if (f->window_shut)
		uc_add(&e->advice,
		       "nginx had stopped reading, as its client took the response slowly, and the "
		       "upstream gave up writing: raise the upstream's write timeout, or let nginx "
		       "buffer more (%s, %s).",
		       uc_directive_name(r, "buffers").text,
		       uc_directive_name(r, "max_temp_file_size").text);
	else if (!advise_on_relay(r, e))
		uc_add(&e->advice,
		       "Look for an error while the body was being written (a failed stream, a "
		       "file that shrank, a wrong Content-Length).");
}
