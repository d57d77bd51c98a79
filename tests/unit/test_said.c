/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/said.h"
#include "build.h"

#define MS 1000000ULL

static struct uc_said *said;
static struct uc_said_of of;

static int set_up(void **state)
{
	(void)state;
	return uc_said_new(4, &said);
}

static int tear_down(void **state)
{
	(void)state;
	uc_said_free(said);
	return 0;
}

static bool put(uint32_t worker, uint64_t ts_ns, const char *format, const char *action)
{
	struct uc_rec_words rec = { .hdr.ts_ns = ts_ns, .worker = worker, .level = 4 };
	struct uc_words w;

	strncpy(rec.format, format, sizeof(rec.format) - 1);
	strncpy(rec.action, action, sizeof(rec.action) - 1);
	uc_words_read(&rec, &w);
	return uc_said_put(said, &w);
}

static bool timed_out(uint32_t worker, uint64_t ts_ns)
{
	return put(worker, ts_ns, "upstream timed out", "reading response header from upstream");
}

static void end(uint64_t id, uint32_t worker, uint64_t open_ns)
{
	struct uc_conn c = { .id = id, .open_ns = open_ns };

	c.closer.tgid = c.owner.tgid = worker;
	uc_said_end(said, &c);
}

static size_t taken(uint64_t id)
{
	uc_said_take(said, id, &of);
	return of.count;
}

/* A worker speaks before it closes: its words are of the connection that it closes next. */
static void test_next_close_of_that_worker(void **state)
{
	(void)state;
	assert_false(timed_out(7, 100 * MS));
	end(1, 8, 1); /* another worker's */
	end(2, 7, 1);
	end(3, 7, 1);
	assert_int_equal(taken(1), 0);
	assert_int_equal(taken(2), 1);
	assert_int_equal(of.words[0].kind, UC_WORDS_UPSTREAM_TIMED_OUT);
	assert_int_equal(taken(3), 0);
	assert_int_equal(taken(2), 0);
}

/* What nginx reads from after its words is not what it gives up. */
static void test_not_what_it_still_reads_from(void **state)
{
	struct uc_conn c = { .id = 1, .open_ns = 1, .events = 1 };

	(void)state;
	c.closer.tgid = c.owner.tgid = 7;
	c.ev[0] = (struct uc_event){ .kind = UC_EV_RECV, .ts_ns = 50 * MS, .last_ns = 101 * MS };
	assert_false(timed_out(7, 100 * MS));
	uc_said_end(said, &c);
	assert_int_equal(taken(1), 0);
	end(2, 7, 1);
	assert_int_equal(taken(2), 1);
}

static void test_no_words_from_before_it_was_opened(void **state)
{
	(void)state;
	assert_false(timed_out(7, 100 * MS));
	end(1, 7, 101 * MS);
	assert_int_equal(taken(1), 0);
}

static void test_what_needs_no_connection_is_handed_on(void **state)
{
	(void)state;
	assert_true(put(7, 1, "no live upstreams", "connecting to upstream"));
	assert_true(put(7, 1, "directory index of \"%s\" is forbidden", ""));
	assert_true(
		put(7, 1, "client prematurely closed connection", "sending response to client"));
	assert_int_equal(uc_said_deadline(said), UINT64_MAX);
}

static void test_words_that_meet_no_close(void **state)
{
	struct uc_words w;

	(void)state;
	assert_false(timed_out(7, 100 * MS));
	assert_int_equal(uc_said_deadline(said), 100 * MS + UC_SAID_NS);
	assert_false(uc_said_expire(said, 100 * MS, &w));
	assert_true(uc_said_expire(said, 100 * MS + UC_SAID_NS, &w));
	assert_int_equal(w.worker, 7);
	assert_false(uc_said_expire(said, UINT64_MAX, &w));
}

/* Its other end may be waited for: words that have their connection do not expire. */
static void test_words_that_met_it_wait(void **state)
{
	struct uc_words w;

	(void)state;
	timed_out(7, 100 * MS);
	end(1, 7, 1);
	assert_false(uc_said_expire(said, UINT64_MAX - 1, &w));
	assert_int_equal(taken(1), 1);
}

static void test_memory_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		timed_out(7, (100 + i) * MS);
	assert_int_equal(uc_said_dropped(said), 6);
	end(1, 7, 1);
	assert_int_equal(taken(1), UC_SAID_MAX);
	assert_int_equal(of.words[UC_SAID_MAX - 1].ts_ns, 109 * MS);
}

/* Remarks give way to what nginx did. */
/* stream{} counts the bytes of a connection, then closes it; what it read from last is another. */
static void test_relayed_before_its_close(void **state)
{
	struct uc_rec_words rec = { .hdr.ts_ns = 100 * MS, .worker = 7, .level = 7, .read_id = 9 };
	struct uc_words w;

	(void)state;
	strncpy(rec.format,
		"%s disconnected, bytes from/to client:%O/%O, bytes from/to upstream:%O/%O",
		sizeof(rec.format) - 1);
	strncpy(rec.action, "proxying connection", sizeof(rec.action) - 1);
	uc_words_read(&rec, &w);
	assert_false(uc_said_put(said, &w));
	end(2, 7, 1);
	assert_int_equal(taken(2), 1);
	assert_int_equal(of.words[0].kind, UC_WORDS_STREAM_PROGRESS);
	assert_int_equal(taken(9), 0);
}

static void test_remarks_give_way(void **state)
{
	(void)state;
	timed_out(7, 1 * MS);
	for (unsigned i = 0; i < 3; i++)
		put(7, (2 + i) * MS, "upstream server temporarily disabled",
		    "connecting to upstream");
	end(1, 7, 1);
	assert_int_equal(taken(1), UC_SAID_MAX);
	assert_int_equal(of.words[0].kind, UC_WORDS_UPSTREAM_TIMED_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_next_close_of_that_worker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_what_it_still_reads_from, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_no_words_from_before_it_was_opened, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_needs_no_connection_is_handed_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_words_that_meet_no_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_words_that_met_it_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_relayed_before_its_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remarks_give_way, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
