/*
 * Names that haven itself knows. See dns_static.h.
 */
#include "gateway/dns_static.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <haven/forward.h>

#define TOP	  "haven"
#define HOST_NAME "host." TOP
#define LABEL_MAX 63
/* CPU "RFC8482", OS "": two strings with their lengths (RFC 1035 section 3.3.2). */
#define HINFO_ANY "\7RFC8482\0"

/* --- the option ------------------------------------------------------------------------- */

/* Letters, digits, hyphens and underscores, in labels of 1 to 63 (RFC 1123 section 2.1, RFC 8552). */
static bool is_name(const char *name, size_t size)
{
	size_t label = 0;

	if (size == 0 || size >= HV_DNS_NAME_SIZE - 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		uint8_t c = hv_dns_lower((uint8_t)name[i]);

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			   c == '_') {
			if (++label > LABEL_MAX)
				return false;
		} else {
			return false;
		}
	}
	return label > 0;
}

bool hv_dns_static_parse(const char *text, struct hv_dns_static_name *out, char *error,
			 size_t size)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : 0;

	if (!equals) {
		snprintf(error, size, "'%.200s' is not NAME=ADDR", text);
		return false;
	}
	if (length > 0 && text[length - 1] == '.')
		length--;
	if (!is_name(text, length)) {
		snprintf(error, size, "'%.*s' is not the name of a host",
			 length < 200 ? (int)length : 200, text);
		return false;
	}
	if (!hv_address_parse(equals + 1, out->address)) {
		snprintf(error, size, "'%.100s' is neither an IPv4 nor an IPv6 address",
			 equals + 1);
		return false;
	}
	for (size_t i = 0; i < length; i++)
		out->name[i] = (char)hv_dns_lower((uint8_t)text[i]);
	out->name[length] = '\0';
	return true;
}

/* --- the host's address ----------------------------------------------------------------- */

static bool is_reachable(const struct hv_network_family *family, const uint8_t address[16])
{
	static const uint8_t link_local4[4] = {169, 254, 0, 0};
	uint8_t network4[16];

	hv_address_from_v4(network4, link_local4);
	return !hv_address_is_loopback(address) && !hv_address_is_unspecified(address) &&
	       !hv_address_is_link_local6(address) &&
	       !hv_address_in_prefix(address, network4, 16) &&
	       !hv_address_in_prefix(address, family->gateway, family->prefix);
}

bool hv_dns_static_host_address(const struct hv_network_family *family, bool v4,
				uint8_t address[16])
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		struct haven_endpoint endpoint;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
		    haven_endpoint_from_sockaddr(i->ifa_addr, &endpoint) < 0 ||
		    haven_endpoint_is_v4(&endpoint) != v4 ||
		    !is_reachable(family, endpoint.address))
			continue;
		memcpy(address, endpoint.address, 16);
		found = true;
	}
	freeifaddrs(list);
	return found;
}

/* --- answers ---------------------------------------------------------------------------- */

static bool write_address(struct hv_dns_writer *writer, const uint8_t address[16])
{
	bool v4 = hv_address_is_v4(address);

	return hv_dns_write_record(writer, v4 ? HV_DNS_A : HV_DNS_AAAA, HV_DNS_STATIC_TTL_S,
				   v4 ? address + 12 : address, v4 ? 4 : 16);
}

static void write_host(struct hv_dns_writer *writer, const struct hv_dns_static *names, bool v4)
{
	const struct hv_network_family *family = v4 ? &names->network->v4 : &names->network->v6;
	uint8_t address[16];

	if (!family->enabled)
		return;
	if (family->has_host_loopback)
		write_address(writer, family->host_loopback);
	else if (names->host_address(family, v4, address))
		write_address(writer, address);
}

static bool is_known(const struct hv_dns_static *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->names[i].name, name) == 0)
			return true;
	}
	return false;
}

/* The records of a name that is known; of host.haven, when it is not given by --host-name. */
static void write_known(struct hv_dns_writer *writer, const struct hv_dns_static *names,
			const struct hv_dns_question *question, bool given)
{
	bool v4 = question->type == HV_DNS_A;

	if (question->type == HV_DNS_ANY) {
		hv_dns_write_record(writer, HV_DNS_HINFO, HV_DNS_STATIC_TTL_S, HINFO_ANY,
				    sizeof(HINFO_ANY) - 1);
		return;
	}
	if (question->type != HV_DNS_A && question->type != HV_DNS_AAAA)
		return;
	if (!given) {
		write_host(writer, names, v4);
		return;
	}
	for (size_t i = 0; i < names->count; i++) {
		const struct hv_dns_static_name *name = &names->names[i];

		if (hv_address_is_v4(name->address) == v4 &&
		    strcmp(name->name, question->name) == 0 &&
		    !write_address(writer, name->address))
			return;
	}
}

size_t hv_dns_static_answer(const struct hv_dns_static *names,
			    const struct hv_dns_question *question, uint8_t *out)
{
	struct hv_dns_writer writer = {.out = out};
	bool ours = hv_dns_question_is_below(question, TOP);
	bool given = question->name[0] && is_known(names, question->name);
	bool exists = given || strcmp(question->name, HOST_NAME) == 0 ||
		      strcmp(question->name, TOP) == 0;

	if (!ours && !given)
		return 0;
	if (question->message[2] & HV_DNS_MASK_OPCODE)
		return hv_dns_write_empty(out, question, HV_DNS_NOTIMP, HV_DNS_ERROR_NONE);
	hv_dns_write_begin(&writer, question, exists ? HV_DNS_NOERROR : HV_DNS_NXDOMAIN);
	if (given || strcmp(question->name, HOST_NAME) == 0) {
		if (question->class == HV_DNS_CLASS_IN)
			write_known(&writer, names, question, given);
	}
	return hv_dns_write_end(&writer, question, HV_DNS_ERROR_NONE);
}
