/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/canaries.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "probe/canary.h"

/* They do not all begin at the same time. */
#define APART_NS 200000000ULL

struct canary {
	struct uc_target target;
	struct uc_requests requests;
	char *host_header;
	struct uc_canary_state state;
};

struct uc_canary_watch {
	struct uc_canaries *canaries;
	struct uc_canary_spec *specs;
	sd_event_source *io, *timer;
	size_t count;
	struct canary canary[];
};

/* A change is worth a line, every run is not. */
static void say_change(const struct canary *c, const struct uc_canary_result *r)
{
	bool first = !c->state.last_wall_ns, good = r->outcome == UC_CANARY_ANSWERED;
	char status[16] = "no status";

	if (r->outcome == c->state.last_outcome && !(first && !good))
		return;
	if (r->status)
		snprintf(status, sizeof(status), "%u", r->status);
	uc_note("canary %s (%s): %s, %s after %.3f s: %s%s%s%s", c->state.name, c->target.url,
		uc_canary_outcome_name(r->outcome), status, r->total_ns / 1e9,
		uc_canary_outcome_text(r->outcome), *r->error ? " (" : "", r->error,
		*r->error ? ")" : "");
}

static void on_result(void *ctx, size_t which, const struct uc_canary_result *r)
{
	struct uc_canary_watch *w = ctx;
	struct canary *c = &w->canary[which];
	struct uc_canary_state *s = &c->state;

	say_change(c, r);
	s->by_outcome[r->outcome]++;
	s->total_ns += r->total_ns;
	s->last_wall_ns = r->start_wall_ns;
	s->last_ns = r->total_ns;
	s->last_status = r->status;
	s->last_outcome = r->outcome;
	s->answered = r->outcome == UC_CANARY_ANSWERED;
	if (r->outcome == UC_CANARY_ANSWERED)
		s->answered_wall_ns = r->start_wall_ns;
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct uc_canary_watch *w = ctx;

	(void)s;
	(void)fd;
	(void)events;
	uc_canaries_step(w->canaries);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)usec;
	return on_io(s, -1, 0, ctx);
}

static int set_alarm(sd_event_source *s, void *ctx)
{
	struct uc_canary_watch *w = ctx;

	(void)s;
	sd_event_source_set_time(w->timer, uc_canaries_due(w->canaries) / 1000 + 1);
	return sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static int open_loop(struct uc_canary_watch *w, sd_event *event)
{
	int r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, w);

	if (r >= 0)
		r = sd_event_add_io(event, &w->io, uc_canaries_fd(w->canaries), EPOLLIN, on_io, w);
	if (r >= 0)
		r = sd_event_source_set_prepare(w->io, set_alarm);
	return r < 0 ? r : 0;
}

static void take_over(struct canary *c, const struct uc_canary_watch *old)
{
	for (size_t i = 0; old && i < old->count; i++)
		if (!strcmp(old->canary[i].state.name, c->state.name))
			c->state = old->canary[i].state;
}

static int fill(struct uc_canary_watch *w, size_t i, const struct uc_canary_config *cfg)
{
	struct canary *c = &w->canary[i];
	const char *why;
	int err = uc_target_parse(cfg->url, &c->target, &why);

	if (err)
		return err;
	snprintf(c->state.name, sizeof(c->state.name), "%s", cfg->name);
	if (cfg->host && asprintf(&c->host_header, "Host: %s", cfg->host) < 0) {
		c->host_header = NULL;
		return -ENOMEM;
	}
	if (c->host_header)
		c->requests.headers[c->requests.header_count++] = c->host_header;
	w->specs[i] = (struct uc_canary_spec){ .target = &c->target,
					       .requests = &c->requests,
					       .first_ns = i * APART_NS,
					       .every_ns = cfg->every_ns,
					       .timeout_ns = cfg->timeout_ns };
	return 0;
}

int uc_canary_watch_new(const struct uc_canary_config *cfg, size_t count, sd_event *event,
			const struct uc_canary_watch *old, struct uc_canary_watch **ret)
{
	struct uc_canary_watch *w = calloc(1, sizeof(*w) + count * sizeof(w->canary[0]));
	int err = w && !curl_global_init(CURL_GLOBAL_DEFAULT) ? 0 : -ENOMEM;

	if (!err) {
		w->count = count;
		w->specs = calloc(count + 1, sizeof(*w->specs));
		err = w->specs ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = fill(w, i, &cfg[i]);
		take_over(&w->canary[i], old);
	}
	if (!err && count)
		err = uc_canaries_new(w->specs, count, on_result, w, &w->canaries);
	if (!err && count)
		err = open_loop(w, event);
	if (err) {
		uc_error("cannot start the canaries: %s", strerror(-err));
		uc_canary_watch_free(w);
		return err;
	}
	*ret = w;
	return 0;
}

void uc_canary_watch_free(struct uc_canary_watch *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->io);
	sd_event_source_disable_unref(w->timer);
	uc_canaries_free(w->canaries);
	for (size_t i = 0; i < w->count; i++) {
		uc_target_free(&w->canary[i].target);
		free(w->canary[i].host_header);
	}
	free(w->specs);
	free(w);
	curl_global_cleanup();
}

size_t uc_canary_watch_count(const struct uc_canary_watch *w)
{
	return w ? w->count : 0;
}

const struct uc_canary_state *uc_canary_watch_at(const struct uc_canary_watch *w, size_t i)
{
	return &w->canary[i].state;
}
