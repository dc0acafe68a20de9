/*
 * Router advertisements (RFC 4861 section 6.2), when the stack is configured to be its links' router:
 * default router, MTU, hop limit, and which prefix is on the link. Guests set their addresses by
 * themselves: the prefix is not for autoconfiguration, and there is no DHCPv6 (M and O are 0).
 */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"

enum {
	ROUTER_LIFETIME_S = 1800, /* three times MaxRtrAdvInterval of 600 s: section 6.2.1 */
	INTERVAL_MIN_S = 200,
	INTERVAL_MAX_S = 600,
	ADVERT_MAX = HV_ND_ROUTER_ADVERT_SIZE + HV_ND_LINK_ADDRESS_SIZE + HV_ND_MTU_SIZE +
		     HV_ND_PREFIX_SIZE,
};
#define SECOND_NS      UINT64_C(1000000000)
#define MIN_BETWEEN_NS (3 * SECOND_NS) /* MIN_DELAY_BETWEEN_RAS: section 10 */

static const struct hv_ip_address *link_prefix(const struct hv_ip *ip,
					       const struct haven_link *link)
{
	for (unsigned i = 0; i < ip->address_count; i++) {
		const struct hv_ip_address *a = &ip->addresses[i];

		if (a->link == link && !a->is_v4 && !hv_addr_is_link_local(&a->addr))
			return a;
	}
	return NULL;
}

/* Without the bits of the host (section 4.6.2). */
static struct hv_addr prefix_of(const struct hv_ip_address *network)
{
	struct hv_addr prefix = network->addr;

	for (unsigned bit = network->bits; bit < 128; bit++)
		prefix.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return prefix;
}

static void advertise(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *to)
{
	const struct hv_ip_address *source = hv_ip_link_local(ip, link);
	const struct hv_ip_address *network = link_prefix(ip, link);
	struct hv_nd_router_advert advert = {.hop_limit = ip->config.hop_limit,
					     .lifetime_s = ROUTER_LIFETIME_S,
					     .mac = link->mac,
					     .mtu = link->mtu};
	struct hv_ip_tx tx = {.dst = *to, .proto = IPPROTO_ICMPV6, .hop_limit = 255};
	struct hv_packet *packet;
	struct hv_addr prefix;

	if (!source || !network) /* the source must be link-local: section 6.1.2 */
		return;
	packet = hv_packet_new(ip->core, HV_PACKET_HEADROOM, ADVERT_MAX);
	if (!packet) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return;
	}
	tx.src = source->addr;
	prefix = prefix_of(network);
	advert.prefix = &prefix;
	advert.prefix_bits = network->bits;
	advert.prefix_flags = HV_ND_PREFIX_ON_LINK;
	advert.prefix_lifetime_s = UINT32_MAX;
	hv_packet_append(packet, hv_wire_nd_router_advert_write(packet->data, &advert));
	hv_wire_icmp6_finish(packet->data, packet->len, &tx.src, &tx.dst);
	hv_ip_output_link(ip, link, &tx, packet);
}

static void advertise_to_all(struct hv_ip *ip, struct haven_link *link)
{
	struct hv_addr all_nodes = {.b = {0xff, 0x02, [15] = 1}};
	uint64_t *last_ns = &ip->advertised_ns[link->ifindex - 1];

	if (*last_ns && ip->core->now_ns - *last_ns < MIN_BETWEEN_NS)
		return;
	*last_ns = ip->core->now_ns;
	advertise(ip, link, &all_nodes);
}

static void set_timer(struct hv_ip *ip)
{
	uint64_t in_s =
		INTERVAL_MIN_S + hv_random_below(ip->core, INTERVAL_MAX_S - INTERVAL_MIN_S + 1);

	hv_timer_set(&ip->core->wheel, &ip->advertise_timer,
		     ip->core->now_ns + in_s * SECOND_NS);
}

static void timer_fire(struct hv_timer *timer)
{
	struct hv_ip *ip = hv_container(timer, struct hv_ip, advertise_timer);

	for (unsigned i = 0; i < ip->link_count; i++)
		if (ip->links[i]->ethernet)
			advertise_to_all(ip, ip->links[i]);
	set_timer(ip);
}

void hv_ndp_router_init(struct hv_ip *ip)
{
	hv_timer_init(&ip->advertise_timer, timer_fire);
}

void hv_ndp_router_start(struct hv_ip *ip)
{
	if (ip->config.router_advertisements && !hv_timer_is_set(&ip->advertise_timer))
		set_timer(ip);
}

/* Section 6.1.1, and 6.2.6 for the answer, which goes out at once: its random delay is there for links
 * with many routers, and here a guest waits. */
void hv_ndp_router_solicit_input(struct hv_ip *ip, struct haven_link *link,
				 struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	bool unspecified = hv_ip_is_unspecified(&d->src);
	const uint8_t *mac;

	if (d->payload_len < HV_ND_ROUTER_SOLICIT_SIZE ||
	    !hv_wire_nd_link_address(d->l4 + HV_ND_ROUTER_SOLICIT_SIZE,
				     d->payload_len - HV_ND_ROUTER_SOLICIT_SIZE,
				     HV_ND_OPTION_SOURCE, &mac) ||
	    (unspecified && mac)) {
		hv_drop(ip->core, packet, HV_DROP_ND_INVALID);
		return;
	}
	if (!ip->config.router_advertisements || !link->ethernet) {
		hv_drop(ip->core, packet, HV_DROP_ICMP_IGNORED);
		return;
	}
	if (mac && !hv_eth_is_group(mac))
		hv_neighbour_learn(ip, link, &d->src, mac, true);
	if (unspecified)
		advertise_to_all(ip, link);
	else
		advertise(ip, link, &d->src);
	hv_packet_free(ip->core, packet);
}
