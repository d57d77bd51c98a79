/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording's bytes through replay, engine and the JSON output. Most mutations
 * get their checksums mended: else every one of them would end at the first.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "engine/engine.h"
#include "source/recording.h"
#include "recording_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_recording: %s\n", what);
	abort();
}

/* --- mutations --------------------------------------------------------------------------- */

static void mend_header(uint8_t *data)
{
	struct uc_recording_header h;

	memcpy(&h, data, sizeof(h));
	memcpy(h.magic, UC_RECORDING_MAGIC, sizeof(h.magic));
	h.byte_order = UC_RECORDING_BYTE_ORDER;
	h.version = UC_RECORDING_VERSION;
	h.wire_version = UC_WIRE_VERSION;
	h.crc = 0;
	h.crc = (uint32_t)crc32(0, (const Bytef *)&h, sizeof(h));
	memcpy(data, &h, sizeof(h));
}

static size_t length_of(uint32_t kind, size_t len, size_t left)
{
	static const size_t fixed[] = { [UC_FRAME_PROC] = sizeof(struct uc_frame_proc),
					[UC_FRAME_CLOCK] = sizeof(struct uc_frame_clock),
					[UC_FRAME_END] = sizeof(struct uc_frame_end) };

	if (kind < sizeof(fixed) / sizeof(fixed[0]) && fixed[kind])
		len = fixed[kind];
	return len < left ? len : left;
}

/* A record says itself how long it is. */
static void mend_record(uint8_t *payload, size_t len)
{
	struct uc_rec_hdr hdr;

	if (len < sizeof(hdr))
		return;
	memcpy(&hdr, payload, sizeof(hdr));
	hdr.version = UC_WIRE_VERSION;
	hdr.size = (uint32_t)len;
	memcpy(payload, &hdr, sizeof(hdr));
}

/* As long as its kind is, where there is so much. */
static size_t record_length(const uint8_t *payload, size_t len, size_t left)
{
	static const size_t sizes[] = { [UC_REC_NGINX_END] = sizeof(struct uc_rec_nginx),
					[UC_REC_UPSTREAM_END] = sizeof(struct uc_rec_upstream),
					[UC_REC_PROC] = sizeof(struct uc_rec_proc),
					[UC_REC_EXIT] = sizeof(struct uc_rec_proc),
					[UC_REC_FOLLOWUP] = sizeof(struct uc_rec_followup) };
	struct uc_rec_hdr hdr;

	if (left < sizeof(hdr))
		return len;
	memcpy(&hdr, payload, sizeof(hdr));
	if (hdr.kind < sizeof(sizes) / sizeof(sizes[0]) && sizes[hdr.kind] &&
	    sizes[hdr.kind] <= left)
		return sizes[hdr.kind];
	return len;
}

static size_t mend_frame(uint8_t *data, size_t size)
{
	struct uc_frame_header h;
	uLong crc;

	memcpy(&h, data, sizeof(h));
	h.kind %= UC_FRAME_END + 2;
	h.len = (uint32_t)length_of(h.kind, h.len, size - sizeof(h));
	if (h.kind == UC_FRAME_RECORD)
		h.len = (uint32_t)record_length(data + sizeof(h), h.len, size - sizeof(h));
	if (h.kind == UC_FRAME_RECORD)
		mend_record(data + sizeof(h), h.len);
	crc = crc32(0, (const Bytef *)&h, offsetof(struct uc_frame_header, crc));
	h.crc = (uint32_t)crc32(crc, data + sizeof(h), h.len);
	memcpy(data, &h, sizeof(h));
	return sizeof(h) + h.len;
}

static void mend(uint8_t *data, size_t size)
{
	size_t at = sizeof(struct uc_recording_header);

	if (size < at)
		return;
	mend_header(data);
	while (size - at >= sizeof(struct uc_frame_header))
		at += mend_frame(data + at, size - at);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (seed % 8)
		mend(data, size);
	return size;
}

/* --- the replay -------------------------------------------------------------------------- */

static char *replay(const uint8_t *data, size_t size, bool *ret_clean)
{
	FILE *in = fmemopen((void *)data, size, "rb"), *out;
	struct uc_output output = uc_output_json;
	struct uc_engine_config cfg = { .outputs = { &output },
					.output_count = 1,
					.show_query = true };
	struct uc_engine *engine = NULL;
	struct uc_replay_end end;
	struct uc_frames frames;
	char why[UC_REPLAY_WHY], *text = NULL;
	size_t len;
	int err;

	output.all = true;
	output.out = out = open_memstream(&text, &len);
	require(in && out && !uc_engine_new(&cfg, &engine), "no memory");
	frames = uc_engine_frames(engine);
	err = uc_replay(in, &frames, NULL, NULL, &end, why);
	require(!err || (err == -EBADMSG && *why), "replay: an error without a reason");
	require(strlen(why) < UC_REPLAY_WHY, "replay: a reason without an end");
	require(!err == end.clean, "replay: no error and no end");
	require(!uc_engine_finish(engine, end.duration_ns, end.end_wall_ns), "the output gave up");
	*ret_clean = end.clean;
	uc_engine_free(engine);
	fclose(in);
	fclose(out);
	return text;
}

/* Each line is an object with what every object has; the last one is the summary. */
static void check_lines(char *text)
{
	const char *kind = "";

	while (*text) {
		char *end = strchr(text, '\n');
		json_t *o;

		require(end, "json: a line without an end");
		*end = '\0';
		o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		require(json_is_object(o), "json: not an object");
		kind = !strcmp(json_string_value(json_object_get(o, "kind")), "summary") ?
			       "summary" :
			       "connection";
		require(json_integer_value(json_object_get(o, "schema")) == 1, "json: schema");
		json_decref(o);
		text = end + 1;
	}
	require(!strcmp(kind, "summary"), "json: no summary");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool clean;
	char *text;

	if (!size)
		return 0;
	text = replay(data, size, &clean);
	check_lines(text);
	free(text);
	return 0;
}
