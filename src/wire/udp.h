/* UDP header (RFC 768; checksum rules RFC 8200 section 8.1). */
#ifndef HV_WIRE_UDP_H
#define HV_WIRE_UDP_H

#include "base/drop.h"
#include "base/packet.h"
#include "wire/bytes.h"

enum { HV_UDP_HEADER = 8 };
/* As hv_wire_tcp_parse(): reasons UDP_HEADER, UDP_CHECKSUM. Zero checksum is good over IPv4 only. A GSO packet's length field
 * is that of the first datagram or of all: payload_len is then all of the packet. */
int hv_wire_udp_parse(struct hv_packet *packet);
void hv_wire_udp_write(uint8_t *p, uint16_t src_port, uint16_t dst_port, uint16_t length);

#endif
