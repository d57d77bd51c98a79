/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/incident.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *uc_incident_text(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

uint64_t uc_incident_number(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));

	return n > 0 ? (uint64_t)n : 0;
}

static void copy(char *buf, size_t size, const char *text)
{
	snprintf(buf, size, "%s", text);
}

static struct uc_incident_cause *cause_of(struct uc_incident *i, const char *verdict,
					  const char *proof)
{
	struct uc_incident_cause *c;

	for (size_t k = 0; k < i->causes; k++)
		if (!strncmp(i->cause[k].verdict, verdict, sizeof(c->verdict) - 1) &&
		    !strncmp(i->cause[k].proof, proof, sizeof(c->proof) - 1))
			return &i->cause[k];
	if (i->causes == UC_INCIDENT_CAUSES)
		return &i->cause[UC_INCIDENT_CAUSES - 1];
	c = &i->cause[i->causes++];
	copy(c->verdict, sizeof(c->verdict), verdict);
	copy(c->proof, sizeof(c->proof), proof);
	return c;
}

/* The address of this upstream, NULL where there is no room for one more. */
static struct uc_incident_address *address_of(struct uc_incident_cause *c, const json_t *upstream)
{
	const char *addr = uc_incident_text(upstream, "addr");
	struct uc_incident_address *a;
	char text[sizeof(a->text)];

	snprintf(text, sizeof(text), strchr(addr, ':') ? "[%.60s]:%u" : "%.60s:%u", addr,
		 (unsigned)(uc_incident_number(upstream, "port") & 0xffff));
	for (size_t k = 0; k < c->addresses; k++)
		if (!strcmp(c->at[k].text, text))
			return &c->at[k];
	if (c->addresses == UC_INCIDENT_ADDRESSES)
		return NULL;
	a = &c->at[c->addresses++];
	copy(a->text, sizeof(a->text), text);
	return a;
}

static bool is_proven(const json_t *o)
{
	return !strcmp(uc_incident_text(o, "confidence"), "proven");
}

/* Proven, and a timeline that is whole. */
static unsigned worth(const json_t *o)
{
	return 2 * is_proven(o) + json_is_false(json_object_get(o, "timeline_cut"));
}

static void keep(json_t **kept, json_t *o)
{
	json_decref(*kept);
	*kept = json_incref(o);
}

static void count_address(struct uc_incident_cause *c, json_t *o)
{
	struct uc_incident_address *a = address_of(c, json_object_get(o, "upstream"));

	if (!a)
		return;
	a->count++;
	keep(&a->newest, o);
}

static void add_connection(struct uc_incident *i, json_t *o)
{
	const char *outcome = uc_incident_text(o, "outcome"), *time = uc_incident_text(o, "time");
	struct uc_incident_cause *c;

	if (!json_is_true(json_object_get(o, "flagged"))) {
		i->healthy++;
		return;
	}
	i->flagged++;
	if (!*i->first || strcmp(time, i->first) < 0)
		copy(i->first, sizeof(i->first), time);
	if (strcmp(time, i->last) > 0)
		copy(i->last, sizeof(i->last), time);
	c = cause_of(i, uc_incident_text(o, "verdict"), uc_incident_text(o, "proof"));
	c->count++;
	c->proven += is_proven(o);
	c->retried += !strcmp(outcome, "retried");
	c->client_errors += !strcmp(outcome, "client_error");
	count_address(c, o);
	if (!c->example || worth(o) > worth(c->example))
		keep(&c->example, o);
}

int uc_incident_add(struct uc_incident *i, json_t *o)
{
	const char *kind = uc_incident_text(o, "kind");

	if (!json_is_object(o) || !*kind)
		return -EINVAL;
	if (uc_incident_number(o, "schema") != 1)
		return -EPROTO;
	if (!strcmp(kind, "connection"))
		add_connection(i, o);
	else if (!strcmp(kind, "summary") && i->summary)
		return -EEXIST;
	else if (!strcmp(kind, "summary"))
		keep(&i->summary, o);
	return 0;
}

static int by_address_count(const void *a, const void *b)
{
	const struct uc_incident_address *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->text, y->text);
}

static int by_count(const void *a, const void *b)
{
	const struct uc_incident_cause *x = a, *y = b;
	int verdict;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	verdict = strcmp(x->verdict, y->verdict);
	return verdict ? verdict : strcmp(x->proof, y->proof);
}

void uc_incident_rank(struct uc_incident *i)
{
	qsort(i->cause, i->causes, sizeof(i->cause[0]), by_count);
	for (size_t k = 0; k < i->causes; k++)
		qsort(i->cause[k].at, i->cause[k].addresses, sizeof(i->cause[k].at[0]),
		      by_address_count);
}

void uc_incident_clear(struct uc_incident *i)
{
	for (size_t k = 0; k < i->causes; k++) {
		json_decref(i->cause[k].example);
		for (size_t a = 0; a < i->cause[k].addresses; a++)
			json_decref(i->cause[k].at[a].newest);
	}
	json_decref(i->summary);
	memset(i, 0, sizeof(*i));
}
