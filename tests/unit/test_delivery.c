/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents on their way to a real receiver over real sockets, on good and on bad days. */
#include "build.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "alert/alert_text.h"
#include "alert/delivery.h"
#include "alert/sender.h"
#include "base/log.h"
#include "receiver.h"

#define SECRET "hunter2-hunter2"
#define STEPS(...) \
	(const struct step[]){ __VA_ARGS__ }, COUNT(((const struct step[]){ __VA_ARGS__ }))

static char folder[64], command_path[128], out_path[128], secret_path[128], url[128];
static struct receiver receiver;
static struct uc_sink_config sink;
static struct uc_delivery *delivery;

/* All that was said to people, to find secrets in. */
static char said[65536];
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_log(int priority, const char *text)
{
	(void)priority;
	pthread_mutex_lock(&said_lock);
	if (strlen(said) + strlen(text) + 2 < sizeof(said))
		strcat(strcat(said, text), "\n");
	pthread_mutex_unlock(&said_lock);
}

static bool was_said(const char *text)
{
	bool found;

	pthread_mutex_lock(&said_lock);
	found = strstr(said, text);
	pthread_mutex_unlock(&said_lock);
	return found;
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	strcpy(folder, "/tmp/upclose-test-delivery-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(command_path, sizeof(command_path), "%s/command", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	snprintf(secret_path, sizeof(secret_path), "%s/secret", folder);
	said[0] = '\0';
	uc_log_writer = on_log;
	sink = (struct uc_sink_config){ .name = (char *)"test",
					.type = UC_SINK_WEBHOOK,
					.url = url,
					.queue = 100,
					.timeout_ns = 5 * S,
					.retry_ns = 10 * MS,
					.retry_max_ns = 40 * MS,
					.give_up_ns = 3600 * S,
					.resend_ns = 60 * S };
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "command", "out", "secret", "sinks/test.spool",
					     "sinks/test.spool.damaged" };
	char path[256];

	(void)state;
	uc_delivery_free(delivery);
	delivery = NULL;
	receiver_stop(&receiver);
	uc_log_writer = NULL;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/sinks", folder);
	rmdir(path);
	if (strstr(said, SECRET))
		fail_msg("a secret in: %s", said);
	return rmdir(folder);
}

static void receive(const struct step *script, size_t steps)
{
	receiver_start(&receiver, 0, script, steps);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", receiver.port);
}

static void begin(bool spool)
{
	sink.spool_mib = spool;
	assert_int_equal(uc_delivery_new(&sink, folder, &delivery), 0);
}

static void post(unsigned n)
{
	char doc[128];

	snprintf(doc, sizeof(doc), "{\"kind\":\"alert\",\"id\":\"n%u\",\"status\":\"firing\"}", n);
	assert_true(uc_delivery_post(delivery, doc, true));
}

static struct uc_delivery_stats stats(void)
{
	return uc_delivery_stats(delivery);
}

#define WAIT_FOR(condition)                                                              \
	do {                                                                             \
		uint64_t end_ = uc_now_ns(CLOCK_MONOTONIC) + 20 * S;                     \
		while (!(condition)) {                                                   \
			if (uc_now_ns(CLOCK_MONOTONIC) > end_)                           \
				fail_msg("not in time: %s; said: %s", #condition, said); \
			usleep(1000);                                                    \
		}                                                                        \
	} while (0)

/* The documents that were taken: n0, n1, ... each once and in order. */
static void expect_taken(unsigned count)
{
	unsigned n = 0;
	char want[32];

	WAIT_FOR(stats().delivered >= count && !stats().backlog.waiting);
	for (size_t i = 0; i < receiver.count; i++) {
		if (!receiver.took[i])
			continue;
		snprintf(want, sizeof(want), "\"id\":\"n%u\"", n++);
		assert_non_null(strstr(receiver.got[i], want));
	}
	assert_int_equal(n, count);
	assert_int_equal(stats().delivered, count);
	for (unsigned i = 0; i < UC_DROP_MAX; i++)
		assert_int_equal(stats().backlog.dropped[i], 0);
}

static void test_delivers(void **state)
{
	(void)state;
	receive(NULL, 0);
	begin(false);
	for (unsigned i = 0; i < 20; i++)
		post(i);
	expect_taken(20);
	assert_int_equal(stats().failed_attempts, 0);
	assert_true(stats().last_success_wall_ns > 1700000000 * S);
	assert_string_equal(stats().last_error, "");
	assert_non_null(strstr(receiver.got[0], "POST /hook HTTP/1.1\r\n"));
	assert_non_null(strstr(receiver.got[0], "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(receiver.got[0], "\r\nIdempotency-Key: n0\r\n"));
	assert_non_null(strstr(receiver.got[0], "\r\nUser-Agent: upclose/"));
	assert_null(strcasestr(receiver.got[0], "\r\nExpect:"));
	assert_null(strcasestr(receiver.got[0], "\r\nAuthorization:"));
}

/* Whatever it does, each arrives, once and in order. */
static void test_bad_days(void **state)
{
	(void)state;
	receive(STEPS({ REPLY, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" }, { RESET, NULL },
		      { EMPTY, NULL }, { TAKE, NULL }, { SILENT, NULL },
		      { REPLY, "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n" },
		      { REPLY, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
		      { REPLY, "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n"
			       "Content-Length: 0\r\n\r\n" },
		      { REPLY, "nonsense\r\n\r\n" }, { TAKE, NULL }, { REPLY, "HTTP/1.1 200" }));
	sink.timeout_ns = 200 * MS;
	begin(false);
	for (unsigned i = 0; i < 5; i++)
		post(i);
	expect_taken(5);
	/* the last one is an end of a connection in use, which curl itself repeats */
	assert_int_equal(stats().failed_attempts, 8);
	/* said once for each time that it begins to fail */
	assert_true(was_said("sink test (webhook) does not deliver: it answers 500"));
	assert_true(was_said("sink test delivers again"));
}

static void test_nobody_there(void **state)
{
	int port;

	(void)state;
	receive(NULL, 0);
	port = receiver.port;
	receiver_stop(&receiver);
	begin(false);
	post(0);
	WAIT_FOR(stats().failed_attempts >= 3);
	assert_true(was_said("does not deliver"));
	receiver_start(&receiver, port, NULL, 0);
	expect_taken(1);
}

/* The pauses grow to their bound, and are not the same. */
static void test_pauses(void **state)
{
	uint64_t began, took;

	(void)state;
	receive(STEPS({ RESET, NULL }, { RESET, NULL }, { RESET, NULL }, { RESET, NULL },
		      { RESET, NULL }));
	sink.retry_ns = 40 * MS;
	sink.retry_max_ns = 80 * MS;
	begin(false);
	began = uc_now_ns(CLOCK_MONOTONIC);
	post(0);
	expect_taken(1);
	took = uc_now_ns(CLOCK_MONOTONIC) - began;
	/* halves at the least: 20 + 40 * 4 */
	assert_true(took >= 180 * MS);
}

static void test_retry_after(void **state)
{
	uint64_t began;

	(void)state;
	receive(STEPS(
		{ REPLY, "HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" }));
	begin(false);
	began = uc_now_ns(CLOCK_MONOTONIC);
	post(0);
	expect_taken(1);
	assert_true(uc_now_ns(CLOCK_MONOTONIC) - began >= 1 * S);
}

/* What will never be taken does not stand in the way of the others. */
static void test_refused(void **state)
{
	(void)state;
	receive(STEPS({ TAKE, NULL }, { REPLY, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n" }));
	begin(false);
	for (unsigned i = 0; i < 3; i++)
		post(i);
	WAIT_FOR(stats().delivered == 2 && !stats().backlog.waiting);
	assert_int_equal(stats().backlog.dropped[UC_DROP_REFUSED], 1);
	assert_int_equal(receiver_count(&receiver, false), 3);
}

/* Of a batch that is refused the good ones are taken. */
static void test_refused_batch(void **state)
{
	static const char bad[] = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n";

	(void)state;
	/* the first waits; then n1 to n4 come as 4, 2, 1; 1 is the bad one */
	receive(STEPS({ RESET, NULL }, { REPLY, bad }, { REPLY, bad }, { REPLY, bad }));
	sink.type = UC_SINK_ALERTMANAGER;
	sink.retry_ns = sink.retry_max_ns = 300 * MS;
	begin(false);
	post(0);
	WAIT_FOR(stats().failed_attempts == 1);
	for (unsigned i = 1; i < 4; i++)
		post(i);
	WAIT_FOR(stats().backlog.waiting == 0);
	assert_int_equal(stats().backlog.dropped[UC_DROP_REFUSED], 1);
	assert_int_equal(stats().delivered, 3);
}

/* A full queue drops what comes, and counts it; posting never waits. */
static void test_queue_full(void **state)
{
	unsigned dropped = 0;
	uint64_t began;

	(void)state;
	receive(STEPS({ SILENT, NULL }));
	sink.queue = 8;
	begin(false);
	post(0);
	WAIT_FOR(receiver_count(&receiver, false) == 1);
	began = uc_now_ns(CLOCK_MONOTONIC);
	for (unsigned i = 1; i < 1000; i++)
		dropped += !uc_delivery_post(delivery, "{}", false);
	assert_true(uc_now_ns(CLOCK_MONOTONIC) - began < 1 * S);
	assert_int_equal(dropped, 999 - 7);
	assert_int_equal(stats().backlog.dropped[UC_DROP_QUEUE_FULL], dropped);
	assert_int_equal(stats().backlog.waiting, 8);
}

/* Bytes are bounded, too. */
static void test_memory_full(void **state)
{
	char *doc = malloc(900001);

	(void)state;
	memset(doc, ' ', 900000);
	doc[900000] = '\0';
	memcpy(doc, "{}", 2);
	receive(STEPS({ SILENT, NULL }));
	begin(false);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(uc_delivery_post(delivery, doc, false), i < 4);
	free(doc);
}

static void test_too_old(void **state)
{
	(void)state;
	receive(STEPS({ RESET, NULL }, { RESET, NULL }, { RESET, NULL }, { RESET, NULL }));
	sink.retry_ns = sink.retry_max_ns = 400 * MS;
	sink.give_up_ns = 300 * MS;
	begin(false);
	post(0);
	WAIT_FOR(stats().backlog.dropped[UC_DROP_TOO_OLD] == 1 && !stats().backlog.waiting);
	assert_int_equal(stats().delivered, 0);
}

/* --- the spool ----------------------------------------------------------------------- */

/* What could not be delivered is there for the next one. */
static void test_spool_over_restarts(void **state)
{
	int port;

	(void)state;
	receive(NULL, 0);
	port = receiver.port;
	receiver_stop(&receiver);
	begin(true);
	for (unsigned i = 0; i < 5; i++)
		post(i);
	WAIT_FOR(stats().backlog.spooled == 5 && stats().failed_attempts);
	uc_delivery_free(delivery);
	begin(true);
	assert_true(was_said("sink test: 5 documents wait in its spool"));
	for (unsigned i = 5; i < 8; i++)
		post(i);
	WAIT_FOR(stats().backlog.spooled == 8);
	assert_true(stats().backlog.spool_bytes > 8 * 40);
	receiver_start(&receiver, port, NULL, 0);
	expect_taken(8);
	assert_int_equal(stats().backlog.spooled, 0);
}

/* Killed while the receiver hangs: nothing is lost. */
static void test_spool_over_kill(void **state)
{
	pid_t child;
	int pipes[2], port;
	char c;

	(void)state;
	/* nobody's: the child must not share a receiver's thread */
	receive(NULL, 0);
	port = receiver.port;
	receiver_stop(&receiver);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		begin(true);
		for (unsigned i = 0; i < 50; i++)
			post(i);
		while (stats().backlog.spooled != 50)
			usleep(1000);
		_exit(write(pipes[1], "x", 1) == 1 && pause());
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	receiver_start(&receiver, port, NULL, 0);
	begin(true);
	expect_taken(50);
}

/* While a request hangs, what comes is brought to the disk. */
static void test_spool_while_hanging(void **state)
{
	(void)state;
	receive(STEPS({ SILENT, NULL }));
	sink.timeout_ns = 400 * MS;
	begin(true);
	post(0);
	WAIT_FOR(receiver_count(&receiver, false) == 1);
	for (unsigned i = 1; i < 10; i++)
		post(i);
	WAIT_FOR(stats().backlog.spooled == 10);
	assert_int_equal(stats().failed_attempts, 0);
	expect_taken(10);
}

static void test_damaged_spool(void **state)
{
	char path[256], damaged[300];
	int fd;

	(void)state;
	receive(NULL, 0);
	snprintf(path, sizeof(path), "%s/sinks", folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/sinks/test.spool", folder);
	snprintf(damaged, sizeof(damaged), "%s.damaged", path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "this is no spool, and never was one", 35), 35);
	close(fd);
	begin(true);
	assert_true(was_said("its spool was damaged, and is kept as"));
	assert_int_equal(access(damaged, F_OK), 0);
	post(0);
	expect_taken(1);
}

/* No folder to write to is no reason to end. */
static void test_no_folder(void **state)
{
	(void)state;
	receive(NULL, 0);
	sink.spool_mib = 1;
	assert_int_equal(uc_delivery_new(&sink, "/proc/nowhere", &delivery), 0);
	assert_true(was_said("cannot make the folder /proc/nowhere"));
	assert_true(was_said("in memory alone"));
	post(0);
	expect_taken(1);
}

/* --- the end -------------------------------------------------------------------------- */

static void test_ends_at_once(void **state)
{
	uint64_t began;

	(void)state;
	receive(STEPS({ SILENT, NULL }));
	sink.timeout_ns = 60 * S;
	begin(false);
	post(0);
	post(1);
	WAIT_FOR(receiver_count(&receiver, false) == 1);
	began = uc_now_ns(CLOCK_MONOTONIC);
	uc_delivery_free(delivery);
	delivery = NULL;
	assert_true(uc_now_ns(CLOCK_MONOTONIC) - began < 2 * S);
	assert_true(was_said("ends with 2 documents not delivered"));
}

/* With patience what waits is still sent. */
static void test_ends_with_patience(void **state)
{
	(void)state;
	receive(STEPS({ RESET, NULL }));
	begin(false);
	for (unsigned i = 0; i < 10; i++)
		post(i);
	uc_delivery_stop(delivery, 10 * S);
	uc_delivery_free(delivery);
	delivery = NULL;
	assert_int_equal(receiver_count(&receiver, true), 10);
}

/* --- secrets ----------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text, int mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, mode);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_bearer_token(void **state)
{
	struct uc_secret token = { .file = secret_path };

	(void)state;
	receive(STEPS({ REPLY, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" }));
	sink.bearer_token = &token;
	begin(false);
	/* not there yet: it is tried again, and the value is read each time */
	post(0);
	WAIT_FOR(stats().failed_attempts >= 2);
	assert_true(was_said("bearer_token: the file"));
	write_file(secret_path, SECRET "\n", 0600);
	expect_taken(1);
	assert_non_null(strstr(receiver.got[0], "\r\nAuthorization: Bearer " SECRET "\r\n"));
	assert_int_equal(receiver.count, 2);
	write_file(secret_path, SECRET "2", 0600);
	post(1);
	expect_taken(2);
	assert_non_null(strstr(receiver.got[2], "\r\nAuthorization: Bearer " SECRET "2\r\n"));
}

static void test_basic_auth_and_headers(void **state)
{
	struct uc_secret password = { .env = (char *)"UPCLOSE_TEST_SECRET" };
	struct uc_basic_auth basic = { .username = (char *)"joe", .password = &password };
	struct uc_header headers[] = { { .name = (char *)"X-Api-Key", .file = secret_path } };

	(void)state;
	setenv("UPCLOSE_TEST_SECRET", SECRET, 1);
	write_file(secret_path, "key-" SECRET "\nsecond line", 0600);
	receive(NULL, 0);
	sink.basic_auth = &basic;
	sink.headers = headers;
	sink.headers_count = 1;
	begin(false);
	post(0);
	expect_taken(1);
	/* joe:hunter2-hunter2 */
	assert_non_null(strstr(receiver.got[0],
			       "\r\nAuthorization: Basic am9lOmh1bnRlcjItaHVudGVyMg==\r\n"));
	assert_non_null(strstr(receiver.got[0], "\r\nX-Api-Key: key-" SECRET "\r\n"));
	/* a value with an end of line in it would be a header of its own */
	write_file(secret_path, "a\tb", 0600);
	post(1);
	WAIT_FOR(stats().failed_attempts);
	assert_true(was_said("X-Api-Key: the file"));
	unsetenv("UPCLOSE_TEST_SECRET");
}

static void test_address_from_file(void **state)
{
	struct uc_secret from = { .file = secret_path };
	char text[200];

	(void)state;
	receive(STEPS({ RESET, NULL }));
	snprintf(text, sizeof(text), "http://127.0.0.1:%d/services/" SECRET "\n", receiver.port);
	write_file(secret_path, text, 0600);
	sink.url = NULL;
	sink.url_from = &from;
	begin(false);
	post(0);
	expect_taken(1);
	assert_non_null(strstr(receiver.got[0], "POST /services/" SECRET " HTTP/1.1\r\n"));
	/* not even where it is no address */
	write_file(secret_path, "gopher://" SECRET "/\n", 0600);
	post(1);
	WAIT_FOR(stats().failed_attempts >= 2);
	assert_null(strstr(stats().last_error, SECRET));
}

/* The environment's proxy is none of ours. */
static void test_no_proxy(void **state)
{
	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	receive(NULL, 0);
	begin(false);
	post(0);
	expect_taken(1);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void test_proxy(void **state)
{
	static char proxy[64];

	(void)state;
	receive(NULL, 0);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", receiver.port);
	strcpy(url, "http://alerts.invalid/x");
	sink.proxy = proxy;
	begin(false);
	post(0);
	expect_taken(1);
	assert_non_null(strstr(receiver.got[0], "POST http://alerts.invalid/x HTTP/1.1\r\n"));
}

/* An answer without an end costs no memory, and its status counts. */
static void test_long_answer(void **state)
{
	static char reply[300000];

	(void)state;
	strcpy(reply, "HTTP/1.1 200 OK\r\nContent-Length: 290000\r\n\r\n");
	memset(reply + strlen(reply), 'x', 290000);
	receive(STEPS({ REPLY, reply }));
	begin(false);
	post(0);
	WAIT_FOR(stats().delivered == 1);
	assert_int_equal(stats().failed_attempts, 0);
}

/* --- other kinds ---------------------------------------------------------------------------- */

static json_t *body_of(size_t i)
{
	json_t *o = json_loads(strstr(receiver.got[i], "\r\n\r\n") + 4, 0, NULL);

	assert_non_null(o);
	return o;
}

static void test_alertmanager(void **state)
{
	json_t *body;

	(void)state;
	receive(STEPS({ RESET, NULL }));
	sink.type = UC_SINK_ALERTMANAGER;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/prefix/", receiver.port);
	sink.retry_ns = sink.retry_max_ns = 200 * MS;
	begin(false);
	post(0);
	WAIT_FOR(stats().failed_attempts == 1);
	post(1);
	WAIT_FOR(stats().delivered == 2);
	assert_non_null(strstr(receiver.got[0], "POST /prefix/api/v2/alerts HTTP/1.1\r\n"));
	body = body_of(0);
	assert_int_equal(json_array_size(body), 1);
	json_decref(body);
	/* together, as it is one way */
	body = body_of(1);
	assert_int_equal(json_array_size(body), 2);
	json_decref(body);
}

static void test_otlp(void **state)
{
	(void)state;
	receive(STEPS({ REPLY, "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n"
			       "{\"partialSuccess\":{\"rejectedLogRecords\":\"2\"}}   " },
		      { REPLY, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n" },
		      { REPLY, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" }));
	sink.type = UC_SINK_OTLP;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", receiver.port);
	begin(false);
	/* what comes within a second goes together */
	for (unsigned i = 0; i < 5; i++)
		post(i);
	WAIT_FOR(stats().delivered == 3);
	assert_int_equal(receiver_count(&receiver, false), 1);
	assert_int_equal(stats().backlog.dropped[UC_DROP_REFUSED], 2);
	assert_non_null(strstr(receiver.got[0], "POST /v1/logs HTTP/1.1\r\n"));
	post(5);
	WAIT_FOR(stats().backlog.dropped[UC_DROP_REFUSED] == 3);
	post(6);
	WAIT_FOR(stats().delivered == 4);
	assert_int_equal(receiver_count(&receiver, false), 4);
}

static void test_full_batch_waits_for_none(void **state)
{
	uint64_t began = uc_now_ns(CLOCK_MONOTONIC);

	(void)state;
	receive(NULL, 0);
	sink.type = UC_SINK_OTLP;
	sink.queue = 1000;
	begin(false);
	for (unsigned i = 0; i < 256; i++)
		post(i);
	WAIT_FOR(stats().delivered == 256);
	assert_true(uc_now_ns(CLOCK_MONOTONIC) - began < 900 * MS);
	assert_int_equal(receiver_count(&receiver, false), 1);
}

/* --- commands ---------------------------------------------------------------------------------- */

static char *words[4];

static void run_command(const char *script)
{
	char text[1024];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	write_file(command_path, text, 0700);
	sink.type = UC_SINK_EXEC;
	sink.url = NULL;
	words[0] = command_path;
	words[1] = out_path;
	words[2] = (char *)"two words; $HOME";
	sink.command = words;
	sink.command_count = 3;
	begin(false);
}

static const char *output(void)
{
	static char text[16384];
	int fd = open(out_path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static void test_command(void **state)
{
	(void)state;
	setenv("UPCLOSE_TEST_SECRET", SECRET, 1);
	assert_true(open("/dev/null", O_RDONLY) > 2); /* one that is not closed on exec */
	run_command(
		"{ ls /proc/self/fd | tr '\\n' ' '; echo end; env; echo \"arg=$2\"; echo \"in=$(cat)\"; } >\"$1\"");
	post(7);
	WAIT_FOR(stats().delivered == 1);
	/* the last is what ls reads */
	assert_ptr_equal(strstr(output(), "0 1 2 3 end\n"), output());
	assert_non_null(strstr(output(), "UPCLOSE_ID=n7\n"));
	assert_non_null(strstr(output(), "UPCLOSE_STATUS=firing\n"));
	assert_non_null(strstr(output(), "UPCLOSE_VERDICT=\n"));
	assert_non_null(strstr(output(), "arg=two words; $HOME\n"));
	assert_non_null(
		strstr(output(), "in={\"kind\":\"alert\",\"id\":\"n7\",\"status\":\"firing\"}\n"));
	/* the daemon's environment is not the command's */
	assert_null(strstr(output(), SECRET));
	unsetenv("UPCLOSE_TEST_SECRET");
}

static void test_command_fails(void **state)
{
	(void)state;
	run_command("echo x >>\"$1\"; [ \"$(wc -l <\"$1\")\" -ge 3 ] || exit 7");
	post(0);
	WAIT_FOR(stats().delivered == 1);
	assert_int_equal(stats().failed_attempts, 2);
	assert_string_equal(output(), "x\nx\nx\n");
	assert_true(was_said("the command exited with status 7"));
}

/* It and what it started is ended; input that nobody reads is no trouble. */
static void test_command_hangs(void **state)
{
	uint64_t began = uc_now_ns(CLOCK_MONOTONIC);
	long pid;

	(void)state;
	sink.timeout_ns = 300 * MS;
	sink.retry_ns = sink.retry_max_ns = 60 * S;
	run_command("sleep 1000 & echo $! >\"$1\"; wait");
	post(0);
	WAIT_FOR(stats().failed_attempts == 1);
	assert_true(uc_now_ns(CLOCK_MONOTONIC) - began < 5 * S);
	assert_true(was_said("the command did not end within 0.3 s"));
	pid = atol(output());
	assert_true(pid > 0);
	WAIT_FOR(kill(pid, 0));
}

static void test_command_missing(void **state)
{
	(void)state;
	sink.retry_ns = sink.retry_max_ns = 60 * S;
	run_command("exit 0");
	unlink(command_path);
	post(0);
	WAIT_FOR(stats().failed_attempts == 1);
	assert_true(was_said("cannot run "));
	assert_true(was_said("No such file or directory"));
}

static void test_names_of_drops(void **state)
{
	(void)state;
	assert_string_equal(uc_drop_name(UC_DROP_QUEUE_FULL), "queue_full");
	assert_string_equal(uc_drop_name(UC_DROP_SPOOL_FULL), "spool_full");
	assert_string_equal(uc_drop_name(UC_DROP_REFUSED), "refused");
	assert_string_equal(uc_drop_name(UC_DROP_TOO_OLD), "too_old");
	assert_string_equal(uc_drop_name(UC_DROP_DAMAGED), "damaged");
	assert_string_equal(uc_drop_name(UC_DROP_MAX), "invalid");
}

static void test_each_type_has_a_sender(void **state)
{
	(void)state;
	for (unsigned t = 0; t < UC_SINK_TYPE_MAX; t++) {
		assert_string_not_equal(uc_sink_type_name(t), "invalid");
		assert_int_not_equal(uc_senders[t].batch, 0);
		assert_non_null(uc_senders[t].open);
		assert_non_null(uc_senders[t].send);
		assert_non_null(uc_senders[t].close);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_delivers),
		TEST(test_bad_days),
		TEST(test_nobody_there),
		TEST(test_pauses),
		TEST(test_retry_after),
		TEST(test_refused),
		TEST(test_refused_batch),
		TEST(test_queue_full),
		TEST(test_memory_full),
		TEST(test_too_old),
		TEST(test_spool_over_restarts),
		TEST(test_spool_over_kill),
		TEST(test_spool_while_hanging),
		TEST(test_damaged_spool),
		TEST(test_no_folder),
		TEST(test_ends_at_once),
		TEST(test_ends_with_patience),
		TEST(test_bearer_token),
		TEST(test_basic_auth_and_headers),
		TEST(test_address_from_file),
		TEST(test_no_proxy),
		TEST(test_proxy),
		TEST(test_long_answer),
		TEST(test_alertmanager),
		TEST(test_otlp),
		TEST(test_full_batch_waits_for_none),
		TEST(test_command),
		TEST(test_command_fails),
		TEST(test_command_hangs),
		TEST(test_command_missing),
		cmocka_unit_test(test_names_of_drops),
		cmocka_unit_test(test_each_type_has_a_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
