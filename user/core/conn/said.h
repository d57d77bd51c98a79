/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nginx's workers said, until it is known which upstream connection it was
 * about. A worker has one thread and speaks while it handles one event: after
 * the system call that failed on a socket, and before it closes that socket. So
 * its words belong to the connection whose end is the next that it closes, and
 * from which it has read nothing since; a remark, after which the connection goes
 * on, to the one that it had read from.
 * Memory is bounded; time is an argument.
 */
#ifndef UPCLOSE_CORE_SAID_H
#define UPCLOSE_CORE_SAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/words.h"
#include "wire.h"

/* Between words and their connection's close nginx writes its log, which may be to a slow disk. */
#define UC_SAID_NS 200000000ULL
/* Of one connection, the newest; the newest that is no remark is kept besides. */
#define UC_SAID_MAX 4

/* What was said of one connection. */
struct uc_said_of {
	struct uc_words words[UC_SAID_MAX]; /* in the order of time */
	size_t count;
};

struct uc_said;

/* -ENOMEM. capacity: words kept at once. */
int uc_said_new(size_t capacity, struct uc_said **ret);
void uc_said_free(struct uc_said *s);

/*
 * True: *ret is complete as it is, as it is about no connection of an upstream.
 * Else it is kept, in place of the oldest words where there is no room, which are
 * counted.
 */
bool uc_said_put(struct uc_said *s, const struct uc_words *w);

/* nginx's end of a connection came: the words that wait for it are its own from now on. */
void uc_said_end(struct uc_said *s, const struct uc_conn *nginx);

/* Takes out what was said of a connection that uc_said_end() was called for. */
void uc_said_take(struct uc_said *s, uint64_t conn_id, struct uc_said_of *ret);

/* To be called until it returns false: words that wait for no connection any more. */
bool uc_said_expire(struct uc_said *s, uint64_t now_ns, struct uc_words *ret);
/* When that has something to do; UINT64_MAX: never. */
uint64_t uc_said_deadline(const struct uc_said *s);

uint64_t uc_said_dropped(const struct uc_said *s);

#endif
