/* The rooms below sockets, wired as the stack wires them, with one address on no link at all. */
#ifndef SOCKET_FIXTURE_H
#define SOCKET_FIXTURE_H

#include <netinet/in.h>
#include <string.h>

#include "ip/ip_state.h"
#include "socket/socket_state.h"
#include "support/test.h"

struct fixture {
	struct hv_stack_head
		head; /* first: the public calls find it by a struct haven_stack * */
	struct test_env env;
	struct hv_ip ip;
	struct hv_port_table ports;
	struct hv_udp udp;
	struct hv_tcp tcp;
	struct haven_link link;
};

extern struct fixture f;

int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

struct haven_socket *make(int domain, int type);
/* 10.0.0.n, fd00::n; n 0: any. */
struct sockaddr_in in4(uint8_t n, uint16_t port);
struct sockaddr_in6 in6(uint8_t n, uint16_t port);
/* ::ffff:10.0.0.n */
struct sockaddr_in6 mapped(uint8_t n, uint16_t port);

#endif
