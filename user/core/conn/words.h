/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nginx's own words: what it says in its error log, as a record of
 * ngx_log_error_core() or as a line that was written. One table names both: a
 * row for each message about an upstream, and about a client that ends nginx's
 * attempt at one, in nginx 1.18 and later (words_rows.c). Other words are kept as
 * they are, with the kind OTHER. Both sources are hostile text.
 */
#ifndef UPCLOSE_CORE_WORDS_H
#define UPCLOSE_CORE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* Part of a text that is another's, without a NUL; p is NULL where there is none. */
struct uc_slice {
	const char *p;
	size_t len;
};

/* What a kind of words says of the attempt at an upstream. */
enum uc_words_means {
	UC_MEANS_NOTHING,        /* a remark: the attempt goes on, or is over without a fault */
	UC_MEANS_CLOSED,         /* the upstream closed before its response was whole */
	UC_MEANS_TIMED_OUT,      /* nginx waited as long as its directive allows */
	UC_MEANS_REJECTED,       /* nginx did not accept what the upstream sent */
	UC_MEANS_CONNECT_FAILED, /* no connection came about */
	UC_MEANS_BROKEN,         /* reading from it or writing to it failed */
	UC_MEANS_TLS_FAILED,     /* no TLS session came about */
	UC_MEANS_STREAM_RESET,   /* the upstream reset, refused or cut short the HTTP/2 stream */
	UC_MEANS_CLIENT_GONE,    /* nginx's client left, or is sent away */
	UC_MEANS_CLIENT_SLOW,    /* nginx's client sent or took nothing for too long */
	UC_MEANS_NO_CONNECTION,  /* no upstream was tried */
	UC_MEANS_OTHER
};

/* KIND(identifier, name in JSON and metrics, what it means): what nginx says by it. */
/* clang-format off */
#define UC_WORDS_KINDS(KIND)                                                                                      \
	KIND(OTHER, "other", OTHER)                                     /* what has no row */                       \
	KIND(UPSTREAM_CLOSED, "upstream_closed", CLOSED)                /* FIN before the response was whole */     \
	KIND(UPSTREAM_TIMED_OUT, "upstream_timed_out", TIMED_OUT)       /* proxy_connect_timeout, _read_, _send_ */ \
	KIND(HEADER_TOO_BIG, "header_too_big", REJECTED)                /* proxy_buffer_size */                     \
	KIND(HEADER_INVALID, "header_invalid", REJECTED)                                                            \
	KIND(CONNECT_FAILED, "connect_failed", CONNECT_FAILED)          /* connect() */                             \
	KIND(RECV_FAILED, "recv_failed", BROKEN)                        /* recv(), readv(), SSL_read() */           \
	KIND(SEND_FAILED, "send_failed", BROKEN)                        /* send(), writev(), SSL_write() */         \
	KIND(TLS_HANDSHAKE_FAILED, "tls_handshake_failed", TLS_FAILED)  /* by OpenSSL */                            \
	KIND(CLIENT_CLOSED, "client_closed", CLIENT_GONE)               /* or cancelled its stream */               \
	KIND(CLIENT_TIMED_OUT, "client_timed_out", CLIENT_SLOW)         /* client_body_timeout, send_timeout */     \
	KIND(NO_LIVE_UPSTREAMS, "no_live_upstreams", NO_CONNECTION)                                                 \
	KIND(RESOLVER_FAILED, "resolver_failed", NO_CONNECTION)         /* a name has no address */                 \
	KIND(FASTCGI_STDERR, "fastcgi_stderr", NOTHING)                 /* the application's own text */            \
	KIND(RESET_UNSENT, "reset_before_request", BROKEN)              /* before nginx wrote its request */        \
	KIND(TLS_CLOSED, "tls_closed", TLS_FAILED)                      /* the peer left the handshake */           \
	KIND(TLS_CERTIFICATE, "tls_certificate_rejected", TLS_FAILED)   /* proxy_ssl_verify, proxy_ssl_name */      \
	KIND(TLS_SHUTDOWN_FAILED, "tls_shutdown_failed", NOTHING)       /* after the exchange */                    \
	KIND(STREAM_RESET, "stream_reset", STREAM_RESET)                /* RST_STREAM */                            \
	KIND(GOAWAY, "goaway", STREAM_RESET)                            /* GOAWAY below this stream */              \
	KIND(STREAM_CLOSED, "stream_closed", STREAM_RESET)              /* END_STREAM before the response's end */  \
	KIND(BODY_INVALID, "body_invalid", REJECTED)                    /* a bad chunk, more than was announced */  \
	KIND(TRAILER_INVALID, "trailer_invalid", REJECTED)                                                          \
	KIND(RESPONSE_TOO_EARLY, "response_too_early", REJECTED)        /* before nginx's request */                \
	KIND(UPGRADE_REFUSED, "upgrade_refused", REJECTED)              /* 101 in a subrequest */                   \
	KIND(FASTCGI_INVALID, "fastcgi_invalid", REJECTED)              /* a record of FastCGI */                   \
	KIND(HTTP2_INVALID, "http2_invalid", REJECTED)                  /* a frame of HTTP/2 */                     \
	KIND(MEMCACHED_INVALID, "memcached_invalid", REJECTED)                                                      \
	KIND(SLICE_INVALID, "slice_invalid", REJECTED)                  /* not the range that was asked for */      \
	KIND(STATUS_LINE_INVALID, "status_line_invalid", NOTHING)       /* passed on as HTTP/0.9 */                 \
	KIND(HEADER_IGNORED, "header_ignored", NOTHING)                                                             \
	KIND(SURPLUS_DATA, "surplus_data", NOTHING)                     /* behind the response's end */             \
	KIND(EARLY_HINTS_TOO_BIG, "early_hints_too_big", NOTHING)                                                   \
	KIND(MEMCACHED_MISS, "memcached_miss", NOTHING)                 /* a 404 */                                 \
	KIND(AUTH_REQUEST_STATUS, "auth_request_status", NOTHING)       /* not 2xx, 401 or 403 */                   \
	KIND(SERVER_DISABLED, "server_disabled", NOTHING)               /* max_fails: for fail_timeout */           \
	KIND(NOT_RETRIED, "not_retried", NOTHING)                       /* part of what was to be sent again is */  \
	                                                                /* with the server that failed */           \
	KIND(ADDRESS_INVALID, "address_invalid", NO_CONNECTION)         /* of proxy_pass, with its variables */     \
	KIND(REQUEST_INVALID, "request_invalid", NO_CONNECTION)         /* nginx's own to the upstream */           \
	KIND(SOCKET_FAILED, "socket_failed", NO_CONNECTION)             /* socket(), bind() of proxy_bind */        \
	KIND(WORKER_CONNECTIONS, "worker_connections", NO_CONNECTION)   /* are not enough */                        \
	KIND(CONNECTIONS_REUSED, "connections_reused", NOTHING)         /* worker_connections: idle ones are shut */\
	KIND(BUFFERED_TO_FILE, "buffered_to_file", NOTHING)             /* more than proxy_buffers hold */          \
	KIND(CLIENT_UNHEEDED, "client_closed_unheeded", NOTHING)        /* the response is read on for a cache */   \
	KIND(RESOLVER_TROUBLE, "resolver_trouble", NOTHING)             /* with one answer or name server */        \
	KIND(GROUP_REMARK, "group_remark", NOTHING)                     /* of an upstream{}: zone, sticky */        \
	KIND(STREAM_PROGRESS, "stream_progress", NOTHING)               /* stream{}: connected, disconnected */     \
	KIND(WORKER_SHUTDOWN, "worker_shutdown", NOTHING)               /* an old worker ends, with what it has */  \
	KIND(PROCESS_EXITED, "process_exited", NOTHING)                 /* the master: a worker crashed */          \
	KIND(LIMITED, "limited", OTHER)                                 /* limit_req, limit_conn */                 \
	KIND(CLIENT_BODY_TOO_LARGE, "client_body_too_large", OTHER)     /* client_max_body_size */                  \
	KIND(CLIENT_BODY_INVALID, "client_body_invalid", CLIENT_GONE)                                                    \
	KIND(CLIENT_PROTOCOL_ERROR, "client_protocol_error", CLIENT_GONE) /* HTTP/2, HTTP/3: nginx ends them all */
/* clang-format on */

#define UC_WORDS_ENUM(id, name, means) UC_WORDS_##id,
enum uc_words_kind { UC_WORDS_KINDS(UC_WORDS_ENUM) UC_WORDS_KIND_MAX };
#undef UC_WORDS_ENUM

/* NGX_LOG_ERR and NGX_LOG_INFO of nginx's src/core/ngx_log.h; smaller is worse. */
enum { UC_WORDS_ERROR = 4, UC_WORDS_INFO = 7 };

/* No bound: in the newest release that was read. */
#define UC_WORDS_NEWEST UINT32_MAX

/* One message of nginx. Versions as nginx counts them: 1022001 is 1.22.1. */
struct uc_words_row {
	enum uc_words_kind kind;
	const char *format; /* as ngx_log_error_core() gets it, or as it is written: see source */
	const char *
		action; /* what nginx was doing; NULL: whatever it was, but for rows that name it */
	const char *source; /* below src/ */
	uint32_t from, to;  /* the first release with it and the last one */
};

/* In the order of strcmp() of their formats, of one format those with an action first. */
extern const struct uc_words_row uc_words_rows[];
extern const size_t uc_words_row_count;

/* A record, with its texts ended and its kind looked up. */
struct uc_words {
	uint64_t ts_ns;
	uint32_t worker; /* tgid */
	uint64_t client; /* nginx's number of its client's connection; 0: none */
	uint64_t read_id;
	unsigned level, log_level; /* nginx's: 1 emerg to 8 debug */
	int err;
	enum uc_words_kind kind;
	char format[UC_WORDS_FORMAT];
	char action[UC_WORDS_ACTION];
};

void uc_words_read(const struct uc_rec_words *rec, struct uc_words *ret);

/*
 * The kind of a message by its format, as nginx's source has it, what nginx was
 * doing ("" or NULL: nothing said) and the errno with it, or 0. What is behind the
 * length of a record's texts is not compared.
 */
enum uc_words_kind uc_words_find(const char *format, const char *action, int err);

/*
 * The same of a message as it is written: from behind the connection's number up to
 * ", client: " or the end. *ret_err: the errno that it ends with, or 0; *ret_action:
 * part of text.
 */
enum uc_words_kind uc_words_match(const char *text, size_t len, int *ret_err,
				  struct uc_slice *ret_action);

/*
 * nginx reports a client's connection at info and an upstream's at error: says
 * whose a failed read or write was where the message does not.
 */
enum uc_words_kind uc_words_at_level(enum uc_words_kind k, unsigned level);

/* "upstream_closed"; "other" for a kind that is none. */
const char *uc_words_kind_name(enum uc_words_kind k);
/* UC_MEANS_OTHER for a kind that is none. */
enum uc_words_means uc_words_means(enum uc_words_kind k);

/* Worth an event of its own where it belongs to no connection that is followed. */
bool uc_words_about_upstream(const struct uc_words *w);

/* "error"; nginx's src/core/ngx_log.h, err_levels. "invalid" for another number. */
const char *uc_words_level_name(unsigned level);
/* The number of "error"; 0 for another name. */
unsigned uc_words_level(const char *name, size_t len);

#endif
