/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered of each upstream address: how its connections ended, and
 * its idle timeout, learned from how long connections had been idle when it
 * closed them. Bounded: a number of addresses, and for each its newest samples.
 */
#ifndef UPCLOSE_CORE_UPSTREAMS_H
#define UPCLOSE_CORE_UPSTREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UC_IDLE_SAMPLES 64
/* A timeout shows as closes at nearly the same age; fewer than this are a coincidence. */
#define UC_IDLE_ENOUGH 3

/* IPv4-mapped or IPv6, and the port in host order. */
struct uc_upstream_addr {
	uint8_t addr[16];
	uint16_t port;
};

struct uc_idle_learned {
	uint64_t ns;     /* median of the agreeing samples */
	uint64_t min_ns; /* of them */
	uint64_t max_ns;
	uint32_t count; /* of them, at least UC_IDLE_ENOUGH */
	uint32_t seen;  /* samples in all, deploys and other early closes included */
};

struct uc_upstream {
	struct uc_upstream_addr addr;
	uint64_t connections; /* that ended */
	uint64_t exchanges;
	uint64_t flagged;
	uint64_t repeated; /* attempts that nginx made here after one had failed elsewhere or here */
	bool idle_known;
	struct uc_idle_learned idle;
};

/*
 * Whole seconds for nginx's keepalive_timeout that stay at least half a second below
 * an upstream's idle timeout; 0 where there is no such number.
 */
unsigned uc_idle_below_s(uint64_t idle_ns);

struct uc_upstreams;

/* -ENOMEM. capacity: addresses at most; the one used least recently goes for a new one. */
int uc_upstreams_new(size_t capacity, struct uc_upstreams **ret);
void uc_upstreams_free(struct uc_upstreams *t);

/* A connection to it ended. idle_ns: the upstream closed it after so long without use; 0: not so. */
void uc_upstreams_note(struct uc_upstreams *t, const struct uc_upstream_addr *addr,
		       uint64_t exchanges, bool flagged, uint64_t idle_ns);

/* nginx repeated a request here. */
void uc_upstreams_repeated(struct uc_upstreams *t, const struct uc_upstream_addr *addr);

/* False: too few samples agree; *ret is then untouched. */
bool uc_upstreams_idle(const struct uc_upstreams *t, const struct uc_upstream_addr *addr,
		       struct uc_idle_learned *ret);

size_t uc_upstreams_count(const struct uc_upstreams *t);
/* i below the count; in order of first sight as long as none was evicted. */
struct uc_upstream uc_upstreams_at(const struct uc_upstreams *t, size_t i);
uint64_t uc_upstreams_evicted(const struct uc_upstreams *t);

#endif
