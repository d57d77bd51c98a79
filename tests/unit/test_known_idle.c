/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/known_idle.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "build.h"

static const char table_text[] =
#include "idle-timeouts.inc"
	;

static json_t *lists, *rows;
static struct uc_known_idle known[UC_KNOWN_IDLE_MAX];

static int set_up_table(void **state)
{
	json_error_t error;

	(void)state;
	lists = json_loads(table_text, JSON_REJECT_DUPLICATES, &error);
	rows = json_object_get(lists, "servers");
	if (!lists)
		print_error("line %d: %s\n", error.line, error.text);
	return !rows;
}

static int tear_down_table(void **state)
{
	(void)state;
	json_decref(lists);
	return 0;
}

static size_t look_up(double seconds, const char *exe)
{
	memset(known, 0, sizeof(known));
	return uc_known_idle((uint64_t)llround(seconds * 1e9), exe, known);
}

static bool found(double seconds, const char *exe, const char *name)
{
	size_t count = look_up(seconds, exe);

	for (size_t i = 0; i < count; i++)
		if (strstr(known[i].name, name))
			return true;
	return false;
}

static const char *text_of(json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void expect_text(json_t *row, const char *key)
{
	const char *text = text_of(row, key);

	assert_non_null(text);
	assert_true(*text);
	for (; *text; text++)
		assert_in_range((uint8_t)*text, 0x20, 0x7e);
}

static void expect_seconds(json_t *row, const char *key)
{
	json_t *value = json_object_get(row, key);

	assert_non_null(value);
	if (json_is_null(value))
		return;
	assert_true(json_is_number(value));
	assert_true(json_number_value(value) >= 0 && json_number_value(value) < 1e5);
}

static void expect_date(json_t *row)
{
	unsigned year, month, day;

	expect_text(row, "date");
	assert_int_equal(sscanf(text_of(row, "date"), "%4u-%2u-%2u", &year, &month, &day), 3);
	assert_true(year >= 2026 && month - 1 < 12 && day - 1 < 31);
}

/* A server that closes by a timer can be set; the line stands in one sentence with its name. */
static void expect_line_to_copy(json_t *row)
{
	json_t *set = json_object_get(row, "set");

	assert_non_null(set);
	if (json_is_null(set))
		return;
	expect_text(row, "set");
	assert_null(strpbrk(text_of(row, "set"), "`\n"));
	assert_true(json_string_length(set) + json_string_length(json_object_get(row, "name")) <=
		    110);
}

static void test_rows(void **state)
{
	json_t *row, *exe;
	size_t i, k;

	(void)state;
	assert_true(json_is_array(rows));
	assert_true(json_array_size(rows) >= 36);
	json_array_foreach(rows, i, row) {
		expect_text(row, "name");
		expect_text(row, "setting");
		expect_text(row, "close");
		expect_text(row, "source");
		expect_date(row);
		expect_line_to_copy(row);
		expect_seconds(row, "idle_s");
		expect_seconds(row, "observed_s");
		assert_true(json_is_array(json_object_get(row, "exe")));
		json_array_foreach(json_object_get(row, "exe"), k, exe) {
			assert_true(json_is_string(exe));
			assert_true(json_string_length(exe) &&
				    !strchr(json_string_value(exe), '/'));
		}
		for (k = 0; k < i; k++)
			assert_string_not_equal(text_of(row, "name"),
						text_of(json_array_get(rows, k), "name"));
	}
}

/* Each row is found at the time that it names, by each program that it names. */
static void test_each_is_found(void **state)
{
	static const char *const keys[] = { "idle_s", "observed_s" };
	json_t *row, *exe;
	size_t i, k;

	(void)state;
	json_array_foreach(rows, i, row) {
		for (size_t key = 0; key < COUNT(keys); key++) {
			double s = json_number_value(json_object_get(row, keys[key]));

			if (s <= 0)
				continue;
			assert_true(look_up(s, NULL) > 0);
			json_array_foreach(json_object_get(row, "exe"), k, exe)
				assert_true(found(s, json_string_value(exe), text_of(row, "name")));
		}
	}
}

/* A timer fires late, never much too early: -0.1 to +0.3 s. */
static void test_tolerance(void **state)
{
	(void)state;
	assert_true(found(3600, NULL, "Envoy"));
	assert_true(found(3599.901, NULL, "Envoy"));
	assert_true(found(3600.299, NULL, "Envoy"));
	assert_false(found(3599.899, NULL, "Envoy"));
	assert_false(found(3600.301, NULL, "Envoy"));
	/* measured at 5.95 s, set to 6 s: around either */
	assert_true(found(5.86, "node", "Node.js http 20.18+"));
	assert_true(found(6.29, "node", "Node.js http 20.18+"));
	assert_false(found(5.84, "node", "Node.js http 20.18+"));
	assert_false(found(6.31, "node", "Node.js http 20.18+"));
	assert_int_equal(look_up(1000, NULL), 0);
}

/* lighttpd looks at its connections once a second. */
static void test_late(void **state)
{
	(void)state;
	assert_true(found(4.95, "lighttpd", "lighttpd"));
	assert_true(found(6.29, "lighttpd", "lighttpd"));
	assert_false(found(6.31, "lighttpd", "lighttpd"));
	assert_true(found(149, "waitress-serve", "waitress"));
}

/* A server that never keeps a connection is nobody's idle timeout. */
static void test_no_time(void **state)
{
	(void)state;
	assert_int_equal(look_up(0, NULL), 0);
	assert_int_equal(look_up(0.05, NULL), 0);
	assert_int_equal(look_up(0.05, "/usr/bin/python3.11"), 0);
	assert_int_equal(uc_known_idle(UINT64_MAX, NULL, known), 0);
}

static size_t look_up_server(double seconds, const char *server)
{
	memset(known, 0, sizeof(known));
	return uc_known_idle_of_server((uint64_t)llround(seconds * 1e9), server, known);
}

/* Where a Server header is known, only its rows; a version behind it changes nothing. */
static void test_server_decides(void **state)
{
	(void)state;
	assert_int_equal(look_up_server(5, NULL), look_up(5, NULL));
	assert_int_equal(look_up_server(5, "of our own make"), look_up(5, NULL));
	assert_int_equal(look_up_server(5, "Apache/2.4.57 (Debian)"), 1);
	assert_string_equal(known[0].name, "Apache httpd (event)");
	/* who keeps time for uvicorn, gunicorn or itself, is a matter of the number */
	assert_int_equal(look_up_server(2, "uvicorn"), 1);
	assert_string_equal(known[0].name, "gunicorn with uvicorn workers");
	assert_string_equal(known[0].set, "--keep-alive 75");
	assert_int_equal(look_up_server(4.95, "uvicorn"), 1);
	assert_string_equal(known[0].name, "uvicorn");
	assert_int_equal(look_up_server(5, "nginx"), 0);
	assert_int_equal(look_up_server(5, "Apachetto"), look_up(5, NULL));
}

/* Those that end each connection, by their answers. */
static void test_servers_that_keep_none(void **state)
{
	(void)state;
	assert_int_equal(look_up_server(0, NULL), 3);
	assert_int_equal(look_up_server(0, "gunicorn"), 1);
	assert_string_equal(known[0].name, "gunicorn sync worker");
	assert_int_equal(look_up_server(0, "nginx/1.22.1"), 0);
}

static void test_exe_decides(void **state)
{
	(void)state;
	/* five seconds is everybody's */
	assert_true(found(5, NULL, "Node.js http before 20.18"));
	assert_true(found(5, NULL, "uvicorn"));
	assert_true(found(5, NULL, "Apache"));
	assert_int_equal(look_up(5, "/usr/bin/node"), 1);
	assert_non_null(strstr(known[0].name, "Node.js http before 20.18"));
	assert_string_equal(known[0].setting, "server.keepAliveTimeout");
	assert_int_equal(look_up(5, "/usr/sbin/apache2"), 1);
	assert_non_null(strstr(known[0].name, "Apache"));
	assert_int_equal(look_up(5, "/usr/local/bin/uvicorn"), 1);
	assert_string_equal(known[0].name, "uvicorn");
	/* a program that the table knows, at a time that it does not know of it */
	assert_int_equal(look_up(5, "/usr/sbin/nginx"), 0);
	assert_int_equal(look_up(75, "/usr/bin/node"), 0);
	assert_int_equal(look_up(75, "/usr/sbin/nginx"), 1);
}

static void test_exe_with_a_version(void **state)
{
	static const char *const pythons[] = { "python", "python3", "/usr/bin/python3",
					       "/usr/bin/python3.11", "/opt/py/bin/python3.13" };

	(void)state;
	for (size_t i = 0; i < COUNT(pythons); i++) {
		assert_true(found(5, pythons[i], "uvicorn"));
		assert_true(found(5, pythons[i], "hypercorn"));
		assert_false(found(5, pythons[i], "Node"));
		assert_false(found(5, pythons[i], "Apache"));
		assert_true(found(2, pythons[i], "gunicorn gthread"));
	}
	assert_true(found(20, "/usr/bin/ruby3.1", "Puma"));
	assert_false(found(20, "/usr/bin/ruby3.1", "Tomcat"));
	assert_true(found(6, "/usr/bin/node-22", "Node.js"));
}

/* Of a program that the table does not know, any row may be it: it may be a proxy before the server. */
static void test_exe_unknown(void **state)
{
	static const char *const exes[] = { NULL,
					    "",
					    "/",
					    "/usr/bin/",
					    "/usr/bin/nodes",
					    "/usr/bin/no",
					    "/opt/node/bin/app",
					    "nodex",
					    "/usr/bin/pythonista" };
	struct uc_known_idle all[UC_KNOWN_IDLE_MAX];
	size_t count = uc_known_idle(5 * S, NULL, all);

	(void)state;
	assert_true(count > 1);
	for (size_t i = 0; i < COUNT(exes); i++) {
		assert_int_equal(look_up(5, exes[i]), count);
		for (size_t k = 0; k < count; k++)
			assert_ptr_equal(known[k].name, all[k].name);
	}
}

static double distance_of(const char *name, double seconds)
{
	static const char *const keys[] = { "idle_s", "observed_s" };
	double best = INFINITY;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		if (strcmp(text_of(row, "name"), name))
			continue;
		for (size_t key = 0; key < COUNT(keys); key++) {
			double s = json_number_value(json_object_get(row, keys[key]));
			double late = json_number_value(json_object_get(row, "late_s"));

			/* outside the tolerance it is no candidate by that number */
			if (s > 0 && seconds - s >= -0.1001 && seconds - s <= late + 0.3001)
				best = fmin(best, fabs(seconds - s));
		}
	}
	return best;
}

static void test_nearest_first(void **state)
{
	(void)state;
	for (double s = 0.1; s < 400; s += 0.05) {
		size_t count = look_up(s, NULL);

		assert_true(count <= UC_KNOWN_IDLE_MAX);
		for (size_t i = 0; i < count; i++) {
			double d = distance_of(known[i].name, s);

			assert_true(isfinite(d));
			assert_true(!i || d + 1e-9 >= distance_of(known[i - 1].name, s));
			assert_non_null(known[i].setting);
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(known[i].name, known[k].name);
		}
	}
}

/* Where more fit than there is room for, the nearest stay. */
static void test_limit(void **state)
{
	size_t fit = 0, nearer;
	json_t *row;
	size_t i;

	(void)state;
	for (double s = 4.9; s < 5.3; s += 0.01) {
		assert_int_equal(look_up(s, NULL), UC_KNOWN_IDLE_MAX);
		fit = nearer = 0;
		json_array_foreach(rows, i, row) {
			double d = distance_of(text_of(row, "name"), s);

			fit += isfinite(d);
			nearer += d + 1e-9 < distance_of(known[UC_KNOWN_IDLE_MAX - 1].name, s);
		}
		assert_true(fit >= UC_KNOWN_IDLE_MAX);
		assert_true(nearer < UC_KNOWN_IDLE_MAX);
	}
}

static int64_t idle_ms_of(const char *kind)
{
	struct uc_known_kind k;

	return uc_known_idle_kind(kind, &k) ? k.idle_ms : -1;
}

/* On both sides of each change of a default, and the shorter where the version is not told. */
static void test_kinds_by_version(void **state)
{
	static const struct {
		const char *kind;
		int64_t ms;
	} of[] = {
		{ "node16", 5000 },
		{ "node18.20", 5000 },
		{ "node20", 5000 },
		{ "node20.17", 5000 },
		{ "node20.17.9", 5000 },
		{ "node20.18", 6000 },
		{ "node20.18.0", 6000 },
		{ "node20.20.2", 6000 },
		{ "node21", 5000 },
		{ "node21.7", 5000 },
		{ "node22", 5000 },
		{ "node22.8", 5000 },
		{ "node22.9", 6000 },
		{ "node22.10", 6000 },
		{ "node23", 6000 },
		{ "node26.10", 6000 },
		{ "node27", 66000 },
		{ "node", 5000 },
		{ "puma", 20000 },
		{ "puma6.6", 20000 },
		{ "puma7", 65000 },
		{ "kestrel5", 120000 },
		{ "kestrel8", 130000 },
		{ "kestrel", 120000 },
		{ "uvicorn0.35", 5000 },
		{ "gunicorn-uvicorn", 2000 },
		{ "gcp-alb", 610000 },
		{ "spring-boot", 60000 },
		{ "nodes", -1 },
		{ "node20x", -1 },
		{ "", -1 },
		{ "20", -1 },
		{ "heroku", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(of); i++)
		if (idle_ms_of(of[i].kind) != of[i].ms)
			fail_msg("%s: %lld ms", of[i].kind, (long long)idle_ms_of(of[i].kind));
}

static void test_kinds_are_listed_once(void **state)
{
	const char *name;

	(void)state;
	for (size_t i = 0; (name = uc_known_idle_kind_at(i)); i++) {
		assert_true(idle_ms_of(name) >= 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(name, uc_known_idle_kind_at(k));
	}
}

/* Clients of nginx, which are no upstreams: another list. */
static void test_balancers(void **state)
{
	int64_t ms = -1;
	const char *name;
	size_t i;

	(void)state;
	assert_true(uc_known_balancer("gcp-alb", &ms));
	assert_int_equal(ms, 600000);
	assert_false(uc_known_balancer("node20", &ms));
	for (i = 0; (name = uc_known_balancer_at(i)); i++)
		assert_true(uc_known_balancer(name, &ms) && ms > 0);
	assert_true(i >= 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_kinds_by_version),
		cmocka_unit_test(test_kinds_are_listed_once),
		cmocka_unit_test(test_balancers),
		cmocka_unit_test(test_each_is_found),
		cmocka_unit_test(test_tolerance),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_no_time),
		cmocka_unit_test(test_exe_decides),
		cmocka_unit_test(test_exe_with_a_version),
		cmocka_unit_test(test_exe_unknown),
		cmocka_unit_test(test_nearest_first),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_server_decides),
		cmocka_unit_test(test_servers_that_keep_none),
	};

	return cmocka_run_group_tests_name("known_idle", tests, set_up_table, tear_down_table);
}
