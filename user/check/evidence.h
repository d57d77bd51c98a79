/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of upstreams besides nginx's configuration: measured by upclose
 * probe, learned by upclose trace or the daemon (their JSON), or told by the user.
 */
#ifndef UPCLOSE_CHECK_EVIDENCE_H
#define UPCLOSE_CHECK_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/nginx/contract.h"
#include "core/vocabulary.h"

#define UC_EVIDENCE_ADDR   256
#define UC_EVIDENCE_SOURCE 160
#define UC_EVIDENCE_MAX    4096 /* upstreams */
#define UC_EVIDENCE_WHY    512

struct uc_evidence_of {
	char addr[UC_EVIDENCE_ADDR]; /* "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock", a group's name, "*" */
	struct uc_idle idle[UC_IDLE_ORIGIN_MAX];
	char source[UC_IDLE_ORIGIN_MAX][UC_EVIDENCE_SOURCE]; /* a sentence's part, of each idle */
	int64_t response_ms; /* the longest wait for a response's header that was measured, -1: none */
	char response_source[UC_EVIDENCE_SOURCE];
	bool recorded;                     /* connections to it are among those counted */
	uint64_t happened[UC_VERDICT_MAX]; /* recorded ends of connections */
};

/* What `upclose probe --through` measured through nginx, the longest of each URL and host. */
struct uc_evidence_canary {
	char url[UC_EVIDENCE_ADDR];
	char host[UC_EVIDENCE_ADDR]; /* the Host header */
	uint16_t port;
	const char *path; /* within url */
	int64_t ms;       /* to the response's first byte */
	bool gave_up;     /* nginx did, and the response takes longer */
};

struct uc_evidence;

/* -ENOMEM */
int uc_evidence_new(struct uc_evidence **ret);
void uc_evidence_free(struct uc_evidence *e);

/* Lines of JSON, "-" is standard input. Negative with why filled, naming the line. */
int uc_evidence_learned(struct uc_evidence *e, const char *path, char why[UC_EVIDENCE_WHY]);
int uc_evidence_probe(struct uc_evidence *e, const char *path, char why[UC_EVIDENCE_WHY]);
const struct uc_evidence_canary *uc_evidence_canaries(const struct uc_evidence *e, size_t *count);
/* "ADDR=SECONDS" or "ADDR=never"; "ADDR=KIND". */
int uc_evidence_state(struct uc_evidence *e, const char *text, char why[UC_EVIDENCE_WHY]);
int uc_evidence_kind(struct uc_evidence *e, const char *text, char why[UC_EVIDENCE_WHY]);

/* How long the recordings were in all, in ms; 0: there are none. */
int64_t uc_evidence_recorded_ms(const struct uc_evidence *e);

/*
 * The idle timeout of a server of a group (group may be NULL), from the best
 * source there is; *source is that part of a sentence. origin UNKNOWN: none.
 */
struct uc_idle uc_evidence_idle(const struct uc_evidence *e, const struct uc_nginx_server *s,
				const struct uc_nginx_group *group, const char **source);
/* What was measured or recorded of the server itself, or NULL. */
const struct uc_evidence_of *uc_evidence_find(const struct uc_evidence *e,
					      const struct uc_nginx_server *s);

/* "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock" */
void uc_evidence_addr(const struct uc_nginx_server *s, char buf[UC_EVIDENCE_ADDR]);

#endif
