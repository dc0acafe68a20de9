/*
 * Half-open connections of listeners (RFC 4987 section 3.4, "SYN cache"): between the SYN and the
 * ACK of our SYN-ACK a connection is a record of about 140 bytes in the port table, and
 * struct hv_tcp_conn is made when the handshake is complete. A SYN costs its sender nothing and may come from
 * anywhere; so it must not cost us a connection.
 *
 * The rules for RST, SYN and ACK are those of SYN-RECEIVED in RFC 9293 section 3.10.7.4, with RFC 5961.
 * One timer serves all records: those with equally many retransmissions wait equally long, so
 * each number of them has a list in order of time.
 */
#include "tcp/tcp_half_open.h"

#include "tcp/tcp_ecn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_filter.h"
#include "tcp/tcp_isn.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_request.h"
#include "tcp/tcp_syn_cookie.h"
#include "tcp/tcp_timer.h"

enum { HALF_OPEN_LEAST = 64 }; /* of a listener, whatever its backlog */

static_assert(HV_TCP_HALF_OPEN_LISTS == HV_TCP_RETRIES_SYN_ACK + 1,
	      "a list for each number of retransmissions");

/* RFC 6298 5.5: the SYN-ACK's time-out, doubled each time. */
static uint64_t deadline_of(const struct hv_tcp_half_open *half)
{
	return half->sent_ns + (HV_TCP_RTO_INITIAL_NS << half->retries);
}

/* The window that the SYN-ACK offers, as hv_tcp_window_field() would: not scaled, the buffer is empty. */
static uint16_t offered_window(const struct hv_tcp_listener *listener)
{
	const struct hv_tcp_listen_options *options = &listener->options;
	uint32_t window = options->receive_limit ? options->receive_limit
						 : listener->tcp->config.receive_buffer_bytes;

	if (options->window_clamp && options->window_clamp < window)
		window = options->window_clamp;
	return window > 65535 ? 65535 : (uint16_t)window;
}

static uint16_t offered_mss(const struct hv_tcp_half_open *half)
{
	uint16_t mss = hv_tcp_mss_offer(half->listener->tcp, &half->tuple.remote);
	uint16_t user = half->listener->options.user_mss;

	return user && user < mss ? user : mss;
}

static uint32_t timestamp_of(const struct hv_tcp_half_open *half)
{
	struct hv_core *core = half->listener->tcp->core;

	return (uint32_t)(core->now_ns / HV_TCP_MS) +
	       hv_tcp_timestamp_offset(core, &half->tuple);
}

void hv_tcp_half_open_read(struct hv_tcp_half_open *half, struct hv_tcp_listener *listener,
			   const struct hv_packet *packet, const struct hv_tcp_options *options)
{
	const struct hv_tcp_config *config = &listener->tcp->config;
	const struct hv_desc *d = &packet->d;

	*half = (struct hv_tcp_half_open){
		.tuple.local = d->dst,
		.tuple.remote = d->src,
		.tuple.local_port = d->dst_port,
		.tuple.remote_port = d->src_port,
		.tuple.proto = IPPROTO_TCP,
		.tuple.kind = HV_TCP_KIND_HALF_OPEN,
		.tuple.share = hv_port_share_of(listener->bind),
		.tuple.hold = HV_HOLD_BOUND,
		.listener = listener,
		.irs = d->seq,
		.ts_recent = options->ts_value,
		.window = d->window,
		.peer_mss = options->has_mss ? options->mss : 0,
		.peer_wscale = options->window_scale,
		.wscale_ok = options->has_window_scale && !config->no_window_scaling,
		.sack_ok = options->sack_permitted && !config->no_sack,
		.timestamps = options->has_timestamps && !config->no_timestamps,
		.ecn = hv_tcp_ecn_accepts(listener->tcp, d),
		.fast_open = options->has_fast_open && listener->fast_open_max,
	};
	if (options->has_mss && !half->peer_mss)
		half->peer_mss =
			1; /* raised to the least later; 0 would mean that there is none */
}

void hv_tcp_half_open_choose_iss(struct hv_tcp_half_open *half, const uint32_t *iss_floor)
{
	struct hv_core *core = half->listener->tcp->core;

	half->iss = iss_floor ? hv_tcp_isn_beyond(core, &half->tuple, *iss_floor)
			      : hv_tcp_isn(core, &half->tuple);
}

/* A short backlog says that the server is slow to accept, not that a few clients at once are a flood. */
static uint32_t most_of(const struct hv_tcp_listener *listener)
{
	return listener->backlog < HALF_OPEN_LEAST ? HALF_OPEN_LEAST : listener->backlog;
}

bool hv_tcp_half_open_has_room(const struct hv_tcp_half_open *half)
{
	const struct hv_tcp *tcp = half->listener->tcp;
	uint32_t most = tcp->config.max_half_open;

	if (half->verified)
		return tcp->half_open_count < most;
	return half->listener->half_open_count < most_of(half->listener) &&
	       tcp->half_open_count < most - most / 4;
}

/* Into the list of its number of retransmissions, and under the timer. */
static void wait_for_answer(struct hv_tcp_half_open *half)
{
	struct hv_tcp *tcp = half->listener->tcp;
	uint64_t deadline_ns;

	half->sent_ns = tcp->core->now_ns;
	hv_list_append(&tcp->half_open[half->retries], &half->link);
	deadline_ns = deadline_of(half);
	if (!hv_timer_is_set(&tcp->half_open_timer) ||
	    tcp->half_open_timer.deadline_ns > deadline_ns)
		hv_timer_set(&tcp->core->wheel, &tcp->half_open_timer, deadline_ns);
}

int hv_tcp_half_open_keep(const struct hv_tcp_half_open *half)
{
	struct hv_tcp_listener *listener = half->listener;
	struct hv_tcp *tcp = listener->tcp;
	struct hv_tcp_half_open *kept = hv_alloc(tcp->core, sizeof(*kept));

	if (!kept)
		return HV_DROP_NO_MEMORY;
	*kept = *half;
	kept->cookie = false;
	if (hv_port_insert(tcp->ports, &kept->tuple) < 0) {
		hv_free(tcp->core, kept, sizeof(*kept));
		return HV_DROP_NO_MEMORY;
	}
	hv_list_append(&listener->half_open, &kept->queue);
	listener->half_open_count++;
	tcp->half_open_count++;
	wait_for_answer(kept);
	return HV_DROP_COUNT;
}

/* It is out of the port table. */
static void release(struct hv_tcp_half_open *half)
{
	struct hv_tcp_listener *listener = half->listener;
	struct hv_tcp *tcp = listener->tcp;

	hv_list_remove(&half->link);
	hv_list_remove(&half->queue);
	listener->half_open_count--;
	tcp->half_open_count--;
	hv_free(tcp->core, half, sizeof(*half));
}

void hv_tcp_half_open_free(struct hv_tcp_half_open *half)
{
	struct hv_tcp *tcp = half->listener->tcp;

	hv_tcp_filter_end(tcp, &half->tuple, 0);
	hv_port_remove(tcp->ports, &half->tuple);
	release(half);
}

/* --- out ------------------------------------------------------------------------------- */

/* A segment of the record, but for its options. */
static struct hv_tcp_bare bare_of(const struct hv_tcp_half_open *half, uint8_t flags)
{
	return (struct hv_tcp_bare){
		.src = &half->tuple.local,
		.dst = &half->tuple.remote,
		.src_port = half->tuple.local_port,
		.dst_port = half->tuple.remote_port,
		.seq = flags & HV_TCP_SYN ? half->iss : half->iss + 1,
		.ack = half->irs + 1,
		.flags = flags,
		.hop_limit = half->listener->options.hop_limit,
		.traffic_class = half->listener->options.traffic_class,
		.window = offered_window(half->listener),
	};
}

void hv_tcp_half_open_answer(const struct hv_tcp_half_open *half)
{
	struct hv_tcp *tcp = half->listener->tcp;
	struct hv_tcp_bare bare =
		bare_of(half, HV_TCP_SYN | HV_TCP_ACK |
				      (half->ecn && !half->ecn_mute ? HV_TCP_ECE : 0));
	struct hv_tcp_options options = {
		.has_mss = true,
		.mss = offered_mss(half),
		.has_window_scale = half->wscale_ok,
		.has_timestamps = half->timestamps,
		.sack_permitted = half->sack_ok,
		.ts_echo = half->ts_recent,
	};
	uint8_t fast_open[HV_TCP_FASTOPEN_COOKIE];

	if (half->wscale_ok)
		options.window_scale =
			hv_tcp_window_scale_for(tcp->config.receive_buffer_bytes);
	if (half->timestamps)
		options.ts_value = half->cookie
					   ? hv_tcp_syn_cookie_stamp(timestamp_of(half), half)
					   : timestamp_of(half);
	if (half->ecn && tcp->config.ecn == HV_TCP_ECN_MORE)
		bare.traffic_class |= HV_ECN_ECT_0; /* RFC 5562 */
	if (half->fast_open && !half->cookie) {
		hv_tcp_fast_open_cookie(tcp->core, &half->tuple, fast_open);
		options.has_fast_open = true;
		options.fast_open = fast_open;
		options.fast_open_len = sizeof(fast_open);
	}
	bare.options = &options;
	hv_tcp_send_bare(tcp, &bare);
}

/* The ACK that tells a peer where we are; twice a second at most, as for a connection. */
static void challenge(struct hv_tcp_half_open *half)
{
	struct hv_tcp *tcp = half->listener->tcp;
	struct hv_tcp_bare bare = bare_of(half, HV_TCP_ACK);
	struct hv_tcp_options options = {
		.has_timestamps = true,
		.ts_echo = half->ts_recent,
	};

	if (!hv_tcp_challenge_allowed(tcp, &half->challenged_ms))
		return;
	if (half->timestamps) {
		options.ts_value = timestamp_of(half);
		bare.options = &options;
	}
	hv_tcp_send_bare(tcp, &bare);
}

static void retransmit_or_end(struct hv_tcp *tcp, struct hv_tcp_half_open *half)
{
	if (half->retries >= HV_TCP_RETRIES_SYN_ACK) {
		hv_tcp_half_open_free(half);
		return;
	}
	hv_list_remove(&half->link);
	half->retries++;
	tcp->retransmits++;
	wait_for_answer(half);
	/* It was answered, and only data is missing: asked for once more at the end (TCP_DEFER_ACCEPT). */
	if (!half->deferred || half->retries >= half->listener->options.defer)
		hv_tcp_half_open_answer(half);
}

void hv_tcp_half_open_fire(struct hv_timer *timer)
{
	struct hv_tcp *tcp = hv_container(timer, struct hv_tcp, half_open_timer);
	uint64_t next_ns = UINT64_MAX;

	/* Those that are retransmitted wait in the next list: from the last one down, each is seen once. */
	for (unsigned i = HV_TCP_HALF_OPEN_LISTS; i-- > 0;) {
		struct hv_list *list = &tcp->half_open[i];

		while (!hv_list_is_empty(list)) {
			struct hv_tcp_half_open *first =
				hv_container(list->next, struct hv_tcp_half_open, link);

			if (deadline_of(first) > tcp->core->now_ns)
				break;
			retransmit_or_end(tcp, first);
		}
	}
	for (unsigned i = 0; i < HV_TCP_HALF_OPEN_LISTS; i++) {
		struct hv_list *list = &tcp->half_open[i];
		struct hv_tcp_half_open *first =
			hv_container(list->next, struct hv_tcp_half_open, link);

		if (!hv_list_is_empty(list) && deadline_of(first) < next_ns)
			next_ns = deadline_of(first);
	}
	if (next_ns != UINT64_MAX)
		hv_timer_set(&tcp->core->wheel, timer, next_ns);
}

void hv_tcp_half_open_reset(struct hv_tcp_half_open *half)
{
	struct hv_tcp_bare bare = bare_of(half, HV_TCP_RST | HV_TCP_ACK);

	bare.window = 0;
	hv_tcp_send_bare(half->listener->tcp, &bare);
	hv_tcp_half_open_free(half);
}

void hv_tcp_half_open_reset_all(struct hv_tcp_listener *listener)
{
	while (!hv_list_is_empty(&listener->half_open))
		hv_tcp_half_open_reset(
			hv_container(listener->half_open.next, struct hv_tcp_half_open, queue));
}

/* --- in -------------------------------------------------------------------------------- */

/* RFC 9293 section 3.10.7.4, first check: as hv_tcp_is_acceptable(). */
static bool is_acceptable(const struct hv_tcp_half_open *half, const struct hv_desc *d)
{
	uint32_t next = half->irs + 1, window = offered_window(half->listener);
	uint32_t size =
		d->payload_len + !!(d->tcp_flags & HV_TCP_FIN) + !!(d->tcp_flags & HV_TCP_SYN);

	if (size == 0)
		return d->seq - next <= window;
	return hv_seq_lt(d->seq, next + window) && hv_seq_gt(d->seq + size, next);
}

/* RFC 7323 section 5.3 R1: no timestamp where one was agreed upon, or an old one. */
static bool is_old(const struct hv_tcp_half_open *half, const struct hv_desc *d)
{
	struct hv_tcp_options options;

	if (!half->timestamps)
		return false;
	hv_tcp_options_read(d, &options);
	return !options.has_timestamps || hv_seq_lt(options.ts_value, half->ts_recent);
}

/* What comes before the ACK is looked at. HV_DROP_COUNT: go on; else why the segment is dropped; the record may be gone. */
static int check_segment(struct hv_tcp_half_open *half, const struct hv_desc *d)
{
	if (d->tcp_flags & HV_TCP_RST) {
		/* RFC 5961 section 3.2: exactly next resets; in the window asks back. */
		if (d->seq == half->irs + 1) {
			hv_tcp_half_open_free(half);
			return HV_DROP_TCP_CLOSED;
		}
		if (is_acceptable(half, d))
			challenge(half);
		return HV_DROP_TCP_WINDOW;
	}
	if ((d->tcp_flags & HV_TCP_SYN) && d->seq == half->irs) {
		if (!(d->tcp_flags & HV_TCP_ACK)) { /* our SYN-ACK was lost */
			/* What it makes of a SYN-ACK on its way, nobody knows: marks are echoed,
			 * and nothing of ours is ECN-capable (RFC 3168 section 6.1.1). */
			half->ecn_mute |= !hv_tcp_ecn_accepts(half->listener->tcp, d);
			hv_tcp_half_open_answer(half);
		}
		return HV_DROP_TCP_DUPLICATE;
	}
	if (!is_acceptable(half, d)) {
		challenge(half);
		return HV_DROP_TCP_WINDOW;
	}
	if (is_old(half, d)) {
		challenge(half);
		return HV_DROP_TCP_PAWS;
	}
	if (d->tcp_flags & HV_TCP_SYN) {
		/* Fourth check: a passive open returns to LISTEN. The client's next SYN finds it there. */
		hv_tcp_half_open_free(half);
		return HV_DROP_TCP_FLAGS;
	}
	return d->tcp_flags & HV_TCP_ACK ? HV_DROP_COUNT : HV_DROP_TCP_FLAGS;
}

struct hv_tcp_conn *hv_tcp_half_open_input(struct hv_tcp_half_open *half,
					   const struct hv_packet *packet, int *reason)
{
	const struct hv_desc *d = &packet->d;
	struct hv_tcp *tcp = half->listener->tcp;

	*reason = check_segment(half, d);
	if (*reason != HV_DROP_COUNT)
		return NULL;
	if (d->ack != half->iss + 1) { /* fifth check: <SEQ=SEG.ACK><CTL=RST> */
		hv_tcp_send_reset_for(tcp, packet);
		*reason = HV_DROP_TCP_ACK;
		return NULL;
	}
	half->verified = true;
	/* TCP_DEFER_ACCEPT: the server has nothing to do before the client speaks. */
	if (!d->payload_len && !(d->tcp_flags & HV_TCP_FIN) &&
	    half->retries < half->listener->options.defer) {
		half->deferred = true;
		return NULL;
	}
	return hv_tcp_half_open_establish(half, reason);
}

struct hv_tcp_conn *hv_tcp_half_open_establish(struct hv_tcp_half_open *half, int *reason)
{
	struct hv_tcp *tcp = half->listener->tcp;
	struct hv_tcp_options options = {
		.has_mss = half->peer_mss,
		.mss = half->peer_mss,
		.has_window_scale = half->wscale_ok,
		.window_scale = half->peer_wscale,
		.has_timestamps = half->timestamps,
		.ts_value = half->ts_recent,
		.sack_permitted = half->sack_ok,
	};
	struct hv_tcp_syn syn = {
		.irs = half->irs,
		.window = half->window,
		.options = &options,
		.answered = true,
		.iss = half->iss,
		.ecn = half->ecn,
		.ecn_mute = half->ecn_mute,
		.settings = &half->listener->options,
		.replaces = half->cookie ? NULL : &half->tuple,
	};
	struct hv_tcp_conn *conn;
	int error = 0;

	if (!hv_tcp_listener_has_room(half->listener)) {
		/* Not complete for us: SYN-ACK goes out again, and the client repeats its data. */
		*reason = HV_DROP_TCP_LISTEN_OVERFLOW;
		return NULL;
	}
	conn = hv_tcp_conn_new(tcp, &error);
	if (!conn) { /* the record stays: another SYN-ACK, another try */
		*reason = error == -EMFILE ? HV_DROP_TCP_CONNECTION_LIMIT : HV_DROP_NO_MEMORY;
		return NULL;
	}
	if (hv_tcp_conn_open_passive(conn, &half->tuple, &syn) < 0) {
		*reason = HV_DROP_NO_MEMORY;
		return NULL;
	}
	conn->listener = half->listener;
	conn->retries = half->retries;
	conn->count.segs_out = 1u + half->retries;
	/* Karn: RFC 6298 section 3; and what was put off says nothing. */
	conn->timing = !half->cookie && !half->retries && !half->deferred;
	conn->rtt_seq = conn->snd_nxt;
	conn->rtt_start_ns = half->sent_ns;
	if (!half->cookie)
		release(half);
	hv_tcp_arm_retransmit(conn);
	return conn;
}

void hv_tcp_half_open_icmp(struct hv_tcp_half_open *half, const struct hv_icmp_report *report)
{
	/* RFC 5927 section 4.1: only what quotes the one segment that is under way is believed. */
	if (hv_get32(report->transport + 4) == half->iss && report->hard &&
	    report->error != EMSGSIZE)
		hv_tcp_half_open_free(half);
}
