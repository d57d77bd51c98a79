/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/alerting.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "alert/alert_text.h"
#include "alert/sender.h"
#include "alert/firing.h"
#include "base/json_value.h"
#include "output/json.h"
#include "base/log.h"
#include "base/text.h"

#define SECOND 1000000000ULL
/* The counts of exchanges are fetched that often. */
#define COUNTS_NS SECOND
/* What fires and could not be written is written again after so long. */
#define SAVE_AGAIN_NS 5000000000ULL
/* Alerts that are remembered over a restart. */
#define RESTORED 1024

/* The exchanges of an upstream that the rules know of. */
struct counted {
	uint8_t addr[16];
	uint16_t port;
	uint64_t exchanges;
};

struct sink {
	struct uc_delivery *delivery;
	uint64_t resend_ns; /* when what fires is due again; UINT64_MAX: never */
};

struct uc_alerting {
	struct uc_output engine_output; /* first: it is what the engine hands back */
	struct uc_alerts *alerts;
	char instance[256];
	json_t *labels; /* NULL: none */
	char state_directory[PATH_MAX];
	struct sink sinks[UC_SINKS_MAX];
	size_t sink_count;
	bool unsaved, save_failed; /* what fires */
	uint64_t save_due_ns;      /* after a failure */
	bool shares;               /* a rule wants counts */
	uint64_t counts_due_ns;
	bool counted_before;
	struct counted counted[UC_LIVE_SLOTS];
	size_t counted_count, counted_at;
};

static int64_t wall_offset(void)
{
	return (int64_t)(uc_now_ns(CLOCK_REALTIME) - uc_now_ns(CLOCK_MONOTONIC));
}

static const struct uc_sender *sender_of(const struct sink *s)
{
	return &uc_senders[uc_delivery_config(s->delivery)->type];
}

/* --- documents ---------------------------------------------------------------------------- */

static bool wants(const struct sink *s, const struct uc_alert *alert)
{
	if (alert->rule->severity < uc_delivery_config(s->delivery)->min_severity)
		return false;
	/* what fires is sent there again anyway */
	return alert->change != UC_ALERT_REPEATS || !sender_of(s)->resends;
}

/* In the daemon's own log, wherever else it goes. */
static void say(const struct uc_alert *alert)
{
	char summary[1024];

	if (alert->change == UC_ALERT_REPEATS)
		return;
	uc_alert_summary(alert, summary, sizeof(summary));
	uc_note("alert %s %s: %s", alert->rule->name,
		alert->change == UC_ALERT_RESOLVES ? "resolved" : "firing", summary);
}

static char *document(const struct uc_alerting *a, const struct uc_alert *alert)
{
	struct uc_alert_place place = { .instance = a->instance,
					.wall_offset_ns = wall_offset(),
					.labels = a->labels };
	json_t *doc = uc_alert_document(alert, &place);
	char *text = doc ? json_dumps(doc, UC_JSON_DUMP) : NULL;

	json_decref(doc);
	if (!text)
		uc_error("out of memory: an alert is lost");
	return text;
}

static void send_alert(struct uc_alerting *a, const struct uc_alert *alert)
{
	char *text = document(a, alert);

	a->unsaved |= alert->change != UC_ALERT_REPEATS;
	say(alert);
	for (size_t i = 0; text && i < a->sink_count; i++)
		if (wants(&a->sinks[i], alert))
			uc_delivery_post(a->sinks[i].delivery, text, true);
	free(text);
}

/* --- connections ----------------------------------------------------------------------------- */

static bool anyone_takes_connections(const struct uc_alerting *a)
{
	for (size_t i = 0; i < a->sink_count; i++)
		if (sender_of(&a->sinks[i])->connections)
			return true;
	return false;
}

static void send_connection(struct uc_alerting *a, const char *text)
{
	for (size_t i = 0; i < a->sink_count; i++)
		if (sender_of(&a->sinks[i])->connections)
			uc_delivery_post(a->sinks[i].delivery, text, false);
}

static int on_connection(struct uc_output *sink, const struct uc_judged *r)
{
	struct uc_alerting *a = (struct uc_alerting *)sink;
	const struct uc_tuple *t = &r->facts->nginx->tuple;
	char upstream[UC_ADDR_LEN], *text;
	struct uc_alert_end end = { .upstream = upstream,
				    .verdict = r->verdict.id,
				    .outcome = r->outcome.id,
				    .confidence = r->verdict.confidence,
				    .time_ns = r->facts->end_ns };
	bool example, leaves = r->verdict.flagged && anyone_takes_connections(a);
	json_t *o;

	uc_text_endpoint(t->remote_addr, t->family, t->remote_port, upstream);
	example = uc_alerts_note(a->alerts, &end, uc_now_ns(CLOCK_MONOTONIC));
	if (!example && !leaves)
		return 0;
	o = uc_json_connection(r);
	json_object_set_new(o, "instance", json_string(a->instance));
	if (a->labels)
		json_object_set(o, "labels", a->labels);
	text = json_dumps(o, UC_JSON_DUMP);
	json_decref(o);
	if (text && example)
		uc_alerts_example(a->alerts, text);
	if (text && leaves)
		send_connection(a, text);
	free(text);
	return 0;
}

static int on_summary(struct uc_output *sink, const struct uc_totals *t)
{
	(void)sink;
	(void)t;
	return 0;
}

/* --- counts ------------------------------------------------------------------------------------ */

static struct counted *counted_of(struct uc_alerting *a, const struct uc_live *l)
{
	struct counted *c;

	/* they come in the same order each time: the next one is behind the one before */
	for (size_t n = 0; n < a->counted_count; n++) {
		c = &a->counted[a->counted_at++ % a->counted_count];
		if (c->port == l->port && !memcmp(c->addr, l->addr, sizeof(c->addr)))
			return c;
	}
	if (a->counted_count == UC_LIVE_SLOTS)
		return NULL;
	c = &a->counted[a->counted_count++];
	memcpy(c->addr, l->addr, sizeof(c->addr));
	c->port = l->port;
	return c;
}

void uc_alerting_live(void *ctx, const struct uc_live *l)
{
	struct uc_alerting *a = ctx;
	struct counted *c = counted_of(a, l);
	uint64_t exchanges = l->exchanges, more;
	char upstream[UC_ADDR_LEN] = UC_ALERT_OTHER;

	if (!c)
		return;
	more = exchanges - c->exchanges;
	c->exchanges = exchanges;
	if (l->port)
		uc_text_endpoint(l->addr, 0, l->port, upstream);
	/* the first look is at all that was before */
	if (a->counted_before)
		uc_alerts_exchanges(a->alerts, upstream, more, uc_now_ns(CLOCK_MONOTONIC));
}

bool uc_alerting_wants_counts(const struct uc_alerting *a, uint64_t mono_ns)
{
	return a->shares && mono_ns >= a->counts_due_ns;
}

/* --- time ----------------------------------------------------------------------------------------- */

/* All that fires, for a sink that forgets it otherwise; not while it lags behind. */
static void resend(struct uc_alerting *a, struct sink *s, uint64_t mono_ns)
{
	uint64_t pause = uc_delivery_config(s->delivery)->resend_ns;
	struct uc_alert alert;
	size_t at = 0;
	char *text;

	s->resend_ns = mono_ns + pause;
	if (uc_delivery_stats(s->delivery).backlog.waiting)
		return;
	while (uc_alerts_active(a->alerts, &at, &alert)) {
		if (alert.state != UC_ALERT_FIRING || mono_ns - alert.fired_ns < pause / 2)
			continue;
		alert.change = UC_ALERT_FIRES;
		if (!wants(s, &alert))
			continue;
		text = document(a, &alert);
		if (text)
			uc_delivery_post(s->delivery, text, false);
		free(text);
	}
}

static void save(struct uc_alerting *a, uint64_t mono_ns)
{
	int err = uc_firing_save(a->state_directory, a->alerts);

	if (err && !a->save_failed)
		uc_error("cannot keep in %s what fires: %s; after a restart it is forgotten",
			 a->state_directory, strerror(-err));
	a->unsaved = a->save_failed = err;
	a->save_due_ns = mono_ns + SAVE_AGAIN_NS;
}

void uc_alerting_tick(struct uc_alerting *a, uint64_t mono_ns)
{
	struct uc_alert alert;

	if (uc_alerting_wants_counts(a, mono_ns)) {
		a->counted_before = true;
		a->counts_due_ns = mono_ns + COUNTS_NS;
	}
	while (uc_alerts_step(a->alerts, mono_ns, uc_now_ns(CLOCK_REALTIME), &alert)) {
		if (alert.change == UC_ALERT_PENDS || alert.change == UC_ALERT_DROPS)
			continue;
		send_alert(a, &alert);
	}
	if (a->unsaved && (!a->save_failed || mono_ns >= a->save_due_ns))
		save(a, mono_ns);
	for (size_t i = 0; i < a->sink_count; i++)
		if (mono_ns >= a->sinks[i].resend_ns)
			resend(a, &a->sinks[i], mono_ns);
}

uint64_t uc_alerting_deadline(const struct uc_alerting *a)
{
	uint64_t due = uc_alerts_deadline(a->alerts);

	for (size_t i = 0; i < a->sink_count; i++)
		if (a->sinks[i].resend_ns < due)
			due = a->sinks[i].resend_ns;
	if (a->shares && a->counts_due_ns < due)
		due = a->counts_due_ns;
	return due;
}

/* --- configuration ------------------------------------------------------------------------------------ */

static void name_instance(struct uc_alerting *a, const char *configured)
{
	char host[HOST_NAME_MAX + 1] = "";

	if (!configured && gethostname(host, sizeof(host) - 1))
		strcpy(host, "unknown");
	uc_text_escape(configured ? configured : host, strlen(configured ? configured : host),
		       a->instance, sizeof(a->instance));
}

static void take_labels(struct uc_alerting *a, const struct uc_config *cfg)
{
	json_decref(a->labels);
	a->labels = uc_alert_labels(cfg->labels, cfg->labels_count);
}

static void take_rules(struct uc_alerting *a, const struct uc_alerts_config *cfg)
{
	uint32_t verdicts = 0;

	a->shares = false;
	for (size_t i = 0; i < cfg->all_count; i++) {
		a->shares |= cfg->all[i].share_ppm;
		verdicts |= cfg->all[i].verdicts;
	}
	a->engine_output.all = false;
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (verdicts & UC_ALERT_VERDICT(v) && !uc_verdict_flagged(v))
			a->engine_output.all = true;
	name_instance(a, cfg->instance);
}

/* The running sink of this configuration, taken out of the old ones; NULL: there is none. */
static struct uc_delivery *take_over(struct uc_alerting *a, const struct uc_sink_config *cfg)
{
	for (size_t i = 0; i < a->sink_count; i++) {
		struct uc_delivery *d = a->sinks[i].delivery;

		if (!d || !uc_sink_config_same(uc_delivery_config(d), cfg))
			continue;
		a->sinks[i].delivery = NULL;
		return d;
	}
	return NULL;
}

static void end_sinks(struct uc_alerting *a, uint64_t patience_ns)
{
	for (size_t i = 0; i < a->sink_count; i++)
		if (a->sinks[i].delivery)
			uc_delivery_stop(a->sinks[i].delivery, patience_ns);
	for (size_t i = 0; i < a->sink_count; i++)
		uc_delivery_free(a->sinks[i].delivery);
	a->sink_count = 0;
}

/* Those that go on, then the end of the others, then the new ones: two of one name share a spool. */
static int take_sinks(struct uc_alerting *a, const struct uc_config *cfg)
{
	struct sink next[UC_SINKS_MAX] = { 0 };
	int err, first_err = 0;

	for (uint32_t i = 0; i < cfg->sinks_count; i++)
		next[i].delivery = take_over(a, &cfg->sinks[i]);
	end_sinks(a, 0);
	for (uint32_t i = 0; i < cfg->sinks_count; i++) {
		struct sink *s = &a->sinks[a->sink_count];

		err = next[i].delivery ? 0 :
					 uc_delivery_new(&cfg->sinks[i], a->state_directory,
							 &next[i].delivery);
		first_err = first_err ? first_err : err;
		if (err)
			continue;
		*s = next[i];
		s->resend_ns = sender_of(s)->resends ?
				       uc_now_ns(CLOCK_MONOTONIC) + cfg->sinks[i].resend_ns :
				       UINT64_MAX;
		a->sink_count++;
	}
	return first_err;
}

int uc_alerting_new(const struct uc_config *cfg, struct uc_alerting **ret)
{
	struct uc_alerting *a = calloc(1, sizeof(*a));
	int err = a ? uc_alerts_new(cfg->alerts->all, cfg->alerts->all_count, &a->alerts) : -ENOMEM;

	if (err || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		uc_error("out of memory");
		free(a);
		return -ENOMEM;
	}
	a->engine_output = (struct uc_output){ .connection = on_connection, .summary = on_summary };
	strncpy(a->state_directory, cfg->state_directory, sizeof(a->state_directory) - 1);
	take_rules(a, cfg->alerts);
	take_labels(a, cfg);
	*ret = a;
	return 0;
}

/* What fires by a rule that is no more is over. */
static void withdraw(struct uc_alerting *a, const struct uc_firing *f, uint64_t mono_ns)
{
	const struct uc_alert alert = { .rule = &f->rule,
					.upstream = f->upstream,
					.change = UC_ALERT_RESOLVES,
					.withdrawn = true,
					.fired_ns = mono_ns,
					.fired_wall_ns = f->fired_wall_ns,
					.now_ns = mono_ns,
					.first_ns = mono_ns,
					.last_ns = mono_ns };

	send_alert(a, &alert);
}

static void restore(struct uc_alerting *a)
{
	struct uc_firing *was = calloc(RESTORED, sizeof(*was));
	size_t count = was ? uc_firing_load(a->state_directory, was, RESTORED) : 0;
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < count; i++)
		if (!uc_alerts_restore(a->alerts, was[i].rule.name, was[i].upstream,
				       was[i].fired_wall_ns, now))
			withdraw(a, &was[i], now);
	if (count)
		uc_note("%zu alerts fired when upclose ended; they end when their rule says so",
			count);
	free(was);
}

int uc_alerting_start(struct uc_alerting *a, const struct uc_config *cfg)
{
	int err = take_sinks(a, cfg);

	if (!err)
		restore(a);
	return err;
}

void uc_alerting_free(struct uc_alerting *a, uint64_t patience_ns)
{
	if (!a)
		return;
	end_sinks(a, patience_ns);
	json_decref(a->labels);
	uc_alerts_free(a->alerts);
	free(a);
}

int uc_alerting_reload(struct uc_alerting *a, const struct uc_config *cfg)
{
	int err = uc_alerts_replace(a->alerts, cfg->alerts->all, cfg->alerts->all_count);

	if (err) {
		uc_error("out of memory");
		return err;
	}
	/* what the old rules have to say goes to the old sinks */
	uc_alerting_tick(a, uc_now_ns(CLOCK_MONOTONIC));
	take_rules(a, cfg->alerts);
	take_labels(a, cfg);
	/* a sink that cannot begin was spoken of, and is no reason to keep the others back */
	take_sinks(a, cfg);
	return 0;
}

struct uc_output *uc_alerting_output(struct uc_alerting *a)
{
	return &a->engine_output;
}

const struct uc_alerts *uc_alerting_alerts(const struct uc_alerting *a)
{
	return a->alerts;
}

size_t uc_alerting_sinks(const struct uc_alerting *a)
{
	return a->sink_count;
}

struct uc_delivery *uc_alerting_sink_at(const struct uc_alerting *a, size_t i)
{
	return a->sinks[i].delivery;
}
