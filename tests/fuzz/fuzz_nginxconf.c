/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/nginx/contract.h"
#include "core/nginx/conf.h"
#include "core/nginx/httpconf.h"
#include "core/nginx/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *bytes;
	size_t len;
};

/* "self" includes the file once more, under names that never end or that loop. */
static int include(void *ctx, struct uc_nginx_conf *conf, const struct uc_nginx_directive *d)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	const struct input *in = ctx;

	if (!uc_nginx_word_is(&d->words[1], "self"))
		return 0;
	return uc_nginx_conf_parse(conf, names[uc_nginx_conf_files(conf) % 8], in->bytes, in->len);
}

static void within(const struct uc_nginx_conf *c, const struct uc_nginx_directive *d)
{
	const struct uc_nginx_file *f = uc_nginx_conf_file(c, d->file);
	uint32_t columns = uc_nginx_column(f, d->start);
	size_t sum = 0;

	if (d->file >= uc_nginx_conf_files(c) || d->start >= d->end || d->end > f->len ||
	    d->body > d->end || !d->count || !d->line || !columns)
		abort();
	for (uint32_t i = 0; i < d->count; i++) {
		if (d->words[i].at < d->start || d->words[i].at > d->end)
			abort();
		/* every byte can be read */
		for (uint32_t k = 0; k < d->words[i].len; k++)
			sum += (unsigned char)d->words[i].p[k];
	}
	if (sum > SIZE_MAX / 2)
		abort();
}

static size_t walk(const struct uc_nginx_conf *c)
{
	const struct uc_nginx_directive *d = uc_nginx_conf_top(c);
	size_t count = 0;

	while (d) {
		within(c, d);
		count++;
		if (d->child) {
			d = d->child;
			continue;
		}
		while (d && !d->next)
			d = d->parent;
		d = d ? d->next : NULL;
	}
	return count;
}

/* Every place points into the tree, and every number has its reader. */
static void judge(const struct uc_nginx_conf *c, uint32_t version)
{
	static const struct uc_idle idle = { UC_IDLE_STATED, 5000, 5000, 0, false };
	struct uc_nginx_http *h;

	if (uc_nginx_http_new(c, version, &h))
		return;
	for (size_t i = 0; i < uc_nginx_http_places(h); i++) {
		const struct uc_nginx_place *p = uc_nginx_http_place(h, i);
		size_t count;
		const struct uc_nginx_server *s = uc_nginx_place_servers(p, &count);
		enum uc_race race = uc_contract_race(p->pool, uc_contract_nginx_idle(p), &idle);

		within(c, p->pass);
		within(c, p->block);
		if (uc_contract_attempts(p) > count ||
		    uc_contract_longest_wait(p) < UC_NGINX_UNKNOWN)
			abort();
		if (race == UC_RACE_POSSIBLE && p->pool != UC_NGINX_POOL_KEPT)
			abort();
		if (uc_nginx_route(uc_nginx_conf_top(c), p, 80, "x.example", "/a/b") && !p->server)
			abort();
		while (count--)
			within(c, s[count].from);
	}
	uc_nginx_http_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { (const char *)data, size };
	struct uc_nginx_conf *c;
	int err;

	if (uc_nginx_conf_new(include, &in, &c))
		return 0;
	err = uc_nginx_conf_parse(c, "z", in.bytes, in.len);
	if (!!err != (uc_nginx_conf_error(c)->problem != UC_NGINX_OK))
		abort();
	if (!err && walk(c) != uc_nginx_conf_count(c))
		abort();
	if (!err) {
		judge(c, UC_NGINX_VERSION(1, 9, 0));
		judge(c, UC_NGINX_VERSION(1, 30, 0));
	}
	uc_nginx_conf_free(c);
	return 0;
}
