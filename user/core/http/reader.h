/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads HTTP/1 responses as they arrive, in pieces of any size, and finds where
 * each ends. Bounded memory: the head is kept, of the body nothing.
 */
#ifndef UPCLOSE_CORE_READER_H
#define UPCLOSE_CORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/http/http.h"

/* Of a head with its interim responses; nginx takes 4 or 8 KiB unless told otherwise. */
#define UC_READER_HEAD_MAX 16384

enum uc_reader_state {
	UC_READER_HEAD,
	UC_READER_BODY,
	UC_READER_DONE,     /* the response is complete */
	UC_READER_NOT_HTTP, /* its first line, or a Content-Length that leaves the length open */
	UC_READER_TOO_LONG, /* no end of the head within UC_READER_HEAD_MAX */
	UC_READER_BAD_CHUNK,
};

enum uc_chunk_place {
	UC_CHUNK_SIZE_START,
	UC_CHUNK_SIZE,
	UC_CHUNK_SIZE_CR, /* only a LF may follow */
	UC_CHUNK_EXTENSION,
	UC_CHUNK_DATA,
	UC_CHUNK_DATA_END,
	UC_CHUNK_DATA_CR,
	UC_CHUNK_TRAILER,
	UC_CHUNK_TRAILER_CR,
	UC_CHUNK_TRAILER_LINE,
};

struct uc_reader {
	enum uc_reader_state state;
	struct uc_response_head head; /* as far as it was seen */
	bool to_head;                 /* answers HEAD: no body whatever the head says */
	enum uc_chunk_place place;
	uint64_t left;  /* of a LENGTH body, or of the chunk */
	uint64_t bytes; /* of this response */
	size_t kept;
	char bytes_kept[UC_READER_HEAD_MAX];
};

void uc_reader_init(struct uc_reader *r, bool to_head);

/*
 * Takes the bytes that belong to this response and returns how many those were:
 * fewer than len only when it is DONE or no more can be read of it.
 */
size_t uc_reader_feed(struct uc_reader *r, const void *bytes, size_t len);

/* No more bytes will come: completes a body that only the connection's end delimits. */
void uc_reader_end(struct uc_reader *r);

/* The value of the first such header (name in lower case), within bytes_kept; false: none. */
bool uc_reader_field(const struct uc_reader *r, const char *name, const char **value, size_t *len);

#endif
