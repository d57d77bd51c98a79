/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "check/fix.h"
#include "check/rules.h"

#define V1_22 UC_NGINX_VERSION(1, 22, 1)
#define V1_30 UC_NGINX_VERSION(1, 30, 0)

#define KEPT "proxy_http_version 1.1; proxy_set_header Connection \"\";"
#define SITE(group, location)                                        \
	"http { upstream app { server 127.0.0.1:3000; " group " }\n" \
	"server { listen 80;\n location / { proxy_pass http://app; " location " } } }\n"
#define DIRECT(server, location) \
	"http { server { listen 80; " server "\n location / { " location " } } }\n"

static struct uc_nginx_conf *conf;
static struct uc_nginx_http *http, *from;
static struct uc_timeouts *known;
static struct uc_judge *judge;

static int no_include(void *ctx, struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)c;
	(void)d;
	return 0;
}

/* upstream: "*=5", or NULL where nothing is known of it. */
static void judge_text(const char *text, const char *upstream, uint32_t version,
		       struct uc_judge_config cfg)
{
	char why[UC_TIMEOUTS_WHY];

	assert_int_equal(uc_nginx_conf_new(no_include, NULL, &conf), 0);
	assert_int_equal(uc_nginx_conf_parse(conf, "t", text, strlen(text)), 0);
	assert_int_equal(uc_nginx_http_new(conf, version, &http), 0);
	assert_int_equal(uc_timeouts_new(&known), 0);
	if (upstream)
		assert_int_equal(strstr(upstream, "node") ? uc_timeouts_kind(known, upstream, why) :
							    uc_timeouts_state(known, upstream, why),
				 0);
	cfg.conf = conf;
	cfg.http = http;
	cfg.from = from;
	cfg.evidence = known;
	assert_int_equal(uc_judge_new(&cfg, &judge), 0);
}

static struct uc_judge_config nothing_required(void)
{
	return (struct uc_judge_config){ .client_timeout_ms = -1,
					 .balancer_idle_ms = -1,
					 .require = { .upstream_keepalive_timeout_max = -1,
						      .read_timeout_max = -1,
						      .read_timeout_min = -1,
						      .connect_timeout_max = -1,
						      .attempts_max = -1 } };
}

/* With more known of the upstreams than before. */
static void judge_again(struct uc_judge_config cfg)
{
	uc_judge_free(judge);
	cfg.conf = conf;
	cfg.http = http;
	cfg.evidence = known;
	assert_int_equal(uc_judge_new(&cfg, &judge), 0);
}

static void done(void)
{
	uc_judge_free(judge);
	uc_timeouts_free(known);
	uc_nginx_http_free(from);
	uc_nginx_http_free(http);
	uc_nginx_conf_free(conf);
	from = NULL;
}

static const struct uc_finding *found(const char *id)
{
	size_t count;
	const struct uc_finding *f = uc_judge_findings(judge, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(f[i].rule->id, id))
			return &f[i];
	return NULL;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < uc_rules_count(); i++) {
		const struct uc_rule *r = uc_rules_at(i);

		assert_true(r->judge || r->whole);
		assert_true(r->title[0] && r->severity < UC_SEVERITY_MAX);
		assert_ptr_equal(uc_rules_find(r->id), r);
	}
	assert_null(uc_rules_find("no-such-rule"));
}

/* One row each: what is found at a configuration, and that it is not where one thing is otherwise. */
static const struct {
	const char *rule, *text, *upstream;
	uint32_t version;
	enum uc_severity severity; /* UC_SEVERITY_MAX: it is not found */
} rows[] = {
	{ "idle-race", SITE("keepalive 4;", KEPT), "*=5", V1_22, UC_SEVERITY_ERROR },
	{ "idle-race", SITE("keepalive 4; keepalive_timeout 4s;", KEPT), "*=5", V1_22,
	  UC_SEVERITY_MAX },
	{ "idle-race", SITE("keepalive 4;", KEPT), "*=75", V1_22, UC_SEVERITY_MAX },
	{ "idle-race", SITE("keepalive 4;", KEPT), NULL, V1_22, UC_SEVERITY_MAX },
	{ "idle-race", SITE("", ""), "*=5", V1_22, UC_SEVERITY_MAX },
	{ "keepalive-not-effective", SITE("keepalive 4;", ""), "*=75", V1_22, UC_SEVERITY_WARNING },
	{ "keepalive-not-effective", SITE("keepalive 4;", KEPT), "*=75", V1_22, UC_SEVERITY_MAX },
	{ "connection-upgrade-always",
	  SITE("keepalive 4;", "proxy_http_version 1.1; proxy_set_header Connection upgrade;"),
	  NULL, V1_22, UC_SEVERITY_WARNING },
	{ "connection-upgrade-always", SITE("", KEPT), NULL, V1_22, UC_SEVERITY_MAX },
	/* kinds are of HTTP/1.1, and what was told is of the server */
	{ "idle-race",
	  "upstream app { server h:1; keepalive 4; } server { location / { grpc_pass app; } }",
	  "*=node20", V1_22, UC_SEVERITY_MAX },
	{ "idle-race",
	  "upstream app { server h:1; keepalive 4; } server { location / { grpc_pass app; } }",
	  "*=5", V1_22, UC_SEVERITY_ERROR },
	/* a header for proxy_pass is none of FastCGI */
	{ "keepalive-not-effective",
	  "server { " KEPT " location / { fastcgi_pass 127.0.0.1:9000; } }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "keepalive-not-effective",
	  "server { " KEPT " location / { proxy_pass http://127.0.0.1; } }", NULL, V1_22,
	  UC_SEVERITY_NOTE },
	{ "connection-upgrade-always",
	  "upstream app { server h:1; keepalive 4; } server { proxy_set_header Connection upgrade; "
	  "location / { grpc_pass app; } }",
	  NULL, V1_22, UC_SEVERITY_MAX },
	{ "max-fails", "upstream a { server h:1 max_fails=3; }", NULL, V1_22, UC_SEVERITY_NOTE },
	{ "max-fails", "upstream a { server h:1 max_fails=3; server h:2; }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "max-fails", "upstream a { server h:1 max_fails=0; server h:2; }", NULL, V1_22,
	  UC_SEVERITY_NOTE },
	{ "max-fails", "upstream a { server h:1 max_fails=0 down; server h:2; server h:3; }", NULL,
	  V1_22, UC_SEVERITY_MAX },
	{ "no-zone", "worker_processes 4; http { upstream a { server h:1; server h:2; } }", NULL,
	  V1_22, UC_SEVERITY_NOTE },
	{ "no-zone", "worker_processes 1; http { upstream a { server h:1; server h:2; } }", NULL,
	  V1_22, UC_SEVERITY_MAX },
	{ "no-zone", "worker_processes 4; http { upstream a { server h:1; } }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "websocket-timeout",
	  SITE("", "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"), NULL, V1_22,
	  UC_SEVERITY_NOTE },
	{ "websocket-timeout", SITE("", "proxy_set_header Upgrade $http_upgrade;"), NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "auth-request-body",
	  "server { auth_request /a; location /a { proxy_pass http://127.0.0.1; } }", NULL, V1_22,
	  UC_SEVERITY_WARNING },
	{ "auth-request-body",
	  "server { auth_request /b; location /a { proxy_pass http://127.0.0.1; } }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "stream-timeout", "stream { server { proxy_pass a:1; } }", NULL, V1_22,
	  UC_SEVERITY_NOTE },
	{ "stream-timeout", "stream { proxy_timeout 1h; server { proxy_pass a:1; } }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "stream-timeout", "stream { server { proxy_timeout 2h; proxy_pass a:1; } }", NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "stream-timeout", "stream { server { listen 1; } }", NULL, V1_22, UC_SEVERITY_MAX },
	{ "retry-multiplies",
	  SITE("server h:1; server h:2;",
	       "proxy_next_upstream http_502; proxy_next_upstream_tries 3;"),
	  NULL, V1_22, UC_SEVERITY_WARNING },
	{ "retry-multiplies",
	  SITE("server h:1; server h:2;",
	       "proxy_next_upstream http_502; proxy_next_upstream_tries 2;"),
	  NULL, V1_22, UC_SEVERITY_MAX },
	{ "keepalive-not-effective", DIRECT(KEPT, "proxy_pass http://127.0.0.1:3000;"), NULL, V1_22,
	  UC_SEVERITY_NOTE },
	{ "keepalive-not-effective", DIRECT(KEPT, "fastcgi_pass 127.0.0.1:3000;"), NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "keepalive-not-effective", DIRECT(KEPT, "uwsgi_pass 127.0.0.1:3000;"), NULL, V1_22,
	  UC_SEVERITY_MAX },
	{ "retry-non-idempotent",
	  SITE("keepalive 4;", KEPT "proxy_next_upstream error timeout non_idempotent;"), NULL,
	  V1_22, UC_SEVERITY_WARNING },
	{ "retry-non-idempotent", SITE("keepalive 4;", KEPT "proxy_next_upstream error timeout;"),
	  NULL, V1_22, UC_SEVERITY_MAX },
};

static void test_each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct uc_finding *f;

		judge_text(rows[i].text, rows[i].upstream, rows[i].version, nothing_required());
		f = found(rows[i].rule);
		if (!f != (rows[i].severity == UC_SEVERITY_MAX))
			fail_msg("row %zu: %s is %s", i, rows[i].rule, f ? "found" : "not found");
		if (f) {
			assert_int_equal(f->severity, rows[i].severity);
			assert_true(f->message[0] && f->why[0]);
		}
		done();
	}
}

/* Both numbers stand beside a race, with where they come from, and the edit is below the upstream's. */
static void test_race_has_its_numbers_and_a_change(void **state)
{
	const struct uc_finding *f;
	struct uc_fix *fix;
	size_t count, len;
	char *bytes;

	(void)state;
	judge_text(SITE("keepalive 4;", KEPT), "*=5", V1_22, nothing_required());
	f = found("idle-race");
	assert_non_null(f);
	assert_string_equal(f->figures[0].of, "nginx");
	assert_int_equal(f->figures[0].n, 60000);
	assert_int_equal(f->figures[1].n, 5000);
	uc_judge_findings(judge, &count);
	assert_int_equal(uc_fix_new(conf, uc_judge_findings(judge, &count), count, &fix), 0);
	assert_int_equal(uc_fix_files(fix), 1);
	bytes = uc_fix_bytes(fix, 0, &len);
	assert_non_null(memmem(bytes, len, "keepalive_timeout 4s;", 21));
	free(bytes);
	uc_fix_free(fix);
	done();
}

/* One number where it is stated, both where what was seen is sooner than what is set. */
static void test_race_says_which_number(void **state)
{
	char why[UC_TIMEOUTS_WHY];

	(void)state;
	judge_text(SITE("keepalive 4;", KEPT), "*=7", V1_22, nothing_required());
	assert_non_null(strstr(found("idle-race")->message, "closes it after 7 s"));
	assert_null(strstr(found("idle-race")->message, "seen"));
	done();
	judge_text(SITE("keepalive 4;", KEPT), NULL, V1_22, nothing_required());
	assert_int_equal(uc_timeouts_kind(known, "app=httpd", why), 0);
	judge_again(nothing_required());
	assert_non_null(
		strstr(found("idle-race")->message, "closes it after 5 s (4.93 s was seen)"));
	done();
}

/* Twice what is in force, and never what refused already. */
static void test_buffer_is_made_larger(void **state)
{
	static const struct {
		const char *text, *change;
	} of[] = { { SITE("", "proxy_buffer_size 2k;"), "`proxy_buffer_size 8k;`" },
		   { SITE("", ""), "`proxy_buffer_size 8k;`" },
		   { SITE("", "proxy_buffer_size 8k;"), "`proxy_buffer_size 16k;`" },
		   { SITE("", "proxy_buffer_size 16k;"), "`proxy_buffer_size 32k;`" },
		   { DIRECT("", "fastcgi_pass 127.0.0.1:3000; fastcgi_buffer_size 12k;"),
		     "`fastcgi_buffer_size 24k;`" } };
	char path[] = "/tmp/upclose-test-rules.XXXXXX", why[UC_TIMEOUTS_WHY];
	static const char learned[] =
		"{\"kind\":\"connection\",\"verdict\":\"nginx_rejected_response\","
		"\"upstream\":{\"addr\":\"127.0.0.1\",\"port\":3000}}\n";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, learned, sizeof(learned) - 1), sizeof(learned) - 1);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		struct uc_judge_config cfg = nothing_required();

		judge_text(of[i].text, NULL, V1_22, cfg);
		assert_int_equal(uc_timeouts_learned(known, path, why), 0);
		judge_again(cfg);
		if (!strstr(found("header-buffer-small")->change, of[i].change))
			fail_msg("row %zu: %s", i, found("header-buffer-small")->change);
		done();
	}
	unlink(path);
}

static void test_upgrade_that_begins_to_keep(void **state)
{
	(void)state;
	assert_int_equal(uc_nginx_conf_new(no_include, NULL, &conf), 0);
	assert_int_equal(uc_nginx_conf_parse(conf, "t", SITE("", ""), strlen(SITE("", ""))), 0);
	assert_int_equal(uc_nginx_http_new(conf, V1_30, &http), 0);
	assert_int_equal(uc_nginx_http_new(conf, V1_22, &from), 0);
	assert_int_equal(uc_timeouts_new(&known), 0);
	{
		struct uc_judge_config cfg = nothing_required();
		char why[UC_TIMEOUTS_WHY];

		assert_int_equal(uc_timeouts_state(known, "*=5", why), 0);
		cfg.conf = conf;
		cfg.http = http;
		cfg.from = from;
		cfg.evidence = known;
		assert_int_equal(uc_judge_new(&cfg, &judge), 0);
	}
	assert_non_null(found("idle-race-after-upgrade"));
	assert_null(found("idle-race"));
	done();
}

static void test_client_and_balancer(void **state)
{
	struct uc_judge_config cfg = nothing_required();

	(void)state;
	cfg.client_timeout_ms = 30000;
	cfg.balancer_idle_ms = 90000;
	judge_text(SITE("", ""), NULL, V1_22, cfg);
	assert_non_null(found("timeout-chain"));
	assert_non_null(found("balancer-race"));
	done();
	cfg.client_timeout_ms = 600000;
	cfg.balancer_idle_ms = 60000;
	judge_text(SITE("", ""), NULL, V1_22, cfg);
	assert_null(found("timeout-chain"));
	assert_null(found("balancer-race"));
	done();
}

static void test_what_a_policy_requires(void **state)
{
	struct uc_judge_config cfg = nothing_required();

	(void)state;
	cfg.require.read_timeout_max = 30000;
	judge_text(SITE("", ""), NULL, V1_22, cfg);
	assert_int_equal(found("policy-required")->severity, UC_SEVERITY_ERROR);
	done();
	cfg.require.read_timeout_max = 60000;
	judge_text(SITE("", ""), NULL, V1_22, cfg);
	assert_null(found("policy-required"));
	done();
}

/* With two servers a limit of two is none, and no diff says so. */
static void test_two_servers(void **state)
{
	const struct uc_finding *f;

	(void)state;
	judge_text(SITE("server h:1;", "proxy_next_upstream http_502;"), NULL, V1_22,
		   nothing_required());
	f = found("retry-multiplies");
	assert_int_equal(f->severity, UC_SEVERITY_NOTE);
	assert_int_equal(f->edit_count, 0);
	assert_null(strstr(f->change, "tries"));
	done();
}

/* Servers of a group and places of one cause are one finding, and a diff before it has them all. */
static void test_fold(void **state)
{
	static const char text[] =
		"http { upstream app { server 127.0.0.1:1; server 127.0.0.1:2; server 127.0.0.1:3; "
		"keepalive 4; } server { location /a { proxy_pass http://app; " KEPT " } "
		"location /b { proxy_pass http://app; } location /c { proxy_pass http://app; } } }";
	const struct uc_finding *f;
	size_t count;

	(void)state;
	judge_text(text, "*=5", V1_22, nothing_required());
	uc_judge_findings(judge, &count);
	assert_int_equal(count, 5);
	uc_judge_fold(judge, false);
	uc_judge_findings(judge, &count);
	assert_int_equal(count, 3);
	f = found("idle-race");
	/* its other two servers, and the two places that share the pool */
	assert_int_equal(f->places, 3);
	assert_int_equal(f->also_count, 4);
	uc_judge_fold(judge, true);
	uc_judge_findings(judge, &count);
	assert_int_equal(count, 2);
	f = found("keepalive-not-effective");
	assert_int_equal(f->places, 2);
	assert_int_equal(f->also_count, 1);
	assert_true(uc_nginx_named(f->also[0].at, "proxy_pass"));
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_two_servers),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_race_has_its_numbers_and_a_change),
		cmocka_unit_test(test_race_says_which_number),
		cmocka_unit_test(test_buffer_is_made_larger),
		cmocka_unit_test(test_upgrade_that_begins_to_keep),
		cmocka_unit_test(test_client_and_balancer),
		cmocka_unit_test(test_what_a_policy_requires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
