/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "base/version.h"
#include "source/capture.h"
#include "core/vocabulary.h"
#include "daemon/process.h"

struct metric;

struct out {
	FILE *f;
	const struct uc_view *v;
	const struct uc_process *process;
	const struct metric *m;
	const char *labels; /* those of the configuration, 'cluster="eu1",env="prod"' */
};

/* What a field is, and how its sample is written. */
enum form {
	NUMBER,    /* uint64_t */
	SMALL,     /* uint32_t */
	FLAG,      /* bool: 0 or 1 */
	REAL,      /* double */
	SECONDS,   /* uint64_t, ns */
	MOMENT,    /* uint64_t, ns since the epoch: seconds, to the millisecond */
	AGE,       /* uint64_t, CLOCK_MONOTONIC ns: seconds since then; 0: no time */
	HISTOGRAM, /* struct uc_live_histogram */
};

struct metric {
	const char *name, *type, *help;
	/* Writes the samples: a walk over what has the field, or a function of the metric's own. */
	void (*write)(const struct out *o);
	size_t field; /* its place in the struct that the walk is over */
	enum form form;
};

/* --- samples ------------------------------------------------------------------------ */

/* Before a value. labels: 'upstream="other",le="1"', or none. Values of labels hold nothing that needs an escape. */
static void series(const struct out *o, const char *suffix, const char *labels)
{
	fprintf(o->f, "%s%s", o->m->name, suffix);
	if (*labels || *o->labels)
		fprintf(o->f, "{%s%s%s}", labels, *labels && *o->labels ? "," : "", o->labels);
}

#define LABELS_LEN (UC_TALLY_NAME + 160)

__attribute__((format(printf, 3, 4))) static void count(const struct out *o, uint64_t value,
							const char *labels, ...)
{
	char text[LABELS_LEN];
	va_list args;

	va_start(args, labels);
	vsnprintf(text, sizeof(text), labels, args);
	va_end(args);
	series(o, "", text);
	fprintf(o->f, " %" PRIu64 "\n", value);
}

/* Twelve digits: a sum of eleven days has its microseconds. */
static void measure(const struct out *o, const char *labels, double value)
{
	series(o, "", labels);
	fprintf(o->f, " %.12g\n", value);
}

static bool only_seen(const struct out *o)
{
	return o->v->cfg->metrics->series == UC_SERIES_SEEN;
}

static void histogram(const struct out *o, const char *of, const struct uc_live_histogram *h)
{
	static const unsigned bounds_us[] = { UC_LIVE_BOUNDS_US };
	char labels[LABELS_LEN];
	uint64_t sum = 0;

	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++)
		sum += h->bucket[i];
	if (!sum && only_seen(o))
		return;
	sum = 0;
	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++) {
		char bound[32] = "+Inf";

		sum += h->bucket[i];
		if (i < ARRAY_SIZE(bounds_us))
			snprintf(bound, sizeof(bound), "%g", bounds_us[i] / 1e6);
		snprintf(labels, sizeof(labels), "%s,le=\"%s\"", of, bound);
		series(o, "_bucket", labels);
		fprintf(o->f, " %" PRIu64 "\n", sum);
	}
	series(o, "_sum", of);
	fprintf(o->f, " %.12g\n", h->sum_ns / 1e9);
	series(o, "_count", of);
	fprintf(o->f, " %" PRIu64 "\n", sum);
}

static double age(const struct out *o, uint64_t since_ns)
{
	return since_ns && o->v->now_ns > since_ns ? (o->v->now_ns - since_ns) / 1e9 : 0;
}

/* The field of one of those that the walk is over, with one label or, for NULL, none. */
static void sample(const struct out *o, const char *label, const char *value, const void *of)
{
	const void *field = (const char *)of + o->m->field;
	char labels[LABELS_LEN] = "";

	if (label)
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, value);
	switch (o->m->form) {
	case NUMBER:
		return count(o, *(const uint64_t *)field, "%s", labels);
	case SMALL:
		return count(o, *(const uint32_t *)field, "%s", labels);
	case FLAG:
		return count(o, *(const bool *)field, "%s", labels);
	case REAL:
		return measure(o, labels, *(const double *)field);
	case SECONDS:
		return measure(o, labels, *(const uint64_t *)field / 1e9);
	case AGE:
		return measure(o, labels, age(o, *(const uint64_t *)field));
	case HISTOGRAM:
		return histogram(o, labels, field);
	case MOMENT:
		series(o, "", labels);
		fprintf(o->f, " %.3f\n", *(const uint64_t *)field / 1e9);
	}
}

/* --- of the upstreams --------------------------------------------------------------- */

static void upstreams(const struct out *o)
{
	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++) {
		const struct uc_tally_upstream *u = uc_tally_at(o->v->tally, i);

		sample(o, "upstream", u->name, u);
	}
}

/* Of fields that only the walk over the connections fills. */
static void walked_upstreams(const struct out *o)
{
	if (!o->v->walk_err)
		upstreams(o);
}

/* Every verdict and outcome from the start on, if not told otherwise: a rate needs the sample before the first. */
static void flagged_of(const struct out *o, const struct uc_tally_upstream *u, enum uc_verdict_id v)
{
	for (unsigned outcome = 0; outcome < UC_OUTCOME_MAX; outcome++)
		if (u->flagged[v][outcome] || !only_seen(o))
			count(o, u->flagged[v][outcome],
			      "upstream=\"%s\",verdict=\"%s\",outcome=\"%s\"", u->name,
			      uc_verdict_name(v), uc_outcome_name(outcome));
}

static void flagged(const struct out *o)
{
	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++)
		for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
			if (uc_verdict_flagged(v))
				flagged_of(o, uc_tally_at(o->v->tally, i), v);
}

static void idle_timeout(const struct out *o)
{
	const struct uc_upstreams *t = uc_engine_totals(o->v->engine).upstreams;

	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++) {
		const struct uc_tally_upstream *u = uc_tally_at(o->v->tally, i);
		struct uc_idle_learned learned;

		if (uc_tally_idle(u, t, &learned))
			sample(o, "upstream", u->name, &learned);
	}
}

static void folded(const struct out *o)
{
	count(o, uc_tally_folded(o->v->tally), "%s", "");
}

static void retired_upstreams(const struct out *o)
{
	uint64_t n;

	uc_tally_retired(o->v->tally, &n);
	count(o, n, "%s", "");
}

/* Counters of their own, not those of "other": a jump there would be taken for a rate. */
static void retired(const struct out *o)
{
	uint64_t n;
	const struct uc_tally_upstream *r = uc_tally_retired(o->v->tally, &n);

	count(o, r->live.connections, "counter=\"connections_opened\"");
	count(o, r->ended, "counter=\"connections_ended\"");
	count(o, r->live.exchanges, "counter=\"exchanges\"");
	count(o, r->repeated, "counter=\"repeated_attempts\"");
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		for (unsigned outcome = 0; outcome < UC_OUTCOME_MAX; outcome++)
			if (r->flagged[v][outcome])
				count(o, r->flagged[v][outcome],
				      "counter=\"flagged_connections\",verdict=\"%s\",outcome=\"%s\"",
				      uc_verdict_name(v), uc_outcome_name(outcome));
}

/* --- of the agent ------------------------------------------------------------------- */

static void view(const struct out *o)
{
	sample(o, NULL, NULL, o->v);
}

static void process(const struct out *o)
{
	sample(o, NULL, NULL, o->process);
}

static void build_info(const struct out *o)
{
	count(o, 1, "version=\"%s\"", uc_version);
}

static void hook_attached(const struct out *o)
{
	size_t n;
	const struct uc_hook *h = uc_tracer_hooks(o->v->tracer, &n);

	for (size_t i = 0; i < n; i++)
		if (h[i].program)
			count(o, h[i].use == UC_HOOK_USED, "hook=\"%s\",facts=\"%s\"", h[i].section,
			      h[i].facts);
}

static void lost(const struct out *o)
{
	struct uc_losses losses = uc_tracer_losses(o->v->tracer);
	struct uc_totals totals = uc_engine_totals(o->v->engine);

	for (unsigned i = 0; i < UC_LOST_MAX; i++)
		count(o, losses.by_reason[i], "reason=\"%s\"", uc_lost_name(i));
	count(o, totals.bad_records, "reason=\"bad_record\"");
	count(o, totals.evicted, "reason=\"join_evicted\"");
}

/* Those of requests that got no connection from the start on, others once they came. */
static void nginx_log(const struct out *o)
{
	struct uc_totals totals = uc_engine_totals(o->v->engine);

	for (unsigned k = 0; k < UC_WORDS_KIND_MAX; k++)
		if (totals.words[k] || uc_words_means(k) == UC_MEANS_NO_CONNECTION ||
		    uc_words_means(k) == UC_MEANS_CONNECT_FAILED)
			count(o, totals.words[k], "kind=\"%s\"", uc_words_kind_name(k));
}

static void words_level(const struct out *o)
{
	count(o, uc_tracer_hears(o->v->tracer) & UC_HEARING_LEVEL, "%s", "");
}

static void forgotten(const struct out *o)
{
	struct uc_totals totals = uc_engine_totals(o->v->engine);

	for (unsigned i = 0; i < UC_LIMIT_MAX; i++)
		count(o, totals.forgotten[i], "kind=\"%s\"", uc_limit_name(i));
}

static void adopted(const struct out *o)
{
	count(o, uc_tracer_adopted(o->v->tracer), "%s", "");
}

static void ring_size(const struct out *o)
{
	count(o, uc_tracer_ring_bytes(o->v->tracer), "%s", "");
}

static void ring_pending(const struct out *o)
{
	size_t bytes;

	if (!uc_tracer_ring_pending(o->v->tracer, &bytes))
		count(o, bytes, "%s", "");
}

struct program {
	uint64_t runs, ns;
};

static void program(void *ctx, const char *name, uint64_t runs, uint64_t ns)
{
	sample(ctx, "program", name, &(struct program){ runs, ns });
}

static void programs(const struct out *o)
{
	uc_tracer_each_program(o->v->tracer, program, (void *)o);
}

/* --- of the alerts ------------------------------------------------------------------ */

static void alerts(const struct out *o)
{
	const struct uc_alerts *a = uc_alerting_alerts(o->v->alerting);

	for (size_t i = 0; i < uc_alerts_rules(a); i++)
		for (unsigned state = UC_ALERT_PENDING; state < UC_ALERT_STATE_MAX; state++)
			count(o, uc_alerts_in_state(a, i, state), "rule=\"%s\",state=\"%s\"",
			      uc_alerts_rule(a, i)->name, uc_alert_state_name(state));
}

static void alerts_folded(const struct out *o)
{
	count(o, uc_alerts_folded(uc_alerting_alerts(o->v->alerting)), "%s", "");
}

static void sinks(const struct out *o)
{
	for (size_t i = 0; i < uc_alerting_sinks(o->v->alerting); i++) {
		struct uc_delivery *d = uc_alerting_sink_at(o->v->alerting, i);
		struct uc_delivery_stats s = uc_delivery_stats(d);

		sample(o, "sink", uc_delivery_config(d)->name, &s);
	}
}

static void sink_dropped(const struct out *o)
{
	for (size_t i = 0; i < uc_alerting_sinks(o->v->alerting); i++) {
		struct uc_delivery *d = uc_alerting_sink_at(o->v->alerting, i);
		struct uc_delivery_stats s = uc_delivery_stats(d);

		for (unsigned why = 0; why < UC_DROP_MAX; why++)
			count(o, s.backlog.dropped[why], "sink=\"%s\",reason=\"%s\"",
			      uc_delivery_config(d)->name, uc_drop_name(why));
	}
}

/* --- of the canaries ---------------------------------------------------------------- */

static void canaries(const struct out *o)
{
	for (size_t i = 0; i < uc_canary_watch_count(o->v->canaries); i++) {
		const struct uc_canary_state *s = uc_canary_watch_at(o->v->canaries, i);

		sample(o, "canary", s->name, s);
	}
}

/* Of the newest run: a canary that had none has no sample. */
static void canaries_run(const struct out *o)
{
	for (size_t i = 0; i < uc_canary_watch_count(o->v->canaries); i++) {
		const struct uc_canary_state *s = uc_canary_watch_at(o->v->canaries, i);

		if (s->last_wall_ns)
			sample(o, "canary", s->name, s);
	}
}

/* Every outcome from the start on, as with verdicts. */
static void canary_runs(const struct out *o)
{
	for (size_t i = 0; i < uc_canary_watch_count(o->v->canaries); i++) {
		const struct uc_canary_state *s = uc_canary_watch_at(o->v->canaries, i);

		for (unsigned k = 0; k < UC_CANARY_OUTCOME_MAX; k++)
			count(o, s->by_outcome[k], "canary=\"%s\",outcome=\"%s\"", s->name,
			      uc_canary_outcome_name(k));
	}
}

/* --- the table ---------------------------------------------------------------------- */

#define UPSTREAM(member) offsetof(struct uc_tally_upstream, member)
#define SINK(member)     offsetof(struct uc_delivery_stats, member)
#define CANARY(member)   offsetof(struct uc_canary_state, member)
#define VIEW(member)     offsetof(struct uc_view, member)
#define PROCESS(member)  offsetof(struct uc_process, member)

static const struct metric metrics[] = {
	{ "upclose_connections_opened_total", "counter",
	  "Connections that nginx opened to the upstream, those found at the start included.",
	  upstreams, UPSTREAM(live.connections), NUMBER },
	{ "upclose_connections_ended_total", "counter",
	  "Connections of nginx to the upstream that ended.", upstreams, UPSTREAM(ended), NUMBER },
	{ "upclose_exchanges_total", "counter",
	  "Requests that nginx sent to the upstream, repeated ones included.", upstreams,
	  UPSTREAM(live.exchanges), NUMBER },
	{ "upclose_repeated_attempts_total", "counter",
	  "Attempts that nginx made at this upstream after one had failed, here or elsewhere.",
	  upstreams, UPSTREAM(repeated), NUMBER },
	{ "upclose_flagged_connections_total", "counter",
	  "Connections that failed, by cause and by what it came to for nginx's client.",
	  .write = flagged },
	{ "upclose_time_to_first_byte_seconds", "histogram",
	  "Time from a request's first send to its response's first byte.", upstreams,
	  UPSTREAM(live.first_byte), HISTOGRAM },
	{ "upclose_idle_before_reuse_seconds", "histogram",
	  "Time that a connection was idle before nginx used it again.", upstreams,
	  UPSTREAM(live.idle), HISTOGRAM },
	{ "upclose_learned_idle_timeout_seconds", "gauge",
	  "The upstream's idle timeout, learned from when it closed idle connections.",
	  idle_timeout, offsetof(struct uc_idle_learned, ns), SECONDS },
	{ "upclose_open_connections", "gauge", "Open connections of nginx to the upstream.",
	  walked_upstreams, UPSTREAM(live.open), SMALL },
	{ "upclose_waiting_requests", "gauge",
	  "Requests in flight: sent, and not a byte has come back.", walked_upstreams,
	  UPSTREAM(live.waiting), SMALL },
	{ "upclose_longest_wait_seconds", "gauge",
	  "How long the oldest request in flight has been waiting.", walked_upstreams,
	  UPSTREAM(live.waiting_since_ns), AGE },
	{ "upclose_nginx_log_total", "counter",
	  "What nginx logged of requests that got no connection to an upstream, by kind.",
	  .write = nginx_log },
	{ "upclose_nginx_words_level", "gauge",
	  "The level up to which the words of every nginx are heard (4 error, 7 info); 0: not of all.",
	  .write = words_level },
	{ "upclose_folded_connections_total", "counter",
	  "Connections counted under upstream=other for lack of room (metrics.max_upstreams).",
	  .write = folded },
	{ "upclose_retired_upstreams_total", "counter",
	  "Quiet upstreams whose series ended for a newcomer's (metrics.quiet_after).",
	  .write = retired_upstreams },
	{ "upclose_retired_counts_total", "counter",
	  "What the counters of these upstreams had come to, by counter.", .write = retired },
	{ "upclose_build_info", "gauge", "The version that runs.", .write = build_info },
	{ "upclose_hook_attached", "gauge", "Whether the kernel hook is in use.",
	  .write = hook_attached },
	{ "upclose_lost_total", "counter", "Records lost, by reason.", .write = lost },
	{ "upclose_forgotten_total", "counter",
	  "What was forgotten so that memory stays bounded, by kind; no verdict is wrong for it.",
	  .write = forgotten },
	{ "upclose_adopted_connections_total", "counter",
	  "Connections that existed when upclose started.", .write = adopted },
	{ "upclose_ring_size_bytes", "gauge", "Size of the ring between kernel and daemon.",
	  .write = ring_size },
	{ "upclose_ring_pending_bytes", "gauge", "Bytes in the ring that were not read yet.",
	  .write = ring_pending },
	{ "upclose_bpf_run_time_seconds_total", "counter",
	  "Time spent in the BPF program, where the kernel measures it.", programs,
	  offsetof(struct program, ns), SECONDS },
	{ "upclose_bpf_runs_total", "counter",
	  "Runs of the BPF program, where the kernel counts them.", programs,
	  offsetof(struct program, runs), NUMBER },
	{ "upclose_alerts", "gauge", "Upstreams for which the rule is pending or firing.", alerts,
	  0, NUMBER },
	{ "upclose_alerts_folded_total", "counter",
	  "Ends and counts of upstreams that a rule had no room for and took as upstream=other.",
	  .write = alerts_folded },
	{ "upclose_sink_delivered_total", "counter",
	  "Alerts, resolutions and flagged connections that the sink took.", sinks, SINK(delivered),
	  NUMBER },
	{ "upclose_sink_failed_attempts_total", "counter",
	  "Attempts of delivery to the sink that failed.", sinks, SINK(failed_attempts), NUMBER },
	{ "upclose_sink_dropped_total", "counter",
	  "Documents that the sink will never get, by reason.", .write = sink_dropped },
	{ "upclose_sink_waiting_documents", "gauge",
	  "Documents waiting to be delivered, in memory and on disk.", sinks, SINK(backlog.waiting),
	  NUMBER },
	{ "upclose_sink_spool_bytes", "gauge", "Of it, bytes on disk.", sinks,
	  SINK(backlog.spool_bytes), NUMBER },
	{ "upclose_sink_last_success_timestamp_seconds", "gauge",
	  "Time of the sink's last accepted document, 0 if none.", sinks,
	  SINK(last_success_wall_ns), MOMENT },
	{ "upclose_canary_runs_total", "counter", "Requests of the canary, by outcome.",
	  .write = canary_runs },
	{ "upclose_canary_run_seconds_total", "counter", "Total time of the canary's requests.",
	  canaries, CANARY(total_ns), SECONDS },
	{ "upclose_canary_answered", "gauge",
	  "Whether the last request was answered with a status below 500.", canaries_run,
	  CANARY(answered), FLAG },
	{ "upclose_canary_last_run_seconds", "gauge", "How long the newest took.", canaries_run,
	  CANARY(last_ns), SECONDS },
	{ "upclose_canary_last_status", "gauge", "Status of the last response, 0 if none.",
	  canaries_run, CANARY(last_status), SMALL },
	{ "upclose_canary_last_answered_timestamp_seconds", "gauge",
	  "Start time of the last answered request, 0 if none.", canaries, CANARY(answered_wall_ns),
	  MOMENT },
	{ "upclose_config_last_reload_successful", "gauge",
	  "Whether the last reload was successful.", view, VIEW(reload_ok), FLAG },
	{ "upclose_config_last_reload_success_timestamp_seconds", "gauge",
	  "Time at which the configuration in use was loaded.", view, VIEW(reload_wall_ns),
	  MOMENT },
	{ "process_cpu_seconds_total", "counter", "User and system CPU time of the daemon.",
	  process, PROCESS(cpu_seconds), REAL },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of the daemon.", process,
	  PROCESS(resident_bytes), NUMBER },
	{ "process_virtual_memory_bytes", "gauge", "Virtual memory of the daemon.", process,
	  PROCESS(virtual_bytes), NUMBER },
	{ "process_open_fds", "gauge", "Open file descriptors of the daemon.", process,
	  PROCESS(open_fds), NUMBER },
	{ "process_max_fds", "gauge", "Limit of file descriptors of the daemon.", process,
	  PROCESS(max_fds), NUMBER },
	{ "process_start_time_seconds", "gauge", "When the daemon started, since the epoch.",
	  process, PROCESS(start_seconds), REAL },
};

static void take_live(void *ctx, const struct uc_live *l)
{
	uc_tally_live(ctx, l);
}

void uc_view_refresh(struct uc_view *v)
{
	v->now_ns = uc_now_ns(CLOCK_MONOTONIC);
	uc_tally_live_begin(v->tally, v->now_ns);
	v->walk_err = uc_tracer_each_live(v->tracer, take_live, v->tally);
}

static void static_labels(const struct uc_config *cfg, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (uint32_t i = 0; i < cfg->labels_count && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%s=\"%s\"", i ? "," : "",
				 cfg->labels[i].name, cfg->labels[i].value);
}

/* 64 and 128 of name and value, and what stands between. */
#define STATIC_LABELS_LEN (UC_LABELS_MAX * 200)

char *uc_metrics_write(const struct uc_view *v, size_t *ret_len)
{
	struct uc_process self = uc_process_self();
	char *text = NULL, labels[STATIC_LABELS_LEN];
	struct out o = { .f = open_memstream(&text, ret_len),
			 .v = v,
			 .process = &self,
			 .labels = labels };

	if (!o.f)
		return NULL;
	static_labels(v->cfg, labels, sizeof(labels));
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		const struct metric *m = o.m = &metrics[i];

		fprintf(o.f, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
		m->write(&o);
	}
	if (fclose(o.f)) {
		free(text);
		return NULL;
	}
	return text;
}
