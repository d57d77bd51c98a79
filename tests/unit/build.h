/* SPDX-License-Identifier: BSD-2-Clause */
/* What every unit test begins with. */
#ifndef UPCLOSE_TESTS_BUILD_H
#define UPCLOSE_TESTS_BUILD_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/conn/decode.h"
#include "core/conn/facts.h"
#include "core/conn/join.h"
#include "core/conn/timeline.h"
#include "core/conn/verdict.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define US 1000ULL
#define MS 1000000ULL
#define S  1000000000ULL

/* --- numbers that are the same in every run ------------------------------------------ */

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
