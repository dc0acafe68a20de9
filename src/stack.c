/*
 * The stack: makes the rooms, wires them together, and is the only place that time comes in by.
 *
 *	haven_input()  link -> ip -> udp, tcp -> socket
 *	haven_poll()   timers, then what tcp has to send, until both are quiet
 */
#include "stack_state.h"

#include <netinet/in.h>

#include "wire/bytes.h"

enum {
	POLL_ROUNDS = 16,	   /* of timers and sending, in one haven_poll() */
	BUFFER_BYTES_MIN = 2048,   /* less than a segment would stop a connection */
	BUFFER_BYTES_MAX = 1 << 30 /* RFC 7323 section 2.3: the largest window */
};

void haven_stack_config_init(struct haven_stack_config *config)
{
	*config = (struct haven_stack_config){
		.max_sockets = 65536,
		.max_half_open = 4096,
		.max_time_wait = 16384,
		.max_requests = 4096,
		.max_neighbours = 1024,
		.max_reassembly_bytes = 4 << 20,
		.max_links = HV_IP_MAX_LINKS,
		.max_filter_flows = 65536,
		.privileged_port_limit = 1024,
		.ephemeral_first = 32768,
		.ephemeral_last = 60999,
		.send_buffer_bytes = 4 << 20,
		.receive_buffer_bytes = 4 << 20,
		.time_wait_ns = UINT64_C(60) * 1000000000,
		.ecn = 2,
		.congestion_control = "cubic",
		.mtu_probing = 1,
		.hop_limit = 64,
	};
	haven_env_default(&config->env);
}

static bool buffer_ok(uint32_t bytes)
{
	return bytes >= BUFFER_BYTES_MIN && bytes <= BUFFER_BYTES_MAX;
}

static bool config_ok(const struct haven_stack_config *c)
{
	return c->env.alloc && c->env.free && c->env.random && c->max_sockets && c->max_links &&
	       c->max_links <= HV_IP_MAX_LINKS && c->ecn <= 3 && c->max_neighbours &&
	       c->max_filter_flows && c->ephemeral_first &&
	       c->ephemeral_first <= c->ephemeral_last && c->hop_limit &&
	       buffer_ok(c->send_buffer_bytes) && buffer_ok(c->receive_buffer_bytes) &&
	       c->mtu_probing <= 2 && c->congestion_control &&
	       hv_tcp_congestion_number(c->congestion_control) >= 0;
}

/* --- what ip/ calls -------------------------------------------------------------------------- */

/* An echo request that the stack does not answer itself, handed to the forwarder. */
static void echo_input(void *ctx, const struct hv_packet *packet)
{
	enum { ECHO_HEADER = 8 }; /* type, code, checksum, identifier, sequence: RFC 792 */
	const struct haven_forwarder *forwarder = &((struct haven_stack *)ctx)->forwarder;
	const struct hv_desc *d = &packet->d;
	struct haven_echo echo = {.hop_limit = d->hop_limit};

	if (!forwarder->echo || d->payload_len < ECHO_HEADER)
		return;
	memcpy(echo.source.address, d->src.b, sizeof(echo.source.address));
	memcpy(echo.destination.address, d->dst.b, sizeof(echo.destination.address));
	echo.identifier = hv_get16(d->l4 + 4);
	echo.sequence = hv_get16(d->l4 + 6);
	echo.data = d->l4 + ECHO_HEADER;
	echo.size = d->payload_len - ECHO_HEADER;
	forwarder->echo(forwarder->user, &echo);
}

static void link_writable(void *ctx)
{
	hv_tcp_writable(ctx);
}

static void wire_rooms(struct haven_stack *stack)
{
	struct hv_sockets *sockets = &stack->head.sockets;
	struct hv_ip_transport tcp = {&stack->tcp, hv_tcp_input, hv_tcp_icmp_error,
				      .checks_mtu = true};
	struct hv_ip_transport udp = {&stack->udp, hv_udp_input, hv_udp_icmp_error};

	hv_ip_set_transport(&stack->ip, IPPROTO_TCP, &tcp);
	hv_ip_set_transport(&stack->ip, IPPROTO_UDP, &udp);
	hv_ip_set_echo(&stack->ip, echo_input, stack);
	hv_ip_set_writable(&stack->ip, link_writable, &stack->tcp);
	stack->tcp.forwarder = &stack->forwarder;
	stack->udp.forwarder = &stack->forwarder;
	sockets->core = &stack->head.core;
	sockets->ip = &stack->ip;
	sockets->ports = &stack->ports;
	sockets->udp = &stack->udp;
	sockets->tcp = &stack->tcp;
}

/* --- life ------------------------------------------------------------------------------------ */

static int rooms_init(struct haven_stack *stack, const struct haven_stack_config *c)
{
	struct hv_core *core = &stack->head.core;
	struct hv_ip_config ip = {
		.accept_any_address = c->accept_any_address,
		.router = c->router,
		.router_advertisements = c->send_router_advertisements,
		.hop_limit = c->hop_limit,
		.max_neighbours = c->max_neighbours,
		.max_reassembly_bytes = c->max_reassembly_bytes,
		.max_links = c->max_links,
	};
	struct hv_port_config ports = {
		.privileged_limit = c->privileged_port_limit,
		.ephemeral_first = c->ephemeral_first,
		.ephemeral_last = c->ephemeral_last,
		.privileged = c->privileged,
		.max_per_owner = c->max_sockets_per_owner,
	};
	struct hv_tcp_config tcp = {
		.max_connections = c->max_sockets,
		.max_half_open = c->max_half_open,
		.max_time_wait = c->max_time_wait,
		.max_requests = c->max_requests,
		.send_buffer_bytes = c->send_buffer_bytes,
		.receive_buffer_bytes = c->receive_buffer_bytes,
		.time_wait_ns = c->time_wait_ns,
		.mtu_probing = c->mtu_probing,
		.congestion = hv_tcp_congestion_number(c->congestion_control),
		.ecn = c->ecn,
		.packet_segments = c->tcp_packet_segments,
		.no_pacing = c->no_pacing,
		.notsent_lowat = c->notsent_lowat_bytes,
		.no_quick_acks = c->tcp_no_quick_acks,
		.no_timestamps = c->tcp_no_timestamps,
		.no_window_scaling = c->tcp_no_window_scaling,
		.no_sack = c->tcp_no_sack,
	};
	int error = hv_core_init(core, &c->env);

	if (error < 0)
		return error;
	error = hv_port_table_init(&stack->ports, core, &ports);
	if (error < 0)
		goto core;
	for (unsigned i = 0; i < c->ephemeral_excluded_count; i++) {
		const struct haven_port_range *range = &c->ephemeral_excluded[i];

		error = hv_port_exclude(&stack->ports, range->first, range->last, true);
		if (error < 0)
			goto ports;
	}
	error = hv_tcp_init(&stack->tcp, core, &stack->ip, &stack->ports, &tcp);
	if (error < 0)
		goto ports;
	hv_ip_init(&stack->ip, core, &ip);
	hv_udp_init(&stack->udp, core, &stack->ip, &stack->ports);
	hv_filter_track_init(&stack->filter, core, c->max_filter_flows);
	wire_rooms(stack);
	hv_sockets_init(&stack->head.sockets, stack, c->max_sockets);
	stack->head.sockets.hop_limit = c->hop_limit;
	return 0;

ports:
	hv_port_table_finish(&stack->ports);
core:
	hv_core_finish(core);
	return error;
}

int haven_stack_create(const struct haven_stack_config *config, struct haven_stack **out)
{
	struct haven_stack *stack;
	int error;

	*out = NULL;
	if (!config_ok(config))
		return -EINVAL;
	stack = config->env.alloc(config->env.user, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	memset(stack, 0, sizeof(*stack));
	error = rooms_init(stack, config);
	if (error < 0) {
		config->env.free(config->env.user, stack, sizeof(*stack));
		return error;
	}
	*out = stack;
	return 0;
}

void haven_stack_destroy(struct haven_stack *stack)
{
	struct haven_env env;

	if (!stack)
		return;
	env = stack->head.core.env;
	hv_tcp_finish(&stack->tcp);
	hv_sockets_finish(&stack->head.sockets);
	hv_filter_track_set(&stack->filter, NULL);
	hv_ip_finish(&stack->ip);
	hv_port_table_finish(&stack->ports);
	hv_core_finish(&stack->head.core);
	env.free(env.user, stack, sizeof(*stack));
}

void haven_stack_set_forwarder(struct haven_stack *stack,
			       const struct haven_forwarder *forwarder)
{
	stack->forwarder = forwarder ? *forwarder : (struct haven_forwarder){0};
}

/* --- links, addresses, routes ---------------------------------------------------------------- */

int haven_stack_attach(struct haven_stack *stack, struct haven_link *link, unsigned *ifindex)
{
	if (link->core != &stack->head.core) {
		haven_link_destroy(link);
		return -EINVAL;
	}
	return hv_ip_attach(&stack->ip, link, ifindex);
}

/* An address, and its prefix's length checked against its family. */
static int prefix_in(const struct sockaddr *address, unsigned prefix_bits, struct hv_addr *addr)
{
	socklen_t length = sizeof(struct sockaddr_in6);
	int error;

	if (!address)
		return -EINVAL;
	if (address->sa_family == AF_INET)
		length = sizeof(struct sockaddr_in);
	error = hv_addr_from_sockaddr(address, length, addr, NULL);
	if (error < 0)
		return error;
	return prefix_bits <= (hv_addr_is_v4(addr) ? 32 : 128) ? 0 : -EINVAL;
}

int haven_address_add(struct haven_stack *stack, unsigned ifindex,
		      const struct sockaddr *address, unsigned prefix_bits)
{
	struct hv_addr addr;
	int error = prefix_in(address, prefix_bits, &addr);

	return error < 0 ? error : hv_ip_address_add(&stack->ip, ifindex, &addr, prefix_bits);
}

int haven_route_add(struct haven_stack *stack, unsigned ifindex,
		    const struct sockaddr *destination, unsigned prefix_bits,
		    const struct sockaddr *gateway)
{
	struct hv_addr dst, via;
	int error = prefix_in(destination, prefix_bits, &dst);

	if (!error && gateway)
		error = prefix_in(gateway, 0, &via);
	if (error < 0)
		return error;
	return hv_ip_route_add(&stack->ip, ifindex, &dst, prefix_bits, gateway ? &via : NULL);
}

/* --- turns ------------------------------------------------------------------------------------ */

void haven_set_time(struct haven_stack *stack, uint64_t now_ns)
{
	/* Never backwards, whatever the caller says: timers count on it. */
	if (now_ns > stack->head.core.now_ns)
		stack->head.core.now_ns = now_ns;
}

int haven_input(struct haven_stack *stack, unsigned ifindex, unsigned budget, uint64_t now_ns)
{
	struct haven_link *link = hv_ip_link(&stack->ip, ifindex);

	haven_set_time(stack, now_ns);
	return link ? hv_link_receive(link, budget) : -ENOENT;
}

void haven_poll(struct haven_stack *stack, uint64_t now_ns)
{
	struct hv_core *core = &stack->head.core;

	haven_set_time(stack, now_ns);
	/* Packets to ourselves make new work; what is left after some rounds waits for the next
	 * call, which haven_next_deadline() asks for at once. */
	for (int round = 0; round < POLL_ROUNDS; round++) {
		unsigned fired = hv_timer_advance(&core->wheel, core->now_ns);
		bool sending = !hv_list_is_empty(&stack->tcp.output);

		hv_tcp_flush(&stack->tcp);
		if (!fired && !sending)
			break;
	}
}

uint64_t haven_next_deadline(const struct haven_stack *stack)
{
	const struct hv_core *core = &stack->head.core;
	uint64_t next;

	if (!hv_list_is_empty(&stack->tcp.output))
		return core->now_ns;
	for (unsigned i = 0; i < stack->ip.link_count; i++) {
		if (stack->ip.links[i]->pending)
			return core->now_ns;
	}
	next = hv_timer_next(&core->wheel);
	return next < core->now_ns ? core->now_ns : next;
}

void haven_link_writable(struct haven_stack *stack, unsigned ifindex)
{
	struct haven_link *link = hv_ip_link(&stack->ip, ifindex);

	if (!link)
		return;
	hv_link_writable(link);
	if (!hv_link_is_busy(link))
		hv_ip_writable(&stack->ip);
}

/* --- what a stack tells about itself ----------------------------------------------------------- */

uint64_t haven_drop_count(const struct haven_stack *stack, unsigned reason)
{
	return reason < HV_DROP_COUNT ? stack->head.core.drops[reason] : 0;
}

void haven_stack_stats(const struct haven_stack *stack, struct haven_stats *stats)
{
	*stats = (struct haven_stats){
		.memory_bytes = stack->head.core.memory_bytes + sizeof(*stack),
		.sockets = stack->head.sockets.count,
		.connections = stack->tcp.connection_count,
		.half_open = stack->tcp.half_open_count,
		.time_wait = stack->tcp.time_wait_count,
		.requests = stack->tcp.request_count,
		.tcp_segments_in = stack->tcp.segments_in,
		.tcp_segments_out = stack->tcp.segments_out,
		.tcp_retransmits = stack->tcp.retransmits,
		.syn_cookies_sent = stack->tcp.cookies_sent,
		.syn_cookies_good = stack->tcp.cookies_good,
		.syn_cookies_bad = stack->tcp.cookies_bad,
		.udp_datagrams_in = stack->udp.datagrams_in,
		.udp_datagrams_out = stack->udp.datagrams_out,
		.ip_packets_in = stack->ip.packets_in,
		.ip_packets_out = stack->ip.packets_out,
		.filter_flows = stack->filter.count,
		.filter_flows_displaced = stack->filter.displaced,
	};
}
