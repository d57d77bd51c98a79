/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A verdict is a row: the first whose condition holds. Rows stand in sections, each
 * behind a guard and in a file of its own; verdict.c has their order. A row may rely
 * on its guard, and on every row above it having said no. New verdict, new row.
 *
 * What TCP did is proven by sequence numbers, acknowledgements and the closing
 * task. What nginx decided is not in them:
 *   1. It is proven by nginx's own words, or by a check that leaves no other cause;
 *      by inference it is likely at most, and words that contradict it win.
 *   2. Where errors are heard and nginx said none, its close was no failure of the
 *      upstream: it did not want the body, its client left, its worker was to end.
 *   3. A wait is a timeout only where it is as long as the directive in force.
 *   4. A repetition has the same method and target; another request is no retry.
 */
#ifndef UPCLOSE_CORE_VERDICT_RULE_H
#define UPCLOSE_CORE_VERDICT_RULE_H

#include <stdbool.h>
#include <string.h>

#include "core/conn/facts.h"
#include "core/vocabulary.h"

#define MS 1000000ULL

/* The upstream's record may change the answer: where one should exist and is not there, likely. */
#define PEER 1

#define PROVEN UC_CONFIDENCE_PROVEN
#define LIKELY UC_CONFIDENCE_LIKELY

typedef bool (*uc_condition)(const struct uc_facts *f);

struct uc_rule {
	uc_condition when; /* NULL ends a section */
	enum uc_verdict_id id;
	enum uc_proof proof;
	enum uc_confidence confidence;
	unsigned needs; /* PEER, or 0 */
};

extern const struct uc_rule uc_rules_connect[];  /* it never stood */
extern const struct uc_rule uc_rules_said[];     /* nginx said what happened */
extern const struct uc_rule uc_rules_idle[];     /* it was idle, or its worker ended */
extern const struct uc_rule uc_rules_upgraded[]; /* it had left HTTP */
extern const struct uc_rule uc_rules_whole[]; /* nothing was cut, or it cannot be read; or a death */
extern const struct uc_rule uc_rules_nginx[];    /* nginx closed in the middle */
extern const struct uc_rule uc_rules_upstream[]; /* the upstream did */

/* For the last row of a section. */
static inline bool uc_otherwise(const struct uc_facts *f)
{
	(void)f;
	return true;
}

static inline bool uc_said(const struct uc_facts *f, enum uc_words_means means)
{
	return f->means == means;
}

static inline bool uc_acting(const struct uc_facts *f, const char *action)
{
	return f->words && strstr(f->words->action, action);
}

/* Timeouts are set in whole seconds nearly always; a client's leaving knows no such rhythm. */
static inline bool uc_whole_seconds(uint64_t ns)
{
	return ns >= 990 * MS && (ns + 10 * MS) % (1000 * MS) < 60 * MS;
}

static inline bool uc_in_whole_seconds(const struct uc_facts *f)
{
	return uc_whole_seconds(f->stalled_ns);
}

static inline bool uc_before_any_request(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_UPSTREAM && !f->exchange && !f->nginx->x.in_bytes;
}

static inline bool uc_upstream_exited(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_UPSTREAM && f->upstream && f->upstream_closed &&
	       f->upstream->closer.flags & UC_TASK_EXITING &&
	       !(f->upstream->closer.flags & UC_TASK_KTHREAD);
}

#endif
