/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/report.h"

size_t uc_probe_candidates(const struct uc_probe_result *r,
			   struct uc_known_idle ret[UC_KNOWN_IDLE_MAX])
{
	const struct uc_measured_idle *m = &r->measured.idle;
	/* a timer is looked at late now and then, and never early */
	uint64_t idle_ns = m->stats.min_ns;

	/* an error page may well end its connection where others do not */
	if (!m->known || !m->stats.count || (!m->kept_alive && r->status >= 400))
		return 0;
	if (!m->kept_alive || idle_ns < UC_PROBE_AT_ONCE_NS)
		idle_ns = 0;
	return uc_known_idle_of_server(idle_ns, r->server, ret);
}
