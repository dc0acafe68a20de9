/*
 * TCP_INFO: what a connection tells about itself, in the layout and with the units that programs know from
 * Linux (ss, iperf3, load balancers). Nothing here decides anything: the counters are filled where segments
 * go in and out, and the rest is read from what the connection needs anyway.
 */
#include "tcp/tcp_info.h"

#include <stddef.h>

#include "tcp/tcp_listen.h"
#include "tcp/tcp_pacing.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_send.h"

enum {
	DUP_THRESHOLD = 3,		/* what reordering means before any was seen */
	SSTHRESH_INFINITE = 0x7fffffff, /* as Linux shows "no loss yet" */
	SSTHRESH_NONE = 1 << 30,	/* bytes: from here on there is no threshold */
};

static_assert(offsetof(struct hv_tcp_info, rto) == 8, "Linux's layout");
static_assert(offsetof(struct hv_tcp_info, pacing_rate) == 104, "Linux's layout");
static_assert(offsetof(struct hv_tcp_info, snd_wnd) == 228, "Linux's layout");
static_assert(sizeof(struct hv_tcp_info) == 240, "Linux's layout");

/* --- counting ------------------------------------------------------------------------------ */

void hv_tcp_count_in(struct hv_tcp_conn *conn, const struct hv_packet *packet)
{
	uint32_t size = packet->d.payload_len, segments = 1;

	if (packet->gso_size && size > packet->gso_size)
		segments = (size + packet->gso_size - 1) / packet->gso_size;
	conn->count.segs_in += segments;
	if (!size)
		return;
	conn->count.data_segs_in += segments;
	conn->count.data_received_ms = hv_tcp_now_ms(conn);
}

void hv_tcp_count_out(struct hv_tcp_conn *conn, uint32_t size, uint32_t segments, bool again)
{
	conn->count.segs_out += segments;
	if (again) {
		conn->count.retrans += segments;
		conn->count.bytes_retrans += size;
	}
	if (!size)
		return;
	conn->count.data_segs_out += segments;
	conn->count.data_sent_ms = hv_tcp_now_ms(conn);
}

void hv_tcp_count_start(struct hv_tcp_conn *conn)
{
	conn->count.data_sent_ms = conn->count.data_received_ms = hv_tcp_now_ms(conn);
}

/* Bytes that no segment has carried yet. */
static uint32_t not_sent(const struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn);

	return hv_seq_gt(end, conn->snd_max) ? end - conn->snd_max : 0;
}

static enum hv_tcp_wait what_for(const struct hv_tcp_conn *conn)
{
	uint32_t unsent = not_sent(conn), edge = conn->snd_una + conn->snd_wnd;

	if (!conn->send.used)
		return HV_TCP_WAIT_NOTHING;
	if (unsent && hv_seq_lt(edge, conn->snd_nxt + conn->mss) && !conn->cwnd_limited)
		return HV_TCP_WAIT_PEER_WINDOW;
	if (!unsent && conn->want_write && !conn->cwnd_limited &&
	    conn->cwnd >= hv_tcp_flight(conn) + conn->mss)
		return HV_TCP_WAIT_SEND_BUFFER;
	return HV_TCP_WAIT_BUSY;
}

void hv_tcp_count_wait(struct hv_tcp_conn *conn)
{
	enum hv_tcp_wait next = what_for(conn);
	uint32_t now_ms = hv_tcp_now_ms(conn);

	if (next == (enum hv_tcp_wait)conn->waits_for)
		return;
	if (conn->waits_for)
		conn->count.waited_ms[conn->waits_for - 1] +=
			now_ms - conn->count.wait_since_ms;
	conn->waits_for = (uint8_t)next & 3;
	conn->count.wait_since_ms = now_ms;
}

static uint64_t waited_us(const struct hv_tcp_conn *conn, enum hv_tcp_wait what)
{
	uint64_t ms = conn->count.waited_ms[what - 1];

	if (conn->waits_for == what)
		ms += hv_tcp_now_ms(conn) - conn->count.wait_since_ms;
	return ms * 1000;
}

/* --- TCP_INFO ------------------------------------------------------------------------------ */

static uint8_t state_of(const struct hv_tcp_conn *conn)
{
	static const uint8_t states[HV_TCP_STATE_COUNT] = {
		[HV_TCP_CLOSED] = HV_TCP_INFO_CLOSE,
		[HV_TCP_SYN_SENT] = HV_TCP_INFO_SYN_SENT,
		[HV_TCP_SYN_RECEIVED] = HV_TCP_INFO_SYN_RECV,
		[HV_TCP_ESTABLISHED] = HV_TCP_INFO_ESTABLISHED,
		[HV_TCP_FIN_WAIT_1] = HV_TCP_INFO_FIN_WAIT1,
		[HV_TCP_FIN_WAIT_2] = HV_TCP_INFO_FIN_WAIT2,
		[HV_TCP_CLOSE_WAIT] = HV_TCP_INFO_CLOSE_WAIT,
		[HV_TCP_CLOSING] = HV_TCP_INFO_CLOSING,
		[HV_TCP_LAST_ACK] = HV_TCP_INFO_LAST_ACK,
		/* A record of its own waits: the socket is closed, and Linux says so too. */
		[HV_TCP_TIME_WAIT] = HV_TCP_INFO_CLOSE,
	};

	return states[conn->state];
}

static uint8_t recovery_state(const struct hv_tcp_conn *conn)
{
	if (conn->loss_recovery)
		return HV_TCP_INFO_LOSS;
	if (conn->in_recovery)
		return HV_TCP_INFO_RECOVERY;
	if (conn->ecn_reducing)
		return HV_TCP_INFO_CWR;
	return conn->sacked_bytes || conn->dup_acks ? HV_TCP_INFO_DISORDER : HV_TCP_INFO_OPEN;
}

/* What was agreed upon; nothing is as long as the SYN has no answer. */
static uint8_t options_of(const struct hv_tcp_conn *conn)
{
	uint8_t options = 0;

	if (conn->timestamps)
		options |= HV_TCP_INFO_TIMESTAMPS;
	if (conn->sack_ok)
		options |= HV_TCP_INFO_SACK;
	if (conn->wscale_ok)
		options |= HV_TCP_INFO_WSCALE;
	if (conn->ecn_ok)
		options |= HV_TCP_INFO_ECN;
	if (conn->ecn_seen)
		options |= HV_TCP_INFO_ECN_SEEN;
	return options;
}

static uint32_t microseconds(uint64_t ns)
{
	return (uint32_t)(ns / 1000);
}

/*
 * Where the segments under way are. As in Linux, lost ones stay lost until they arrive, also when they
 * were sent again; outside of recovery what went again is a tail loss probe, and nobody called it lost.
 */
static void fill_flight(const struct hv_tcp_conn *conn, struct hv_tcp_info *info)
{
	uint32_t retrans = 0;

	if (hv_tcp_is_opening(conn)) {
		info->unacked = conn->snd_max != conn->snd_una;
		info->retrans = conn->retries != 0;
		return;
	}
	for (const struct hv_tcp_sent *sent = conn->flight ? conn->flight->first : NULL; sent;
	     sent = sent->next)
		if (sent->again && !sent->sacked && !sent->lost)
			retrans += sent->end - sent->seq;
	info->unacked = hv_tcp_segments(conn, conn->snd_max - conn->snd_una);
	info->sacked =
		conn->sack_ok ? hv_tcp_segments(conn, conn->sacked_bytes) : conn->dup_acks;
	info->retrans = hv_tcp_segments(conn, retrans);
	if (!conn->in_recovery && !conn->loss_recovery)
		retrans = 0;
	info->lost = hv_tcp_segments(conn, conn->lost_bytes + retrans);
	info->notsent_bytes = not_sent(conn);
}

static void fill_times(const struct hv_tcp_conn *conn, struct hv_tcp_info *info)
{
	uint32_t now_ms = hv_tcp_now_ms(conn);

	info->rto = microseconds(conn->rto_ns << conn->backoff);
	if (conn->rto_ns << conn->backoff > HV_TCP_RTO_MAX_NS)
		info->rto = microseconds(HV_TCP_RTO_MAX_NS);
	info->ato = microseconds(HV_TCP_DELAYED_ACK_NS);
	info->rtt = microseconds(conn->srtt_ns);
	info->rttvar = microseconds(conn->rttvar_ns);
	info->min_rtt = conn->min_rtt_ns ? microseconds(conn->min_rtt_ns) : UINT32_MAX;
	info->last_data_sent = now_ms - conn->count.data_sent_ms;
	info->last_data_recv = now_ms - conn->count.data_received_ms;
	info->last_ack_recv = now_ms - (uint32_t)(conn->received_ns / HV_TCP_MS);
	info->rwnd_limited = waited_us(conn, HV_TCP_WAIT_PEER_WINDOW);
	info->sndbuf_limited = waited_us(conn, HV_TCP_WAIT_SEND_BUFFER);
	info->busy_time =
		waited_us(conn, HV_TCP_WAIT_BUSY) + info->rwnd_limited + info->sndbuf_limited;
}

static void fill_windows(const struct hv_tcp_conn *conn, struct hv_tcp_info *info)
{
	info->snd_cwnd = conn->mss ? conn->cwnd / conn->mss : 0;
	if (conn->ssthresh >= SSTHRESH_NONE || !conn->mss)
		info->snd_ssthresh = SSTHRESH_INFINITE;
	else
		info->snd_ssthresh = conn->ssthresh / conn->mss;
	info->reordering =
		conn->reorder_segments > DUP_THRESHOLD ? conn->reorder_segments : DUP_THRESHOLD;
	info->snd_wnd = conn->snd_wnd;
	info->rcv_wnd = hv_tcp_receive_window(conn);
	info->rcv_ssthresh = conn->receive_limit;
	info->rcv_space = conn->receive_limit;
	info->pacing_rate = hv_tcp_pacing_rate(conn);
	info->max_pacing_rate = UINT64_MAX;
}

/* SYN and FIN count where Linux counts them. */
static void fill_counts(const struct hv_tcp_conn *conn, struct hv_tcp_info *info)
{
	const struct hv_tcp_counts *c = &conn->count;
	bool open = conn->state != HV_TCP_SYN_SENT && conn->state != HV_TCP_SYN_RECEIVED;
	uint32_t under_way = open ? conn->snd_max - conn->snd_una : 0;
	bool fin_acked = conn->fin_sent && conn->snd_una == conn->snd_max;

	if (under_way && conn->fin_sent)
		under_way--;
	info->bytes_acked = c->bytes_acked + (open && !conn->passive) + fin_acked;
	info->bytes_received = c->bytes_received + conn->fin_received;
	info->bytes_retrans = c->bytes_retrans;
	info->bytes_sent = c->bytes_acked + under_way + c->bytes_retrans;
	info->segs_out = c->segs_out;
	info->segs_in = c->segs_in;
	info->data_segs_in = c->data_segs_in;
	info->data_segs_out = c->data_segs_out;
	info->total_retrans = c->retrans;
	info->delivered = c->delivered + open;
	info->delivered_ce = c->delivered_ce;
	info->dsack_dups = c->duplicates;
	info->reord_seen = c->reorderings;
	info->rcv_ooopack = c->out_of_order;
}

void hv_tcp_info_fill(const struct hv_tcp_conn *conn, struct hv_tcp_info *info)
{
	memset(info, 0,
	       sizeof(*info)); /* also what lies between the fields: it leaves the stack */
	info->state = state_of(conn);
	info->ca_state = recovery_state(conn);
	info->retransmits = conn->probing ? 0 : conn->retries;
	info->probes = conn->probing ? conn->retries : conn->keepalive_probes;
	info->backoff = conn->backoff;
	info->options = options_of(conn);
	info->wscale = (uint8_t)(conn->snd_wscale | conn->rcv_wscale << 4);
	info->snd_mss = conn->mss;
	info->rcv_mss = conn->segment_estimate;
	info->advmss = conn->rcv_mss;
	info->pmtu = hv_ip_mtu(conn->tcp->ip, &conn->tuple.remote);
	fill_flight(conn, info);
	fill_times(conn, info);
	fill_windows(conn, info);
	fill_counts(conn, info);
}

static size_t copy_out(const void *from, size_t have, void *out, size_t size)
{
	if (size > have)
		size = have;
	memcpy(out, from, size);
	return size;
}

size_t hv_tcp_info(const struct hv_tcp_conn *conn, void *out, size_t size)
{
	struct hv_tcp_info info;

	hv_tcp_info_fill(conn, &info);
	return copy_out(&info, sizeof(info), out, size);
}

/* Linux shows the accept queue in two fields that mean something else for a connection. */
size_t hv_tcp_listener_info(const struct hv_tcp_listener *listener, void *out, size_t size)
{
	struct hv_tcp_info info;

	memset(&info, 0, sizeof(info));
	info.state = listener ? HV_TCP_INFO_LISTEN : HV_TCP_INFO_CLOSE;
	info.reordering = DUP_THRESHOLD;
	info.max_pacing_rate = UINT64_MAX;
	if (listener) {
		info.unacked = listener->ready_count;
		info.sacked = listener->backlog;
	}
	return copy_out(&info, sizeof(info), out, size);
}

void hv_tcp_memory(const struct hv_tcp_conn *conn, uint32_t values[HV_TCP_MEMORY_VALUES])
{
	memset(values, 0, HV_TCP_MEMORY_VALUES * sizeof(*values));
	values[0] = conn->receive.used + conn->blocks_bytes; /* SK_MEMINFO_RMEM_ALLOC */
	values[1] = conn->receive_limit;		     /* RCVBUF */
	values[3] = conn->send.limit;			     /* SNDBUF */
	values[5] = conn->send.used;			     /* WMEM_QUEUED */
}
