/* SPDX-License-Identifier: BSD-2-Clause */
/* What a probe found, for people and for programs. */
#ifndef UPCLOSE_PROBE_REPORT_H
#define UPCLOSE_PROBE_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "output/known_idle.h"
#include "probe/probe.h"

/* A server that closes sooner than that keeps no connection, whatever it says. */
#define UC_PROBE_AT_ONCE_NS 50000000

/* Known servers that behave so, none where nothing was measured. */
size_t uc_probe_candidates(const struct uc_probe_result *r,
			   struct uc_known_idle ret[UC_KNOWN_IDLE_MAX]);

void uc_probe_text(FILE *out, const struct uc_probe_config *cfg, const struct uc_probe_result *r);
/* The fields are a contract, see upclose-probe(8). The caller's; NULL: no memory. */
json_t *uc_probe_json(const struct uc_probe_config *cfg, const struct uc_probe_result *r,
		      uint64_t wall_ns);

#endif
