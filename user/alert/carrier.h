/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How documents leave by one way out. A carrier belongs to the thread of its
 * sink: it may wait, and looks meanwhile after what its owner wants.
 */
#ifndef UPCLOSE_DAEMON_CARRIER_H
#define UPCLOSE_DAEMON_CARRIER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/sinks_config.h"

enum uc_carried {
	UC_CARRIED,
	UC_CARRY_LATER,  /* not this time: try again */
	UC_CARRY_NEVER,  /* these documents will not be taken */
	UC_CARRY_STOPPED /* the owner wanted to end */
};

struct uc_carry {
	enum uc_carried how;
	uint64_t after_ns; /* LATER: not before, as the other side asked; 0: it did not */
	uint64_t rejected; /* CARRIED: of the documents, by the other side */
	char why[256];     /* not CARRIED: for a person, without secrets */
};

/* While a carrier waits for anything else it polls fd, too, and calls look, at least each second. */
struct uc_meanwhile {
	int fd;
	bool (*look)(void *ctx); /* false: stop */
	void *ctx;
};

struct uc_carrier {
	size_t batch;       /* documents at once, at most */
	uint64_t linger_ns; /* wait so long for more of a batch */
	bool connections;   /* takes flagged connections, not only alerts */
	bool resends;       /* wants what fires again and again */
	/* 0, or -ENOMEM */
	int (*open)(const struct uc_sink_config *cfg, void **ret);
	void (*carry)(void *self, const json_t *docs, const struct uc_meanwhile *m,
		      struct uc_carry *ret);
	void (*close)(void *self);
};

extern const struct uc_carrier uc_carriers[UC_SINK_TYPE_MAX];

/* What the rows of uc_carriers are made of. */
int uc_http_open(const struct uc_sink_config *cfg, void **ret);
void uc_http_carry(void *self, const json_t *docs, const struct uc_meanwhile *m,
		   struct uc_carry *ret);
void uc_http_close(void *self);

int uc_exec_open(const struct uc_sink_config *cfg, void **ret);
void uc_exec_carry(void *self, const json_t *docs, const struct uc_meanwhile *m,
		   struct uc_carry *ret);
void uc_exec_close(void *self);

int uc_journal_open(const struct uc_sink_config *cfg, void **ret);
void uc_journal_carry(void *self, const json_t *docs, const struct uc_meanwhile *m,
		      struct uc_carry *ret);
void uc_journal_close(void *self);

/* Sets how and why. */
__attribute__((format(printf, 3, 4))) void uc_carry_set(struct uc_carry *c, enum uc_carried how,
							const char *fmt, ...);

#endif
