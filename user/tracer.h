/* SPDX-License-Identifier: BSD-2-Clause */
/* The live source: the only user of libbpf besides hooks.c. */
#ifndef UPCLOSE_TRACER_H
#define UPCLOSE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"

#define UC_TRACER_MAX_COMMS 8
#define UC_TRACER_MAX_PORTS 16

struct uc_tracer_config {
	const char *comms[UC_TRACER_MAX_COMMS]; /* at most 15 bytes each */
	size_t comm_count;
	uint16_t ports[UC_TRACER_MAX_PORTS];
	size_t port_count;
	size_t ring_bytes; /* a power of two times the page size; 0: as built */
};

struct uc_tracer;

/*
 * Chooses hooks, loads, attaches, adopts. Says on standard error why it could
 * not, and what to do; returns a negative errno then and leaves *ret alone.
 * frames->record gets ring records from uc_tracer_poll.
 */
int uc_tracer_new(const struct uc_tracer_config *cfg, const struct uc_frames *frames,
		  struct uc_tracer **ret);
void uc_tracer_free(struct uc_tracer *t);

int uc_tracer_fd(const struct uc_tracer *t); /* readable when there are records */
int uc_tracer_poll(struct uc_tracer *t);     /* hands on what is there; 0 or a negative errno */
unsigned uc_tracer_adopted(const struct uc_tracer *t);
struct uc_losses uc_tracer_losses(const struct uc_tracer *t);

/* "upclose hooks": prints the plan; 0 when tracing is possible, else a negative errno. */
int uc_tracer_print_hooks(bool json);

#endif
