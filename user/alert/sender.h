/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How documents leave by one way out. A sender belongs to the thread of its
 * sink: it may wait, and looks meanwhile after what its owner wants.
 */
#ifndef UPCLOSE_ALERT_SENDER_H
#define UPCLOSE_ALERT_SENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/sinks_config.h"

enum uc_sent {
	UC_SENT,
	UC_SEND_LATER,  /* not this time: try again */
	UC_SEND_NEVER,  /* these documents will not be taken */
	UC_SEND_STOPPED /* the owner wanted to end */
};

struct uc_send_result {
	enum uc_sent how;
	uint64_t after_ns; /* LATER: not before, as the other side asked; 0: it did not */
	uint64_t rejected; /* SENT: of the documents, by the other side */
	char why[256];     /* not SENT: for a person, without secrets */
};

/* While a sender waits for anything else it polls fd, too, and calls look, at least each second. */
struct uc_meanwhile {
	int fd;
	bool (*look)(void *ctx); /* false: stop */
	void *ctx;
};

struct uc_sender {
	size_t batch;       /* documents at once, at most */
	uint64_t linger_ns; /* wait so long for more of a batch */
	bool connections;   /* takes flagged connections, not only alerts */
	bool resends;       /* wants what fires again and again */
	/* 0, or -ENOMEM */
	int (*open)(const struct uc_sink_config *cfg, void **ret);
	void (*send)(void *self, const json_t *docs, const struct uc_meanwhile *m,
		     struct uc_send_result *ret);
	void (*close)(void *self);
};

extern const struct uc_sender uc_senders[UC_SINK_TYPE_MAX];

/* What the rows of uc_senders are made of. */
int uc_post_open(const struct uc_sink_config *cfg, void **ret);
void uc_post_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		  struct uc_send_result *ret);
void uc_post_close(void *self);

int uc_exec_open(const struct uc_sink_config *cfg, void **ret);
void uc_exec_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		  struct uc_send_result *ret);
void uc_exec_close(void *self);

int uc_journald_open(const struct uc_sink_config *cfg, void **ret);
void uc_journald_send(void *self, const json_t *docs, const struct uc_meanwhile *m,
		      struct uc_send_result *ret);
void uc_journald_close(void *self);

/* Sets how and why. */
__attribute__((format(printf, 3, 4))) void
uc_send_result_set(struct uc_send_result *c, enum uc_sent how, const char *fmt, ...);

#endif
