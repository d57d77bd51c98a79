/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "check/print.h"
#include "base/text.h"
#include "core/nginx/streamconf.h"

struct colours {
	const char *severity[UC_SEVERITY_MAX], *bold, *off;
};

static struct colours colours_for(FILE *out)
{
	if (!uc_text_colour(out))
		return (struct colours){ { "", "", "" }, "", "" };
	return (struct colours){ { "\033[36m", "\033[33m", "\033[31m" }, "\033[1m", "\033[0m" };
}

static void word(const struct uc_nginx_word *w, char *buf, size_t size)
{
	uc_text_escape(w->p, w->len, buf, size);
}

/* A person reads "~ \.php$" as it was written. */
static void plain_backslashes(char *text)
{
	char *at = text;

	while ((at = strstr(at, "\\x5c"))) {
		memmove(at + 1, at + 4, strlen(at + 4) + 1);
		at++;
	}
}

/* The words behind the name, as far as they fit. */
static void words(const struct uc_nginx_directive *d, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (uint32_t i = 1; i < d->count && used + 2 < size; i++) {
		if (i > 1)
			buf[used++] = ' ';
		word(&d->words[i], buf + used, size - used);
		plain_backslashes(buf + used);
		used += strlen(buf + used);
	}
}

static const struct uc_nginx_directive *server_name(const struct uc_nginx_directive *server)
{
	for (const struct uc_nginx_directive *d = server ? server->child : NULL; d; d = d->next)
		if (uc_nginx_named(d, "server_name") && d->count > 1)
			return d;
	return NULL;
}

void uc_check_where(const struct uc_nginx_place *p, char *buf, size_t size)
{
	const struct uc_nginx_directive *name = server_name(p->server), *block = p->block;
	char server[128] = "", location[160] = "";

	/* an `if` is told by the location around it: its condition may hold a secret */
	while (block && !uc_nginx_named(block, "location"))
		block = block->parent;
	if (name)
		word(&name->words[1], server, sizeof(server));
	if (block)
		words(block, location, sizeof(location));
	snprintf(buf, size, "%s%s%slocation %s%s", name ? "server " : "", server, name ? ", " : "",
		 location, block != p->block ? ", if" : "");
}

void uc_check_where_found(const struct uc_finding *f, char *buf, size_t size)
{
	const struct uc_nginx_directive *block = f->at->body ? f->at : f->at->parent;
	char name[64];

	if (f->place) {
		uc_check_where(f->place, buf, size);
		return;
	}
	if (!block) {
		snprintf(buf, size, "this file");
		return;
	}
	word(&block->words[0], name, sizeof(name));
	snprintf(buf, size, "%s ", name);
	if (block->count > 1 && uc_nginx_named(block, "upstream"))
		word(&block->words[1], buf + strlen(buf), size - strlen(buf));
	else
		snprintf(buf, size, "%s{}", name);
}

const char *uc_check_pool_text(enum uc_nginx_pool pool)
{
	static const char *const texts[] = {
		[UC_NGINX_POOL_UNKNOWN] = "kept alive or not: a variable decides",
		[UC_NGINX_POOL_UNREAD] = "kept alive or not: what decides it could not be read",
		[UC_NGINX_POOL_KEPT] = "kept alive",
		[UC_NGINX_POOL_NO_GROUP] = "not kept alive: no upstream{}",
		[UC_NGINX_POOL_VARIABLE] = "never kept alive: a variable that names no upstream{}",
		[UC_NGINX_POOL_NOT_SET] = "not kept alive: no `keepalive` in upstream{}",
		[UC_NGINX_POOL_OFF] =
			"not kept alive: disabled in upstream{} (keepalive 0, timeout 0 or requests 1)",
		[UC_NGINX_POOL_OVERRIDDEN] =
			"not kept alive: a balancing method behind `keepalive` takes its place",
		[UC_NGINX_POOL_HTTP_1_0] = "not kept alive: HTTP/1.0",
		[UC_NGINX_POOL_CLOSE] = "not kept alive: \"Connection: close\" is sent",
		[UC_NGINX_POOL_KEEP_CONN] = "not kept alive: fastcgi_keep_conn is off",
		[UC_NGINX_POOL_NO_KEEPALIVE] = "not kept alive: its protocol has no keep-alive",
	};

	_Static_assert(ARRAY_SIZE(texts) == UC_NGINX_POOL_MAX, "a text for each");
	return (unsigned)pool < UC_NGINX_POOL_MAX ? texts[pool] : "invalid";
}

size_t uc_check_counted(const struct uc_check_report *r, enum uc_severity least)
{
	size_t count = 0;

	for (size_t i = 0; i < r->finding_count; i++)
		count += !r->findings[i].accepted && r->findings[i].severity >= least;
	return count;
}

static void print_figure(FILE *out, const struct uc_figure *f)
{
	char text[32];

	if (!f->of)
		return;
	if (f->time || f->n < 0)
		uc_check_time(f->n, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%lld", (long long)f->n);
	fprintf(out, "    %-9s %-11s %s\n", f->of, text, f->source);
}

static void print_recorded(FILE *out, const struct uc_check_report *r, const struct uc_finding *f)
{
	int64_t ms = uc_timeouts_recorded_ms(r->evidence);

	if (!f->recorded)
		return;
	fprintf(out, "    happened  %llu times", (unsigned long long)f->happened);
	if (ms)
		fprintf(out, " in %.1f hours of recordings", ms / 3.6e6);
	fputc('\n', out);
}

/* The other servers of its line, and the other places. */
static void print_also(FILE *out, const struct uc_check_report *r, const struct uc_finding *f)
{
	size_t shown = f->also_count < UC_FINDING_ALSO ? f->also_count : UC_FINDING_ALSO;
	char text[4200];

	for (size_t i = 0; i < shown; i++) {
		if (f->also[i].server)
			uc_timeouts_addr(f->also[i].server, text);
		else
			uc_check_place(r->sources->conf, f->also[i].at, text, sizeof(text));
		fprintf(out, "%s%s", i ? ", " : "    also      ", text);
	}
	if (shown < f->also_count)
		fprintf(out, " and %zu more", f->also_count - shown);
	if (shown)
		fputc('\n', out);
}

static void print_finding(FILE *out, const struct uc_check_report *r, const struct uc_finding *f,
			  const struct colours *c)
{
	char place[4200], where[400];

	uc_check_place(r->sources->conf, f->at, place, sizeof(place));
	uc_check_where_found(f, where, sizeof(where));
	fprintf(out, "%s%s%s: %s%s%s: %s [%s]\n", c->bold, place, c->off, c->severity[f->severity],
		uc_severity_name(f->severity), c->off, f->message, f->rule->id);
	fprintf(out, "    at        %s", where);
	if (f->places > 1)
		fprintf(out, ", and %u more", f->places - 1);
	fputc('\n', out);
	print_also(out, r, f);
	print_figure(out, &f->figures[0]);
	print_figure(out, &f->figures[1]);
	if (f->why[0])
		fprintf(out, "    why       %s\n", f->why);
	if (f->change[0])
		fprintf(out, "    change    %s\n", f->change);
	print_recorded(out, r, f);
	if (f->accepted)
		fprintf(out, "    accepted  %s\n", f->accepted);
	if (f->expired)
		fprintf(out, "    expired   its exception ended on %s\n", f->expired);
	fputc('\n', out);
}

/* Requests of the place that are treated otherwise. */
static void print_exceptions(FILE *out, const struct uc_nginx_place *p)
{
	if (p->shares)
		fputs("; it takes connections that others left in the pool", out);
	if (p->pool != UC_NGINX_POOL_KEPT || p->protocol != UC_NGINX_PROXY)
		return;
	if (p->headers.connection == UC_NGINX_CONNECTION_CLIENT)
		fputs("; closed where a client sends \"Connection: close\"", out);
	else if (p->headers.some)
		fputs("; not with each value of the variable in Connection", out);
}

static void print_contract(FILE *out, const struct uc_check_contract *c)
{
	char addr[UC_TIMEOUTS_ADDR], nginx[32], idle[32], where[400];

	uc_check_where(c->place, where, sizeof(where));
	if (c->server)
		uc_timeouts_addr(c->server, addr);
	else
		word(&c->place->target, addr, sizeof(addr));
	fprintf(out, "  %-24s %s", addr, uc_check_pool_text(c->place->pool));
	if (c->place->pool == UC_NGINX_POOL_KEPT) {
		uc_check_time(uc_contract_nginx_idle(c->place), nginx, sizeof(nginx));
		uc_check_time(c->idle.ms, idle, sizeof(idle));
		fprintf(out, " for %s by nginx, by the upstream %s", nginx,
			!c->idle.origin              ? "unknown" :
			c->idle.ms == UC_NGINX_NEVER ? "without end" :
			!c->idle.ms                  ? "not at all" :
						       "for ");
		if (c->idle.origin && c->idle.ms > 0)
			fputs(idle, out);
		if (c->idle.origin)
			fprintf(out, " (%s)", c->idle_source);
	}
	fprintf(out, "; %s", where);
	if (c->places > 1)
		fprintf(out, ", and %u more", c->places - 1);
	print_exceptions(out, c->place);
	fputc('\n', out);
}

static void ask_for_idle(FILE *out, const struct uc_check_report *r)
{
	char addr[UC_TIMEOUTS_ADDR];
	size_t unknown = 0;

	for (size_t i = 0; i < r->contract_count; i++)
		if (r->contracts[i].race == UC_RACE_UNKNOWN && r->contracts[i].server &&
		    !r->contracts[i].idle.origin && !unknown++)
			uc_timeouts_addr(r->contracts[i].server, addr);
	if (unknown)
		fprintf(out,
			"  Whether the idle race is possible is unknown for %zu of them: measure the "
			"upstream with\n  `upclose probe`, or say --upstream %s=SECONDS, or --kind "
			"%s=KIND.\n",
			unknown, addr, addr);
}

static void print_stream(FILE *out, const struct uc_check_report *r,
			 const struct uc_nginx_stream *s)
{
	char target[UC_TIMEOUTS_ADDR], timeout[32], connect[32], place[4200];

	word(&s->pass->words[1], target, sizeof(target));
	uc_check_time(s->timeout.n, timeout, sizeof(timeout));
	uc_check_time(s->connect_timeout.n, connect, sizeof(connect));
	uc_check_place(r->sources->conf, s->pass, place, sizeof(place));
	fprintf(out, "  %-24s closed after %s without data, connected within %s%s; %s\n", target,
		timeout, connect, s->proxy_protocol.n == 1 ? ", with the PROXY protocol" : "",
		place);
}

static bool nothing_to_check(const struct uc_check_report *r)
{
	return !r->contract_count && !r->stream_count && !r->finding_count &&
	       !uc_nginx_http_groups(r->http);
}

static void print_end(FILE *out, const struct uc_check_report *r)
{
	size_t errors = uc_check_counted(r, UC_SEVERITY_ERROR),
	       warnings = uc_check_counted(r, UC_SEVERITY_WARNING) - errors,
	       notes = uc_check_counted(r, UC_SEVERITY_NOTE) - errors - warnings,
	       accepted = r->finding_count - errors - warnings - notes;
	char version[32];

	uc_check_version(uc_nginx_http_version(r->http), version, sizeof(version));
	if (nothing_to_check(r))
		fputs("nothing to check: nothing here passes requests or connections on\n", out);
	fprintf(out, "%zu error%s, %zu warning%s, %zu note%s, %zu accepted%s; %s (%s)\n", errors,
		errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s", notes,
		notes == 1 ? "" : "s", accepted,
		r->sources->skip_count ? ", in what could be read" : "", version,
		r->version_source);
	if (r->sources->skip_count)
		fprintf(out,
			"%zu include%s could not be read: what %s may set is unknown, and no "
			"finding rests on it\n",
			r->sources->skip_count, r->sources->skip_count == 1 ? "" : "s",
			r->sources->skip_count == 1 ? "it" : "they");
	if (r->left_out)
		fprintf(out, "%zu more were found and left out\n", r->left_out);
}

int uc_check_print_text(FILE *out, const struct uc_check_report *r)
{
	struct colours c = colours_for(out);

	for (size_t i = 0; i < r->finding_count; i++)
		print_finding(out, r, &r->findings[i], &c);
	if (r->contract_count)
		fprintf(out, "Connections to upstreams:\n");
	for (size_t i = 0; i < r->contract_count; i++)
		print_contract(out, &r->contracts[i]);
	ask_for_idle(out, r);
	if (r->contract_count)
		fputc('\n', out);
	if (r->stream_count)
		fprintf(out, "Connections of stream{}:\n");
	for (size_t i = 0; i < r->stream_count; i++)
		print_stream(out, r, &r->streams[i]);
	if (r->stream_count)
		fputc('\n', out);
	print_end(out, r);
	return fflush(out) ? -errno : 0;
}
