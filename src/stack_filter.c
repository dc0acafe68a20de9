/* A filter on a stack: put on, taken off, and asked again. What it remembers is filter/filter_track.h. */
#include "stack_state.h"

#include <netinet/in.h>

#include "tcp/tcp_filter.h"
#include "wire/icmp.h"

/* An echo request that the stack would answer (hv_ip_set_echo_filter()). */
static enum hv_ip_echo_verdict echo_verdict(void *ctx, const struct hv_packet *packet)
{
	struct hv_filter_track *track = ctx;
	const struct hv_desc *d = &packet->d;
	uint16_t identifier = hv_icmp_identifier(d->l4);
	struct hv_filter_ends ends = {
		.local = d->dst,
		.remote = d->src,
		.local_port = identifier,
		.remote_port = identifier,
		.protocol = d->proto,
	};
	/* Its data, and the same again in the answer. */
	uint64_t bytes = 2 * (uint64_t)(d->payload_len - HV_ICMP_HEADER);

	switch (hv_filter_datagram(track, &ends, HAVEN_IN, bytes)) {
	case HV_FILTER_PASS:
		return HV_IP_ECHO_ANSWER;
	case HV_FILTER_NO_MEMORY:
		track->core->drops[HV_DROP_NO_MEMORY]++;
		return HV_IP_ECHO_SWALLOW;
	case HV_FILTER_REFUSE:
		track->core->drops[HV_DROP_FILTER]++;
		return HV_IP_ECHO_REFUSE;
	case HV_FILTER_SWALLOW:
		break;
	}
	track->core->drops[HV_DROP_FILTER]++;
	return HV_IP_ECHO_SWALLOW;
}

int haven_stack_set_filter(struct haven_stack *stack, struct haven_filter *filter)
{
	struct hv_filter_track *track = &stack->filter;

	hv_filter_track_set(track, filter);
	stack->tcp.filter = stack->udp.filter = filter ? track : NULL;
	hv_ip_set_echo_filter(&stack->ip, filter ? echo_verdict : NULL, track);
	return 0;
}

uint32_t haven_stack_filter_again(struct haven_stack *stack)
{
	hv_filter_forget_datagrams(&stack->filter);
	return hv_tcp_filter_again(&stack->tcp);
}
