/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UPCLOSE_VERSION_H
#define UPCLOSE_VERSION_H

/* "0.1.0", or "0.1.0-gCOMMIT" between releases. */
extern const char uc_version[];

#endif
