/*
 * The forwarder's public calls: answers to what the callbacks handed out, made from fields that
 * the caller gives.
 */
#include "socket/socket_state.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static struct hv_addr addr_of(const struct haven_endpoint *endpoint)
{
	struct hv_addr addr;

	memcpy(addr.b, endpoint->address, sizeof(addr.b));
	return addr;
}

bool haven_endpoint_is_v4(const struct haven_endpoint *endpoint)
{
	struct hv_addr addr = addr_of(endpoint);

	return hv_addr_is_v4(&addr);
}

socklen_t haven_endpoint_to_sockaddr(const struct haven_endpoint *endpoint,
				     struct sockaddr_storage *address)
{
	struct hv_addr addr = addr_of(endpoint);

	return hv_addr_to_sockaddr(&addr, endpoint->port, false, address);
}

int haven_endpoint_from_sockaddr(const struct sockaddr *address,
				 struct haven_endpoint *endpoint)
{
	struct hv_addr addr;
	socklen_t length = address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							 : sizeof(struct sockaddr_in6);

	if (hv_addr_from_sockaddr(address, length, &addr, &endpoint->port) < 0)
		return -EAFNOSUPPORT;
	memcpy(endpoint->address, addr.b, sizeof(endpoint->address));
	return 0;
}

int haven_request_accept(struct haven_request *request, struct haven_socket **out)
{
	struct hv_sockets *sockets = hv_tcp_request_tcp(request)->up.ctx;
	struct haven_socket *socket;
	struct hv_tcp_conn *conn;
	int error = hv_socket_new(sockets, true, false, &socket);

	*out = NULL;
	if (error < 0) {
		haven_request_refuse(request, ECONNREFUSED, NULL);
		return error;
	}
	error = hv_tcp_request_accept(request, socket, &conn);
	if (error < 0) {
		haven_close(socket);
		return error;
	}
	socket->v6 = !hv_addr_is_v4(&hv_tcp_tuple(conn)->local);
	hv_stream_adopt(socket, conn);
	*out = socket;
	return 0;
}

int haven_datagram_send(struct haven_stack *stack, const struct haven_endpoint *source,
			const struct haven_endpoint *destination, const struct iovec *iov,
			int iov_count, uint16_t gso_size, uint8_t hop_limit)
{
	int error = hv_udp_output(hv_sockets_of(stack)->udp, source, destination, iov,
				  iov_count, gso_size, hop_limit, 0);

	return error == -EHOSTUNREACH ? -ENETUNREACH : error;
}

int haven_echo_reply(struct haven_stack *stack, const struct haven_echo *echo)
{
	struct hv_addr src = addr_of(&echo->destination), dst = addr_of(&echo->source);

	return hv_ip_echo_reply(hv_sockets_of(stack)->ip, &src, &dst, echo->identifier,
				echo->sequence, echo->data, (uint32_t)echo->size);
}

/* --- ICMP errors ------------------------------------------------------------------------------ */

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	ICMP_HEADER = 8,
	TRANSPORT_MAX = HV_TCP_HEADER,
	IP_MAX = 65535,
};

/*
 * The transport header as the guest sent it, as far as the fields tell: enough for the guest to
 * find its socket (RFC 792: 64 bits). Returns its bytes; *length is what header and data had. 0: unknown protocol.
 */
static uint32_t quote_transport(const struct haven_icmp_error *e, uint8_t *p, size_t *length)
{
	size_t payload = e->payload_size < IP_MAX ? e->payload_size : IP_MAX;

	memset(p, 0, TRANSPORT_MAX);
	switch (e->protocol) {
	case IPPROTO_UDP:
		*length = HV_UDP_HEADER + payload;
		if (*length > IP_MAX)
			*length = IP_MAX;
		hv_wire_udp_write(p, e->source.port, e->destination.port, (uint16_t)*length);
		return HV_UDP_HEADER;
	case IPPROTO_TCP: {
		struct hv_tcp_header header = {
			.src_port = e->source.port,
			.dst_port = e->destination.port,
			.seq = e->tcp_sequence,
			.flags = HV_TCP_SYN,
		};

		*length = HV_TCP_HEADER + payload;
		hv_wire_tcp_write(p, &header);
		return HV_TCP_HEADER;
	}
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p[0] = e->protocol == IPPROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
		hv_put16(p + 4, e->identifier);
		hv_put16(p + 6, e->sequence);
		*length = ICMP_HEADER + payload;
		return ICMP_HEADER;
	default:
		return 0;
	}
}

/* The IP header in front of `length` bytes of transport, RFC 791 section 3.1. */
static void quote_ipv4(const struct haven_icmp_error *e, uint8_t *p, size_t length)
{
	size_t total = IPV4_HEADER + length;
	uint16_t sum;

	memset(p, 0, IPV4_HEADER);
	p[0] = 0x45;
	hv_put16(p + 2, (uint16_t)(total < IP_MAX ? total : IP_MAX));
	if (e->kind == HAVEN_ICMP_TOO_BIG)
		p[6] = 0x40; /* DF: why else would it be an error */
	p[8] = e->kind == HAVEN_ICMP_TIME_EXCEEDED ? 1 : 64;
	p[9] = e->protocol;
	memcpy(p + 12, e->source.address + 12, 4);
	memcpy(p + 16, e->destination.address + 12, 4);
	sum = hv_checksum(p, IPV4_HEADER);
	memcpy(p + 10, &sum, sizeof(sum));
}

/* RFC 8200 section 3. */
static void quote_ipv6(const struct haven_icmp_error *e, uint8_t *p, size_t length)
{
	memset(p, 0, IPV6_HEADER);
	p[0] = 0x60;
	hv_put16(p + 4, (uint16_t)(length < IP_MAX ? length : IP_MAX));
	p[6] = e->protocol;
	p[7] = e->kind == HAVEN_ICMP_TIME_EXCEEDED ? 1 : 64;
	memcpy(p + 8, e->source.address, 16);
	memcpy(p + 24, e->destination.address, 16);
}

int haven_icmp_error_send(struct haven_stack *stack, const struct haven_icmp_error *error)
{
	struct hv_addr to = addr_of(&error->source), offender = addr_of(&error->offender);
	bool v4 = hv_addr_is_v4(&to);
	uint32_t header = v4 ? IPV4_HEADER : IPV6_HEADER, size;
	uint8_t quote[IPV6_HEADER + TRANSPORT_MAX];
	size_t length;

	if (haven_endpoint_is_v4(&error->destination) != v4 ||
	    error->protocol == (v4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return -EINVAL;
	size = quote_transport(error, quote + header, &length);
	if (!size)
		return -EINVAL;
	if (v4)
		quote_ipv4(error, quote, length);
	else
		quote_ipv6(error, quote, length);
	return hv_ip_icmp_error_output(hv_sockets_of(stack)->ip, (int)error->kind, error->mtu,
				       hv_addr_is_any(&offender) ? NULL : &offender, &to, quote,
				       header + size);
}
