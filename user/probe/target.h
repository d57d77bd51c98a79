/* SPDX-License-Identifier: BSD-2-Clause */
/* What a probe is pointed at: a URL as people type it. */
#ifndef UPCLOSE_PROBE_TARGET_H
#define UPCLOSE_PROBE_TARGET_H

#include <stdbool.h>

/* Strings are owned. */
struct uc_target {
	char *url;    /* scheme, host, port and path; never the query, which may be secret */
	char *origin; /* for libcurl: scheme, host and port */
	char *host;   /* the Host header's value */
	char *path;   /* the request's target, with its query; printable ASCII without blanks */
	char *socket; /* path of a unix socket, or NULL */
	bool tls;
};

/*
 * http://host[:port][/path][?query], https likewise, and as nginx writes it
 * http://unix:/path/of/socket[:/path]. 0, or -EINVAL with *why set to what is wrong
 * with it, or -ENOMEM. *ret needs uc_target_free() after 0 alone.
 */
int uc_target_parse(const char *text, struct uc_target *ret, const char **why);
void uc_target_free(struct uc_target *t);

#endif
