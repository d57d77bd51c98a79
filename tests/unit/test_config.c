/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration comes to; its faults are told in tests/e2e/test_daemon_config.py. */
#include <sys/un.h>

#include "build.h"
#include "config/config.h"
#include "config/listen.h"
#include "base/log.h"
#include "base/number.h"

int uc_log_verbosity;
static unsigned said;

void uc_error(const char *fmt, ...)
{
	assert_true(*fmt);
	said++;
}

static struct uc_config *parse(const char *text)
{
	struct uc_config *c = NULL;
	int err = uc_config_parse("test", text, strlen(text), &c);

	assert_int_equal(!err, !!c);
	return c;
}

static void test_defaults(void **state)
{
	static const char *const empty[] = { "", "---\n", "{}", "tracing:\nmetrics:\nlog:\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(empty); i++) {
		struct uc_config *c = parse(empty[i]);

		assert_non_null(c);
		assert_int_equal(c->tracing->comms_count, 1);
		assert_string_equal(c->tracing->comms[0], "nginx");
		assert_int_equal(c->tracing->ports_count, 0);
		assert_int_equal(c->tracing->ring_mib, 2);
		assert_null(c->tracing->error_log);
		assert_string_equal(c->metrics->listen, "127.0.0.1:9502");
		assert_true(uc_metrics_page(c->metrics));
		assert_null(c->metrics->tls);
		assert_int_equal(c->metrics->label, UC_LABEL_ADDRESS);
		assert_int_equal(c->metrics->series, UC_SERIES_ALL);
		assert_int_equal(c->metrics->quiet_ns, 3600 * S);
		assert_int_equal(c->log->to, UC_LOG_AUTO);
		assert_null(c->user);
		assert_string_equal(c->state_directory, "/var/lib/upclose");
		assert_string_equal(c->runtime_directory, "/run/upclose");
		uc_config_free(c);
	}
}

static void test_values(void **state)
{
	struct uc_config *c = parse(
		"tracing: {comms: [a, b], ports: [80, 65535], ring_mib: 32, show_query: yes,\n"
		"          error_log: /var/log/x}\n"
		"metrics: {listen: off, page: false, max_upstreams: 3, bpf_run_time: true,\n"
		"          label: workload, series: seen, quiet_after: 10m,\n"
		"          tls: {certificate: /c, key: /k}}\n"
		"log: {to: stderr, format: json, max_per_second: 7}\n"
		"labels: [{name: cluster, value: eu1}, {name: env, value: a b}]\n"
		"user: me\nstate_directory: /s\nruntime_directory: /r\n");

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->tracing->comms[1], "b");
	assert_int_equal(c->tracing->ports[1], 65535);
	assert_int_equal(c->tracing->ring_mib, 32);
	assert_true(c->tracing->show_query);
	assert_string_equal(c->tracing->error_log, "/var/log/x");
	assert_string_equal(c->metrics->listen, "off");
	assert_false(uc_metrics_page(c->metrics));
	assert_int_equal(c->metrics->max_upstreams, 3);
	assert_true(c->metrics->bpf_run_time);
	assert_string_equal(c->metrics->tls->key, "/k");
	assert_int_equal(c->metrics->label, UC_LABEL_WORKLOAD);
	assert_int_equal(c->metrics->series, UC_SERIES_SEEN);
	assert_int_equal(c->metrics->quiet_ns, 600 * S);
	assert_int_equal(c->labels_count, 2);
	assert_string_equal(c->labels[1].name, "env");
	assert_string_equal(c->labels[1].value, "a b");
	assert_int_equal(c->log->to, UC_LOG_STDERR);
	assert_int_equal(c->log->format, UC_LOG_JSON);
	assert_int_equal(c->log->max_per_second, 7);
	assert_string_equal(c->user, "me");
	uc_config_free(c);
}

static void test_faults_leak_nothing(void **state)
{
	static const char *const bad[] = {
		"tracing: {comms: [a, b], ring_mib: 3, ports: [1, x]}",
		"tracing: {comms: [a, b], ring_mib: 3}",
		"metrics: {tls: {key: /k}}",
		"metrics: {tls: {key: k, certificate: /c}}",
		"log: {to: x}",
		"metrics: {label: ip}",
		"metrics: {quiet_after: 10ms}",
		"labels: [{name: cluster}]",
		"labels: [{name: a-b, value: x}]",
		"labels: [{name: 1a, value: x}]",
		"labels: [{name: __a, value: x}]",
		"labels: [{name: upstream, value: x}]",
		"labels: [{name: a, value: x}, {name: a, value: y}]",
		"labels: [{name: a, value: 'x\"'}]",
		"{",
		"a: {b: {c: [",
		"tracing: *x",
		"tracing: &x {comms: *x}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		said = 0;
		assert_null(parse(bad[i]));
		assert_true(said);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} cases[] = {
		{ "500ms", 500 * MS },
		{ "30s", 30 * S },
		{ "5m", 300 * S },
		{ "1h", 3600 * S },
		{ "2d", 172800 * S },
		{ "007s", 7 * S },
		{ "", 0 },
		{ "s", 0 },
		{ "5", 0 },
		{ "5 s", 0 },
		{ "-5s", 0 },
		{ "1.5h", 0 },
		{ "5sec", 0 },
		{ "9999999999s", 0 },
		{ "1h30m", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ns = 0;

		assert_int_equal(uc_parse_duration(cases[i].text, &ns), cases[i].ns != 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
		"",         "80",        ":80",     "127.0.0.1", "127.0.0.1:",   "127.0.0.1:0",
		"1.2.3:80", "[::1]",     "[::1:80", "::1:80",    "[1.2.3.4]:80", "host:80",
		"unix:",    "unix:file", "OFF",     "[::1]80",   "1.2.3.4:80x",  "[]:80",
	};
	struct uc_listen_addr a;

	(void)state;
	assert_int_equal(uc_listen_parse("off", &a), 0);
	assert_true(a.off);
	assert_int_equal(uc_listen_parse("127.0.0.1:9502", &a), 0);
	assert_false(a.off);
	assert_int_equal(a.addr.ss_family, AF_INET);
	assert_int_equal(uc_listen_parse("[::1]:65535", &a), 0);
	assert_int_equal(a.addr.ss_family, AF_INET6);
	assert_int_equal(uc_listen_parse("unix:/run/x", &a), 0);
	assert_string_equal(((struct sockaddr_un *)&a.addr)->sun_path, "/run/x");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_not_equal(uc_listen_parse(bad[i], &a), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_faults_leak_nothing),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
