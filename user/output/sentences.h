/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that put a verdict into sentences share: explain.c chooses,
 * explain_upstream.c has what the upstream did, explain_nginx.c what nginx did and
 * what came of its connect(), evidence.c what is known.
 */
#ifndef UPCLOSE_OUTPUT_SENTENCES_H
#define UPCLOSE_OUTPUT_SENTENCES_H

#include "output/explain.h"

/* A short text that lives as long as the statement it stands in. */
struct uc_clause {
	char text[128];
};

/* A line more; what is beyond UC_EXPLAIN_LINES is left out. */
__attribute__((format(printf, 2, 3))) void uc_add(struct uc_lines *l, const char *fmt, ...);
/* The summary. */
__attribute__((format(printf, 2, 3))) void uc_say(struct uc_explanation *e, const char *fmt, ...);

/* "node[18853]", "The upstream" */
struct uc_clause uc_who(const struct uc_judged *r);
/* "SIGKILL", "status 3", how a process ended */
struct uc_clause uc_how_it_ended(const struct uc_task *t);
/*
 * A directive by its full name in the protocol that this connection speaks, such as
 * "fastcgi_read_timeout" for "read_timeout"; of stream{}'s every timeout "proxy_timeout".
 */
struct uc_clause uc_directive_name(const struct uc_judged *r, const char *setting);

/* About nginx's repeating the request: whether, and what would let it. */
void uc_advise_on_retry(const struct uc_judged *r, struct uc_explanation *e);

void uc_explain_race(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_closed(const struct uc_judged *r, struct uc_explanation *e);
/* The upstream refused the handshake, and said why. */
void uc_explain_tls_alert(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_died(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_reset(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_request_rejected(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_partial_header(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_mismatch(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_body(const struct uc_judged *r, struct uc_explanation *e);

void uc_explain_connect(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_timeout(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_response_rejected(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_worker_exited(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_client_gone(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_idle_close(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_complete(const struct uc_judged *r, struct uc_explanation *e);
void uc_explain_unknown(const struct uc_judged *r, struct uc_explanation *e);

void uc_evidence(const struct uc_judged *r, struct uc_lines *ret);

#endif
