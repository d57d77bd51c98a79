/* SPDX-License-Identifier: BSD-2-Clause */
/* The first byte says in what pieces the rest arrives; the reader must agree with the parser of whole messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/http/body.h"
#include "core/http/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_reader: %s\n", what);
	abort();
}

static size_t feed(struct uc_reader *r, const uint8_t *p, size_t len, size_t piece)
{
	size_t at = 0;

	while (at < len) {
		size_t want = len - at < piece ? len - at : piece, taken;
		/* as long as it is, so that ASan sees every step outside it */
		uint8_t *copy = malloc(want);

		require(copy != NULL, "no memory");
		memcpy(copy, p + at, want);
		taken = uc_reader_feed(r, copy, want);
		free(copy);
		require(taken <= want, "more taken than there was");
		at += taken;
		require(taken == want || r->state > UC_READER_BODY, "it stops without a reason");
		if (taken < want)
			break;
	}
	require(r->bytes == at, "bytes");
	require(r->kept <= UC_READER_HEAD_MAX, "kept");
	return at;
}

/* What the parser that has all bytes at once says of the answer's length. */
static void agree(const struct uc_reader *r, const uint8_t *p, size_t len, size_t taken)
{
	struct uc_response_head head;
	enum uc_body_state body;

	if (len > UC_READER_HEAD_MAX)
		return;
	uc_http_response(p, len, NULL, 0, &head);
	require((head.state == UC_HEAD_COMPLETE) == (r->head.state == UC_HEAD_COMPLETE), "head");
	if (head.state != UC_HEAD_COMPLETE)
		return;
	require(head.head_len == r->head.head_len && head.framing == r->head.framing, "framing");
	body = uc_http_body(&head, p, len, len, NULL, 0, NULL);
	if (r->state == UC_READER_DONE)
		require(body == UC_BODY_COMPLETE && taken <= len, "done too early");
	else if (r->state == UC_READER_BAD_CHUNK)
		/* a CR at the end might have been half a line end, but not where a size belongs */
		require(body == UC_BODY_INVALID || (body == UC_BODY_SHORT && p[taken - 1] == '\r'),
			"a bad chunk that is none");
	else
		require(body == UC_BODY_SHORT || head.framing == UC_FRAMING_CLOSE, "not done");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct uc_reader whole, pieces;
	const char *value;
	size_t len, taken;

	if (!size)
		return 0;
	uc_reader_init(&whole, false);
	taken = feed(&whole, data + 1, size - 1, size);
	agree(&whole, data + 1, size - 1, taken);
	uc_reader_init(&pieces, false);
	feed(&pieces, data + 1, size - 1, 1 + data[0] % 61);
	/* a fault within a line may show at the line's end only */
	require(pieces.state == whole.state ||
			(whole.state == UC_READER_NOT_HTTP && pieces.state == UC_READER_HEAD),
		"pieces make a difference");
	if (whole.state == UC_READER_DONE)
		require(pieces.bytes == whole.bytes, "its length depends on the pieces");
	if (uc_reader_field(&whole, "server", &value, &len))
		require(value >= whole.bytes_kept && value + len <= whole.bytes_kept + whole.kept,
			"a field outside the head");
	uc_reader_end(&whole);
	return 0;
}
