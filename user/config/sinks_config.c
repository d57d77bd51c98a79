/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/sinks_config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define OPTIONAL CYAML_FLAG_OPTIONAL

#define MS     1000000ULL
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* --- schema ---------------------------------------------------------------------------- */

static const cyaml_strval_t types[] = {
	{ "alertmanager", UC_SINK_ALERTMANAGER },
	{ "webhook", UC_SINK_WEBHOOK },
	{ "exec", UC_SINK_EXEC },
	{ "journal", UC_SINK_JOURNAL },
	{ "otlp", UC_SINK_OTLP },
};

static const cyaml_strval_t severities[] = {
	{ "info", UC_ALERT_INFO },
	{ "warning", UC_ALERT_WARNING },
	{ "critical", UC_ALERT_CRITICAL },
};

static const cyaml_schema_field_t secret_fields[] = {
	CYAML_FIELD_STRING_PTR("file", OPTIONAL, struct uc_secret, file, 1, 255),
	CYAML_FIELD_STRING_PTR("env", OPTIONAL, struct uc_secret, env, 1, 64),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t basic_fields[] = {
	CYAML_FIELD_STRING_PTR("username", CYAML_FLAG_DEFAULT, struct uc_basic_auth, username, 1,
			       255),
	CYAML_FIELD_MAPPING_PTR("password", CYAML_FLAG_DEFAULT, struct uc_basic_auth, password,
				secret_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t header_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_DEFAULT, struct uc_header, name, 1, 64),
	CYAML_FIELD_STRING_PTR("file", OPTIONAL, struct uc_header, file, 1, 255),
	CYAML_FIELD_STRING_PTR("env", OPTIONAL, struct uc_header, env, 1, 64),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t header = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT,
								 struct uc_header, header_fields) };
static const cyaml_schema_value_t word = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 1024) };

static const cyaml_schema_field_t sink_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_DEFAULT, struct uc_sink_config, name, 1,
			       UC_SINK_NAME_LEN),
	CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct uc_sink_config, type, types,
			 CYAML_ARRAY_LEN(types)),
	CYAML_FIELD_ENUM("min_severity", OPTIONAL | CYAML_FLAG_STRICT, struct uc_sink_config,
			 min_severity, severities, CYAML_ARRAY_LEN(severities)),
	CYAML_FIELD_STRING_PTR("url", OPTIONAL, struct uc_sink_config, url, 1, 2048),
	CYAML_FIELD_MAPPING_PTR("url_from", OPTIONAL, struct uc_sink_config, url_from,
				secret_fields),
	CYAML_FIELD_MAPPING_PTR("bearer_token", OPTIONAL, struct uc_sink_config, bearer_token,
				secret_fields),
	CYAML_FIELD_MAPPING_PTR("basic_auth", OPTIONAL, struct uc_sink_config, basic_auth,
				basic_fields),
	CYAML_FIELD_SEQUENCE("headers", OPTIONAL | CYAML_FLAG_POINTER, struct uc_sink_config,
			     headers, &header, 0, 16),
	CYAML_FIELD_STRING_PTR("ca_file", OPTIONAL, struct uc_sink_config, ca_file, 1, 255),
	CYAML_FIELD_STRING_PTR("cert_file", OPTIONAL, struct uc_sink_config, cert_file, 1, 255),
	CYAML_FIELD_STRING_PTR("key_file", OPTIONAL, struct uc_sink_config, key_file, 1, 255),
	CYAML_FIELD_STRING_PTR("proxy", OPTIONAL, struct uc_sink_config, proxy, 1, 2048),
	CYAML_FIELD_SEQUENCE("command", OPTIONAL | CYAML_FLAG_POINTER, struct uc_sink_config,
			     command, &word, 1, 64),
	CYAML_FIELD_UINT("queue", OPTIONAL, struct uc_sink_config, queue),
	CYAML_FIELD_UINT("spool_mib", OPTIONAL, struct uc_sink_config, spool_mib),
	CYAML_FIELD_STRING_PTR("timeout", OPTIONAL, struct uc_sink_config, timeout_text, 1, 16),
	CYAML_FIELD_STRING_PTR("retry", OPTIONAL, struct uc_sink_config, retry_text, 1, 16),
	CYAML_FIELD_STRING_PTR("retry_max", OPTIONAL, struct uc_sink_config, retry_max_text, 1, 16),
	CYAML_FIELD_STRING_PTR("give_up", OPTIONAL, struct uc_sink_config, give_up_text, 1, 16),
	CYAML_FIELD_STRING_PTR("resend", OPTIONAL, struct uc_sink_config, resend_text, 1, 16),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t uc_sink_schema = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_DEFAULT, struct uc_sink_config, sink_fields) };

const char *uc_sink_type_name(enum uc_sink_type t)
{
	for (size_t i = 0; i < CYAML_ARRAY_LEN(types); i++)
		if (types[i].val == (int64_t)t)
			return types[i].str;
	return "invalid";
}

/* --- checks ---------------------------------------------------------------------------- */

struct check {
	struct uc_yaml *y;
	const struct uc_sink_config *s;
	uint32_t index;
	char place[96]; /* of the key that is looked at */
};

static const char *at(struct check *c, const char *key)
{
	snprintf(c->place, sizeof(c->place), "sinks[%u].%s", c->index, key);
	return c->place;
}

static bool is_http(enum uc_sink_type t)
{
	return t == UC_SINK_ALERTMANAGER || t == UC_SINK_WEBHOOK || t == UC_SINK_OTLP;
}

static void check_name(struct check *c, const struct uc_sink_config *all)
{
	const char *name = c->s->name;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(name))
		uc_yaml_fault(c->y, at(c, "name"),
			      "'%s' is not valid: small letters, digits, - and _", name);
	for (uint32_t i = 0; i < c->index; i++)
		if (!strcmp(all[i].name, name))
			uc_yaml_fault(c->y, at(c, "name"), "'%s' is the name of another sink",
				      name);
}

/* What has no use for the type is a mistake that would be found too late. */
static void check_keys(struct check *c)
{
	static const struct {
		const char *key;
		unsigned types; /* 1 << enum uc_sink_type of those that take it */
	} keys[] = {
#define HTTP (1 << UC_SINK_ALERTMANAGER | 1 << UC_SINK_WEBHOOK | 1 << UC_SINK_OTLP)
		{ "url", HTTP },
		{ "url_from", HTTP },
		{ "bearer_token", HTTP },
		{ "basic_auth", HTTP },
		{ "headers", HTTP },
		{ "ca_file", HTTP },
		{ "cert_file", HTTP },
		{ "key_file", HTTP },
		{ "proxy", HTTP },
#undef HTTP
		{ "command", 1 << UC_SINK_EXEC },
		{ "resend", 1 << UC_SINK_ALERTMANAGER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!(keys[i].types & (1u << c->s->type)) && uc_yaml_has(c->y, at(c, keys[i].key)))
			uc_yaml_fault(c->y, at(c, keys[i].key), "has no use with type: %s",
				      uc_sink_type_name(c->s->type));
}

static void check_path(struct check *c, const char *key, const char *path)
{
	if (path && *path != '/')
		uc_yaml_fault(c->y, at(c, key), "'%s' is not valid: a path that begins with /",
			      path);
}

static void check_secret(struct check *c, const char *key, const char *file, const char *env)
{
	char inner[64];

	if (!file == !env)
		uc_yaml_fault(c->y, at(c, key), "wants one of file and env");
	snprintf(inner, sizeof(inner), "%s.file", key);
	check_path(c, inner, file);
}

/* The address itself may be a secret, and is not repeated. */
static void check_url(struct check *c, const char *key, const char *url)
{
	char *scheme = NULL, *user = NULL;
	CURLU *u = curl_url();

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") && strcmp(scheme, "https")))
		uc_yaml_fault(c->y, at(c, key),
			      "is not valid: http://HOST:PORT or https://HOST:PORT, and a path");
	else if (!curl_url_get(u, CURLUPART_USER, &user, 0))
		uc_yaml_fault(c->y, at(c, key),
			      "has a user in it: use basic_auth, which keeps the password apart");
	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(u);
}

static void check_headers(struct check *c)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-.^_`|~"; /* RFC 9110, section 5.6.2 */
	char key[32];

	for (uint32_t i = 0; i < c->s->headers_count; i++) {
		const struct uc_header *h = &c->s->headers[i];

		snprintf(key, sizeof(key), "headers[%u]", i);
		check_secret(c, key, h->file, h->env);
		if (strspn(h->name, token) != strlen(h->name))
			uc_yaml_fault(c->y, at(c, key), "'%s' is no name of a header", h->name);
	}
}

static void check_http(struct check *c)
{
	const struct uc_sink_config *s = c->s;

	if (!s->url == !s->url_from)
		uc_yaml_fault(c->y, at(c, "url"), "wants one of url and url_from");
	if (s->url)
		check_url(c, "url", s->url);
	if (s->url_from)
		check_secret(c, "url_from", s->url_from->file, s->url_from->env);
	if (s->proxy)
		check_url(c, "proxy", s->proxy);
	if (s->bearer_token)
		check_secret(c, "bearer_token", s->bearer_token->file, s->bearer_token->env);
	if (s->basic_auth)
		check_secret(c, "basic_auth.password", s->basic_auth->password->file,
			     s->basic_auth->password->env);
	if (s->bearer_token && s->basic_auth)
		uc_yaml_fault(c->y, at(c, "basic_auth"), "goes not together with bearer_token");
	if (!s->cert_file != !s->key_file)
		uc_yaml_fault(c->y, at(c, s->cert_file ? "cert_file" : "key_file"),
			      "wants both of cert_file and key_file");
	check_path(c, "ca_file", s->ca_file);
	check_path(c, "cert_file", s->cert_file);
	check_path(c, "key_file", s->key_file);
	check_headers(c);
}

static void check_type(struct check *c)
{
	const struct uc_sink_config *s = c->s;

	if (is_http(s->type))
		check_http(c);
	if (s->type != UC_SINK_EXEC)
		return;
	if (!s->command_count)
		uc_yaml_fault(c->y, at(c, "command"),
			      "is missing: [/PATH/OF/PROGRAM, ARGUMENT, ...]");
	else
		check_path(c, "command[0]", s->command[0]);
}

static void check_one(struct uc_sink_config *all, uint32_t index, struct uc_yaml *y)
{
	struct uc_sink_config *s = &all[index];
	struct check c = { .y = y, .s = s, .index = index };

	check_name(&c, all);
	check_keys(&c);
	check_type(&c);
	s->queue = uc_yaml_number(y, at(&c, "queue"), s->queue, 1000, 1, 100000);
	s->spool_mib = uc_yaml_number(y, at(&c, "spool_mib"), s->spool_mib, 16, 0, 4096);
	s->timeout_ns = uc_yaml_duration(y, at(&c, "timeout"), s->timeout_text,
					 s->type == UC_SINK_EXEC ? 30 * SECOND : 10 * SECOND,
					 100 * MS, 10 * MINUTE);
	s->retry_ns = uc_yaml_duration(y, at(&c, "retry"), s->retry_text, SECOND, 10 * MS,
				       10 * MINUTE);
	s->retry_max_ns = uc_yaml_duration(y, at(&c, "retry_max"), s->retry_max_text, MINUTE,
					   s->retry_ns, 24 * HOUR);
	s->give_up_ns = uc_yaml_duration(y, at(&c, "give_up"), s->give_up_text, 24 * HOUR, SECOND,
					 30 * 24 * HOUR);
	s->resend_ns = uc_yaml_duration(y, at(&c, "resend"), s->resend_text, MINUTE, SECOND, HOUR);
}

int uc_sinks_check(struct uc_sink_config *sinks, uint32_t count, struct uc_yaml *y)
{
	for (uint32_t i = 0; i < count; i++)
		check_one(sinks, i, y);
	return 0;
}

/* --- copies ---------------------------------------------------------------------------- */

static const cyaml_schema_value_t one_sink = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_POINTER, struct uc_sink_config, sink_fields) };

/* As YAML; for free(). NULL: no memory. */
static char *written(const struct uc_sink_config *s, size_t *ret_len)
{
	char *text = NULL;

	if (cyaml_save_data(&text, ret_len, &uc_yaml_cyaml, &one_sink, s, 0) != CYAML_OK)
		return NULL;
	return text;
}

int uc_sink_config_copy(const struct uc_sink_config *s, struct uc_sink_config **ret)
{
	size_t len;
	char *text = written(s, &len);
	void *copy = NULL;

	if (!text)
		return -ENOMEM;
	cyaml_load_data((const uint8_t *)text, len, &uc_yaml_cyaml, &one_sink, &copy, NULL);
	free(text);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	(*ret)->timeout_ns = s->timeout_ns;
	(*ret)->retry_ns = s->retry_ns;
	(*ret)->retry_max_ns = s->retry_max_ns;
	(*ret)->give_up_ns = s->give_up_ns;
	(*ret)->resend_ns = s->resend_ns;
	return 0;
}

void uc_sink_config_free(struct uc_sink_config *s)
{
	cyaml_free(&uc_yaml_cyaml, &one_sink, s, 0);
}

bool uc_sink_config_same(const struct uc_sink_config *a, const struct uc_sink_config *b)
{
	size_t a_len, b_len;
	char *a_text = written(a, &a_len), *b_text = written(b, &b_len);
	bool same = a_text && b_text && a_len == b_len && !memcmp(a_text, b_text, a_len);

	free(a_text);
	free(b_text);
	return same;
}
