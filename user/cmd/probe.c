/* SPDX-License-Identifier: BSD-2-Clause */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_value.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"
#include "base/number.h"
#include "probe/probe.h"
#include "probe/progress.h"
#include "probe/report.h"
#include "probe/through.h"
#include "base/signals.h"

#define SECOND 1000000000ULL

static const char usage[] =
	"Usage: upclose probe [OPTIONS] URL...\n"
	"       upclose probe --through URL [--every SECONDS] [OPTIONS]\n\n"
	"Measures what an upstream server really does: how long it keeps an idle connection,\n"
	"waits for a request, how many requests a connection may have, and how it closes.\n"
	"URL: http://HOST[:PORT][/PATH], https://..., or http://unix:/SOCKET[:/PATH], as in\n"
	"proxy_pass. Only GET is sent, to that path; a path that is cheap and changes nothing is\n"
	"the one to name. At most 8 connections at a time. Ctrl-C prints what is known so far.\n\n"
	"  -o, --output FORMAT   text (default) or json (one object for each URL)\n"
	"      --max-time SECONDS    each wait; what takes longer is reported as such (default 100)\n"
	"      --max-requests N  on one connection (default 1000)\n"
	"      --samples N       connections to measure the idle timeout with (default 5)\n"
	"      --only LIST       of idle,requests,http10,closing,half-close,header,body\n"
	"      --quick           --max-time 15 --samples 3 --max-requests 100, where not given\n"
	"      --body-tests      allow POST too: half a body, and one of 1 MiB\n"
	"      --head            HEAD in place of GET\n"
	"  -H, --header 'NAME: VALUE'    send it with each request; up to 16 times\n"
	"\n"
	"      --through URL     instead: one request through nginx to its upstream, and who ended\n"
	"                        it; may be given up to 64 times. --max-time is how long it waits\n"
	"      --every SECONDS   again and again, until -c, -d or Ctrl-C\n"
	"  -c, --count N         so many requests\n"
	"  -d, --duration SECONDS    for so long\n"
	"      --exit-code       exit with status 3 when one was not answered, or with 500 or more\n"
	"\n"
	"  -v, --verbose         more messages on standard error\n"
	"  -h, --help            this text\n";

struct options {
	bool json, quick;
	bool through, exit_code;
	uint64_t every_ns, count, duration_ns;  /* of through; 0: not given */
	uint64_t max_ns, max_requests, samples; /* 0: not given */
	struct uc_probe_config probe;
};

struct command {
	struct options o;
	struct uc_target targets[UC_PROBE_TARGETS_MAX];
	size_t target_count;
	struct uc_progress progress;
	size_t failed;
	bool broken; /* standard output */
};

static int bad(const char *what, const char *value, const char *allowed)
{
	uc_error("%s '%s' is not valid: %s", what, value, allowed);
	return UC_SEE_HELP;
}

static int add_header(struct options *o, const char *value)
{
	struct uc_requests *r = &o->probe.requests;
	const char *fault = uc_header_fault(value);

	/* its value may be secret */
	if (fault) {
		uc_error("a header of --header is not valid: %s", fault);
		return UC_SEE_HELP;
	}
	if (r->header_count == UC_HEADERS_MAX)
		return bad("header", "...", "at most 16 can be given");
	r->headers[r->header_count++] = value;
	return UC_GO_ON;
}

static int set_output(struct options *o, const char *value)
{
	o->json = !strcmp(value, "json");
	return o->json || !strcmp(value, "text") ? UC_GO_ON :
						   bad("output format", value, "text or json");
}

static int set_seconds(uint64_t *ret_ns, const char *what, const char *value)
{
	if (uc_parse_seconds(value, ret_ns) && *ret_ns <= 86400 * SECOND)
		return UC_GO_ON;
	return bad(what, value, "seconds, more than 0, at most a day");
}

static int add_target(struct command *c, const char *url)
{
	const char *why = NULL;
	int err;

	if (c->target_count == UC_PROBE_TARGETS_MAX) {
		uc_error("at most %d URLs at a time", UC_PROBE_TARGETS_MAX);
		return UC_EXIT_USAGE;
	}
	err = uc_target_parse(url, &c->targets[c->target_count], &why);
	if (err == -EINVAL)
		uc_error("URL number %zu is not valid: %s", c->target_count + 1, why);
	if (err)
		return err == -EINVAL ? UC_EXIT_USAGE : UC_EXIT_FAILED;
	c->target_count++;
	return UC_GO_ON;
}

static int take_through_option(struct command *c, int option, const char *value)
{
	struct options *o = &c->o;

	switch (option) {
	case 'E':
		return set_seconds(&o->every_ns, "interval", value);
	case 'd':
		return set_seconds(&o->duration_ns, "duration", value);
	case 'c':
		if (uc_parse_number(value, 1, UINT64_MAX, &o->count))
			return UC_GO_ON;
		return bad("count", value, "a whole number of at least 1");
	case 'X':
		o->exit_code = true;
		return UC_GO_ON;
	case 'P':
		o->through = true;
		return add_target(c, value);
	default:
		return UC_SEE_HELP;
	}
}

static int take_option(void *ctx, int option, const char *value)
{
	struct command *c = ctx;
	struct options *o = &c->o;

	switch (option) {
	case 'o':
		return set_output(o, value);
	case 'T':
		return set_seconds(&o->max_ns, "longest wait", value);
	case 'R':
		if (uc_parse_number(value, 1, 1000000, &o->max_requests))
			return UC_GO_ON;
		return bad("number of requests", value, "1 to 1000000");
	case 'S':
		if (uc_parse_number(value, 1, UC_SAMPLES_MAX, &o->samples))
			return UC_GO_ON;
		return bad("number of samples", value, "1 to 32");
	case 'O':
		if (uc_groups_parse(value, &o->probe.groups))
			return UC_GO_ON;
		return bad(
			"list of tests", value,
			"idle, requests, http10, closing, half-close, header, body, with commas");
	case 'Q':
		o->quick = true;
		return UC_GO_ON;
	case 'B':
		o->probe.body_tests = true;
		return UC_GO_ON;
	case 'I':
		o->probe.requests.head = true;
		return UC_GO_ON;
	case 'H':
		return add_header(o, value);
	default:
		return take_through_option(c, option, value);
	}
}

static uint64_t given_or(uint64_t given, uint64_t otherwise)
{
	return given ? given : otherwise;
}

/* The longest known wait that is a default somewhere is that of Node for a header, up to 90 s. */
static void complete(struct options *o)
{
	struct uc_probe_config *p = &o->probe;

	p->max_ns = given_or(o->max_ns, (o->quick ? 15 : 100) * SECOND);
	p->max_requests = given_or(o->max_requests, o->quick ? 100 : 1000);
	p->samples = given_or(o->samples, o->quick ? 3 : 5);
	if (!p->groups)
		p->groups = (1U << UC_GROUP_COUNT) - 1;
}

static bool does(const struct uc_probe_config *p, enum uc_probe_group group)
{
	return p->groups & 1U << group;
}

/* Before it is done. */
static void announce(const struct command *c)
{
	const struct uc_probe_config *p = &c->o.probe;
	const char *method = p->requests.head ? "HEAD" : "GET";

	uc_note("probing %zu %s with %s, at most %d connections at a time to each, each wait at most %g s",
		c->target_count, c->target_count == 1 ? "server" : "servers", method,
		UC_PROBE_CONNS, p->max_ns / 1e9);
	if (does(p, UC_GROUP_IDLE))
		uc_note("  idle: %u connections with one request each", p->samples);
	if (does(p, UC_GROUP_REQUESTS))
		uc_note("  requests: at most %u on one connection, within %d s", p->max_requests,
			UC_PROBE_REQUESTS_S);
	if (does(p, UC_GROUP_HEADER))
		uc_note("  header: 2 connections with no or half a request; a server may hold a thread for each");
	if (does(p, UC_GROUP_BODY) && p->body_tests)
		uc_note("  body: POST twice, half a body and one of 1 MiB, which the application may see");
}

static void on_done(void *ctx, const struct uc_probe_result *r)
{
	struct command *c = ctx;

	uc_progress_clear(&c->progress);
	if (!r->status)
		c->failed++;
	if (r->error)
		uc_error("%s %s", r->target->url, r->error);
	if (c->o.json) {
		json_t *o = uc_probe_json(&c->o.probe, r, uc_now_ns(CLOCK_REALTIME));

		if (!o || json_dumpf(o, stdout, UC_JSON_DUMP))
			c->broken = true;
		json_decref(o);
		fputs("\n", stdout);
	} else if (r->reached) {
		uc_probe_text(stdout, &c->o.probe, r);
	}
	if (fflush(stdout))
		c->broken = true;
}

static void on_progress(void *ctx, const struct uc_probe_progress *p)
{
	struct command *c = ctx;

	uc_progress_show(&c->progress, p);
}

static int probe(struct command *c)
{
	struct uc_probe_events events = { on_done, on_progress, c };
	int signals = uc_signals_open(), err;

	announce(c);
	uc_progress_init(&c->progress, stderr);
	err = uc_probe_run(&c->o.probe, c->targets, c->target_count, signals, &events);
	uc_progress_clear(&c->progress);
	close(signals);
	if (err)
		uc_error("cannot go on: %s", strerror(-err));
	if (c->broken)
		uc_error("cannot write to standard output");
	return err || c->broken || c->failed ? UC_EXIT_FAILED : UC_EXIT_DONE;
}

static int through(struct command *c)
{
	const struct options *o = &c->o;
	struct uc_through_config cfg = { .json = o->json,
					 .requests = o->probe.requests,
					 .every_ns = o->every_ns,
					 .timeout_ns = o->probe.max_ns,
					 .count = o->count,
					 .duration_ns = o->duration_ns };
	struct uc_through_end end;
	int signals = uc_signals_open(), err;

	err = uc_through(&cfg, c->targets, c->target_count, signals, stdout, &end);
	close(signals);
	if (err) {
		uc_error("cannot go on: %s", strerror(-err));
		return UC_EXIT_FAILED;
	}
	if (end.runs && end.unconnected == end.runs)
		return UC_EXIT_FAILED;
	return o->exit_code && end.failed ? UC_EXIT_FOUND : UC_EXIT_DONE;
}

static int check_through(const struct command *c, int operands)
{
	const struct options *o = &c->o;

	if (c->o.through && operands)
		uc_error(
			"--through measures the path through nginx, a URL alone the server itself: one of them");
	else if (!o->through && (o->every_ns || o->count || o->duration_ns || o->exit_code))
		uc_error("--every, --count, --duration and --exit-code are for --through");
	else if (o->through && !o->every_ns && (o->count || o->duration_ns))
		uc_error("--count and --duration need --every SECONDS");
	else if (o->through && (o->probe.groups || o->samples || o->max_requests || o->quick ||
				o->probe.body_tests))
		uc_error(
			"--through sends one request and cannot be combined with tests of a server");
	else
		return UC_GO_ON;
	return UC_EXIT_USAGE;
}

static int take_operands(void *ctx, int count, char **urls)
{
	struct command *c = ctx;
	int status = check_through(c, count);

	complete(&c->o);
	if (status == UC_GO_ON && !count && !c->o.through) {
		uc_error("which server? Name its URL, such as http://127.0.0.1:3000/");
		return UC_EXIT_USAGE;
	}
	for (int i = 0; i < count && status == UC_GO_ON; i++)
		status = add_target(c, urls[i]);
	return status;
}

int uc_cmd_probe(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "max-time", required_argument, NULL, 'T' },
		{ "max-requests", required_argument, NULL, 'R' },
		{ "samples", required_argument, NULL, 'S' },
		{ "only", required_argument, NULL, 'O' },
		{ "quick", no_argument, NULL, 'Q' },
		{ "body-tests", no_argument, NULL, 'B' },
		{ "head", no_argument, NULL, 'I' },
		{ "header", required_argument, NULL, 'H' },
		{ "through", required_argument, NULL, 'P' },
		{ "every", required_argument, NULL, 'E' },
		{ "count", required_argument, NULL, 'c' },
		{ "duration", required_argument, NULL, 'd' },
		{ "exit-code", no_argument, NULL, 'X' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = "o:H:c:d:vh",
						     .longs = longs,
						     .option = take_option,
						     .operands = take_operands };
	struct command *c = calloc(1, sizeof(*c));
	int status;

	if (!c || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		uc_error("out of memory");
		free(c);
		return UC_EXIT_FAILED;
	}
	status = uc_command_line(&line, argc, argv, c);
	if (status == UC_GO_ON)
		status = c->o.through ? through(c) : probe(c);
	for (size_t i = 0; i < c->target_count; i++)
		uc_target_free(&c->targets[i]);
	curl_global_cleanup();
	free(c);
	return status;
}
