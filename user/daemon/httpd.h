/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP server: /metrics, /healthz and / out of a view. It runs within the
 * caller's event loop; clients may be hostile, so their number, time and memory
 * are bounded, and nothing of a request but its path is looked at.
 */
#ifndef UPCLOSE_DAEMON_HTTPD_H
#define UPCLOSE_DAEMON_HTTPD_H

#include "base/loop.h"
#include "config/config.h"
#include "daemon/metrics.h"

struct uc_httpd;

/*
 * Serves the sockets that systemd handed over, else cfg->listen; old, which may be
 * NULL, lends its socket where that is the same, so that a server replaces another
 * without refusing anybody. Says why it could not; negative errno. The view lives
 * longer.
 */
int uc_httpd_new(const struct uc_metrics_config *cfg, struct uc_loop *loop, struct uc_view *view,
		 const struct uc_httpd *old, struct uc_httpd **ret);
void uc_httpd_free(struct uc_httpd *h);

#endif
