/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "core/nginx/target.h"
#include "core/nginx/var.h"

static int include(void *ctx, struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)c;
	(void)d;
	return 0;
}

static struct uc_nginx_conf *read_conf(const char *text)
{
	struct uc_nginx_conf *conf;

	assert_int_equal(uc_nginx_conf_new(include, NULL, &conf), 0);
	assert_int_equal(uc_nginx_conf_parse(conf, "t", text, strlen(text)), 0);
	return conf;
}

static struct uc_nginx_word word(const char *text)
{
	return (struct uc_nginx_word){ .p = text, .len = strlen(text) };
}

/* The nth server{} at the top, from 1; 0: none. */
static const struct uc_nginx_directive *server(const struct uc_nginx_conf *conf, unsigned nth)
{
	const struct uc_nginx_directive *d = uc_nginx_conf_top(conf);

	for (; nth && d; d = d->next)
		if (uc_nginx_named(d, "server") && !--nth)
			return d;
	return NULL;
}

/* The values with a blank between them. */
static const char *values_of(const char *text, unsigned nth, const char *name)
{
	const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX];
	struct uc_nginx_conf *conf = read_conf(text);
	struct uc_nginx_word w = word(name);
	struct uc_nginx_vars *vars;
	static char joined[1024];
	size_t count, n = 0;

	assert_int_equal(uc_nginx_vars_new(uc_nginx_conf_top(conf), &vars), 0);
	count = uc_nginx_vars_values(vars, server(conf, nth), NULL, &w, values);
	joined[0] = 0;
	for (size_t i = 0; i < count; i++)
		n += snprintf(joined + n, sizeof(joined) - n, "%s%.*s", i ? " " : "",
			      (int)values[i]->len, values[i]->p);
	uc_nginx_vars_free(vars);
	uc_nginx_conf_free(conf);
	return joined;
}

#define SERVERS                                                                          \
	"map $host $pool { default a; x b; hostnames; }\n"                               \
	"server { set $pool c; if ($x) { set $pool d; } location / { set $pool e; } }\n" \
	"server { set $pool f; }\n"                                                      \
	"server { listen 80; }\n"                                                        \
	"map $uri $pool { y g; }\n"

static void test_values(void **state)
{
	static const struct {
		const char *conf;
		unsigned server;
		const char *name, *values;
	} rows[] = {
		/* tables hold everywhere, a set within its server; each in the file's order */
		{ SERVERS, 0, "pool", "a b g" },
		{ SERVERS, 1, "pool", "a b g c d e" },
		{ SERVERS, 2, "pool", "a b g f" },
		{ SERVERS, 3, "pool", "a b g" },
		{ SERVERS, 1, "POOL", "a b g c d e" },
		{ SERVERS, 1, "poo", "" },
		{ SERVERS, 1, "pools", "" },
		{ SERVERS, 1, "$pool", "" },
		/* what has values of two words: a key and the value */
		{ "geo $p { default a; 10.0.0.0/8 b; ranges; }", 0, "p", "a b" },
		{ "geo $from $p { 10.0.0.0/8 b; }", 0, "p", "b" },
		{ "geo $from $p { 10.0.0.0/8 b; }", 0, "from", "" },
		{ "split_clients $ip$uri $p { 50% a; * b; }", 0, "p", "a b" },
		{ "map $a $p { x ''; }", 0, "p", "" },
		{ "map $a $p { x a b; }", 0, "p", "" },
		/* no table, no variable, and another form */
		{ "map $p { x a; }", 0, "p", "" },
		{ "types $a $p { x a; }", 0, "p", "" },
		{ "map $a p { x a; }", 0, "p", "" },
		{ "map $a $p-x { x a; }", 0, "p", "" },
		{ "set $p a;", 0, "p", "a" },
		{ "set ${p} a;", 0, "p", "a" },
		{ "set $p a b;", 0, "p", "" },
		{ "setter $p a;", 0, "p", "" },
		{ "", 0, "p", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(values_of(rows[i].conf, rows[i].server, rows[i].name),
				    rows[i].values);
}

/* Of a location: its own set, the server's where that is none of it or under a condition, else all. */
static void test_of_a_block(void **state)
{
	static const struct {
		const char *text, *values;
	} rows[] = {
		{ "location / { set $p b; }", "b" },
		{ "set $p a; location / { set $p b; }", "b" },
		{ "set $p a; location / { set $p b; if ($x) { set $p c; } }", "b c" },
		{ "set $p a; location / { if ($x) { set $p c; } set $p b; }", "b" },
		{ "set $p a; location / { if ($x) { set $p c; } }", "a c" },
		{ "set $p a; location / { } location /x { set $p b; }", "a" },
		{ "location / { } location /x { set $p b; }", "b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX];
		const struct uc_nginx_directive *top, *d;
		struct uc_nginx_word name = word("p");
		char text[256], got[64] = "";
		struct uc_nginx_vars *vars;
		struct uc_nginx_conf *conf;
		size_t count;

		snprintf(text, sizeof(text), "server { %s }", rows[i].text);
		conf = read_conf(text);
		top = uc_nginx_conf_top(conf);
		for (d = top->child; !uc_nginx_named(d, "location");)
			d = d->next;
		assert_int_equal(uc_nginx_vars_new(top, &vars), 0);
		count = uc_nginx_vars_values(vars, top, d, &name, values);
		for (size_t k = 0; k < count; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s",
				 k ? " " : "", (int)values[k]->len, values[k]->p);
		assert_string_equal(got, rows[i].values);
		uc_nginx_vars_free(vars);
		uc_nginx_conf_free(conf);
	}
}

/* The texts of a target, and whether each needs a resolver ("!") . */
static void test_targets(void **state)
{
	static const struct {
		const char *sets, *target, *texts;
	} rows[] = {
		{ "set $a app; set $p 80;", "http://$a:$p/x", "http://app:80!" },
		{ "set $s https; set $a app;", "$s://$a$request_uri", "https://app!" },
		{ "set $u http://app:80/y;", "$u", "http://app:80!" },
		{ "set $a $b; set $b app;", "http://$a", "http://app!" },
		{ "set $a $a.x;", "http://$a:1", "http://$a.x.x.x.x.x.x.x.x:1!" },
		{ "", "http://$a:1", "http://$a:1" },
		{ "", "http://$host:1", "http://$host:1!" },
		{ "", "http://$a.internal", "http://$a.internal!" },
		{ "set $a 10.0.0.1;", "http://$a:1", "http://10.0.0.1:1" },
		{ "set $a [::1];", "http://$a:1", "http://[::1]:1" },
		{ "set $a unix:/run/a.sock;", "http://$a:/x", "http://unix:/run/a.sock" },
		{ "set $a app;", "$a:9000", "app:9000!" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uc_nginx_word target = word(rows[i].target), *first;
		struct uc_nginx_authority to;
		struct uc_list texts = { 0 };
		struct uc_nginx_vars *vars;
		struct uc_nginx_conf *conf = read_conf(rows[i].sets);
		char got[128];

		assert_int_equal(uc_nginx_vars_new(uc_nginx_conf_top(conf), &vars), 0);
		assert_int_equal(uc_nginx_targets(vars, NULL, NULL, &target, &texts), 0);
		assert_int_equal(texts.count, 1);
		first = texts.at;
		to = uc_nginx_authority(first);
		snprintf(got, sizeof(got), "%.*s%s", (int)first->len, first->p,
			 uc_nginx_authority_named(&to.at) ? "!" : "");
		assert_string_equal(got, rows[i].texts);
		uc_nginx_targets_free(&texts, 0);
		free(texts.at);
		uc_nginx_vars_free(vars);
		uc_nginx_conf_free(conf);
	}
}

/* One more than there is room for, and there is no telling. */
static void test_too_many(void **state)
{
	char text[UC_NGINX_VALUES_MAX * 16 + 64];
	size_t n = snprintf(text, sizeof(text), "server { set $p z; } map $a $p {");

	(void)state;
	for (unsigned i = 1; i < UC_NGINX_VALUES_MAX; i++)
		n += snprintf(text + n, sizeof(text) - n, " %u v;", i);
	snprintf(text + n, sizeof(text) - n, " }");
	assert_int_equal(strlen(values_of(text, 0, "p")), 2 * (UC_NGINX_VALUES_MAX - 1) - 1);
	assert_int_equal(strlen(values_of(text, 1, "p")), 2 * UC_NGINX_VALUES_MAX - 1);
	snprintf(text + n, sizeof(text) - n, " one more; }");
	assert_int_equal(strlen(values_of(text, 0, "p")), 2 * UC_NGINX_VALUES_MAX + 2);
	assert_string_equal(values_of(text, 1, "p"), "");
}

static void test_variable(void **state)
{
	static const struct {
		const char *word, *name, *rest; /* name NULL: none */
	} rows[] = {
		{ "$pool", "pool", "" },
		{ "${pool}", "pool", "" },
		{ "$pool/uri", "pool", "/uri" },
		{ "${pool}x", "pool", "x" },
		{ "$p_1-2", "p_1", "-2" },
		{ "$a$b", "a", "$b" },
		{ "", NULL, NULL },
		{ "$", NULL, NULL },
		{ "$/", NULL, NULL },
		{ "${", NULL, NULL },
		{ "${}", NULL, NULL },
		{ "${pool", NULL, NULL },
		{ "${po-ol}", NULL, NULL },
		{ "pool", NULL, NULL },
		{ "x$pool", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uc_nginx_word w = word(rows[i].word), name, rest;

		w.at = 7;
		assert_int_equal(uc_nginx_variable(&w, &name, &rest), rows[i].name != NULL);
		if (!rows[i].name)
			continue;
		assert_true(uc_nginx_word_is(&name, rows[i].name));
		assert_true(uc_nginx_word_is(&rest, rows[i].rest));
		assert_int_equal(name.at, 7);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),   cmocka_unit_test(test_of_a_block),
		cmocka_unit_test(test_targets),  cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_variable),
	};

	return cmocka_run_group_tests_name("nginx_var", tests, NULL, NULL);
}
