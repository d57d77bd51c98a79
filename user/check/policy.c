/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/yaml.h"
#include "base/log.h"

#define FILE_MAX (1 << 20)
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define SECTION  (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL)
#define LONGEST  (365 * 86400 * 1000000000ULL)

struct require {
	char *upstream_keepalive_timeout_max, *read_timeout_max, *read_timeout_min,
		*connect_timeout_max;
	uint32_t attempts_max; /* 0: not required */
	bool upstream_idle_known;
};

struct accept {
	char *rule, *upstream, *file, *reason, *until;
};

struct text {
	struct require *require;
	struct accept *accept;
	uint32_t accept_count;
	enum uc_severity fail_on;
};

struct uc_policy {
	struct text *text; /* NULL: an empty file */
	struct uc_requirements require;
	enum uc_severity fail_on;
	char *bytes;
};

#define DURATION(name) CYAML_FIELD_STRING_PTR(#name, OPTIONAL, struct require, name, 1, 32)
static const cyaml_schema_field_t require_fields[] = {
	DURATION(upstream_keepalive_timeout_max),
	DURATION(read_timeout_max),
	DURATION(read_timeout_min),
	DURATION(connect_timeout_max),
	CYAML_FIELD_UINT("attempts_max", OPTIONAL, struct require, attempts_max),
	CYAML_FIELD_BOOL("upstream_idle_known", OPTIONAL, struct require, upstream_idle_known),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t accept_fields[] = {
	CYAML_FIELD_STRING_PTR("rule", CYAML_FLAG_DEFAULT, struct accept, rule, 1, 64),
	CYAML_FIELD_STRING_PTR("upstream", OPTIONAL, struct accept, upstream, 1, 255),
	CYAML_FIELD_STRING_PTR("file", OPTIONAL, struct accept, file, 1, 4095),
	CYAML_FIELD_STRING_PTR("reason", CYAML_FLAG_DEFAULT, struct accept, reason, 1, 400),
	CYAML_FIELD_STRING_PTR("until", CYAML_FLAG_DEFAULT, struct accept, until, 10, 10),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t accept_value = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_DEFAULT, struct accept, accept_fields) };

static const cyaml_strval_t severities[] = {
	{ "note", UC_SEVERITY_NOTE },
	{ "warning", UC_SEVERITY_WARNING },
	{ "error", UC_SEVERITY_ERROR },
};

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_MAPPING_PTR("require", SECTION, struct text, require, require_fields),
	CYAML_FIELD_SEQUENCE("accept", OPTIONAL | CYAML_FLAG_POINTER, struct text, accept,
			     &accept_value, 0, 1000),
	CYAML_FIELD_ENUM("fail_on", OPTIONAL | CYAML_FLAG_STRICT, struct text, fail_on, severities,
			 CYAML_ARRAY_LEN(severities)),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct text,
								 fields) };

/* --- checks ---------------------------------------------------------------------------- */

static int64_t duration(struct uc_yaml *y, const char *name, const char *text)
{
	char place[80];

	snprintf(place, sizeof(place), "require.%s", name);
	return text ? (int64_t)(uc_yaml_duration(y, place, text, 0, 1000000, LONGEST) / 1000000) :
		      -1;
}

/* "2026-11-22", so that days compare as text. */
static bool is_day(const char *s)
{
	unsigned month, day;

	for (unsigned i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? s[i] != '-' : s[i] < '0' || s[i] > '9')
			return false;
	month = (s[5] - '0') * 10 + s[6] - '0';
	day = (s[8] - '0') * 10 + s[9] - '0';
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static void check_accept(struct uc_yaml *y, const struct accept *a, uint32_t i)
{
	char place[64];

	snprintf(place, sizeof(place), "accept[%u].rule", i);
	if (!uc_rules_find(a->rule))
		uc_yaml_fault(y, place, "'%s' is no rule; upclose-check(8) lists them", a->rule);
	snprintf(place, sizeof(place), "accept[%u].until", i);
	if (strlen(a->until) != 10 || !is_day(a->until))
		uc_yaml_fault(y, place, "'%s' is no day: write it as 2026-12-31", a->until);
}

static void take(struct uc_policy *p, struct uc_yaml *y)
{
	const struct require *q = p->text ? p->text->require : NULL;

	p->require = (struct uc_requirements){ -1, -1, -1, -1, -1, false };
	p->fail_on = p->text && uc_yaml_has(y, "fail_on") ? p->text->fail_on : UC_SEVERITY_WARNING;
	if (q) {
		p->require.upstream_keepalive_timeout_max = duration(
			y, "upstream_keepalive_timeout_max", q->upstream_keepalive_timeout_max);
		p->require.read_timeout_max = duration(y, "read_timeout_max", q->read_timeout_max);
		p->require.read_timeout_min = duration(y, "read_timeout_min", q->read_timeout_min);
		p->require.connect_timeout_max = duration(y, "connect_timeout_max",
							  q->connect_timeout_max);
		p->require.attempts_max = q->attempts_max ? (int64_t)q->attempts_max : -1;
		p->require.upstream_idle_known = q->upstream_idle_known;
	}
	for (uint32_t i = 0; p->text && i < p->text->accept_count; i++)
		check_accept(y, &p->text->accept[i], i);
}

static int load(const char *path, size_t len, struct uc_policy *p)
{
	struct uc_yaml *y;
	void *text = NULL;
	int err = uc_yaml_new(path, p->bytes, len, &y);

	if (err)
		return err;
	uc_yaml_check(y, &schema);
	if (!uc_yaml_faults(y))
		err = uc_yaml_load(y, &schema, &text);
	p->text = text;
	if (!err && !uc_yaml_faults(y))
		take(p, y);
	if (!err && uc_yaml_faults(y))
		err = -EBADMSG;
	uc_yaml_free(y);
	return err;
}

int uc_policy_read(const char *path, struct uc_policy **ret)
{
	struct uc_policy *p = calloc(1, sizeof(*p));
	size_t len = 0;
	int err = p ? uc_file_read(path, FILE_MAX, &p->bytes, &len) : -ENOMEM;

	if (err)
		uc_error("%s: %s", path, strerror(-err));
	else
		err = load(path, len, p);
	if (err) {
		uc_policy_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void uc_policy_free(struct uc_policy *p)
{
	if (!p)
		return;
	if (p->text)
		cyaml_free(&uc_yaml_cyaml, &schema, p->text, 0);
	free(p->bytes);
	free(p);
}

struct uc_requirements uc_policy_requirements(const struct uc_policy *p)
{
	return p->require;
}

enum uc_severity uc_policy_fail_on(const struct uc_policy *p)
{
	return p->fail_on;
}

/* --- acceptances ------------------------------------------------------------------------- */

static bool is_end_of(const char *end, const char *path)
{
	size_t n = strlen(end), len = strlen(path);

	return n <= len && !strcmp(path + len - n, end) &&
	       (n == len || end[0] == '/' || path[len - n - 1] == '/');
}

/* An upstream by its address, or by its group's name. */
static bool is_upstream(const char *name, const struct uc_finding *f)
{
	const struct uc_nginx_group *g = f->place ? f->place->group : NULL;
	char addr[UC_TIMEOUTS_ADDR] = "";

	if (f->server)
		uc_timeouts_addr(f->server, addr);
	return !strcmp(name, addr) || (g && uc_nginx_word_is(&g->name, name));
}

static bool covers(const struct accept *a, const struct uc_nginx_conf *conf,
		   const struct uc_finding *f)
{
	return !strcmp(a->rule, f->rule->id) &&
	       (!a->file || is_end_of(a->file, uc_nginx_conf_file(conf, f->at->file)->path)) &&
	       (!a->upstream || is_upstream(a->upstream, f));
}

void uc_policy_accept(const struct uc_policy *p, const struct uc_nginx_conf *conf,
		      struct uc_finding *findings, size_t count, const char *today)
{
	for (uint32_t i = 0; p->text && i < p->text->accept_count; i++) {
		const struct accept *a = &p->text->accept[i];
		size_t fit = 0;

		for (size_t k = 0; k < count; k++) {
			if (!covers(a, conf, &findings[k]))
				continue;
			fit++;
			if (strcmp(today, a->until) <= 0)
				findings[k].accepted = a->reason;
			else if (!findings[k].accepted)
				findings[k].expired = a->until;
		}
		if (!fit)
			uc_note("policy: accept[%u] (%s) matches no finding; remove it", i,
				a->rule);
	}
	for (size_t k = 0; k < count; k++)
		if (findings[k].accepted)
			findings[k].expired = NULL;
}
