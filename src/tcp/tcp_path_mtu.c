/*
 * Path MTU, without the help of routers: packetisation layer path MTU discovery (RFC 4821), with real data.
 *
 * Down: when time-outs repeat, segments may be too big for a path whose routers say nothing (a black hole):
 *       the MSS falls to what nearly every path carries, then by halves. From then on, upwards again.
 * Up:   one segment in between that is larger, half of the way to the largest possible, with smaller ones behind
 *       it that show its loss. If it arrives that is the new MSS; if only it is lost, the path is narrower, and
 *       that is no sign of congestion. Only with SACK, which tells such a loss from others.
 *
 * Sizes are MSS as the option says it, without TCP's own options.
 */
#include "tcp/tcp_path_mtu.h"

#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_send.h"

enum {
	BASE_MSS_V4 = 1024, /* nearly every path carries it: RFC 4821 section 7.2 */
	BASE_MSS_V6 = 1220, /* every path does: RFC 8200 section 5 */
	SMALL_MSS =
		512, /* what is below is hardly a path; as ip/ believes no router that says less */
	MSS_MIN = 48, /* less is no network */
	/*
	 * Time-outs in a row that make a black hole: R1 of RFC 9293 section 3.8.3; more when segments that large have
	 * arrived, as other losses are likelier then; still more before it gets smaller than paths are.
	 */
	TIMEOUTS = 3,
	TIMEOUTS_CARRIED = 6,
	TIMEOUTS_SMALL = 9,
	CLOSE_ENOUGH = 8, /* bytes: the search ends */
	FOLLOWERS = 4,	  /* segments behind a probe, so that its loss shows */
	WINDOW_SEGMENTS =
		11,    /* least congestion window for a probe: its loss costs little then */
	AGAIN_S = 600, /* the path may have changed: RFC 4821 section 7.7 */
};

static uint32_t headers(const struct hv_tcp_conn *conn)
{
	return (hv_tcp_is_v4(conn) ? 20 : 40) + HV_TCP_HEADER;
}

static uint16_t base_mss(const struct hv_tcp_conn *conn)
{
	return hv_tcp_is_v4(conn) ? BASE_MSS_V4 : BASE_MSS_V6;
}

static uint32_t now_s(const struct hv_tcp_conn *conn)
{
	return (uint32_t)(hv_tcp_now(conn) / HV_TCP_SECOND);
}

/* What peer, user and the path as ip/ knows it allow. */
static uint16_t ceiling(const struct hv_tcp_conn *conn)
{
	uint16_t mss = hv_tcp_mss_offer(conn->tcp, &conn->tuple.remote);

	mss = conn->peer_mss && conn->peer_mss < mss ? conn->peer_mss : mss;
	return conn->user_mss && conn->user_mss < mss ? conn->user_mss : mss;
}

/* TCP's options in each segment. */
static uint16_t options_size(const struct hv_tcp_conn *conn)
{
	return conn->timestamps ? HV_TCP_TIMESTAMP_BYTES : 0;
}

static void search(struct hv_tcp_conn *conn, uint16_t low)
{
	struct hv_tcp_path *path = &conn->path;

	path->searching = true;
	path->high = ceiling(conn);
	path->low = low < path->high ? low : path->high;
	path->probe = 0;
	path->since_s = now_s(conn);
}

void hv_tcp_path_mtu_start(struct hv_tcp_conn *conn)
{
	if (conn->tcp->config.mtu_probing >= 2)
		search(conn, base_mss(conn));
}

uint16_t hv_tcp_path_mtu_limit(const struct hv_tcp_conn *conn, uint16_t mss)
{
	return conn->path.searching && conn->path.low < mss ? conn->path.low : mss;
}

/* --- down ------------------------------------------------------------------------------ */

static void shrink(struct hv_tcp_conn *conn)
{
	uint16_t least = hv_tcp_is_v4(conn) ? MSS_MIN : BASE_MSS_V6, low = base_mss(conn);
	uint32_t outstanding = conn->snd_max - conn->snd_una;
	/* What was lost: with a small send buffer, or little to say, it is less than a full segment. */
	uint32_t lost =
		(outstanding < conn->mss ? outstanding : conn->mss) + options_size(conn);

	if (conn->path.searching && conn->path.low <= low)
		low = conn->path.low / 2;
	if (low >= lost && conn->retries >= TIMEOUTS_SMALL)
		low = (uint16_t)(lost > SMALL_MSS ? SMALL_MSS : lost / 2);
	/* Without SACK it never grows again. */
	if (low < SMALL_MSS && (!conn->sack_ok || conn->retries < TIMEOUTS_SMALL))
		return;
	if (low < least)
		low = least;
	if (low >= lost) /* it was not lost for its size */
		return;
	search(conn, low);
	hv_tcp_mss_update(conn);
}

/* A claim of a router counts when the segment that it is about timed out (RFC 5927 section 7.2). */
static void believe(struct hv_tcp_conn *conn, uint32_t mtu)
{
	conn->path.claim = 0;
	conn->path.acked = 0; /* the path is another one now */
	hv_ip_mtu_note(conn->tcp->ip, &conn->tuple.remote, mtu);
	hv_tcp_mss_update(conn);
}

void hv_tcp_path_mtu_timeout(struct hv_tcp_conn *conn)
{
	struct hv_tcp_path *path = &conn->path;

	if (path->probe && conn->snd_una == path->probe_end - path->probe + options_size(conn))
		path->high = path->probe - 1;
	path->probe = 0;
	if (path->claim && hv_seq_geq(path->claim_seq, conn->snd_una)) {
		believe(conn, path->claim);
		return;
	}
	path->claim = 0;
	if (conn->tcp->config.mtu_probing &&
	    conn->retries >= (path->acked > base_mss(conn) ? TIMEOUTS_CARRIED : TIMEOUTS))
		shrink(conn);
}

bool hv_tcp_path_mtu_claim(struct hv_tcp_conn *conn, uint32_t mtu, uint32_t seq)
{
	struct hv_tcp_path *path = &conn->path;

	if (mtu >= conn->mss + headers(conn) + options_size(conn))
		return false; /* what was sent fits */
	if (path->acked + headers(conn) + options_size(conn) <= mtu ||
	    !hv_tcp_is_synchronized(conn)) {
		believe(conn, mtu);
		return true;
	}
	/*
	 * Larger ones have arrived. Either the path is another one now, then this segment will time out, or somebody
	 * who sees no segment of ours wants us to send small ones, then it will be acknowledged.
	 */
	path->claim = (uint16_t)mtu;
	path->claim_seq = seq;
	return false;
}

/* --- up -------------------------------------------------------------------------------- */

void hv_tcp_path_mtu_acked(struct hv_tcp_conn *conn, uint32_t acked)
{
	struct hv_tcp_path *path = &conn->path;
	uint32_t size = acked < conn->mss ? acked : conn->mss;

	if (path->probe && hv_seq_geq(conn->snd_una, path->probe_end)) {
		path->low = path->probe;
		path->probe = 0;
		path->since_s = now_s(conn);
		hv_tcp_mss_update(conn);
	}
	if (path->acked < size)
		path->acked = (uint16_t)size;
}

bool hv_tcp_path_mtu_lost(struct hv_tcp_conn *conn)
{
	struct hv_tcp_path *path = &conn->path;
	uint32_t size = (uint32_t)path->probe - options_size(conn);
	const struct hv_tcp_sent *lost;

	if (!path->probe || hv_list_is_empty(&conn->flight->lost))
		return false;
	lost = hv_tcp_sent_of(conn->flight->lost.next);
	if (conn->lost_bytes != size || lost->end != path->probe_end ||
	    lost->end - lost->seq != size) {
		path->probe = 0; /* other losses too: it says nothing, and is tried again */
		return false;
	}
	path->high = path->probe - 1;
	path->probe = 0;
	return true;
}

/* What ip/ believes of the path may have come true or run out (RFC 1191 section 6.3). */
static void look_at_route(struct hv_tcp_conn *conn)
{
	struct hv_tcp_path *path = &conn->path;
	uint32_t mtu = hv_ip_mtu(conn->tcp->ip, &conn->tuple.remote);

	if (mtu == path->known || !mtu)
		return;
	path->high = ceiling(conn);
	if (path->low > path->high)
		path->low = path->high;
	hv_tcp_mss_update(conn);
}

/* The next size to be tried. 0: none. */
static uint16_t next_size(struct hv_tcp_conn *conn)
{
	struct hv_tcp_path *path = &conn->path;

	if (path->high <= path->low || path->high - path->low < CLOSE_ENOUGH) {
		if (now_s(conn) - path->since_s < AGAIN_S)
			return 0;
		path->since_s = now_s(conn);
		path->high = ceiling(conn);
		if (path->high <= path->low || path->high - path->low < CLOSE_ENOUGH)
			return 0;
	}
	return (uint16_t)(((uint32_t)path->low + path->high) / 2);
}

static bool is_quiet(const struct hv_tcp_conn *conn)
{
	return conn->sack_ok && hv_tcp_is_synchronized(conn) && !conn->in_recovery &&
	       !conn->loss_recovery && !conn->sacked_bytes && !conn->lost_bytes &&
	       !conn->path.probe;
}

/* Returns whether it went. */
static bool send_probe(struct hv_tcp_conn *conn, uint16_t mss)
{
	uint16_t usual = conn->mss, size = (uint16_t)(mss - options_size(conn));
	uint32_t seq = conn->snd_nxt;
	int status;

	conn->mss = size; /* one segment, not to be cut */
	status = hv_tcp_transmit(conn, seq, size, HV_TCP_ACK);
	conn->mss = usual;
	if (status == -EMSGSIZE)
		conn->path.high = mss - 1;
	if (status < 0)
		return false;
	conn->path.probe = mss;
	conn->path.probe_end = seq + size;
	return true;
}

bool hv_tcp_path_mtu_send(struct hv_tcp_conn *conn)
{
	uint32_t unsent = hv_tcp_send_end(conn) - conn->snd_nxt, flight = hv_tcp_flight(conn);
	uint32_t edge = conn->snd_una + conn->snd_wnd, size, needed;
	uint16_t mss;

	look_at_route(conn);
	if (!conn->path.searching || !is_quiet(conn))
		return false;
	mss = next_size(conn);
	size = (uint32_t)mss - options_size(conn);
	needed = size + FOLLOWERS * (uint32_t)conn->mss;
	/* With FIN acknowledged, snd_nxt is beyond the end. */
	if (!mss || hv_seq_gt(conn->snd_nxt, hv_tcp_send_end(conn)) || unsent < needed ||
	    conn->cwnd < WINDOW_SEGMENTS * (uint32_t)conn->mss || conn->cwnd < size ||
	    hv_seq_gt(conn->snd_nxt + needed, edge))
		return false;
	if (flight + size > conn->cwnd)
		return flight > 0; /* until ACKs have made room for it */
	send_probe(conn, mss);
	return false;
}
