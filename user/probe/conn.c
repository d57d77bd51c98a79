/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MS     1000000ULL
#define SECOND (1000 * MS)

/* How long an end is waited for that must be near: after "Connection: close", a 408. */
#define END_NS      (2 * SECOND)
#define POKE_NS     (1 * SECOND)
#define PIECE       16384
#define PIECE_NS    (20 * MS)
#define ROUND_BYTES (16 * PIECE) /* read at most so much before others have their turn */

static uint64_t answer_time(const struct uc_probe_conn *l)
{
	uint64_t most = UC_PROBE_ANSWER_S * SECOND;

	return l->cfg->max_ns < most ? l->cfg->max_ns : most;
}

static void enter(struct uc_probe_conn *l, enum uc_probe_conn_state state, uint64_t deadline_ns)
{
	l->state = state;
	l->deadline_ns = deadline_ns;
}

static void over(struct uc_probe_conn *l, uint64_t now)
{
	l->seen.watched_ns = now;
	enter(l, UC_PROBE_CONN_OVER, UINT64_MAX);
}

__attribute__((format(printf, 3, 4))) static void fail(struct uc_probe_conn *l, uint64_t now,
						       const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, args);
	va_end(args);
	over(l, now);
}

/* A TLS alert or handshake record; HTTP/2 begins with its SETTINGS (RFC 9113, section 6.5). */
static bool is_tls(const char *p, size_t len)
{
	return len >= 3 && (p[0] == 0x15 || p[0] == 0x16) && p[1] == 3;
}

static bool is_http2(const char *p, size_t len)
{
	return len >= 9 && !p[0] && p[3] == 4 && !p[4] && !memcmp(p + 5, "\0\0\0\0", 4);
}

static void fail_not_http(struct uc_probe_conn *l, uint64_t now)
{
	const struct uc_reader *r = l->reader;
	char text[4 * 16 + 1];

	if (is_tls(r->bytes_kept, r->kept))
		fail(l, now, "answers in TLS: try https://");
	else if (is_http2(r->bytes_kept, r->kept))
		fail(l, now, "speaks HTTP/2 only, which a probe does not");
	else if (r->head.status)
		fail(l, now, "answers with a header that is not valid: its Content-Length");
	else {
		uc_text_escape(r->bytes_kept, r->kept < 16 ? r->kept : 16, text, sizeof(text));
		fail(l, now, "does not answer in HTTP/1; its answer begins with \"%s\"", text);
	}
}

/* The answer cannot be read to its end. */
static bool fail_if_unreadable(struct uc_probe_conn *l, uint64_t now)
{
	switch (l->reader->state) {
	case UC_READER_NOT_HTTP:
		fail_not_http(l, now);
		return true;
	case UC_READER_TOO_LONG:
		fail(l, now, "answers with a header of more than %d KiB",
		     UC_READER_HEAD_MAX / 1024);
		return true;
	case UC_READER_BAD_CHUNK:
		fail(l, now, "answers with chunks that are not valid");
		return true;
	case UC_READER_HEAD:
	case UC_READER_BODY:
	case UC_READER_DONE:
		break;
	}
	if (l->reader->bytes <= UC_PROBE_ANSWER_MAX)
		return false;
	fail(l, now, "answers with more than %d MiB; name a path with less",
	     UC_PROBE_ANSWER_MAX >> 20);
	return true;
}

static void fail_ended(struct uc_probe_conn *l, uint64_t now)
{
	const char *did = l->seen.close == UC_CLOSE_FIN ? "closed" :
			  l->seen.close == UC_CLOSE_RST ? "reset" :
							  "broke";

	if (l->reader->bytes)
		fail(l, now, "%s the connection within its answer, after %llu bytes", did,
		     (unsigned long long)l->reader->bytes);
	else
		fail(l, now, "%s the connection without an answer", did);
}

static void fail_late(struct uc_probe_conn *l, uint64_t now)
{
	double s = answer_time(l) / 1e9;

	if (l->reader->bytes)
		fail(l, now, "had not ended its answer within %g s", s);
	else
		fail(l, now, "did not answer within %g s", s);
}

static void begin_request(struct uc_probe_conn *l)
{
	l->out_done = 0;
	l->requests++;
	uc_reader_init(l->reader, l->cfg->requests.head && !l->spec->posts);
}

/* --- answers ------------------------------------------------------------------- */

static void ask_again(struct uc_probe_conn *l, unsigned most, uint64_t now)
{
	if (l->seen.said_close)
		enter(l, UC_PROBE_CONN_WATCHING, now + END_NS);
	else if (l->seen.answers >= most || now - l->began_ns > UC_PROBE_REQUESTS_S * SECOND ||
		 l->bytes > UC_PROBE_REQUESTS_MAX)
		over(l, now);
	else {
		begin_request(l);
		enter(l, UC_PROBE_CONN_TALKING, now + answer_time(l));
	}
}

static void after_answer(struct uc_probe_conn *l, uint64_t now)
{
	switch (l->spec->trial) {
	case UC_TRIAL_IDLE:
		if (l->cfg->groups & 1U << UC_GROUP_IDLE)
			enter(l, UC_PROBE_CONN_WATCHING,
			      l->seen.answered_ns + (l->seen.said_close ? END_NS : l->cfg->max_ns));
		else
			over(l, now);
		return;
	case UC_TRIAL_REQUESTS:
		ask_again(l, l->cfg->max_requests, now);
		return;
	case UC_TRIAL_HTTP10:
		ask_again(l, 2, now);
		return;
	case UC_TRIAL_EARLY:
		l->seen.whole = !l->body_left;
		if (l->seen.whole)
			over(l, now);
		else
			enter(l, UC_PROBE_CONN_WATCHING, now + END_NS);
		return;
	case UC_TRIAL_HALF_CLOSE:
		over(l, now);
		return;
	case UC_TRIAL_CLOSING:
	case UC_TRIAL_SILENT:
	case UC_TRIAL_HALF_HEADER:
	case UC_TRIAL_HALF_BODY:
	case UC_TRIAL_COUNT:
		enter(l, UC_PROBE_CONN_WATCHING, now + END_NS);
		return;
	}
}

static void note_first(struct uc_probe_conn *l)
{
	const char *value;
	size_t len;

	l->first.minor = l->reader->head.minor;
	l->first.keep_alive_s = l->reader->head.keep_alive_s;
	l->first.bytes = l->reader->bytes;
	if (uc_reader_field(l->reader, "server", &value, &len))
		uc_text_escape(value, len, l->first.server, sizeof(l->first.server));
}

static void on_answer(struct uc_probe_conn *l, uint64_t now)
{
	const struct uc_response_head *head = &l->reader->head;

	if (l->state == UC_PROBE_CONN_WATCHING && l->seen.answers) {
		l->seen.late = head->status;
		return;
	}
	if (!l->seen.answers++)
		note_first(l);
	l->seen.answered_ns = uc_transport_data_ns(l->wire, now);
	l->seen.status = head->status;
	l->seen.said_close = head->close;
	after_answer(l, now);
}

static void on_bytes(struct uc_probe_conn *l, const char *p, size_t len, uint64_t now)
{
	size_t n;

	while (len && l->state != UC_PROBE_CONN_OVER) {
		/* an answer that nobody asked for */
		if (l->reader->state == UC_READER_DONE)
			uc_reader_init(l->reader, false);
		n = uc_reader_feed(l->reader, p, len);
		p += n;
		len -= n;
		if (l->reader->state == UC_READER_DONE)
			on_answer(l, now);
		else if ((l->state == UC_PROBE_CONN_TALKING && fail_if_unreadable(l, now)) || !n)
			return;
	}
}

/* --- the end -------------------------------------------------------------------- */

static void poke(struct uc_probe_conn *l, uint64_t now)
{
	if (uc_transport_send(l->wire, "G", 1) == 1) {
		enter(l, UC_PROBE_CONN_POKED, now + POKE_NS);
		return;
	}
	l->seen.reset_behind = true;
	over(l, now);
}

static void on_end(struct uc_probe_conn *l, enum uc_close close, uint64_t now)
{
	if (l->broken)
		close = UC_CLOSE_RST;
	l->seen.close = close;
	l->seen.ended_ns = close == UC_CLOSE_FIN ? uc_transport_ack_ns(l->wire, now) : now;
	if (close == UC_CLOSE_FIN && l->reader->state == UC_READER_BODY) {
		uc_reader_end(l->reader);
		if (l->reader->state == UC_READER_DONE)
			on_answer(l, now);
	}
	if (l->state == UC_PROBE_CONN_TALKING && l->spec->answers)
		fail_ended(l, now);
	else if (l->spec->trial == UC_TRIAL_CLOSING && close == UC_CLOSE_FIN)
		poke(l, now);
	else if (l->spec->trial == UC_TRIAL_EARLY && close == UC_CLOSE_FIN)
		enter(l, UC_PROBE_CONN_POKED, now + END_NS);
	else {
		l->seen.reset_behind = l->spec->trial == UC_TRIAL_EARLY && close == UC_CLOSE_RST;
		over(l, now);
	}
}

static enum uc_close close_of(ssize_t n)
{
	if (n == 0)
		return UC_CLOSE_FIN;
	return n == -ETIMEDOUT ? UC_CLOSE_TIMEOUT : UC_CLOSE_RST;
}

static void receive(struct uc_probe_conn *l, uint64_t now)
{
	char buf[PIECE];
	size_t taken = 0;
	ssize_t n;

	while (l->state != UC_PROBE_CONN_OVER && l->state != UC_PROBE_CONN_POKED &&
	       taken < ROUND_BYTES) {
		n = uc_transport_recv(l->wire, buf, sizeof(buf));
		if (n == -EAGAIN)
			return;
		if (n == -EPROTO) {
			fail(l, now, "sends what is no valid TLS");
			return;
		}
		if (n > 0) {
			taken += n;
			l->bytes += n;
			on_bytes(l, buf, n, now);
		} else {
			on_end(l, close_of(n), now);
			return;
		}
	}
}

/* --- sending --------------------------------------------------------------------- */

/* What had arrived before the connection broke is read first. */
static void on_send_error(struct uc_probe_conn *l, uint64_t now)
{
	l->broken = true;
	if (l->state == UC_PROBE_CONN_POKED) {
		l->seen.reset_behind = true;
		over(l, now);
		return;
	}
	receive(l, now);
	if (l->state != UC_PROBE_CONN_OVER)
		on_end(l, UC_CLOSE_RST, now);
}

static void all_sent(struct uc_probe_conn *l, uint64_t now)
{
	l->seen.sent_ns = now;
	if (l->spec->trial == UC_TRIAL_EARLY && l->body_left == UC_EARLY_BODY)
		l->body_ns = now;
	if (l->spec->trial == UC_TRIAL_HALF_CLOSE && uc_transport_shut(l->wire))
		over(l, now);
	if (!l->spec->answers)
		enter(l, UC_PROBE_CONN_WATCHING, now + l->cfg->max_ns);
}

static void send_request(struct uc_probe_conn *l, uint64_t now)
{
	ssize_t n;

	while (l->out_done < l->out_len) {
		n = uc_transport_send(l->wire, l->out + l->out_done, l->out_len - l->out_done);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			on_send_error(l, now);
			return;
		}
		l->out_done += n;
		if (l->out_done == l->out_len)
			all_sent(l, now);
	}
}

/* A piece now and then: an early answer is to come in the middle of it. */
static void send_body(struct uc_probe_conn *l, uint64_t now)
{
	static const char piece[PIECE];
	size_t len = l->body_left < PIECE ? l->body_left : PIECE;
	ssize_t n;

	if (!l->body_left || l->out_done < l->out_len || now < l->body_ns)
		return;
	l->body_ns = now + PIECE_NS;
	n = uc_transport_send(l->wire, piece, len);
	if (n > 0) {
		l->body_left -= n;
		l->seen.sent_ns = now;
	} else if (n != -EAGAIN) {
		on_send_error(l, now);
	}
}

/* --- states ---------------------------------------------------------------------- */

int uc_probe_conn_open(struct uc_probe_conn *l, const char *addr, uint64_t now)
{
	int err;

	l->seen.trial = l->spec->trial;
	l->body_left = l->spec->trial == UC_TRIAL_EARLY ? UC_EARLY_BODY : 0;
	l->began_ns = now;
	l->reader = malloc(sizeof(*l->reader));
	l->out = uc_trial_bytes(l->spec->trial, l->target, &l->cfg->requests);
	err = l->reader && l->out ? uc_transport_new(l->target, addr, &l->wire) : -ENOMEM;
	if (err)
		return err;
	l->out_len = strlen(l->out);
	uc_reader_init(l->reader, false);
	enter(l, UC_PROBE_CONN_OPENING, UINT64_MAX);
	return 0;
}

static void on_open(struct uc_probe_conn *l, uint64_t now)
{
	l->seen.opened_ns = now;
	if (!l->out_len) {
		enter(l, UC_PROBE_CONN_WATCHING, now + l->cfg->max_ns);
		return;
	}
	begin_request(l);
	enter(l, UC_PROBE_CONN_TALKING, now + answer_time(l));
	send_request(l, now);
}

static void open_further(struct uc_probe_conn *l, const struct pollfd *fds, size_t count,
			 uint64_t now)
{
	uc_transport_drive(l->wire, fds, count, now);
	if (uc_transport_state(l->wire) == UC_TRANSPORT_OPEN)
		on_open(l, now);
	else if (uc_transport_state(l->wire) == UC_TRANSPORT_FAILED)
		fail(l, now, "cannot be connected to: %s", uc_transport_why(l->wire));
}

static void on_deadline(struct uc_probe_conn *l, uint64_t now)
{
	if (l->state == UC_PROBE_CONN_TALKING)
		fail_late(l, now);
	else if (l->state == UC_PROBE_CONN_POKED)
		l->seen.poked = true;
	over(l, now);
}

size_t uc_probe_conn_fds(const struct uc_probe_conn *l, struct pollfd fds[UC_TRANSPORT_FDS])
{
	if (l->state == UC_PROBE_CONN_QUEUED || l->state == UC_PROBE_CONN_OVER)
		return 0;
	if (l->state == UC_PROBE_CONN_OPENING)
		return uc_transport_fds(l->wire, fds);
	/* a FIN would be readable for ever; an error is told in any case */
	fds[0] = (struct pollfd){ .fd = uc_transport_fd(l->wire),
				  .events = l->state == UC_PROBE_CONN_POKED ? 0 : POLLIN };
	if (l->out_done < l->out_len)
		fds[0].events |= POLLOUT;
	return 1;
}

uint64_t uc_probe_conn_due(const struct uc_probe_conn *l)
{
	uint64_t due = l->deadline_ns;

	if (l->state == UC_PROBE_CONN_QUEUED || l->state == UC_PROBE_CONN_OVER)
		return UINT64_MAX;
	if (l->state == UC_PROBE_CONN_OPENING)
		return uc_transport_due(l->wire);
	if (l->body_left && l->body_ns && l->body_ns < due)
		due = l->body_ns;
	return due;
}

void uc_probe_conn_step(struct uc_probe_conn *l, const struct pollfd *fds, size_t count,
			uint64_t now)
{
	short got = count ? fds[0].revents : 0;

	if (l->state == UC_PROBE_CONN_OPENING) {
		open_further(l, fds, count, now);
		return;
	}
	if (l->state == UC_PROBE_CONN_POKED && got & (POLLERR | POLLHUP)) {
		l->seen.reset_behind = true;
		over(l, now);
	}
	if (got & POLLIN || (got && l->state != UC_PROBE_CONN_POKED))
		receive(l, now);
	if (l->state == UC_PROBE_CONN_TALKING && got & POLLOUT)
		send_request(l, now);
	if (l->state != UC_PROBE_CONN_OVER)
		send_body(l, now);
	if (l->state != UC_PROBE_CONN_OVER && now >= l->deadline_ns)
		on_deadline(l, now);
}

void uc_probe_conn_stop(struct uc_probe_conn *l, uint64_t now)
{
	if (l->state == UC_PROBE_CONN_OVER)
		return;
	l->seen.cut = true;
	over(l, now);
}

void uc_probe_conn_release(struct uc_probe_conn *l)
{
	uc_transport_free(l->wire);
	free(l->reader);
	free(l->out);
	l->wire = NULL;
	l->reader = NULL;
	l->out = NULL;
}
