/* Datagrams of sockets and the stack's filter: one that belongs to a flow passes, the first of a flow is asked about. */
#include <netinet/in.h>

#include "filter/filter_track.h"
#include "udp/udp.h"

int hv_udp_filter_output(struct hv_udp *udp, const struct hv_ip_tx *tx, uint16_t src_port,
			 uint16_t dst_port, size_t bytes)
{
	struct hv_filter_ends ends = {
		.local = tx->src,
		.remote = tx->dst,
		.local_port = src_port,
		.remote_port = dst_port,
		.protocol = IPPROTO_UDP,
	};

	switch (hv_filter_datagram(udp->filter, &ends, HAVEN_OUT, bytes)) {
	case HV_FILTER_PASS:
		return 1;
	case HV_FILTER_NO_MEMORY:
		return -ENOMEM;
	case HV_FILTER_SWALLOW:
		udp->core->drops[HV_DROP_FILTER]++;
		return 0;
	case HV_FILTER_REFUSE:
		break;
	}
	return -EPERM;
}

static struct hv_filter_ends ends_of(const struct hv_desc *d)
{
	return (struct hv_filter_ends){
		.local = d->dst,
		.remote = d->src,
		.local_port = d->dst_port,
		.remote_port = d->src_port,
		.protocol = IPPROTO_UDP,
	};
}

/* Whether the packet may go on; else it is consumed, and who sent it is told what is to be told. */
static bool apply(struct hv_udp *udp, struct hv_packet *packet, enum hv_filter_answer answer)
{
	if (answer == HV_FILTER_PASS)
		return true;
	if (answer == HV_FILTER_REFUSE) /* not to many: ip/ sees to that */
		hv_ip_unreachable(udp->ip, packet, HAVEN_ICMP_PROHIBITED, 0, NULL);
	hv_drop(udp->core, packet,
		answer == HV_FILTER_NO_MEMORY ? HV_DROP_NO_MEMORY : HV_DROP_FILTER);
	return false;
}

bool hv_udp_filter_input(struct hv_udp *udp, struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of(&packet->d);

	return apply(udp, packet,
		     hv_filter_datagram(udp->filter, &ends, HAVEN_IN, packet->d.payload_len));
}

bool hv_udp_filter_stray(struct hv_udp *udp, struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of(&packet->d);

	return !udp->filter || apply(udp, packet, hv_filter_ask(udp->filter, &ends, HAVEN_IN));
}
