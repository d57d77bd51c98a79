/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/exits.h"
#include "scenario.h"

static struct uc_exits exits;

static int set_up(void **state)
{
	(void)state;
	memset(&exits, 0, sizeof(exits));
	return 0;
}

static struct uc_task task_of(uint32_t tgid, uint64_t start_ns)
{
	return (struct uc_task){ .tgid = tgid, .start_ns = start_ns, .comm = "node" };
}

static void end(uint32_t tgid, uint64_t start_ns, uint64_t ts_ns, int exit_code)
{
	struct uc_rec_proc rec = { .hdr = { UC_WIRE_VERSION, UC_REC_EXIT, sizeof(rec), ts_ns },
				   .task = task_of(tgid, start_ns) };

	rec.task.flags = UC_TASK_EXITING;
	rec.task.exit_code = exit_code;
	uc_exits_note(&exits, &rec);
}

static const struct uc_exit *of(uint32_t tgid, uint64_t start_ns)
{
	struct uc_task t = task_of(tgid, start_ns);

	return uc_exits_of(&exits, &t);
}

static void test_none(void **state)
{
	(void)state;
	assert_null(of(1, 2));
	assert_null(of(0, 0));
}

static void test_this_very_process(void **state)
{
	(void)state;
	end(7, 100, 5 * S, EXIT(3));
	assert_non_null(of(7, 100));
	assert_int_equal(of(7, 100)->ts_ns, 5 * S);
	assert_int_equal(of(7, 100)->task.exit_code, EXIT(3));
	assert_null(of(7, 101)); /* the same number, another process */
	assert_null(of(8, 100));
	/* of a process that is not known nobody can say that it ended */
	end(0, 0, 6 * S, 0);
	assert_null(of(0, 0));
}

static void test_the_newest_are_kept(void **state)
{
	(void)state;
	for (uint32_t tgid = 1; tgid <= 3 * UC_EXITS; tgid++) {
		end(tgid, tgid, tgid * S, 0);
		for (uint32_t seen = 1; seen <= tgid; seen++)
			assert_int_equal(of(seen, seen) != NULL, seen + UC_EXITS > tgid);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_none, set_up),
		cmocka_unit_test_setup(test_this_very_process, set_up),
		cmocka_unit_test_setup(test_the_newest_are_kept, set_up),
	};

	return cmocka_run_group_tests_name("exits", tests, NULL, NULL);
}
