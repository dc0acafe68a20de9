/*
 * A whole stack with a listener, a connection under way, datagram sockets and a forwarder. The input is a
 * list of commands: packets to it (raw, or with headers made right so that they come further), calls of
 * its sockets, and time that goes by.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <haven/forward.h>
#include <haven/link.h>

#include "base/addr.h"
#include "wire/bytes.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOCKETS = 16, REQUESTS = 8, PACKET_MAX = 4096, COMMANDS_MAX = 400 };

struct world {
	struct haven_stack *stack;
	struct haven_link *link;
	bool ethernet;
	uint8_t mac[6];
	uint64_t now_ns, random, live;
	uint32_t fail_every, allocations;
	struct haven_socket *sockets[SOCKETS];
	unsigned socket_count;
	struct haven_request *requests[REQUESTS];
	/* The last TCP segment that the stack sent: what a peer would answer to. */
	bool v6, seen;
	uint16_t src_port, dst_port;
	uint32_t seq_next, ack;
};

struct reader {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct reader *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static uint16_t word(struct reader *in)
{
	uint16_t high = byte(in);

	return (uint16_t)(high << 8 | byte(in));
}

/* --- what a stack needs ------------------------------------------------------------------- */

static void *counted_alloc(void *user, size_t size)
{
	struct world *w = user;

	if (w->fail_every && ++w->allocations % w->fail_every == 0)
		return NULL;
	w->live++;
	return malloc(size);
}

static void counted_free(void *user, void *memory, size_t size)
{
	(void)size;
	((struct world *)user)->live--;
	free(memory);
}

static void fixed_random(void *user, void *buffer, size_t size)
{
	struct world *w = user;

	for (size_t i = 0; i < size; i++) {
		w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407;
		((uint8_t *)buffer)[i] = (uint8_t)(w->random >> 56);
	}
}

/* --- what it sends -------------------------------------------------------------------------- */

static void look_at_tcp(struct world *w, const uint8_t *p, size_t size, size_t payload, bool v6)
{
	if (size < HV_TCP_HEADER)
		return;
	w->v6 = v6;
	w->seen = true;
	w->src_port = hv_get16(p);
	w->dst_port = hv_get16(p + 2);
	w->seq_next = hv_get32(p + 4) + (uint32_t)payload;
	if (p[13] & (HV_TCP_SYN | HV_TCP_FIN))
		w->seq_next++;
	w->ack = hv_get32(p + 8);
}

static int look(void *user, const struct iovec *iov, int count,
		const struct haven_frame_offload *offload)
{
	struct world *w = user;
	const uint8_t *p = iov[0].iov_base;
	size_t size = iov[0].iov_len, skip = w->ethernet ? HV_ETH_HEADER : 0, total = 0;

	(void)offload;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	if (size < skip + HV_IPV4_HEADER)
		return 0;
	p += skip;
	size -= skip;
	total -= skip;
	if (hv_ipv4_version(p) == 4 && hv_ipv4_protocol(p) == IPPROTO_TCP && size >= 40)
		look_at_tcp(w, p + 20, size - 20, total - 20 - (size_t)(p[32] >> 4) * 4, false);
	else if (hv_ipv4_version(p) == 6 && size >= 60 && hv_ipv6_next_header(p) == IPPROTO_TCP)
		look_at_tcp(w, p + 40, size - 40, total - 40 - (size_t)(p[52] >> 4) * 4, true);
	return (w->random >> 40) % 64 ? 0 : -EAGAIN;
}

/* --- packets to it ---------------------------------------------------------------------------- */

static const uint8_t ours4[4] = {10, 0, 0, 1}, theirs4[4] = {10, 0, 0, 2};
static const uint8_t ours6[16] = {0xfd, [15] = 1}, theirs6[16] = {0xfd, [15] = 2};

static void hand_in(struct world *w, const uint8_t *packet, size_t size, uint8_t flags)
{
	const struct haven_frame_offload offload = {.flags = flags};

	haven_link_custom_input(w->link, packet, size, &offload);
	haven_input(w->stack, 1, 16, w->now_ns);
}

/* An IP header around `size` bytes at packet + HEADROOM, and the frame goes in. */
enum { HEADROOM = HV_ETH_HEADER + HV_IPV6_HEADER };

static void hand_in_ip(struct world *w, uint8_t *packet, size_t size, uint8_t proto, bool v6,
		       uint8_t variation)
{
	static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
	uint8_t *p = packet + HEADROOM - (v6 ? HV_IPV6_HEADER : HV_IPV4_HEADER);
	size_t total = size + (size_t)(packet + HEADROOM - p);

	if (v6) {
		struct hv_ipv6_header h = {.src = hv_addr_v6(theirs6),
					   .dst = hv_addr_v6(ours6),
					   .payload_length = (uint16_t)size,
					   .next_header = proto,
					   .hop_limit = variation & 8 ? 1 : 255};

		h.dst.b[15] += variation & 7 ? 0 : 7; /* somebody else: the forwarder's */
		hv_wire_ipv6_write(p, &h);
	} else {
		struct hv_ipv4_header h = {.src = hv_addr_v4(theirs4),
					   .dst = hv_addr_v4(ours4),
					   .total_length = (uint16_t)total,
					   .id = variation >> 4,
					   .protocol = proto,
					   .ttl = variation & 8 ? 1 : 64};

		h.dst.b[15] += variation & 7 ? 0 : 7;
		h.more_fragments = variation == 255;
		h.fragment_offset = variation == 254 ? 1024 : 0;
		hv_wire_ipv4_write(p, &h);
	}
	if (w->ethernet) {
		p -= HV_ETH_HEADER;
		total += HV_ETH_HEADER;
		hv_eth_write(p, w->mac, peer_mac, v6 ? HV_ETHERTYPE_IPV6 : HV_ETHERTYPE_IPV4);
	}
	hand_in(w, p, total, 2);
}

static size_t take_bytes(struct reader *in, uint8_t *out, size_t size)
{
	if (size > in->left)
		size = in->left;
	if (size > PACKET_MAX)
		size = PACKET_MAX;
	memcpy(out, in->p, size);
	in->p += size;
	in->left -= size;
	return size;
}

static void raw_frame(struct world *w, struct reader *in)
{
	uint8_t packet[PACKET_MAX];
	uint16_t size = word(in);
	uint8_t flags = size >> 15 ? 2 : 0;

	hand_in(w, packet, take_bytes(in, packet, size & 0x7fff), flags);
}

static void ip_packet(struct world *w, struct reader *in)
{
	static const uint8_t protocols[] = {IPPROTO_TCP,  IPPROTO_UDP,
					    IPPROTO_ICMP, IPPROTO_ICMPV6,
					    44,		  0,
					    60,		  43};
	uint8_t packet[HEADROOM + PACKET_MAX], choice = byte(in), variation = byte(in);
	size_t size = take_bytes(in, packet + HEADROOM, byte(in) * 8u);

	hand_in_ip(w, packet, size, protocols[choice & 7], choice & 8, variation);
}

/* A segment that is near to what the connection expects: numbers relative to its own. */
static void near_segment(struct world *w, struct reader *in)
{
	uint8_t packet[HEADROOM + 60 + PACKET_MAX], *p = packet + HEADROOM;
	uint8_t flags = byte(in), shape = byte(in), options = (byte(in) % 11) * 4;
	struct hv_tcp_header h = {.src_port = w->dst_port,
				  .dst_port = w->src_port,
				  .seq = w->ack + (uint32_t)(int8_t)byte(in),
				  .ack = w->seq_next + (uint32_t)(int8_t)byte(in),
				  .flags = flags,
				  .window = word(in),
				  .options_len = options};
	size_t size;

	if (shape & 1) /* far away */
		h.seq += (uint32_t)word(in) << 15;
	if (shape & 2)
		h.ack += (uint32_t)word(in) << 15;
	if (shape & 4) { /* a new connection, to the listener or the forwarder */
		h.src_port = 4000 + (shape >> 5);
		h.dst_port = shape & 8 ? 80 : 443;
	}
	hv_wire_tcp_write(p, &h);
	size = take_bytes(in, p + HV_TCP_HEADER, options);
	memset(p + HV_TCP_HEADER + size, 0, options - size);
	size = take_bytes(in, p + HV_TCP_HEADER + options, byte(in) * 4u);
	hand_in_ip(w, packet, HV_TCP_HEADER + options + size, IPPROTO_TCP,
		   shape & 4 ? shape & 16 : w->v6, shape & 4 ? (shape & 8) >> 3 : 1);
}

/* --- calls -------------------------------------------------------------------------------------- */

/* False: there is no room for it, and it was closed. */
static bool keep(struct world *w, struct haven_socket *socket)
{
	if (w->socket_count == SOCKETS) {
		haven_close(socket);
		return false;
	}
	w->sockets[w->socket_count++] = socket;
	return true;
}

static void request(void *user, struct haven_request *request,
		    const struct haven_endpoint *source,
		    const struct haven_endpoint *destination)
{
	struct world *w = user;

	(void)source;
	(void)destination;
	for (int i = 0; i < REQUESTS; i++) {
		if (w->requests[i])
			continue;
		w->requests[i] = request;
		return;
	}
	haven_request_refuse(request, EHOSTUNREACH, NULL);
}

static void cancelled(void *user, struct haven_request *request)
{
	struct world *w = user;

	for (int i = 0; i < REQUESTS; i++) {
		if (w->requests[i] == request)
			w->requests[i] = NULL;
	}
}

static void datagram(void *user, const struct haven_datagram *d)
{
	struct world *w = user;
	struct iovec iov = {(void *)d->data, d->size};

	haven_datagram_send(w->stack, &d->destination, &d->source, &iov, 1, d->gso_size, 0);
}

static void echo(void *user, const struct haven_echo *e)
{
	haven_echo_reply(((struct world *)user)->stack, e);
}

static void answer(struct world *w, uint8_t choice)
{
	static const int errors[] = {ECONNREFUSED, ENETUNREACH, EACCES, ETIMEDOUT};
	struct haven_request *r = w->requests[choice % REQUESTS];
	struct haven_socket *socket;

	if (!r)
		return;
	w->requests[choice % REQUESTS] = NULL;
	if (choice & 64)
		haven_request_refuse(r, errors[choice >> 3 & 3], NULL);
	else if (haven_request_accept(r, &socket) == 0)
		keep(w, socket);
}

static void make_socket(struct world *w, uint8_t choice)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(choice & 4 ? 80 : 7)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct haven_socket *socket;

	memcpy(&to.sin_addr, choice & 8 ? ours4 : theirs4, 4);
	memcpy(&to6.sin6_addr, choice & 8 ? ours6 : theirs6, 16);
	if (haven_socket(w->stack, choice & 1 ? AF_INET6 : AF_INET,
			 choice & 2 ? SOCK_DGRAM : SOCK_STREAM, 0, &socket) < 0 ||
	    !keep(w, socket))
		return;
	if (choice & 16 && choice & 1)
		haven_bind(socket, (struct sockaddr *)&to6, sizeof(to6));
	if (choice & 32)
		haven_listen(socket, 2);
	else if (choice & 1)
		haven_connect(socket, (struct sockaddr *)&to6, sizeof(to6));
	else
		haven_connect(socket, (struct sockaddr *)&to, sizeof(to));
}

static void call(struct world *w, struct reader *in)
{
	uint8_t what = byte(in), which = byte(in);
	struct haven_socket *socket, *accepted;
	uint8_t buffer[3000] = {0};
	struct iovec slices[2];

	if (what % 10 == 0)
		make_socket(w, which);
	if (w->socket_count == 0)
		return;
	which %= (uint8_t)w->socket_count;
	socket = w->sockets[which];
	switch (what % 10) {
	case 1:
		haven_send(socket, buffer, what * 11u, what & 64 ? MSG_MORE : 0);
		break;
	case 2:
		haven_recv(socket, buffer, what * 11u, what & 64 ? MSG_PEEK : 0);
		break;
	case 3:
		haven_recv_consume(socket, haven_recv_peek(socket, slices));
		break;
	case 4:
		if (haven_send_reserve(socket, 1000, slices) > 0)
			haven_send_commit(socket, 1, what & 64);
		break;
	case 5:
		haven_shutdown(socket, what >> 4 & 3);
		break;
	case 6:
		if (haven_accept(socket, NULL, NULL, &accepted) == 0)
			keep(w, accepted);
		break;
	case 7:
	case 8:
		w->sockets[which] = w->sockets[--w->socket_count];
		if (what & 64)
			haven_abort(socket);
		else
			haven_close(socket);
		break;
	default:
		haven_connect(socket, NULL, 0);
		break;
	}
}

/* --- the run -------------------------------------------------------------------------------------- */

static bool make_world(struct world *w, uint8_t choice)
{
	static const struct haven_link_ops ops = {.send = look};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct haven_forwarder forwarder = {.user = w,
					    .tcp = request,
					    .tcp_cancelled = cancelled,
					    .udp = datagram,
					    .echo = echo};
	struct haven_stack_config config;
	struct haven_link_config link;

	haven_stack_config_init(&config);
	config.env = (struct haven_env){w, counted_alloc, counted_free, fixed_random, NULL};
	config.accept_any_address = config.router = choice & 1;
	config.send_router_advertisements = choice & 2;
	config.receive_buffer_bytes = config.send_buffer_bytes = choice & 4 ? 4096 : 1 << 20;
	config.max_sockets = 64;
	config.privileged = true;
	w->ethernet = choice & 8;
	w->now_ns = 1000000000;
	if (haven_stack_create(&config, &w->stack) < 0)
		return false;
	if (choice & 16)
		haven_stack_set_forwarder(w->stack, &forwarder);
	haven_link_config_init(&link);
	link.offloads = choice >> 5;
	link.mac[0] = w->mac[0] = 2;
	link.mac[5] = w->mac[5] = 1;
	if (haven_link_custom(w->stack, &ops, w, w->ethernet, &link, &w->link) < 0 ||
	    haven_stack_attach(w->stack, w->link, NULL) < 0)
		return false;
	memcpy(&in.sin_addr, ours4, 4);
	memcpy(&in6.sin6_addr, ours6, 16);
	haven_address_add(w->stack, 1, (struct sockaddr *)&in, 24);
	haven_address_add(w->stack, 1, (struct sockaddr *)&in6, 64);
	make_socket(w, 32 | 4 | 8); /* listens on a port of its own choice */
	if (haven_socket(w->stack, AF_INET, SOCK_STREAM, 0, &w->sockets[w->socket_count]) ==
	    0) {
		haven_bind(w->sockets[w->socket_count], (struct sockaddr *)&in, sizeof(in));
		haven_listen(w->sockets[w->socket_count++], 4);
	}
	make_socket(w, 4); /* connects to the peer */
	make_socket(w, 2);
	haven_poll(w->stack, w->now_ns);
	return true;
}

static void command(struct world *w, struct reader *in)
{
	switch (byte(in) % 8) {
	case 0:
		raw_frame(w, in);
		break;
	case 1:
		ip_packet(w, in);
		break;
	case 2:
	case 3:
		near_segment(w, in);
		break;
	case 4:
		answer(w, byte(in));
		break;
	case 5:
		call(w, in);
		break;
	case 6:
		w->now_ns += (uint64_t)word(in) << (byte(in) % 30);
		haven_link_writable(w->stack, 1);
		break;
	default:
		w->fail_every = byte(in) & 15;
		break;
	}
	haven_poll(w->stack, w->now_ns);
	while (haven_next_ready(w->stack, NULL))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = {data, size};
	struct world w = {0};

	if (make_world(&w, byte(&in))) {
		for (int i = 0; i < COMMANDS_MAX && in.left > 0; i++)
			command(&w, &in);
	}
	haven_stack_destroy(w.stack);
	if (w.live != 0)
		abort();
	return 0;
}
