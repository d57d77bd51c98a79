/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loops and options of libbpf and jansson come to, for cppcheck, which does not see their headers. */
#define LIBBPF_OPTS(type, name, ...)           struct type name = { .sz = sizeof(struct type), __VA_ARGS__ }
#define bpf_object__for_each_program(pos, obj) while (((pos) = bpf_object__next_program(obj, pos)))
#define json_array_foreach(array, i, value)    for (i = 0; ((value) = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) \
	for (value = NULL; ((key) = json_object_next(object, &(value)));)
