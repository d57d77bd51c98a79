/* SPDX-License-Identifier: BSD-2-Clause */
/* From untrusted bytes to a checked record; nothing after this stage doubts its input. */
#ifndef UPCLOSE_CORE_DECODE_H
#define UPCLOSE_CORE_DECODE_H

#include <stddef.h>

#include "wire.h"

struct uc_record {
	union {
		struct uc_rec_hdr hdr; /* every kind begins with it */
		struct uc_rec_nginx nginx;
		struct uc_rec_upstream upstream;
		struct uc_rec_proc proc; /* PROC and EXIT */
		struct uc_rec_followup followup;
		struct uc_rec_words words;
		struct uc_rec_attempt attempt;
	};
};

/*
 * Copies and checks one record: length, version, kind, size, content, in this
 * order. buf needs no alignment. Returns 0; -EBADMSG: too short, or the size is
 * none of the kind's; -EPROTO: a version or kind that this program does not know;
 * -EINVAL: a value out of its range. *ret is valid on success only, and then a
 * connection end has its whole form.
 */
int uc_decode(const void *buf, size_t len, struct uc_record *ret);

/* Overwrites with zeros what lies behind the ends of its two texts. */
void uc_words_clean(struct uc_rec_words *w);

#endif
