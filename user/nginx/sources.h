/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a configuration: from its files with their includes, or the text of `nginx -T`. */
#ifndef UPCLOSE_NGINX_SOURCES_H
#define UPCLOSE_NGINX_SOURCES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/nginx/conf.h"

/* An include that could not be followed: what it holds is not known, and the reader is told so. */
struct uc_source_skip {
	const struct uc_nginx_directive *include;
	const char *why; /* lives on */
};

struct uc_sources {
	struct uc_nginx_conf *conf;
	const struct uc_source_skip *skips;
	size_t skip_count;
	uint64_t changed_ns; /* when the newest of its files was, by the wall clock; 0 for a dump */
};

#define UC_SOURCES_WHY 512

/*
 * path: the main file; relative includes are looked for beside it, as nginx does.
 * root: the folder that absolute paths, path among them, begin at, and that no
 * symbolic link leads out of; NULL for the host's. Nothing but regular files is
 * read. Returns NULL and fills why, with place and next step.
 */
struct uc_sources *uc_sources_read(const char *path, const char *root, char why[UC_SOURCES_WHY]);

/* path: a file with the text of `nginx -T`, or "-" for standard input. */
struct uc_sources *uc_sources_read_dump(const char *path, char why[UC_SOURCES_WHY]);

void uc_sources_free(struct uc_sources *c);

#endif
