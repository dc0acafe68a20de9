/* Addresses: families, v4-mapped ones, names of sockets in each state, ports chosen, endpoints. */
#include "socket_fixture.h"

static int bind_to(struct haven_socket *socket, const void *address, socklen_t length)
{
	return haven_bind(socket, address, length);
}

static void test_families(void **state)
{
	struct haven_socket *four = make(AF_INET, SOCK_STREAM);
	struct haven_socket *six = make(AF_INET6, SOCK_STREAM);
	struct sockaddr_in a4 = in4(1, 80);
	struct sockaddr_in6 a6 = in6(1, 80), m = mapped(1, 81);
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);

	(void)state;
	assert_int_equal(bind_to(four, &a6, sizeof(a6)), -EAFNOSUPPORT);
	assert_int_equal(bind_to(six, &a4, sizeof(a4)), -EAFNOSUPPORT);
	assert_int_equal(bind_to(four, &a4, sizeof(a4) - 1), -EINVAL);
	assert_int_equal(bind_to(four, NULL, 0), -EINVAL);
	assert_int_equal(bind_to(six, &m, sizeof(m)), 0);
	assert_int_equal(haven_getsockname(six, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(length, sizeof(m));
	assert_memory_equal(&((struct sockaddr_in6 *)&name)->sin6_addr, &m.sin6_addr, 16);
	/* The IPv4 address behind it is taken. */
	a4 = in4(1, 81);
	assert_int_equal(bind_to(four, &a4, sizeof(a4)), -EADDRINUSE);
}

static void test_v6_only(void **state)
{
	struct haven_socket *six = make(AF_INET6, SOCK_STREAM);
	struct haven_socket *udp = make(AF_INET6, SOCK_DGRAM);
	struct sockaddr_in6 m = mapped(2, 80);
	int on = 1;

	(void)state;
	assert_int_equal(haven_setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(haven_setsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind_to(six, &m, sizeof(m)), -EINVAL);
	assert_int_equal(haven_connect(six, (struct sockaddr *)&m, sizeof(m)), -ENETUNREACH);
	assert_int_equal(haven_sendto(udp, "x", 1, 0, (struct sockaddr *)&m, sizeof(m)),
			 -ENETUNREACH);
}

/* An IPv6 socket reaches IPv4 by mapped addresses, and is named so. */
static void test_mapped_connect(void **state)
{
	struct haven_socket *six = make(AF_INET6, SOCK_STREAM);
	struct haven_socket *udp = make(AF_INET6, SOCK_DGRAM);
	struct sockaddr_in6 m = mapped(2, 80), name;
	socklen_t length = sizeof(name);

	(void)state;
	assert_int_equal(haven_connect(six, (struct sockaddr *)&m, sizeof(m)), -EINPROGRESS);
	assert_int_equal(haven_getpeername(six, (struct sockaddr *)&name, &length), 0);
	assert_memory_equal(&name.sin6_addr, &m.sin6_addr, 16);
	assert_int_equal(haven_getsockname(six, (struct sockaddr *)&name, &length), 0);
	assert_true(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
	assert_int_equal(name.sin6_addr.s6_addr[15], 1);
	assert_int_equal(haven_connect(udp, (struct sockaddr *)&m, sizeof(m)), 0);
	assert_int_equal(haven_send(udp, "x", 1, 0), 1);
}

static void test_names(void **state)
{
	struct haven_socket *socket = make(AF_INET, SOCK_STREAM);
	struct sockaddr_in any = in4(0, 0), peer = in4(2, 80), name;
	socklen_t length = sizeof(name);
	uint8_t few[4];

	(void)state;
	assert_int_equal(haven_getsockname(socket, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(name.sin_port, 0);
	assert_int_equal(name.sin_addr.s_addr, 0);
	assert_int_equal(haven_getpeername(socket, (struct sockaddr *)&name, &length),
			 -ENOTCONN);
	/* Port 0 chooses. */
	assert_int_equal(bind_to(socket, &any, sizeof(any)), 0);
	assert_int_equal(haven_getsockname(socket, (struct sockaddr *)&name, &length), 0);
	assert_in_range(ntohs(name.sin_port), 32768, 60999);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&peer, sizeof(peer)),
			 -EINPROGRESS);
	peer = name;
	assert_int_equal(haven_getsockname(socket, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(name.sin_port, peer.sin_port);
	assert_int_equal(ntohl(name.sin_addr.s_addr), 0x0a000001);
	/* Cut to what there is room for; the length is the whole one. */
	length = sizeof(few);
	assert_int_equal(haven_getpeername(socket, (struct sockaddr *)few, &length), 0);
	assert_int_equal(length, sizeof(struct sockaddr_in));
	assert_int_equal(bind_to(socket, &any, sizeof(any)), -EINVAL);
}

/* A source that cannot reach the destination's family, or is not ours. */
static void test_sources(void **state)
{
	struct haven_socket *udp = make(AF_INET6, SOCK_DGRAM);
	struct haven_socket *tcp = make(AF_INET6, SOCK_STREAM);
	struct sockaddr_in6 own = in6(1, 5000), m = mapped(2, 53), far = in6(2, 53);
	struct sockaddr_in6 foreign = in6(9, 5001);
	int on = 1;

	(void)state;
	assert_int_equal(bind_to(udp, &own, sizeof(own)), 0);
	assert_int_equal(haven_sendto(udp, "x", 1, 0, (struct sockaddr *)&m, sizeof(m)),
			 -ENETUNREACH);
	assert_int_equal(haven_sendto(udp, "x", 1, 0, (struct sockaddr *)&far, sizeof(far)), 1);
	assert_int_equal(bind_to(tcp, &foreign, sizeof(foreign)), -EADDRNOTAVAIL);
	assert_int_equal(haven_setsockopt(tcp, SOL_HAVEN, HAVEN_SO_TRANSPARENT, &on,
					  sizeof(on)),
			 0);
	assert_int_equal(bind_to(tcp, &foreign, sizeof(foreign)), 0);
	assert_int_equal(haven_connect(tcp, (struct sockaddr *)&m, sizeof(m)), -EINVAL);
	assert_int_equal(haven_connect(tcp, (struct sockaddr *)&far, sizeof(far)),
			 -EINPROGRESS);
}

static void test_endpoints(void **state)
{
	struct sockaddr_in four = in4(7, 65535);
	struct sockaddr_in6 six = in6(7, 1);
	struct sockaddr_storage back;
	struct haven_endpoint endpoint;
	struct sockaddr other = {.sa_family = AF_UNIX};

	(void)state;
	assert_int_equal(haven_endpoint_from_sockaddr((struct sockaddr *)&four, &endpoint), 0);
	assert_true(haven_endpoint_is_v4(&endpoint));
	assert_int_equal(endpoint.port, 65535);
	assert_int_equal(haven_endpoint_to_sockaddr(&endpoint, &back), sizeof(four));
	assert_memory_equal(&back, &four, sizeof(four));
	assert_int_equal(haven_endpoint_from_sockaddr((struct sockaddr *)&six, &endpoint), 0);
	assert_false(haven_endpoint_is_v4(&endpoint));
	assert_int_equal(haven_endpoint_to_sockaddr(&endpoint, &back), sizeof(six));
	assert_memory_equal(&back, &six, sizeof(six));
	assert_int_equal(haven_endpoint_from_sockaddr(&other, &endpoint), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_families),	   FIXTURE_TEST(test_v6_only),
		FIXTURE_TEST(test_mapped_connect), FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_sources),	   FIXTURE_TEST(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
