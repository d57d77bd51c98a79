/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as one record after the other, through every stage of the core and its sentences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/conn/decode.h"
#include "core/conn/facts.h"
#include "core/conn/forms.h"
#include "core/conn/join.h"
#include "core/conn/outcome.h"
#include "core/conn/timeline.h"
#include "core/conn/verdict.h"
#include "output/explain.h"

#define CAPACITY 4
#define HOLDS    2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct uc_pair pair, held;
static struct uc_holds *waiting;
static struct uc_facts facts;
static struct uc_timeline line;

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_decode: %s\n", what);
	abort();
}

static void check_timeline(void)
{
	require(line.count <= 2 * UC_EVENTS, "timeline: too long");
	for (size_t i = 1; i < line.count; i++)
		require(line.at[i - 1].ts_ns <= line.at[i].ts_ns, "timeline: not in order");
}

static void check_verdict(const struct uc_verdict *v)
{
	require((unsigned)v->id < UC_VERDICT_MAX, "verdict: out of range");
	require((unsigned)v->proof < UC_PROOF_MAX, "verdict: proof out of range");
	require((unsigned)v->confidence < UC_CONFIDENCE_MAX, "verdict: confidence out of range");
	require(v->flagged == uc_verdict_flagged(v->id), "verdict: flag");
	require((v->id == UC_VERDICT_UNKNOWN) == (v->confidence == UC_CONFIDENCE_UNKNOWN),
		"verdict: unknown with a confidence");
	require(v->id != UC_VERDICT_KEEPALIVE_RACE || facts.reused, "verdict: a race on a new one");
}

static void check_sentence(const char *text)
{
	require(memchr(text, '\0', UC_EXPLAIN_LEN), "explain: no end");
	require(*text, "explain: nothing said");
	for (; *text; text++)
		require(*text >= 0x20 && *text < 0x7f, "explain: not printable");
}

static void check_outcome(const struct uc_outcome *o)
{
	require((unsigned)o->id < UC_OUTCOME_MAX, "outcome: out of range");
	require((o->id == UC_OUTCOME_UNKNOWN) == (o->confidence == UC_CONFIDENCE_UNKNOWN),
		"outcome: unknown with a confidence");
	require(o->retry_known == (o->id == UC_OUTCOME_RETRIED), "outcome: a retry to nowhere");
	require(o->client_status < 1000 && o->retry_status < 1000, "outcome: status");
}

static void check_explained(const struct uc_pair *p, struct uc_verdict v)
{
	struct uc_judged r = { .pair = p, .facts = &facts, .timeline = &line, .verdict = v };
	static struct uc_explanation e;

	r.outcome = p->outcome;
	uc_outcome_settle(&facts, &v, &r.outcome);
	check_outcome(&r.outcome);
	r.upstream = p->has_upstream ? p->upstream.conn.closer : p->nginx.peer;
	uc_explain(&r, &e);
	check_sentence(e.summary);
	require(e.advice.count <= UC_EXPLAIN_LINES && e.evidence.count <= UC_EXPLAIN_LINES,
		"explain: too many lines");
	for (size_t i = 0; i < e.advice.count; i++)
		check_sentence(e.advice.line[i]);
	for (size_t i = 0; i < e.evidence.count; i++)
		check_sentence(e.evidence.line[i]);
}

static void judge(const struct uc_pair *p)
{
	struct uc_verdict v;

	uc_facts(p, &facts);
	uc_timeline(facts.nginx, facts.upstream, &line);
	v = uc_verdict(&facts);
	check_timeline();
	check_verdict(&v);
	check_explained(p, v);
	require(!uc_facts_upstream_idle(&facts) || facts.close == UC_CLOSE_FIN, "idle: no FIN");
}

/* A copy goes into the holds, where its followup may find it. */
static void ready(uint64_t now_ns)
{
	memset(&pair.outcome, 0, sizeof(pair.outcome));
	judge(&pair);
	uc_holds_put(waiting, &pair, false, now_ns);
}

static void mend_conn(struct uc_conn *c, bool nginx)
{
	static const uint8_t closes[] = { 0, UC_EV_FIN, UC_EV_RST };

	c->tuple.family = c->tuple.family & 1 ? AF_INET6 : AF_INET;
	c->peer_closed = closes[c->peer_closed % 3];
	c->flags = nginx ? c->flags | UC_CONN_NGINX : c->flags & ~UC_CONN_NGINX;
	c->owner.comm[UC_COMM_LEN - 1] = c->closer.comm[UC_COMM_LEN - 1] = '\0';
	for (size_t i = 0; i < UC_EVENTS; i++) {
		c->ev[i].kind = 1 + c->ev[i].kind % (UC_EV_MAX - 1);
		c->ev[i].count |= 1;
	}
}

/* So that what the decoder refuses at once is not the end of the search. */
static void mend(struct uc_record *r)
{
	if (r->hdr.kind == UC_REC_PROC || r->hdr.kind == UC_REC_EXIT)
		r->proc.task.comm[UC_COMM_LEN - 1] = '\0';
	if (r->hdr.kind == UC_REC_FOLLOWUP) {
		r->followup.what = 1 + r->followup.what % (UC_FOLLOWUP_MAX - 1);
		r->followup.head_len %= UC_FOLLOWUP_HEAD + 1;
	}
	if (r->hdr.kind == UC_REC_UPSTREAM_END)
		mend_conn(&r->upstream.conn, false);
	if (r->hdr.kind != UC_REC_NGINX_END)
		return;
	mend_conn(&r->nginx.conn, true);
	r->nginx.peer.comm[UC_COMM_LEN - 1] = '\0';
	r->nginx.heads.request_len %= UC_REQUEST_HEAD + 1;
	r->nginx.heads.response_len %= UC_RESPONSE_HEAD + 1;
	r->nginx.heads.tail_len %= UC_RESPONSE_TAIL + 1;
	r->nginx.heads.response_gap &= 1;
}

/* A copy as long as it is, so that ASan sees every step outside it. */
static int decode(const void *bytes, size_t len, struct uc_record *ret)
{
	void *copy = malloc(len ? len : 1);
	int err;

	require(copy, "no memory");
	memcpy(copy, bytes, len);
	err = uc_decode(copy, len, ret);
	require(err || ret->hdr.size == len, "decode: another size");
	free(copy);
	return err;
}

static void feed(struct uc_join *join, const struct uc_record *r)
{
	bool joined = false;

	while (uc_holds_expire(waiting, r->hdr.ts_ns, &held))
		judge(&held);
	if (r->hdr.kind == UC_REC_NGINX_END)
		joined = uc_join_nginx(join, &r->nginx, r->hdr.ts_ns, &pair);
	else if (r->hdr.kind == UC_REC_UPSTREAM_END)
		joined = uc_join_upstream(join, &r->upstream, r->hdr.ts_ns, &pair);
	else if (r->hdr.kind == UC_REC_FOLLOWUP && uc_holds_followup(waiting, &r->followup, &held))
		judge(&held);
	if (joined)
		ready(r->hdr.ts_ns);
	require(uc_join_stats(join).held <= CAPACITY, "join: too many held");
}

static size_t size_of(unsigned kind)
{
	switch (kind) {
	case UC_REC_NGINX_END:
		return sizeof(struct uc_rec_nginx);
	case UC_REC_UPSTREAM_END:
		return sizeof(struct uc_rec_upstream);
	case UC_REC_PROC:
	case UC_REC_EXIT:
		return sizeof(struct uc_rec_proc);
	case UC_REC_FOLLOWUP:
		return sizeof(struct uc_rec_followup);
	default:
		return sizeof(struct uc_rec_hdr);
	}
}

/* In its shortest form it is the same record. */
static void check_forms(const struct uc_record *r)
{
	static uint8_t folded[sizeof(struct uc_record)];
	static struct uc_record again;
	size_t len;

	if (r->hdr.kind == UC_REC_NGINX_END)
		len = uc_forms_fold_nginx(&r->nginx, folded);
	else if (r->hdr.kind == UC_REC_UPSTREAM_END)
		len = uc_forms_fold_upstream(&r->upstream, folded);
	else
		return;
	require(!uc_decode(folded, len, &again), "forms: a folded record is not valid");
	if (r->hdr.kind == UC_REC_NGINX_END) {
		require(!memcmp(&again.nginx.peer, &r->nginx.peer, sizeof(r->nginx.peer)),
			"forms: another peer");
		require(!memcmp(again.nginx.heads.request, r->nginx.heads.request,
				r->nginx.heads.request_len),
			"forms: another request");
		require(!memcmp(again.nginx.heads.response, r->nginx.heads.response,
				r->nginx.heads.response_len),
			"forms: another response");
	}
	require(!memcmp(&again.upstream.conn, &r->upstream.conn,
			UC_CONN_SIZE(r->upstream.conn.events < UC_EVENTS ? r->upstream.conn.events :
									   UC_EVENTS)),
		"forms: another connection");
}

/* Takes one record off the front; its kind says how long it is, a cut one is filled with zeros. */
static size_t take(struct uc_join *join, const uint8_t *data, size_t size)
{
	static struct uc_record given, decoded;
	size_t len, had;

	memset(&given, 0, sizeof(given));
	memcpy(&given, data, size < sizeof(given.hdr) ? size : sizeof(given.hdr));
	len = size_of(given.hdr.kind);
	had = size < len ? size : len;
	memcpy(&given, data, had);
	if (decode(data, had, &decoded)) {
		given.hdr.version = UC_WIRE_VERSION;
		given.hdr.size = len;
		mend(&given);
		if (decode(&given, len, &decoded))
			return had;
	}
	check_forms(&decoded);
	feed(join, &decoded);
	return had;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uc_join *join;

	require(!uc_join_new(CAPACITY, &join) && !uc_holds_new(HOLDS, &waiting), "no memory");
	while (size) {
		size_t taken = take(join, data, size);

		data += taken;
		size -= taken;
	}
	while (uc_join_expire(join, UINT64_MAX, &pair))
		ready(UINT64_MAX);
	while (uc_holds_expire(waiting, UINT64_MAX, &held))
		judge(&held);
	require(uc_holds_deadline(waiting) == UINT64_MAX, "holds: somebody waits for ever");
	uc_holds_free(waiting);
	require(!uc_join_stats(join).held, "join: somebody waits for ever");
	uc_join_free(join);
	return 0;
}
