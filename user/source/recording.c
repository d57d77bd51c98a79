/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/util.h"
#include "core/conn/forms.h"
#include "core/conn/decode.h"
#include "core/http/http.h"
#include "core/http/redact.h"
#include "recording_format.h"

/* 36 years; what is reckoned from it stays far from an overflow. */
#define MAX_DURATION_NS (1ULL << 60)

struct uc_recorder {
	FILE *out;
	bool unredacted;
	int error;
	struct uc_rec_nginx scratch;
};

static uint32_t frame_crc(const struct uc_frame_header *h, const void *payload)
{
	uLong crc = crc32(0, (const Bytef *)h, offsetof(struct uc_frame_header, crc));

	return crc32(crc, payload, h->len);
}

static void put(struct uc_recorder *r, const void *bytes, size_t len)
{
	if (r->error || fwrite(bytes, 1, len, r->out) == len)
		return;
	r->error = errno ? -errno : -EIO;
}

static void put_frame(struct uc_recorder *r, uint32_t kind, const void *payload, uint32_t len)
{
	struct uc_frame_header h = { .kind = kind, .len = len };

	h.crc = frame_crc(&h, payload);
	put(r, &h, sizeof(h));
	put(r, payload, len);
	/* a trace may be killed; what was seen until then is to be had */
	if (!r->error && fflush(r->out))
		r->error = -errno;
}

int uc_recorder_new(const char *path, bool unredacted, struct uc_recorder **ret)
{
	struct uc_recording_header h = { .magic = UC_RECORDING_MAGIC,
					 .byte_order = UC_RECORDING_BYTE_ORDER,
					 .version = UC_RECORDING_VERSION,
					 .wire_version = UC_WIRE_VERSION,
					 .flags = unredacted ? UC_RECORDING_UNREDACTED : 0 };
	struct uc_recorder *r = calloc(1, sizeof(*r));
	int fd, err;

	if (!r)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r->out = fd < 0 ? NULL : fdopen(fd, "wb");
	if (!r->out) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		free(r);
		return err;
	}
	r->unredacted = unredacted;
	h.crc = crc32(0, (const Bytef *)&h, sizeof(h));
	put(r, &h, sizeof(h));
	*ret = r;
	return 0;
}

/* The tail is compared with the end of a chunked body and with nothing else. */
static void redact_tail(__u8 *tail, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!tail[i] || !strchr("\r\n0", tail[i]))
			tail[i] = 'x';
}

/* False: no request of HTTP. room: what is kept of one at most. */
static bool redact_request(__u8 *request, size_t len, size_t room)
{
	struct uc_request_head head;

	uc_http_request(request, len, &head);
	if (len && !uc_http_request_certain(&head, len, room)) {
		uc_http_redact_foreign(request, len);
		return false;
	}
	uc_http_redact_request(request, len);
	return true;
}

static void redact_heads(struct uc_heads *h)
{
	if (redact_request(h->request, h->request_len, UC_REQUEST_HEAD)) {
		uc_http_redact_response(h->response, h->response_len);
		return;
	}
	/* uwsgi is answered in HTTP */
	if (h->response_len >= 5 && !memcmp(h->response, "HTTP/", 5))
		uc_http_redact_response(h->response, h->response_len);
	else
		uc_http_redact_foreign(h->response, h->response_len);
}

static void put_nginx(struct uc_recorder *r, const void *bytes, size_t len)
{
	struct uc_rec_nginx *n = &r->scratch;
	uint8_t folded[sizeof(*n)];

	if (uc_forms_unfold_nginx(bytes, len, n))
		return;
	redact_heads(&n->heads);
	/* bytes of earlier exchanges lie behind the newest heads */
	memset(n->heads.request + n->heads.request_len, 0, UC_REQUEST_HEAD - n->heads.request_len);
	memset(n->heads.response + n->heads.response_len, 0,
	       UC_RESPONSE_HEAD - n->heads.response_len);
	redact_tail(n->heads.tail, UC_RESPONSE_TAIL);
	put_frame(r, UC_FRAME_RECORD, folded, uc_forms_fold_nginx(n, folded));
}

/* A status line is kept; a worker's bytes of another kind are a client's business. */
static void put_followup(struct uc_recorder *r, const void *bytes)
{
	struct uc_rec_followup s;

	memcpy(&s, bytes, sizeof(s));
	if (memcmp(s.head, "HTTP/1.", 7)) {
		memset(s.head, 0, sizeof(s.head));
		s.head_len = 0;
	}
	put_frame(r, UC_FRAME_RECORD, &s, sizeof(s));
}

static void put_attempt(struct uc_recorder *r, const void *bytes)
{
	struct uc_rec_attempt a;
	size_t len;

	memcpy(&a, bytes, sizeof(a));
	len = a.head_len < UC_ATTEMPT_HEAD ? a.head_len : UC_ATTEMPT_HEAD;
	redact_request(a.head, len, UC_ATTEMPT_HEAD);
	memset(a.head + len, 0, UC_ATTEMPT_HEAD - len);
	put_frame(r, UC_FRAME_RECORD, &a, sizeof(a));
}

/* The format is nginx's own literal; what lies behind its end is not. */
static void put_words(struct uc_recorder *r, const void *bytes)
{
	struct uc_rec_words w;

	memcpy(&w, bytes, sizeof(w));
	uc_words_clean(&w);
	put_frame(r, UC_FRAME_RECORD, &w, sizeof(w));
}

/* Of a size that is not the kind's nothing is stored, as it cannot be redacted; the engine counts it. */
static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct uc_recorder *r = ctx;
	struct uc_rec_hdr hdr;

	if (len < sizeof(hdr))
		return;
	memcpy(&hdr, bytes, sizeof(hdr));
	if (r->unredacted || hdr.kind == UC_REC_UPSTREAM_END || hdr.kind == UC_REC_PROC ||
	    hdr.kind == UC_REC_EXIT)
		put_frame(r, UC_FRAME_RECORD, bytes, len);
	else if (hdr.kind == UC_REC_NGINX_END)
		put_nginx(r, bytes, len);
	else if (hdr.kind == UC_REC_FOLLOWUP && len == sizeof(struct uc_rec_followup))
		put_followup(r, bytes);
	else if (hdr.kind == UC_REC_WORDS && len == sizeof(struct uc_rec_words))
		put_words(r, bytes);
	else if (hdr.kind == UC_REC_ATTEMPT && len == sizeof(struct uc_rec_attempt))
		put_attempt(r, bytes);
}

static void put_names(struct uc_recorder *r, const struct uc_proc *proc)
{
	struct uc_frame_names f = { .start_ns = proc->start_ns, .tgid = proc->tgid };

	if (!proc->names.container[0] && !proc->names.pod[0])
		return;
	memcpy(f.container, proc->names.container, sizeof(proc->names.container));
	memcpy(f.pod_namespace, proc->names.pod_namespace, sizeof(proc->names.pod_namespace));
	memcpy(f.pod, proc->names.pod, sizeof(proc->names.pod));
	put_frame(r, UC_FRAME_NAMES, &f, sizeof(f));
}

static void on_proc(void *ctx, const struct uc_proc *proc)
{
	struct uc_frame_proc f = { .start_ns = proc->start_ns, .tgid = proc->tgid };

	memcpy(f.exe, proc->exe, sizeof(f.exe));
	memcpy(f.cgroup, proc->cgroup, sizeof(f.cgroup));
	put_names(ctx, proc);
	put_frame(ctx, UC_FRAME_PROC, &f, sizeof(f));
}

static void on_clock(void *ctx, int64_t offset_ns, uint64_t mono_ns)
{
	struct uc_frame_clock f = { .offset_ns = offset_ns, .mono_ns = mono_ns };

	put_frame(ctx, UC_FRAME_CLOCK, &f, sizeof(f));
}

static void on_losses(void *ctx, const struct uc_losses *losses)
{
	put_frame(ctx, UC_FRAME_LOSSES, losses->by_reason, sizeof(losses->by_reason));
}

static void on_hearing(void *ctx, unsigned level)
{
	uint32_t f = level;

	put_frame(ctx, UC_FRAME_HEARING, &f, sizeof(f));
}

struct uc_frames uc_recorder_frames(struct uc_recorder *r)
{
	return (struct uc_frames){ .record = on_record,
				   .proc = on_proc,
				   .clock = on_clock,
				   .losses = on_losses,
				   .hearing = on_hearing,
				   .ctx = r };
}

int uc_recorder_error(const struct uc_recorder *r)
{
	return r->error;
}

int uc_recorder_finish(struct uc_recorder *r, uint64_t duration_ns, uint64_t end_wall_ns)
{
	struct uc_frame_end end = { .duration_ns = duration_ns, .end_wall_ns = end_wall_ns };
	int err;

	if (!r)
		return 0;
	put_frame(r, UC_FRAME_END, &end, sizeof(end));
	err = r->error;
	if (fclose(r->out) && !err)
		err = -errno;
	free(r);
	return err;
}

struct reader {
	FILE *in;
	uint64_t at; /* bytes read */
	char *why;
	const struct uc_frames *frames;
	struct uc_replay_end *end;
	struct uc_frame_names names;
	__u8 payload[UC_RECORDING_MAX_FRAME];
};

static int damage(struct reader *rd, const char *what)
{
	snprintf(rd->why, UC_REPLAY_WHY, "%s at byte %llu", what, (unsigned long long)rd->at);
	return -EBADMSG;
}

static bool get(struct reader *rd, void *buf, size_t len)
{
	size_t n = fread(buf, 1, len, rd->in);

	rd->at += n;
	return n == len;
}

static int read_header(struct reader *rd)
{
	struct uc_recording_header h;
	uint32_t crc;

	if (!get(rd, &h, sizeof(h)) && ferror(rd->in)) {
		snprintf(rd->why, UC_REPLAY_WHY, "cannot be read: %s", strerror(errno));
		return -EBADMSG;
	}
	if (rd->at != sizeof(h) || memcmp(h.magic, UC_RECORDING_MAGIC, sizeof(h.magic))) {
		snprintf(rd->why, UC_REPLAY_WHY, "not a recording of upclose");
		return -EBADMSG;
	}
	if (h.byte_order != UC_RECORDING_BYTE_ORDER) {
		snprintf(rd->why, UC_REPLAY_WHY, "recorded on a machine of the other byte order");
		return -EBADMSG;
	}
	if (h.version != UC_RECORDING_VERSION || h.wire_version != UC_WIRE_VERSION) {
		snprintf(
			rd->why, UC_REPLAY_WHY,
			"recorded by another version of upclose (format %u.%u, this one reads %u.%u): "
			"replay it with that version",
			h.version, h.wire_version, (unsigned)UC_RECORDING_VERSION,
			(unsigned)UC_WIRE_VERSION);
		return -EBADMSG;
	}
	crc = h.crc;
	h.crc = 0;
	if (crc != crc32(0, (const Bytef *)&h, sizeof(h)))
		return damage(rd, "the file header is damaged (checksum)");
	return 0;
}

static int feed_record(struct reader *rd, uint32_t len)
{
	struct uc_rec_hdr hdr;

	if (len >= sizeof(hdr)) {
		memcpy(&hdr, rd->payload, sizeof(hdr));
		rd->end->last_mono_ns = hdr.ts_ns;
	}
	rd->frames->record(rd->frames->ctx, rd->payload, len);
	return 0;
}

/* They stay until their process comes. */
static int feed_names(struct reader *rd, uint32_t len)
{
	struct uc_frame_names *f = &rd->names;

	if (len != sizeof(*f))
		return damage(rd, "a frame of names has the wrong size");
	memcpy(f, rd->payload, sizeof(*f));
	f->container[sizeof(f->container) - 1] = '\0';
	f->pod_namespace[sizeof(f->pod_namespace) - 1] = '\0';
	f->pod[sizeof(((struct uc_names *)0)->pod) - 1] = '\0';
	return 0;
}

static void take_names(const struct uc_frame_names *f, struct uc_proc *p)
{
	if (f->tgid != p->tgid || f->start_ns != p->start_ns)
		return;
	strcpy(p->names.container, f->container);
	strcpy(p->names.pod_namespace, f->pod_namespace);
	strcpy(p->names.pod, f->pod);
}

static int feed_proc(struct reader *rd, uint32_t len)
{
	struct uc_proc p = { 0 };
	struct uc_frame_proc f;

	if (len != sizeof(f))
		return damage(rd, "a process frame has the wrong size");
	memcpy(&f, rd->payload, sizeof(f));
	p.tgid = f.tgid;
	p.start_ns = f.start_ns;
	memcpy(p.exe, f.exe, sizeof(p.exe));
	p.exe[sizeof(p.exe) - 1] = '\0';
	memcpy(p.cgroup, f.cgroup, sizeof(p.cgroup));
	p.cgroup[sizeof(p.cgroup) - 1] = '\0';
	take_names(&rd->names, &p);
	rd->frames->proc(rd->frames->ctx, &p);
	return 0;
}

static int feed_clock(struct reader *rd, uint32_t len)
{
	struct uc_frame_clock f;

	if (len != sizeof(f))
		return damage(rd, "a clock frame has the wrong size");
	memcpy(&f, rd->payload, sizeof(f));
	rd->frames->clock(rd->frames->ctx, f.offset_ns, f.mono_ns);
	return 0;
}

static int feed_losses(struct reader *rd, uint32_t len)
{
	struct uc_losses l = { 0 };

	/* another version may count fewer or more reasons */
	memcpy(l.by_reason, rd->payload, len < sizeof(l.by_reason) ? len : sizeof(l.by_reason));
	rd->frames->losses(rd->frames->ctx, &l);
	return 0;
}

static int feed_hearing(struct reader *rd, uint32_t len)
{
	uint32_t level;

	if (len != sizeof(level))
		return damage(rd, "a hearing frame has the wrong size");
	memcpy(&level, rd->payload, sizeof(level));
	rd->frames->hearing(rd->frames->ctx, level);
	return 0;
}

static int feed_end(struct reader *rd, uint32_t len)
{
	struct uc_frame_end f;

	if (len != sizeof(f))
		return damage(rd, "the end frame has the wrong size");
	memcpy(&f, rd->payload, sizeof(f));
	if (f.duration_ns > MAX_DURATION_NS)
		return damage(rd, "the end frame has an impossible duration");
	rd->end->clean = true;
	rd->end->duration_ns = f.duration_ns;
	rd->end->end_wall_ns = f.end_wall_ns;
	return 0;
}

static int (*const feeders[])(struct reader *rd, uint32_t len) = {
	[UC_FRAME_RECORD] = feed_record,   [UC_FRAME_PROC] = feed_proc,
	[UC_FRAME_CLOCK] = feed_clock,     [UC_FRAME_LOSSES] = feed_losses,
	[UC_FRAME_END] = feed_end,         [UC_FRAME_NAMES] = feed_names,
	[UC_FRAME_HEARING] = feed_hearing,
};

static int read_frame(struct reader *rd)
{
	uint64_t start = rd->at;
	struct uc_frame_header h;

	if (!get(rd, &h, sizeof(h))) {
		if (ferror(rd->in))
			return damage(rd, "cannot be read");
		return damage(
			rd, rd->at == start ?
				    "has no end mark: the trace was killed, or the file was cut;" :
				    "is cut short");
	}
	if (h.len > sizeof(rd->payload)) {
		rd->at = start;
		return damage(rd, "is damaged (impossible length)");
	}
	if (!get(rd, rd->payload, h.len))
		return damage(rd, "is cut short");
	if (h.crc != frame_crc(&h, rd->payload)) {
		rd->at = start;
		return damage(rd, "is damaged (checksum)");
	}
	if (h.kind >= ARRAY_SIZE(feeders) || !feeders[h.kind])
		return 0; /* a kind added later, which this version can do without */
	return feeders[h.kind](rd, h.len);
}

int uc_replay(FILE *in, const struct uc_frames *frames, bool (*stop)(void *ctx), void *stop_ctx,
	      struct uc_replay_end *ret_end, char why[UC_REPLAY_WHY])
{
	struct reader *rd = calloc(1, sizeof(*rd));
	int err;

	if (!rd)
		return -ENOMEM;
	*ret_end = (struct uc_replay_end){ 0 };
	why[0] = '\0';
	rd->in = in;
	rd->why = why;
	rd->frames = frames;
	rd->end = ret_end;
	err = read_header(rd);
	ret_end->begun = !err;
	while (!err && !ret_end->clean && !(stop && stop(stop_ctx)))
		err = read_frame(rd);
	free(rd);
	return err;
}
