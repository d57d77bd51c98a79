/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "core/conn/forms.h"

/* 36 years of uptime: all that is reckoned from times below it stays far from an overflow. */
#define LATEST_NS (1ULL << 60)

static bool comm_valid(const char comm[UC_COMM_LEN])
{
	return memchr(comm, '\0', UC_COMM_LEN);
}

static bool task_valid(const struct uc_task *t)
{
	return comm_valid(t->comm);
}

static bool times_valid(const struct uc_conn *c)
{
	const struct uc_exchange *x = &c->x;

	return c->open_ns < LATEST_NS && c->established_ns < LATEST_NS &&
	       c->activity_ns < LATEST_NS && c->peer.ts_ns < LATEST_NS &&
	       c->end.ts_ns < LATEST_NS && x->out_first_ns < LATEST_NS &&
	       x->out_last_ns < LATEST_NS && x->in_first_ns < LATEST_NS &&
	       x->in_last_ns < LATEST_NS;
}

static bool events_valid(const struct uc_conn *c)
{
	unsigned kept = c->events < UC_EVENTS ? c->events : UC_EVENTS;

	for (unsigned i = 0; i < kept; i++) {
		const struct uc_event *e = &c->ev[i];

		if (!e->kind || e->kind >= UC_EV_MAX || !e->count)
			return false;
		if (e->ts_ns >= LATEST_NS || e->last_ns >= LATEST_NS)
			return false;
	}
	return true;
}

static bool conn_valid(const struct uc_conn *c, bool nginx)
{
	if (c->tuple.family != AF_INET && c->tuple.family != AF_INET6)
		return false;
	if (c->peer_closed && c->peer_closed != UC_EV_FIN && c->peer_closed != UC_EV_RST)
		return false;
	if (!(c->flags & UC_CONN_NGINX) == nginx)
		return false;
	return task_valid(&c->owner) && task_valid(&c->closer) && times_valid(c) && events_valid(c);
}

static bool heads_valid(const struct uc_heads *h)
{
	return h->request_len <= UC_REQUEST_HEAD && h->response_len <= UC_RESPONSE_HEAD &&
	       h->tail_len <= UC_RESPONSE_TAIL && h->response_gap <= 1;
}

static bool nginx_valid(const struct uc_record *r)
{
	return conn_valid(&r->nginx.conn, true) && task_valid(&r->nginx.peer) &&
	       heads_valid(&r->nginx.heads);
}

static bool upstream_valid(const struct uc_record *r)
{
	return conn_valid(&r->upstream.conn, false);
}

static bool proc_valid(const struct uc_record *r)
{
	return task_valid(&r->proc.task);
}

static bool followup_valid(const struct uc_record *r)
{
	const struct uc_rec_followup *s = &r->followup;

	return s->what && s->what < UC_FOLLOWUP_MAX && s->head_len <= UC_FOLLOWUP_HEAD;
}

static int exact(const void *bytes, size_t len, size_t size, struct uc_record *ret)
{
	if (len != size)
		return -EBADMSG;
	memcpy(ret, bytes, len);
	return 0;
}

static int take_nginx(const void *bytes, size_t len, struct uc_record *ret)
{
	return uc_forms_unfold_nginx(bytes, len, &ret->nginx);
}

static int take_upstream(const void *bytes, size_t len, struct uc_record *ret)
{
	return uc_forms_unfold_upstream(bytes, len, &ret->upstream);
}

static int take_proc(const void *bytes, size_t len, struct uc_record *ret)
{
	return exact(bytes, len, sizeof(ret->proc), ret);
}

static int take_followup(const void *bytes, size_t len, struct uc_record *ret)
{
	return exact(bytes, len, sizeof(ret->followup), ret);
}

static void clean(char *text, size_t size)
{
	size_t len = strnlen(text, size - 1);

	memset(text + len, 0, size - len);
}

void uc_words_clean(struct uc_rec_words *w)
{
	clean(w->action, sizeof(w->action));
	clean(w->format, sizeof(w->format));
}

static int take_words(const void *bytes, size_t len, struct uc_record *ret)
{
	int err = exact(bytes, len, sizeof(ret->words), ret);

	if (!err)
		uc_words_clean(&ret->words);
	return err;
}

static int take_attempt(const void *bytes, size_t len, struct uc_record *ret)
{
	return exact(bytes, len, sizeof(ret->attempt), ret);
}

static bool attempt_valid(const struct uc_record *r)
{
	return r->attempt.head_len <= UC_REQUEST_HEAD;
}

static bool words_valid(const struct uc_record *r)
{
	return r->words.level && r->words.level <= 8;
}

static const struct {
	int (*take)(const void *bytes, size_t len, struct uc_record *ret);
	bool (*valid)(const struct uc_record *r);
} kinds[UC_REC_KIND_MAX] = {
	[UC_REC_NGINX_END] = { take_nginx, nginx_valid },
	[UC_REC_UPSTREAM_END] = { take_upstream, upstream_valid },
	[UC_REC_PROC] = { take_proc, proc_valid },
	[UC_REC_EXIT] = { take_proc, proc_valid },
	[UC_REC_FOLLOWUP] = { take_followup, followup_valid },
	[UC_REC_WORDS] = { take_words, words_valid },
	[UC_REC_ATTEMPT] = { take_attempt, attempt_valid },
};

int uc_decode(const void *buf, size_t len, struct uc_record *ret)
{
	struct uc_rec_hdr hdr;
	int err;

	if (len < sizeof(hdr))
		return -EBADMSG;
	memcpy(&hdr, buf, sizeof(hdr));
	if (hdr.version != UC_WIRE_VERSION)
		return -EPROTO;
	if (hdr.kind >= UC_REC_KIND_MAX || !kinds[hdr.kind].valid)
		return -EPROTO;
	if (hdr.size != len)
		return -EBADMSG;
	err = kinds[hdr.kind].take(buf, len, ret);
	if (err)
		return err;
	return hdr.ts_ns < LATEST_NS && kinds[hdr.kind].valid(ret) ? 0 : -EINVAL;
}
