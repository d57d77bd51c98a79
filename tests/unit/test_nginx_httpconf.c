/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/nginx/httpconf.h"
#include "core/nginx/template.h"

#define V1_28 UC_NGINX_VERSION(1, 28, 0)
#define V1_30 UC_NGINX_VERSION(1, 30, 0)

static struct uc_nginx_conf *conf;
static struct uc_nginx_http *http;

static int include(void *ctx, struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)c;
	return uc_nginx_word_is(&d->words[1], "absent") ? UC_NGINX_LEFT_OUT : 0;
}

static void read_conf(const char *text, uint32_t version)
{
	assert_int_equal(uc_nginx_conf_new(include, NULL, &conf), 0);
	assert_int_equal(uc_nginx_conf_parse(conf, "t", text, strlen(text)), 0);
	assert_int_equal(uc_nginx_http_new(conf, version, &http), 0);
}

static void done(void)
{
	uc_nginx_http_free(http);
	uc_nginx_conf_free(conf);
}

static const struct uc_nginx_place *place(size_t i)
{
	assert_true(i < uc_nginx_http_places(http));
	return uc_nginx_http_place(http, i);
}

static void test_versions(void **state)
{
	static const struct {
		const char *text;
		uint32_t version;
	} good[] = {
		{ "1.28", UC_NGINX_VERSION(1, 28, 999) },
		{ "1.28.0", V1_28 },
		{ "nginx/1.22.1", UC_NGINX_VERSION(1, 22, 1) },
		{ "nginx/1.18.0 (Ubuntu)", UC_NGINX_VERSION(1, 18, 0) },
		{ "openresty/1.25.3.1", UC_NGINX_VERSION(1, 25, 3) },
	};
	static const char *const bad[] = {
		"", "1", "1.", "x", "1.2.", "1.2x", "Angie/1.8.0", "1.28.0-rc", "99999999999.1"
	};
	uint32_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(uc_nginx_version_parse(good[i].text, &v));
		assert_int_equal(v, good[i].version);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uc_nginx_version_parse(bad[i], &v));
}

static int64_t time_of(const char *text)
{
	return uc_nginx_time(text, strlen(text));
}

static int64_t size_of(const char *text)
{
	return uc_nginx_size(text, strlen(text));
}

static void test_units(void **state)
{
	(void)state;
	assert_int_equal(time_of("60"), 60000);
	assert_int_equal(time_of("60s"), 60000);
	assert_int_equal(time_of("500ms"), 500);
	assert_int_equal(time_of("1m 30s"), 90000);
	assert_int_equal(time_of("1h30m"), 5400000);
	assert_int_equal(time_of("1d"), 86400000);
	assert_int_equal(time_of("0"), 0);
	assert_int_equal(time_of(""), UC_NGINX_UNKNOWN);
	assert_int_equal(time_of("x"), UC_NGINX_UNKNOWN);
	assert_int_equal(time_of("5x"), UC_NGINX_UNKNOWN);
	assert_int_equal(time_of("$t"), UC_NGINX_UNKNOWN);
	assert_int_equal(time_of("99999999999999999999"), UC_NGINX_UNKNOWN);
	assert_int_equal(size_of("4k"), 4096);
	assert_int_equal(size_of("8K"), 8192);
	assert_int_equal(size_of("1m"), 1 << 20);
	assert_int_equal(size_of("12"), 12);
	assert_int_equal(size_of("k"), UC_NGINX_UNKNOWN);
	assert_int_equal(size_of("4kb"), UC_NGINX_UNKNOWN);
}

/* One configuration, many versions: what nginx's change log says of each default. */
static void test_defaults(void **state)
{
	static const struct {
		uint32_t version;
		int64_t http, keepalive, timeout, requests, time;
		enum uc_nginx_connection connection;
		bool local, guarded;
	} cases[] = {
		{ UC_NGINX_VERSION(1, 9, 0), 10, 0, UC_NGINX_NEVER, 0, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, false },
		{ UC_NGINX_VERSION(1, 9, 12), 10, 0, UC_NGINX_NEVER, 0, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, false },
		{ UC_NGINX_VERSION(1, 9, 13), 10, 0, UC_NGINX_NEVER, 0, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 15, 2), 10, 0, UC_NGINX_NEVER, 0, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 15, 3), 10, 0, 60000, 100, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 19, 9), 10, 0, 60000, 100, UC_NGINX_NEVER,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 19, 10), 10, 0, 60000, 1000, 3600000,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 22, 1), 10, 0, 60000, 1000, 3600000,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 29, 6), 10, 0, 60000, 1000, 3600000,
		  UC_NGINX_CONNECTION_CLOSE, false, true },
		{ UC_NGINX_VERSION(1, 29, 7), 11, 32, 60000, 1000, 3600000,
		  UC_NGINX_CONNECTION_NONE, true, true },
		{ UC_NGINX_VERSION(1, 31, 5), 11, 32, 60000, 1000, 3600000,
		  UC_NGINX_CONNECTION_NONE, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct uc_nginx_place *p;
		int64_t next;

		read_conf(
			"http { upstream a { server b; } server { location / { proxy_pass http://a; } } }",
			cases[i].version);
		p = place(0);
		next = p->values[UC_NGINX_NEXT_UPSTREAM].n;
		assert_int_equal(p->values[UC_NGINX_HTTP_VERSION].n, cases[i].http);
		assert_int_equal(p->headers.connection, cases[i].connection);
		assert_int_equal(p->group->keepalive.n, cases[i].keepalive);
		assert_int_equal(p->group->local, cases[i].local);
		assert_int_equal(p->group->timeout.n, cases[i].timeout);
		assert_int_equal(p->group->requests.n, cases[i].requests);
		assert_int_equal(p->group->time.n, cases[i].time);
		assert_int_equal(!(next & UC_NGINX_NEXT_NON_IDEMPOTENT), cases[i].guarded);
		assert_int_equal(next & 3, UC_NGINX_NEXT_ERROR | UC_NGINX_NEXT_TIMEOUT);
		assert_int_equal(p->pool,
				 cases[i].keepalive ? UC_NGINX_POOL_KEPT : UC_NGINX_POOL_NOT_SET);
		assert_int_equal(p->values[UC_NGINX_READ_TIMEOUT].n, 60000);
		assert_int_equal(p->client_keepalive.n, 75000);
		done();
	}
}

static void test_inheritance(void **state)
{
	static const char text[] =
		"proxy_read_timeout 1;"
		"http { proxy_read_timeout 10; proxy_connect_timeout 2s; keepalive_timeout 33;"
		" server { proxy_read_timeout 20; proxy_send_timeout 7;"
		"  location /a { proxy_pass http://x; }"
		"  location /b { proxy_read_timeout 30; proxy_pass http://x;"
		"   location /b/c { proxy_pass http://x; proxy_send_timeout 8; } }"
		"  location @n { proxy_pass http://x; proxy_connect_timeout 3; } }"
		" server { keepalive_timeout 44 40; location / { proxy_pass http://y; } } }";
	static const struct {
		int64_t read, send, connect, client;
	} want[] = {
		{ 20000, 7000, 2000, 33000 },  { 30000, 7000, 2000, 33000 },
		{ 30000, 8000, 2000, 33000 },  { 20000, 7000, 3000, 33000 },
		{ 10000, 60000, 2000, 44000 },
	};

	(void)state;
	read_conf(text, V1_28);
	assert_int_equal(uc_nginx_http_places(http), 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(place(i)->values[UC_NGINX_READ_TIMEOUT].n, want[i].read);
		assert_int_equal(place(i)->values[UC_NGINX_SEND_TIMEOUT].n, want[i].send);
		assert_int_equal(place(i)->values[UC_NGINX_CONNECT_TIMEOUT].n, want[i].connect);
		assert_int_equal(place(i)->client_keepalive.n, want[i].client);
	}
	assert_null(place(4)->values[UC_NGINX_SEND_TIMEOUT].from);
	assert_non_null(place(4)->values[UC_NGINX_READ_TIMEOUT].from);
	done();
}

/* An `if` with a pass of its own has the location's values; a location within has them too, and no pass. */
static void test_if(void **state)
{
	static const char text[] =
		"http { server { location / { proxy_pass http://x; proxy_read_timeout 5;"
		" if ($b) { set $c 1; }"
		" if ($d) { proxy_pass http://z; }"
		" limit_except GET { proxy_pass http://w; }"
		" location /q { proxy_read_timeout 9; }"
		" location /r { proxy_pass http://v; } } } }";
	static const char hosts[] = "xzwv";

	(void)state;
	read_conf(text, V1_28);
	assert_int_equal(uc_nginx_http_places(http), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(place(i)->direct.at.host.p[0], hosts[i]);
		assert_int_equal(place(i)->values[UC_NGINX_READ_TIMEOUT].n, 5000);
	}
	done();
}

/* What is sent as Connection, and what comes of it for the pool, by where proxy_set_header stands. */
static void test_headers(void **state)
{
	static const struct {
		const char *http, *server, *location;
		enum uc_nginx_connection connection;
		enum uc_nginx_pool pool;
	} cases[] = {
		{ "", "", "", UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_CLOSE },
		{ "", "", "proxy_http_version 1.1;", UC_NGINX_CONNECTION_CLOSE,
		  UC_NGINX_POOL_CLOSE },
		{ "", "", "proxy_http_version 1.1; proxy_set_header Connection '';",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "", "", "proxy_set_header Connection '';", UC_NGINX_CONNECTION_NONE,
		  UC_NGINX_POOL_HTTP_1_0 },
		{ "", "", "proxy_set_header connection Keep-Alive;", UC_NGINX_CONNECTION_KEEP_ALIVE,
		  UC_NGINX_POOL_KEPT },
		{ "proxy_http_version 1.1; proxy_set_header Connection '';", "", "",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		/* a level's own list replaces all of those above */
		{ "proxy_http_version 1.1; proxy_set_header Connection '';", "",
		  "proxy_set_header Host x;", UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_CLOSE },
		{ "proxy_http_version 1.1; proxy_set_header Connection '';",
		  "proxy_set_header Host x;", "", UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_CLOSE },
		{ "proxy_http_version 1.1;", "proxy_set_header Connection '';",
		  "proxy_set_header Host x; proxy_set_header Connection '';",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "", "", "proxy_http_version 1.1; proxy_set_header Connection upgrade;",
		  UC_NGINX_CONNECTION_UPGRADE, UC_NGINX_POOL_KEPT },
		{ "", "", "proxy_http_version 1.1; proxy_set_header Connection $http_connection;",
		  UC_NGINX_CONNECTION_CLIENT, UC_NGINX_POOL_KEPT },
		{ "", "", "proxy_set_header Connection $http_connection;",
		  UC_NGINX_CONNECTION_CLIENT, UC_NGINX_POOL_UNKNOWN },
		/* what some requests have decides */
		{ "", "set $c ''; if ($http_upgrade) { set $c upgrade; }",
		  "proxy_http_version 1.1; proxy_set_header Connection $c;",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "", "set $c close; if ($x) { set $c close; }",
		  "proxy_http_version 1.1; proxy_set_header Connection $c;",
		  UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_CLOSE },
		{ "", "set $c close; if ($x) { set $c $y; }",
		  "proxy_http_version 1.1; proxy_set_header Connection $c;",
		  UC_NGINX_CONNECTION_UNKNOWN, UC_NGINX_POOL_UNKNOWN },
		{ "map $arg_x $c { default close; y ''; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $c;",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "", "", "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_UNKNOWN, UC_NGINX_POOL_UNKNOWN },
		{ "map $http_upgrade $x { default upgrade; '' close; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_CLOSE },
		{ "map $http_upgrade $x { default upgrade; '' ''; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "map $http_upgrade $x { websocket upgrade; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_NONE, UC_NGINX_POOL_KEPT },
		{ "map $http_upgrade $x { default upgrade; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_UPGRADE, UC_NGINX_POOL_KEPT },
		/* a pattern may match the empty string */
		{ "map $http_upgrade $x { ~^w upgrade; default close; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_UNKNOWN, UC_NGINX_POOL_UNKNOWN },
		{ "map $http_x $x { default close; }", "",
		  "proxy_http_version 1.1; proxy_set_header Connection $x;",
		  UC_NGINX_CONNECTION_UNKNOWN, UC_NGINX_POOL_UNKNOWN },
		{ "", "", "proxy_http_version 2;", UC_NGINX_CONNECTION_CLOSE, UC_NGINX_POOL_KEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024] = "http { upstream a { server b; keepalive 4; } ";

		strcat(text, cases[i].http);
		strcat(text, " server { ");
		strcat(text, cases[i].server);
		strcat(text, " location / { proxy_pass http://a; ");
		strcat(text, cases[i].location);
		strcat(text, " } } }");
		read_conf(text, V1_28);
		assert_int_equal(place(0)->headers.connection, cases[i].connection);
		assert_int_equal(place(0)->pool, cases[i].pool);
		done();
	}
}

static void test_pools(void **state)
{
	static const struct {
		const char *group, *location;
		uint32_t version;
		enum uc_nginx_pool pool;
	} cases[] = {
		{ "server x;", "proxy_pass http://a;", V1_30, UC_NGINX_POOL_KEPT },
		{ "server x;", "proxy_pass http://a;", V1_28, UC_NGINX_POOL_NOT_SET },
		{ "server x; keepalive 0;", "proxy_pass http://a;", V1_30, UC_NGINX_POOL_OFF },
		{ "server x;", "proxy_pass http://x;", V1_30, UC_NGINX_POOL_NO_GROUP },
		{ "server x;", "proxy_pass http://$y;", V1_30, UC_NGINX_POOL_UNKNOWN },
		{ "server x;", "proxy_pass http://a; proxy_set_header Connection close;", V1_30,
		  UC_NGINX_POOL_CLOSE },
		{ "server x;", "proxy_pass http://a; proxy_http_version 1.0;", V1_30,
		  UC_NGINX_POOL_HTTP_1_0 },
		/* a name is found whatever its case, and with a path behind it */
		{ "server x;", "proxy_pass https://A/b/c;", V1_30, UC_NGINX_POOL_KEPT },
		{ "server x; keepalive 1;", "grpc_pass grpc://a;", V1_28, UC_NGINX_POOL_KEPT },
		{ "server x; keepalive 1;", "fastcgi_pass a;", V1_28, UC_NGINX_POOL_KEEP_CONN },
		{ "server x; keepalive 1;", "fastcgi_pass a; fastcgi_keep_conn on;", V1_28,
		  UC_NGINX_POOL_KEPT },
		{ "server x;", "fastcgi_pass a;", V1_30, UC_NGINX_POOL_KEEP_CONN },
		{ "server x;", "uwsgi_pass a;", V1_30, UC_NGINX_POOL_NO_KEEPALIVE },
		{ "server x;", "scgi_pass a;", V1_30, UC_NGINX_POOL_NO_KEEPALIVE },
		{ "server x; keepalive 2;", "memcached_pass a;", V1_28, UC_NGINX_POOL_KEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512] = "http { upstream a { ";

		strcat(text, cases[i].group);
		strcat(text, " } server { location / { ");
		strcat(text, cases[i].location);
		strcat(text, " } } }");
		read_conf(text, cases[i].version);
		assert_int_equal(place(0)->pool, cases[i].pool);
		done();
	}
}

static void endpoint(size_t i, const char *host, uint16_t port, bool unix_socket)
{
	const struct uc_nginx_endpoint *e = &place(i)->direct.at;

	assert_int_equal(e->host.len, strlen(host));
	assert_memory_equal(e->host.p, host, e->host.len);
	assert_int_equal(e->port, port);
	assert_int_equal(e->unix_socket, unix_socket);
}

static void test_targets(void **state)
{
	static const char text[] = "server { location /0 { proxy_pass http://10.0.0.1; }"
				   " location /1 { proxy_pass https://h; }"
				   " location /2 { proxy_pass http://h:81/x?y; }"
				   " location /3 { proxy_pass http://[::1]:82/; }"
				   " location /4 { proxy_pass http://unix:/run/a.sock:/u; }"
				   " location /5 { fastcgi_pass unix:/run/f.sock; }"
				   " location /6 { fastcgi_pass 127.0.0.1:9000; }"
				   " location /7 { proxy_pass http://h:99999; } }";

	(void)state;
	read_conf(text, V1_28);
	endpoint(0, "10.0.0.1", 80, false);
	endpoint(1, "h", 443, false);
	endpoint(2, "h", 81, false);
	endpoint(3, "::1", 82, false);
	endpoint(4, "/run/a.sock", 0, true);
	endpoint(5, "/run/f.sock", 0, true);
	endpoint(6, "127.0.0.1", 9000, false);
	endpoint(7, "h", 0, false);
	done();
}

static void test_group(void **state)
{
	static const char text[] =
		"http { upstream a { zone z 64k; server 10.0.0.1:8080 weight=5; server 10.0.0.2 backup;"
		" server unix:/s down; keepalive 16; keepalive_timeout 4s; keepalive_requests 50;"
		" keepalive_time 10m; }"
		" upstream A2 { server x; keepalive 8 local; }"
		" server { location / { proxy_pass http://a; } } }";
	const struct uc_nginx_group *g;
	size_t count;

	(void)state;
	read_conf(text, V1_28);
	assert_int_equal(uc_nginx_http_groups(http), 2);
	g = place(0)->group;
	assert_ptr_equal(uc_nginx_place_servers(place(0), &count), g->servers);
	assert_int_equal(count, 3);
	assert_int_equal(g->servers[0].at.port, 8080);
	assert_true(g->servers[1].backup && g->servers[1].at.port == 80);
	assert_true(g->servers[2].down && g->servers[2].at.unix_socket);
	assert_int_equal(g->keepalive.n, 16);
	assert_false(g->local);
	assert_int_equal(g->timeout.n, 4000);
	assert_int_equal(g->requests.n, 50);
	assert_int_equal(g->time.n, 600000);
	assert_true(uc_nginx_http_group(http, 1)->local);
	done();
}

static void test_many_groups(void **state)
{
	char *text = malloc(200000), *at = text;

	(void)state;
	at = stpcpy(at, "http { ");
	for (unsigned i = 0; i < 900; i++) {
		char name[5] = { 'u', '0' + i / 100, '0' + i / 10 % 10, '0' + i % 10, '\0' };

		at = stpcpy(stpcpy(stpcpy(at, "upstream "), name),
			    " { server h; } server { location / { proxy_pass http://");
		at = stpcpy(stpcpy(at, name), "; } } ");
	}
	stpcpy(at, "}");
	read_conf(text, V1_30);
	assert_int_equal(uc_nginx_http_places(http), 900);
	for (size_t i = 0; i < 900; i++)
		assert_memory_equal(place(i)->group->name.p, place(i)->pass->words[1].p + 7, 4);
	done();
	free(text);
}

/* The groups that a variable may name, in order, and "?" for what it may be besides. */
static void test_choices(void **state)
{
#define GROUPS     "upstream a { server h; } upstream b { server h; } "
#define TO(target) "server { location / { proxy_pass " target "; } }"
	static const struct {
		const char *text, *places;
	} rows[] = {
		{ "map $host $p { default a; x b; }" TO("http://$p"), "ab" },
		{ "map $host $p { default a; x b; y a; }" TO("http://${p}/x"), "ab" },
		{ "map $host $p { default a; x other; }" TO("http://$p"), "a?" },
		{ "map $host $p { default a; x $y; }" TO("http://$p"), "a?" },
		{ "map $host $p { default http://a; }" TO("$p"), "a" },
		{ "geo $p { default a; 10.0.0.0/8 b; }" TO("http://$p$request_uri"), "ab" },
		{ "geo $remote_addr $p { default b; }" TO("http://$p"), "b" },
		{ "split_clients $x $p { 10% a; * b; }" TO("http://$p"), "ab" },
		{ TO("http://$p"), "?" },
		{ "map $host $p { default a; }" TO("http://x$p"), "?" },
		{ "map $host $p { default a; }" TO("http://$p.local"), "?" },
		{ "map $host $p { default a; }" TO("http://$p$q"), "?" },
		{ "map $host $p { default a; }" TO("http://${p"), "?" },
		{ "server { set $p a; location / { if ($x) { set $p b; } proxy_pass http://$p; } }",
		  "ab" },
		/* of another server's request */
		{ "server { set $p a; } " TO("http://$p"), "?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512] = "http { " GROUPS, got[8] = "";

		strcat(strcat(text, rows[i].text), "}");
		read_conf(text, V1_28);
		for (size_t k = 0; k < uc_nginx_http_places(http) && k < 7; k++)
			strncat(got, place(k)->group ? place(k)->group->name.p : "?", 1);
		assert_string_equal(got, rows[i].places);
		done();
	}
}

/* Too many to follow are not followed, rather than some of them. */
static void test_many_choices(void **state)
{
	char text[4096] = "http { " GROUPS "map $host $p { ";

	(void)state;
	for (unsigned i = 0; i < 65; i++)
		strcat(text, "x a; ");
	strcat(text, "} " TO("http://$p") "}");
	read_conf(text, V1_28);
	assert_int_equal(uc_nginx_http_places(http), 1);
	assert_true(place(0)->variable && place(0)->pool == UC_NGINX_POOL_UNKNOWN);
	done();
}

/* What an include that was left out could set is unknown at its level and below, but for what is set there. */
static void test_left_out(void **state)
{
	(void)state;
	read_conf("http { upstream a { server x; keepalive 2; } upstream b { include absent; }"
		  "server { location / { proxy_pass http://a; } }"
		  "server { include absent; proxy_connect_timeout 3s;"
		  "location / { proxy_pass http://a; proxy_read_timeout 5s; }"
		  "location /b { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header "
		  "Connection ''; } } }",
		  V1_28);
	assert_int_equal(place(0)->pool, UC_NGINX_POOL_CLOSE);
	assert_null(place(0)->unread);
	assert_int_equal(place(1)->pool, UC_NGINX_POOL_UNREAD);
	assert_non_null(place(1)->unread);
	assert_int_equal(place(1)->values[UC_NGINX_CONNECT_TIMEOUT].n, 3000);
	assert_int_equal(place(1)->values[UC_NGINX_READ_TIMEOUT].n, 5000);
	assert_int_equal(place(1)->values[UC_NGINX_SEND_TIMEOUT].n, UC_NGINX_UNKNOWN);
	assert_null(place(1)->values[UC_NGINX_SEND_TIMEOUT].from);
	assert_int_equal(place(1)->client_keepalive.n, UC_NGINX_UNKNOWN);
	assert_int_equal(place(2)->headers.connection, UC_NGINX_CONNECTION_NONE);
	assert_int_equal(place(2)->group->keepalive.n, UC_NGINX_UNKNOWN);
	assert_int_equal(place(2)->pool, UC_NGINX_POOL_UNREAD);
	done();
	read_conf(
		"http { include absent; server { location / { proxy_pass http://a; }"
		"location /x { proxy_pass http://127.0.0.1; } location /y { proxy_pass http://a:80; } } }",
		V1_28);
	assert_int_equal(place(0)->pool, UC_NGINX_POOL_UNREAD);
	assert_int_equal(place(1)->pool, UC_NGINX_POOL_NO_GROUP);
	assert_int_equal(place(2)->pool, UC_NGINX_POOL_NO_GROUP);
	done();
}

/* A place that keeps none takes those that others left, but not where each place has its own. */
static void test_shared_pool(void **state)
{
	static const struct {
		const char *group, *other;
		bool shares;
	} rows[] = {
		{ "keepalive 2;", "proxy_http_version 1.1; proxy_set_header Connection '';", true },
		{ "keepalive 2;", "proxy_http_version 1.1;", false },
		{ "keepalive 2 local;", "proxy_http_version 1.1; proxy_set_header Connection '';",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "upstream a { server x; %s } server { location / { proxy_pass http://a; } "
			 "location /b { proxy_pass http://a; %s } }",
			 rows[i].group, rows[i].other);
		read_conf(text, V1_28);
		assert_int_equal(place(0)->shares, rows[i].shares);
		assert_false(place(1)->shares);
		done();
	}
}

static void test_templates(void **state)
{
	static const struct {
		const char *word;
		enum uc_nginx_template is;
	} words[] = {
		{ "{{ .Port }}", UC_NGINX_TEMPLATE_MUSTACHE },
		{ "{%", UC_NGINX_TEMPLATE_STATEMENT },
		{ "<%=", UC_NGINX_TEMPLATE_ERB },
		{ "http://${APP_HOST}:80", UC_NGINX_TEMPLATE_VARIABLE },
		{ "http://${app}:80", UC_NGINX_TEMPLATE_NONE },
		{ "$HOST", UC_NGINX_TEMPLATE_NONE },
		{ "${}", UC_NGINX_TEMPLATE_NONE },
		{ "${A", UC_NGINX_TEMPLATE_NONE },
		{ "{\"a\":{{\"b\":1}}}", UC_NGINX_TEMPLATE_NONE },
		{ "", UC_NGINX_TEMPLATE_NONE },
	};
	static const char text[] = "# {{ not here }}\nserver {\n{{ x\n}}\nlisten {{ x }};";
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct uc_nginx_word w = { words[i].word, strlen(words[i].word), 0 };

		assert_int_equal(uc_nginx_template(&w), words[i].is);
	}
	assert_int_equal(uc_nginx_template_in(text, strlen(text), &at), UC_NGINX_TEMPLATE_MUSTACHE);
	assert_memory_equal(text + at, "{{ x }}", 7);
	assert_int_equal(uc_nginx_template_in(text, 16, &at), UC_NGINX_TEMPLATE_NONE);
	for (unsigned i = 0; i <= UC_NGINX_TEMPLATE_VARIABLE; i++)
		assert_non_null(uc_nginx_template_name(i));
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < UC_NGINX_POOL_MAX; i++)
		assert_non_null(uc_nginx_pool_name(i));
	for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
		assert_non_null(uc_nginx_setting_name(i));
	for (unsigned i = 0; i < UC_NGINX_PROTOCOL_MAX; i++)
		assert_non_null(uc_nginx_protocol_name(i));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_units),
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_if),           cmocka_unit_test(test_headers),
		cmocka_unit_test(test_left_out),     cmocka_unit_test(test_templates),
		cmocka_unit_test(test_shared_pool),  cmocka_unit_test(test_pools),
		cmocka_unit_test(test_targets),      cmocka_unit_test(test_group),
		cmocka_unit_test(test_many_groups),  cmocka_unit_test(test_choices),
		cmocka_unit_test(test_many_choices), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("nginx_httpconf", tests, NULL, NULL);
}
