/*
 * The virtio-net header (VIRTIO 1.2 section 5.1.6) that stands before each frame on a TAP or
 * AF_PACKET descriptor: what the other side left undone in a frame, or already did. This is the
 * layout of struct virtio_net_hdr, in the host's byte order ("legacy" interface), written here
 * because old kernel headers lack the UDP segment type.
 */
#ifndef HV_LINK_VNET_H
#define HV_LINK_VNET_H

#include <stdbool.h>

#include "base/packet.h"

enum {
	HV_VNET_NEEDS_CSUM = 1, /* flags: fill in the checksum at csum_start + csum_offset */
	HV_VNET_DATA_VALID = 2, /* flags: the checksum was verified */
	HV_VNET_GSO_ECN =
		0x80, /* gso_type: TCP with CWR set, which only the first segment keeps */
};

struct hv_vnet_header {
	uint8_t flags;
	uint8_t gso_type; /* HV_GSO_, with HV_VNET_GSO_ECN */
	uint16_t hdr_len; /* of all headers, when gso_type is set */
	uint16_t gso_size;
	uint16_t csum_start; /* from the frame's first byte */
	uint16_t csum_offset;
};
_Static_assert(sizeof(struct hv_vnet_header) == 10, "layout of struct virtio_net_hdr");

/*
 * Take over a received header into the packet's marks (packet->data at the frame's start).
 * False when it makes no sense for this frame: a checksum outside of it, an unknown segment
 * type, segments without size or without checksum.
 */
bool hv_vnet_parse(struct hv_packet *packet, const struct hv_vnet_header *header);

/*
 * The header for a packet to be sent. False when its marks are not consistent (segments
 * without partial checksum, transport header not in the linear bytes).
 */
bool hv_vnet_write(const struct hv_packet *packet, struct hv_vnet_header *header);

#endif
