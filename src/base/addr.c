/* Addresses: what kind an address is, and between 16 bytes, sockaddr and text. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool hv_addr_is_v4(const struct hv_addr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool hv_addr_is_any(const struct hv_addr *a)
{
	if (a->u32[3] != 0)
		return false;
	return (a->u64[0] | a->u32[2]) == 0 || hv_addr_is_v4(a);
}

bool hv_addr_is_multicast(const struct hv_addr *a)
{
	if (a->b[0] == 0xff)
		return true;
	return (a->b[12] & 0xf0) == 0xe0 && hv_addr_is_v4(a);
}

bool hv_addr_is_loopback(const struct hv_addr *a)
{
	if (hv_addr_is_v4(a))
		return a->b[12] == 127;
	return a->u64[0] == 0 && a->u32[2] == 0 && a->b[12] == 0 && a->b[13] == 0 &&
	       a->b[14] == 0 && a->b[15] == 1;
}

bool hv_addr_is_link_local(const struct hv_addr *a)
{
	if (hv_addr_is_v4(a))
		return a->b[12] == 169 && a->b[13] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool hv_addr_is_v4_broadcast(const struct hv_addr *a)
{
	return a->u32[3] == UINT32_MAX && hv_addr_is_v4(a);
}

struct hv_addr hv_addr_v4(const uint8_t bytes[4])
{
	struct hv_addr a;

	memcpy(a.b, v4_prefix, sizeof(v4_prefix));
	memcpy(a.b + 12, bytes, 4);
	return a;
}

struct hv_addr hv_addr_v6(const uint8_t bytes[16])
{
	struct hv_addr a;

	memcpy(a.b, bytes, 16);
	return a;
}

bool hv_addr_in_prefix(const struct hv_addr *a, const struct hv_addr *prefix,
		       unsigned prefix_bits)
{
	unsigned whole, rest;

	if (prefix_bits > 128)
		prefix_bits = 128;
	whole = prefix_bits / 8;
	rest = prefix_bits % 8;
	if (memcmp(a->b, prefix->b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ prefix->b[whole]) >> (8 - rest)) == 0;
}

int hv_addr_from_sockaddr(const struct sockaddr *sa, socklen_t length, struct hv_addr *addr,
			  uint16_t *port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	if (!sa || length < offsetof(struct sockaddr, sa_data))
		return -EINVAL;
	switch (sa->sa_family) {
	case AF_INET:
		if (length < sizeof(*in))
			return -EINVAL;
		*addr = hv_addr_v4((const uint8_t *)&in->sin_addr);
		if (port)
			*port = ntohs(in->sin_port);
		return 0;
	case AF_INET6:
		if (length < sizeof(*in6))
			return -EINVAL;
		*addr = hv_addr_v6(in6->sin6_addr.s6_addr);
		if (port)
			*port = ntohs(in6->sin6_port);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

socklen_t hv_addr_to_sockaddr(const struct hv_addr *addr, uint16_t port, bool as_v6,
			      struct sockaddr_storage *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (hv_addr_is_v4(addr) && !as_v6) {
		struct sockaddr_in *in = (struct sockaddr_in *)sa;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr->b + 12, 4);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, addr->b, 16);
		return sizeof(*in6);
	}
}

char *hv_addr_text(const struct hv_addr *addr, char *buffer, size_t size)
{
	const char *text;

	if (hv_addr_is_v4(addr))
		text = inet_ntop(AF_INET, addr->b + 12, buffer, (socklen_t)size);
	else
		text = inet_ntop(AF_INET6, addr->b, buffer, (socklen_t)size);
	if (!text && size > 0)
		buffer[0] = '\0';
	return buffer;
}
