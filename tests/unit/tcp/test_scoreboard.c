/*
 * The scoreboard against a model that has one flag for each byte, and the shape of its index: what an ACK
 * costs must not grow with the window.
 */
#include "tcp/fixture.h"

#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_sent_tree.h"

enum { SPACE = 4000, MSS = 10 };

struct model {
	struct script *s;
	struct hv_tcp_conn *conn;
	bool sacked[SPACE], lost[SPACE];
	uint32_t base, una, nxt; /* una and nxt are relative to base */
	uint32_t seed;
};

static uint32_t below(struct model *m, uint32_t bound)
{
	m->seed = m->seed * 1664525 + 1013904223;
	return (m->seed >> 8) % bound;
}

static void begin(struct model *m, struct script *s)
{
	s->syn.sack_permitted = true;
	script_accept(s);
	*m = (struct model){.s = s, .conn = s->conn, .base = s->conn->snd_una, .seed = 5};
	s->conn->mss = MSS;
	s->conn->snd_wnd_max = SPACE;
}

static void transmit(struct model *m, uint32_t seq, uint32_t size)
{
	assert_true(hv_tcp_sent_reserve(m->conn, m->base + seq));
	hv_tcp_sent_note(m->conn, m->base + seq, m->base + seq + size);
	if (seq + size > m->nxt)
		m->nxt = seq + size;
	m->conn->snd_nxt = m->conn->snd_max = m->base + m->nxt;
	for (uint32_t i = seq; i < seq + size; i++)
		m->lost[i] = m->lost[i] && m->sacked[i];
}

static uint32_t count(const struct model *m, const bool *flags)
{
	uint32_t n = 0;

	for (uint32_t i = m->una; i < m->nxt; i++)
		n += flags[i];
	return n;
}

static unsigned depth(const struct hv_tcp_sent *tree)
{
	unsigned left, right;

	if (!tree)
		return 0;
	left = depth(tree->left);
	right = depth(tree->right);
	return 1 + (left > right ? left : right);
}

static void compare(struct model *m)
{
	struct hv_tcp_conn *conn = m->conn;
	uint32_t next = conn->snd_una, records = conn->flight->spare != NULL, turns = 0,
		 lost = 0;
	const struct hv_tcp_sent *before = NULL;

	for (struct hv_tcp_sent *sent = conn->flight->first; sent; sent = sent->next) {
		assert_int_equal(sent->seq, next);
		assert_ptr_equal(sent->prev, before);
		assert_ptr_equal(hv_tcp_sent_tree_find(conn->flight->tree, sent->end - 1),
				 sent);
		assert_true(!before || !before->sacked || !sent->sacked); /* joined */
		for (uint32_t i = sent->seq - m->base; i < sent->end - m->base; i++) {
			assert_int_equal(sent->sacked, m->sacked[i]);
			assert_int_equal(sent->lost, m->lost[i]);
		}
		turns += !sent->sacked && !sent->lost;
		lost += sent->lost;
		next = sent->end;
		before = sent;
		records++;
	}
	assert_int_equal(next, conn->snd_nxt);
	assert_ptr_equal(before, conn->flight->last);
	assert_int_equal(records, conn->flight->records);
	assert_int_equal(conn->sacked_bytes, count(m, m->sacked));
	assert_int_equal(conn->lost_bytes, count(m, m->lost));
	for (struct hv_list *p = conn->flight->turns.next; p != &conn->flight->turns;
	     p = p->next)
		turns--;
	for (struct hv_list *p = conn->flight->lost.next; p != &conn->flight->lost; p = p->next)
		lost--;
	assert_int_equal(turns, 0);
	assert_int_equal(lost, 0);
}

static void sack(struct model *m)
{
	struct hv_tcp_options options = {.sack_count = (uint8_t)(1 + below(m, 4))};
	struct hv_tcp_delivery delivery = {0};
	uint32_t fresh = 0;

	for (unsigned i = 0; i < options.sack_count; i++) {
		uint32_t left = m->una + below(m, m->nxt - m->una);
		uint32_t right = left + 1 + below(m, m->nxt - left);

		options.sack[i][0] = m->base + left;
		options.sack[i][1] = m->base + right;
		for (uint32_t k = left; k < right; k++) {
			fresh += !m->sacked[k];
			m->sacked[k] = true;
			m->lost[k] = false;
		}
	}
	hv_tcp_sent_sacked(m->conn, &options, &delivery);
	assert_int_equal(delivery.bytes, fresh);
}

static void lose(struct model *m)
{
	struct hv_tcp_sent *sent =
		hv_tcp_sent_tree_find(m->conn->flight->tree,
				      m->base + m->una + below(m, m->nxt - m->una));

	assert_non_null(sent);
	hv_tcp_sent_lose(m->conn, sent);
	for (uint32_t i = sent->seq - m->base; i < sent->end - m->base; i++)
		m->lost[i] = !m->sacked[i];
}

static void repeat(struct model *m)
{
	struct hv_tcp_sent *sent = hv_tcp_sent_next_lost(m->conn, 3 * MSS);

	if (!sent)
		return;
	assert_in_range(sent->end - sent->seq, 1, 3 * MSS);
	transmit(m, sent->seq - m->base, sent->end - sent->seq);
	assert_true(sent->again);
}

static void acknowledge(struct model *m)
{
	struct hv_tcp_delivery delivery = {0};
	uint32_t to = m->una + 1 + below(m, m->nxt - m->una), fresh = 0;

	for (; m->una < to; m->una++)
		fresh += !m->sacked[m->una];
	m->conn->snd_una = m->base + m->una;
	hv_tcp_sent_acked(m->conn, &delivery);
	assert_int_equal(delivery.bytes, fresh);
}

static void test_model(void **state)
{
	struct model m;

	begin(&m, *state);
	while (m.nxt < SPACE - 100) {
		m.s->host.core.now_ns += 1000;
		transmit(&m, m.nxt, 1 + below(&m, 100));
		for (unsigned i = below(&m, 4); i; i--) {
			switch (below(&m, 8)) {
			case 0:
			case 1:
				sack(&m);
				break;
			case 2:
			case 3:
				lose(&m);
				break;
			case 4:
			case 5:
				repeat(&m);
				break;
			case 6:
				if (below(&m, 4) == 0)
					hv_tcp_sent_find_all(m.conn);
				else
					break;
				memset(m.lost, 0, sizeof(m.lost));
				break;
			default:
				if (m.una + 1500 < m.nxt)
					acknowledge(&m);
			}
			compare(&m);
		}
	}
	hv_tcp_sent_lose_all(m.conn);
	for (uint32_t i = m.una; i < m.nxt; i++)
		m.lost[i] = !m.sacked[i];
	compare(&m);
	hv_tcp_sent_clear(m.conn);
	m.conn->snd_nxt = m.conn->snd_max = m.conn->snd_una;
}

/* Thousands of records in order, every other one SACKed: the index stays flat, the runs are one record each. */
static void test_many(void **state)
{
	struct script *s = *state;
	struct hv_tcp_conn *conn;
	uint32_t base;

	s->syn.sack_permitted = true;
	script_accept(s);
	conn = s->conn;
	base = conn->snd_una;
	conn->snd_wnd_max = 100000;
	for (uint32_t i = 0; i < 10000; i++) {
		assert_true(hv_tcp_sent_reserve(conn, base + i * 10));
		hv_tcp_sent_note(conn, base + i * 10, base + i * 10 + 10);
	}
	conn->snd_nxt = conn->snd_max = base + 100000;
	assert_in_range(depth(conn->flight->tree), 13, 64);
	for (uint32_t i = 1; i < 9999; i += 2) {
		struct hv_tcp_options options = {.sack_count = 1};
		struct hv_tcp_delivery delivery = {0};

		options.sack[0][0] = base + i * 10;
		options.sack[0][1] = base + i * 10 + 10;
		hv_tcp_sent_sacked(conn, &options, &delivery);
		assert_int_equal(delivery.bytes, 10);
	}
	for (uint32_t i = 2; i < 9999; i += 2) {
		struct hv_tcp_options options = {.sack_count = 1};
		struct hv_tcp_delivery delivery = {0};

		options.sack[0][0] = base + 10;
		options.sack[0][1] = base + i * 10 + 10;
		hv_tcp_sent_sacked(conn, &options, &delivery);
		assert_int_equal(delivery.bytes, 10);
	}
	assert_int_equal(conn->flight->records, 3); /* the hole, what was SACKed, the end */
	assert_int_equal(conn->sacked_segments, 9998);
	hv_tcp_sent_clear(conn);
	conn->snd_nxt = conn->snd_max = conn->snd_una;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_model),
		SCRIPT_TEST(test_many),
	};

	return cmocka_run_group_tests_name("tcp scoreboard", tests, NULL, NULL);
}
