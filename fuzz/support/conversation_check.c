/* What must hold of every connection, whatever the peer has sent. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/support/conversation.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_state.h"
#include "tcp/tcp_timer.h"

void conversation_must(bool holds, const char *what, const struct hv_tcp_conn *conn)
{
	if (holds)
		return;
	fprintf(stderr, "conversation: %s\n", what);
	if (conn)
		fprintf(stderr,
			"  %s iss %u una %u nxt %u max %u wnd %u, %u to send; irs %u nxt %u edge %u, %u to "
			"read; cwnd %u mss %u sacked %u lost %u\n",
			hv_tcp_state_name(conn), conn->iss, conn->snd_una, conn->snd_nxt,
			conn->snd_max, conn->snd_wnd, conn->send.used, conn->irs, conn->rcv_nxt,
			conn->rcv_edge, conn->receive.used, conn->cwnd, conn->mss,
			conn->sacked_bytes, conn->lost_bytes);
	abort();
}

/* The sums are those of the records, and these cover what is under way without a gap. */
static void check_scoreboard(const struct hv_tcp_conn *conn)
{
	uint32_t sacked = 0, lost = 0, records = 0, at = conn->snd_una;

	if (!conn->flight || !conn->flight->first) {
		conversation_must(!conn->sacked_bytes && !conn->lost_bytes,
				  "sums of a scoreboard that is empty", conn);
		return;
	}
	for (const struct hv_tcp_sent *s = conn->flight->first; s; s = s->next) {
		conversation_must(s->seq == at && hv_seq_lt(s->seq, s->end),
				  "a gap in the scoreboard", conn);
		conversation_must(!(s->sacked && s->lost), "both SACKed and lost", conn);
		conversation_must(!s->next || s->next->prev == s, "a broken chain", conn);
		sacked += s->sacked ? s->end - s->seq : 0;
		lost += s->lost ? s->end - s->seq : 0;
		at = s->end;
		records++;
	}
	conversation_must(hv_seq_leq(at, conn->snd_max), "records beyond SND.MAX", conn);
	conversation_must(sacked == conn->sacked_bytes, "SACKed bytes are not their sum", conn);
	conversation_must(lost == conn->lost_bytes, "lost bytes are not their sum", conn);
	conversation_must(records <= conn->flight->records, "records are not counted", conn);
}

static void check_sender(const struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn) + (conn->fin_sent ? 1 : 0);

	conversation_must(hv_seq_leq(conn->snd_una, conn->snd_nxt), "SND.UNA is beyond SND.NXT",
			  conn);
	conversation_must(hv_seq_leq(conn->snd_nxt, conn->snd_max), "SND.NXT is beyond SND.MAX",
			  conn);
	conversation_must(hv_seq_leq(conn->snd_max, end), "sent more than there is", conn);
	conversation_must(conn->send.used <= conn->send.size, "more than the ring holds", conn);
	conversation_must(conn->mss > 0 && conn->cwnd > 0, "nothing may be sent at all", conn);
	check_scoreboard(conn);
}

static void check_receiver(const struct hv_tcp_conn *conn)
{
	uint32_t window = conn->rcv_edge - conn->rcv_nxt;

	conversation_must(hv_seq_leq(conn->rcv_nxt, conn->rcv_edge + 1),
			  "RCV.NXT is beyond the window", conn);
	conversation_must((int32_t)window < 0 || window <= UINT32_C(1) << 30,
			  "a window beyond 1 GiB", conn);
	conversation_must(conn->receive.used <= conn->receive.size, "more than the ring holds",
			  conn);
}

/* Something is sent and not answered, or waits to be sent: then a timer runs. */
static void check_alive(const struct hv_tcp_conn *conn)
{
	bool under_way = conn->snd_una != conn->snd_max;
	bool waits = conn->send.used > 0 || (conn->send_ended && !conn->fin_sent);

	if (conn->output.next != &conn->output)
		return; /* its turn comes */
	if (under_way || waits)
		conversation_must(conn->deadlines[HV_TCP_DEADLINE_RETRANSMIT] != 0 ||
					  conn->deadlines[HV_TCP_DEADLINE_PACE] != 0,
				  "nothing will ever move it", conn);
}

void conversation_check(const struct conversation *c)
{
	const struct hv_tcp *tcp = &c->stack->tcp;
	uint32_t count = 0;

	for (const struct hv_list *node = tcp->connections.next; node != &tcp->connections;
	     node = node->next) {
		const struct hv_tcp_conn *conn =
			hv_container(node, const struct hv_tcp_conn, all);

		count++;
		conversation_must(conn->hold == 0 && !conn->dead, "held outside of an entry",
				  conn);
		conversation_must(conn->state < HV_TCP_STATE_COUNT, "a state that there is not",
				  conn);
		if (!hv_tcp_is_synchronized(conn))
			continue;
		check_sender(conn);
		check_receiver(conn);
		if (!c->hampered && c->held == 0)
			check_alive(conn);
	}
	conversation_must(count == tcp->connection_count, "connections are not counted", NULL);
}
