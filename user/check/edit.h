/* SPDX-License-Identifier: BSD-2-Clause */
/* The changes that a finding proposes, as edits of the files' own bytes. */
#ifndef UPCLOSE_CHECK_EDIT_H
#define UPCLOSE_CHECK_EDIT_H

#include "check/finding.h"

/* A directive as its file has it. False: too long for buf. */
bool uc_edit_text(const struct uc_nginx_conf *c, const struct uc_nginx_directive *d, char *buf,
		  size_t size);

/*
 * What a new directive for this place may stand behind. `if` and limit_except allow few, so
 * that it goes to their location; there to one place for all that pass on in it, as nginx
 * takes none twice.
 */
const struct uc_nginx_directive *uc_edit_anchor(const struct uc_nginx_place *p);

/* All keep the indentation around them. text is a whole directive, with its ";". */
void uc_edit_replace(struct uc_finding *f, const struct uc_nginx_directive *d, const char *text);
void uc_edit_behind(const struct uc_nginx_conf *c, struct uc_finding *f,
		    const struct uc_nginx_directive *d, const char *text);
/* Into a block: as its first or its last directive. */
void uc_edit_first(const struct uc_nginx_conf *c, struct uc_finding *f,
		   const struct uc_nginx_directive *block, const char *text);
void uc_edit_last(const struct uc_nginx_conf *c, struct uc_finding *f,
		  const struct uc_nginx_directive *block, const char *text);
/* One word, quotes included. */
void uc_edit_replace_word(const struct uc_nginx_conf *c, struct uc_finding *f,
			  const struct uc_nginx_directive *d, uint32_t word, const char *text);
/* The word and the space before it; nothing where it is not there. */
void uc_edit_drop_word(const struct uc_nginx_conf *c, struct uc_finding *f,
		       const struct uc_nginx_directive *d, const char *word);

#endif
