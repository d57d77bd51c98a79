/* SPDX-License-Identifier: BSD-2-Clause */
/* An alert for a program: the document on its standard input, the short facts in its environment. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "alert/alert_text.h"
#include "alert/sender.h"
#include "base/json_value.h"
#include "base/util.h"

#define FACT_LEN 1200
#define SECOND   1000000000ULL

/* Name in the environment, key of the document. */
static const struct {
	const char *name, *key;
} facts[] = {
	{ "UPCLOSE_ID", "id" },
	{ "UPCLOSE_FINGERPRINT", "fingerprint" },
	{ "UPCLOSE_STATUS", "status" },
	{ "UPCLOSE_ALERT", "name" },
	{ "UPCLOSE_SEVERITY", "severity" },
	{ "UPCLOSE_INSTANCE", "instance" },
	{ "UPCLOSE_UPSTREAM", "upstream" },
	{ "UPCLOSE_VERDICT", "verdict" },
	{ "UPCLOSE_SUMMARY", "summary" },
	{ "UPCLOSE_STARTS_AT", "starts_at" },
};

/* Nothing else of the daemon's own environment: it may hold secrets. */
static const char path_variable[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct program {
	const struct uc_sink_config *cfg;
	pid_t pid;
	int pidfd;
	int input; /* its standard input, -1 once it has all */
};

int uc_exec_open(const struct uc_sink_config *cfg, void **ret)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->cfg = cfg;
	p->pidfd = p->input = -1;
	*ret = p;
	return 0;
}

void uc_exec_close(void *self)
{
	free(self);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Not every library marks its descriptors as closed on exec. */
static void close_others(posix_spawn_file_actions_t *files)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
#else
	(void)files;
#endif
}

/* A session of its own, so that all of it can be ended; no signal is blocked or ignored there. */
static int spawn(struct program *p, char *const *env, int input)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char **argv = calloc(p->cfg->command_count + 1, sizeof(*argv));
	int err;

	if (!argv)
		return ENOMEM;
	memcpy(argv, p->cfg->command, p->cfg->command_count * sizeof(*argv));
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	close_others(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	err = posix_spawn(&p->pid, argv[0], &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	free(argv);
	return err;
}

static int start(struct program *p, const json_t *doc)
{
	char text[ARRAY_SIZE(facts)][FACT_LEN],
		*env[ARRAY_SIZE(facts) + 2] = { (char *)path_variable };
	int pipes[2], err;

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		snprintf(text[i], FACT_LEN, "%s=%s", facts[i].name,
			 uc_document_text(doc, facts[i].key));
		env[i + 1] = text[i];
	}
	if (pipe2(pipes, O_CLOEXEC))
		return errno;
	err = spawn(p, env, pipes[0]);
	close(pipes[0]);
	p->input = pipes[1];
	if (err)
		return err;
	fcntl(p->input, F_SETFL, O_NONBLOCK);
	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? errno : 0;
}

/* Hands on what fits; a program need not read it. */
static void feed(struct program *p, const char **text, size_t *left)
{
	ssize_t n = write(p->input, *text, *left);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		*text += n;
		*left -= n;
	}
	if (n <= 0 || !*left)
		close_fd(&p->input);
}

static void verdict(int status, struct uc_send_result *ret)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		ret->how = UC_SENT;
	else if (WIFEXITED(status))
		uc_send_result_set(ret, UC_SEND_LATER, "the command exited with status %d",
				   WEXITSTATUS(status));
	else
		uc_send_result_set(ret, UC_SEND_LATER, "the command was ended by signal %d",
				   WTERMSIG(status));
}

/* True: it has ended by itself; else why not is in ret. */
static bool attend(struct program *p, const char *text, const struct uc_meanwhile *m,
		   struct uc_send_result *ret)
{
	uint64_t end = uc_now_ns(CLOCK_MONOTONIC) + p->cfg->timeout_ns, now;
	size_t left = strlen(text);

	while ((now = uc_now_ns(CLOCK_MONOTONIC)) < end) {
		struct pollfd fds[] = { { .fd = p->pidfd, .events = POLLIN },
					{ .fd = m->fd, .events = POLLIN },
					{ .fd = p->input, .events = POLLOUT } };

		if (poll(fds, 3, end - now < SECOND ? (int)((end - now) / 1000000) + 1 : 1000) <
			    0 &&
		    errno != EINTR)
			break;
		if (fds[0].revents)
			return true;
		if (!m->look(m->ctx)) {
			uc_send_result_set(ret, UC_SEND_STOPPED, "stopped");
			return false;
		}
		if (fds[2].revents)
			feed(p, &text, &left);
	}
	uc_send_result_set(ret, UC_SEND_LATER, "the command did not end within %.3g s",
			   p->cfg->timeout_ns / 1e9);
	return false;
}

void uc_exec_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		  struct uc_send_result *ret)
{
	struct program *p = self;
	const json_t *doc = json_array_get(docs, 0);
	char *text = json_dumps(doc, UC_JSON_DUMP);
	int err = text ? start(p, doc) : ENOMEM, status = 0;

	if (err) {
		uc_send_result_set(ret, UC_SEND_LATER, "cannot run %s: %s", p->cfg->command[0],
				   strerror(err));
	} else {
		bool ended = attend(p, text, m, ret);

		if (!ended)
			kill(-p->pid, SIGKILL);
		while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
			;
		if (ended)
			verdict(status, ret);
	}
	close_fd(&p->input);
	close_fd(&p->pidfd);
	free(text);
}
