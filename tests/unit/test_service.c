/* SPDX-License-Identifier: BSD-2-Clause */
/* By the words of sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3). */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "build.h"
#include "base/service.h"

static const char path[] = "/upclose-test-notify";

static int listener(char first)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%c%s-%d", first, path, getpid());
	if (first == '@')
		addr.sun_path[0] = '\0';
	else
		snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp%s-%d", path, getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&addr,
			      offsetof(struct sockaddr_un, sun_path) + 1 +
				      strlen(addr.sun_path + 1) + (first != '@')),
			 0);
	if (first == '@')
		addr.sun_path[0] = '@';
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	return fd;
}

static void expect_word(int fd)
{
	char word[64];
	ssize_t n;

	uc_service_notify("READY=1\nSTATUS=%d", 7);
	n = recv(fd, word, sizeof(word), 0);
	assert_int_equal(n, strlen("READY=1\nSTATUS=7"));
	assert_memory_equal(word, "READY=1\nSTATUS=7", n);
	close(fd);
}

static void test_notify_file(void **state)
{
	(void)state;
	expect_word(listener('/'));
	unlink(getenv("NOTIFY_SOCKET"));
	uc_service_notify("READY=1"); /* nobody is there any more */
}

static void test_notify_abstract(void **state)
{
	(void)state;
	expect_word(listener('@'));
}

static void test_notify_nobody(void **state)
{
	static const char *const odd[] = { "", "@", "relative", "vsock:2:1234" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		setenv("NOTIFY_SOCKET", odd[i], 1);
		uc_service_notify("READY=1");
	}
	unsetenv("NOTIFY_SOCKET");
	uc_service_notify("READY=1");
}

static void set_pid(const char *name, int pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	setenv(name, text, 1);
}

static void test_sockets_for_this_process_alone(void **state)
{
	int fd = dup2(0, UC_SERVICE_FDS);

	(void)state;
	assert_int_equal(fd, UC_SERVICE_FDS);
	assert_int_equal(uc_service_fds(), 0);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(uc_service_fds(), 0);
	set_pid("LISTEN_PID", getpid() + 1);
	assert_int_equal(uc_service_fds(), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	set_pid("LISTEN_PID", getpid());
	assert_int_equal(uc_service_fds(), 1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	setenv("LISTEN_FDS", "99999999999", 1);
	assert_int_equal(uc_service_fds(), 0);
}

static void test_watchdog(void **state)
{
	(void)state;
	assert_int_equal(uc_service_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(uc_service_watchdog_ns(), 30000000000ULL);
	set_pid("WATCHDOG_PID", getpid() + 1);
	assert_int_equal(uc_service_watchdog_ns(), 0);
	set_pid("WATCHDOG_PID", getpid());
	assert_int_equal(uc_service_watchdog_ns(), 30000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify_file),
		cmocka_unit_test(test_notify_abstract),
		cmocka_unit_test(test_notify_nobody),
		cmocka_unit_test(test_sockets_for_this_process_alone),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
