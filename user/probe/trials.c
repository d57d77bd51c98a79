/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/trials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/version.h"

const struct uc_trial_spec uc_trials[UC_TRIAL_COUNT] = {
	/* trial, group, turn, posts, answers */
	{ UC_TRIAL_IDLE, UC_GROUP_IDLE, UC_TURN_FIRST, false, true },
	{ UC_TRIAL_REQUESTS, UC_GROUP_REQUESTS, UC_TURN_NEXT, false, true },
	{ UC_TRIAL_HTTP10, UC_GROUP_HTTP10, UC_TURN_NEXT, false, true },
	{ UC_TRIAL_CLOSING, UC_GROUP_CLOSING, UC_TURN_NEXT, false, true },
	{ UC_TRIAL_HALF_CLOSE, UC_GROUP_HALF_CLOSE, UC_TURN_NEXT, false, true },
	{ UC_TRIAL_EARLY, UC_GROUP_BODY, UC_TURN_NEXT, true, true },
	{ UC_TRIAL_SILENT, UC_GROUP_HEADER, UC_TURN_LAST, false, false },
	{ UC_TRIAL_HALF_HEADER, UC_GROUP_HEADER, UC_TURN_LAST, false, false },
	{ UC_TRIAL_HALF_BODY, UC_GROUP_BODY, UC_TURN_LAST, true, false },
};

static const char *const group_names[] = {
	[UC_GROUP_IDLE] = "idle",
	[UC_GROUP_REQUESTS] = "requests",
	[UC_GROUP_HTTP10] = "http10",
	[UC_GROUP_CLOSING] = "closing",
	[UC_GROUP_HALF_CLOSE] = "half-close",
	[UC_GROUP_HEADER] = "header",
	[UC_GROUP_BODY] = "body",
};

const char *uc_group_name(enum uc_probe_group group)
{
	return group_names[group];
}

static bool parse_group(const char *word, size_t len, unsigned *groups)
{
	for (size_t i = 0; i < UC_GROUP_COUNT; i++) {
		if (strlen(group_names[i]) != len || strncmp(group_names[i], word, len) != 0)
			continue;
		*groups |= 1U << i;
		return true;
	}
	return false;
}

bool uc_groups_parse(const char *list, unsigned *ret)
{
	unsigned groups = 0;
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (!parse_group(list, len, &groups))
			return false;
		if (!list[len])
			break;
	}
	*ret = groups;
	return true;
}

static bool names(const char *header, const char *name)
{
	size_t len = strlen(name);

	return !strncasecmp(header, name, len) && header[len] == ':';
}

/* Those that say how the connection goes on, or how long a request is, are the trials' own. */
static bool is_of_trials(const char *header)
{
	return names(header, "Connection") || names(header, "Keep-Alive") ||
	       names(header, "Content-Length") || names(header, "Transfer-Encoding") ||
	       names(header, "Expect") || names(header, "Upgrade");
}

const char *uc_header_fault(const char *text)
{
	size_t name = strcspn(text, ":");

	if (!name || !text[name] || strcspn(text, " \t") < name)
		return "a header is \"Name: value\"";
	if (is_of_trials(text))
		return "what a probe says of connection and length is its own";
	for (; *text; text++)
		if ((*text < ' ' && *text != '\t') || *text == 0x7f)
			return "it has a control byte";
	return NULL;
}

static bool has_header(const struct uc_requests *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (names(r->headers[i], name))
			return true;
	return false;
}

const char *uc_requests_host(const struct uc_requests *r, const struct uc_target *to)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (names(r->headers[i], "Host")) {
			const char *value = r->headers[i] + sizeof("Host");

			return value + strspn(value, " \t");
		}
	return to->host;
}

static void put_start(FILE *out, const char *method, const char *version,
		      const struct uc_target *to, const struct uc_requests *r)
{
	fprintf(out, "%s %s HTTP/%s\r\n", method, to->path, version);
	if (!has_header(r, "Host"))
		fprintf(out, "Host: %s\r\n", to->host);
	if (!has_header(r, "User-Agent"))
		fprintf(out, "User-Agent: upclose-probe/%s\r\n", uc_version);
	if (!has_header(r, "Accept"))
		fputs("Accept: */*\r\n", out);
	for (size_t i = 0; i < r->header_count; i++)
		fprintf(out, "%s\r\n", r->headers[i]);
}

static void put_trial(FILE *out, enum uc_trial trial, const struct uc_target *to,
		      const struct uc_requests *r)
{
	const char *method = r->head ? "HEAD" : "GET";

	switch (trial) {
	case UC_TRIAL_IDLE:
	case UC_TRIAL_REQUESTS:
	case UC_TRIAL_HALF_CLOSE:
		put_start(out, method, "1.1", to, r);
		fputs("\r\n", out);
		return;
	case UC_TRIAL_HTTP10:
		put_start(out, method, "1.0", to, r);
		fputs("Connection: keep-alive\r\n\r\n", out);
		return;
	case UC_TRIAL_CLOSING:
		put_start(out, method, "1.1", to, r);
		fputs("Connection: close\r\n\r\n", out);
		return;
	case UC_TRIAL_EARLY:
		put_start(out, "POST", "1.1", to, r);
		fprintf(out, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
			UC_EARLY_BODY);
		return;
	case UC_TRIAL_HALF_HEADER:
		put_start(out, method, "1.1", to, r);
		fputs("X-Upclose: half a hea", out);
		return;
	case UC_TRIAL_HALF_BODY:
		put_start(out, "POST", "1.1", to, r);
		fputs("Content-Type: application/octet-stream\r\nContent-Length: 16\r\n\r\n"
		      "half a b",
		      out);
		return;
	case UC_TRIAL_SILENT:
	case UC_TRIAL_COUNT:
		return;
	}
}

char *uc_trial_bytes(enum uc_trial trial, const struct uc_target *to, const struct uc_requests *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_trial(out, trial, to, r);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
