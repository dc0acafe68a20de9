/* See socket_fixture.h. */
#include "socket_fixture.h"

struct fixture f;

static int swallow(struct haven_link *link, struct hv_packet *packet)
{
	hv_packet_free(link->core, packet);
	return 0;
}

static void destroy(struct haven_link *link)
{
	link->ifindex = 0;
}

static const struct hv_link_ops nowhere = {.name = "nowhere",
					   .output = swallow,
					   .destroy = destroy};

static void rooms_init(struct hv_core *core)
{
	static const struct hv_ip_config ip_config = {.hop_limit = 61,
						      .max_neighbours = 16,
						      .max_reassembly_bytes = 1 << 20,
						      .max_links = 1};
	static const struct hv_port_config port_config = {.ephemeral_first = 32768,
							  .ephemeral_last = 60999};
	static const struct hv_tcp_config tcp_config = {.max_connections = 100,
							.max_time_wait = 10,
							.max_requests = 10,
							.send_buffer_bytes = 1 << 20,
							.receive_buffer_bytes = 1 << 20,
							.time_wait_ns = 60000000000};

	hv_ip_init(&f.ip, core, &ip_config);
	assert_int_equal(hv_port_table_init(&f.ports, core, &port_config), 0);
	hv_udp_init(&f.udp, core, &f.ip, &f.ports);
	assert_int_equal(hv_tcp_init(&f.tcp, core, &f.ip, &f.ports, &tcp_config), 0);
}

int fixture_setup(void **state)
{
	struct hv_core *core = &f.head.core;
	struct haven_env env;
	struct hv_addr four = hv_addr_v4((const uint8_t[4]){10, 0, 0, 1});
	struct hv_addr six = hv_addr_v6((const uint8_t[16]){0xfd, [15] = 1});

	(void)state;
	memset(&f, 0, sizeof(f));
	test_env_init(&f.env, 1);
	env = test_env_haven(&f.env);
	assert_int_equal(hv_core_init(core, &env), 0);
	rooms_init(core);
	f.head.sockets = (struct hv_sockets){
		.core = core,
		.ip = &f.ip,
		.ports = &f.ports,
		.udp = &f.udp,
		.tcp = &f.tcp,
		.hop_limit = 61,
	};
	hv_sockets_init(&f.head.sockets, (struct haven_stack *)&f, 10);
	f.link.ops = &nowhere;
	f.link.core = core;
	f.link.fd = -1;
	f.link.mtu = 1500;
	assert_int_equal(hv_ip_attach(&f.ip, &f.link, NULL), 0);
	assert_int_equal(hv_ip_address_add(&f.ip, 1, &four, 24), 0);
	assert_int_equal(hv_ip_address_add(&f.ip, 1, &six, 64), 0);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	hv_tcp_finish(&f.tcp);
	hv_sockets_finish(&f.head.sockets);
	hv_ip_finish(&f.ip);
	hv_port_table_finish(&f.ports);
	hv_core_finish(&f.head.core);
	assert_int_equal(f.head.core.memory_bytes, 0);
	test_env_finish(&f.env);
	return 0;
}

struct haven_socket *make(int domain, int type)
{
	struct haven_socket *socket;

	assert_int_equal(haven_socket((struct haven_stack *)&f, domain, type, 0, &socket), 0);
	return socket;
}

struct sockaddr_in in4(uint8_t n, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = n ? htonl(0x0a000000u + n) : 0,
	};
}

struct sockaddr_in6 in6(uint8_t n, uint16_t port)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (n) {
		in.sin6_addr.s6_addr[0] = 0xfd;
		in.sin6_addr.s6_addr[15] = n;
	}
	return in;
}

struct sockaddr_in6 mapped(uint8_t n, uint16_t port)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = in4(n, port);

	in.sin6_addr.s6_addr[10] = in.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in.sin6_addr.s6_addr + 12, &four.sin_addr, 4);
	return in;
}
