/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/list.h"

#include <stdlib.h>
#include <string.h>

void *uc_list_add(struct uc_list *l, size_t size)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		void *more = reallocarray(l->at, room, size);

		if (!more)
			return NULL;
		l->at = more;
		l->room = room;
	}
	return memset((char *)l->at + size * l->count++, 0, size);
}

void uc_list_sort(struct uc_list *l, size_t size, int (*order)(const void *, const void *))
{
	if (l->count)
		qsort(l->at, l->count, size, order);
}
