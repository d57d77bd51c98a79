/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "core/conn/upstreams.h"

#define COLUMN "  %-20s "

/* A server on this machine answers within microseconds. */
static struct uc_span span(uint64_t ns)
{
	struct uc_span s;

	if (ns >= 1000000)
		return uc_span(ns);
	snprintf(s.text, sizeof(s.text), "%.3f ms", ns / 1e6);
	return s;
}

static const char *close_word(enum uc_close close)
{
	switch (close) {
	case UC_CLOSE_FIN:
		return "FIN";
	case UC_CLOSE_RST:
		return "RST";
	default:
		return "no end";
	}
}

static void put_title(FILE *out, const struct uc_probe_result *r)
{
	fputs(r->target->url, out);
	if (r->port)
		fprintf(out, strchr(r->addr, ':') ? "  [%s]:%u" : "  %s:%u", r->addr, r->port);
	if (r->status)
		fprintf(out, ", HTTP/1.%u %u in %s", r->minor, r->status, span(r->answer_ns).text);
	if (r->server && *r->server)
		fprintf(out, ", Server: %s", r->server);
	fputs("\n", out);
}

static void put_candidates(FILE *out, const struct uc_probe_result *r)
{
	struct uc_known_idle known[UC_KNOWN_IDLE_MAX];
	size_t count = uc_probe_candidates(r, known);

	for (size_t i = 0; i < count; i++)
		fprintf(out, known[i].set ? COLUMN "%s%s: `%s`\n" : COLUMN "%s%s (%s)\n", "",
			i ? "or " : "known to behave like this: ", known[i].name,
			known[i].set ? known[i].set : known[i].setting);
}

static void put_advertised(FILE *out, const struct uc_probe_result *r)
{
	const struct uc_measured_idle *m = &r->measured.idle;
	double off = m->stats.median_ns / 1e9 - r->keep_alive_s;

	if (r->keep_alive_s < 0)
		return;
	fprintf(out, COLUMN "advertises Keep-Alive: timeout=%d", "", r->keep_alive_s);
	if (m->stats.count && fabs(off) >= 0.1)
		fprintf(out, ", and closes %.2f s %s", fabs(off), off > 0 ? "later" : "sooner");
	fputs("\n", out);
}

static void put_advice(FILE *out, const struct uc_measured_idle *m)
{
	unsigned below = uc_idle_below_s(m->stats.min_ns);

	if (!m->stats.count || !m->kept_alive || m->stats.min_ns < UC_PROBE_AT_ONCE_NS)
		return;
	if (below)
		fprintf(out,
			COLUMN "nginx before it: keepalive_timeout %us; in upstream{}, or less\n",
			"", below);
	else
		fprintf(out, COLUMN "too short for nginx's idle connections: no keepalive to it\n",
			"");
}

static void put_kept_alive(FILE *out, const struct uc_probe_result *r)
{
	const struct uc_measured_idle *m = &r->measured.idle;

	if (!m->stats.count) {
		fprintf(out, "longer than %s (%u connections)\n", span(m->at_least_ns).text,
			m->tried);
	} else {
		fprintf(out, "%s (%u of %u connections, %s to %s, ", span(m->stats.median_ns).text,
			m->stats.count, m->tried, span(m->stats.min_ns).text,
			span(m->stats.max_ns).text);
		if (m->late)
			fprintf(out, "%u and ", m->late);
		fprintf(out, "%s)\n", m->close ? close_word(m->close) : "FIN or RST");
	}
	put_advertised(out, r);
	put_candidates(out, r);
	put_advice(out, m);
}

static void put_idle(FILE *out, const struct uc_probe_result *r)
{
	const struct uc_measured_idle *m = &r->measured.idle;

	if (!m->known || !m->tried)
		return;
	fprintf(out, COLUMN, "idle timeout");
	if (m->kept_alive) {
		put_kept_alive(out, r);
	} else {
		fprintf(out, "none: says Connection: close, %s\n",
			m->stats.count ? "and closes" : "and leaves the closing to its client");
		if (r->status >= 400)
			fprintf(out,
				COLUMN
				"perhaps only with a status like %u: name a path that works\n",
				"", r->status);
		put_candidates(out, r);
	}
	if (m->unanswered)
		fprintf(out, COLUMN "%u more connections got no answer while others were idle\n",
			"", m->unanswered);
}

static void put_wait(FILE *out, const char *name, const struct uc_measured_wait *m)
{
	if (!m->known)
		return;
	fprintf(out, COLUMN, name);
	if (!m->over)
		fprintf(out, "nothing within %s\n", span(m->after_ns).text);
	else if (!m->status)
		fprintf(out, "%s after %s\n", close_word(m->close), span(m->after_ns).text);
	else
		fprintf(out, "answers %u after %s, then %s\n", m->status, span(m->after_ns).text,
			close_word(m->close));
}

static void put_requests(FILE *out, const struct uc_measured *m)
{
	if (!m->requests.known)
		return;
	fprintf(out, COLUMN, "requests");
	if (m->requests.exact)
		fprintf(out, "%u on a connection, then %s%s\n", m->requests.count,
			m->requests.said_close ? "Connection: close and " : "",
			close_word(m->requests.close));
	else
		fprintf(out, "at least %u on a connection\n", m->requests.count);
}

static void put_early(FILE *out, const struct uc_measured *m)
{
	if (!m->early.known)
		return;
	fprintf(out, COLUMN, "body of 1 MiB");
	if (!m->early.status)
		fputs("no answer, the connection ends\n", out);
	else if (!m->early.answered)
		fprintf(out, "is read, then %u\n", m->early.status);
	else
		fprintf(out, "answers %u before it was sent, and %s\n", m->early.status,
			m->early.reset ? "resets the connection" : "reads on");
}

static void put_habits(FILE *out, const struct uc_measured *m)
{
	if (m->http10.known)
		fprintf(out, COLUMN "%s\n", "HTTP/1.0",
			m->http10.kept_alive ? "kept alive when asked to" : "never kept alive");
	if (m->closing.known)
		fprintf(out, COLUMN "%s%s\n", "closing", close_word(m->closing.close),
			m->closing.close != UC_CLOSE_FIN ? "" :
			m->closing.lingers               ? ", and lingers" :
							   ", a reset for what comes later");
	if (m->half_close.known)
		fprintf(out, COLUMN "%s\n", "after our FIN",
			m->half_close.answered ? "still answers" : "does not answer");
}

void uc_probe_text(FILE *out, const struct uc_probe_config *cfg, const struct uc_probe_result *r)
{
	const struct uc_measured *m = &r->measured;

	put_title(out, r);
	if (r->error)
		fprintf(out, "  it %s\n", r->error);
	put_idle(out, r);
	put_wait(out, "header, none sent", &m->silent);
	put_wait(out, "header, half sent", &m->half_header);
	put_wait(out, "body, half sent", &m->half_body);
	put_early(out, m);
	put_requests(out, m);
	put_habits(out, m);
	if (r->interrupted)
		fputs("  interrupted: results are incomplete\n", out);
	else if (!cfg->body_tests && !r->error && cfg->groups & 1U << UC_GROUP_BODY)
		fprintf(out, COLUMN "not tried (--body-tests allows POST)\n", "bodies");
}
