/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/errorlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/util.h"
#include "engine/follow.h"
#include "engine/logframe.h"

/* Lines that wait for their connection. */
#define WAITING 512
/* nginx's times are whole seconds of its cached clock; a blocked worker's are older. */
#define TOLERANCE_S 5
/* Time zones differ by quarters of an hour, and by no more than from UTC-12 to UTC+14. */
#define ZONE_STEP_S 900
#define ZONE_MAX_S  (26 * 3600)
#define SECOND      1000000000ULL
/* Between two looks at the file that nobody asked for: a pipe must not run full. */
#define LOOK_NS (SECOND / 5)
/* Workers whose number in their own namespace is remembered for when they are gone. */
#define WORKERS 64

struct waiting {
	bool used;
	uint64_t order;
	time_t at;      /* by our time zone, if not exact */
	bool exact;     /* by a container's runtime */
	time_t arrived; /* when it was read; 0: it was there before */
	struct uc_error_line line;
};

struct worker {
	uint32_t tgid, inner;
};

struct uc_errorlog {
	struct uc_follow *follow;
	struct uc_logframe frame;
	bool recorded; /* read from its start, for a recording: neither clock nor /proc know of it */
	uint64_t looked_ns;
	uint64_t count;
	long zone; /* nginx's time minus ours, as lines have shown it, s */
	bool zone_known;
	struct uc_errorlog_stats stats;
	struct uc_error_line found;
	struct waiting waiting[WAITING];
	struct worker workers[WORKERS];
	size_t worker_count;
};

#define MEANS(means) (1U << UC_MEANS_##means)
#define BY_UPSTREAM  (MEANS(CLOSED) | MEANS(BROKEN) | MEANS(STREAM_RESET) | MEANS(TLS_FAILED))

/* What nginx can say of a connection with that verdict; another verdict: anything. */
static const unsigned fitting[UC_VERDICT_MAX] = {
	[UC_VERDICT_KEEPALIVE_RACE] = BY_UPSTREAM,
	[UC_VERDICT_UPSTREAM_CLOSED] = BY_UPSTREAM,
	[UC_VERDICT_UPSTREAM_DIED] = BY_UPSTREAM | MEANS(REJECTED),
	[UC_VERDICT_UPSTREAM_RESET] = BY_UPSTREAM,
	[UC_VERDICT_REQUEST_REJECTED] = BY_UPSTREAM,
	[UC_VERDICT_PARTIAL_HEADER] = BY_UPSTREAM,
	[UC_VERDICT_PROTOCOL_MISMATCH] = BY_UPSTREAM | MEANS(REJECTED),
	[UC_VERDICT_CONNECT_FAILED] = MEANS(CONNECT_FAILED) | MEANS(TIMED_OUT),
	[UC_VERDICT_BODY_TRUNCATED] = BY_UPSTREAM | MEANS(REJECTED),
	[UC_VERDICT_NGINX_TIMEOUT] = MEANS(TIMED_OUT),
	[UC_VERDICT_NGINX_REJECTED_RESPONSE] = MEANS(REJECTED) | MEANS(STREAM_RESET) |
					       MEANS(TLS_FAILED),
	[UC_VERDICT_CLIENT_GONE] = MEANS(CLIENT_GONE) | MEANS(CLIENT_SLOW),
};

static bool says_verdict(const struct uc_error_line *l, enum uc_verdict_id v)
{
	enum uc_words_means means = uc_words_means(l->kind);

	/* unknown words contradict nothing */
	return !fitting[v] || means == UC_MEANS_OTHER || fitting[v] & 1U << means;
}

int uc_errorlog_new(const char *path, bool from_start, struct uc_errorlog **ret)
{
	struct uc_errorlog *log = calloc(1, sizeof(*log));
	int err = log ? uc_follow_new(path, from_start, &log->follow) : -ENOMEM;

	if (err) {
		free(log);
		return err;
	}
	log->recorded = from_start;
	*ret = log;
	return 0;
}

void uc_errorlog_free(struct uc_errorlog *log)
{
	if (!log)
		return;
	uc_follow_free(log->follow);
	free(log);
}

static struct waiting *oldest_or_free(struct uc_errorlog *log)
{
	struct waiting *oldest = &log->waiting[0];

	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &log->waiting[i];

		if (!w->used)
			return w;
		if (w->order < oldest->order)
			oldest = w;
	}
	log->stats.dropped++;
	return oldest;
}

static time_t local_time(const struct uc_error_line *l)
{
	struct tm tm = { .tm_year = (int)l->year - 1900,
			 .tm_mon = (int)l->month - 1,
			 .tm_mday = (int)l->day,
			 .tm_hour = (int)l->hour,
			 .tm_min = (int)l->minute,
			 .tm_sec = (int)l->second,
			 .tm_isdst = -1 };

	return mktime(&tm);
}

static void keep(struct uc_errorlog *log, const struct uc_framed *f)
{
	struct waiting *w = oldest_or_free(log);

	/* parsed once more, as its slices point into itself */
	uc_error_line_parse(f->text, f->len, &w->line);
	w->exact = f->at != 0;
	w->at = w->exact ? f->at : local_time(&w->line);
	w->arrived = log->recorded ? 0 : uc_now_ns(CLOCK_REALTIME) / SECOND;
	w->used = true;
	w->order = log->count++;
	log->stats.lines++;
}

static void take_line(void *ctx, const char *line, size_t len)
{
	struct uc_errorlog *log = ctx;
	struct uc_framed f;

	if (!uc_logframe_take(&log->frame, line, len, &f) ||
	    !uc_error_line_parse(f.text, f.len, &log->found))
		return;
	if (log->found.alone)
		log->stats.alone[log->found.kind]++;
	else
		keep(log, &f);
}

void uc_errorlog_poll(struct uc_errorlog *log)
{
	log->looked_ns = uc_now_ns(CLOCK_MONOTONIC);
	uc_follow_poll(log->follow, take_line, log);
}

void uc_errorlog_tick(struct uc_errorlog *log)
{
	if (uc_now_ns(CLOCK_MONOTONIC) - log->looked_ns >= LOOK_NS)
		uc_errorlog_poll(log);
}

/* "NSpid:\t19401\t7": the last is its own; 0: not known. */
static uint32_t read_inner(uint32_t tgid)
{
	char path[32], status[4096], *at, *end;

	snprintf(path, sizeof(path), "/proc/%u/status", tgid);
	uc_file_start(path, status, sizeof(status));
	at = strstr(status, "\nNSpid:");
	if (!at)
		return 0;
	at += strlen("\nNSpid:");
	end = at + strcspn(at, "\n");
	while (end > at && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return strtoul(end, NULL, 10);
}

/* nginx's number of itself, where that is not ours. */
static uint32_t inner_pid(struct uc_errorlog *log, uint32_t tgid)
{
	uint32_t inner = log->recorded ? 0 : read_inner(tgid);
	size_t i = 0;

	while (i < WORKERS && log->workers[i].tgid != tgid)
		i++;
	if (!inner)
		return i < WORKERS ? log->workers[i].inner : tgid;
	if (i == WORKERS)
		i = log->worker_count++ % WORKERS;
	log->workers[i] = (struct worker){ tgid, inner };
	return inner;
}

/* What is looked for. */
struct wanted {
	const struct uc_facts *facts;
	enum uc_verdict_id verdict;
	char peer[UC_ADDR_LEN];
	time_t at;
	uint32_t pids[4];
	bool otherwise; /* than the verdict */
};

static bool slice_is(struct uc_slice s, const char *text, size_t len)
{
	return s.p && s.len == len && !memcmp(s.p, text, len);
}

static bool by_worker(const struct wanted *q, uint32_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(q->pids); i++)
		if (q->pids[i] == pid)
			return true;
	return false;
}

static bool fits(const struct waiting *w, const struct wanted *q)
{
	const struct uc_facts *f = q->facts;

	if (!w->used || !by_worker(q, w->line.pid) ||
	    says_verdict(&w->line, q->verdict) == q->otherwise ||
	    !slice_is(w->line.peer, q->peer, strlen(q->peer)))
		return false;
	if (q->otherwise && (!f->request.target || f->request.target_cut))
		return false;
	/* before there is a request on the connection, the peer has to do */
	return !f->request.target || f->request.target_cut ||
	       slice_is(w->line.path, f->request.target, f->request.target_len);
}

static long zone_of(long difference)
{
	long half = difference < 0 ? -ZONE_STEP_S / 2 : ZONE_STEP_S / 2;

	return (difference + half) / ZONE_STEP_S * ZONE_STEP_S;
}

/* In another time zone than was thought: then it has to be new. */
static bool may_shift(const struct uc_errorlog *log, const struct waiting *w, time_t at)
{
	if (w->exact || labs(w->at - at) > ZONE_MAX_S)
		return false;
	return log->recorded ? !log->zone_known : w->arrived >= at - TOLERANCE_S;
}

/* The nearest in time; of those, the first. */
static struct waiting *nearest(struct uc_errorlog *log, const struct wanted *q, bool shift)
{
	struct waiting *best = NULL;
	long least = TOLERANCE_S + 1;

	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &log->waiting[i];
		long off = w->at - q->at, zone = shift ? zone_of(off) : w->exact ? 0 : log->zone;

		off = labs(off - zone);
		if (off > least || !fits(w, q) || (shift && !may_shift(log, w, q->at)))
			continue;
		if (off == least && (!best || w->order > best->order))
			continue;
		least = off;
		best = w;
	}
	return best;
}

static struct waiting *find(struct uc_errorlog *log, const struct wanted *q)
{
	struct waiting *w = nearest(log, q, false);

	if (!w) {
		w = nearest(log, q, true);
		if (w)
			log->zone = zone_of(w->at - q->at);
	}
	log->zone_known = log->zone_known || (w && !w->exact);
	return w;
}

static void want(struct uc_errorlog *log, const struct uc_facts *f, enum uc_verdict_id verdict,
		 uint64_t wall_ns, struct wanted *q)
{
	const struct uc_conn *c = f->nginx;

	*q = (struct wanted){ .facts = f, .verdict = verdict, .at = wall_ns / SECOND };
	q->pids[0] = c->owner.tgid;
	q->pids[1] = c->closer.tgid;
	q->pids[2] = inner_pid(log, c->owner.tgid);
	q->pids[3] = c->closer.tgid ? inner_pid(log, c->closer.tgid) : q->pids[2];
	uc_text_endpoint(c->tuple.remote_addr, c->tuple.family, c->tuple.remote_port, q->peer);
}

static const struct uc_error_line *parsed(struct uc_errorlog *log, const struct waiting *w)
{
	uc_error_line_parse(w->line.text, w->line.len, &log->found);
	return &log->found;
}

const struct uc_error_line *uc_errorlog_match(struct uc_errorlog *log, const struct uc_facts *f,
					      enum uc_verdict_id verdict, uint64_t wall_ns,
					      bool expected)
{
	struct wanted q;
	struct waiting *w;

	want(log, f, verdict, wall_ns, &q);
	uc_errorlog_poll(log);
	w = find(log, &q);
	if (!w) {
		log->stats.without_line += expected;
		return NULL;
	}
	w->used = false;
	log->stats.matched++;
	return parsed(log, w);
}

const struct uc_error_line *uc_errorlog_contradicts(struct uc_errorlog *log,
						    const struct uc_facts *f,
						    enum uc_verdict_id verdict, uint64_t wall_ns)
{
	struct wanted q;
	const struct waiting *w;

	want(log, f, verdict, wall_ns, &q);
	q.otherwise = true;
	w = nearest(log, &q, false);
	return w ? parsed(log, w) : NULL;
}

struct uc_errorlog_stats uc_errorlog_stats(const struct uc_errorlog *log, uint64_t now_wall_ns)
{
	struct uc_errorlog_stats s = log->stats;

	s.without_connection = s.dropped;
	for (size_t i = 0; i < WAITING; i++) {
		const struct waiting *w = &log->waiting[i];
		time_t at = w->at - (w->exact ? 0 : log->zone);

		s.without_connection += w->used &&
					(uint64_t)at + TOLERANCE_S <= now_wall_ns / SECOND;
	}
	return s;
}
