/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The documents that wait for one sink: anybody puts them in, into bounded
 * memory, without waiting for a disk. The sink's own thread moves them to its
 * spool, reads the oldest ones and forgets them; all but uc_backlog_put and
 * uc_backlog_stats is for that thread alone.
 */
#ifndef UPCLOSE_ALERT_BACKLOG_H
#define UPCLOSE_ALERT_BACKLOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uc_backlog;

struct uc_backlog_config {
	const char *name;       /* of the sink, for messages; lives as long */
	const char *spool_path; /* NULL: memory alone */
	uint64_t spool_bytes;
	size_t capacity;     /* documents in memory */
	uint64_t give_up_ns; /* age at which one is dropped */
};

enum uc_drop {
	UC_DROP_QUEUE_FULL, /* in memory */
	UC_DROP_SPOOL_FULL,
	UC_DROP_REFUSED, /* by the receiver, for good */
	UC_DROP_TOO_OLD,
	UC_DROP_DAMAGED,
	UC_DROP_ENDED, /* the daemon or the sink ended, and there was no spool */
	UC_DROP_MAX
};

struct uc_backlog_stats {
	uint64_t waiting; /* documents, in memory and in the spool */
	uint64_t spooled; /* of them, in the spool */
	uint64_t spool_bytes;
	uint64_t since_ns; /* CLOCK_MONOTONIC: they have not been without one */
	uint64_t dropped[UC_DROP_MAX];
};

/* The oldest documents. */
struct uc_batch {
	json_t *docs;   /* for json_decref */
	uint64_t count; /* of them, and of those that were dropped on the way */
	bool spooled;
};

/* A negative errno, whose cause was said. */
int uc_backlog_new(const struct uc_backlog_config *cfg, struct uc_backlog **ret);
/* What is in memory alone is lost. */
void uc_backlog_free(struct uc_backlog *b);

/* durable: for the disk in any case, before anything else. False: dropped, there is no room. */
bool uc_backlog_put(struct uc_backlog *b, const char *doc, bool durable);

/*
 * Moves what is in memory to the spool, all of it, so that order is kept: where
 * one of them is durable, memory is half full, or the owner says that it is
 * urgent. Else it may as well be delivered from memory.
 */
void uc_backlog_save(struct uc_backlog *b, bool urgent);
/* The newest batch alone can be forgotten; meanwhile uc_backlog_save may be called. */
void uc_backlog_oldest(struct uc_backlog *b, size_t max, struct uc_batch *ret);
void uc_backlog_forget(struct uc_backlog *b, const struct uc_batch *batch);
void uc_backlog_drop(struct uc_backlog *b, enum uc_drop why, uint64_t count);
bool uc_backlog_has_spool(const struct uc_backlog *b);

struct uc_backlog_stats uc_backlog_stats(struct uc_backlog *b);

/* A static string, "invalid" out of range. */
const char *uc_drop_name(enum uc_drop r);

#endif
