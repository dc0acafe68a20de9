/*
 * Connections and the stack's filter: asked once, when a SYN comes to a listener or connect() chose its ports. After
 * that the port table says what belongs to a connection, and no segment of it is asked about.
 *
 * The forwarder's connections are not asked about here. They are told from others by tuple.hold: nobody here bound
 * their local end.
 */
#include "tcp/tcp_filter.h"

#include "filter/filter_track.h"
#include "tcp/tcp_half_open.h"
#include "tcp/tcp_output.h"

static struct hv_filter_ends ends_of(const struct hv_tuple *tuple)
{
	return (struct hv_filter_ends){
		.local = tuple->local,
		.remote = tuple->remote,
		.local_port = tuple->local_port,
		.remote_port = tuple->remote_port,
		.protocol = IPPROTO_TCP,
	};
}

/* Of a segment that came in. */
static struct hv_filter_ends ends_of_packet(const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;

	return (struct hv_filter_ends){
		.local = d->dst,
		.remote = d->src,
		.local_port = d->dst_port,
		.remote_port = d->src_port,
		.protocol = IPPROTO_TCP,
	};
}

/* What the answer means for a segment that came in. */
static int apply(struct hv_tcp *tcp, const struct hv_packet *packet,
		 enum hv_filter_answer answer)
{
	switch (answer) {
	case HV_FILTER_PASS:
		return HV_DROP_COUNT;
	case HV_FILTER_NO_MEMORY:
		return HV_DROP_NO_MEMORY;
	case HV_FILTER_REFUSE:
		hv_tcp_send_reset_for(tcp, packet);
		break;
	case HV_FILTER_SWALLOW:
		break;
	}
	return HV_DROP_FILTER;
}

int hv_tcp_filter_syn(struct hv_tcp *tcp, const struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of_packet(packet);

	if (!tcp->filter)
		return HV_DROP_COUNT;
	return apply(tcp, packet, hv_filter_stream_begin(tcp->filter, &ends, HAVEN_IN));
}

int hv_tcp_filter_cookie(struct hv_tcp *tcp, const struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of_packet(packet);

	if (!tcp->filter)
		return HV_DROP_COUNT;
	return apply(tcp, packet, hv_filter_stream_resume(tcp->filter, &ends, HAVEN_IN));
}

int hv_tcp_filter_stray(struct hv_tcp *tcp, const struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of_packet(packet);

	if (!tcp->filter)
		return HV_DROP_COUNT;
	return apply(tcp, packet, hv_filter_ask(tcp->filter, &ends, HAVEN_IN));
}

void hv_tcp_filter_forget(struct hv_tcp *tcp, const struct hv_packet *packet)
{
	struct hv_filter_ends ends = ends_of_packet(packet);

	if (tcp->filter)
		hv_filter_stream_end(tcp->filter, &ends, 0);
}

int hv_tcp_filter_connect(struct hv_tcp_conn *conn)
{
	struct hv_filter_ends ends = ends_of(&conn->tuple);

	if (!conn->tcp->filter)
		return 0;
	switch (hv_filter_stream_begin(conn->tcp->filter, &ends, HAVEN_OUT)) {
	case HV_FILTER_PASS:
		return 0;
	case HV_FILTER_SWALLOW:
		conn->swallowed = true;
		return 0;
	case HV_FILTER_NO_MEMORY:
		return -ENOMEM;
	case HV_FILTER_REFUSE:
		break;
	}
	return -EPERM;
}

void hv_tcp_filter_end(struct hv_tcp *tcp, const struct hv_tuple *tuple, uint64_t bytes)
{
	struct hv_filter_ends ends = ends_of(tuple);

	if (tcp->filter)
		hv_filter_stream_end(tcp->filter, &ends, bytes);
}

/* --- rules have changed -------------------------------------------------------------------- */

static enum hv_filter_answer again(struct hv_tcp *tcp, const struct hv_tuple *tuple,
				   bool passive)
{
	struct hv_filter_ends ends = ends_of(tuple);

	return hv_filter_stream_again(tcp->filter, &ends, passive ? HAVEN_IN : HAVEN_OUT);
}

/* Whether it must end. */
static bool is_refused(struct hv_tcp_conn *conn)
{
	enum hv_filter_answer answer;

	if (!conn->in_table || (conn->passive && conn->tuple.hold == HV_HOLD_NONE))
		return false;
	answer = again(conn->tcp, &conn->tuple, conn->passive);
	if (conn->swallowed && answer == HV_FILTER_SWALLOW)
		return false; /* it goes nowhere as it is, and ends by time-out */
	conn->swallowed = false;
	return answer != HV_FILTER_PASS;
}

static void end_by_reset(struct hv_tcp_conn *conn)
{
	hv_tcp_hold(conn);
	if (conn->state != HV_TCP_SYN_SENT) /* RFC 9293 section 3.10.5 */
		hv_tcp_send_reset(conn);
	hv_tcp_conn_end(conn, ECONNABORTED);
	hv_tcp_release(conn);
}

/* Half-open records of one list. */
static uint32_t half_open_again(struct hv_tcp *tcp, struct hv_list *list)
{
	struct hv_list *next;
	uint32_t ended = 0;

	for (struct hv_list *node = list->next; node != list; node = next) {
		struct hv_tcp_half_open *half =
			hv_container(node, struct hv_tcp_half_open, link);

		next = node->next;
		if (again(tcp, &half->tuple, true) == HV_FILTER_PASS)
			continue;
		hv_tcp_half_open_reset(half);
		ended++;
	}
	return ended;
}

uint32_t hv_tcp_filter_again(struct hv_tcp *tcp)
{
	struct hv_list *next;
	uint32_t ended = 0;

	if (!tcp->filter)
		return 0;
	for (struct hv_list *node = tcp->connections.next; node != &tcp->connections;
	     node = next) {
		struct hv_tcp_conn *conn = hv_container(node, struct hv_tcp_conn, all);

		next = node->next; /* the connection may be gone after it, no other one is */
		if (!is_refused(conn))
			continue;
		end_by_reset(conn);
		ended++;
	}
	for (unsigned i = 0; i < HV_TCP_HALF_OPEN_LISTS; i++)
		ended += half_open_again(tcp, &tcp->half_open[i]);
	return ended;
}
