/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of upstreams besides nginx's configuration: measured by upclose
 * probe, learned by upclose trace or the daemon (their JSON), or told by the user.
 */
#ifndef UPCLOSE_CHECK_TIMEOUTS_H
#define UPCLOSE_CHECK_TIMEOUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/nginx/contract.h"
#include "core/vocabulary.h"

#define UC_TIMEOUTS_ADDR   256
#define UC_TIMEOUTS_SOURCE 160
#define UC_TIMEOUTS_MAX    4096 /* upstreams */
#define UC_TIMEOUTS_WHY    512

struct uc_timeouts_of {
	char addr[UC_TIMEOUTS_ADDR]; /* "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock", a group's name, "*" */
	struct uc_idle idle[UC_IDLE_ORIGIN_MAX];
	char source[UC_IDLE_ORIGIN_MAX][UC_TIMEOUTS_SOURCE]; /* a sentence's part, of each idle */
	int64_t response_ms; /* the longest wait for a response's header that was measured, -1: none */
	char response_source[UC_TIMEOUTS_SOURCE];
	bool recorded;                     /* connections to it are among those counted */
	uint64_t happened[UC_VERDICT_MAX]; /* recorded ends of connections */
};

/* What `upclose probe --through` measured through nginx, the longest of each URL and host. */
struct uc_timeouts_canary {
	char url[UC_TIMEOUTS_ADDR];
	char host[UC_TIMEOUTS_ADDR]; /* the Host header */
	uint16_t port;
	const char *path; /* within url */
	int64_t ms;       /* to the response's first byte */
	bool gave_up;     /* nginx did, and the response takes longer */
};

struct uc_timeouts;

/* -ENOMEM */
int uc_timeouts_new(struct uc_timeouts **ret);
void uc_timeouts_free(struct uc_timeouts *e);

/* Lines of JSON, "-" is standard input. Negative with why filled, naming the line. */
int uc_timeouts_learned(struct uc_timeouts *e, const char *path, char why[UC_TIMEOUTS_WHY]);
int uc_timeouts_probe(struct uc_timeouts *e, const char *path, char why[UC_TIMEOUTS_WHY]);
const struct uc_timeouts_canary *uc_timeouts_canaries(const struct uc_timeouts *e, size_t *count);
/* "ADDR=SECONDS" or "ADDR=never"; "ADDR=KIND". */
int uc_timeouts_state(struct uc_timeouts *e, const char *text, char why[UC_TIMEOUTS_WHY]);
int uc_timeouts_kind(struct uc_timeouts *e, const char *text, char why[UC_TIMEOUTS_WHY]);

/* How long the recordings were in all, in ms; 0: there are none. */
int64_t uc_timeouts_recorded_ms(const struct uc_timeouts *e);

/*
 * The idle timeout of a server of a group (group may be NULL), from the best
 * source there is; *source is that part of a sentence. origin UNKNOWN: none.
 */
struct uc_idle uc_timeouts_idle(const struct uc_timeouts *e, const struct uc_nginx_server *s,
				const struct uc_nginx_group *group, const char **source);
/* What was measured or recorded of the server itself, or NULL. */
const struct uc_timeouts_of *uc_timeouts_find(const struct uc_timeouts *e,
					      const struct uc_nginx_server *s);

/* "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock" */
void uc_timeouts_addr(const struct uc_nginx_server *s, char buf[UC_TIMEOUTS_ADDR]);

#endif
