/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/errorlog.h"
#include "engine/logframe.h"

#define WORKER 4242
#define CLOSED "upstream prematurely closed connection while reading response header from upstream"
#define TIMED_OUT \
	"upstream timed out (110: Connection timed out) while reading response header from upstream"
#define FIELDS                                                                             \
	", client: 10.0.0.7, server: s, request: \"GET /a HTTP/1.1\", upstream: \"http://" \
	"127.0.0.1:3000/a\", host: \"h\""

static char folder[] = "/tmp/errorlog-XXXXXX", path[64];
static struct uc_errorlog *subject;
static struct uc_conn conn;
static struct uc_facts facts;
static time_t now;

static int set_up(void **state)
{
	static const uint8_t loopback[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

	(void)state;
	now = time(NULL);
	memset(&conn, 0, sizeof(conn));
	memset(&facts, 0, sizeof(facts));
	memcpy(conn.tuple.remote_addr, loopback, sizeof(loopback));
	conn.tuple.family = 2;
	conn.tuple.remote_port = 3000;
	conn.owner.tgid = WORKER;
	facts.nginx = &conn;
	snprintf(path, sizeof(path), "%s/error.log", folder);
	unlink(path);
	fclose(fopen(path, "w"));
	return uc_errorlog_new(path, false, &subject);
}

static int tear_down(void **state)
{
	(void)state;
	uc_errorlog_free(subject);
	subject = NULL;
	return 0;
}

static void append(const char *text)
{
	FILE *f = fopen(path, "a");

	fputs(text, f);
	fclose(f);
}

/* A line of nginx, in our time zone. */
static const char *line_at(time_t at, unsigned pid, unsigned client, const char *message)
{
	static char line[1024];
	char date[32];
	struct tm tm;

	strftime(date, sizeof(date), "%Y/%m/%d %H:%M:%S", localtime_r(&at, &tm));
	snprintf(line, sizeof(line), "%s [error] %u#%u: *%u %s" FIELDS, date, pid, pid, client,
		 message);
	return line;
}

static void nginx_says(time_t at, unsigned client, const char *message)
{
	append(line_at(at, WORKER, client, message));
	append("\n");
}

static const struct uc_error_line *match(enum uc_verdict_id verdict)
{
	return uc_errorlog_match(subject, &facts, verdict, now * 1000000000ULL, true);
}

static struct uc_errorlog_stats stats(void)
{
	return uc_errorlog_stats(subject, UINT64_MAX);
}

static void client_is(const struct uc_error_line *l, uint64_t client)
{
	assert_non_null(l);
	assert_int_equal(l->connection, client);
}

static void test_match(void **state)
{
	(void)state;
	nginx_says(now, 1, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	assert_int_equal(stats().lines, 1);
	assert_int_equal(stats().matched, 1);
	assert_int_equal(stats().without_line, 1);
	assert_int_equal(stats().without_connection, 0);
}

static void test_kind_fits_the_verdict(void **state)
{
	(void)state;
	nginx_says(now, 1, CLOSED);
	nginx_says(now, 2, TIMED_OUT);
	nginx_says(now, 3, "something new while reading upstream");
	client_is(match(UC_VERDICT_NGINX_TIMEOUT), 2);
	client_is(match(UC_VERDICT_UPSTREAM_RESET), 1);
	client_is(match(UC_VERDICT_NGINX_REJECTED_RESPONSE), 3);
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
}

static void test_nearest_in_time(void **state)
{
	(void)state;
	nginx_says(now - 4, 1, CLOSED);
	nginx_says(now - 1, 2, CLOSED);
	nginx_says(now - 1, 3, CLOSED);
	nginx_says(now + 2, 4, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 2);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 3);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 4);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);
}

static void test_other_peer_path_worker(void **state)
{
	(void)state;
	facts.request.target = "/b";
	facts.request.target_len = 2;
	nginx_says(now, 1, CLOSED);
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	facts.request.target = "/a";
	conn.tuple.remote_port = 3001;
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	conn.tuple.remote_port = 3000;
	conn.owner.tgid = WORKER + 1;
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	conn.owner.tgid = WORKER;
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);
}

static void test_stderr_of_fastcgi_is_no_failure(void **state)
{
	(void)state;
	nginx_says(now, 1,
		   "FastCGI sent in stderr: \"PHP message: x\" while reading response "
		   "header from upstream");
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	assert_int_equal(stats().lines, 0);
}

static void test_without_connection(void **state)
{
	(void)state;
	nginx_says(now, 1, "no live upstreams while connecting to upstream");
	nginx_says(now, 1, "no live upstreams while connecting to upstream");
	append("2026/01/01 00:00:00 [error] 1#1: x could not be resolved (3: Host not found)\n");
	uc_errorlog_poll(subject);
	assert_int_equal(stats().alone[UC_WORDS_NO_LIVE_UPSTREAMS], 2);
	assert_int_equal(stats().alone[UC_WORDS_RESOLVER_FAILED], 1);
	assert_int_equal(stats().lines, 0);
}

/* A container's clock in another zone: known by the first of its lines. */
static void test_other_time_zone(void **state)
{
	const long east = 5 * 3600 + 1800;

	(void)state;
	nginx_says(now + east, 1, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);
	assert_int_equal(stats().without_connection, 0);
	nginx_says(now + east - 1, 2, CLOSED);
	nginx_says(now + east, 3, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 3);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 2);
}

/* A line of hours ago, read then, is not a line of another zone. */
static void test_old_line(void **state)
{
	(void)state;
	nginx_says(now, 1, CLOSED);
	uc_errorlog_poll(subject);
	now += 3600;
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	now -= 3600 - 60;
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
}

/* The JSON of Docker and the lines of CRI hold the time in UTC, and cut long lines. */
static void test_container_runtimes(void **state)
{
	char utc[32], text[4096], escaped[1200] = "";
	struct tm tm;
	const char *line = line_at(now + 7777, WORKER, 1, CLOSED);
	size_t n = 0;

	(void)state;
	strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	snprintf(text, sizeof(text),
		 "%s.5Z stderr P %.40s\n%s.6Z stdout F GET /\n%s.7Z stderr F %s\n", utc, line, utc,
		 utc, line + 40);
	append(text);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);

	line = line_at(now + 7777, WORKER, 2, CLOSED);
	for (size_t i = 0; line[i]; i++) {
		if (line[i] == '"')
			escaped[n++] = '\\';
		escaped[n++] = line[i];
	}
	snprintf(text, sizeof(text),
		 "{\"log\":\"%.30s\",\"stream\":\"stderr\",\"time\":\"%s.123456789Z\"}\n"
		 "{\"log\":\"%s\\n\",\"stream\":\"stderr\",\"time\":\"%s.2Z\"}\n",
		 escaped, utc, escaped + 30, utc);
	append(text);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 2);
	assert_int_equal(stats().lines, 2);
}

static void test_damaged_frames(void **state)
{
	static const char *const bad[] = { "{",
					   "{}",
					   "{\"log\":1}",
					   "{\"log\":\"\",\"time\":7}",
					   "{\"log\":\"no end\"}",
					   "2026-01-01T00:00:00Z",
					   "2026-01-01T00:00:00Z stderr",
					   "2026-01-01T00:00:00Z stderr P half" };
	struct uc_logframe frame = { 0 };
	struct uc_framed f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uc_logframe_take(&frame, bad[i], strlen(bad[i]), &f));
	for (int i = 0; i < 100; i++)
		assert_false(uc_logframe_take(&frame,
					      "2026-01-01T00:00:00Z stderr P 0123456789"
					      "0123456789012345678901234567890123456789",
					      80, &f));
	assert_true(uc_logframe_take(&frame, "2026-01-01T00:00:00Z stderr F ", 30, &f));
	assert_int_equal(f.len, UC_ERROR_LINE_MAX);
	assert_true(uc_logframe_take(&frame, "", 0, &f));
	assert_int_equal(f.len, 0);
}

static time_t time_of(const char *text)
{
	return uc_logframe_time(text, strlen(text));
}

static void test_times(void **state)
{
	(void)state;
	assert_int_equal(time_of("2026-01-01T00:00:00.1Z"), 1767225600);
	assert_int_equal(time_of("2026-01-01T02:00:00.123456789+02:00"), 1767225600);
	assert_int_equal(time_of("2025-12-31T16:30:00-07:30"), 1767225600);
	assert_int_equal(time_of("2026-01-01"), 0);
	assert_int_equal(time_of("2026-01-01T00:00:00"), 0);
	assert_int_equal(time_of("2026-01-01T00:00:00+2"), 0);
	assert_int_equal(time_of("2026-01-01T00:00:00Zulu"), 0);
	assert_int_equal(time_of("2026-01-01T00:00:00.1Z 0123456789012345678901234567890"), 0);
}

static void test_pipe(void **state)
{
	(void)state;
	tear_down(NULL);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(uc_errorlog_new(path, false, &subject), 0);
	for (unsigned client = 1; client <= 3; client++) {
		FILE *f = fopen(path, "w");

		fprintf(f, "%s\n", line_at(now, WORKER, client, CLOSED));
		uc_errorlog_poll(subject);
		fflush(f);
		client_is(match(UC_VERDICT_UPSTREAM_CLOSED), client);
		fclose(f);
	}
}

static void test_standard_input(void **state)
{
	int ends[2], saved = dup(0);
	const char *line = line_at(now, WORKER, 9, CLOSED);

	(void)state;
	tear_down(NULL);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[0], 0);
	assert_int_equal(uc_errorlog_new("-", false, &subject), 0);
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	assert_int_equal(write(ends[1], line, strlen(line)), (ssize_t)strlen(line));
	assert_null(match(UC_VERDICT_UPSTREAM_CLOSED));
	assert_int_equal(write(ends[1], "\n", 1), 1);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 9);
	dup2(saved, 0);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void test_no_file(void **state)
{
	struct uc_errorlog *other;
	char link[96];

	(void)state;
	assert_int_equal(uc_errorlog_new(folder, false, &other), -EINVAL);
	assert_int_equal(uc_errorlog_new("/dev/null", false, &other), -EINVAL);
	assert_int_equal(uc_errorlog_new("/nonexistent/x", false, &other), -ENOENT);
	/* as the image of nginx has it: in here it would be our own */
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("/dev/stderr", link), 0);
	assert_true(uc_errorlog_new(link, false, &other) < 0);
	unlink(link);
}

static void test_rotation(void **state)
{
	char moved[96];

	(void)state;
	snprintf(moved, sizeof(moved), "%s.1", path);
	nginx_says(now, 1, CLOSED);
	rename(path, moved);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 1);
	nginx_says(now, 2, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 2);
	assert_int_equal(truncate(path, 0), 0);
	uc_errorlog_poll(subject);
	nginx_says(now, 3, CLOSED);
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 3);
	unlink(moved);
}

/* Of a container: its worker calls itself 1, and is another number here. */
static void test_pid_namespace(void **state)
{
	int go[2], ready[2], status;
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(go) | pipe(ready), 0);
	child = fork();
	if (!child) {
		pid_t inner;

		close(go[1]);
		if (unshare(CLONE_NEWPID))
			_exit(77);
		inner = fork();
		if (!inner) {
			close(ready[0]);
			_exit(read(go[0], &byte, 1) > 0);
		}
		if (write(ready[1], &inner, sizeof(inner)) < 0)
			_exit(1);
		waitpid(inner, &status, 0);
		_exit(0);
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &conn.owner.tgid, sizeof(conn.owner.tgid)) == sizeof(pid_t)) {
		append(line_at(now, 1, 5, CLOSED));
		append("\n");
		client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 5);
	}
	close(go[1]);
	close(ready[0]);
	waitpid(child, &status, 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	/* it is gone, and remembered */
	append(line_at(now, 1, 6, CLOSED));
	append("\n");
	client_is(match(UC_VERDICT_UPSTREAM_CLOSED), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_match),
		TEST(test_kind_fits_the_verdict),
		TEST(test_nearest_in_time),
		TEST(test_other_peer_path_worker),
		TEST(test_stderr_of_fastcgi_is_no_failure),
		TEST(test_without_connection),
		TEST(test_other_time_zone),
		TEST(test_old_line),
		TEST(test_container_runtimes),
		cmocka_unit_test(test_damaged_frames),
		cmocka_unit_test(test_times),
		TEST(test_pipe),
		TEST(test_standard_input),
		TEST(test_no_file),
		TEST(test_rotation),
		TEST(test_pid_namespace),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests_name("errorlog", tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
