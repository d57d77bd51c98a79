/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways out that the configuration names: its list "sinks". */
#ifndef UPCLOSE_SINKS_CONFIG_H
#define UPCLOSE_SINKS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alerts.h"
#include "config/yaml.h"

#define UC_SINKS_MAX     16
#define UC_SINK_NAME_LEN 32

enum uc_sink_type {
	UC_SINK_ALERTMANAGER,
	UC_SINK_WEBHOOK,
	UC_SINK_EXEC,
	UC_SINK_JOURNAL,
	UC_SINK_OTLP,
	UC_SINK_TYPE_MAX
};

/* A value that is not written in the configuration: one of the two is given. */
struct uc_secret {
	char *file; /* its first line */
	char *env;
};

struct uc_basic_auth {
	char *username;
	struct uc_secret *password;
};

struct uc_header {
	char *name;
	char *file; /* of the value, as in struct uc_secret */
	char *env;
};

struct uc_sink_config {
	char *name; /* a to z, 0 to 9, - and _; no other sink has it */
	enum uc_sink_type type;
	enum uc_alert_severity min_severity;

	/* alertmanager, webhook, otlp */
	char *url; /* this or the next */
	struct uc_secret *url_from;
	struct uc_secret *bearer_token;
	struct uc_basic_auth *basic_auth;
	struct uc_header *headers;
	uint32_t headers_count;
	char *ca_file;   /* NULL: what the system trusts */
	char *cert_file; /* of the client, and its key */
	char *key_file;
	char *proxy; /* NULL: none, whatever the environment says */

	char **command; /* exec: absolute path and arguments */
	uint32_t command_count;

	uint32_t queue;     /* documents in memory */
	uint32_t spool_mib; /* 0: nothing on disk */

	char *timeout_text, *retry_text, *retry_max_text, *give_up_text, *resend_text;
	/* of the texts, in ns */
	uint64_t timeout_ns;   /* of one attempt */
	uint64_t retry_ns;     /* after the first failed attempt */
	uint64_t retry_max_ns; /* as it grows */
	uint64_t give_up_ns;   /* age at which a document is dropped */
	uint64_t resend_ns;    /* alertmanager: what fires is said again */
};

/* "http", "exec", ... of the configuration. */
const char *uc_sink_type_name(enum uc_sink_type t);

extern const cyaml_schema_value_t uc_sink_schema;

/* A section's check, see config.h. */
int uc_sinks_check(struct uc_sink_config *sinks, uint32_t count, struct uc_yaml *y);

/* The caller's copy, for uc_sink_config_free; -ENOMEM. */
int uc_sink_config_copy(const struct uc_sink_config *s, struct uc_sink_config **ret);
void uc_sink_config_free(struct uc_sink_config *s);
bool uc_sink_config_same(const struct uc_sink_config *a, const struct uc_sink_config *b);

#endif
