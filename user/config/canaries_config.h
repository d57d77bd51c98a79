/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that the daemon sends through nginx now and then: the configuration's list "canaries". */
#ifndef UPCLOSE_CANARIES_CONFIG_H
#define UPCLOSE_CANARIES_CONFIG_H

#include <stdint.h>

#include "config/yaml.h"

#define UC_CANARY_NAME_LEN 32

struct uc_canary_config {
	char *name; /* a to z, 0 to 9, - and _; no other canary has it */
	char *url;
	char *host; /* the Host header, NULL: the URL's */
	char *every_text, *timeout_text;
	/* of the texts, in ns */
	uint64_t every_ns;
	uint64_t timeout_ns;
};

extern const cyaml_schema_value_t uc_canary_schema;

/* A section's check, see config.h. */
int uc_canaries_check(struct uc_canary_config *canaries, uint32_t count, struct uc_yaml *y);

#endif
