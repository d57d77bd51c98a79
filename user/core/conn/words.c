/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/words.h"

#include <errno.h>
#include <string.h>

#define LEVEL_INFO 7

#define NAME(id, name, means)    name,
#define MEANING(id, name, means) UC_MEANS_##means,
static const char *const names[] = { UC_WORDS_KINDS(NAME) };
static const enum uc_words_means meanings[] = { UC_WORDS_KINDS(MEANING) };

static const char *const levels[] = { "stderr", "emerg",  "alert", "crit", "error",
				      "warn",   "notice", "info",  "debug" };
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* Whose connection nginx reads from and writes to while it does that. */
enum side { NOBODY, CLIENT, UPSTREAM };

static const struct {
	const char *action;
	enum side read, write;
} doings[] = {
	{ "waiting for request", NOBODY, NOBODY },
	{ "reading client request line", NOBODY, NOBODY },
	{ "reading client request headers", NOBODY, NOBODY },
	{ "reading client pipelined request line", NOBODY, NOBODY },
	{ "reading client request", NOBODY, NOBODY },
	{ "reading PROXY protocol", NOBODY, NOBODY },
	{ "SSL handshaking", NOBODY, NOBODY },
	{ "initializing session", NOBODY, NOBODY },
	{ "prereading client data", NOBODY, NOBODY },
	{ "returning text", NOBODY, NOBODY },
	{ "resolving", NOBODY, NOBODY },
	{ "keepalive", NOBODY, NOBODY },
	{ "closing request", NOBODY, NOBODY },
	{ "logging request", NOBODY, NOBODY },
	{ "logging to syslog", NOBODY, NOBODY },
	{ "requesting certificate status", NOBODY, NOBODY },
	{ "processing HTTP/2 connection", CLIENT, CLIENT },
	{ "sending response to client", CLIENT, CLIENT },
	{ "sending request to upstream", CLIENT, UPSTREAM },
	{ "reading response header from upstream", UPSTREAM, CLIENT },
	{ "sending early hints to client", UPSTREAM, CLIENT },
	{ "reading upstream", UPSTREAM, CLIENT },
	{ "sending to client", UPSTREAM, CLIENT },
	{ "proxying and reading from client", CLIENT, CLIENT },
	{ "proxying and sending to client", CLIENT, CLIENT },
};

/* Another doing: an upstream's; at the level of a client's connection it is corrected. */
static enum side side_of(enum uc_words_kind k, const char *action)
{
	for (size_t i = 0; i < sizeof(doings) / sizeof(doings[0]); i++) {
		if (strcmp(action, doings[i].action) != 0)
			continue;
		return k == UC_WORDS_SEND_FAILED ? doings[i].write : doings[i].read;
	}
	return UPSTREAM;
}

static enum uc_words_kind settle(const struct uc_words_row *row, const char *action, int err)
{
	enum uc_words_kind k = row->kind;
	enum side side = side_of(k, action);

	/* a row that names no doing, before there is a request, or after it */
	if (!row->action && side == NOBODY)
		return UC_WORDS_OTHER;
	if ((k == UC_WORDS_RECV_FAILED || k == UC_WORDS_SEND_FAILED) && side == CLIENT)
		return UC_WORDS_CLIENT_CLOSED;
	/* nothing was connected: a connection that stood was found to be reset (test_connect) */
	if (k == UC_WORDS_CONNECT_FAILED && err == ECONNRESET)
		return UC_WORDS_RESET_UNSENT;
	return k;
}

static int compare(const char *format, size_t row)
{
	return strncmp(format, uc_words_rows[row].format, UC_WORDS_FORMAT - 1);
}

/* Of the rows with that format, or of those behind it. */
static size_t first_with(const char *format)
{
	size_t low = 0, high = uc_words_row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(format, middle) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

enum uc_words_kind uc_words_find(const char *format, const char *action, int err)
{
	action = action ? action : "";
	for (size_t i = first_with(format); i < uc_words_row_count && !compare(format, i); i++) {
		const struct uc_words_row *row = &uc_words_rows[i];

		if (!row->action || !strncmp(row->action, action, UC_WORDS_ACTION - 1))
			return settle(row, action, err);
	}
	return UC_WORDS_OTHER;
}

enum uc_words_kind uc_words_at_level(enum uc_words_kind k, unsigned level)
{
	if (level < LEVEL_INFO)
		return k;
	if (k == UC_WORDS_RECV_FAILED || k == UC_WORDS_SEND_FAILED)
		return UC_WORDS_CLIENT_CLOSED;
	return k == UC_WORDS_HEADER_INVALID ? UC_WORDS_HEADER_IGNORED : k;
}

void uc_words_read(const struct uc_rec_words *rec, struct uc_words *ret)
{
	*ret = (struct uc_words){ .ts_ns = rec->hdr.ts_ns,
				  .worker = rec->worker,
				  .client = rec->client,
				  .read_id = rec->read_id,
				  .level = rec->level,
				  .log_level = rec->log_level,
				  .err = rec->err };
	memcpy(ret->format, rec->format, sizeof(ret->format) - 1);
	memcpy(ret->action, rec->action, sizeof(ret->action) - 1);
	ret->kind = uc_words_at_level(uc_words_find(ret->format, ret->action, ret->err),
				      ret->level);
}

const char *uc_words_kind_name(enum uc_words_kind k)
{
	return names[(unsigned)k < UC_WORDS_KIND_MAX ? k : UC_WORDS_OTHER];
}

enum uc_words_means uc_words_means(enum uc_words_kind k)
{
	return (unsigned)k < UC_WORDS_KIND_MAX ? meanings[k] : UC_MEANS_OTHER;
}

bool uc_words_about_upstream(const struct uc_words *w)
{
	switch (uc_words_means(w->kind)) {
	case UC_MEANS_NOTHING:
	case UC_MEANS_CLIENT_GONE:
	case UC_MEANS_CLIENT_SLOW:
		return false;
	case UC_MEANS_OTHER:
		return strstr(w->action, "upstream");
	default:
		return true;
	}
}

const char *uc_words_level_name(unsigned level)
{
	return level < LEVELS ? levels[level] : "invalid";
}

unsigned uc_words_level(const char *name, size_t len)
{
	for (unsigned i = 1; i < LEVELS; i++)
		if (strlen(levels[i]) == len && !memcmp(levels[i], name, len))
			return i;
	return 0;
}
