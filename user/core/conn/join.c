/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/conn/forms.h"

/* An upstream's end that closed first may wait for a blocked nginx; only the table's bound ends that. */
#define NEVER UINT64_MAX

/* Who waits for the other end; those of one kind all wait equally long. */
enum waiter {
	NGINX,
	UPSTREAM_FIRST,  /* it closed first */
	UPSTREAM_SECOND, /* nginx's end came before it, or was lost */
	WAITERS
};

struct entry {
	uint64_t key;
	uint64_t deadline_ns;
	struct entry *next_in_bucket;
	struct entry *older, *newer; /* of the same kind */
	enum waiter waiter;
	size_t len;
	uint8_t folded[]; /* its record in the shortest form */
};

struct uc_join {
	size_t capacity, held;
	uint64_t evicted;
	struct entry *oldest[WAITERS], *newest[WAITERS];
	union {
		struct uc_rec_upstream upstream;
		uint8_t folded[sizeof(struct uc_rec_nginx)];
	} scratch;
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
	*(e->older ? &e->older->newer : &j->oldest[e->waiter]) = e->newer;
	*(e->newer ? &e->newer->older : &j->newest[e->waiter]) = e->older;
	j->held--;
}

static void drop(struct uc_join *j, struct entry *e)
{
	take_out(j, e);
	free(e);
}

static void drop_due(struct uc_join *j, enum waiter waiter, uint64_t now_ns)
{
	struct entry *newer;

	for (struct entry *e = j->oldest[waiter]; e && e->deadline_ns <= now_ns; e = newer) {
		newer = e->newer;
		drop(j, e);
	}
}

void uc_join_free(struct uc_join *j)
{
	if (!j)
		return;
	for (enum waiter w = 0; w < WAITERS; w++)
		drop_due(j, w, NEVER);
	free(j);
}

static struct entry *find(const struct uc_join *j, uint64_t key, bool nginx)
{
	struct entry *e = j->bucket[bucket_of(j, key)];

	while (e && (e->key != key || (e->waiter == NGINX) != nginx))
		e = e->next_in_bucket;
	return e;
}

/* With the record that is folded in the scratch. */
static bool put_in(struct uc_join *j, uint64_t key, enum waiter waiter, uint64_t deadline_ns,
		   size_t len)
{
	struct entry *e, **at = &j->bucket[bucket_of(j, key)];

	if (j->held >= j->capacity)
		return false;
	e = malloc(sizeof(*e) + len);
	if (!e)
		return false;
	e->key = key;
	e->waiter = waiter;
	e->deadline_ns = deadline_ns;
	e->len = len;
	memcpy(e->folded, j->scratch.folded, len);
	e->next_in_bucket = *at;
	*at = e;
	e->older = j->newest[waiter];
	e->newer = NULL;
	*(e->older ? &e->older->newer : &j->oldest[waiter]) = e;
	j->newest[waiter] = e;
	j->held++;
	return true;
}

static void pair_fill(struct uc_pair *p, const struct uc_rec_nginx *n,
		      const struct uc_rec_upstream *u)
{
	p->outcome = (struct uc_outcome){ 0 };
	p->said.count = 0;
	p->hearing = 0;
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

/* One that closed second is waited for by nobody any more, unless records overtook each other. */
static void make_room(struct uc_join *j)
{
	if (j->held < j->capacity)
		return;
	if (j->oldest[UPSTREAM_SECOND]) {
		drop(j, j->oldest[UPSTREAM_SECOND]);
	} else if (j->oldest[UPSTREAM_FIRST]) {
		drop(j, j->oldest[UPSTREAM_FIRST]);
		j->evicted++;
	}
}

bool uc_join_nginx(struct uc_join *j, const struct uc_rec_nginx *rec, uint64_t now_ns,
		   struct uc_pair *ret)
{
	struct entry *e = rec->conn.key ? find(j, rec->conn.key, false) : NULL;

	if (e) {
		take_out(j, e);
		uc_forms_unfold_upstream(e->folded, e->len, &j->scratch.upstream);
		pair_fill(ret, rec, &j->scratch.upstream);
		free(e);
		return true;
	}
	if (worth_waiting(&rec->conn)) {
		/* an old end over there waits for one that was lost, more likely than this one in vain */
		make_room(j);
		if (put_in(j, rec->conn.key, NGINX, now_ns + UC_JOIN_HOLD_NS,
			   uc_forms_fold_nginx(rec, j->scratch.folded)))
			return false;
		j->evicted++;
	}
	pair_fill(ret, rec, NULL);
	ret->upstream_missing = worth_waiting(&rec->conn);
	return true;
}

bool uc_join_upstream(struct uc_join *j, const struct uc_rec_upstream *rec, uint64_t now_ns,
		      struct uc_pair *ret)
{
	bool second = rec->conn.peer_closed;
	struct entry *e;

	if (!rec->conn.key)
		return false;
	e = find(j, rec->conn.key, true);
	if (e) {
		take_out(j, e);
		uc_forms_unfold_nginx(e->folded, e->len, &ret->nginx);
		ret->outcome = (struct uc_outcome){ 0 };
		ret->upstream = *rec;
		ret->has_upstream = true;
		ret->upstream_missing = false;
		free(e);
		return true;
	}
	if (!second || j->oldest[UPSTREAM_SECOND])
		make_room(j);
	if (!put_in(j, rec->conn.key, second ? UPSTREAM_SECOND : UPSTREAM_FIRST,
		    second ? now_ns + UC_JOIN_SECOND_NS : NEVER,
		    uc_forms_fold_upstream(rec, j->scratch.folded)) &&
	    !second)
		j->evicted++;
	return false;
}

bool uc_join_expire(struct uc_join *j, uint64_t now_ns, struct uc_pair *ret)
{
	struct entry *e = j->oldest[NGINX];

	drop_due(j, UPSTREAM_SECOND, now_ns);
	drop_due(j, UPSTREAM_FIRST, now_ns);
	if (!e || e->deadline_ns > now_ns)
		return false;
	take_out(j, e);
	ret->outcome = (struct uc_outcome){ 0 };
	uc_forms_unfold_nginx(e->folded, e->len, &ret->nginx);
	ret->has_upstream = false;
	ret->upstream_missing = true;
	free(e);
	return true;
}

uint64_t uc_join_deadline(const struct uc_join *j)
{
	uint64_t first = NEVER;

	for (enum waiter w = 0; w < WAITERS; w++)
		if (j->oldest[w] && j->oldest[w]->deadline_ns < first)
			first = j->oldest[w]->deadline_ns;
	return first;
}

struct uc_join_stats uc_join_stats(const struct uc_join *j)
{
	return (struct uc_join_stats){ .evicted = j->evicted, .held = j->held };
}
