/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "output/tell.h"
#include "output/json.h"
#include "base/log.h"
#include "engine/engine.h"
#include "source/recording.h"

/* One object of upclose has a few KiB. */
#define LINE_MAX_BYTES (1 << 20)

static const char usage[] =
	"Usage: upclose report [-o md|html] FILE\n\n"
	"Makes a report of an incident for people who were not there: what happened, what to\n"
	"change, ranked by how much it explains, and an example of each cause. FILE is a\n"
	"recording of 'upclose trace -w', or what 'upclose trace -o json' printed; '-' reads\n"
	"standard input.\n\n"
	"  -o, --output md|html  Markdown (default), or one HTML file that loads nothing\n"
	"  -h, --help            this text\n";

struct gathering {
	struct uc_output output;
	struct uc_incident incident;
};

static int take(struct gathering *g, json_t *o)
{
	int err = o ? uc_incident_add(&g->incident, o) : -ENOMEM;

	json_decref(o);
	return err;
}

static int on_connection(struct uc_output *s, const struct uc_judged *r)
{
	return take((struct gathering *)s, uc_json_connection(r));
}

static int on_summary(struct uc_output *s, const struct uc_totals *t)
{
	return take((struct gathering *)s, uc_json_summary(t));
}

static int from_recording(FILE *in, const char *name, struct gathering *g)
{
	struct uc_engine_config cfg = { .outputs = { &g->output }, .output_count = 1 };
	struct uc_engine *engine = NULL;
	struct uc_replay_end end;
	struct uc_frames frames;
	char why[UC_REPLAY_WHY];
	int err;

	g->output = (struct uc_output){ .connection = on_connection, .summary = on_summary };
	if (uc_engine_new(&cfg, &engine)) {
		uc_error("out of memory");
		return -ENOMEM;
	}
	frames = uc_engine_frames(engine);
	err = uc_replay(in, &frames, NULL, NULL, &end, why);
	if (end.begun)
		uc_engine_finish(engine, end.duration_ns, end.end_wall_ns);
	if (err)
		uc_error("%s: %s", name, err == -EBADMSG ? why : strerror(-err));
	err = err ? err : uc_engine_error(engine);
	uc_engine_free(engine);
	return err;
}

/* Said with its place; NULL: it is no JSON. */
static int from_line(struct gathering *g, const char *line, size_t len, const char *name, size_t n)
{
	json_error_t error;
	json_t *o = json_loadb(line, len, 0, &error);
	int err;

	if (!o) {
		uc_error("%s: line %zu is no JSON object: %s", name, n, error.text);
		return -EINVAL;
	}
	err = take(g, o);
	if (err == -EPROTO)
		uc_error("%s: line %zu is of a schema that this program does not know", name, n);
	else if (err == -EEXIST)
		uc_error("%s: line %zu is a second summary; one trace at a time", name, n);
	else if (err)
		uc_error("%s: line %zu is no object of 'upclose trace -o json'", name, n);
	return err;
}

/* -1 at the end; a line that is too long comes cut, and longer than LINE_MAX_BYTES. */
static ssize_t read_line(FILE *in, char *buf)
{
	size_t len = 0;
	int c = EOF;

	while (len <= LINE_MAX_BYTES && (c = getc(in)) != EOF && c != '\n')
		buf[len++] = (char)c;
	return c == EOF && !len ? -1 : (ssize_t)len;
}

static int from_lines(FILE *in, const char *name, struct gathering *g)
{
	char *line = malloc(LINE_MAX_BYTES + 1);
	size_t n = 0;
	ssize_t len;
	int err = line ? 0 : -ENOMEM;

	if (err)
		uc_error("out of memory");
	while (!err && (len = read_line(in, line)) >= 0) {
		n++;
		if (len > LINE_MAX_BYTES) {
			uc_error("%s: line %zu is longer than 1 MiB", name, n);
			err = -EINVAL;
		} else if (len) {
			err = from_line(g, line, len, name, n);
		}
	}
	if (!err && ferror(in)) {
		uc_error("%s: cannot be read: %s", name, strerror(errno));
		err = -EIO;
	}
	free(line);
	return err;
}

/* What came before damage is told all the same, as replay does. */
static int report(FILE *in, const char *name, const struct uc_markup *markup)
{
	struct uc_doc page = { .markup = markup, .out = stdout };
	const char *slash = strrchr(name, '/');
	const char *source = !strcmp(name, "-") ? "standard input" : slash ? slash + 1 : name;
	struct gathering *g = calloc(1, sizeof(*g));
	int first, err;

	if (!g) {
		uc_error("out of memory");
		return UC_EXIT_FAILED;
	}
	first = getc(in);
	ungetc(first, in);
	err = first == '{' ? from_lines(in, name, g) : from_recording(in, name, g);
	if (!err || g->incident.causes || g->incident.summary) {
		uc_incident_rank(&g->incident);
		uc_incident_tell(&g->incident, source, &page);
	}
	uc_incident_clear(&g->incident);
	free(g);
	return err ? UC_EXIT_FAILED : UC_EXIT_DONE;
}

static int take_option(void *ctx, int option, const char *value)
{
	const struct uc_markup **markup = ctx;

	(void)option;
	*markup = uc_markup(value);
	if (*markup)
		return UC_GO_ON;
	uc_error("-o %s: md and html are known", value);
	return UC_SEE_HELP;
}

int uc_cmd_report(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	static const struct uc_command_line line = {
		.usage = usage,
		.shorts = "o:h",
		.longs = longs,
		.option = take_option,
		.none = "of what? Name a recording, or a file of JSON lines",
		.several = "one file at a time",
	};
	const struct uc_markup *markup = uc_markup("md");
	int status = uc_command_line(&line, argc, argv, &markup);
	FILE *in;

	if (status != UC_GO_ON)
		return status;
	in = uc_file_stream(argv[optind]);
	if (!in) {
		uc_error("%s: %s", argv[optind], strerror(errno));
		return UC_EXIT_FAILED;
	}
	status = report(in, argv[optind], markup);
	fclose(in);
	return status;
}
