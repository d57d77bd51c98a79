/* SPDX-License-Identifier: BSD-2-Clause */
/* The events of both ends of a connection in one order. */
#ifndef UPCLOSE_CORE_TIMELINE_H
#define UPCLOSE_CORE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct uc_moment {
	const struct uc_event *event;
	uint64_t ts_ns; /* the event's, or earlier where cause and effect say so */
	bool upstream;  /* which end */
};

struct uc_timeline {
	struct uc_moment at[2 * UC_EVENTS];
	size_t count;
	bool cut; /* older events were overwritten */
};

/*
 * A send is traced after the call; by then the peer may have read the bytes,
 * answered or closed. So a send stands no later than the first thing on either
 * end that knew of its bytes, by sequence number. upstream may be NULL. *ret
 * points into the two.
 */
void uc_timeline(const struct uc_conn *nginx, const struct uc_conn *upstream,
		 struct uc_timeline *ret);

#endif
