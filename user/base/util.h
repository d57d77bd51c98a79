/* SPDX-License-Identifier: BSD-2-Clause */
/* Of an array, not of a pointer to one. */
#ifndef UPCLOSE_UTIL_H
#define UPCLOSE_UTIL_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
