/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what was seen on the connections of a probe to what it says of the server.
 * Times are of one clock that never steps back, in ns.
 */
#ifndef UPCLOSE_CORE_MEASURE_H
#define UPCLOSE_CORE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vocabulary.h"

/* What a connection is opened for. */
enum uc_trial {
	UC_TRIAL_IDLE,       /* one request, then nothing */
	UC_TRIAL_REQUESTS,   /* one request after the other */
	UC_TRIAL_HTTP10,     /* HTTP/1.0 with Connection: keep-alive, then a second request */
	UC_TRIAL_CLOSING,    /* Connection: close; a byte after the FIN */
	UC_TRIAL_HALF_CLOSE, /* one request and our FIN right behind it */
	UC_TRIAL_EARLY,      /* a request whose body is sent slowly */
	UC_TRIAL_SILENT,     /* nothing is sent */
	UC_TRIAL_HALF_HEADER,
	UC_TRIAL_HALF_BODY,
	UC_TRIAL_COUNT
};

/* One connection. A time is 0 where that did not happen. */
struct uc_observation {
	enum uc_trial trial;
	uint64_t opened_ns;   /* TCP, and TLS where there is TLS */
	uint64_t sent_ns;     /* the last byte that we sent (HALF_CLOSE: our FIN) */
	uint64_t answered_ns; /* the last byte of the newest complete answer */
	uint64_t ended_ns;    /* the server's FIN or RST */
	uint64_t watched_ns;  /* until when it was watched */
	enum uc_close close;  /* NONE: still open when it was no longer watched */
	unsigned answers;     /* complete ones */
	unsigned status;      /* of the newest answer to a request; 0: none */
	unsigned late;        /* IDLE: of an answer that nobody asked for, such as 408; 0: none */
	bool cut;             /* we ended it before its time was up */
	bool said_close;      /* the newest complete answer ends its connection */
	bool whole;           /* EARLY: all of the request was sent before the answer */
	bool reset_behind;    /* CLOSING, EARLY: a RST came for what we sent after FIN or answer */
	bool poked;           /* CLOSING: the byte after the FIN was sent and watched long enough */
};

/* Durations of several connections that closed. count 0: the rest means nothing. */
struct uc_stats {
	unsigned count;
	uint64_t median_ns, min_ns, max_ns;
};

/* Sorts the durations. Of an even count the lower of the two middle ones. */
struct uc_stats uc_stats_of(uint64_t *durations_ns, size_t count);

/* Connections of one kind, at most. */
#define UC_SAMPLES_MAX 32

/* How long the server waits after an answer. */
struct uc_measured_idle {
	bool known;
	bool kept_alive; /* no answer said that its connection ends */
	struct uc_stats stats;
	unsigned tried;       /* connections that got their answer */
	unsigned unanswered;  /* and those that got none */
	uint64_t at_least_ns; /* of the connections still open, the least time watched; 0: none */
	enum uc_close close;  /* of all that closed; NONE where they differ */
	unsigned late;        /* status of an answer that came with a close, such as 408; 0: none */
};

/* What becomes of a request that does not go on. */
struct uc_measured_wait {
	bool known;
	uint64_t after_ns; /* from our last byte, or the opening, to the answer or the end */
	bool over;         /* false: after_ns is a lower bound, nothing had happened */
	unsigned status;   /* answered with; 0: no answer */
	enum uc_close close;
};

struct uc_measured {
	struct uc_measured_idle idle;
	struct uc_measured_wait silent, half_header, half_body;
	struct {
		bool known;
		unsigned count; /* answers on one connection */
		bool exact;     /* false: it would have gone on */
		bool said_close;
		enum uc_close close;
	} requests;
	struct {
		bool known, kept_alive;
	} http10;
	struct {
		bool known;
		bool lingers; /* takes what comes after its FIN without a reset */
		enum uc_close close;
	} closing;
	struct {
		bool known, answered;
	} half_close;
	struct {
		bool known;
		bool answered;   /* before all of the body had been sent */
		unsigned status; /* 0: no answer at all */
		bool reset;      /* a RST for the rest of the body */
	} early;
};

void uc_measure(const struct uc_observation *seen, size_t count, struct uc_measured *ret);

#endif
