/* One IP layer on a recording link. See fixture.h. */
#include "fixture.h"

#include <arpa/inet.h>

const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 0x64};
const uint8_t all_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct hv_addr ip(const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return hv_addr_v4(bytes);
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return hv_addr_v6(bytes);
}

struct fixture f;

int fixture_setup(void **state)
{
	(void)state;
	fixture_init(NULL);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	fixture_finish();
	return 0;
}

static int record(struct haven_link *link, struct hv_packet *packet)
{
	struct fixture_frame *frame = &f.frames[f.frame_count];
	uint8_t *p;

	assert_true(f.frame_count < FIXTURE_FRAMES);
	f.frame_count++;
	frame->size = hv_packet_size(packet);
	frame->csum = packet->csum;
	frame->gso_type = packet->gso_type;
	frame->gso_size = packet->gso_size;
	frame->bytes = malloc(frame->size);
	assert_non_null(frame->bytes);
	p = frame->bytes;
	memcpy(p, packet->data, packet->len);
	p += packet->len;
	for (unsigned i = 0; i < packet->slice_count; i++) {
		memcpy(p, packet->slices[i].iov_base, packet->slices[i].iov_len);
		p += packet->slices[i].iov_len;
	}
	hv_packet_free(link->core, packet);
	return 0;
}

static void destroy(struct haven_link *link)
{
	link->ifindex = 0;
}

static const struct hv_link_ops recorder = {.name = "recorder",
					    .output = record,
					    .destroy = destroy};

static void transport_input(void *ctx, struct hv_packet *packet)
{
	(void)ctx;

	f.input_count++;
	f.last = packet->d;
	assert_ptr_equal(packet->d.payload, packet->d.l4);
	assert_true(packet->d.l3 >= packet->data);
	assert_ptr_equal(packet->d.payload + packet->d.payload_len, packet->data + packet->len);
	memcpy(f.last_payload, packet->d.payload, packet->d.payload_len);
	hv_packet_free(&f.core, packet);
}

static void transport_error(void *ctx, const struct hv_icmp_report *report)
{
	(void)ctx;

	f.report_count++;
	f.report = *report;
	memcpy(f.report_transport, report->transport,
	       report->transport_len < 64 ? report->transport_len : 64);
}

static void echo(void *ctx, const struct hv_packet *packet)
{
	(void)ctx;

	f.echo_count++;
	f.echo = packet->d;
}

void fixture_config(struct hv_ip_config *config)
{
	*config = (struct hv_ip_config){.hop_limit = 64,
					.max_neighbours = 16,
					.max_reassembly_bytes = 1 << 20,
					.max_links = 4};
}

void fixture_start(const struct hv_ip_config *config)
{
	struct hv_ip_transport transport = {&f, transport_input, transport_error};
	struct hv_ip_config defaults;
	struct haven_env env;

	memset(&f, 0, sizeof(f));
	test_env_init(&f.env, 1);
	env = test_env_haven(&f.env);
	assert_int_equal(hv_core_init(&f.core, &env), 0);
	hv_timer_wheel_init(&f.core.wheel, SECOND);
	f.core.now_ns = SECOND;
	fixture_config(&defaults);
	hv_ip_init(&f.ip, &f.core, config ? config : &defaults);
	hv_ip_set_transport(&f.ip, IPPROTO_TCP, &transport);
	hv_ip_set_transport(&f.ip, IPPROTO_UDP, &transport);
	hv_ip_set_echo(&f.ip, echo, &f);
	f.link.ops = &recorder;
	f.link.core = &f.core;
	f.link.fd = -1;
	f.link.ethernet = true;
	f.link.mtu = 1500;
	f.link.offloads = HAVEN_OFFLOAD_CSUM | HAVEN_OFFLOAD_TSO4 | HAVEN_OFFLOAD_TSO6;
	memcpy(f.link.mac, our_mac, 6);
	assert_int_equal(hv_ip_attach(&f.ip, &f.link, NULL), 0);
}

void fixture_init(const struct hv_ip_config *config)
{
	struct hv_addr v4 = ip("10.0.2.2"), v6 = ip("fd00::2");

	fixture_start(config);
	assert_int_equal(hv_ip_address_add(&f.ip, 1, &v4, 24), 0);
	assert_int_equal(hv_ip_address_add(&f.ip, 1, &v6, 64), 0);
}

void fixture_forget(void)
{
	while (f.frame_count > 0)
		free(f.frames[--f.frame_count].bytes);
}

void fixture_finish(void)
{
	fixture_forget();
	hv_ip_finish(&f.ip);
	hv_core_finish(&f.core);
	test_env_finish(&f.env);
}

void fixture_advance(uint64_t ns)
{
	f.core.now_ns += ns;
	hv_timer_advance(&f.core.wheel, f.core.now_ns);
}

void fixture_input(const uint8_t *frame, uint32_t size)
{
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, size);

	if (!packet)
		return;
	memcpy(hv_packet_append(packet, size), frame, size);
	hv_link_deliver(&f.link, packet);
}

uint64_t drops(enum hv_drop reason)
{
	return f.core.drops[reason];
}

void arp_input(uint16_t operation, const char *sender, const char *target, const uint8_t *mac)
{
	struct hv_arp arp = {.operation = operation,
			     .sender = ip(sender),
			     .target = ip(target)};
	uint8_t frame[60] = {0};

	memcpy(arp.sender_mac, mac, 6);
	if (operation == HV_ARP_REPLY)
		memcpy(arp.target_mac, our_mac, 6);
	hv_eth_write(frame, operation == HV_ARP_REPLY ? our_mac : all_mac, mac,
		     HV_ETHERTYPE_ARP);
	hv_wire_arp_write(frame + HV_ETH_HEADER, &arp);
	fixture_input(frame, sizeof(frame));
}

void fixture_meet_v4(void)
{
	struct hv_addr peer = ip("10.0.2.100");
	struct hv_neighbour *n = hv_neighbour_get(&f.ip, &f.link, &peer);

	assert_non_null(n);
	hv_neighbour_answer(n, peer_mac, true, true);
}

void fixture_meet_v6(void)
{
	struct hv_addr peer = ip("fd00::100");
	struct hv_neighbour *n = hv_neighbour_get(&f.ip, &f.link, &peer);

	assert_non_null(n);
	hv_neighbour_answer(n, peer_mac, true, true);
}

uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at % 251);
}

int fixture_send(const struct hv_ip_tx *tx, uint32_t size)
{
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, size);
	uint8_t *p;

	if (!packet)
		return -ENOMEM;
	p = hv_packet_append(packet, size);
	for (uint32_t i = 0; i < size; i++)
		p[i] = pattern(i);
	return hv_ip_output(&f.ip, tx, packet);
}

bool fixture_got_pattern(uint32_t size)
{
	if (f.last.payload_len != size)
		return false;
	for (uint32_t i = 0; i < size; i++)
		if (f.last_payload[i] != pattern(i))
			return false;
	return true;
}

struct hv_ipv4_header from_peer4(uint8_t protocol)
{
	return (struct hv_ipv4_header){.src = ip("10.0.2.100"),
				       .dst = ip("10.0.2.2"),
				       .ttl = 64,
				       .id = 77,
				       .protocol = protocol};
}

struct hv_ipv6_header from_peer6(uint8_t next_header)
{
	return (struct hv_ipv6_header){.src = ip("fd00::100"),
				       .dst = ip("fd00::2"),
				       .hop_limit = 64,
				       .next_header = next_header};
}

static void write_ethernet(const struct hv_addr *dst, uint16_t type)
{
	uint8_t mac[6];

	if (!hv_eth_group_address(dst, mac))
		memcpy(mac, our_mac, 6);
	hv_eth_write(f.frame, mac, peer_mac, type);
}

uint32_t build_v4(struct hv_ipv4_header h, const void *payload, uint32_t size)
{
	h.total_length = (uint16_t)(HV_IPV4_HEADER + size);
	write_ethernet(&h.dst, HV_ETHERTYPE_IPV4);
	hv_wire_ipv4_write(f.frame + HV_ETH_HEADER, &h);
	memcpy(f.frame + HV_ETH_HEADER + HV_IPV4_HEADER, payload, size);
	return HV_ETH_HEADER + HV_IPV4_HEADER + size;
}

uint32_t build_v6(struct hv_ipv6_header h, const void *payload, uint32_t size)
{
	h.payload_length = (uint16_t)size;
	write_ethernet(&h.dst, HV_ETHERTYPE_IPV6);
	hv_wire_ipv6_write(f.frame + HV_ETH_HEADER, &h);
	memcpy(f.frame + HV_ETH_HEADER + HV_IPV6_HEADER, payload, size);
	return HV_ETH_HEADER + HV_IPV6_HEADER + size;
}

uint32_t build_icmp4(struct hv_ipv4_header h, uint8_t *message, uint32_t size)
{
	message[2] = message[3] = 0;
	hv_wire_icmp4_finish(message, size);
	return build_v4(h, message, size);
}

uint32_t build_icmp6(struct hv_ipv6_header h, uint8_t *message, uint32_t size)
{
	message[2] = message[3] = 0;
	hv_wire_icmp6_finish(message, size, &h.src, &h.dst);
	return build_v6(h, message, size);
}

const uint8_t *sent(unsigned n, uint16_t ethertype)
{
	assert_true(n < f.frame_count);
	assert_int_equal(hv_eth_type(f.frames[n].bytes), ethertype);
	return f.frames[n].bytes;
}

const uint8_t *sent_payload(unsigned n)
{
	const uint8_t *frame;

	assert_true(n < f.frame_count);
	frame = f.frames[n].bytes;
	if (hv_eth_type(frame) == HV_ETHERTYPE_IPV6)
		return frame + HV_ETH_HEADER + HV_IPV6_HEADER;
	assert_int_equal(hv_eth_type(frame), HV_ETHERTYPE_IPV4);
	return frame + HV_ETH_HEADER + hv_ipv4_header_length(frame + HV_ETH_HEADER);
}
