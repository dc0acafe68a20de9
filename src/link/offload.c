/*
 * Offload work done in software, for links that lack it and for wrappers that need packets as
 * they would be on a wire: filling in a partial checksum, and cutting a packet of up to 64 KiB
 * into segments. On the way out it stands between ip/ and the back-end.
 */
#include <netinet/in.h>
#include <string.h>

#include "link/backend.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum {
	/* Segments of one packet; more means a segment size that nobody uses (under 32 bytes). */
	SEGMENTS_MAX = 2048,
};

/* --- checksum ---------------------------------------------------------------------------- */

/* Add a piece whose first byte stands at `offset` of the summed data (RFC 1071 section 2(B)). */
static uint64_t sum_piece(uint64_t sum, const void *data, size_t size, size_t offset)
{
	uint16_t piece;

	if (!(offset & 1))
		return hv_sum_add(sum, data, size & ~(size_t)1) +
		       (size & 1 ? hv_sum_add(0, (const uint8_t *)data + size - 1, 1) : 0);
	piece = hv_sum_fold(hv_sum_add(0, data, size));
	return sum + __builtin_bswap16(piece);
}

/* Sum of everything from the linear byte `start` to the packet's end. */
static uint64_t sum_from(const struct hv_packet *packet, uint32_t start)
{
	size_t offset = packet->len - start;
	uint64_t sum = sum_piece(0, packet->data + start, offset, 0);

	for (unsigned i = 0; i < packet->slice_count; i++) {
		sum = sum_piece(sum, packet->slices[i].iov_base, packet->slices[i].iov_len,
				offset);
		offset += packet->slices[i].iov_len;
	}
	return sum;
}

void hv_offload_checksum(struct hv_packet *packet)
{
	uint32_t headroom = hv_packet_headroom(packet), start;
	uint16_t checksum;

	if (packet->csum != HV_CSUM_PARTIAL)
		return;
	packet->csum = HV_CSUM_NONE;
	if (packet->csum_start < headroom)
		return;
	start = packet->csum_start - headroom;
	if (start + packet->csum_offset + 2 > packet->len)
		return;
	checksum = (uint16_t)~hv_sum_fold(sum_from(packet, start));
	/* Zero would say "no checksum" in UDP (RFC 768); in TCP both forms are the same number. */
	if (!checksum)
		checksum = 0xffff;
	memcpy(packet->data + start + packet->csum_offset, &checksum, sizeof(checksum));
}

/* --- segmentation ------------------------------------------------------------------------ */

/* A packet that is being cut. Offsets count from the frame's start. */
struct cut {
	struct hv_core *core;
	const struct hv_packet *packet;
	uint32_t l3, l4, headers; /* headers: bytes that each segment repeats */
	uint32_t payload;	  /* bytes to share out */
	bool v6, keep_partial;
	/* Where the next payload byte is: linear bytes, then slices. */
	const uint8_t *at;
	uint32_t left;
	unsigned slice;
};

/* Find the headers. False: this is not a packet that can be cut. */
static bool find_headers(struct cut *cut, bool ethernet)
{
	const struct hv_packet *packet = cut->packet;
	uint32_t headroom = hv_packet_headroom(packet), ip_header;

	cut->l3 = ethernet ? HV_ETH_HEADER : 0;
	if (packet->csum != HV_CSUM_PARTIAL || !packet->gso_size ||
	    packet->csum_start < headroom + cut->l3 + HV_IPV4_HEADER)
		return false;
	cut->l4 = packet->csum_start - headroom;
	cut->headers = cut->l4 + HV_UDP_HEADER;
	if (cut->l4 + HV_TCP_HEADER <= packet->len && packet->gso_type != HV_GSO_UDP) {
		uint32_t tcp_header = (uint32_t)(packet->data[cut->l4 + 12] >> 4) * 4;

		if (tcp_header < HV_TCP_HEADER)
			return false;
		cut->headers = cut->l4 + tcp_header;
	} else if (packet->gso_type != HV_GSO_UDP) {
		return false;
	}
	if (cut->headers > packet->len || cut->headers > HV_PACKET_SMALL / 2)
		return false;
	cut->v6 = packet->data[cut->l3] >> 4 == 6;
	ip_header = cut->v6 ? HV_IPV6_HEADER : hv_ipv4_header_length(packet->data + cut->l3);
	/* IPv6 extension headers may stand between; they are repeated as they are. */
	if (cut->v6 ? cut->l4 < cut->l3 + ip_header : cut->l4 != cut->l3 + ip_header)
		return false;
	cut->at = packet->data + cut->headers;
	cut->left = packet->len - cut->headers;
	cut->payload = cut->left + packet->slices_len;
	return cut->payload <= (uint32_t)packet->gso_size * SEGMENTS_MAX;
}

/* Copy the next `size` bytes of payload. */
static void copy_payload(struct cut *cut, uint8_t *out, uint32_t size)
{
	while (size) {
		uint32_t part = cut->left < size ? cut->left : size;

		memcpy(out, cut->at, part);
		out += part;
		size -= part;
		cut->at += part;
		cut->left -= part;
		if (size) {
			const struct iovec *slice = &cut->packet->slices[cut->slice++];

			cut->at = slice->iov_base;
			cut->left = (uint32_t)slice->iov_len;
		}
	}
}

/* Lengths, identification and header checksum of the segment with this number. */
static void fix_ip(const struct cut *cut, uint8_t *frame, uint32_t size, uint32_t number)
{
	uint8_t *ip = frame + cut->l3;
	uint32_t ip_size = size - cut->l3;
	uint16_t checksum;

	if (cut->v6) {
		hv_put16(ip + 4, (uint16_t)(ip_size - HV_IPV6_HEADER));
		return;
	}
	hv_put16(ip + 2, (uint16_t)ip_size);
	/* Each datagram has an identification of its own (RFC 6864 section 4.1). */
	hv_put16(ip + 4, (uint16_t)(hv_get16(ip + 4) + number));
	hv_put16(ip + 10, 0);
	checksum = hv_checksum(ip, hv_ipv4_header_length(ip));
	memcpy(ip + 10, &checksum, sizeof(checksum));
}

/* Sequence number, flags or length; and the pseudo-header's sum in the checksum field. */
static void fix_transport(const struct cut *cut, uint8_t *frame, uint32_t size, uint32_t done,
			  bool last)
{
	const uint8_t *ip = frame + cut->l3;
	uint8_t *transport = frame + cut->l4;
	bool tcp = cut->packet->gso_type != HV_GSO_UDP;
	struct hv_addr src, dst;
	uint16_t sum;

	if (tcp) {
		hv_put32(transport + 4, hv_get32(transport + 4) + done);
		if (!last)
			transport[13] &= (uint8_t) ~(HV_TCP_FIN | HV_TCP_PSH);
		if (done)
			transport[13] &=
				(uint8_t)~HV_TCP_CWR; /* RFC 3168 section 6.1.2: once */
	} else {
		hv_put16(transport + 4, (uint16_t)(size - cut->l4));
	}
	src = cut->v6 ? hv_addr_v6(ip + 8) : hv_addr_v4(ip + 12);
	dst = cut->v6 ? hv_addr_v6(ip + 24) : hv_addr_v4(ip + 16);
	sum = hv_sum_fold(
		hv_sum_pseudo(&src, &dst, tcp ? IPPROTO_TCP : IPPROTO_UDP, size - cut->l4));
	memcpy(transport + cut->packet->csum_offset, &sum, sizeof(sum));
}

/* The segment that begins `done` bytes into the payload. NULL: no memory. */
static struct hv_packet *cut_segment(struct cut *cut, uint32_t done, uint32_t number)
{
	const struct hv_packet *packet = cut->packet;
	uint32_t share = cut->payload - done, size;
	struct hv_packet *segment;

	if (share > packet->gso_size)
		share = packet->gso_size;
	size = cut->headers + share;
	segment = hv_packet_new(cut->core, HV_PACKET_HEADROOM, size);
	if (!segment)
		return NULL;
	hv_packet_append(segment, size);
	memcpy(segment->data, packet->data, cut->headers);
	copy_payload(cut, segment->data + cut->headers, share);
	fix_ip(cut, segment->data, size, number);
	fix_transport(cut, segment->data, size, done, done + share == cut->payload);
	segment->csum = HV_CSUM_PARTIAL;
	segment->csum_start = (uint16_t)(hv_packet_headroom(segment) + cut->l4);
	segment->csum_offset = packet->csum_offset;
	if (!cut->keep_partial)
		hv_offload_checksum(segment);
	return segment;
}

/* The checksum field must be the transport's own. */
static bool csum_offset_is_right(const struct hv_packet *packet)
{
	return packet->csum_offset == (packet->gso_type == HV_GSO_UDP ? 6 : 16);
}

int hv_offload_segment(struct hv_core *core, struct hv_packet *packet, bool ethernet,
		       bool keep_partial, struct hv_packet_queue *out)
{
	struct cut cut = {.core = core, .packet = packet, .keep_partial = keep_partial};
	uint32_t done = 0, number = 0;

	if (!csum_offset_is_right(packet) || !find_headers(&cut, ethernet)) {
		hv_drop(core, packet, HV_DROP_LINK_OFFLOAD);
		return -EINVAL;
	}
	do {
		struct hv_packet *segment = cut_segment(&cut, done, number++);

		if (!segment) {
			hv_drop(core, packet, HV_DROP_NO_MEMORY);
			return -ENOMEM;
		}
		hv_packet_queue_push(out, segment);
		done += packet->gso_size;
	} while (done < cut.payload);
	hv_packet_free(core, packet);
	return 0;
}
