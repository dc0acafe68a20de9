/*
 * Addresses as 16 bytes; IPv4 is v4-mapped (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that
 * one table, one descriptor and one compare serve both families.
 */
#ifndef HV_BASE_ADDR_H
#define HV_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct hv_addr {
	union {
		uint8_t b[16];
		uint16_t u16[8];
		uint32_t u32[4];
		uint64_t u64[2];
	};
};

static inline bool hv_addr_equal(const struct hv_addr *a, const struct hv_addr *b)
{
	return a->u64[0] == b->u64[0] && a->u64[1] == b->u64[1];
}

bool hv_addr_is_v4(const struct hv_addr *a);  /* v4-mapped */
bool hv_addr_is_any(const struct hv_addr *a); /* :: or ::ffff:0.0.0.0 */
bool hv_addr_is_multicast(const struct hv_addr *a);
bool hv_addr_is_loopback(const struct hv_addr *a);
bool hv_addr_is_link_local(const struct hv_addr *a);   /* 169.254/16, fe80::/10 */
bool hv_addr_is_v4_broadcast(const struct hv_addr *a); /* 255.255.255.255 */
struct hv_addr hv_addr_v4(const uint8_t bytes[4]);
struct hv_addr hv_addr_v6(const uint8_t bytes[16]);
/* prefix_bits counts in the 128-bit form: IPv4 /24 is 120. */
bool hv_addr_in_prefix(const struct hv_addr *a, const struct hv_addr *prefix,
		       unsigned prefix_bits);

/* sockaddr_in or sockaddr_in6; v4-mapped sockaddr_in6 is IPv4. port in host order; may be NULL. 0 or -EAFNOSUPPORT/-EINVAL. */
int hv_addr_from_sockaddr(const struct sockaddr *sa, socklen_t length, struct hv_addr *addr,
			  uint16_t *port);
/* Writes the family's own form (v4-mapped gives sockaddr_in, unless as_v6); returns the length. */
socklen_t hv_addr_to_sockaddr(const struct hv_addr *addr, uint16_t port, bool as_v6,
			      struct sockaddr_storage *sa);
/* "10.0.2.2" or "fd00::2"; buffer of at least 46 bytes. Returns buffer. */
char *hv_addr_text(const struct hv_addr *addr, char *buffer, size_t size);

#endif
