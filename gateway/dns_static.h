/*
 * Names that haven itself knows: those of --host-name, and host.haven, the host.
 *
 * host.haven has the addresses of --host-loopback, and in a family without one the first address of the host that the guest can reach.
 * No other name that ends in .haven exists, and questions about them stay here.
 */
#ifndef HV_GATEWAY_DNS_STATIC_H
#define HV_GATEWAY_DNS_STATIC_H

#include "gateway/dns_question.h"
#include "gateway/policy_address.h"

#define HV_DNS_STATIC_MAX \
	1024 /* names that one haven is given; each costs a question a comparison */
#define HV_DNS_STATIC_TTL_S 60

struct hv_dns_static_name {
	char name[HV_DNS_NAME_SIZE]; /* lower case, without final dot */
	uint8_t address[16];	     /* a name can come more than once, with another address */
};

/* "NAME=ADDR". False with a line in error: it does not say which option. */
bool hv_dns_static_parse(const char *text, struct hv_dns_static_name *out, char *error,
			 size_t size);

struct hv_dns_static {
	const struct hv_dns_static_name *names; /* the caller's, as long as this is used */
	size_t count;
	const struct hv_network *network;
	/*
	 * The first address of the host of a family that the guest can reach: false when there is none. hv_dns_static_host_address(),
	 * but for tests.
	 */
	bool (*host_address)(const struct hv_network_family *family, bool v4,
			     uint8_t address[16]);
};

/*
 * The answer to a question about such a name, in out (HV_DNS_MESSAGE_MAX bytes): its size, 0 when it is about another. A and AAAA; ANY gets
 * the HINFO of RFC 8482 section 4.2, any other type "no data".
 */
size_t hv_dns_static_answer(const struct hv_dns_static *names,
			    const struct hv_dns_question *question, uint8_t *out);

/* As the host has it now (getifaddrs): neither loopback nor link-local, nor of the guest's own network. */
bool hv_dns_static_host_address(const struct hv_network_family *family, bool v4,
				uint8_t address[16]);

#endif
