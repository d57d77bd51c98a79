/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/sender.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "alert/alert_text.h"
#include "alert/journal.h"
#include "alert/journald.h"

const struct uc_sender uc_senders[UC_SINK_TYPE_MAX] = {
	[UC_SINK_ALERTMANAGER] = { .batch = 64,
				   .resends = true,
				   .open = uc_post_open,
				   .send = uc_post_send,
				   .close = uc_post_close },
	[UC_SINK_WEBHOOK] = { .batch = 1,
			      .open = uc_post_open,
			      .send = uc_post_send,
			      .close = uc_post_close },
	[UC_SINK_EXEC] = { .batch = 1,
			   .open = uc_exec_open,
			   .send = uc_exec_send,
			   .close = uc_exec_close },
	[UC_SINK_JOURNAL] = { .batch = 1,
			      .open = uc_journald_open,
			      .send = uc_journald_send,
			      .close = uc_journald_close },
	[UC_SINK_OTLP] = { .batch = 256,
			   .linger_ns = 1000000000,
			   .connections = true,
			   .open = uc_post_open,
			   .send = uc_post_send,
			   .close = uc_post_close },
};

void uc_send_result_set(struct uc_send_result *c, enum uc_sent how, const char *fmt, ...)
{
	va_list args;

	c->how = how;
	va_start(args, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, args);
	va_end(args);
}

/* --- the journal ------------------------------------------------------------------------ */

int uc_journald_open(const struct uc_sink_config *cfg, void **ret)
{
	(void)cfg;
	*ret = NULL;
	return 0;
}

void uc_journald_close(void *self)
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

void uc_journald_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		      struct uc_send_result *ret)
{
	json_t *doc = json_array_get(docs, 0), *brief = json_copy(doc);
	char message[1024];
	int err;

	(void)self;
	(void)m;
	/* the example's own entry is in the journal, too */
	json_object_del(brief, "example");
	snprintf(message, sizeof(message), "alert %s %s: %s", uc_document_text(doc, "name"),
		 uc_document_text(doc, "status"), uc_document_text(doc, "summary"));
	err = uc_journal_send(priority_of(doc), message, brief);
	json_decref(brief);
	ret->how = UC_SENT;
	if (err)
		uc_send_result_set(ret, UC_SEND_LATER, "no journal listens at %s: %s",
				   UC_JOURNALD_SOCKET, strerror(-err));
}
