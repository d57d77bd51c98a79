/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/version.h"

#include <string.h>

#include "base/util.h"
#include "core/nginx/settings.h"

static bool digits(const char **p, unsigned max, unsigned *ret)
{
	unsigned n = 0;
	const char *at = *p;

	while (*at >= '0' && *at <= '9') {
		n = n * 10 + (*at++ - '0');
		if (n > max)
			return false;
	}
	if (at == *p)
		return false;
	*p = at;
	*ret = n;
	return true;
}

bool uc_nginx_version_parse(const char *text, uint32_t *ret)
{
	static const char *const names[] = { "nginx/", "openresty/", "freenginx/" };
	/* of a branch without its patch: the newest */
	unsigned major, minor, patch = 999;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			text += strlen(names[i]);
	if (!digits(&text, 99, &major) || *text++ != '.' || !digits(&text, 999, &minor))
		return false;
	if (*text == '.') {
		text++;
		if (!digits(&text, 999, &patch))
			return false;
	}
	if (*text && *text != ' ' && *text != '\n' && *text != '.')
		return false;
	*ret = UC_NGINX_VERSION(major, minor, patch);
	return true;
}

/*
 * 1.9.13 no repeat of POST, LOCK, PATCH; 1.15.3 keepalive_timeout 60s and
 * keepalive_requests 100 in upstream{}; 1.19.10 the latter 1000, and
 * keepalive_time 1h; 1.29.7 keep-alive on, whatever stands behind it.
 */
struct uc_nginx_defaults uc_nginx_defaults(uint32_t version)
{
	bool on = version >= UC_NGINX_VERSION(1, 29, 7);
	bool timeouts = version >= UC_NGINX_VERSION(1, 15, 3);
	bool thousand = version >= UC_NGINX_VERSION(1, 19, 10);

	return (struct uc_nginx_defaults){
		.http_version = on ? 11 : 10,
		.connection_close = !on,
		.keepalive = on ? 32 : 0,
		.local = on,
		.timeout = timeouts ? 60000 : UC_NGINX_NEVER,
		.requests = thousand ? 1000 :
			    timeouts ? 100 :
				       0,
		.time = thousand ? 3600000 : UC_NGINX_NEVER,
		.guards_non_idempotent = version >= UC_NGINX_VERSION(1, 9, 13),
		.any_order = on,
	};
}
