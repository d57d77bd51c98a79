/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An upstream's end that closed first may wait for a blocked nginx; only the table's bound ends that. */
#define NEVER UINT64_MAX

struct entry {
	uint64_t key;
	uint64_t deadline_ns;
	struct entry *next_in_bucket;
	struct entry *older, *newer;
	bool nginx;
	union {
		struct uc_rec_nginx nginx_end;
		struct uc_rec_upstream upstream_end;
	};
};

struct uc_join {
	size_t capacity, held;
	uint64_t evicted;
	uint64_t earliest_ns; /* no deadline is earlier */
	struct entry *oldest, *newest;
	size_t bucket_mask;
	struct entry *bucket[];
};

static size_t bucket_of(const struct uc_join *j, uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ULL >> 32) & j->bucket_mask;
}

int uc_join_new(size_t capacity, struct uc_join **ret)
{
	size_t buckets = 64;
	struct uc_join *j;

	while (buckets < capacity)
		buckets *= 2;
	j = calloc(1, sizeof(*j) + buckets * sizeof(j->bucket[0]));
	if (!j)
		return -ENOMEM;
	j->capacity = capacity;
	j->bucket_mask = buckets - 1;
	j->earliest_ns = NEVER;
	*ret = j;
	return 0;
}

/* Unlinks; the caller frees. */
static void take_out(struct uc_join *j, struct entry *e)
{
	struct entry **at = &j->bucket[bucket_of(j, e->key)];

	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	*(e->older ? &e->older->newer : &j->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &j->newest) = e->older;
	j->held--;
}

void uc_join_free(struct uc_join *j)
{
	if (!j)
		return;
	while (j->oldest) {
		struct entry *e = j->oldest;

		take_out(j, e);
		free(e);
	}
	free(j);
}

static struct entry *find(const struct uc_join *j, uint64_t key, bool nginx)
{
	struct entry *e = j->bucket[bucket_of(j, key)];

	while (e && (e->key != key || e->nginx != nginx))
		e = e->next_in_bucket;
	return e;
}

static struct entry *put_in(struct uc_join *j, uint64_t key, bool nginx, uint64_t deadline_ns)
{
	struct entry *e, **at = &j->bucket[bucket_of(j, key)];

	if (j->held >= j->capacity)
		return NULL;
	e = malloc(sizeof(*e));
	if (!e)
		return NULL;
	e->key = key;
	e->nginx = nginx;
	e->deadline_ns = deadline_ns;
	if (deadline_ns < j->earliest_ns)
		j->earliest_ns = deadline_ns;
	e->next_in_bucket = *at;
	*at = e;
	e->older = j->newest;
	e->newer = NULL;
	*(j->newest ? &j->newest->newer : &j->oldest) = e;
	j->newest = e;
	j->held++;
	return e;
}

static void pair_fill(struct uc_pair *p, const struct uc_rec_nginx *n,
		      const struct uc_rec_upstream *u)
{
	p->outcome = (struct uc_outcome){ 0 };
	p->nginx = *n;
	p->has_upstream = u;
	p->upstream_missing = false;
	if (u)
		p->upstream = *u;
}

/*
 * Only where the other end can change the answer: an exchange without response
 * bytes, or a close by the peer.
 */
static bool worth_waiting(const struct uc_conn *c)
{
	if (!c->key || !(c->flags & UC_CONN_PEER_TRACKED))
		return false;
	return c->peer_closed || !c->x.in_bytes;
}

static void evict_oldest_upstream(struct uc_join *j)
{
	for (struct entry *e = j->oldest; e; e = e->newer) {
		if (e->nginx)
			continue;
		take_out(j, e);
		free(e);
		j->evicted++;
		return;
	}
}

bool uc_join_nginx(struct uc_join *j, const struct uc_rec_nginx *rec, uint64_t now_ns,
		   struct uc_pair *ret)
{
	struct entry *e = rec->conn.key ? find(j, rec->conn.key, false) : NULL;

	if (e) {
		take_out(j, e);
		pair_fill(ret, rec, &e->upstream_end);
		free(e);
		return true;
	}
	if (worth_waiting(&rec->conn)) {
		/* an old end over there waits for one that was lost, more likely than this one in vain */
		if (j->held >= j->capacity)
			evict_oldest_upstream(j);
		e = put_in(j, rec->conn.key, true, now_ns + UC_JOIN_HOLD_NS);
		if (e) {
			e->nginx_end = *rec;
			return false;
		}
		j->evicted++;
	}
	pair_fill(ret, rec, NULL);
	ret->upstream_missing = worth_waiting(&rec->conn);
	return true;
}

bool uc_join_upstream(struct uc_join *j, const struct uc_rec_upstream *rec, uint64_t now_ns,
		      struct uc_pair *ret)
{
	struct entry *e;

	if (!rec->conn.key)
		return false;
	e = find(j, rec->conn.key, true);
	if (e) {
		take_out(j, e);
		pair_fill(ret, &e->nginx_end, rec);
		free(e);
		return true;
	}
	if (j->held >= j->capacity)
		evict_oldest_upstream(j);
	e = put_in(j, rec->conn.key, false,
		   rec->conn.peer_closed ? now_ns + UC_JOIN_SECOND_NS : NEVER);
	if (e)
		e->upstream_end = *rec;
	else
		j->evicted++;
	return false;
}

static uint64_t earliest_of(const struct uc_join *j)
{
	uint64_t first = NEVER;

	for (const struct entry *e = j->oldest; e; e = e->newer)
		if (e->deadline_ns < first)
			first = e->deadline_ns;
	return first;
}

bool uc_join_expire(struct uc_join *j, uint64_t now_ns, struct uc_pair *ret)
{
	struct entry *e = j->oldest, *newer;

	/* asked for every record, so the list is walked only when something is due */
	if (now_ns < j->earliest_ns)
		return false;
	for (; e; e = newer) {
		bool nginx = e->nginx;

		newer = e->newer;
		if (e->deadline_ns > now_ns)
			continue;
		take_out(j, e);
		if (nginx) {
			pair_fill(ret, &e->nginx_end, NULL);
			ret->upstream_missing = true;
		}
		free(e);
		if (nginx)
			return true;
	}
	j->earliest_ns = earliest_of(j);
	return false;
}

uint64_t uc_join_deadline(const struct uc_join *j)
{
	return earliest_of(j);
}

struct uc_join_stats uc_join_stats(const struct uc_join *j)
{
	return (struct uc_join_stats){ .evicted = j->evicted, .held = j->held };
}
