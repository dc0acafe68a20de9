/*
 * What the tests of the IP layer share: one layer on one Ethernet link that records the frames sent,
 * transports that record what they get, a clock that the test turns, and builders of frames.
 *
 *	us   10.0.2.2/24, fd00::2/64, 02:00:00:00:00:01   ---   peer  10.0.2.100, fd00::100, 02:...:64
 */
#ifndef IP_FIXTURE_H
#define IP_FIXTURE_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include "ip/ip_state.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { FIXTURE_FRAMES = 256, FIXTURE_FRAME_MAX = 65535 + 64 };
#define SECOND UINT64_C(1000000000)

struct fixture_frame {
	uint8_t *bytes;
	uint32_t size;
	uint8_t csum, gso_type;
	uint16_t gso_size;
};

struct fixture {
	struct test_env env;
	struct hv_core core;
	struct hv_ip ip;
	struct haven_link link;
	struct fixture_frame frames[FIXTURE_FRAMES];
	unsigned frame_count; /* sent since fixture_forget() */

	unsigned input_count; /* packets that transports got */
	struct hv_desc last;  /* descriptor of the last one; its pointers are gone */
	uint8_t last_payload[FIXTURE_FRAME_MAX];

	unsigned report_count;
	struct hv_icmp_report report;
	uint8_t report_transport[64];

	unsigned echo_count;
	struct hv_desc echo;
	uint8_t frame[FIXTURE_FRAME_MAX]; /* where builders write */
};

/* One for the test that runs, with setup and teardown for it. */
extern struct fixture f;
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

extern const uint8_t our_mac[6], peer_mac[6], all_mac[6];

/* "10.0.2.2", "fd00::2" */
struct hv_addr ip(const char *text);

void fixture_config(struct hv_ip_config *config);
/* config NULL: fixture_config(). Not with addresses. */
void fixture_start(const struct hv_ip_config *config);
/* With the addresses above. */
void fixture_init(const struct hv_ip_config *config);
/* Fails when memory is left. */
void fixture_finish(void);
/* Let time pass. */
void fixture_advance(uint64_t ns);
/* Forget the frames sent so far. */
void fixture_forget(void);
/* A frame arrives. */
void fixture_input(const uint8_t *frame, uint32_t size);
uint64_t drops(const enum hv_drop reason);

/* The peer says who it is, so that packets to it go out at once. */
void fixture_meet_v4(void);
void fixture_meet_v6(void);

/* Send `size` bytes (0, 1, 2 ... modulo 251) from us by hv_ip_output(). */
int fixture_send(const struct hv_ip_tx *tx, uint32_t size);
uint8_t pattern(uint32_t at);
/* Whether the last packet of a transport is that. */
bool fixture_got_pattern(const uint32_t size);

/* A frame from the peer in f->frame with a correct checksum; h's lengths are set here. Return sizes. */
uint32_t build_v4(struct hv_ipv4_header h, const void *payload, uint32_t size);
uint32_t build_v6(struct hv_ipv6_header h, const void *payload, uint32_t size);
/* The same with checksum for an ICMP message. */
uint32_t build_icmp4(struct hv_ipv4_header h, uint8_t *message, uint32_t size);
uint32_t build_icmp6(struct hv_ipv6_header h, uint8_t *message, uint32_t size);
/* Usual headers from the peer to us. */
struct hv_ipv4_header from_peer4(uint8_t protocol);
struct hv_ipv6_header from_peer6(uint8_t next_header);
/* An ARP message of the peer arrives. */
void arp_input(uint16_t operation, const char *sender, const char *target, const uint8_t *mac);
/* The nth frame sent, with its kind checked. */
const uint8_t *sent(const unsigned n, uint16_t ethertype);
/* Its bytes after the IPv4 or IPv6 header. */
const uint8_t *sent_payload(const unsigned n);

#endif
