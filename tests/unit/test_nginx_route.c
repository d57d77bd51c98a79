/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/nginx/route.h"

static int include(void *ctx, struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)c;
	(void)d;
	return 0;
}

/* The name of the upstream that the path comes to: how many places, and the last. */
static unsigned routes(const char *text, uint16_t port, const char *host, const char *path,
		       char name[16])
{
	struct uc_nginx_conf *conf;
	struct uc_nginx_http *http;
	unsigned places = 0;

	assert_int_equal(uc_nginx_conf_new(include, NULL, &conf), 0);
	assert_int_equal(uc_nginx_conf_parse(conf, "t", text, strlen(text)), 0);
	assert_int_equal(uc_nginx_http_new(conf, UC_NGINX_VERSION(1, 28, 0), &http), 0);
	name[0] = '\0';
	for (size_t i = 0; i < uc_nginx_http_places(http); i++) {
		const struct uc_nginx_place *p = uc_nginx_http_place(http, i);

		if (!uc_nginx_route(uc_nginx_conf_top(conf), p, port, host, path))
			continue;
		places++;
		snprintf(name, 16, "%.*s", (int)p->direct.at.host.len, p->direct.at.host.p);
	}
	uc_nginx_http_free(http);
	uc_nginx_conf_free(conf);
	return places;
}

#define L(match, host, more) "location " match " { proxy_pass http://" host "; " more " } "
#define S(inner)             "http { server { listen 80; " inner "} }"

static void test_routes(void **state)
{
	static const struct {
		const char *text;
		uint16_t port;
		const char *path, *to; /* NULL: not known */
	} rows[] = {
		{ S(L("/", "a", "") L("/b/", "b", "")), 80, "/x", "a" },
		{ S(L("/", "a", "") L("/b/", "b", "")), 80, "/b/x", "b" },
		{ S(L("/", "a", "") L("/b/", "b", "")), 80, "/b", "a" },
		{ S(L("/b", "b", "") L("/", "a", "")), 80, "/bx", "b" },
		{ S(L("/", "a", "") L("= /b", "b", "")), 80, "/b", "b" },
		{ S(L("/", "a", "") L("=/b", "b", "")), 80, "/b", "b" },
		{ S(L("/", "a", "") L("= /b", "b", "")), 80, "/b/", "a" },
		{ S(L("/b", "b", "")), 80, "/a", NULL },
		{ S(L("/", "a", "")), 81, "/x", NULL },
		/* regular expressions */
		{ S(L("/", "a", "") L("~ x$", "b", "")), 80, "/y", NULL },
		{ S(L("/", "a", "") L("~*x$", "b", "")), 80, "/x", NULL },
		{ S(L("^~ /a", "a", "") L("~ x$", "b", "")), 80, "/ax", "a" },
		{ S(L("= /a", "a", "") L("~ a$", "b", "")), 80, "/a", "a" },
		{ S(L("/", "a", "") L("@b", "b", "")), 80, "/b", "a" },
		/* what leads elsewhere */
		{ S("rewrite x y; " L("/", "a", "")), 80, "/x", NULL },
		{ S(L("/", "a", "if ($a) { return 404; }")), 80, "/x", NULL },
		{ S(L("/", "a", L("/x", "b", ""))), 80, "/x", "b" },
		{ S(L("/", "a", L("/x", "b", ""))), 80, "/y", "a" },
		{ S(L("/", "a", L("= /x", "b", "")) L("~ x$", "c", "")), 80, "/x", "b" },
		{ S(L("/", "a", L("/x", "b", "")) L("~ x$", "c", "")), 80, "/x", NULL },
		{ S(L("^~ /", "a", L("~ x$", "b", ""))), 80, "/y", NULL },
		{ S(L("^~ /", "a", L("^~ /x", "b", ""))), 80, "/x", "b" },
		{ S(L("/", "a", "try_files $uri @b;")), 80, "/x", NULL },
		{ S(L("/", "a", "")), 80, "/a/../b", NULL },
		{ S(L("/", "a", "")), 80, "//a", NULL },
		{ S(L("/", "a", "")), 80, "/%61", NULL },
		{ S(L("/", "a", "")), 80, "", NULL },
		/* servers */
		{ "http { server { " L("/", "a", "") "} }", 80, "/", "a" },
		{ "server { listen [::]:8080; " L("/", "a", "") "}", 8080, "/", "a" },
		{ "server { listen 127.0.0.1; " L("/", "a", "") "}", 80, "/", "a" },
		{ "server { listen unix:/a:80; " L("/", "a", "") "}", 80, "/", NULL },
		{ "server { listen 99999999999999999999; " L("/", "a", "") "}", 80, "/", NULL },
		{ "server { listen 1; " L("/", "a", "") "} server { listen 2; }", 1, "/", "a" },
		{ "server { listen 1; " L("/", "a", "") "} server { listen 1; }", 1, "/", "a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[16];
		unsigned places = routes(rows[i].text, rows[i].port, "h.example", rows[i].path,
					 name);

		if (places != (rows[i].to != NULL) || strcmp(name, rows[i].to ? rows[i].to : ""))
			fail_msg("%s: %s comes to %u places, %s", rows[i].text, rows[i].path,
				 places, name);
	}
}

#define H(listen, names, host) "server { " listen " server_name " names "; " L("/", host, "") "} "

/* By server_name, in the order of nginx's own page on it, and at the address that all share. */
static void test_hosts(void **state)
{
	static const char named[] = H("", "a.example b.example", "a") H("", "*.example", "w")
		H("", "*.b.example", "v") H("", "www.*", "t") H("", ".dot.test", "d");
	static const char defaults[] = H("", "a.example", "a")
		H("listen 80 default_server; listen [::]:80;", "_", "z");
	static const struct {
		const char *text, *host, *to;
	} rows[] = {
		{ named, "a.example", "a" },
		{ named, "A.Example:8080", "a" },
		{ named, "b.example.", "a" },
		{ named, "x.example", "w" },
		{ named, "x.b.example", "v" },
		{ named, "www.b.example", "v" },
		{ named, "www.test", "t" },
		{ named, "dot.test", "d" },
		{ named, "x.dot.test", "d" },
		{ named, "xdot.test", "a" },
		{ named, "example", "a" },
		{ named, "127.0.0.1", "a" },
		{ named, "", "a" },
		{ defaults, "a.example", "a" },
		{ defaults, "127.0.0.1", "z" },
		{ defaults, "[::1]:80", "z" },
		/* an expression has a say where no name does */
		{ H("", "a.example", "a") H("", "~^b", "b"), "a.example", "a" },
		{ H("", "a.example", "a") H("", "~^b", "b"), "b.example", NULL },
		{ H("", "a.example", "a") H("", "$hostname", "b"), "b.example", NULL },
		{ H("", "~^b", "b"), "x", "b" },
		/* several addresses */
		{ H("listen 10.0.0.1:80;", "a", "a") H("listen 10.0.0.1:80;", "b", "b"), "b", "b" },
		{ H("listen 10.0.0.1:80;", "a", "a") H("listen 10.0.0.2:80;", "b", "b"), "b",
		  NULL },
		{ H("listen 10.0.0.1:80;", "a", "a") H("listen 80;", "b", "b"), "b", NULL },
		{ H("listen 10.0.0.1;", "a", "a") H("listen 10.0.0.1:80;", "b", "b"), "b", "b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[16];
		unsigned places = routes(rows[i].text, 80, rows[i].host, "/", name);

		if (places != (rows[i].to != NULL) || strcmp(name, rows[i].to ? rows[i].to : ""))
			fail_msg("%s: host %s comes to %u places, %s", rows[i].text, rows[i].host,
				 places, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_routes),
					    cmocka_unit_test(test_hosts) };

	return cmocka_run_group_tests_name("nginx_route", tests, NULL, NULL);
}
