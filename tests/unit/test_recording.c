/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/engine.h"
#include "source/recording.h"
#include "recording_format.h"
#include "scenario.h"

#define SECRET "hunter2"

/* Everything that a replay fed, one byte string after the other. */
struct fed {
	unsigned records, procs, clocks, losses;
	struct uc_rec_nginx nginx;
	struct uc_rec_upstream upstream;
	struct uc_proc proc;
	int64_t offset_ns;
	struct uc_losses lost;
};

static struct fed fed;
static struct scenario scenario;
static char path[64];
static unsigned char *file;
static size_t file_len;
static char why[UC_REPLAY_WHY];
static struct uc_replay_end end;

static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct fed *to = ctx;
	struct uc_record r;

	to->records++;
	if (uc_decode(bytes, len, &r))
		return;
	if (r.hdr.kind == UC_REC_NGINX_END)
		to->nginx = r.nginx;
	if (r.hdr.kind == UC_REC_UPSTREAM_END)
		to->upstream = r.upstream;
}

static void on_proc(void *ctx, const struct uc_proc *proc)
{
	struct fed *to = ctx;

	to->procs++;
	to->proc = *proc;
}

static void on_clock(void *ctx, int64_t offset_ns, uint64_t mono_ns)
{
	struct fed *to = ctx;

	(void)mono_ns;
	to->clocks++;
	to->offset_ns = offset_ns;
}

static void on_losses(void *ctx, const struct uc_losses *losses)
{
	struct fed *to = ctx;

	to->losses++;
	to->lost = *losses;
}

static const struct uc_frames into_fed = { .record = on_record,
					   .proc = on_proc,
					   .clock = on_clock,
					   .losses = on_losses,
					   .ctx = &fed };

static int replay_bytes(const void *bytes, size_t len)
{
	FILE *in = fmemopen((void *)bytes, len, "rb");
	int err;

	memset(&fed, 0, sizeof(fed));
	assert_non_null(in);
	err = uc_replay(in, &into_fed, NULL, NULL, &end, why);
	fclose(in);
	return err;
}

static void slurp(void)
{
	struct stat st;
	FILE *in = fopen(path, "rb");

	assert_non_null(in);
	assert_int_equal(fstat(fileno(in), &st), 0);
	/* for its owner alone */
	assert_int_equal(st.st_mode & 0777, 0600);
	file_len = (size_t)st.st_size;
	free(file);
	file = malloc(file_len + 1);
	assert_int_equal(fread(file, 1, file_len, in), file_len);
	fclose(in);
}

static void secrets(struct scenario *t)
{
	static const char request[] = "POST /a?token=" SECRET " HTTP/1.1\r\nCookie: " SECRET
				      "\r\nContent-Length: 7\r\n\r\n" SECRET;
	static const char response[] = "HTTP/1.1 200 OK\r\nSet-Cookie: " SECRET
				       "\r\nContent-Length: 100\r\n\r\n" SECRET;
	struct uc_heads *h = &t->pair.nginx.heads;

	scenario_play(&scenario, REUSED);
	up_conn(t)->owner.start_ns = 7;
	scenario_request(t, request, strlen(request), strlen(request));
	scenario_play(&scenario, "arrive read");
	scenario_send(t, response, strlen(response), strlen(response));
	/* what an earlier exchange left behind the newest heads */
	memcpy(h->request + UC_REQUEST_HEAD - 7, SECRET, 7);
	memcpy(h->response + UC_RESPONSE_HEAD - 7, SECRET, 7);
	memcpy(h->tail, SECRET "x", UC_RESPONSE_TAIL);
	h->tail_len = UC_RESPONSE_TAIL;
	scenario_play(&scenario, "close" END_FIN);
}

static void record(bool unredacted)
{
	struct uc_proc proc = { .tgid = SERVER, .start_ns = 7, .exe = "/usr/bin/node" };
	struct uc_losses lost = { .by_reason = { [UC_LOST_RING_FULL] = 3 } };
	struct uc_recorder *r;
	struct uc_frames to;
	int fd;

	strcpy(path, "/tmp/upclose-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(uc_recorder_new(path, unredacted, &r), 0);
	to = uc_recorder_frames(r);
	to.clock(to.ctx, 1000 * S, 1);
	to.proc(to.ctx, &proc);
	to.record(to.ctx, &scenario.pair.upstream, sizeof(scenario.pair.upstream));
	to.record(to.ctx, &scenario.pair.nginx, sizeof(scenario.pair.nginx));
	to.losses(to.ctx, &lost);
	assert_int_equal(uc_recorder_error(r), 0);
	assert_int_equal(uc_recorder_finish(r, 5 * S, 2000 * S), 0);
	slurp();
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	secrets(&scenario);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(file);
	file = NULL;
	return 0;
}

static void test_round_trip(void **state)
{
	(void)state;
	record(true);
	assert_int_equal(replay_bytes(file, file_len), 0);
	assert_string_equal(why, "");
	assert_int_equal(fed.records, 2);
	assert_memory_equal(&fed.nginx, &scenario.pair.nginx, sizeof(fed.nginx));
	assert_memory_equal(&fed.upstream, &scenario.pair.upstream, sizeof(fed.upstream));
	assert_int_equal(fed.procs, 1);
	assert_string_equal(fed.proc.exe, "/usr/bin/node");
	assert_int_equal(fed.proc.tgid, SERVER);
	assert_int_equal(fed.proc.start_ns, 7);
	assert_int_equal(fed.offset_ns, 1000 * S);
	assert_int_equal(fed.lost.by_reason[UC_LOST_RING_FULL], 3);
	assert_true(end.clean);
	assert_int_equal(end.duration_ns, 5 * S);
	assert_int_equal(end.end_wall_ns, 2000 * S);
	assert_int_equal(end.last_mono_ns, scenario.pair.nginx.hdr.ts_ns);
}

static bool holds(const void *bytes, size_t len, const char *text)
{
	return memmem(bytes, len, text, strlen(text)) != NULL;
}

static void test_redacted(void **state)
{
	struct uc_verdict live, replayed;

	(void)state;
	record(true);
	assert_true(holds(file, file_len, SECRET));
	record(false);
	assert_false(holds(file, file_len, SECRET));
	assert_false(holds(file, file_len, "ter2"));
	assert_false(holds(file, file_len, "hunt"));
	/* and it is the same connection */
	assert_int_equal(replay_bytes(file, file_len), 0);
	live = scenario_judge(&scenario);
	scenario.pair.nginx = fed.nginx;
	replayed = scenario_judge(&scenario);
	assert_int_equal(live.id, UC_VERDICT_BODY_TRUNCATED);
	assert_int_equal(replayed.id, live.id);
	assert_int_equal(replayed.proof, live.proof);
	assert_int_equal(replayed.confidence, live.confidence);
	assert_int_equal(scenario.facts.missing_bytes, 93);
	assert_memory_equal(scenario.facts.request.target, "/a", 2);
}

/* Bytes that claim to be longer than they are cannot be redacted, so they are not stored. */
static void test_what_cannot_be_redacted(void **state)
{
	(void)state;
	scenario.pair.nginx.heads.request_len = UC_REQUEST_HEAD + 1;
	record(false);
	assert_false(holds(file, file_len, SECRET));
	assert_int_equal(replay_bytes(file, file_len), 0);
	assert_int_equal(fed.records, 1);
	scenario.pair.nginx.heads.request_len = 0;
	scenario.pair.nginx.heads.response_len = UINT32_MAX;
	record(false);
	assert_false(holds(file, file_len, SECRET));
	assert_int_equal(replay_bytes(file, file_len), 0);
	assert_int_equal(fed.records, 1);
}

/* Every verdict survives redaction. */
static void test_redaction_keeps_the_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < scenario_count; i++) {
		struct uc_verdict live, replayed;

		scenario_play(&scenario, scenarios[i].steps);
		live = scenario_judge(&scenario);
		record(false);
		assert_int_equal(replay_bytes(file, file_len), 0);
		scenario.pair.nginx = fed.nginx;
		replayed = scenario_judge(&scenario);
		if (replayed.id != live.id || replayed.proof != live.proof ||
		    replayed.confidence != live.confidence)
			fail_msg("%s: %s by %s when redacted", scenarios[i].name,
				 uc_verdict_name(replayed.id), uc_proof_name(replayed.proof));
	}
}

static void test_cut_at_every_byte(void **state)
{
	unsigned newest = 0;

	(void)state;
	record(false);
	for (size_t n = 1; n < file_len; n++) {
		assert_int_equal(replay_bytes(file, n), -EBADMSG);
		assert_false(end.clean);
		assert_true(*why);
		/* what came before the cut was fed, and more with each byte */
		assert_true(fed.records + fed.procs + fed.clocks + fed.losses >= newest);
		newest = fed.records + fed.procs + fed.clocks + fed.losses;
	}
	assert_int_equal(newest, 5);
}

static void test_empty_file(void **state)
{
	FILE *in = fopen("/dev/null", "rb");

	(void)state;
	assert_int_equal(uc_replay(in, &into_fed, NULL, NULL, &end, why), -EBADMSG);
	assert_non_null(strstr(why, "not a recording"));
	fclose(in);
}

static bool fed_the_same(const struct fed *a)
{
	return a->records == fed.records && a->procs == fed.procs && a->clocks == fed.clocks &&
	       a->losses == fed.losses && a->offset_ns == fed.offset_ns &&
	       !memcmp(&a->nginx, &fed.nginx, sizeof(a->nginx)) &&
	       !memcmp(&a->upstream, &fed.upstream, sizeof(a->upstream)) &&
	       !memcmp(&a->lost, &fed.lost, sizeof(a->lost)) &&
	       !memcmp(a->proc.exe, fed.proc.exe, sizeof(a->proc.exe));
}

/* Damage is told, or changes nothing of what is fed. */
static void test_every_byte_flipped(void **state)
{
	struct fed *whole = malloc(sizeof(fed));
	unsigned harmless = 0;

	(void)state;
	record(false);
	assert_int_equal(replay_bytes(file, file_len), 0);
	*whole = fed;
	for (size_t i = 0; i < file_len; i++) {
		for (unsigned flip = 1; flip < 256; flip = flip == 1 ? 0x80 : flip + 0x7f) {
			file[i] ^= flip;
			if (!replay_bytes(file, file_len)) {
				assert_true(fed_the_same(whole));
				harmless++;
			} else {
				assert_true(*why);
			}
			file[i] ^= flip;
		}
	}
	/* the reserved words of six frames' headers */
	assert_true(harmless <= 6 * 4 * 3);
	free(whole);
}

static void fix_header_crc(struct uc_recording_header *h)
{
	h->crc = 0;
	h->crc = (uint32_t)crc32(0, (const Bytef *)h, sizeof(*h));
}

static int replay_with_header(const struct uc_recording_header *h)
{
	struct uc_recording_header fixed = *h;

	fix_header_crc(&fixed);
	memcpy(file, &fixed, sizeof(fixed));
	return replay_bytes(file, file_len);
}

static void test_other_headers(void **state)
{
	struct uc_recording_header good, h;

	(void)state;
	record(false);
	memcpy(&good, file, sizeof(good));
	assert_int_equal(good.flags & UC_RECORDING_UNREDACTED, 0);
	assert_int_equal(replay_with_header(&good), 0);
	h = good;
	h.version++;
	assert_int_equal(replay_with_header(&h), -EBADMSG);
	assert_non_null(strstr(why, "another version"));
	assert_int_equal(fed.records, 0);
	h = good;
	h.wire_version--;
	assert_int_equal(replay_with_header(&h), -EBADMSG);
	assert_non_null(strstr(why, "another version"));
	h = good;
	h.byte_order = __builtin_bswap32(h.byte_order);
	assert_int_equal(replay_with_header(&h), -EBADMSG);
	assert_non_null(strstr(why, "byte order"));
	h = good;
	h.magic[0] = 'u';
	assert_int_equal(replay_with_header(&h), -EBADMSG);
	assert_non_null(strstr(why, "not a recording"));
	h = good;
	h.flags ^= 1;
	memcpy(file, &h, sizeof(h)); /* its checksum is not mended */
	assert_int_equal(replay_bytes(file, file_len), -EBADMSG);
	assert_non_null(strstr(why, "checksum"));
}

static void test_not_a_recording(void **state)
{
	static const char *const others[] = { "x", "{\"schema\":1}\n", "UPCLOSE",
					      "\x7f"
					      "ELF\x02\x01\x01",
					      "upclose: a line of text that goes on for a while\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		assert_int_equal(replay_bytes(others[i], strlen(others[i])), -EBADMSG);
		assert_non_null(strstr(why, "not a recording"));
	}
}

/* --- frames made by hand ----------------------------------------------------------------- */

static unsigned char made[sizeof(struct uc_recording_header) + 4 * UC_RECORDING_MAX_FRAME];
static size_t made_len;

static void make_header(void)
{
	struct uc_recording_header h = { .magic = UC_RECORDING_MAGIC,
					 .byte_order = UC_RECORDING_BYTE_ORDER,
					 .version = UC_RECORDING_VERSION,
					 .wire_version = UC_WIRE_VERSION };

	fix_header_crc(&h);
	memcpy(made, &h, sizeof(h));
	made_len = sizeof(h);
}

static void make_frame(uint32_t kind, const void *payload, uint32_t len)
{
	struct uc_frame_header h = { .kind = kind, .len = len };
	uLong crc = crc32(0, (const Bytef *)&h, offsetof(struct uc_frame_header, crc));

	h.crc = (uint32_t)(len ? crc32(crc, payload, len) : crc);
	memcpy(made + made_len, &h, sizeof(h));
	if (len)
		memcpy(made + made_len + sizeof(h), payload, len);
	made_len += sizeof(h) + len;
}

static void make_end(void)
{
	struct uc_frame_end e = { .duration_ns = 1, .end_wall_ns = 2 };

	make_frame(UC_FRAME_END, &e, sizeof(e));
}

static void test_frames_of_wrong_size(void **state)
{
	static const uint32_t fixed[] = { UC_FRAME_PROC, UC_FRAME_CLOCK, UC_FRAME_END };
	static const unsigned char zeros[UC_RECORDING_MAX_FRAME];

	(void)state;
	for (size_t i = 0; i < COUNT(fixed); i++)
		for (uint32_t len = 0; len < 400; len += 7) {
			make_header();
			make_frame(fixed[i], zeros, len);
			make_end();
			assert_int_equal(replay_bytes(made, made_len), -EBADMSG);
			assert_non_null(strstr(why, "size"));
			assert_int_equal(fed.procs + fed.clocks, 0);
		}
}

/* Kinds that a later version adds, and records that this one refuses, stop nothing. */
static void test_unknown_frames(void **state)
{
	static const unsigned char zeros[UC_RECORDING_MAX_FRAME];
	static const uint64_t losses[UC_LOST_MAX + 3] = { 1, 2, 3 };

	(void)state;
	make_header();
	make_frame(0, zeros, 100);
	make_frame(UC_FRAME_HEARING + 1, zeros, 0);
	make_frame(UINT32_MAX, zeros, UC_RECORDING_MAX_FRAME);
	make_frame(UC_FRAME_RECORD, zeros, 0);
	make_frame(UC_FRAME_RECORD, zeros, sizeof(struct uc_rec_hdr) - 1);
	make_frame(UC_FRAME_RECORD, zeros, UC_RECORDING_MAX_FRAME);
	make_frame(UC_FRAME_LOSSES, losses, sizeof(losses));
	make_end();
	assert_int_equal(replay_bytes(made, made_len), 0);
	assert_int_equal(fed.records, 3);
	assert_int_equal(fed.lost.by_reason[0], 1);
	/* and an older one counted fewer reasons */
	make_header();
	make_frame(UC_FRAME_LOSSES, losses, 12);
	make_end();
	assert_int_equal(replay_bytes(made, made_len), 0);
	assert_int_equal(fed.lost.by_reason[0], 1);
	assert_int_equal(fed.lost.by_reason[2], 0);
}

static void test_impossible_length(void **state)
{
	struct uc_frame_header h = { .kind = UC_FRAME_RECORD, .len = UC_RECORDING_MAX_FRAME + 1 };

	(void)state;
	make_header();
	memcpy(made + made_len, &h, sizeof(h));
	made_len += sizeof(h) + UC_RECORDING_MAX_FRAME;
	assert_int_equal(replay_bytes(made, made_len), -EBADMSG);
	assert_non_null(strstr(why, "length"));
}

/* An unterminated path is cut, and what follows the end is not read. */
static void test_hostile_frames(void **state)
{
	struct uc_frame_proc proc;

	(void)state;
	memset(&proc, 'a', sizeof(proc));
	make_header();
	make_frame(UC_FRAME_PROC, &proc, sizeof(proc));
	make_end();
	make_frame(UC_FRAME_PROC, &proc, sizeof(proc));
	assert_int_equal(replay_bytes(made, made_len), 0);
	assert_int_equal(fed.procs, 1);
	assert_int_equal(strlen(fed.proc.exe), sizeof(fed.proc.exe) - 1);
}

/* A trace of a thousand years is damage that somebody made with care. */
static void test_impossible_duration(void **state)
{
	struct uc_frame_end e = { .duration_ns = INT64_MAX };

	(void)state;
	make_header();
	make_frame(UC_FRAME_END, &e, sizeof(e));
	assert_int_equal(replay_bytes(made, made_len), -EBADMSG);
	assert_false(end.clean);
}

static unsigned asked;

static bool stop_after_two(void *ctx)
{
	(void)ctx;
	return asked++ == 2;
}

static void test_stop(void **state)
{
	FILE *in;

	(void)state;
	record(false);
	memset(&fed, 0, sizeof(fed));
	asked = 0;
	in = fmemopen(file, file_len, "rb");
	assert_int_equal(uc_replay(in, &into_fed, stop_after_two, NULL, &end, why), 0);
	fclose(in);
	assert_int_equal(fed.records + fed.procs + fed.clocks + fed.losses, 2);
	assert_false(end.clean);
}

/* --- a disk that takes no more -------------------------------------------------------------- */

static void test_write_error_is_kept(void **state)
{
	struct uc_recorder *r;
	struct uc_frames to;

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	assert_int_equal(uc_recorder_new("/dev/full", false, &r), 0);
	to = uc_recorder_frames(r);
	to.record(to.ctx, &scenario.pair.nginx, sizeof(scenario.pair.nginx));
	assert_int_equal(uc_recorder_error(r), -ENOSPC);
	to.clock(to.ctx, 1, 2);
	assert_int_equal(uc_recorder_error(r), -ENOSPC);
	assert_int_equal(uc_recorder_finish(r, 1, 2), -ENOSPC);
}

static void test_cannot_be_created(void **state)
{
	struct uc_recorder *r = NULL;

	(void)state;
	assert_int_equal(uc_recorder_new("/nowhere/at/all.rec", false, &r), -ENOENT);
	assert_int_equal(uc_recorder_new("/", false, &r), -EISDIR);
	assert_null(r);
	assert_int_equal(uc_recorder_finish(NULL, 0, 0), 0);
}

/* --- through the engine --------------------------------------------------------------------- */

static char *json_of(const void *bytes, size_t len)
{
	struct uc_output output = uc_output_json;
	struct uc_engine_config cfg = { .outputs = { &output }, .output_count = 1 };
	struct uc_engine *engine;
	struct uc_frames to;
	char *text = NULL;
	size_t text_len;
	FILE *in = fmemopen((void *)bytes, len, "rb"), *out = open_memstream(&text, &text_len);

	output.out = out;
	output.all = true;
	assert_int_equal(uc_engine_new(&cfg, &engine), 0);
	to = uc_engine_frames(engine);
	uc_replay(in, &to, NULL, NULL, &end, why);
	assert_int_equal(uc_engine_finish(engine, end.duration_ns, end.end_wall_ns), 0);
	uc_engine_free(engine);
	fclose(in);
	fclose(out);
	return text;
}

static void test_engine(void **state)
{
	char *text;

	(void)state;
	record(false);
	text = json_of(file, file_len);
	assert_true(holds(text, strlen(text), "\"verdict\":\"body_truncated\""));
	assert_true(holds(text, strlen(text), "\"exe\":\"/usr/bin/node\""));
	assert_true(holds(text, strlen(text), "\"target\":\"/a\""));
	assert_true(holds(text, strlen(text), "\"kind\":\"summary\""));
	assert_true(holds(text, strlen(text), "\"ring_full\":3"));
	free(text);
}

/* A path is bytes, and need not be UTF-8: that ends no trace. */
static void test_engine_with_any_path(void **state)
{
	struct uc_frame_proc proc = { .start_ns = 7,
				      .tgid = SERVER,
				      .exe = "/opt/caf\xe9/node\n\"" };
	char *text;

	(void)state;
	make_header();
	make_frame(UC_FRAME_PROC, &proc, sizeof(proc));
	make_frame(UC_FRAME_RECORD, &scenario.pair.upstream, sizeof(scenario.pair.upstream));
	make_frame(UC_FRAME_RECORD, &scenario.pair.nginx, sizeof(scenario.pair.nginx));
	make_end();
	text = json_of(made, made_len);
	assert_true(holds(text, strlen(text), "\"verdict\":\"body_truncated\""));
	assert_true(holds(text, strlen(text), "/opt/caf"));
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_redacted),
		TEST(test_what_cannot_be_redacted),
		TEST(test_redaction_keeps_the_verdict),
		TEST(test_cut_at_every_byte),
		TEST(test_empty_file),
		TEST(test_every_byte_flipped),
		TEST(test_other_headers),
		TEST(test_not_a_recording),
		TEST(test_frames_of_wrong_size),
		TEST(test_unknown_frames),
		TEST(test_impossible_length),
		TEST(test_hostile_frames),
		TEST(test_impossible_duration),
		TEST(test_stop),
		TEST(test_write_error_is_kept),
		TEST(test_cannot_be_created),
		TEST(test_engine),
		TEST(test_engine_with_any_path),
	};

	return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}
