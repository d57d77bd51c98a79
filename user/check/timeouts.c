/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/timeouts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "output/known_idle.h"
#include "base/number.h"
#include "base/text.h"

#define LINE_LIMIT (1 << 20)

struct uc_timeouts {
	struct uc_timeouts_of *rows;
	size_t count, room;
	struct uc_timeouts_canary *canaries; /* of UC_TIMEOUTS_MAX, NULL before the first */
	size_t canary_count;
	int64_t recorded_ms;
};

int uc_timeouts_new(struct uc_timeouts **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void uc_timeouts_free(struct uc_timeouts *e)
{
	if (!e)
		return;
	free(e->rows);
	free(e->canaries);
	free(e);
}

int64_t uc_timeouts_recorded_ms(const struct uc_timeouts *e)
{
	return e->recorded_ms;
}

/* --- rows --------------------------------------------------------------------------- */

static struct uc_timeouts_of *find(const struct uc_timeouts *e, const char *addr)
{
	for (size_t i = 0; i < e->count; i++)
		if (!strcasecmp(e->rows[i].addr, addr))
			return &e->rows[i];
	return NULL;
}

static struct uc_timeouts_of *row_of(struct uc_timeouts *e, const char *addr)
{
	struct uc_timeouts_of *row = find(e, addr);

	if (row)
		return row;
	if (e->count == UC_TIMEOUTS_MAX || strlen(addr) >= UC_TIMEOUTS_ADDR)
		return NULL;
	if (e->count == e->room) {
		size_t room = e->room ? 2 * e->room : 16;

		row = reallocarray(e->rows, room, sizeof(*row));
		if (!row)
			return NULL;
		e->rows = row;
		e->room = room;
	}
	row = &e->rows[e->count++];
	memset(row, 0, sizeof(*row));
	row->response_ms = -1;
	memcpy(row->addr, addr, strlen(addr) + 1);
	return row;
}

void uc_timeouts_addr(const struct uc_nginx_server *s, char buf[UC_TIMEOUTS_ADDR])
{
	const struct uc_nginx_word *h = &s->at.host;
	const char *at = h->len ? memrchr(h->p, '@', h->len) : NULL, *from = at ? at + 1 : h->p;
	char host[UC_TIMEOUTS_ADDR - 16];

	/* who writes a name and a password there is in error, but not to be exposed */
	uc_text_escape(from, h->len - (from - h->p), host, sizeof(host));
	if (s->at.unix_socket)
		snprintf(buf, UC_TIMEOUTS_ADDR, "unix:%s", host);
	else
		snprintf(buf, UC_TIMEOUTS_ADDR, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
			 s->at.port);
}

static const struct uc_timeouts_of *find_server(const struct uc_timeouts *e,
						const struct uc_nginx_server *s, const char *host)
{
	char addr[UC_TIMEOUTS_ADDR];

	if (!host)
		uc_timeouts_addr(s, addr);
	else
		snprintf(addr, sizeof(addr), "%s:%u", host, s->at.port);
	return find(e, addr);
}

const struct uc_timeouts_of *uc_timeouts_find(const struct uc_timeouts *e,
					      const struct uc_nginx_server *s)
{
	const struct uc_timeouts_of *row = find_server(e, s, NULL);

	if (!row && uc_nginx_word_is(&s->at.host, "localhost")) {
		row = find_server(e, s, "127.0.0.1");
		row = row ? row : find_server(e, s, "[::1]");
	}
	return row;
}

struct uc_idle uc_timeouts_idle(const struct uc_timeouts *e, const struct uc_nginx_server *s,
				const struct uc_nginx_group *group, const char **source)
{
	const struct uc_timeouts_of *rows[3] = { uc_timeouts_find(e, s), NULL, find(e, "*") };
	char name[UC_TIMEOUTS_ADDR];

	if (group) {
		uc_text_escape(group->name.p, group->name.len, name, sizeof(name));
		rows[1] = find(e, name);
	}
	for (unsigned origin = UC_IDLE_PROBE; origin < UC_IDLE_ORIGIN_MAX; origin++)
		for (size_t i = 0; i < 3; i++)
			if (rows[i] && rows[i]->idle[origin].origin) {
				*source = rows[i]->source[origin];
				return rows[i]->idle[origin];
			}
	*source = "";
	return (struct uc_idle){ .origin = UC_IDLE_UNKNOWN };
}

/* --- told by the user -------------------------------------------------------------------- */

/* The part before the last "=", copied; NULL: there is none. */
static const char *split(const char *text, char addr[UC_TIMEOUTS_ADDR])
{
	const char *equals = strrchr(text, '=');

	if (!equals || equals == text || !equals[1] || equals - text >= UC_TIMEOUTS_ADDR)
		return NULL;
	memcpy(addr, text, equals - text);
	addr[equals - text] = '\0';
	return equals + 1;
}

int uc_timeouts_state(struct uc_timeouts *e, const char *text, char why[UC_TIMEOUTS_WHY])
{
	char addr[UC_TIMEOUTS_ADDR];
	const char *value = split(text, addr);
	struct uc_timeouts_of *row;
	uint64_t ns = 0;
	int64_t ms;

	if (!value ||
	    (strcmp(value, "never") && strcmp(value, "0") && !uc_parse_seconds(value, &ns))) {
		snprintf(why, UC_TIMEOUTS_WHY,
			 "upstream '%s' is not valid: ADDR=SECONDS, such as 127.0.0.1:3000=5, "
			 "ADDR=0 where it closes after each response, or ADDR=never",
			 text);
		return -EINVAL;
	}
	row = row_of(e, addr);
	if (!row)
		return -ENOMEM;
	ms = strcmp(value, "never") ? (int64_t)(ns / 1000000) : UC_NGINX_NEVER;
	row->idle[UC_IDLE_STATED] = (struct uc_idle){ .origin = UC_IDLE_STATED,
						      .ms = ms,
						      .min_ms = ms };
	snprintf(row->source[UC_IDLE_STATED], UC_TIMEOUTS_SOURCE, "from --upstream");
	return 0;
}

static void list_kinds(char *buf, size_t size)
{
	size_t used = 0;
	const char *name;

	buf[0] = '\0';
	for (size_t i = 0; (name = uc_known_idle_kind_at(i)) && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%s", i ? ", " : "", name);
}

int uc_timeouts_kind(struct uc_timeouts *e, const char *text, char why[UC_TIMEOUTS_WHY])
{
	char addr[UC_TIMEOUTS_ADDR], kinds[500];
	const char *value = split(text, addr);
	struct uc_timeouts_of *row;
	struct uc_known_kind kind;
	struct uc_idle idle = { .origin = UC_IDLE_KIND };

	if (!value || !uc_known_idle_kind(value, &kind)) {
		list_kinds(kinds, sizeof(kinds));
		snprintf(why, UC_TIMEOUTS_WHY,
			 "kind '%.60s' is not valid: ADDR=KIND, where KIND is one of %s, with its "
			 "version where that matters, such as node20 or node22.9",
			 text, kinds);
		return -EINVAL;
	}
	row = row_of(e, addr);
	if (!row)
		return -ENOMEM;
	idle.ms = kind.closes ? kind.idle_ms : UC_NGINX_NEVER;
	idle.min_ms = kind.closes ? kind.min_ms : UC_NGINX_NEVER;
	row->idle[UC_IDLE_KIND] = idle;
	snprintf(row->source[UC_IDLE_KIND], UC_TIMEOUTS_SOURCE,
		 kind.set ? "the default of %s (`%s` sets it)" : "the default of %s (%s)",
		 kind.name, kind.set ? kind.set : kind.setting);
	return 0;
}

/* --- recordings ------------------------------------------------------------------------------ */

static struct uc_timeouts_of *row_of_json(struct uc_timeouts *e, json_t *o)
{
	const char *addr = json_string_value(json_object_get(o, "addr"));
	json_int_t port = json_integer_value(json_object_get(o, "port"));
	char text[UC_TIMEOUTS_ADDR];

	if (!addr || strlen(addr) > 128)
		return NULL;
	snprintf(text, sizeof(text), strchr(addr, ':') ? "[%s]:%d" : "%s:%d", addr, (int)port);
	return row_of(e, text);
}

static int64_t ms_of(json_t *o, const char *name, int64_t otherwise)
{
	json_t *v = json_object_get(o, name);
	double ms = json_number_value(v);

	return json_is_number(v) && ms >= 0 && ms < 1e12 ? (int64_t)ms : otherwise;
}

static void learn_idle(struct uc_timeouts_of *row, json_t *idle)
{
	struct uc_idle *to = &row->idle[UC_IDLE_LEARNED];
	int64_t ms = ms_of(idle, "timeout_ms", -1);

	if (ms <= 0)
		return;
	to->origin = UC_IDLE_LEARNED;
	to->ms = ms;
	to->min_ms = ms_of(idle, "min_ms", ms);
	to->count = ms_of(idle, "count", 0);
	snprintf(row->source[UC_IDLE_LEARNED], UC_TIMEOUTS_SOURCE,
		 "learned from %u closes of idle connections, after %.2f to %.2f s", to->count,
		 to->min_ms / 1e3, ms_of(idle, "max_ms", ms) / 1e3);
}

static void learn_response(struct uc_timeouts_of *row, json_t *o)
{
	int64_t waited = ms_of(json_object_get(o, "exchange"), "waited_ms", -1);

	if (waited <= row->response_ms)
		return;
	row->response_ms = waited;
	snprintf(row->response_source, UC_TIMEOUTS_SOURCE, "the longest of the recorded");
}

static void learn_connection(struct uc_timeouts *e, json_t *o)
{
	const char *verdict = json_string_value(json_object_get(o, "verdict"));
	struct uc_timeouts_of *row = row_of_json(e, json_object_get(o, "upstream"));

	if (!row || !verdict)
		return;
	row->recorded = true;
	for (unsigned v = 0; v < UC_VERDICT_MAX; v++)
		if (!strcmp(verdict, uc_verdict_name(v)))
			row->happened[v]++;
	learn_idle(row, json_object_get(o, "upstream_idle"));
	if (!strcmp(verdict, uc_verdict_name(UC_VERDICT_COMPLETE)) ||
	    !strcmp(verdict, uc_verdict_name(UC_VERDICT_IDLE_CLOSE)))
		learn_response(row, o);
}

static void learn_summary(struct uc_timeouts *e, json_t *o)
{
	json_t *upstream;
	size_t i;

	e->recorded_ms += ms_of(o, "duration_ms", 0);
	json_array_foreach(json_object_get(o, "upstreams"), i, upstream) {
		struct uc_timeouts_of *row = row_of_json(e, upstream);

		if (!row)
			continue;
		row->recorded = true;
		learn_idle(row, json_object_get(upstream, "idle"));
	}
}

static bool learn(struct uc_timeouts *e, json_t *o, const char *kind)
{
	if (!strcmp(kind, "connection"))
		learn_connection(e, o);
	else if (!strcmp(kind, "summary"))
		learn_summary(e, o);
	else
		return false;
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

typedef bool (*take_fn)(struct uc_timeouts *e, json_t *o, const char *kind);

/* 1: taken; 0: an object of another kind; negative: no JSON object. */
static int take_line(struct uc_timeouts *e, const char *line, size_t len, take_fn take)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *kind = json_string_value(json_object_get(o, "kind"));
	int ret = json_is_object(o) ? kind && take(e, o, kind) : -EBADMSG;

	json_decref(o);
	return ret;
}

static int read_lines(struct uc_timeouts *e, FILE *in, const char *name, take_fn take,
		      const char *maker, char why[UC_TIMEOUTS_WHY])
{
	char *line = malloc(LINE_LIMIT);
	unsigned long number = 0, taken = 0;
	int err = line ? 0 : -ENOMEM;

	while (!err && fgets(line, LINE_LIMIT, in)) {
		size_t len = strlen(line);
		int ret;

		number++;
		/* the daemon's log has its talk between the objects */
		if (line[strspn(line, " \t")] != '{')
			continue;
		ret = take_line(e, line, len, take);
		taken += ret == 1;
		err = ret < 0 ? ret : 0;
	}
	free(line);
	if (err)
		snprintf(why, UC_TIMEOUTS_WHY, "%s:%lu: not a line of JSON of `%s`", name, number,
			 maker);
	else if (ferror(in))
		err = -EIO, snprintf(why, UC_TIMEOUTS_WHY, "%s: cannot be read", name);
	else if (!taken)
		err = -ENODATA,
		snprintf(why, UC_TIMEOUTS_WHY, "%s: no line of it is of `%s`", name, maker);
	return err;
}

static int read_file(struct uc_timeouts *e, const char *path, take_fn take, const char *maker,
		     char why[UC_TIMEOUTS_WHY])
{
	FILE *in = uc_file_stream(path);
	int err;

	if (!in) {
		err = -errno;
		snprintf(why, UC_TIMEOUTS_WHY, "%s: %s", path, strerror(errno));
		return err;
	}
	err = read_lines(e, in, path, take, maker, why);
	if (in != stdin)
		fclose(in);
	return err;
}

int uc_timeouts_learned(struct uc_timeouts *e, const char *path, char why[UC_TIMEOUTS_WHY])
{
	return read_file(e, path, learn, "upclose trace -o json", why);
}

/* --- probes ------------------------------------------------------------------------------------ */

/* Closed by itself, closed with each response, or still open when the probe had waited enough. */
static void probe_idle(struct uc_timeouts_of *row, json_t *idle)
{
	json_t *kept = json_object_get(idle, "kept_alive");
	struct uc_idle to = { .origin = UC_IDLE_PROBE, .count = ms_of(idle, "count", 0) };
	char *source = row->source[UC_IDLE_PROBE];

	to.ms = ms_of(idle, "timeout_ms", -1);
	to.min_ms = ms_of(idle, "min_ms", to.ms);
	if (json_is_false(kept)) {
		to.ms = to.min_ms = 0;
		snprintf(source, UC_TIMEOUTS_SOURCE, "probed: it closes after each response");
	} else if (to.ms >= 0) {
		snprintf(source, UC_TIMEOUTS_SOURCE, "probed: %u closes after %.2f to %.2f s",
			 to.count, to.min_ms / 1e3, ms_of(idle, "max_ms", to.ms) / 1e3);
	} else {
		to.at_least = true;
		to.ms = to.min_ms = ms_of(idle, "at_least_ms", -1);
		snprintf(source, UC_TIMEOUTS_SOURCE, "probed: still open after %.1f s",
			 to.ms / 1e3);
	}
	if (to.ms >= 0)
		row->idle[UC_IDLE_PROBE] = to;
}

static void probe_row(struct uc_timeouts *e, json_t *o, const char *addr)
{
	struct uc_timeouts_of *row = row_of(e, addr);
	int64_t answer = ms_of(json_object_get(o, "answer"), "answer_ms", -1);

	if (!row)
		return;
	probe_idle(row, json_object_get(o, "idle"));
	if (answer <= row->response_ms)
		return;
	row->response_ms = answer;
	snprintf(row->response_source, UC_TIMEOUTS_SOURCE, "probed");
}

/* "http://app:3000/x" is known as app:3000 too, as nginx's configuration may name it. */
static void probe_named(struct uc_timeouts *e, json_t *o)
{
	const char *url = json_string_value(json_object_get(o, "url")), *at;
	bool https = url && !strncmp(url, "https://", 8);
	char addr[UC_TIMEOUTS_ADDR], *colon;
	size_t n;

	at = url ? strstr(url, "://") : NULL;
	if (!at)
		return;
	at += 3;
	n = strcspn(at, "/?#");
	if (!n || n > 200)
		return;
	snprintf(addr, sizeof(addr), "%.*s", (int)n, at);
	colon = strrchr(addr, ':');
	if (!colon || strchr(colon, ']'))
		snprintf(addr + n, sizeof(addr) - n, "%s", https ? ":443" : ":80");
	probe_row(e, o, addr);
}

static struct uc_timeouts_canary *canary_of(struct uc_timeouts *e, const char *url,
					    const char *host)
{
	if (!e->canaries)
		e->canaries = calloc(UC_TIMEOUTS_MAX, sizeof(*e->canaries));
	for (size_t i = 0; i < e->canary_count; i++)
		if (!strcmp(e->canaries[i].url, url) && !strcmp(e->canaries[i].host, host))
			return &e->canaries[i];
	if (!e->canaries || e->canary_count == UC_TIMEOUTS_MAX)
		return NULL;
	return memset(&e->canaries[e->canary_count++], 0, sizeof(*e->canaries));
}

static void probe_canary(struct uc_timeouts *e, json_t *o)
{
	const char *url = json_string_value(json_object_get(o, "url"));
	const char *outcome = json_string_value(json_object_get(o, "outcome")), *host, *colon;
	const char *told = json_string_value(json_object_get(o, "host"));
	char authority[UC_TIMEOUTS_ADDR] = "";
	bool gave_up = outcome && !strcmp(outcome, "nginx_timeout");
	int64_t ms = ms_of(o, gave_up ? "total_ms" : "first_byte_ms", -1);
	struct uc_timeouts_canary *c;
	size_t n;

	if (!url || !outcome || strlen(url) >= UC_TIMEOUTS_ADDR || ms < 0 || strstr(url, "//unix:"))
		return;
	host = strstr(url, "://");
	if (!host || (!gave_up && strcmp(outcome, "answered") != 0))
		return;
	if (told)
		snprintf(authority, sizeof(authority), "%s", told);
	else
		snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(host + 3, "/"),
			 host + 3);
	c = canary_of(e, url, authority);
	if (!c || (c->url[0] && ms <= c->ms))
		return;
	memcpy(c->url, url, strlen(url) + 1);
	memcpy(c->host, authority, sizeof(c->host));
	c->ms = ms;
	c->gave_up = gave_up;
	host = c->url + (host - url) + 3;
	n = strcspn(host, "/");
	c->path = host[n] ? host + n : "/";
	colon = memrchr(host, ':', n);
	c->port = colon && !memchr(colon, ']', host + n - colon) ?
			  (uint16_t)strtoul(colon + 1, NULL, 10) :
		  !strncmp(url, "https:", 6) ? 443 :
					       80;
}

const struct uc_timeouts_canary *uc_timeouts_canaries(const struct uc_timeouts *e, size_t *count)
{
	*count = e->canary_count;
	return e->canaries;
}

static bool probe(struct uc_timeouts *e, json_t *o, const char *kind)
{
	const char *addr = json_string_value(json_object_get(o, "addr"));
	const char *path = json_string_value(json_object_get(o, "unix"));
	char text[UC_TIMEOUTS_ADDR];

	if (!strcmp(kind, "canary")) {
		probe_canary(e, o);
		return true;
	}
	if (strcmp(kind, "probe"))
		return false;
	if (path && strlen(path) < sizeof(text) - 8) {
		snprintf(text, sizeof(text), "unix:%s", path);
		probe_row(e, o, text);
	} else if (addr && strlen(addr) < 128) {
		snprintf(text, sizeof(text), strchr(addr, ':') ? "[%s]:%d" : "%s:%d", addr,
			 (int)json_integer_value(json_object_get(o, "port")));
		probe_row(e, o, text);
		probe_named(e, o);
	}
	return true;
}

int uc_timeouts_probe(struct uc_timeouts *e, const char *path, char why[UC_TIMEOUTS_WHY])
{
	return read_file(e, path, probe, "upclose probe -o json", why);
}
