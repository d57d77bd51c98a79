/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows nginx's error log and finds each connection's line. nginx writes the
 * line before it closes the connection, so the line is there when the
 * connection's record comes. The log may be a container's: then nginx counts its
 * processes and tells the time in its own way, and a runtime has framed its lines.
 */
#ifndef UPCLOSE_ERRORLOG_H
#define UPCLOSE_ERRORLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/errorline.h"
#include "core/conn/facts.h"
#include "core/vocabulary.h"

struct uc_errorlog;

struct uc_errorlog_stats {
	uint64_t lines;                    /* about an upstream's connection */
	uint64_t matched;                  /* that found their connection */
	uint64_t without_connection;       /* that did not, and are older than a few seconds */
	uint64_t without_line;             /* flagged connections that nginx logged nothing about */
	uint64_t dropped;                  /* lines that waited in vain when the store was full */
	uint64_t alone[UC_WORDS_KIND_MAX]; /* lines that are about an upstream and no connection */
};

/*
 * Opens path, a file, a pipe or "-"; from_start: reads what is in it, for a
 * recording; else what is written from now on, through rotations. Negative errno;
 * -EINVAL: nothing that can be followed.
 */
int uc_errorlog_new(const char *path, bool from_start, struct uc_errorlog **ret);
void uc_errorlog_free(struct uc_errorlog *log);

/* Reads what is new. */
void uc_errorlog_poll(struct uc_errorlog *log);
/* The same, if it is long ago; to be called now and then, as a pipe that is full stops nginx. */
void uc_errorlog_tick(struct uc_errorlog *log);

/*
 * The line about this connection that ended at wall_ns, or NULL; valid until the
 * next call. It says nothing else than the verdict. expected: nginx should have
 * written one.
 */
const struct uc_error_line *uc_errorlog_match(struct uc_errorlog *log, const struct uc_facts *f,
					      enum uc_verdict_id verdict, uint64_t wall_ns,
					      bool expected);
/*
 * Where uc_errorlog_match() found none: the line of the same worker, upstream and
 * request at that time which says something else, or NULL; valid until the next
 * call. It stays, as it may be another connection's.
 */
const struct uc_error_line *uc_errorlog_contradicts(struct uc_errorlog *log,
						    const struct uc_facts *f,
						    enum uc_verdict_id verdict, uint64_t wall_ns);

/* now_wall_ns decides which lines have waited too long; UINT64_MAX: all that are left. */
struct uc_errorlog_stats uc_errorlog_stats(const struct uc_errorlog *log, uint64_t now_wall_ns);

#endif
