/* SPDX-License-Identifier: BSD-2-Clause */
/* An incident as a page for people who were not there. */
#ifndef UPCLOSE_OUTPUT_TELL_H
#define UPCLOSE_OUTPUT_TELL_H

#include "output/incident.h"
#include "output/markup.h"

/* The causes are in their order. */
void uc_incident_tell(const struct uc_incident *i, const char *source, struct uc_doc *p);

#endif
