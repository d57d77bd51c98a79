/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of a kind of their own: those that upgrade, and those that ask for permission. */
#include "check/rule.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Within the list of proxy_set_header in force, NULL: none. */
static const struct uc_nginx_directive *header_of(const struct uc_nginx_place *p, const char *name)
{
	for (const struct uc_nginx_directive *d = p->headers.first; d; d = d->next)
		if (uc_nginx_named(d, "proxy_set_header") && d->count == 3 &&
		    d->words[1].len == strlen(name) &&
		    !strncasecmp(d->words[1].p, name, d->words[1].len))
			return d;
	return NULL;
}

static bool upgrades(const struct uc_nginx_place *p)
{
	return p->protocol == UC_NGINX_PROXY && p->values[UC_NGINX_HTTP_VERSION].n == 11 &&
	       header_of(p, "Upgrade");
}

void uc_rule_websocket_timeout(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *read = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_finding *f;

	if (!upgrades(p) || read->n < 0 || read->n > 60000)
		return;
	f = uc_rule_found(j, UC_SEVERITY_NOTE, read->from ? read->from : p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(f->message,
		    "an upgraded connection, such as a WebSocket, is closed after %s of silence",
		    uc_time_text(read->n).s);
	uc_rule_setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	uc_rule_say(f->why,
		    "proxy_read_timeout counts between two reads, also once a connection is "
		    "upgraded; what the client sends does not count");
	uc_rule_say(f->change,
		    "an application that pings more often, or `proxy_read_timeout 1h;` in a "
		    "location for what upgrades");
}

/* --- auth_request -------------------------------------------------------------------------- */

/* The auth_request of the server{} that goes to this location by its plain name, or NULL. */
static const struct uc_nginx_directive *asks(const struct uc_nginx_directive *first,
					     const struct uc_nginx_word *path)
{
	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		const struct uc_nginx_directive *below = d->child ? asks(d->child, path) : NULL;

		if (uc_nginx_named(d, "auth_request") && d->count == 2 &&
		    d->words[1].len == path->len && !memcmp(d->words[1].p, path->p, path->len))
			return d;
		if (below)
			return below;
	}
	return NULL;
}

static const struct uc_nginx_directive *asked_by(const struct uc_nginx_place *p)
{
	const struct uc_nginx_directive *location = p->block;

	while (location && !uc_nginx_named(location, "location"))
		location = location->parent;
	return location && p->server ?
		       asks(p->server->child, &location->words[location->count - 1]) :
		       NULL;
}

void uc_rule_auth_request_body(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_directive *by;
	struct uc_finding *f;

	if (p->protocol != UC_NGINX_PROXY || header_of(p, "Content-Length") ||
	    p->headers.connection == UC_NGINX_CONNECTION_UNREAD || p->unread)
		return;
	by = asked_by(p);
	if (!by)
		return;
	f = uc_rule_found(j, UC_SEVERITY_WARNING, p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"auth_request at %s passes Content-Length on to %s, and no body comes behind it",
		uc_place_text(j, by).s, c->server ? uc_addr_text(c->server).s : "its upstream");
	uc_rule_say(f->why, "a server that reads the body that was announced waits for it until a "
			    "timeout, and each request with a body fails");
	uc_rule_say(f->change,
		    "`proxy_pass_request_body off;` and `proxy_set_header Content-Length "
		    "\"\";` in this location");
}
