/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/forms.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

struct form {
	size_t size;
	size_t events, request, response;
};

#define NGINX_FORM(e, q, r) { UC_NGINX_SIZE(e, q, r), e, q, r },
#define UPSTREAM_FORM(e)    { UC_UPSTREAM_SIZE(e), e, 0, 0 },
static const struct form nginx_forms[] = { UC_NGINX_FORMS(NGINX_FORM) };
static const struct form upstream_forms[] = { UC_UPSTREAM_FORMS(UPSTREAM_FORM) };

static const struct form *form_of_size(const struct form *forms, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (forms[i].size == size)
			return &forms[i];
	return NULL;
}

static size_t events_kept(const struct uc_conn *c)
{
	return c->events < UC_EVENTS ? c->events : UC_EVENTS;
}

/* Copies to a place within a struct or from it, and moves on in the bytes. */
static void take(const uint8_t **from, void *to, size_t len)
{
	memcpy(to, *from, len);
	*from += len;
}

static void give(uint8_t **to, const void *from, size_t len)
{
	memcpy(*to, from, len);
	*to += len;
}

int uc_forms_unfold_upstream(const void *bytes, size_t len, struct uc_rec_upstream *ret)
{
	const struct form *f = form_of_size(upstream_forms, ARRAY_SIZE(upstream_forms), len);

	if (!f)
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, bytes, len);
	ret->hdr.size = sizeof(*ret);
	return events_kept(&ret->conn) > f->events ? -EINVAL : 0;
}

size_t uc_forms_fold_upstream(const struct uc_rec_upstream *rec, void *bytes)
{
	const struct form *f = upstream_forms;
	struct uc_rec_hdr hdr = rec->hdr;

	while (events_kept(&rec->conn) > f->events)
		f++;
	memcpy(bytes, rec, f->size);
	hdr.size = f->size;
	memcpy(bytes, &hdr, sizeof(hdr));
	return f->size;
}

int uc_forms_unfold_nginx(const void *bytes, size_t len, struct uc_rec_nginx *ret)
{
	const struct form *f = form_of_size(nginx_forms, ARRAY_SIZE(nginx_forms), len);
	const uint8_t *from = bytes;

	if (!f)
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	take(&from, &ret->hdr, sizeof(ret->hdr));
	take(&from, &ret->conn, UC_CONN_SIZE(f->events));
	take(&from, &ret->peer, sizeof(ret->peer));
	take(&from, &ret->clients, sizeof(ret->clients));
	take(&from, &ret->heads, UC_HEADS_SIZE(f->request));
	take(&from, ret->heads.response, f->response);
	ret->hdr.size = sizeof(*ret);
	return events_kept(&ret->conn) > f->events || ret->heads.request_len > f->request ||
			       ret->heads.response_len > f->response ?
		       -EINVAL :
		       0;
}

size_t uc_forms_fold_nginx(const struct uc_rec_nginx *rec, void *bytes)
{
	const struct form *f = nginx_forms;
	struct uc_rec_hdr hdr = rec->hdr;
	uint8_t *to = bytes;

	while (events_kept(&rec->conn) > f->events || rec->heads.request_len > f->request ||
	       rec->heads.response_len > f->response)
		f++;
	hdr.size = f->size;
	give(&to, &hdr, sizeof(hdr));
	give(&to, &rec->conn, UC_CONN_SIZE(f->events));
	give(&to, &rec->peer, sizeof(rec->peer));
	give(&to, &rec->clients, sizeof(rec->clients));
	give(&to, &rec->heads, UC_HEADS_SIZE(f->request));
	give(&to, rec->heads.response, f->response);
	return f->size;
}
