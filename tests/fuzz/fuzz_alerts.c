/* SPDX-License-Identifier: BSD-2-Clause */
/* Events, time and reloads in any order: each alert fires, then is resolved, and all of it ends. */
#include <stdlib.h>
#include <string.h>

#include "core/alerts.h"

#define MS 1000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p, *end;
};

static unsigned take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static void check(int ok)
{
	if (!ok)
		abort();
}

static struct uc_alert_rule rule_of(struct input *in)
{
	static const char *const globs[] = { "", "*", "1*", "?:*", "[*]:?", "nobody" };
	struct uc_alert_rule r = { .window_ns = UC_ALERT_WINDOW_MIN_NS };

	r.name[0] = 'a' + take(in) % 4;
	strcpy(r.upstream, globs[take(in) % 6]);
	r.verdicts = 1 + take(in) * 256 + take(in);
	r.outcomes = take(in) % 8;
	r.share_ppm = take(in) * 10000;
	r.severity = take(in) % UC_ALERT_SEVERITIES;
	r.count = take(in) % 8;
	r.window_ns += take(in) * 700 * MS;
	r.hold_ns = take(in) * 100 * MS;
	r.cooldown_ns = take(in) * 100 * MS;
	r.repeat_ns = take(in) * 100 * MS;
	return r;
}

static size_t rules_of(struct input *in, struct uc_alert_rule rules[4])
{
	size_t count = take(in) % 5;

	for (size_t i = 0; i < count; i++)
		rules[i] = rule_of(in);
	return count;
}

static void step_all(struct uc_alerts *a, uint64_t now)
{
	struct uc_alert alert;
	unsigned changes = 0;

	while (uc_alerts_step(a, now, now, &alert)) {
		check(++changes <= 16 * (UC_ALERT_UPSTREAMS + 1));
		check(strlen(alert.upstream) < UC_ALERT_UPSTREAM_LEN);
		check((alert.change == UC_ALERT_FIRES || alert.change == UC_ALERT_REPEATS) ==
		      (alert.state == UC_ALERT_FIRING));
		check((alert.change == UC_ALERT_PENDS) == (alert.state == UC_ALERT_PENDING));
		check(!alert.withdrawn || alert.change == UC_ALERT_RESOLVES);
		check(alert.total >= alert.matched);
		check(!alert.example || !strcmp(alert.example, "example"));
		if (alert.change == UC_ALERT_FIRES)
			check(alert.matched >= alert.rule->count && alert.matched &&
			      alert.fired_ns - alert.since_ns >= alert.rule->hold_ns);
	}
	check(uc_alerts_deadline(a) > now || uc_alerts_deadline(a) == UINT64_MAX ||
	      now > INT64_MAX);
}

static void event(struct uc_alerts *a, struct input *in, uint64_t now)
{
	char upstream[8] = { take(in) % 160 + 1, ':', '1' };
	struct uc_alert_end end = { .upstream = upstream,
				    .verdict = take(in) % (UC_VERDICT_MAX + 1),
				    .outcome = take(in) % (UC_OUTCOME_MAX + 1),
				    .confidence = take(in) % UC_CONFIDENCE_MAX };

	end.time_ns = now - take(in) * 20 * MS;
	if (uc_alerts_note(a, &end, now))
		uc_alerts_example(a, "example");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct uc_alert_rule rules[4];
	struct uc_alerts *a = NULL;
	struct uc_alert active;
	uint64_t now = 1ULL << 40;
	size_t at = 0;
	char upstream[8] = { 0, ':', '1' };

	if (uc_alerts_new(rules, rules_of(&in, rules), &a))
		return 0;
	while (in.p < in.end) {
		switch (take(&in) % 8) {
		case 0:
		case 1:
		case 2:
			event(a, &in, now);
			break;
		case 3:
			upstream[0] = take(&in) % 160 + 1;
			uc_alerts_exchanges(a, upstream, take(&in), now);
			break;
		case 4:
			now += take(&in) * 10 * MS;
			step_all(a, now);
			break;
		case 5:
			now += (uint64_t)take(&in) << take(&in) % 40;
			break;
		case 6:
			upstream[0] = take(&in) % 160 + 1;
			uc_alerts_restore(a, (char[]){ 'a' + take(&in) % 4, 0 }, upstream, now,
					  now);
			break;
		default:
			uc_alerts_replace(a, rules, rules_of(&in, rules));
		}
	}
	step_all(a, now);
	while (uc_alerts_active(a, &at, &active))
		check(active.state != UC_ALERT_INACTIVE);
	uc_alerts_free(a);
	return 0;
}
