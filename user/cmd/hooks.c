/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/btfcheck.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"
#include "cmd/options.h"
#include "source/hooks.h"
#include "base/json_value.h"

static const char usage[] =
	"Usage: upclose hooks [-o text|json] [--hooks PLAN] [--btf FILE] [-v]\n\n"
	"For each fact that upclose needs, the kernel hooks that can show it, whether this\n"
	"host has and allows each, and which is used. Needs the privilege that tracing needs.\n\n"
	"      --hooks PLAN  tracepoint, fentry, kprobe or auto (default), as for 'upclose trace'\n"
	"      --btf FILE    look only whether the types of a kernel, in its BTF, have all that is\n"
	"                    needed; name what they lack. Needs no privilege.\n\n"
	"Exit status: 0 tracing is possible here, 1 it is not, 2 wrong usage.\n";

struct hooks_options {
	enum uc_plan plan;
	const char *btf_path;
	bool json;
};

static int take_option(void *ctx, int option, const char *value)
{
	struct hooks_options *o = ctx;

	switch (option) {
	case 'o':
		o->json = !strcmp(value, "json");
		if (o->json || !strcmp(value, "text"))
			return UC_GO_ON;
		uc_error("output format '%s' is not valid: text or json", value);
		return UC_EXIT_USAGE;
	case 'H':
		return uc_plan_option(value, &o->plan) == UC_GO_ON ? UC_GO_ON : UC_EXIT_USAGE;
	default:
		o->btf_path = value;
		return UC_GO_ON;
	}
}

static void json_line(json_t *o)
{
	json_dumpf(o, stdout, UC_JSON_DUMP);
	putchar('\n');
	json_decref(o);
}

/* --- of this host ------------------------------------------------------------------- */

static const char *const uses[] = {
	[UC_HOOK_USED] = "used",
	[UC_HOOK_SPARE] = "spare",
	[UC_HOOK_MISSING] = "missing",
	[UC_HOOK_REFUSED] = "refused",
};

static void print_plan(const struct uc_hooks *h, enum uc_plan plan, bool json)
{
	const struct uc_hook *lack = h->lacks[plan];
	const char *use = uses[plan == h->plan ? UC_HOOK_USED : UC_HOOK_SPARE],
		   *why = uc_plan_about(plan);
	char text[256];

	if (lack) {
		use = uses[lack->err == -ENOENT ? UC_HOOK_MISSING : UC_HOOK_REFUSED];
		why = uc_hook_lack(lack, text, sizeof(text));
	}
	if (json)
		json_line(json_pack("{s:i, s:s, s:s, s:s, s:s}", "schema", 1, "kind", "plan",
				    "plan", uc_plan_name(plan), "use", use, "reason", why));
	else
		printf("%-12s %-8s %s\n", uc_plan_name(plan), use, why);
}

static void print_plans(const struct uc_hooks *h, bool json)
{
	if (!json)
		printf("%-12s %-8s %s\n", "PLAN", "USE", "WHY");
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++) {
		/* the second of a name tells nothing unless it is possible where the first is not */
		if (plan == UC_PLAN_FENTRY_OLD && (h->lacks[plan] || !h->lacks[UC_PLAN_FENTRY]))
			continue;
		print_plan(h, plan, json);
	}
}

static const char *why_used_so(const struct uc_hook *h)
{
	switch (h->use) {
	case UC_HOOK_REFUSED:
		return uc_hook_refusal(h->err);
	case UC_HOOK_MISSING:
		return "not in this kernel";
	case UC_HOOK_SPARE:
		return "works; not in the plan";
	default:
		return h->note;
	}
}

static void print_hook(const struct uc_hook *h, bool json)
{
	const char *why = why_used_so(h);
	bool used = h->use == UC_HOOK_USED;

	if (json)
		json_line(json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "schema", 1, "kind",
				    "hook", "facts", h->facts, "hook", h->section, "use",
				    uses[h->use], "reason", why, "required", h->required, "kernels",
				    h->note));
	else
		printf("%-26s %-30s %-8s %s%s%s\n", h->facts, h->section, uses[h->use], why,
		       used ? "" : "; ", used ? "" : h->note);
}

/* 0 when the plan that was wanted is possible. */
static int show_host(enum uc_plan wanted, bool json)
{
	struct uc_hooks hooks = { 0 };
	int err = uc_hooks_find(NULL, wanted, &hooks);

	if (!hooks.count)
		return err;
	print_plans(&hooks, json);
	if (!json)
		printf("\n%-26s %-30s %-8s %s\n", "FACTS", "HOOK", "USE", "WHY");
	for (size_t i = 0; i < hooks.count; i++)
		print_hook(&hooks.hooks[i], json);
	return err;
}

/* --- of a kernel's types -------------------------------------------------------------- */

static void plan_names(unsigned plans, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX && used < size; plan++)
		if (plans & 1U << plan && (!used || !strstr(buf, uc_plan_name(plan))))
			used += snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
					 uc_plan_name(plan));
}

static void print_missing(const struct uc_btf_need *need, bool json)
{
	char plans[64];

	plan_names(need->plans, plans, sizeof(plans));
	if (json)
		json_line(json_pack("{s:i, s:s, s:s, s:s}", "schema", 1, "kind", "missing", "name",
				    need->name, "plans", plans));
	else
		printf("missing: %s (%s)\n", need->name, plans);
}

static void print_typed_plan(enum uc_plan plan, bool possible, const struct uc_hook *lack,
			     bool json)
{
	const char *why = possible ? uc_plan_about(plan) :
			  lack     ? lack->section :
				     "a field is missing";

	if (json)
		json_line(json_pack("{s:i, s:s, s:s, s:b, s:s}", "schema", 1, "kind", "plan",
				    "plan", uc_plan_name(plan), "possible", possible, "reason",
				    why));
	else
		printf("%-12s %-9s %s%s\n", uc_plan_name(plan), possible ? "possible" : "missing",
		       lack ? "needs " : "", why);
}

/* 0 when the plan that was wanted, or any, is possible. */
static int print_typed_plans(const struct uc_btf_check *c, enum uc_plan wanted, bool json)
{
	unsigned without = uc_btf_forbidden(c);
	int err = -ENOTSUP;

	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++) {
		const struct uc_hook *lack = c->hooks.lacks[plan];
		bool possible = !lack && !(without & 1U << plan);

		if (possible && uc_plan_is(plan, wanted))
			err = 0;
		print_typed_plan(plan, possible, lack, json);
	}
	return err;
}

static int show_types(const char *path, enum uc_plan wanted, bool json)
{
	struct uc_btf_check *c = malloc(sizeof(*c));
	int err = c ? uc_btf_check(path, c) : -ENOMEM;

	if (!err) {
		err = print_typed_plans(c, wanted, json);
		for (size_t i = 0; i < c->count; i++)
			print_missing(&c->missing[i], json);
		if (!json)
			printf("%u fields, functions and tracepoints were looked for, %zu are missing\n",
			       c->examined, c->count);
	}
	free(c);
	return err;
}

int uc_cmd_hooks(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "hooks", required_argument, NULL, 'H' },
					       { "btf", required_argument, NULL, 'B' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = "o:vh",
						     .longs = longs,
						     .option = take_option };
	struct hooks_options o = { 0 };
	int err, status = uc_command_line(&line, argc, argv, &o);

	if (status != UC_GO_ON)
		return status;
	err = o.btf_path ? show_types(o.btf_path, o.plan, o.json) : show_host(o.plan, o.json);
	fflush(stdout);
	return err ? UC_EXIT_FAILED : UC_EXIT_DONE;
}
