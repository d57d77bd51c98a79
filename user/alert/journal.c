/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/journal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "alert/journald.h"
#include "base/json_value.h"
#include "source/capture.h"
#include "output/explain.h"
#include "output/json.h"
#include "base/log.h"
#include "base/text.h"

#define FIELDS   128
#define NAME_LEN 64

struct entry {
	struct iovec field[FIELDS];
	size_t count;
};

/* --- fields ------------------------------------------------------------------------- */

static void add(struct entry *e, const char *name, const char *value)
{
	char *field;

	if (e->count < FIELDS && asprintf(&field, "%s=%s", name, value) > 0)
		e->field[e->count++] = (struct iovec){ field, strlen(field) };
}

static void add_value(struct entry *e, const char *name, const json_t *value)
{
	char *text = json_dumps(value, UC_JSON_DUMP | JSON_ENCODE_ANY);

	if (text)
		add(e, name, text);
	free(text);
}

static bool all_texts(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	return true;
}

static void add_lines(struct entry *e, const char *name, const json_t *list)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(out, "%s%s", i ? "\n" : "", json_string_value(json_array_get(list, i)));
	if (!fclose(out) && len)
		add(e, name, text);
	free(text);
}

static void field_name(char buf[NAME_LEN], const char *prefix, const char *key)
{
	snprintf(buf, NAME_LEN, "%s_%s", prefix, key);
	for (char *c = buf; *c; c++)
		*c = toupper((unsigned char)*c);
}

static void add_members(struct entry *e, const char *prefix, const json_t *o)
{
	char name[NAME_LEN];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)o, key, value) {
		field_name(name, prefix, key);
		if (json_is_object(value))
			add_members(e, name, value);
		else if (json_is_string(value))
			add(e, name, json_string_value(value));
		else if (json_is_array(value) && all_texts(value))
			add_lines(e, name, value);
		else if (!json_is_null(value))
			add_value(e, name, value);
	}
}

int uc_journal_send(int priority, const char *message, const json_t *o)
{
	struct entry e = { .count = 0 };
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%d", priority);
	add(&e, "MESSAGE", message);
	add(&e, "PRIORITY", text);
	add(&e, "SYSLOG_IDENTIFIER", "upclose");
	add_members(&e, "UPCLOSE", o);
	err = uc_journald_write(e.field, e.count);
	for (size_t i = 0; i < e.count; i++)
		free(e.field[i].iov_base);
	return err;
}

/* --- the sink ----------------------------------------------------------------------- */

/* "node[7] closed its idle connection ... The client got 502." */
static void sentence(const struct uc_judged *r, char *buf, size_t size)
{
	char where[UC_ADDR_LEN];
	struct uc_explanation e;

	uc_explain(r, &e);
	uc_text_endpoint(r->facts->nginx->tuple.remote_addr, r->facts->nginx->tuple.family,
			 r->facts->nginx->tuple.remote_port, where);
	snprintf(buf, size, "%s, %s, upstream %s: %s%s%s", uc_verdict_name(r->verdict.id),
		 uc_confidence_name(r->verdict.confidence), where, e.summary, *e.outcome ? " " : "",
		 e.outcome);
}

static void print_json(json_t *o)
{
	json_dumpf(o, stderr, UC_JSON_DUMP);
	fputc('\n', stderr);
}

void uc_log_output_tick(struct uc_log_output *s, uint64_t now_ns)
{
	if (now_ns / 1000000000 == s->second)
		return;
	if (s->in_second > s->max_per_second)
		uc_note("%llu more flagged connections in that second are not logged one by one",
			(unsigned long long)(s->in_second - s->max_per_second));
	s->second = now_ns / 1000000000;
	s->in_second = 0;
}

/* False: the second has had its share. */
static bool has_room(struct uc_log_output *s)
{
	uc_log_output_tick(s, uc_now_ns(CLOCK_MONOTONIC));
	return ++s->in_second <= s->max_per_second;
}

/* o: with journal or JSON; taken over. Nobody is left to tell when the journal does not take it. */
static void put_entry(const struct uc_log_output *s, uint64_t wall_ns, const char *text, json_t *o)
{
	char when[48];

	if (s->journal) {
		uc_journal_send(LOG_WARNING, text, o);
	} else if (o) {
		print_json(o);
	} else {
		uc_text_rfc3339(wall_ns, when, sizeof(when));
		fprintf(stderr, "%.23sZ %s\n", when, text);
	}
	json_decref(o);
}

static bool wants_json(const struct uc_log_output *s)
{
	return s->journal || s->format == UC_LOG_JSON;
}

static int log_connection(struct uc_output *output, const struct uc_judged *r)
{
	struct uc_log_output *s = (struct uc_log_output *)output;
	char text[1024];

	if (!has_room(s))
		return 0;
	sentence(r, text, sizeof(text));
	put_entry(s, uc_judged_wall(r, r->facts->end_ns), text,
		  wants_json(s) ? uc_json_connection(r) : NULL);
	return 0;
}

static int log_words(struct uc_output *output, const struct uc_log_event *ev)
{
	struct uc_log_output *s = (struct uc_log_output *)output;
	struct uc_explanation e;
	char text[1024];

	if (!has_room(s))
		return 0;
	uc_explain_log_event(ev, &e);
	snprintf(text, sizeof(text), "%s, nginx[%u]: %s", uc_words_kind_name(ev->words->kind),
		 ev->words->worker, e.summary);
	put_entry(s, ev->words->ts_ns + (uint64_t)ev->wall_offset_ns, text,
		  wants_json(s) ? uc_json_log_event(ev) : NULL);
	return 0;
}

static int log_summary(struct uc_output *output, const struct uc_totals *t)
{
	const struct uc_log_output *s = (const struct uc_log_output *)output;
	json_t *o = NULL;
	char text[256];

	snprintf(text, sizeof(text),
		 "%llu connections ended, %llu exchanges in %.1f s; %llu flagged, %llu lost",
		 (unsigned long long)t->connections, (unsigned long long)t->exchanges,
		 t->duration_ns / 1e9, (unsigned long long)t->flagged,
		 (unsigned long long)uc_totals_lost(t));
	if (!s->journal && s->format == UC_LOG_JSON) {
		o = uc_json_summary(t);
		print_json(o);
		json_decref(o);
	} else {
		uc_note("%s", text);
	}
	return 0;
}

static void talk_to_journal(int priority, const char *text)
{
	uc_journal_send(priority, text, NULL);
}

/* systemd says by device and inode which stream it made for the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return !strcmp(stream, ours);
}

void uc_log_output_init(struct uc_log_output *s, const struct uc_log_config *cfg)
{
	s->output = (struct uc_output){ .connection = log_connection,
					.words = log_words,
					.summary = log_summary };
	s->journal = cfg->to == UC_LOG_JOURNAL || (cfg->to == UC_LOG_AUTO && stderr_is_journal());
	s->format = cfg->format;
	s->max_per_second = cfg->max_per_second;
	uc_log_writer = s->journal ? talk_to_journal : NULL;
}
