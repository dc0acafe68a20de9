/* The forwarder for datagrams: from any to any, batches whole, ICMP errors in both directions. */
#include <string.h>

#include "support.h"

struct gateway {
	struct world *w;
	struct haven_endpoint source, destination;
	uint8_t data[65536];
	size_t size;
	uint16_t gso_size;
	int datagrams, errors, last_error;
};

static void on_udp(void *user, const struct haven_datagram *datagram)
{
	struct gateway *g = user;

	g->source = datagram->source;
	g->destination = datagram->destination;
	memcpy(g->data, datagram->data, datagram->size);
	g->size = datagram->size;
	g->gso_size = datagram->gso_size;
	g->datagrams++;
}

static void on_udp_error(void *user, const struct haven_endpoint *source,
			 const struct haven_endpoint *destination, int error)
{
	struct gateway *g = user;

	assert_memory_equal(source, &g->destination, sizeof(*source));
	assert_memory_equal(destination, &g->source, sizeof(*destination));
	g->last_error = error;
	g->errors++;
}

static void gateway_init(struct world *w, struct gateway *g)
{
	struct haven_forwarder forwarder = {.user = g,
					    .udp = on_udp,
					    .udp_error = on_udp_error};

	memset(g, 0, sizeof(*g));
	g->w = w;
	world_init(w, &(struct world_options){.any_address = true, .forwarder = &forwarder});
}

/* A guest's socket, connected to an address that nobody has, and its first datagram. */
static struct haven_socket *guest(struct gateway *g, const char *address)
{
	bool v6 = strchr(address, ':');
	struct haven_socket *socket = datagram_new(g->w, LEFT, v6);
	struct sockaddr_storage to = address_text(address, 53);
	struct haven_endpoint expected = endpoint_text(address, 53);

	assert_int_equal(haven_connect(socket, (struct sockaddr *)&to, address_size(v6)), 0);
	assert_int_equal(haven_send(socket, "query", 5, 0), 5);
	world_pass(g->w, 10 * MILLISECOND);
	assert_int_equal(g->datagrams, 1);
	assert_int_equal(g->size, 5);
	assert_memory_equal(g->data, "query", 5);
	assert_int_equal(g->destination.port, 53);
	assert_memory_equal(g->destination.address, expected.address, 16);
	return socket;
}

static void answers(const char *address)
{
	static struct gateway g;
	struct world w;
	struct haven_socket *client;
	struct iovec answer[2] = {{(char *)"ans", 3}, {(char *)"wer", 3}};
	struct iovec none = {NULL, 0};
	char buffer[16];

	gateway_init(&w, &g);
	client = guest(&g, address);
	assert_int_equal(haven_datagram_send(w.stack[RIGHT], &g.destination, &g.source, answer,
					     2, 0, 0),
			 0);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), 6);
	assert_memory_equal(buffer, "answer", 6);
	assert_int_equal(haven_datagram_send(w.stack[RIGHT], &g.destination, &g.source, &none,
					     1, 0, 9),
			 0);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), 0);
	/* The guest's port is closed: the forwarder is told. */
	haven_close(client);
	assert_int_equal(haven_datagram_send(w.stack[RIGHT], &g.destination, &g.source, answer,
					     2, 0, 0),
			 0);
	world_pass(&w, 10 * MILLISECOND);
	assert_int_equal(g.errors, 1);
	assert_int_equal(g.last_error, ECONNREFUSED);
	world_finish(&w);
}

static void test_answer(void **state)
{
	(void)state;
	answers("198.51.100.7");
	answers("2001:db8::7");
}

/* A batch leaves as one packet and arrives as its datagrams; one that does not fit the MTU in fragments. */
static void batch(const char *address, bool no_offloads, uint16_t gso_size, size_t total)
{
	static struct gateway g;
	static uint8_t buffer[65536];
	struct haven_forwarder forwarder = {.user = &g, .udp = on_udp};
	struct world w;
	struct haven_socket *client;
	size_t available, got = 0;
	const uint8_t *data = pattern_at(0, &available);
	struct iovec iov = {(void *)data, total};
	uint64_t before;

	memset(&g, 0, sizeof(g));
	g.w = &w;
	world_init(&w, &(struct world_options){.any_address = true,
					       .forwarder = &forwarder,
					       .no_offloads = no_offloads});
	client = guest(&g, address);
	before = stats_of(&w, LEFT).udp_datagrams_in;
	assert_int_equal(haven_datagram_send(w.stack[RIGHT], &g.destination, &g.source, &iov, 1,
					     gso_size, 0),
			 0);
	while (got < total) {
		size_t expected = total - got < gso_size ? total - got : gso_size;

		wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
		assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), expected);
		assert_memory_equal(buffer, data + got, expected);
		got += expected;
	}
	assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), -EAGAIN);
	/* With offloads the wire carried a batch as one. */
	if (!no_offloads && gso_size <= 1400 && total < 60000)
		assert_int_equal(stats_of(&w, LEFT).udp_datagrams_in - before, 1);
	world_finish(&w);
}

static void test_batch(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		batch("198.51.100.7", plain, 1200, 12000);
		batch("2001:db8::7", plain, 1200, 12001);
		batch("198.51.100.7", plain, 1, 50);
		batch("198.51.100.7", plain, 1000, 1000);
		batch("198.51.100.7", plain, 1000, 999);
		batch("198.51.100.7", plain, 1400, 130000);
		batch("198.51.100.7", plain, 4000, 16001);
	}
}

/* What the host says goes on to the guest's socket as ICMP. */
static void told(const char *address, enum haven_icmp_kind kind, int expected)
{
	static struct gateway g;
	struct world w;
	struct haven_socket *client;
	struct haven_icmp_error error = {.kind = kind, .protocol = IPPROTO_UDP};

	gateway_init(&w, &g);
	client = guest(&g, address);
	error.source = g.source;
	error.destination = g.destination;
	error.payload_size = g.size;
	if (kind == HAVEN_ICMP_PORT_UNREACHABLE)
		error.offender = g.destination;
	assert_int_equal(haven_icmp_error_send(w.stack[RIGHT], &error), 0);
	if (expected) {
		wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
		assert_int_equal(socket_error(client), expected);
	} else {
		world_pass(&w, SECOND);
		assert_int_equal(socket_error(client), 0);
	}
	error.protocol = IPPROTO_SCTP;
	assert_int_equal(haven_icmp_error_send(w.stack[RIGHT], &error), -EINVAL);
	error.protocol = IPPROTO_UDP;
	error.destination = endpoint_text(strchr(address, ':') ? "1.2.3.4" : "::1", 1);
	assert_int_equal(haven_icmp_error_send(w.stack[RIGHT], &error), -EINVAL);
	world_finish(&w);
}

static void test_icmp_errors(void **state)
{
	(void)state;
	told("198.51.100.7", HAVEN_ICMP_PORT_UNREACHABLE, ECONNREFUSED);
	told("2001:db8::7", HAVEN_ICMP_PORT_UNREACHABLE, ECONNREFUSED);
	/* What may pass by itself is not told to sockets. */
	told("198.51.100.7", HAVEN_ICMP_HOST_UNREACHABLE, 0);
	told("2001:db8::7", HAVEN_ICMP_NET_UNREACHABLE, 0);
	told("2001:db8::7", HAVEN_ICMP_TIME_EXCEEDED, 0);
	told("198.51.100.7", HAVEN_ICMP_PROHIBITED, EACCES);
	told("2001:db8::7", HAVEN_ICMP_PROHIBITED, EACCES);
}

/* Echo requests reach the forwarder, and its replies the guest: seen as raw IP packets. */
struct wire {
	struct haven_stack *stack;
	uint8_t sent[2048];
	size_t sent_size;
	int packets, echoes;
};

static int wire_send(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct wire *wire = user;

	(void)offload;
	wire->sent_size = 0;
	for (int i = 0; i < count; i++) {
		memcpy(wire->sent + wire->sent_size, iov[i].iov_base, iov[i].iov_len);
		wire->sent_size += iov[i].iov_len;
	}
	wire->packets++;
	return 0;
}

static void on_echo(void *user, const struct haven_echo *echo)
{
	struct wire *wire = user;

	assert_int_equal(echo->identifier, 0x1234);
	assert_int_equal(echo->sequence, 0x0102);
	assert_int_equal(echo->size, 4);
	assert_memory_equal(echo->data, "ping", 4);
	wire->echoes++;
	assert_int_equal(haven_echo_reply(wire->stack, echo), 0);
}

static void test_echo(void **state)
{
	/* From 10.0.0.1 to 198.51.100.7, ICMP echo request, "ping". Checksums by hand. */
	static const uint8_t request[] = {0x45, 0,    0,    32,	  0, 0,	  0,   0,   64,	 1,  0,
					  0,	10,   0,    0,	  1, 198, 51,  100, 7,	 8,  0,
					  0x04, 0xed, 0x12, 0x34, 1, 2,	  'p', 'i', 'n', 'g'};
	static const struct haven_link_ops ops = {.send = wire_send};
	struct wire wire = {0};
	struct haven_forwarder forwarder = {.user = &wire, .echo = on_echo};
	struct sockaddr_storage ours = address_of(false, 2, 0);
	struct haven_stack_config config;
	struct haven_link *link;
	struct test_env env;
	uint8_t packet[sizeof(request)];
	uint32_t sum = 0;
	unsigned ifindex;

	(void)state;
	test_env_init(&env, 1);
	haven_stack_config_init(&config);
	config.env = test_env_haven(&env);
	config.accept_any_address = true;
	assert_int_equal(haven_stack_create(&config, &wire.stack), 0);
	assert_int_equal(haven_link_custom(wire.stack, &ops, &wire, false, NULL, &link), 0);
	assert_int_equal(haven_stack_attach(wire.stack, link, &ifindex), 0);
	assert_int_equal(haven_address_add(wire.stack, ifindex, (struct sockaddr *)&ours, 24),
			 0);
	haven_stack_set_forwarder(wire.stack, &forwarder);
	memcpy(packet, request, sizeof(packet));
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
	sum = ~(sum % 65535) & 0xffff;
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	sum = 0;
	packet[22] = packet[23] = 0;
	for (int i = 20; i < 32; i += 2)
		sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
	sum = ~(sum % 65535) & 0xffff;
	packet[22] = (uint8_t)(sum >> 8);
	packet[23] = (uint8_t)sum;
	assert_int_equal(haven_link_custom_input(link, packet, sizeof(packet), NULL), 0);
	assert_int_equal(haven_input(wire.stack, ifindex, 8, SECOND), 1);
	haven_poll(wire.stack, SECOND);
	assert_int_equal(wire.echoes, 1);
	assert_int_equal(wire.packets, 1);
	assert_int_equal(wire.sent_size, 32);
	assert_int_equal(wire.sent[20], 0);
	assert_memory_equal(wire.sent + 12, request + 16, 4);
	assert_memory_equal(wire.sent + 16, request + 12, 4);
	assert_memory_equal(wire.sent + 24, request + 24, 8);
	haven_stack_destroy(wire.stack);
	test_env_finish(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_icmp_errors),
		cmocka_unit_test(test_echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
