/* TCP_INFO: the layout is Linux's, and what the fields say is true. */
#include <linux/tcp.h>
#include <stddef.h>

#include "tcp/fixture.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_receive.h"

#define SAME(name)                                                            \
	static_assert(offsetof(struct hv_tcp_info, name) ==                   \
			      offsetof(struct tcp_info, tcpi_##name),         \
		      "tcpi_" #name);                                         \
	static_assert(sizeof(((struct hv_tcp_info *)NULL)->name) ==           \
			      sizeof(((struct tcp_info *)NULL)->tcpi_##name), \
		      "size of tcpi_" #name)

SAME(state);
SAME(ca_state);
SAME(retransmits);
SAME(probes);
SAME(backoff);
SAME(options);
SAME(rto);
SAME(ato);
SAME(snd_mss);
SAME(rcv_mss);
SAME(unacked);
SAME(sacked);
SAME(lost);
SAME(retrans);
SAME(fackets);
SAME(last_data_sent);
SAME(last_ack_sent);
SAME(last_data_recv);
SAME(last_ack_recv);
SAME(pmtu);
SAME(rcv_ssthresh);
SAME(rtt);
SAME(rttvar);
SAME(snd_ssthresh);
SAME(snd_cwnd);
SAME(advmss);
SAME(reordering);
SAME(rcv_rtt);
SAME(rcv_space);
SAME(total_retrans);
SAME(pacing_rate);
SAME(max_pacing_rate);
SAME(bytes_acked);
SAME(bytes_received);
SAME(segs_out);
SAME(segs_in);
SAME(notsent_bytes);
SAME(min_rtt);
SAME(data_segs_in);
SAME(data_segs_out);
SAME(delivery_rate);
SAME(busy_time);
SAME(rwnd_limited);
SAME(sndbuf_limited);
SAME(delivered);
SAME(delivered_ce);
SAME(bytes_sent);
SAME(bytes_retrans);
SAME(dsack_dups);
SAME(reord_seen);
SAME(rcv_ooopack);
SAME(snd_wnd);
/* What newer headers have behind it: rcv_wnd and rehash. */
static_assert(offsetof(struct hv_tcp_info, rcv_wnd) == 232, "tcpi_rcv_wnd");
static_assert(offsetof(struct hv_tcp_info, rehash) == 236, "tcpi_rehash");

static const uint8_t bytes[20000];

static struct hv_tcp_info info_of(const struct script *s)
{
	struct hv_tcp_info info;

	memset(&info, 0xaa, sizeof(info));
	assert_int_equal(hv_tcp_info(s->conn, &info, sizeof(info)), sizeof(info));
	return info;
}

/* The peer connects; its round trip is 20 ms. */
static void accept_slowly(struct script *s)
{
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_wait_ms(s, 20);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
}

static void test_numbers_as_linux(void **state)
{
	(void)state;
	assert_int_equal(HV_TCP_INFO_ESTABLISHED, 1);
	assert_int_equal(HV_TCP_INFO_CLOSING, 11);
	assert_int_equal(HV_TCP_INFO_OPEN, TCP_CA_Open);
	assert_int_equal(HV_TCP_INFO_DISORDER, TCP_CA_Disorder);
	assert_int_equal(HV_TCP_INFO_CWR, TCP_CA_CWR);
	assert_int_equal(HV_TCP_INFO_RECOVERY, TCP_CA_Recovery);
	assert_int_equal(HV_TCP_INFO_LOSS, TCP_CA_Loss);
	assert_int_equal(HV_TCP_INFO_TIMESTAMPS, TCPI_OPT_TIMESTAMPS);
	assert_int_equal(HV_TCP_INFO_SACK, TCPI_OPT_SACK);
	assert_int_equal(HV_TCP_INFO_WSCALE, TCPI_OPT_WSCALE);
	assert_int_equal(HV_TCP_INFO_ECN, TCPI_OPT_ECN);
	assert_int_equal(HV_TCP_INFO_ECN_SEEN, TCPI_OPT_ECN_SEEN);
	assert_int_equal(HV_TCP_INFO_SYN_DATA, TCPI_OPT_SYN_DATA);
}

/* The bit fields cannot be asked for their offset: look where their bits are. */
static void test_bit_fields(void **state)
{
	struct tcp_info linux_info = {.tcpi_snd_wscale = 3, .tcpi_rcv_wscale = 9};
	struct script *s = *state;
	struct hv_tcp_info info;

	memcpy(&info, &linux_info, sizeof(linux_info));
	assert_int_equal(info.wscale, 3 | 9 << 4);
	s->syn.has_window_scale = true;
	s->syn.window_scale = 5;
	script_accept(s);
	info = info_of(s);
	memcpy(&linux_info, &info, sizeof(linux_info));
	assert_int_equal(linux_info.tcpi_snd_wscale, 5);
	assert_int_equal(linux_info.tcpi_rcv_wscale, 7);
}

static void test_after_handshake(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->timestamps = true;
	s->syn.sack_permitted = true;
	script_connect(s);
	info = info_of(s);
	assert_int_equal(info.state, HV_TCP_INFO_ESTABLISHED);
	assert_int_equal(info.ca_state, HV_TCP_INFO_OPEN);
	assert_int_equal(info.options, HV_TCP_INFO_TIMESTAMPS | HV_TCP_INFO_SACK);
	assert_int_equal(info.snd_mss, 988);
	assert_int_equal(info.advmss, 1460);
	assert_int_equal(info.pmtu, 1500);
	assert_int_equal(info.snd_cwnd, 10);
	assert_int_equal(info.snd_ssthresh, 0x7fffffff);
	assert_int_equal(info.reordering, 3);
	assert_int_equal(info.segs_out, 2);
	assert_int_equal(info.segs_in, 1);
	assert_int_equal(info.data_segs_out, 0);
	assert_int_equal(info.bytes_acked, 1); /* the SYN, as Linux counts */
	assert_int_equal(info.bytes_sent, 0);
	assert_int_equal(info.delivered, 1);
	assert_int_equal(info.unacked, 0);
	assert_int_equal(info.rto, 200000);
	assert_int_equal(info.snd_wnd, 65535);
	assert_int_equal(info.min_rtt, UINT32_MAX); /* not known yet */
	assert_true(info.max_pacing_rate == UINT64_MAX);
	assert_int_equal(info.last_ack_sent, 0);
}

static void test_data_out(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->syn.sack_permitted = true;
	accept_slowly(s);
	assert_int_equal(host_send(s->conn, bytes, 12500), 12500);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	info = info_of(s);
	assert_int_equal(info.unacked, 10); /* the initial window */
	assert_int_equal(info.notsent_bytes, 2500);
	assert_int_equal(info.data_segs_out, 10);
	assert_int_equal(info.segs_out, 11);
	assert_int_equal(info.bytes_sent, 10000);
	assert_int_equal(info.bytes_acked, 0);
	assert_int_equal(info.last_data_sent, 0);
	script_wait_ms(s, 20);
	script_in(s, FLAGS_A, 1, 4001, NULL, 0);
	info = info_of(s);
	assert_int_equal(info.bytes_acked, 4000);
	assert_int_equal(info.delivered, 5);
	assert_int_equal(info.rtt, 20000);
	assert_int_equal(info.min_rtt, 20000);
	assert_int_equal(info.last_ack_recv, 0);
	assert_int_equal(info.busy_time, 20000);
	assert_int_equal(info.rwnd_limited, 0);
	script_in(s, FLAGS_A, 1, 12501, NULL, 0);
	script_wait_ms(s, 30);
	info = info_of(s);
	assert_int_equal(info.unacked, 0);
	assert_int_equal(info.busy_time, 20000); /* and nothing after it */
	assert_int_equal(info.last_ack_recv, 30);
	assert_int_equal(info.bytes_acked, 12500);
	assert_int_equal(info.bytes_retrans, 0);
}

/* Twice the window in a round trip of slow start; a path without length is not paced. */
static void test_pacing_rate(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.no_pacing = false;
	accept_slowly(s);
	assert_true(info_of(s).pacing_rate == 10 * 1000 * 2 * 50);
	s->host.tcp.config.no_pacing = true;
	assert_true(info_of(s).pacing_rate == UINT64_MAX);
}

static void test_loss(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->syn.sack_permitted = true;
	accept_slowly(s);
	assert_int_equal(host_send(s->conn, bytes, 10000), 10000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	script_wait_ms(s, 20);
	s->extra.sack_count = 1;
	s->extra.sack[0][0] = s->host_iss + 1001;
	s->extra.sack[0][1] = s->host_iss + 2001;
	s->no_flush = true;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	info = info_of(s);
	assert_int_equal(info.ca_state, HV_TCP_INFO_DISORDER);
	assert_int_equal(info.sacked, 1);
	assert_int_equal(info.delivered, 2);
	s->extra.sack[0][1] = s->host_iss + 4001;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	info = info_of(s);
	assert_int_equal(info.ca_state, HV_TCP_INFO_RECOVERY);
	assert_int_equal(info.sacked, 3);
	assert_int_equal(info.lost, 1);
	assert_int_equal(info.retrans, 0);
	hv_tcp_flush(&s->host.tcp);
	info = info_of(s);
	assert_int_equal(info.lost, 1);
	assert_int_equal(info.retrans, 1);
	assert_int_equal(info.total_retrans, 1);
	assert_int_equal(info.bytes_retrans, 1000);
	assert_int_equal(info.bytes_sent, 11000);
	assert_true(info.snd_ssthresh < 10);
	script_skip(s);
}

static void test_time_out(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	script_accept(s);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	script_wait_ms(s, 1000);
	info = info_of(s);
	assert_true(info.retransmits > 0);
	assert_int_equal(info.retransmits, info.backoff);
	assert_int_equal(info.ca_state, HV_TCP_INFO_LOSS);
	assert_int_equal(info.snd_cwnd, 1);
	assert_int_equal(info.total_retrans, info.retransmits);
	assert_int_equal(info.probes, 0);
	script_skip(s);
}

static void test_peer_window(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->peer_window = 2000;
	script_accept(s);
	host_send(s->conn, bytes, 5000);
	hv_tcp_flush(&s->host.tcp);
	script_wait_ms(s, 10);
	info = info_of(s);
	assert_int_equal(info.rwnd_limited, 10000);
	assert_int_equal(info.busy_time, 10000);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	script_wait_ms(s, 1000);
	info = info_of(s);
	assert_true(info.probes > 0);
	assert_int_equal(info.retransmits, 0);
	assert_int_equal(info.rwnd_limited, 1010000);
	assert_int_equal(info.snd_wnd, 0);
	script_skip(s);
}

static void test_send_buffer(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, SOL_SOCKET, SO_SNDBUF, 2500), 0);
	assert_true(host_send(s->conn, bytes, sizeof(bytes)) < 10000);
	hv_tcp_flush(&s->host.tcp);
	script_wait_ms(s, 10);
	info = info_of(s);
	assert_int_equal(info.sndbuf_limited, 10000);
	assert_int_equal(info.rwnd_limited, 0);
	script_skip(s);
}

static void test_data_in(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->syn.sack_permitted = true;
	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	script_in(s, FLAGS_FA, 3001, 1, NULL, 0);
	script_wait_ms(s, 7);
	info = info_of(s);
	assert_int_equal(info.state, HV_TCP_INFO_CLOSE_WAIT);
	assert_int_equal(info.bytes_received, 3001); /* with the FIN */
	assert_int_equal(info.data_segs_in, 3);
	assert_int_equal(info.segs_in, 5); /* the ACK of the handshake, and the FIN */
	assert_int_equal(info.rcv_ooopack, 1);
	assert_int_equal(info.rcv_mss, 1000);
	assert_int_equal(info.last_data_recv, 7);
	assert_int_equal(info.rcv_wnd, hv_tcp_receive_window(s->conn));
	script_skip(s);
}

static void test_duplicate_told(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	host_send(s->conn, bytes, 3000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	s->extra.sack_count = 1;
	s->extra.sack[0][0] = s->host_iss + 1;
	s->extra.sack[0][1] = s->host_iss + 1001;
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	assert_int_equal(info_of(s).dsack_dups, 1);
	script_skip(s);
}

static void test_short_buffer(void **state)
{
	uint8_t short_buffer[12] = {0};
	struct script *s = *state;

	script_accept(s);
	memset(short_buffer, 0xee, sizeof(short_buffer));
	assert_int_equal(hv_tcp_info(s->conn, short_buffer, 5), 5);
	assert_int_equal(short_buffer[0], HV_TCP_INFO_ESTABLISHED);
	assert_int_equal(short_buffer[5], 0xee);
	assert_int_equal(hv_tcp_info(s->conn, short_buffer, 0), 0);
}

static void test_listener(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(hv_tcp_listener_info(s->listener, &info, sizeof(info)), sizeof(info));
	assert_int_equal(info.state, HV_TCP_INFO_LISTEN);
	assert_int_equal(info.unacked, 1); /* waits for accept */
	assert_int_equal(info.sacked, 4);
	hv_tcp_listener_info(NULL, &info, sizeof(info));
	assert_int_equal(info.state, HV_TCP_INFO_CLOSE);
}

static void test_memory(void **state)
{
	uint32_t values[HV_TCP_MEMORY_VALUES];
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	host_send(s->conn, bytes, 700);
	hv_tcp_memory(s->conn, values);
	assert_int_equal(sizeof(values), 36);
	assert_int_equal(values[0], 1000);
	assert_int_equal(values[1], s->conn->receive_limit);
	assert_int_equal(values[3], s->conn->send.limit);
	assert_int_equal(values[5], 700);
	script_skip(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_as_linux),
		SCRIPT_TEST(test_bit_fields),
		SCRIPT_TEST(test_after_handshake),
		SCRIPT_TEST(test_data_out),
		SCRIPT_TEST(test_pacing_rate),
		SCRIPT_TEST(test_loss),
		SCRIPT_TEST(test_time_out),
		SCRIPT_TEST(test_peer_window),
		SCRIPT_TEST(test_send_buffer),
		SCRIPT_TEST(test_data_in),
		SCRIPT_TEST(test_duplicate_told),
		SCRIPT_TEST(test_short_buffer),
		SCRIPT_TEST(test_listener),
		SCRIPT_TEST(test_memory),
	};

	return cmocka_run_group_tests_name("tcp info", tests, NULL, NULL);
}
