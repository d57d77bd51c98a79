/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the nginx that runs here writes its error log. */
#ifndef UPCLOSE_NGINX_ERRORPATH_H
#define UPCLOSE_NGINX_ERRORPATH_H

#include "core/nginx/conf.h"
#include "nginx/running.h"

#define UC_ERROR_PATH_WHY 640

/*
 * What the error_log directive for requests names: that of http{}, else of stream{},
 * else the one at the top; where there are several, the first that is no syslog and
 * no memory. NULL: none does.
 */
const struct uc_nginx_word *uc_error_log_named(const struct uc_nginx_conf *conf);

/*
 * The path by which we can read the log of the one nginx that runs here, also in a
 * container. Negative errno, and why with the next step.
 */
int uc_error_log_path(char ret[UC_RUNNING_PATH], char why[UC_ERROR_PATH_WHY]);

#endif
