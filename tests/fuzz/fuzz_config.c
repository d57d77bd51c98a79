/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as the daemon's configuration: taken and complete, or refused with a reason. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/listen.h"
#include "base/log.h"

int uc_log_verbosity;
static unsigned said;

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

void uc_error(const char *fmt, ...)
{
	char line[2048];
	va_list args;

	va_start(args, fmt);
	require(vsnprintf(line, sizeof(line), fmt, args) > 0, "an empty message");
	va_end(args);
	said++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uc_config *c = NULL;
	struct uc_listen_addr addr;
	int err;

	said = 0;
	err = uc_config_parse("fuzz", (const char *)data, size, &c);
	require(!err == !said, "refused without a reason, or taken with one");
	require(!err == !!c, "a configuration and an error");
	if (!c)
		return 0;
	require(c->tracing && c->metrics && c->log, "a section is missing");
	require(c->tracing->comms_count >= 1 && c->tracing->comms_count <= UC_TRACER_MAX_COMMS,
		"names");
	for (uint32_t i = 0; i < c->tracing->comms_count; i++)
		require(*c->tracing->comms[i] && strlen(c->tracing->comms[i]) < UC_COMM_LEN,
			"a name's length");
	require(c->tracing->ports_count <= UC_TRACER_MAX_PORTS, "ports");
	require(!uc_listen_parse(c->metrics->listen, &addr), "an address");
	require(*c->state_directory == '/' && *c->runtime_directory == '/', "a folder");
	uc_config_free(c);
	return 0;
}
