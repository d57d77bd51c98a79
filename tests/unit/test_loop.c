/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <unistd.h>

#include "build.h"
#include "base/clock.h"
#include "base/loop.h"

struct told {
	struct uc_loop loop;
	struct uc_loop_source read, time;
	int pipe[2];
	uint64_t due_ns;
	unsigned reads, dues;
	int answer;
};

static uint64_t due(void *ctx)
{
	return ((struct told *)ctx)->due_ns;
}

static int on_read(void *ctx)
{
	struct told *t = ctx;
	char c;

	assert_int_equal(read(t->pipe[0], &c, 1), 1);
	t->reads++;
	return t->answer;
}

static int on_due(void *ctx)
{
	struct told *t = ctx;

	assert_true(uc_now_ns(CLOCK_MONOTONIC) >= t->due_ns);
	t->dues++;
	return UC_LOOP_END;
}

static int setup(void **state)
{
	static struct told t;

	t = (struct told){ .due_ns = UINT64_MAX, .answer = UC_LOOP_END };
	if (pipe(t.pipe))
		return -1;
	t.read = (struct uc_loop_source){ .fd = t.pipe[0], .run = on_read, .ctx = &t };
	t.time = (struct uc_loop_source){ .fd = -1, .due_ns = due, .run = on_due, .ctx = &t };
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	struct told *t = *state;

	close(t->pipe[0]);
	close(t->pipe[1]);
	return 0;
}

static void test_readable(void **state)
{
	struct told *t = *state;

	uc_loop_add(&t->loop, &t->time);
	uc_loop_add(&t->loop, &t->read);
	assert_int_equal(write(t->pipe[1], "x", 1), 1);
	assert_int_equal(uc_loop_run(&t->loop), 0);
	assert_int_equal(t->reads, 1);
	assert_int_equal(t->dues, 0);
}

static void test_due(void **state)
{
	struct told *t = *state;

	t->due_ns = uc_now_ns(CLOCK_MONOTONIC) + 3000000;
	uc_loop_add(&t->loop, &t->read);
	uc_loop_add(&t->loop, &t->time);
	assert_int_equal(uc_loop_run(&t->loop), 0);
	assert_int_equal(t->reads, 0);
	assert_int_equal(t->dues, 1);
}

static void test_failure_ends_it(void **state)
{
	struct told *t = *state;

	t->answer = -EIO;
	uc_loop_add(&t->loop, &t->read);
	assert_int_equal(write(t->pipe[1], "x", 1), 1);
	assert_int_equal(uc_loop_run(&t->loop), -EIO);
}

/* Its memory may be gone by then. */
static int remove_the_next(void *ctx)
{
	struct told *t = ctx;

	t->due_ns = UINT64_MAX;
	uc_loop_remove(&t->loop, &t->read);
	uc_loop_remove(&t->loop, &t->read);
	t->read = (struct uc_loop_source){ 0 };
	t->time.run = on_due;
	t->due_ns = uc_now_ns(CLOCK_MONOTONIC) + 1000000;
	return 0;
}

static void test_removed_within_a_turn(void **state)
{
	struct told *t = *state;

	t->due_ns = 0;
	t->time.run = remove_the_next;
	uc_loop_add(&t->loop, &t->time);
	uc_loop_add(&t->loop, &t->read);
	assert_int_equal(write(t->pipe[1], "x", 1), 1);
	assert_int_equal(uc_loop_run(&t->loop), 0);
	assert_int_equal(t->reads, 0);
	assert_int_equal(t->loop.count, 1);
}

static void test_no_more_than_there_is_room_for(void **state)
{
	struct told *t = *state;

	for (unsigned i = 0; i < UC_LOOP_SOURCES; i++)
		assert_int_equal(uc_loop_add(&t->loop, &t->time), 0);
	assert_int_equal(uc_loop_add(&t->loop, &t->read), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_readable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_within_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_more_than_there_is_room_for, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
