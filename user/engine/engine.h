/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one place that knows every stage: frames in, decode, join, facts,
 * timeline, verdict, output out. Serves the live trace and the replay alike, so
 * its only clock is the time of the records and what uc_engine_tick is told.
 */
#ifndef UPCLOSE_ENGINE_H
#define UPCLOSE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/judged.h"
#include "engine/output.h"
#include "source/source.h"

#define UC_ENGINE_OUTPUTS 6

/* Finds the directive that a flagged verdict is about; false: none, or not for certain. */
typedef bool (*uc_directive_fn)(void *ctx, const struct uc_judged *r, struct uc_directive_at *ret);

struct uc_engine_config {
	struct uc_output
		*outputs[UC_ENGINE_OUTPUTS]; /* each gets what the others get, in this order */
	size_t output_count;
	bool show_query;
	uc_directive_fn directive_of; /* NULL: nobody is asked, as for a recording */
	void *directive_ctx;
	struct uc_errorlog *error_log; /* NULL: none; lives longer than the engine */
	uint64_t max_count;            /* stop after so many handed to a output; 0: no limit */
	uint16_t ports[16];            /* upstream ports to show; none: all */
	size_t port_count;
	const char *comms[8]; /* nginx's names to show; none: all */
	size_t comm_count;
	/* connections with an end in one of these; none: all */
	const char *containers[8]; /* as uc_whose_container_is has them */
	size_t container_count;
	const char *pods[8];
	size_t pod_count;
};

struct uc_engine;

int uc_engine_new(const struct uc_engine_config *cfg, struct uc_engine **ret);
void uc_engine_free(struct uc_engine *e);

/* What a source calls. */
struct uc_frames uc_engine_frames(struct uc_engine *e);

/* From now on; the engine no longer uses the log that it had. */
void uc_engine_reconfigure(struct uc_engine *e, struct uc_errorlog *error_log, bool show_query);

/* Gives up what has waited long enough by that time. */
void uc_engine_tick(struct uc_engine *e, uint64_t mono_ns);
/* When uc_engine_tick is due; UINT64_MAX: nothing waits. */
uint64_t uc_engine_deadline(const struct uc_engine *e);

/* The count is reached, or the output took no more (uc_engine_error says so). */
bool uc_engine_done(const struct uc_engine *e);
int uc_engine_error(const struct uc_engine *e);

/* Judges all that still waits, and prints the summary. Returns the output's error, or 0. */
int uc_engine_finish(struct uc_engine *e, uint64_t duration_ns, uint64_t end_wall_ns);

struct uc_totals uc_engine_totals(const struct uc_engine *e);

#endif
