/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/signals.h"

#include <signal.h>
#include <sys/signalfd.h>

int uc_signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}
