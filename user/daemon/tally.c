/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS 60000000000ULL

struct uc_tally {
	size_t capacity;
	size_t count; /* with a place of their own */
	bool other_used;
	uint64_t minute; /* the newest that was counted in */
	struct uc_tally_upstream other;
	struct uc_tally_upstream **place; /* capacity pointers */
};

int uc_tally_new(size_t capacity, struct uc_tally **ret)
{
	struct uc_tally *t = calloc(1, sizeof(*t));

	if (t)
		t->place = calloc(capacity, sizeof(*t->place));
	if (!t || !t->place) {
		free(t);
		return -ENOMEM;
	}
	t->capacity = capacity;
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

static struct uc_tally_upstream *fold(struct uc_tally *t)
{
	t->other_used = true;
	return &t->other;
}

static struct uc_tally_upstream *place_of(struct uc_tally *t, const uint8_t addr[16], uint16_t port)
{
	struct uc_tally_upstream *u;

	for (size_t i = 0; i < t->count; i++)
		if (t->place[i]->addr.port == port && !memcmp(t->place[i]->addr.addr, addr, 16))
			return t->place[i];
	u = t->count < t->capacity ? calloc(1, sizeof(*u)) : NULL;
	if (!u)
		return fold(t);
	memcpy(u->addr.addr, addr, 16);
	u->addr.port = port;
	uc_text_endpoint(addr, 0, port, u->name);
	return t->place[t->count++] = u;
}

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

void uc_tally_end(struct uc_tally *t, const struct uc_judged *r, uint64_t now_ns)
{
	const struct uc_tuple *tuple = &r->facts->nginx->tuple;
	struct uc_tally_upstream *u = place_of(t, tuple->remote_addr, tuple->remote_port);

	advance(t, now_ns);
	u->ended++;
	if (!r->verdict.flagged)
		return;
	u->flagged[r->verdict.id][r->outcome.id]++;
	u->minutes[t->minute % UC_TALLY_MINUTES][r->verdict.id]++;
}

void uc_tally_repeated(struct uc_tally *t, const struct uc_upstream_addr *addr)
{
	place_of(t, addr->addr, addr->port)->repeated++;
}

void uc_tally_live_begin(struct uc_tally *t)
{
	memset(&t->other.live, 0, sizeof(t->other.live));
	for (size_t i = 0; i < t->count; i++)
		memset(&t->place[i]->live, 0, sizeof(t->place[i]->live));
}

static void add_histogram(struct uc_live_histogram *to, const struct uc_live_histogram *from)
{
	to->sum_ns += from->sum_ns;
	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

void uc_tally_live(struct uc_tally *t, const struct uc_live *l)
{
	/* the kernel's slot without an address is its own "other" */
	struct uc_live *to = &(l->port ? place_of(t, l->addr, l->port) : fold(t))->live;

	to->connections += l->connections;
	to->exchanges += l->exchanges;
	add_histogram(&to->first_byte, &l->first_byte);
	add_histogram(&to->idle, &l->idle);
	to->open += l->open;
	to->waiting += l->waiting;
	if (l->waiting_since_ns &&
	    (!to->waiting_since_ns || l->waiting_since_ns < to->waiting_since_ns))
		to->waiting_since_ns = l->waiting_since_ns;
}

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
