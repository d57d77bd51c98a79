/* SPDX-License-Identifier: BSD-2-Clause */
/* One judged connection as every output gets it, and the totals at the end. */
#ifndef UPCLOSE_JUDGED_H
#define UPCLOSE_JUDGED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/conn/exits.h"
#include "core/conn/facts.h"
#include "core/conn/outcome.h"
#include "core/conn/timeline.h"
#include "core/conn/upstreams.h"
#include "core/conn/verdict.h"
#include "core/conn/words.h"
#include "engine/errorlog.h"
#include "engine/whose.h"
#include "source/source.h"

#define UC_LOG_CAUSES 4
/* max_fails counts failures within fail_timeout, 10 s by default; some set it longer. */
#define UC_LOG_CAUSE_NS 30000000000ULL

/* A process whose end closed connections: one event, however many there were. */
struct uc_death {
	struct uc_task task; /* how it ended */
	uint64_t connections;
	uint64_t in_use; /* of them, flagged */
	uint64_t first_ns, last_ns;
};

/* Where nginx's configuration has the timeout that a verdict is about. */
struct uc_directive_at {
	char name[48];  /* "keepalive_timeout" */
	char group[64]; /* of upstream{}, or "" */
	char path[192]; /* as text */
	uint32_t line;  /* by default: of the block or directive that it would stand in or beside */
	int64_t ms;
	bool by_default; /* no directive says it */
};

struct uc_judged {
	const struct uc_pair *pair;
	const struct uc_facts *facts;
	const struct uc_timeline *timeline;
	struct uc_verdict verdict;
	struct uc_outcome outcome;
	/* the process at the upstream's end; tgid 0 when it is not on this host or not known */
	struct uc_task upstream;
	const char *upstream_exe; /* NULL: not known */
	const struct uc_idle_learned
		*idle;                /* the upstream's idle timeout as learned so far, or NULL */
	const struct uc_death *death; /* that closed it, with those counted so far; or NULL */
	struct uc_whose nginx_is, upstream_is;
	const struct uc_exit *exit; /* of the process that closed it, after its close; or NULL */
	uint64_t exit_after_ns;     /* from its close to its end */
	const struct uc_error_line *line;        /* nginx's own, or NULL */
	bool line_contradicts;                   /* it says something else than the verdict */
	const struct uc_directive_at *directive; /* NULL: none, or not known */
	int64_t wall_offset_ns;                  /* to be added to a record's time */
	bool show_query;                         /* asked for: the request's query is printed */
};

/* A failure shortly before that may have led to what nginx said. */
struct uc_log_cause {
	struct uc_upstream_addr addr;
	enum uc_verdict_id verdict;
	uint64_t end_ns;
};

/* What nginx said of no connection that is followed. */
struct uc_log_event {
	const struct uc_words *words;
	int64_t wall_offset_ns;
	/* the newest flagged connections of the last UC_LOG_CAUSE_NS, newest first */
	struct uc_log_cause causes[UC_LOG_CAUSES];
	size_t cause_count;
};

/* What was forgotten so that memory stays bounded; no verdict is wrong for it. */
enum uc_limit {
	UC_LIMIT_UPSTREAMS, /* addresses whose counts and idle timeout began anew */
	UC_LIMIT_OUTCOMES,  /* failed attempts told without what nginx did next */
	UC_LIMIT_PROCESSES, /* whose executable is no longer known */
	UC_LIMIT_DEATHS,    /* processes whose end is no longer in the summary */
	UC_LIMIT_MAX
};

const char *uc_limit_name(enum uc_limit limit);

struct uc_totals {
	uint64_t connections; /* ends of nginx's upstream connections */
	uint64_t exchanges;
	uint64_t flagged;
	uint64_t by_verdict[UC_VERDICT_MAX];
	uint64_t by_outcome[UC_OUTCOME_MAX]; /* of the flagged */
	uint64_t repeated;                   /* exchanges that were a second or later attempt */
	struct uc_losses losses;
	uint64_t bad_records; /* refused by the decoder */
	uint64_t evicted;     /* ends dropped by a full join table */
	uint64_t forgotten[UC_LIMIT_MAX];
	const struct uc_upstreams *upstreams;
	const struct uc_death *deaths;
	size_t death_count;
	uint64_t words[UC_WORDS_KIND_MAX]; /* that nginx said of no connection that was followed */
	bool error_log;                    /* one was given, and these are its counts */
	struct uc_errorlog_stats log;
	uint64_t duration_ns;
	uint64_t end_wall_ns;
};

/* Everything that was lost, of any reason. */
uint64_t uc_totals_lost(const struct uc_totals *t);

/* The wall clock's time of a record's time, in ns since the epoch. */
static inline uint64_t uc_judged_wall(const struct uc_judged *r, uint64_t mono_ns)
{
	return mono_ns + (uint64_t)r->wall_offset_ns;
}

#endif
