/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/measure.h"

#include <stdlib.h>
#include <string.h>

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct uc_stats uc_stats_of(uint64_t *durations_ns, size_t count)
{
	if (!count)
		return (struct uc_stats){ 0 };
	qsort(durations_ns, count, sizeof(durations_ns[0]), by_size);
	return (struct uc_stats){
		.count = (unsigned)count,
		.median_ns = durations_ns[(count - 1) / 2],
		.min_ns = durations_ns[0],
		.max_ns = durations_ns[count - 1],
	};
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void idle_of(const struct uc_observation *o, struct uc_measured_idle *m, uint64_t *sample)
{
	uint64_t watched = since(o->answered_ns, o->watched_ns);

	m->known = true;
	if (!o->answers) {
		m->unanswered++;
		return;
	}
	m->kept_alive = (m->tried == 0 || m->kept_alive) && !o->said_close;
	m->tried++;
	if (o->close == UC_CLOSE_NONE) {
		if (!m->at_least_ns || watched < m->at_least_ns)
			m->at_least_ns = watched;
		return;
	}
	m->close = !m->stats.count || m->close == o->close ? o->close : UC_CLOSE_NONE;
	*sample = since(o->answered_ns, o->ended_ns);
	m->stats.count++;
	if (o->late)
		m->late = o->late;
}

static void measure_idle(const struct uc_observation *seen, size_t count,
			 struct uc_measured_idle *m)
{
	uint64_t samples[UC_SAMPLES_MAX];

	for (size_t i = 0; i < count && m->stats.count < UC_SAMPLES_MAX; i++)
		if (seen[i].trial == UC_TRIAL_IDLE && seen[i].opened_ns)
			idle_of(&seen[i], m, &samples[m->stats.count]);
	m->stats = uc_stats_of(samples, m->stats.count);
}

static void measure_wait(const struct uc_observation *o, struct uc_measured_wait *m)
{
	uint64_t from = o->sent_ns ? o->sent_ns : o->opened_ns;

	m->known = true;
	m->over = o->answers || o->close != UC_CLOSE_NONE;
	m->status = o->status;
	m->close = o->close;
	if (o->answers)
		m->after_ns = since(from, o->answered_ns);
	else
		m->after_ns = since(from, m->over ? o->ended_ns : o->watched_ns);
}

static void measure_requests(const struct uc_observation *o, struct uc_measured *m)
{
	m->requests.known = o->answers > 0;
	m->requests.count = o->answers;
	m->requests.said_close = o->said_close;
	m->requests.exact = o->said_close || o->close != UC_CLOSE_NONE;
	m->requests.close = o->close;
}

static void measure_early(const struct uc_observation *o, struct uc_measured *m)
{
	m->early.known = o->answers || o->close != UC_CLOSE_NONE;
	m->early.answered = o->answers && !o->whole;
	m->early.status = o->status;
	m->early.reset = o->reset_behind || o->close == UC_CLOSE_RST;
}

static void measure_one(const struct uc_observation *o, struct uc_measured *m)
{
	switch (o->trial) {
	case UC_TRIAL_REQUESTS:
		measure_requests(o, m);
		return;
	case UC_TRIAL_HTTP10:
		m->http10.known = o->answers > 1 || (o->answers && !o->cut);
		m->http10.kept_alive = o->answers > 1;
		return;
	case UC_TRIAL_CLOSING:
		m->closing.known = o->answers && o->close != UC_CLOSE_NONE;
		m->closing.close = o->close;
		m->closing.lingers = o->poked && !o->reset_behind;
		return;
	case UC_TRIAL_HALF_CLOSE:
		m->half_close.known = o->answers || !o->cut;
		m->half_close.answered = o->answers > 0;
		return;
	case UC_TRIAL_EARLY:
		measure_early(o, m);
		return;
	case UC_TRIAL_SILENT:
		measure_wait(o, &m->silent);
		return;
	case UC_TRIAL_HALF_HEADER:
		measure_wait(o, &m->half_header);
		return;
	case UC_TRIAL_HALF_BODY:
		measure_wait(o, &m->half_body);
		return;
	case UC_TRIAL_IDLE:
	case UC_TRIAL_COUNT:
		return;
	}
}

void uc_measure(const struct uc_observation *seen, size_t count, struct uc_measured *ret)
{
	memset(ret, 0, sizeof(*ret));
	measure_idle(seen, count, &ret->idle);
	for (size_t i = 0; i < count; i++)
		if (seen[i].opened_ns)
			measure_one(&seen[i], ret);
}
