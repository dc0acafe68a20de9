/*
 * A TCP connection (RFC 9293), seen from inside the room.
 *
 * Theory of operation
 * -------------------
 * In:  tcp_input.c finds what a segment belongs to: a connection, a compact record (half-open, TIME-WAIT), a held
 *      request, a listener or the forwarder. For a connection it goes through RFC 9293 section
 *      3.10.7.4 step by step: sequence (tcp_receive.c), RST and SYN (tcp_state.c), ACK (tcp_ack.c), text
 *      (tcp_receive.c, and tcp_reassembly.c when it is ahead of its time), FIN (tcp_state.c).
 * Out: nothing is sent while segments come in, but duplicate ACKs and resets. What happened marks
 *      the connection (hv_tcp_mark), and hv_tcp_flush() sends, once for a whole batch: data in
 *      segments of up to 64 KiB whose bytes are borrowed from the send ring (tcp_send.c), else
 *      one ACK for all that came in, at once or after a delay.
 * Loss: with SACK, each packet that is under way has a record (tcp_scoreboard.c, found by tcp_sent_tree.c), RACK says
 *      which are lost (tcp_rack.c), and the window follows PRR (tcp_sack.c). Without SACK it is NewReno by duplicate ACKs (tcp_ack.c),
 *      and a time-out takes SND.NXT back to SND.UNA.
 *      What turns out to have been no loss is taken back (tcp_spurious.c).
 * Rate: an algorithm of tcp_congestion.h says how much may be under way, tcp_pacing.c how fast it leaves, tcp_ecn.c hears
 *      of marks, tcp_path_mtu.c knows what size the path carries.
 * Open: a listener's half-open connections are records (tcp_half_open.c), and beyond the limits not even that
 *      (tcp_syn_cookie.c); Fast Open lets data go with the SYN (tcp_fastopen.c).
 * Time: one timer for each connection with several deadlines (tcp_timer.c).
 *
 * Life
 * ----
 * hv_tcp_conn_new() makes one. hv_tcp_conn_end() takes it out of every table and tells the owner; an
 * ended connection stays, CLOSED, until its owner closes it. hv_tcp_conn_free() asks for the memory to be
 * given back. Every entry from outside (segment, timer, flush, ICMP, call of the owner) holds
 * the connection (hv_tcp_hold) and ends in hv_tcp_release(): that is the only function that frees
 * a connection, and the only one that calls the owner, once, with all events of that entry.
 * An owner may therefore close or abort a connection from within its event.
 *
 * Memory
 * ------
 * An idle connection is this struct and nothing else: rings and the scoreboard get memory with the first byte, and
 * lose it when they have been empty for a while (HV_TCP_DEADLINE_TRIM).
 */
#ifndef HV_TCP_CONN_H
#define HV_TCP_CONN_H

#include <assert.h>
#include <netinet/in.h>

#include "base/ring.h"
#include "base/seq.h"
#include "base/timer.h"
#include "tcp/tcp.h"
#include "wire/tcp.h"

/* RFC 9293 section 3.3.2. The diagram is in tcp_state.c. LISTEN is a struct hv_tcp_listener. */
enum hv_tcp_state {
	HV_TCP_CLOSED,
	HV_TCP_SYN_SENT,
	HV_TCP_SYN_RECEIVED,
	HV_TCP_ESTABLISHED,
	HV_TCP_FIN_WAIT_1,
	HV_TCP_FIN_WAIT_2,
	HV_TCP_CLOSE_WAIT,
	HV_TCP_CLOSING,
	HV_TCP_LAST_ACK,
	HV_TCP_TIME_WAIT, /* a compact record answers for the connection: tcp_timewait.c */
	HV_TCP_STATE_COUNT
};

/* Deadlines of a connection; 0 in conn->deadlines means not set. */
enum hv_tcp_deadline {
	HV_TCP_DEADLINE_RETRANSMIT,  /* RTO, SYN retry, or (probing) zero-window probe */
	HV_TCP_DEADLINE_REORDER,     /* RFC 8985: what is late now is lost then */
	HV_TCP_DEADLINE_DELAYED_ACK, /* RFC 9293 section 3.8.6.3 */
	HV_TCP_DEADLINE_KEEPALIVE,   /* RFC 9293 section 3.8.4 */
	HV_TCP_DEADLINE_CLOSE,	     /* FIN-WAIT-2 without owner */
	HV_TCP_DEADLINE_TRIM,	     /* empty rings lose their memory */
	HV_TCP_DEADLINE_PACE,	     /* what pacing held back may go */
	HV_TCP_DEADLINE_COUNT
};

struct hv_tcp_congestion_ops;
struct hv_tcp_flight;  /* tcp_scoreboard.h */
struct hv_tcp_block;   /* tcp_reassembly.c */
struct hv_tcp_records; /* tcp_record.h */

enum {
	HV_TCP_MSS_DEFAULT_V4 = 536,  /* RFC 9293 section 3.7.1 MUST-15 */
	HV_TCP_MSS_DEFAULT_V6 = 1220, /* the same */
	HV_TCP_MSS_MIN =
		64, /* less than this from a peer is an attack (RFC 6691 says nothing) */
	HV_TCP_WINDOW_SCALE_MAX = 14, /* RFC 7323 section 2.3 */
	HV_TCP_TIMESTAMP_BYTES = 12,  /* NOP NOP TS, as they are on every segment */
	HV_TCP_RETRIES_SYN_ACK = 5,
	HV_TCP_RETRIES_TOLD = 3, /* R1: RFC 9293 section 3.8.3 SHLD-10 */
	HV_TCP_RETRIES =
		15, /* R2: about 15 minutes; RFC 9293 section 3.8.3 says at least 100 s */
	HV_TCP_RETRIES_ORPHAN = 9, /* nobody waits: those 100 s at the least RTO */
	HV_TCP_QUICK_ACKS = 16,	   /* segments acknowledged at once when a connection starts */
};

#define HV_TCP_MS		    UINT64_C(1000000)
#define HV_TCP_SECOND		    UINT64_C(1000000000)
#define HV_TCP_DELAYED_ACK_NS	    (40 * HV_TCP_MS) /* RFC 9293 section 3.8.6.3: below 500 ms */
#define HV_TCP_RTO_MIN_NS	    (200 * HV_TCP_MS) /* RFC 6298 2.4 says 1 s; 200 ms is what hosts do */
#define HV_TCP_RTO_MAX_NS	    (120 * HV_TCP_SECOND) /* RFC 6298 2.5: at least 60 s */
#define HV_TCP_RTO_INITIAL_NS	    (1 * HV_TCP_SECOND)	  /* RFC 6298 2.1 */
#define HV_TCP_TAIL_MIN_NS	    (2 * HV_TCP_MS)	  /* least time to a tail loss probe */
#define HV_TCP_TRIM_NS		    (1 * HV_TCP_SECOND)
#define HV_TCP_FIN_WAIT_2_S	    60	 /* of an orphan; TCP_LINGER2 */
#define HV_TCP_KEEPALIVE_IDLE_S	    7200 /* RFC 9293 section 3.8.4 MUST-28 */
#define HV_TCP_KEEPALIVE_INTERVAL_S 75

/* What TCP_INFO tells, and nothing else needs: tcp_info.c. Segments and bytes wrap as Linux's do. */
struct hv_tcp_counts {
	uint64_t bytes_acked, bytes_received; /* data without SYN and FIN */
	uint64_t bytes_retrans;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
	uint32_t retrans; /* segments sent again */
	uint32_t delivered,
		delivered_ce;  /* segments that arrived; of them with CE (RFC 3168) */
	uint32_t out_of_order; /* came ahead of their time */
	uint32_t duplicates;   /* D-SACKs that came (RFC 2883) */
	uint32_t reorderings;  /* how often something arrived after what was sent later */
	uint32_t data_sent_ms, data_received_ms; /* when, on our clock */
	uint32_t wait_since_ms, waited_ms[3];	 /* enum hv_tcp_wait, from BUSY on */
};

/* Segment size found by the connection itself (RFC 4821): tcp_path_mtu.c. Sizes are MSS without TCP's options. */
struct hv_tcp_path {
	uint16_t low, high; /* it carries low; more than high it does not */
	uint16_t probe;	    /* under way, up to probe_end; 0: none */
	uint16_t claim;	    /* MTU that a router claims and that is not believed yet; 0: none */
	uint16_t acked;	    /* largest payload that has arrived */
	uint16_t known;	    /* MTU of ip/ that the MSS follows from */
	uint32_t probe_end;
	uint32_t claim_seq; /* of the segment that the claim is about */
	uint32_t since_s;   /* when the search began, or got further */
	bool searching;	    /* low is the limit */
};

struct hv_tcp_conn {
	struct hv_tuple tuple;
	struct hv_tcp *tcp;
	struct hv_list all;		  /* in tcp->connections */
	struct hv_list output;		  /* in tcp->output or tcp->blocked, or in none */
	struct hv_list queue;		  /* in its listener's ready, or in none */
	struct hv_tcp_listener *listener; /* until it is accepted */
	void *owner;
	struct hv_tcp_fast_open *fast_open; /* tcp_fastopen.c; NULL: not in use, or done with */

	uint8_t state;		  /* enum hv_tcp_state */
	uint8_t hold;		  /* entries from outside under way; see "Life" */
	uint8_t retries;	  /* retransmissions or probes since the peer last answered */
	uint8_t backoff;	  /* the RTO is doubled that often (RFC 6298 5.5) */
	uint8_t keepalive_probes; /* sent without an answer */
	uint8_t quick_acks;	  /* segments still to be acknowledged at once */
	uint8_t dup_acks;	  /* RFC 5681 section 2, since the last new ACK; saturates */
	uint8_t snd_wscale, rcv_wscale;	  /* shifts of the peer's and of our window field */
	uint8_t hop_limit, traffic_class; /* IP_TTL (0: the stack's), IP_TOS */
	uint8_t mtu_discover;		  /* IP_MTU_DISCOVER: an IP_PMTUDISC_ */
	uint8_t keepalive_count;	  /* TCP_KEEPCNT */
	uint8_t syn_retries;		  /* TCP_SYNCNT; 0: HV_TCP_RETRIES_SYN */

	bool dead : 1;	     /* to be freed by the last hv_tcp_release() */
	bool in_table : 1;   /* the tuple is in the port table */
	bool ready : 1;	     /* in its listener's accept queue */
	bool orphan : 1;     /* its owner closed it: it ends by itself */
	bool passive : 1;    /* came from a listener or a request */
	bool send_syn : 1;   /* SYN or SYN-ACK is to be sent at the next flush */
	bool send_ended : 1; /* nothing is added to the send ring any more: FIN follows it */
	bool fin_sent : 1;   /* our FIN was sent at least once */
	bool fin_received : 1;
	bool receive_shut : 1; /* nobody waits for what comes in: it is kept while there is room */
	bool receive_lost : 1; /* there was none: all that follows is thrown away */
	bool ack_now : 1;      /* an ACK is to be sent at the next flush, whatever else */
	bool probing : 1;      /* DEADLINE_RETRANSMIT is the persist timer */
	bool force_send : 1; /* the persist timer fired: send what Nagle, SWS or cork held back */
	bool in_recovery : 1;	/* RFC 6582 fast recovery */
	bool partial_ack : 1;	/* one has come in it */
	bool loss_recovery : 1; /* after a time-out, until `recover` is acknowledged */
	bool cwnd_limited : 1; /* the congestion window, nothing else, held back in this round trip */
	bool timing : 1;       /* rtt_seq is being timed */
	bool timestamps : 1; /* RFC 7323 agreed upon */
	bool wscale_ok : 1;  /* window scaling agreed upon */
	bool sack_ok : 1;    /* RFC 2018 agreed upon */
	bool no_delay : 1;   /* TCP_NODELAY */
	bool cork : 1;	     /* TCP_CORK */
	bool more : 1; /* the last commit said that more follows: hold back until the next ACK */
	bool no_push : 1;	/* it said so: no PSH at the end of what is queued */
	bool want_write : 1;	/* the owner met a full ring */
	bool keepalive : 1;	/* SO_KEEPALIVE */
	bool linger : 1;	/* SO_LINGER with linger_s */
	bool send_fixed : 1;	/* SO_SNDBUF was set: no tuning */
	bool receive_fixed : 1; /* SO_RCVBUF was set: no tuning */
	bool all_sent : 1;	/* HAVEN_EVENT_SENT holds */
	bool urgent_in : 1;	/* up to rcv_up (tcp_urgent.c) */
	bool urgent_out : 1;	/* up to snd_up */
	/* RFC 3168: tcp_ecn.c. */
	bool ecn_asked : 1; /* a SYN of ours did */
	bool ecn_ok : 1;    /* agreed upon */
	bool ecn_mute : 1;  /* but the peer may not know: what we send is not ECN-capable */
	bool ecn_seen : 1;  /* something came with an ECN codepoint */
	bool ecn_echo : 1;  /* CE came: ECE goes with every ACK until CWR comes */
	bool ecn_told : 1;  /* the ACK at hand has ECE */
	bool ecn_reducing : 1; /* the window shrinks because of that, until `recover` is acknowledged */
	bool ecn_cwr_due : 1;  /* the window shrank: CWR goes with the next new data */
	bool pace_waited : 1;  /* pacing held back in the last flush */
	bool swallowed : 1;    /* a filter refuses it in silence: its SYNs go nowhere */
	uint8_t waits_for : 2; /* enum hv_tcp_wait */

	uint16_t linger_s;
	int16_t linger2_s; /* TCP_LINGER2; negative: an orphan does not wait in FIN-WAIT-2 */
	uint16_t user_mss; /* TCP_MAXSEG; 0: none */
	uint16_t rcv_mss;  /* our own MSS option: largest segment we take */
	uint16_t peer_mss; /* the peer's MSS option */
	uint16_t mss; /* SMSS: payload of the largest segment we send, options subtracted */
	uint16_t segment_estimate; /* size of the segments that the peer sends */
	uint16_t reorder_segments; /* the most by which one was late; only shown */

	int error;	 /* SO_ERROR, positive */
	int soft_error;	 /* hv_tcp_soft_error(); why it ended when the connection times out */
	unsigned events; /* HAVEN_EVENT_ bits for the owner, called at release */

	/* Send sequence space, RFC 9293 section 3.3.1. */
	uint32_t iss;
	uint32_t snd_una;	       /* oldest unacknowledged */
	uint32_t snd_nxt;	       /* next to send; goes back to snd_una at a time-out */
	uint32_t snd_max;	       /* highest ever sent */
	uint32_t snd_wnd, snd_wnd_max; /* bytes; the largest ever offered */
	uint32_t snd_wl1, snd_wl2;
	uint32_t snd_small;  /* end of the last segment below the MSS (Nagle after Minshall) */
	uint32_t snd_up;     /* with urgent_out */
	struct hv_ring send; /* its first byte is at hv_tcp_send_base() */
	struct hv_tcp_records *records; /* ends of MSG_EOR in it, or NULL */

	/* Receive sequence space. */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_edge;   /* right edge of the window as announced; never moves left */
	uint32_t rcv_up;     /* with urgent_in */
	uint32_t ack_sent;   /* rcv_nxt as last acknowledged */
	uint32_t tune_bytes; /* taken by the reader since the receive limit last grew */
	uint32_t
		receive_limit; /* buffer that is offered; the ring's own limit keeps older promises */
	uint32_t sack_turn; /* counts what came out of order (RFC 2018 section 4) */
	struct hv_ring receive;
	haven_sink_fn *sink;
	void *sink_user;
	struct hv_tcp_block *blocks; /* out-of-order data by sequence */
	uint32_t blocks_bytes;	     /* true size of it */
	uint16_t blocks_runs;	     /* gaps before them */

	uint32_t dsack_left,
		dsack_right; /* came twice, to be told (RFC 2883); equal: nothing */

	/* RFC 7323. */
	uint32_t ts_recent;   /* to be echoed */
	uint32_t ts_offset;   /* added to our clock, section 7.1 */
	uint32_t ts_timeout;  /* our clock when the retransmission timer last fired */
	uint32_t ts_recent_s; /* when ts_recent was set (24 days, section 5.5) */

	/* RFC 5681, 6582; bytes. */
	const struct hv_tcp_congestion_ops *congestion;
	uint32_t cwnd, ssthresh;
	uint32_t cwnd_acked; /* bytes acknowledged since cwnd last grew (RFC 3465) */
	uint32_t recover;    /* snd_max when loss was found (RFC 6582, 6675) */
	uint32_t prior_cwnd,
		prior_ssthresh;	      /* before the last reduction; cwnd 0: none to undo */
	uint64_t congestion_state[5]; /* of the algorithm; zero at the start */
	/* Use of the window (RFC 2861, 7661), bytes in flight: in this round trip, and since it was last full. */
	uint32_t usage_round, usage_max;
	uint32_t usage_end; /* snd_nxt when the round trip began */
	uint32_t usage_ms;  /* when the window was last full, or judged */
	uint64_t pace_ns;   /* tcp_pacing.c */

	/* Loss recovery with SACK: tcp_scoreboard.c, RFC 8985, RFC 9937. */
	struct hv_tcp_flight *flight; /* what is under way; NULL when nothing was for a while */
	uint32_t sacked_bytes, lost_bytes; /* of it */
	uint32_t sacked_segments;
	uint32_t rack_round; /* a D-SACK counts once until this is acknowledged */
	uint64_t min_rtt_ns; /* 0: not measured yet */
	uint8_t rack_multiplier,
		rack_persist; /* section 6.2.1: quarters of min_rtt_ns beyond one */
	bool reordering : 1;  /* anything was ever out of order */
	bool tail_armed : 1; /* DEADLINE_RETRANSMIT is a tail loss probe (RFC 8985 section 7) */
	bool tail_out : 1; /* one was sent; the next one must wait until tail_end is acknowledged */
	bool tail_again : 1; /* it was old data */
	uint32_t tail_end;

	struct hv_tcp_path path;

	/* RFC 6298. */
	uint32_t rtt_seq; /* the ACK of this ends the timing */
	uint64_t rtt_start_ns;
	uint64_t srtt_ns, rttvar_ns; /* srtt 0: not measured yet */
	uint64_t rto_ns;
	uint64_t
		progress_ns; /* when the peer last acknowledged something, or the first was sent */

	uint16_t keepalive_idle_s, keepalive_interval_s;
	uint32_t user_timeout_ms; /* 0: R2 alone decides */
	uint32_t challenged_ms;	  /* when the last challenge ACK went out; 0: never */
	uint32_t notsent_lowat;	  /* TCP_NOTSENT_LOWAT, bytes; 0: no limit */
	uint32_t receive_lowat;	  /* SO_RCVLOWAT, bytes */
	uint32_t window_clamp;	  /* TCP_WINDOW_CLAMP, bytes; 0: none */
	uint64_t received_ns;	  /* last segment from the peer */
	struct hv_timer timer;	  /* at the earliest deadline, or before it */
	uint64_t deadlines[HV_TCP_DEADLINE_COUNT];

	struct hv_tcp_counts count;
};

static_assert(sizeof(struct hv_tcp_conn) <= 800, "an idle connection is small");

/* --- tcp_conn.c ------------------------------------------------------------------------ */
/* State CLOSED, in no table but tcp->connections. NULL: no memory, or (*error) the limit. */
struct hv_tcp_conn *hv_tcp_conn_new(struct hv_tcp *tcp, int *error);
/* Into the port table; chooses the local port when it is 0. As hv_port_insert(). */
int hv_tcp_conn_insert(struct hv_tcp_conn *conn);
/* Out of the port table, and no longer counted by the filter. Not in it is allowed. */
void hv_tcp_conn_remove(struct hv_tcp_conn *conn);
/* In the table: what follows from the 4-tuple (ISS, timestamp offset, MSS and window scale to offer). */
void hv_tcp_conn_prepare(struct hv_tcp_conn *conn);
/* Out of the tables, timers stopped, CLOSED. error 0: orderly. Freed if nobody owns it. */
void hv_tcp_conn_end(struct hv_tcp_conn *conn, int error);
/* To be freed by the last release. */
void hv_tcp_conn_free(struct hv_tcp_conn *conn);
/* Free at once, telling nobody: only for hv_tcp_finish(). */
void hv_tcp_conn_destroy(struct hv_tcp_conn *conn);
void hv_tcp_hold(struct hv_tcp_conn *conn);
void hv_tcp_release(struct hv_tcp_conn *conn); /* may free; calls the owner */
/* Events that became true, told at the release. */
static inline void hv_tcp_notify(struct hv_tcp_conn *conn, unsigned events)
{
	conn->events |= events;
}
/*
 * Trouble that does not end the connection: an ICMP error (RFC 9293 section 3.9.2.2), R1 (section 3.8.3), no way out. The owner is
 * told (MUST-47, SHLD-9, SHLD-25); progress clears it.
 */
void hv_tcp_soft_error(struct hv_tcp_conn *conn, int error);
/* The connection has something to send: hv_tcp_flush() will see it. */
void hv_tcp_mark(struct hv_tcp_conn *conn);
/* tcp_user.c: the owner met a full ring, and may go on. */
void hv_tcp_tell_writable(struct hv_tcp_conn *conn);

static inline struct hv_core *hv_tcp_core(const struct hv_tcp_conn *conn)
{
	return conn->tcp->core;
}
static inline uint64_t hv_tcp_now(const struct hv_tcp_conn *conn)
{
	return conn->tcp->core->now_ns;
}
/* Our clock where a wrapping count of milliseconds is enough. */
static inline uint32_t hv_tcp_now_ms(const struct hv_tcp_conn *conn)
{
	return (uint32_t)(hv_tcp_now(conn) / HV_TCP_MS);
}
static inline bool hv_tcp_is_v4(const struct hv_tcp_conn *conn)
{
	return hv_addr_is_v4(&conn->tuple.remote);
}
/* Times that users give in Linux's units. */
static inline uint64_t hv_tcp_user_timeout_ns(const struct hv_tcp_conn *conn)
{
	return conn->user_timeout_ms * HV_TCP_MS;
}
static inline uint64_t hv_tcp_keepalive_idle_ns(const struct hv_tcp_conn *conn)
{
	return conn->keepalive_idle_s * HV_TCP_SECOND;
}
static inline uint64_t hv_tcp_keepalive_interval_ns(const struct hv_tcp_conn *conn)
{
	return conn->keepalive_interval_s * HV_TCP_SECOND;
}
static inline uint64_t hv_tcp_linger2_ns(const struct hv_tcp_conn *conn)
{
	return conn->linger2_s > 0 ? (uint64_t)conn->linger2_s * HV_TCP_SECOND : 0;
}
/* What a peer takes that sent no MSS option: RFC 9293 section 3.7.1 MUST-15. */
static inline uint16_t hv_tcp_mss_default(const struct hv_addr *remote)
{
	return hv_addr_is_v4(remote) ? HV_TCP_MSS_DEFAULT_V4 : HV_TCP_MSS_DEFAULT_V6;
}
/* ESTABLISHED and all after it (RFC 9293 section 3.5.3's "synchronized"). */
static inline bool hv_tcp_is_synchronized(const struct hv_tcp_conn *conn)
{
	return conn->state >= HV_TCP_ESTABLISHED && conn->state < HV_TCP_TIME_WAIT;
}
static inline bool hv_tcp_is_opening(const struct hv_tcp_conn *conn)
{
	return conn->state == HV_TCP_SYN_SENT || conn->state == HV_TCP_SYN_RECEIVED;
}
/* Sequence number of the first byte in the send ring: SYN takes one before it. */
static inline uint32_t hv_tcp_send_base(const struct hv_tcp_conn *conn)
{
	return hv_tcp_is_opening(conn) ? conn->iss + 1 : conn->snd_una;
}
/* Sequence number after the last byte in the send ring: where FIN would be. */
static inline uint32_t hv_tcp_send_end(const struct hv_tcp_conn *conn)
{
	return hv_tcp_send_base(conn) + conn->send.used;
}
/* Bytes that are queued and not sent; after a time-out, those that go again count. */
static inline uint32_t hv_tcp_unsent(const struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn);

	return hv_seq_gt(end, conn->snd_nxt) ? end - conn->snd_nxt : 0;
}

#endif
