/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define MS                1000000ULL
#define CONNECT_TIMEOUT_S 10

/*
 * A multi handle of its own: those that share one have their connections looked
 * over, and closed, by libcurl whenever another is opened.
 */
struct uc_transport {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *connect_to;
	enum uc_transport_state state;
	struct pollfd watched[UC_TRANSPORT_FDS];
	size_t watched_count;
	uint64_t due_ns;
	bool tls, local;
	int fd;
	const char *addr;
	long port;
	char error[CURL_ERROR_SIZE];
};

static void forget(struct uc_transport *w, curl_socket_t s)
{
	for (size_t i = 0; i < w->watched_count; i++)
		if (w->watched[i].fd == s)
			w->watched[i--] = w->watched[--w->watched_count];
}

static int on_socket(CURL *easy, curl_socket_t s, int what, void *ctx, void *unused)
{
	struct uc_transport *w = ctx;
	struct pollfd *p;

	(void)easy;
	(void)unused;
	forget(w, s);
	p = &w->watched[w->watched_count];
	if (what == CURL_POLL_REMOVE || w->watched_count == UC_TRANSPORT_FDS)
		return 0;
	p->fd = s;
	p->events = (what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);
	p->revents = 0;
	w->watched_count++;
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct uc_transport *w = ctx;

	(void)multi;
	w->due_ns = timeout_ms < 0 ? UINT64_MAX : uc_now_ns(CLOCK_MONOTONIC) + timeout_ms * MS;
	return 0;
}

static int set_options(struct uc_transport *w, const struct uc_target *to, const char *addr)
{
	char instead[128];

	curl_easy_setopt(w->easy, CURLOPT_URL, to->origin);
	curl_easy_setopt(w->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(w->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(w->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, w->error);
	/* as nginx talks to an upstream unless told otherwise: no HTTP/2, no verification */
	curl_easy_setopt(w->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(w->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	if (to->socket)
		curl_easy_setopt(w->easy, CURLOPT_UNIX_SOCKET_PATH, to->socket);
	if (addr && *addr) {
		snprintf(instead, sizeof(instead), strchr(addr, ':') ? "::[%s]:" : "::%s:", addr);
		w->connect_to = curl_slist_append(NULL, instead);
		if (!w->connect_to)
			return -ENOMEM;
		curl_easy_setopt(w->easy, CURLOPT_CONNECT_TO, w->connect_to);
	}
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
	return curl_multi_add_handle(w->multi, w->easy) ? -ENOMEM : 0;
}

int uc_transport_new(const struct uc_target *to, const char *addr, struct uc_transport **ret)
{
	struct uc_transport *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return err;
	w->fd = -1;
	w->tls = to->tls;
	w->local = to->socket;
	w->multi = curl_multi_init();
	w->easy = curl_easy_init();
	if (w->multi && w->easy)
		err = set_options(w, to, addr);
	if (err) {
		uc_transport_free(w);
		return err;
	}
	*ret = w;
	return 0;
}

void uc_transport_free(struct uc_transport *w)
{
	if (!w)
		return;
	if (w->multi && w->easy)
		curl_multi_remove_handle(w->multi, w->easy);
	curl_easy_cleanup(w->easy);
	curl_multi_cleanup(w->multi);
	curl_slist_free_all(w->connect_to);
	free(w);
}

enum uc_transport_state uc_transport_state(const struct uc_transport *w)
{
	return w->state;
}

const char *uc_transport_why(const struct uc_transport *w)
{
	return w->error;
}

size_t uc_transport_fds(const struct uc_transport *w, struct pollfd fds[UC_TRANSPORT_FDS])
{
	memcpy(fds, w->watched, w->watched_count * sizeof(fds[0]));
	return w->watched_count;
}

uint64_t uc_transport_due(const struct uc_transport *w)
{
	return w->due_ns;
}

static void opened(struct uc_transport *w)
{
	curl_socket_t s = CURL_SOCKET_BAD;
	char *addr = NULL;

	if (curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &s) || s == CURL_SOCKET_BAD) {
		w->state = UC_TRANSPORT_FAILED;
		snprintf(w->error, sizeof(w->error), "the connection closed as it was opened");
		return;
	}
	curl_easy_getinfo(w->easy, CURLINFO_PRIMARY_IP, &addr);
	curl_easy_getinfo(w->easy, CURLINFO_PRIMARY_PORT, &w->port);
	w->addr = addr && !w->local ? addr : "";
	w->port = w->local ? 0 : w->port;
	w->fd = s;
	w->state = UC_TRANSPORT_OPEN;
}

/* OpenSSL's words, and GnuTLS's two, for a first record that is none of TLS. */
static bool is_plain(const char *error)
{
	static const char *const words[] = { "wrong version number", "unexpected TLS packet",
					     "illegal or unsupported version" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(error, words[i]))
			return true;
	return false;
}

/* libcurl's own words for this are "Couldn't connect to server". */
static void note_failure(struct uc_transport *w, CURLcode code)
{
	long number = 0;

	w->state = UC_TRANSPORT_FAILED;
	curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number)
		snprintf(w->error, sizeof(w->error), "%s", strerror((int)number));
	else if (code == CURLE_SSL_CONNECT_ERROR && is_plain(w->error))
		snprintf(w->error, sizeof(w->error), "it does not speak TLS; try http://");
	else if (!w->error[0])
		snprintf(w->error, sizeof(w->error), "%s", curl_easy_strerror(code));
}

static void follow(struct uc_transport *w)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(w->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		if (msg->data.result)
			note_failure(w, msg->data.result);
		else
			opened(w);
	}
}

void uc_transport_drive(struct uc_transport *w, const struct pollfd *fds, size_t count,
			uint64_t now)
{
	int running, mask;

	if (w->due_ns <= now) {
		w->due_ns = UINT64_MAX;
		curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	for (size_t i = 0; i < count; i++) {
		mask = (fds[i].revents & POLLIN ? CURL_CSELECT_IN : 0) |
		       (fds[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
		       (fds[i].revents & (POLLERR | POLLHUP) ? CURL_CSELECT_ERR : 0);
		if (mask)
			curl_multi_socket_action(w->multi, fds[i].fd, mask, &running);
	}
	follow(w);
}

int uc_transport_fd(const struct uc_transport *w)
{
	return w->fd;
}

const char *uc_transport_addr(const struct uc_transport *w)
{
	return w->addr;
}

unsigned uc_transport_port(const struct uc_transport *w)
{
	return w->port;
}

/* What comes next on the socket: 1 bytes, 0 FIN, or -errno. Takes a pending error with it. */
static int peek(const struct uc_transport *w)
{
	char byte;
	ssize_t n = recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 ? -errno : (int)n;
}

/* libcurl knows no errno here: a reset is found by a look at the socket before. */
ssize_t uc_transport_send(struct uc_transport *w, const void *bytes, size_t len)
{
	int before = peek(w);
	CURLcode code;
	size_t n = 0;

	if (before < 0 && before != -EAGAIN)
		return before;
	code = curl_easy_send(w->easy, bytes, len, &n);
	if (!code)
		return (ssize_t)n;
	return code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

/* TLS may hold bytes that are no longer in the socket, so a FIN there comes second. */
ssize_t uc_transport_recv(struct uc_transport *w, void *buf, size_t len)
{
	int before = peek(w);
	CURLcode code;
	size_t n = 0;

	if (before < 0 && before != -EAGAIN)
		return before;
	code = curl_easy_recv(w->easy, buf, len, &n);
	if (!code)
		return (ssize_t)n;
	if (before == 0)
		return 0;
	if (code == CURLE_AGAIN)
		return -EAGAIN;
	return w->tls && before == 1 ? -EPROTO : -ECONNRESET;
}

int uc_transport_shut(struct uc_transport *w)
{
	if (w->tls)
		return -ENOTSUP;
	return shutdown(w->fd, SHUT_WR) ? -errno : 0;
}

/* The kernel's clock ticks every 10 ms or less; below that our own is the better one. */
static uint64_t arrival(const struct uc_transport *w, uint64_t now, bool data)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	uint64_t age_ns;

	if (w->local || getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return now;
	age_ns = (data ? info.tcpi_last_data_recv : info.tcpi_last_ack_recv) * MS;
	return age_ns > 20 * MS && age_ns < now ? now - age_ns : now;
}

uint64_t uc_transport_data_ns(const struct uc_transport *w, uint64_t now)
{
	return arrival(w, now, true);
}

uint64_t uc_transport_ack_ns(const struct uc_transport *w, uint64_t now)
{
	return arrival(w, now, false);
}
