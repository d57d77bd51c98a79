/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cmd/command.h"
#include "cmd/command_line.h"
#include "alert/alerting.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "base/log.h"

#define CONFIG "/etc/upclose/upclose.yaml"

static const char usage[] =
	"Usage: upclose daemon [OPTIONS]\n\n"
	"Follows nginx's upstream connections continuously: logs those that ended badly, serves\n"
	"metrics for Prometheus and a page for people, and raises alerts. SIGHUP applies a changed\n"
	"configuration, SIGTERM ends it. Needs root to begin, and gives most of that up.\n\n"
	"      --config FILE   the configuration (default " CONFIG ")\n"
	"      --check-config  say whether the configuration is good, and end\n"
	"      --test-alert    send a test alert through every sink, say what came of it, and end\n"
	"  -v, --verbose       more messages; -vv libbpf's too\n"
	"  -h, --help          this text\n";

static int check_config(const char *path)
{
	struct uc_config *c;

	if (uc_config_load(path, &c))
		return UC_EXIT_FAILED;
	uc_config_free(c);
	uc_note("%s: the configuration is good", path);
	return UC_EXIT_DONE;
}

static int test_alert(const char *path)
{
	struct uc_config *c;
	int err;

	if (uc_config_load(path, &c))
		return UC_EXIT_FAILED;
	err = uc_alerting_test(c);
	uc_config_free(c);
	return err ? UC_EXIT_FAILED : UC_EXIT_DONE;
}

struct daemon_options {
	const char *config;
	bool check, test;
};

static int take_option(void *ctx, int option, const char *value)
{
	struct daemon_options *o = ctx;

	if (option == 'f')
		o->config = value;
	else if (option == 'n')
		o->check = true;
	else
		o->test = true;
	return UC_GO_ON;
}

int uc_cmd_daemon(int argc, char **argv)
{
	static const struct option longs[] = { { "config", required_argument, NULL, 'f' },
					       { "check-config", no_argument, NULL, 'n' },
					       { "test-alert", no_argument, NULL, 't' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = "vh",
						     .longs = longs,
						     .option = take_option };
	struct daemon_options o = { .config = CONFIG };
	int status = uc_command_line(&line, argc, argv, &o);

	if (status != UC_GO_ON)
		return status;
	if (o.check)
		return check_config(o.config);
	if (o.test)
		return test_alert(o.config);
	return uc_daemon(o.config) ? UC_EXIT_FAILED : UC_EXIT_DONE;
}
