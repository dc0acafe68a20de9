/* Options: what may be set where, what is remembered until there is a connection, what is read only. */
#include "socket_fixture.h"

#include <netinet/tcp.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

static int set(struct haven_socket *socket, int level, int option, int value)
{
	return haven_setsockopt(socket, level, option, &value, sizeof(value));
}

static int get(struct haven_socket *socket, int level, int option)
{
	int value = -7777;
	socklen_t length = sizeof(value);
	int error = haven_getsockopt(socket, level, option, &value, &length);

	if (!error)
		assert_int_equal(length, sizeof(value));
	return error ? error : value;
}

/* Option, a value to set, one that is refused (0: none), what it is before. */
static const struct {
	int level, option, value, bad, initial, shown;
} stream_options[] = {
	{SOL_SOCKET, SO_KEEPALIVE, 1, 0, 0},
	{SOL_SOCKET, SO_REUSEADDR, 1, 0, 0},
	{SOL_SOCKET, SO_KEEPALIVE, 2, 0, 0, 1},
	{SOL_SOCKET, SO_OOBINLINE, 1, 0, 1},
	/* Twice what was asked for, as Linux shows it. */
	{SOL_SOCKET, SO_RCVBUF, 65536, -1, 2 << 20, 131072},
	{SOL_SOCKET, SO_SNDBUF, 65536, -1, 2 << 20, 131072},
	{SOL_SOCKET, SO_RCVBUF, 0, -1, 2 << 20, 2304},
	{SOL_SOCKET, SO_SNDBUF, 0, -1, 2 << 20, 4608},
	{SOL_SOCKET, SO_RCVLOWAT, 1000, 0, 1},
	{IPPROTO_TCP, TCP_NODELAY, 7, 0, 0, 1},
	{IPPROTO_TCP, TCP_SYNCNT, 3, 128, HV_TCP_RETRIES_SYN},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, 4, 0, 0, 7},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, 1000, 0, 0, 31},
	{IPPROTO_TCP, TCP_LINGER2, 500, 0, 60, 120},
	{IPPROTO_TCP, TCP_LINGER2, -7, 0, 60, -1},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, 100, 0, 0, 1152},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000, 0, 0},
	{IPPROTO_TCP, TCP_QUICKACK, 2, 0, 1, -2},
	{IPPROTO_TCP, TCP_NODELAY, 1, 0, 0},
	{IPPROTO_TCP, TCP_CORK, 1, 0, 0},
	{IPPROTO_TCP, TCP_MAXSEG, 500, 40000, 536},
	{IPPROTO_TCP, TCP_KEEPIDLE, 10, 32768, 7200},
	{IPPROTO_TCP, TCP_KEEPINTVL, 10, -1, 75},
	{IPPROTO_TCP, TCP_KEEPCNT, 3, 128, 9},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, -1, 0},
	{IPPROTO_IP, IP_TTL, 9, 256, 61},
	{IPPROTO_IP, IP_TOS, 0x10, 256, 0},
	{IPPROTO_IP, IP_TOS, 0x13, 256, 0, 0x10}, /* ECN is the protocol's */
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, 256, 61},
	{IPPROTO_IPV6, IPV6_TCLASS, 0x10, 256, 0},
	{IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 0},
	{SOL_HAVEN, HAVEN_SO_TRANSPARENT, 1, 0, 0},
};

static void check_all(bool connected)
{
	for (size_t i = 0; i < TEST_COUNT(stream_options); i++) {
		int level = stream_options[i].level, option = stream_options[i].option;
		int shown = stream_options[i].shown ? stream_options[i].shown
						    : stream_options[i].value;
		struct haven_socket *socket = make(AF_INET6, SOCK_STREAM);
		struct sockaddr_in6 peer = in6(2, 80);

		/* Each socket begins as the table says, whatever others were told. */
		assert_int_equal(get(socket, level, option), stream_options[i].initial);
		assert_int_equal(set(socket, level, option, stream_options[i].value), 0);
		if (connected) {
			assert_int_equal(haven_connect(socket, (struct sockaddr *)&peer,
						       sizeof(peer)),
					 -EINPROGRESS);
		}
		if (shown == -2)
			shown = 0;
		if (get(socket, level, option) != shown)
			fail_msg("option %d of level %d is %d", option, level,
				 get(socket, level, option));
		if (stream_options[i].bad) {
			assert_int_equal(set(socket, level, option, stream_options[i].bad),
					 -EINVAL);
			assert_int_equal(get(socket, level, option), shown);
		}
		haven_close(socket);
	}
}

static void test_before_connection(void **state)
{
	(void)state;
	check_all(false);
}

static void test_given_to_connection(void **state)
{
	(void)state;
	check_all(true);
}

static void test_linger(void **state)
{
	struct haven_socket *socket = make(AF_INET, SOCK_STREAM);
	struct linger linger = {1, 5};
	socklen_t length = sizeof(linger);

	(void)state;
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
	assert_int_equal(linger.l_onoff, 0);
	linger = (struct linger){1, 5};
	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger,
					  sizeof(linger)),
			 0);
	memset(&linger, 0, sizeof(linger));
	length = sizeof(linger);
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
	assert_int_equal(length, sizeof(linger));
	assert_int_equal(linger.l_onoff, 1);
	assert_int_equal(linger.l_linger, 5);
	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, 4), -EINVAL);
}

static void test_read_only(void **state)
{
	struct haven_socket *socket = make(AF_INET6, SOCK_STREAM);
	struct sockaddr_in6 any = in6(0, 8080);

	(void)state;
	assert_int_equal(get(socket, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(get(socket, SOL_SOCKET, SO_DOMAIN), AF_INET6);
	assert_int_equal(get(socket, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_int_equal(get(socket, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(get(socket, SOL_HAVEN, HAVEN_SO_SOFT_ERROR), 0);
	assert_int_equal(get(socket, SOL_SOCKET, SO_ACCEPTCONN), 0);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(haven_listen(socket, 1), 0);
	assert_int_equal(haven_listen(socket, 5), 0);
	assert_int_equal(get(socket, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(set(socket, SOL_SOCKET, SO_TYPE, 1), -ENOPROTOOPT);
	assert_int_equal(set(socket, SOL_SOCKET, SO_ERROR, 1), -ENOPROTOOPT);
	assert_int_equal(set(socket, SOL_SOCKET, SO_OOBINLINE, 0), -EINVAL);
	assert_int_equal(set(socket, SOL_HAVEN, HAVEN_SO_SOFT_ERROR, 1), -ENOPROTOOPT);
	assert_int_equal(set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1), -EINVAL);
}

/* What is larger than an int: cut to the caller's buffer. */
static void test_info(void **state)
{
	struct haven_socket *socket = make(AF_INET6, SOCK_STREAM);
	struct haven_socket *datagram = make(AF_INET6, SOCK_DGRAM);
	struct sockaddr_in6 any = in6(0, 8080), peer = in6(2, 80);
	struct tcp_info info;
	uint32_t memory[20];
	socklen_t length = sizeof(info);

	(void)state;
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(length, sizeof(info)); /* that of the C library is an old one */
	assert_int_equal(info.tcpi_state, TCP_CLOSE);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(haven_listen(socket, 3), 0);
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_state, TCP_LISTEN);
	assert_int_equal(info.tcpi_sacked, 3);
	length = 1;
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(length, 1);
	length = sizeof(info);
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_CC_INFO, &info, &length), 0);
	assert_int_equal(length, 0);
	length = sizeof(memory);
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length), 0);
	assert_int_equal(length, 36);
	assert_int_equal(memory[1], 1 << 20);
	assert_int_equal(haven_setsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)),
			 -ENOPROTOOPT);
	socket = make(AF_INET6, SOCK_STREAM);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&peer, sizeof(peer)),
			 -EINPROGRESS);
	length = sizeof(info);
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_state, TCP_SYN_SENT);
	length = sizeof(memory);
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory, &length), 0);
	assert_int_equal(memory[0], 0);
	assert_int_equal(haven_getsockopt(datagram, SOL_SOCKET, SO_MEMINFO, memory, &length),
			 0);
	assert_true(memory[1] > 2000);
	length = sizeof(info);
	assert_int_equal(haven_getsockopt(datagram, IPPROTO_TCP, TCP_INFO, &info, &length),
			 -ENOPROTOOPT);
}

static void test_datagram(void **state)
{
	struct haven_socket *socket = make(AF_INET, SOCK_DGRAM);

	(void)state;
	assert_int_equal(get(socket, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(get(socket, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	assert_int_equal(set(socket, SOL_SOCKET, SO_RCVBUF, 50000), 0);
	assert_int_equal(get(socket, SOL_SOCKET, SO_RCVBUF), 100000); /* as Linux shows it */
	assert_int_equal(set(socket, SOL_SOCKET, SO_RCVBUF, 0), 0);
	assert_true(get(socket, SOL_SOCKET, SO_RCVBUF) > 2000);
	assert_int_equal(get(socket, IPPROTO_IP, IP_TTL), 61);
	assert_int_equal(set(socket, IPPROTO_IP, IP_TTL, 3), 0);
	assert_int_equal(get(socket, IPPROTO_IP, IP_TTL), 3);
	assert_int_equal(set(socket, IPPROTO_IP, IP_TTL, -1), 0);
	assert_int_equal(get(socket, IPPROTO_IP, IP_TTL), 61);
	assert_int_equal(set(socket, IPPROTO_TCP, TCP_NODELAY, 1), -ENOPROTOOPT);
	assert_int_equal(get(socket, IPPROTO_TCP, TCP_NODELAY), -ENOPROTOOPT);
	assert_int_equal(set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1), -ENOPROTOOPT);
}

static void test_unknown(void **state)
{
	struct haven_socket *socket = make(AF_INET, SOCK_STREAM);
	char byte = 1;
	socklen_t length = 1;

	(void)state;
	assert_int_equal(set(socket, SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
	assert_int_equal(get(socket, SOL_SOCKET, 9999), -ENOPROTOOPT);
	assert_int_equal(set(socket, 9999, 1, 1), -ENOPROTOOPT);
	assert_int_equal(set(socket, SOL_HAVEN, 9999, 1), -ENOPROTOOPT);
	assert_int_equal(get(socket, SOL_HAVEN, 9999), -ENOPROTOOPT);
	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &byte, 1), -EINVAL);
	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, NULL, 4), -EINVAL);
	/* A short buffer gets what fits. */
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_TYPE, &byte, &length), 0);
	assert_int_equal(length, 1);
	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_TYPE, &byte, NULL), -EINVAL);
}

static int set_control(struct haven_socket *socket, const char *name, socklen_t length)
{
	return haven_setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name, length);
}

static void check_control(struct haven_socket *socket, const char *name)
{
	char got[32];
	socklen_t length = sizeof(got);

	memset(got, 'x', sizeof(got));
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, got, &length),
			 0);
	assert_int_equal(length, 16); /* Linux's TCP_CA_NAME_MAX */
	assert_string_equal(got, name);
	length = 3;
	memset(got, 'x', sizeof(got));
	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, got, &length),
			 0);
	assert_int_equal(length, 3);
	assert_memory_equal(got, name, 3);
	assert_int_equal(got[3], 'x');
}

static void test_congestion(void **state)
{
	struct haven_socket *socket = make(AF_INET6, SOCK_STREAM);
	struct haven_socket *datagram = make(AF_INET6, SOCK_DGRAM);
	struct sockaddr_in6 peer = in6(2, 80);

	(void)state;
	check_control(socket, "cubic");
	assert_int_equal(set_control(socket, "reno", 4), 0); /* without its end */
	check_control(socket, "reno");
	assert_int_equal(set_control(socket, "none", 5), 0);
	check_control(socket, "none");
	assert_int_equal(set_control(socket, "bbr", 3), -ENOENT);
	assert_int_equal(set_control(socket, "a name that is far too long", 27), -ENOENT);
	assert_int_equal(set_control(socket, "cubic", 0), -EINVAL);
	assert_int_equal(set_control(socket, NULL, 5), -EINVAL);
	check_control(socket, "none");
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&peer, sizeof(peer)),
			 -EINPROGRESS);
	check_control(socket, "none");
	assert_int_equal(set_control(socket, "newreno", 8), 0);
	check_control(socket, "reno");
	assert_int_equal(set_control(socket, "bbr", 3), -ENOENT);
	check_control(socket, "reno");
	assert_int_equal(set_control(datagram, "cubic", 5), -ENOPROTOOPT);
	haven_close(socket);
	haven_close(datagram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_before_connection),
		FIXTURE_TEST(test_given_to_connection),
		FIXTURE_TEST(test_linger),
		FIXTURE_TEST(test_congestion),
		FIXTURE_TEST(test_read_only),
		FIXTURE_TEST(test_info),
		FIXTURE_TEST(test_datagram),
		FIXTURE_TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
