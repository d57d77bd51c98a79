/* SPDX-License-Identifier: BSD-2-Clause */
/* Small pieces of text for people; functions fill the caller's buffer. */
#ifndef UPCLOSE_TEXT_H
#define UPCLOSE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "wire.h"

/*
 * Bytes from the wire for a terminal or a JSON string: printable ASCII stays,
 * everything else becomes \xNN. Always terminated; cut where it does not fit.
 */
void uc_text_escape(const char *bytes, size_t len, char *buf, size_t size);

#define UC_ADDR_LEN 64
/* "127.0.0.1", "::1"; IPv4-mapped addresses of AF_INET sockets as IPv4. */
void uc_text_addr(const __u8 addr[16], unsigned family, char buf[UC_ADDR_LEN]);
/* "127.0.0.1:80", "[::1]:80" */
void uc_text_endpoint(const __u8 addr[16], unsigned family, unsigned port, char buf[UC_ADDR_LEN]);

/* Local time "13:24:49.123", as nginx's error log has it, with milliseconds. */
void uc_text_clock(uint64_t wall_ns, char *buf, size_t size);
/* RFC 3339 in UTC with nanoseconds: "2026-11-22T13:24:49.123456789Z" */
void uc_text_rfc3339(uint64_t wall_ns, char *buf, size_t size);

struct uc_span {
	char text[24];
};
/* "0.4 ms", "5.00 s" */
struct uc_span uc_span(uint64_t ns);
struct uc_span uc_span_ms(double ms);

/* Whether it is a terminal that may show colours. */
bool uc_text_colour(FILE *out);

#endif
