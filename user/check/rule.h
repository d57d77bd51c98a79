/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the rules: what each is given, and the findings, words and numbers that it makes. */
#ifndef UPCLOSE_CHECK_RULE_H
#define UPCLOSE_CHECK_RULE_H

#include "check/rules.h"

struct uc_nginx_stream;

struct uc_judge {
	struct uc_judge_config cfg;
	struct uc_check_contract *contracts;
	size_t contract_count, contract_room;
	struct uc_finding *findings;
	size_t finding_count, finding_room, left_out;
	const struct uc_nginx_stream *streams; /* of stream{} */
	size_t stream_count;
	const struct uc_rule *rule; /* whose turn it is */
	bool no_memory;
};

/* Each is a row of the table in rules.c. */
void uc_rule_idle_race(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_idle_race_after_upgrade(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_keepalive_not_effective(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_connection_upgrade_always(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_retry_multiplies(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_retry_non_idempotent(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_unbuffered_no_retry(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_timeout_shorter(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_timeout_chain(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_balancer_race(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_header_buffer_small(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_no_resolver(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_websocket_timeout(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_auth_request_body(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_upstream_port(struct uc_judge *j, const struct uc_check_contract *c);
void uc_rule_policy_required(struct uc_judge *j, const struct uc_check_contract *c);

/* Of the configuration as a whole, once. */
void uc_rule_template(struct uc_judge *j);
void uc_rule_value_invalid(struct uc_judge *j);
void uc_rule_resolved_once(struct uc_judge *j);
void uc_rule_stream_timeout(struct uc_judge *j);
void uc_rule_proxy_protocol(struct uc_judge *j);
void uc_rule_max_fails(struct uc_judge *j);
void uc_rule_no_zone(struct uc_judge *j);

/*
 * A new finding of the rule whose turn it is, to be filled. NULL: there is nothing to fill,
 * as the same was found at another place already, or there is no room.
 */
struct uc_finding *uc_rule_found(struct uc_judge *j, enum uc_severity severity,
				 const struct uc_nginx_directive *at,
				 const struct uc_nginx_place *place,
				 const struct uc_nginx_server *server);
/* What that rule has found there, or NULL. */
struct uc_finding *uc_rule_known(struct uc_judge *j, const struct uc_rule *rule,
				 const struct uc_nginx_directive *at,
				 const struct uc_nginx_server *server);

/* The finding is of this place, too. */
void uc_rule_also(struct uc_finding *f, const struct uc_nginx_place *place);
/* The first finding of the rule whose turn it is, or NULL. */
struct uc_finding *uc_rule_first(struct uc_judge *j);

/* Appends to one of a finding's texts. */
__attribute__((format(printf, 2, 3))) void uc_rule_say(char text[UC_FINDING_TEXT], const char *fmt,
						       ...);

/* The next of its two numbers; the format says where it comes from. */
__attribute__((format(printf, 5, 6))) void
uc_rule_figure(struct uc_finding *f, const char *of, int64_t n, bool time, const char *fmt, ...);
/* A number of nginx's: "WHAT at FILE:3:5", or "WHAT by default in nginx 1.22.1". */
void uc_rule_nginx_figure(const struct uc_judge *j, struct uc_finding *f,
			  const struct uc_nginx_value *v, const char *what, bool time);
/* The same of a setting of the place, by its name. */
void uc_rule_setting_figure(const struct uc_judge *j, struct uc_finding *f,
			    const struct uc_nginx_place *p, enum uc_nginx_setting s, bool time);

struct uc_rule_text {
	char s[UC_TIMEOUTS_ADDR];
};

/* For sentences; the names are escaped. */
struct uc_rule_text uc_time_text(int64_t ms);
struct uc_rule_text uc_addr_text(const struct uc_nginx_server *s);
struct uc_rule_text uc_group_text(const struct uc_nginx_group *g);
struct uc_rule_text uc_place_text(const struct uc_judge *j, const struct uc_nginx_directive *d);
struct uc_rule_text uc_version_text(uint32_t version);

struct uc_edit_line {
	char s[UC_EDIT_TEXT];
};

/* "proxy_read_timeout 5s;"; prefix "" for a directive of no protocol. */
struct uc_edit_line uc_edit_time_line(const char *prefix, const char *name, int64_t ms);

/* Of the place's own connections, or of those that others left for it. */
enum uc_race uc_rule_race(const struct uc_nginx_place *p, const struct uc_idle *idle);
/* Possible, if only narrowly. */
bool uc_rule_races(enum uc_race r);
/* A change that makes keep-alive effective must not make a race possible: adds what is against it. */
void uc_rule_keep_clear_of_race(const struct uc_judge *j, struct uc_finding *f,
				const struct uc_nginx_place *p);

#endif
