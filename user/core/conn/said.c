/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/said.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct saying {
	struct saying *next;
	uint64_t conn_id; /* 0: not known yet */
	uint64_t deadline_ns;
	struct uc_words words;
};

/* In order of arrival. */
struct uc_said {
	size_t capacity, count;
	uint64_t dropped;
	struct saying *first, **end;
};

int uc_said_new(size_t capacity, struct uc_said **ret)
{
	struct uc_said *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->capacity = capacity;
	s->end = &s->first;
	*ret = s;
	return 0;
}

/* Unlinks and frees the one at *at. */
static void take_out(struct uc_said *s, struct saying **at, struct uc_words *ret)
{
	struct saying *one = *at;

	if (ret)
		*ret = one->words;
	*at = one->next;
	if (!one->next)
		s->end = at;
	s->count--;
	free(one);
}

void uc_said_free(struct uc_said *s)
{
	if (!s)
		return;
	while (s->first)
		take_out(s, &s->first, NULL);
	free(s);
}

static bool remark(const struct uc_words *w)
{
	return uc_words_means(w->kind) == UC_MEANS_NOTHING;
}

/* stream{} says that of a connection which it is about to close. */
static bool relayed(const struct uc_words *w)
{
	return w->kind == UC_WORDS_STREAM_PROGRESS && strstr(w->format, " disconnected");
}

bool uc_said_put(struct uc_said *s, const struct uc_words *w)
{
	enum uc_words_means means = uc_words_means(w->kind);
	struct saying *one;

	if (means == UC_MEANS_NO_CONNECTION)
		return true;
	if (w->kind == UC_WORDS_STREAM_PROGRESS && !relayed(w))
		return strncmp(w->action, "proxying", 8) != 0;
	if (!relayed(w) && (means == UC_MEANS_OTHER || means == UC_MEANS_NOTHING) &&
	    !strstr(w->action, "upstream"))
		return true;
	/* of a client to whom nginx sends an answer of its own */
	if (means == UC_MEANS_CLIENT_GONE && !strcmp(w->action, "sending response to client"))
		return true;
	if (s->count == s->capacity) {
		take_out(s, &s->first, NULL);
		s->dropped++;
	}
	one = calloc(1, sizeof(*one));
	if (!one) {
		s->dropped++;
		return false;
	}
	one->words = *w;
	one->deadline_ns = w->ts_ns + UC_SAID_NS;
	/* it goes on as long as it likes */
	if (remark(w) && w->read_id && !relayed(w)) {
		one->conn_id = w->read_id;
		one->deadline_ns = UINT64_MAX;
	}
	*s->end = one;
	s->end = &one->next;
	s->count++;
	return false;
}

/* What nginx still reads from, it has not given up: the words were another connection's. */
static bool read_later(const struct uc_conn *c, uint64_t ts_ns)
{
	uint32_t kept = c->events < UC_EVENTS ? c->events : UC_EVENTS;

	for (uint32_t i = 0; i < kept; i++)
		if (c->ev[i].kind == UC_EV_RECV && c->ev[i].last_ns > ts_ns)
			return true;
	return false;
}

void uc_said_end(struct uc_said *s, const struct uc_conn *c)
{
	uint32_t worker = c->closer.tgid ? c->closer.tgid : c->owner.tgid;

	for (struct saying *one = s->first; one; one = one->next) {
		bool waits = !one->conn_id && one->words.worker == worker &&
			     one->words.ts_ns >= c->open_ns &&
			     (remark(&one->words) || !read_later(c, one->words.ts_ns));

		if (!waits && one->conn_id != c->id)
			continue;
		one->conn_id = c->id;
		/* its other end may be waited for, and what nginx does next */
		one->deadline_ns = UINT64_MAX;
	}
}

static void add(struct uc_said_of *of, const struct uc_words *w)
{
	size_t at = of->count;

	if (at == UC_SAID_MAX) {
		/* the oldest remark goes; where all of them matter, the oldest */
		size_t old = 0;

		while (old < UC_SAID_MAX - 1 && !remark(&of->words[old]))
			old++;
		if (!remark(&of->words[old]))
			old = 0;
		memmove(&of->words[old], &of->words[old + 1],
			(UC_SAID_MAX - 1 - old) * sizeof(of->words[0]));
		at--;
	}
	of->words[at] = *w;
	of->count = at + 1;
}

void uc_said_take(struct uc_said *s, uint64_t conn_id, struct uc_said_of *ret)
{
	ret->count = 0;
	for (struct saying **at = &s->first; *at;) {
		struct uc_words w;

		if ((*at)->conn_id != conn_id) {
			at = &(*at)->next;
			continue;
		}
		take_out(s, at, &w);
		add(ret, &w);
	}
}

bool uc_said_expire(struct uc_said *s, uint64_t now_ns, struct uc_words *ret)
{
	for (struct saying **at = &s->first; *at; at = &(*at)->next) {
		if ((*at)->deadline_ns > now_ns)
			continue;
		take_out(s, at, ret);
		return true;
	}
	return false;
}

uint64_t uc_said_deadline(const struct uc_said *s)
{
	uint64_t due = UINT64_MAX;

	for (const struct saying *one = s->first; one; one = one->next)
		if (one->deadline_ns < due)
			due = one->deadline_ns;
	return due;
}

uint64_t uc_said_dropped(const struct uc_said *s)
{
	return s->dropped;
}
