/*
 * The IP layer put together: creation, links, transports. The packet's way itself is in ip_input.c
 * and ip_output.c.
 */
#include <netinet/in.h>

#include "ip/ip_state.h"

void hv_ip_init(struct hv_ip *ip, struct hv_core *core, const struct hv_ip_config *config)
{
	memset(ip, 0, sizeof(*ip));
	ip->core = core;
	ip->config = *config;
	if (ip->config.max_links > HV_IP_MAX_LINKS)
		ip->config.max_links = HV_IP_MAX_LINKS;
	ip->generation = 1;
	for (unsigned i = 0; i < HV_IP_ID_COUNTERS; i++)
		ip->id_counters[i] = hv_random32(core);
	hv_neighbour_init(ip);
	hv_reassembly_init(ip);
	hv_path_mtu_init(ip);
	hv_icmp_limiter_init(ip);
	hv_ndp_router_init(ip);
	hv_ip_loop_init(ip);
}

void hv_ip_finish(struct hv_ip *ip)
{
	struct hv_core *core = ip->core;

	hv_timer_cancel(&core->wheel, &ip->advertise_timer);
	hv_timer_cancel(&core->wheel, &ip->loop_timer);
	hv_packet_queue_clear(core, &ip->loop_queue);
	hv_path_mtu_finish(ip);
	hv_reassembly_finish(ip);
	hv_neighbour_finish(ip);
	while (ip->link_count > 0)
		haven_link_destroy(ip->links[--ip->link_count]);
}

void hv_ip_set_transport(struct hv_ip *ip, uint8_t proto,
			 const struct hv_ip_transport *transport)
{
	if (proto == IPPROTO_TCP)
		ip->tcp = *transport;
	else if (proto == IPPROTO_UDP)
		ip->udp = *transport;
}

void hv_ip_set_echo(struct hv_ip *ip, hv_ip_echo_fn *echo, void *ctx)
{
	ip->echo = echo;
	ip->echo_ctx = ctx;
}

void hv_ip_set_echo_filter(struct hv_ip *ip, hv_ip_echo_filter_fn *filter, void *ctx)
{
	ip->echo_filter = filter;
	ip->echo_filter_ctx = ctx;
}

void hv_ip_set_writable(struct hv_ip *ip, void (*writable)(void *ctx), void *ctx)
{
	ip->writable = writable;
	ip->writable_ctx = ctx;
}

void hv_ip_writable(struct hv_ip *ip)
{
	if (ip->writable)
		ip->writable(ip->writable_ctx);
}

int hv_ip_attach(struct hv_ip *ip, struct haven_link *link, unsigned *ifindex)
{
	if (ip->link_count >= ip->config.max_links) {
		haven_link_destroy(link);
		return -ENOSPC;
	}
	ip->links[ip->link_count++] = link;
	link->ifindex = ip->link_count;
	link->deliver = hv_ip_input;
	link->deliver_ctx = ip;
	if (ifindex)
		*ifindex = link->ifindex;
	return 0;
}

struct haven_link *hv_ip_link(const struct hv_ip *ip, unsigned ifindex)
{
	if (ifindex == 0 || ifindex > ip->link_count)
		return NULL;
	return ip->links[ifindex - 1];
}

bool hv_ip_transport_input(struct hv_ip *ip, struct hv_packet *packet)
{
	const struct hv_ip_transport *transport;

	switch (packet->d.proto) {
	case IPPROTO_TCP:
		transport = &ip->tcp;
		break;
	case IPPROTO_UDP:
		transport = &ip->udp;
		break;
	default:
		return false;
	}
	if (!transport->input)
		return false;
	transport->input(transport->ctx, packet);
	return true;
}
