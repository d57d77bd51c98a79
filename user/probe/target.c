/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/target.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void uc_target_free(struct uc_target *t)
{
	free(t->url);
	free(t->origin);
	free(t->host);
	free(t->path);
	free(t->socket);
	memset(t, 0, sizeof(*t));
}

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

/* It goes into a request's first line as it is. */
static bool fit_for_a_request(const char *path)
{
	for (; *path; path++)
		if (*path <= ' ' || *path == 0x7f)
			return false;
	return true;
}

static int fill(struct uc_target *t, const char *scheme, const char *authority, const char *path)
{
	size_t shown = strcspn(path, "?");

	t->tls = !strcmp(scheme, "https");
	t->origin = format("%s://%s/", scheme, t->socket ? "localhost" : authority);
	t->host = strdup(t->socket ? "localhost" : authority);
	t->path = strdup(path);
	if (t->socket)
		t->url = format("%s://unix:%s:%.*s", scheme, t->socket, (int)shown, path);
	else
		t->url = format("%s://%s%.*s", scheme, authority, (int)shown, path);
	if (t->url && t->origin && t->host && t->path)
		return 0;
	uc_target_free(t);
	return -ENOMEM;
}

/* at: behind "http://unix:" */
static int parse_unix(const char *scheme, const char *at, struct uc_target *ret, const char **why)
{
	const char *colon = strchr(at, ':');
	size_t len = colon ? (size_t)(colon - at) : strlen(at);

	if (*at != '/' || len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		*why = "the path of a unix socket begins with '/' and has at most 107 bytes";
	else if (colon && colon[1] != '/')
		*why = "behind the socket's path and its ':' comes the request's path, with a '/'";
	else if (colon && !fit_for_a_request(colon + 1))
		*why = "the path of a request has no blanks, control bytes or bytes beyond ASCII";
	if (*why)
		return -EINVAL;
	ret->socket = strndup(at, len);
	return ret->socket ? fill(ret, scheme, "", colon ? colon + 1 : "/") : -ENOMEM;
}

static const char *part(CURLU *u, CURLUPart what, char **ret)
{
	return curl_url_get(u, what, ret, 0) == CURLUE_OK ? *ret : NULL;
}

static int read_parts(CURLU *u, struct uc_target *ret, const char **why)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL, *user = NULL;
	char *authority = NULL, *target = NULL;
	int err = -EINVAL;

	part(u, CURLUPART_SCHEME, &scheme);
	part(u, CURLUPART_HOST, &host);
	part(u, CURLUPART_PORT, &port);
	part(u, CURLUPART_PATH, &path);
	part(u, CURLUPART_QUERY, &query);
	if (!scheme || (strcmp(scheme, "http") && strcmp(scheme, "https")))
		*why = "only http:// and https:// can be probed";
	else if (part(u, CURLUPART_USER, &user))
		*why = "a URL on a command line is no place for a password; see --header";
	else if (!host || !path)
		*why = "a host is missing";
	else if (!fit_for_a_request(host) || !fit_for_a_request(path) ||
		 (query && !fit_for_a_request(query)))
		*why = "it has blanks, control bytes or bytes beyond ASCII; write them as %XX";
	if (!*why) {
		authority = format("%s%s%s", host, port ? ":" : "", port ? port : "");
		target = format("%s%s%s", path, query ? "?" : "", query ? query : "");
		err = authority && target ? fill(ret, scheme, authority, target) : -ENOMEM;
	}
	free(authority);
	free(target);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_free(query);
	curl_free(user);
	return err;
}

int uc_target_parse(const char *text, struct uc_target *ret, const char **why)
{
	CURLU *u;
	int err;

	memset(ret, 0, sizeof(*ret));
	*why = NULL;
	if (!strncmp(text, "http://unix:", 12))
		return parse_unix("http", text + 12, ret, why);
	if (!strncmp(text, "https://unix:", 13))
		return parse_unix("https", text + 13, ret, why);
	if (!strstr(text, "://")) {
		*why = "a URL begins with http:// or https://";
		return -EINVAL;
	}
	u = curl_url();
	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME)) {
		*why = "it is not a URL; an example: http://127.0.0.1:3000/";
		err = -EINVAL;
	} else {
		err = read_parts(u, ret, why);
	}
	curl_url_cleanup(u);
	return err;
}
