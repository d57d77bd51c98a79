/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/upstreams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct upstream {
	struct uc_upstream_addr addr;
	uint64_t used; /* 0: free */
	uint64_t connections, exchanges, flagged, repeated;
	uint32_t seen;
	uint64_t sample[UC_IDLE_SAMPLES]; /* sample n is at n % UC_IDLE_SAMPLES */
};

struct uc_upstreams {
	size_t capacity;
	uint64_t clock; /* counts notes */
	uint64_t evicted;
	struct upstream upstream[];
};

unsigned uc_idle_below_s(uint64_t idle_ns)
{
	return idle_ns < 1500000000 ? 0 : (unsigned)((idle_ns - 500000000) / 1000000000);
}

int uc_upstreams_new(size_t capacity, struct uc_upstreams **ret)
{
	struct uc_upstreams *t = calloc(1, sizeof(*t) + capacity * sizeof(t->upstream[0]));

	if (!t)
		return -ENOMEM;
	t->capacity = capacity;
	*ret = t;
	return 0;
}

void uc_upstreams_free(struct uc_upstreams *t)
{
	free(t);
}

static bool same(const struct uc_upstream_addr *a, const struct uc_upstream_addr *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static const struct upstream *find(const struct uc_upstreams *t,
				   const struct uc_upstream_addr *addr)
{
	for (size_t i = 0; i < t->capacity && t->upstream[i].used; i++)
		if (same(&t->upstream[i].addr, addr))
			return &t->upstream[i];
	return NULL;
}

static struct upstream *place_for(struct uc_upstreams *t, const struct uc_upstream_addr *addr)
{
	struct upstream *oldest = &t->upstream[0];
	size_t i;

	for (i = 0; i < t->capacity && t->upstream[i].used; i++) {
		if (same(&t->upstream[i].addr, addr))
			return &t->upstream[i];
		if (t->upstream[i].used < oldest->used)
			oldest = &t->upstream[i];
	}
	if (i < t->capacity) {
		oldest = &t->upstream[i];
	} else {
		t->evicted++;
		memset(oldest, 0, sizeof(*oldest));
	}
	oldest->addr = *addr;
	return oldest;
}

void uc_upstreams_note(struct uc_upstreams *t, const struct uc_upstream_addr *addr,
		       uint64_t exchanges, bool flagged, uint64_t idle_ns)
{
	struct upstream *u;

	if (!t->capacity)
		return;
	u = place_for(t, addr);
	u->used = ++t->clock;
	u->connections++;
	u->exchanges += exchanges;
	u->flagged += flagged;
	if (idle_ns)
		u->sample[u->seen++ % UC_IDLE_SAMPLES] = idle_ns;
}

void uc_upstreams_repeated(struct uc_upstreams *t, const struct uc_upstream_addr *addr)
{
	struct upstream *u;

	if (!t->capacity)
		return;
	u = place_for(t, addr);
	u->used = ++t->clock;
	u->repeated++;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Servers look at their timers now and then: within a tenth of a second, and 3 % of long timeouts. */
static uint64_t spread_allowed(uint64_t idle_ns)
{
	uint64_t tenth = idle_ns / 10 < 100000000 ? idle_ns / 10 : 100000000;

	return idle_ns / 33 > tenth ? idle_ns / 33 : tenth;
}

static bool learn(const struct upstream *u, struct uc_idle_learned *ret)
{
	uint64_t s[UC_IDLE_SAMPLES];
	size_t n, from = 0, best = 0, best_count = 0;

	n = u->seen < UC_IDLE_SAMPLES ? u->seen : UC_IDLE_SAMPLES;
	memcpy(s, u->sample, n * sizeof(s[0]));
	qsort(s, n, sizeof(s[0]), by_size);
	/* the widest window of agreeing samples; of equal ones the longer idle time */
	for (size_t to = 0; to < n; to++) {
		while (s[to] - s[from] > spread_allowed(s[to]))
			from++;
		if (to - from + 1 >= best_count) {
			best = from;
			best_count = to - from + 1;
		}
	}
	if (best_count < UC_IDLE_ENOUGH)
		return false;
	ret->ns = s[best + best_count / 2];
	ret->min_ns = s[best];
	ret->max_ns = s[best + best_count - 1];
	ret->count = best_count;
	ret->seen = u->seen;
	return true;
}

bool uc_upstreams_idle(const struct uc_upstreams *t, const struct uc_upstream_addr *addr,
		       struct uc_idle_learned *ret)
{
	const struct upstream *u = find(t, addr);

	return u && learn(u, ret);
}

size_t uc_upstreams_count(const struct uc_upstreams *t)
{
	size_t n = 0;

	while (n < t->capacity && t->upstream[n].used)
		n++;
	return n;
}

struct uc_upstream uc_upstreams_at(const struct uc_upstreams *t, size_t i)
{
	const struct upstream *u = &t->upstream[i];
	struct uc_upstream ret = { .addr = u->addr,
				   .connections = u->connections,
				   .exchanges = u->exchanges,
				   .flagged = u->flagged,
				   .repeated = u->repeated };

	ret.idle_known = learn(u, &ret.idle);
	return ret;
}

uint64_t uc_upstreams_evicted(const struct uc_upstreams *t)
{
	return t->evicted;
}
