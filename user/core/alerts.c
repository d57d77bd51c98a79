/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/alerts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* The slice that is being filled, and those of a whole window before it. */
#define RING (UC_ALERT_SLICES + 1)

#define V(name) UC_ALERT_VERDICT(UC_VERDICT_##name)

#define FLAGGED(number, name, is) ((is) ? UC_ALERT_VERDICT(number) : 0) |

/* Names are those that Prometheus's own rules have, see prometheus-rules.yaml. */
const struct uc_alert_rule uc_alert_defaults[] = {
	{ .name = "UpcloseUpstreamDied",
	  .verdicts = V(UPSTREAM_DIED),
	  .severity = UC_ALERT_CRITICAL,
	  .count = 1,
	  .window_ns = 5 * MINUTE,
	  .cooldown_ns = 5 * MINUTE,
	  .repeat_ns = 4 * HOUR },
	{ .name = "UpcloseConnectFailed",
	  .verdicts = V(CONNECT_FAILED),
	  .severity = UC_ALERT_CRITICAL,
	  .count = 5,
	  .window_ns = MINUTE,
	  .cooldown_ns = 5 * MINUTE,
	  .repeat_ns = 4 * HOUR },
	{ .name = "UpcloseFlaggedShare",
	  .verdicts = UC_VERDICTS(FLAGGED) 0,
	  .severity = UC_ALERT_CRITICAL,
	  .share_ppm = 10000,
	  .count = 10,
	  .window_ns = 5 * MINUTE,
	  .hold_ns = MINUTE,
	  .cooldown_ns = 5 * MINUTE,
	  .repeat_ns = 4 * HOUR },
	{ .name = "UpcloseKeepaliveRace",
	  .verdicts = V(KEEPALIVE_RACE),
	  .severity = UC_ALERT_WARNING,
	  .count = 1,
	  .window_ns = 15 * MINUTE,
	  .cooldown_ns = 15 * MINUTE,
	  .repeat_ns = 24 * HOUR },
	{ .name = "UpcloseBodyTruncated",
	  .verdicts = V(BODY_TRUNCATED),
	  .severity = UC_ALERT_WARNING,
	  .count = 1,
	  .window_ns = 15 * MINUTE,
	  .cooldown_ns = 15 * MINUTE,
	  .repeat_ns = 24 * HOUR },
	{ .name = "UpcloseNoResponse",
	  .verdicts = V(UPSTREAM_CLOSED) | V(UPSTREAM_RESET) | V(REQUEST_REJECTED) |
		      V(PARTIAL_HEADER) | V(PROTOCOL_MISMATCH) | V(NGINX_REJECTED_RESPONSE) |
		      V(NGINX_TIMEOUT),
	  .severity = UC_ALERT_WARNING,
	  .count = 5,
	  .window_ns = 5 * MINUTE,
	  .cooldown_ns = 5 * MINUTE,
	  .repeat_ns = 24 * HOUR },
	{ .name = "UpcloseWorkerExited",
	  .verdicts = V(WORKER_EXITED),
	  .severity = UC_ALERT_WARNING,
	  .count = 5,
	  .window_ns = 5 * MINUTE,
	  .cooldown_ns = 5 * MINUTE,
	  .repeat_ns = 24 * HOUR },
};
const size_t uc_alert_default_count = ARRAY_SIZE(uc_alert_defaults);

struct slice {
	uint32_t matched, exchanges;
};

/* A rule's count for one upstream. */
struct instance {
	char upstream[UC_ALERT_UPSTREAM_LEN];
	uint32_t hash;
	enum uc_alert_state state;
	uint64_t since_ns, fired_ns, fired_wall_ns;
	uint64_t said_ns;        /* that it fires */
	uint64_t quiet_until_ns; /* the cooldown's end */
	uint64_t kept_until_ns;  /* restored: it fires until then; 0: it is not */
	struct slice slices[RING];
	uint64_t newest; /* number of the newest slice; slice n is at n % RING */
	uint64_t matched, exchanges;
	uint64_t first_ns, last_ns, total;
	uint64_t by_verdict[UC_VERDICT_MAX], by_outcome[UC_OUTCOME_MAX];
	char *example;
	enum uc_confidence example_confidence;
	uint64_t example_ns;
	bool wants_example;
};

struct rule {
	struct uc_alert_rule r;
	struct instance *instances[UC_ALERT_UPSTREAMS + 1]; /* the last may be that of the others */
	size_t count;
};

struct set {
	struct set *next; /* retired earlier */
	size_t count;
	struct rule rules[];
};

struct uc_alerts {
	struct set *rules;
	struct set *retired; /* whose firing alerts are to be resolved, or NULL */
	uint64_t now_ns;     /* never goes back */
	uint64_t due_ns;
	uint64_t folded;
	/* where uc_alerts_step goes on */
	size_t rule_at, instance_at;
	uint64_t next_due_ns;
};

static const char *const severities[] = {
	[UC_ALERT_INFO] = "info",
	[UC_ALERT_WARNING] = "warning",
	[UC_ALERT_CRITICAL] = "critical",
};

static const char *const states[] = {
	[UC_ALERT_INACTIVE] = "inactive",
	[UC_ALERT_PENDING] = "pending",
	[UC_ALERT_FIRING] = "firing",
};

const char *uc_alert_severity_name(enum uc_alert_severity s)
{
	return (size_t)s < ARRAY_SIZE(severities) ? severities[s] : "invalid";
}

const char *uc_alert_state_name(enum uc_alert_state s)
{
	return (size_t)s < ARRAY_SIZE(states) ? states[s] : "invalid";
}

bool uc_alert_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			/* the last star takes one character more */
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* --- the sliding window ----------------------------------------------------------- */

static uint64_t slice_ns(const struct uc_alert_rule *r)
{
	return r->window_ns / UC_ALERT_SLICES;
}

static void begin_anew(struct instance *i)
{
	i->first_ns = i->last_ns = i->total = 0;
	memset(i->by_verdict, 0, sizeof(i->by_verdict));
	memset(i->by_outcome, 0, sizeof(i->by_outcome));
	free(i->example);
	i->example = NULL;
}

/* Forgets what is older than the window. */
static void advance(const struct uc_alert_rule *r, struct instance *i, uint64_t now_ns)
{
	uint64_t newest = now_ns / slice_ns(r);
	uint64_t steps = newest > i->newest ? newest - i->newest : 0;

	for (uint64_t n = 1; n <= steps && n <= RING; n++) {
		struct slice *s = &i->slices[(i->newest + n) % RING];

		i->matched -= s->matched;
		i->exchanges -= s->exchanges;
		*s = (struct slice){ 0 };
	}
	i->newest += steps;
}

static void add(uint32_t *slot, uint64_t *sum, uint64_t n)
{
	uint64_t room = UINT32_MAX - *slot;

	n = n < room ? n : room;
	*slot += n;
	*sum += n;
}

/* The slice of that time; NULL: it has left the window. */
static struct slice *slice_of(const struct uc_alert_rule *r, struct instance *i, uint64_t time_ns)
{
	uint64_t n = time_ns / slice_ns(r);

	if (n > i->newest)
		n = i->newest;
	return i->newest - n < RING ? &i->slices[n % RING] : NULL;
}

static bool holds(const struct uc_alert_rule *r, const struct instance *i)
{
	uint64_t exchanges = i->exchanges > i->matched ? i->exchanges : i->matched;

	if (i->matched < (r->count ? r->count : 1))
		return false;
	return i->matched * 1000000 >= exchanges * r->share_ppm;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

/* When passing time alone may change it. */
static uint64_t deadline(const struct uc_alert_rule *r, const struct instance *i)
{
	uint64_t due, fires;

	if (!i->matched && i->state == UC_ALERT_INACTIVE)
		return UINT64_MAX;
	due = (i->newest + 1) * slice_ns(r);
	if (i->kept_until_ns)
		due = sooner(due, i->kept_until_ns);
	if (i->state == UC_ALERT_FIRING && r->repeat_ns)
		due = sooner(due, sum(i->said_ns, r->repeat_ns));
	if (i->state == UC_ALERT_PENDING) {
		fires = sum(i->since_ns, r->hold_ns);
		due = sooner(due, fires > i->quiet_until_ns ? fires : i->quiet_until_ns);
	}
	return due;
}

/* --- instances ----------------------------------------------------------------------- */

/* FNV-1a */
static uint32_t hash_of(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

static struct instance *find(const struct rule *rule, const char *upstream, uint32_t hash)
{
	for (size_t n = 0; n < rule->count; n++)
		if (rule->instances[n]->hash == hash &&
		    !strcmp(rule->instances[n]->upstream, upstream))
			return rule->instances[n];
	return NULL;
}

static void name_instance(struct instance *i, const char *upstream, uint32_t hash)
{
	begin_anew(i);
	memset(i, 0, sizeof(*i));
	strncpy(i->upstream, upstream, sizeof(i->upstream) - 1);
	i->hash = hash;
}

/* One that counts nothing now, and has nothing to remember. */
static struct instance *reusable(struct rule *rule, uint64_t now_ns)
{
	for (size_t n = 0; n < rule->count; n++) {
		struct instance *i = rule->instances[n];

		if (i->state != UC_ALERT_INACTIVE || i->quiet_until_ns > now_ns)
			continue;
		advance(&rule->r, i, now_ns);
		if (!i->matched && !i->exchanges)
			return i;
	}
	return NULL;
}

/* NULL: out of memory. */
static struct instance *instance_for(struct uc_alerts *a, struct rule *rule, const char *upstream)
{
	uint32_t hash = hash_of(upstream);
	struct instance *i = find(rule, upstream, hash);

	if (i)
		return i;
	if (rule->count >= UC_ALERT_UPSTREAMS) {
		i = reusable(rule, a->now_ns);
		if (i) {
			name_instance(i, upstream, hash);
			return i;
		}
		a->folded++;
		upstream = UC_ALERT_OTHER;
		hash = hash_of(upstream);
		i = find(rule, upstream, hash);
		if (i)
			return i;
	}
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	name_instance(i, upstream, hash);
	rule->instances[rule->count++] = i;
	return i;
}

/* --- sets of rules ----------------------------------------------------------------------- */

static void free_sets(struct set *s)
{
	while (s) {
		struct set *next = s->next;

		for (size_t n = 0; n < s->count; n++) {
			for (size_t k = 0; k < s->rules[n].count; k++) {
				free(s->rules[n].instances[k]->example);
				free(s->rules[n].instances[k]);
			}
		}
		free(s);
		s = next;
	}
}

static int new_set(const struct uc_alert_rule *rules, size_t count, struct set **ret)
{
	struct set *s;

	for (size_t n = 0; n < count; n++)
		if (!rules[n].name[0] || !rules[n].verdicts ||
		    rules[n].window_ns < UC_ALERT_WINDOW_MIN_NS)
			return -EINVAL;
	s = calloc(1, sizeof(*s) + count * sizeof(s->rules[0]));
	if (!s)
		return -ENOMEM;
	s->count = count;
	for (size_t n = 0; n < count; n++)
		s->rules[n].r = rules[n];
	*ret = s;
	return 0;
}

static bool same_rule(const struct uc_alert_rule *a, const struct uc_alert_rule *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->upstream, b->upstream) &&
	       a->verdicts == b->verdicts && a->outcomes == b->outcomes &&
	       a->share_ppm == b->share_ppm && a->severity == b->severity && a->count == b->count &&
	       a->window_ns == b->window_ns && a->hold_ns == b->hold_ns &&
	       a->cooldown_ns == b->cooldown_ns && a->repeat_ns == b->repeat_ns;
}

int uc_alerts_new(const struct uc_alert_rule *rules, size_t count, struct uc_alerts **ret)
{
	struct uc_alerts *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	err = new_set(rules, count, &a->rules);
	if (err) {
		free(a);
		return err;
	}
	a->due_ns = a->next_due_ns = UINT64_MAX;
	*ret = a;
	return 0;
}

void uc_alerts_free(struct uc_alerts *a)
{
	if (!a)
		return;
	free_sets(a->rules);
	free_sets(a->retired);
	free(a);
}

/* What the old rules have counted goes to those that are the same. */
static void hand_over(struct set *old, struct set *new)
{
	for (size_t n = 0; n < new->count; n++) {
		for (size_t k = 0; k < old->count; k++) {
			struct rule *from = &old->rules[k], *to = &new->rules[n];

			if (!from->count || to->count || !same_rule(&from->r, &to->r))
				continue;
			memcpy(to->instances, from->instances, sizeof(to->instances));
			to->count = from->count;
			from->count = 0;
		}
	}
}

int uc_alerts_replace(struct uc_alerts *a, const struct uc_alert_rule *rules, size_t count)
{
	struct set *new = NULL;
	int err = new_set(rules, count, &new);

	if (err)
		return err;
	hand_over(a->rules, new);
	a->rules->next = a->retired;
	a->retired = a->rules;
	a->rules = new;
	a->rule_at = a->instance_at = 0;
	a->next_due_ns = UINT64_MAX;
	a->due_ns = 0;
	return 0;
}

/* --- events ---------------------------------------------------------------------------------- */

/* The surest one, and of equal ones a new one now and then. */
static bool wants_example(const struct uc_alert_rule *r, const struct instance *i,
			  const struct uc_alert_end *end, uint64_t now_ns)
{
	if (!i->example || end->confidence > i->example_confidence)
		return true;
	return end->confidence == i->example_confidence && now_ns - i->example_ns >= slice_ns(r);
}

static void count_match(const struct uc_alert_rule *r, struct instance *i,
			const struct uc_alert_end *end, struct slice *s, uint64_t now_ns)
{
	uint64_t time_ns = end->time_ns < now_ns ? end->time_ns : now_ns;

	if (!i->matched && i->state == UC_ALERT_INACTIVE)
		begin_anew(i);
	if (!i->total++)
		i->first_ns = time_ns;
	if (time_ns > i->last_ns)
		i->last_ns = time_ns;
	i->by_verdict[end->verdict]++;
	i->by_outcome[end->outcome]++;
	add(&s->matched, &i->matched, 1);
	i->wants_example = wants_example(r, i, end, now_ns);
	if (i->wants_example) {
		i->example_confidence = end->confidence;
		i->example_ns = now_ns;
	}
}

static bool watches(const struct uc_alert_rule *r, const char *upstream)
{
	return !r->upstream[0] || uc_alert_glob(r->upstream, upstream);
}

static bool note(struct uc_alerts *a, struct rule *rule, const struct uc_alert_end *end,
		 const char *upstream)
{
	const struct uc_alert_rule *r = &rule->r;
	struct instance *i;
	struct slice *s;

	if (!(r->verdicts & UC_ALERT_VERDICT(end->verdict)) ||
	    (r->outcomes && !(r->outcomes & (1u << end->outcome))) || !watches(r, upstream))
		return false;
	i = instance_for(a, rule, upstream);
	if (!i)
		return false;
	advance(r, i, a->now_ns);
	s = slice_of(r, i, end->time_ns);
	if (!s)
		return false;
	count_match(r, i, end, s, a->now_ns);
	a->due_ns = i->state == UC_ALERT_INACTIVE && holds(r, i) ?
			    0 :
			    sooner(a->due_ns, deadline(r, i));
	return i->wants_example;
}

static void copy_upstream(char to[UC_ALERT_UPSTREAM_LEN], const char *from)
{
	memset(to, 0, UC_ALERT_UPSTREAM_LEN);
	strncpy(to, from, UC_ALERT_UPSTREAM_LEN - 1);
}

static void follow(struct uc_alerts *a, uint64_t now_ns)
{
	if (now_ns > a->now_ns)
		a->now_ns = now_ns;
}

bool uc_alerts_restore(struct uc_alerts *a, const char *rule, const char *upstream,
		       uint64_t fired_wall_ns, uint64_t now_ns)
{
	char name[UC_ALERT_UPSTREAM_LEN];
	struct instance *i = NULL;

	follow(a, now_ns);
	copy_upstream(name, upstream);
	for (size_t n = 0; n < a->rules->count && !i; n++) {
		struct rule *found = &a->rules->rules[n];

		if (strcmp(found->r.name, rule) || !watches(&found->r, name))
			continue;
		i = instance_for(a, found, name);
		if (!i)
			break;
		advance(&found->r, i, a->now_ns);
		i->state = UC_ALERT_FIRING;
		i->since_ns = i->fired_ns = i->said_ns = a->now_ns;
		i->fired_wall_ns = fired_wall_ns;
		i->kept_until_ns = sum(a->now_ns, found->r.window_ns);
		a->due_ns = sooner(a->due_ns, deadline(&found->r, i));
	}
	return i;
}

bool uc_alerts_note(struct uc_alerts *a, const struct uc_alert_end *end, uint64_t now_ns)
{
	char upstream[UC_ALERT_UPSTREAM_LEN];
	bool wanted = false;

	if ((unsigned)end->verdict >= UC_VERDICT_MAX || (unsigned)end->outcome >= UC_OUTCOME_MAX)
		return false;
	follow(a, now_ns);
	copy_upstream(upstream, end->upstream);
	for (size_t n = 0; n < a->rules->count; n++)
		wanted |= note(a, &a->rules->rules[n], end, upstream);
	return wanted;
}

void uc_alerts_exchanges(struct uc_alerts *a, const char *upstream, uint64_t count, uint64_t now_ns)
{
	char name[UC_ALERT_UPSTREAM_LEN];

	if (!count)
		return;
	follow(a, now_ns);
	copy_upstream(name, upstream);
	for (size_t n = 0; n < a->rules->count; n++) {
		struct rule *rule = &a->rules->rules[n];
		struct instance *i;

		if (!rule->r.share_ppm || !watches(&rule->r, name))
			continue;
		i = instance_for(a, rule, name);
		if (!i)
			continue;
		advance(&rule->r, i, a->now_ns);
		add(&i->slices[i->newest % RING].exchanges, &i->exchanges, count);
	}
}

int uc_alerts_example(struct uc_alerts *a, const char *text)
{
	int err = 0;

	for (size_t n = 0; n < a->rules->count; n++) {
		for (size_t k = 0; k < a->rules->rules[n].count; k++) {
			struct instance *i = a->rules->rules[n].instances[k];

			if (!i->wants_example)
				continue;
			i->wants_example = false;
			free(i->example);
			i->example = strdup(text);
			err = i->example ? err : -ENOMEM;
		}
	}
	return err;
}

/* --- states ------------------------------------------------------------------------------------ */

static enum uc_alert_change fire(struct instance *i, uint64_t now_ns)
{
	i->state = UC_ALERT_FIRING;
	i->fired_ns = i->said_ns = now_ns;
	return UC_ALERT_FIRES;
}

static enum uc_alert_change change(const struct uc_alert_rule *r, struct instance *i,
				   uint64_t now_ns)
{
	bool on, was_inactive = i->state == UC_ALERT_INACTIVE;

	if (now_ns >= i->kept_until_ns)
		i->kept_until_ns = 0;
	on = holds(r, i) || i->kept_until_ns;

	if (i->state == UC_ALERT_FIRING) {
		if (!on) {
			i->state = UC_ALERT_INACTIVE;
			i->quiet_until_ns = now_ns + r->cooldown_ns;
			return UC_ALERT_RESOLVES;
		}
		if (!r->repeat_ns || now_ns - i->said_ns < r->repeat_ns)
			return UC_ALERT_NONE;
		i->said_ns = now_ns;
		return UC_ALERT_REPEATS;
	}
	if (!on) {
		i->state = UC_ALERT_INACTIVE;
		return was_inactive ? UC_ALERT_NONE : UC_ALERT_DROPS;
	}
	if (was_inactive) {
		i->state = UC_ALERT_PENDING;
		i->since_ns = now_ns;
		i->fired_ns = 0;
	}
	if (now_ns - i->since_ns >= r->hold_ns && now_ns >= i->quiet_until_ns)
		return fire(i, now_ns);
	return was_inactive ? UC_ALERT_PENDS : UC_ALERT_NONE;
}

static void describe(const struct rule *rule, const struct instance *i, uint64_t now_ns,
		     struct uc_alert *ret)
{
	*ret = (struct uc_alert){ .rule = &rule->r,
				  .upstream = i->upstream,
				  .state = i->state,
				  .since_ns = i->since_ns,
				  .fired_ns = i->fired_ns,
				  .fired_wall_ns = i->fired_wall_ns,
				  .now_ns = now_ns,
				  .matched = i->matched,
				  .exchanges = i->exchanges,
				  .first_ns = i->first_ns,
				  .last_ns = i->last_ns,
				  .total = i->total,
				  .example = i->example };
	memcpy(ret->by_verdict, i->by_verdict, sizeof(ret->by_verdict));
	memcpy(ret->by_outcome, i->by_outcome, sizeof(ret->by_outcome));
}

/* Those that fire by a rule that is no more, one by one. */
static bool step_retired(struct uc_alerts *a, struct uc_alert *ret)
{
	for (struct set *s = a->retired; s; s = s->next) {
		for (size_t n = 0; n < s->count; n++) {
			for (size_t k = 0; k < s->rules[n].count; k++) {
				struct instance *i = s->rules[n].instances[k];

				if (i->state != UC_ALERT_FIRING)
					continue;
				i->state = UC_ALERT_INACTIVE;
				describe(&s->rules[n], i, a->now_ns, ret);
				ret->change = UC_ALERT_RESOLVES;
				ret->withdrawn = true;
				return true;
			}
		}
	}
	free_sets(a->retired);
	a->retired = NULL;
	return false;
}

static bool step_rules(struct uc_alerts *a, uint64_t wall_ns, struct uc_alert *ret)
{
	for (; a->rule_at < a->rules->count; a->rule_at++, a->instance_at = 0) {
		struct rule *rule = &a->rules->rules[a->rule_at];

		while (a->instance_at < rule->count) {
			struct instance *i = rule->instances[a->instance_at++];
			enum uc_alert_change c;

			advance(&rule->r, i, a->now_ns);
			c = change(&rule->r, i, a->now_ns);
			a->next_due_ns = sooner(a->next_due_ns, deadline(&rule->r, i));
			if (!c)
				continue;
			if (c == UC_ALERT_FIRES)
				i->fired_wall_ns = wall_ns;
			describe(rule, i, a->now_ns, ret);
			ret->change = c;
			return true;
		}
	}
	return false;
}

bool uc_alerts_step(struct uc_alerts *a, uint64_t now_ns, uint64_t wall_ns, struct uc_alert *ret)
{
	follow(a, now_ns);
	if (a->now_ns < a->due_ns)
		return false;
	if (a->retired && step_retired(a, ret))
		return true;
	if (step_rules(a, wall_ns, ret))
		return true;
	a->due_ns = a->next_due_ns;
	a->rule_at = a->instance_at = 0;
	a->next_due_ns = UINT64_MAX;
	return false;
}

uint64_t uc_alerts_deadline(const struct uc_alerts *a)
{
	return a->due_ns;
}

bool uc_alerts_active(const struct uc_alerts *a, size_t *at, struct uc_alert *ret)
{
	size_t n = 0;

	for (size_t k = 0; k < a->rules->count; k++) {
		const struct rule *rule = &a->rules->rules[k];

		for (size_t m = 0; m < rule->count; m++) {
			if (rule->instances[m]->state == UC_ALERT_INACTIVE || n++ < *at)
				continue;
			++*at;
			describe(rule, rule->instances[m], a->now_ns, ret);
			return true;
		}
	}
	return false;
}

size_t uc_alerts_rules(const struct uc_alerts *a)
{
	return a->rules->count;
}

const struct uc_alert_rule *uc_alerts_rule(const struct uc_alerts *a, size_t i)
{
	return &a->rules->rules[i].r;
}

size_t uc_alerts_in_state(const struct uc_alerts *a, size_t i, enum uc_alert_state state)
{
	const struct rule *rule = &a->rules->rules[i];
	size_t n = 0;

	for (size_t k = 0; k < rule->count; k++)
		n += rule->instances[k]->state == state;
	return n;
}

uint64_t uc_alerts_folded(const struct uc_alerts *a)
{
	return a->folded;
}
