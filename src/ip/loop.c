/*
 * Packets from us to us: they turn round below the IP header, without a link. They come in again at
 * the next poll, so that nothing is entered twice.
 */
#include "ip/ip_state.h"

enum { LOOP_QUEUE_PACKETS = 1024 };

static void timer_fire(struct hv_timer *timer)
{
	struct hv_ip *ip = hv_container(timer, struct hv_ip, loop_timer);
	/* What these cause to be sent comes back at the next turn. */
	struct hv_packet_queue queue = ip->loop_queue;
	struct hv_packet *packet;

	memset(&ip->loop_queue, 0, sizeof(ip->loop_queue));
	while ((packet = hv_packet_queue_pop(&queue)) != NULL) {
		ip->packets_in++;
		packet->d = (struct hv_desc){.ifindex = packet->d.ifindex};
		if (packet->data[0] >> 4 == 4)
			hv_ipv4_input(ip, NULL, packet, 0);
		else
			hv_ipv6_input(ip, NULL, packet, 0);
	}
}

void hv_ip_loop_init(struct hv_ip *ip)
{
	hv_timer_init(&ip->loop_timer, timer_fire);
}

int hv_ip_loop_output(struct hv_ip *ip, struct hv_packet *packet)
{
	if (ip->loop_queue.count >= LOOP_QUEUE_PACKETS) {
		hv_drop(ip->core, packet, HV_DROP_LINK_BUSY);
		return -EAGAIN;
	}
	packet = hv_packet_own(ip->core, packet);
	if (!packet) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	/* It never leaves the machine: nothing can have changed its bytes. */
	packet->csum = HV_CSUM_VALID;
	hv_packet_queue_push(&ip->loop_queue, packet);
	if (!hv_timer_is_set(&ip->loop_timer))
		hv_timer_set(&ip->core->wheel, &ip->loop_timer, ip->core->now_ns);
	return 0;
}
