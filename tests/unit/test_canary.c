/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/canary.h"
#include "build.h"

/* As nginx 1.22 sends it. */
#define PAGE(title)                                                                       \
	"<html>\r\n<head><title>" title "</title></head>\r\n<body>\r\n<center><h1>" title \
	"</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"

static enum uc_canary_outcome judge(enum uc_canary_end end, unsigned status, const char *page)
{
	size_t len = strlen(page);
	char *copy = malloc(len ? len : 1);
	enum uc_canary_outcome o;

	assert_non_null(copy);
	memcpy(copy, page, len);
	o = uc_canary_judge(end, status, copy, len);
	free(copy);
	return o;
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(judge(UC_CANARY_END_UNCONNECTED, 0, ""), UC_CANARY_CONNECT_FAILED);
	assert_int_equal(judge(UC_CANARY_END_TIMEOUT, 0, ""), UC_CANARY_GAVE_UP);
	assert_int_equal(judge(UC_CANARY_END_TIMEOUT, 200, "some"), UC_CANARY_GAVE_UP);
	assert_int_equal(judge(UC_CANARY_END_CUT, 0, ""), UC_CANARY_NO_ANSWER);
	assert_int_equal(judge(UC_CANARY_END_CUT, 200, "some"), UC_CANARY_BODY_TRUNCATED);
	assert_int_equal(judge(UC_CANARY_END_COMPLETE, 200, "all"), UC_CANARY_ANSWERED);
	assert_int_equal(judge(UC_CANARY_END_COMPLETE, 499, ""), UC_CANARY_ANSWERED);
}

static void test_pages(void **state)
{
	static const struct {
		unsigned status;
		const char *page;
		enum uc_canary_outcome want;
	} rows[] = {
		{ 504, PAGE("504 Gateway Time-out"), UC_CANARY_NGINX_TIMEOUT },
		{ 502, PAGE("502 Bad Gateway"), UC_CANARY_BAD_GATEWAY },
		{ 503, PAGE("503 Service Temporarily Unavailable"), UC_CANARY_NGINX_ERROR },
		{ 404, PAGE("404 Not Found"), UC_CANARY_ANSWERED },
		{ 504, "<hr><center>nginx</center>", UC_CANARY_NGINX_TIMEOUT },
		{ 504, "<hr><center>openresty/1.25.3.1</center>", UC_CANARY_NGINX_TIMEOUT },
		{ 504, "<center>nginx", UC_CANARY_NGINX_TIMEOUT },
		/* as far as it was kept */
		{ 504, "<center>ngin", UC_CANARY_ERROR_ANSWERED },
		{ 504, "<center>", UC_CANARY_ERROR_ANSWERED },
		{ 504, "", UC_CANARY_ERROR_ANSWERED },
		{ 504, "{\"error\":\"upstream of the upstream\"}", UC_CANARY_ERROR_ANSWERED },
		{ 502, "we at nginx are sorry", UC_CANARY_ERROR_ANSWERED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(judge(UC_CANARY_END_COMPLETE, rows[i].status, rows[i].page),
				 rows[i].want);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < UC_CANARY_OUTCOME_MAX; i++) {
		assert_string_not_equal(uc_canary_outcome_name(i), "invalid");
		assert_true(strlen(uc_canary_outcome_text(i)) > 5);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(uc_canary_outcome_name(i),
						uc_canary_outcome_name(k));
	}
	assert_string_equal(uc_canary_outcome_name(UC_CANARY_OUTCOME_MAX), "invalid");
	assert_string_equal(uc_canary_outcome_text(99), "invalid");
	assert_null(uc_canary_ended_by(99));
	assert_string_equal(uc_canary_ended_by(UC_CANARY_NGINX_TIMEOUT), "nginx");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
