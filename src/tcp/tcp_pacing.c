/*
 * Pacing: the window is spread over the round trip where it would else leave in a burst: in slow start, when one
 * ACK stands for many segments, and after a hole is filled. A queue on the path that is smaller than the
 * burst would lose what it is able to carry.
 *
 * It is a bucket that fills at twice the rate of the window in slow start, and at 1.2 times that rate afterwards, so
 * that the window, and not the bucket, is the limit in the long run. It holds ten segments, which every path has to
 * take from a new connection (RFC 6928), or what the rate allows in a millisecond: short exchanges and the ACK
 * clock never meet its bottom. Where the application or the peer's window is the limit, it holds 64 KiB, one packet
 * of an offload: such a flow fills no queue by and by, and parts of a small window would only meet delayed ACKs.
 * Paths that take less than two milliseconds are local: no queue that is worth a timer.
 *
 * conn->pace_ns is when the bucket would be full again if nothing more were sent (the "theoretical arrival time" of
 * the generic cell rate algorithm).
 */
#include "tcp/tcp_pacing.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_timer.h"

enum {
	SLOW_START_TENTHS = 20,
	AVOIDANCE_TENTHS = 12,
	BURST_SEGMENTS = 10,
	BURST_UNLIMITED = 65536, /* bytes */
	UNLIMITED = UINT32_MAX,
};

#define LOCAL_RTT_NS (2 * HV_TCP_MS)
#define BURST_NS     (1 * HV_TCP_MS)
#define LATE_MAX_NS  (4 * HV_TCP_MS) /* of a timer: what was missed meanwhile goes at once */

static bool is_paced(const struct hv_tcp_conn *conn)
{
	/* A local path with a full queue is local all the same: the least round trip tells, where it is measured. */
	uint64_t path_ns = conn->min_rtt_ns ? conn->min_rtt_ns : conn->srtt_ns;

	return conn->srtt_ns && path_ns >= LOCAL_RTT_NS && !hv_tcp_congestion_is_off(conn) &&
	       !conn->tcp->config.no_pacing;
}

/* The rate is cwnd * tenths / 10 in each srtt. */
static uint64_t tenths(const struct hv_tcp_conn *conn)
{
	return conn->cwnd < conn->ssthresh ? SLOW_START_TENTHS : AVOIDANCE_TENTHS;
}

static uint64_t time_of_ns(const struct hv_tcp_conn *conn, uint32_t bytes)
{
	unsigned __int128 ns = (unsigned __int128)bytes * conn->srtt_ns * 10;

	return (uint64_t)(ns / (conn->cwnd * tenths(conn)));
}

static uint32_t bytes_in(const struct hv_tcp_conn *conn, uint64_t time_ns)
{
	unsigned __int128 bytes = (unsigned __int128)time_ns * conn->cwnd * tenths(conn);
	uint64_t unit = conn->srtt_ns * 10;

	bytes = (bytes + unit - 1) / unit; /* time_of_ns() rounds down */
	return bytes < HV_TCP_CWND_MAX ? (uint32_t)bytes : HV_TCP_CWND_MAX;
}

static uint64_t bucket_ns(const struct hv_tcp_conn *conn)
{
	bool limit =
		hv_tcp_congestion_is_limit(conn) || conn->in_recovery || conn->loss_recovery;
	uint32_t segments = BURST_SEGMENTS * (uint32_t)conn->mss;
	uint64_t burst_ns =
		time_of_ns(conn,
			   limit || segments > BURST_UNLIMITED ? segments : BURST_UNLIMITED);

	return burst_ns > BURST_NS ? burst_ns : BURST_NS;
}

uint32_t hv_tcp_pacing_room(struct hv_tcp_conn *conn)
{
	uint64_t now_ns = hv_tcp_now(conn), bucket, full_ns;
	uint32_t room;

	if (!is_paced(conn))
		return UNLIMITED;
	bucket = bucket_ns(conn);
	full_ns = conn->pace_ns;
	/* More than full it is only if it was waited for, and the timer was late. */
	if (full_ns + (conn->pace_waited ? LATE_MAX_NS : 0) < now_ns)
		full_ns = now_ns - (conn->pace_waited ? LATE_MAX_NS : 0);
	room = full_ns < now_ns + bucket ? bytes_in(conn, now_ns + bucket - full_ns) : 0;
	conn->pace_waited = room < 2 * (uint32_t)conn->mss;
	if (conn->pace_waited) {
		/* Until it is half full: not a timer for each segment. */
		uint64_t wait_ns = full_ns - now_ns - bucket / 2;

		hv_tcp_arm(conn, HV_TCP_DEADLINE_PACE, wait_ns);
	}
	return room;
}

uint64_t hv_tcp_pacing_rate(const struct hv_tcp_conn *conn)
{
	if (!is_paced(conn))
		return UINT64_MAX;
	return (uint64_t)conn->cwnd * tenths(conn) * (HV_TCP_SECOND / 10) / conn->srtt_ns;
}

void hv_tcp_pacing_sent(struct hv_tcp_conn *conn, uint32_t bytes)
{
	uint64_t now_ns = hv_tcp_now(conn);

	if (!is_paced(conn))
		return;
	if (conn->pace_ns < now_ns)
		conn->pace_ns = now_ns;
	conn->pace_ns += time_of_ns(conn, bytes);
}

/*
 * As Linux sizes packets for segmentation: what the rate gives in a millisecond, and more on short paths, where
 * it halves for each half millisecond; at most half of the window, and at least some segments.
 */
uint32_t hv_tcp_pacing_packet(const struct hv_tcp_conn *conn)
{
	uint32_t least = conn->tcp->config.packet_segments * (uint32_t)conn->mss;
	uint32_t half, bytes = 0;
	uint64_t steps;

	if (!least)
		return UINT32_MAX;
	half = conn->cwnd / 2 - conn->cwnd / 2 % conn->mss;
	steps = conn->min_rtt_ns / (512 * 1000);
	if (steps < 16)
		bytes = BURST_UNLIMITED >> steps;
	if (conn->srtt_ns)
		bytes += (uint32_t)(bytes_in(conn, HV_TCP_MS) % HV_TCP_CWND_MAX);
	else
		bytes = BURST_UNLIMITED;
	bytes = bytes > least ? bytes - bytes % conn->mss : least;
	bytes = bytes < half ? bytes : half;
	return bytes > conn->mss ? bytes : conn->mss;
}
