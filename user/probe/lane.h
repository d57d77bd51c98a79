/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of a probe: opens, sends what its trial wants, and notes what it sees. */
#ifndef UPCLOSE_PROBE_LANE_H
#define UPCLOSE_PROBE_LANE_H

#include "core/http/reader.h"
#include "probe/probe.h"
#include "probe/transport.h"

enum uc_lane_state {
	UC_LANE_QUEUED,
	UC_LANE_OPENING,
	UC_LANE_TALKING,  /* sends, or an answer is due */
	UC_LANE_WATCHING, /* until the server does something */
	UC_LANE_POKED,    /* sends into a connection that the server has closed */
	UC_LANE_OVER,
};

struct uc_lane {
	const struct uc_probe_config *cfg;
	const struct uc_target *target;
	const struct uc_trial_spec *spec;
	enum uc_lane_state state;
	struct uc_observation seen;
	uint64_t start_ns;    /* QUEUED: not before */
	uint64_t began_ns;    /* when it was opened */
	uint64_t deadline_ns; /* of this state */
	unsigned requests;    /* that were sent */
	uint64_t bytes;       /* that came */
	struct {
		unsigned minor;
		int keep_alive_s; /* as in struct uc_response_head */
		uint64_t bytes;
		char server[256]; /* escaped, "" where it does not say */
	} first;                  /* its first answer */
	char why[200];            /* TALKING ended badly: a sentence without its subject; or "" */

	struct uc_transport *wire; /* with the rest NULL before it opens and once it is released */
	struct uc_reader *reader;  /* of the newest answer */
	char *out;                 /* what it sends */
	size_t out_len, out_done;
	uint64_t body_left; /* EARLY */
	uint64_t body_ns;   /* when to send more of it */
	bool broken;        /* sending failed: the end that is read next is a reset */
};

/* addr: as for uc_transport_new(). */
int uc_lane_open(struct uc_lane *l, const char *addr, uint64_t now_ns);
size_t uc_lane_fds(const struct uc_lane *l, struct pollfd fds[UC_TRANSPORT_FDS]);
/* When to step at the latest; UINT64_MAX: never. */
uint64_t uc_lane_due(const struct uc_lane *l);
void uc_lane_step(struct uc_lane *l, const struct pollfd *fds, size_t count, uint64_t now_ns);
/* Ends it where it is; what it has seen stays. */
void uc_lane_stop(struct uc_lane *l, uint64_t now_ns);
/* Closes the connection and frees its memory; the observation stays. */
void uc_lane_release(struct uc_lane *l);

#endif
