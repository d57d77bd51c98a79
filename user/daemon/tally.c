/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS 60000000000ULL

/* Names of addresses that are remembered, where places have names of their own. */
#define NAMES 1024

struct named {
	struct uc_upstream_addr addr; /* port 0: free */
	char name[UC_TALLY_NAME];
};

struct uc_tally {
	struct uc_tally_config cfg;
	size_t count; /* with a place of their own */
	bool other_used;
	uint64_t minute; /* the newest that was counted in */
	uint64_t now_ns; /* of uc_tally_live_begin */
	struct uc_tally_upstream other, retired;
	uint64_t retired_count;
	struct uc_tally_upstream **place;   /* capacity pointers */
	struct uc_live told[UC_LIVE_SLOTS]; /* of each address, what the kernel told last */
	size_t told_count, told_next;
	size_t named_next;
	struct named named[]; /* NAMES of them, or none */
};

int uc_tally_new(const struct uc_tally_config *cfg, struct uc_tally **ret)
{
	struct uc_tally *t;

	t = calloc(1, sizeof(*t) + (cfg->named ? NAMES * sizeof(t->named[0]) : 0));
	if (t)
		t->place = calloc(cfg->capacity, sizeof(*t->place));
	if (!t || !t->place) {
		free(t);
		return -ENOMEM;
	}
	t->cfg = *cfg;
	snprintf(t->other.name, sizeof(t->other.name), "other");
	*ret = t;
	return 0;
}

void uc_tally_free(struct uc_tally *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		free(t->place[i]);
	free(t->place);
	free(t);
}

static bool same(const struct uc_upstream_addr *a, const struct uc_upstream_addr *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* --- names ---------------------------------------------------------------------------- */

static struct named *named_of(struct uc_tally *t, const struct uc_upstream_addr *addr)
{
	for (size_t i = 0; i < NAMES && t->named[i].addr.port; i++)
		if (same(&t->named[i].addr, addr))
			return &t->named[i];
	return NULL;
}

/* A name stands between quotes in the metrics, and others than upclose may have chosen it. */
static void copy_plain(char buf[UC_TALLY_NAME], const char *name)
{
	snprintf(buf, UC_TALLY_NAME, "%s", name);
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\')
			*c = '_';
}

static void learn_name(struct uc_tally *t, const struct uc_upstream_addr *addr, const char *name)
{
	struct named *n = named_of(t, addr);
	char text[UC_ADDR_LEN];

	if (n && !name)
		return;
	uc_text_endpoint(addr->addr, 0, addr->port, text);
	if (!n)
		n = &t->named[t->named_next++ % NAMES];
	n->addr = *addr;
	copy_plain(n->name, name ? name : text);
}

/* False: it has none yet. */
static bool name_of(struct uc_tally *t, const struct uc_upstream_addr *addr,
		    char buf[UC_TALLY_NAME])
{
	const struct named *n = t->cfg.named ? named_of(t, addr) : NULL;

	if (t->cfg.named && !n)
		return false;
	if (n)
		memcpy(buf, n->name, sizeof(n->name));
	else
		uc_text_endpoint(addr->addr, 0, addr->port, buf);
	return true;
}

/* --- places --------------------------------------------------------------------------- */

static struct uc_tally_upstream *fold(struct uc_tally *t)
{
	t->other_used = true;
	return &t->other;
}

static void add_histogram(struct uc_live_histogram *to, const struct uc_live_histogram *from)
{
	to->sum_ns += from->sum_ns;
	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

static void add_counts(struct uc_live *to, const struct uc_live *from)
{
	to->connections += from->connections;
	to->exchanges += from->exchanges;
	add_histogram(&to->first_byte, &from->first_byte);
	add_histogram(&to->idle, &from->idle);
}

static void retire(struct uc_tally *t, const struct uc_tally_upstream *u)
{
	struct uc_tally_upstream *r = &t->retired;

	t->retired_count++;
	r->ended += u->ended;
	r->repeated += u->repeated;
	add_counts(&r->live, &u->live);
	for (size_t v = 0; v < UC_VERDICT_MAX; v++)
		for (size_t o = 0; o < UC_OUTCOME_MAX; o++)
			r->flagged[v][o] += u->flagged[v][o];
}

/* The place that was used least recently, if that is long ago; NULL: none. */
static struct uc_tally_upstream *quiet_place(struct uc_tally *t, uint64_t now_ns)
{
	struct uc_tally_upstream *oldest = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (!t->place[i]->live.open && (!oldest || t->place[i]->used_ns < oldest->used_ns))
			oldest = t->place[i];
	return oldest && oldest->used_ns + t->cfg.quiet_ns <= now_ns ? oldest : NULL;
}

static struct uc_tally_upstream *new_place(struct uc_tally *t, uint64_t now_ns)
{
	struct uc_tally_upstream *u;

	if (t->count < t->cfg.capacity) {
		u = calloc(1, sizeof(*u));
		if (u)
			t->place[t->count++] = u;
		return u;
	}
	u = quiet_place(t, now_ns);
	if (u) {
		retire(t, u);
		memset(u, 0, sizeof(*u));
	}
	return u;
}

static void note_address(struct uc_tally_upstream *u, const struct uc_upstream_addr *addr)
{
	for (size_t i = 0; i < u->addrs && i < UC_TALLY_ADDRS; i++)
		if (same(&u->addr[i], addr))
			return;
	u->addr[u->addrs++ % UC_TALLY_ADDRS] = *addr;
}

static struct uc_tally_upstream *place_of(struct uc_tally *t, const struct uc_upstream_addr *addr,
					  uint64_t now_ns)
{
	struct uc_tally_upstream *u = NULL;
	char name[UC_TALLY_NAME];

	/* the kernel's slot without an address is its own "other" */
	if (!addr->port || !name_of(t, addr, name))
		return fold(t);
	for (size_t i = 0; !u && i < t->count; i++)
		if (!strcmp(t->place[i]->name, name))
			u = t->place[i];
	if (!u) {
		u = new_place(t, now_ns);
		if (!u)
			return fold(t);
		memcpy(u->name, name, sizeof(name));
	}
	note_address(u, addr);
	u->used_ns = now_ns;
	return u;
}

/* --- ends ------------------------------------------------------------------------------- */

static void forget_minute(struct uc_tally_upstream *u, uint64_t minute)
{
	memset(u->minutes[minute % UC_TALLY_MINUTES], 0, sizeof(u->minutes[0]));
}

/* Clears the minutes that have gone by without a count. */
static void advance(struct uc_tally *t, uint64_t now_ns)
{
	uint64_t minute = now_ns / MINUTE_NS, first = t->minute + 1;

	if (minute <= t->minute)
		return;
	if (minute - t->minute > UC_TALLY_MINUTES)
		first = minute - UC_TALLY_MINUTES + 1;
	for (uint64_t m = first; m <= minute; m++) {
		forget_minute(&t->other, m);
		for (size_t i = 0; i < t->count; i++)
			forget_minute(t->place[i], m);
	}
	t->minute = minute;
}

void uc_tally_end(struct uc_tally *t, const struct uc_judged *r, const char *name, uint64_t now_ns)
{
	struct uc_upstream_addr addr = { .port = r->facts->nginx->tuple.remote_port };
	struct uc_tally_upstream *u;

	memcpy(addr.addr, r->facts->nginx->tuple.remote_addr, sizeof(addr.addr));
	if (t->cfg.named)
		learn_name(t, &addr, name);
	advance(t, now_ns);
	u = place_of(t, &addr, now_ns);
	u->ended++;
	if (!r->verdict.flagged)
		return;
	u->flagged[r->verdict.id][r->outcome.id]++;
	u->minutes[t->minute % UC_TALLY_MINUTES][r->verdict.id]++;
}

void uc_tally_repeated(struct uc_tally *t, const struct uc_upstream_addr *addr, uint64_t now_ns)
{
	place_of(t, addr, now_ns)->repeated++;
}

/* --- what the kernel counts ------------------------------------------------------------- */

static void forget_gauges(struct uc_live *l)
{
	l->open = l->waiting = 0;
	l->waiting_since_ns = 0;
}

void uc_tally_live_begin(struct uc_tally *t, uint64_t now_ns)
{
	t->now_ns = now_ns;
	t->told_next = 0;
	forget_gauges(&t->other.live);
	for (size_t i = 0; i < t->count; i++)
		forget_gauges(&t->place[i]->live);
}

/* It is told in the same order each time. */
static struct uc_live *told_of(struct uc_tally *t, const struct uc_live *l)
{
	for (size_t n = 0; n < t->told_count; n++) {
		struct uc_live *told = &t->told[(t->told_next + n) % t->told_count];

		if (told->port != l->port || memcmp(told->addr, l->addr, sizeof(l->addr)))
			continue;
		t->told_next = (t->told_next + n + 1) % t->told_count;
		return told;
	}
	if (t->told_count == UC_LIVE_SLOTS)
		return NULL;
	t->told[t->told_count] = (struct uc_live){ .port = l->port };
	memcpy(t->told[t->told_count].addr, l->addr, sizeof(l->addr));
	return &t->told[t->told_count++];
}

static void subtract_histogram(struct uc_live_histogram *from, const struct uc_live_histogram *what)
{
	from->sum_ns -= what->sum_ns;
	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++)
		from->bucket[i] -= what->bucket[i];
}

/* Counted since it was told last. */
static struct uc_live news_of(const struct uc_live *l, struct uc_live *told)
{
	struct uc_live news = *l;

	news.connections -= told->connections;
	news.exchanges -= told->exchanges;
	subtract_histogram(&news.first_byte, &told->first_byte);
	subtract_histogram(&news.idle, &told->idle);
	*told = *l;
	return news;
}

static bool is_quiet(const struct uc_live *news)
{
	static const struct uc_live_histogram none;

	return !news->connections && !news->exchanges && !news->open &&
	       !memcmp(&news->first_byte, &none, sizeof(none)) &&
	       !memcmp(&news->idle, &none, sizeof(none));
}

void uc_tally_live(struct uc_tally *t, const struct uc_live *l)
{
	struct uc_upstream_addr addr = { .port = l->port };
	struct uc_live *told = told_of(t, l), news, *to;

	if (!told)
		return;
	news = news_of(l, told);
	/* one that lost its place does not get it back for nothing */
	if (is_quiet(&news))
		return;
	memcpy(addr.addr, l->addr, sizeof(addr.addr));
	to = &place_of(t, &addr, t->now_ns)->live;
	add_counts(to, &news);
	to->open += l->open;
	to->waiting += l->waiting;
	if (l->waiting_since_ns &&
	    (!to->waiting_since_ns || l->waiting_since_ns < to->waiting_since_ns))
		to->waiting_since_ns = l->waiting_since_ns;
}

/* --- what was counted ------------------------------------------------------------------- */

size_t uc_tally_count(const struct uc_tally *t)
{
	return t->count + t->other_used;
}

const struct uc_tally_upstream *uc_tally_at(const struct uc_tally *t, size_t i)
{
	return i < t->count ? t->place[i] : &t->other;
}

void uc_tally_hour(struct uc_tally *t, size_t i, uint64_t now_ns, uint64_t ret[UC_VERDICT_MAX])
{
	const struct uc_tally_upstream *u = uc_tally_at(t, i);

	advance(t, now_ns);
	for (size_t v = 0; v < UC_VERDICT_MAX; v++) {
		ret[v] = 0;
		for (size_t m = 0; m < UC_TALLY_MINUTES; m++)
			ret[v] += u->minutes[m][v];
	}
}

uint64_t uc_tally_folded(const struct uc_tally *t)
{
	return t->other.ended;
}

const struct uc_tally_upstream *uc_tally_retired(const struct uc_tally *t, uint64_t *ret_count)
{
	*ret_count = t->retired_count;
	return &t->retired;
}

bool uc_tally_idle(const struct uc_tally_upstream *u, const struct uc_upstreams *upstreams,
		   struct uc_idle_learned *ret)
{
	struct uc_idle_learned one;
	bool known = false;

	for (size_t i = 0; i < u->addrs && i < UC_TALLY_ADDRS; i++) {
		if (!uc_upstreams_idle(upstreams, &u->addr[i], &one) ||
		    (known && one.ns >= ret->ns))
			continue;
		*ret = one;
		known = true;
	}
	return known;
}
