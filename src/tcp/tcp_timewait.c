/*
 * TIME-WAIT (RFC 9293 section 3.6.1): for 2 MSL a compact record holds the 4-tuple, repeats the last
 * ACK, and lets a new connection in when it cannot be confused with the old (RFC 6191, RFC 1122
 * section 4.2.2.13). At the limit the oldest record ends early.
 */
#include "tcp/tcp_timewait.h"

#include "tcp/tcp_output.h"
#include "tcp/tcp_receive.h"

#define ANSWER_INTERVAL_NS (500 * HV_TCP_MS) /* one ACK in that time: no war of ACKs */
#define YIELD_AGE_NS	   HV_TCP_SECOND     /* the timestamp clock has moved on for sure */

static struct hv_tcp_time_wait *oldest(struct hv_tcp *tcp)
{
	return hv_container(tcp->time_wait.next, struct hv_tcp_time_wait, link);
}

void hv_tcp_time_wait_end(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait)
{
	hv_port_remove(tcp->ports, &wait->tuple);
	hv_list_remove(&wait->link);
	tcp->time_wait_count--;
	hv_free(tcp->core, wait, sizeof(*wait));
}

static void restart(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait)
{
	hv_list_remove(&wait->link);
	hv_list_append(&tcp->time_wait, &wait->link);
	wait->deadline_ns = tcp->core->now_ns + tcp->config.time_wait_ns;
	if (!hv_timer_is_set(&tcp->time_wait_timer))
		hv_timer_set(&tcp->core->wheel, &tcp->time_wait_timer, wait->deadline_ns);
}

void hv_tcp_time_wait_start(struct hv_tcp_conn *conn)
{
	struct hv_tcp *tcp = conn->tcp;
	struct hv_tcp_time_wait *wait;

	if (!tcp->config.max_time_wait || !tcp->config.time_wait_ns)
		return;
	if (tcp->time_wait_count >= tcp->config.max_time_wait)
		hv_tcp_time_wait_end(tcp, oldest(tcp));
	wait = hv_zalloc(tcp->core, sizeof(*wait));
	if (!wait)
		return;
	wait->tuple = conn->tuple;
	wait->tuple.kind = HV_TCP_KIND_TIME_WAIT;
	if (hv_port_insert(tcp->ports, &wait->tuple) < 0) {
		hv_free(tcp->core, wait, sizeof(*wait));
		return;
	}
	tcp->time_wait_count++;
	wait->snd_nxt = conn->snd_max;
	wait->rcv_nxt = conn->rcv_nxt;
	wait->rcv_wnd = hv_tcp_receive_window(conn);
	wait->rcv_wscale = conn->rcv_wscale;
	wait->timestamps = conn->timestamps;
	wait->ts_recent = conn->ts_recent;
	wait->ts_offset = conn->ts_offset;
	hv_list_init(&wait->link);
	restart(tcp, wait);
}

void hv_tcp_time_wait_fire(struct hv_timer *timer)
{
	struct hv_tcp *tcp = hv_container(timer, struct hv_tcp, time_wait_timer);

	while (!hv_list_is_empty(&tcp->time_wait) &&
	       oldest(tcp)->deadline_ns <= tcp->core->now_ns)
		hv_tcp_time_wait_end(tcp, oldest(tcp));
	if (!hv_list_is_empty(&tcp->time_wait))
		hv_timer_set(&tcp->core->wheel, timer, oldest(tcp)->deadline_ns);
}

/*
 * What RFC 6191 says for the side that accepts holds for the side that opens: old segments carry older timestamps
 * and PAWS throws them away. So a program that must keep its port (a gateway, with its client's) need not wait.
 */
void hv_tcp_time_wait_yield(struct hv_tcp *tcp, const struct hv_tuple *tuple)
{
	struct hv_tuple *found =
		hv_port_find(tcp->ports, tuple->proto, &tuple->local, tuple->local_port,
			     &tuple->remote, tuple->remote_port);
	struct hv_tcp_time_wait *wait;
	uint64_t since_ns;

	if (!found || found->kind != HV_TCP_KIND_TIME_WAIT)
		return;
	wait = hv_container(found, struct hv_tcp_time_wait, tuple);
	since_ns = wait->deadline_ns - tcp->config.time_wait_ns;
	if (wait->timestamps && tcp->core->now_ns - since_ns >= YIELD_AGE_NS)
		hv_tcp_time_wait_end(tcp, wait);
}

/* The last ACK again. What took sequence space waits for it; all else may be the answer to an answer of ours. */
static void answer(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait, bool wanted)
{
	struct hv_tcp_options options = {
		.has_timestamps = true,
		.ts_value = (uint32_t)(tcp->core->now_ns / HV_TCP_MS) + wait->ts_offset,
		.ts_echo = wait->ts_recent,
	};
	struct hv_tcp_bare bare = {
		.src = &wait->tuple.local,
		.dst = &wait->tuple.remote,
		.src_port = wait->tuple.local_port,
		.dst_port = wait->tuple.remote_port,
		.seq = wait->snd_nxt,
		.ack = wait->rcv_nxt,
		.flags = HV_TCP_ACK,
		.window = (uint16_t)(wait->rcv_wnd >> wait->rcv_wscale),
		.options = wait->timestamps ? &options : NULL,
	};

	if (!wanted && wait->challenge_ns &&
	    tcp->core->now_ns - wait->challenge_ns < ANSWER_INTERVAL_NS)
		return;
	wait->challenge_ns = tcp->core->now_ns;
	hv_tcp_send_bare(tcp, &bare);
}

/*
 * RFC 6191 section 2. Timestamps decide where both connections have them. Where only the new one does, PAWS throws away all that is
 * left of the old one. Else the sequence number decides (RFC 1122 section 4.2.2.13).
 */
static bool may_replace(const struct hv_tcp_time_wait *wait, const struct hv_desc *d)
{
	struct hv_tcp_options options;

	if ((d->tcp_flags & (HV_TCP_SYN | HV_TCP_ACK | HV_TCP_RST | HV_TCP_FIN)) != HV_TCP_SYN)
		return false;
	hv_tcp_options_read(d, &options);
	if (wait->timestamps && options.has_timestamps && options.ts_value != wait->ts_recent)
		return hv_seq_gt(options.ts_value, wait->ts_recent);
	if (!wait->timestamps && options.has_timestamps)
		return true;
	return hv_seq_gt(d->seq, wait->rcv_nxt);
}

bool hv_tcp_time_wait_input(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait,
			    const struct hv_packet *packet, uint32_t *iss_floor)
{
	const struct hv_desc *d = &packet->d;

	if (may_replace(wait, d)) {
		*iss_floor = wait->snd_nxt;
		hv_tcp_time_wait_end(tcp, wait);
		return true;
	}
	if (d->tcp_flags & HV_TCP_RST)
		return false; /* RFC 1337: a reset must not assassinate TIME-WAIT */
	if (d->tcp_flags & (HV_TCP_SYN | HV_TCP_FIN) || d->payload_len ||
	    d->seq != wait->rcv_nxt) {
		answer(tcp, wait,
		       !(d->tcp_flags & HV_TCP_SYN) &&
			       (d->payload_len || d->tcp_flags & HV_TCP_FIN));
		if (d->tcp_flags & HV_TCP_FIN)
			restart(tcp, wait); /* RFC 9293 section 3.10.7.4, eighth check */
	}
	return false;
}
