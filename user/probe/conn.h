/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of a probe: opens, sends what its trial wants, and notes what it sees. */
#ifndef UPCLOSE_PROBE_CONN_H
#define UPCLOSE_PROBE_CONN_H

#include "core/http/reader.h"
#include "probe/probe.h"
#include "probe/transport.h"

enum uc_probe_conn_state {
	UC_PROBE_CONN_QUEUED,
	UC_PROBE_CONN_OPENING,
	UC_PROBE_CONN_TALKING,  /* sends, or an answer is due */
	UC_PROBE_CONN_WATCHING, /* until the server does something */
	UC_PROBE_CONN_POKED,    /* sends into a connection that the server has closed */
	UC_PROBE_CONN_OVER,
};

struct uc_probe_conn {
	const struct uc_probe_config *cfg;
	const struct uc_target *target;
	const struct uc_trial_spec *spec;
	enum uc_probe_conn_state state;
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
int uc_probe_conn_open(struct uc_probe_conn *l, const char *addr, uint64_t now_ns);
size_t uc_probe_conn_fds(const struct uc_probe_conn *l, struct pollfd fds[UC_TRANSPORT_FDS]);
/* When to step at the latest; UINT64_MAX: never. */
uint64_t uc_probe_conn_due(const struct uc_probe_conn *l);
void uc_probe_conn_step(struct uc_probe_conn *l, const struct pollfd *fds, size_t count,
			uint64_t now_ns);
/* Ends it where it is; what it has seen stays. */
void uc_probe_conn_stop(struct uc_probe_conn *l, uint64_t now_ns);
/* Closes the connection and frees its memory; the observation stays. */
void uc_probe_conn_release(struct uc_probe_conn *l);

#endif
