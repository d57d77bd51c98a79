/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/history.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json_value.h"
#include "output/json.h"

#define SECOND_NS  1000000000ULL
#define PER_SECOND 10

struct uc_history {
	char *text[UC_HISTORY_KEPT]; /* entry n is at n % UC_HISTORY_KEPT */
	size_t count;                /* ever */
	uint64_t second;
	unsigned in_second;
};

int uc_history_new(struct uc_history **ret)
{
	struct uc_history *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*ret = h;
	return 0;
}

void uc_history_free(struct uc_history *h)
{
	for (size_t i = 0; h && i < UC_HISTORY_KEPT; i++)
		free(h->text[i]);
	free(h);
}

static bool flooded(struct uc_history *h, uint64_t now_ns)
{
	if (now_ns / SECOND_NS != h->second) {
		h->second = now_ns / SECOND_NS;
		h->in_second = 0;
	}
	return ++h->in_second > PER_SECOND;
}

void uc_history_add(struct uc_history *h, const struct uc_judged *r, uint64_t now_ns)
{
	char **place = &h->text[h->count % UC_HISTORY_KEPT], *text;
	json_t *o;

	if (flooded(h, now_ns))
		return;
	o = uc_json_connection(r);
	text = json_dumps(o, UC_JSON_DUMP);
	json_decref(o);
	if (!text)
		return;
	free(*place);
	*place = text;
	h->count++;
}

size_t uc_history_count(const struct uc_history *h)
{
	return h->count < UC_HISTORY_KEPT ? h->count : UC_HISTORY_KEPT;
}

json_t *uc_history_at(const struct uc_history *h, size_t i)
{
	return json_loads(h->text[(h->count - 1 - i) % UC_HISTORY_KEPT], 0, NULL);
}
