/*
 * UDP towards the link. A batch of equal datagrams leaves as few large packets with a segment
 * size, which the link, or link/offload.c for it, cuts (virtio-net UDP segmentation); a datagram
 * larger than the MTU is left to ip/ to fragment.
 */
#include "udp/udp.h"

#include <netinet/in.h>

#include "wire/checksum.h"
#include "wire/udp.h"

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IP_PACKET_MAX = 65535,
	COPY_MAX = 512, /* payload up to this is copied: cheaper than a slice */
};

/* Where in the caller's buffers we are. */
struct cursor {
	const struct iovec *iov;
	int count;
	size_t offset; /* into iov[0] */
};

/* The next piece of at most `size` bytes. The bytes are there. */
static struct iovec cursor_take(struct cursor *cursor, size_t size)
{
	struct iovec piece;
	size_t left;

	while (cursor->offset == cursor->iov->iov_len) {
		cursor->iov++;
		cursor->offset = 0;
	}
	left = cursor->iov->iov_len - cursor->offset;
	piece.iov_base = (uint8_t *)cursor->iov->iov_base + cursor->offset;
	piece.iov_len = size < left ? size : left;
	cursor->offset += piece.iov_len;
	return piece;
}

/* How many pieces the next `size` bytes are, counted up to `most`. */
static int cursor_pieces(struct cursor cursor, size_t size, int most)
{
	int pieces = 0;

	while (size && pieces < most) {
		size -= cursor_take(&cursor, size).iov_len;
		pieces++;
	}
	return size ? most + 1 : pieces;
}

/* The payload, borrowed from the caller where it is large and in few pieces. */
static struct hv_packet *packet_make(struct hv_udp *udp, struct cursor *cursor, uint32_t size)
{
	bool borrow = size > COPY_MAX &&
		      cursor_pieces(*cursor, size, HV_PACKET_SLICES) <= HV_PACKET_SLICES;
	struct hv_packet *packet = hv_packet_new(udp->core, HV_PACKET_HEADROOM,
						 HV_UDP_HEADER + (borrow ? 0 : size));

	if (!packet)
		return NULL;
	hv_packet_append(packet, HV_UDP_HEADER);
	while (size) {
		struct iovec piece = cursor_take(cursor, size);

		if (borrow)
			hv_packet_add_slice(packet, piece.iov_base, (uint32_t)piece.iov_len);
		else
			memcpy(hv_packet_append(packet, (uint32_t)piece.iov_len),
			       piece.iov_base, piece.iov_len);
		size -= (uint32_t)piece.iov_len;
	}
	return packet;
}

/* One packet: a datagram, or with gso_size many of them. */
static int packet_output(struct hv_udp *udp, const struct hv_ip_tx *tx, uint16_t src_port,
			 uint16_t dst_port, struct cursor *cursor, uint32_t size,
			 uint16_t gso_size)
{
	struct hv_packet *packet = packet_make(udp, cursor, size);
	uint32_t length = HV_UDP_HEADER + size;
	uint16_t sum;
	int error;

	if (!packet)
		return -ENOMEM;
	hv_wire_udp_write(packet->data, src_port, dst_port, (uint16_t)length);
	/* The link fills in the rest; a sum of zero is sent as ones (RFC 768). */
	sum = hv_sum_fold(hv_sum_pseudo(&tx->src, &tx->dst, IPPROTO_UDP, length));
	memcpy(packet->data + 6, &sum, sizeof(sum));
	packet->csum = HV_CSUM_PARTIAL;
	packet->csum_start = (uint16_t)(packet->data - packet->head);
	packet->csum_offset = 6;
	if (gso_size && size > gso_size) {
		packet->gso_type = HV_GSO_UDP;
		packet->gso_size = gso_size;
	}
	udp->datagrams_out += gso_size ? (size + gso_size - 1) / gso_size : 1;
	error = hv_ip_output(udp->ip, tx, packet);
	return error == -EAGAIN ? 0 : error;
}

/* Bytes of payload for each packet: whole datagrams. */
static size_t packet_payload(const struct hv_udp *udp, const struct hv_ip_tx *tx, size_t header,
			     size_t total, uint16_t gso_size)
{
	uint32_t mtu;

	if (!gso_size)
		return total;
	mtu = hv_ip_mtu(udp->ip, &tx->dst);
	/* Datagrams that need fragments go one by one. */
	if (header + HV_UDP_HEADER + gso_size > mtu)
		return gso_size;
	return (IP_PACKET_MAX - header - HV_UDP_HEADER) / gso_size * gso_size;
}

int hv_udp_output_tx(struct hv_udp *udp, const struct hv_ip_tx *given, uint16_t src_port,
		     uint16_t dst_port, const struct iovec *iov, int iov_count,
		     uint16_t gso_size)
{
	struct hv_ip_tx tx = *given;
	struct cursor cursor = {iov, iov_count, 0};
	size_t total = 0, header, limit, step;
	int error = 0;

	tx.proto = IPPROTO_UDP;
	if (hv_addr_is_v4(&tx.src) != hv_addr_is_v4(&tx.dst) || !dst_port)
		return -EINVAL;
	for (int i = 0; i < iov_count; i++)
		total += iov[i].iov_len;
	/* The length field of IPv4 counts its header, that of IPv6 does not. */
	header = hv_addr_is_v4(&tx.dst) ? IPV4_HEADER : IPV6_HEADER;
	limit = IP_PACKET_MAX - HV_UDP_HEADER - (header == IPV4_HEADER ? header : 0);
	if ((gso_size ? gso_size : total) > limit)
		return -EMSGSIZE;
	step = packet_payload(udp, &tx, header, total, gso_size);
	do {
		size_t size = total < step ? total : step;

		error = packet_output(udp, &tx, src_port, dst_port, &cursor, (uint32_t)size,
				      gso_size);
		total -= size;
	} while (!error && total);
	return error;
}

int hv_udp_output(struct hv_udp *udp, const struct haven_endpoint *src,
		  const struct haven_endpoint *dst, const struct iovec *iov, int iov_count,
		  uint16_t gso_size, uint8_t hop_limit, uint8_t traffic_class)
{
	struct hv_ip_tx tx = {.hop_limit = hop_limit, .traffic_class = traffic_class};

	memcpy(tx.src.b, src->address, sizeof(tx.src.b));
	memcpy(tx.dst.b, dst->address, sizeof(tx.dst.b));
	return hv_udp_output_tx(udp, &tx, src->port, dst->port, iov, iov_count, gso_size);
}
