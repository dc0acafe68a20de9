/*
 * SYN cookies (RFC 4987 section 3.6): when no record can be kept of a SYN, the initial sequence
 * number of the SYN-ACK says all that is needed, and the ACK brings it back.
 *
 *	 31                          4 3 2 1   0
 *	+-----------------------------+-----+---+
 *	|  keyed hash, 28 bits        | MSS | m |
 *	+-----------------------------+-----+---+
 *
 * MSS is an index into a table, m the lowest bit of the minute in which it was made. The hash is of both ends, the
 * client's ISN, the MSS and the minute: as good as a secret that changes every minute. A cookie is
 * accepted in its minute and in the next one. Who guesses needs 2^28 ACKs for one connection.
 *
 * Options are kept in the low bits of our timestamp, when the client sends timestamps (as Linux
 * does), and are lost when it does not:
 *
 *	 31                6   5      4     3    0
 *	+--------------------+-----+------+--------+
 *	| clock, ms          | ECN | SACK | wscale |	wscale 15: none
 *	+--------------------+-----+------+--------+
 *
 * They need no secret: who forges them spoils only his own connection.
 */
#include "tcp/tcp_syn_cookie.h"

#include "tcp/tcp_filter.h"
#include "tcp/tcp_options.h"

enum {
	MSS_BITS = 3,
	INDEX_SHIFT = 1,
	STAMP_BITS = 6,
	STAMP_WSCALE = 15,
	STAMP_SACK = 1 << 4,
	STAMP_ECN = 1 << 5,
	HASH_MASK = ~15,
};

#define MINUTE_NS (60 * HV_TCP_SECOND)
/* Cookies of this minute and the one before it are good: so long may an ACK come. */
#define VALID_NS (2 * MINUTE_NS)

/* The largest that is not above what the client said. Common ones: Ethernet, PPPoE, tunnels, jumbo frames, 64 KiB TAP. */
static const uint16_t mss_table[1 << MSS_BITS] = {
	HV_TCP_MSS_MIN, HV_TCP_MSS_DEFAULT_V4, 1220, 1360, 1440, 1460, 8940, 65460,
};

static uint32_t minute_of(const struct hv_core *core)
{
	return (uint32_t)(core->now_ns / MINUTE_NS);
}

static uint32_t hash_of(struct hv_core *core, const struct hv_tuple *tuple, uint32_t irs,
			uint32_t minute, unsigned index)
{
	struct {
		struct hv_addr local, remote;
		uint16_t local_port, remote_port;
		uint32_t irs, minute, index;
	} input = {
		.local = tuple->local,
		.remote = tuple->remote,
		.local_port = tuple->local_port,
		.remote_port = tuple->remote_port,
		.irs = irs,
		.minute = minute,
		.index = index,
	};

	/* Its size alone makes it another function than those of tcp_isn.c, under the same key. */
	static_assert(sizeof(input) == 48, "no padding may be hashed");
	return (uint32_t)hv_siphash(&core->isn_key, &input, sizeof(input)) &
	       (uint32_t)HASH_MASK;
}

static unsigned index_of(uint16_t mss)
{
	unsigned index = (1 << MSS_BITS) - 1;

	while (index > 0 && mss_table[index] > mss)
		index--;
	return index;
}

static uint32_t cookie_of(struct hv_core *core, const struct hv_tuple *tuple, uint32_t irs,
			  uint32_t minute, unsigned index)
{
	return hash_of(core, tuple, irs, minute, index) | index << INDEX_SHIFT | (minute & 1);
}

void hv_tcp_syn_cookie_make(struct hv_tcp_half_open *half)
{
	struct hv_tcp *tcp = half->listener->tcp;
	uint16_t mss = half->peer_mss;

	if (!mss)
		mss = hv_tcp_mss_default(&half->tuple.remote);
	half->cookie = true;
	half->iss = cookie_of(tcp->core, &half->tuple, half->irs, minute_of(tcp->core),
			      index_of(mss));
	if (!half->timestamps)
		half->wscale_ok = half->sack_ok = half->ecn = false;
	half->listener->cookie_ns = tcp->core->now_ns ? tcp->core->now_ns : 1;
	tcp->cookies_sent++;
}

uint32_t hv_tcp_syn_cookie_stamp(uint32_t now_ms, const struct hv_tcp_half_open *half)
{
	const uint32_t mask = (1 << STAMP_BITS) - 1;
	uint32_t bits = half->wscale_ok ? half->peer_wscale : STAMP_WSCALE, stamp;

	if (half->sack_ok)
		bits |= STAMP_SACK;
	if (half->ecn)
		bits |= STAMP_ECN;
	stamp = (now_ms & ~mask) | bits;
	/* Never ahead of our clock: what follows must not look older (RFC 7323 section 5). */
	return (now_ms & mask) < bits ? stamp - (1 << STAMP_BITS) : stamp;
}

/* What the cookie `iss` says about the connection. Returns false when it is not one of ours. */
static bool read_cookie(struct hv_tcp_half_open *half)
{
	struct hv_core *core = half->listener->tcp->core;
	uint32_t minute = minute_of(core);
	unsigned index = half->iss >> INDEX_SHIFT & ((1 << MSS_BITS) - 1);

	if ((half->iss & 1) != (minute & 1))
		minute--;
	if (cookie_of(core, &half->tuple, half->irs, minute, index) != half->iss)
		return false;
	half->peer_mss = mss_table[index];
	half->cookie = true;
	half->verified = true;
	return true;
}

static void read_stamp(struct hv_tcp_half_open *half, const struct hv_tcp_options *options)
{
	uint32_t wscale = options->ts_echo & STAMP_WSCALE;

	half->timestamps = options->has_timestamps;
	half->ts_recent = options->ts_value;
	half->sack_ok = half->timestamps && (options->ts_echo & STAMP_SACK);
	half->wscale_ok = half->timestamps && wscale != STAMP_WSCALE;
	half->ecn = half->timestamps && (options->ts_echo & STAMP_ECN) &&
		    half->listener->tcp->config.ecn;
	half->peer_wscale = (uint8_t)wscale;
}

struct hv_tcp_conn *hv_tcp_syn_cookie_input(struct hv_tcp_listener *listener,
					    const struct hv_packet *packet, int *reason)
{
	static const struct hv_tcp_options none;
	const struct hv_desc *d = &packet->d;
	struct hv_tcp *tcp = listener->tcp;
	struct hv_tcp_options options;
	struct hv_tcp_half_open half;
	struct hv_tcp_conn *conn;

	*reason = HV_DROP_TCP_FLAGS;
	if ((d->tcp_flags & (HV_TCP_SYN | HV_TCP_ACK | HV_TCP_RST)) != HV_TCP_ACK ||
	    !listener->cookie_ns || tcp->core->now_ns - listener->cookie_ns > VALID_NS)
		return NULL;
	hv_tcp_half_open_read(&half, listener, packet, &none);
	half.irs = d->seq - 1;
	half.iss = d->ack - 1;
	if (!read_cookie(&half)) {
		tcp->cookies_bad++;
		*reason = HV_DROP_TCP_COOKIE;
		return NULL;
	}
	hv_tcp_options_read(d, &options);
	read_stamp(&half, &options);
	*reason = hv_tcp_filter_cookie(tcp, packet);
	if (*reason != HV_DROP_COUNT)
		return NULL;
	conn = hv_tcp_half_open_establish(&half, reason);
	if (conn)
		tcp->cookies_good++;
	/* A client that is real deserves a record: its SYN-ACK is repeated until there is room for it. */
	else if (!hv_tcp_half_open_has_room(&half) ||
		 hv_tcp_half_open_keep(&half) != HV_DROP_COUNT)
		hv_tcp_filter_forget(tcp, packet);
	return conn;
}
