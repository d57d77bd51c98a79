/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration is judged, mended and read again: what is written is a configuration still. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/fix.h"
#include "check/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int include(void *ctx, struct uc_nginx_conf *conf, const struct uc_nginx_directive *d)
{
	(void)ctx;
	(void)conf;
	(void)d;
	return 0;
}

static struct uc_nginx_conf *parse(const char *bytes, size_t len)
{
	struct uc_nginx_conf *c;

	if (uc_nginx_conf_new(include, NULL, &c))
		return NULL;
	if (!uc_nginx_conf_parse(c, "f", bytes, len))
		return c;
	uc_nginx_conf_free(c);
	return NULL;
}

/* Edits replace and add directives; they take none away. */
static void mend(const struct uc_nginx_conf *conf, const struct uc_finding *findings, size_t count,
		 FILE *out)
{
	struct uc_fix *x;
	size_t hidden;

	if (uc_fix_new(conf, findings, count, &x))
		return;
	if (uc_fix_print(x, out, &hidden))
		abort();
	for (size_t i = 0; i < uc_fix_files(x); i++) {
		size_t len;
		char *bytes = uc_fix_bytes(x, i, &len);
		struct uc_nginx_conf *after = parse(bytes, len);

		if (!after || uc_nginx_conf_count(after) < uc_nginx_conf_count(conf))
			abort();
		uc_nginx_conf_free(after);
		free(bytes);
	}
	uc_fix_free(x);
}

static void judge(const struct uc_nginx_conf *conf, const struct uc_timeouts *e, uint32_t version,
		  FILE *out)
{
	struct uc_judge_config cfg = { .conf = conf,
				       .evidence = e,
				       .client_timeout_ms = 30000,
				       .balancer_idle_ms = 80000,
				       .require = { 4000, 30000, 20000, 5000, 2, true } };
	struct uc_nginx_http *http = NULL, *from = NULL;
	struct uc_judge *j;
	size_t count;

	if (!uc_nginx_http_new(conf, version, &http) &&
	    !uc_nginx_http_new(conf, UC_NGINX_VERSION(1, 9, 0), &from)) {
		cfg.http = http;
		cfg.from = from;
		if (!uc_judge_new(&cfg, &j)) {
			struct uc_finding *f = uc_judge_findings(j, &count);

			mend(conf, f, count, out);
			uc_judge_free(j);
		}
	}
	uc_nginx_http_free(http);
	uc_nginx_http_free(from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct uc_timeouts *evidence;
	static FILE *out;
	struct uc_nginx_conf *conf = parse((const char *)data, size);
	char why[UC_TIMEOUTS_WHY];

	if (!out)
		out = fopen("/dev/null", "we");
	if (!evidence && (uc_timeouts_new(&evidence) || uc_timeouts_state(evidence, "*=5", why)))
		abort();
	if (!conf)
		return 0;
	judge(conf, evidence, UC_NGINX_VERSION(1, 14, 0), out);
	judge(conf, evidence, UC_NGINX_VERSION(1, 28, 0), out);
	judge(conf, evidence, UC_NGINX_VERSION(1, 30, 0), out);
	uc_nginx_conf_free(conf);
	return 0;
}
