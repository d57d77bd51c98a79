/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an incident came to, gathered from the objects that trace and replay
 * print: JSON is the contract, so a file of it serves as well as a recording.
 */
#ifndef UPCLOSE_OUTPUT_INCIDENT_H
#define UPCLOSE_OUTPUT_INCIDENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Verdicts with their proofs, and addresses, that are told apart; the rest is counted with the last. */
#define UC_INCIDENT_CAUSES    64
#define UC_INCIDENT_ADDRESSES 8

struct uc_incident_address {
	char text[80];
	uint64_t count;
	json_t *newest; /* its advice knows what was learned of this upstream */
};

/* Flagged connections of one verdict and proof. */
struct uc_incident_cause {
	char verdict[32];
	char proof[32];
	uint64_t count;
	uint64_t proven;
	uint64_t retried;
	uint64_t client_errors;
	struct uc_incident_address at[UC_INCIDENT_ADDRESSES];
	size_t addresses;
	json_t *example; /* one of which most is known */
};

struct uc_incident {
	uint64_t flagged;         /* objects that were */
	uint64_t healthy;         /* objects that were not; a recording's are only in the summary */
	char first[40], last[40]; /* times of the flagged; empty: none */
	struct uc_incident_cause cause[UC_INCIDENT_CAUSES];
	size_t causes;
	json_t *summary; /* NULL: none came */
};

/*
 * Takes one object, which stays the caller's. 0; -EINVAL: no object of upclose;
 * -EPROTO: of a schema that this program does not know; -EEXIST: a second
 * summary, so that there are several traces. Other kinds than
 * connections and summaries are left alone.
 */
int uc_incident_add(struct uc_incident *i, json_t *o);

/* Orders the causes, and the addresses of each, the most frequent first. */
void uc_incident_rank(struct uc_incident *i);

void uc_incident_clear(struct uc_incident *i);

/* A member as text or number; "" and 0 where it is none. */
const char *uc_incident_text(const json_t *o, const char *name);
uint64_t uc_incident_number(const json_t *o, const char *name);

#endif
