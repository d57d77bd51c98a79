/* SPDX-License-Identifier: BSD-2-Clause */
/* The chunks of a body (RFC 9112, section 7.1), step by step, in bytes that may be cut anywhere. */
#ifndef UPCLOSE_CORE_HTTP_CHUNKS_H
#define UPCLOSE_CORE_HTTP_CHUNKS_H

#include <stdint.h>

#include "core/http/lines.h"

enum uc_chunk_place {
	UC_CHUNK_AT_SIZE,
	UC_CHUNK_AT_DATA,
	UC_CHUNK_AT_DATA_END,
	UC_CHUNK_AT_TRAILER,
};

enum uc_chunk_step {
	UC_CHUNK_MORE,
	UC_CHUNK_CUT, /* the buffer ends within the body */
	UC_CHUNK_BAD,
	UC_CHUNK_END, /* behind the last line end of the body */
};

struct uc_chunks {
	struct uc_span left;
	enum uc_chunk_place place;
	uint64_t size;         /* data of this chunk that is still to come */
	struct uc_span hidden; /* what the newest step met that is no framing */
};

/* Begin with .left as the body; go on while it is UC_CHUNK_MORE. */
enum uc_chunk_step uc_step_chunks(struct uc_chunks *c);

#endif
