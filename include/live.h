/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side counts of each upstream address while its connections
 * live, for whoever cannot wait for their ends: the daemon's metrics. Shared
 * memory between the two sides of one build; nothing of it is recorded.
 *
 * An address gets its slot with its first connection and keeps it. Slot 0 is
 * for all those that found no room.
 */
#ifndef UPCLOSE_LIVE_H
#define UPCLOSE_LIVE_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define UC_LIVE_SLOTS 1024

/* Upper bounds of the buckets in microseconds; one more bucket holds the rest. */
#define UC_LIVE_BOUNDS_US                                                                         \
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, \
		10000000, 30000000, 60000000
#define UC_LIVE_BUCKETS 16

struct uc_live_histogram {
	__u64 sum_ns;
	__u64 bucket[UC_LIVE_BUCKETS]; /* not cumulative */
};

struct uc_live {
	__u8 addr[16]; /* IPv4-mapped or IPv6; all zero in slot 0 */
	__u16 port;
	__u16 reserved[3];
	/* these only grow */
	__u64 connections; /* opened or adopted */
	__u64 exchanges;   /* begun */
	struct uc_live_histogram
		first_byte;            /* from the request's first send to the first byte read */
	struct uc_live_histogram idle; /* before a connection was used again */
	/* as of the newest walk over the connections */
	__u32 open;
	__u32 waiting;          /* of them: a request is out, and not a byte has come back */
	__u64 waiting_since_ns; /* the oldest such request's first send; 0: none waits */
};

#endif
