/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"

#define NOW (100 * S)

static struct uc_join *join;
static struct uc_rec_nginx ngx;
static struct uc_rec_upstream up;
static struct uc_pair pair;

static int set_up(void **state)
{
	(void)state;
	memset(&ngx, 0, sizeof(ngx));
	memset(&up, 0, sizeof(up));
	memset(&pair, 0xaa, sizeof(pair));
	ngx.conn.flags = UC_CONN_NGINX | UC_CONN_PEER_TRACKED;
	return uc_join_new(8, &join);
}

static int tear_down(void **state)
{
	(void)state;
	uc_join_free(join);
	join = NULL;
	return 0;
}

static bool give_nginx(uint64_t key, uint64_t now)
{
	ngx.conn.key = key;
	ngx.conn.open_ns = key * 10;
	return uc_join_nginx(join, &ngx, now, &pair);
}

static bool give_upstream(uint64_t key, uint64_t now)
{
	up.conn.key = key;
	up.conn.open_ns = key * 10 + 1;
	return uc_join_upstream(join, &up, now, &pair);
}

static void expect_pair(uint64_t key, bool has_upstream, bool missing)
{
	assert_int_equal(pair.nginx.conn.key, key);
	assert_int_equal(pair.nginx.conn.open_ns, key * 10);
	assert_int_equal(pair.has_upstream, has_upstream);
	assert_int_equal(pair.upstream_missing, missing);
	if (!has_upstream)
		return;
	assert_int_equal(pair.upstream.conn.key, key);
	assert_int_equal(pair.upstream.conn.open_ns, key * 10 + 1);
}

static void expect_held(size_t held, uint64_t evicted)
{
	assert_int_equal(uc_join_stats(join).held, held);
	assert_int_equal(uc_join_stats(join).evicted, evicted);
}

static void test_upstream_first(void **state)
{
	(void)state;
	assert_false(give_upstream(1, NOW));
	expect_held(1, 0);
	assert_true(give_nginx(1, NOW + S));
	expect_pair(1, true, false);
	expect_held(0, 0);
}

static void test_nginx_first(void **state)
{
	(void)state;
	assert_false(give_nginx(1, NOW));
	assert_int_equal(uc_join_deadline(join), NOW + UC_JOIN_HOLD_NS);
	assert_true(give_upstream(1, NOW + MS));
	expect_pair(1, true, false);
	expect_held(0, 0);
	assert_false(uc_join_expire(join, UINT64_MAX, &pair));
}

static void test_expiry(void **state)
{
	(void)state;
	assert_false(give_nginx(1, NOW));
	assert_false(uc_join_expire(join, NOW + UC_JOIN_HOLD_NS - 1, &pair));
	expect_held(1, 0);
	assert_true(uc_join_expire(join, NOW + UC_JOIN_HOLD_NS, &pair));
	expect_pair(1, false, true);
	assert_false(uc_join_expire(join, UINT64_MAX, &pair));
	expect_held(0, 0);
	/* its upstream's end comes late, and finds nobody */
	assert_false(give_upstream(1, NOW + S));
}

static void test_expiry_of_many(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (uint64_t key = 1; key <= 5; key++)
		assert_false(give_nginx(key, NOW + key));
	while (uc_join_expire(join, NOW + 3 + UC_JOIN_HOLD_NS, &pair))
		expect_pair(++seen, false, true);
	assert_int_equal(seen, 3);
	expect_held(2, 0);
	assert_int_equal(uc_join_deadline(join), NOW + 4 + UC_JOIN_HOLD_NS);
}

/* An upstream that closed first waits for a blocked nginx as long as it takes. */
static void test_upstream_waits(void **state)
{
	(void)state;
	assert_false(give_upstream(1, NOW));
	assert_int_equal(uc_join_deadline(join), UINT64_MAX);
	assert_false(uc_join_expire(join, NOW + 3600 * S, &pair));
	assert_true(give_nginx(1, NOW + 3600 * S));
	expect_pair(1, true, false);
}

/* One that closed second does not: nginx's end came before it, or never comes. */
static void test_upstream_that_closed_second(void **state)
{
	(void)state;
	up.conn.peer_closed = UC_EV_FIN;
	assert_false(give_upstream(1, NOW));
	assert_int_equal(uc_join_deadline(join), NOW + UC_JOIN_SECOND_NS);
	assert_false(uc_join_expire(join, NOW + UC_JOIN_SECOND_NS - 1, &pair));
	expect_held(1, 0);
	assert_false(uc_join_expire(join, NOW + UC_JOIN_SECOND_NS, &pair));
	expect_held(0, 0);
	assert_int_equal(uc_join_deadline(join), UINT64_MAX);
}

static void test_not_worth_waiting(void **state)
{
	(void)state;
	/* not on this host */
	ngx.conn.flags = UC_CONN_NGINX;
	assert_true(give_nginx(1, NOW));
	expect_pair(1, false, false);
	/* never established */
	ngx.conn.flags |= UC_CONN_PEER_TRACKED;
	assert_true(give_nginx(0, NOW));
	expect_pair(0, false, false);
	/* nginx closed with an answer in hand */
	ngx.conn.x.in_bytes = 1;
	assert_true(give_nginx(2, NOW));
	expect_pair(2, false, false);
	expect_held(0, 0);
	/* the peer closed: who it was matters */
	ngx.conn.peer_closed = UC_EV_RST;
	assert_false(give_nginx(3, NOW));
	expect_held(1, 0);
}

static void test_without_key(void **state)
{
	(void)state;
	assert_false(give_upstream(0, NOW));
	expect_held(0, 0);
	assert_true(give_nginx(0, NOW));
	expect_pair(0, false, false);
}

static void test_keys_differ(void **state)
{
	(void)state;
	assert_false(give_upstream(1, NOW));
	assert_false(give_upstream(1ULL << 32, NOW));
	assert_false(give_nginx(2, NOW));
	assert_true(give_nginx(1ULL << 32, NOW));
	expect_pair(1ULL << 32, true, false);
	assert_true(give_upstream(2, NOW));
	expect_pair(2, true, false);
	expect_held(1, 0);
}

/* A key that is there twice: each end is given away once, and nothing is lost or leaks. */
static void test_duplicates(void **state)
{
	(void)state;
	assert_false(give_nginx(1, NOW));
	assert_false(give_nginx(1, NOW + 1));
	expect_held(2, 0);
	assert_true(give_upstream(1, NOW + 2));
	expect_pair(1, true, false);
	expect_held(1, 0);
	assert_true(uc_join_expire(join, UINT64_MAX, &pair));
	expect_pair(1, false, true);

	assert_false(give_upstream(1, NOW));
	assert_false(give_upstream(1, NOW));
	assert_true(give_nginx(1, NOW));
	assert_true(give_nginx(1, NOW));
	expect_pair(1, true, false);
	expect_held(0, 0);
}

static void test_full_of_upstream_ends(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 20; key++)
		assert_false(give_upstream(key, NOW));
	expect_held(8, 12);
	/* the oldest went */
	for (uint64_t key = 13; key <= 20; key++) {
		assert_true(give_nginx(key, NOW));
		expect_pair(key, true, false);
	}
	expect_held(0, 12);
}

/* Ends whose other end got lost must not keep nginx's from waiting. */
static void test_stale_upstream_ends_make_room(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 8; key++)
		assert_false(give_upstream(key, NOW));
	assert_false(give_nginx(100, NOW));
	expect_held(8, 1);
	assert_true(give_upstream(100, NOW + MS));
	expect_pair(100, true, false);
}

static void test_full_of_nginx_ends(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 8; key++)
		assert_false(give_nginx(key, NOW));
	/* judged at once, as one whose other end is missing */
	assert_true(give_nginx(9, NOW));
	expect_pair(9, false, true);
	expect_held(8, 1);
	assert_false(give_upstream(10, NOW));
	expect_held(8, 2);
	/* one that is awaited needs no room */
	assert_true(give_upstream(5, NOW));
	expect_pair(5, true, false);
	expect_held(7, 2);
}

/* Those that closed second make room for all others, and that is no loss. */
static void test_full_of_second_ends(void **state)
{
	(void)state;
	for (uint64_t key = 1; key <= 4; key++)
		assert_false(give_upstream(key, NOW));
	up.conn.peer_closed = UC_EV_FIN;
	for (uint64_t key = 5; key <= 20; key++)
		assert_false(give_upstream(key, NOW));
	expect_held(8, 0);
	assert_true(give_nginx(20, NOW));
	expect_pair(20, true, false);
	assert_false(give_nginx(100, NOW));
	assert_false(give_nginx(101, NOW));
	assert_false(give_nginx(102, NOW));
	expect_held(8, 0);
	up.conn.peer_closed = 0;
	for (uint64_t key = 30; key <= 40; key++)
		assert_false(give_upstream(key, NOW));
	expect_held(8, 10);
	/* full of those that are waited for: it does not come in */
	up.conn.peer_closed = UC_EV_FIN;
	assert_false(give_upstream(50, NOW));
	expect_held(8, 10);
	assert_true(give_nginx(40, NOW));
	assert_true(give_upstream(102, NOW));
	expect_pair(102, true, false);
}

static void test_no_capacity(void **state)
{
	(void)state;
	uc_join_free(join);
	assert_int_equal(uc_join_new(0, &join), 0);
	assert_false(give_upstream(1, NOW));
	assert_true(give_nginx(1, NOW));
	expect_pair(1, false, true);
	assert_int_equal(uc_join_stats(join).held, 0);
}

/* A clock that runs over, as hostile records have it, ends no loop and loses no end. */
static void test_times_at_the_end(void **state)
{
	unsigned seen = 0;

	(void)state;
	assert_false(give_nginx(1, UINT64_MAX));
	assert_false(give_nginx(2, UINT64_MAX - UC_JOIN_HOLD_NS));
	assert_false(give_upstream(3, UINT64_MAX));
	while (uc_join_expire(join, UINT64_MAX, &pair))
		seen++;
	assert_int_equal(seen, 2);
	expect_held(0, 0);
}

static void test_freed_when_full(void **state)
{
	(void)state;
	uc_join_free(NULL);
	for (uint64_t key = 1; key <= 3; key++)
		assert_false(key & 1 ? give_nginx(key, NOW) : give_upstream(key, NOW));
	/* the sanitizer counts what tear_down leaves */
}

/* Whatever comes in whatever order: bounded, and each of nginx's ends comes out exactly once. */
static void test_random(void **state)
{
	uint64_t seed = 123456789, now = NOW;
	unsigned in = 0, out = 0;

	(void)state;
	for (unsigned n = 0; n < 50000; n++) {
		uint64_t key = 1 + next_random(&seed) % 24;

		now += next_random(&seed) % (20 * MS);
		up.conn.peer_closed = next_random(&seed) & 1 ? UC_EV_FIN : 0;
		if (next_random(&seed) & 1) {
			in++;
			out += give_nginx(key, now);
		} else {
			out += give_upstream(key, now);
		}
		assert_true(uc_join_stats(join).held <= 8);
		while (next_random(&seed) % 4 == 0 && uc_join_expire(join, now, &pair))
			out++;
		assert_true(uc_join_deadline(join) > 0);
	}
	while (uc_join_expire(join, UINT64_MAX, &pair))
		out++;
	assert_int_equal(in, out);
	assert_int_equal(uc_join_stats(join).held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_upstream_first),
		TEST(test_nginx_first),
		TEST(test_expiry),
		TEST(test_expiry_of_many),
		TEST(test_upstream_waits),
		TEST(test_upstream_that_closed_second),
		TEST(test_not_worth_waiting),
		TEST(test_without_key),
		TEST(test_keys_differ),
		TEST(test_duplicates),
		TEST(test_full_of_upstream_ends),
		TEST(test_stale_upstream_ends_make_room),
		TEST(test_full_of_nginx_ends),
		TEST(test_full_of_second_ends),
		TEST(test_no_capacity),
		TEST(test_times_at_the_end),
		TEST(test_freed_when_full),
		TEST(test_random),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
