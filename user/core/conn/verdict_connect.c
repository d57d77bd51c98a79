/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "core/conn/verdict_rule.h"

static bool said_timed_out_connecting(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_TIMED_OUT);
}

static bool in_whole_seconds_since(const struct uc_facts *f, uint64_t since_ns)
{
	return since_ns && f->end_ns > since_ns && uc_whole_seconds(f->end_ns - since_ns);
}

static bool refused(const struct uc_facts *f)
{
	return f->close == UC_CLOSE_REFUSED;
}

static bool connect_unreachable(const struct uc_facts *f)
{
	return f->close == UC_CLOSE_UNREACHABLE;
}

static bool connect_nginx_exited(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX && f->nginx_exiting;
}

static bool connect_client_gone(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX && f->client_gone;
}

/* nginx's kernel gave up, or nginx said so to its client. */
static bool connect_timeout(const struct uc_facts *f)
{
	return f->close == UC_CLOSE_TIMEOUT && (f->err == ETIMEDOUT || f->gave_up_status == 504);
}

/* Not before the kernel has repeated the SYN, after a second: timeouts are longer than that, or end on the client's behalf. */
static bool connect_timeout_likely(const struct uc_facts *f)
{
	if (f->close != UC_CLOSE_TIMEOUT || f->silent || f->client_gone_likely)
		return false;
	return in_whole_seconds_since(f, f->nginx->open_ns) ||
	       (f->nginx->retransmits && (f->gave_up || f->client_quiet));
}

/* Set back to CLOSE within connect() without an error from the network: no free local port. */
static bool connect_local(const struct uc_facts *f)
{
	return !f->err && f->nginx->open_ns && f->closed_by == UC_CLOSED_BY_UNKNOWN;
}

static bool said_no_local_address(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CONNECT_FAILED) && f->err == EADDRNOTAVAIL;
}

const struct uc_rule uc_rules_connect[] = {
	{ said_timed_out_connecting, UC_VERDICT_CONNECT_FAILED, UC_PROOF_TIMEOUT, PROVEN, 0 },
	{ refused, UC_VERDICT_CONNECT_FAILED, UC_PROOF_REFUSED, PROVEN, 0 },
	{ connect_unreachable, UC_VERDICT_CONNECT_FAILED, UC_PROOF_UNREACHABLE, PROVEN, 0 },
	{ connect_nginx_exited, UC_VERDICT_WORKER_EXITED, UC_PROOF_NGINX_EXITED, PROVEN, 0 },
	{ connect_client_gone, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, PROVEN, 0 },
	{ connect_timeout, UC_VERDICT_CONNECT_FAILED, UC_PROOF_TIMEOUT, PROVEN, 0 },
	{ connect_timeout_likely, UC_VERDICT_CONNECT_FAILED, UC_PROOF_TIMEOUT, LIKELY, 0 },
	{ said_no_local_address, UC_VERDICT_CONNECT_FAILED, UC_PROOF_LOCAL, PROVEN, 0 },
	{ connect_local, UC_VERDICT_CONNECT_FAILED, UC_PROOF_LOCAL, LIKELY, 0 },
	{ uc_otherwise, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },
	{ 0 },
};
