/* Connection requests that wait for the forwarder's answer: tcp_request.c. */
#ifndef HV_TCP_REQUEST_H
#define HV_TCP_REQUEST_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_options.h"

/* What a SYN said; no connection, no answer, no buffer yet. */
struct haven_request {
	struct hv_tuple tuple;
	struct hv_tcp *tcp;
	struct hv_list link;   /* tcp->requests, oldest first */
	struct hv_timer timer; /* 3 minutes */
	void *user;
	uint32_t irs;
	uint32_t iss_floor; /* with has_floor: of the connection before it (RFC 6191) */
	uint16_t window;
	uint8_t hop_limit;
	bool has_floor;
	bool ecn; /* the client asked for ECN, and we agree */
	struct hv_tcp_options options;
};

#define HV_TCP_REQUEST_NS (180 * HV_TCP_SECOND)
#define HV_TCP_REQUEST_KEPT_NS \
	(1 * HV_TCP_SECOND) /* at the limit, even if others want its place */

/* A SYN that no listener wants. Calls the forwarder. Returns HV_DROP_COUNT, or why it was dropped; the
 * packet is not consumed. */
int hv_tcp_request_new(struct hv_tcp *tcp, const struct hv_packet *packet,
		       const struct hv_tcp_options *options, const uint32_t *iss_floor);
/*
 * Another segment for a waiting request. Returns true when the request is gone and the packet is a new SYN
 * to be treated as the first. The packet is not consumed.
 */
bool hv_tcp_request_input(struct haven_request *request, const struct hv_packet *packet);
void hv_tcp_request_free(struct haven_request *request);

struct hv_tcp_listen_options;

/* What a passive open starts from. */
struct hv_tcp_syn {
	uint32_t irs;
	uint16_t window;
	const struct hv_tcp_options *options;
	const uint32_t *iss_floor; /* may be NULL */
	bool ecn;		   /* agreed upon */
	bool ecn_mute;		   /* but not for what we send */
	bool answered;		   /* a SYN-ACK with iss went out already */
	uint32_t iss;
	const struct hv_tcp_listen_options *settings; /* may be NULL */
	struct hv_tuple *replaces; /* in the table, with the same ends: leaves it; NULL: none */
};
/* A new connection into the table and SYN-RECEIVED. -ENOMEM, -EADDRINUSE: it is freed; not when it replaces another. */
int hv_tcp_conn_open_passive(struct hv_tcp_conn *conn, const struct hv_tuple *tuple,
			     const struct hv_tcp_syn *syn);

#endif
