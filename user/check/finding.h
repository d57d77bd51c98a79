/* SPDX-License-Identifier: BSD-2-Clause */
/* What `upclose check` finds, as the rules make it and every output prints it. */
#ifndef UPCLOSE_CHECK_FINDING_H
#define UPCLOSE_CHECK_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/timeouts.h"
#include "core/nginx/httpconf.h"
#include "core/vocabulary.h"

enum uc_severity { UC_SEVERITY_NOTE, UC_SEVERITY_WARNING, UC_SEVERITY_ERROR, UC_SEVERITY_MAX };

#define UC_FINDINGS_MAX  4096
#define UC_FINDING_TEXT  512
#define UC_FINDING_EDITS 4
#define UC_EDIT_TEXT     160

/* Bytes [from, to) of a file become text. */
struct uc_edit {
	uint32_t file, from, to;
	char text[UC_EDIT_TEXT];
};

/* One of the two numbers that do not fit. */
struct uc_figure {
	const char *of; /* "nginx", "upstream", "client", "policy"; NULL: not there */
	int64_t n; /* ms where time, else a count or bytes; or UC_NGINX_NEVER, UC_NGINX_UNKNOWN */
	bool time;
	char source[384]; /* where it comes from */
};

struct uc_rule;

#define UC_FINDING_ALSO 16

/* What else the finding is about. */
struct uc_finding_also {
	const struct uc_nginx_directive *at;
	const struct uc_nginx_server *server; /* of the same line; or NULL, for another place */
};

struct uc_finding {
	const struct uc_rule *rule;
	enum uc_severity severity;
	const struct uc_nginx_directive *at;
	const struct uc_nginx_place *place;   /* the first that it was found at; NULL: of none */
	const struct uc_nginx_server *server; /* or NULL */
	const struct uc_nginx_place *last;    /* and the newest */
	const void *
		cause; /* findings of the rule with the same are one; NULL: those that say the same */
	struct uc_finding_also also[UC_FINDING_ALSO];
	size_t also_count; /* may be more than there is room for */
	unsigned places;   /* that it was found at */
	char message[UC_FINDING_TEXT];
	char why[UC_FINDING_TEXT];
	char change[UC_FINDING_TEXT]; /* in words; "" where nothing can be said */
	struct uc_figure figures[2];
	struct uc_edit edits[UC_FINDING_EDITS];
	size_t edit_count;
	/* how often it happened, where connections to this server were recorded */
	bool recorded;
	uint64_t happened;
	const char *accepted; /* the policy's reason, or NULL */
	const char *expired;  /* the day on which an acceptance ended, or NULL */
};

/* A contract: one server as one way of passing requests treats it. */
struct uc_check_contract {
	const struct uc_nginx_place *place;
	const struct uc_nginx_server *server; /* NULL: the target is a variable */
	unsigned places;                      /* with the same */
	struct uc_idle idle;
	const char *idle_source;
	enum uc_race race;
};

const char *uc_severity_name(enum uc_severity s);

/* "60 s", "500 ms", "without end", "unknown" */
void uc_check_time(int64_t ms, char *buf, size_t size);
/* "/etc/nginx/conf.d/app.conf:3:5" */
void uc_check_place(const struct uc_nginx_conf *conf, const struct uc_nginx_directive *d, char *buf,
		    size_t size);
/* "nginx 1.22.1", "nginx 1.28" where no patch was named */
void uc_check_version(uint32_t version, char *buf, size_t size);

#endif
