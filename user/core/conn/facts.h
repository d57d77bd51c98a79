/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of one ended connection, computed once from its one or two
 * records. A verdict is a choice among facts; an output prints facts.
 *
 * Sequence numbers of nginx's end and of the upstream's count the same bytes:
 * what nginx has as write_seq arrives as rcv_nxt. Order between the ends and
 * "did the request arrive" come from them, never from clocks.
 */
#ifndef UPCLOSE_CORE_FACTS_H
#define UPCLOSE_CORE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/http/body.h"
#include "core/http/http.h"
#include "core/conn/join.h"
#include "core/vocabulary.h"

/* Where the response of the newest exchange stands. */
enum uc_response_state {
	UC_RESPONSE_NONE,     /* not a byte was read */
	UC_RESPONSE_HEADER,   /* within the header */
	UC_RESPONSE_BODY,     /* header complete, body short */
	UC_RESPONSE_COMPLETE, /* all of it */
	UC_RESPONSE_UPGRADED, /* 101: bytes that are no longer HTTP */
	UC_RESPONSE_NOT_HTTP, /* bytes that are no HTTP/1 header */
	UC_RESPONSE_UNKNOWN,  /* bytes came; those that would tell were not kept */
};

struct uc_facts {
	const struct uc_conn *nginx;
	const struct uc_conn *upstream; /* NULL: its end is not known */

	/* how much was seen */
	bool adopted;          /* existed before upclose */
	bool exchange;         /* there is an exchange to speak of */
	bool exchange_unseen;  /* adopted in its middle: its request was not seen */
	bool upstream_missing; /* its end is on this host, and its record did not come */
	bool log_wrapped;      /* older events were overwritten */
	bool log_torn;         /* two hooks wrote events at once, which may have lost one */
	/* of the newest exchange, by nginx's sequence numbers; no hook told of them */
	uint32_t unheard_bytes;
	bool http2;        /* turns are no exchanges: whether it was reused cannot be told */
	bool fastcgi;      /* opaque, but where the response ends can be read */
	bool opaque;       /* not HTTP/1, or encrypted, or the head was not readable */
	bool tls;          /* nginx spoke TLS; exchange 0 is the handshake */
	bool plain_answer; /* tls: and plain HTTP came back */
	bool tls_answer;   /* not tls: and a TLS record came back (RFC 8446, section 5.1) */
	int tls_alert;     /* in the handshake: the upstream's last alert in plaintext; -1: none */
	bool status_malformed; /* HTTP/ began the response, and no status line did */

	/* how it ended */
	bool established;
	bool own_host; /* the upstream's address is one of nginx's own host */
	enum uc_closed_by closed_by;
	enum uc_close close;
	enum uc_phase phase;
	bool by_icmp;    /* before it stood: err came by an ICMP message, and no reset did */
	int err;         /* errno that the kernel ended nginx's socket with, or 0 */
	uint64_t end_ns; /* when the first of both ends was closed, as nginx's host saw it */
	bool nginx_exiting;
	bool client_gone; /* the client of this request had left: nginx closed its socket next */
	bool client_gone_likely; /* some client of this worker had just left, its socket was still open */
	bool client_quiet;       /* no client of this worker did anything just before */
	bool client_active;  /* one had sent something just before, and none had left */
	bool retried;        /* nginx's next act was another attempt */
	bool localhost_twin; /* retried: at the loopback address of the other family */
	bool gave_up;        /* nginx went on by itself: it tried again, or answered its client */
	unsigned gave_up_status; /* what it answered; 0: not known */

	/* what nginx said of it; see rule 2 of verdict.c */
	const struct uc_words *words; /* the newest that is no remark; NULL: none */
	enum uc_words_means means;    /* of them; UC_MEANS_NOTHING: none */
	bool stream;                  /* they are of stream{}, which relays bytes */
	bool remarked;                /* it said something, be it no more than a remark */
	bool silent;                  /* errors are heard, and nginx said none of it */
	bool silent_info;             /* so is a client that left */

	bool other_request; /* what it did next was another request, and no repetition of this */
	/* its worker ended right after, and had said before that it would; told by uc_facts_exit() */
	bool nginx_exited;
	bool exit_announced;
	/* a wait for the upstream against the timeout in force; told by uc_facts_timeout() */
	bool timer_fits;
	bool timer_excluded;

	/* the newest exchange */
	uint32_t number; /* 0: not known */
	bool reused;
	bool idle_known;
	uint64_t idle_ns;
	uint64_t waited_ns;  /* from the request's last send to the end */
	uint64_t stalled_ns; /* from the last byte either way to the end */
	struct uc_request_head request;
	uint64_t request_bytes;
	bool body_begun;  /* some of a request's body was written */
	bool out_stuck;   /* bytes that nginx had written were not acknowledged when it closed */
	bool in_stuck;    /* bytes had come that nginx left unread for as long as timeouts are */
	bool request_cut; /* known: nginx had not yet sent all of it */
	bool unacked_known;
	uint32_t unacked_bytes; /* of this request, when the peer's close arrived (or nginx closed) */
	bool sent_after_fin;    /* the request was written after the FIN had arrived */
	struct uc_response_head response;
	enum uc_response_state response_state;
	uint64_t response_bytes;
	bool accel_redirect;    /* its header has X-Accel-Redirect */
	bool response_short;    /* bytes of it are missing for certain */
	uint64_t missing_bytes; /* BODY with a Content-Length */
	bool chunks_invalid;    /* BODY: what came is no chunk */
	bool end_unseen;        /* the peer closed, and nginx closed without having looked */
	bool read_error;        /* nginx got an error from reading */
	bool pooled;            /* nginx held it in its idle pool when it ended */
	bool persistent;        /* both sides meant to keep the connection */
	uint32_t unread_by_nginx;

	/* the upstream's end when it closed; only with upstream */
	bool upstream_closed; /* by close() or exit, not by a reset or nginx's FIN */
	bool closed_alive;    /* upstream_closed by a process that was not ending */
	bool unaccepted;      /* upstream_closed with its listener: nobody had accepted it */
	bool window_shut;     /* nginx had stopped reading, and the upstream could not write */
	bool got_none;        /* no byte of the request had arrived */
	bool read_none;       /* the application had read no byte of it */
	uint32_t unread_bytes;
};

/* heads must be those of pair->nginx; *ret points into pair. */
void uc_facts(const struct uc_pair *pair, struct uc_facts *ret);

/*
 * The worker that closed it ended at that time, which was after its close. announced_ns:
 * when it said that it shuts down, or 0; what it had closed before that it closed for
 * another reason.
 */
void uc_facts_exit(struct uc_facts *f, uint64_t exit_ns, uint64_t announced_ns);
/* The timeout of nginx's configuration that such a wait would be of. */
void uc_facts_timeout(struct uc_facts *f, int64_t timeout_ms);

/*
 * For a connection that the upstream closed while idle, or raced: how long it
 * had been idle then, by the upstream's own end where that is known. 0 where
 * that cannot be told, or where the process was ending and no timeout fired.
 */
uint64_t uc_facts_upstream_idle(const struct uc_facts *f);

#endif
