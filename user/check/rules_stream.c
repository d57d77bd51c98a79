/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that stream{} passes on. */
#include "check/rule.h"

#include <string.h>

#include "base/text.h"
#include "core/nginx/streamconf.h"

static struct uc_rule_text target_text(const struct uc_nginx_stream *s)
{
	struct uc_rule_text t = { "" };

	uc_text_escape(s->pass->words[1].p, s->pass->words[1].len, t.s, sizeof(t.s));
	return t;
}

void uc_rule_stream_timeout(struct uc_judge *j)
{
	for (size_t i = 0; i < j->stream_count; i++) {
		const struct uc_nginx_stream *s = &j->streams[i];
		struct uc_finding *f;

		if (s->timeout.from || s->timeout.n < 0)
			continue;
		f = uc_rule_found(j, UC_SEVERITY_NOTE, s->pass, NULL, NULL);
		if (!f)
			continue;
		f->cause = j->rule;
		uc_rule_say(f->message,
			    "nginx closes a connection to %s after %s without data, by default",
			    target_text(s).s, uc_time_text(s->timeout.n).s);
		uc_rule_figure(f, "nginx", s->timeout.n, true, "proxy_timeout by default");
		uc_rule_say(f->why,
			    "clients that keep connections in a pool, as those of databases do, "
			    "find them closed, and their next query fails");
		uc_rule_say(f->change,
			    "`proxy_timeout` above the longest that clients keep one idle");
	}
}

/* --- the PROXY protocol -------------------------------------------------------------------- */

static bool has_word(const struct uc_nginx_directive *d, const char *word)
{
	for (uint32_t i = 2; i < d->count; i++)
		if (uc_nginx_word_is(&d->words[i], word))
			return true;
	return false;
}

static bool is_local(const struct uc_nginx_word *host)
{
	return uc_nginx_word_is(host, "127.0.0.1") || uc_nginx_word_is(host, "localhost");
}

/* `listen 8080`; 0: it is no port alone. */
static unsigned port_alone(const struct uc_nginx_word *w)
{
	unsigned port = 0;

	for (uint32_t i = 0; i < w->len; i++) {
		if (w->p[i] < '0' || w->p[i] > '9' || port > 65535)
			return 0;
		port = port * 10 + (w->p[i] - '0');
	}
	return port;
}

/* What a target on this host reaches. */
static bool listens(const struct uc_nginx_directive *d, const struct uc_nginx_endpoint *to)
{
	struct uc_nginx_endpoint at = uc_nginx_endpoint(d->words[1], 80);

	if (at.unix_socket || to->unix_socket)
		return at.unix_socket && to->unix_socket && at.host.len == to->host.len &&
		       !memcmp(at.host.p, to->host.p, at.host.len);
	if (port_alone(&d->words[1]))
		return port_alone(&d->words[1]) == to->port;
	return at.port == to->port && (is_local(&at.host) || uc_nginx_word_is(&at.host, "*") ||
				       uc_nginx_word_is(&at.host, "0.0.0.0"));
}

/* The listen of a server{} in this file's http{} that takes what goes there, or NULL. */
static const struct uc_nginx_directive *listen_of(const struct uc_nginx_directive *http,
						  const struct uc_nginx_endpoint *to)
{
	for (const struct uc_nginx_directive *s = http->child; s; s = s->next) {
		if (!uc_nginx_named(s, "server"))
			continue;
		for (const struct uc_nginx_directive *d = s->child; d; d = d->next)
			if (uc_nginx_named(d, "listen") && d->count > 1 && listens(d, to))
				return d;
	}
	return NULL;
}

static const struct uc_nginx_directive *http_listen(const struct uc_judge *j,
						    const struct uc_nginx_stream *s)
{
	struct uc_nginx_endpoint to = uc_nginx_endpoint(s->pass->words[1], 0);
	const struct uc_nginx_directive *d = uc_nginx_conf_top(j->cfg.conf);

	if (!to.unix_socket && !is_local(&to.host))
		return NULL;
	while (d && !(uc_nginx_named(d, "http") && d->body))
		d = d->next;
	return d ? listen_of(d, &to) : NULL;
}

void uc_rule_proxy_protocol(struct uc_judge *j)
{
	for (size_t i = 0; i < j->stream_count; i++) {
		const struct uc_nginx_stream *s = &j->streams[i];
		const struct uc_nginx_directive *listen = http_listen(j, s);
		struct uc_finding *f;

		if (!listen || s->proxy_protocol.n < 0 ||
		    has_word(listen, "proxy_protocol") == (s->proxy_protocol.n == 1))
			continue;
		f = uc_rule_found(j, UC_SEVERITY_ERROR, s->pass, NULL, NULL);
		if (!f)
			continue;
		uc_rule_say(f->message,
			    "stream{} passes to %s %s the PROXY protocol, and `listen` at %s %s",
			    target_text(s).s, s->proxy_protocol.n ? "with" : "without",
			    uc_place_text(j, listen).s,
			    s->proxy_protocol.n ? "does not take it" : "wants it");
		uc_rule_say(
			f->why, "%s",
			s->proxy_protocol.n ?
				"each request is a 400: its first line is that of the PROXY protocol" :
				"nginx closes each connection: \"broken header\" in its error log");
		uc_rule_say(f->change, "`proxy_protocol` on both sides, or on neither");
	}
}
