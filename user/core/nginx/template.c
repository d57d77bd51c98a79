/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/template.h"

#include <string.h>

#include "base/util.h"

static const struct {
	const char *open, *close, *name;
} marks[] = {
	[UC_NGINX_TEMPLATE_MUSTACHE] = { "{{", "}}", "{{ }}" },
	[UC_NGINX_TEMPLATE_STATEMENT] = { "{%", "%}", "{% %}" },
	[UC_NGINX_TEMPLATE_ERB] = { "<%", "%>", "<% %>" },
};

/* JSON in a log_format has "{{" too, but then no blank or name behind it on its way to "}}". */
static bool goes_on(char ch)
{
	return ch == ' ' || ch == '-' || ch == '.' || ch == '=' || ch == '$' ||
	       (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static enum uc_nginx_template opens(const char *p, const char *end)
{
	for (unsigned t = UC_NGINX_TEMPLATE_MUSTACHE; t < ARRAY_SIZE(marks); t++)
		if (end - p >= 2 && !memcmp(p, marks[t].open, 2) && (end - p == 2 || goes_on(p[2])))
			return t;
	return UC_NGINX_TEMPLATE_NONE;
}

static bool in_capitals(char ch)
{
	return (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_';
}

/* "${PORT}" */
static bool is_environment(const char *p, const char *end)
{
	const char *name = p + 2;

	if (end - p < 4 || p[0] != '$' || p[1] != '{' || name[0] < 'A' || name[0] > 'Z')
		return false;
	while (name < end && in_capitals(*name))
		name++;
	return name < end && *name == '}';
}

enum uc_nginx_template uc_nginx_template(const struct uc_nginx_word *w)
{
	const char *end = w->p + w->len;

	for (const char *p = w->p; p < end; p++) {
		enum uc_nginx_template t = opens(p, end);

		if (t)
			return t;
		if (is_environment(p, end))
			return UC_NGINX_TEMPLATE_VARIABLE;
	}
	return UC_NGINX_TEMPLATE_NONE;
}

/* The closing mark on the same line tells a template from a block within a block. */
static bool closes(enum uc_nginx_template t, const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', end - p);

	return memmem(p, (newline ? newline : end) - p, marks[t].close, 2);
}

enum uc_nginx_template uc_nginx_template_in(const char *p, size_t len, size_t *at)
{
	const char *end = p + len;
	bool comment = false;

	for (const char *i = p; i < end; i++) {
		enum uc_nginx_template t = opens(i, end);

		comment = *i != '\n' && (comment || *i == '#');
		if (comment || !t || !closes(t, i, end))
			continue;
		*at = i - p;
		return t;
	}
	return UC_NGINX_TEMPLATE_NONE;
}

const char *uc_nginx_template_name(enum uc_nginx_template t)
{
	if (t == UC_NGINX_TEMPLATE_VARIABLE)
		return "${ }";
	return (unsigned)t < ARRAY_SIZE(marks) && marks[t].name ? marks[t].name : "none";
}
