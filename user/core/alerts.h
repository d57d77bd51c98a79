/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Alert rules, and where each stands for each upstream. A rule counts ended
 * connections within a sliding window; while its condition holds it goes from
 * pending to firing, and is resolved when it no longer holds. Bounded, and
 * time is an argument: any clock that all calls share, in ns.
 */
#ifndef UPCLOSE_CORE_ALERTS_H
#define UPCLOSE_CORE_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vocabulary.h"

#define UC_ALERT_NAME_LEN     64
#define UC_ALERT_UPSTREAM_LEN 64
/* Of a window: an event counts for the window's length, and at most one slice longer. */
#define UC_ALERT_SLICES 60
/* Upstreams that one rule tells apart; those beyond are UC_ALERT_OTHER together. */
#define UC_ALERT_UPSTREAMS 128
#define UC_ALERT_OTHER     "other"

#define UC_ALERT_WINDOW_MIN_NS 1000000000ULL
#define UC_ALERT_VERDICT(v)    (1u << (v))

enum uc_alert_severity { UC_ALERT_INFO, UC_ALERT_WARNING, UC_ALERT_CRITICAL, UC_ALERT_SEVERITIES };

/* All of it is compared when rules are replaced: zero what is not set. */
struct uc_alert_rule {
	char name[UC_ALERT_NAME_LEN];
	char upstream[UC_ALERT_UPSTREAM_LEN]; /* glob on "addr:port" with * and ?; "": all */
	uint32_t verdicts;                    /* UC_ALERT_VERDICT of each that counts */
	uint32_t outcomes;                    /* 1 << enum uc_outcome_id of each; 0: all */
	uint32_t share_ppm;                   /* of the exchanges, at least; 0: any share */
	enum uc_alert_severity severity;
	uint64_t count;       /* at least so many; 0 is 1 */
	uint64_t window_ns;   /* at least UC_ALERT_WINDOW_MIN_NS */
	uint64_t hold_ns;     /* the condition holds so long before the alert fires */
	uint64_t cooldown_ns; /* after it was resolved it does not fire again for so long */
	uint64_t repeat_ns;   /* while it fires it is said again that often; 0: never */
};

/* What is on where the configuration has no rules of its own. */
extern const struct uc_alert_rule uc_alert_defaults[];
extern const size_t uc_alert_default_count;

/* The end of one connection of nginx to an upstream. */
struct uc_alert_end {
	const char *upstream; /* "addr:port"; cut to UC_ALERT_UPSTREAM_LEN */
	enum uc_verdict_id verdict;
	enum uc_outcome_id outcome;
	enum uc_confidence confidence;
	uint64_t time_ns;
};

enum uc_alert_state { UC_ALERT_INACTIVE, UC_ALERT_PENDING, UC_ALERT_FIRING, UC_ALERT_STATE_MAX };

enum uc_alert_change {
	UC_ALERT_NONE,
	UC_ALERT_PENDS, /* holds, and waits for hold_ns or the end of the cooldown */
	UC_ALERT_FIRES,
	UC_ALERT_REPEATS, /* still fires */
	UC_ALERT_RESOLVES,
	UC_ALERT_DROPS /* was pending, and no longer holds */
};

/* One rule and upstream; pointers are valid until the next call with the same uc_alerts. */
struct uc_alert {
	const struct uc_alert_rule *rule;
	const char *upstream;
	enum uc_alert_state state;
	enum uc_alert_change change;
	bool withdrawn;         /* resolved, because its rule was changed or removed */
	uint64_t since_ns;      /* the condition has held */
	uint64_t fired_ns;      /* 0: not yet */
	uint64_t fired_wall_ns; /* the same by wall_ns of that step, whatever clocks did since */
	uint64_t now_ns;        /* of this */
	uint64_t matched;       /* ends that count, within the window */
	uint64_t exchanges;     /* within the window; counted by rules with a share only */
	/* since the window was last empty, which may be longer than the window */
	uint64_t first_ns, last_ns;
	uint64_t total;
	uint64_t by_verdict[UC_VERDICT_MAX];
	uint64_t by_outcome[UC_OUTCOME_MAX];
	const char *example; /* what uc_alerts_example gave, or NULL */
};

struct uc_alerts;

/* -ENOMEM; -EINVAL for a rule without a name, verdicts or window. The rules are copied. */
int uc_alerts_new(const struct uc_alert_rule *rules, size_t count, struct uc_alerts **ret);
void uc_alerts_free(struct uc_alerts *a);

/*
 * Puts these rules in place of the old ones. A rule that did not change keeps
 * all that it counted; what fires by another one is resolved by
 * uc_alerts_step. On an error the old ones stay.
 */
int uc_alerts_replace(struct uc_alerts *a, const struct uc_alert_rule *rules, size_t count);

/*
 * An alert that fired when an earlier run ended fires on, until its rule's window
 * has passed without its condition; fired_wall_ns as that run knew it. False: no
 * rule has this name, or it is not for this upstream.
 */
bool uc_alerts_restore(struct uc_alerts *a, const char *rule, const char *upstream,
		       uint64_t fired_wall_ns, uint64_t now_ns);

/*
 * A connection ended. True: it would make a good example for people, to be
 * given by uc_alerts_example before any other call.
 */
bool uc_alerts_note(struct uc_alerts *a, const struct uc_alert_end *end, uint64_t now_ns);
/* nginx began so many exchanges with an upstream, just now. */
void uc_alerts_exchanges(struct uc_alerts *a, const char *upstream, uint64_t count,
			 uint64_t now_ns);
/* text is copied for each rule that wants it. -ENOMEM: some have none now. */
int uc_alerts_example(struct uc_alerts *a, const char *text);

/*
 * To be called until it returns false: what changed by that time. wall_ns is the
 * same moment for people; it is kept, not compared.
 */
bool uc_alerts_step(struct uc_alerts *a, uint64_t now_ns, uint64_t wall_ns, struct uc_alert *ret);
/* When uc_alerts_step has something to do; UINT64_MAX: not before the next end. */
uint64_t uc_alerts_deadline(const struct uc_alerts *a);

/* Those pending or firing: *at begins as 0. False: no more. */
bool uc_alerts_active(const struct uc_alerts *a, size_t *at, struct uc_alert *ret);

/* The rules in order, and for how many upstreams one of them is in a state. */
size_t uc_alerts_rules(const struct uc_alerts *a);
const struct uc_alert_rule *uc_alerts_rule(const struct uc_alerts *a, size_t i);
size_t uc_alerts_in_state(const struct uc_alerts *a, size_t i, enum uc_alert_state state);

/* Calls of uc_alerts_note and uc_alerts_exchanges that a rule counted for UC_ALERT_OTHER. */
uint64_t uc_alerts_folded(const struct uc_alerts *a);

/* * is any text, ? any character. */
bool uc_alert_glob(const char *pattern, const char *text);

/* Static strings, "invalid" for a number out of range. */
const char *uc_alert_severity_name(enum uc_alert_severity s);
const char *uc_alert_state_name(enum uc_alert_state s);

#endif
