/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose an end of a connection is, for people, out of the object that JSON has of it. */
#ifndef UPCLOSE_OUTPUT_WHOSE_TEXT_H
#define UPCLOSE_OUTPUT_WHOSE_TEXT_H

#include <jansson.h>

struct uc_whose_line {
	char text[640];
};

/*
 * "pod shop/api-7d9f8b6c5-x2x4z (workload api), container web, containerd 0123456789ab", or
 * "unit node.service"; "" where nothing is known. end: the member nginx or upstream of a connection.
 */
struct uc_whose_line uc_whose_text(const json_t *end);

#endif
