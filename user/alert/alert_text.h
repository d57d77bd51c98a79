/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an alert says: a document in JSON that holds all of it, and the same for
 * those who want another format. A document is what webhooks and commands get,
 * what waits in queues and spools, and what every other format is made of:
 *
 *   {"schema":1, "kind":"alert", "id":"...", "fingerprint":"...",
 *    "status":"firing"|"resolved", "repeat":false, "test":false, "time":"...",
 *    "starts_at":"...", "ends_at":null, "name":"UpcloseKeepaliveRace",
 *    "severity":"warning", "instance":"web1", "upstream":"10.0.0.5:3000",
 *    "verdict":"keepalive_race"|null, "summary":"...", "description":"...",
 *    "advice":["..."], "evidence":["..."], "timeline":["..."],
 *    "numbers":{"window_ms":.., "connections":.., "exchanges":..|null, "share":..|null,
 *      "total":.., "first":"...", "last":"...", "by_verdict":{..}, "by_outcome":{..}},
 *    "rule":{..}, "example":{..}|null}
 *
 * "labels":{"cluster":"eu1"} is there where the configuration has labels.
 *
 * id is of one change and never comes twice, fingerprint of what fires: the
 * name, instance and upstream. example is a connection as upclose(8) has it.
 */
#ifndef UPCLOSE_ALERT_ALERT_TEXT_H
#define UPCLOSE_ALERT_ALERT_TEXT_H

#include <jansson.h>

#include "config/config.h"
#include "core/alerts.h"

struct uc_alert_place {
	const char *instance;   /* this host's name in alerts */
	int64_t wall_offset_ns; /* to be added to the times of an alert */
	bool test;
	const json_t *labels; /* of the configuration, {"cluster":"eu1"}; NULL: none */
};

/* What place.labels is made of; the caller's. NULL: there are none, or no memory. */
json_t *uc_alert_labels(const struct uc_static_label *labels, size_t count);

/* The caller's; NULL: no memory. */
json_t *uc_alert_document(const struct uc_alert *a, const struct uc_alert_place *place);

/* Its summary alone. */
void uc_alert_summary(const struct uc_alert *a, char *buf, size_t size);

/*
 * For Alertmanager's POST /api/v2/alerts, an array of such: labels that do not
 * change while it fires, annotations that do. What fires has no endsAt, so that
 * Alertmanager's own clock and resolve_timeout hold; it has to be sent again
 * before that is over.
 */
json_t *uc_alert_for_alertmanager(const json_t *doc);

/* A line for each moment of a connection's timeline, the newest where there are many. */
json_t *uc_timeline_lines(const json_t *connection);

/* A document's string, "" where there is none. */
const char *uc_document_text(const json_t *doc, const char *key);

/* An alert to try the ways out with, firing and then resolved. */
extern const struct uc_alert_rule uc_alert_test_rule;
struct uc_alert uc_alert_test(enum uc_alert_change change, uint64_t now_ns, uint64_t wall_ns);

#endif
