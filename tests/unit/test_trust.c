/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "nginx/trust.h"

#define SOMEBODY 65533

static void test_others_are_not_trusted_unless_told(void **state)
{
	static const uint32_t uids[] = { 101, SOMEBODY };
	pid_t child;
	int ready[2];
	char c;

	(void)state;
	assert_true(uc_nginx_trusted(getpid()));
	if (geteuid())
		skip();
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		if (setuid(SOMEBODY) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_false(uc_nginx_trusted(child));
	uc_nginx_trust(uids, 1);
	assert_false(uc_nginx_trusted(child));
	uc_nginx_trust(uids, 2);
	assert_true(uc_nginx_trusted(child));
	uc_nginx_trust(NULL, 0);
	assert_false(uc_nginx_trusted(child));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(uc_nginx_trusted(child));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_are_not_trusted_unless_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
