/*
 * TCP (RFC 9293), as socket/ and stack.c see it. The inside is tcp/tcp_conn.h.
 *
 * In:  hv_tcp_input() finds connection, listener or forwarder and runs the state machine.
 * Out: calls that create work mark the connection; hv_tcp_flush() (from haven_poll) sends it, so that one
 *      segment of up to 64 KiB and one acknowledgement stand for a whole batch.
 */
#ifndef HV_TCP_TCP_H
#define HV_TCP_TCP_H

#include <haven/forward.h>

#include "base/core.h"
#include "base/list.h"
#include "ip/ip.h"
#include "port/port.h"

struct hv_tcp_conn; /* a connection, any state but LISTEN, TIME-WAIT and a listener's SYN-RECEIVED */
struct hv_tcp_listener;
struct hv_filter_track;	      /* filter/filter_track.h */
struct hv_tcp_congestion_ops; /* tcp/tcp_congestion.h */
struct haven_request; /* a held connection request; tcp/tcp_request.c implements haven_request_* on it, public
			 * wrappers that need a socket are in socket/ */

enum hv_tcp_kind {
	HV_TCP_KIND_CONN,
	HV_TCP_KIND_HALF_OPEN,
	HV_TCP_KIND_TIME_WAIT,
	HV_TCP_KIND_REQUEST,
};
/* Lists of half-open records: by how often their SYN-ACK was retransmitted. */
enum { HV_TCP_HALF_OPEN_LISTS = 6 };

enum {
	HV_TCP_RETRIES_SYN = 7
}; /* RFC 9293 section 3.8.3 MUST-23: R2 of SYN is 3 minutes at least */

struct hv_tcp_config {
	uint32_t max_connections, max_half_open, max_time_wait, max_requests;
	uint32_t send_buffer_bytes, receive_buffer_bytes;
	uint64_t time_wait_ns;
	int congestion; /* of new connections: hv_tcp_congestion_number(); 0 is CUBIC */
	uint8_t ecn;	/* enum hv_tcp_ecn_mode */
	bool no_pacing;
	uint16_t packet_segments; /* tcp_pacing.c; 0: packets as large as they can be */
	bool no_timestamps, no_window_scaling, no_sack; /* not offered, not agreed to */
	uint32_t notsent_lowat; /* where TCP_NOTSENT_LOWAT is not set; 0: none */
	bool no_quick_acks; /* the first segments of a connection meet delayed ACKs like all others */
	uint8_t mtu_probing; /* RFC 4821: 0 never, 1 after a black hole, 2 always */
};

/* Up-calls, set by socket/. owner is what hv_tcp_set_owner() gave; NULL owners are not called. */
struct hv_tcp_events {
	void *ctx;
	/* events: HAVEN_EVENT_ bits that became true (level is asked with hv_tcp_events()). */
	void (*event)(void *ctx, void *owner, unsigned events);
	/* A listener's connection is ESTABLISHED (in its accept queue). */
	void (*incoming)(void *ctx, void *listener_owner);
};

struct hv_tcp {
	struct hv_core *core;
	struct hv_ip *ip;
	struct hv_port_table *ports;
	struct hv_tcp_config config;
	struct hv_tcp_events up;
	const struct haven_forwarder *forwarder;
	struct hv_filter_track *filter;	 /* the stack's; NULL: everything is allowed */
	struct hv_list connections;	 /* all of them */
	struct hv_list output;		 /* connections with something to send or acknowledge */
	struct hv_list blocked;		 /* connections that wait for a busy link */
	struct hv_list time_wait;	 /* oldest first */
	struct hv_timer time_wait_timer; /* for the oldest of time_wait */
	struct hv_list requests;
	struct hv_list half_open[HV_TCP_HALF_OPEN_LISTS]; /* each: oldest first */
	struct hv_timer half_open_timer;		  /* for the oldest of them */
	uint32_t connection_count, half_open_count, time_wait_count, request_count;
	uint64_t cookies_sent, cookies_good, cookies_bad; /* SYN cookies */
	struct hv_tcp_fast_open_cache *fast_open;	  /* of servers; NULL: none yet */
	uint64_t segments_in, segments_out, retransmits;
	uint64_t challenge_window_ns; /* RFC 5961 section 7 */
	uint32_t challenge_count;
};

int hv_tcp_init(struct hv_tcp *tcp, struct hv_core *core, struct hv_ip *ip,
		struct hv_port_table *ports, const struct hv_tcp_config *config);
/* Frees every connection, request and TIME-WAIT without sending. */
void hv_tcp_finish(struct hv_tcp *tcp);

void hv_tcp_input(void *ctx, struct hv_packet *packet);
void hv_tcp_icmp_error(void *ctx, const struct hv_icmp_report *report);
void hv_tcp_flush(struct hv_tcp *tcp);	  /* send what is waiting */
void hv_tcp_writable(struct hv_tcp *tcp); /* a busy link is free again */

/* --- listeners ------------------------------------------------------------------------- */
/* bind is bound already and becomes a listener; it is embedded in the caller's socket and must live on. -EADDRINUSE, -ENOMEM. */
int hv_tcp_listen(struct hv_tcp *tcp, struct hv_bind *bind, int backlog, void *owner,
		  struct hv_tcp_listener **out);
/* First established connection without owner, or NULL; the caller owns it. */
struct hv_tcp_conn *hv_tcp_accept(struct hv_tcp_listener *listener);
bool hv_tcp_can_accept(const struct hv_tcp_listener *listener);
/* TCP_FASTOPEN: connections whose SYN brought data and that are not acknowledged yet, at most; 0: off. */
void hv_tcp_listener_set_fast_open(struct hv_tcp_listener *listener, uint32_t most);
/* The SYN of this connection waits for the first data (TCP_FASTOPEN_CONNECT, RFC 7413). */
bool hv_tcp_is_deferred(const struct hv_tcp_conn *conn);
/* Ends it and resets connections that nobody accepted. */
void hv_tcp_listener_close(struct hv_tcp_listener *listener);
struct hv_tcp_listener *hv_tcp_listener_of(struct hv_bind *bind);

/* --- connections ----------------------------------------------------------------------- */
/*
 * Active open. local_port 0: choose. local any: choose by route. share: enum hv_port_share. SYN goes out at the next flush.
 * -EADDRINUSE, -EADDRNOTAVAIL, -ENETUNREACH, -ENOMEM, -EMFILE, -EPERM (the filter).
 */
int hv_tcp_connect(struct hv_tcp *tcp, const struct hv_addr *local, uint16_t local_port,
		   uint8_t share, const struct hv_addr *remote, uint16_t remote_port,
		   void *owner, struct hv_tcp_conn **out);
void hv_tcp_set_owner(struct hv_tcp_conn *conn, void *owner);
unsigned hv_tcp_conn_events(const struct hv_tcp_conn *conn);
struct hv_tcp *hv_tcp_request_tcp(const struct haven_request *request); /* whose it is */
/* Forwarder: answer the request. The connection is in SYN-RECEIVED. The request is gone, also
 * when this fails (-ENOMEM: the client is reset). */
int hv_tcp_request_accept(struct haven_request *request, void *owner, struct hv_tcp_conn **out);
/* tcp/tcp_request.c also has haven_request_set_user(), _user() and _refuse(); haven_request_accept() is socket/'s. */

/* Orderly close (no more owner calls; the connection goes on by itself until done), or reset when receive data is unread. */
void hv_tcp_close(struct hv_tcp_conn *conn);
void hv_tcp_abort(struct hv_tcp_conn *conn);	    /* RST when the state asks for one; freed */
int hv_tcp_shutdown_send(struct hv_tcp_conn *conn); /* FIN after what is queued; -ENOTCONN */
void hv_tcp_shutdown_receive(struct hv_tcp_conn *conn);

ssize_t hv_tcp_send_reserve(struct hv_tcp_conn *conn, size_t wanted, struct iovec slices[2],
			    int *count);
void hv_tcp_send_commit(struct hv_tcp_conn *conn, size_t size, bool more);
/* MSG_EOR: what is queued now ends a segment (tcp_record.c). */
void hv_tcp_record_end(struct hv_tcp_conn *conn);
size_t hv_tcp_receive_peek(struct hv_tcp_conn *conn, struct iovec slices[2], int *count);
void hv_tcp_receive_consume(struct hv_tcp_conn *conn, size_t size); /* opens the window */
bool hv_tcp_receive_ended(const struct hv_tcp_conn *conn); /* FIN reached and buffer empty */
int hv_tcp_take_error(struct hv_tcp_conn *conn);	   /* SO_ERROR: positive, cleared */
int hv_tcp_soft_error_of(const struct hv_tcp_conn *conn);  /* positive; 0: no trouble */
void hv_tcp_set_sink(struct hv_tcp_conn *conn, haven_sink_fn *sink, void *user);
/* The last byte that was committed is urgent, with all before it (MSG_OOB). */
void hv_tcp_urgent_mark(struct hv_tcp_conn *conn);
/* Bytes that the reader has to take until no urgent one is left; 0: none is. */
size_t hv_tcp_urgent_left(const struct hv_tcp_conn *conn);
size_t hv_tcp_send_queued(const struct hv_tcp_conn *conn);
uint64_t hv_tcp_rtt_ns(const struct hv_tcp_conn *conn);
const char *hv_tcp_state_name(const struct hv_tcp_conn *conn);
const struct hv_tuple *hv_tcp_tuple(const struct hv_tcp_conn *conn);
/* The state's name for any tuple of TCP in the table (connection, TIME-WAIT "TIME-WAIT", request and half-open "SYN-RECEIVED"); owner may be NULL. */
const char *hv_tcp_tuple_state(const struct hv_tuple *tuple, void **owner);

/*
 * Congestion control by name ("cubic", "reno" or "newreno", "none"). An option is an int: its value for TCP_CONGESTION is a
 * number from 0 on. -ENOENT, NULL: no such one. The name of a number that hv_tcp_get_option() gave.
 */
int hv_tcp_congestion_number(const char *name);
const struct hv_tcp_congestion_ops *hv_tcp_congestion_at(int number);
const char *hv_tcp_congestion_name(int number);

/* Options by Linux's names at IPPROTO_TCP, and SOL_SOCKET's SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_SNDBUF, SO_RCVLOWAT, IP_TOS, IP_TTL
 * kept here per connection. Values in Linux's units; SO_LINGER: seconds, negative: off. 0, -ENOPROTOOPT, -EINVAL. */
int hv_tcp_set_option(struct hv_tcp_conn *conn, int level, int option, int value);
int hv_tcp_get_option(const struct hv_tcp_conn *conn, int level, int option, int *value);
/* Options of a listener that show in its SYN-ACKs; others are for its connections, and ignored. */
void hv_tcp_listener_set_option(struct hv_tcp_listener *listener, int level, int option,
				int value);
/* What such a value becomes when there is no connection yet to keep it: within its limits, and as getsockopt shows it. */
int hv_tcp_option_shown(const struct hv_tcp *tcp, int level, int option, int value);

/* TCP_INFO as Linux lays it out, cut to `size`. Returns the bytes. listener NULL: a socket that is neither. */
size_t hv_tcp_info(const struct hv_tcp_conn *conn, void *out, size_t size);
size_t hv_tcp_listener_info(const struct hv_tcp_listener *listener, void *out, size_t size);
enum { HV_TCP_MEMORY_VALUES = 9 };
/* SO_MEMINFO: what the buffers hold and may hold, in the order of Linux's SK_MEMINFO_ names. */
void hv_tcp_memory(const struct hv_tcp_conn *conn, uint32_t values[HV_TCP_MEMORY_VALUES]);

#endif
