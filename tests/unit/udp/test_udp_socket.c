/* Endpoints: the receive queue and its limit, batches taken one by one, connecting and back. */
#include "udp_fixture.h"

static void test_queue(void **state)
{
	struct hv_udp_socket socket;
	const uint8_t *data;
	uint32_t size = 77;

	(void)state;
	bound(&socket, false, 7);
	assert_null(hv_udp_front(&socket, &size));
	hv_udp_pop(&f.udp, &socket);
	hv_udp_input(&f.udp, datagram(false, 1, 7, "first", 5));
	hv_udp_input(&f.udp, datagram(false, 1, 7, NULL, 0));
	hv_udp_input(&f.udp, datagram(false, 1, 7, "third", 5));
	assert_int_equal(f.events, 3);
	data = hv_udp_front(&socket, &size);
	assert_int_equal(size, 5);
	assert_memory_equal(data, "first", 5);
	hv_udp_pop(&f.udp, &socket);
	assert_non_null(hv_udp_front(&socket, &size));
	assert_int_equal(size, 0);
	hv_udp_pop(&f.udp, &socket);
	assert_memory_equal(hv_udp_front(&socket, &size), "third", 5);
	hv_udp_pop(&f.udp, &socket);
	assert_null(hv_udp_front(&socket, &size));
	assert_int_equal(socket.receive_bytes, 0);
	/* What is queued goes with the socket. */
	hv_udp_input(&f.udp, datagram(false, 1, 7, "last", 4));
	hv_udp_close(&f.udp, &socket);
	assert_int_equal(socket.receive_bytes, 0);
}

static void test_limit(void **state)
{
	static const uint8_t data[1400];
	struct hv_udp_socket socket;

	(void)state;
	bound(&socket, true, 7);
	socket.receive_limit = 3 * (sizeof(data) + sizeof(struct hv_udp_queued));
	for (int i = 0; i < 5; i++)
		hv_udp_input(&f.udp, datagram(true, 1, 7, data, sizeof(data)));
	assert_int_equal(f.events, 3);
	assert_int_equal(socket.receive_bytes, socket.receive_limit);
	assert_int_equal(f.core.drops[HV_DROP_UDP_BUFFER], 2);
	hv_udp_pop(&f.udp, &socket);
	hv_udp_input(&f.udp, datagram(true, 1, 7, data, sizeof(data)));
	assert_int_equal(f.core.drops[HV_DROP_UDP_BUFFER], 2);
	/* One always fits. */
	hv_udp_close(&f.udp, &socket);
	bound(&socket, true, 7);
	socket.receive_limit = 10;
	hv_udp_input(&f.udp, datagram(true, 1, 7, data, sizeof(data)));
	hv_udp_input(&f.udp, datagram(true, 1, 7, data, sizeof(data)));
	assert_int_equal(f.core.drops[HV_DROP_UDP_BUFFER], 3);
	/* No memory is a drop like others. */
	hv_udp_pop(&f.udp, &socket);
	test_env_fail(&f.env, 2); /* the first is the packet's own */
	hv_packet_pool_clear(&f.core);
	hv_udp_input(&f.udp, datagram(true, 1, 7, data, sizeof(data)));
	assert_int_equal(f.core.drops[HV_DROP_NO_MEMORY], 1);
	hv_udp_close(&f.udp, &socket);
}

/* A batch is one entry of the queue and many datagrams for the reader. */
static void test_batch(void **state)
{
	static const uint32_t expected[] = {600, 600, 300};
	uint8_t data[1500];
	struct hv_udp_socket socket;
	struct hv_packet *packet;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	bound(&socket, false, 7);
	packet = datagram(false, 1, 7, data, sizeof(data));
	packet->gso_type = HV_GSO_UDP;
	packet->gso_size = 600;
	hv_udp_input(&f.udp, packet);
	hv_udp_input(&f.udp, datagram(false, 1, 7, "next", 4));
	for (size_t i = 0; i < TEST_COUNT(expected); i++) {
		uint32_t size;
		const uint8_t *front = hv_udp_front(&socket, &size);

		assert_int_equal(size, expected[i]);
		assert_memory_equal(front, data + i * 600, size);
		hv_udp_pop(&f.udp, &socket);
	}
	assert_memory_equal(hv_udp_front(&socket, &(uint32_t){0}), "next", 4);
	hv_udp_close(&f.udp, &socket);
}

static void test_connect(void **state)
{
	struct hv_udp_socket a, b;
	struct hv_addr us = host(false, 1), peer = host(false, 2);

	(void)state;
	bound(&a, false, 7);
	assert_int_equal(hv_udp_connect(&f.udp, &a, &us, &peer, 1000), 0);
	/* Again, elsewhere. */
	assert_int_equal(hv_udp_connect(&f.udp, &a, &us, &peer, 1001), 0);
	hv_udp_input(&f.udp, datagram(false, 1000, 7, "x", 1));
	assert_null(a.first);
	hv_udp_input(&f.udp, datagram(false, 1001, 7, "x", 1));
	assert_non_null(a.first);
	/* One 4-tuple, one socket; the loser is not connected. */
	hv_udp_socket_init(&b, 10000, &b);
	hv_port_unbind(&f.ports, &a.bind);
	a.bind.reuse_addr = b.bind.reuse_addr = true;
	assert_int_equal(hv_udp_bind(&f.udp, &a), 0);
	b.bind.local = us;
	b.bind.port = 7;
	assert_int_equal(hv_udp_bind(&f.udp, &b), 0);
	assert_int_equal(hv_udp_connect(&f.udp, &b, &us, &peer, 1001), -EADDRINUSE);
	assert_false(b.connected);
	hv_udp_disconnect(&f.udp, &a);
	hv_udp_disconnect(&f.udp, &a);
	assert_int_equal(hv_udp_connect(&f.udp, &b, &us, &peer, 1001), 0);
	hv_udp_close(&f.udp, &a);
	hv_udp_close(&f.udp, &b);
	assert_int_equal(f.ports.tuples.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_queue),
		FIXTURE_TEST(test_limit),
		FIXTURE_TEST(test_batch),
		FIXTURE_TEST(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
