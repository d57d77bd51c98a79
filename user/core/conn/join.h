/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Brings the two ends of a connection together by their key (the pair of
 * initial sequence numbers). The upstream's end comes first where the upstream
 * closed first; otherwise nginx's end may be held for a moment to wait for it.
 * Time is an argument; memory is bounded by the capacity given.
 */
#ifndef UPCLOSE_CORE_JOIN_H
#define UPCLOSE_CORE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/said.h"
#include "core/vocabulary.h"
#include "wire.h"

/* How long nginx's end waits for the other one. */
#define UC_JOIN_HOLD_NS 40000000ULL
/* An upstream's end that closed second waits no longer than this for nginx's. */
#define UC_JOIN_SECOND_NS 1000000000ULL

struct uc_join;

/* What nginx did next (core/conn/outcome.h); all zero while that is not known. */
struct uc_outcome {
	enum uc_outcome_id id;
	enum uc_confidence confidence;
	enum uc_followup followup; /* 0: none came */
	bool client_gone;          /* CLIENT_*: that client had left before */
	bool other_request; /* what it did next was no repetition: another method or target */
	bool retry_known;   /* RETRIED: where the next attempt went */
	uint8_t retry_addr[16];
	uint16_t retry_port;
	uint16_t retry_family;
	unsigned retry_status;  /* of its answer; 0: not seen in time, or not readable */
	unsigned client_status; /* what the client was sent; 0: not known, or not readable */
};

struct uc_pair {
	struct uc_outcome outcome;
	struct uc_said_of said; /* by nginx, of this connection */
	unsigned hearing; /* nginx's words up to this level are heard (4 error, 7 info); 0: not known */
	struct uc_rec_nginx nginx;
	struct uc_rec_upstream upstream;
	bool has_upstream;
	bool upstream_missing; /* it was tracked and awaited, and did not come */
};

struct uc_join_stats {
	uint64_t evicted; /* ends dropped because the table was full */
	size_t held;
};

/* -ENOMEM. capacity: ends held at once, of either side. */
int uc_join_new(size_t capacity, struct uc_join **ret);
void uc_join_free(struct uc_join *j);

/* Both take one decoded record; true: *ret holds a pair to judge now. */
bool uc_join_nginx(struct uc_join *j, const struct uc_rec_nginx *rec, uint64_t now_ns,
		   struct uc_pair *ret);
bool uc_join_upstream(struct uc_join *j, const struct uc_rec_upstream *rec, uint64_t now_ns,
		      struct uc_pair *ret);

/* To be called until it returns false: gives up the ends whose time has come. */
bool uc_join_expire(struct uc_join *j, uint64_t now_ns, struct uc_pair *ret);

/* When uc_join_expire has something to do; UINT64_MAX: never. */
uint64_t uc_join_deadline(const struct uc_join *j);

struct uc_join_stats uc_join_stats(const struct uc_join *j);

#endif
