/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/markup.h"
#include "build.h"

static char *text;
static size_t len;
static struct uc_doc page;

static void begin(const char *markup)
{
	page = (struct uc_doc){ .markup = uc_markup(markup), .out = open_memstream(&text, &len) };
	assert_non_null(page.markup);
	assert_non_null(page.out);
}

static void expect(const char *want)
{
	fclose(page.out);
	assert_string_equal(text, want);
	free(text);
	text = NULL;
}

static void test_names(void **state)
{
	(void)state;
	assert_null(uc_markup("txt"));
	assert_null(uc_markup(""));
}

static void test_markdown_is_escaped(void **state)
{
	(void)state;
	begin("md");
	uc_doc_paragraph(&page,
			 "<script>a|b</script> `c` *d* [e](f) &lt; g_h _i_ \\ ~j~ \x1b[31m\n");
	expect("\\<script\\>a\\|b\\</script\\> \\`c\\` \\*d\\* \\[e\\](f) \\&lt; g_h \\_i\\_ \\\\ "
	       "\\~j\\~ \\x1b\\[31m\\x0a\n\n");
	begin("md");
	uc_doc_paragraph(&page, "# no heading");
	expect("\\# no heading\n\n");
}

static void test_html_is_escaped(void **state)
{
	(void)state;
	begin("html");
	uc_doc_paragraph(&page, "<b a=\"c\" d='e'>&\x80\x1b");
	expect("<p>&lt;b a=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\\x80\\x1b</p>\n");
	begin("html");
	uc_doc_block(&page);
	uc_doc_line(&page, "</pre><i>");
	uc_doc_block_end(&page);
	expect("<pre>&lt;/pre&gt;&lt;i&gt;\n</pre>\n");
}

static void test_tables_and_lists(void **state)
{
	static const char *const names[] = { "A", "B" }, *const cells[] = { "1|2", "" };

	(void)state;
	begin("md");
	uc_doc_heading(&page, 2, "H");
	uc_doc_table(&page, names, 2);
	uc_doc_row(&page, cells, 2);
	uc_doc_table_end(&page);
	uc_doc_list(&page);
	uc_doc_item(&page, "x");
	uc_doc_list_end(&page);
	uc_doc_block(&page);
	uc_doc_line(&page, "  <a>");
	uc_doc_block_end(&page);
	expect("## H\n\n| A | B |\n|-|-|\n| 1\\|2 |  |\n\n- x\n\n      <a>\n\n");
	begin("html");
	uc_doc_table(&page, names, 2);
	uc_doc_row(&page, cells, 2);
	uc_doc_table_end(&page);
	expect("<table>\n<tr><th>A<th>B</tr>\n<tr><td>1|2<td></tr>\n</table>\n");
}

/* One file, which loads nothing and runs nothing. */
static void test_html_loads_nothing(void **state)
{
	(void)state;
	begin("html");
	uc_doc_begin(&page, "<t>");
	uc_doc_end(&page);
	fclose(page.out);
	assert_non_null(strstr(text, "<title>&lt;t&gt;</title>"));
	assert_non_null(strstr(text, "default-src 'none'"));
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "src="));
	assert_null(strstr(text, "http:"));
	free(text);
	text = NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_markdown_is_escaped),
		cmocka_unit_test(test_html_is_escaped),
		cmocka_unit_test(test_tables_and_lists),
		cmocka_unit_test(test_html_loads_nothing),
	};

	return cmocka_run_group_tests_name("markup", tests, NULL, NULL);
}
