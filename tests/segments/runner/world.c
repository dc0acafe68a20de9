/* The stack under test, its surroundings, and time. */
#include "world.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

/* --- the environment of the stack ------------------------------------------------------ */

static void *env_alloc(void *user, size_t size)
{
	struct seg_world *world = user;
	uint64_t nth = ++world->allocations;
	void *memory;

	if (world->fail_at && nth >= world->fail_at && nth <= world->fail_at + world->fail_span)
		return NULL;
	memory = malloc(size);
	if (!memory)
		abort();
	memset(memory, 0xa5, size);
	world->live++;
	world->live_bytes += size;
	return memory;
}

static void env_free(void *user, void *memory, size_t size)
{
	struct seg_world *world = user;

	if (!memory)
		return;
	world->live--;
	world->live_bytes -= size;
	memset(memory, 0x5a, size);
	free(memory);
}

static void env_random(void *user, void *buffer, size_t size)
{
	struct seg_world *world = user;
	uint8_t *out = buffer;

	for (size_t i = 0; i < size; i++) {
		world->random = world->random * UINT64_C(6364136223846793005) +
				UINT64_C(1442695040888963407);
		out[i] = (uint8_t)(world->random >> 56);
	}
}

/* --- the link --------------------------------------------------------------------------- */

/* Whether a script can see it: a TCP segment or an ICMP error. The stack's own housekeeping is not. */
static bool is_of_interest(const uint8_t *bytes, size_t size)
{
	if (size < 20)
		return true;
	if (bytes[0] >> 4 == 4)
		return bytes[9] != 2;			       /* IGMP */
	return size < 41 || bytes[6] != 58 || bytes[40] < 128; /* ICMPv6 that is no error */
}

/* What an offloading link would do: the field holds the pseudo-header's sum already. */
static void fill_checksum(uint8_t *bytes, size_t size,
			  const struct haven_frame_offload *offload)
{
	uint8_t *field = bytes + offload->csum_start + offload->csum_offset;
	uint16_t sum = seg_checksum(bytes + offload->csum_start, size - offload->csum_start, 0);

	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
}

static int link_send(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct seg_world *world = user;
	struct seg_packet *packet;
	size_t size = 0;

	if (world->link_mode != SEG_LINK_FREE)
		return world->link_mode == SEG_LINK_BUSY ? -EAGAIN : -ENOBUFS;
	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	packet = malloc(sizeof(*packet) + size);
	if (!packet)
		abort();
	*packet = (struct seg_packet){.time_ns = world->now_ns};
	for (int i = 0; i < count; i++) {
		memcpy(packet->bytes + packet->size, iov[i].iov_base, iov[i].iov_len);
		packet->size += iov[i].iov_len;
	}
	if (offload->flags & 1)
		fill_checksum(packet->bytes, packet->size, offload);
	if (!is_of_interest(packet->bytes, packet->size)) {
		free(packet);
		return 0;
	}
	seg_observe(world, packet->bytes, packet->size);
	*world->last = packet;
	world->last = &packet->next;
	return 0;
}

void seg_packet_pop(struct seg_world *world)
{
	struct seg_packet *packet = world->first;

	world->first = packet->next;
	if (!world->first)
		world->last = &world->first;
	free(packet);
}

static const struct haven_link_ops link_ops = {.send = link_send};

/* --- life -------------------------------------------------------------------------------- */

socklen_t seg_address(const struct seg_world *world, unsigned host, uint16_t port,
		      struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (world->v6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr.s6_addr[0] = 0xfd;
		in6->sin6_addr.s6_addr[15] = (uint8_t)host;
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(0x0a000000 + host);
	return sizeof(*in);
}

static void configure(struct haven_stack_config *stack, struct seg_world *world)
{
	const struct seg_config *config = &world->script->config;

	haven_stack_config_init(stack);
	stack->env = (struct haven_env){.user = world,
					.alloc = env_alloc,
					.free = env_free,
					.random = env_random};
	stack->privileged = true;
	if (config->send_buffer >= 0)
		stack->send_buffer_bytes = (uint32_t)config->send_buffer;
	if (config->receive_buffer >= 0)
		stack->receive_buffer_bytes = (uint32_t)config->receive_buffer;
	if (config->max_sockets >= 0)
		stack->max_sockets = (uint32_t)config->max_sockets;
	if (config->max_time_wait >= 0)
		stack->max_time_wait = (uint32_t)config->max_time_wait;
	if (config->max_requests >= 0)
		stack->max_requests = (uint32_t)config->max_requests;
	if (config->max_half_open >= 0)
		stack->max_half_open = (uint32_t)config->max_half_open;
	if (config->ecn >= 0)
		stack->ecn = (uint8_t)config->ecn;
	if (config->mtu_probing >= 0)
		stack->mtu_probing = (uint8_t)config->mtu_probing;
	if (config->congestion[0])
		stack->congestion_control = config->congestion;
	stack->tcp_no_quick_acks = config->no_quick_acks;
	if (config->hop_limit >= 0)
		stack->hop_limit = (uint8_t)config->hop_limit;
	if (config->time_wait_ns != UINT64_MAX)
		stack->time_wait_ns = config->time_wait_ns;
}

static bool plug_link(struct seg_world *world)
{
	struct haven_link_config config;
	struct sockaddr_storage address;
	int error;

	haven_link_config_init(&config);
	config.mtu = (uint32_t)world->script->config.mtu;
	if (!world->script->config.offloads)
		config.offloads = 0; /* every packet as it is on a wire */
	error = haven_link_custom(world->stack, &link_ops, world, false, &config, &world->link);
	if (!error)
		error = haven_stack_attach(world->stack, world->link, &world->ifindex);
	if (!error) {
		seg_address(world, 1, 0, &address);
		error = haven_address_add(world->stack, world->ifindex,
					  (struct sockaddr *)&address, world->v6 ? 64 : 24);
	}
	return !error || seg_fail(world, "the link cannot be made: %s", haven_strerror(error));
}

bool seg_world_init(struct seg_world *world, const struct seg_script *script, bool v6,
		    uint64_t start_ns)
{
	struct haven_stack_config config;
	int error;

	memset(world, 0, sizeof(*world));
	world->script = script;
	world->v6 = v6;
	world->last = &world->first;
	world->start_ns = world->now_ns = start_ns;
	world->random = (uint64_t)script->config.seed;
	for (unsigned i = 0; i < SEG_FLOWS; i++) {
		world->flows[i] = (struct seg_flow){
			.peer_port = (uint16_t)(SEG_PEER_PORT + i),
			.stack_port = (uint16_t)script->config.port,
			.peer_iss = (uint32_t)script->config.peer_iss,
			.window = 65535,
		};
	}
	configure(&config, world);
	error = haven_stack_create(&config, &world->stack);
	if (error)
		return seg_fail(world, "the stack cannot be made: %s", haven_strerror(error));
	haven_set_time(world->stack, world->now_ns);
	if (script->config.forwarder)
		seg_forward_start(world);
	return plug_link(world);
}

bool seg_world_finish(struct seg_world *world)
{
	bool failed = world->error[0];

	haven_stack_destroy(world->stack);
	while (world->first)
		seg_packet_pop(world);
	world->at = NULL;
	if (world->live && !failed)
		return seg_fail(world,
				"after its end the stack still holds %llu bytes in %llu pieces",
				(unsigned long long)world->live_bytes,
				(unsigned long long)world->live);
	return !failed;
}

bool seg_fail(struct seg_world *world, const char *format, ...)
{
	size_t used = 0;
	va_list list;

	if (world->error[0])
		return false;
	if (world->at)
		used = (size_t)snprintf(world->error, sizeof(world->error),
					"%s:%d: ", world->at->file, world->at->line);
	else
		used = (size_t)snprintf(world->error, sizeof(world->error),
					"%s: ", world->script->path);
	va_start(list, format);
	vsnprintf(world->error + used, sizeof(world->error) - used, format, list);
	va_end(list);
	return false;
}

/* --- time -------------------------------------------------------------------------------- */

static void drain_ready(struct seg_world *world)
{
	unsigned events;

	while (haven_next_ready(world->stack, &events))
		continue;
}

static void poll_at(struct seg_world *world, uint64_t now_ns)
{
	world->now_ns = now_ns;
	haven_poll(world->stack, now_ns);
	drain_ready(world);
}

void seg_advance(struct seg_world *world, uint64_t until_ns)
{
	unsigned stuck = 0;

	while (!world->first && world->now_ns < until_ns && !world->error[0]) {
		uint64_t next_ns = haven_next_deadline(world->stack);

		/* A deadline that has passed must be gone after a poll. */
		if (next_ns > world->now_ns) {
			stuck = 0;
		} else if (++stuck > 1000) {
			seg_fail(world, "a timer that is due stays due");
			return;
		} else {
			next_ns = world->now_ns + 1;
		}
		poll_at(world, next_ns < until_ns ? next_ns : until_ns);
	}
}

void seg_poll(struct seg_world *world)
{
	if (!world->batch)
		poll_at(world, world->now_ns);
}

void seg_link_set(struct seg_world *world, enum seg_link_mode mode)
{
	world->link_mode = mode;
	if (mode == SEG_LINK_FREE) {
		haven_link_writable(world->stack, world->ifindex);
		seg_poll(world);
	}
}

void seg_deliver(struct seg_world *world, const void *bytes, size_t size)
{
	haven_link_custom_input(world->link, bytes, size, NULL);
	haven_input(world->stack, world->ifindex, 64, world->now_ns);
	seg_poll(world);
}

/* --- flows ------------------------------------------------------------------------------- */

struct seg_flow *seg_flow(struct seg_world *world)
{
	return &world->flows[world->flow];
}

struct seg_flow *seg_flow_by_port(struct seg_world *world, uint16_t peer_port)
{
	if (peer_port < SEG_PEER_PORT || peer_port >= SEG_PEER_PORT + SEG_FLOWS)
		return NULL;
	return &world->flows[peer_port - SEG_PEER_PORT];
}

uint8_t seg_pattern(uint64_t position)
{
	return (uint8_t)(position ^ position >> 8 ^ position >> 16 ^ 0x5a);
}
