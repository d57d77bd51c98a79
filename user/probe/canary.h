/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests through nginx now and then, each on a connection of its own, by libcurl.
 * Never blocks: the owner's loop polls one descriptor and a time.
 */
#ifndef UPCLOSE_PROBE_CANARY_H
#define UPCLOSE_PROBE_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/canary.h"
#include "probe/trials.h"
#include "probe/target.h"

#define UC_CANARIES_MAX 64

/* What it points to must outlive the canaries. */
struct uc_canary_spec {
	const struct uc_target *target;
	const struct uc_requests *requests; /* or NULL */
	uint64_t first_ns;                  /* after the start */
	uint64_t every_ns;                  /* 0: once; a run that lasts longer skips a turn */
	uint64_t timeout_ns;
	uint64_t count; /* runs; 0: without end */
};

struct uc_canary_result {
	enum uc_canary_outcome outcome;
	uint64_t start_wall_ns;
	unsigned status;        /* 0: no whole header */
	uint64_t first_byte_ns; /* from the beginning; 0: none */
	uint64_t total_ns;
	uint64_t response_bytes; /* of the body */
	const char *server;      /* the Server header, escaped, or "" */
	const char *error;       /* libcurl's words, or "" */
};

struct uc_canaries;

/*
 * which is the index in specs. -ENOMEM, -errno. curl_global_init() is the caller's.
 * Within on_result nothing of this file may be called.
 */
int uc_canaries_new(const struct uc_canary_spec *specs, size_t count,
		    void (*on_result)(void *ctx, size_t which, const struct uc_canary_result *r),
		    void *ctx, struct uc_canaries **ret);
/* Ends what runs, without a result. May be NULL. */
void uc_canaries_free(struct uc_canaries *c);

/* Readable: step. For poll() and epoll. */
int uc_canaries_fd(const struct uc_canaries *c);
/* Step at the latest then (CLOCK_MONOTONIC); UINT64_MAX: all have had their runs. */
uint64_t uc_canaries_due(const struct uc_canaries *c);
void uc_canaries_step(struct uc_canaries *c);

#endif
