/*
 * UDP from the guest: mappings of its ports to host sockets. See udp.h.
 */
#include "gateway/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "gateway/dns.h"
#include "gateway/peer_set.h"
#include "gateway/udp_talk.h"

#define IDLE_ONE_WAY_NS	  (30 * HV_NS_PER_S)
#define IDLE_BOTH_WAYS_NS (120 * HV_NS_PER_S)

#define DISPLACE_LOOKS 64

#define RECEIVE_BUFFER_BYTES (32 * 65536)

/* TTL that Linux gives its packets: the host's own default stands for one hop less. */
#define HOP_LIMIT_USUAL 64

/*
 * Up to this size of packet, Ethernet's, a guest that asks not to fragment is taken at its word: it may
 * be looking for the path's MTU (RFC 8899). Larger ones exist because the guest's wire is so wide, and its kernel
 * forbids to fragment whatever fits there, unasked (ip(7), IP_MTU_DISCOVER): the host cuts them, as
 * the guest would have done on an ordinary wire.
 */
#define DONT_FRAGMENT_MAX 1500

struct mapping {
	struct hv_udp_socket socket;
	struct hv_flow flow; /* source: the guest's endpoint */
	struct hv_node node;
	struct hv_idle idle;
	struct hv_peer_set peers;
	bool spoken_out, spoken_in;
};

static uint64_t hash_address(const void *key, const uint8_t address[16])
{
	return hv_table_hash(key, 0, address, 16);
}

static uint64_t hash_endpoint(const struct hv_table *table,
			      const struct haven_endpoint *endpoint)
{
	return hv_table_hash(table, endpoint->port, endpoint->address, 16);
}

static struct mapping *find_mapping(struct hv_udp *udp, const struct haven_endpoint *guest)
{
	struct hv_node *node =
		hv_table_first(&udp->mappings, hash_endpoint(&udp->mappings, guest));

	for (; node; node = hv_table_next(node)) {
		struct mapping *mapping = hv_container(node, struct mapping, node);

		if (hv_endpoint_equal(&mapping->flow.source, guest))
			return mapping;
	}
	return NULL;
}

/* --- ICMP for the guest ----------------------------------------------------------------- */

void hv_udp_tell(struct hv_gateway *gateway, const struct haven_endpoint *source,
		 const struct haven_endpoint *destination, const struct hv_net_error *error)
{
	struct haven_icmp_error icmp = {
		.kind = error->kind,
		.mtu = error->mtu,
		.protocol = IPPROTO_UDP,
		.source = *source,
		.destination = *destination,
		.payload_size = error->size,
	};

	if (error->kind == HAVEN_ICMP_TOO_BIG && error->mtu == 0)
		return;
	/* A loopback address of the host has a name of its own in the guest, or none. */
	if (!error->local &&
	    haven_endpoint_is_v4(&error->offender) == haven_endpoint_is_v4(source))
		hv_policy_source(&gateway->network, &error->offender, &icmp.offender);
	hv_gateway_tell(gateway, &icmp);
}

static void mapping_failed(struct hv_udp_socket *socket, const struct hv_net_error *error)
{
	struct mapping *mapping = hv_container(socket, struct mapping, socket);
	struct haven_endpoint destination;

	hv_policy_source(&socket->gateway->network, &error->destination, &destination);
	hv_udp_tell(socket->gateway, &mapping->flow.source, &destination, error);
}

/* --- mappings --------------------------------------------------------------------------- */

static void free_mapping(struct hv_source *source)
{
	struct hv_udp_socket *socket = hv_container(source, struct hv_udp_socket, source);

	free(hv_container(socket, struct mapping, socket));
}

/* Off its idle list already. */
static void end_mapping(struct mapping *mapping, const char *reason)
{
	struct hv_gateway *gateway = mapping->socket.gateway;

	hv_table_remove(&gateway->udp->mappings, &mapping->node);
	hv_peer_set_finish(&mapping->peers);
	hv_udp_socket_close(&mapping->socket, free_mapping);
	hv_gateway_flow_closed(gateway, &mapping->flow, reason);
}

static void mapping_expired(struct hv_idle *idle)
{
	end_mapping(hv_container(idle, struct mapping, idle), "idle");
}

static void use_mapping(struct mapping *mapping)
{
	struct hv_gateway *gateway = mapping->socket.gateway;
	bool both = mapping->spoken_in && mapping->spoken_out;

	hv_idle_touch(&gateway->udp->idle, &mapping->idle, both ? 1 : 0);
	if (both && mapping->flow.ready_ns == 0)
		hv_flow_ready(&gateway->flows, &mapping->flow, gateway->loop.now_ns);
}

/* From the network to the guest. */
static void mapping_arrived(struct hv_udp_socket *socket, const struct hv_udp_arrival *arrival)
{
	struct mapping *mapping = hv_container(socket, struct mapping, socket);
	struct hv_gateway *gateway = socket->gateway;
	struct haven_endpoint source;

	if (!hv_peer_set_has(&mapping->peers, arrival->peer.address, hash_address,
			     &gateway->udp->mappings))
		return;
	hv_policy_source(&gateway->network, &arrival->peer, &source);
	if (gateway->policy->active &&
	    !hv_udp_talk_in(gateway, &mapping->flow.source, &source, arrival->size))
		return;
	mapping->spoken_in = true;
	mapping->flow.bytes_in += arrival->size;
	use_mapping(mapping);
	haven_datagram_send(gateway->stack, &source, &mapping->flow.source, arrival->iov,
			    arrival->iov_count, arrival->gso_size, 0);
}

/*
 * At the limit, the mapping that was not used for longest makes room: first of those that never got an
 * answer. Only a few are looked at: published sessions stand in the same lists.
 */
static bool displace_oldest(struct hv_udp *udp)
{
	for (unsigned i = 0; i < HV_IDLE_CLASSES; i++) {
		struct hv_idle *idle = TAILQ_FIRST(&udp->idle.lists[i]);

		for (unsigned looked = 0; idle && looked < DISPLACE_LOOKS; looked++) {
			if (idle->expired == mapping_expired) {
				hv_idle_remove(&udp->idle, idle);
				end_mapping(hv_container(idle, struct mapping, idle),
					    "displaced by a newer one");
				return true;
			}
			idle = TAILQ_NEXT(idle, entry);
		}
	}
	return false;
}

static struct mapping *new_mapping(struct hv_gateway *gateway,
				   const struct haven_endpoint *guest,
				   const struct haven_endpoint *destination)
{
	struct hv_udp *udp = gateway->udp;
	struct mapping *mapping;
	int error;

	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_UDP_OUT)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_UDP_OUT);
		if (!displace_oldest(udp))
			return NULL;
	}
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return NULL;
	mapping->flow.kind = HV_FLOW_UDP_OUT;
	mapping->flow.many = gateway->policy->active;
	mapping->flow.source = *guest;
	mapping->flow.destination = *destination;
	mapping->socket.arrived = mapping_arrived;
	mapping->socket.failed = mapping_failed;
	mapping->idle.expired = mapping_expired;
	error = hv_udp_socket_open(&mapping->socket, gateway,
				   haven_endpoint_is_v4(guest) ? AF_INET : AF_INET6, NULL, 0);
	if (error < 0) {
		hv_gateway_lacks_resources(gateway, -error);
		free(mapping);
		return NULL;
	}
	if (hv_table_add(&udp->mappings, &mapping->node, hash_endpoint(&udp->mappings, guest)) <
	    0) {
		hv_udp_socket_close(&mapping->socket, free_mapping);
		return NULL;
	}
	hv_idle_add(&udp->idle, &mapping->idle);
	hv_gateway_flow_opened(gateway, &mapping->flow);
	return mapping;
}

/* IPv6 has no such bit: its routers never fragment (RFC 8200 section 4.5). */
static bool keep_whole(const struct haven_datagram *datagram)
{
	size_t headers = (haven_endpoint_is_v4(&datagram->source) ? 20 : 40) + 8;
	size_t size = datagram->gso_size ? datagram->gso_size : datagram->size;

	return datagram->dont_fragment && headers + size <= DONT_FRAGMENT_MAX;
}

void hv_udp_departure_of(const struct haven_datagram *datagram,
			 const struct haven_endpoint *destination,
			 struct hv_udp_departure *departure)
{
	*departure = (struct hv_udp_departure){
		.destination = *destination,
		.data = datagram->data,
		.size = datagram->size,
		.gso_size = datagram->gso_size,
		.dont_fragment = keep_whole(datagram),
	};
	/* The gateway is a hop (RFC 1812 section 5.3.1). */
	if (datagram->hop_limit != HOP_LIMIT_USUAL && datagram->hop_limit > 1)
		departure->hop_limit = (uint8_t)(datagram->hop_limit - 1);
}

void hv_udp_out_send(struct hv_gateway *gateway, const struct haven_datagram *datagram,
		     const struct haven_endpoint *host)
{
	struct mapping *mapping = find_mapping(gateway->udp, &datagram->source);
	struct hv_udp_departure departure;

	if (!mapping)
		mapping = new_mapping(gateway, &datagram->source, &datagram->destination);
	if (!mapping)
		return;
	hv_peer_set_add(&mapping->peers, host->address, hash_address, &gateway->udp->mappings);
	mapping->spoken_out = true;
	mapping->flow.destination = datagram->destination;
	mapping->flow.bytes_out += datagram->size;
	use_mapping(mapping);
	hv_udp_departure_of(datagram, host, &departure);
	hv_udp_socket_send(&mapping->socket, &departure);
}

void hv_udp_out_datagram(void *user, const struct haven_datagram *datagram)
{
	struct hv_gateway *gateway = user;
	struct hv_net_error error = {.local = true, .size = datagram->size};
	struct haven_endpoint host;

	if (hv_udp_in_answer(gateway->udp, datagram))
		return;
	switch (hv_policy_destination(&gateway->network, &datagram->destination, &host)) {
	case HV_DESTINATION_HOST:
		if (!gateway->policy->active || hv_udp_talk_out(gateway, datagram, &host))
			hv_udp_out_send(gateway, datagram, &host);
		return;
	case HV_DESTINATION_DNS:
		hv_dns_query(gateway->dns, datagram);
		return;
	case HV_DESTINATION_IGNORED:
		return;
	case HV_DESTINATION_REFUSED:
		error.kind = HAVEN_ICMP_PORT_UNREACHABLE;
		break;
	case HV_DESTINATION_UNREACHABLE:
		error.kind = HAVEN_ICMP_NET_UNREACHABLE;
		break;
	}
	hv_udp_tell(gateway, &datagram->source, &datagram->destination, &error);
}

/* --- the whole -------------------------------------------------------------------------- */

int hv_udp_create(struct hv_gateway *gateway)
{
	struct hv_udp *udp = calloc(1, sizeof(*udp));

	if (!udp)
		return -ENOMEM;
	gateway->udp = udp;
	udp->gateway = gateway;
	hv_table_init(&udp->mappings);
	hv_table_init(&udp->sessions);
	hv_table_init(&udp->peers);
	hv_idle_init(&udp->idle, &gateway->loop, IDLE_ONE_WAY_NS, IDLE_BOTH_WAYS_NS);
	udp->batch = hv_udp_batch_new();
	udp->receive_buffer = malloc(RECEIVE_BUFFER_BYTES);
	return udp->batch && udp->receive_buffer ? 0 : -ENOMEM;
}

void hv_udp_destroy(struct hv_gateway *gateway)
{
	struct hv_udp *udp = gateway->udp;
	struct hv_idle *idle;

	if (!udp)
		return;
	while ((idle = hv_idle_oldest(&udp->idle))) {
		hv_idle_remove(&udp->idle, idle);
		idle->expired(idle);
	}
	hv_idle_finish(&udp->idle);
	hv_table_finish(&udp->mappings);
	hv_table_finish(&udp->sessions);
	hv_table_finish(&udp->peers);
	hv_loop_end_turn(&gateway->loop);
	hv_udp_batch_free(udp->batch);
	free(udp->receive_buffer);
	free(udp);
	gateway->udp = NULL;
}
