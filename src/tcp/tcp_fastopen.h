/* TCP Fast Open (RFC 7413): tcp_fastopen.c. */
#ifndef HV_TCP_FASTOPEN_H
#define HV_TCP_FASTOPEN_H

#include "tcp/tcp_half_open.h"

enum {
	HV_TCP_FASTOPEN_COOKIE =
		8, /* bytes of those that we make; RFC 7413 section 2: 4 to 16 */
	HV_TCP_FASTOPEN_SERVERS = 64, /* whose cookies are remembered */
};

/* What a connection keeps of it until the handshake is complete: conn->fast_open. */
struct hv_tcp_fast_open {
	bool server;
	/* Server: counted by a listener. */
	struct hv_list link; /* listener->fast_open */
	struct hv_tcp_listener *listener;
	/* Client. */
	bool deferred; /* the SYN waits for the first data */
	/* In the SYN, or (server: a new one) in the SYN-ACK. */
	uint8_t cookie_len; /* client, 0: asks for one; server, 0: none is sent */
	uint8_t cookie[HV_TCP_FAST_OPEN_MAX];
	uint16_t peer_mss; /* client: what the server said when it gave the cookie */
};

/* --- server ------------------------------------------------------------------------------ */
/* TCP_FASTOPEN: so many connections whose data came in the SYN may be without ACK; 0: none, off. */
void hv_tcp_listener_set_fast_open(struct hv_tcp_listener *listener, uint32_t most);
/*
 * A SYN with the option for a listener that wants it: a connection in SYN-RECEIVED, in the accept queue at once, with the data of the
 * SYN received. Returns false when it takes the ordinary way. The packet is not consumed.
 */
bool hv_tcp_fast_open_accept(struct hv_tcp_listener *listener, const struct hv_packet *packet,
			     const struct hv_tcp_options *options);
/* The cookie for a client of this address, HV_TCP_FASTOPEN_COOKIE bytes. */
void hv_tcp_fast_open_cookie(struct hv_core *core, const struct hv_tuple *tuple,
			     uint8_t *cookie);
/* The listener ends: its connections are on their own. */
void hv_tcp_fast_open_forget(struct hv_tcp_listener *listener);

/* --- client ------------------------------------------------------------------------------ */
/*
 * TCP_FASTOPEN_CONNECT, before the SYN has gone out: ask for a cookie, or, with one, wait for data. -EINVAL: too late, -ENOMEM.
 */
int hv_tcp_fast_open_connect(struct hv_tcp_conn *conn);
/* The SYN waits for data, which may be written. */
static inline bool hv_tcp_fast_open_is_deferred(const struct hv_tcp_conn *conn)
{
	return conn->fast_open && conn->fast_open->deferred;
}
/* There is data now, or nothing to wait for. */
void hv_tcp_fast_open_go(struct hv_tcp_conn *conn);
/* Bytes of the send ring that go with the SYN that is sent now. */
uint32_t hv_tcp_fast_open_syn_data(const struct hv_tcp_conn *conn);
/* The SYN-ACK came, the connection is ESTABLISHED: what it acknowledges, and the cookie it brought. */
void hv_tcp_fast_open_answered(struct hv_tcp_conn *conn, const struct hv_desc *d,
			       const struct hv_tcp_options *options);

/* --- both -------------------------------------------------------------------------------- */
/* The option of a SYN or SYN-ACK that is sent now. */
void hv_tcp_fast_open_option(const struct hv_tcp_conn *conn, struct hv_tcp_options *options);
/* Data may go though the handshake is not complete: the server's answer to data in the SYN. */
static inline bool hv_tcp_fast_open_may_send(const struct hv_tcp_conn *conn)
{
	return conn->fast_open && conn->fast_open->server && conn->snd_max != conn->iss;
}
/* A simultaneous open: there is no server, and what the SYN carried is sent again later. */
void hv_tcp_fast_open_crossed(struct hv_tcp_conn *conn);
/* The handshake is over, whichever way. */
void hv_tcp_fast_open_end(struct hv_tcp_conn *conn, bool reset);
void hv_tcp_fast_open_finish(struct hv_tcp *tcp);

#endif
