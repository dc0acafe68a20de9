/* TCP header and options: bytes to fields and back (RFC 9293 section 3.1). */
#ifndef HV_WIRE_TCP_H
#define HV_WIRE_TCP_H

#include "base/drop.h"
#include "base/packet.h"
#include "wire/bytes.h"

enum {
	HV_TCP_FIN = 0x01,
	HV_TCP_SYN = 0x02,
	HV_TCP_RST = 0x04,
	HV_TCP_PSH = 0x08,
	HV_TCP_ACK = 0x10,
	HV_TCP_URG = 0x20,
	HV_TCP_ECE = 0x40,
	HV_TCP_CWR = 0x80,
};
enum { HV_TCP_HEADER = 20, HV_TCP_HEADER_MAX = 60 };
enum { HV_TCP_FAST_OPEN_MIN = 4, HV_TCP_FAST_OPEN_MAX = 16 }; /* bytes of a cookie */

/*
 * Check the header at d.l4 (d.payload_len: bytes of the segment) and fill the transport part of the descriptor:
 * ports, seq, ack, window, urgent, tcp_flags, options; payload and payload_len become the data's.
 * Verifies the checksum unless packet->csum is HV_CSUM_VALID or HV_CSUM_PARTIAL.
 * Returns HV_DROP_COUNT when good, else the reason (TCP_HEADER, TCP_CHECKSUM). Does not consume.
 */
int hv_wire_tcp_parse(struct hv_packet *packet);

/* Options of a segment. Malformed ones end the list silently (RFC 9293 section 3.2 MUST-7). */
struct hv_tcp_options {
	bool has_mss, has_window_scale, has_timestamps, sack_permitted;
	uint16_t mss;
	uint8_t window_scale;
	uint32_t ts_value, ts_echo;
	uint8_t sack_count; /* blocks of [left, right) */
	uint32_t sack[4][2];
	/* Fast Open (RFC 7413 section 2). 0 bytes: a request for a cookie. In the segment's own memory. */
	bool has_fast_open;
	uint8_t fast_open_len;
	const uint8_t *fast_open;
};
void hv_wire_tcp_options_parse(const uint8_t *options, unsigned size,
			       struct hv_tcp_options *out);
/* Write options, padded with NOP to a multiple of 4; order as Linux sends them (mss, sackOK, TS, nop, wscale, Fast Open). Returns the bytes, at most 40. */
unsigned hv_wire_tcp_options_write(uint8_t *out, const struct hv_tcp_options *options);

struct hv_tcp_header {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window; /* as on the wire */
	uint16_t urgent;
	uint8_t options_len; /* multiple of 4; they follow the 20 bytes */
};
/* Write the fixed header at p (checksum 0). */
void hv_wire_tcp_write(uint8_t *p, const struct hv_tcp_header *header);

#endif
