/*
 * What --explain says of the packets of one connection: handshake, ends, resets, as they pass the wire in memory.
 *
 * A frame is looked at where it lies; what is too short, or of another connection, is passed over.
 */
#ifndef HV_CLI_PACKET_WATCH_H
#define HV_CLI_PACKET_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haven/forward.h>

#include "cli/explain.h"

/* The TCP header of a packet, and its options, as far as they are told. */
struct hv_segment {
	uint8_t source[16], destination[16]; /* IPv4 v4-mapped */
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	bool syn, fin, rst, is_ack;
	uint16_t window; /* as in the header */
	bool has_mss, has_window_scale, sack_permitted, has_timestamps;
	uint16_t mss;
	uint8_t window_scale; /* shift */
	size_t payload;
};

/* False: it is no whole TCP segment over IPv4 or IPv6, without fragments and extension headers. */
bool hv_segment_read(const uint8_t *frame, size_t size, struct hv_segment *segment);

/* "MSS 65480, window scale 7, SACK permitted, timestamps" */
#define HV_SEGMENT_OPTIONS_TEXT 96
const char *hv_segment_options(const struct hv_segment *segment,
			       char text[HV_SEGMENT_OPTIONS_TEXT]);

struct hv_packet_watch {
	struct hv_explain *explain;
	/* Just before the first SYN-ACK from the gateway is told: it is there because of what the host's side said. May be NULL. */
	void (*answered)(void *user);
	void *user;
	uint16_t port; /* of the client's stack; 0: no connection yet */
	struct haven_endpoint
		far; /* the other end; port 0: of whichever connection sends its SYN first */
	bool syn_seen, syn_ack_seen, ack_seen;
	bool fin_seen[2], any_fin; /* by direction: [outbound] */
	bool rst_seen;
};

/* Another connection. far: NULL: that of the next SYN. */
void hv_packet_watch_begin(struct hv_packet_watch *watch, uint16_t port,
			   const struct haven_endpoint *far);

/* A hv_inproc_packet_fn; user is the struct hv_packet_watch. */
void hv_packet_watch_see(void *user, bool outbound, const uint8_t *frame, size_t size);

#endif
