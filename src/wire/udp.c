/* The UDP header (RFC 768): the wire side of udp/. */
#include "wire/udp.h"

#include <assert.h>

#include "wire/checksum.h"

/* Zero means "none was computed": allowed over IPv4 only (RFC 8200 section 8.1). */
static bool checksum_is_good(const struct hv_packet *packet, uint32_t length)
{
	const struct hv_desc *d = &packet->d;
	uint64_t sum;

	if (packet->csum != HV_CSUM_NONE)
		return true;
	if (hv_get16(d->l4 + 6) == 0)
		return hv_addr_is_v4(&d->src);
	sum = hv_sum_pseudo(&d->src, &d->dst, d->proto, length);
	return hv_sum_fold(hv_sum_add(sum, d->l4, length)) == UINT16_MAX;
}

int hv_wire_udp_parse(struct hv_packet *packet)
{
	struct hv_desc *d = &packet->d;
	const uint8_t *p = d->l4;
	uint32_t length;

	assert(p + d->payload_len <= packet->data + packet->len);
	if (d->payload_len < HV_UDP_HEADER)
		return HV_DROP_UDP_HEADER;
	length = packet->gso_size ? d->payload_len : hv_get16(p + 4);
	if (length < HV_UDP_HEADER || length > d->payload_len)
		return HV_DROP_UDP_HEADER;
	if (!checksum_is_good(packet, length))
		return HV_DROP_UDP_CHECKSUM;
	d->src_port = hv_get16(p);
	d->dst_port = hv_get16(p + 2);
	d->payload = d->l4 + HV_UDP_HEADER;
	d->payload_len = length - HV_UDP_HEADER;
	return HV_DROP_COUNT;
}

void hv_wire_udp_write(uint8_t *p, uint16_t src_port, uint16_t dst_port, uint16_t length)
{
	hv_put16(p, src_port);
	hv_put16(p + 2, dst_port);
	hv_put16(p + 4, length);
	hv_put16(p + 6, 0);
}
