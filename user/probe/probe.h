/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures servers over real connections: opens what the plan says, at most
 * UC_PROBE_CONNS at a time to each, and gives the observations to the core.
 */
#ifndef UPCLOSE_PROBE_PROBE_H
#define UPCLOSE_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/measure.h"
#include "probe/trials.h"

#define UC_PROBE_TARGETS_MAX  64
#define UC_PROBE_CONNS        8          /* connections to one target at the same time */
#define UC_PROBE_ANSWER_S     30         /* an answer that takes longer is none */
#define UC_PROBE_ANSWER_MAX   (16 << 20) /* bytes; nor is a larger one */
#define UC_PROBE_REQUESTS_S   10         /* for the requests on one connection */
#define UC_PROBE_REQUESTS_MAX (64 << 20) /* bytes of their answers */

struct uc_probe_config {
	unsigned groups;  /* bits of enum uc_probe_group */
	bool body_tests;  /* POST is allowed */
	unsigned samples; /* connections for the idle timeout, 1 to UC_SAMPLES_MAX */
	unsigned max_requests;
	uint64_t max_ns; /* each wait */
	struct uc_requests requests;
};

/* What was found of one target; the strings are owned by the probe. */
struct uc_probe_result {
	const struct uc_target *target;
	const char *addr; /* "" of a unix socket, and where it could not be reached */
	unsigned port;
	bool reached;          /* a connection was opened */
	bool interrupted;      /* stopped before it was through */
	const char *error;     /* NULL, or why nothing could be measured */
	const char *server;    /* the Server header, escaped, "" or NULL */
	unsigned status;       /* of the first answer; 0: there was none */
	unsigned minor;        /* HTTP/1.minor of it */
	bool said_close;       /* it ends its connection */
	int keep_alive_s;      /* Keep-Alive: timeout= of it, or -1 */
	uint64_t connect_ns;   /* TLS included */
	uint64_t answer_ns;    /* from the request to its end */
	uint64_t answer_bytes; /* of it, head included */
	uint64_t elapsed_ns;
	unsigned connections, requests;
	struct uc_measured measured;
};

struct uc_probe_progress {
	size_t targets, done;
	unsigned open, waiting_idle, waiting_header;
	uint64_t requests;
	uint64_t elapsed_ns;
	uint64_t left_ns; /* at most, of what waits now */
};

struct uc_probe_events {
	/* A target is through; called once for each. */
	void (*done)(void *ctx, const struct uc_probe_result *r);
	/* Now and then, at least twice a second. */
	void (*progress)(void *ctx, const struct uc_probe_progress *p);
	void *ctx;
};

/*
 * Runs until all targets are through, or stop_fd is readable: what is known is then
 * reported as interrupted. 0, or -ENOMEM.
 */
int uc_probe_run(const struct uc_probe_config *cfg, const struct uc_target *targets, size_t count,
		 int stop_fd, const struct uc_probe_events *events);

#endif
