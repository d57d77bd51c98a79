/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/decode.h"
#include "core/conn/forms.h"
#include "scenario.h"

static struct scenario scenario;
static struct uc_record decoded;
static uint8_t folded[sizeof(struct uc_rec_nginx)];

static int set_up(void **state)
{
	(void)state;
	memset(&scenario, 0, sizeof(scenario));
	scenario_named(&scenario, "race_crossed");
	memset(folded, 0xaa, sizeof(folded));
	return 0;
}

/* An end with so many events, each of them different. */
static void events_set(struct uc_conn *c, unsigned events)
{
	memset(c->ev, 0, sizeof(c->ev));
	c->events = events;
	for (unsigned i = 0; i < events && i < UC_EVENTS; i++)
		c->ev[i] = (struct uc_event){ .kind = UC_EV_SEND, .count = 1, .bytes = i + 1 };
}

static void head_set(__u8 *head, __u32 *len, unsigned want, size_t size)
{
	memset(head, 0, size);
	memset(head, 'h', want);
	*len = want;
}

static size_t nginx_folded(unsigned events, unsigned request, unsigned response)
{
	struct uc_rec_nginx *n = &scenario.pair.nginx;
	size_t len;

	events_set(&n->conn, events);
	head_set(n->heads.request, &n->heads.request_len, request, sizeof(n->heads.request));
	head_set(n->heads.response, &n->heads.response_len, response, sizeof(n->heads.response));
	len = uc_forms_fold_nginx(n, folded);
	assert_int_equal(uc_decode(folded, len, &decoded), 0);
	assert_memory_equal(&decoded.nginx, n, sizeof(*n));
	return len;
}

static void test_nginx(void **state)
{
	const size_t whole = sizeof(struct uc_rec_nginx);

	(void)state;
	assert_int_equal(nginx_folded(0, 0, 0), UC_NGINX_SIZE(8, 256, 256));
	assert_int_equal(nginx_folded(8, 256, 256), UC_NGINX_SIZE(8, 256, 256));
	assert_int_equal(nginx_folded(9, 0, 0), UC_NGINX_SIZE(16, 512, 1536));
	assert_int_equal(nginx_folded(0, 257, 0), UC_NGINX_SIZE(16, 512, 1536));
	assert_int_equal(nginx_folded(0, 0, 257), UC_NGINX_SIZE(16, 512, 1536));
	assert_int_equal(nginx_folded(16, 512, 1536), UC_NGINX_SIZE(16, 512, 1536));
	assert_int_equal(nginx_folded(17, 0, 0), whole);
	assert_int_equal(nginx_folded(0, 0, 1537), whole);
	assert_int_equal(nginx_folded(UC_EVENTS, UC_REQUEST_HEAD, UC_RESPONSE_HEAD), whole);
	/* the log has wrapped */
	assert_int_equal(nginx_folded(UC_EVENTS + 7, 0, 0), whole);
}

static size_t upstream_folded(unsigned events)
{
	struct uc_rec_upstream *u = &scenario.pair.upstream;
	size_t len;

	events_set(&u->conn, events);
	len = uc_forms_fold_upstream(u, folded);
	assert_int_equal(uc_decode(folded, len, &decoded), 0);
	assert_memory_equal(&decoded.upstream, u, sizeof(*u));
	return len;
}

static void test_upstream(void **state)
{
	(void)state;
	assert_int_equal(upstream_folded(0), UC_UPSTREAM_SIZE(8));
	assert_int_equal(upstream_folded(8), UC_UPSTREAM_SIZE(8));
	assert_int_equal(upstream_folded(9), sizeof(struct uc_rec_upstream));
	assert_int_equal(upstream_folded(UC_EVENTS + 1), sizeof(struct uc_rec_upstream));
}

/* A record that says it holds more than its size has room for. */
static void test_more_than_it_holds(void **state)
{
	struct uc_rec_hdr hdr;
	struct uc_conn conn;
	size_t len = upstream_folded(8);

	(void)state;
	memcpy(&conn, folded + sizeof(hdr), UC_CONN_SIZE(0));
	conn.events = 9;
	memcpy(folded + sizeof(hdr), &conn, UC_CONN_SIZE(0));
	assert_int_equal(uc_decode(folded, len, &decoded), -EINVAL);

	len = nginx_folded(1, 100, 100);
	memcpy(folded + UC_UPSTREAM_SIZE(8) + sizeof(struct uc_task) + sizeof(struct uc_clients),
	       &(__u32){ 257 }, sizeof(__u32));
	assert_int_equal(uc_decode(folded, len, &decoded), -EINVAL);
}

static void test_size_of_no_form(void **state)
{
	struct uc_rec_hdr hdr;
	size_t len = nginx_folded(1, 1, 1);

	(void)state;
	memcpy(&hdr, folded, sizeof(hdr));
	for (hdr.size = sizeof(hdr); hdr.size < sizeof(struct uc_rec_nginx); hdr.size++) {
		if (hdr.size == len || hdr.size == UC_NGINX_SIZE(16, 512, 1536))
			continue;
		memcpy(folded, &hdr, sizeof(hdr));
		assert_int_equal(uc_decode(folded, hdr.size, &decoded), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nginx, set_up),
		cmocka_unit_test_setup(test_upstream, set_up),
		cmocka_unit_test_setup(test_more_than_it_holds, set_up),
		cmocka_unit_test_setup(test_size_of_no_form, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
