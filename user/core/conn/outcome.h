/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a failed attempt came to: nginx tried again, or its client got an error.
 * A failed connection is held for a moment until its followup has come; bounded,
 * and time is an argument.
 */
#ifndef UPCLOSE_CORE_OUTCOME_H
#define UPCLOSE_CORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/facts.h"
#include "core/conn/join.h"
#include "core/conn/verdict.h"
#include "core/vocabulary.h"

/* The followup follows within the same turn of nginx's event loop; the answer to a retry may take longer. */
#define UC_OUTCOME_HOLD_NS 50000000ULL

struct uc_holds;

/* -ENOMEM. capacity: connections held at once. */
int uc_holds_new(size_t capacity, struct uc_holds **ret);
void uc_holds_free(struct uc_holds *h);

/*
 * False: no room; judge the pair without its followup. to_the_end: it is held for
 * all of its time, as more than the followup is waited for.
 */
bool uc_holds_put(struct uc_holds *h, const struct uc_pair *pair, bool to_the_end, uint64_t now_ns);

/*
 * True: *ret is complete, and no longer held. A followup that comes before its
 * connection (which waited for its other end) is remembered for a while.
 */
bool uc_holds_followup(struct uc_holds *h, const struct uc_rec_followup *s, struct uc_pair *ret);

/* What the request of an attempt that followed another one's failure is. */
enum uc_attempt {
	UC_ATTEMPT_REPEATED, /* the same; also where one of them cannot be read, or is held no more */
	UC_ATTEMPT_OTHER,    /* another request: nothing was repeated */
	UC_ATTEMPT_OTHER_READY /* so it is, and *ret is complete, and no longer held */
};

enum uc_attempt uc_holds_attempt(struct uc_holds *h, const struct uc_rec_attempt *a,
				 struct uc_pair *ret);

/* To be called until it returns false: gives up those whose time has come. */
bool uc_holds_expire(struct uc_holds *h, uint64_t now_ns, struct uc_pair *ret);

/* When uc_holds_expire has something to do; UINT64_MAX: never. */
uint64_t uc_holds_deadline(const struct uc_holds *h);

/* What the verdict itself tells of the outcome, where no followup could. */
void uc_outcome_settle(const struct uc_facts *f, const struct uc_verdict *v, struct uc_outcome *o);

#endif
