/* See udp_fixture.h. */
#include "udp_fixture.h"

struct fixture f;
struct fixture_packet sent[FIXTURE_PACKETS];

static int record(struct haven_link *link, struct hv_packet *packet)
{
	struct fixture_packet *p = &sent[f.sent_count++];

	assert_true(f.sent_count <= FIXTURE_PACKETS);
	p->gso_size = packet->gso_size;
	p->gso_type = packet->gso_type;
	p->csum = packet->csum;
	p->slices = packet->slice_count;
	packet = hv_packet_own(link->core, packet);
	assert_non_null(packet);
	p->size = packet->len;
	assert_true(p->size <= sizeof(p->bytes));
	memcpy(p->bytes, packet->data, packet->len);
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

static void on_event(void *ctx, void *owner, unsigned events)
{
	(void)ctx;
	(void)events;
	f.events++;
	f.last_owner = owner;
}

struct hv_addr host(bool v6, uint8_t n)
{
	return v6 ? hv_addr_v6((const uint8_t[16]){0xfd, [15] = n})
		  : hv_addr_v4((const uint8_t[4]){10, 0, 0, n});
}

struct haven_endpoint end(bool v6, uint8_t n, uint16_t port)
{
	struct hv_addr addr = host(v6, n);
	struct haven_endpoint endpoint = {.port = port};

	memcpy(endpoint.address, addr.b, sizeof(endpoint.address));
	return endpoint;
}

int fixture_setup(void **state)
{
	static const struct hv_ip_config ip_config = {.hop_limit = 64,
						      .max_neighbours = 16,
						      .max_reassembly_bytes = 1 << 20,
						      .max_links = 1};
	static const struct hv_port_config port_config = {.ephemeral_first = 32768,
							  .ephemeral_last = 60999};
	struct hv_ip_transport transport = {&f.udp, hv_udp_input, hv_udp_icmp_error};
	struct haven_env env;

	(void)state;
	memset(&f, 0, sizeof(f));
	test_env_init(&f.env, 1);
	env = test_env_haven(&f.env);
	assert_int_equal(hv_core_init(&f.core, &env), 0);
	hv_ip_init(&f.ip, &f.core, &ip_config);
	assert_int_equal(hv_port_table_init(&f.ports, &f.core, &port_config), 0);
	hv_udp_init(&f.udp, &f.core, &f.ip, &f.ports);
	hv_ip_set_transport(&f.ip, IPPROTO_UDP, &transport);
	f.udp.forwarder = &f.forwarder;
	f.udp.on_event = on_event;
	f.link.ops = &recorder;
	f.link.core = &f.core;
	f.link.fd = -1;
	f.link.mtu = 1500;
	f.link.offloads = HAVEN_OFFLOAD_CSUM | HAVEN_OFFLOAD_USO;
	assert_int_equal(hv_ip_attach(&f.ip, &f.link, NULL), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		struct hv_addr us = host(v6, 1);

		assert_int_equal(hv_ip_address_add(&f.ip, 1, &us, v6 ? 64 : 24), 0);
	}
	/* What the IP layer says of itself does not count. */
	hv_timer_advance(&f.core.wheel, f.core.now_ns);
	f.sent_count = 0;
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	hv_ip_finish(&f.ip);
	hv_port_table_finish(&f.ports);
	hv_core_finish(&f.core);
	assert_int_equal(f.core.memory_bytes, 0);
	test_env_finish(&f.env);
	return 0;
}

struct hv_packet *datagram(bool v6, uint16_t from, uint16_t to, const void *data, uint32_t size)
{
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, 8 + size);
	uint8_t *p = hv_packet_append(packet, 8 + size);
	struct hv_desc *d = &packet->d;
	uint16_t sum;

	d->src = host(v6, 2);
	d->dst = host(v6, 1);
	d->proto = IPPROTO_UDP;
	d->hop_limit = 64;
	d->l4 = d->payload = p;
	d->payload_len = 8 + size;
	hv_wire_udp_write(p, from, to, (uint16_t)(8 + size));
	if (size)
		memcpy(p + 8, data, size);
	sum = (uint16_t)~hv_sum_fold(
		hv_sum_add(hv_sum_pseudo(&d->src, &d->dst, IPPROTO_UDP, 8 + size), p,
			   8 + size));
	memcpy(p + 6, &sum, 2);
	/* In front of it, what ICMP would quote. */
	d->l3 = hv_packet_push(packet, v6 ? 40 : 20);
	memset(d->l3, 0, v6 ? 40 : 20);
	d->l3[0] = v6 ? 0x60 : 0x45;
	return packet;
}

void bound(struct hv_udp_socket *socket, bool v6, uint16_t port)
{
	hv_udp_socket_init(socket, 10000, socket);
	socket->bind.local = host(v6, 1);
	socket->bind.port = port;
	assert_int_equal(hv_udp_bind(&f.udp, socket), 0);
}

const uint8_t *sent_udp(unsigned n)
{
	assert_true(n < f.sent_count);
	return sent[n].bytes + (sent[n].bytes[0] >> 4 == 4 ? 20 : 40);
}
