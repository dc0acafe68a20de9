/*
 * The virtio-net header from and to a packet's offload marks. It stands between a frame's
 * descriptor and everything else: nothing behind it sees a mark that was not checked here.
 */
#include <string.h>

#include "link/vnet.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* Segment types that are understood. UDP fragmentation (3) is refused: it was never asked for. */
static bool gso_is_valid(const struct hv_vnet_header *header)
{
	uint8_t type = header->gso_type & (uint8_t)~HV_VNET_GSO_ECN;

	if (type != HV_GSO_TCP4 && type != HV_GSO_TCP6 && header->gso_type != HV_GSO_UDP)
		return false;
	return header->gso_size != 0 && header->flags & HV_VNET_NEEDS_CSUM;
}

bool hv_vnet_parse(struct hv_packet *packet, const struct hv_vnet_header *header)
{
	uint32_t start;

	packet->csum = header->flags & HV_VNET_DATA_VALID ? HV_CSUM_VALID : HV_CSUM_NONE;
	packet->gso_type = HV_GSO_NONE;
	packet->gso_size = 0;
	if (header->flags & HV_VNET_NEEDS_CSUM) {
		if ((uint32_t)header->csum_start + header->csum_offset + 2 > packet->len)
			return false;
		start = hv_packet_headroom(packet) + header->csum_start;
		if (start > UINT16_MAX)
			return false;
		packet->csum = HV_CSUM_PARTIAL;
		packet->csum_start = (uint16_t)start;
		packet->csum_offset = header->csum_offset;
	}
	if (header->gso_type == HV_GSO_NONE)
		return true;
	if (!gso_is_valid(header))
		return false;
	packet->gso_type = header->gso_type & (uint8_t)~HV_VNET_GSO_ECN;
	packet->gso_size = header->gso_size;
	return true;
}

/* hdr_len and, for TCP, the ECN mark: the kernel trusts neither, but refuses wrong ones. */
static bool write_gso(const struct hv_packet *packet, uint32_t l4,
		      struct hv_vnet_header *header)
{
	const uint8_t *transport = packet->data + l4;
	uint32_t transport_header = HV_UDP_HEADER;

	header->gso_type = packet->gso_type;
	header->gso_size = packet->gso_size;
	if (packet->gso_type != HV_GSO_UDP) {
		if (l4 + HV_TCP_HEADER > packet->len)
			return false;
		transport_header = (uint32_t)(transport[12] >> 4) * 4;
		if (transport[13] & HV_TCP_CWR)
			header->gso_type |= HV_VNET_GSO_ECN;
	}
	header->hdr_len = (uint16_t)(l4 + transport_header);
	return l4 + transport_header <= packet->len;
}

bool hv_vnet_write(const struct hv_packet *packet, struct hv_vnet_header *header)
{
	uint32_t headroom = hv_packet_headroom(packet), l4;

	memset(header, 0, sizeof(*header));
	if (packet->csum != HV_CSUM_PARTIAL)
		return packet->gso_type == HV_GSO_NONE;
	if (packet->csum_start < headroom)
		return false;
	l4 = packet->csum_start - headroom;
	if (l4 + packet->csum_offset + 2 > packet->len)
		return false;
	header->flags = HV_VNET_NEEDS_CSUM;
	header->csum_start = (uint16_t)l4;
	header->csum_offset = packet->csum_offset;
	return packet->gso_type == HV_GSO_NONE || write_gso(packet, l4, header);
}
