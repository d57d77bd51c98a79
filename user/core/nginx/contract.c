/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/contract.h"

#include <stddef.h>

#include "base/util.h"

int64_t uc_contract_margin(int64_t idle_ms)
{
	int64_t half = (idle_ms + 1) / 2;

	return half < UC_RACE_MARGIN_MS ? half : UC_RACE_MARGIN_MS;
}

enum uc_race uc_contract_race(enum uc_nginx_pool pool, int64_t nginx_ms,
			      const struct uc_idle *upstream)
{
	bool unknown = pool == UC_NGINX_POOL_UNKNOWN || pool == UC_NGINX_POOL_UNREAD;

	if (pool != UC_NGINX_POOL_KEPT && !unknown)
		return UC_RACE_NONE;
	/* what never closes, or announces each close in its response, cannot race */
	if (upstream->origin && (upstream->ms == UC_NGINX_NEVER || upstream->ms == 0))
		return UC_RACE_NONE;
	if (unknown || !upstream->origin || nginx_ms == UC_NGINX_UNKNOWN)
		return UC_RACE_UNKNOWN;
	if (upstream->at_least)
		return nginx_ms >= 0 && nginx_ms < upstream->ms ? UC_RACE_NONE : UC_RACE_UNKNOWN;
	if (nginx_ms == UC_NGINX_NEVER || nginx_ms >= upstream->min_ms)
		return UC_RACE_POSSIBLE;
	return nginx_ms > upstream->min_ms - uc_contract_margin(upstream->min_ms) ? UC_RACE_NARROW :
										    UC_RACE_NONE;
}

int64_t uc_contract_below(int64_t idle_ms)
{
	int64_t below = idle_ms - uc_contract_margin(idle_ms);

	if (below >= 1000)
		return below / 1000 * 1000;
	return below >= 100 ? below / 100 * 100 : below;
}

int64_t uc_contract_nginx_idle(const struct uc_nginx_place *p)
{
	return p->group ? p->group->timeout.n : 0;
}

uint32_t uc_contract_attempts(const struct uc_nginx_place *p)
{
	int64_t tries = p->values[UC_NGINX_NEXT_UPSTREAM_TRIES].n;
	int64_t next = p->values[UC_NGINX_NEXT_UPSTREAM].n;
	const struct uc_nginx_server *servers;
	uint32_t up = 0;
	size_t count;

	servers = uc_nginx_place_servers(p, &count);
	for (size_t i = 0; i < count; i++)
		up += !servers[i].down;
	if (next < 0 || next & UC_NGINX_NEXT_OFF || !(next & ~UC_NGINX_NEXT_NON_IDEMPOTENT))
		return up ? 1 : 0;
	return tries > 0 && tries < up ? tries : up;
}

int64_t uc_contract_longest_wait(const struct uc_nginx_place *p)
{
	int64_t connect = p->values[UC_NGINX_CONNECT_TIMEOUT].n;
	int64_t read = p->values[UC_NGINX_READ_TIMEOUT].n;
	int64_t limit = p->values[UC_NGINX_NEXT_UPSTREAM_TIMEOUT].n;
	int64_t attempts = uc_contract_attempts(p), wait;

	if (connect < 0 || read < 0 || limit < 0 || p->values[UC_NGINX_NEXT_UPSTREAM].n < 0 ||
	    p->values[UC_NGINX_NEXT_UPSTREAM_TRIES].n < 0)
		return UC_NGINX_UNKNOWN;
	if (!(p->values[UC_NGINX_NEXT_UPSTREAM].n & UC_NGINX_NEXT_TIMEOUT))
		attempts = attempts ? 1 : 0;
	/* an attempt either does not connect, or waits for its response */
	wait = attempts * (connect > read ? connect : read);
	/* the limit is looked at between attempts, the last one may begin just before it */
	if (limit && attempts > 1 && wait > limit + (connect > read ? connect : read))
		wait = limit + (connect > read ? connect : read);
	return wait;
}

const char *uc_idle_origin_name(enum uc_idle_origin o)
{
	static const char *const names[] = { "unknown", "probe", "learned", "stated", "kind" };

	_Static_assert(ARRAY_SIZE(names) == UC_IDLE_ORIGIN_MAX, "a name for each");
	return (unsigned)o < UC_IDLE_ORIGIN_MAX ? names[o] : "invalid";
}

const char *uc_race_name(enum uc_race r)
{
	static const char *const names[] = { "none", "unknown", "narrow", "possible" };

	_Static_assert(ARRAY_SIZE(names) == UC_RACE_MAX, "a name for each");
	return (unsigned)r < UC_RACE_MAX ? names[r] : "invalid";
}
