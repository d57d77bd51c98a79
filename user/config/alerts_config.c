/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/alerts_config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define OPTIONAL CYAML_FLAG_OPTIONAL

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)
#define DAY    (24 * 60 * MINUTE)

/* --- schema ---------------------------------------------------------------------------- */

#define CHOICE(number, name, ...) { (name), 1 << (number) },

static const cyaml_strval_t verdicts[] = { UC_VERDICTS(CHOICE) };
static const cyaml_strval_t outcomes[] = { UC_OUTCOMES(CHOICE) };

static const cyaml_strval_t severities[] = {
	{ "info", UC_ALERT_INFO },
	{ "warning", UC_ALERT_WARNING },
	{ "critical", UC_ALERT_CRITICAL },
};
static_assert(ARRAY_SIZE(severities) == UC_ALERT_SEVERITIES, "each severity");

static const cyaml_schema_field_t rule_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_DEFAULT, struct uc_alert_rule_config, name, 1,
			       UC_ALERT_NAME_LEN - 1),
	CYAML_FIELD_FLAGS("verdicts", CYAML_FLAG_STRICT, struct uc_alert_rule_config, verdicts,
			  verdicts, CYAML_ARRAY_LEN(verdicts)),
	CYAML_FIELD_FLAGS("outcomes", OPTIONAL | CYAML_FLAG_STRICT, struct uc_alert_rule_config,
			  outcomes, outcomes, CYAML_ARRAY_LEN(outcomes)),
	CYAML_FIELD_STRING_PTR("upstream", OPTIONAL, struct uc_alert_rule_config, upstream, 1,
			       UC_ALERT_UPSTREAM_LEN - 1),
	CYAML_FIELD_UINT("count", OPTIONAL, struct uc_alert_rule_config, count),
	CYAML_FIELD_STRING_PTR("share", OPTIONAL, struct uc_alert_rule_config, share, 1, 16),
	CYAML_FIELD_STRING_PTR("window", OPTIONAL, struct uc_alert_rule_config, window, 1, 16),
	CYAML_FIELD_STRING_PTR("for", OPTIONAL, struct uc_alert_rule_config, hold, 1, 16),
	CYAML_FIELD_STRING_PTR("cooldown", OPTIONAL, struct uc_alert_rule_config, cooldown, 1, 16),
	CYAML_FIELD_STRING_PTR("repeat", OPTIONAL, struct uc_alert_rule_config, repeat, 1, 16),
	CYAML_FIELD_ENUM("severity", OPTIONAL | CYAML_FLAG_STRICT, struct uc_alert_rule_config,
			 severity, severities, CYAML_ARRAY_LEN(severities)),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_DEFAULT, struct uc_alert_rule_config, rule_fields) };

const cyaml_schema_field_t uc_alerts_fields[] = {
	CYAML_FIELD_STRING_PTR("instance", OPTIONAL, struct uc_alerts_config, instance, 1, 255),
	CYAML_FIELD_BOOL_PTR("defaults", OPTIONAL, struct uc_alerts_config, defaults),
	CYAML_FIELD_SEQUENCE("rules", OPTIONAL | CYAML_FLAG_POINTER, struct uc_alerts_config, rules,
			     &rule, 0, UC_ALERT_RULES_MAX - 16),
	CYAML_FIELD_END,
};

/* --- checks ---------------------------------------------------------------------------- */

struct check {
	struct uc_yaml *y;
	uint32_t index;
	char place[96];
};

static const char *at(struct check *c, const char *key)
{
	snprintf(c->place, sizeof(c->place), "alerts.rules[%u].%s", c->index, key);
	return c->place;
}

/* "1%", "0.25 %"; false where it is none. */
static bool parse_share(const char *text, uint32_t *ret_ppm)
{
	size_t digits = strspn(text, "0123456789"), fraction = 0;
	unsigned long ppm;

	if (!digits || digits > 3)
		return false;
	ppm = strtoul(text, NULL, 10) * 10000;
	text += digits;
	if (*text == '.') {
		static const unsigned long places[] = { 1000, 100, 10, 1 };

		fraction = strspn(++text, "0123456789");
		if (!fraction || fraction > ARRAY_SIZE(places))
			return false;
		for (size_t i = 0; i < fraction; i++)
			ppm += places[i] * (unsigned long)(text[i] - '0');
	}
	text += fraction;
	*ret_ppm = ppm;
	return !strcmp(text + strspn(text, " "), "%") && ppm && ppm <= 1000000;
}

static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || strchr("\"\\{}", *name))
			return false;
	return true;
}

/* The core's rule of an entry. */
static struct uc_alert_rule rule_of(struct check *c, const struct uc_alert_rule_config *r)
{
	struct uc_alert_rule ret = { .verdicts = r->verdicts,
				     .outcomes = r->outcomes,
				     .severity = r->severity };

	if (!uc_yaml_has(c->y, at(c, "severity")))
		ret.severity = UC_ALERT_WARNING;
	strncpy(ret.name, r->name, sizeof(ret.name) - 1);
	if (r->upstream)
		strncpy(ret.upstream, r->upstream, sizeof(ret.upstream) - 1);
	ret.count = uc_yaml_number(c->y, at(c, "count"), r->count, 1, 1, 1000000000);
	ret.window_ns = uc_yaml_duration(c->y, at(c, "window"), r->window, 5 * MINUTE,
					 UC_ALERT_WINDOW_MIN_NS, DAY);
	ret.hold_ns = uc_yaml_duration(c->y, at(c, "for"), r->hold, 0, 0, DAY);
	ret.cooldown_ns = uc_yaml_duration(c->y, at(c, "cooldown"), r->cooldown, 5 * MINUTE, 0,
					   30 * DAY);
	ret.repeat_ns = uc_yaml_duration(c->y, at(c, "repeat"), r->repeat, 240 * MINUTE, 0,
					 30 * DAY);
	if (r->share && !parse_share(r->share, &ret.share_ppm))
		uc_yaml_fault(c->y, at(c, "share"),
			      "'%s' is not valid: a share of the exchanges, 0.0001%% to 100%%",
			      r->share);
	return ret;
}

static void check_rule(struct check *c, struct uc_alerts_config *a)
{
	const struct uc_alert_rule_config *r = &a->rules[c->index];
	struct uc_alert_rule made = rule_of(c, r);

	if (!is_plain(r->name))
		uc_yaml_fault(
			c->y, at(c, "name"),
			"a name has no spaces, quotes, braces or other than ASCII characters");
	if (!r->verdicts)
		uc_yaml_fault(c->y, at(c, "verdicts"), "is empty: name at least one verdict");
	for (size_t i = 0; i < a->all_count; i++)
		if (!strcmp(a->all[i].name, r->name))
			uc_yaml_fault(c->y, at(c, "name"), "'%s' is the name of another rule%s",
				      r->name,
				      i < uc_alert_default_count && (!a->defaults || *a->defaults) ?
					      ", one of the defaults" :
					      "");
	a->all[a->all_count++] = made;
}

int uc_alerts_check(struct uc_alerts_config *a, struct uc_yaml *y)
{
	struct check c = { .y = y };

	static_assert(UC_ALERT_RULES_MAX >= 48 + 16, "room for the defaults");
	if (!a->defaults || *a->defaults)
		for (size_t i = 0; i < uc_alert_default_count; i++)
			a->all[a->all_count++] = uc_alert_defaults[i];
	for (c.index = 0; c.index < a->rules_count; c.index++)
		check_rule(&c, a);
	if (a->instance && !is_plain(a->instance))
		uc_yaml_fault(y, "alerts.instance", "a name without spaces, quotes and braces");
	return 0;
}
