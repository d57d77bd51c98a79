/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: load [-n] [-c CONNECTIONS] [-r RATE] [-d SECONDS] ADDR:PORT[,ADDR:PORT...] PATH
 *
 * An HTTP/1.1 client that sends RATE requests a second, whatever the server does.
 * Request i is due at i / RATE after the start; its latency runs from then, not
 * from when a connection was free to send it, so a server that stalls pays for
 * every request that it kept from being sent. -n: a new connection for each.
 * Ends when all requests of the time are answered, or 5 s later. Prints one JSON
 * object; a request without a whole response counts as failed. A response needs
 * a Content-Length.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_TARGETS 64
#define GRACE_NS    5000000000ULL
#define HEAD        4096

/* Log-linear: 64 steps for each power of two, so a step is at most 1.6 % of its value. */
#define STEPS   64
#define BUCKETS (STEPS * 40)

struct conn {
	int fd; /* -1: none */
	bool busy;
	bool connecting;
	uint64_t due_ns;
	size_t head_len;
	int64_t body_left; /* -1: the header is not complete */
	unsigned status;
	char head[HEAD];
};

static struct {
	struct sockaddr_in target[MAX_TARGETS];
	unsigned targets, next_target;
	unsigned connections;
	double rate, seconds;
	bool new_each;
	char request[512];
	size_t request_len;
} cfg = { .connections = 64, .rate = 1000, .seconds = 2 };

static struct {
	uint64_t done, failed, not_200, connects, bytes, late_max_ns;
	uint64_t bucket[BUCKETS];
	uint64_t max_ns, last_ns;
} seen;

static struct conn *conns;
static unsigned *idle; /* a stack: the most recently used connection first, as a pool has it */
static unsigned idle_count;
static int epoll_fd;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned shift = 0, b;

	while (ns >> shift >= 2 * STEPS)
		shift++;
	b = shift * STEPS + (ns >> shift);
	return b < BUCKETS ? b : BUCKETS - 1;
}

/* The middle of the bucket. */
static uint64_t bucket_ns(unsigned b)
{
	unsigned shift = b < 2 * STEPS ? 0 : b / STEPS - 1;

	return ((uint64_t)(b - shift * STEPS) << shift) + (1ULL << shift) / 2;
}

static uint64_t quantile_ns(double q)
{
	uint64_t n = 0, want = q * seen.done;

	for (unsigned b = 0; b < BUCKETS; b++) {
		n += seen.bucket[b];
		if (n > want)
			return bucket_ns(b);
	}
	return seen.max_ns;
}

static void drop(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void finish(struct conn *c, bool whole)
{
	uint64_t now = now_ns(), took = now - c->due_ns;

	c->busy = false;
	c->connecting = false;
	idle[idle_count++] = c - conns;
	seen.last_ns = now;
	if (!whole) {
		seen.failed++;
		drop(c);
		return;
	}
	seen.done++;
	seen.not_200 += c->status != 200;
	seen.bucket[bucket_of(took)]++;
	if (took > seen.max_ns)
		seen.max_ns = took;
	if (cfg.new_each)
		drop(c);
}

static void send_request(struct conn *c)
{
	ssize_t n = send(c->fd, cfg.request, cfg.request_len, MSG_NOSIGNAL);

	if (n != (ssize_t)cfg.request_len)
		finish(c, false);
}

static int dial(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	const struct sockaddr_in *to = &cfg.target[cfg.next_target++ % cfg.targets];
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	seen.connects++;
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
		return -errno;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev))
		return -errno;
	c->connecting = true;
	return 0;
}

static void begin(struct conn *c, uint64_t due_ns)
{
	c->busy = true;
	c->due_ns = due_ns;
	c->head_len = 0;
	c->body_left = -1;
	c->status = 0;
	if (c->fd >= 0)
		send_request(c);
	else if (dial(c))
		finish(c, false);
}

/* 1: the header is whole, and *ret_body bytes of its body have come; -1: it is no header. */
static int header(struct conn *c, size_t *ret_body)
{
	char *end, *length;

	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return c->head_len == HEAD - 1 ? -1 : 0;
	*end = '\0';
	length = strcasestr(c->head, "\r\nContent-Length:");
	if (!length || sscanf(c->head, "HTTP/1.%*c %u", &c->status) != 1)
		return -1;
	c->body_left = strtoll(length + 17, NULL, 10);
	*ret_body = c->head_len - (end + 4 - c->head);
	return 1;
}

static void take(struct conn *c, size_t body)
{
	c->body_left -= body;
	if (c->body_left <= 0)
		finish(c, c->body_left == 0);
}

static ssize_t receive(struct conn *c)
{
	static char sink[262144];
	size_t body;
	ssize_t n;
	int whole;

	if (c->body_left >= 0) {
		n = recv(c->fd, sink, sizeof(sink), 0);
		if (n > 0)
			take(c, n);
		return n;
	}
	n = recv(c->fd, c->head + c->head_len, HEAD - 1 - c->head_len, 0);
	if (n <= 0)
		return n;
	c->head_len += n;
	whole = header(c, &body);
	if (whole > 0)
		take(c, body);
	return whole < 0 ? 0 : n;
}

static void on_event(struct conn *c, uint32_t events)
{
	ssize_t n = 1;

	if (c->connecting && events & EPOLLOUT && !(events & EPOLLERR)) {
		c->connecting = false;
		send_request(c);
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	while (c->busy && c->fd >= 0 && n > 0) {
		n = receive(c);
		if (n > 0)
			seen.bytes += n;
	}
	if (!c->busy) {
		/* the server closed an idle connection */
		if (c->fd >= 0 && events & (EPOLLHUP | EPOLLERR))
			drop(c);
		return;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN))
		finish(c, false);
}

static void wait_until(uint64_t ns)
{
	struct epoll_event ev[256];
	uint64_t now = now_ns(), left = ns > now ? ns - now : 0;
	struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	int n = epoll_pwait2(epoll_fd, ev, 256, &ts, NULL);

	for (int i = 0; i < n; i++)
		on_event(ev[i].data.ptr, ev[i].events);
}

static uint64_t run(void)
{
	uint64_t start = now_ns(), total = cfg.rate * cfg.seconds, sent = 0, now = start;
	uint64_t end = start + cfg.seconds * 1e9 + GRACE_NS;

	while (seen.done + seen.failed < total && now < end) {
		uint64_t due = sent < total ? start + sent * (1e9 / cfg.rate) : end;

		while (due <= now && idle_count && sent < total) {
			if (now - due > seen.late_max_ns)
				seen.late_max_ns = now - due;
			begin(&conns[idle[--idle_count]], due);
			sent++;
			due = start + sent * (1e9 / cfg.rate);
		}
		wait_until(!idle_count || sent >= total ? end : due);
		now = now_ns();
	}
	/* what was never sent was not answered either */
	seen.failed = total - seen.done;
	return start;
}

static void print(uint64_t start_ns)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"rate\":%.1f,\"seconds\":%.3f,\"done\":%lu,\"failed\":%lu,\"not_200\":%lu,"
	       "\"connects\":%lu,\"bytes\":%lu,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,"
	       "\"p999_us\":%.1f,\"max_us\":%.1f,\"send_late_max_us\":%.1f,\"cpu_s\":%.3f}\n",
	       cfg.rate, (seen.last_ns - start_ns) / 1e9, seen.done, seen.failed, seen.not_200,
	       seen.connects, seen.bytes, quantile_ns(0.5) / 1e3, quantile_ns(0.9) / 1e3,
	       quantile_ns(0.99) / 1e3, quantile_ns(0.999) / 1e3, seen.max_ns / 1e3,
	       seen.late_max_ns / 1e3,
	       ru.ru_utime.tv_sec + ru.ru_stime.tv_sec +
		       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
}

static int targets_parse(char *list)
{
	for (char *t = strtok(list, ","); t; t = strtok(NULL, ",")) {
		struct sockaddr_in *to = &cfg.target[cfg.targets];
		char *colon = strchr(t, ':');

		if (!colon || cfg.targets == MAX_TARGETS)
			return -1;
		*colon = '\0';
		to->sin_family = AF_INET;
		to->sin_port = htons(atoi(colon + 1));
		if (inet_pton(AF_INET, t, &to->sin_addr) != 1)
			return -1;
		cfg.targets++;
	}
	return cfg.targets ? 0 : -1;
}

static int usage(void)
{
	fputs("usage: load [-n] [-c CONNECTIONS] [-r RATE] [-d SECONDS] ADDR:PORT[,...] PATH\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "nc:r:d:")) != -1) {
		if (opt == 'n')
			cfg.new_each = true;
		else if (opt == 'c')
			cfg.connections = atoi(optarg);
		else if (opt == 'r')
			cfg.rate = atof(optarg);
		else if (opt == 'd')
			cfg.seconds = atof(optarg);
		else
			return usage();
	}
	if (argc - optind != 2 || targets_parse(argv[optind]) || !cfg.connections ||
	    cfg.rate <= 0 || cfg.seconds <= 0)
		return usage();
	cfg.request_len = snprintf(cfg.request, sizeof(cfg.request),
				   "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: %s\r\n\r\n",
				   argv[optind + 1], cfg.new_each ? "close" : "keep-alive");
	if (cfg.request_len >= sizeof(cfg.request))
		return usage();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(cfg.connections, sizeof(*conns));
	idle = calloc(cfg.connections, sizeof(*idle));
	if (epoll_fd < 0 || !conns || !idle) {
		perror("load");
		return 1;
	}
	for (unsigned i = 0; i < cfg.connections; i++) {
		conns[i].fd = -1;
		idle[idle_count++] = i;
	}
	print(run());
	return 0;
}
