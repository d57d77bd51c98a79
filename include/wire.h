/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire between the kernel side and userspace: what one ring-buffer record
 * holds. The same bytes are stored in recordings, so a change of layout needs a
 * new UC_WIRE_VERSION. Everything is in host byte order; a recording names its
 * byte order in its file header.
 *
 * Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). 0 means "never".
 * Sequence numbers are raw 32-bit TCP sequence numbers as in struct tcp_sock.
 */
#ifndef UPCLOSE_WIRE_H
#define UPCLOSE_WIRE_H

#ifndef __bpf__
#include <assert.h>
#include <stddef.h>
#include <linux/types.h>
#endif

#define UC_WIRE_VERSION 3

#define UC_COMM_LEN 16
/* Newest events kept per connection end; a power of two. */
#define UC_EVENTS 32
/* The request head holds the request line and nginx's own first header lines. */
#define UC_REQUEST_HEAD 512 /* on TLS the ClientHello stays */
/*
 * nginx refuses a response header larger than proxy_buffer_size, one page by
 * default; the end of nearly every header lies within this. Together with the
 * rest of struct uc_heads it fills one 4 KiB object of the kernel's allocator.
 */
#define UC_RESPONSE_HEAD 3328
#define UC_RESPONSE_TAIL 8

/* Append only: recordings hold these numbers. */
enum uc_rec_kind {
	UC_REC_NGINX_END = 1,    /* struct uc_rec_nginx */
	UC_REC_UPSTREAM_END = 2, /* struct uc_rec_upstream */
	UC_REC_PROC = 3,         /* struct uc_rec_proc */
	UC_REC_FOLLOWUP = 4,     /* struct uc_rec_followup */
	UC_REC_EXIT = 5,         /* struct uc_rec_proc: that process began to end */
	UC_REC_WORDS = 6,        /* struct uc_rec_words */
	UC_REC_EXEC = 7,         /* struct uc_rec_proc: it began another program; never recorded */
	UC_REC_ATTEMPT = 8,      /* struct uc_rec_attempt */
	UC_REC_KIND_MAX
};

struct uc_rec_hdr {
	__u16 version; /* UC_WIRE_VERSION */
	__u16 kind;    /* enum uc_rec_kind */
	__u32 size;    /* of the whole record, this header included */
	__u64 ts_ns;   /* when it was sent */
};

/* KIND(number, name in JSON). Append only: recordings hold these numbers, 1 and on. */
#define UC_EVENT_KINDS(KIND)                                                                       \
	KIND(UC_EV_CONNECT, "connect")          /* CLOSE to SYN_SENT */                            \
	KIND(UC_EV_ESTABLISHED, "established")  /* the handshake is done */                        \
	KIND(UC_EV_ADOPTED, "adopted")          /* it existed already when upclose started */      \
	KIND(UC_EV_SEND, "send")                /* the socket took bytes; neighbours are merged */ \
	KIND(UC_EV_RECV, "receive")             /* bytes were read; neighbours are merged */       \
	KIND(UC_EV_EOF, "eof")                  /* the application read the end of file */         \
	KIND(UC_EV_FIN, "fin_received")         /* the peer's FIN arrived */                       \
	KIND(UC_EV_RST, "rst_received")         /* the peer's reset arrived */                     \
	KIND(UC_EV_CLOSE, "close")              /* close() or shutdown() of this end */            \
	KIND(UC_EV_ABORT, "abort")              /* the kernel ended it; err says why */            \
	KIND(UC_EV_RETRANSMIT, "retransmit")    /* this end sent a segment again */                \
	KIND(UC_EV_SEND_ERROR, "send_error")    /* a send failed with err */                       \
	KIND(UC_EV_RECV_ERROR, "receive_error") /* a receive failed with err */                    \
	KIND(UC_EV_PEEK, "peek")                /* nginx looked at it in its idle pool */          \
	KIND(UC_EV_ICMP, "icmp") /* an ICMP message rejected it; err is what it says */

#define UC_NAMED(number, name) number,

enum uc_event_kind { UC_EV_NONE, UC_EVENT_KINDS(UC_NAMED) UC_EV_MAX };

struct uc_event {
	__u64 ts_ns;   /* of the first of the merged events */
	__u64 last_ns; /* of the last of them */
	/* the socket's numbers after the (last) event */
	__u32 write_seq;
	__u32 snd_una;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 bytes;    /* sent or received by this event; saturates */
	__u16 count;    /* events merged into this one, at least 1; saturates */
	__u8 kind;      /* enum uc_event_kind */
	__u8 state;     /* TCP state at the event, the kernel's number */
	__u32 exchange; /* number of the exchange it belongs to, 0 before the first */
	__s32 err;      /* positive errno, or 0 */
};

/* Local and remote as the end itself sees them; IPv4 is stored IPv4-mapped. */
struct uc_tuple {
	__u8 local_addr[16];
	__u8 remote_addr[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 family; /* AF_INET or AF_INET6 */
	__u16 reserved;
	__u32 netns; /* inode number of the network namespace */
	__u32 reserved2;
};

#define UC_TASK_EXITING    0x1 /* PF_EXITING: the process was ending */
#define UC_TASK_KTHREAD    0x2 /* PF_KTHREAD: not the application itself */
#define UC_TASK_OOM        0x4 /* signal->oom_mm: chosen by the OOM killer */
#define UC_TASK_GROUP_EXIT 0x8 /* exit_code is the whole group's */

/* A process; pids are those of the initial pid namespace. */
struct uc_task {
	__u32 tgid; /* 0: not known */
	__u32 tid;
	__u64 start_ns;  /* boot time at which the process started */
	__u64 cgroup_id; /* cgroup v2 id, 0 where not known */
	char comm[UC_COMM_LEN];
	__u32 flags;     /* UC_TASK_* */
	__s32 exit_code; /* as in wait(2): low 7 bits signal, next byte exit status */
};

/* The socket's numbers at one moment. */
struct uc_snap {
	__u64 ts_ns; /* 0: the moment did not come */
	__u32 write_seq;
	__u32 snd_una;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_wnd;
	__s32 err; /* sk_err, positive errno */
};

/*
 * The newest exchange, by this end's own view. For nginx's end "out" is the
 * request and "in" the response; for the upstream's end the other way round.
 */
struct uc_exchange {
	__u32 number;  /* 1 for the connection's first that was seen, 0 for none */
	__u32 out_seq; /* sequence number of the first byte sent in it */
	__u32 in_seq;  /* sequence number of the first byte received in it */
	__u32 attempt; /* nginx's end: n-th attempt at the same client request; 0: not a repetition */
	__u64 idle_ns; /* from the last activity to its first byte; 0 for the first */
	__u64 out_first_ns;
	__u64 out_last_ns;
	__u64 in_first_ns;
	__u64 in_last_ns;
	__u64 out_bytes;
	__u64 in_bytes;
	__u64 after_id; /* attempt > 1: id of the connection whose failure it follows */
};

#define UC_CONN_ADOPTED      0x01  /* existed when upclose started; its past is unseen */
#define UC_CONN_WAITING      0x02  /* adopted: its last segment with data was one that it sent */
#define UC_CONN_REUSED       0x04  /* adopted: had carried data both ways before */
#define UC_CONN_PEER_TRACKED 0x08  /* the other end is on this host and tracked */
#define UC_CONN_NGINX        0x10  /* nginx's end, not the upstream's */
#define UC_CONN_SHIPPED      0x20  /* its record was sent; set in every record */
#define UC_CONN_TLS          0x40  /* nginx began with a TLS handshake, which is exchange 0 */
#define UC_CONN_PEEKED       0x80  /* nginx looked at it in its idle pool */
#define UC_CONN_FOLLOWUP     0x100 /* what its worker did next is told by a UC_REC_FOLLOWUP */
#define UC_CONN_HTTP2        0x200 /* nginx began with the preface of HTTP/2: turns are no exchanges */
#define UC_CONN_AT_ONCE      0x400  /* nginx closed it as the very next act after reading from it */
#define UC_CONN_UNACCEPTED   0x800  /* its listener was closed while it was in the accept queue */
#define UC_CONN_TORN         0x1000 /* two hooks wrote events at once, which may have lost one */
#define UC_CONN_CLIENT       0x2000 /* the upstream is an nginx, too: a client's connection there */

/*
 * What each send and receive touches comes first: with the 8 bytes that the
 * kernel's socket storage puts before it, it lies in two cache lines.
 */
struct uc_conn {
	__u32 flags;       /* UC_CONN_* */
	__u32 events;      /* recorded in all; more than UC_EVENTS: the log wrapped */
	__u64 activity_ns; /* newest data sent or received */
	struct uc_exchange x;
	__u64 id;           /* when its log began; no two of a worker have the same */
	__u16 kernel_live;  /* for BPF programs alone: its upstream's slot in live.h */
	__u8 kernel_newest; /* for them alone: kind of the newest event, unless two came at once */
	__u8 reserved[5];
	struct uc_task owner; /* nginx: who connected; upstream: who last used it */
	__u64 key; /* the client's snd_una << 32 | rcv_nxt when established; joins both ends */
	__u64 open_ns;
	__u64 established_ns;
	struct uc_tuple tuple;
	struct uc_task closer; /* who closed this end; tgid 0 when nobody did */
	struct uc_snap peer;   /* when the peer's FIN or reset arrived */
	struct uc_snap end;    /* when this end was closed, or the kernel ended it */
	__u32 retransmits;     /* segments sent again, SYN included */
	__u8 peer_closed;      /* 0, UC_EV_FIN or UC_EV_RST: how the peer's close arrived first */
	__u8 end_state;        /* TCP state that this end left by its close, 0: no local close */
	__u16 reserved2;
	struct uc_event ev[UC_EVENTS]; /* event n is at n % UC_EVENTS */
};

/* What nginx's worker had to do with its clients when it closed this end. */
struct uc_clients {
	__u64 last_recv_ns; /* newest read of this worker from any client */
	__u64 last_gone_ns; /* newest FIN or reset from a client of this worker */
	__s32 gone;         /* clients that left and whose socket the worker still held */
	__u32 known;        /* 0: this worker's client sockets are not seen at all */
};

struct uc_heads {
	__u32 request_len;
	__u32 response_len;
	__u32 response_gap; /* 1: later response bytes are not in the head */
	__u32 tail_len;     /* 0 to UC_RESPONSE_TAIL */
	/* the newest bytes of the response; the last tail_len of tail are valid */
	__u8 tail[UC_RESPONSE_TAIL];
	__u8 request[UC_REQUEST_HEAD];
	__u8 response[UC_RESPONSE_HEAD];
};

struct uc_rec_nginx {
	struct uc_rec_hdr hdr;
	struct uc_conn conn;
	struct uc_task peer; /* the process that used the other end; tgid 0: not known */
	struct uc_clients clients;
	struct uc_heads heads;
};

struct uc_rec_upstream {
	struct uc_rec_hdr hdr;
	struct uc_conn conn;
};

/* A process that serves upstream sockets: at first sight of it (PROC), and when it ends (EXIT). */
struct uc_rec_proc {
	struct uc_rec_hdr hdr;
	struct uc_task task;
};

enum uc_followup {
	UC_FOLLOWUP_RETRIED =
		1, /* it began another attempt, on a connection of its own or a new one */
	UC_FOLLOWUP_ANSWERED,      /* that attempt got its first response bytes: head */
	UC_FOLLOWUP_CLIENT_SENT,   /* it wrote to a client: head */
	UC_FOLLOWUP_CLIENT_CLOSED, /* it closed a client's connection */
	UC_FOLLOWUP_MAX
};

#define UC_FOLLOWUP_HEAD 16

/*
 * What nginx's worker did next after a failed attempt. nginx handles a failure
 * to its end before it turns to anything else, so the worker's next act on a
 * socket belongs to the same client request.
 */
struct uc_rec_followup {
	struct uc_rec_hdr hdr;
	__u64 of_id;   /* the failed attempt's connection */
	__u64 next_id; /* RETRIED, ANSWERED: the next attempt's connection */
	__u32 worker;  /* tgid */
	__u16 what;    /* enum uc_followup */
	__u16 remote_port;
	__u8 remote_addr[16]; /* RETRIED, ANSWERED */
	__u16 family;
	__u16 head_len;
	__u32 client_gone;           /* CLIENT_*: 1: that client had left before */
	__u8 head[UC_FOLLOWUP_HEAD]; /* the first bytes, where they could be read */
};

#define UC_ATTEMPT_HEAD 128

/*
 * A worker's next attempt sends its request: of_id and next_id as in the followup that
 * said so. Another method or target is another request, and no repetition.
 */
struct uc_rec_attempt {
	struct uc_rec_hdr hdr;
	__u64 of_id;
	__u64 next_id;
	__u8 remote_addr[16];
	__u16 remote_port;
	__u16 family;
	__u32 head_len; /* of the request's kept head, of which the first bytes are here */
	__u8 head[UC_ATTEMPT_HEAD];
};

#define UC_WORDS_FORMAT 160
#define UC_WORDS_ACTION 64

/*
 * What a worker of nginx said by ngx_log_error_core() (src/core/ngx_log.c), the
 * moment before it goes on. The arguments of the format are not read: they may
 * hold what a client or an application sent.
 */
struct uc_rec_words {
	struct uc_rec_hdr hdr;
	__u32 worker; /* tgid */
	__u32 tid;
	__u64 client; /* nginx's number of its client's connection, *N in its log; 0: none */
	__u64 read_id; /* the upstream connection that it read from last, and from no client since; 0 */
	__s32 err;     /* errno that it reports, or 0 */
	__u8 level;     /* src/core/ngx_log.h: 1 emerg to 4 error, 5 warn, 7 info */
	__u8 log_level; /* the highest level that this log takes; 0: not known */
	__u16 reserved;
	char action[UC_WORDS_ACTION]; /* "reading response header from upstream", or "" */
	char format[UC_WORDS_FORMAT]; /* as in nginx's source, what follows the NUL is noise; "": unreadable */
};

/* REASON(index of the per-CPU counters, name): why the kernel side could not keep something. */
#define UC_LOST_REASONS(REASON)                                                                    \
	REASON(UC_LOST_RING_FULL, "ring_full")         /* no room in the ring for a record */      \
	REASON(UC_LOST_NO_STORAGE, "no_storage")       /* a socket got no log */                   \
	REASON(UC_LOST_JOIN_FULL, "join_full")         /* the table of other ends took no entry */ \
	REASON(UC_LOST_REQUEST_HEAD, "request_head")   /* it could not be read */                  \
	REASON(UC_LOST_RESPONSE_HEAD, "response_head") /* it could not be read */                  \
	REASON(UC_LOST_HOOK, "hook")   /* not called, as it ran already on that CPU */             \
	REASON(UC_LOST_WORDS, "words") /* of nginx, not read in full */

enum uc_lost { UC_LOST_REASONS(UC_NAMED) UC_LOST_MAX };

/*
 * Few connection ends have many events or a long head, and a record of a
 * connection end is sent in the shortest form that holds what it has: the same
 * fields in the same order, with shorter arrays. The size tells the form.
 */
#define UC_UPSTREAM_FORMS(FORM) FORM(8) FORM(UC_EVENTS)
#define UC_NGINX_FORMS(FORM) \
	FORM(8, 256, 256)    \
	FORM(16, 512, 1536)  \
	FORM(UC_EVENTS, UC_REQUEST_HEAD, UC_RESPONSE_HEAD)

#define UC_CONN_SIZE(e)     (__builtin_offsetof(struct uc_conn, ev) + (e) * sizeof(struct uc_event))
#define UC_HEADS_SIZE(q)    (__builtin_offsetof(struct uc_heads, request) + (q))
#define UC_UPSTREAM_SIZE(e) (sizeof(struct uc_rec_hdr) + UC_CONN_SIZE(e))
#define UC_NGINX_SIZE(e, q, r)                                                      \
	(UC_UPSTREAM_SIZE(e) + sizeof(struct uc_task) + sizeof(struct uc_clients) + \
	 UC_HEADS_SIZE(q) + (r))

#ifndef __bpf__
static_assert(sizeof(struct uc_rec_hdr) == 16, "wire layout");
static_assert(sizeof(struct uc_event) == 48, "wire layout");
static_assert(sizeof(struct uc_tuple) == 48, "wire layout");
static_assert(sizeof(struct uc_task) == 48, "wire layout");
static_assert(sizeof(struct uc_snap) == 32, "wire layout");
static_assert(sizeof(struct uc_exchange) == 80, "wire layout");
static_assert(sizeof(struct uc_conn) == 16 + 80 + 16 + 48 + 24 + 48 + 48 + 64 + 8 + 48 * UC_EVENTS,
	      "wire layout");
static_assert(offsetof(struct uc_conn, owner.tgid) + 4 <= 2 * 64 - 8, "two cache lines");
static_assert(sizeof(struct uc_rec_words) == 16 + 32 + UC_WORDS_ACTION + UC_WORDS_FORMAT,
	      "wire layout");
static_assert((UC_EVENTS & (UC_EVENTS - 1)) == 0, "index is masked");
static_assert(UC_UPSTREAM_SIZE(UC_EVENTS) == sizeof(struct uc_rec_upstream), "the whole form");
static_assert(UC_NGINX_SIZE(UC_EVENTS, UC_REQUEST_HEAD, UC_RESPONSE_HEAD) ==
		      sizeof(struct uc_rec_nginx),
	      "the whole form");
#endif

#endif
