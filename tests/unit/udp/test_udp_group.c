/* Multicast receivers: who gets a copy, and what a full queue loses. */
#include "udp_fixture.h"

static struct hv_addr group_of(bool v6, uint8_t n)
{
	return v6 ? hv_addr_v6((const uint8_t[16]){0xff, 0x15, [15] = n})
		  : hv_addr_v4((const uint8_t[4]){239, 0, 0, n});
}

/* The checksum was right for the fixture's address; the link has seen to it. */
static void receive(bool v6, uint8_t n, uint16_t port)
{
	struct hv_packet *packet = datagram(v6, 1000, port, "group", 5);

	packet->d.dst = group_of(v6, n);
	packet->d.ifindex = 1;
	packet->d.link_broadcast = true;
	packet->csum = HV_CSUM_VALID;
	hv_udp_input(&f.udp, packet);
}

static void receiver(struct hv_udp_socket *socket, const struct hv_addr *local, uint16_t port,
		     bool dual)
{
	hv_udp_socket_init(socket, 10000, socket);
	socket->bind.local = *local;
	socket->bind.port = port;
	socket->bind.reuse_addr = true;
	socket->bind.v6 = socket->bind.dual = dual;
	assert_int_equal(hv_udp_bind(&f.udp, socket), 0);
}

static unsigned taken(struct hv_udp_socket *socket)
{
	unsigned count = 0;
	uint32_t size;

	while (hv_udp_front(socket, &size)) {
		assert_int_equal(size, 5);
		hv_udp_pop(&f.udp, socket);
		count++;
	}
	return count;
}

static void test_receivers(void **state)
{
	static const uint8_t zeros[16];
	enum { ANY, AT_GROUP, NOT_JOINED, OTHER_PORT, AT_HOST, COUNT };
	static const unsigned expected[COUNT] = {[ANY] = 1, [AT_GROUP] = 1};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct hv_addr any = v6 ? hv_addr_v6(zeros) : hv_addr_v4(zeros);
		struct hv_addr group = group_of(v6, 1), us = host(v6, 1);
		struct hv_udp_socket s[COUNT];

		receiver(&s[ANY], &any, 7, false);
		receiver(&s[AT_GROUP], &group, 7, false);
		receiver(&s[NOT_JOINED], &any, 7, false);
		receiver(&s[OTHER_PORT], &any, 8, false);
		receiver(&s[AT_HOST], &us, 7, false);
		for (int i = 0; i < COUNT; i++)
			if (i != NOT_JOINED)
				assert_int_equal(hv_udp_join(&f.udp, &s[i], 1, &group), 0);
		assert_int_equal(hv_udp_join(&f.udp, &s[ANY], 1, &group), -EADDRINUSE);
		receive(v6, 1, 7);
		for (int i = 0; i < COUNT; i++)
			assert_int_equal(taken(&s[i]), expected[i]);
		/* Nobody's port, and then nobody's group. */
		receive(v6, 1, 9);
		assert_int_equal(f.core.drops[HV_DROP_UDP_NO_SOCKET], v6 + 1);
		assert_int_equal(hv_udp_leave(&f.udp, &s[ANY], 0, &group), 0);
		assert_int_equal(hv_udp_leave(&f.udp, &s[ANY], 0, &group), -EADDRNOTAVAIL);
		receive(v6, 1, 7);
		assert_int_equal(taken(&s[ANY]), 0);
		assert_int_equal(taken(&s[AT_GROUP]), 1);
		for (int i = 0; i < COUNT; i++)
			hv_udp_close(&f.udp, &s[i]);
		assert_int_equal(f.ip.group_count, 0);
		assert_true(hv_list_is_empty(&f.udp.memberships));
	}
}

/* A dual-stack socket hears groups of both families. */
static void test_dual_stack(void **state)
{
	static const struct hv_addr any;
	struct hv_udp_socket socket;

	(void)state;
	receiver(&socket, &any, 7, true);
	for (int v6 = 0; v6 < 2; v6++) {
		struct hv_addr group = group_of(v6, 1);

		assert_int_equal(hv_udp_join(&f.udp, &socket, 1, &group), 0);
		receive(v6, 1, 7);
		assert_int_equal(taken(&socket), 1);
	}
	hv_udp_close(&f.udp, &socket);
}

/* A full queue loses its own copy. */
static void test_full_queue(void **state)
{
	struct hv_addr any = hv_addr_v4((const uint8_t[4]){0}), group = group_of(false, 1);
	struct hv_udp_socket slow, quick;

	(void)state;
	receiver(&slow, &any, 7, false);
	receiver(&quick, &any, 7, false);
	slow.receive_limit = 1;
	assert_int_equal(hv_udp_join(&f.udp, &slow, 1, &group), 0);
	assert_int_equal(hv_udp_join(&f.udp, &quick, 1, &group), 0);
	for (int i = 0; i < 3; i++)
		receive(false, 1, 7);
	assert_int_equal(taken(&slow), 1);
	assert_int_equal(taken(&quick), 3);
	assert_int_equal(f.core.drops[HV_DROP_UDP_BUFFER], 2);
	hv_udp_close(&f.udp, &slow);
	hv_udp_close(&f.udp, &quick);
}

static void test_limit(void **state)
{
	struct hv_udp_socket socket;
	struct hv_addr group;

	(void)state;
	bound(&socket, false, 7);
	for (int i = 0; i < HV_UDP_MAX_MEMBERSHIPS; i++) {
		group = group_of(false, (uint8_t)i);
		assert_int_equal(hv_udp_join(&f.udp, &socket, 1, &group), 0);
	}
	group = group_of(false, 200);
	assert_int_equal(hv_udp_join(&f.udp, &socket, 1, &group), -ENOBUFS);
	hv_udp_leave_all(&f.udp, &socket);
	assert_int_equal(hv_udp_join(&f.udp, &socket, 2, &group), -ENODEV);
	assert_int_equal(f.ip.group_count, 0);
	hv_udp_close(&f.udp, &socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_receivers),
		FIXTURE_TEST(test_dual_stack),
		FIXTURE_TEST(test_full_queue),
		FIXTURE_TEST(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
