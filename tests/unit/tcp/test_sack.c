/* Loss recovery with SACK: RFC 2018, 2883, 6937, 8985. */
#include "tcp/fixture.h"

#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_send.h"

static uint8_t bytes[200000];

/* Ten segments are under way, and a round trip of 20 ms was measured. */
static void begin(struct script *s)
{
	s->syn.sack_permitted = true;
	script_accept(s);
	assert_true(s->conn->sack_ok);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	script_wait_ms(s, 20);
	script_ack(s, 1001, NULL);
	s->conn->srtt_ns = 20 * HV_TCP_MS; /* the handshake took no time */
	assert_int_equal(host_send(s->conn, bytes, 50000), 50000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1001, 1, 10000);
	script_quiet(s);
	script_wait_ms(s, 20);
}

static uint32_t records(const struct script *s)
{
	uint32_t count = 0, next = s->conn->snd_una;

	for (const struct hv_tcp_sent *sent = s->conn->flight->first; sent; sent = sent->next) {
		assert_int_equal(sent->seq, next); /* no gaps */
		next = sent->end;
		count++;
	}
	assert_int_equal(next, s->conn->snd_nxt);
	return count;
}

static void test_one_lost(void **state)
{
	struct script *s = *state;

	begin(s);
	assert_int_equal(records(s), 1);
	script_ack(s, 1001, SACK(2001, 3001));
	script_out(s, FLAGS_A, 11001, 1, 1000); /* the pipe has room: limited transmit */
	script_ack(s, 1001, SACK(2001, 4001));
	script_out(s, FLAGS_A, 12001, 1, 1000);
	assert_false(s->conn->in_recovery);
	script_ack(s, 1001,
		   SACK(2001, 5001)); /* three: as long as nothing was ever reordered */
	assert_true(s->conn->in_recovery);
	assert_int_equal(s->conn->ssthresh, 6000);
	script_out(s, FLAGS_A, 1001, 1, 1000); /* the hole, once */
	assert_int_equal(s->conn->lost_bytes, 0);
	assert_int_equal(s->conn->sacked_bytes, 3000);
	script_skip(s);
	records(s);
	script_ack(s, 1001, SACK(2001, 11001));
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 1);
	script_wait_ms(s, 20);
	script_ack(s, s->conn->snd_max - s->host_iss, NULL);
	assert_false(s->conn->in_recovery);
	assert_int_equal(s->conn->sacked_bytes, 0);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

/* Two holes are both filled within one round trip: what NewReno cannot. */
static void test_two_lost(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 1001, SACK(4001, 7001, 2001, 3001));
	assert_true(s->conn->in_recovery);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 1001, SACK(4001, 10001, 2001, 3001));
	script_out(s, FLAGS_A, 3001, 1, 1000);
	records(s);
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 2);
}

/* A path that reorders gets patience: a quarter of the least round trip. */
static void test_reordering(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 1001, SACK(2001, 3001));
	script_skip(s);
	script_ack(s, 3001, NULL); /* the first came after all, and was sent once */
	script_skip(s);
	assert_true(s->conn->reordering);
	assert_false(s->conn->in_recovery);
	script_ack(s, 3001,
		   SACK(4001, 9001)); /* five are beyond: time decides, not their number */
	assert_false(s->conn->in_recovery);
	script_skip(s);
	script_wait_ms(s, 4);
	assert_false(s->conn->in_recovery);
	script_wait_ms(s, 2);
	assert_true(s->conn->in_recovery);
	script_out(s, FLAGS_A, 3001, 1, 1000);
}

static void test_duplicate_sack(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 3001, SACK(1001, 2001)); /* it came twice */
	assert_int_equal(s->conn->rack_multiplier, 1);
	assert_false(s->conn->reordering);     /* nothing came out of order */
	script_ack(s, 4001, SACK(2001, 3001)); /* in the same round trip: counts once */
	assert_int_equal(s->conn->rack_multiplier, 1);
	assert_int_equal(s->conn->sacked_bytes, 0);
	script_skip(s);
}

static void test_lost_retransmission(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 1001, SACK(2001, 6001));
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 1001, SACK(2001, 11001));
	assert_true(script_skip(s) > 0); /* new data after it */
	script_wait_ms(s, 20);
	/* What was sent after the retransmission has arrived: it was lost again. */
	script_ack(s, 1001, SACK(2001, s->conn->snd_nxt - s->host_iss));
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 2);
}

static void test_timeout(void **state)
{
	struct script *s = *state;

	begin(s);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_A, 11001, 1, 1000); /* the tail probe, after two round trips */
	script_out(s, FLAGS_A, 1001, 1, 1000);
	assert_int_equal(s->conn->cwnd, 1000);
	script_quiet(s);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 12001, 1, 1000); /* F-RTO asks by new data */
	script_out(s, FLAGS_A, 13001, 1, 1000);
	script_ack(s, 2001, SACK(12001, 13001)); /* the old was lost */
	script_out(s, FLAGS_A, 2001, 1, 1000);
	script_ack(s, 10001, NULL);
	script_skip(s);
	assert_int_equal(s->conn->snd_una - s->host_iss, 10001);
}

/* RFC 8985 section 6.3: what was sent only just before the time-out is not given up. */
static void test_timeout_spares_the_latest(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->tail_out = true; /* no probe in between */
	s->conn->tail_end = s->conn->snd_max + 1000000;
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 11001, 1, 2000);
	script_wait_ms(s, 195);
	s->conn->cwnd += 1000;
	hv_tcp_mark(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 13001, 1, 1000);
	script_wait_ms(s, 10);
	script_out(s, FLAGS_A, 2001, 1, 1000);
	assert_true(s->conn->loss_recovery);
	assert_int_equal(s->conn->lost_bytes, 10000);
	assert_int_equal(s->conn->cwnd,
			 2000); /* the loss window, and what is still under way */
	script_quiet(s);
}

/* RFC 8985 section 7: what is lost at the end is found without a time-out. */
static void begin_tail(struct script *s)
{
	begin(s);
	script_ack(s, 11001, NULL);
	script_skip(s);
	script_wait_ms(s, 20);
	script_ack(s, 31001, NULL);
	script_skip(s);
	script_wait_ms(s, 20);
	script_ack(s, 51001, NULL);
	script_quiet(s);
	s->conn->cwnd = 20000;
	s->conn->srtt_ns = 20 * HV_TCP_MS;
	host_send(s->conn, bytes, 5000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 51001, 1, 5000);
	script_wait_ms(s, 38);
	script_quiet(s);
	script_wait_ms(s, 4);
	script_out(s, FLAGS_A, 55001, 1, 1000); /* the last segment again */
}

static void test_tail_loss(void **state)
{
	struct script *s = *state;

	begin_tail(s);
	script_wait_ms(s, 20);
	script_ack(s, 53001, SACK(55001, 56001));
	script_wait_ms(s, 10);
	script_out(s, FLAGS_A, 53001, 1, 2000); /* what else was lost */
	script_ack(s, 56001, NULL);
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
	assert_int_equal(s->host.tcp.retransmits, 3);
	script_quiet(s);
}

static void test_needless_probe(void **state)
{
	struct script *s = *state;

	begin_tail(s);
	script_ack(s, 56001, NULL); /* it was only late */
	script_ack(s, 56001, SACK(55001, 56001));
	assert_int_equal(s->conn->cwnd, 20000);
	assert_int_equal(s->conn->rack_multiplier, 0);
	assert_false(s->conn->tail_out);
}

static void test_needed_probe(void **state)
{
	struct script *s = *state;

	begin_tail(s);
	script_ack(s, 56001, NULL);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 56001, 1, 1000);
	script_ack(s, 57001, NULL); /* and no D-SACK */
	assert_int_equal(s->conn->cwnd, 10000);
}

/* Slow start counts what each ACK delivers anew: by SACK only where packets are reordered. */
static void test_growth(void **state)
{
	struct script *s = *state;

	begin(s);
	assert_int_equal(s->conn->cwnd, 10000);
	script_ack(s, 1001, SACK(2001, 3001));
	assert_int_equal(s->conn->cwnd, 10000);
	script_ack(s, 3001, NULL);
	assert_int_equal(s->conn->cwnd, 11000);
	assert_int_equal(s->conn->reorder_segments, 2);
	script_skip(s);
	script_ack(s, 3001, SACK(4001, 5001));
	assert_int_equal(s->conn->cwnd, 12000);
}

/* An ACK of half of a large packet says nothing about the other half: no reordering. */
static void test_ack_of_a_part(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 2001, SACK(4001, 5001));
	assert_int_equal(s->conn->sacked_bytes, 1000);
	assert_false(s->conn->reordering);
}

/* An ACK that comes late may SACK what no other did; about old data it says nothing. */
static void test_sack_on_old_ack(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 4001, NULL);
	script_skip(s);
	script_ack(s, 3001, SACK(5001, 6001));
	assert_int_equal(s->conn->sacked_bytes, 1000);
	script_ack(s, 2001, SACK(3001, 4001));
	assert_int_equal(s->conn->sacked_bytes, 1000);
	assert_int_equal(s->conn->count.duplicates, 0);
}

/* RFC 8985 section 7.2: new data puts the probe off, and a SACK that shows a hole ends it. */
static void test_probe_is_put_off(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	s->conn->srtt_ns = 20 * HV_TCP_MS;
	host_send(s->conn, bytes, 2000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 1, 2000);
	script_wait_ms(s, 30);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 2001, 1, 1000);
	script_wait_ms(s, 30);
	script_quiet(s);
	script_wait_ms(s, 11);
	script_out(s, FLAGS_A, 2001, 1, 1000); /* the probe */
	script_ack(s, 3001, NULL);
	script_ack(s, 3001, SACK(2001, 3001)); /* it was not needed */
	host_send(s->conn, bytes, 3000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 3001, 1, 3000);
	script_wait_ms(s, 20);
	assert_true(s->conn->tail_armed);
	script_ack(s, 3001, SACK(5001, 6001));
	assert_false(s->conn->tail_armed);
}

/* Where the time-out would come before the probe, the probe comes in its place. */
static void test_probe_before_timeout(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	s->conn->srtt_ns = 100 * HV_TCP_MS;
	s->conn->rto_ns = 300 * HV_TCP_MS;
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 1, 1000);
	script_wait_ms(s, 301);
	script_out(s, FLAGS_A, 1, 1, 1000);
	assert_int_equal(s->conn->retries, 0);
	script_wait_ms(s, 301); /* not 600 */
	script_out(s, FLAGS_A, 1, 1, 1000);
	assert_int_equal(s->conn->retries, 1);
}

/* RFC 2018 section 8: the receiver may take SACKs back. */
static void test_reneging(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 2001, SACK(3001, 11001));
	script_skip(s);
	script_ack(s, 3001, NULL); /* and not 11001 */
	script_skip(s);
	assert_true(s->conn->flight->first->sacked);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 3001, 1, 1000);
	assert_int_equal(s->conn->sacked_bytes, 0);
}

static void test_impossible_blocks(void **state)
{
	struct script *s = *state;

	begin(s);
	script_ack(s, 1001, SACK(5001, 4001, 2001, 900000));
	assert_int_equal(s->conn->sacked_bytes, 0);
	assert_int_equal(records(s), 1);
	script_quiet(s);
}

static void test_fin_is_lost(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	host_send(s->conn, bytes, 1500);
	hv_tcp_shutdown_send(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FPA, 1, 1, 1500);
	script_ack(s, 1001, NULL);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_FA, 1001, 1, 500);
	script_ack(s, 1502, NULL);
	assert_state(s->conn, "FIN-WAIT-2");
	assert_null(s->conn->flight->first);
}

static void test_probe(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	s->peer_window = 0;
	script_ack(s, 1, NULL);
	host_send(s->conn, bytes, 3000);
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_A, 1, 1, 1);
	s->peer_window = 65535;
	script_ack(s, 1, NULL);
	script_out(s, FLAGS_PA, 1, 1, 3000);
	assert_int_equal(records(s), 1);
	script_ack(s, 3001, NULL);
	assert_null(s->conn->flight->first);
}

/* No memory for a record: the stream does not stop. */
static void test_no_memory_for_records(void **state)
{
	struct script *s = *state;

	begin(s);
	for (unsigned i = 0; i < 3; i++) {
		test_env_fail(&s->env, 1);
		script_ack(s, 1001, SACK(3001 + i * 2000, 4001 + i * 2000));
		test_env_fail(&s->env, 0);
		script_skip(s);
	}
	script_wait_ms(s, 300);
	assert_true(script_skip(s) > 0);
	script_ack(s, 11001, NULL);
	for (unsigned i = 0; i < 30 && hv_tcp_send_queued(s->conn); i++) {
		script_ack(s, s->conn->snd_max - s->host_iss, NULL);
		script_skip(s);
	}
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_one_lost),
		SCRIPT_TEST(test_two_lost),
		SCRIPT_TEST(test_reordering),
		SCRIPT_TEST(test_duplicate_sack),
		SCRIPT_TEST(test_lost_retransmission),
		SCRIPT_TEST(test_timeout),
		SCRIPT_TEST(test_timeout_spares_the_latest),
		SCRIPT_TEST(test_tail_loss),
		SCRIPT_TEST(test_needless_probe),
		SCRIPT_TEST(test_needed_probe),
		SCRIPT_TEST(test_growth),
		SCRIPT_TEST(test_ack_of_a_part),
		SCRIPT_TEST(test_sack_on_old_ack),
		SCRIPT_TEST(test_probe_is_put_off),
		SCRIPT_TEST(test_probe_before_timeout),
		SCRIPT_TEST(test_reneging),
		SCRIPT_TEST(test_impossible_blocks),
		SCRIPT_TEST(test_fin_is_lost),
		SCRIPT_TEST(test_probe),
		SCRIPT_TEST(test_no_memory_for_records),
	};

	return cmocka_run_group_tests_name("tcp sack", tests, NULL, NULL);
}
