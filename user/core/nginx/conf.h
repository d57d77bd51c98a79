/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An nginx configuration as a tree, read as nginx's ngx_conf_read_token() reads
 * it (src/core/ngx_conf_file.c). It knows words, blocks and includes and the
 * blocks of Lua, and nothing of what a directive means: those of modules that it
 * never heard of are kept like all others. The bytes are hostile; every table
 * below has its bound.
 */
#ifndef UPCLOSE_CORE_NGINX_CONF_H
#define UPCLOSE_CORE_NGINX_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UC_NGINX_MAX_DIRECTIVES (1U << 20)
#define UC_NGINX_MAX_DEPTH      64 /* of blocks */
#define UC_NGINX_MAX_INCLUDES   32 /* within each other */
#define UC_NGINX_MAX_FILES      4096
#define UC_NGINX_MAX_PARSES     (1U << 16)  /* a file may be included many times */
#define UC_NGINX_MAX_BYTES      (64U << 20) /* parsed in all; a file counts each time */

enum uc_nginx_problem {
	UC_NGINX_OK,
	UC_NGINX_UNEXPECTED,   /* this character is not allowed here */
	UC_NGINX_NOT_ENDED,    /* the file ends within a directive */
	UC_NGINX_NOT_CLOSED,   /* the file ends within the block that opens here */
	UC_NGINX_NOT_OPENED,   /* a "}" without its "{" */
	UC_NGINX_QUOTE,        /* the quote that opens here is not closed */
	UC_NGINX_AFTER_QUOTE,  /* something other than a space behind a closing quote */
	UC_NGINX_BINARY,       /* a NUL byte */
	UC_NGINX_DEPTH,        /* too many blocks within each other */
	UC_NGINX_DIRECTIVES,   /* too many */
	UC_NGINX_FILES,        /* too many, or too often */
	UC_NGINX_INCLUDE_LOOP, /* a file includes itself */
	UC_NGINX_INCLUDE_DEPTH,
	UC_NGINX_LARGE, /* too many bytes */
	UC_NGINX_MEMORY,
	UC_NGINX_PROBLEM_MAX
};

/* Where a problem is; column counts bytes, from 1 as line does. */
struct uc_nginx_error {
	enum uc_nginx_problem problem;
	const char *path;
	uint32_t line, column;
	char at; /* the character, where one is the matter */
};

struct uc_nginx_word {
	const char *p; /* unquoted and unescaped, not terminated */
	uint32_t len;
	uint32_t at; /* offset in the file of its first byte, the quote where it has one */
};

struct uc_nginx_directive {
	const struct uc_nginx_word *words; /* words[0] is the name */
	struct uc_nginx_directive *parent; /* the block that it is in; NULL at the top */
	struct uc_nginx_directive *next;
	struct uc_nginx_directive *child; /* first of a block */
	uint32_t count;                   /* of words, at least 1 */
	uint32_t file;                    /* for uc_nginx_conf_file() */
	uint32_t line;                    /* of the name */
	uint32_t start;                   /* offset of the name */
	uint32_t body;                    /* offset behind the "{", 0 where it is no block */
	uint32_t end;                     /* offset behind the ";" or the "}" */
	bool opaque;                      /* a block of Lua, whose content was skipped */
	/* an include that was left out, or a template's own text: what it stands for is unknown */
	bool unread;
};

struct uc_nginx_file {
	const char *path;
	const char *bytes;
	uint32_t len;
};

struct uc_nginx_conf;

#define UC_NGINX_LEFT_OUT 1

/*
 * Called for each include with its pattern as written: calls
 * uc_nginx_conf_parse() for each of its files, in order, and returns 0, or what
 * that returned, or a negative errno of its own, which ends the parse.
 * UC_NGINX_LEFT_OUT: not all that it names could be read, which is the caller's to tell.
 */
typedef int (*uc_nginx_include_fn)(void *ctx, struct uc_nginx_conf *conf,
				   const struct uc_nginx_directive *include);

/* -ENOMEM */
int uc_nginx_conf_new(uc_nginx_include_fn include, void *ctx, struct uc_nginx_conf **ret);
void uc_nginx_conf_free(struct uc_nginx_conf *c);

/*
 * The first file, or from within the callback those of an include. path and
 * bytes must live as long as *c does. -EINVAL with uc_nginx_conf_error() set, or
 * what the callback returned.
 */
int uc_nginx_conf_parse(struct uc_nginx_conf *c, const char *path, const char *bytes, size_t len);

const struct uc_nginx_error *uc_nginx_conf_error(const struct uc_nginx_conf *c);
const char *uc_nginx_problem_text(enum uc_nginx_problem p);

/* The first directive at the top, NULL for none. */
const struct uc_nginx_directive *uc_nginx_conf_top(const struct uc_nginx_conf *c);
size_t uc_nginx_conf_count(const struct uc_nginx_conf *c);
size_t uc_nginx_conf_files(const struct uc_nginx_conf *c);
const struct uc_nginx_file *uc_nginx_conf_file(const struct uc_nginx_conf *c, uint32_t file);
/* Column of an offset in a file, from 1. */
uint32_t uc_nginx_column(const struct uc_nginx_file *f, uint32_t at);

bool uc_nginx_word_is(const struct uc_nginx_word *w, const char *text);
/* The nearest directive of a level, from its first on, that is unread; NULL: none. */
const struct uc_nginx_directive *uc_nginx_unread(const struct uc_nginx_directive *first);
/* The directive's name. */
bool uc_nginx_named(const struct uc_nginx_directive *d, const char *name);

#endif
