/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection, TCP, TLS or unix, byte by byte: libcurl opens it and encrypts
 * (CURLOPT_CONNECT_ONLY); what is sent, and when it is read or closed, is the caller's
 * to say. Never blocks.
 */
#ifndef UPCLOSE_PROBE_WIRE_H
#define UPCLOSE_PROBE_WIRE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/target.h"

/* Of a wire while it opens: libcurl tries several addresses at once, and has a resolver. */
#define UC_WIRE_FDS 8

enum uc_wire_state { UC_WIRE_OPENING, UC_WIRE_OPEN, UC_WIRE_FAILED };

struct uc_wire;

/* The target must outlive the wire. addr: "IP" to connect to instead of a new look-up, or NULL. */
int uc_wire_new(const struct uc_target *to, const char *addr, struct uc_wire **ret);
/* Closes it, too. May be NULL. */
void uc_wire_free(struct uc_wire *w);

enum uc_wire_state uc_wire_state(const struct uc_wire *w);
/* FAILED: why, for a person. */
const char *uc_wire_why(const struct uc_wire *w);

/* OPENING: what to poll for, when to call uc_wire_drive() at the latest (monotonic ns), and that. */
size_t uc_wire_fds(const struct uc_wire *w, struct pollfd fds[UC_WIRE_FDS]);
uint64_t uc_wire_due(const struct uc_wire *w);
void uc_wire_drive(struct uc_wire *w, const struct pollfd *fds, size_t count, uint64_t now_ns);

/* All that follows is for OPEN. */
int uc_wire_fd(const struct uc_wire *w);
/* The peer's "IP" and port; "" and 0 of a unix socket. */
const char *uc_wire_addr(const struct uc_wire *w);
unsigned uc_wire_port(const struct uc_wire *w);

/* Bytes sent (perhaps fewer), or -EAGAIN, -ECONNRESET, -EPROTO (broken TLS), ... */
ssize_t uc_wire_send(struct uc_wire *w, const void *bytes, size_t len);
/* Bytes, or 0: the peer's FIN, or as above. Call it until it is none, then poll for POLLIN. */
ssize_t uc_wire_recv(struct uc_wire *w, void *buf, size_t len);
/* Sends FIN, and goes on reading. -ENOTSUP with TLS. */
int uc_wire_shut(struct uc_wire *w);

/*
 * When the newest data, or the newest segment with an ACK (a FIN has one), arrived:
 * now_ns, unless the kernel says that it waited here for a while.
 */
uint64_t uc_wire_data_ns(const struct uc_wire *w, uint64_t now_ns);
uint64_t uc_wire_ack_ns(const struct uc_wire *w, uint64_t now_ns);

#endif
