/* SPDX-License-Identifier: BSD-2-Clause */
/* base/file.h: whole files, pipes, and what ends too early or is too large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define LONG 100000

static char path[] = "/tmp/upclose-file-XXXXXX";

static int make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int take_away(void **state)
{
	(void)state;
	return unlink(path);
}

static char *pattern(size_t len)
{
	char *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = 'a' + i % 23;
	bytes[len] = '\0';
	return bytes;
}

static void put(size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	char *bytes = pattern(len);

	assert_true(fd >= 0);
	assert_int_equal(uc_file_write_at(fd, bytes, len, 0), 0);
	close(fd);
	free(bytes);
}

static void read_back(size_t len, size_t max)
{
	char *bytes = NULL, *expected = pattern(len);
	size_t n = 0;

	put(len);
	assert_int_equal(uc_file_read(path, max, &bytes, &n), 0);
	assert_int_equal(n, len);
	assert_string_equal(bytes, expected);
	free(bytes);
	free(expected);
}

static void every_length_is_read(void **state)
{
	static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8191, 8192, 8193, LONG };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		read_back(lengths[i], lengths[i]);
		read_back(lengths[i], lengths[i] + 1);
		read_back(lengths[i], 16 * LONG);
	}
}

static void one_byte_too_many_is_refused(void **state)
{
	static const size_t limits[] = { 0, 1, 4095, 4096, 8191, 8192, LONG };
	char *bytes = NULL;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		put(limits[i] + 1);
		assert_int_equal(uc_file_read(path, limits[i], &bytes, &n), -EFBIG);
		assert_null(bytes);
	}
}

static void what_is_not_there_or_no_file_is_named(void **state)
{
	char buf[8] = "before", *bytes;
	size_t n;

	(void)state;
	assert_int_equal(uc_file_read("/nonexistent/x", LONG, &bytes, &n), -ENOENT);
	assert_int_equal(uc_file_read("/tmp", LONG, &bytes, &n), -EISDIR);
	assert_int_equal(uc_file_start("/nonexistent/x", buf, sizeof(buf)), -ENOENT);
	assert_string_equal(buf, "");
}

static void a_pipe_is_read_to_its_end(void **state)
{
	char *bytes;
	int fds[2];
	size_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write(fds[1], "abc", 3), 3);
	close(fds[1]);
	assert_int_equal(uc_file_read_fd(fds[0], LONG, &bytes, &n), 0);
	assert_string_equal(bytes, "abcabcabc");
	assert_int_equal(n, 9);
	close(fds[0]);
	free(bytes);
}

static void the_start_is_cut_to_its_buffer(void **state)
{
	char buf[4];

	(void)state;
	put(9);
	assert_int_equal(uc_file_start(path, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
}

static void an_offset_beyond_the_end_has_no_data(void **state)
{
	char buf[4] = "";
	int fd;

	(void)state;
	put(9);
	fd = open(path, O_RDWR);
	assert_int_equal(uc_file_read_at(fd, buf, 3, 6), 0);
	assert_string_equal(buf, "ghi");
	assert_int_equal(uc_file_read_at(fd, buf, 3, 7), -ENODATA);
	assert_int_equal(uc_file_write_at(fd, "GH", 2, 6), 0);
	assert_int_equal(uc_file_read_at(fd, buf, 3, 6), 0);
	assert_string_equal(buf, "GHi");
	close(fd);
	assert_int_equal(uc_file_read_at(fd, buf, 3, 6), -EBADF);
	assert_int_equal(uc_file_write_at(fd, buf, 3, 6), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_is_read),
		cmocka_unit_test(one_byte_too_many_is_refused),
		cmocka_unit_test(what_is_not_there_or_no_file_is_named),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(the_start_is_cut_to_its_buffer),
		cmocka_unit_test(an_offset_beyond_the_end_has_no_data),
	};

	return cmocka_run_group_tests_name("file", tests, make, take_away);
}
