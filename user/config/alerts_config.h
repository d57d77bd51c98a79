/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration's section "alerts": rules of the operator's own beside or in place of the defaults. */
#ifndef UPCLOSE_ALERTS_CONFIG_H
#define UPCLOSE_ALERTS_CONFIG_H

#include <stdint.h>

#include "core/alerts.h"
#include "config/yaml.h"

#define UC_ALERT_RULES_MAX 64

struct uc_alert_rule_config {
	char *name;
	uint32_t verdicts; /* 1 << enum uc_verdict_id */
	uint32_t outcomes; /* 1 << enum uc_outcome_id; 0: all */
	char *upstream;
	char *share; /* "0.5%" */
	uint32_t count;
	enum uc_alert_severity severity;
	char *window, *hold, *cooldown, *repeat;
};

struct uc_alerts_config {
	char *instance; /* NULL: the host's name */
	bool *defaults; /* as written; NULL: true */
	struct uc_alert_rule_config *rules;
	uint32_t rules_count;
	/* the defaults and these, as the core takes them; filled by the check */
	struct uc_alert_rule all[UC_ALERT_RULES_MAX];
	size_t all_count;
};

extern const cyaml_schema_field_t uc_alerts_fields[];

/* A section's check, see config.h. */
int uc_alerts_check(struct uc_alerts_config *a, struct uc_yaml *y);

#endif
