/*
 * UDP on a real IP layer, whose one link carries bare IP packets and keeps the last ones sent.
 *
 *	us  10.0.0.1, fd00::1	---	peer  10.0.0.2, fd00::2
 */
#ifndef UDP_FIXTURE_H
#define UDP_FIXTURE_H

#include <netinet/in.h>
#include <string.h>

#include "ip/ip_state.h"
#include "support/test.h"
#include "udp/udp.h"
#include "wire/checksum.h"
#include "wire/udp.h"

enum { FIXTURE_PACKETS = 64 };

struct fixture_packet {
	uint8_t bytes[65536];
	uint32_t size;
	uint16_t gso_size;
	uint8_t gso_type, csum;
	unsigned slices;
};

struct fixture {
	struct test_env env;
	struct hv_core core;
	struct hv_ip ip;
	struct hv_port_table ports;
	struct hv_udp udp;
	struct haven_forwarder forwarder;
	struct haven_link link;
	unsigned sent_count;
	unsigned events; /* on_event calls */
	void *last_owner;
};

extern struct fixture f;
extern struct fixture_packet sent[FIXTURE_PACKETS];

int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* 10.0.0.n or fd00::n. */
struct hv_addr host(bool v6, uint8_t n);
struct haven_endpoint end(bool v6, uint8_t n, uint16_t port);
/* A datagram from the peer's port to ours, as the IP layer hands it up. */
struct hv_packet *datagram(bool v6, uint16_t from, uint16_t to, const void *data,
			   uint32_t size);
/* A bound socket. */
void bound(struct hv_udp_socket *socket, bool v6, uint16_t port);
/* The n-th packet sent: its UDP header. */
const uint8_t *sent_udp(unsigned n);

#endif
