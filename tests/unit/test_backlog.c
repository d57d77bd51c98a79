/* SPDX-License-Identifier: BSD-2-Clause */
#include "build.h"

#include <unistd.h>

#include "alert/backlog.h"
#include "alert/spool.h"
#include "base/log.h"

static char folder[64], path[128];
static struct uc_backlog *backlog;
static struct uc_batch batch;

static void be_quiet(int priority, const char *text)
{
	(void)priority;
	(void)text;
}

static int set_up(void **state)
{
	(void)state;
	uc_log_writer = be_quiet;
	strcpy(folder, "/tmp/upclose-test-backlog-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a.spool", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(batch.docs);
	batch = (struct uc_batch){ 0 };
	uc_backlog_free(backlog);
	backlog = NULL;
	uc_log_writer = NULL;
	unlink(path);
	return rmdir(folder);
}

static void begin(bool spool, uint64_t spool_bytes, size_t capacity)
{
	struct uc_backlog_config cfg = { .name = "test",
					 .spool_path = spool ? path : NULL,
					 .spool_bytes = spool_bytes,
					 .capacity = capacity,
					 .give_up_ns = 3600 * S };

	uc_backlog_free(backlog);
	backlog = NULL;
	assert_int_equal(uc_backlog_new(&cfg, &backlog), 0);
}

static void put(unsigned n, bool durable)
{
	char doc[256];

	snprintf(doc, sizeof(doc), "{\"n\":%u,\"filler\":\"%0150d\"}", n, 0);
	assert_true(uc_backlog_put(backlog, doc, durable));
}

/* Reads up to max; they are the numbers from first on, so many. */
static void oldest(size_t max, unsigned first, size_t count)
{
	json_decref(batch.docs);
	uc_backlog_oldest(backlog, max, &batch);
	assert_int_equal(json_array_size(batch.docs), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(batch.docs, i), "n")),
			first + i);
}

static struct uc_backlog_stats stats(void)
{
	return uc_backlog_stats(backlog);
}

static void expect(uint64_t waiting, uint64_t spooled)
{
	assert_int_equal(stats().waiting, waiting);
	assert_int_equal(stats().spooled, spooled);
}

static void test_memory(void **state)
{
	(void)state;
	begin(false, 0, 10);
	for (unsigned i = 0; i < 10; i++)
		put(i, i % 2);
	assert_false(uc_backlog_put(backlog, "{}", true));
	assert_int_equal(stats().dropped[UC_DROP_QUEUE_FULL], 1);
	uc_backlog_save(backlog, true);
	expect(10, 0);
	oldest(3, 0, 3);
	oldest(3, 0, 3); /* until they are forgotten */
	uc_backlog_forget(backlog, &batch);
	oldest(100, 3, 7);
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);
	oldest(3, 0, 0);
}

/* What need not be on the disk is not, as long as it goes well. */
static void test_what_is_saved(void **state)
{
	(void)state;
	begin(true, 1 << 20, 10);
	for (unsigned i = 0; i < 5; i++)
		put(i, false);
	uc_backlog_save(backlog, false);
	expect(5, 0);
	/* half full */
	put(5, false);
	uc_backlog_save(backlog, false);
	expect(6, 6);
	put(6, false);
	uc_backlog_save(backlog, false);
	expect(7, 6);
	/* durable, and all that came before it */
	put(7, true);
	uc_backlog_save(backlog, false);
	expect(8, 8);
	put(8, false);
	uc_backlog_save(backlog, true);
	expect(9, 9);
	oldest(100, 0, 9);
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);
}

static void test_order_over_both(void **state)
{
	(void)state;
	begin(true, 1 << 20, 100);
	for (unsigned i = 0; i < 10; i++)
		put(i, i == 4);
	uc_backlog_save(backlog, false);
	for (unsigned i = 10; i < 15; i++)
		put(i, false);
	expect(15, 10);
	oldest(4, 0, 4);
	uc_backlog_forget(backlog, &batch);
	oldest(100, 4, 6); /* the spool's first */
	uc_backlog_forget(backlog, &batch);
	oldest(100, 10, 5);
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);
}

/* They are on their way from memory when something that is durable comes. */
static void test_saved_on_the_way(void **state)
{
	(void)state;
	begin(true, 1 << 20, 100);
	for (unsigned i = 0; i < 6; i++)
		put(i, false);
	oldest(4, 0, 4);
	assert_false(batch.spooled);
	put(6, true);
	uc_backlog_save(backlog, false);
	expect(7, 7);
	uc_backlog_forget(backlog, &batch);
	oldest(100, 4, 3);
	assert_true(batch.spooled);
	/* not taken this time: they are read once more */
	put(7, false);
	uc_backlog_save(backlog, true);
	oldest(100, 4, 4);
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);
}

/* A spool that overflows meanwhile drops what is on its way: the others are not forgotten with it. */
static void test_lost_on_the_way(void **state)
{
	uint64_t lost;
	unsigned n = 0;

	(void)state;
	begin(true, 4096, 1000);
	for (; n < 8; n++)
		put(n, true);
	uc_backlog_save(backlog, false);
	oldest(5, 0, 5);
	for (; n < 30; n++)
		put(n, true);
	uc_backlog_save(backlog, false);
	lost = stats().dropped[UC_DROP_SPOOL_FULL];
	assert_true(lost > 0);
	uc_backlog_forget(backlog, &batch);
	/* the first that is left is the next one behind what was lost or sent */
	oldest(100, lost > 5 ? lost : 5, stats().spooled);
	assert_int_equal(stats().spooled, 30 - (lost > 5 ? lost : 5));
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);

	/* the same from memory */
	for (n = 0; n < 5; n++)
		put(n, false);
	oldest(5, 0, 5);
	for (; n < 40; n++)
		put(n, true);
	lost = stats().dropped[UC_DROP_SPOOL_FULL];
	uc_backlog_save(backlog, false);
	lost = stats().dropped[UC_DROP_SPOOL_FULL] - lost;
	assert_true(lost > 5);
	uc_backlog_forget(backlog, &batch);
	oldest(100, lost, 40 - lost);
}

/* What is no document is dropped, and stands in nobody's way. */
static void test_damaged_documents(void **state)
{
	(void)state;
	begin(true, 1 << 20, 100);
	put(0, true);
	assert_true(uc_backlog_put(backlog, "no JSON", true));
	assert_true(uc_backlog_put(backlog, "[]", true));
	put(1, true);
	uc_backlog_save(backlog, false);
	oldest(100, 0, 2);
	assert_int_equal(stats().dropped[UC_DROP_DAMAGED], 2);
	uc_backlog_forget(backlog, &batch);
	expect(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_saved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_order_over_both, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_saved_on_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_on_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_documents, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
