/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection, TCP, TLS or unix, byte by byte: libcurl opens it and encrypts
 * (CURLOPT_CONNECT_ONLY); what is sent, and when it is read or closed, is the caller's
 * to say. Never blocks.
 */
#ifndef UPCLOSE_PROBE_TRANSPORT_H
#define UPCLOSE_PROBE_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/target.h"

/* Of a wire while it opens: libcurl tries several addresses at once, and has a resolver. */
#define UC_TRANSPORT_FDS 8

enum uc_transport_state { UC_TRANSPORT_OPENING, UC_TRANSPORT_OPEN, UC_TRANSPORT_FAILED };

struct uc_transport;

/* The target must outlive the wire. addr: "IP" to connect to instead of a new look-up, or NULL. */
int uc_transport_new(const struct uc_target *to, const char *addr, struct uc_transport **ret);
/* Closes it, too. May be NULL. */
void uc_transport_free(struct uc_transport *w);

enum uc_transport_state uc_transport_state(const struct uc_transport *w);
/* FAILED: why, for a person. */
const char *uc_transport_why(const struct uc_transport *w);

/* OPENING: what to poll for, when to call uc_transport_drive() at the latest (monotonic ns), and that. */
size_t uc_transport_fds(const struct uc_transport *w, struct pollfd fds[UC_TRANSPORT_FDS]);
uint64_t uc_transport_due(const struct uc_transport *w);
void uc_transport_drive(struct uc_transport *w, const struct pollfd *fds, size_t count,
			uint64_t now_ns);

/* All that follows is for OPEN. */
int uc_transport_fd(const struct uc_transport *w);
/* The peer's "IP" and port; "" and 0 of a unix socket. */
const char *uc_transport_addr(const struct uc_transport *w);
unsigned uc_transport_port(const struct uc_transport *w);

/* Bytes sent (perhaps fewer), or -EAGAIN, -ECONNRESET, -EPROTO (broken TLS), ... */
ssize_t uc_transport_send(struct uc_transport *w, const void *bytes, size_t len);
/* Bytes, or 0: the peer's FIN, or as above. Call it until it is none, then poll for POLLIN. */
ssize_t uc_transport_recv(struct uc_transport *w, void *buf, size_t len);
/* Sends FIN, and goes on reading. -ENOTSUP with TLS. */
int uc_transport_shut(struct uc_transport *w);

/*
 * When the newest data, or the newest segment with an ACK (a FIN has one), arrived:
 * now_ns, unless the kernel says that it waited here for a while.
 */
uint64_t uc_transport_data_ns(const struct uc_transport *w, uint64_t now_ns);
uint64_t uc_transport_ack_ns(const struct uc_transport *w, uint64_t now_ns);

#endif
