/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/version.h"

/* The Makefile's. */
const char uc_version[] = UC_VERSION;
