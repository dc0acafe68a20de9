/* TLS as a layer on a stream socket: what the two files of it share. */
#ifndef HV_TLS_TLS_SOCKET_H
#define HV_TLS_TLS_SOCKET_H

#include "socket/socket_state.h"
#include "tls/tls_state.h"

struct hv_tls_socket {
	struct hv_socket_layer layer;
	struct haven_socket *socket;
	struct haven_tls *tls;
	struct hv_timer
		timer; /* the handshake's time-out, or to try again when there was no memory */
	struct hv_ring plain; /* opened for haven_recv_peek() */
	uint8_t *draft; /* HV_TLS_RECORD_BYTES, between haven_send_reserve() and _commit() */
	unsigned told;	/* events that the user knows to hold */
	bool more;	/* MSG_MORE */
	bool receive_shut;
	bool fin_wanted; /* after all output */
	bool fin_sent;
	bool failed;	/* and the connection has been shut for that */
	bool closing;	/* the user is gone; the last output has to go */
	bool no_memory; /* for the connection's send buffer */
};

static inline struct hv_tls_socket *hv_tls_socket_of(const struct hv_socket_layer *layer)
{
	return (struct hv_tls_socket *)layer;
}
static inline struct hv_tcp_conn *hv_tls_conn(const struct hv_tls_socket *ts)
{
	return hv_stream_of(ts->socket)->conn;
}
static inline struct hv_core *hv_tls_core(const struct hv_tls_socket *ts)
{
	return ts->socket->sockets->core;
}

/* Move bytes between the connection and TLS, both ways, as far as they go. Returns whether any moved. */
bool hv_tls_socket_pump(struct hv_tls_socket *ts);
unsigned hv_tls_socket_events(const struct hv_socket_layer *layer);
/* After a call of the user's, who knows what it said: news that it did not say are put into the queue. */
void hv_tls_socket_note(struct hv_tls_socket *ts);

/* tls_socket_io.c: the calls of struct hv_socket_layer_ops. */
ssize_t hv_tls_socket_send(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			   int flags);
ssize_t hv_tls_socket_receive(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			      int flags);
size_t hv_tls_socket_peek(struct hv_socket_layer *layer, struct iovec slices[2]);
void hv_tls_socket_consume(struct hv_socket_layer *layer, size_t size);
ssize_t hv_tls_socket_reserve(struct hv_socket_layer *layer, size_t wanted,
			      struct iovec slices[2]);
void hv_tls_socket_commit(struct hv_socket_layer *layer, size_t size, bool more);
int hv_tls_socket_shutdown(struct hv_socket_layer *layer, int how);

#endif
