/*
 * UDP to the guest: published ports and the sessions of who uses them. See udp.h.
 *
 * A session is found two ways: by listener, peer and our address, when a datagram comes from the
 * network; by the guest's endpoint and the peer's as the guest sees it, when the guest answers.
 */
#include "gateway/udp.h"

#include <errno.h>
#include <stdlib.h>

struct session {
	struct hv_udp_listener *listener;
	struct haven_endpoint peer; /* in the host's network */
	uint8_t local[16];	    /* of the host's, that the peer sent to */
	struct hv_flow flow; /* source: the peer as the guest sees it; destination: the guest */
	struct hv_node by_answer, by_peer;
	struct hv_idle idle;
};

/* --- finding ---------------------------------------------------------------------------- */

static uint64_t hash_peer(const struct hv_table *table, const struct hv_udp_listener *listener,
			  const struct haven_endpoint *peer, const uint8_t local[16])
{
	uint64_t hash = hv_table_hash(table, (uintptr_t)listener, local, 16);

	return hv_table_hash(table, hash + peer->port, peer->address, 16);
}

static uint64_t hash_answer(const struct hv_table *table, const struct haven_endpoint *guest,
			    const struct haven_endpoint *seen)
{
	uint64_t hash = hv_table_hash(table, guest->port, guest->address, 16);

	return hv_table_hash(table, hash + seen->port, seen->address, 16);
}

static struct session *find_by_peer(struct hv_udp *udp, struct hv_udp_listener *listener,
				    const struct hv_udp_arrival *arrival)
{
	uint64_t hash = hash_peer(&udp->peers, listener, &arrival->peer, arrival->local);
	struct hv_node *node = hv_table_first(&udp->peers, hash);

	for (; node; node = hv_table_next(node)) {
		struct session *session = hv_container(node, struct session, by_peer);

		if (session->listener == listener &&
		    hv_endpoint_equal(&session->peer, &arrival->peer) &&
		    hv_address_equal(session->local, arrival->local))
			return session;
	}
	return NULL;
}

static struct session *find_by_answer(struct hv_udp *udp, const struct haven_endpoint *guest,
				      const struct haven_endpoint *seen)
{
	struct hv_node *node =
		hv_table_first(&udp->sessions, hash_answer(&udp->sessions, guest, seen));

	for (; node; node = hv_table_next(node)) {
		struct session *session = hv_container(node, struct session, by_answer);

		if (hv_endpoint_equal(&session->flow.destination, guest) &&
		    hv_endpoint_equal(&session->flow.source, seen))
			return session;
	}
	return NULL;
}

/* --- sessions --------------------------------------------------------------------------- */

static void end_session(struct session *session, const char *reason)
{
	struct hv_gateway *gateway = session->listener->socket.gateway;

	/* What the batch holds names this session's local address. */
	hv_udp_flush(gateway);
	hv_table_remove(&gateway->udp->sessions, &session->by_answer);
	hv_table_remove(&gateway->udp->peers, &session->by_peer);
	hv_gateway_flow_closed(gateway, &session->flow, reason);
	free(session);
}

static void session_expired(struct hv_idle *idle)
{
	end_session(hv_container(idle, struct session, idle), "idle");
}

/*
 * As what the guest sees the peer: itself, or the gateway's address with the peer's port, or with
 * another one when that is taken by another session of the same port.
 */
static bool choose_seen(struct hv_udp *udp, const struct haven_endpoint *peer,
			const struct haven_endpoint *guest, struct haven_endpoint *seen)
{
	const struct hv_network *network = &udp->gateway->network;

	*seen = *peer;
	if (!hv_policy_keeps_source(network, peer->address))
		memcpy(seen->address, hv_network_family_of(network, peer->address)->gateway,
		       16);
	if (!find_by_answer(udp, guest, seen))
		return true;
	memcpy(seen->address, hv_network_family_of(network, peer->address)->gateway, 16);
	for (unsigned tries = 0; tries < 64; tries++) {
		if (!find_by_answer(udp, guest, seen))
			return true;
		seen->port = (uint16_t)(32768 + (seen->port * 31 + 1 + tries) % 28232);
	}
	return false;
}

/* Into both tables. */
static bool enter(struct hv_udp *udp, struct session *session,
		  const struct hv_udp_arrival *arrival)
{
	if (!choose_seen(udp, &arrival->peer, &session->flow.destination,
			 &session->flow.source) ||
	    hv_table_add(&udp->sessions, &session->by_answer,
			 hash_answer(&udp->sessions, &session->flow.destination,
				     &session->flow.source)) < 0)
		return false;
	if (hv_table_add(&udp->peers, &session->by_peer,
			 hash_peer(&udp->peers, session->listener, &arrival->peer,
				   arrival->local)) == 0)
		return true;
	hv_table_remove(&udp->sessions, &session->by_answer);
	return false;
}

static void session_refused(struct hv_flow *flow, const char *reason)
{
	struct session *session = hv_container(flow, struct session, flow);

	hv_idle_remove(&session->listener->socket.gateway->udp->idle, &session->idle);
	end_session(session, reason);
}

/* Whether rules let the session be. A peer that they do not is told nothing: its host's socket stands for others, too. */
static bool asked(struct hv_gateway *gateway, struct session *session)
{
	struct haven_verdict verdict;

	session->flow.peer = &session->peer;
	session->flow.refuse = session_refused;
	if (hv_policy_ask(gateway, &session->flow, &session->peer, &verdict) ==
	    HV_POLICY_ALLOWED)
		return true;
	hv_policy_refused(gateway, &session->flow, &verdict, NULL, NULL);
	return false;
}

static struct session *new_session(struct hv_udp *udp, struct hv_udp_listener *listener,
				   const struct hv_udp_arrival *arrival)
{
	struct hv_gateway *gateway = udp->gateway;
	const struct hv_network_family *family =
		hv_network_family_of(&gateway->network, arrival->peer.address);
	struct session *session;

	if (!family->enabled)
		return NULL;
	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_UDP_IN)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_UDP_IN);
		return NULL;
	}
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	session->listener = listener;
	session->peer = arrival->peer;
	memcpy(session->local, arrival->local, 16);
	session->flow.kind = HV_FLOW_UDP_IN;
	session->flow.host_port = listener->host_port;
	memcpy(session->flow.destination.address, family->guest, 16);
	session->flow.destination.port = listener->guest_port;
	session->idle.expired = session_expired;
	if (!asked(gateway, session) || !enter(udp, session, arrival)) {
		hv_policy_leave(gateway, &session->flow);
		free(session);
		return NULL;
	}
	hv_idle_add(&udp->idle, &session->idle);
	hv_gateway_flow_opened(gateway, &session->flow);
	return session;
}

static void use_session(struct hv_udp *udp, struct session *session)
{
	bool both = session->flow.bytes_in > 0 && session->flow.bytes_out > 0;

	hv_idle_touch(&udp->idle, &session->idle, both ? 1 : 0);
	if (both && session->flow.ready_ns == 0)
		hv_flow_ready(&udp->gateway->flows, &session->flow, udp->gateway->loop.now_ns);
}

/* --- traffic ---------------------------------------------------------------------------- */

static void listener_arrived(struct hv_udp_socket *socket, const struct hv_udp_arrival *arrival)
{
	struct hv_udp_listener *listener = hv_container(socket, struct hv_udp_listener, socket);
	struct hv_gateway *gateway = socket->gateway;
	struct session *session = find_by_peer(gateway->udp, listener, arrival);

	if (!session)
		session = new_session(gateway->udp, listener, arrival);
	if (!session)
		return;
	session->flow.bytes_in += arrival->size;
	use_session(gateway->udp, session);
	haven_datagram_send(gateway->stack, &session->flow.source, &session->flow.destination,
			    arrival->iov, arrival->iov_count, arrival->gso_size, 0);
}

bool hv_udp_in_answer(struct hv_udp *udp, const struct haven_datagram *datagram)
{
	struct hv_udp_departure departure;
	struct session *session;

	if (udp->sessions.count == 0)
		return false;
	session = find_by_answer(udp, &datagram->source, &datagram->destination);
	if (!session)
		return false;
	session->flow.bytes_out += datagram->size;
	use_session(udp, session);
	hv_udp_departure_of(datagram, &session->peer, &departure);
	/* From where the peer had sent to; broadcast and multicast cannot be a source. */
	if (!hv_address_is_multicast(session->local))
		departure.local = session->local;
	hv_udp_socket_send(&session->listener->socket, &departure);
	return true;
}

/* An ICMP error about an answer: the peer has gone. The guest is told for the first session that fits. */
static void listener_failed(struct hv_udp_socket *socket, const struct hv_net_error *error)
{
	struct hv_udp_listener *listener = hv_container(socket, struct hv_udp_listener, socket);
	struct hv_udp *udp = socket->gateway->udp;
	struct haven_endpoint guest, seen;

	memcpy(guest.address,
	       hv_network_family_of(&socket->gateway->network, error->destination.address)
		       ->guest,
	       16);
	guest.port = listener->guest_port;
	seen = error->destination;
	if (!hv_policy_keeps_source(&socket->gateway->network, seen.address))
		memcpy(seen.address,
		       hv_network_family_of(&socket->gateway->network, seen.address)->gateway,
		       16);
	if (find_by_answer(udp, &guest, &seen))
		hv_udp_tell(socket->gateway, &guest, &seen, error);
}

/* --- listeners -------------------------------------------------------------------------- */

int hv_udp_listener_open(struct hv_gateway *gateway, const struct haven_endpoint *address,
			 uint16_t guest_port, struct hv_udp_listener **out)
{
	struct hv_udp_listener *listener = calloc(1, sizeof(*listener));
	struct sockaddr_storage bind_to;
	socklen_t size = haven_endpoint_to_sockaddr(address, &bind_to);
	int error;

	if (!listener)
		return -ENOMEM;
	listener->socket.arrived = listener_arrived;
	listener->socket.failed = listener_failed;
	listener->guest_port = guest_port;
	error = hv_udp_socket_open(&listener->socket, gateway, bind_to.ss_family,
				   (struct sockaddr *)&bind_to, size);
	if (error < 0) {
		free(listener);
		return error;
	}
	size = sizeof(bind_to);
	if (getsockname(listener->socket.source.fd, (struct sockaddr *)&bind_to, &size) == 0) {
		struct haven_endpoint bound;

		haven_endpoint_from_sockaddr((struct sockaddr *)&bind_to, &bound);
		listener->host_port = bound.port;
	}
	*out = listener;
	return 0;
}

static void free_listener(struct hv_source *source)
{
	struct hv_udp_socket *socket = hv_container(source, struct hv_udp_socket, source);

	free(hv_container(socket, struct hv_udp_listener, socket));
}

static void end_sessions(struct hv_udp *udp, const struct hv_udp_listener *listener)
{
	for (unsigned i = 0; i < HV_IDLE_CLASSES; i++) {
		struct hv_idle *idle = TAILQ_FIRST(&udp->idle.lists[i]);

		while (idle) {
			struct hv_idle *next = TAILQ_NEXT(idle, entry);

			if (idle->expired == session_expired) {
				struct session *session =
					hv_container(idle, struct session, idle);

				if (session->listener == listener) {
					hv_idle_remove(&udp->idle, idle);
					end_session(session, "no longer published");
				}
			}
			idle = next;
		}
	}
}

void hv_udp_listener_close(struct hv_udp_listener *listener)
{
	end_sessions(listener->socket.gateway->udp, listener);
	hv_udp_socket_close(&listener->socket, free_listener);
}
