/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live source as a whole: the ring's records, the processes that they name,
 * the wall clock's steps and the losses, handed to everybody who takes frames.
 */
#ifndef UPCLOSE_CAPTURE_H
#define UPCLOSE_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "source/source.h"
#include "source/tracer.h"

#define UC_CAPTURE_TAKERS 4

struct uc_capture;

/*
 * takers: at most UC_CAPTURE_TAKERS; each has all of its functions. Says why it
 * could not begin; returns a negative errno then and leaves *ret alone.
 */
int uc_capture_new(const struct uc_tracer_config *cfg, const struct uc_frames *takers, size_t count,
		   struct uc_capture **ret);
void uc_capture_free(struct uc_capture *c);

/* Readable when there are records: at once after a calm time, otherwise within 10 ms. */
int uc_capture_fd(const struct uc_capture *c);

/*
 * Hands on what is there. *ret_now_ns: everything that ended by then has been
 * handed on, so that much may be told to uc_engine_tick. 0 or a negative errno.
 */
int uc_capture_poll(struct uc_capture *c, uint64_t *ret_now_ns);

/* Hands on all that has ended so far: at the end. */
void uc_capture_drain(struct uc_capture *c);

/* Hands on the losses so far. */
void uc_capture_losses(struct uc_capture *c);

struct uc_tracer *uc_capture_tracer(struct uc_capture *c);

#endif
