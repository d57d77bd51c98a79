/* SPDX-License-Identifier: BSD-2-Clause */
/* An HTTP server on loopback that answers by a script and keeps what it got. */
#ifndef UPCLOSE_TESTS_RECEIVER_H
#define UPCLOSE_TESTS_RECEIVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVED_MAX 512

enum answer {
	TAKE,   /* 200; also what follows the script's end */
	SILENT, /* reads the request and says nothing, until the client has left */
	RESET,
	EMPTY, /* closes without an answer */
	REPLY, /* what the step says */
};

struct step {
	enum answer how;
	const char *reply; /* a whole response */
};

struct receiver {
	int listener;
	int port;
	pthread_t thread;
	struct step script[32]; /* its own: the test's may be gone when the last request comes */
	size_t steps;
	pthread_mutex_t lock;
	bool stop;
	size_t count;            /* requests, each read to its end */
	size_t taken;            /* of them, answered with 200 */
	char *got[RECEIVED_MAX]; /* head and body */
	bool took[RECEIVED_MAX];
};

static inline size_t receiver_count(struct receiver *r, bool taken)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = taken ? r->taken : r->count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static inline bool receiver_stopped(struct receiver *r)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return stop;
}

/* False: the other side left, or it is time to stop. */
static inline bool receiver_wait(struct receiver *r, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!receiver_stopped(r))
		if (poll(&p, 1, 10) > 0)
			return true;
	return false;
}

/* One request, or NULL. */
static inline char *receiver_read(struct receiver *r, int fd)
{
	size_t len = 0, need = 0, size = 1 << 20;
	char *buf = calloc(1, size), *end, *length;

	while (receiver_wait(r, fd)) {
		ssize_t n = recv(fd, buf + len, size - 1 - len, 0);

		if (n <= 0)
			break;
		len += n;
		end = strstr(buf, "\r\n\r\n");
		length = strcasestr(buf, "\r\nContent-Length:");
		if (end)
			need = end + 4 - buf + (length && length < end ? atol(length + 17) : 0);
		if (end && len >= need)
			return buf;
	}
	free(buf);
	return NULL;
}

static inline void receiver_send(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

/* False: the connection is over. */
static inline bool receiver_answer(struct receiver *r, int fd, const struct step *s)
{
	struct linger reset = { .l_onoff = 1 };
	char c;

	switch (s->how) {
	case TAKE:
		receiver_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
		return true;
	case REPLY:
		receiver_send(fd, s->reply);
		return false;
	case SILENT:
		while (receiver_wait(r, fd) && recv(fd, &c, 1, 0) > 0)
			;
		return false;
	case RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	default:
		return false;
	}
}

static inline void receiver_serve(struct receiver *r, int fd)
{
	static const struct step take = { .how = TAKE };
	char *request;

	while ((request = receiver_read(r, fd))) {
		const struct step *s;

		pthread_mutex_lock(&r->lock);
		s = r->count < r->steps ? &r->script[r->count] : &take;
		r->took[r->count] = s->how == TAKE;
		r->got[r->count] = request;
		r->count += r->count + 1 < RECEIVED_MAX;
		r->taken += s->how == TAKE;
		pthread_mutex_unlock(&r->lock);
		if (!receiver_answer(r, fd, s))
			break;
	}
	close(fd);
}

static inline void *receiver_work(void *ctx)
{
	struct receiver *r = ctx;

	while (receiver_wait(r, r->listener)) {
		int fd = accept(r->listener, NULL, NULL);

		if (fd >= 0)
			receiver_serve(r, fd);
	}
	return NULL;
}

/* port: 0 for any. */
static inline void receiver_start(struct receiver *r, int port, const struct step *script,
				  size_t steps)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(addr);
	int one = 1;

	memset(r, 0, sizeof(*r));
	assert_true(steps <= sizeof(r->script) / sizeof(r->script[0]));
	if (steps)
		memcpy(r->script, script, steps * sizeof(*script));
	r->steps = steps;
	pthread_mutex_init(&r->lock, NULL);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(r->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(r->listener, 16), 0);
	getsockname(r->listener, (struct sockaddr *)&addr, &len);
	r->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&r->thread, NULL, receiver_work, r), 0);
}

static inline void receiver_stop(struct receiver *r)
{
	if (!r->port)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	close(r->listener);
	for (size_t i = 0; i < r->count; i++)
		free(r->got[i]);
	pthread_mutex_destroy(&r->lock);
	memset(r, 0, sizeof(*r));
}

#endif
