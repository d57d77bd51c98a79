/* SPDX-License-Identifier: BSD-2-Clause */
/* One line a connection, in columns as bcc's tools have them. */
#include <errno.h>

#include "engine/output.h"
#include "base/text.h"

static void header_line(struct uc_output *s)
{
	if (!s->header_due)
		return;
	fprintf(s->out, "%-12s %-23s %-17s %-9s %-15s %-8s %-7s %-22s %-7s %-20s %4s %9s %-7s %s\n",
		"TIME", "VERDICT", "PROOF", "CONF", "PHASE", "CLOSER", "NGINX", "UPSTREAM", "UPID",
		"IN", "REQ", "IDLE_MS", "METHOD", "TARGET");
	s->header_due = false;
}

static int flushed(const struct uc_output *s)
{
	return fflush(s->out) || ferror(s->out) ? (errno ? -errno : -EIO) : 0;
}

/* In place of a proof, the kind of what nginx said. */
static int words_row(struct uc_output *s, const struct uc_log_event *ev)
{
	char when[32];

	header_line(s);
	uc_text_clock(ev->words->ts_ns + (uint64_t)ev->wall_offset_ns, when, sizeof(when));
	fprintf(s->out, "%-12s %-23s %-17s %-9s %-15s %-8s %-7u %-22s %-7s %-20s %4s %9s %-7s %s\n",
		when, "nginx_log", uc_words_kind_name(ev->words->kind), "-", "-", "-",
		ev->words->worker, "-", "-", "-", "-", "-", "-", "-");
	return flushed(s);
}

static int table_row(struct uc_output *s, const struct uc_judged *r)
{
	const struct uc_facts *f = r->facts;
	const struct uc_conn *c = f->nginx;
	char when[32], to[UC_ADDR_LEN], method[24] = "-", target[128] = "-", idle[24] = "-";
	char number[16] = "-", upid[16] = "-", in[UC_WHOSE_LEN];

	header_line(s);
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
	return flushed(s);
}

const struct uc_output uc_output_table = { .connection = table_row,
					   .words = words_row,
					   .summary = uc_output_text_summary };
