/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/directive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "nginx/running.h"
#include "nginx/sources.h"
#include "nginx/trust.h"
#include "base/clock.h"
#include "core/nginx/contract.h"
#include "base/log.h"
#include "base/text.h"

/* Masters at once; the one read first goes for a new one. */
#define MASTERS 8
/* Workers whose master is remembered: one that a reload ended may be gone when its verdict comes. */
#define WORKERS 64
/* Workers that a reload brings begin within that of each other. */
#define TOGETHER_NS 50000000ULL
/* File systems keep their times in ticks. */
#define TICK_NS 10000000ULL

/* A server with an address, so that it is found by bisection. */
struct target {
	uint8_t addr[16]; /* all zero: a name, which is found by its port alone */
	uint16_t port;
	const struct uc_nginx_place *place;
};

struct master {
	pid_t pid;
	uint64_t workers_ns; /* when the newest worker that was asked about had begun, since boot */
	uint64_t changed_ns; /* wall clock: the newest of the files */
	struct uc_sources *sources;
	struct uc_nginx_http *http; /* NULL: could not be read */
	struct target *targets;
	size_t count;
	bool variables; /* some place's target is known only at run time */
};

struct worker {
	pid_t pid, parent;
	uint64_t start_ns;
};

struct uc_directives {
	struct master masters[MASTERS];
	size_t next;
	struct worker workers[WORKERS];
	size_t next_worker;
};

int uc_directives_new(struct uc_directives **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void forget(struct master *m)
{
	uc_nginx_http_free(m->http);
	uc_sources_free(m->sources);
	free(m->targets);
	memset(m, 0, sizeof(*m));
}

void uc_directives_free(struct uc_directives *d)
{
	for (size_t i = 0; d && i < MASTERS; i++)
		forget(&d->masters[i]);
	free(d);
}

/* --- targets ---------------------------------------------------------------------------- */

static int by_target(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	return order ? order : (x->port > y->port) - (x->port < y->port);
}

static void parse_addr(const struct uc_nginx_word *host, uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	memset(addr, 0, 16);
	if (host->len >= sizeof(text))
		return;
	memcpy(text, host->p, host->len);
	text[host->len] = '\0';
	if (inet_pton(AF_INET, text, addr + 12) == 1)
		memcpy(addr, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, addr) != 1)
		memset(addr, 0, 16);
}

static size_t count_targets(const struct uc_nginx_http *h)
{
	size_t sum = 0, count;

	for (size_t i = 0; i < uc_nginx_http_places(h); i++) {
		uc_nginx_place_servers(uc_nginx_http_place(h, i), &count);
		sum += count;
	}
	return sum;
}

/* More than this is no configuration that a person keeps. */
#define TARGETS_MAX (1U << 18)

static bool list_targets(struct master *m)
{
	size_t room = count_targets(m->http);

	if (room > TARGETS_MAX)
		return false;
	m->targets = calloc(room + 1, sizeof(*m->targets));
	if (!m->targets)
		return false;
	for (size_t i = 0; i < uc_nginx_http_places(m->http); i++) {
		const struct uc_nginx_place *p = uc_nginx_http_place(m->http, i);
		size_t count;
		const struct uc_nginx_server *s = uc_nginx_place_servers(p, &count);

		m->variables |= p->variable;
		for (size_t k = 0; k < count; k++) {
			struct target *t = &m->targets[m->count];

			if (s[k].at.unix_socket)
				continue;
			parse_addr(&s[k].at.host, t->addr);
			t->port = s[k].at.port;
			t->place = p;
			m->count++;
		}
	}
	qsort(m->targets, m->count, sizeof(*m->targets), by_target);
	return true;
}

/* --- masters ------------------------------------------------------------------------------ */

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	uc_file_start(path, text, sizeof(text));
	/* "77 (nginx) S 76 ...": the name may hold anything, but ends at the last bracket */
	at = strrchr(text, ')');
	return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

/* 0: it is gone, and was not asked about before. */
static pid_t master_pid(struct uc_directives *d, const struct uc_task *worker)
{
	pid_t pid = (pid_t)worker->tgid, parent;

	for (size_t i = 0; i < WORKERS; i++)
		if (d->workers[i].pid == pid && d->workers[i].start_ns == worker->start_ns)
			return d->workers[i].parent;
	parent = parent_of(pid);
	if (parent > 1)
		d->workers[d->next_worker++ % WORKERS] = (struct worker){ pid, parent,
									  worker->start_ns };
	return parent > 1 ? parent : 0;
}

static void read_master(struct master *m)
{
	char running_why[UC_RUNNING_WHY] = "", why[UC_SOURCES_WHY] = "", root[32];
	struct uc_running *r = malloc(sizeof(*r));

	if (!r)
		return;
	if (uc_running_find(m->pid, r, running_why)) {
		uc_debug("nginx's configuration: %s", running_why);
		free(r);
		return;
	}
	/* its own view: mounts may differ where the root does not, as under PrivateTmp= */
	snprintf(root, sizeof(root), "/proc/%d/root", m->pid);
	m->sources = uc_sources_read(r->conf, root, why);
	if (!m->sources) {
		uc_debug("nginx's configuration: %s", why);
	} else if (r->version && !uc_nginx_http_new(m->sources->conf, r->version, &m->http) &&
		   !list_targets(m)) {
		uc_nginx_http_free(m->http);
		m->http = NULL;
	}
	if (m->sources)
		m->changed_ns = m->sources->changed_ns;
	free(r);
}

static struct master *master_of(struct uc_directives *d, pid_t pid, uint64_t worker_ns)
{
	struct master *m = NULL;

	for (size_t i = 0; i < MASTERS; i++)
		if (d->masters[i].pid == pid)
			m = &d->masters[i];
	if (m && worker_ns <= m->workers_ns + TOGETHER_NS)
		return m;
	if (!m)
		m = &d->masters[d->next++ % MASTERS];
	forget(m);
	m->pid = pid;
	m->workers_ns = worker_ns;
	if (uc_nginx_trusted(pid))
		read_master(m);
	return m;
}

/* --- finding --------------------------------------------------------------------------------- */

/* The run of targets with this address and port. */
static const struct target *run_of(const struct master *m, const struct target *key, size_t *count)
{
	const struct target *t = m->count ? bsearch(key, m->targets, m->count, sizeof(*key),
						    by_target) :
					    NULL,
			    *end = m->targets + m->count, *last;

	while (t && t > m->targets && !by_target(t - 1, key))
		t--;
	for (last = t; last && last < end && !by_target(last, key);)
		last++;
	*count = t ? last - t : 0;
	return t;
}

/*
 * A server by its address; else by its port, where that can only be the server
 * named so: nothing else in the configuration leads to that port.
 */
static const struct target *find(const struct master *m, const struct uc_tuple *to, size_t *count)
{
	struct target key = { .port = to->remote_port };
	const struct target *t;

	memcpy(key.addr, to->remote_addr, sizeof(key.addr));
	t = run_of(m, &key, count);
	if (t || m->variables)
		return t;
	memset(key.addr, 0, sizeof(key.addr));
	t = run_of(m, &key, count);
	for (size_t i = 0; t && i < m->count; i++)
		if (m->targets[i].port == key.port &&
		    (memcmp(m->targets[i].addr, key.addr, sizeof(key.addr)) ||
		     m->targets[i].place->group != t->place->group))
			return NULL;
	return t;
}

static bool fill(const struct master *m, const struct uc_nginx_directive *at,
		 const struct uc_nginx_value *v, struct uc_directive_at *ret)
{
	const struct uc_nginx_file *f = uc_nginx_conf_file(m->sources->conf, at->file);

	uc_text_escape(f->path, strlen(f->path), ret->path, sizeof(ret->path));
	ret->line = at->line;
	ret->ms = v->n;
	ret->by_default = !v->from;
	return v->n >= 0;
}

static bool find_pool(const struct master *m, const struct target *t, size_t count,
		      struct uc_directive_at *ret)
{
	const struct uc_nginx_group *g = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct uc_nginx_place *p = t[i].place;

		if (p->pool != UC_NGINX_POOL_KEPT || (g && p->group != g))
			continue;
		g = p->group;
	}
	if (!g)
		return false;
	for (size_t i = 0; i < count; i++)
		if (t[i].place->pool == UC_NGINX_POOL_KEPT && t[i].place->group != g)
			return false;
	snprintf(ret->name, sizeof(ret->name), "keepalive_timeout");
	uc_text_escape(g->name.p, g->name.len, ret->group, sizeof(ret->group));
	return fill(m, g->timeout.from ? g->timeout.from : g->block, &g->timeout, ret);
}

static bool find_timeout(const struct master *m, const struct target *t, size_t count,
			 enum uc_nginx_setting s, struct uc_directive_at *ret)
{
	const struct uc_nginx_place *p = t->place;
	const struct uc_nginx_value *v = &p->values[s];

	for (size_t i = 1; i < count; i++)
		if (t[i].place->protocol != p->protocol || t[i].place->values[s].n != v->n ||
		    t[i].place->values[s].from != v->from)
			return false;
	/* of several places by default there is no one line to name */
	if (!v->from && count > 1)
		return false;
	snprintf(ret->name, sizeof(ret->name), "%s_%s", uc_nginx_protocol_name(p->protocol),
		 uc_nginx_setting_name(s));
	return fill(m, v->from ? v->from : p->pass, v, ret);
}

/* The setting that a verdict's timeout is; false: it is about none. */
static bool setting_of(const struct uc_verdict *v, enum uc_nginx_setting *ret)
{
	if (v->id == UC_VERDICT_NGINX_TIMEOUT)
		*ret = v->proof == UC_PROOF_SEND_TIMEOUT ? UC_NGINX_SEND_TIMEOUT :
							   UC_NGINX_READ_TIMEOUT;
	else if (v->id == UC_VERDICT_CONNECT_FAILED && v->proof == UC_PROOF_TIMEOUT)
		*ret = UC_NGINX_CONNECT_TIMEOUT;
	else
		return false;
	return true;
}

/* A file that is newer than the worker may say what the worker never read. */
static bool as_it_began(const struct master *m, uint64_t worker_ns)
{
	uint64_t began = uc_now_ns(CLOCK_REALTIME) - (uc_now_ns(CLOCK_BOOTTIME) - worker_ns);

	return m->changed_ns <= began + TICK_NS;
}

/* In the configuration of the nginx that held the connection; NULL: not known. */
static const struct target *targets_of(struct uc_directives *d, const struct uc_conn *c,
				       const struct master **ret, size_t *count)
{
	struct master *m;
	pid_t parent;

	if (!c->owner.tgid || !c->owner.start_ns)
		return NULL;
	parent = master_pid(d, &c->owner);
	if (!parent)
		return NULL;
	*ret = m = master_of(d, parent, c->owner.start_ns);
	if (!m->http || !as_it_began(m, c->owner.start_ns))
		return NULL;
	return find(m, &c->tuple, count);
}

bool uc_directives_group(struct uc_directives *d, const struct uc_judged *r, char *buf, size_t size)
{
	const struct uc_nginx_group *g;
	const struct master *m;
	size_t count;
	const struct target *t = targets_of(d, r->facts->nginx, &m, &count);

	if (!t || !t->place->group)
		return false;
	g = t->place->group;
	for (size_t i = 1; i < count; i++)
		if (t[i].place->group != g)
			return false;
	uc_text_escape(g->name.p, g->name.len, buf, size);
	return true;
}

bool uc_directives_find(void *directives, const struct uc_judged *r, struct uc_directive_at *ret)
{
	bool race = r->verdict.id == UC_VERDICT_KEEPALIVE_RACE;
	enum uc_nginx_setting s = UC_NGINX_READ_TIMEOUT;
	const struct master *m;
	const struct target *t;
	size_t count;

	if (!race && !setting_of(&r->verdict, &s))
		return false;
	t = targets_of(directives, r->facts->nginx, &m, &count);
	if (!t)
		return false;
	memset(ret, 0, sizeof(*ret));
	return race ? find_pool(m, t, count, ret) : find_timeout(m, t, count, s, ret);
}
