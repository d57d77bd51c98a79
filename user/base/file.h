/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files; all errors are negative errnos. */
#ifndef UPCLOSE_FILE_H
#define UPCLOSE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * All of a file or of a pipe, with a '\0' behind it, in *ret, which is the caller's to free,
 * also when it is empty. -EFBIG: it has more than max bytes.
 */
int uc_file_read(const char *path, size_t max, char **ret, size_t *ret_len);
/* The same of an open file, from where it stands. */
int uc_file_read_fd(int fd, size_t max, char **ret, size_t *ret_len);

/* Bytes read: fewer than size only at the file's end. */
ssize_t uc_file_fill(int fd, void *buf, size_t size);
/* What begins a file of /proc, as a string; its length. After an error buf is "". */
ssize_t uc_file_start(const char *path, char *buf, size_t size);

/* All len bytes, at an offset. -ENODATA: the file ends before. */
int uc_file_read_at(int fd, void *bytes, size_t len, uint64_t at);
int uc_file_write_at(int fd, const void *bytes, size_t len, uint64_t at);

/* "-" is standard input. NULL, with errno. */
FILE *uc_file_stream(const char *path);

#endif
