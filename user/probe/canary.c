/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/canary.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"

#define MS         1000000ULL
#define PAGE_KEPT  1024
#define BODY_MAX   (16 << 20) /* what is longer has been answered */
#define CONNECT_MS 10000L
#define EVENTS     16

struct canary {
	struct uc_canaries *set;
	size_t which;
	uint64_t next_ns; /* of the next run; UINT64_MAX: none */
	uint64_t runs;
	CURL *easy; /* while it runs */
	struct curl_slist *headers;
	char *url;
	uint64_t start_wall_ns;
	uint64_t body_bytes;
	bool stopped; /* the body became too long */
	size_t page_len;
	char page[PAGE_KEPT];
	char server[128];
	char error[CURL_ERROR_SIZE];
};

struct uc_canaries {
	void (*on_result)(void *ctx, size_t which, const struct uc_canary_result *r);
	void *ctx;
	CURLM *multi;
	int epoll;
	uint64_t due_ns; /* libcurl's */
	size_t count;
	const struct uc_canary_spec *specs;
	struct canary canary[];
};

static int on_socket(CURL *easy, curl_socket_t s, int what, void *ctx, void *known)
{
	struct uc_canaries *c = ctx;
	struct epoll_event e = { .data.fd = s };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(c->epoll, EPOLL_CTL_DEL, s, NULL);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (known || epoll_ctl(c->epoll, EPOLL_CTL_ADD, s, &e))
		epoll_ctl(c->epoll, EPOLL_CTL_MOD, s, &e);
	curl_multi_assign(c->multi, s, c);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct uc_canaries *c = ctx;

	(void)multi;
	c->due_ns = timeout_ms < 0 ? UINT64_MAX : uc_now_ns(CLOCK_MONOTONIC) + timeout_ms * MS;
	return 0;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct canary *c = ctx;
	size_t room = PAGE_KEPT - c->page_len, kept = len < room ? len : room;

	(void)one;
	memcpy(c->page + c->page_len, bytes, kept);
	c->page_len += kept;
	c->body_bytes += len;
	c->stopped = c->body_bytes > BODY_MAX;
	return c->stopped ? 0 : len;
}

static size_t on_header(char *bytes, size_t one, size_t len, void *ctx)
{
	static const char name[] = "server:";
	struct canary *c = ctx;
	size_t at = sizeof(name) - 1, end = len;

	(void)one;
	if (len < at || strncasecmp(bytes, name, at) != 0)
		return len;
	while (at < end && bytes[at] == ' ')
		at++;
	while (end > at && (bytes[end - 1] == '\n' || bytes[end - 1] == '\r'))
		end--;
	uc_text_escape(bytes + at, end - at, c->server, sizeof(c->server));
	return len;
}

static const struct uc_canary_spec *spec_of(const struct canary *c)
{
	return &c->set->specs[c->which];
}

/* libcurl takes a unix socket's path by an option, so the URL has a host of its own. */
static char *url_of(const struct uc_target *to)
{
	char *url = NULL;

	return asprintf(&url, "%s%s", to->origin, to->path + 1) < 0 ? NULL : url;
}

static int set_headers(struct canary *c, const struct uc_requests *r)
{
	for (size_t i = 0; r && i < r->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(c->headers, r->headers[i]);

		if (!longer)
			return -ENOMEM;
		c->headers = longer;
	}
	return 0;
}

static void set_options(struct canary *c)
{
	const struct uc_canary_spec *p = spec_of(c);
	char agent[64];

	snprintf(agent, sizeof(agent), "upclose-canary/%s", uc_version);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(c->easy, CURLOPT_URL, c->url);
	curl_easy_setopt(c->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->easy, CURLOPT_NOBODY, p->requests && p->requests->head ? 1L : 0L);
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)((p->timeout_ns + MS - 1) / MS));
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
	if (p->target->socket)
		curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, p->target->socket);
}

static void clear(struct canary *c)
{
	if (c->easy)
		curl_multi_remove_handle(c->set->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	free(c->url);
	c->easy = NULL;
	c->headers = NULL;
	c->url = NULL;
	c->body_bytes = 0;
	c->page_len = 0;
	c->stopped = false;
	c->server[0] = c->error[0] = '\0';
}

static enum uc_canary_end end_of(const struct canary *c, CURLcode code)
{
	curl_off_t ready_us = 0;

	if (!code || c->stopped)
		return UC_CANARY_END_COMPLETE;
	/* the name, the connection or TLS failed, perhaps by its time */
	curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
	if (!ready_us)
		return UC_CANARY_END_UNCONNECTED;
	return code == CURLE_OPERATION_TIMEDOUT ? UC_CANARY_END_TIMEOUT : UC_CANARY_END_CUT;
}

/* libcurl's own words for a connection that failed name no reason. */
static const char *error_of(const struct canary *c, CURLcode code)
{
	long number = 0;

	if (!code || c->stopped)
		return "";
	curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number)
		return strerror((int)number);
	return c->error[0] ? c->error : curl_easy_strerror(code);
}

static void finish(struct canary *c, CURLcode code)
{
	struct uc_canary_result r = { .start_wall_ns = c->start_wall_ns,
				      .response_bytes = c->body_bytes,
				      .server = c->server,
				      .error = error_of(c, code) };
	curl_off_t first_us = 0, total_us = 0;
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
	curl_easy_getinfo(c->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	r.status = status;
	r.first_byte_ns = status ? (uint64_t)first_us * 1000 : 0;
	r.total_ns = (uint64_t)total_us * 1000;
	r.outcome = uc_canary_judge(end_of(c, code), r.status, c->page, c->page_len);
	c->set->on_result(c->set->ctx, c->which, &r);
	clear(c);
}

/* A run that cannot begin is one that failed, not one that never was. */
static void begin(struct canary *c, uint64_t now)
{
	const struct uc_canary_spec *p = spec_of(c);
	struct uc_canary_result failed = { .outcome = UC_CANARY_CONNECT_FAILED,
					   .server = "",
					   .error = "out of memory" };

	c->runs++;
	c->next_ns = !p->every_ns || c->runs == p->count ? UINT64_MAX : now + p->every_ns;
	c->start_wall_ns = failed.start_wall_ns = uc_now_ns(CLOCK_REALTIME);
	c->easy = curl_easy_init();
	c->url = url_of(p->target);
	if (c->easy && c->url && !set_headers(c, p->requests)) {
		set_options(c);
		if (!curl_multi_add_handle(c->set->multi, c->easy))
			return;
	}
	c->set->on_result(c->set->ctx, c->which, &failed);
	clear(c);
}

static void finish_done(struct uc_canaries *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = msg->data.result;
		struct canary *one = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &one);
		finish(one, code);
	}
}

static void begin_due(struct uc_canaries *c)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < c->count; i++) {
		struct canary *one = &c->canary[i];

		if (now < one->next_ns)
			continue;
		if (one->easy)
			one->next_ns = now + c->specs[i].every_ns;
		else
			begin(one, now);
	}
}

void uc_canaries_step(struct uc_canaries *c)
{
	struct epoll_event events[EVENTS];
	int running, n = epoll_wait(c->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(c->multi, events[i].data.fd, mask, &running);
	}
	if (c->due_ns <= uc_now_ns(CLOCK_MONOTONIC)) {
		c->due_ns = UINT64_MAX;
		curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	finish_done(c);
	begin_due(c);
}

int uc_canaries_fd(const struct uc_canaries *c)
{
	return c->epoll;
}

uint64_t uc_canaries_due(const struct uc_canaries *c)
{
	uint64_t due = c->due_ns;
	bool running = false;

	for (size_t i = 0; i < c->count; i++) {
		running = running || c->canary[i].easy;
		if (c->canary[i].next_ns < due)
			due = c->canary[i].next_ns;
	}
	/* what runs without a timer of libcurl's is woken by its socket */
	return due == UINT64_MAX && running ? uc_now_ns(CLOCK_MONOTONIC) + 1000 * MS : due;
}

int uc_canaries_new(const struct uc_canary_spec *specs, size_t count,
		    void (*on_result)(void *ctx, size_t which, const struct uc_canary_result *r),
		    void *ctx, struct uc_canaries **ret)
{
	struct uc_canaries *c = calloc(1, sizeof(*c) + count * sizeof(c->canary[0]));
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	if (!c)
		return -ENOMEM;
	c->on_result = on_result;
	c->ctx = ctx;
	c->specs = specs;
	c->count = count;
	c->due_ns = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		c->canary[i].set = c;
		c->canary[i].which = i;
		c->canary[i].next_ns = now + specs[i].first_ns;
	}
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->multi = curl_multi_init();
	if (c->epoll < 0 || !c->multi) {
		int err = c->multi ? -errno : -ENOMEM;

		uc_canaries_free(c);
		return err;
	}
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	*ret = c;
	return 0;
}

void uc_canaries_free(struct uc_canaries *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		clear(&c->canary[i]);
	curl_multi_cleanup(c->multi);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c);
}
