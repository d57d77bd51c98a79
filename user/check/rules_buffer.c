/* SPDX-License-Identifier: BSD-2-Clause */
/* Response headers that do not fit into their buffer. */
#include "check/edit.h"
#include "check/rule.h"

#include <stdio.h>

/* Twice as large as it is, and 8 KiB at least. */
static long long larger_kib(int64_t bytes)
{
	return bytes <= 4096 ? 8 : (2 * bytes + 1023) / 1024;
}

void uc_rule_header_buffer_small(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_BUFFER_SIZE];
	const struct uc_timeouts_of *e = c->server ? uc_timeouts_find(j->cfg.evidence, c->server) :
						     NULL;
	uint64_t refused = e ? e->happened[UC_VERDICT_NGINX_REJECTED_RESPONSE] : 0;
	bool small = v->from && v->n > 0 && v->n < 4096;
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (v->n < 0 || (!small && !refused))
		return;
	f = uc_rule_found(j, UC_SEVERITY_WARNING, v->from ? v->from : p->pass, p,
			  refused ? c->server : NULL);
	if (!f)
		return;
	if (refused)
		uc_rule_say(
			f->message,
			"nginx refused %llu responses of %s, as it does with a header larger than its %lld byte "
			"buffer",
			(unsigned long long)refused, uc_addr_text(c->server).s, (long long)v->n);
	else
		uc_rule_say(
			f->message,
			"a response header must fit into %lld bytes here, less than the default of one page (4096 "
			"or 8192)",
			(long long)v->n);
	uc_rule_setting_figure(j, f, p, UC_NGINX_BUFFER_SIZE, false);
	uc_rule_say(
		f->why,
		"a larger header is a 502, \"upstream sent too big header\": cookies and tokens grow; "
		"an invalid header is refused likewise, so see nginx's error log for which it was");
	snprintf(line, sizeof(line), "%s_buffer_size %lldk;", uc_nginx_protocol_name(p->protocol),
		 larger_kib(v->n));
	uc_rule_say(f->change, "`%s` or more, as large as the largest header", line);
	/* nginx wants the three sizes to fit each other: where others are told, so is this by hand */
	if (p->unread || p->values[UC_NGINX_BUFFERS].from ||
	    p->values[UC_NGINX_BUSY_BUFFERS_SIZE].from)
		uc_rule_say(f->change, ", with buffers and a busy_buffers_size that it fits to");
	else if (small)
		uc_edit_replace(f, v->from, line);
}
