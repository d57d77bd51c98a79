/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nginx/errorpath.h"

static void named_is(const char *text, const char *name)
{
	struct uc_nginx_conf *c;
	const struct uc_nginx_word *w;

	assert_int_equal(uc_nginx_conf_new(NULL, NULL, &c), 0);
	assert_int_equal(uc_nginx_conf_parse(c, "nginx.conf", text, strlen(text)), 0);
	w = uc_error_log_named(c);
	if (name) {
		assert_non_null(w);
		assert_int_equal(w->len, strlen(name));
		assert_memory_equal(w->p, name, w->len);
	} else {
		assert_null(w);
	}
	uc_nginx_conf_free(c);
}

static void test_named(void **state)
{
	(void)state;
	named_is("", NULL);
	named_is("error_log /a warn;", "/a");
	named_is("error_log /a; http { error_log logs/b; server { error_log /c; } }", "logs/b");
	named_is("error_log stderr; http { server { error_log /c; } }", "stderr");
	named_is("stream { error_log /s; } error_log /a;", "/s");
	named_is("stream { error_log /s; } http { error_log /h; }", "/h");
	named_is("http { error_log syslog:server=10.0.0.1; error_log memory:1m debug; "
		 "error_log /h; }",
		 "/h");
	named_is("http { error_log syslog:server=10.0.0.1; } error_log /a;", "/a");
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_named) };

	return cmocka_run_group_tests_name("errorpath", tests, NULL, NULL);
}
