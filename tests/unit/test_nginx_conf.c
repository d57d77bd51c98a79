/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/nginx/conf.h"

struct text {
	const char *path, *bytes;
};

/* A folder of files; a pattern of "*" is all of them but the first. */
static const struct text *folder;

static int include(void *ctx, struct uc_nginx_conf *conf, const struct uc_nginx_directive *d)
{
	int err = 0;

	(void)ctx;
	for (const struct text *t = folder; t && t->path && !err; t++)
		if (uc_nginx_word_is(&d->words[1], t->path) ||
		    (t != folder && uc_nginx_word_is(&d->words[1], "*")))
			err = uc_nginx_conf_parse(conf, t->path, t->bytes, strlen(t->bytes));
	return err;
}

static struct uc_nginx_conf *parse_bytes(const char *bytes, size_t len)
{
	struct uc_nginx_conf *c;

	assert_int_equal(uc_nginx_conf_new(include, NULL, &c), 0);
	uc_nginx_conf_parse(c, "main", bytes, len);
	return c;
}

static struct uc_nginx_conf *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

/* The tree in one line: words in <>, blocks in {}. */
static size_t draw(const struct uc_nginx_directive *d, char *buf, size_t size)
{
	size_t used = 0;

	for (; d; d = d->next) {
		for (uint32_t i = 0; i < d->count; i++)
			used += snprintf(buf + used, size - used, "<%.*s>", (int)d->words[i].len,
					 d->words[i].p);
		if (d->body) {
			used += snprintf(buf + used, size - used, "{");
			used += draw(d->child, buf + used, size - used);
			used += snprintf(buf + used, size - used, "}");
		}
	}
	return used;
}

static void is(const char *text, const char *tree)
{
	struct uc_nginx_conf *c = parse(text);
	char buf[1024] = "";

	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_OK);
	draw(uc_nginx_conf_top(c), buf, sizeof(buf));
	assert_string_equal(buf, tree);
	uc_nginx_conf_free(c);
}

static void test_words(void **state)
{
	(void)state;
	is("", "");
	is("a;", "<a>");
	is("a b\tc\r\nd;e;", "<a><b><c><d><e>");
	is("# x { ; \"\na; # y\n", "<a>");
	is("a#b c;", "<a#b><c>");
	is("a \"b c\" 'd;{}#' \"\" ;", "<a><b c><d;{}#><>");
	is("a \"x\\\"y\" 'p\\'q' r\\;s t\\\\u;", "<a><x\"y><p'q><r\\;s><t\\u>");
	is("a \"\\t\\n\\r\\d\";", "<a><\t\n\r\\d>");
	is("a ${x}y $z;", "<a><${x}y><$z>");
	is("a x${y};", "<a><x${y}>");
	is("if ($a = \"b\") { c; }", "<if><($a><=><b><)>{<c>}");
	is("a\"b c;", "<a\"b><c>");
	is("log_format x '$a' '$b';", "<log_format><x><$a><$b>");
}

static void test_blocks(void **state)
{
	(void)state;
	is("a {}", "<a>{}");
	is("a{b;}", "<a>{<b>}");
	is("a b { c { d; } e; } f;", "<a><b>{<c>{<d>}<e>}<f>");
	is("location ~ \"^/x{2}$\" { y; }", "<location><~><^/x{2}$>{<y>}");
	is("map $a $b { default 1; '' 2; ~^x 3; }", "<map><$a><$b>{<default><1><><2><~^x><3>}");
	is("brotli_static on; an_unknown_module { with 3 args; }",
	   "<brotli_static><on><an_unknown_module>{<with><3><args>}");
}

static void test_lua(void **state)
{
	(void)state;
	is("content_by_lua_block { local x = { 1 } } a;", "<content_by_lua_block>{}<a>");
	is("content_by_lua_block { s = '}' t = \"}\\\"}\" -- }\n --[[ } ]] --[==[ } ]] ]==] } a;",
	   "<content_by_lua_block>{}<a>");
	is("set_by_lua_block $x { return [=[ } ]] ]=] .. t[a[1]] } a;",
	   "<set_by_lua_block><$x>{}<a>");
	is("x { access_by_lua_block { if a then b() end } c; }", "<x>{<access_by_lua_block>{}<c>}");
}

static void test_places(void **state)
{
	struct uc_nginx_conf *c = parse("a;\n\n  bb \"c\nd\" e;\n f {\n\tg; }");
	const struct uc_nginx_directive *d = uc_nginx_conf_top(c)->next;
	const struct uc_nginx_file *f = uc_nginx_conf_file(c, 0);

	(void)state;
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_OK);
	assert_int_equal(uc_nginx_conf_count(c), 4);
	assert_int_equal(d->line, 3);
	assert_int_equal(uc_nginx_column(f, d->start), 3);
	assert_memory_equal(f->bytes + d->start, "bb \"c\nd\" e;", d->end - d->start);
	assert_int_equal(f->bytes[d->words[1].at], '"');
	d = d->next;
	assert_int_equal(d->line, 5);
	assert_memory_equal(f->bytes + d->start, "f {\n\tg; }", d->end - d->start);
	assert_memory_equal(f->bytes + d->body, "\n\tg;", 4);
	assert_ptr_equal(d->child->parent, d);
	assert_int_equal(d->child->line, 6);
	assert_int_equal(uc_nginx_column(f, d->child->start), 2);
	uc_nginx_conf_free(c);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		enum uc_nginx_problem problem;
		uint32_t line, column;
	} cases[] = {
		{ "a", UC_NGINX_NOT_ENDED, 1, 1 },
		{ "x;\n a b", UC_NGINX_NOT_ENDED, 2, 2 },
		{ "a }", UC_NGINX_NOT_ENDED, 1, 1 },
		{ "\n ;", UC_NGINX_UNEXPECTED, 2, 2 },
		{ "{", UC_NGINX_UNEXPECTED, 1, 1 },
		{ "a { b;\n", UC_NGINX_NOT_CLOSED, 1, 1 },
		{ "a { b { c; }\n", UC_NGINX_NOT_CLOSED, 1, 1 },
		{ "a;\n}", UC_NGINX_NOT_OPENED, 2, 1 },
		{ "a { } }", UC_NGINX_NOT_OPENED, 1, 7 },
		{ "a;\nb \"c\nd;", UC_NGINX_QUOTE, 2, 3 },
		{ "a 'b\\'", UC_NGINX_QUOTE, 1, 3 },
		{ "a \"b\"c;", UC_NGINX_AFTER_QUOTE, 1, 6 },
		{ "x;\n a_by_lua_block { '", UC_NGINX_NOT_CLOSED, 2, 2 },
		{ "a_by_lua_block { --[[ }", UC_NGINX_NOT_CLOSED, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uc_nginx_conf *c = parse(cases[i].text);
		const struct uc_nginx_error *e = uc_nginx_conf_error(c);

		assert_int_equal(e->problem, cases[i].problem);
		assert_int_equal(e->line, cases[i].line);
		assert_int_equal(e->column, cases[i].column);
		assert_string_equal(e->path, "main");
		uc_nginx_conf_free(c);
	}
}

static void test_binary(void **state)
{
	static const char bytes[] = "a;\nb \0c;";
	struct uc_nginx_conf *c = parse_bytes(bytes, sizeof(bytes) - 1);

	(void)state;
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_BINARY);
	assert_int_equal(uc_nginx_conf_error(c)->line, 2);
	assert_int_equal(uc_nginx_conf_error(c)->column, 3);
	uc_nginx_conf_free(c);
}

static void test_depth(void **state)
{
	char text[4 * UC_NGINX_MAX_DEPTH + 16] = "";
	struct uc_nginx_conf *c;

	(void)state;
	for (unsigned i = 0; i < UC_NGINX_MAX_DEPTH; i++)
		strcat(text, "a{");
	for (unsigned i = 0; i < UC_NGINX_MAX_DEPTH; i++)
		strcat(text, "}");
	c = parse(text);
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_OK);
	uc_nginx_conf_free(c);
	memmove(text + 2, text, sizeof(text) - 2);
	memcpy(text, "a{", 2);
	c = parse(text);
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_DEPTH);
	uc_nginx_conf_free(c);
}

/* A million directives are read; one more than the bound is refused by name. */
static void test_million(void **state)
{
	size_t len = 3 * (UC_NGINX_MAX_DIRECTIVES + 1);
	char *text = malloc(len);
	struct uc_nginx_conf *c;

	(void)state;
	for (size_t i = 0; i < len; i++)
		text[i] = "a;\n"[i % 3];
	c = parse_bytes(text, len - 3);
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_OK);
	assert_int_equal(uc_nginx_conf_count(c), UC_NGINX_MAX_DIRECTIVES);
	uc_nginx_conf_free(c);
	c = parse_bytes(text, len);
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_DIRECTIVES);
	assert_int_equal(uc_nginx_conf_error(c)->line, UC_NGINX_MAX_DIRECTIVES + 1);
	uc_nginx_conf_free(c);
	free(text);
}

static void test_include(void **state)
{
	static const struct text files[] = { { "main", "" },
					     { "b", "b;\nc { d; }" },
					     { "e", "e;" },
					     { NULL, NULL } };
	struct uc_nginx_conf *c;
	char buf[256] = "";

	(void)state;
	folder = files;
	c = parse("a; x { include *; include b; } include none; z;");
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_OK);
	draw(uc_nginx_conf_top(c), buf, sizeof(buf));
	assert_string_equal(buf, "<a><x>{<include><*><b><c>{<d>}<e><include><b><b><c>{<d>}}"
				 "<include><none><z>");
	assert_int_equal(uc_nginx_conf_files(c), 3);
	assert_string_equal(
		uc_nginx_conf_file(c, uc_nginx_conf_top(c)->next->child->next->file)->path, "b");
	uc_nginx_conf_free(c);
	folder = NULL;
}

static void test_include_refused(void **state)
{
	static const struct text loop[] = { { "x", "include y;" },
					    { "y", "a;\ninclude x;" },
					    { NULL, NULL } };
	static const struct text open[] = { { "x", "a; }" }, { NULL, NULL } };
	struct uc_nginx_conf *c;

	(void)state;
	folder = loop;
	c = parse("include x;");
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_INCLUDE_LOOP);
	assert_string_equal(uc_nginx_conf_error(c)->path, "x");
	uc_nginx_conf_free(c);
	/* a file closes no block that another has opened */
	folder = open;
	c = parse("b { include x;");
	assert_int_equal(uc_nginx_conf_error(c)->problem, UC_NGINX_NOT_OPENED);
	assert_string_equal(uc_nginx_conf_error(c)->path, "x");
	uc_nginx_conf_free(c);
	folder = NULL;
}

/* Cut anywhere, in a buffer of just that size: the sanitizer sees a byte too many. */
static void test_prefixes(void **state)
{
	static const char text[] =
		"a \"b\\\"c\" ${d}; e_by_lua_block { '\\'' [==[ ]=] ]==] --[[x]] --y\n } f { g \\; h; }";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, text, n);
		uc_nginx_conf_free(parse_bytes(copy, n));
		free(copy);
	}
}

static void test_problems_have_texts(void **state)
{
	(void)state;
	for (unsigned p = 0; p < UC_NGINX_PROBLEM_MAX; p++)
		assert_non_null(uc_nginx_problem_text(p));
	assert_string_equal(uc_nginx_problem_text(UC_NGINX_PROBLEM_MAX), "invalid");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),    cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_lua),      cmocka_unit_test(test_places),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_binary),
		cmocka_unit_test(test_depth),    cmocka_unit_test(test_million),
		cmocka_unit_test(test_include),  cmocka_unit_test(test_include_refused),
		cmocka_unit_test(test_prefixes), cmocka_unit_test(test_problems_have_texts),
	};

	return cmocka_run_group_tests_name("nginx_conf", tests, NULL, NULL);
}
