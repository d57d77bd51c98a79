/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's configuration, upclose.yaml(5).
 *
 * A section is added in these steps, most of them in a file of its own:
 *   1. its struct, the schema of its keys (const cyaml_schema_field_t[], ended by
 *      CYAML_FIELD_END) and its check in user/config/NAME_config.{h,c};
 *   2. a member in struct uc_config, and in config.c a row in fields[] and its
 *      check in complete();
 *   3. its keys in user/share/upclose.yaml and user/share/man/upclose.yaml.5.
 *
 * A section of keys is a pointer (CYAML_FIELD_MAPPING_PTR with CYAML_FLAG_POINTER_NULL
 * and CYAML_FLAG_OPTIONAL) that is never NULL after loading: where the section is
 * missing, all of it is zero, and the check fills in the defaults. A section that is
 * a list is CYAML_FIELD_SEQUENCE. The check sees values that fit the schema; it says
 * what else is wrong by uc_yaml_fault(), and may use uc_yaml_number() and
 * uc_yaml_duration(). It opens nothing and resolves nothing.
 */
#ifndef UPCLOSE_CONFIG_H
#define UPCLOSE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/alerts_config.h"
#include "config/canaries_config.h"
#include "config/sinks_config.h"
#include "config/yaml.h"
#include "source/tracer.h"

struct uc_tracing_config {
	char **comms;
	uint32_t comms_count;
	uint16_t *ports;
	uint32_t ports_count;
	uint32_t ring_mib;
	char *error_log; /* NULL: none */
	bool show_query;
	uint32_t *trust_nginx_of; /* uids */
	uint32_t trust_nginx_of_count;
};

struct uc_tls_config {
	char *certificate; /* paths of PEM files */
	char *key;
};

/* What upstream="..." says. */
enum uc_metrics_label { UC_LABEL_ADDRESS, UC_LABEL_NAME, UC_LABEL_WORKLOAD };
enum uc_metrics_series { UC_SERIES_ALL, UC_SERIES_SEEN };

struct uc_metrics_config {
	char *listen;              /* "127.0.0.1:9502", "[::1]:9502", "unix:/path", "off" */
	struct uc_tls_config *tls; /* NULL: none */
	bool *page;                /* as written; see uc_metrics_page */
	uint32_t max_upstreams;
	enum uc_metrics_label label;
	enum uc_metrics_series series;
	char *quiet_text; /* as written */
	uint64_t quiet_ns;
	bool bpf_run_time;
};

enum uc_log_to { UC_LOG_AUTO, UC_LOG_STDERR, UC_LOG_JOURNAL };
enum uc_log_format { UC_LOG_TEXT, UC_LOG_JSON };

struct uc_log_config {
	enum uc_log_to to;
	enum uc_log_format format; /* of standard error */
	uint32_t max_per_second;   /* flagged connections; the rest of a second's is counted */
};

/* Of metrics, alerts and what OTLP calls the resource. */
struct uc_static_label {
	char *name; /* [a-zA-Z_][a-zA-Z0-9_]* */
	char *value;
};

#define UC_LABELS_MAX 16

struct uc_config {
	struct uc_tracing_config *tracing;
	struct uc_metrics_config *metrics;
	struct uc_log_config *log;
	struct uc_alerts_config *alerts;
	struct uc_sink_config *sinks;
	uint32_t sinks_count;
	struct uc_canary_config *canaries;
	uint32_t canaries_count;
	struct uc_static_label *labels;
	uint32_t labels_count;
	char *user; /* NULL: upclose where the host has it, else nobody */
	char *state_directory;
	char *runtime_directory;
};

/*
 * Reads, checks and completes a configuration. Says on standard error what is
 * wrong, each with its line; returns a negative errno then.
 */
int uc_config_load(const char *path, struct uc_config **ret);
/* The same from memory; name is for messages. */
int uc_config_parse(const char *name, const char *text, size_t len, struct uc_config **ret);
void uc_config_free(struct uc_config *c);

static inline bool uc_metrics_page(const struct uc_metrics_config *m)
{
	return !m->page || *m->page;
}

#endif
