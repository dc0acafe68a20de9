/* DNS messages, built record by record; names without compression where the test does not say otherwise. */
#ifndef TEST_DNS_BUILD_H
#define TEST_DNS_BUILD_H

#include <arpa/inet.h>
#include <string.h>

#include "gateway/dns_record.h"
#include "support/test.h"

struct build {
	uint8_t bytes[HV_DNS_MESSAGE_MAX];
	size_t size;
};

static inline void put_bytes(struct build *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof(b->bytes));
	if (size > 0)
		memcpy(b->bytes + b->size, data, size);
	b->size += size;
}

static inline void put8(struct build *b, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put_bytes(b, &byte, 1);
}

static inline void put16(struct build *b, unsigned value)
{
	put8(b, value >> 8);
	put8(b, value);
}

static inline void put32(struct build *b, uint32_t value)
{
	put16(b, value >> 16);
	put16(b, value & 0xffff);
}

/* "www.example.org"; "" and "." are the root. */
static inline void put_name(struct build *b, const char *name)
{
	while (*name && *name != '.') {
		size_t label = strcspn(name, ".");

		put8(b, (unsigned)label);
		put_bytes(b, name, label);
		name += label;
		if (*name == '.')
			name++;
	}
	put8(b, 0);
}

static inline void put_pointer(struct build *b, size_t offset)
{
	put16(b, 0xc000 | (unsigned)offset);
}

/* flags: bytes 2 and 3 of the header. */
static inline void begin_message(struct build *b, uint16_t id, uint16_t flags, const char *name,
				 uint16_t type)
{
	b->size = 0;
	put16(b, id);
	put16(b, flags);
	put16(b, 1);
	put16(b, 0);
	put32(b, 0);
	put_name(b, name);
	put16(b, type);
	put16(b, HV_DNS_CLASS_IN);
}

#define ANSWER_FLAGS 0x8180 /* QR, RD, RA */

static inline void begin_answer(struct build *b, const char *name, uint16_t type)
{
	begin_message(b, 0x1234, ANSWER_FLAGS, name, type);
}

static inline void count_record(struct build *b, enum hv_dns_section section)
{
	uint8_t *count = b->bytes + 4 + 2 * (size_t)section;

	hv_dns_put16(count, (uint16_t)(hv_dns_get16(count) + 1));
}

/* All but the data, whose size the caller puts with end_record(). Returns where the data begins. */
static inline size_t begin_record(struct build *b, enum hv_dns_section section,
				  const char *name, uint16_t type, uint32_t ttl_s)
{
	count_record(b, section);
	put_name(b, name);
	put16(b, type);
	put16(b, HV_DNS_CLASS_IN);
	put32(b, ttl_s);
	put16(b, 0);
	return b->size;
}

static inline void end_record(struct build *b, size_t data_at)
{
	hv_dns_put16(b->bytes + data_at - 2, (uint16_t)(b->size - data_at));
}

/* A or AAAA, as the address has it. */
static inline void put_address(struct build *b, enum hv_dns_section section, const char *name,
			       uint32_t ttl_s, const char *address)
{
	uint8_t bytes[16];
	bool v6 = strchr(address, ':');
	size_t at = begin_record(b, section, name, v6 ? HV_DNS_AAAA : HV_DNS_A, ttl_s);

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes), 1);
	put_bytes(b, bytes, v6 ? 16 : 4);
	end_record(b, at);
}

static inline void put_cname(struct build *b, enum hv_dns_section section, const char *name,
			     uint32_t ttl_s, const char *target)
{
	size_t at = begin_record(b, section, name, HV_DNS_CNAME, ttl_s);

	put_name(b, target);
	end_record(b, at);
}

static inline void put_soa(struct build *b, const char *zone, uint32_t ttl_s,
			   uint32_t minimum_s)
{
	size_t at = begin_record(b, HV_DNS_AUTHORITY, zone, HV_DNS_SOA, ttl_s);

	put_name(b, "ns.test");
	put_name(b, "hostmaster.test");
	for (unsigned i = 0; i < 4; i++)
		put32(b, 1000 + i);
	put32(b, minimum_s);
	end_record(b, at);
}

/* An OPT record (RFC 6891 section 6.1.2) with `options` as its data. */
static inline void put_opt(struct build *b, uint16_t udp_size, uint32_t extended_flags,
			   const void *options, size_t size)
{
	count_record(b, HV_DNS_ADDITIONAL);
	put8(b, 0);
	put16(b, HV_DNS_OPT);
	put16(b, udp_size);
	put32(b, extended_flags);
	put16(b, (unsigned)size);
	put_bytes(b, options, size);
}

#endif
