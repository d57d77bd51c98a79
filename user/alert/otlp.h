/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents as OpenTelemetry log records, for POST /v1/logs with JSON: protobuf's
 * JSON mapping of ExportLogsServiceRequest (opentelemetry-proto, logs/v1), so
 * 64-bit integers are texts and enums are numbers. A connection is an event
 * upclose.connection, an alert upclose.alert; their members are attributes
 * below "upclose.", and where OpenTelemetry has a name for one it stands there too.
 */
#ifndef UPCLOSE_ALERT_OTLP_H
#define UPCLOSE_ALERT_OTLP_H

#include <jansson.h>

/* docs: an array of documents; the caller's, NULL: no memory. */
json_t *uc_otlp_logs(const json_t *docs);

#endif
