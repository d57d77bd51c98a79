/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/streamconf.h"

#include <errno.h>

/* The directives of one level, or of the one above it. */
struct level {
	const struct uc_nginx_directive *pass, *timeout, *connect_timeout, *proxy_protocol;
};

static struct level read_level(const struct uc_nginx_directive *first, struct level above)
{
	const struct uc_nginx_directive *unread = uc_nginx_unread(first);
	struct level l = above;

	if (unread)
		l.timeout = l.connect_timeout = l.proxy_protocol = unread;
	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		if (uc_nginx_named(d, "proxy_pass") && d->count == 2)
			l.pass = d;
		else if (uc_nginx_named(d, "proxy_timeout"))
			l.timeout = d;
		else if (uc_nginx_named(d, "proxy_connect_timeout"))
			l.connect_timeout = d;
		else if (uc_nginx_named(d, "proxy_protocol"))
			l.proxy_protocol = d;
	}
	return l;
}

static int add_server(struct uc_list *streams, const struct uc_nginx_directive *server,
		      struct level above)
{
	struct level l = read_level(server->child, above);
	struct uc_nginx_stream *s;

	if (!l.pass)
		return 0;
	s = uc_list_add(streams, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pass = l.pass;
	s->server = server;
	s->timeout = uc_nginx_value_or(l.timeout, UC_NGINX_FORM_TIME, 600000);
	s->connect_timeout = uc_nginx_value_or(l.connect_timeout, UC_NGINX_FORM_TIME, 60000);
	s->proxy_protocol = uc_nginx_value_or(l.proxy_protocol, UC_NGINX_FORM_FLAG, 0);
	return 0;
}

int uc_nginx_streams(const struct uc_nginx_conf *conf, struct uc_list *streams)
{
	const struct uc_nginx_directive *block = uc_nginx_conf_top(conf);
	int err = 0;

	for (; block; block = block->next) {
		struct level outer;

		if (!uc_nginx_named(block, "stream"))
			continue;
		outer = read_level(block->child, (struct level){ 0 });
		for (const struct uc_nginx_directive *d = block->child; d && !err; d = d->next)
			if (uc_nginx_named(d, "server") && d->body)
				err = add_server(streams, d, outer);
	}
	return err;
}
