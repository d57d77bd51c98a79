/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole check for its reader: text for people, JSON for scripts, SARIF for code hosts. */
#ifndef UPCLOSE_CHECK_PRINT_H
#define UPCLOSE_CHECK_PRINT_H

#include <stdio.h>

#include "check/rules.h"
#include "nginx/sources.h"

struct uc_check_report {
	const struct uc_sources *sources;
	const struct uc_nginx_http *http;
	const char *version_source; /* "as told", "of process 77", "assumed" */
	const struct uc_timeouts *evidence;
	const struct uc_finding *findings;
	size_t finding_count, left_out;
	const struct uc_check_contract *contracts;
	size_t contract_count;
	const struct uc_nginx_stream *streams;
	size_t stream_count;
};

/* Each negative errno when it could not be written. */
int uc_check_print_text(FILE *out, const struct uc_check_report *r);
int uc_check_print_json(FILE *out, const struct uc_check_report *r);
int uc_check_print_sarif(FILE *out, const struct uc_check_report *r);

/* "app, server example.org, location /api" for people. */
void uc_check_where(const struct uc_nginx_place *p, char *buf, size_t size);
/* The same of a finding, "upstream app" where it is of no place. */
void uc_check_where_found(const struct uc_finding *f, char *buf, size_t size);
/* Why nginx keeps no idle connections, or that it does. */
const char *uc_check_pool_text(enum uc_nginx_pool pool);
/* Counts that decide the exit status: not accepted, and above a note. */
size_t uc_check_counted(const struct uc_check_report *r, enum uc_severity least);

#endif
