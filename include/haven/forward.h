/*
 * The forwarder: traffic to any address and port, handed to the program that owns the stack.
 *
 * A gateway sets `accept_any_address` in the stack's configuration and these callbacks. What no
 * socket of the stack claims comes here. A connection request is answered *later*, by
 * haven_request_accept() or haven_request_refuse(): until then the client sees neither SYN-ACK nor RST, so that
 * it learns exactly what happened on the other side.
 */
#ifndef HAVEN_FORWARD_H
#define HAVEN_FORWARD_H

#include <haven/socket.h>

struct haven_request;

/* A transport address: 16 bytes (IPv4 is v4-mapped, RFC 4291 section 2.5.5.2), port in host order. */
struct haven_endpoint {
	uint8_t address[16];
	uint16_t port;
};

HAVEN_API bool haven_endpoint_is_v4(const struct haven_endpoint *endpoint);
/* Fills a sockaddr_in or sockaddr_in6; returns its length. */
HAVEN_API socklen_t haven_endpoint_to_sockaddr(const struct haven_endpoint *endpoint,
					       struct sockaddr_storage *address);
/* From sockaddr_in/in6. Returns 0 or -EAFNOSUPPORT. */
HAVEN_API int haven_endpoint_from_sockaddr(const struct sockaddr *address,
					   struct haven_endpoint *endpoint);

/* A datagram (UDP). gso_size > 0: `size` bytes are many datagrams of gso_size (the last may be shorter). */
struct haven_datagram {
	struct haven_endpoint source, destination;
	const uint8_t *data; /* valid during the call */
	size_t size;
	uint16_t gso_size;
	uint8_t hop_limit; /* as received */
	uint8_t traffic_class;
	bool dont_fragment;
};

/* An ICMP or ICMPv6 echo request; ports of the endpoints are 0. */
struct haven_echo {
	struct haven_endpoint source, destination;
	uint16_t identifier, sequence;
	const uint8_t *data; /* after the 8-byte header; valid during the call */
	size_t size;
	uint8_t hop_limit;
};

/*
 * Callbacks; each may be NULL (then: TCP answers RST, UDP port unreachable, echo nothing).
 * They run inside haven_input() and may call any function of the stack except haven_input(),
 * haven_poll() and haven_stack_destroy().
 */
struct haven_forwarder {
	void *user;
	/* A new connection request. The request must be answered or it times out after 3 minutes
	 * (ended()). set_user on it what finds your own state again. */
	void (*tcp)(void *user, struct haven_request *request,
		    const struct haven_endpoint *source,
		    const struct haven_endpoint *destination);
	/* The client gave up (RST), the request timed out, or it was a second old and had to make way for a new one at the
	 * limit (max_requests): the request is invalid after this. */
	void (*tcp_cancelled)(void *user, struct haven_request *request);
	void (*udp)(void *user, const struct haven_datagram *datagram);
	void (*echo)(void *user, const struct haven_echo *echo);
	/* An ICMP error came in about a datagram that haven_datagram_send() sent.  error: errno */
	void (*udp_error)(void *user, const struct haven_endpoint *source,
			  const struct haven_endpoint *destination, int error);
};
HAVEN_API void haven_stack_set_forwarder(struct haven_stack *stack,
					 const struct haven_forwarder *forwarder);

HAVEN_API void haven_request_set_user(struct haven_request *request, void *user);
HAVEN_API void *haven_request_user(const struct haven_request *request);

/*
 * Answer SYN-ACK. *out is the stream socket, CONNECTED when the client's ACK is there; data can
 * be sent on it at once. The request is invalid afterwards. Errors: -ENOMEM, -EMFILE (the client is reset).
 */
HAVEN_API int haven_request_accept(struct haven_request *request, struct haven_socket **out);

/*
 * Refuse. error (positive errno) decides what the client is told:
 *	ECONNREFUSED, and anything not named here: RST
 *	ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENETDOWN: ICMP net or host unreachable
 *	EACCES, EPERM: ICMP administratively prohibited (RFC 1812 section 5.2.7.1)
 *	ETIMEDOUT: nothing; the client goes on trying and gives up by itself
 * offender (may be NULL: this stack) is the source of the ICMP message. The request is invalid afterwards.
 */
HAVEN_API void haven_request_refuse(struct haven_request *request, int error,
				    const struct haven_endpoint *offender);

/*
 * Send datagrams from any source to any destination (both of one family). iov: payload; with
 * gso_size > 0 many datagrams of that size. hop_limit 0: the stack's. Larger than the MTU: fragments.
 * Errors: -ENETUNREACH, -EMSGSIZE, -ENOMEM, -EINVAL.
 */
HAVEN_API int haven_datagram_send(struct haven_stack *stack,
				  const struct haven_endpoint *source,
				  const struct haven_endpoint *destination,
				  const struct iovec *iov, int iov_count, uint16_t gso_size,
				  uint8_t hop_limit);

/* Send an echo reply from echo->destination to echo->source. Errors as haven_datagram_send(). */
HAVEN_API int haven_echo_reply(struct haven_stack *stack, const struct haven_echo *echo);

/* What went wrong with a packet that the guest sent, to be told by ICMP or ICMPv6. */
enum haven_icmp_kind {
	HAVEN_ICMP_NET_UNREACHABLE,
	HAVEN_ICMP_HOST_UNREACHABLE,
	HAVEN_ICMP_PORT_UNREACHABLE,
	HAVEN_ICMP_PROHIBITED,
	HAVEN_ICMP_TOO_BIG,	  /* with mtu */
	HAVEN_ICMP_TIME_EXCEEDED, /* in transit */
};
struct haven_icmp_error {
	enum haven_icmp_kind kind;
	uint32_t mtu; /* TOO_BIG: of the next hop, bytes of IP packet */
	struct haven_endpoint
		offender; /* source of the message; all zero: this stack's address */
	/* The packet it is about, as the guest sent it (a header is made from this for the quotation). */
	uint8_t protocol; /* IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6 */
	struct haven_endpoint source, destination;
	uint16_t identifier, sequence; /* echo */
	uint32_t tcp_sequence;	       /* TCP */
	size_t payload_size;	       /* UDP: of the datagram, for its length field */
};
/* Rate limited (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4(f)). Errors: -EAGAIN (limited), -ENETUNREACH, -EINVAL. */
HAVEN_API int haven_icmp_error_send(struct haven_stack *stack,
				    const struct haven_icmp_error *error);

#endif
