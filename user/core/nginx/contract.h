/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between nginx and one of its upstreams: how long nginx keeps an
 * idle connection, held against how long the upstream does. A race is possible
 * where nginx may send a request on a connection that the upstream gives up.
 */
#ifndef UPCLOSE_CORE_NGINX_CONTRACT_H
#define UPCLOSE_CORE_NGINX_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/nginx/httpconf.h"

/* Where the upstream's idle timeout is known from; the first that has it counts. */
enum uc_idle_origin {
	UC_IDLE_UNKNOWN,
	UC_IDLE_PROBE,   /* measured by upclose probe */
	UC_IDLE_LEARNED, /* by upclose trace, from closes of idle connections */
	UC_IDLE_STATED,  /* told by the user */
	UC_IDLE_KIND,    /* the default of a kind of server */
	UC_IDLE_ORIGIN_MAX
};

struct uc_idle {
	enum uc_idle_origin origin;
	int64_t ms;     /* UC_NGINX_NEVER; 0: it closes after each response */
	int64_t min_ms; /* the shortest seen or known; ms where there is but one */
	uint32_t count; /* measurements behind it; 0: not of measurements */
	bool at_least;  /* it was still open after so long, and more is not known */
};

enum uc_race {
	UC_RACE_NONE,
	UC_RACE_UNKNOWN, /* a number is missing */
	UC_RACE_NARROW,  /* nginx closes first, by less than the margin */
	UC_RACE_POSSIBLE,
	UC_RACE_MAX
};

/*
 * The upstream's clock begins when it has sent the response, nginx's when it has
 * read it: a delay on the way or in a busy worker, there and back, comes off the
 * distance between the two.
 */
#define UC_RACE_MARGIN_MS 500

/* That, or half of an idle timeout too short for it, in ms. */
int64_t uc_contract_margin(int64_t idle_ms);

enum uc_race uc_contract_race(enum uc_nginx_pool pool, int64_t nginx_ms,
			      const struct uc_idle *upstream);

/* What keepalive_timeout should be for an upstream that closes after idle_ms: ms, whole seconds from 1 s on. */
int64_t uc_contract_below(int64_t idle_ms);

/* How long nginx keeps an idle connection of this place, in ms; UC_NGINX_NEVER: without end. */
int64_t uc_contract_nginx_idle(const struct uc_nginx_place *p);

/*
 * The longest that nginx may wait for one request's response header, in ms: each
 * server's connect and read timeout, within next_upstream_timeout as far as that
 * begins a further attempt. UC_NGINX_UNKNOWN where a part of it is.
 */
int64_t uc_contract_longest_wait(const struct uc_nginx_place *p);

/* How many servers one request may be sent to; 1 where it cannot be told whether it is repeated. */
uint32_t uc_contract_attempts(const struct uc_nginx_place *p);

const char *uc_idle_origin_name(enum uc_idle_origin o);
const char *uc_race_name(enum uc_race r);

#endif
