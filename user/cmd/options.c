/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "nginx/errorpath.h"

void uc_output_options_init(struct uc_output_options *o)
{
	memset(o, 0, sizeof(*o));
	uc_output_init(&o->output, "text", stdout);
}

static int bad(const char *what, const char *value, const char *allowed)
{
	uc_error("%s '%s' is not valid: %s", what, value, allowed);
	return UC_SEE_HELP;
}

static int add_port(struct uc_output_options *o, const char *value)
{
	const size_t max = ARRAY_SIZE(o->engine.ports);
	uint64_t n;

	if (!uc_parse_number(value, 1, 65535, &n))
		return bad("port", value, "a number from 1 to 65535");
	if (o->engine.port_count == max)
		return bad("port", value,
			   "at most 16 ports can be followed; leave --port out to follow all");
	o->engine.ports[o->engine.port_count++] = n;
	return UC_GO_ON;
}

static int add_name(const char *list[8], size_t *count, const char *what, const char *value)
{
	if (!*value)
		return bad(what, value, "a name or an id");
	if (*count == 8)
		return bad(what, value, "at most 8 can be followed");
	list[(*count)++] = value;
	return UC_GO_ON;
}

static int add_comm(struct uc_output_options *o, const char *value)
{
	const size_t max = ARRAY_SIZE(o->engine.comms);

	if (!*value || strlen(value) >= UC_COMM_LEN)
		return bad("process name", value, "1 to 15 bytes, as in /proc/PID/comm");
	if (o->engine.comm_count == max)
		return bad("process name", value, "at most 8 names can be followed");
	o->engine.comms[o->engine.comm_count++] = value;
	return UC_GO_ON;
}

int uc_output_options_take(void *ctx, int option, const char *value)
{
	struct uc_output_options *o = ctx;

	switch (option) {
	case 'o':
		return uc_output_init(&o->output, value, stdout) ?
			       bad("output format", value, "text, table or json") :
			       UC_GO_ON;
	case 'c':
		return uc_parse_number(value, 1, UINT64_MAX, &o->engine.max_count) ?
			       UC_GO_ON :
			       bad("count", value, "a whole number of at least 1");
	case 'p':
		return add_port(o, value);
	case 'C':
		return add_comm(o, value);
	case 'K':
		return add_name(o->engine.containers, &o->engine.container_count, "container",
				value);
	case 'P':
		return add_name(o->engine.pods, &o->engine.pod_count, "pod", value);
	case 'a':
		o->all = true;
		return UC_GO_ON;
	case 'x':
		o->exit_code = true;
		return UC_GO_ON;
	case 'U':
		o->unredacted = o->engine.show_query = true;
		return UC_GO_ON;
	case 'E':
		o->error_log = value;
		return UC_GO_ON;
	default:
		return UC_SEE_HELP;
	}
}

static int open_error_log(const char *path, bool from_start, struct uc_errorlog **ret)
{
	char found[UC_RUNNING_PATH], why[UC_ERROR_PATH_WHY];
	bool search = !strcmp(path, "auto");
	int err = search ? uc_error_log_path(found, why) : 0;

	if (err) {
		uc_error("cannot find nginx's error log: %s", why);
		return err;
	}
	path = search ? found : path;
	err = uc_errorlog_new(path, from_start, ret);
	if (err)
		uc_error("cannot read nginx's error log %s: %s", path,
			 err == -EINVAL ? "neither a file nor a pipe" : strerror(-err));
	return err;
}

int uc_output_options_open(struct uc_output_options *o, bool from_start)
{
	o->output.all = o->all;
	o->engine.outputs[0] = &o->output;
	o->engine.output_count = 1;
	return o->error_log ? open_error_log(o->error_log, from_start, &o->engine.error_log) : 0;
}

void uc_output_options_close(struct uc_output_options *o)
{
	uc_errorlog_free(o->engine.error_log);
	o->engine.error_log = NULL;
}

int uc_plan_option(const char *name, enum uc_plan *ret)
{
	return uc_plan_parse(name, ret) ?
		       UC_GO_ON :
		       bad("hook plan", name, "tracepoint, fentry, kprobe or auto");
}
