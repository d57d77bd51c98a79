/* SPDX-License-Identifier: BSD-2-Clause */
/* One line a connection, in columns as bcc's tools have them. */
#include <errno.h>

#include "engine/output.h"
#include "base/text.h"

static int table_row(struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	const struct uc_conn *c = f->nginx;
	char when[32], to[UC_ADDR_LEN], method[24] = "-", target[128] = "-", idle[24] = "-";
	char number[16] = "-", upid[16] = "-", in[UC_WHOSE_LEN];

	if (s->header_due) {
		fprintf(s->out,
			"%-12s %-23s %-17s %-9s %-15s %-8s %-7s %-22s %-7s %-20s %4s %9s %-7s %s\n",
			"TIME", "VERDICT", "PROOF", "CONF", "PHASE", "CLOSER", "NGINX", "UPSTREAM",
			"UPID", "IN", "REQ", "IDLE_MS", "METHOD", "TARGET");
		s->header_due = false;
	}
	uc_text_clock(uc_judged_wall(r, f->end_ns), when, sizeof(when));
	uc_text_endpoint(c->tuple.remote_addr, c->tuple.family, c->tuple.remote_port, to);
	if (f->request.method) {
		uc_text_escape(f->request.method, f->request.method_len, method, sizeof(method));
		uc_text_escape(f->request.target,
			       f->request.target_len + (r->show_query ? f->request.query_len : 0),
			       target, sizeof(target));
	}
	if (f->idle_known)
		snprintf(idle, sizeof(idle), "%.1f", f->idle_ns / 1e6);
	if (f->number)
		snprintf(number, sizeof(number), "%u", f->number);
	uc_whose_name(&r->upstream_is, in);
	if (r->upstream.tgid)
		snprintf(upid, sizeof(upid), "%u", r->upstream.tgid);
	fprintf(s->out, "%-12s %-23s %-17s %-9s %-15s %-8s %-7u %-22s %-7s %-20s %4s %9s %-7s %s\n",
		when, uc_verdict_name(r->verdict.id),
		r->verdict.proof ? uc_proof_name(r->verdict.proof) : "-",
		uc_confidence_name(r->verdict.confidence), uc_phase_name(f->phase),
		uc_closed_by_name(f->closed_by), c->owner.tgid, to, upid, *in ? in : "-", number,
		idle, method, target);
	return fflush(s->out) || ferror(s->out) ? (errno ? -errno : -EIO) : 0;
}

const struct uc_output uc_output_table = { .connection = table_row,
					   .summary = uc_output_text_summary };
