/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents over HTTP: Alertmanager's API, OTLP logs, and webhooks. TLS is
 * verified, redirects are not followed, proxies only where configured, and of
 * an answer only its status counts (and what an OTLP receiver rejected).
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert_text.h"
#include "alert/sender.h"
#include "alert/otlp.h"
#include "base/json_value.h"
#include "base/version.h"
#include "config/secret.h"

#define ANSWER_MAX      65536
#define RETRY_AFTER_MAX 3600 /* seconds */

struct http {
	const struct uc_sink_config *cfg;
	CURLM *multi;
	CURL *easy;
	char answer[ANSWER_MAX + 1];
	size_t answer_len;
};

/* --- what the three have of their own -------------------------------------------------- */

static json_t *alertmanager_body(const json_t *docs)
{
	json_t *a = json_array();
	const json_t *doc;
	size_t i;

	json_array_foreach(docs, i, doc) {
		json_array_append_new(a, uc_alert_for_alertmanager(doc));
	}
	return a;
}

static json_t *webhook_body(const json_t *docs)
{
	return json_incref(json_array_get(docs, 0));
}

/* What an operator can put right in time, and what passes by itself. */
static bool worth_a_retry(long status)
{
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 407:
	case 408:
	case 425:
	case 429:
		return true;
	default:
		return status < 400 || status >= 500;
	}
}

/* As the OTLP specification has it, "Retryable Response Codes". */
static bool otlp_worth_a_retry(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static const struct {
	const char *path; /* behind the configured address, unless it ends so */
	json_t *(*body)(const json_t *docs);
	bool (*again)(long status);
	bool partial; /* the answer tells how many were rejected */
} kinds[UC_SINK_TYPE_MAX] = {
	[UC_SINK_ALERTMANAGER] = { "/api/v2/alerts", alertmanager_body, worth_a_retry, false },
	[UC_SINK_WEBHOOK] = { "", webhook_body, worth_a_retry, false },
	[UC_SINK_OTLP] = { "/v1/logs", uc_otlp_logs, otlp_worth_a_retry, true },
};

/* --- open and close ------------------------------------------------------------------------ */

int uc_post_open(const struct uc_sink_config *cfg, void **ret)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->cfg = cfg;
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (!h->multi || !h->easy) {
		uc_post_close(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void uc_post_close(void *self)
{
	struct http *h = self;

	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	free(h);
}

/* --- a request -------------------------------------------------------------------------------- */

static size_t on_answer(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * count, room = ANSWER_MAX - h->answer_len;

	/* what is beyond ends the transfer; its status has come before */
	if (len > room)
		return 0;
	memcpy(h->answer + h->answer_len, bytes, len);
	h->answer_len += len;
	h->answer[h->answer_len] = '\0';
	return len;
}

/* False, and why in ret, where a value cannot be had now. */
static bool value_of(const char *what, const char *file, const char *env, char buf[UC_SECRET_LEN],
		     struct uc_send_result *ret)
{
	char fault[200];
	int err = uc_secret_read(file, env, buf);

	if (!err)
		return true;
	uc_secret_fault(err, file, env, fault, sizeof(fault));
	uc_send_result_set(ret, UC_SEND_LATER, "%s: %s", what, fault);
	return false;
}

static void set_address(struct http *h, const char *base)
{
	const char *path = kinds[h->cfg->type].path;
	size_t len = strlen(base), path_len = strlen(path);
	char url[UC_SECRET_LEN + 32];

	if (path_len && len >= path_len && !strcmp(base + len - path_len, path))
		path = "";
	else if (*path && len && base[len - 1] == '/')
		len--;
	snprintf(url, sizeof(url), "%.*s%s", (int)len, base, path);
	curl_easy_setopt(h->easy, CURLOPT_URL, url);
	explicit_bzero(url, sizeof(url));
}

static bool set_secrets(struct http *h, char secret[UC_SECRET_LEN], struct uc_send_result *ret)
{
	const struct uc_sink_config *c = h->cfg;

	if (c->url) {
		set_address(h, c->url);
	} else {
		if (!value_of("url_from", c->url_from->file, c->url_from->env, secret, ret))
			return false;
		set_address(h, secret);
	}
	if (c->bearer_token) {
		if (!value_of("bearer_token", c->bearer_token->file, c->bearer_token->env, secret,
			      ret))
			return false;
		curl_easy_setopt(h->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(h->easy, CURLOPT_XOAUTH2_BEARER, secret);
	}
	if (c->basic_auth) {
		const struct uc_secret *p = c->basic_auth->password;

		if (!value_of("basic_auth.password", p->file, p->env, secret, ret))
			return false;
		curl_easy_setopt(h->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(h->easy, CURLOPT_USERNAME, c->basic_auth->username);
		curl_easy_setopt(h->easy, CURLOPT_PASSWORD, secret);
	}
	return true;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	char line[UC_SECRET_LEN + 80];
	struct curl_slist *longer;

	/* curl takes a header of the form "Name:" for one to leave out */
	snprintf(line, sizeof(line), "%s:%s%s", name, *value ? " " : "", value);
	longer = curl_slist_append(*list, line);
	explicit_bzero(line, sizeof(line));
	if (longer)
		*list = longer;
	return longer;
}

static bool set_headers(struct http *h, const json_t *docs, char secret[UC_SECRET_LEN],
			struct curl_slist **list, struct uc_send_result *ret)
{
	const struct uc_sink_config *c = h->cfg;
	bool ok = add_header(list, "Content-Type", "application/json") &&
		  add_header(list, "Expect", "");

	/* so that a receiver knows what it has had already */
	if (c->type == UC_SINK_WEBHOOK)
		ok = ok && add_header(list, "Idempotency-Key",
				      uc_document_text(json_array_get(docs, 0), "id"));
	for (uint32_t i = 0; ok && i < c->headers_count; i++) {
		if (!value_of(c->headers[i].name, c->headers[i].file, c->headers[i].env, secret,
			      ret))
			return false;
		ok = add_header(list, c->headers[i].name, secret);
	}
	if (!ok)
		uc_send_result_set(ret, UC_SEND_LATER, "out of memory");
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, *list);
	return ok;
}

static void set_options(struct http *h, const char *body, size_t len, char error[CURL_ERROR_SIZE])
{
	const struct uc_sink_config *c = h->cfg;
	CURL *e = h->easy;
	char agent[64];

	snprintf(agent, sizeof(agent), "upclose/%s", uc_version);
	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, c->proxy ? c->proxy : "");
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(c->timeout_ns / 1000000));
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->timeout_ns / 1000000));
	/* shorter than what servers allow: their close and our next request shall not meet */
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 4L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
	curl_easy_setopt(e, CURLOPT_SSLCERT, c->cert_file);
	curl_easy_setopt(e, CURLOPT_SSLKEY, c->key_file);
	curl_easy_setopt(e, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	h->answer_len = 0;
	h->answer[0] = '\0';
}

/* Runs the transfer. False: the owner wanted to end. */
static bool transfer(struct http *h, const struct uc_meanwhile *m, CURLcode *ret)
{
	bool go_on = true;
	int running = 1, left;
	CURLMsg *msg;

	*ret = CURLE_FAILED_INIT;
	if (curl_multi_add_handle(h->multi, h->easy))
		return true;
	while (go_on) {
		struct curl_waitfd fd = { .fd = m->fd, .events = CURL_WAIT_POLLIN };

		if (curl_multi_perform(h->multi, &running) || !running ||
		    curl_multi_poll(h->multi, &fd, 1, 1000, NULL))
			break;
		go_on = m->look(m->ctx);
	}
	while ((msg = curl_multi_info_read(h->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			*ret = msg->data.result;
	curl_multi_remove_handle(h->multi, h->easy);
	return go_on;
}

/* --- what came of it ------------------------------------------------------------------------- */

static const char *known_status(long status)
{
	switch (status) {
	case 401:
	case 403:
		return ": it refuses the credentials";
	case 404:
		return ": nothing is at this address";
	case 413:
		return ": it takes no body of this size";
	case 429:
		return ": it wants fewer requests";
	default:
		return status >= 300 && status < 400 ?
			       ": redirects are not followed, configure the address itself" :
			       "";
	}
}

/* {"partialSuccess":{"rejectedLogRecords":"3"}}: a number, or a text as int64 is in JSON. */
static uint64_t rejected(const struct http *h)
{
	json_t *o = json_loadb(h->answer, h->answer_len, 0, NULL);
	const json_t *n = json_object_get(json_object_get(o, "partialSuccess"),
					  "rejectedLogRecords");
	int64_t count = json_is_string(n) ? strtoll(json_string_value(n), NULL, 10) :
					    json_integer_value(n);

	json_decref(o);
	return count > 0 ? count : 0;
}

static void judge(struct http *h, CURLcode code, const char *error, struct uc_send_result *ret)
{
	curl_off_t after = 0;
	long status = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	/* an answer that is too long was ended by on_answer */
	if (code && !(code == CURLE_WRITE_ERROR && status)) {
		uc_send_result_set(ret, UC_SEND_LATER, "%s",
				   *error ? error : curl_easy_strerror(code));
		return;
	}
	if (status >= 200 && status < 300) {
		ret->how = UC_SENT;
		ret->rejected = kinds[h->cfg->type].partial ? rejected(h) : 0;
		return;
	}
	uc_send_result_set(ret, kinds[h->cfg->type].again(status) ? UC_SEND_LATER : UC_SEND_NEVER,
			   "it answers %ld%s", status, known_status(status));
	curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &after);
	if (after > RETRY_AFTER_MAX)
		after = RETRY_AFTER_MAX;
	if (after > 0)
		ret->after_ns = (uint64_t)after * 1000000000;
}

static void attempt(struct http *h, const json_t *docs, const char *body,
		    const struct uc_meanwhile *m, struct uc_send_result *ret)
{
	char secret[UC_SECRET_LEN], error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURLcode code;

	set_options(h, body, strlen(body), error);
	if (set_secrets(h, secret, ret) && set_headers(h, docs, secret, &headers, ret)) {
		if (transfer(h, m, &code))
			judge(h, code, error, ret);
		else
			uc_send_result_set(ret, UC_SEND_STOPPED, "stopped");
	}
	/* the handle forgets them, too */
	curl_easy_reset(h->easy);
	curl_slist_free_all(headers);
	explicit_bzero(secret, sizeof(secret));
}

void uc_post_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		  struct uc_send_result *ret)
{
	struct http *h = self;
	json_t *o = kinds[h->cfg->type].body(docs);
	char *body = o ? json_dumps(o, UC_JSON_DUMP) : NULL;

	if (body)
		attempt(h, docs, body, m, ret);
	else
		uc_send_result_set(ret, UC_SEND_LATER, "out of memory");
	free(body);
	json_decref(o);
}
