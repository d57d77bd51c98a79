/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/spool.h"
#include "build.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536

static char folder[64], path[128], damaged_path[160];
static struct uc_spool *spool;
static bool damaged;

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/upclose-test-spool-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a.spool", folder);
	snprintf(damaged_path, sizeof(damaged_path), "%s.damaged", path);
	return 0;
}

static void open_spool(uint64_t max)
{
	uc_spool_close(spool);
	spool = NULL;
	assert_int_equal(uc_spool_open(path, max, &spool, &damaged), 0);
}

static int tear_down(void **state)
{
	(void)state;
	uc_spool_close(spool);
	spool = NULL;
	unlink(path);
	unlink(damaged_path);
	return rmdir(folder); /* nothing else is left */
}

static void push(const char *text)
{
	uint64_t lost;

	assert_int_equal(uc_spool_push(spool, text, strlen(text), false, &lost), 0);
	assert_int_equal(lost, 0);
}

/* What is in it are these texts, in this order. */
static void expect(size_t count, const char *const texts[])
{
	uint64_t at = 0;
	size_t len;
	char *got;

	assert_int_equal(uc_spool_count(spool), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(uc_spool_read(spool, &at, &got, &len), 0);
		assert_string_equal(got, texts[i]);
		assert_int_equal(len, strlen(texts[i]));
		free(got);
	}
	assert_int_equal(uc_spool_read(spool, &at, &got, &len), -ENOENT);
}

static off_t file_size(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

static void test_in_order(void **state)
{
	(void)state;
	open_spool(SIZE);
	assert_false(damaged);
	expect(0, NULL);
	push("one");
	push("");
	push("three");
	expect(3, (const char *const[]){ "one", "", "three" });
	assert_int_equal(uc_spool_drop(spool, 1), 0);
	expect(2, (const char *const[]){ "", "three" });
	push("four");
	assert_int_equal(uc_spool_drop(spool, 2), 0);
	expect(1, (const char *const[]){ "four" });
	assert_int_equal(uc_spool_drop(spool, 5), 0);
	expect(0, NULL);
	assert_int_equal(uc_spool_bytes(spool), 0);
	push("again");
	expect(1, (const char *const[]){ "again" });
}

static void test_survives(void **state)
{
	(void)state;
	open_spool(SIZE);
	push("one");
	push("two");
	push("three");
	assert_int_equal(uc_spool_drop(spool, 1), 0);
	open_spool(SIZE);
	assert_false(damaged);
	expect(2, (const char *const[]){ "two", "three" });
	assert_int_equal(uc_spool_drop(spool, 2), 0);
	assert_int_equal(file_size(path), 24); /* an empty one takes no room */
	open_spool(SIZE);
	expect(0, NULL);
	assert_false(damaged);
}

/* Whatever bytes there are, also with zeros. */
static void test_bytes(void **state)
{
	char bytes[3000], *got;
	uint64_t lost, at = 0;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	open_spool(SIZE);
	assert_int_equal(uc_spool_push(spool, bytes, sizeof(bytes), true, &lost), 0);
	open_spool(SIZE);
	assert_int_equal(uc_spool_read(spool, &at, &got, &len), 0);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(got, bytes, len);
	free(got);
}

static void push_number(unsigned n, uint64_t *ret_lost)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%u .......................................", n);

	assert_int_equal(uc_spool_push(spool, text, len, false, ret_lost), 0);
}

/* The numbers that are in it: a row without a gap. */
static uint64_t numbers(unsigned *ret_first)
{
	uint64_t at = 0, count = 0;
	unsigned long n;
	size_t len;
	char *got, *end;

	while (!uc_spool_read(spool, &at, &got, &len)) {
		n = strtoul(got, &end, 10);
		assert_int_equal(*end, ' ');
		if (!count)
			*ret_first = n;
		assert_int_equal(n, *ret_first + count);
		count++;
		free(got);
	}
	assert_int_equal(count, uc_spool_count(spool));
	return count;
}

/* The oldest make room; the file stays within its bound. */
static void test_full(void **state)
{
	uint64_t lost, all_lost = 0;
	unsigned first;

	(void)state;
	open_spool(4096);
	for (unsigned i = 0; i < 1000; i++) {
		push_number(i, &lost);
		all_lost += lost;
		assert_true(file_size(path) <= 4096);
		assert_int_equal(uc_spool_count(spool) + all_lost, i + 1);
	}
	assert_int_equal(numbers(&first), 1000 - all_lost);
	assert_int_equal(first, all_lost);
	assert_true(uc_spool_count(spool) > 40);
	open_spool(4096);
	assert_int_equal(numbers(&first), 1000 - all_lost);
	assert_false(damaged);
}

/* What was dropped leaves room without a loss. */
static void test_turns_over(void **state)
{
	uint64_t lost;
	unsigned first;

	(void)state;
	open_spool(4096);
	for (unsigned i = 0; i < 2000; i++) {
		push_number(i, &lost);
		assert_int_equal(lost, 0);
		if (i >= 20)
			assert_int_equal(uc_spool_drop(spool, 1), 0);
		assert_true(file_size(path) <= 4096);
	}
	assert_int_equal(numbers(&first), 20);
	assert_int_equal(first, 1980);
}

static void test_too_long(void **state)
{
	static char longer[UC_SPOOL_RECORD_MAX + 1];
	uint64_t lost;

	(void)state;
	open_spool(4096);
	push("one");
	assert_int_equal(uc_spool_push(spool, longer, 4000, false, &lost), -EMSGSIZE);
	assert_int_equal(uc_spool_push(spool, longer, sizeof(longer), false, &lost), -EMSGSIZE);
	expect(1, (const char *const[]){ "one" });
	open_spool(64 << 20);
	assert_int_equal(uc_spool_push(spool, longer, sizeof(longer), false, &lost), -EMSGSIZE);
	assert_int_equal(uc_spool_push(spool, longer, sizeof(longer) - 1, false, &lost), 0);
	assert_int_equal(uc_spool_count(spool), 2);
}

static void test_refused_paths(void **state)
{
	char other[160];

	(void)state;
	assert_int_equal(uc_spool_open("/nonexistent/a.spool", SIZE, &spool, &damaged), -ENOENT);
	assert_int_equal(uc_spool_open(folder, SIZE, &spool, &damaged), -EISDIR);
	snprintf(other, sizeof(other), "%s/link", folder);
	assert_int_equal(symlink("/dev/null", other), 0);
	assert_int_equal(uc_spool_open(other, SIZE, &spool, &damaged), -ELOOP);
	unlink(other);
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_int_equal(uc_spool_open(other, SIZE, &spool, &damaged), -EINVAL);
	unlink(other);
	assert_null(spool);
}

/* --- damage ------------------------------------------------------------------------- */

static const char *const three[] = { "the first one", "the second one", "the third one" };
/* where the records begin and end */
static const off_t edges[] = { 24, 24 + 8 + 13, 24 + 8 + 13 + 8 + 14,
			       24 + 8 + 13 + 8 + 14 + 8 + 13 };

static void write_three(void)
{
	unlink(path);
	unlink(damaged_path);
	open_spool(SIZE);
	for (size_t i = 0; i < COUNT(three); i++)
		push(three[i]);
	assert_int_equal(file_size(path), edges[3]);
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (off_t len = 0; len < edges[3]; len++) {
		size_t whole = len >= edges[2] ? 2 : len >= edges[1] ? 1 : 0;
		bool at_edge = len == 0 || len == edges[0] || len == edges[1] || len == edges[2];

		write_three();
		assert_int_equal(truncate(path, len), 0);
		open_spool(SIZE);
		assert_int_equal(damaged, !at_edge);
		expect(whole, three);
		assert_int_equal(file_size(damaged_path), at_edge ? -1 : len);
		/* and it works on */
		push("more");
		assert_int_equal(uc_spool_count(spool), whole + 1);
		open_spool(SIZE);
		assert_false(damaged);
	}
}

static void flip(off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 0x10;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

static void test_flipped_anywhere(void **state)
{
	(void)state;
	for (off_t at = 0; at < edges[3]; at++) {
		size_t whole = at >= edges[2] ? 2 : at >= edges[1] ? 1 : 0;

		write_three();
		flip(at);
		open_spool(SIZE);
		if (at >= edges[0]) {
			assert_true(damaged);
			expect(whole, three);
		} else if (at < 8) {
			/* not even the magic */
			assert_true(damaged);
			expect(0, NULL);
		} else {
			/* no offset: from the beginning */
			assert_false(damaged);
			expect(3, three);
		}
	}
}

/* A head that was not written when the machine stopped: what was dropped comes once more. */
static void test_damaged_head(void **state)
{
	(void)state;
	write_three();
	assert_int_equal(uc_spool_drop(spool, 2), 0);
	flip(9);
	open_spool(SIZE);
	assert_false(damaged);
	expect(3, three);
	/* with a good one nothing comes twice */
	assert_int_equal(uc_spool_drop(spool, 2), 0);
	open_spool(SIZE);
	expect(1, three + 2);
}

/* The machine stopped between the cut of an empty file and its head. */
static void test_head_behind_the_end(void **state)
{
	(void)state;
	write_three();
	assert_int_equal(uc_spool_drop(spool, 2), 0);
	assert_int_equal(truncate(path, edges[0]), 0);
	for (size_t i = 0; i < COUNT(three); i++) {
		open_spool(SIZE);
		assert_false(damaged);
		expect(i, three);
		push(three[i]);
	}
	open_spool(SIZE);
	expect(3, three);
}

/* While it is in use. */
static void test_set_aside(void **state)
{
	uint64_t at = 0, lost = 77;
	size_t len;
	char *got;

	(void)state;
	write_three();
	flip(edges[1] + 10);
	assert_int_equal(uc_spool_read(spool, &at, &got, &len), 0);
	free(got);
	assert_int_equal(uc_spool_read(spool, &at, &got, &len), -EBADMSG);
	assert_int_equal(uc_spool_set_aside(spool, &lost), 0);
	assert_int_equal(lost, 2);
	expect(1, three);
	assert_int_equal(file_size(damaged_path), edges[3]);
	push("more");
	expect(2, (const char *const[]){ three[0], "more" });
}

/* A disk that is full: what is there stays, and it goes on when there is room. */
static void test_no_room_on_disk(void **state)
{
	struct rlimit before, limit;
	uint64_t lost;

	(void)state;
	write_three();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = before;
	limit.rlim_cur = edges[3] + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(uc_spool_push(spool, "does not fit here", 17, true, &lost), -EFBIG);
	expect(3, three);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	open_spool(SIZE);
	assert_false(damaged);
	expect(3, three);
	push("fits");
	assert_int_equal(uc_spool_count(spool), 4);
}

/* --- a process that is killed at any moment -------------------------------------------- */

static void work_until_killed(int say)
{
	uint64_t lost;

	for (unsigned i = 0;; i++) {
		if (write(say, &i, sizeof(i)) != sizeof(i))
			_exit(1);
		push_number(i, &lost);
		if (i % 3)
			uc_spool_drop(spool, 1 + (i % 3 == 2));
	}
}

static void test_killed(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 40; run++) {
		unsigned first = 0, i, last = 0;
		int pipes[2];
		pid_t child;

		unlink(path);
		open_spool(4096);
		assert_int_equal(pipe(pipes), 0);
		child = fork();
		if (!child)
			work_until_killed(pipes[1]);
		close(pipes[1]);
		/* a while of its work, another one each time */
		while (last < 100 + run * 13 && read(pipes[0], &i, sizeof(i)) == sizeof(i))
			last = i;
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(pipes[0], &i, sizeof(i)) == sizeof(i))
			last = i;
		close(pipes[0]);
		open_spool(4096);
		assert_false(damaged);
		/* the newest is there, or had been begun */
		if (numbers(&first)) {
			uint64_t newest = first + uc_spool_count(spool) - 1;

			assert_true(newest == last || newest + 1 == last);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_survives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_turns_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_anywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flipped_anywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_head_behind_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_set_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_on_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
