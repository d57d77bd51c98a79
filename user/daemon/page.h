/* SPDX-License-Identifier: BSD-2-Clause */
/* The page for a person: upstreams, the last hour's verdicts, the newest flagged connections. */
#ifndef UPCLOSE_DAEMON_PAGE_H
#define UPCLOSE_DAEMON_PAGE_H

#include <stddef.h>
#include <stdio.h>

#include "daemon/metrics.h"

/* HTML without anything to load or to run, malloc'ed; NULL: no memory. */
char *uc_page_write(const struct uc_view *v, size_t *ret_len);

/* Alerts that are pending or firing, and the sinks; nothing where there are none. */
void uc_page_alerts(FILE *f, const struct uc_view *v);

/* Text for HTML, as an element's content or in an attribute's quotes. */
void uc_html_text(FILE *out, const char *text);

#endif
