/* SPDX-License-Identifier: BSD-2-Clause */
/* The trials of a probe, one row each, and the bytes that they send. */
#ifndef UPCLOSE_PROBE_TRIALS_H
#define UPCLOSE_PROBE_TRIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/measure.h"
#include "probe/target.h"

/* Words of --only. */
enum uc_probe_group {
	UC_GROUP_IDLE,
	UC_GROUP_REQUESTS,
	UC_GROUP_HTTP10,
	UC_GROUP_CLOSING,
	UC_GROUP_HALF_CLOSE,
	UC_GROUP_HEADER,
	UC_GROUP_BODY,
	UC_GROUP_COUNT
};

/* When a connection of the trial is opened. Its idle ones come before all others. */
enum uc_turn {
	UC_TURN_FIRST,
	UC_TURN_NEXT, /* one after the other */
	/* When nothing else waits for an answer: a server may spend a thread on each. */
	UC_TURN_LAST,
};

struct uc_trial_spec {
	enum uc_trial trial;
	enum uc_probe_group group;
	enum uc_turn turn;
	bool posts;   /* sends a body */
	bool answers; /* an answer is due within the time for answers */
};

extern const struct uc_trial_spec uc_trials[UC_TRIAL_COUNT];
const char *uc_group_name(enum uc_probe_group group);

/* "idle,header" to a bit for each group; false: a word is none of them. */
bool uc_groups_parse(const char *list, unsigned *ret);

#define UC_HEADERS_MAX 16

struct uc_requests {
	bool head;                           /* HEAD in place of GET */
	const char *headers[UC_HEADERS_MAX]; /* "Name: value" of the user's */
	size_t header_count;
};

/* NULL: "Name: value" that may go into a request as it is; else what is wrong with it. */
const char *uc_header_fault(const char *text);
/* The Host header that is sent: the user's, else the target's. */
const char *uc_requests_host(const struct uc_requests *r, const struct uc_target *to);

/* Of the body that UC_TRIAL_EARLY announces. */
#define UC_EARLY_BODY (1 << 20)

/* What the trial sends at first, for free(); NULL: no memory. Empty for SILENT. */
char *uc_trial_bytes(enum uc_trial trial, const struct uc_target *to, const struct uc_requests *r);

#endif
