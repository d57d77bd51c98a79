/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/conn/decode.h"
#include "core/conn/join.h"

/* Ends held at once: a process that dies with so many connections loses none of them here. */
#define JOIN_CAPACITY 16384
/* Failed connections that wait for what nginx did next. */
#define HOLDS 1024
/* Newest connections that began another request where a repetition was taken for due. */
#define OTHERS 64
/* Words of nginx that wait for the end of their connection. */
#define SAID 4096
/* Workers that said that they shut down. */
#define ENDING 64
/* Processes whose end closed connections. */
#define DEATHS 64
/* Upstream addresses remembered. */
#define UPSTREAMS 256
/* Newest processes known; a power of two. */
#define PROCS 1024

struct uc_engine {
	struct uc_engine_config cfg;
	struct uc_join *join;
	struct uc_holds *holds;
	struct uc_said *said;
	struct uc_exits exits;
	struct {
		uint32_t worker;
		uint64_t ts_ns;
	} ending[ENDING];    /* workers that said so, and when first */
	size_t ending_count; /* ever */
	struct uc_death deaths[DEATHS];
	size_t death_count; /* ever */
	struct uc_upstreams *upstreams;
	struct uc_totals totals;
	uint64_t printed;
	int error;
	int64_t wall_offset_ns;
	bool chosen;             /* the source follows some ports only */
	unsigned hearing;        /* nginx's words up to this level are heard; 0: not known */
	uint64_t others[OTHERS]; /* connections whose request is no repetition */
	size_t other_count;      /* ever */
	struct uc_proc procs[PROCS];
	uint64_t proc_started[PROCS]; /* of each, to look through little memory */
	size_t proc_count;            /* ever learned */
	struct uc_log_cause causes[UC_LOG_CAUSES];
	size_t cause_count; /* ever */
	/* too large for a stack */
	struct uc_record record;
	struct uc_pair pair;
	struct uc_pair held;
	struct uc_facts facts;
	struct uc_timeline timeline;
};

int uc_engine_new(const struct uc_engine_config *cfg, struct uc_engine **ret)
{
	struct uc_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	if (uc_join_new(JOIN_CAPACITY, &e->join) || uc_holds_new(HOLDS, &e->holds) ||
	    uc_said_new(SAID, &e->said) || uc_upstreams_new(UPSTREAMS, &e->upstreams)) {
		uc_engine_free(e);
		return -ENOMEM;
	}
	e->totals.upstreams = e->upstreams;
	e->totals.deaths = e->deaths;
	e->cfg = *cfg;
	*ret = e;
	return 0;
}

void uc_engine_free(struct uc_engine *e)
{
	if (!e)
		return;
	uc_join_free(e->join);
	uc_holds_free(e->holds);
	uc_said_free(e->said);
	uc_upstreams_free(e->upstreams);
	free(e);
}

static const struct uc_proc *proc_of(const struct uc_engine *e, const struct uc_task *t)
{
	size_t kept = e->proc_count < PROCS ? e->proc_count : PROCS;

	for (size_t i = 1; t->tgid && i <= kept; i++) {
		size_t at = (e->proc_count - i) % PROCS;

		if (e->proc_started[at] == t->start_ns && e->procs[at].tgid == t->tgid)
			return &e->procs[at];
	}
	return NULL;
}

/* Who is at the upstream's end: who closed it, else who used it last. */
static struct uc_task upstream_of(const struct uc_pair *p)
{
	const struct uc_conn *u = &p->upstream.conn;

	if (!p->has_upstream)
		return p->nginx.peer;
	if (u->closer.tgid && !(u->closer.flags & UC_TASK_KTHREAD))
		return u->closer;
	return u->owner.tgid ? u->owner : p->nginx.peer;
}

static bool is_in(const struct uc_engine_config *cfg, const struct uc_whose *w)
{
	bool found = false;

	for (size_t i = 0; i < cfg->container_count; i++)
		found |= uc_whose_container_is(w, cfg->containers[i]);
	for (size_t i = 0; i < cfg->pod_count; i++)
		found |= uc_whose_pod_is(w, cfg->pods[i]);
	return found;
}

/* Either end counts: who asks for a container means what goes out of it as what comes in. */
static bool wanted_container(const struct uc_engine *e)
{
	struct uc_task upstream = upstream_of(&e->pair);
	struct uc_whose of_nginx, of_upstream;

	if (!e->cfg.container_count && !e->cfg.pod_count)
		return true;
	of_nginx = uc_whose(proc_of(e, &e->pair.nginx.conn.owner));
	of_upstream = uc_whose(proc_of(e, &upstream));
	return is_in(&e->cfg, &of_nginx) || is_in(&e->cfg, &of_upstream);
}

static bool wanted(const struct uc_engine *e)
{
	const struct uc_conn *c = &e->pair.nginx.conn;
	bool port = !e->cfg.port_count, comm = !e->cfg.comm_count;

	for (size_t i = 0; i < e->cfg.port_count; i++)
		port |= e->cfg.ports[i] == c->tuple.remote_port;
	for (size_t i = 0; i < e->cfg.comm_count; i++)
		comm |= !strncmp(e->cfg.comms[i], c->owner.comm, UC_COMM_LEN);
	return port && comm && wanted_container(e);
}

static void remember(struct uc_engine *e, const struct uc_upstream_addr *addr,
		     const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	const struct uc_verdict *v = &r->verdict;
	uint64_t idle_ns = 0;

	if (v->id == UC_VERDICT_IDLE_CLOSE || v->id == UC_VERDICT_KEEPALIVE_RACE)
		idle_ns = uc_facts_upstream_idle(f);
	uc_upstreams_note(e->upstreams, addr, f->nginx->x.number, v->flagged, idle_ns);
	e->totals.connections++;
	e->totals.exchanges += f->nginx->x.number;
	e->totals.by_verdict[v->id]++;
	if (!v->flagged)
		return;
	e->causes[e->cause_count++ % UC_LOG_CAUSES] = (struct uc_log_cause){ .addr = *addr,
									     .verdict = v->id,
									     .end_ns = f->end_ns };
	e->totals.flagged++;
	e->totals.by_outcome[r->outcome.id]++;
}

/* The death that closed this connection, be it in use or idle; NULL: none did. */
static const struct uc_death *death_of(struct uc_engine *e, const struct uc_judged *r)
{
	const struct uc_conn *u = r->facts->upstream;
	struct uc_death *d = NULL;

	if (!u || !(u->closer.flags & UC_TASK_EXITING) || u->closer.flags & UC_TASK_KTHREAD ||
	    !r->facts->upstream_closed)
		return NULL;
	for (size_t i = 0; i < DEATHS && i < e->death_count; i++)
		if (e->deaths[i].task.tgid == u->closer.tgid &&
		    e->deaths[i].task.start_ns == u->closer.start_ns)
			d = &e->deaths[i];
	if (!d) {
		e->totals.forgotten[UC_LIMIT_DEATHS] += e->death_count >= DEATHS;
		d = &e->deaths[e->death_count++ % DEATHS];
		*d = (struct uc_death){ .task = u->closer, .first_ns = u->end.ts_ns };
		e->totals.death_count = e->death_count < DEATHS ? e->death_count : DEATHS;
	}
	d->connections++;
	d->in_use += r->verdict.flagged;
	if (u->end.ts_ns < d->first_ns)
		d->first_ns = u->end.ts_ns;
	if (u->end.ts_ns > d->last_ns)
		d->last_ns = u->end.ts_ns;
	return d;
}

/* How the process ended that had closed this connection before. */
static const struct uc_exit *exit_of(const struct uc_engine *e, const struct uc_facts *f)
{
	const struct uc_exit *x = f->closed_alive ? uc_exits_of(&e->exits, &f->upstream->closer) :
						    NULL;

	return x && x->ts_ns >= f->upstream->end.ts_ns ? x : NULL;
}

/*
 * nginx logs failures and clients that left, and nothing of its own worker's end. A
 * line that says something else leaves nothing proven.
 */
static void read_line(struct uc_engine *e, struct uc_judged *r)
{
	struct uc_verdict *v = &r->verdict;
	uint64_t at = uc_judged_wall(r, r->facts->end_ns);
	bool expected = v->flagged && v->id != UC_VERDICT_WORKER_EXITED;

	if (!e->cfg.error_log || (!v->flagged && v->id != UC_VERDICT_CLIENT_GONE))
		return;
	r->line = uc_errorlog_match(e->cfg.error_log, r->facts, v->id, at, expected);
	if (r->line || !expected || r->facts->words)
		return;
	r->line = uc_errorlog_contradicts(e->cfg.error_log, r->facts, v->id, at);
	r->line_contradicts = r->line;
	if (r->line && v->confidence == UC_CONFIDENCE_PROVEN)
		v->confidence = UC_CONFIDENCE_LIKELY;
}

static bool output_wants(const struct uc_output *s, const struct uc_judged *r)
{
	return r->verdict.flagged || s->all;
}

static bool wants(const struct uc_engine *e, const struct uc_judged *r)
{
	for (size_t i = 0; i < e->cfg.output_count; i++)
		if (output_wants(e->cfg.outputs[i], r))
			return true;
	return false;
}

static void hand_on(struct uc_engine *e, const struct uc_judged *r)
{
	for (size_t i = 0; i < e->cfg.output_count; i++) {
		struct uc_output *s = e->cfg.outputs[i];
		int err = output_wants(s, r) ? s->connection(s, r) : 0;

		e->error = e->error ? e->error : err;
	}
	e->printed++;
}

static bool names_timeout(const struct uc_engine *e, struct uc_judged *r,
			  struct uc_directive_at *at)
{
	return e->cfg.directive_of && r->verdict.flagged &&
	       e->cfg.directive_of(e->cfg.directive_ctx, r, at);
}

/* When it said that it ends; 0: it did not. */
static uint64_t ending_since(const struct uc_engine *e, uint32_t worker)
{
	for (size_t i = 0; i < ENDING && i < e->ending_count; i++)
		if (e->ending[i].worker == worker)
			return e->ending[i].ts_ns;
	return 0;
}

/* Facts and verdict; the end of nginx's worker, and the timeout in force, are facts from elsewhere. */
static void assess(struct uc_engine *e, struct uc_judged *r, struct uc_directive_at *at)
{
	const struct uc_exit *x;

	uc_facts(r->pair, &e->facts);
	x = uc_exits_of(&e->exits, &e->facts.nginx->closer);
	if (x)
		uc_facts_exit(&e->facts, x->ts_ns, ending_since(e, x->task.tgid));
	r->verdict = uc_verdict(&e->facts);
	r->directive = names_timeout(e, r, at) ? at : NULL;
	if (!r->directive || r->verdict.id != UC_VERDICT_NGINX_TIMEOUT || e->facts.words)
		return;
	uc_facts_timeout(&e->facts, at->ms);
	r->verdict = uc_verdict(&e->facts);
	if (r->verdict.id != UC_VERDICT_NGINX_TIMEOUT)
		r->directive = NULL;
}

static void report(struct uc_engine *e, const struct uc_pair *pair)
{
	struct uc_upstream_addr addr = { .port = pair->nginx.conn.tuple.remote_port };
	struct uc_idle_learned idle;
	struct uc_directive_at directive;
	struct uc_judged r = { .pair = pair,
			       .facts = &e->facts,
			       .timeline = &e->timeline,
			       .wall_offset_ns = e->wall_offset_ns,
			       .show_query = e->cfg.show_query };

	if (uc_engine_done(e))
		return;
	assess(e, &r, &directive);
	uc_timeline(e->facts.nginx, e->facts.upstream, &e->timeline);
	r.outcome = pair->outcome;
	uc_outcome_settle(&e->facts, &r.verdict, &r.outcome);
	r.upstream = upstream_of(pair);
	r.nginx_is = uc_whose(proc_of(e, &pair->nginx.conn.owner));
	r.upstream_is = uc_whose(proc_of(e, &r.upstream));
	if (r.upstream_is.proc && r.upstream_is.proc->exe[0])
		r.upstream_exe = r.upstream_is.proc->exe;
	memcpy(addr.addr, pair->nginx.conn.tuple.remote_addr, sizeof(addr.addr));
	remember(e, &addr, &r);
	read_line(e, &r);
	r.death = death_of(e, &r);
	r.exit = exit_of(e, &e->facts);
	r.exit_after_ns = r.exit ? r.exit->ts_ns - e->facts.upstream->end.ts_ns : 0;
	if (!wants(e, &r))
		return;
	r.idle = uc_upstreams_idle(e->upstreams, &addr, &idle) ? &idle : NULL;
	hand_on(e, &r);
}

/* A response that nginx refused looks complete until nginx says 502 to its client. */
static bool awaits_followup(const struct uc_facts *f, const struct uc_verdict *v)
{
	if (!(f->nginx->flags & UC_CONN_FOLLOWUP))
		return false;
	return (v->id != UC_VERDICT_COMPLETE && v->id != UC_VERDICT_IDLE_CLOSE) ||
	       ((f->closed_by == UC_CLOSED_BY_NGINX || f->end_unseen) &&
		f->nginx->flags & UC_CONN_AT_ONCE) ||
	       (f->opaque && !f->pooled) || (f->close == UC_CLOSE_RST && !f->pooled);
}

/* An old worker closes what is left, and exits then. */
static bool awaits_worker_exit(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX && !f->words && !f->nginx_exiting && !f->pooled &&
	       f->exchange && f->response_state != UC_RESPONSE_COMPLETE;
}

/* A process that unwinds closes its connections one by one, and exits then. */
static bool awaits_exit(const struct uc_engine *e, const struct uc_facts *f,
			const struct uc_verdict *v)
{
	if (awaits_worker_exit(f))
		return true;
	return v->flagged && f->closed_by == UC_CLOSED_BY_UPSTREAM && f->closed_alive &&
	       !exit_of(e, f);
}

/* What is not plainly healthy waits for what its two processes do next; everything else is said at once. */
static void judge(struct uc_engine *e, uint64_t now_ns)
{
	struct uc_verdict v;
	bool exit;

	uc_said_take(e->said, e->pair.nginx.conn.id, &e->pair.said);
	e->pair.hearing = e->hearing;
	if (!wanted(e))
		return;
	uc_facts(&e->pair, &e->facts);
	v = uc_verdict(&e->facts);
	exit = awaits_exit(e, &e->facts, &v);
	if (exit || awaits_followup(&e->facts, &v)) {
		if (uc_holds_put(e->holds, &e->pair, exit, now_ns))
			return;
		e->totals.forgotten[UC_LIMIT_OUTCOMES]++;
	}
	report(e, &e->pair);
}

/* Each is an attempt that the healthy traffic would not have needed. */
static void count_repeated(struct uc_engine *e, const uint8_t addr[16], uint16_t port)
{
	struct uc_upstream_addr to = { .port = port };

	memcpy(to.addr, addr, sizeof(to.addr));
	uc_upstreams_repeated(e->upstreams, &to);
	e->totals.repeated++;
	for (size_t i = 0; i < e->cfg.output_count; i++)
		if (e->cfg.outputs[i]->repeated)
			e->cfg.outputs[i]->repeated(e->cfg.outputs[i], &to);
}

static void on_followup(struct uc_engine *e, const struct uc_rec_followup *s)
{
	if (uc_holds_followup(e->holds, s, &e->held))
		report(e, &e->held);
}

static void name_causes(const struct uc_engine *e, struct uc_log_event *ev)
{
	for (size_t i = 1; i <= UC_LOG_CAUSES && i <= e->cause_count; i++) {
		const struct uc_log_cause *c = &e->causes[(e->cause_count - i) % UC_LOG_CAUSES];

		if (c->end_ns <= ev->words->ts_ns && ev->words->ts_ns - c->end_ns < UC_LOG_CAUSE_NS)
			ev->causes[ev->cause_count++] = *c;
	}
}

/* About no connection that is followed: an event of its own. */
static void report_words(struct uc_engine *e, const struct uc_words *w)
{
	struct uc_log_event ev = { .words = w, .wall_offset_ns = e->wall_offset_ns };

	/* without a connection it has no port to be chosen by */
	if (e->cfg.port_count || e->chosen || w->level > UC_WORDS_ERROR ||
	    !uc_words_about_upstream(w))
		return;
	e->totals.words[w->kind]++;
	name_causes(e, &ev);
	for (size_t i = 0; i < e->cfg.output_count && !uc_engine_done(e); i++) {
		struct uc_output *o = e->cfg.outputs[i];
		int err = o->words ? o->words(o, &ev) : 0;

		e->error = e->error ? e->error : err;
	}
}

static void on_attempt(struct uc_engine *e, const struct uc_rec_attempt *a)
{
	switch (uc_holds_attempt(e->holds, a, &e->held)) {
	case UC_ATTEMPT_REPEATED:
		count_repeated(e, a->remote_addr, a->remote_port);
		return;
	case UC_ATTEMPT_OTHER_READY:
		report(e, &e->held);
		break;
	case UC_ATTEMPT_OTHER:
		break;
	}
	e->others[e->other_count++ % OTHERS] = a->next_id;
}

/* The kernel side counts what a worker turns to next as another attempt at what failed. */
static void forget_other(const struct uc_engine *e, struct uc_conn *c)
{
	for (size_t i = 0; i < OTHERS && i < e->other_count; i++)
		if (e->others[i] == c->id)
			c->x.attempt = c->x.after_id = 0;
}

static void on_words(struct uc_engine *e, const struct uc_rec_words *rec)
{
	struct uc_words w;

	uc_words_read(rec, &w);
	if (w.kind == UC_WORDS_WORKER_SHUTDOWN && !ending_since(e, w.worker)) {
		e->ending[e->ending_count % ENDING].worker = w.worker;
		e->ending[e->ending_count++ % ENDING].ts_ns = w.ts_ns;
	}
	if (uc_said_put(e->said, &w))
		report_words(e, &w);
}

static bool on_nginx_end(struct uc_engine *e, struct uc_rec_nginx *n, uint64_t now_ns)
{
	forget_other(e, &n->conn);
	if (n->conn.x.attempt > 1 && !n->conn.x.out_bytes)
		count_repeated(e, n->conn.tuple.remote_addr, n->conn.tuple.remote_port);
	uc_said_end(e->said, &n->conn);
	return uc_join_nginx(e->join, n, now_ns, &e->pair);
}

static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct uc_engine *e = ctx;
	struct uc_record *rec = &e->record;
	uint64_t now_ns;
	bool ready = false;

	if (uc_decode(bytes, len, rec)) {
		e->totals.bad_records++;
		return;
	}
	now_ns = rec->hdr.ts_ns;
	uc_engine_tick(e, now_ns);
	if (rec->hdr.kind == UC_REC_NGINX_END)
		ready = on_nginx_end(e, &rec->nginx, now_ns);
	else if (rec->hdr.kind == UC_REC_UPSTREAM_END)
		ready = uc_join_upstream(e->join, &rec->upstream, now_ns, &e->pair);
	else if (rec->hdr.kind == UC_REC_FOLLOWUP)
		on_followup(e, &rec->followup);
	else if (rec->hdr.kind == UC_REC_EXIT)
		uc_exits_note(&e->exits, &rec->proc);
	else if (rec->hdr.kind == UC_REC_ATTEMPT)
		on_attempt(e, &rec->attempt);
	else if (rec->hdr.kind == UC_REC_WORDS)
		on_words(e, &rec->words);
	if (ready)
		judge(e, now_ns);
}

static void on_proc(void *ctx, const struct uc_proc *proc)
{
	struct uc_engine *e = ctx;

	e->totals.forgotten[UC_LIMIT_PROCESSES] += e->proc_count >= PROCS;
	e->proc_started[e->proc_count % PROCS] = proc->start_ns;
	e->procs[e->proc_count++ % PROCS] = *proc;
}

static void on_clock(void *ctx, int64_t offset_ns, uint64_t mono_ns)
{
	struct uc_engine *e = ctx;

	(void)mono_ns;
	e->wall_offset_ns = offset_ns;
}

static void on_losses(void *ctx, const struct uc_losses *losses)
{
	struct uc_engine *e = ctx;

	e->totals.losses = *losses;
}

static void on_hearing(void *ctx, unsigned hearing)
{
	struct uc_engine *e = ctx;

	e->hearing = hearing & UC_HEARING_LEVEL;
	e->chosen = hearing & UC_HEARING_CHOSEN;
}

struct uc_frames uc_engine_frames(struct uc_engine *e)
{
	return (struct uc_frames){ .record = on_record,
				   .proc = on_proc,
				   .clock = on_clock,
				   .losses = on_losses,
				   .hearing = on_hearing,
				   .ctx = e };
}

void uc_engine_reconfigure(struct uc_engine *e, struct uc_errorlog *error_log, bool show_query)
{
	e->cfg.error_log = error_log;
	e->cfg.show_query = show_query;
}

void uc_engine_tick(struct uc_engine *e, uint64_t mono_ns)
{
	struct uc_words w;

	while (uc_join_expire(e->join, mono_ns, &e->pair))
		judge(e, mono_ns);
	while (uc_holds_expire(e->holds, mono_ns, &e->held))
		report(e, &e->held);
	while (uc_said_expire(e->said, mono_ns, &w))
		report_words(e, &w);
	if (e->cfg.error_log)
		uc_errorlog_tick(e->cfg.error_log);
	e->totals.evicted = uc_join_stats(e->join).evicted;
	e->totals.forgotten[UC_LIMIT_UPSTREAMS] = uc_upstreams_evicted(e->upstreams);
}

uint64_t uc_engine_deadline(const struct uc_engine *e)
{
	uint64_t join = uc_join_deadline(e->join), hold = uc_holds_deadline(e->holds),
		 said = uc_said_deadline(e->said), first = join < hold ? join : hold;

	return first < said ? first : said;
}

bool uc_engine_done(const struct uc_engine *e)
{
	return e->error || (e->cfg.max_count && e->printed >= e->cfg.max_count);
}

int uc_engine_error(const struct uc_engine *e)
{
	return e->error;
}

int uc_engine_finish(struct uc_engine *e, uint64_t duration_ns, uint64_t end_wall_ns)
{
	uc_engine_tick(e, UINT64_MAX);
	e->totals.duration_ns = duration_ns;
	e->totals.end_wall_ns = end_wall_ns;
	e->totals.error_log = e->cfg.error_log;
	if (e->cfg.error_log) {
		uc_errorlog_poll(e->cfg.error_log);
		e->totals.log = uc_errorlog_stats(e->cfg.error_log, UINT64_MAX);
	}
	for (size_t i = 0; i < e->cfg.output_count && !e->error; i++)
		e->error = e->cfg.outputs[i]->summary(e->cfg.outputs[i], &e->totals);
	return e->error;
}

struct uc_totals uc_engine_totals(const struct uc_engine *e)
{
	return e->totals;
}
