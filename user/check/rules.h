/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules: one table, a row each. */
#ifndef UPCLOSE_CHECK_RULES_H
#define UPCLOSE_CHECK_RULES_H

#include "check/finding.h"

struct uc_judge;
struct uc_nginx_stream;

struct uc_rule {
	const char *id;            /* "idle-race" */
	enum uc_severity severity; /* the highest that it gives */
	void (*judge)(struct uc_judge *j,
		      const struct uc_check_contract *c); /* NULL: not of a contract */
	void (*whole)(struct uc_judge *j); /* of the configuration as a whole, or NULL */
	const char *title;
	enum uc_verdict_id verdict; /* of trace when it happens; UC_VERDICT_MAX: none */
};

size_t uc_rules_count(void);
const struct uc_rule *uc_rules_at(size_t i);
const struct uc_rule *uc_rules_find(const char *id);

/* The policy's required numbers, in ms or counts; -1: not required. */
struct uc_requirements {
	int64_t upstream_keepalive_timeout_max;
	int64_t read_timeout_max, read_timeout_min;
	int64_t connect_timeout_max;
	int64_t attempts_max;
	bool upstream_idle_known;
};

struct uc_judge_config {
	const struct uc_nginx_conf *conf;
	const struct uc_nginx_http *http; /* as it will be */
	const struct uc_nginx_http *from; /* before an upgrade, of the same conf; or NULL */
	const struct uc_timeouts *evidence;
	int64_t client_timeout_ms; /* after which the client or balancer gives up; -1: not told */
	int64_t balancer_idle_ms;  /* how long it keeps idle connections to nginx; -1: not told */
	struct uc_requirements require;
};

/* -ENOMEM; -E2BIG for more contracts than one could read. */
int uc_judge_new(const struct uc_judge_config *cfg, struct uc_judge **ret);
void uc_judge_free(struct uc_judge *j);

/*
 * Folds findings that one cause has into one: servers of a group, and with places also those of
 * several places. A diff needs them all, so this comes after it.
 */
void uc_judge_fold(struct uc_judge *j, bool places);

/* By file and line. */
struct uc_finding *uc_judge_findings(struct uc_judge *j, size_t *count);
/* What stream{} passes on. */
const struct uc_nginx_stream *uc_judge_streams(const struct uc_judge *j, size_t *count);
/* More than UC_FINDINGS_MAX were found, and these were left out. */
size_t uc_judge_left_out(const struct uc_judge *j);
const struct uc_check_contract *uc_judge_contracts(const struct uc_judge *j, size_t *count);

#endif
