/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/service.h"
#include "base/util.h"
#include "source/capture.h"
#include "daemon/health.h"
#include "config/listen.h"
#include "daemon/status_page.h"
#include "base/log.h"

/* Sockets at most: one of our own, or several of systemd's. */
#define SERVERS 4
/* Beyond so many the one that has been silent longest makes room for the next. */
#define CLIENTS 64
/* The library's own limit is for a burst within one turn: at it, it no longer looks at newcomers. */
#define CLIENTS_MOST  512
#define CLIENT_MEMORY 16384
/* Without a byte; longer than Prometheus' usual minute, so that it may keep its connection. */
#define IDLE_S 90
/* To its first, or its next answer. */
#define ANSWER_S 180
/* Somebody who asks more often gets the same answer. */
#define CACHE_NS 1000000000ULL
#define PEM_MAX  65536

struct client {
	struct client *next;
	MHD_socket fd;
	uint64_t since_ns; /* its start, or its newest answer */
	bool ended;        /* by us */
};

struct server {
	struct uc_httpd *http;
	struct MHD_Daemon *mhd;
	struct uc_loop_source source;
	uint64_t due_ns; /* what the library waits for */
};

struct uc_httpd {
	struct uc_loop *loop;
	struct server server[SERVERS];
	size_t server_count;
	char *listen; /* as configured, and its socket; -1: none of our own */
	int listen_fd;
	struct client *clients; /* the newest first */
	size_t client_count;
	struct uc_view *view;
	bool page;
	char *cached; /* the newest exposition */
	size_t cached_len;
	uint64_t cached_ns;
};

/* --- answers ------------------------------------------------------------------------ */

struct answer {
	unsigned status;
	const char *type;
	char *text; /* malloc'ed */
	size_t len;
};

static char *metrics_text(struct uc_httpd *h, size_t *ret_len)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);
	char *copy;

	if (!h->cached || now - h->cached_ns >= CACHE_NS) {
		free(h->cached);
		uc_view_refresh(h->view);
		h->cached = uc_metrics_write(h->view, &h->cached_len);
		h->cached_ns = now;
	}
	copy = h->cached ? malloc(h->cached_len) : NULL;
	if (copy)
		memcpy(copy, h->cached, h->cached_len);
	*ret_len = h->cached_len;
	return copy;
}

static struct answer answer_metrics(struct uc_httpd *h)
{
	struct answer a = { .status = MHD_HTTP_OK,
			    .type = "text/plain; version=0.0.4; charset=utf-8" };

	a.text = metrics_text(h, &a.len);
	return a;
}

static struct answer plain(unsigned status, const char *text)
{
	return (struct answer){ .status = status,
				.type = "text/plain; charset=utf-8",
				.text = strdup(text),
				.len = strlen(text) };
}

static struct answer answer_health(struct uc_httpd *h)
{
	char why[UC_HEALTH_WHY], line[UC_HEALTH_WHY + 1];

	h->view->now_ns = uc_now_ns(CLOCK_MONOTONIC);
	if (uc_healthy(h->view, why))
		return plain(MHD_HTTP_OK, "ok\n");
	snprintf(line, sizeof(line), "%s\n", why);
	return plain(MHD_HTTP_SERVICE_UNAVAILABLE, line);
}

static struct answer answer_page(struct uc_httpd *h)
{
	struct answer a = { .status = MHD_HTTP_OK, .type = "text/html; charset=utf-8" };

	if (!h->page)
		return plain(MHD_HTTP_NOT_FOUND, "The page is off (metrics.page).\n");
	uc_view_refresh(h->view);
	a.text = uc_status_page_write(h->view, &a.len);
	return a;
}

static const struct {
	const char *path;
	struct answer (*answer)(struct uc_httpd *h);
} routes[] = {
	{ "/", answer_page },
	{ "/metrics", answer_metrics },
	{ "/healthz", answer_health },
};

static struct answer answer_to(struct uc_httpd *h, const char *path, const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return plain(MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only.\n");
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (!strcmp(routes[i].path, path))
			return routes[i].answer(h);
	return plain(MHD_HTTP_NOT_FOUND, "There are /, /metrics and /healthz.\n");
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *a)
{
	static const char *const headers[][2] = {
		{ "Cache-Control", "no-store" },
		{ "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; "
					     "base-uri 'none'; form-action 'none'; "
					     "frame-ancestors 'none'" },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Content-Type-Options", "nosniff" },
	};
	struct MHD_Response *r;
	enum MHD_Result done;

	if (!a->text)
		return MHD_NO;
	r = MHD_create_response_from_buffer(a->len, a->text, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(a->text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		MHD_add_response_header(r, headers[i][0], headers[i][1]);
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	done = MHD_queue_response(c, a->status, r);
	MHD_destroy_response(r);
	return done;
}

/* Called with the headers, for each part of a body, and at the request's end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **state)
{
	static int seen;
	struct uc_httpd *h = ctx;
	struct answer a;

	(void)version;
	(void)body;
	if (!*state &&
	    (!strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD))) {
		*state = &seen;
		return MHD_YES;
	}
	if (*body_len) {
		*body_len = 0;
		return MHD_YES;
	}
	a = answer_to(h, path, method);
	return send_answer(c, &a);
}

/* --- clients ------------------------------------------------------------------------ */

/* Otherwise a few dozen silent ones would keep everybody else waiting. */
static void make_room(struct uc_httpd *h)
{
	struct client *longest = NULL;

	for (struct client *c = h->clients; c; c = c->next)
		if (!c->ended && (!longest || c->since_ns < longest->since_ns))
			longest = c;
	if (!longest)
		return;
	longest->ended = true;
	shutdown(longest->fd, SHUT_RDWR);
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct uc_httpd *h = ctx;
	struct client *client = *state, **at;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		client = calloc(1, sizeof(*client));
		*state = client;
		if (!client)
			return;
		client->fd = info->connect_fd;
		client->since_ns = uc_now_ns(CLOCK_MONOTONIC);
		client->next = h->clients;
		h->clients = client;
		if (++h->client_count > CLIENTS)
			make_room(h);
		return;
	}
	for (at = &h->clients; client && *at; at = &(*at)->next) {
		if (*at != client)
			continue;
		*at = client->next;
		h->client_count--;
		free(client);
		return;
	}
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode how)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info ? info->socket_context : NULL;

	(void)ctx;
	(void)state;
	(void)how;
	if (client)
		client->since_ns = uc_now_ns(CLOCK_MONOTONIC);
}

/* libmicrohttpd's own timeout starts again with every byte; who sends one now and then is not served. */
static void end_dawdlers(struct uc_httpd *h)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	for (struct client *c = h->clients; c; c = c->next)
		if (now - c->since_ns > ANSWER_S * 1000000000ULL)
			shutdown(c->fd, SHUT_RDWR);
}

/* --- the loop ----------------------------------------------------------------------- */

static int serve(void *ctx)
{
	struct server *s = ctx;
	MHD_UNSIGNED_LONG_LONG wait_ms;

	end_dawdlers(s->http);
	MHD_run(s->mhd);
	if (MHD_get_timeout(s->mhd, &wait_ms) == MHD_NO) {
		s->due_ns = UINT64_MAX;
		return 0;
	}
	/* dawdlers are looked for, whatever the library waits for */
	if (wait_ms > 10000)
		wait_ms = 10000;
	s->due_ns = uc_now_ns(CLOCK_MONOTONIC) + wait_ms * 1000000;
	return 0;
}

static uint64_t due_ns(void *ctx)
{
	return ((const struct server *)ctx)->due_ns;
}

/* A path is compared as it came: "/metrics%00" is another one. */
static size_t leave_as_is(void *ctx, struct MHD_Connection *c, char *path)
{
	(void)ctx;
	(void)c;
	return strlen(path);
}

/* --- start and end ------------------------------------------------------------------ */

static void silent(void *ctx, const char *fmt, va_list args)
{
	(void)ctx;
	(void)fmt;
	(void)args;
}

/* The server gets a descriptor of its own, since it closes it when it ends. */
static int add_server(struct uc_httpd *h, int socket, const char *key, const char *cert)
{
	int fd = fcntl(socket, F_DUPFD_CLOEXEC, 3);
	struct server *s = &h->server[h->server_count];
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key },
					{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)cert },
					{ MHD_OPTION_END, 0, NULL } };
	const union MHD_DaemonInfo *info;

	if (fd < 0)
		return -errno;
	s->http = h;
	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | (key ? MHD_USE_TLS : 0), 0, NULL, NULL,
				  on_request, h, MHD_OPTION_EXTERNAL_LOGGER, silent, NULL,
				  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				  (unsigned)CLIENTS_MOST, MHD_OPTION_CONNECTION_TIMEOUT,
				  (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				  (size_t)CLIENT_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
				  on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
				  MHD_OPTION_UNESCAPE_CALLBACK, leave_as_is, NULL, MHD_OPTION_ARRAY,
				  key ? tls : &tls[2], MHD_OPTION_END);
	if (!s->mhd) {
		close(fd);
		return -EINVAL;
	}
	h->server_count++;
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EINVAL;
	s->source = (struct uc_loop_source){ .fd = info->epoll_fd,
					     .due_ns = due_ns,
					     .run = serve,
					     .ctx = s };
	return uc_loop_add(h->loop, &s->source);
}

static int read_pem(const char *path, char **ret)
{
	size_t len;
	int err = uc_file_read(path, PEM_MAX, ret, &len);

	if (err)
		uc_error("cannot read %s: %s", path, strerror(-err));
	return err;
}

/* Those of systemd's that listen; a negative errno where they are none of ours. */
static int add_activated(struct uc_httpd *h, const char *key, const char *cert)
{
	int count = uc_service_fds(), err = 0;

	if (count > SERVERS) {
		uc_error("systemd handed over %d sockets; %d are served at most", count, SERVERS);
		return -E2BIG;
	}
	for (int i = 0; !err && i < count; i++)
		err = add_server(h, UC_SERVICE_FDS + i, key, cert);
	return err ? err : count;
}

static int add_own(struct uc_httpd *h, const struct uc_metrics_config *cfg,
		   const struct uc_httpd *old, const char *key, const char *cert)
{
	struct uc_listen_addr addr;
	int fd;

	uc_listen_parse(cfg->listen, &addr);
	if (addr.off)
		return 0;
	if (old && old->listen && !strcmp(old->listen, cfg->listen))
		fd = fcntl(old->listen_fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = uc_listen_open(&addr);
	if (fd < 0) {
		uc_error("cannot serve metrics on %s: %s%s", cfg->listen, strerror(-fd),
			 fd == -EADDRINUSE ? "; choose another with metrics.listen" : "");
		return fd;
	}
	h->listen_fd = fd;
	h->listen = strdup(cfg->listen);
	return h->listen ? add_server(h, fd, key, cert) : -ENOMEM;
}

static int add_servers(struct uc_httpd *h, const struct uc_metrics_config *cfg,
		       const struct uc_httpd *old)
{
	char *key = NULL, *cert = NULL;
	int r = 0;

	if (cfg->tls)
		r = read_pem(cfg->tls->key, &key);
	if (!r && cfg->tls)
		r = read_pem(cfg->tls->certificate, &cert);
	if (!r)
		r = add_activated(h, key, cert);
	if (!r)
		r = add_own(h, cfg, old, key, cert);
	if (r == -EINVAL)
		uc_error("cannot serve metrics%s",
			 key ? ": the certificate or its key is not good" : "");
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(cert);
	return r < 0 ? r : 0;
}

int uc_httpd_new(const struct uc_metrics_config *cfg, struct uc_loop *loop, struct uc_view *view,
		 const struct uc_httpd *old, struct uc_httpd **ret)
{
	struct uc_httpd *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->view = view;
	h->listen_fd = -1;
	h->page = uc_metrics_page(cfg);
	err = add_servers(h, cfg, old);
	if (err) {
		uc_httpd_free(h);
		return err;
	}
	*ret = h;
	return 0;
}

void uc_httpd_free(struct uc_httpd *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->server_count; i++) {
		uc_loop_remove(h->loop, &h->server[i].source);
		MHD_stop_daemon(h->server[i].mhd);
	}
	if (h->listen_fd >= 0)
		close(h->listen_fd);
	free(h->listen);
	free(h->cached);
	free(h);
}
