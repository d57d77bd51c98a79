/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/carrier.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "alert/alert_text.h"
#include "alert/journal.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

const struct uc_carrier uc_carriers[UC_SINK_TYPE_MAX] = {
	[UC_SINK_ALERTMANAGER] = { .batch = 64,
				   .resends = true,
				   .open = uc_http_open,
				   .carry = uc_http_carry,
				   .close = uc_http_close },
	[UC_SINK_WEBHOOK] = { .batch = 1,
			      .open = uc_http_open,
			      .carry = uc_http_carry,
			      .close = uc_http_close },
	[UC_SINK_EXEC] = { .batch = 1,
			   .open = uc_exec_open,
			   .carry = uc_exec_carry,
			   .close = uc_exec_close },
	[UC_SINK_JOURNAL] = { .batch = 1,
			      .open = uc_journal_open,
			      .carry = uc_journal_carry,
			      .close = uc_journal_close },
	[UC_SINK_OTLP] = { .batch = 256,
			   .linger_ns = 1000000000,
			   .connections = true,
			   .open = uc_http_open,
			   .carry = uc_http_carry,
			   .close = uc_http_close },
};

void uc_carry_set(struct uc_carry *c, enum uc_carried how, const char *fmt, ...)
{
	va_list args;

	c->how = how;
	va_start(args, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, args);
	va_end(args);
}

/* --- the journal ------------------------------------------------------------------------ */

int uc_journal_open(const struct uc_sink_config *cfg, void **ret)
{
	(void)cfg;
	*ret = NULL;
	return 0;
}

void uc_journal_close(void *self)
{
	(void)self;
}

static int priority_of(const json_t *doc)
{
	const char *severity = uc_document_text(doc, "severity");

	if (!strcmp(uc_document_text(doc, "status"), "resolved"))
		return LOG_NOTICE;
	return !strcmp(severity, "critical") ? LOG_CRIT :
	       !strcmp(severity, "warning")  ? LOG_WARNING :
					       LOG_INFO;
}

void uc_journal_carry(void *self, const json_t *docs, const struct uc_meanwhile *m,
		      struct uc_carry *ret)
{
	json_t *doc = json_array_get(docs, 0), *brief = json_copy(doc);
	char message[1024];

	(void)self;
	(void)m;
	/* libsystemd takes what nobody reads for sent */
	if (access(JOURNAL_SOCKET, W_OK)) {
		uc_carry_set(ret, UC_CARRY_LATER, "no journal listens at " JOURNAL_SOCKET);
		json_decref(brief);
		return;
	}
	/* the example's own entry is in the journal, too */
	json_object_del(brief, "example");
	snprintf(message, sizeof(message), "alert %s %s: %s", uc_document_text(doc, "name"),
		 uc_document_text(doc, "status"), uc_document_text(doc, "summary"));
	uc_journal_send(priority_of(doc), message, brief);
	json_decref(brief);
	ret->how = UC_CARRIED;
}
