/* Congestion experienced: see fault_mark.h. */
#include "link/fault_mark.h"
#include "wire/bytes.h"

enum {
	/* The two bits of RFC 3168 section 5: capable of ECN, or not; and marked. */
	ECN_MASK = 3,
	ECN_NOT_CAPABLE = 0,
	ECN_MARKED = 3,
	IPV4_CHECKSUM = 10, /* offset */
	IPV6_ECN_SHIFT = 4, /* of the two bits, in byte 1 (RFC 8200 section 3) */
};

/* RFC 1624 equation 3: the checksum after one of its words changed. */
static uint16_t checksum_after(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool mark_ipv4(uint8_t *ip)
{
	uint16_t before = hv_get16(ip), after = before | ECN_MARKED;

	if ((before & ECN_MASK) == ECN_NOT_CAPABLE || before == after)
		return false;
	hv_put16(ip, after);
	hv_put16(ip + IPV4_CHECKSUM,
		 checksum_after(hv_get16(ip + IPV4_CHECKSUM), before, after));
	return true;
}

static bool mark_ipv6(uint8_t *ip)
{
	unsigned ecn = ip[1] >> IPV6_ECN_SHIFT & ECN_MASK;

	if (ecn == ECN_NOT_CAPABLE || ecn == ECN_MARKED)
		return false;
	ip[1] |= ECN_MARKED << IPV6_ECN_SHIFT;
	return true;
}

bool hv_fault_mark(struct hv_packet *packet, uint32_t start)
{
	enum { IPV4_HEADER = 20 };
	uint8_t *ip = packet->data + start;

	if (packet->len < start + IPV4_HEADER)
		return false;
	switch (ip[0] >> 4) {
	case 4:
		return mark_ipv4(ip);
	case 6:
		return mark_ipv6(ip);
	default:
		return false;
	}
}
