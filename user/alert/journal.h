/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's log: standard error, or the journal with a field for each fact. */
#ifndef UPCLOSE_ALERT_JOURNAL_H
#define UPCLOSE_ALERT_JOURNAL_H

#include <jansson.h>

#include "config/config.h"
#include "engine/output.h"

/* Gets a line or an entry for each flagged connection. */
struct uc_log_output {
	struct uc_output output;
	bool journal;
	enum uc_log_format format;
	uint32_t max_per_second;
	uint64_t second; /* CLOCK_MONOTONIC */
	uint64_t in_second;
};

/* Says how many of a second that is over were not logged; to be called now and then. */
void uc_log_output_tick(struct uc_log_output *s, uint64_t now_ns);

/* Chooses where the log goes, also that of uc_error and uc_note; again after a reload. */
void uc_log_output_init(struct uc_log_output *s, const struct uc_log_config *cfg);

/*
 * Sends an entry: message, a priority of syslog(3), and the object's members as
 * fields: {"upstream": {"port": 80}} is UPCLOSE_UPSTREAM_PORT=80. Members that
 * are null are left out; a list of texts is a field with a line for each. 0, or a
 * negative errno: -ENOENT and -ECONNREFUSED, no journal listens.
 */
int uc_journal_send(int priority, const char *message, const json_t *o);

#endif
