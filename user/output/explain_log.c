/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences for what nginx says of a request that got no connection to an upstream. */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "output/sentences.h"

/* What led to it, as far as it was seen. */
static void name_causes(const struct uc_log_event *ev, struct uc_explanation *e)
{
	char where[UC_ADDR_LEN], line[UC_EXPLAIN_LEN];
	size_t at = 0;

	for (size_t i = 0; i < ev->cause_count && at < sizeof(line); i++) {
		const struct uc_log_cause *c = &ev->causes[i];

		uc_text_endpoint(c->addr.addr, 0, c->addr.port, where);
		at += snprintf(line + at, sizeof(line) - at, "%s%s at %s, %s before", i ? "; " : "",
			       uc_verdict_name(c->verdict), where,
			       uc_span(ev->words->ts_ns - c->end_ns).text);
	}
	if (at)
		uc_add(&e->advice, "Failures just before: %s.", line);
}

static void explain_no_live(const struct uc_log_event *ev, struct uc_explanation *e)
{
	uc_say(e,
	       "nginx had no server left to try for this request: all of the upstream group were "
	       "marked as failed (max_fails, fail_timeout) or down, so the client got a 502 "
	       "without an attempt.");
	uc_add(&e->advice,
	       "Repair what failed first: each server is left out for fail_timeout (10 s by "
	       "default) after max_fails (1) failures.");
	name_causes(ev, e);
}

static void explain_connect(const struct uc_log_event *ev, struct uc_explanation *e)
{
	switch (ev->words->err) {
	case ENOENT:
		uc_say(e, "nginx could not connect: the unix socket's file does not exist.");
		uc_add(&e->advice,
		       "Start the upstream, or correct the path in nginx's configuration.");
		break;
	case EACCES:
	case EPERM:
		uc_say(e, "nginx was not allowed to connect to the upstream's address.");
		uc_add(&e->advice,
		       "Check the mode and owner of the unix socket and its folders for nginx's "
		       "user, and SELinux (httpd_can_network_connect) or AppArmor.");
		break;
	case EAGAIN:
		uc_say(e, "nginx could not connect: the accept queue of the unix socket is full.");
		uc_add(&e->advice,
		       "The upstream does not accept fast enough: raise its backlog and "
		       "net.core.somaxconn, or give it more workers.");
		break;
	case ECONNREFUSED:
		uc_say(e, "nginx could not connect: nothing listens at the upstream's address.");
		uc_add(&e->advice,
		       "Start the upstream. A unix socket's file that is left over from "
		       "a process that ended refuses so, too.");
		break;
	case EADDRNOTAVAIL:
		uc_say(e, "nginx could not connect: no local port is free towards the upstream.");
		uc_add(&e->advice, "Keep upstream connections alive, or widen "
				   "net.ipv4.ip_local_port_range.");
		break;
	default:
		uc_say(e, "nginx could not open a connection to the upstream.");
	}
}

void uc_explain_log_event(const struct uc_log_event *ev, struct uc_explanation *e)
{
	e->summary[0] = '\0';
	e->outcome[0] = '\0';
	e->advice.count = 0;
	e->evidence.count = 0;
	switch (ev->words->kind) {
	case UC_WORDS_NO_LIVE_UPSTREAMS:
		explain_no_live(ev, e);
		break;
	case UC_WORDS_CONNECT_FAILED:
		explain_connect(ev, e);
		break;
	case UC_WORDS_RESOLVER_FAILED:
		uc_say(e, "nginx could not resolve the upstream's name, so the client got a 502 "
			  "without an attempt.");
		uc_add(&e->advice,
		       "Check the name, and that the servers of `resolver` answer nginx.");
		break;
	case UC_WORDS_WORKER_CONNECTIONS:
		uc_say(e,
		       "nginx's worker had no connection left (worker_connections), so it could not "
		       "open one to the upstream.");
		uc_add(&e->advice,
		       "Raise worker_connections (and worker_rlimit_nofile): each proxied "
		       "request takes two.");
		break;
	case UC_WORDS_ADDRESS_INVALID:
		uc_say(e, "nginx could make no address of proxy_pass with its variables.");
		uc_add(&e->advice,
		       "Check the values of the variables in proxy_pass for this request.");
		break;
	case UC_WORDS_SOCKET_FAILED:
		uc_say(e, "nginx could not make a socket towards the upstream.");
		uc_add(&e->advice, "Look at the error: a limit of open files, or an address of "
				   "proxy_bind that this host does not have.");
		break;
	default:
		uc_say(e, "nginx said this of no connection to an upstream that is followed.");
	}
}
