/*
 * Whole TCP conversations, step by step: see support/conversation.h. Checked are every byte that is read and sent, the
 * insides of every connection after every step, and that nothing is left at the end.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support/conversation.h"
#include "socket/socket_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	LISTENER_PORT = 80,
	FORWARDED_PORT = 443,
	ACTIVE_PORT = 2000, /* the stack's, when it connects */
	PEER_PORT = 3000,
	BYTES_MAX = 20000, /* of one call */
	/* More than any connection needs to end by itself, by far. */
	POLLS_MAX = 5000,
};

/* --- what a stack needs ---------------------------------------------------------------------------- */

static void *counted_alloc(void *user, size_t size)
{
	struct conversation *c = user;

	c->allocations++;
	if (c->fail_at && c->allocations >= c->fail_at &&
	    c->allocations - c->fail_at <= c->fail_span) {
		c->hampered = true;
		return NULL;
	}
	c->live++;
	return malloc(size);
}

static void counted_free(void *user, void *memory, size_t size)
{
	(void)size;
	((struct conversation *)user)->live--;
	free(memory);
}

static void fixed_random(void *user, void *buffer, size_t size)
{
	struct conversation *c = user;

	for (size_t i = 0; i < size; i++) {
		c->random = c->random * UINT64_C(6364136223846793005) + 1442695040888963407;
		((uint8_t *)buffer)[i] = (uint8_t)(c->random >> 56);
	}
}

/* --- sockets ------------------------------------------------------------------------------------------ */

static struct hv_tcp_conn *conn_of(const struct end *end)
{
	return hv_stream_of(end->socket)->conn;
}

static void keep(struct conversation *c, struct haven_socket *socket, struct peer *peer)
{
	for (unsigned i = 0; i < CONVERSATION_ENDS; i++) {
		struct end *end = &c->ends[i];

		if (end->socket)
			continue;
		*end = (struct end){.socket = socket, .peer = peer, .serial = ++c->serial};
		return;
	}
	haven_close(socket);
}

static void request(void *user, struct haven_request *request,
		    const struct haven_endpoint *source,
		    const struct haven_endpoint *destination)
{
	struct conversation *c = user;

	(void)destination;
	for (unsigned i = 0; i < CONVERSATION_PEERS; i++) {
		if (c->peers[i].port != source->port ||
		    c->peers[i].v6 == haven_endpoint_is_v4(source) || c->requests[i])
			continue;
		c->requests[i] = request;
		haven_request_set_user(request, &c->requests[i]);
		return;
	}
	haven_request_refuse(request, EHOSTUNREACH, NULL);
}

static void cancelled(void *user, struct haven_request *request)
{
	(void)user;
	*(struct haven_request **)haven_request_user(request) = NULL;
}

static void answer(struct conversation *c, struct peer *peer, uint8_t choice)
{
	static const int errors[] = {ECONNREFUSED, ENETUNREACH, EACCES, ETIMEDOUT};
	struct haven_request *held = c->requests[peer->index];
	struct haven_socket *socket;

	if (!held)
		return;
	c->requests[peer->index] = NULL;
	if (choice == 7)
		haven_request_refuse(held, errors[c->random >> 60 & 3], NULL);
	else if (haven_request_accept(held, &socket) == 0)
		keep(c, socket, peer);
}

static void accept_one(struct conversation *c)
{
	struct haven_socket *socket;

	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		uint16_t port;

		if (!c->listeners[v6] ||
		    haven_accept(c->listeners[v6], (struct sockaddr *)&from, &length,
				 &socket) != 0)
			continue;
		port = ntohs(v6 ? ((struct sockaddr_in6 *)&from)->sin6_port
				: ((struct sockaddr_in *)&from)->sin_port);
		conversation_must(port >= PEER_PORT && port < PEER_PORT + CONVERSATION_PEERS,
				  "a connection of nobody", NULL);
		keep(c, socket, &c->peers[port - PEER_PORT]);
	}
}

static socklen_t address(bool v6, uint8_t last, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr.s6_addr[0] = 0xfd;
		in6->sin6_addr.s6_addr[15] = last;
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(UINT32_C(0x0a000000) + last);
	return sizeof(*in);
}

/* From the port that the peer knows to the peer's. */
static void connect_to(struct conversation *c, struct peer *peer, int fast_open)
{
	struct sockaddr_storage local, remote;
	socklen_t length = address(peer->v6, 1, peer->stack_port, &local);
	struct haven_socket *socket;
	int error;

	if (peer->role != ROLE_ACTIVE ||
	    haven_socket(c->stack, peer->v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, &socket) < 0)
		return;
	haven_setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &fast_open,
			 sizeof(fast_open));
	error = haven_bind(socket, (struct sockaddr *)&local, length);
	address(peer->v6, 2, peer->port, &remote);
	if (!error)
		error = haven_connect(socket, (struct sockaddr *)&remote, length);
	if (error == -EINPROGRESS || !error) /* at once: the SYN waits for data */
		keep(c, socket, peer);
	else
		haven_close(socket);
}

/* --- streams ----------------------------------------------------------------------------------------- */

static void check_read(struct end *end, const uint8_t *data, size_t size)
{
	uint32_t seq = conn_of(end)->irs + 1 + end->read;

	for (size_t i = 0; i < size; i++)
		conversation_must(end->deaf ||
					  data[i] == peer_byte(end->peer, seq + (uint32_t)i),
				  "bytes that the peer did not send there", conn_of(end));
	end->read += (uint32_t)size;
}

static void read_some(struct end *end, size_t size, bool in_place)
{
	static uint8_t buffer[BYTES_MAX];
	struct iovec slices[2];
	ssize_t got;

	if (in_place) {
		size_t there = haven_recv_peek(end->socket, slices);

		if (there == 0)
			return;
		check_read(end, slices[0].iov_base, slices[0].iov_len);
		check_read(end, slices[1].iov_base, there - slices[0].iov_len);
		haven_recv_consume(end->socket, there);
		return;
	}
	got = haven_recv(end->socket, buffer, size, 0);
	if (got > 0)
		check_read(end, buffer, (size_t)got);
}

static void fill(const struct end *end, uint32_t at, uint8_t *out, size_t size)
{
	uint32_t seq = conn_of(end)->iss + 1 + end->written + at;

	for (size_t i = 0; i < size; i++)
		out[i] = stack_byte(end->peer, seq + (uint32_t)i);
}

static void write_some(struct end *end, size_t size, bool in_place, bool more)
{
	static uint8_t buffer[BYTES_MAX];
	struct iovec slices[2];
	ssize_t sent;

	if (!conn_of(end))
		return;
	if (in_place) {
		sent = haven_send_reserve(end->socket, size, slices);
		if (sent <= 0)
			return;
		fill(end, 0, slices[0].iov_base, slices[0].iov_len);
		fill(end, (uint32_t)slices[0].iov_len, slices[1].iov_base, slices[1].iov_len);
		haven_send_commit(end->socket, (size_t)sent, more);
	} else {
		fill(end, 0, buffer, size);
		sent = haven_send(end->socket, buffer, size, more ? MSG_MORE : 0);
	}
	if (sent > 0)
		end->written += (uint32_t)sent;
}

static void set_option(const struct end *end, const struct step *step)
{
	static const int options[][2] = {
		{IPPROTO_TCP, TCP_NODELAY},	 {IPPROTO_TCP, TCP_CORK},
		{IPPROTO_TCP, TCP_QUICKACK},	 {IPPROTO_TCP, TCP_MAXSEG},
		{IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_KEEPIDLE},
		{SOL_SOCKET, SO_KEEPALIVE},	 {SOL_SOCKET, SO_RCVBUF},
		{SOL_SOCKET, SO_SNDBUF},	 {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
		{IPPROTO_TCP, TCP_WINDOW_CLAMP}, {IPPROTO_TCP, TCP_FASTOPEN}};
	const int *option = options[step->extra % (sizeof(options) / sizeof(options[0]))];
	struct linger linger = {step->size & 1, step->size >> 8};
	char name[] = "cubic", info[256];
	socklen_t length = sizeof(info);
	int value = step->size;

	if (step->extra & 128)
		haven_setsockopt(end->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	else if (step->extra & 64)
		haven_setsockopt(end->socket, IPPROTO_TCP, TCP_CONGESTION,
				 step->extra & 1 ? name : "reno", step->extra & 1 ? 5 : 4);
	else if (step->extra & 32)
		haven_getsockopt(end->socket, IPPROTO_TCP, TCP_INFO, info, &length);
	else
		haven_setsockopt(end->socket, option[0], option[1], &value, sizeof(value));
}

/* Takes a part, the rest goes to the receive buffer. */
static size_t sink(void *user, const uint8_t *data, size_t size)
{
	struct end *end = user;

	size -= size > 100 ? size / 3 : 0;
	check_read(end, data, size);
	return size;
}

/* --- steps ------------------------------------------------------------------------------------------- */

static void call_end(struct end *end, const struct step *step)
{
	size_t size = step->size % BYTES_MAX;

	switch (step->choice & 15) {
	case 1:
	case 2:
		read_some(end, size, step->extra & 1);
		break;
	case 3:
	case 4:
		write_some(end, size, step->extra & 1, step->extra & 2);
		break;
	case 5:
		haven_shutdown(end->socket, SHUT_WR);
		break;
	case 6:
		end->deaf |= haven_shutdown(end->socket, SHUT_RD) == 0;
		break;
	case 8:
		haven_socket_set_sink(end->socket, step->extra & 1 ? sink : NULL, end);
		break;
	case 9:
		haven_close(end->socket);
		end->socket = NULL;
		break;
	case 10:
		haven_abort(end->socket);
		end->socket = NULL;
		break;
	default:
		set_option(end, step);
		break;
	}
}

static void call(struct conversation *c, const struct step *step)
{
	struct peer *peer = &c->peers[step->peer % CONVERSATION_PEERS];
	struct end *newest = NULL; /* of this peer */

	switch (step->choice & 15) {
	case 0:
		connect_to(c, peer, step->extra & 1);
		accept_one(c);
		answer(c, peer, 0);
		return;
	case 7:
		answer(c, peer, 7);
		return;
	default:
		break;
	}
	for (unsigned i = 0; i < CONVERSATION_ENDS; i++) {
		struct end *end = &c->ends[i];

		if (end->socket && end->peer == peer &&
		    (!newest || newest->serial < end->serial))
			newest = end;
	}
	if (newest)
		call_end(newest, step);
}

static void pass_time(struct conversation *c, const struct step *step)
{
	uint64_t next = haven_next_deadline(c->stack);

	switch (step->choice & 3) {
	case 0:
		c->now_ns += step->size * HV_TCP_MS;
		break;
	case 1:
		c->now_ns += step->size * UINT64_C(1000);
		break;
	case 2:
		c->now_ns += step->extra * 10 * HV_TCP_SECOND;
		break;
	default:
		if (next != UINT64_MAX && next > c->now_ns)
			c->now_ns = next;
		break;
	}
}

static void poll(struct conversation *c)
{
	if (c->busy == 0)
		haven_link_writable(c->stack, 1);
	haven_poll(c->stack, c->now_ns);
	while (haven_next_ready(c->stack, NULL))
		;
}

static void run_step(struct conversation *c, const struct step *step)
{
	switch (step->kind % STEP_KINDS) {
	case STEP_POLITE:
		conversation_polite(c, step);
		break;
	case STEP_SEGMENT:
		conversation_segment(c, step);
		break;
	case STEP_CALL:
		call(c, step);
		break;
	case STEP_TIME:
		pass_time(c, step);
		break;
	case STEP_ICMP:
		conversation_icmp(c, step);
		break;
	case STEP_MEMORY:
		c->fail_at = c->allocations + 1 + step->size % 64;
		c->fail_span = step->extra & 7;
		break;
	case STEP_LINK:
		c->busy = step->extra & 7;
		c->hampered |= c->busy > 0;
		break;
	default:
		c->held = 1 + (step->extra & 15);
		break;
	}
	if (c->held > 0)
		c->held--;
	if (c->held == 0)
		poll(c);
	conversation_check(c);
}

/* --- the run --------------------------------------------------------------------------------------- */

static void make_peers(struct conversation *c)
{
	static const uint16_t ports[] = {LISTENER_PORT, ACTIVE_PORT, FORWARDED_PORT};

	for (unsigned i = 0; i < CONVERSATION_PEERS; i++) {
		struct peer *peer = &c->peers[i];

		peer->index = i;
		peer->v6 = i >= 3;
		peer->role = (enum role)(i % 3);
		peer->port = (uint16_t)(PEER_PORT + i);
		peer->stack_port = ports[i % 3];
		/* Some streams pass the end of the sequence space. */
		peer->irs = i % 2 ? UINT32_C(0xfffff000) : 1000 * i;
	}
}

static void make_listener(struct conversation *c, bool v6, int backlog, int fast_open)
{
	struct sockaddr_storage any;
	socklen_t length = address(v6, 1, LISTENER_PORT, &any);

	if (haven_socket(c->stack, v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, &c->listeners[v6]))
		return;
	haven_bind(c->listeners[v6], (struct sockaddr *)&any, length);
	haven_setsockopt(c->listeners[v6], IPPROTO_TCP, TCP_FASTOPEN, &fast_open,
			 sizeof(fast_open));
	haven_listen(c->listeners[v6], backlog);
}

static bool make_world(struct conversation *c, const uint8_t head[CONVERSATION_HEAD])
{
	static const struct haven_link_ops ops = {.send = conversation_sent};
	static const uint32_t mtus[] = {1500, 1280, 9000, 65535};
	static const uint32_t buffers[] = {1 << 20, 65536, 4096, 2048};
	const struct haven_forwarder forwarder = {.user = c,
						  .tcp = request,
						  .tcp_cancelled = cancelled};
	struct haven_stack_config config;
	struct haven_link_config link;
	struct sockaddr_storage ours;

	haven_stack_config_init(&config);
	config.env = (struct haven_env){c, counted_alloc, counted_free, fixed_random, NULL};
	config.accept_any_address = true;
	config.router = head[0] & 1;
	config.privileged = true;
	config.send_buffer_bytes = buffers[head[1] & 3];
	config.receive_buffer_bytes = buffers[head[1] >> 2 & 3];
	config.max_sockets = head[2] & 1 ? 6 : 64;
	config.max_time_wait = head[2] & 2 ? 1 : 16;
	config.max_requests = head[2] & 4 ? 1 : 16;
	if (head[2] & 8)
		config.max_half_open = head[2] & 16 ? 0 : 4;
	if (haven_stack_create(&config, &c->stack) < 0)
		return false;
	haven_stack_set_forwarder(c->stack, &forwarder);
	haven_link_config_init(&link);
	link.offloads = head[3] & 15;
	link.mtu = mtus[head[3] >> 4 & 3];
	if (haven_link_custom(c->stack, &ops, c, false, &link, &c->link) < 0 ||
	    haven_stack_attach(c->stack, c->link, NULL) < 0)
		return false;
	address(false, 1, 0, &ours);
	haven_address_add(c->stack, 1, (struct sockaddr *)&ours, 24);
	address(true, 1, 0, &ours);
	haven_address_add(c->stack, 1, (struct sockaddr *)&ours, 64);
	make_listener(c, false, 1 + (head[4] & 3), head[4] >> 4 & 3);
	make_listener(c, true, 1 + (head[4] & 3), head[4] >> 4 & 3);
	make_peers(c);
	c->random ^= head[5];
	return true;
}

/* Everything is closed; then it must end by itself, in bounded time and work. */
static void wind_up(struct conversation *c)
{
	struct haven_stats stats = {.connections = 1};

	c->fail_at = c->busy = c->held = 0;
	for (unsigned i = 0; i < CONVERSATION_ENDS; i++)
		haven_close(c->ends[i].socket);
	for (int v6 = 0; v6 < 2; v6++)
		haven_close(c->listeners[v6]);
	for (unsigned i = 0; i < CONVERSATION_PEERS; i++)
		answer(c, &c->peers[i], 7);
	for (int i = 0; i < POLLS_MAX; i++) {
		uint64_t next;

		poll(c);
		haven_stack_stats(c->stack, &stats);
		next = haven_next_deadline(c->stack);
		if (stats.connections + stats.time_wait + stats.requests == 0 ||
		    next == UINT64_MAX)
			break;
		if (next > c->now_ns)
			c->now_ns = next;
	}
	conversation_must(stats.connections + stats.time_wait + stats.requests == 0,
			  "something is left when all is closed", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conversation c = {.now_ns = 1000000000, .random = 1};

	if (size < CONVERSATION_HEAD)
		return 0;
	if (make_world(&c, data)) {
		size_t count = (size - CONVERSATION_HEAD) / STEP_BYTES;

		for (size_t i = 0; i < count && i < CONVERSATION_STEPS_MAX; i++) {
			struct step step;

			memcpy(&step, data + CONVERSATION_HEAD + i * STEP_BYTES, STEP_BYTES);
			run_step(&c, &step);
		}
		wind_up(&c);
	}
	haven_stack_destroy(c.stack);
	conversation_must(c.live == 0, "memory is left", NULL);
	return 0;
}
