/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/settings.h"

#include <string.h>

#include "base/util.h"
#include "core/nginx/template.h"
#include "core/nginx/word.h"

struct unit {
	const char *name;
	int64_t is;
};

static int64_t unit_of(const char **p, const char *end, const struct unit *units, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(units[i].name);

		if ((size_t)(end - *p) < n || memcmp(*p, units[i].name, n))
			continue;
		*p += n;
		return units[i].is;
	}
	return UC_NGINX_UNKNOWN;
}

/* ngx_parse_time(): numbers with a unit each, a last one without is seconds. */
int64_t uc_nginx_time(const char *p, size_t len)
{
	static const struct unit units[] = {
		{ "ms", 1 },       { "y", 31536000000 }, { "M", 2592000000 }, { "w", 604800000 },
		{ "d", 86400000 }, { "h", 3600000 },     { "m", 60000 },      { "s", 1000 },
	};
	const char *end = p + len;
	int64_t sum = 0;

	if (!len)
		return UC_NGINX_UNKNOWN;
	while (p < end) {
		int64_t n = 0, unit = 1000;
		const char *from = p;

		while (p < end && *p >= '0' && *p <= '9' && n < INT32_MAX)
			n = n * 10 + (*p++ - '0');
		if (p == from)
			return UC_NGINX_UNKNOWN;
		if (p < end && *p != ' ')
			unit = unit_of(&p, end, units, ARRAY_SIZE(units));
		if (unit < 0 || n > INT32_MAX)
			return UC_NGINX_UNKNOWN;
		sum += n * unit;
		while (p < end && *p == ' ')
			p++;
	}
	return sum;
}

int64_t uc_nginx_size(const char *p, size_t len)
{
	static const struct unit units[] = { { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 },
					     { "M", 1 << 20 }, { "g", 1 << 30 }, { "G", 1 << 30 } };
	const char *end = p + len, *from = p;
	int64_t n = 0, unit = 1;

	while (p < end && *p >= '0' && *p <= '9' && n < INT32_MAX)
		n = n * 10 + (*p++ - '0');
	if (p == from || n > INT32_MAX)
		return UC_NGINX_UNKNOWN;
	if (p < end)
		unit = unit_of(&p, end, units, ARRAY_SIZE(units));
	return p == end && unit > 0 ? n * unit : UC_NGINX_UNKNOWN;
}

static const struct {
	const char *name;
	enum uc_nginx_form form;
	int64_t otherwise; /* in all versions, but for http_version */
} settings[] = {
	[UC_NGINX_CONNECT_TIMEOUT] = { "connect_timeout", UC_NGINX_FORM_TIME, 60000 },
	[UC_NGINX_SEND_TIMEOUT] = { "send_timeout", UC_NGINX_FORM_TIME, 60000 },
	[UC_NGINX_READ_TIMEOUT] = { "read_timeout", UC_NGINX_FORM_TIME, 60000 },
	[UC_NGINX_NEXT_UPSTREAM] = { "next_upstream", UC_NGINX_FORM_NEXT,
				     UC_NGINX_NEXT_ERROR | UC_NGINX_NEXT_TIMEOUT },
	[UC_NGINX_NEXT_UPSTREAM_TRIES] = { "next_upstream_tries", UC_NGINX_FORM_NUMBER, 0 },
	[UC_NGINX_NEXT_UPSTREAM_TIMEOUT] = { "next_upstream_timeout", UC_NGINX_FORM_TIME, 0 },
	[UC_NGINX_REQUEST_BUFFERING] = { "request_buffering", UC_NGINX_FORM_FLAG, 1 },
	[UC_NGINX_BUFFERING] = { "buffering", UC_NGINX_FORM_FLAG, 1 },
	[UC_NGINX_BUFFER_SIZE] = { "buffer_size", UC_NGINX_FORM_SIZE, 4096 },
	[UC_NGINX_BUFFERS] = { "buffers", UC_NGINX_FORM_BUFFERS, 32768 },
	[UC_NGINX_BUSY_BUFFERS_SIZE] = { "busy_buffers_size", UC_NGINX_FORM_SIZE,
					 UC_NGINX_UNKNOWN },
	[UC_NGINX_HTTP_VERSION] = { "http_version", UC_NGINX_FORM_HTTP, 10 },
	[UC_NGINX_KEEP_CONN] = { "keep_conn", UC_NGINX_FORM_FLAG, 0 },
};
_Static_assert(ARRAY_SIZE(settings) == UC_NGINX_SETTING_MAX, "a row for each setting");

static const char *const protocols[] = {
	[UC_NGINX_PROXY] = "proxy", [UC_NGINX_FASTCGI] = "fastcgi",
	[UC_NGINX_UWSGI] = "uwsgi", [UC_NGINX_SCGI] = "scgi",
	[UC_NGINX_GRPC] = "grpc",   [UC_NGINX_MEMCACHED] = "memcached",
};
_Static_assert(ARRAY_SIZE(protocols) == UC_NGINX_PROTOCOL_MAX, "a name for each protocol");

const char *uc_nginx_protocol_name(enum uc_nginx_protocol p)
{
	return (unsigned)p < ARRAY_SIZE(protocols) ? protocols[p] : "invalid";
}

const char *uc_nginx_setting_name(enum uc_nginx_setting s)
{
	return (unsigned)s < ARRAY_SIZE(settings) ? settings[s].name : "invalid";
}

static int64_t next_of(const struct uc_nginx_directive *d)
{
	static const struct {
		const char *name;
		int64_t bit;
	} reasons[] = {
		{ "error", UC_NGINX_NEXT_ERROR },
		{ "timeout", UC_NGINX_NEXT_TIMEOUT },
		{ "invalid_header", UC_NGINX_NEXT_INVALID_HEADER },
		{ "http_500", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_502", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_503", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_504", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_429", UC_NGINX_NEXT_HTTP_429 },
		{ "http_403", UC_NGINX_NEXT_HTTP_4XX },
		{ "http_404", UC_NGINX_NEXT_HTTP_4XX },
		{ "non_idempotent", UC_NGINX_NEXT_NON_IDEMPOTENT },
		{ "off", UC_NGINX_NEXT_OFF },
	};
	int64_t bits = 0;

	for (uint32_t i = 1; i < d->count; i++) {
		if (uc_nginx_template(&d->words[i]))
			return UC_NGINX_UNKNOWN;
		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++)
			if (uc_nginx_word_is(&d->words[i], reasons[k].name))
				bits |= reasons[k].bit;
	}
	return bits;
}

static int64_t http_of(const struct uc_nginx_word *w)
{
	return uc_nginx_word_is(w, "1.0") ? 10 :
	       uc_nginx_word_is(w, "1.1") ? 11 :
	       uc_nginx_word_is(w, "2")   ? 20 :
					    UC_NGINX_UNKNOWN;
}

static int64_t flag_of(const struct uc_nginx_word *w)
{
	return uc_nginx_word_is_nocase(w, "on")  ? 1 :
	       uc_nginx_word_is_nocase(w, "off") ? 0 :
						   UC_NGINX_UNKNOWN;
}

/* "8 4k" */
static int64_t buffers_of(const struct uc_nginx_directive *d)
{
	int64_t count, size;

	if (d->count != 3)
		return UC_NGINX_UNKNOWN;
	count = uc_nginx_size(d->words[1].p, d->words[1].len);
	size = uc_nginx_size(d->words[2].p, d->words[2].len);
	return count > 0 && size > 0 && count < 65536 && size < INT32_MAX ? count * size :
									    UC_NGINX_UNKNOWN;
}

static int64_t number_of(const struct uc_nginx_directive *d, enum uc_nginx_form form)
{
	const struct uc_nginx_word *w = &d->words[1];

	if (d->count < 2)
		return UC_NGINX_UNKNOWN;
	switch (form) {
	case UC_NGINX_FORM_TIME:
		return uc_nginx_time(w->p, w->len);
	case UC_NGINX_FORM_SIZE:
		return uc_nginx_size(w->p, w->len);
	case UC_NGINX_FORM_BUFFERS:
		return buffers_of(d);
	case UC_NGINX_FORM_NUMBER:
		return w->len && w->p[w->len - 1] >= '0' && w->p[w->len - 1] <= '9' ?
			       uc_nginx_size(w->p, w->len) :
			       UC_NGINX_UNKNOWN;
	case UC_NGINX_FORM_FLAG:
		return flag_of(w);
	case UC_NGINX_FORM_NEXT:
		return next_of(d);
	case UC_NGINX_FORM_HTTP:
		return http_of(w);
	}
	return UC_NGINX_UNKNOWN;
}

struct uc_nginx_value uc_nginx_value_or(const struct uc_nginx_directive *d, enum uc_nginx_form form,
					int64_t otherwise)
{
	if (d && d->unread)
		return (struct uc_nginx_value){ UC_NGINX_UNKNOWN, NULL };
	return (struct uc_nginx_value){ d ? number_of(d, form) : otherwise, d };
}

struct uc_nginx_value uc_nginx_setting_value(enum uc_nginx_setting s,
					     const struct uc_nginx_directive *d,
					     const struct uc_nginx_defaults *defaults)
{
	return uc_nginx_value_or(d, settings[s].form,
				 s == UC_NGINX_HTTP_VERSION ? defaults->http_version :
							      settings[s].otherwise);
}
