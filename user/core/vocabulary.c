/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vocabulary.h"

#include <stddef.h>

#include "base/util.h"
#include "wire.h"

#define NAMED(number, name, ...) [number] = (name),

static const char *const verdicts[] = { UC_VERDICTS(NAMED) };
static const char *const proofs[] = { UC_PROOFS(NAMED) };
static const char *const confidences[] = { UC_CONFIDENCES(NAMED) };
static const char *const closers[] = { UC_CLOSERS(NAMED) };
static const char *const closes[] = { UC_CLOSES(NAMED) };
static const char *const phases[] = { UC_PHASES(NAMED) };
static const char *const outcomes[] = { UC_OUTCOMES(NAMED) };
static const char *const events[] = { [UC_EV_NONE] = "none", UC_EVENT_KINDS(NAMED) };
static const char *const losses[] = { UC_LOST_REASONS(NAMED) };

#define NAME_OF(table, i) ((size_t)(i) < ARRAY_SIZE(table) ? (table)[i] : "invalid")

const char *uc_verdict_name(enum uc_verdict_id v)
{
	return NAME_OF(verdicts, v);
}

bool uc_verdict_flagged(enum uc_verdict_id v)
{
#define FLAGGED(number, name, is) [number] = (is),
	static const bool flagged[] = { UC_VERDICTS(FLAGGED) };

	return (size_t)v >= ARRAY_SIZE(flagged) || flagged[v];
}

const char *uc_proof_name(enum uc_proof p)
{
	return NAME_OF(proofs, p);
}

const char *uc_confidence_name(enum uc_confidence c)
{
	return NAME_OF(confidences, c);
}

const char *uc_closed_by_name(enum uc_closed_by c)
{
	return NAME_OF(closers, c);
}

const char *uc_close_name(enum uc_close c)
{
	return NAME_OF(closes, c);
}

const char *uc_phase_name(enum uc_phase p)
{
	return NAME_OF(phases, p);
}

const char *uc_outcome_name(enum uc_outcome_id o)
{
	return NAME_OF(outcomes, o);
}

const char *uc_event_name(unsigned kind)
{
	return NAME_OF(events, kind);
}

const char *uc_lost_name(unsigned reason)
{
	return NAME_OF(losses, reason);
}
