/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void uc_text_escape(const char *bytes, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = bytes[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			if (n + 1 >= size)
				break;
			buf[n++] = c;
		} else {
			if (n + 4 >= size)
				break;
			n += snprintf(buf + n, size - n, "\\x%02x", c);
		}
	}
	buf[n] = '\0';
}

void uc_text_addr(const __u8 addr[16], unsigned family, char buf[UC_ADDR_LEN])
{
	/* a dual-stack IPv6 socket that talks IPv4 is one to nginx's configuration too */
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET || !memcmp(addr, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, addr + 12, buf, UC_ADDR_LEN);
	else
		inet_ntop(AF_INET6, addr, buf, UC_ADDR_LEN);
}

void uc_text_endpoint(const __u8 addr[16], unsigned family, unsigned port, char buf[UC_ADDR_LEN])
{
	char ip[UC_ADDR_LEN];

	uc_text_addr(addr, family, ip);
	snprintf(buf, UC_ADDR_LEN, strchr(ip, ':') ? "[%.46s]:%u" : "%.46s:%u", ip, port);
}

void uc_text_clock(uint64_t wall_ns, char *buf, size_t size)
{
	time_t t = wall_ns / 1000000000;
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(buf, size, "%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03u", (unsigned)(wall_ns / 1000000 % 1000));
}

void uc_text_rfc3339(uint64_t wall_ns, char *buf, size_t size)
{
	time_t t = wall_ns / 1000000000;
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%09uZ", (unsigned)(wall_ns % 1000000000));
}

struct uc_span uc_span_ms(double ms)
{
	struct uc_span s;

	if (ms < 1000)
		snprintf(s.text, sizeof(s.text), "%.1f ms", ms);
	else
		snprintf(s.text, sizeof(s.text), "%.2f s", ms / 1000);
	return s;
}

struct uc_span uc_span(uint64_t ns)
{
	return uc_span_ms(ns / 1e6);
}

/* https://no-color.org */
bool uc_text_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no && *no);
}
