/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers that are known to close idle connections at a certain age (user/share/idle-timeouts.json). */
#ifndef UPCLOSE_KNOWN_IDLE_H
#define UPCLOSE_KNOWN_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UC_KNOWN_IDLE_MAX 4

struct uc_known_idle {
	const char *name;    /* "Puma 7+" */
	const char *setting; /* "persistent_timeout / PUMA_PERSISTENT_TIMEOUT" */
	const char *set;     /* a line to copy, "persistent_timeout 75"; NULL: there is none */
};

/*
 * Candidates, never a culprit: those whose timeout is within -0.1 to +0.3 s of
 * idle_ns, or earlier by as much as the server is known to be late. Where exe (may be NULL) is a program that the table knows, only its
 * rows; nearest first. Returns how many of ret are filled; the strings live on.
 */
size_t uc_known_idle(uint64_t idle_ns, const char *exe,
		     struct uc_known_idle ret[UC_KNOWN_IDLE_MAX]);

/*
 * The same by the value of a Server header (may be NULL) in place of exe. idle_ns 0:
 * those that keep no connection.
 */
size_t uc_known_idle_of_server(uint64_t idle_ns, const char *server,
			       struct uc_known_idle ret[UC_KNOWN_IDLE_MAX]);

/*
 * A row by its short name and version, such as "node20" or "node22.8", for people to say
 * what an upstream is. A major version alone is its first minor; without a version it is
 * the row with the shortest timeout.
 */
struct uc_known_kind {
	const char *name;
	const char *setting, *set; /* as above */
	bool closes;               /* false: it never closes an idle connection by default */
	int64_t idle_ms;           /* 0: it closes after each response */
	int64_t min_ms;            /* the shorter of what its source says and what was measured */
};
bool uc_known_idle_kind(const char *kind, struct uc_known_kind *ret);
/* The i-th short name without its version, NULL after the last. */
const char *uc_known_idle_kind_at(size_t i);

/* How long a balancer that is a client of nginx keeps an idle connection to it; false: unknown. */
bool uc_known_balancer(const char *kind, int64_t *ret_ms);
const char *uc_known_balancer_at(size_t i);

#endif
