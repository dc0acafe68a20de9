/*
 * ICMP errors about segments of ours. Only those that quote a sequence number in flight are
 * believed (RFC 5927 section 4.1), and none of them ends a connection that was established
 * (section 4.2; RFC 9293 section 3.9.2.2).
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_half_open.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_send.h"

/* RFC 1191, RFC 8201. */
static void too_big(struct hv_tcp_conn *conn, const struct hv_icmp_report *report, uint32_t seq)
{
	uint16_t before = conn->mss;

	if (!hv_tcp_path_mtu_claim(conn, report->mtu, seq) || conn->mss >= before ||
	    !hv_tcp_is_synchronized(conn))
		return;
	/* What was too big never arrived; it is no sign of congestion: send it again, smaller. */
	hv_tcp_send_again(conn);
	conn->timing = false;
	hv_tcp_mark(conn);
}

static void error_input(struct hv_tcp_conn *conn, const struct hv_icmp_report *report,
			uint32_t seq)
{
	if (hv_seq_lt(seq, conn->snd_una) || hv_seq_gt(seq, conn->snd_max))
		return;
	if (report->error == EMSGSIZE) {
		if (seq != conn->snd_max)
			too_big(conn, report, seq);
		return;
	}
	if (hv_tcp_is_opening(conn) && report->hard)
		hv_tcp_conn_end(conn, report->error);
	else
		hv_tcp_soft_error(conn, report->error);
}

void hv_tcp_icmp_error(void *ctx, const struct hv_icmp_report *report)
{
	struct hv_tcp *tcp = ctx;
	const uint8_t *quoted = report->transport;
	struct hv_tcp_conn *conn;
	struct hv_tuple *tuple;

	if (report->transport_len < 8)
		return;
	tuple = hv_port_find(tcp->ports, IPPROTO_TCP, &report->src, hv_get16(quoted),
			     &report->dst, hv_get16(quoted + 2));
	if (!tuple)
		return;
	if (tuple->kind == HV_TCP_KIND_HALF_OPEN) {
		/* It may end by that, and its tuple with it. */
		hv_tcp_half_open_icmp(hv_container(tuple, struct hv_tcp_half_open, tuple),
				      report);
		return;
	}
	if (tuple->kind != HV_TCP_KIND_CONN)
		return;
	conn = hv_container(tuple, struct hv_tcp_conn, tuple);
	hv_tcp_hold(conn);
	error_input(conn, report, hv_get32(quoted + 4));
	hv_tcp_release(conn);
}
