/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>
#include <unistd.h>

#include "scenario.h"

static struct scenario scenario;
static struct uc_record decoded;
static struct uc_rec_proc proc, ended;
static struct uc_rec_followup followup;
static struct uc_rec_words words;
static struct uc_rec_attempt attempt;

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	scenario_named(&scenario, "race_crossed");
	proc = (struct uc_rec_proc){ .hdr = { UC_WIRE_VERSION, UC_REC_PROC, sizeof(proc), 1 },
				     .task = { .tgid = 1, .comm = "node" } };
	ended = proc;
	ended.hdr.kind = UC_REC_EXIT;
	words = (struct uc_rec_words){ .hdr = { UC_WIRE_VERSION, UC_REC_WORDS, sizeof(words), 1 },
				       .worker = 7,
				       .level = 4,
				       .format = "upstream timed out",
				       .action = "reading upstream" };
	attempt = (struct uc_rec_attempt){ .hdr = { UC_WIRE_VERSION, UC_REC_ATTEMPT,
						    sizeof(attempt), 1 },
					   .of_id = 1,
					   .next_id = 2,
					   .head = "GET / HTTP/1.1\r\n",
					   .head_len = 16 };
	followup = (struct uc_rec_followup){ .hdr = { UC_WIRE_VERSION, UC_REC_FOLLOWUP,
						      sizeof(followup), 1 },
					     .of_id = 1,
					     .what = UC_FOLLOWUP_CLIENT_SENT,
					     .head = "HTTP/1.1 502 Bad",
					     .head_len = UC_FOLLOWUP_HEAD };
	return 0;
}

/* All that a ring or a recording may hold for the engine. */
static const enum uc_rec_kind known[] = { UC_REC_NGINX_END, UC_REC_UPSTREAM_END, UC_REC_PROC,
					  UC_REC_EXIT,      UC_REC_FOLLOWUP,     UC_REC_WORDS,
					  UC_REC_ATTEMPT };

static const void *record_of(enum uc_rec_kind kind, size_t *ret_len)
{
	switch (kind) {
	case UC_REC_NGINX_END:
		*ret_len = sizeof(scenario.pair.nginx);
		return &scenario.pair.nginx;
	case UC_REC_UPSTREAM_END:
		*ret_len = sizeof(scenario.pair.upstream);
		return &scenario.pair.upstream;
	case UC_REC_EXIT:
		*ret_len = sizeof(ended);
		return &ended;
	case UC_REC_FOLLOWUP:
		*ret_len = sizeof(followup);
		return &followup;
	case UC_REC_WORDS:
		*ret_len = sizeof(words);
		return &words;
	case UC_REC_ATTEMPT:
		*ret_len = sizeof(attempt);
		return &attempt;
	default:
		*ret_len = sizeof(proc);
		return &proc;
	}
}

static int decode_kind(enum uc_rec_kind kind)
{
	size_t len;
	const void *bytes = record_of(kind, &len);

	return uc_decode(bytes, len, &decoded);
}

static int decode_nginx(void)
{
	return decode_kind(UC_REC_NGINX_END);
}

static void test_good(void **state)
{
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		const void *bytes = record_of(known[i], &len);

		memset(&decoded, 0xaa, sizeof(decoded));
		assert_int_equal(uc_decode(bytes, len, &decoded), 0);
		assert_int_equal(decoded.hdr.kind, known[i]);
		assert_memory_equal(&decoded, bytes, len);
	}
}

static void test_length(void **state)
{
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		const unsigned char *bytes = record_of(known[i], &len);
		unsigned char *longer = calloc(1, len + 1);

		for (size_t n = 0; n < len; n++)
			assert_int_equal(uc_decode(bytes, n, &decoded), -EBADMSG);
		memcpy(longer, bytes, len);
		assert_int_equal(uc_decode(longer, len + 1, &decoded), -EBADMSG);
		free(longer);
	}
	assert_int_equal(uc_decode(NULL, 0, &decoded), -EBADMSG);
}

static void test_version(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= UINT16_MAX; v += v < 10 ? 1 : 4093) {
		proc.hdr.version = v;
		assert_int_equal(decode_kind(UC_REC_PROC), v == UC_WIRE_VERSION ? 0 : -EPROTO);
	}
	/* another version may have another size: it is the version that is told */
	proc.hdr.version = UC_WIRE_VERSION + 1;
	assert_int_equal(uc_decode(&proc, sizeof(proc.hdr), &decoded), -EPROTO);
}

static void test_kind(void **state)
{
	static const unsigned unknown[] = { 0,   UC_REC_EXEC, UC_REC_KIND_MAX, UC_REC_KIND_MAX + 1,
					    255, 65535 };

	(void)state;
	for (size_t i = 0; i < COUNT(unknown); i++) {
		proc.hdr.kind = unknown[i];
		assert_int_equal(decode_kind(UC_REC_PROC), -EPROTO);
	}
	/* the size of one kind under the name of another */
	proc.hdr.kind = UC_REC_UPSTREAM_END;
	assert_int_equal(decode_kind(UC_REC_PROC), -EBADMSG);
}

static void test_size(void **state)
{
	static const uint32_t wrong[] = { 0, 1, sizeof(proc) - 1, sizeof(proc) + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		proc.hdr.size = wrong[i];
		assert_int_equal(decode_kind(UC_REC_PROC), -EBADMSG);
	}
}

static void expect_nginx(bool valid)
{
	assert_int_equal(decode_nginx(), valid ? 0 : -EINVAL);
}

static void test_family(void **state)
{
	struct uc_tuple *t = &ngx_conn(&scenario)->tuple;

	(void)state;
	t->family = AF_INET6;
	expect_nginx(true);
	t->family = AF_UNIX;
	expect_nginx(false);
	t->family = 0;
	expect_nginx(false);
	up_conn(&scenario)->tuple.family = 0xffff;
	assert_int_equal(decode_kind(UC_REC_UPSTREAM_END), -EINVAL);
}

static void test_peer_closed(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		ngx_conn(&scenario)->peer_closed = v;
		expect_nginx(!v || v == UC_EV_FIN || v == UC_EV_RST);
	}
}

static void test_side(void **state)
{
	(void)state;
	ngx_conn(&scenario)->flags &= ~UC_CONN_NGINX;
	expect_nginx(false);
	up_conn(&scenario)->flags |= UC_CONN_NGINX;
	assert_int_equal(decode_kind(UC_REC_UPSTREAM_END), -EINVAL);
}

static void test_comm(void **state)
{
	struct uc_task *tasks[] = { &ngx_conn(&scenario)->owner, &ngx_conn(&scenario)->closer,
				    &scenario.pair.nginx.peer };

	(void)state;
	for (size_t i = 0; i < COUNT(tasks); i++) {
		char last = tasks[i]->comm[UC_COMM_LEN - 1];

		memset(tasks[i]->comm, 'n', UC_COMM_LEN);
		expect_nginx(false);
		tasks[i]->comm[UC_COMM_LEN - 1] = last;
		expect_nginx(true);
	}
	memset(proc.task.comm, 0xff, UC_COMM_LEN);
	assert_int_equal(decode_kind(UC_REC_PROC), -EINVAL);
	memset(up_conn(&scenario)->closer.comm, 'x', UC_COMM_LEN);
	assert_int_equal(decode_kind(UC_REC_UPSTREAM_END), -EINVAL);
}

static void test_events(void **state)
{
	struct uc_conn *c = ngx_conn(&scenario);
	uint32_t n = c->events;

	(void)state;
	assert_in_range(n, 3, UC_EVENTS - 1);
	for (unsigned kind = 0; kind < 256; kind++) {
		c->ev[n - 1].kind = kind;
		expect_nginx(kind && kind < UC_EV_MAX);
	}
	c->ev[n - 1].kind = UC_EV_CLOSE;
	c->ev[0].count = 0;
	expect_nginx(false);
	c->ev[0].count = UINT16_MAX;
	expect_nginx(true);
	/* what lies behind the newest event is nobody's */
	c->ev[n].kind = 255;
	expect_nginx(true);
	c->events++;
	expect_nginx(false);
}

static void test_events_wrapped(void **state)
{
	static const uint32_t counts[] = { UC_EVENTS - 1, UC_EVENTS, UC_EVENTS + 1, UINT32_MAX };
	struct uc_conn *c = ngx_conn(&scenario);

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		c->events = counts[i];
		for (size_t e = 0; e < UC_EVENTS; e++)
			c->ev[e] = (struct uc_event){ .kind = UC_EV_SEND, .count = 1 };
		expect_nginx(true);
		c->ev[UC_EVENTS - 1].kind = 0;
		expect_nginx(counts[i] < UC_EVENTS);
	}
	c->events = 0;
	expect_nginx(true);
}

static void expect_bound(uint32_t *field, uint32_t max)
{
	uint32_t before = *field;

	*field = max;
	expect_nginx(true);
	*field = max + 1;
	expect_nginx(false);
	*field = UINT32_MAX;
	expect_nginx(false);
	*field = before;
}

static void test_heads(void **state)
{
	struct uc_heads *h = &scenario.pair.nginx.heads;

	(void)state;
	expect_bound(&h->request_len, UC_REQUEST_HEAD);
	expect_bound(&h->response_len, UC_RESPONSE_HEAD);
	expect_bound(&h->tail_len, UC_RESPONSE_TAIL);
	expect_bound(&h->response_gap, 1);
}

/* No time of a real record is years away; what is reckoned with them must not overflow. */
static void test_times(void **state)
{
	struct uc_conn *c = ngx_conn(&scenario);
	__u64 *const times[] = { &c->open_ns,       &c->established_ns,
				 &c->activity_ns,   &c->peer.ts_ns,
				 &c->end.ts_ns,     &c->x.out_first_ns,
				 &c->x.out_last_ns, &c->x.in_first_ns,
				 &c->x.in_last_ns,  &c->ev[1].ts_ns,
				 &c->ev[1].last_ns, &scenario.pair.nginx.hdr.ts_ns };

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		uint64_t before = *times[i];

		*times[i] = UINT64_MAX;
		expect_nginx(false);
		*times[i] = INT64_MAX;
		expect_nginx(false);
		*times[i] = 365 * 24 * 3600 * S;
		expect_nginx(true);
		*times[i] = before;
	}
}

static void test_followup(void **state)
{
	(void)state;
	followup.what = 0;
	assert_int_equal(decode_kind(UC_REC_FOLLOWUP), -EINVAL);
	followup.what = UC_FOLLOWUP_MAX;
	assert_int_equal(decode_kind(UC_REC_FOLLOWUP), -EINVAL);
	followup.what = UC_FOLLOWUP_RETRIED;
	assert_int_equal(decode_kind(UC_REC_FOLLOWUP), 0);
	followup.head_len = UC_FOLLOWUP_HEAD + 1;
	assert_int_equal(decode_kind(UC_REC_FOLLOWUP), -EINVAL);
}

static void test_unaligned(void **state)
{
	unsigned char *buf = malloc(sizeof(struct uc_record) + 8);
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		const void *bytes = record_of(known[i], &len);

		for (size_t shift = 0; shift < 8; shift++) {
			memcpy(buf + shift, bytes, len);
			assert_int_equal(uc_decode(buf + shift, len, &decoded), 0);
			assert_memory_equal(&decoded, bytes, len);
		}
	}
	free(buf);
}

/* A page without access lies right behind the bytes. */
static void test_guard_page(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 4 * page, len;
	unsigned char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_true(sizeof(struct uc_record) <= room);
	assert_int_equal(mprotect(p + room, page, PROT_NONE), 0);
	for (size_t i = 0; i < COUNT(known); i++) {
		const void *bytes = record_of(known[i], &len);

		for (size_t n = 0; n <= len; n += n < 64 || n + 64 > len ? 1 : 61) {
			memcpy(p + room - n, bytes, n);
			assert_int_equal(uc_decode(p + room - n, n, &decoded),
					 n == len ? 0 : -EBADMSG);
		}
	}
	munmap(p, room + page);
}

static void test_random(void **state)
{
	uint64_t seed = 521288629;
	unsigned accepted = 0;

	(void)state;
	for (unsigned n = 0; n < 50000; n++) {
		struct uc_rec_nginx damaged = scenario.pair.nginx;
		unsigned char *bytes = (unsigned char *)&damaged;

		bytes[next_random(&seed) % sizeof(damaged)] ^= 1u << (next_random(&seed) % 8);
		if (uc_decode(bytes, sizeof(damaged), &decoded))
			continue;
		accepted++;
		scenario.pair.nginx = decoded.nginx;
		scenario_judge(&scenario);
		set_up(NULL);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up),
		cmocka_unit_test_setup(test_length, set_up),
		cmocka_unit_test_setup(test_version, set_up),
		cmocka_unit_test_setup(test_kind, set_up),
		cmocka_unit_test_setup(test_size, set_up),
		cmocka_unit_test_setup(test_family, set_up),
		cmocka_unit_test_setup(test_peer_closed, set_up),
		cmocka_unit_test_setup(test_side, set_up),
		cmocka_unit_test_setup(test_comm, set_up),
		cmocka_unit_test_setup(test_events, set_up),
		cmocka_unit_test_setup(test_events_wrapped, set_up),
		cmocka_unit_test_setup(test_heads, set_up),
		cmocka_unit_test_setup(test_times, set_up),
		cmocka_unit_test_setup(test_followup, set_up),
		cmocka_unit_test_setup(test_unaligned, set_up),
		cmocka_unit_test_setup(test_guard_page, set_up),
		cmocka_unit_test_setup(test_random, set_up),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
