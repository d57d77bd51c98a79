/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/json_value.h"
#include "probe/report.h"

#include "base/text.h"

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static json_t *string_if(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

static json_t *close_name(enum uc_close close)
{
	return json_string(uc_close_name(close));
}

static json_t *answer_object(const struct uc_probe_result *r)
{
	json_t *o;

	if (!r->status)
		return json_null();
	o = json_object();
	set(o, "status", json_integer(r->status));
	set(o, "http", json_sprintf("1.%u", r->minor));
	set(o, "connect_ms", uc_json_ms(r->connect_ns));
	set(o, "answer_ms", uc_json_ms(r->answer_ns));
	set(o, "response_bytes", json_integer(r->answer_bytes));
	set(o, "connection_close", json_boolean(r->said_close));
	set(o, "advertised_ms",
	    uc_json_ms_if(r->keep_alive_s >= 0, (uint64_t)r->keep_alive_s * 1000000000));
	return o;
}

static json_t *candidates_array(const struct uc_probe_result *r)
{
	struct uc_known_idle known[UC_KNOWN_IDLE_MAX];
	size_t count = uc_probe_candidates(r, known);
	json_t *a = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(a, json_string(known[i].name));
	return a;
}

static json_t *idle_object(const struct uc_probe_result *r)
{
	const struct uc_measured_idle *m = &r->measured.idle;
	bool off = m->stats.count && r->keep_alive_s >= 0;
	json_t *o;

	if (!m->known)
		return json_null();
	o = json_object();
	set(o, "kept_alive", m->tried ? json_boolean(m->kept_alive) : json_null());
	set(o, "timeout_ms", uc_json_ms_if(m->stats.count, m->stats.median_ns));
	set(o, "min_ms", uc_json_ms_if(m->stats.count, m->stats.min_ns));
	set(o, "max_ms", uc_json_ms_if(m->stats.count, m->stats.max_ns));
	set(o, "count", json_integer(m->stats.count));
	set(o, "tried", json_integer(m->tried));
	set(o, "unanswered", json_integer(m->unanswered));
	set(o, "at_least_ms", uc_json_ms_if(m->at_least_ns, m->at_least_ns));
	/* where they differ there is no one name */
	set(o, "close", m->close || !m->stats.count ? close_name(m->close) : json_null());
	set(o, "status", uc_json_integer_if(m->late, m->late));
	set(o, "advertised_off_ms",
	    off ? json_real(((int64_t)(m->stats.median_ns / 1000) - r->keep_alive_s * 1000000LL) /
			    1e3) :
		  json_null());
	set(o, "candidates", candidates_array(r));
	return o;
}

static json_t *wait_object(const struct uc_measured_wait *m)
{
	json_t *o;

	if (!m->known)
		return json_null();
	o = json_object();
	set(o, "reaction", json_string(m->status ? "answer" : uc_close_name(m->close)));
	set(o, "timeout_ms", uc_json_ms_if(m->over, m->after_ns));
	set(o, "at_least_ms", uc_json_ms_if(!m->over, m->after_ns));
	set(o, "status", uc_json_integer_if(m->status, m->status));
	set(o, "close", close_name(m->close));
	return o;
}

static json_t *header_object(const struct uc_measured *m)
{
	json_t *o;

	if (!m->silent.known && !m->half_header.known)
		return json_null();
	o = json_object();
	set(o, "nothing_sent", wait_object(&m->silent));
	set(o, "half_sent", wait_object(&m->half_header));
	return o;
}

static json_t *early_object(const struct uc_measured *m)
{
	json_t *o;

	if (!m->early.known)
		return json_null();
	o = json_object();
	set(o, "before_body", json_boolean(m->early.answered));
	set(o, "status", uc_json_integer_if(m->early.status, m->early.status));
	set(o, "reset", json_boolean(m->early.reset));
	return o;
}

static json_t *body_object(const struct uc_measured *m)
{
	json_t *o;

	if (!m->half_body.known && !m->early.known)
		return json_null();
	o = json_object();
	set(o, "half_sent", wait_object(&m->half_body));
	set(o, "answer", early_object(m));
	return o;
}

static json_t *requests_object(const struct uc_measured *m)
{
	json_t *o;

	if (!m->requests.known)
		return json_null();
	o = json_object();
	set(o, "count", uc_json_integer_if(m->requests.exact, m->requests.count));
	set(o, "at_least", uc_json_integer_if(!m->requests.exact, m->requests.count));
	set(o, "connection_close", json_boolean(m->requests.said_close));
	set(o, "close", close_name(m->requests.close));
	return o;
}

static json_t *closing_object(const struct uc_measured *m)
{
	json_t *o;

	if (!m->closing.known)
		return json_null();
	o = json_object();
	set(o, "close", close_name(m->closing.close));
	set(o, "lingers", json_boolean(m->closing.lingers));
	return o;
}

static json_t *flag_object(const char *name, bool known, bool value)
{
	json_t *o;

	if (!known)
		return json_null();
	o = json_object();
	set(o, name, json_boolean(value));
	return o;
}

json_t *uc_probe_json(const struct uc_probe_config *cfg, const struct uc_probe_result *r,
		      uint64_t wall_ns)
{
	const struct uc_measured *m = &r->measured;
	json_t *o = json_object();
	char when[48];

	uc_text_rfc3339(wall_ns, when, sizeof(when));
	set(o, "schema", json_integer(1));
	set(o, "kind", json_string("probe"));
	set(o, "time", json_string(when));
	set(o, "url", json_string(r->target->url));
	set(o, "addr", string_if(r->addr));
	set(o, "port", uc_json_integer_if(r->port, r->port));
	set(o, "unix", string_if(r->target->socket));
	set(o, "tls", json_boolean(r->target->tls));
	set(o, "reached", json_boolean(r->reached));
	set(o, "error", string_if(r->error));
	set(o, "interrupted", json_boolean(r->interrupted));
	set(o, "server", string_if(r->server));
	set(o, "max_wait_ms", uc_json_ms(cfg->max_ns));
	set(o, "lasted_ms", uc_json_ms(r->elapsed_ns));
	set(o, "connections", json_integer(r->connections));
	set(o, "requests", json_integer(r->requests));
	set(o, "answer", answer_object(r));
	set(o, "idle", idle_object(r));
	set(o, "header", header_object(m));
	set(o, "body", body_object(m));
	set(o, "requests_per_connection", requests_object(m));
	set(o, "http10", flag_object("kept_alive", m->http10.known, m->http10.kept_alive));
	set(o, "closing", closing_object(m));
	set(o, "half_close", flag_object("answered", m->half_close.known, m->half_close.answered));
	return o;
}
