/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probe/conn.h"

#define SECOND 1000000000ULL
#define ANSWER \
	"HTTP/1.1 200 OK\r\nServer: unit\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"

static struct uc_target to;
static struct uc_probe_config cfg;
static struct uc_probe_conn conn;
static int listening, peer;

static int set_up(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	const char *why;
	char url[64];

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listening = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listening, (struct sockaddr *)&a, sizeof(a)) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&a, &len))
		return -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
	memset(&cfg, 0, sizeof(cfg));
	cfg.groups = 1U << UC_GROUP_IDLE;
	cfg.max_ns = 10 * SECOND;
	cfg.max_requests = 1;
	cfg.samples = 1;
	memset(&conn, 0, sizeof(conn));
	peer = -1;
	return uc_target_parse(url, &to, &why);
}

static int tear_down(void **state)
{
	(void)state;
	uc_probe_conn_release(&conn);
	uc_target_free(&to);
	close(listening);
	if (peer >= 0)
		close(peer);
	return 0;
}

static void begin(enum uc_trial trial)
{
	conn.cfg = &cfg;
	conn.target = &to;
	conn.spec = &uc_trials[trial];
	conn.seen.trial = trial;
	assert_int_equal(uc_probe_conn_open(&conn, "127.0.0.1", uc_now_ns(CLOCK_MONOTONIC)), 0);
}

/* Until it is in this state; five seconds are more than it ever needs here. */
static void turn_until(enum uc_probe_conn_state state)
{
	const uint64_t end = uc_now_ns(CLOCK_MONOTONIC) + 5 * SECOND;

	while (conn.state != state) {
		struct pollfd fds[UC_TRANSPORT_FDS];
		size_t count = uc_probe_conn_fds(&conn, fds);

		if (uc_now_ns(CLOCK_MONOTONIC) >= end)
			fail_msg("state %d: %s", conn.state, conn.why);
		poll(fds, count, 10);
		uc_probe_conn_step(&conn, fds, count, uc_now_ns(CLOCK_MONOTONIC));
	}
}

/* The server's end, with the request read. */
static void accept_and_read(void)
{
	char buf[4096];

	turn_until(UC_PROBE_CONN_TALKING);
	peer = accept(listening, NULL, NULL);
	assert_true(peer >= 0);
	assert_true(recv(peer, buf, sizeof(buf), 0) > 0);
	assert_memory_equal(buf, "GET / HTTP/1.1\r\n", 16);
}

static void answer(void)
{
	assert_int_equal(send(peer, ANSWER, strlen(ANSWER), 0), (ssize_t)strlen(ANSWER));
}

static void test_idle_connection_that_is_closed(void **state)
{
	(void)state;
	begin(UC_TRIAL_IDLE);
	accept_and_read();
	answer();
	turn_until(UC_PROBE_CONN_WATCHING);
	assert_int_equal(conn.seen.answers, 1);
	assert_int_equal(conn.seen.status, 200);
	assert_int_equal(conn.first.keep_alive_s, 5);
	assert_string_equal(conn.first.server, "unit");
	close(peer);
	peer = -1;
	turn_until(UC_PROBE_CONN_OVER);
	assert_int_equal(conn.seen.close, UC_CLOSE_FIN);
	assert_true(conn.seen.ended_ns >= conn.seen.answered_ns);
	assert_false(conn.seen.cut);
}

static void test_reset_instead_of_an_answer(void **state)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	begin(UC_TRIAL_IDLE);
	accept_and_read();
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(peer);
	peer = -1;
	turn_until(UC_PROBE_CONN_OVER);
	assert_int_equal(conn.seen.answers, 0);
	assert_int_equal(conn.seen.close, UC_CLOSE_RST);
	assert_true(conn.why[0]);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	close(listening);
	listening = -1;
	begin(UC_TRIAL_IDLE);
	turn_until(UC_PROBE_CONN_OVER);
	assert_true(conn.why[0]);
	assert_int_equal(conn.seen.opened_ns, 0);
}

static void test_stopped_while_it_watches(void **state)
{
	(void)state;
	begin(UC_TRIAL_IDLE);
	accept_and_read();
	answer();
	turn_until(UC_PROBE_CONN_WATCHING);
	uc_probe_conn_stop(&conn, uc_now_ns(CLOCK_MONOTONIC));
	assert_int_equal(conn.state, UC_PROBE_CONN_OVER);
	assert_true(conn.seen.cut);
	assert_int_equal(conn.seen.close, UC_CLOSE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_idle_connection_that_is_closed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_reset_instead_of_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_listens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stopped_while_it_watches, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
