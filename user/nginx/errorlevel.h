/* SPDX-License-Identifier: BSD-2-Clause */
/* How much nginx says: the levels of the error logs that its configuration names. */
#ifndef UPCLOSE_NGINX_ERRORLEVEL_H
#define UPCLOSE_NGINX_ERRORLEVEL_H

#include <stddef.h>

#include "core/nginx/conf.h"

/* src/core/ngx_log.h */
enum {
	UC_LEVEL_EMERG = 1,
	UC_LEVEL_ERROR = 4,
	UC_LEVEL_WARN = 5,
	UC_LEVEL_INFO = 7,
	UC_LEVEL_DEBUG = 8
};

/* The lowest level of all error_log directives, UC_LEVEL_ERROR where there are none; 0: of one it is not known. */
unsigned uc_error_level_of(const struct uc_nginx_conf *conf);

/*
 * The lowest of all nginx that run here under these names, so that nothing at this
 * level goes unsaid by any of them; 0: not known, as where a configuration cannot be
 * read or belongs to another user than root or the caller.
 */
unsigned uc_error_level(const char *const *comms, size_t comm_count);

#endif
