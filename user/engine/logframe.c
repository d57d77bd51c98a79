/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/logframe.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "Z", "+02:00": seconds east of UTC */
static bool parse_zone(const char *s, long *ret)
{
	int hours, minutes, end = 0;
	char sign;

	*ret = 0;
	if (!strcmp(s, "Z"))
		return true;
	if (sscanf(s, "%c%2d:%2d%n", &sign, &hours, &minutes, &end) != 3 || s[end] ||
	    (sign != '+' && sign != '-'))
		return false;
	*ret = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
	return true;
}

time_t uc_logframe_time(const char *text, size_t len)
{
	char copy[48];
	struct tm tm = { 0 };
	const char *rest;
	long east;

	if (len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	return rest && parse_zone(rest, &east) ? timegm(&tm) - east : 0;
}

/* The line's part, or all that is there of it where it ends here. */
static bool join(struct uc_logframe_part *part, const char *text, size_t len, bool whole,
		 struct uc_framed *ret)
{
	size_t room = sizeof(part->text) - part->len;

	memcpy(part->text + part->len, text, len < room ? len : room);
	part->len += len < room ? len : room;
	if (!whole)
		return false;
	ret->text = part->text;
	ret->len = part->len;
	part->len = 0;
	return true;
}

static bool take_json(struct uc_logframe *f, const char *line, size_t len, struct uc_framed *ret)
{
	json_t *o = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	const char *stream = json_string_value(json_object_get(o, "stream")),
		   *time = json_string_value(json_object_get(o, "time")),
		   *text = json_string_value(json_object_get(o, "log"));
	size_t size = json_string_length(json_object_get(o, "log"));
	bool whole = size && text[size - 1] == '\n', done = false;

	if (text) {
		ret->at = time ? uc_logframe_time(time, strlen(time)) : 0;
		done = join(&f->parts[stream && !strcmp(stream, "stderr")], text, size - whole,
			    whole, ret);
	}
	json_decref(o);
	return done;
}

static const char *word_end(const char *s, const char *end)
{
	return s < end ? memchr(s, ' ', end - s) : NULL;
}

static bool take_cri(struct uc_logframe *f, const char *line, size_t len, struct uc_framed *ret)
{
	const char *end = line + len, *time = word_end(line, end),
		   *stream = time ? word_end(time + 1, end) : NULL,
		   *tag = stream ? word_end(stream + 1, end) : NULL;
	bool on_stderr;

	if (!tag)
		return false;
	ret->at = uc_logframe_time(line, time - line);
	on_stderr = stream - time == 7 && !memcmp(time, " stderr", 7);
	return join(&f->parts[on_stderr], tag + 1, end - tag - 1, stream[1] == 'F', ret);
}

/* nginx's own date has slashes. */
static bool begins_with_date(const char *line, size_t len)
{
	return len > 5 && isdigit((unsigned char)line[0]) && line[4] == '-';
}

bool uc_logframe_take(struct uc_logframe *f, const char *line, size_t len, struct uc_framed *ret)
{
	*ret = (struct uc_framed){ .text = line, .len = len };
	if (len && line[0] == '{')
		return take_json(f, line, len, ret);
	if (begins_with_date(line, len))
		return take_cri(f, line, len, ret);
	return true;
}
