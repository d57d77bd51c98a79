/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "base/version.h"
#include "source/capture.h"
#include "core/vocabulary.h"
#include "daemon/process.h"

struct out {
	FILE *f;
	const char *name; /* of the metric */
	const struct uc_view *v;
};

/* --- samples ------------------------------------------------------------------------ */

/* Names of upstreams, hooks and so on are ours and hold nothing that needs an escape. */
static void count(const struct out *o, const char *labels, uint64_t value)
{
	fprintf(o->f, "%s%s %" PRIu64 "\n", o->name, labels, value);
}

static void measure(const struct out *o, const char *labels, double value)
{
	fprintf(o->f, "%s%s %.9g\n", o->name, labels, value);
}

typedef uint64_t upstream_count(const struct uc_tally_upstream *u);

static void by_upstream(const struct out *o, upstream_count *value)
{
	char labels[UC_ADDR_LEN + 32];

	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++) {
		const struct uc_tally_upstream *u = uc_tally_at(o->v->tally, i);

		snprintf(labels, sizeof(labels), "{upstream=\"%s\"}", u->name);
		count(o, labels, value(u));
	}
}

/* --- of the upstreams --------------------------------------------------------------- */

static uint64_t opened_of(const struct uc_tally_upstream *u)
{
	return u->live.connections;
}

static void opened(const struct out *o)
{
	by_upstream(o, opened_of);
}

static uint64_t ended_of(const struct uc_tally_upstream *u)
{
	return u->ended;
}

static void ended(const struct out *o)
{
	by_upstream(o, ended_of);
}

static uint64_t exchanges_of(const struct uc_tally_upstream *u)
{
	return u->live.exchanges;
}

static void exchanges(const struct out *o)
{
	by_upstream(o, exchanges_of);
}

static uint64_t open_of(const struct uc_tally_upstream *u)
{
	return u->live.open;
}

static void open_connections(const struct out *o)
{
	if (!o->v->walk_err)
		by_upstream(o, open_of);
}

static uint64_t waiting_of(const struct uc_tally_upstream *u)
{
	return u->live.waiting;
}

static void waiting(const struct out *o)
{
	if (!o->v->walk_err)
		by_upstream(o, waiting_of);
}

static uint64_t repeated_of(const struct uc_tally_upstream *u)
{
	return u->repeated;
}

static void repeated(const struct out *o)
{
	by_upstream(o, repeated_of);
}

/* Every verdict and outcome from the start on: a rate needs the sample before the first. */
static void flagged_of(const struct out *o, const struct uc_tally_upstream *u, enum uc_verdict_id v)
{
	char labels[UC_ADDR_LEN + 96];

	for (unsigned outcome = 0; outcome < UC_OUTCOME_MAX; outcome++) {
		snprintf(labels, sizeof(labels), "{upstream=\"%s\",verdict=\"%s\",outcome=\"%s\"}",
			 u->name, uc_verdict_name(v), uc_outcome_name(outcome));
		count(o, labels, u->flagged[v][outcome]);
	}
}

static void flagged(const struct out *o)
{
	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++)
		for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
			if (uc_verdict_flagged(v))
				flagged_of(o, uc_tally_at(o->v->tally, i), v);
}

static void histogram(const struct out *o, const char *upstream, const struct uc_live_histogram *h)
{
	static const unsigned bounds_us[] = { UC_LIVE_BOUNDS_US };
	uint64_t sum = 0;

	for (size_t i = 0; i < UC_LIVE_BUCKETS; i++) {
		char bound[32] = "+Inf";

		sum += h->bucket[i];
		if (i < ARRAY_SIZE(bounds_us))
			snprintf(bound, sizeof(bound), "%g", bounds_us[i] / 1e6);
		fprintf(o->f, "%s_bucket{upstream=\"%s\",le=\"%s\"} %" PRIu64 "\n", o->name,
			upstream, bound, sum);
	}
	fprintf(o->f, "%s_sum{upstream=\"%s\"} %.9g\n", o->name, upstream, h->sum_ns / 1e9);
	fprintf(o->f, "%s_count{upstream=\"%s\"} %" PRIu64 "\n", o->name, upstream, sum);
}

static void first_byte(const struct out *o)
{
	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++)
		histogram(o, uc_tally_at(o->v->tally, i)->name,
			  &uc_tally_at(o->v->tally, i)->live.first_byte);
}

static void idle(const struct out *o)
{
	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++)
		histogram(o, uc_tally_at(o->v->tally, i)->name,
			  &uc_tally_at(o->v->tally, i)->live.idle);
}

static void longest_wait(const struct out *o)
{
	char labels[UC_ADDR_LEN + 32];

	for (size_t i = 0; !o->v->walk_err && i < uc_tally_count(o->v->tally); i++) {
		const struct uc_tally_upstream *u = uc_tally_at(o->v->tally, i);
		uint64_t since = u->live.waiting_since_ns;

		snprintf(labels, sizeof(labels), "{upstream=\"%s\"}", u->name);
		measure(o, labels,
			since && o->v->now_ns > since ? (o->v->now_ns - since) / 1e9 : 0);
	}
}

static void idle_timeout(const struct out *o)
{
	const struct uc_upstreams *t = uc_engine_totals(o->v->engine).upstreams;
	char labels[UC_ADDR_LEN + 32];

	for (size_t i = 0; i < uc_tally_count(o->v->tally); i++) {
		const struct uc_tally_upstream *u = uc_tally_at(o->v->tally, i);
		struct uc_idle_learned learned;

		if (!u->addr.port || !uc_upstreams_idle(t, &u->addr, &learned))
			continue;
		snprintf(labels, sizeof(labels), "{upstream=\"%s\"}", u->name);
		measure(o, labels, learned.ns / 1e9);
	}
}

/* --- of the agent ------------------------------------------------------------------- */

static void build_info(const struct out *o)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "{version=\"%s\"}", uc_version);
	count(o, labels, 1);
}

static void hook_attached(const struct out *o)
{
	char labels[256];
	size_t n;
	const struct uc_hook *h = uc_tracer_hooks(o->v->tracer, &n);

	for (size_t i = 0; i < n; i++) {
		if (!h[i].program)
			continue;
		snprintf(labels, sizeof(labels), "{hook=\"%s\",facts=\"%s\"}", h[i].section,
			 h[i].facts);
		count(o, labels, h[i].use == UC_HOOK_USED);
	}
}

static void lost_for(const struct out *o, const char *reason, uint64_t n)
{
	char labels[96];

	snprintf(labels, sizeof(labels), "{reason=\"%s\"}", reason);
	count(o, labels, n);
}

static void lost(const struct out *o)
{
	struct uc_losses losses = uc_tracer_losses(o->v->tracer);
	struct uc_totals totals = uc_engine_totals(o->v->engine);

	for (unsigned i = 0; i < UC_LOST_MAX; i++)
		lost_for(o, uc_lost_name(i), losses.by_reason[i]);
	lost_for(o, "bad_record", totals.bad_records);
	lost_for(o, "join_evicted", totals.evicted);
}

static void forgotten(const struct out *o)
{
	struct uc_totals totals = uc_engine_totals(o->v->engine);
	char labels[96];

	for (unsigned i = 0; i < UC_LIMIT_MAX; i++) {
		snprintf(labels, sizeof(labels), "{kind=\"%s\"}", uc_limit_name(i));
		count(o, labels, totals.forgotten[i]);
	}
}

static void adopted(const struct out *o)
{
	count(o, "", uc_tracer_adopted(o->v->tracer));
}

static void ring_size(const struct out *o)
{
	count(o, "", uc_tracer_ring_bytes(o->v->tracer));
}

static void ring_pending(const struct out *o)
{
	size_t bytes;

	if (!uc_tracer_ring_pending(o->v->tracer, &bytes))
		count(o, "", bytes);
}

static void run_time_of(void *ctx, const char *program, uint64_t runs, uint64_t ns)
{
	char labels[96];

	(void)runs;
	snprintf(labels, sizeof(labels), "{program=\"%s\"}", program);
	measure(ctx, labels, ns / 1e9);
}

static void run_time(const struct out *o)
{
	uc_tracer_each_program(o->v->tracer, run_time_of, (void *)o);
}

static void runs_of(void *ctx, const char *program, uint64_t runs, uint64_t ns)
{
	char labels[96];

	(void)ns;
	snprintf(labels, sizeof(labels), "{program=\"%s\"}", program);
	count(ctx, labels, runs);
}

static void runs(const struct out *o)
{
	uc_tracer_each_program(o->v->tracer, runs_of, (void *)o);
}

static void folded(const struct out *o)
{
	count(o, "", uc_tally_folded(o->v->tally));
}

/* --- of the alerts ------------------------------------------------------------------ */

static void alerts(const struct out *o)
{
	const struct uc_alerts *a = uc_alerting_alerts(o->v->alerting);
	char labels[UC_ALERT_NAME_LEN + 64];

	for (size_t i = 0; i < uc_alerts_rules(a); i++) {
		for (unsigned state = UC_ALERT_PENDING; state < UC_ALERT_STATE_MAX; state++) {
			snprintf(labels, sizeof(labels), "{rule=\"%s\",state=\"%s\"}",
				 uc_alerts_rule(a, i)->name, uc_alert_state_name(state));
			count(o, labels, uc_alerts_in_state(a, i, state));
		}
	}
}

static void alerts_folded(const struct out *o)
{
	count(o, "", uc_alerts_folded(uc_alerting_alerts(o->v->alerting)));
}

typedef uint64_t sink_count(const struct uc_delivery_stats *s);

static void by_sink(const struct out *o, sink_count *value)
{
	char labels[UC_SINK_NAME_LEN + 64];

	for (size_t i = 0; i < uc_alerting_sinks(o->v->alerting); i++) {
		struct uc_delivery *d = uc_alerting_sink_at(o->v->alerting, i);
		struct uc_delivery_stats s = uc_delivery_stats(d);

		snprintf(labels, sizeof(labels), "{sink=\"%s\"}", uc_delivery_config(d)->name);
		count(o, labels, value(&s));
	}
}

static uint64_t delivered_of(const struct uc_delivery_stats *s)
{
	return s->delivered;
}

static void sink_delivered(const struct out *o)
{
	by_sink(o, delivered_of);
}

static uint64_t failed_of(const struct uc_delivery_stats *s)
{
	return s->failed_attempts;
}

static void sink_failed(const struct out *o)
{
	by_sink(o, failed_of);
}

static uint64_t sink_waiting_of(const struct uc_delivery_stats *s)
{
	return s->backlog.waiting;
}

static void sink_waiting(const struct out *o)
{
	by_sink(o, sink_waiting_of);
}

static uint64_t spool_bytes_of(const struct uc_delivery_stats *s)
{
	return s->backlog.spool_bytes;
}

static void sink_spool(const struct out *o)
{
	by_sink(o, spool_bytes_of);
}

static void sink_dropped(const struct out *o)
{
	char labels[UC_SINK_NAME_LEN + 96];

	for (size_t i = 0; i < uc_alerting_sinks(o->v->alerting); i++) {
		struct uc_delivery *d = uc_alerting_sink_at(o->v->alerting, i);
		struct uc_delivery_stats s = uc_delivery_stats(d);

		for (unsigned why = 0; why < UC_DROP_MAX; why++) {
			snprintf(labels, sizeof(labels), "{sink=\"%s\",reason=\"%s\"}",
				 uc_delivery_config(d)->name, uc_drop_name(why));
			count(o, labels, s.backlog.dropped[why]);
		}
	}
}

static void sink_success(const struct out *o)
{
	for (size_t i = 0; i < uc_alerting_sinks(o->v->alerting); i++) {
		struct uc_delivery *d = uc_alerting_sink_at(o->v->alerting, i);

		fprintf(o->f, "%s{sink=\"%s\"} %.3f\n", o->name, uc_delivery_config(d)->name,
			uc_delivery_stats(d).last_success_wall_ns / 1e9);
	}
}

/* --- of the canaries ---------------------------------------------------------------- */

/* Every outcome from the start on, as with verdicts. */
static void canary_runs(const struct out *o)
{
	char labels[UC_CANARY_NAME_LEN + 96];

	for (size_t i = 0; i < uc_canary_watch_count(o->v->canaries); i++) {
		const struct uc_canary_state *s = uc_canary_watch_at(o->v->canaries, i);

		for (unsigned k = 0; k < UC_CANARY_OUTCOME_MAX; k++) {
			snprintf(labels, sizeof(labels), "{canary=\"%s\",outcome=\"%s\"}", s->name,
				 uc_canary_outcome_name(k));
			count(o, labels, s->by_outcome[k]);
		}
	}
}

typedef double canary_measure(const struct uc_canary_state *s);

/* runs_only: what had no run yet has no sample */
static void by_canary(const struct out *o, canary_measure *value, bool runs_only)
{
	char labels[UC_CANARY_NAME_LEN + 64];

	for (size_t i = 0; i < uc_canary_watch_count(o->v->canaries); i++) {
		const struct uc_canary_state *s = uc_canary_watch_at(o->v->canaries, i);

		if (runs_only && !s->last_wall_ns)
			continue;
		snprintf(labels, sizeof(labels), "{canary=\"%s\"}", s->name);
		fprintf(o->f, "%s%s %.12g\n", o->name, labels, value(s));
	}
}

static double canary_seconds_of(const struct uc_canary_state *s)
{
	return s->total_ns / 1e9;
}

static void canary_seconds(const struct out *o)
{
	by_canary(o, canary_seconds_of, false);
}

static double canary_last_of(const struct uc_canary_state *s)
{
	return s->last_ns / 1e9;
}

static void canary_last(const struct out *o)
{
	by_canary(o, canary_last_of, true);
}

static double canary_status_of(const struct uc_canary_state *s)
{
	return s->last_status;
}

static void canary_status(const struct out *o)
{
	by_canary(o, canary_status_of, true);
}

static double canary_up_of(const struct uc_canary_state *s)
{
	return s->last_outcome == UC_CANARY_ANSWERED;
}

static void canary_up(const struct out *o)
{
	by_canary(o, canary_up_of, true);
}

static double canary_answered_of(const struct uc_canary_state *s)
{
	return s->answered_wall_ns / 1e9;
}

static void canary_answered(const struct out *o)
{
	by_canary(o, canary_answered_of, false);
}

static void reload_ok(const struct out *o)
{
	count(o, "", o->v->reload_ok);
}

static void reload_time(const struct out *o)
{
	fprintf(o->f, "%s %.3f\n", o->name, o->v->reload_wall_ns / 1e9);
}

static void cpu(const struct out *o)
{
	measure(o, "", uc_process_self().cpu_seconds);
}

static void resident(const struct out *o)
{
	count(o, "", uc_process_self().resident_bytes);
}

static void virtual(const struct out *o)
{
	count(o, "", uc_process_self().virtual_bytes);
}

static void open_fds(const struct out *o)
{
	count(o, "", uc_process_self().open_fds);
}

static void max_fds(const struct out *o)
{
	count(o, "", uc_process_self().max_fds);
}

static void start_time(const struct out *o)
{
	fprintf(o->f, "%s %.2f\n", o->name, uc_process_self().start_seconds);
}

static const struct {
	const char *name;
	const char *type;
	const char *help;
	void (*write)(const struct out *o);
} metrics[] = {
	{ "upclose_connections_opened_total", "counter",
	  "Connections that nginx opened to the upstream, those found at the start included.",
	  opened },
	{ "upclose_connections_ended_total", "counter",
	  "Connections of nginx to the upstream that ended.", ended },
	{ "upclose_exchanges_total", "counter",
	  "Requests that nginx sent to the upstream, repeated ones included.", exchanges },
	{ "upclose_repeated_attempts_total", "counter",
	  "Attempts that nginx made at this upstream after one had failed, here or elsewhere.",
	  repeated },
	{ "upclose_flagged_connections_total", "counter",
	  "Connections that ended badly, by cause and by what it came to for nginx's client.",
	  flagged },
	{ "upclose_time_to_first_byte_seconds", "histogram",
	  "Time from a request's first send to its response's first byte.", first_byte },
	{ "upclose_idle_before_reuse_seconds", "histogram",
	  "Time that a connection was idle before nginx used it again.", idle },
	{ "upclose_learned_idle_timeout_seconds", "gauge",
	  "The upstream's idle timeout, learned from when it closed idle connections.",
	  idle_timeout },
	{ "upclose_open_connections", "gauge", "Open connections of nginx to the upstream.",
	  open_connections },
	{ "upclose_waiting_requests", "gauge",
	  "Requests in flight: sent, and not a byte has come back.", waiting },
	{ "upclose_longest_wait_seconds", "gauge",
	  "How long the oldest request in flight has been waiting.", longest_wait },
	{ "upclose_folded_connections_total", "counter",
	  "Connections counted under upstream=other for lack of room (metrics.max_upstreams).",
	  folded },
	{ "upclose_build_info", "gauge", "The version that runs.", build_info },
	{ "upclose_hook_attached", "gauge", "Whether the kernel hook is in use.", hook_attached },
	{ "upclose_lost_total", "counter", "What could not be kept, by reason.", lost },
	{ "upclose_forgotten_total", "counter",
	  "What was forgotten so that memory stays bounded, by kind; no verdict is wrong for it.",
	  forgotten },
	{ "upclose_adopted_connections_total", "counter",
	  "Connections that existed when upclose started.", adopted },
	{ "upclose_ring_size_bytes", "gauge", "Size of the ring between kernel and daemon.",
	  ring_size },
	{ "upclose_ring_pending_bytes", "gauge", "Bytes in the ring that were not read yet.",
	  ring_pending },
	{ "upclose_bpf_run_time_seconds_total", "counter",
	  "Time spent in the BPF program, where the kernel measures it.", run_time },
	{ "upclose_bpf_runs_total", "counter",
	  "Runs of the BPF program, where the kernel counts them.", runs },
	{ "upclose_alerts", "gauge", "Upstreams for which the rule is pending or firing.", alerts },
	{ "upclose_alerts_folded_total", "counter",
	  "Ends and counts of upstreams that a rule had no room for and took as upstream=other.",
	  alerts_folded },
	{ "upclose_sink_delivered_total", "counter",
	  "Alerts, resolutions and flagged connections that the sink took.", sink_delivered },
	{ "upclose_sink_failed_attempts_total", "counter",
	  "Attempts of delivery to the sink that failed.", sink_failed },
	{ "upclose_sink_dropped_total", "counter", "What the sink will never get, by reason.",
	  sink_dropped },
	{ "upclose_sink_waiting_documents", "gauge",
	  "What waits to be delivered, in memory and on disk.", sink_waiting },
	{ "upclose_sink_spool_bytes", "gauge", "Of it, bytes on disk.", sink_spool },
	{ "upclose_sink_last_success_timestamp_seconds", "gauge",
	  "When the sink took something last; 0: not yet.", sink_success },
	{ "upclose_canary_runs_total", "counter", "Requests of the canary, by outcome.",
	  canary_runs },
	{ "upclose_canary_run_seconds_total", "counter", "Time that they took, all together.",
	  canary_seconds },
	{ "upclose_canary_answered", "gauge",
	  "Whether the newest was answered with a status below 500.", canary_up },
	{ "upclose_canary_last_run_seconds", "gauge", "How long the newest took.", canary_last },
	{ "upclose_canary_last_status", "gauge", "Its status; 0: there was none.", canary_status },
	{ "upclose_canary_last_answered_timestamp_seconds", "gauge",
	  "When the newest began that was answered; 0: none was.", canary_answered },
	{ "upclose_config_last_reload_successful", "gauge",
	  "Whether the newest configuration was taken.", reload_ok },
	{ "upclose_config_last_reload_success_timestamp_seconds", "gauge",
	  "When the configuration in use was taken.", reload_time },
	{ "process_cpu_seconds_total", "counter", "User and system CPU time of the daemon.", cpu },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of the daemon.", resident },
	{ "process_virtual_memory_bytes", "gauge", "Virtual memory of the daemon.", virtual },
	{ "process_open_fds", "gauge", "Open file descriptors of the daemon.", open_fds },
	{ "process_max_fds", "gauge", "Limit of file descriptors of the daemon.", max_fds },
	{ "process_start_time_seconds", "gauge", "When the daemon started, since the epoch.",
	  start_time },
};

static void take_live(void *ctx, const struct uc_live *l)
{
	uc_tally_live(ctx, l);
}

void uc_view_refresh(struct uc_view *v)
{
	v->now_ns = uc_now_ns(CLOCK_MONOTONIC);
	uc_tally_live_begin(v->tally);
	v->walk_err = uc_tracer_each_live(v->tracer, take_live, v->tally);
}

char *uc_metrics_write(const struct uc_view *v, size_t *ret_len)
{
	char *text = NULL;
	struct out o = { .f = open_memstream(&text, ret_len), .v = v };

	if (!o.f)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		o.name = metrics[i].name;
		fprintf(o.f, "# HELP %s %s\n# TYPE %s %s\n", o.name, metrics[i].help, o.name,
			metrics[i].type);
		metrics[i].write(&o);
	}
	if (fclose(o.f)) {
		free(text);
		return NULL;
	}
	return text;
}
