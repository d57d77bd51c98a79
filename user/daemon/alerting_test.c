/* SPDX-License-Identifier: BSD-2-Clause */
/* upclose daemon --test-alert: do alerts get out? */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "alert/alert_text.h"
#include "alert/alerting.h"
#include "base/json_value.h"
#include "daemon/privilege.h"
#include "base/log.h"

#define POLL_US   20000
#define DOCUMENTS 2

/* Firing, and resolved. */
static bool post(struct uc_delivery *d, const struct uc_alert_place *at)
{
	static const enum uc_alert_change changes[DOCUMENTS] = { UC_ALERT_FIRES,
								 UC_ALERT_RESOLVES };
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC), wall = uc_now_ns(CLOCK_REALTIME);
	struct uc_alert_place place = { .instance = at->instance,
					.labels = at->labels,
					.wall_offset_ns = (int64_t)(wall - now),
					.test = true };
	bool posted = true;

	for (size_t i = 0; i < DOCUMENTS; i++) {
		struct uc_alert alert = uc_alert_test(changes[i], now, wall);
		json_t *doc = uc_alert_document(&alert, &place);
		char *text = json_dumps(doc, UC_JSON_DUMP);

		posted = posted && text && uc_delivery_post(d, text, false);
		free(text);
		json_decref(doc);
	}
	return posted;
}

/* Until both are delivered, or one was not. */
static struct uc_delivery_stats wait_for(struct uc_delivery *d)
{
	struct uc_delivery_stats s;

	do {
		usleep(POLL_US);
		s = uc_delivery_stats(d);
	} while (s.backlog.waiting && !s.failed_attempts);
	return s;
}

static bool try_one(const struct uc_sink_config *cfg, const struct uc_alert_place *at)
{
	struct uc_delivery *d = NULL;
	struct uc_delivery_stats s;
	bool ok;

	/* no spool: that of a running daemon is its own */
	if (uc_delivery_new(cfg, NULL, &d))
		return false;
	ok = post(d, at);
	s = wait_for(d);
	ok = ok && s.delivered == DOCUMENTS;
	if (ok)
		printf("%s (%s): delivered, %.1f ms\n", cfg->name, uc_sink_type_name(cfg->type),
		       s.last_took_ns / 1e6);
	else
		printf("%s (%s): NOT delivered: %s\n", cfg->name, uc_sink_type_name(cfg->type),
		       *s.last_error ? s.last_error : "the receiver rejected it");
	fflush(stdout);
	uc_delivery_free(d);
	return ok;
}

static void be_quiet(int priority, const char *text)
{
	(void)priority;
	(void)text;
}

static bool always(void *ctx)
{
	(void)ctx;
	return true;
}

/* The daemon's user may not read what root can. */
static int become_user(const struct uc_config *cfg)
{
	struct uc_user user;
	int err = geteuid() ? 0 : uc_user_find(cfg->user, &user);

	if (!err && !geteuid())
		err = uc_privilege_drop(&user, always, NULL);
	return err;
}

int uc_alerting_test(const struct uc_config *cfg)
{
	struct uc_alert_place place = { .test = true };
	char host[256] = "unknown";
	json_t *labels;
	int err = 0;

	if (!cfg->sinks_count) {
		uc_error("the configuration has no sinks: alerts go nowhere");
		return -ENOENT;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	err = become_user(cfg);
	if (err)
		return err;
	gethostname(host, sizeof(host) - 1);
	place.instance = cfg->alerts->instance ? cfg->alerts->instance : host;
	place.labels = labels = uc_alert_labels(cfg->labels, cfg->labels_count);
	/* the same is printed */
	uc_log_writer = be_quiet;
	for (uint32_t i = 0; i < cfg->sinks_count; i++)
		if (!try_one(&cfg->sinks[i], &place))
			err = -EIO;
	json_decref(labels);
	return err;
}
