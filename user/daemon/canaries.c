/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/canaries.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct uc_loop *loop; /* NULL: not in one */
	struct uc_loop_source source;
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

static int step(void *ctx)
{
	struct uc_canary_watch *w = ctx;

	uc_canaries_step(w->canaries);
	return 0;
}

static uint64_t due_ns(void *ctx)
{
	const struct uc_canary_watch *w = ctx;

	return uc_canaries_due(w->canaries);
}

static int join_loop(struct uc_canary_watch *w, struct uc_loop *loop)
{
	w->loop = loop;
	w->source = (struct uc_loop_source){ .fd = uc_canaries_fd(w->canaries),
					     .due_ns = due_ns,
					     .run = step,
					     .ctx = w };
	return uc_loop_add(loop, &w->source);
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

int uc_canary_watch_new(const struct uc_canary_config *cfg, size_t count, struct uc_loop *loop,
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
		err = join_loop(w, loop);
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
	if (w->loop)
		uc_loop_remove(w->loop, &w->source);
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
