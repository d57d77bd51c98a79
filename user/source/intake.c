/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/intake.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Large enough for malloc() to map and unmap each by itself. */
#define CHUNK_BYTES (256 << 10)

/* Each record is preceded by its length. */
struct chunk {
	struct chunk *next;
	size_t read, written;
	uint8_t bytes[];
};

struct uc_intake {
	size_t max_bytes, held_bytes;
	struct chunk *oldest, *newest;
};

int uc_intake_new(size_t max_bytes, struct uc_intake **ret)
{
	struct uc_intake *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->max_bytes = max_bytes;
	*ret = b;
	return 0;
}

static void drop_oldest(struct uc_intake *b)
{
	struct chunk *c = b->oldest;

	b->oldest = c->next;
	if (!b->oldest)
		b->newest = NULL;
	free(c);
}

void uc_intake_free(struct uc_intake *b)
{
	if (!b)
		return;
	while (b->oldest)
		drop_oldest(b);
	free(b);
}

static struct chunk *chunk_with_room(struct uc_intake *b, size_t len)
{
	struct chunk *c = b->newest;

	if (c && CHUNK_BYTES - c->written >= len)
		return c;
	if (len > CHUNK_BYTES)
		return NULL;
	c = malloc(sizeof(*c) + CHUNK_BYTES);
	if (!c)
		return NULL;
	c->next = NULL;
	c->read = c->written = 0;
	*(b->newest ? &b->newest->next : &b->oldest) = c;
	b->newest = c;
	return c;
}

int uc_intake_put(struct uc_intake *b, const void *bytes, size_t len)
{
	struct chunk *c = chunk_with_room(b, sizeof(len) + len);

	if (!c)
		return -ENOMEM;
	memcpy(c->bytes + c->written, &len, sizeof(len));
	memcpy(c->bytes + c->written + sizeof(len), bytes, len);
	c->written += sizeof(len) + len;
	b->held_bytes += len;
	return 0;
}

const void *uc_intake_take(struct uc_intake *b, size_t *ret_len)
{
	struct chunk *c = b->oldest;
	const void *bytes;

	/* what was given away last may lie in there: freed only now */
	if (c && c->read == c->written) {
		drop_oldest(b);
		c = b->oldest;
	}
	if (!c)
		return NULL;
	memcpy(ret_len, c->bytes + c->read, sizeof(*ret_len));
	bytes = c->bytes + c->read + sizeof(*ret_len);
	c->read += sizeof(*ret_len) + *ret_len;
	b->held_bytes -= *ret_len;
	return bytes;
}

bool uc_intake_empty(const struct uc_intake *b)
{
	return !b->held_bytes;
}

bool uc_intake_full(const struct uc_intake *b)
{
	return b->held_bytes >= b->max_bytes;
}
