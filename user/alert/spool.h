/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue of byte strings in a file, first in, first out, that survives the end
 * of its process at any moment. What was pushed and not yet dropped is there
 * again when the file is opened; after a crash the last ones that were dropped
 * may be there once more, so a reader needs to know what it has had already.
 *
 * The file: a head {magic, offset of the oldest record, CRC-32 of both}, then
 * records {length, CRC-32 of length and bytes, bytes}, in the host's byte order.
 * A record is appended by one write; dropping moves the head's offset. Where a
 * record is damaged the file is set aside as PATH.damaged, and what was whole
 * before it is kept.
 */
#ifndef UPCLOSE_ALERT_SPOOL_H
#define UPCLOSE_ALERT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UC_SPOOL_RECORD_MAX (1u << 20)

struct uc_spool;

/*
 * max_bytes: of the file, at least 4096. *ret_damaged: the file was set aside.
 * A negative errno, such as -ENOENT where its folder is not there.
 */
int uc_spool_open(const char *path, uint64_t max_bytes, struct uc_spool **ret, bool *ret_damaged);
void uc_spool_close(struct uc_spool *s);

/*
 * Appends; durable: not before it is on the disk. Where the file is full the
 * oldest go, as many as *ret_lost. -EMSGSIZE: longer than UC_SPOOL_RECORD_MAX or
 * than the file may be; another negative errno: not appended, the rest is as it was.
 */
int uc_spool_push(struct uc_spool *s, const void *bytes, size_t len, bool durable,
		  uint64_t *ret_lost);

/*
 * The record at *at, which begins as 0 for the oldest and moves to the next one.
 * *ret is for free() and has a zero behind its len bytes. -ENOENT: no more;
 * -EBADMSG: damaged since it was opened, see uc_spool_set_aside; -ENOMEM.
 */
int uc_spool_read(const struct uc_spool *s, uint64_t *at, char **ret, size_t *ret_len);

/* Drops so many of the oldest. */
int uc_spool_drop(struct uc_spool *s, uint64_t count);

/* Begins anew with what is whole; *ret_lost: records that were not. */
int uc_spool_set_aside(struct uc_spool *s, uint64_t *ret_lost);

uint64_t uc_spool_count(const struct uc_spool *s);
uint64_t uc_spool_bytes(const struct uc_spool *s); /* of the records that count */

#endif
