/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a failed attempt came to: nginx tried again, or its client got an error.
 * A failed connection is held for a moment until its sequel has come; bounded,
 * and time is an argument.
 */
#ifndef UPCLOSE_CORE_OUTCOME_H
#define UPCLOSE_CORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/join.h"
#include "core/verdict.h"
#include "core/vocabulary.h"

/* The sequel follows within the same turn of nginx's event loop; the answer to a retry may take longer. */
#define UC_OUTCOME_HOLD_NS 25000000ULL

struct uc_outcome {
	enum uc_outcome_id id;
	enum uc_confidence confidence;
	bool retry_known; /* RETRIED: where the next attempt went */
	uint8_t retry_addr[16];
	uint16_t retry_port;
	uint16_t retry_family;
	unsigned retry_status;  /* of its answer; 0: not seen in time, or not readable */
	unsigned client_status; /* what the client was sent; 0: not known, or not readable */
};

struct uc_held {
	struct uc_pair pair;
	struct uc_outcome outcome;
};

struct uc_holds;

/* -ENOMEM. capacity: connections held at once. */
int uc_holds_new(size_t capacity, struct uc_holds **ret);
void uc_holds_free(struct uc_holds *h);

/* False: no room; judge the pair without its sequel. */
bool uc_holds_put(struct uc_holds *h, const struct uc_pair *pair, uint64_t now_ns);

/*
 * True: *ret is complete, and no longer held. A sequel that comes before its
 * connection (which waited for its other end) is remembered for a while.
 */
bool uc_holds_sequel(struct uc_holds *h, const struct uc_rec_sequel *s, struct uc_held *ret);

/* To be called until it returns false: gives up those whose time has come. */
bool uc_holds_expire(struct uc_holds *h, uint64_t now_ns, struct uc_held *ret);

/* When uc_holds_expire has something to do; UINT64_MAX: never. */
uint64_t uc_holds_deadline(const struct uc_holds *h);

/* What the verdict itself tells of the outcome, where no sequel could. */
void uc_outcome_settle(const struct uc_facts *f, const struct uc_verdict *v, struct uc_outcome *o);

#endif
