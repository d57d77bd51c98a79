/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "check/timeouts.h"
#include "check/fix.h"
#include "check/inplace.h"
#include "check/policy.h"
#include "check/print.h"
#include "check/rules.h"
#include "nginx/running.h"
#include "nginx/sources.h"
#include "output/known_idle.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"

/* Assumed where nothing tells the version: the newest stable branch. */
#define ASSUMED UC_NGINX_VERSION(1, 30, 999)

static const char usage[] =
	"Usage: upclose check [OPTIONS] [FILE]\n\n"
	"Checks an nginx configuration against the idle timeouts of its upstreams, and names what\n"
	"can lead to a 502 or 504. FILE is its main file; includes are followed. Without one, the\n"
	"nginx that runs here is checked.\n\n"
	"      --nginx-t FILE        read the text of `nginx -T` instead; '-' is standard input\n"
	"      --pid PID             the nginx with this master process\n"
	"      --root DIR            the folder that stands for / in paths\n"
	"      --version-of VERSION  of nginx, such as 1.28.0\n"
	"      --from VERSION, --to VERSION\n"
	"                            what an upgrade of nginx would bring\n"
	"      --probe FILE          what `upclose probe -o json` measured\n"
	"      --learned FILE        what `upclose trace -o json` printed\n"
	"      --upstream ADDR=SECONDS\n"
	"                            the idle timeout of an upstream; 0: it closes after each\n"
	"                            response; never. ADDR may be a group's name, or *\n"
	"      --kind ADDR=KIND      what server it is, such as node20, for its default\n"
	"      --client-timeout SECONDS\n"
	"                            after which clients, or a balancer, give a request up\n"
	"      --balancer-idle SECONDS|KIND\n"
	"                            how long a balancer keeps idle connections to nginx,\n"
	"                            or which one it is, such as aws-alb\n"
	"      --policy FILE         YAML: required numbers, accepted findings\n"
	"      --fix                 print the changes as a unified diff, for `patch -p1`\n"
	"      --in-place            write them into the files, keep what was there, and run\n"
	"                            `nginx -t`, which must pass before and after\n"
	"      --nginx PATH          the program for that (default: of the nginx that runs, else\n"
	"                            /usr/sbin/nginx)\n"
	"  -o, --output FORMAT       text (default), json (one object a line) or sarif\n"
	"  -v, --verbose             more messages on standard error\n"
	"  -h, --help                this text\n";

typedef int (*print_fn)(FILE *out, const struct uc_check_report *r);

struct check {
	const char *file, *dump, *root;
	uint64_t pid;
	uint32_t version, from, to; /* 0: not told */
	int64_t client_timeout_ms, balancer_idle_ms;
	struct uc_timeouts *evidence;
	struct uc_policy *policy; /* or NULL */
	bool fix, in_place;
	const char *nginx;
	print_fn print;
	/* what a run makes */
	struct uc_running running;
	struct uc_sources *sources;
	struct uc_nginx_http *http, *before;
	char version_source[64];
};

/* --- options --------------------------------------------------------------------------------- */

static int version_option(const char *name, const char *value, uint32_t *ret)
{
	if (uc_nginx_version_parse(value, ret) && *ret >= UC_NGINX_OLDEST &&
	    *ret <= UC_NGINX_NEWEST)
		return UC_GO_ON;
	uc_error("%s '%s' is not valid: a version of nginx from 1.9 to 1.31, such as 1.28.0", name,
		 value);
	return UC_SEE_HELP;
}

static int seconds_option(const char *name, const char *value, int64_t *ret_ms)
{
	uint64_t ns;

	if (uc_parse_seconds(value, &ns)) {
		*ret_ms = (int64_t)(ns / 1000000);
		return UC_GO_ON;
	}
	uc_error("%s '%s' is not valid: seconds, more than 0", name, value);
	return UC_SEE_HELP;
}

static int balancer_option(const char *value, int64_t *ret_ms)
{
	char kinds[200] = "";
	const char *name;
	uint64_t ns;

	if (uc_known_balancer(value, ret_ms))
		return UC_GO_ON;
	if (uc_parse_seconds(value, &ns)) {
		*ret_ms = (int64_t)(ns / 1000000);
		return UC_GO_ON;
	}
	for (size_t i = 0, at = 0; (name = uc_known_balancer_at(i)) && at < sizeof(kinds); i++)
		at += snprintf(kinds + at, sizeof(kinds) - at, ", %s", name);
	uc_error("--balancer-idle '%s' is not valid: seconds, more than 0, or one of%s", value,
		 kinds + 1);
	return UC_SEE_HELP;
}

static int print_option(struct check *c, const char *value)
{
	static const struct {
		const char *name;
		print_fn print;
	} formats[] = { { "text", uc_check_print_text },
			{ "json", uc_check_print_json },
			{ "sarif", uc_check_print_sarif } };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(value, formats[i].name)) {
			c->print = formats[i].print;
			return UC_GO_ON;
		}
	uc_error("output format '%s' is not valid: text, json or sarif", value);
	return UC_SEE_HELP;
}

enum {
	DUMP = 256,
	PID,
	ROOT,
	VERSION_OF,
	FROM,
	TO,
	PROBE,
	LEARNED,
	UPSTREAM,
	KIND,
	CLIENT_TIMEOUT,
	BALANCER_IDLE,
	POLICY,
	FIX,
	IN_PLACE,
	NGINX
};

static int evidence_option(struct check *c, int option, const char *value)
{
	char why[UC_TIMEOUTS_WHY] = "out of memory";
	int err = 0;

	if (option == UPSTREAM)
		err = uc_timeouts_state(c->evidence, value, why);
	else if (option == KIND)
		err = uc_timeouts_kind(c->evidence, value, why);
	else if (option == PROBE)
		err = uc_timeouts_probe(c->evidence, value, why);
	else
		err = uc_timeouts_learned(c->evidence, value, why);
	if (!err)
		return UC_GO_ON;
	uc_error("%s", why);
	return option == UPSTREAM || option == KIND ? UC_SEE_HELP : UC_EXIT_FAILED;
}

static int take_option(void *ctx, int option, const char *value)
{
	struct check *c = ctx;

	switch (option) {
	case 'o':
		return print_option(c, value);
	case DUMP:
		c->dump = value;
		return UC_GO_ON;
	case ROOT:
		c->root = value;
		return UC_GO_ON;
	case PID:
		if (uc_parse_number(value, 1, INT32_MAX, &c->pid))
			return UC_GO_ON;
		uc_error("process '%s' is not valid: the number of a master process", value);
		return UC_SEE_HELP;
	case VERSION_OF:
		return version_option("--version-of", value, &c->version);
	case FROM:
		return version_option("--from", value, &c->from);
	case TO:
		return version_option("--to", value, &c->to);
	case CLIENT_TIMEOUT:
		return seconds_option("--client-timeout", value, &c->client_timeout_ms);
	case BALANCER_IDLE:
		return balancer_option(value, &c->balancer_idle_ms);
	case POLICY:
		uc_policy_free(c->policy);
		c->policy = NULL;
		return uc_policy_read(value, &c->policy) ? UC_SEE_HELP : UC_GO_ON;
	case FIX:
		c->fix = true;
		return UC_GO_ON;
	case IN_PLACE:
		c->in_place = true;
		return UC_GO_ON;
	case NGINX:
		c->nginx = value;
		return UC_GO_ON;
	default:
		return evidence_option(c, option, value);
	}
}

static int take_operands(void *ctx, int count, char **operands)
{
	struct check *c = ctx;

	c->file = operands[0];
	if (count > 1)
		uc_error("'%s' is one argument too many: one configuration at a time", operands[1]);
	else if (!!c->file + !!c->dump + !!c->pid > 1)
		uc_error("a file, --nginx-t and --pid exclude each other");
	else if (c->in_place && (c->dump || c->root))
		uc_error("--in-place writes the files of this host: not with %s",
			 c->dump ? "--nginx-t" : "--root");
	else if (c->from && !c->to)
		uc_error("--from needs --to: the version that nginx is upgraded to");
	else
		return UC_GO_ON;
	return UC_SEE_HELP;
}

/* --- the run ----------------------------------------------------------------------------------- */

static int read_running(struct check *c, char why[UC_SOURCES_WHY])
{
	char told[UC_RUNNING_WHY] = "";
	int err = uc_running_find((pid_t)c->pid, &c->running, told);

	if (err) {
		snprintf(why, UC_SOURCES_WHY, "%s", told);
		return err;
	}
	uc_note("checking %s of nginx's process %d", c->running.conf, c->running.pid);
	c->sources = uc_sources_read(c->running.conf, c->running.root[0] ? c->running.root : NULL,
				     why);
	if (c->running.version && !c->version) {
		c->version = c->running.version;
		snprintf(c->version_source, sizeof(c->version_source), "of process %d",
			 c->running.pid);
	}
	return c->sources ? 0 : -EINVAL;
}

static int read_sources(struct check *c)
{
	char why[UC_SOURCES_WHY] = "";
	int err = 0;

	if (c->dump) {
		c->sources = uc_sources_read_dump(c->dump, why);
		err = c->sources ? 0 : -EINVAL;
	} else if (c->file && !strcmp(c->file, "-")) {
		snprintf(
			why, sizeof(why),
			"cannot read a configuration from standard input, as its includes would be "
			"missing; give its file, or the text of `nginx -T` with --nginx-t -");
		err = -EINVAL;
	} else if (c->file) {
		c->sources = uc_sources_read(c->file, c->root, why);
		err = c->sources ? 0 : -EINVAL;
	} else {
		err = read_running(c, why);
	}
	if (err)
		uc_error("%s", why);
	return err;
}

static void note_skips(const struct check *c)
{
	char place[4200], name[256];

	for (size_t i = 0; i < c->sources->skip_count; i++) {
		const struct uc_source_skip *s = &c->sources->skips[i];
		const struct uc_nginx_word *w = &s->include->words[1];

		uc_check_place(c->sources->conf, s->include, place, sizeof(place));
		uc_text_escape(w->p, w->len, name, sizeof(name));
		uc_note("%s: left out: include %s: %s", place, name, s->why);
	}
}

/* What was told, else of the nginx that runs, else of the one that is installed. */
static void settle_version(struct check *c)
{
	static const char *const installed[] = { "/usr/sbin/nginx", "/usr/local/sbin/nginx",
						 "/usr/local/nginx/sbin/nginx", "/usr/bin/nginx" };

	if (c->to)
		c->version = c->to;
	if (c->version) {
		if (!c->version_source[0])
			strcpy(c->version_source, "as told");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(installed); i++)
		if (uc_running_version(installed[i], &c->version)) {
			snprintf(c->version_source, sizeof(c->version_source), "of %s",
				 installed[i]);
			return;
		}
	c->version = ASSUMED;
	strcpy(c->version_source, "assumed: state it with --version-of");
}

static int out_of_bounds(int err)
{
	uc_error("%s", err == -E2BIG ?
			       "the configuration passes requests on in more ways than can be "
			       "checked at once: check its files one by one" :
			       "out of memory");
	return err;
}

static int judge(struct check *c, struct uc_judge **ret)
{
	struct uc_judge_config cfg = {
		.conf = c->sources->conf,
		.evidence = c->evidence,
		.client_timeout_ms = c->client_timeout_ms,
		.balancer_idle_ms = c->balancer_idle_ms,
		.require = { -1, -1, -1, -1, -1, false },
	};
	uint32_t from = c->from ? c->from : c->to ? c->version : 0;
	int err;

	settle_version(c);
	err = uc_nginx_http_new(c->sources->conf, c->version, &c->http);
	if (!err && from && c->to)
		err = uc_nginx_http_new(c->sources->conf, from, &c->before);
	if (c->policy)
		cfg.require = uc_policy_requirements(c->policy);
	cfg.http = c->http;
	cfg.from = c->before;
	if (!err)
		err = uc_judge_new(&cfg, ret);
	return err ? out_of_bounds(err) : 0;
}

static void accept_findings(const struct check *c, struct uc_finding *findings, size_t count)
{
	time_t now = time(NULL);
	char today[16];
	struct tm tm;

	if (!c->policy)
		return;
	gmtime_r(&now, &tm);
	strftime(today, sizeof(today), "%Y-%m-%d", &tm);
	uc_policy_accept(c->policy, c->sources->conf, findings, count, today);
}

static int print_report(const struct check *c, const struct uc_check_report *r)
{
	enum uc_severity least = c->policy ? uc_policy_fail_on(c->policy) : UC_SEVERITY_WARNING;
	int err = c->print(stdout, r);

	if (!err)
		return uc_check_counted(r, least) ? UC_EXIT_FOUND : UC_EXIT_DONE;
	uc_error("cannot write to standard output: %s", strerror(-err));
	return UC_EXIT_FAILED;
}

static int print_fix(const struct uc_fix *x)
{
	size_t hidden;
	int err = uc_fix_print(x, stdout, &hidden);

	if (err) {
		uc_error("cannot write to standard output: %s", strerror(-err));
		return UC_EXIT_FAILED;
	}
	if (hidden)
		uc_note("%zu changes are not shown: their lines could hold a secret; --in-place makes "
			"them",
			hidden);
	if (!uc_fix_files(x))
		uc_note("no automatic fix available; run 'upclose check' for the findings");
	return uc_fix_files(x) ? UC_EXIT_FOUND : UC_EXIT_DONE;
}

static int write_fix(const struct check *c, const struct uc_fix *x)
{
	struct uc_inplace how = { .nginx = c->nginx, .conf = c->file };
	char why[UC_INPLACE_WHY], whole[4096];

	if (!uc_fix_files(x)) {
		uc_note("no automatic fix available; run 'upclose check' for the findings");
		return UC_EXIT_DONE;
	}
	if (!how.nginx)
		how.nginx = c->running.pid ? c->running.exe : "/usr/sbin/nginx";
	if (!how.conf)
		how.conf = c->running.conf;
	/* nginx would look for it below its prefix */
	if (how.conf[0] != '/' && realpath(how.conf, whole))
		how.conf = whole;
	if (!uc_inplace_write(x, &how, why)) {
		uc_note("nginx -t accepts it: `nginx -s reload` brings it into force");
		return UC_EXIT_DONE;
	}
	uc_error("%s", why);
	return UC_EXIT_FAILED;
}

static int fix(const struct check *c, const struct uc_check_report *r)
{
	struct uc_fix *x;
	int status;

	if (uc_fix_new(c->sources->conf, r->findings, r->finding_count, &x)) {
		uc_error("out of memory");
		return UC_EXIT_FAILED;
	}
	if (uc_fix_dropped(x))
		uc_note("%zu changes conflict with others and were skipped; run again afterwards",
			uc_fix_dropped(x));
	status = c->in_place ? write_fix(c, x) : print_fix(x);
	uc_fix_free(x);
	return status;
}

static int report(struct check *c, struct uc_judge *j)
{
	struct uc_check_report r = {
		.sources = c->sources,
		.http = c->http,
		.version_source = c->version_source,
		.evidence = c->evidence,
		.left_out = uc_judge_left_out(j),
	};
	struct uc_finding *findings = uc_judge_findings(j, &r.finding_count);

	accept_findings(c, findings, r.finding_count);
	/* a code host has a remark at each place */
	if (!c->fix && !c->in_place)
		uc_judge_fold(j, c->print != uc_check_print_sarif);
	r.findings = uc_judge_findings(j, &r.finding_count);
	r.contracts = uc_judge_contracts(j, &r.contract_count);
	r.streams = uc_judge_streams(j, &r.stream_count);
	if (c->in_place && c->running.root[0]) {
		uc_error("process %d of nginx has a root of its own, a container's: apply the diff "
			 "of --fix there",
			 c->running.pid);
		return UC_EXIT_FAILED;
	}
	return c->fix || c->in_place ? fix(c, &r) : print_report(c, &r);
}

static int check(struct check *c)
{
	struct uc_judge *j = NULL;
	int status = UC_EXIT_FAILED;

	if (!read_sources(c)) {
		note_skips(c);
		if (!judge(c, &j))
			status = report(c, j);
	}
	uc_judge_free(j);
	uc_nginx_http_free(c->http);
	uc_nginx_http_free(c->before);
	uc_sources_free(c->sources);
	return status;
}

int uc_cmd_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "nginx-t", required_argument, NULL, DUMP },
		{ "pid", required_argument, NULL, PID },
		{ "root", required_argument, NULL, ROOT },
		{ "version-of", required_argument, NULL, VERSION_OF },
		{ "from", required_argument, NULL, FROM },
		{ "to", required_argument, NULL, TO },
		{ "probe", required_argument, NULL, PROBE },
		{ "learned", required_argument, NULL, LEARNED },
		{ "upstream", required_argument, NULL, UPSTREAM },
		{ "kind", required_argument, NULL, KIND },
		{ "client-timeout", required_argument, NULL, CLIENT_TIMEOUT },
		{ "balancer-idle", required_argument, NULL, BALANCER_IDLE },
		{ "policy", required_argument, NULL, POLICY },
		{ "fix", no_argument, NULL, FIX },
		{ "in-place", no_argument, NULL, IN_PLACE },
		{ "nginx", required_argument, NULL, NGINX },
		{ "output", required_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = "o:vh",
						     .longs = longs,
						     .option = take_option,
						     .operands = take_operands };
	struct check c = { .client_timeout_ms = -1,
			   .balancer_idle_ms = -1,
			   .print = uc_check_print_text };
	int status;

	if (uc_timeouts_new(&c.evidence)) {
		uc_error("out of memory");
		return UC_EXIT_FAILED;
	}
	status = uc_command_line(&line, argc, argv, &c);
	if (status == UC_GO_ON)
		status = check(&c);
	uc_policy_free(c.policy);
	uc_timeouts_free(c.evidence);
	return status;
}
