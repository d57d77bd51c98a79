/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "check/edit.h"
#include "check/fix.h"

#define TEXT                                                           \
	"http {\n"                                                     \
	"    upstream app {\n"                                         \
	"        server 127.0.0.1:3000;\n"                             \
	"        keepalive 4;\n"                                       \
	"    }\n"                                                      \
	"    server {\n"                                               \
	"        proxy_set_header Authorization \"Basic c2VjcmV0\";\n" \
	"        proxy_pass http://app;\n"                             \
	"    }\n"                                                      \
	"}\n"

static struct uc_nginx_conf *conf;
static struct uc_finding findings[2];

static int no_include(void *ctx, struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)c;
	(void)d;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(findings, 0, sizeof(findings));
	if (uc_nginx_conf_new(no_include, NULL, &conf))
		return -1;
	return uc_nginx_conf_parse(conf, "app.conf", TEXT, strlen(TEXT));
}

static int tear_down(void **state)
{
	(void)state;
	uc_nginx_conf_free(conf);
	return 0;
}

/* Bytes from the first of `at` on become text. */
static void edit(struct uc_finding *f, const char *at, size_t len, const char *text)
{
	struct uc_edit *e = &f->edits[f->edit_count++];

	e->file = 0;
	e->from = strstr(TEXT, at) - TEXT;
	e->to = e->from + len;
	snprintf(e->text, sizeof(e->text), "%s", text);
}

static struct uc_fix *fix_of(size_t count)
{
	struct uc_fix *x;

	assert_int_equal(uc_fix_new(conf, findings, count, &x), 0);
	return x;
}

static char *printed(const struct uc_fix *x, size_t *hidden)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(uc_fix_print(x, out, hidden), 0);
	fclose(out);
	return text;
}

static void test_one_edit(void **state)
{
	struct uc_fix *x;
	size_t len, hidden = 0;
	char *bytes, *diff;

	(void)state;
	edit(&findings[0], "keepalive 4;", 12, "keepalive 4;\n        keepalive_timeout 4s;");
	x = fix_of(1);
	assert_int_equal(uc_fix_files(x), 1);
	bytes = uc_fix_bytes(x, 0, &len);
	assert_non_null(
		memmem(bytes, len, "keepalive 4;\n        keepalive_timeout 4s;\n    }", 46));
	assert_int_equal(len, strlen(TEXT) + strlen("\n        keepalive_timeout 4s;"));
	diff = printed(x, &hidden);
	assert_non_null(strstr(diff, "\n+        keepalive_timeout 4s;\n"));
	assert_null(strstr(diff, "\n-"));
	assert_int_equal(hidden, 0);
	free(diff);
	free(bytes);
	uc_fix_free(x);
}

/* Of two that touch each other the first stays; the same said twice is one. */
static void test_edits_that_meet(void **state)
{
	struct uc_fix *x;

	(void)state;
	edit(&findings[0], "keepalive 4;", 12, "keepalive 8;");
	edit(&findings[1], "keepalive 4;", 12, "keepalive 16;");
	x = fix_of(2);
	assert_int_equal(uc_fix_dropped(x), 1);
	uc_fix_free(x);
	strcpy(findings[1].edits[0].text, "keepalive 8;");
	x = fix_of(2);
	assert_int_equal(uc_fix_dropped(x), 0);
	uc_fix_free(x);
}

static void test_what_is_accepted_is_not_changed(void **state)
{
	struct uc_fix *x;

	(void)state;
	edit(&findings[0], "keepalive 4;", 12, "keepalive 8;");
	findings[0].accepted = "we live with it";
	x = fix_of(1);
	assert_int_equal(uc_fix_files(x), 0);
	uc_fix_free(x);
}

/* A diff is pasted into tickets: a secret is no context, and a change to its line is counted only. */
static void test_secrets_are_not_printed(void **state)
{
	struct uc_fix *x;
	size_t hidden = 0;
	char *diff;

	(void)state;
	edit(&findings[0], "proxy_pass", 22, "proxy_pass http://app; proxy_read_timeout 5s;");
	x = fix_of(1);
	diff = printed(x, &hidden);
	assert_null(strstr(diff, "c2VjcmV0"));
	assert_non_null(strstr(diff, "proxy_read_timeout 5s;"));
	assert_int_equal(hidden, 0);
	free(diff);
	uc_fix_free(x);
	findings[0].edit_count = 0;
	edit(&findings[0], "Authorization", 13, "X-Authorization");
	x = fix_of(1);
	diff = printed(x, &hidden);
	assert_null(strstr(diff, "c2VjcmV0"));
	assert_int_equal(hidden, 1);
	free(diff);
	uc_fix_free(x);
}

static void test_harmless_lines(void **state)
{
	static const char *const good[] = { "", "    }", "keepalive 4;", "  server 10.0.0.1:80;",
					    "location / {" };
	static const char *const bad[] = { "proxy_set_header Authorization x;",
					   "ssl_certificate_key a;",
					   "keepalive 4; proxy_set_header Cookie x;",
					   "set $token abc;", "auth_basic_user_file f;" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(uc_fix_harmless(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(uc_fix_harmless(bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_edit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_edits_that_meet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_accepted_is_not_changed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_secrets_are_not_printed, set_up, tear_down),
		cmocka_unit_test(test_harmless_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
