/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a trace's frames to a file and feeds an engine from one; see include/recording_format.h. */
#ifndef UPCLOSE_RECORDING_H
#define UPCLOSE_RECORDING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "source/source.h"

struct uc_recorder;

/* Creates or truncates path, for its owner alone (0600). Negative errno. */
int uc_recorder_new(const char *path, bool unredacted, struct uc_recorder **ret);
/* What a source calls; an error is kept and everything after it dropped. */
struct uc_frames uc_recorder_frames(struct uc_recorder *r);
int uc_recorder_error(const struct uc_recorder *r);
/* Writes the END frame, closes, frees. Returns the first error, or 0. */
int uc_recorder_finish(struct uc_recorder *r, uint64_t duration_ns, uint64_t end_wall_ns);

struct uc_replay_end {
	bool begun; /* the file header was good */
	bool clean; /* there was an END frame */
	uint64_t last_mono_ns;
	uint64_t duration_ns; /* 0 unless clean */
	uint64_t end_wall_ns;
};

#define UC_REPLAY_WHY 160

/*
 * Feeds frames until the end; stop (may be NULL) is asked between frames.
 * Returns 0, or -EBADMSG with the reason and the place in why: not a recording,
 * a newer version, another byte order, damaged, cut short. What came before the
 * damage was fed.
 */
int uc_replay(FILE *in, const struct uc_frames *frames, bool (*stop)(void *ctx), void *stop_ctx,
	      struct uc_replay_end *ret_end, char why[UC_REPLAY_WHY]);

#endif
