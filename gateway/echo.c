/*
 * Pings of the guest, made by the host. See echo.h.
 */
#include "gateway/echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/errqueue.h"
#include "gateway/idle.h"
#include "gateway/table.h"

/* Of <linux/icmp.h>, which cannot stand beside <netinet/ip_icmp.h>: a set bit is a type left out (raw(7)). */
#define RAW_ICMP_FILTER 1

/* RFC 5508 section 3.2: a query session lives at least 60 s. */
#define IDLE_NS (60 * HV_NS_PER_S)

#define HOP_LIMIT_USUAL 64
#define ECHO_HEADER	8
#define PACKET_MAX	65535

struct echo_flow {
	struct hv_source source;
	struct hv_flow flow; /* ports: the identifier */
	struct hv_gateway *gateway;
	struct haven_endpoint host; /* who is pinged, in the host's network */
	struct hv_node node;
	struct hv_idle idle;
	uint16_t identifier;	  /* of the guest */
	uint16_t host_identifier; /* raw: what we chose */
	bool v4, raw;
	uint8_t hop_limit; /* as set on the socket; 0: the host's default */
};

struct hv_echo_table {
	struct hv_table flows;
	struct hv_idle_clock idle;
	bool prohibited_said;
	uint8_t buffer[PACKET_MAX + 1];
};

/* --- telling the guest ------------------------------------------------------------------ */

static void tell(struct hv_gateway *gateway, const struct haven_echo *echo,
		 enum haven_icmp_kind kind, uint32_t mtu, const struct haven_endpoint *offender)
{
	struct haven_icmp_error error = {
		.kind = kind,
		.mtu = mtu,
		.protocol = haven_endpoint_is_v4(&echo->source) ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		.source = echo->source,
		.destination = echo->destination,
		.identifier = echo->identifier,
		.sequence = echo->sequence,
		.payload_size = echo->size,
	};

	if (kind == HAVEN_ICMP_TOO_BIG && mtu == 0)
		return;
	if (offender && haven_endpoint_is_v4(offender) == haven_endpoint_is_v4(&echo->source))
		hv_policy_source(&gateway->network, offender, &error.offender);
	error.source.port = error.destination.port = error.offender.port = 0;
	hv_gateway_tell(gateway, &error);
}

/* What is known of a request when its answer or error comes. */
static struct haven_echo echo_of(const struct echo_flow *flow)
{
	struct haven_echo echo = {
		.source = flow->flow.source,
		.destination = flow->flow.destination,
		.identifier = flow->identifier,
	};

	echo.source.port = echo.destination.port = 0;
	return echo;
}

static uint16_t sequence_at(const uint8_t *header)
{
	return (uint16_t)(header[6] << 8 | header[7]);
}

static void read_errors(struct echo_flow *flow)
{
	struct hv_net_error error;

	while (hv_errqueue_read(flow->source.fd, &error)) {
		struct haven_echo echo = echo_of(flow);

		if (!error.told)
			continue;
		/* The kernel keeps the request with its ICMP header, but not all raw sockets' errors do. */
		if (error.size >= ECHO_HEADER) {
			echo.sequence = sequence_at(error.data);
			echo.size = error.size - ECHO_HEADER;
		}
		tell(flow->gateway, &echo, error.kind, error.mtu,
		     error.local ? NULL : &error.offender);
	}
}

/* --- answers ---------------------------------------------------------------------------- */

/* The ICMP message of what was received, past the IPv4 header that raw sockets see. */
static const uint8_t *message_of(const struct echo_flow *flow, const uint8_t *data,
				 size_t *size)
{
	size_t header = 0;

	if (flow->v4 && flow->raw && *size >= sizeof(struct iphdr))
		header = (size_t)(data[0] & 0x0f) * 4;
	if (*size < header + ECHO_HEADER)
		return NULL;
	*size -= header;
	return data + header;
}

static bool is_our_reply(const struct echo_flow *flow, const uint8_t *message)
{
	uint16_t identifier = (uint16_t)(message[4] << 8 | message[5]);

	if (message[0] != (flow->v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		return false;
	return !flow->raw || identifier == flow->host_identifier;
}

static void pass_reply(struct echo_flow *flow, const uint8_t *message, size_t size)
{
	struct hv_gateway *gateway = flow->gateway;
	struct haven_echo echo = echo_of(flow);

	echo.sequence = sequence_at(message);
	echo.data = message + ECHO_HEADER;
	echo.size = size - ECHO_HEADER;
	flow->flow.bytes_in += echo.size;
	hv_idle_touch(&gateway->echo->idle, &flow->idle, 0);
	if (flow->flow.ready_ns == 0)
		hv_flow_ready(&gateway->flows, &flow->flow, gateway->loop.now_ns);
	haven_echo_reply(gateway->stack, &echo);
	gateway->stack_work = true;
}

static void flow_ready(struct hv_source *source, uint32_t events)
{
	struct echo_flow *flow = hv_container(source, struct echo_flow, source);
	uint8_t *buffer = flow->gateway->echo->buffer;

	if (events & EPOLLERR)
		read_errors(flow);
	for (int i = 0; i < 32; i++) {
		ssize_t got = recv(source->fd, buffer, PACKET_MAX, MSG_DONTWAIT);
		const uint8_t *message;
		size_t size = (size_t)got;

		if (got < 0)
			break;
		message = message_of(flow, buffer, &size);
		if (message && is_our_reply(flow, message))
			pass_reply(flow, message, size);
	}
}

/* --- flows ------------------------------------------------------------------------------ */

static void free_flow(struct hv_source *source)
{
	free(hv_container(source, struct echo_flow, source));
}

/* Off its idle list already. */
static void end_flow(struct echo_flow *flow, const char *reason)
{
	hv_table_remove(&flow->gateway->echo->flows, &flow->node);
	hv_gateway_flow_closed(flow->gateway, &flow->flow, reason);
	hv_source_close(&flow->gateway->loop, &flow->source, free_flow);
}

static void flow_expired(struct hv_idle *idle)
{
	end_flow(hv_container(idle, struct echo_flow, idle), "idle");
}

/* Rules that came later refuse it. */
static void flow_refused(struct hv_flow *refused, const char *reason)
{
	struct echo_flow *flow = hv_container(refused, struct echo_flow, flow);

	hv_idle_remove(&flow->gateway->echo->idle, &flow->idle);
	end_flow(flow, reason);
}

static uint64_t hash_echo(const struct hv_table *table, const struct haven_echo *echo)
{
	uint64_t hash = hv_table_hash(table, echo->identifier, echo->source.address, 16);

	return hv_table_hash(table, hash, echo->destination.address, 16);
}

static struct echo_flow *find_flow(struct hv_echo_table *table, const struct haven_echo *echo)
{
	struct hv_node *node = hv_table_first(&table->flows, hash_echo(&table->flows, echo));

	for (; node; node = hv_table_next(node)) {
		struct echo_flow *flow = hv_container(node, struct echo_flow, node);

		if (flow->identifier == echo->identifier &&
		    hv_address_equal(flow->flow.source.address, echo->source.address) &&
		    hv_address_equal(flow->flow.destination.address, echo->destination.address))
			return flow;
	}
	return NULL;
}

/* Raw sockets see every ICMP message of the host: only replies are wanted. */
static void filter_raw(const struct echo_flow *flow)
{
	if (flow->v4) {
		uint32_t filter = ~(1U << ICMP_ECHOREPLY);

		setsockopt(flow->source.fd, SOL_RAW, RAW_ICMP_FILTER, &filter, sizeof(filter));
	} else {
		struct icmp6_filter filter;

		ICMP6_FILTER_SETBLOCKALL(&filter);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
		setsockopt(flow->source.fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
			   sizeof(filter));
	}
}

static int open_socket(struct echo_flow *flow)
{
	int family = flow->v4 ? AF_INET : AF_INET6;
	int protocol = flow->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct sockaddr_storage address;
	socklen_t size = haven_endpoint_to_sockaddr(&flow->host, &address);

	flow->source.fd = socket(family, SOCK_DGRAM | flags, protocol);
	if (flow->source.fd < 0 && (errno == EACCES || errno == EPROTONOSUPPORT)) {
		flow->source.fd = socket(family, SOCK_RAW | flags, protocol);
		flow->raw = true;
	}
	if (flow->source.fd < 0)
		return -errno;
	hv_errqueue_enable(flow->source.fd, family);
	if (flow->raw) {
		filter_raw(flow);
		if (getrandom(&flow->host_identifier, sizeof(flow->host_identifier), 0) < 0)
			flow->host_identifier = flow->identifier;
	}
	if (connect(flow->source.fd, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return hv_source_add(&flow->gateway->loop, &flow->source, EPOLLIN);
}

/* No socket for this ping: say why, as it is. */
static void refuse(struct hv_gateway *gateway, const struct haven_echo *echo, int error)
{
	enum haven_icmp_kind kind;

	/* Of a ping it says that the host has no address of that family. */
	if (error != EADDRNOTAVAIL && hv_gateway_lacks_resources(gateway, error))
		return;
	if ((error == EPERM || error == EACCES) && !gateway->echo->prohibited_said) {
		gateway->echo->prohibited_said = true;
		hv_log_line(
			gateway->log, HV_LOG_WARNING,
			"this user may not send pings, so the command inside cannot either; "
			"'sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"' on the host allows it");
	}
	if (hv_errqueue_kind(error, &kind))
		tell(gateway, echo, kind, 0, NULL);
}

/* Whether rules let the flow be; else the guest is told. */
static bool asked(struct echo_flow *flow, const struct haven_echo *echo)
{
	struct hv_gateway *gateway = flow->gateway;
	struct haven_verdict verdict;

	switch (hv_policy_ask(gateway, &flow->flow, NULL, &verdict)) {
	case HV_POLICY_ALLOWED:
		/* A ping says no name, so it cannot be to the one of them that is allowed. */
		if (verdict.name_check != HAVEN_NAME_MUST_BE_SAID)
			return true;
		hv_policy_leave(gateway, &flow->flow);
		tell(gateway, echo, HAVEN_ICMP_PROHIBITED, 0, NULL);
		break;
	case HV_POLICY_REFUSED:
		tell(gateway, echo, HAVEN_ICMP_PROHIBITED, 0, NULL);
		break;
	case HV_POLICY_SILENT:
		break;
	}
	hv_policy_refused(gateway, &flow->flow, &verdict, NULL, NULL);
	return false;
}

static struct echo_flow *new_flow(struct hv_gateway *gateway, const struct haven_echo *echo,
				  const struct haven_endpoint *host)
{
	struct hv_echo_table *table = gateway->echo;
	struct echo_flow *flow;
	int error;

	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_ECHO)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_ECHO);
		return NULL;
	}
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	flow->gateway = gateway;
	flow->host = *host;
	flow->host.port = 0;
	flow->v4 = haven_endpoint_is_v4(host);
	flow->identifier = echo->identifier;
	flow->source.ready = flow_ready;
	flow->idle.expired = flow_expired;
	flow->flow.kind = HV_FLOW_ECHO;
	flow->flow.refuse = flow_refused;
	flow->flow.source = echo->source;
	flow->flow.source.port = echo->identifier;
	flow->flow.destination = echo->destination;
	if (!asked(flow, echo)) {
		free(flow);
		return NULL;
	}
	error = open_socket(flow);
	if (error == 0)
		error = hv_table_add(&table->flows, &flow->node,
				     hash_echo(&table->flows, echo));
	if (error < 0) {
		refuse(gateway, echo, -error);
		hv_policy_leave(gateway, &flow->flow);
		hv_source_close(&gateway->loop, &flow->source, free_flow);
		return NULL;
	}
	hv_idle_add(&table->idle, &flow->idle);
	hv_gateway_flow_opened(gateway, &flow->flow);
	return flow;
}

/* --- requests --------------------------------------------------------------------------- */

static uint16_t checksum(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (size % 2)
		sum += (uint32_t)data[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The kernel does checksum and identifier of a ping socket, and the checksum of raw ICMPv6 (RFC 3542 section 3.1). */
static size_t build(const struct echo_flow *flow, const struct haven_echo *echo,
		    uint8_t *buffer)
{
	size_t size = ECHO_HEADER + echo->size;

	memset(buffer, 0, ECHO_HEADER);
	buffer[0] = flow->v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	buffer[4] = (uint8_t)(flow->host_identifier >> 8);
	buffer[5] = (uint8_t)flow->host_identifier;
	buffer[6] = (uint8_t)(echo->sequence >> 8);
	buffer[7] = (uint8_t)echo->sequence;
	memcpy(buffer + ECHO_HEADER, echo->data, echo->size);
	if (flow->raw && flow->v4) {
		uint16_t sum = checksum(buffer, size);

		buffer[2] = (uint8_t)(sum >> 8);
		buffer[3] = (uint8_t)sum;
	}
	return size;
}

/* The gateway is a hop (RFC 1812 section 5.3.1): traceroute -I and ping -t work through it. */
static void set_hop_limit(struct echo_flow *flow, uint8_t received)
{
	int hops = received == HOP_LIMIT_USUAL || received <= 1 ? 0 : received - 1;

	if (hops == flow->hop_limit)
		return;
	flow->hop_limit = (uint8_t)hops;
	if (hops == 0)
		hops = flow->v4 ? HOP_LIMIT_USUAL : -1;
	if (flow->v4)
		setsockopt(flow->source.fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
	else
		setsockopt(flow->source.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops,
			   sizeof(hops));
}

static void forward(struct hv_gateway *gateway, const struct haven_echo *echo,
		    const struct haven_endpoint *host)
{
	struct echo_flow *flow = find_flow(gateway->echo, echo);
	size_t size;

	if (echo->size + ECHO_HEADER > PACKET_MAX)
		return;
	if (!flow)
		flow = new_flow(gateway, echo, host);
	if (!flow)
		return;
	hv_idle_touch(&gateway->echo->idle, &flow->idle, 0);
	flow->flow.bytes_out += echo->size;
	set_hop_limit(flow, echo->hop_limit);
	size = build(flow, echo, gateway->echo->buffer);
	if (send(flow->source.fd, gateway->echo->buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL) >=
	    0)
		return;
	/* An error that came for an earlier request stands in the way of one send. */
	read_errors(flow);
	if (send(flow->source.fd, gateway->echo->buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL) <
		    0 &&
	    errno != EAGAIN && errno != EMSGSIZE)
		refuse(gateway, echo, errno);
}

void hv_echo_request(void *user, const struct haven_echo *echo)
{
	struct hv_gateway *gateway = user;
	struct haven_endpoint host;

	switch (hv_policy_destination(&gateway->network, &echo->destination, &host)) {
	case HV_DESTINATION_HOST:
		forward(gateway, echo, &host);
		break;
	case HV_DESTINATION_DNS:
	case HV_DESTINATION_REFUSED:
		haven_echo_reply(gateway->stack, echo);
		break;
	case HV_DESTINATION_UNREACHABLE:
		tell(gateway, echo, HAVEN_ICMP_NET_UNREACHABLE, 0, NULL);
		break;
	case HV_DESTINATION_IGNORED:
		break;
	}
	gateway->stack_work = true;
}

int hv_echo_create(struct hv_gateway *gateway)
{
	struct hv_echo_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	hv_table_init(&table->flows);
	hv_idle_init(&table->idle, &gateway->loop, IDLE_NS, IDLE_NS);
	gateway->echo = table;
	return 0;
}

void hv_echo_destroy(struct hv_gateway *gateway)
{
	struct hv_echo_table *table = gateway->echo;
	struct hv_idle *idle;

	if (!table)
		return;
	while ((idle = hv_idle_oldest(&table->idle))) {
		hv_idle_remove(&table->idle, idle);
		idle->expired(idle);
	}
	hv_idle_finish(&table->idle);
	hv_loop_end_turn(&gateway->loop);
	hv_table_finish(&table->flows);
	free(table);
	gateway->echo = NULL;
}
