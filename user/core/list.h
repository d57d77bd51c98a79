/* SPDX-License-Identifier: BSD-2-Clause */
/* Items of one size, behind each other. */
#ifndef UPCLOSE_CORE_LIST_H
#define UPCLOSE_CORE_LIST_H

#include <stddef.h>

struct uc_list {
	void *at;
	size_t count, room;
};

/* A new last item of zeros, valid until the next is added; NULL: no memory. Free .at in the end. */
void *uc_list_add(struct uc_list *l, size_t size);
void uc_list_sort(struct uc_list *l, size_t size, int (*order)(const void *, const void *));

#endif
