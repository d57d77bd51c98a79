/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "control.h"
#include "config/listen.h"
#include "nginx/trust.h"
#include "base/log.h"
#include "base/util.h"
#include "probe/canary.h"

/* No configuration is larger; a wrong file may be. */
#define FILE_MAX (1 << 20)

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define SECTION  (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL)
#define PATH_LEN 255

#define SECOND_NS 1000000000ULL
#define HOUR_NS   (3600 * SECOND_NS)

/* --- schema ------------------------------------------------------------------------- */

static const cyaml_schema_value_t comm = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1,
							      UC_COMM_LEN - 1) };
static const cyaml_schema_value_t port = { CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint16_t) };

static const cyaml_schema_value_t uid = { CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t) };

static const cyaml_schema_field_t tracing_fields[] = {
	CYAML_FIELD_SEQUENCE("comms", OPTIONAL | CYAML_FLAG_POINTER, struct uc_tracing_config,
			     comms, &comm, 1, UC_TRACER_MAX_COMMS),
	CYAML_FIELD_SEQUENCE("ports", OPTIONAL | CYAML_FLAG_POINTER, struct uc_tracing_config,
			     ports, &port, 0, UC_TRACER_MAX_PORTS),
	CYAML_FIELD_UINT("ring_mib", OPTIONAL, struct uc_tracing_config, ring_mib),
	CYAML_FIELD_STRING_PTR("error_log", OPTIONAL, struct uc_tracing_config, error_log, 1,
			       PATH_LEN),
	CYAML_FIELD_BOOL("show_query", OPTIONAL, struct uc_tracing_config, show_query),
	CYAML_FIELD_SEQUENCE("trust_nginx_of", OPTIONAL | CYAML_FLAG_POINTER,
			     struct uc_tracing_config, trust_nginx_of, &uid, 0, UC_TRUST_MAX),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t tls_fields[] = {
	CYAML_FIELD_STRING_PTR("certificate", CYAML_FLAG_DEFAULT, struct uc_tls_config, certificate,
			       1, PATH_LEN),
	CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_DEFAULT, struct uc_tls_config, key, 1, PATH_LEN),
	CYAML_FIELD_END
};

static const cyaml_strval_t metrics_labels[] = {
	{ "address", UC_LABEL_ADDRESS },
	{ "name", UC_LABEL_NAME },
	{ "workload", UC_LABEL_WORKLOAD },
};
static const cyaml_strval_t metrics_series[] = {
	{ "all", UC_SERIES_ALL },
	{ "seen", UC_SERIES_SEEN },
};

static const cyaml_schema_field_t metrics_fields[] = {
	CYAML_FIELD_STRING_PTR("listen", OPTIONAL, struct uc_metrics_config, listen, 1, 120),
	CYAML_FIELD_MAPPING_PTR("tls", OPTIONAL, struct uc_metrics_config, tls, tls_fields),
	CYAML_FIELD_BOOL_PTR("page", OPTIONAL, struct uc_metrics_config, page),
	CYAML_FIELD_UINT("max_upstreams", OPTIONAL, struct uc_metrics_config, max_upstreams),
	CYAML_FIELD_ENUM("label", OPTIONAL | CYAML_FLAG_STRICT, struct uc_metrics_config, label,
			 metrics_labels, CYAML_ARRAY_LEN(metrics_labels)),
	CYAML_FIELD_ENUM("series", OPTIONAL | CYAML_FLAG_STRICT, struct uc_metrics_config, series,
			 metrics_series, CYAML_ARRAY_LEN(metrics_series)),
	CYAML_FIELD_STRING_PTR("quiet_after", OPTIONAL, struct uc_metrics_config, quiet_text, 1,
			       16),
	CYAML_FIELD_BOOL("bpf_run_time", OPTIONAL, struct uc_metrics_config, bpf_run_time),
	CYAML_FIELD_END
};

static const cyaml_strval_t log_tos[] = {
	{ "auto", UC_LOG_AUTO },
	{ "stderr", UC_LOG_STDERR },
	{ "journal", UC_LOG_JOURNAL },
};
static const cyaml_strval_t log_formats[] = {
	{ "text", UC_LOG_TEXT },
	{ "json", UC_LOG_JSON },
};

static const cyaml_schema_field_t log_fields[] = {
	CYAML_FIELD_ENUM("to", OPTIONAL | CYAML_FLAG_STRICT, struct uc_log_config, to, log_tos,
			 CYAML_ARRAY_LEN(log_tos)),
	CYAML_FIELD_ENUM("format", OPTIONAL | CYAML_FLAG_STRICT, struct uc_log_config, format,
			 log_formats, CYAML_ARRAY_LEN(log_formats)),
	CYAML_FIELD_UINT("max_per_second", OPTIONAL, struct uc_log_config, max_per_second),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t label_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_DEFAULT, struct uc_static_label, name, 1, 64),
	CYAML_FIELD_STRING_PTR("value", CYAML_FLAG_DEFAULT, struct uc_static_label, value, 1, 128),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t label = { CYAML_VALUE_MAPPING(
	CYAML_FLAG_DEFAULT, struct uc_static_label, label_fields) };

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_MAPPING_PTR("tracing", SECTION, struct uc_config, tracing, tracing_fields),
	CYAML_FIELD_MAPPING_PTR("metrics", SECTION, struct uc_config, metrics, metrics_fields),
	CYAML_FIELD_MAPPING_PTR("log", SECTION, struct uc_config, log, log_fields),
	CYAML_FIELD_MAPPING_PTR("alerts", SECTION, struct uc_config, alerts, uc_alerts_fields),
	CYAML_FIELD_SEQUENCE("sinks", OPTIONAL | CYAML_FLAG_POINTER, struct uc_config, sinks,
			     &uc_sink_schema, 0, UC_SINKS_MAX),
	CYAML_FIELD_SEQUENCE("canaries", OPTIONAL | CYAML_FLAG_POINTER, struct uc_config, canaries,
			     &uc_canary_schema, 0, UC_CANARIES_MAX),
	CYAML_FIELD_SEQUENCE("labels", OPTIONAL | CYAML_FLAG_POINTER, struct uc_config, labels,
			     &label, 0, UC_LABELS_MAX),
	CYAML_FIELD_STRING_PTR("user", OPTIONAL, struct uc_config, user, 1, 32),
	CYAML_FIELD_STRING_PTR("state_directory", OPTIONAL, struct uc_config, state_directory, 1,
			       PATH_LEN),
	CYAML_FIELD_STRING_PTR("runtime_directory", OPTIONAL, struct uc_config, runtime_directory,
			       1, PATH_LEN),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER,
								 struct uc_config, fields) };

/* --- checks ------------------------------------------------------------------------- */

static bool give(char **value, const char *missing)
{
	if (!*value)
		*value = strdup(missing);
	return *value;
}

static void absolute(struct uc_yaml *y, const char *place, const char *path)
{
	if (path && *path != '/')
		uc_yaml_fault(y, place, "'%s' is not valid: a path that begins with /", path);
}

/* nginx is followed where no other name is given. */
static int default_comm(struct uc_tracing_config *t)
{
	if (t->comms_count)
		return 0;
	t->comms = calloc(1, sizeof(*t->comms));
	if (!t->comms)
		return -ENOMEM;
	t->comms_count = 1;
	return give(&t->comms[0], "nginx") ? 0 : -ENOMEM;
}

static int check_tracing(struct uc_tracing_config *t, struct uc_yaml *y)
{
	t->ring_mib = uc_yaml_number(y, "tracing.ring_mib", t->ring_mib, UC_RING_MIB, 1, 1024);
	if (t->ring_mib & (t->ring_mib - 1))
		uc_yaml_fault(y, "tracing.ring_mib", "%u is not valid: a power of two",
			      t->ring_mib);
	for (uint32_t i = 0; i < t->ports_count; i++)
		if (!t->ports[i])
			uc_yaml_fault(y, "tracing.ports", "0 is no port: 1 to 65535");
	absolute(y, "tracing.error_log", t->error_log);
	return default_comm(t);
}

static int check_metrics(struct uc_metrics_config *m, struct uc_yaml *y)
{
	struct uc_listen_addr addr;

	m->max_upstreams = uc_yaml_number(y, "metrics.max_upstreams", m->max_upstreams, 200, 1,
					  UC_LIVE_SLOTS);
	m->quiet_ns = uc_yaml_duration(y, "metrics.quiet_after", m->quiet_text, HOUR_NS, SECOND_NS,
				       30 * 24 * HOUR_NS);
	if (!give(&m->listen, "127.0.0.1:9502"))
		return -ENOMEM;
	if (uc_listen_parse(m->listen, &addr))
		uc_yaml_fault(
			y, "metrics.listen",
			"'%s' is not valid: ADDRESS:PORT such as 127.0.0.1:9502 or [::1]:9502, "
			"unix:/PATH, or off",
			m->listen);
	if (m->tls) {
		absolute(y, "metrics.tls.certificate", m->tls->certificate);
		absolute(y, "metrics.tls.key", m->tls->key);
	}
	return 0;
}

static int check_log(struct uc_log_config *l, struct uc_yaml *y)
{
	l->max_per_second = uc_yaml_number(y, "log.max_per_second", l->max_per_second, 100, 1,
					   1000000);
	if (l->to == UC_LOG_JOURNAL && l->format == UC_LOG_JSON)
		uc_yaml_fault(y, "log.format",
			      "the journal has fields of its own; json is for 'to: stderr'");
	return 0;
}

/* Of metrics and alerts; upclose's own labels stay what they are. */
static const char *const own_labels[] = {
	"upstream", "verdict",   "outcome",  "le",       "version", "hook", "facts",
	"reason",   "kind",      "program",  "rule",     "state",   "sink", "canary",
	"counter",  "alertname", "severity", "instance", "job",
};

static bool is_label(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (!strchr(letters, *name) || !strncmp(name, "__", 2))
		return false;
	while (*name && (strchr(letters, *name) || (*name >= '0' && *name <= '9')))
		name++;
	return !*name;
}

static bool is_value(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || strchr("\"\\", *value))
			return false;
	return true;
}

static void check_label(struct uc_yaml *y, const struct uc_config *c, uint32_t i)
{
	const struct uc_static_label *l = &c->labels[i];
	char place[32];

	snprintf(place, sizeof(place), "labels[%u].name", i);
	if (!is_label(l->name))
		uc_yaml_fault(y, place, "'%s' is no name of a label: letters, digits and _",
			      l->name);
	for (size_t k = 0; k < ARRAY_SIZE(own_labels); k++)
		if (!strcmp(l->name, own_labels[k]))
			uc_yaml_fault(y, place, "'%s' is a label that upclose sets", l->name);
	for (uint32_t k = 0; k < i; k++)
		if (!strcmp(l->name, c->labels[k].name))
			uc_yaml_fault(y, place, "'%s' is there twice", l->name);
	snprintf(place, sizeof(place), "labels[%u].value", i);
	if (!is_value(l->value))
		uc_yaml_fault(y, place,
			      "a value without quotes, backslashes and control characters");
}

static int check_top(struct uc_config *c, struct uc_yaml *y)
{
	if (!give(&c->state_directory, "/var/lib/upclose") ||
	    !give(&c->runtime_directory, "/run/upclose"))
		return -ENOMEM;
	for (uint32_t i = 0; i < c->labels_count; i++)
		check_label(y, c, i);
	absolute(y, "state_directory", c->state_directory);
	absolute(y, "runtime_directory", c->runtime_directory);
	return 0;
}

#define MADE(section) ((section) || ((section) = calloc(1, sizeof(*(section)))))

/* Each check fills in what is missing; 0 or -ENOMEM. */
static int complete(struct uc_config *c, struct uc_yaml *y)
{
	int err;

	if (!MADE(c->tracing) || !MADE(c->metrics) || !MADE(c->log) || !MADE(c->alerts))
		return -ENOMEM;
	err = check_tracing(c->tracing, y);
	err = err ? err : check_metrics(c->metrics, y);
	err = err ? err : check_log(c->log, y);
	err = err ? err : uc_alerts_check(c->alerts, y);
	err = err ? err : uc_sinks_check(c->sinks, c->sinks_count, y);
	err = err ? err : uc_canaries_check(c->canaries, c->canaries_count, y);
	return err ? err : check_top(c, y);
}

/* --- loading ------------------------------------------------------------------------ */

static int load(struct uc_yaml *y, struct uc_config **ret)
{
	void *loaded = NULL;
	int err;

	uc_yaml_check(y, &schema);
	if (uc_yaml_faults(y))
		return -EINVAL;
	err = uc_yaml_load(y, &schema, &loaded);
	if (err)
		return err;
	*ret = loaded ? loaded : calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	err = complete(*ret, y);
	return err ? err : uc_yaml_faults(y) ? -EINVAL : 0;
}

int uc_config_parse(const char *name, const char *text, size_t len, struct uc_config **ret)
{
	struct uc_config *c = NULL;
	struct uc_yaml *y;
	int err = uc_yaml_new(name, text, len, &y);

	if (!err) {
		err = load(y, &c);
		uc_yaml_free(y);
	}
	if (err == -ENOMEM)
		uc_error("out of memory");
	if (err) {
		uc_config_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void uc_config_free(struct uc_config *c)
{
	cyaml_free(&uc_yaml_cyaml, &schema, c, 0);
}

int uc_config_load(const char *path, struct uc_config **ret)
{
	char *text;
	size_t len;
	int err = uc_file_read(path, FILE_MAX, &text, &len);

	if (err == -EFBIG)
		uc_error("cannot read %s: larger than 1 MiB, not a configuration file", path);
	else if (err)
		uc_error("cannot read the configuration %s: %s", path, strerror(-err));
	if (err)
		return err;
	err = uc_config_parse(path, text, len, ret);
	free(text);
	return err;
}
