/* SPDX-License-Identifier: BSD-2-Clause */
/* The page's part on alerts: what is pending or firing, and how the sinks fare. */
#include <inttypes.h>
#include <stdio.h>

#include "alert/alert_text.h"
#include "alert/alerting.h"
#include "daemon/page.h"
#include "base/text.h"

static const char *colour_of(const struct uc_alert *a)
{
	return a->state == UC_ALERT_PENDING           ? "dim" :
	       a->rule->severity == UC_ALERT_CRITICAL ? "bad" :
							"warn";
}

static void alert_row(FILE *f, const struct uc_alert *a)
{
	char summary[512], since[48] = "-";

	uc_alert_summary(a, summary, sizeof(summary));
	if (a->state == UC_ALERT_FIRING)
		uc_text_rfc3339(a->fired_wall_ns, since, sizeof(since));
	fprintf(f, "<tr><td class=%s>%s</td><td class=l>", colour_of(a),
		uc_alert_state_name(a->state));
	uc_html_text(f, a->rule->name);
	fprintf(f, "</td><td class=l>%s</td><td title=\"%s\">%.8s</td><td class=l>",
		uc_alert_severity_name(a->rule->severity), since, a->fired_ns ? since + 11 : "-");
	uc_html_text(f, summary);
	fputs("</td></tr>\n", f);
}

static void active(FILE *f, const struct uc_alerts *alerts)
{
	struct uc_alert a;
	size_t at = 0;

	if (!uc_alerts_active(alerts, &at, &a))
		return;
	fputs("<h2>Alerts</h2>\n<div class=wide><table id=alerts><thead><tr><th>state</th>"
	      "<th class=l>alert</th><th class=l>severity</th><th>since</th><th class=l></th></tr>"
	      "</thead><tbody>\n",
	      f);
	do
		alert_row(f, &a);
	while (uc_alerts_active(alerts, &at, &a));
	fputs("</tbody></table></div>\n", f);
}

static void sink_row(FILE *f, struct uc_delivery *d)
{
	const struct uc_sink_config *cfg = uc_delivery_config(d);
	struct uc_delivery_stats s = uc_delivery_stats(d);
	uint64_t dropped = 0;

	for (unsigned i = 0; i < UC_DROP_MAX; i++)
		dropped += s.backlog.dropped[i];
	fprintf(f,
		"<tr><td>%s</td><td class=l>%s</td><td>%" PRIu64 "</td><td>%" PRIu64
		"</td><td%s>%" PRIu64 "</td><td class=\"l %s\">",
		cfg->name, uc_sink_type_name(cfg->type), s.delivered, s.backlog.waiting,
		dropped ? " class=bad" : "", dropped, *s.last_error ? "bad" : "dim");
	uc_html_text(f, *s.last_error          ? s.last_error :
			s.last_success_wall_ns ? "delivers" :
						 "not used yet");
	fputs("</td></tr>\n", f);
}

static void sinks(FILE *f, const struct uc_alerting *a)
{
	if (!uc_alerting_sinks(a))
		return;
	fputs("<h2>Sinks</h2>\n<div class=wide><table id=sinks><thead><tr><th>sink</th>"
	      "<th class=l>type</th><th>delivered</th><th>waiting</th><th>dropped</th>"
	      "<th class=l></th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < uc_alerting_sinks(a); i++)
		sink_row(f, uc_alerting_sink_at(a, i));
	fputs("</tbody></table></div>\n", f);
}

void uc_page_alerts(FILE *f, const struct uc_view *v)
{
	active(f, uc_alerting_alerts(v->alerting));
	sinks(f, v->alerting);
}
