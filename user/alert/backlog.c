/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/backlog.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "alert/spool.h"
#include "base/log.h"
#include "base/util.h"

/* In memory, of all documents of a sink. */
#define MEMORY_MAX (4u << 20)
/* A spool that could not be written is tried again after so long. */
#define SPOOL_PAUSE_NS 5000000000ULL

static const char *const drops[] = {
	[UC_DROP_QUEUE_FULL] = "queue_full", [UC_DROP_SPOOL_FULL] = "spool_full",
	[UC_DROP_REFUSED] = "refused",       [UC_DROP_TOO_OLD] = "too_old",
	[UC_DROP_DAMAGED] = "damaged",       [UC_DROP_ENDED] = "ended",
};
static_assert(ARRAY_SIZE(drops) == UC_DROP_MAX, "a name for each reason");

/* What lies in a spool: when it came, and the document. */
struct stored {
	uint64_t wall_ns;
	char doc[]; /* with a zero behind it, which is not stored */
};

struct item {
	struct item *next;
	size_t len; /* of the document */
	bool durable;
	struct stored *s;
};

struct uc_backlog {
	struct uc_backlog_config cfg;
	struct uc_spool *spool;  /* NULL: none */
	uint64_t spool_pause_ns; /* not written before */
	bool spool_said;         /* that it cannot be written */
	/* since the newest batch was read: what has become of its documents meanwhile */
	uint64_t moved; /* from memory to the spool's end */
	uint64_t lost;  /* from the spool's beginning, for want of room */

	pthread_mutex_t lock; /* of all that follows */
	struct item *first, **last;
	size_t items, bytes, durable;
	struct uc_backlog_stats stats;
};

const char *uc_drop_name(enum uc_drop r)
{
	return (size_t)r < UC_DROP_MAX ? drops[r] : "invalid";
}

void uc_backlog_drop(struct uc_backlog *b, enum uc_drop why, uint64_t count)
{
	pthread_mutex_lock(&b->lock);
	b->stats.dropped[why] += count;
	pthread_mutex_unlock(&b->lock);
}

bool uc_backlog_has_spool(const struct uc_backlog *b)
{
	return b->spool;
}

struct uc_backlog_stats uc_backlog_stats(struct uc_backlog *b)
{
	struct uc_backlog_stats s;

	pthread_mutex_lock(&b->lock);
	s = b->stats;
	s.waiting = b->items + s.spooled;
	pthread_mutex_unlock(&b->lock);
	return s;
}

/* --- memory ------------------------------------------------------------------------------- */

static void free_item(struct item *i)
{
	free(i->s);
	free(i);
}

static struct item *new_item(const char *doc, bool durable)
{
	struct item *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->durable = durable;
	i->len = strlen(doc);
	i->s = malloc(sizeof(*i->s) + i->len + 1);
	if (!i->s) {
		free(i);
		return NULL;
	}
	i->s->wall_ns = uc_now_ns(CLOCK_REALTIME);
	memcpy(i->s->doc, doc, i->len + 1);
	return i;
}

bool uc_backlog_put(struct uc_backlog *b, const char *doc, bool durable)
{
	struct item *i = new_item(doc, durable);
	bool taken;

	pthread_mutex_lock(&b->lock);
	taken = i && b->items < b->cfg.capacity && b->bytes + i->len <= MEMORY_MAX;
	if (taken) {
		if (!b->items && !b->stats.spooled)
			b->stats.since_ns = uc_now_ns(CLOCK_MONOTONIC);
		*b->last = i;
		b->last = &i->next;
		b->items++;
		b->bytes += i->len;
		b->durable += durable;
	} else {
		b->stats.dropped[UC_DROP_QUEUE_FULL]++;
	}
	pthread_mutex_unlock(&b->lock);
	if (!taken && i)
		free_item(i);
	return taken;
}

/* Only the owner takes any away, so what is first stays first without the lock. */
static struct item *first_item(struct uc_backlog *b, size_t *ret_count)
{
	struct item *i;

	pthread_mutex_lock(&b->lock);
	i = b->first;
	*ret_count = b->items;
	pthread_mutex_unlock(&b->lock);
	return i;
}

static void drop_first(struct uc_backlog *b)
{
	struct item *i;

	pthread_mutex_lock(&b->lock);
	i = b->first;
	b->first = i->next;
	if (!b->first)
		b->last = &b->first;
	b->items--;
	b->bytes -= i->len;
	b->durable -= i->durable;
	pthread_mutex_unlock(&b->lock);
	free_item(i);
}

/* --- the spool ------------------------------------------------------------------------------ */

static void note_spool(struct uc_backlog *b)
{
	pthread_mutex_lock(&b->lock);
	b->stats.spooled = uc_spool_count(b->spool);
	b->stats.spool_bytes = uc_spool_bytes(b->spool);
	pthread_mutex_unlock(&b->lock);
}

static void spool_fails(struct uc_backlog *b, int err)
{
	b->spool_pause_ns = uc_now_ns(CLOCK_MONOTONIC) + SPOOL_PAUSE_NS;
	if (!b->spool_said)
		uc_error("sink %s: cannot write %s: %s; what waits is kept in memory", b->cfg.name,
			 b->cfg.spool_path, strerror(-err));
	b->spool_said = true;
}

static void set_aside(struct uc_backlog *b)
{
	uint64_t lost = 0;
	int err = uc_spool_set_aside(b->spool, &lost);

	if (err) {
		spool_fails(b, err);
		return;
	}
	uc_error("sink %s: its spool was damaged, and is kept as %s.damaged; lost: %llu documents",
		 b->cfg.name, b->cfg.spool_path, (unsigned long long)lost);
	uc_backlog_drop(b, UC_DROP_DAMAGED, lost);
}

/* False: it stays in memory. */
static bool spool_item(struct uc_backlog *b, const struct item *i)
{
	uint64_t lost;
	int err = uc_spool_push(b->spool, i->s, sizeof(*i->s) + i->len, i->durable, &lost);

	b->lost += lost;
	if (err == -EMSGSIZE)
		lost = 1;
	if (lost)
		uc_backlog_drop(b, UC_DROP_SPOOL_FULL, lost);
	if (!err)
		b->spool_said = false;
	else if (err == -EBADMSG)
		set_aside(b);
	else if (err != -EMSGSIZE)
		spool_fails(b, err);
	return !err || err == -EMSGSIZE;
}

static bool worth_saving(struct uc_backlog *b)
{
	bool worth;

	pthread_mutex_lock(&b->lock);
	worth = b->durable || b->items > b->cfg.capacity / 2 || b->bytes > MEMORY_MAX / 2;
	pthread_mutex_unlock(&b->lock);
	return worth;
}

void uc_backlog_save(struct uc_backlog *b, bool urgent)
{
	struct item *i;
	size_t count;

	if (!b->spool || uc_now_ns(CLOCK_MONOTONIC) < b->spool_pause_ns ||
	    !(urgent || worth_saving(b)))
		return;
	while ((i = first_item(b, &count)) && spool_item(b, i)) {
		b->moved++;
		note_spool(b);
		drop_first(b);
	}
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool too_old(const struct uc_backlog *b, const struct stored *s)
{
	uint64_t now = uc_now_ns(CLOCK_REALTIME);

	return now > s->wall_ns && now - s->wall_ns > b->cfg.give_up_ns;
}

static void add_document(struct uc_backlog *b, struct uc_batch *batch, const struct stored *s,
			 size_t len)
{
	json_t *doc = len >= sizeof(*s) ? json_loads(s->doc, 0, NULL) : NULL;

	batch->count++;
	if (!json_is_object(doc))
		uc_backlog_drop(b, UC_DROP_DAMAGED, 1);
	else if (too_old(b, s))
		uc_backlog_drop(b, UC_DROP_TOO_OLD, 1);
	else
		json_array_append(batch->docs, doc);
	json_decref(doc);
}

static void read_spool(struct uc_backlog *b, size_t max, struct uc_batch *batch)
{
	uint64_t at = 0;
	size_t len;
	char *bytes;
	int err = 0;

	while (batch->count < max && !err) {
		err = uc_spool_read(b->spool, &at, &bytes, &len);
		if (err)
			continue;
		add_document(b, batch, (const struct stored *)bytes, len);
		free(bytes);
	}
	if (err == -EBADMSG) {
		set_aside(b);
		note_spool(b);
	}
}

void uc_backlog_oldest(struct uc_backlog *b, size_t max, struct uc_batch *ret)
{
	size_t count;
	const struct item *i = first_item(b, &count);

	*ret = (struct uc_batch){ .docs = json_array(),
				  .spooled = b->spool && uc_spool_count(b->spool) };
	b->moved = b->lost = 0;
	if (ret->spooled) {
		read_spool(b, max, ret);
		return;
	}
	for (size_t n = 0; n < count && n < max; n++) {
		add_document(b, ret, i->s, sizeof(*i->s) + i->len);
		if (n + 1 < count)
			i = i->next;
	}
}

void uc_backlog_forget(struct uc_backlog *b, const struct uc_batch *batch)
{
	/* those that were in memory stand first in the spool, if that is where they are now */
	uint64_t spooled = batch->spooled || b->moved > batch->count ? batch->count : b->moved;
	int err;

	if (spooled > b->lost) {
		err = uc_spool_drop(b->spool, spooled - b->lost);
		if (err)
			spool_fails(b, err);
		note_spool(b);
	}
	for (uint64_t n = spooled; n < batch->count; n++)
		drop_first(b);
	b->moved = b->lost = 0;
}

/* --- begin and end ------------------------------------------------------------------------------ */

static int open_spool(struct uc_backlog *b)
{
	const char *path = b->cfg.spool_path;
	bool damaged;
	int err = uc_spool_open(path, b->cfg.spool_bytes, &b->spool, &damaged);

	if (err) {
		uc_error("sink %s: cannot open %s: %s", b->cfg.name, path, strerror(-err));
		return err;
	}
	if (damaged)
		uc_error("sink %s: its spool was damaged, and is kept as %s.damaged; "
			 "what was whole goes on",
			 b->cfg.name, path);
	note_spool(b);
	if (b->stats.spooled)
		uc_note("sink %s: %llu documents wait in its spool", b->cfg.name,
			(unsigned long long)b->stats.spooled);
	return 0;
}

int uc_backlog_new(const struct uc_backlog_config *cfg, struct uc_backlog **ret)
{
	struct uc_backlog *b = calloc(1, sizeof(*b));
	char *path = cfg->spool_path ? strdup(cfg->spool_path) : NULL;
	int err = 0;

	if (!b || (cfg->spool_path && !path)) {
		free(b);
		free(path);
		uc_error("out of memory");
		return -ENOMEM;
	}
	b->cfg = *cfg;
	b->cfg.spool_path = path;
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	if (path)
		err = open_spool(b);
	if (err) {
		uc_backlog_free(b);
		return err;
	}
	*ret = b;
	return 0;
}

void uc_backlog_free(struct uc_backlog *b)
{
	if (!b)
		return;
	while (b->first)
		drop_first(b);
	uc_spool_close(b->spool);
	pthread_mutex_destroy(&b->lock);
	free((char *)b->cfg.spool_path);
	free(b);
}
