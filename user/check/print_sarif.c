/* SPDX-License-Identifier: BSD-2-Clause */
/* SARIF 2.1.0 (OASIS, 2020): one run, each rule with its place in the list, a fix where there is one. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "check/fix.h"
#include "check/print.h"

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static json_t *message(const char *text)
{
	return json_pack("{s:s}", "text", text);
}

static bool unreserved(unsigned char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr("-._~/", ch));
}

/* A URI: relative as the path is, so that a code host finds the file in its tree. */
static json_t *artifact(const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	char uri[3 * 4096 + 8], *to = uri;
	json_t *o;

	if (path[0] == '/')
		to = stpcpy(to, "file://");
	while (!strncmp(path, "./", 2))
		path += 2;
	for (; *path && to < uri + sizeof(uri) - 4; path++) {
		if (unreserved(*path)) {
			*to++ = *path;
			continue;
		}
		*to++ = '%';
		*to++ = hex[(unsigned char)*path >> 4];
		*to++ = hex[*path & 15];
	}
	*to = '\0';
	o = json_object();
	json_object_set_new(o, "uri", json_string(uri));
	return o;
}

static json_t *location(const struct uc_nginx_conf *conf, const struct uc_finding *f)
{
	const struct uc_nginx_file *file = uc_nginx_conf_file(conf, f->at->file);
	char where[400];

	uc_check_where_found(f, where, sizeof(where));
	return json_pack("{s:{s:o,s:{s:i,s:i}},s:[{s:s}]}", "physicalLocation", "artifactLocation",
			 artifact(file->path), "region", "startLine", (int)f->at->line,
			 "startColumn", (int)uc_nginx_column(file, f->at->start),
			 "logicalLocations", "fullyQualifiedName", where);
}

static json_t *replacement(const struct uc_edit *e)
{
	return json_pack("{s:{s:i,s:i},s:{s:s}}", "deletedRegion", "byteOffset", (int)e->from,
			 "byteLength", (int)(e->to - e->from), "insertedContent", "text", e->text);
}

/* One change for each file, as the standard wants it. */
static json_t *changes(const struct uc_nginx_conf *conf, const struct uc_finding *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->edit_count; i++) {
		json_t *list;
		size_t k = 0;

		while (k < i && f->edits[k].file != f->edits[i].file)
			k++;
		if (k < i)
			continue;
		list = json_array();
		for (; k < f->edit_count; k++)
			if (f->edits[k].file == f->edits[i].file)
				json_array_append_new(list, replacement(&f->edits[k]));
		json_array_append_new(
			a, json_pack("{s:o,s:o}", "artifactLocation",
				     artifact(uc_nginx_conf_file(conf, f->edits[i].file)->path),
				     "replacements", list));
	}
	return a;
}

static json_t *suppression(const char *reason)
{
	return json_pack("[{s:s,s:s}]", "kind", "external", "justification", reason);
}

static size_t rule_index(const struct uc_rule *rule)
{
	size_t i = 0;

	while (uc_rules_at(i) != rule)
		i++;
	return i;
}

static json_t *result(const struct uc_nginx_conf *conf, const struct uc_finding *f)
{
	char text[3 * UC_FINDING_TEXT + 16];
	json_t *o = json_object();

	snprintf(text, sizeof(text), "%s.%s%s%s%s%s", f->message, f->why[0] ? " Why: " : "", f->why,
		 f->change[0] ? ". Change: " : "", f->change, f->why[0] || f->change[0] ? "." : "");
	json_object_set_new(o, "ruleId", json_string(f->rule->id));
	json_object_set_new(o, "ruleIndex", json_integer((json_int_t)rule_index(f->rule)));
	json_object_set_new(o, "level", json_string(uc_severity_name(f->severity)));
	json_object_set_new(o, "message", message(text));
	json_object_set_new(o, "locations", json_pack("[o]", location(conf, f)));
	if (f->edit_count)
		json_object_set_new(o, "fixes",
				    json_pack("[{s:o,s:o}]", "description",
					      message(f->change[0] ? f->change : f->message),
					      "artifactChanges", changes(conf, f)));
	if (f->accepted)
		json_object_set_new(o, "suppressions", suppression(f->accepted));
	if (f->recorded)
		json_object_set_new(o, "properties",
				    json_pack("{s:I}", "happened", (json_int_t)f->happened));
	return o;
}

static json_t *rule_json(const struct uc_rule *rule)
{
	return json_pack("{s:s,s:o,s:{s:s}}", "id", rule->id, "shortDescription",
			 message(rule->title), "defaultConfiguration", "level",
			 uc_severity_name(rule->severity));
}

static json_t *driver(void)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < uc_rules_count(); i++)
		json_array_append_new(rules, rule_json(uc_rules_at(i)));
	return json_pack("{s:s,s:s,s:o}", "name", "upclose", "version", uc_version, "rules", rules);
}

int uc_check_print_sarif(FILE *out, const struct uc_check_report *r)
{
	json_t *results = json_array(), *o;
	int err = 0;

	for (size_t i = 0; i < r->finding_count; i++)
		json_array_append_new(results, result(r->sources->conf, &r->findings[i]));
	/* columns are bytes here; in ASCII, which a configuration mostly is, that is the same */
	o = json_pack("{s:s,s:s,s:[{s:{s:o},s:s,s:o}]}", "$schema", SCHEMA, "version", "2.1.0",
		      "runs", "tool", "driver", driver(), "columnKind", "unicodeCodePoints",
		      "results", results);
	if (!o || json_dumpf(o, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) ||
	    fputc('\n', out) == EOF || fflush(out))
		err = o ? -EIO : -ENOMEM;
	json_decref(o);
	return err;
}
