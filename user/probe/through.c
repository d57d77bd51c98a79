/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/through.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_value.h"
#include "core/measure.h"
#include "base/text.h"

#define MS      1000000ULL
#define SAMPLES 4096 /* the newest of each, for the summary's median */

struct path {
	const struct uc_target *target;
	uint64_t runs;
	uint64_t by_outcome[UC_CANARY_OUTCOME_MAX];
	uint64_t total_ns[SAMPLES]; /* run n is at n % SAMPLES */
};

struct through {
	const struct uc_through_config *cfg;
	FILE *out;
	size_t count;
	struct path *path;
};

/* --- output ------------------------------------------------------------------------- */

static void put_json(FILE *out, json_t *o)
{
	json_dumpf(o, out, UC_JSON_DUMP);
	fputs("\n", out);
	json_decref(o);
}

static void put_run_json(FILE *out, const struct uc_target *to, const char *host,
			 const struct uc_canary_result *r)
{
	json_t *o = json_object();
	char when[48];

	uc_text_rfc3339(r->start_wall_ns, when, sizeof(when));
	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("canary"));
	json_object_set_new(o, "time", json_string(when));
	json_object_set_new(o, "url", json_string(to->url));
	json_object_set_new(o, "host", uc_json_text_if(host));
	json_object_set_new(o, "outcome", json_string(uc_canary_outcome_name(r->outcome)));
	json_object_set_new(o, "ended_by", uc_json_text_if(uc_canary_ended_by(r->outcome)));
	json_object_set_new(o, "status", r->status ? json_integer(r->status) : json_null());
	json_object_set_new(o, "first_byte_ms",
			    r->first_byte_ns ? uc_json_ms(r->first_byte_ns) : json_null());
	json_object_set_new(o, "total_ms", uc_json_ms(r->total_ns));
	json_object_set_new(o, "response_bytes", json_integer((json_int_t)r->response_bytes));
	json_object_set_new(o, "server", uc_json_text_if(r->server));
	json_object_set_new(o, "error", uc_json_text_if(r->error));
	put_json(out, o);
}

static void put_run_text(FILE *out, const struct uc_target *to, const struct uc_canary_result *r)
{
	char when[32], status[16] = "---";

	uc_text_clock(r->start_wall_ns, when, sizeof(when));
	if (r->status)
		snprintf(status, sizeof(status), "%u", r->status);
	fprintf(out, "%s  %s in %.3f s  %-14s %s: %s%s%s%s\n", when, status, r->total_ns / 1e9,
		uc_canary_outcome_name(r->outcome), to->url, uc_canary_outcome_text(r->outcome),
		*r->error ? " (" : "", r->error, *r->error ? ")" : "");
}

static struct uc_stats stats_of(struct path *p)
{
	return uc_stats_of(p->total_ns, p->runs < SAMPLES ? (size_t)p->runs : SAMPLES);
}

static void put_summary_json(FILE *out, struct path *p)
{
	struct uc_stats s = stats_of(p);
	json_t *o = json_object(), *by = json_object();

	for (unsigned i = 0; i < UC_CANARY_OUTCOME_MAX; i++)
		json_object_set_new(by, uc_canary_outcome_name(i),
				    json_integer((json_int_t)p->by_outcome[i]));
	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("canary_summary"));
	json_object_set_new(o, "url", json_string(p->target->url));
	json_object_set_new(o, "runs", json_integer((json_int_t)p->runs));
	json_object_set_new(o, "by_outcome", by);
	json_object_set_new(o, "median_ms", s.count ? uc_json_ms(s.median_ns) : json_null());
	json_object_set_new(o, "min_ms", s.count ? uc_json_ms(s.min_ns) : json_null());
	json_object_set_new(o, "max_ms", s.count ? uc_json_ms(s.max_ns) : json_null());
	put_json(out, o);
}

static void put_summary_text(FILE *out, struct path *p)
{
	struct uc_stats s = stats_of(p);

	fprintf(out, "%s: %" PRIu64 " runs", p->target->url, p->runs);
	for (unsigned i = 0; i < UC_CANARY_OUTCOME_MAX; i++)
		if (p->by_outcome[i])
			fprintf(out, ", %" PRIu64 " %s", p->by_outcome[i],
				uc_canary_outcome_name(i));
	if (s.count)
		fprintf(out, "; median %.3f s, %.3f to %.3f s", s.median_ns / 1e9, s.min_ns / 1e9,
			s.max_ns / 1e9);
	fputs("\n", out);
}

/* --- running ------------------------------------------------------------------------- */

static void on_result(void *ctx, size_t which, const struct uc_canary_result *r)
{
	struct through *t = ctx;
	struct path *p = &t->path[which];

	p->total_ns[p->runs++ % SAMPLES] = r->total_ns;
	p->by_outcome[r->outcome]++;
	if (t->cfg->json)
		put_run_json(t->out, p->target, uc_requests_host(&t->cfg->requests, p->target), r);
	else
		put_run_text(t->out, p->target, r);
	fflush(t->out);
}

static int wait_ms(uint64_t due, uint64_t end)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	if (end < due)
		due = end;
	if (due <= now)
		return 0;
	return due - now > 60000 * MS ? 60000 : (int)((due - now + MS - 1) / MS);
}

static int loop(struct through *t, struct uc_canaries *c, int stop_fd)
{
	struct pollfd fds[] = { { .fd = stop_fd, .events = POLLIN },
				{ .fd = uc_canaries_fd(c), .events = POLLIN } };
	uint64_t end = t->cfg->duration_ns ? uc_now_ns(CLOCK_MONOTONIC) + t->cfg->duration_ns :
					     UINT64_MAX;

	while (!ferror(t->out)) {
		uc_canaries_step(c);
		if (uc_canaries_due(c) == UINT64_MAX || uc_now_ns(CLOCK_MONOTONIC) >= end)
			return 0;
		if (poll(fds, 2, wait_ms(uc_canaries_due(c), end)) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return 0;
	}
	return -EIO;
}

static void summarize(struct through *t, struct uc_through_end *end)
{
	for (struct path *p = t->path; p < t->path + t->count; p++) {
		end->runs += p->runs;
		end->failed += p->runs - p->by_outcome[UC_CANARY_ANSWERED];
		end->unconnected += p->by_outcome[UC_CANARY_CONNECT_FAILED];
		if (!t->cfg->every_ns)
			continue;
		if (t->cfg->json)
			put_summary_json(t->out, p);
		else
			put_summary_text(t->out, p);
	}
	fflush(t->out);
}

int uc_through(const struct uc_through_config *cfg, const struct uc_target *targets, size_t count,
	       int stop_fd, FILE *out, struct uc_through_end *end)
{
	struct uc_canary_spec *specs = calloc(count, sizeof(*specs));
	struct through t = { .cfg = cfg, .out = out, .count = count };
	struct uc_canaries *c = NULL;
	int err = -ENOMEM;

	*end = (struct uc_through_end){ 0 };
	t.path = calloc(count, sizeof(*t.path));
	for (size_t i = 0; specs && t.path && i < count; i++) {
		t.path[i].target = &targets[i];
		specs[i] = (struct uc_canary_spec){ .target = &targets[i],
						    .requests = &cfg->requests,
						    .every_ns = cfg->every_ns,
						    .timeout_ns = cfg->timeout_ns,
						    .count = cfg->count };
	}
	if (specs && t.path)
		err = uc_canaries_new(specs, count, on_result, &t, &c);
	if (!err) {
		err = loop(&t, c, stop_fd);
		summarize(&t, end);
	}
	uc_canaries_free(c);
	free(specs);
	free(t.path);
	return ferror(out) ? -EIO : err;
}
