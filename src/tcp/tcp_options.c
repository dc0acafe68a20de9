/*
 * Options: what SYN segments agree upon, the segment size that follows from it, and timestamps.
 * Bytes are read and written in wire/tcp.c.
 */
#include "tcp/tcp_options.h"

#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_receive.h"

/* RFC 7323 section 5.5: a timestamp that was quiet for 24 days says nothing. */
#define TS_RECENT_VALID_S (24 * 86400)
/* NOP, NOP, kind 8, length 10: how every common host lays timestamps out (RFC 7323 appendix A). */
#define TIMESTAMP_LAYOUT 0x0101080a

void hv_tcp_options_read(const struct hv_desc *d, struct hv_tcp_options *out)
{
	if (d->options_len == HV_TCP_TIMESTAMP_BYTES &&
	    hv_get32(d->options) == TIMESTAMP_LAYOUT) {
		*out = (struct hv_tcp_options){
			.has_timestamps = true,
			.ts_value = hv_get32(d->options + 4),
			.ts_echo = hv_get32(d->options + 8),
		};
		return;
	}
	*out = (struct hv_tcp_options){0};
	if (d->options_len)
		hv_wire_tcp_options_parse(d->options, d->options_len, out);
}

uint16_t hv_tcp_mss_offer(struct hv_tcp *tcp, const struct hv_addr *remote)
{
	uint32_t mtu = hv_ip_mtu(tcp->ip, remote);
	uint32_t headers = (hv_addr_is_v4(remote) ? 20 : 40) + HV_TCP_HEADER;

	if (mtu < headers + HV_TCP_MSS_MIN)
		return hv_tcp_mss_default(remote);
	return mtu - headers > 65535 ? 65535 : (uint16_t)(mtu - headers);
}

uint8_t hv_tcp_window_scale_for(uint32_t limit_bytes)
{
	uint8_t scale = 0;

	while (scale < HV_TCP_WINDOW_SCALE_MAX && (UINT64_C(65535) << scale) < limit_bytes)
		scale++;
	return scale;
}

static uint32_t clock_s(const struct hv_tcp_conn *conn)
{
	return (uint32_t)(hv_tcp_now(conn) / HV_TCP_SECOND);
}

uint32_t hv_tcp_timestamp_at(const struct hv_tcp_conn *conn, uint64_t time_ns)
{
	return (uint32_t)(time_ns / HV_TCP_MS) + conn->ts_offset;
}

uint32_t hv_tcp_timestamp(const struct hv_tcp_conn *conn)
{
	return hv_tcp_timestamp_at(conn, hv_tcp_now(conn));
}

unsigned hv_tcp_options_syn(struct hv_tcp_conn *conn, bool is_answer, uint8_t *out)
{
	const struct hv_tcp_config *config = &conn->tcp->config;
	struct hv_tcp_options options = {
		.has_mss = true,
		.mss = conn->rcv_mss,
		.has_window_scale = is_answer ? conn->wscale_ok : !config->no_window_scaling,
		.window_scale = conn->rcv_wscale,
		.has_timestamps = is_answer ? conn->timestamps : !config->no_timestamps,
		.sack_permitted = is_answer ? conn->sack_ok : !config->no_sack,
		.ts_value = hv_tcp_timestamp(conn),
		.ts_echo = is_answer ? conn->ts_recent : 0,
	};

	hv_tcp_fast_open_option(conn, &options);
	return hv_wire_tcp_options_write(out, &options);
}

/* SACK blocks (RFC 2018), with the duplicate first (RFC 2883 section 4). */
static void fill_sack(struct hv_tcp_conn *conn, struct hv_tcp_options *options)
{
	unsigned most = conn->timestamps ? 3 : 4, used = 0;

	if (conn->dsack_left != conn->dsack_right) {
		options->sack[0][0] = conn->dsack_left;
		options->sack[0][1] = conn->dsack_right;
		conn->dsack_left = conn->dsack_right;
		used = 1;
	}
	options->sack_count =
		(uint8_t)(used +
			  hv_tcp_reassembly_sack(conn, &options->sack[used], most - used));
}

unsigned hv_tcp_options_data(struct hv_tcp_conn *conn, uint32_t size, uint8_t *out)
{
	/* Not beside data: the MSS leaves no room for it. */
	bool sack = !size && conn->sack_ok &&
		    (conn->blocks || conn->dsack_left != conn->dsack_right);

	if (sack) {
		struct hv_tcp_options options = {
			.has_timestamps = conn->timestamps,
			.ts_value = hv_tcp_timestamp(conn),
			.ts_echo = conn->ts_recent,
		};

		fill_sack(conn, &options);
		return hv_wire_tcp_options_write(out, &options);
	}
	if (!conn->timestamps)
		return 0;
	hv_put32(out, TIMESTAMP_LAYOUT);
	hv_put32(out + 4, hv_tcp_timestamp(conn));
	hv_put32(out + 8, conn->ts_recent);
	return HV_TCP_TIMESTAMP_BYTES;
}

void hv_tcp_options_agree(struct hv_tcp_conn *conn, const struct hv_tcp_options *options)
{
	const struct hv_tcp_config *config = &conn->tcp->config;

	conn->peer_mss = hv_tcp_mss_default(&conn->tuple.remote);
	if (options->has_mss)
		conn->peer_mss = options->mss < HV_TCP_MSS_MIN ? HV_TCP_MSS_MIN : options->mss;
	conn->wscale_ok = options->has_window_scale && !config->no_window_scaling;
	if (conn->wscale_ok) {
		/* RFC 7323 section 2.3: more than 14 is taken as 14. */
		conn->snd_wscale = options->window_scale > HV_TCP_WINDOW_SCALE_MAX
					   ? HV_TCP_WINDOW_SCALE_MAX
					   : options->window_scale;
	} else {
		conn->snd_wscale = 0;
		conn->rcv_wscale = 0;
	}
	conn->sack_ok = options->sack_permitted && !config->no_sack;
	conn->timestamps = options->has_timestamps && !config->no_timestamps;
	if (conn->timestamps) {
		conn->ts_recent = options->ts_value;
		conn->ts_recent_s = clock_s(conn);
	}
	hv_tcp_mss_update(conn);
}

void hv_tcp_mss_update(struct hv_tcp_conn *conn)
{
	uint32_t mss = hv_tcp_mss_offer(conn->tcp, &conn->tuple.remote);

	if (conn->peer_mss && conn->peer_mss < mss)
		mss = conn->peer_mss;
	if (conn->user_mss && conn->user_mss < mss)
		mss = conn->user_mss;
	mss = hv_tcp_path_mtu_limit(conn, (uint16_t)mss);
	conn->path.known = (uint16_t)hv_ip_mtu(conn->tcp->ip, &conn->tuple.remote);
	/* The MSS option does not count options; what we send does (RFC 6691 section 2). */
	if (conn->timestamps)
		mss -= HV_TCP_TIMESTAMP_BYTES;
	conn->mss = (uint16_t)mss;
}

void hv_tcp_mss_limit(struct hv_tcp_conn *conn, uint16_t user_mss)
{
	conn->user_mss = user_mss;
	conn->rcv_mss = hv_tcp_mss_offer(conn->tcp, &conn->tuple.remote);
	if (user_mss && user_mss < conn->rcv_mss)
		conn->rcv_mss = user_mss;
	hv_tcp_mss_update(conn);
}

bool hv_tcp_paws_reject(const struct hv_tcp_conn *conn, const struct hv_desc *d,
			const struct hv_tcp_options *options)
{
	if (!conn->timestamps || (d->tcp_flags & HV_TCP_RST))
		return false;
	if (!options->has_timestamps)
		return true; /* RFC 7323 section 3.2: SHOULD be dropped once agreed upon */
	if (!hv_seq_lt(options->ts_value, conn->ts_recent))
		return false;
	return clock_s(conn) - conn->ts_recent_s < TS_RECENT_VALID_S;
}

void hv_tcp_timestamp_note(struct hv_tcp_conn *conn, uint32_t seq,
			   const struct hv_tcp_options *options)
{
	if (!conn->timestamps || !options->has_timestamps)
		return;
	/* Last.ACK.sent decides, so that an ACK that was delayed echoes the first (section 4.3). */
	if (hv_seq_gt(seq, conn->ack_sent))
		return;
	conn->ts_recent = options->ts_value;
	conn->ts_recent_s = clock_s(conn);
}
