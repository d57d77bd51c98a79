/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: conns CONNECTIONS PORT
 *
 * Many connections at once, as many as memory allows and not as many as one
 * process may have open files: pairs of processes, each pair on an address of
 * its own, clients named "conns" and servers named "conns-up". Takes commands on
 * standard input, answers each with a JSON line:
 *   open      connect all
 *   ask N     on each connection N times a request and its response
 *   fail      a request on each, and the server closes without a response
 *   close     the clients close all
 *   drop      the servers close all, the clients then too
 * Ends with its standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIR_MAX 15000
#define PAIRS    64

static const char ask_text[] = "GET /ask HTTP/1.1\r\nHost: conns\r\n\r\n";
static const char fail_text[] = "GET /fail HTTP/1.1\r\nHost: conns\r\n\r\n";
static const char reply_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

struct pair {
	pid_t server, client;
	int to_server, to_client; /* commands */
	int from_server, from_client;
	unsigned connections;
};

static struct pair pairs[PAIRS];
static unsigned pair_count;

static void die(const char *what)
{
	fprintf(stderr, "conns: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address(unsigned pair, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(0x7f000201 + pair); /* 127.0.2.1 and on */
	return a;
}

static void tell(int fd, unsigned failed)
{
	if (write(fd, &failed, sizeof(failed)) != sizeof(failed))
		die("tell");
}

/* --- a server --- */

static void serve(int fd)
{
	char buf[512];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !strncmp(buf, "GET /fail", 9))
		close(fd);
	else if (send(fd, reply_text, sizeof(reply_text) - 1, MSG_NOSIGNAL) < 0)
		close(fd);
}

static void accept_all(int epoll_fd, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int one = 1;

	while ((ev.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		setsockopt(ev.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ev.data.fd, &ev))
			die("epoll_ctl");
	}
}

/* The only descriptors above the three that it always has are connections. */
static void drop_all(int above)
{
	for (int fd = above + 1; fd < 20000; fd++)
		close(fd);
}

static void server(int listener, int commands, int answers)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[256], in = { .events = EPOLLIN };
	int highest = epoll_fd;

	prctl(PR_SET_NAME, "conns-up");
	in.data.fd = listener;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &in);
	in.data.fd = commands;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, commands, &in);
	for (;;) {
		int n = epoll_wait(epoll_fd, ev, 256, -1);

		for (int i = 0; i < n; i++) {
			char command;

			if (ev[i].data.fd == listener) {
				accept_all(epoll_fd, listener);
			} else if (ev[i].data.fd == commands) {
				if (read(commands, &command, 1) != 1)
					return;
				drop_all(highest);
				tell(answers, 0);
				break;
			} else {
				serve(ev[i].data.fd);
			}
		}
	}
}

/* --- a client --- */

static int dial(const struct sockaddr_in *to)
{
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool all_sent(int fd, const char *text, size_t len)
{
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static unsigned ask_all(const int *fds, unsigned count, bool fail)
{
	const char *text = fail ? fail_text : ask_text;
	size_t len = strlen(text);
	unsigned failed = 0;
	char buf[512];

	for (unsigned i = 0; i < count; i++)
		failed += !all_sent(fds[i], text, len);
	for (unsigned i = 0; i < count; i++) {
		ssize_t n = recv(fds[i], buf, sizeof(buf), 0);

		failed += fail ? n != 0 : n != sizeof(reply_text) - 1;
	}
	return failed;
}

static unsigned await_ends(const int *fds, unsigned count)
{
	unsigned failed = 0;
	char byte;

	for (unsigned i = 0; i < count; i++)
		failed += recv(fds[i], &byte, 1, 0) != 0;
	return failed;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

struct order {
	char what; /* the command's first letter, 'w' for the second part of drop */
	unsigned times;
};

static void client(const struct sockaddr_in *to, unsigned count, int commands, int answers)
{
	int *fds = calloc(count, sizeof(*fds));
	struct order o;

	while (fds && read(commands, &o, sizeof(o)) == sizeof(o)) {
		unsigned failed = 0;

		for (unsigned i = 0; o.what == 'o' && i < count; i++)
			failed += (fds[i] = dial(to)) < 0;
		for (unsigned i = 0; o.what == 'a' && i < o.times; i++)
			failed += ask_all(fds, count, false);
		if (o.what == 'f')
			failed = ask_all(fds, count, true);
		if (o.what == 'w')
			failed = await_ends(fds, count);
		if (o.what == 'c' || o.what == 'f' || o.what == 'w')
			close_all(fds, count);
		tell(answers, failed);
	}
	free(fds);
}

/* --- all of them --- */

static void pipe_or_die(int fd[2])
{
	if (pipe(fd))
		die("pipe");
}

static void start(unsigned number, unsigned connections, unsigned port)
{
	struct pair *p = &pairs[number];
	struct sockaddr_in at = address(number, port);
	int to_s[2], to_c[2], from_s[2], from_c[2], one = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 4096))
		die("listen");
	pipe_or_die(to_s);
	pipe_or_die(to_c);
	pipe_or_die(from_s);
	pipe_or_die(from_c);
	p->connections = connections;
	p->server = fork();
	if (!p->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		server(listener, to_s[0], from_s[1]);
		_exit(0);
	}
	close(listener);
	p->client = fork();
	if (!p->client) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		client(&at, connections, to_c[0], from_c[1]);
		_exit(0);
	}
	close(to_s[0]);
	close(to_c[0]);
	close(from_s[1]);
	close(from_c[1]);
	p->to_server = to_s[1];
	p->to_client = to_c[1];
	p->from_server = from_s[0];
	p->from_client = from_c[0];
}

static unsigned heard(int fd)
{
	unsigned failed;

	if (read(fd, &failed, sizeof(failed)) != sizeof(failed))
		die("a child ended");
	return failed;
}

static unsigned clients_do(char what, unsigned times)
{
	struct order o = { .what = what, .times = times };
	unsigned failed = 0;

	for (unsigned i = 0; i < pair_count; i++)
		if (write(pairs[i].to_client, &o, sizeof(o)) != sizeof(o))
			die("command");
	for (unsigned i = 0; i < pair_count; i++)
		failed += heard(pairs[i].from_client);
	return failed;
}

static void servers_drop(void)
{
	for (unsigned i = 0; i < pair_count; i++)
		if (write(pairs[i].to_server, "d", 1) != 1)
			die("command");
	for (unsigned i = 0; i < pair_count; i++)
		heard(pairs[i].from_server);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void obey(const char *line, unsigned number)
{
	double begun = seconds();
	unsigned times = 1, failed;

	sscanf(line, "ask %u", &times);
	if (line[0] == 'd') {
		servers_drop();
		failed = clients_do('w', 1);
	} else {
		failed = clients_do(line[0], times);
	}
	printf("{\"event\":\"done\",\"n\":%u,\"failed\":%u,\"seconds\":%.6f}\n", number, failed,
	       seconds() - begun);
}

int main(int argc, char **argv)
{
	unsigned left = argc == 3 ? atoi(argv[1]) : 0, number = 0;
	char line[64];

	if (!left || left > PAIRS * PAIR_MAX) {
		fputs("usage: conns CONNECTIONS PORT\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (left) {
		unsigned share = left < PAIR_MAX ? left : PAIR_MAX;

		start(pair_count++, share, atoi(argv[2]));
		left -= share;
	}
	printf("{\"event\":\"ready\",\"port\":%s,\"pid\":%d}\n", argv[2], getpid());
	while (fgets(line, sizeof(line), stdin))
		obey(line, ++number);
	for (unsigned i = 0; i < pair_count; i++) {
		kill(pairs[i].client, SIGKILL);
		kill(pairs[i].server, SIGKILL);
		waitpid(pairs[i].client, NULL, 0);
		waitpid(pairs[i].server, NULL, 0);
	}
	return 0;
}
