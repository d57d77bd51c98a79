/* SPDX-License-Identifier: BSD-2-Clause */
/* The forms of include/wire.h in which a connection end is sent, and the whole one that the rest works with. */
#ifndef UPCLOSE_CORE_FORMS_H
#define UPCLOSE_CORE_FORMS_H

#include <stddef.h>

#include "wire.h"

/*
 * A record of this size to its whole form, with zeros where it was short;
 * hdr.size becomes that of the whole form. -EBADMSG: no form has this size;
 * -EINVAL: it says that it holds more than its form can.
 */
int uc_forms_unfold_nginx(const void *bytes, size_t len, struct uc_rec_nginx *ret);
int uc_forms_unfold_upstream(const void *bytes, size_t len, struct uc_rec_upstream *ret);

/* The shortest form of a checked record into bytes, which may hold the whole one; its size. */
size_t uc_forms_fold_nginx(const struct uc_rec_nginx *rec, void *bytes);
size_t uc_forms_fold_upstream(const struct uc_rec_upstream *rec, void *bytes);

#endif
