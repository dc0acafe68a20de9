/* Multicast: receivers that joined and those that did not, hop limits, copies for the sender's own stack. */
#include <string.h>

#include "support.h"

enum { PORT = 5353 };

static const char *const groups[] = {"239.1.2.3", "ff15::1234"};

/* To join or leave, by the option of the family. */
static int member(struct world *w, struct haven_socket *socket, int side, bool v6, bool join)
{
	struct ip_mreqn four = {.imr_ifindex = (int)w->ifindex[side]};
	struct ipv6_mreq six = {.ipv6mr_interface = w->ifindex[side]};
	struct sockaddr_storage group = address_text(groups[v6], 0);

	four.imr_multiaddr = ((struct sockaddr_in *)&group)->sin_addr;
	six.ipv6mr_multiaddr = ((struct sockaddr_in6 *)&group)->sin6_addr;
	if (v6)
		return haven_setsockopt(socket, IPPROTO_IPV6,
					join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &six,
					sizeof(six));
	return haven_setsockopt(socket, IPPROTO_IP,
				join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &four,
				sizeof(four));
}

static struct haven_socket *receiver(struct world *w, int side, bool v6, const char *local,
				     uint16_t port)
{
	struct haven_socket *socket = datagram_new(w, side, v6);
	struct sockaddr_storage address = address_text(local, port);
	int on = 1;

	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
			 0);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(v6)), 0);
	return socket;
}

static void send_group(struct world *w, struct haven_socket *socket, bool v6, size_t size)
{
	struct sockaddr_storage group = address_text(groups[v6], PORT);
	size_t available;

	assert_int_equal(haven_sendto(socket, pattern_at(0, &available), size, 0,
				      (struct sockaddr *)&group, address_size(v6)),
			 size);
	world_pass(w, SECOND);
}

/* Whether exactly one datagram of this size waits. */
static bool got(struct haven_socket *socket, size_t size)
{
	static uint8_t buffer[65536];
	size_t available;
	ssize_t n = haven_recv(socket, buffer, sizeof(buffer), 0);

	if (n == -EAGAIN)
		return false;
	assert_int_equal(n, size);
	assert_memory_equal(buffer, pattern_at(0, &available), size);
	assert_int_equal(haven_recv(socket, buffer, sizeof(buffer), 0), -EAGAIN);
	return true;
}

static void test_receivers(void **state)
{
	static const size_t sizes[] = {1, 1000, 9000};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *any = v6 ? "::" : "0.0.0.0";
		struct haven_socket *joined, *at_group, *not_joined, *other_port, *sender;
		struct world w;

		world_init(&w, &(struct world_options){.seed = 1});
		joined = receiver(&w, RIGHT, v6, any, PORT);
		at_group = receiver(&w, RIGHT, v6, groups[v6], PORT);
		not_joined = receiver(&w, RIGHT, v6, any, PORT);
		other_port = receiver(&w, RIGHT, v6, any, PORT + 1);
		sender = datagram_new(&w, LEFT, v6);
		send_group(&w, sender, v6, 10);
		assert_false(got(joined, 10));
		assert_int_equal(member(&w, joined, RIGHT, v6, true), 0);
		assert_int_equal(member(&w, joined, RIGHT, v6, true), -EADDRINUSE);
		assert_int_equal(member(&w, at_group, RIGHT, v6, true), 0);
		assert_int_equal(member(&w, other_port, RIGHT, v6, true), 0);
		for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
			send_group(&w, sender, v6, sizes[i]);
			assert_true(got(joined, sizes[i]));
			assert_true(got(at_group, sizes[i]));
			assert_false(got(not_joined, sizes[i]));
			assert_false(got(other_port, sizes[i]));
		}
		assert_int_equal(member(&w, joined, RIGHT, v6, false), 0);
		assert_int_equal(member(&w, joined, RIGHT, v6, false), -EADDRNOTAVAIL);
		send_group(&w, sender, v6, 10);
		assert_false(got(joined, 10));
		assert_true(got(at_group, 10));
		/* The last one to close: the stack hears the group no more. */
		haven_close(at_group);
		haven_close(other_port);
		assert_int_equal(drops_of(&w, RIGHT, "link: for another host"), 1);
		send_group(&w, sender, v6, 10);
		assert_int_equal(drops_of(&w, RIGHT, "link: for another host"), 2);
		world_finish(&w);
	}
}

/* Members in the sender's stack hear it too, unless it does not want that. */
static void test_loop(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, value = 0;
		int loop = v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP;
		int hops = v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL;
		struct haven_socket *near, *far;
		socklen_t length = sizeof(value);
		struct world w;

		world_init(&w, &(struct world_options){.seed = 1});
		near = receiver(&w, LEFT, v6, v6 ? "::" : "0.0.0.0", PORT);
		far = receiver(&w, RIGHT, v6, v6 ? "::" : "0.0.0.0", PORT);
		assert_int_equal(member(&w, near, LEFT, v6, true), 0);
		assert_int_equal(member(&w, far, RIGHT, v6, true), 0);
		send_group(&w, near, v6, 4000);
		assert_true(got(near, 4000));
		assert_true(got(far, 4000));
		assert_int_equal(haven_setsockopt(near, level, loop, &value, length), 0);
		send_group(&w, near, v6, 10);
		assert_false(got(near, 10));
		assert_true(got(far, 10));
		assert_int_equal(haven_getsockopt(near, level, hops, &value, &length), 0);
		assert_int_equal(value, 1);
		value = 256;
		assert_int_equal(haven_setsockopt(near, level, hops, &value, length), -EINVAL);
		value = 5;
		assert_int_equal(haven_setsockopt(near, level, hops, &value, length), 0);
		value = 0;
		assert_int_equal(haven_getsockopt(near, level, hops, &value, &length), 0);
		assert_int_equal(value, 5);
		world_finish(&w);
	}
}

/* What cannot be joined, and by what a link is named. */
static void test_requests(void **state)
{
	struct haven_socket *four, *stream;
	struct ip_mreq request = {.imr_interface.s_addr = 0};
	struct world w;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	four = datagram_new(&w, LEFT, false);
	stream = stream_new(&w, LEFT, false);
	request.imr_multiaddr.s_addr = htonl(0x0a000002);
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
					  sizeof(request)),
			 -EINVAL);
	request.imr_multiaddr.s_addr = htonl(0xef010203);
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4),
			 -EINVAL);
	assert_int_equal(haven_setsockopt(stream, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
					  sizeof(request)),
			 -ENOPROTOOPT);
	request.imr_interface.s_addr = htonl(0x0a000009);
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
					  sizeof(request)),
			 -ENODEV);
	request.imr_interface.s_addr = htonl(0x0a000001);
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
					  sizeof(request)),
			 0);
	request.imr_interface.s_addr = 0;
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
					  sizeof(request)),
			 -EADDRINUSE);
	assert_int_equal(haven_setsockopt(four, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request,
					  sizeof(request)),
			 0);
	assert_int_equal(member(&w, four, LEFT, true, true), -ENOPROTOOPT);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receivers),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
