/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a message may be shown and recorded. */
#ifndef UPCLOSE_CORE_HTTP_REDACT_H
#define UPCLOSE_CORE_HTTP_REDACT_H

#include <stddef.h>

/*
 * Overwrite with 'x' whatever a recording must not hold: the query of the target,
 * every header's value (and every line that is no header) except those of
 * Connection, Content-Length, Transfer-Encoding, Keep-Alive and Upgrade, and body
 * bytes (chunk sizes and their CRLFs stay; chunk extensions and trailers go).
 * Lengths do not change, and heads and bodies are judged as before. Bytes that are not HTTP, and a method that no space has ended yet, are
 * overwritten from the ninth on; in the former the ninth becomes a line feed, so
 * that they cannot turn into the beginning of a valid first line.
 */
void uc_http_redact_request(void *buf, size_t len);
void uc_http_redact_response(void *buf, size_t len);
/* Of another protocol: as above, but of a line of text only the first word stays: a secret may be the next. */
void uc_http_redact_foreign(void *buf, size_t len);

#endif
