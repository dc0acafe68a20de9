/*
 * Memory runs out under TLS on sockets, at every place where it can: for each N the N-th allocation of one side fails, once. The
 * conversation may fail; what was read before is right, and everything is given back.
 */
#include "tls_support.h"

enum { BYTES = 60000 };

struct talk {
	struct secure *s;
	struct haven_socket *end[2];
	uint64_t sent[2], received[2];
	bool all_sent[2], all_read[2]; /* or it failed */
	bool zero_copy;
};

static void send_some(struct talk *t, int side)
{
	size_t size;
	const uint8_t *data = pattern_at(t->sent[side], &size);
	struct iovec slices[2];
	ssize_t put;

	if (size > BYTES - t->sent[side])
		size = BYTES - t->sent[side];
	if (!t->zero_copy) {
		put = haven_send(t->end[side], data, size, 0);
	} else {
		put = haven_send_reserve(t->end[side], size, slices);
		if (put > 0) {
			for (ssize_t i = 0; i < put; i++)
				((uint8_t *)slices[0].iov_base)[i] = data[i];
			haven_send_commit(t->end[side], (size_t)put, false);
		}
	}
	if (put > 0)
		t->sent[side] += (uint64_t)put;
	if (t->sent[side] == BYTES)
		haven_shutdown(t->end[side], SHUT_WR);
	if (t->sent[side] == BYTES || (put < 0 && put != -EAGAIN && put != -ENOMEM))
		t->all_sent[side] = true;
}

static void check(struct talk *t, int side, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t piece;

		assert_int_equal(bytes[i], *pattern_at(t->received[side]++, &piece));
	}
}

static void receive_some(struct talk *t, int side)
{
	static uint8_t bytes[1 << 16];
	struct iovec slices[2];
	ssize_t got;
	size_t seen;

	while (t->zero_copy && (seen = haven_recv_peek(t->end[side], slices))) {
		check(t, side, slices[0].iov_base, slices[0].iov_len);
		haven_recv_consume(t->end[side], slices[0].iov_len);
		if (seen != slices[0].iov_len)
			break;
	}
	got = haven_recv(t->end[side], bytes, sizeof(bytes), 0);
	if (got > 0)
		check(t, side, bytes, (size_t)got);
	if (got == 0)
		assert_int_equal(t->received[side], BYTES);
	if (got == 0 || (got < 0 && got != -EAGAIN))
		t->all_read[side] = true;
}

static bool is_over(void *ctx)
{
	struct talk *t = ctx;

	drain(&t->s->w);
	for (int side = 0; side < 2; side++) {
		if (!t->all_sent[side])
			send_some(t, side);
		if (!t->all_read[side])
			receive_some(t, side);
	}
	return t->all_sent[LEFT] && t->all_sent[RIGHT] && t->all_read[LEFT] &&
	       t->all_read[RIGHT];
}

/* With the n-th allocation of this side failing. Returns whether that one was reached. */
static bool talk(int failing, uint64_t n, bool zero_copy)
{
	struct secure s;
	struct talk t = {.s = &s, .zero_copy = zero_copy};
	bool reached;

	secure_init(&s, &(struct world_options){0});
	secure_contexts(&s);
	connect_pair(&s.w, false, TLS_PORT, &t.end[LEFT], &t.end[RIGHT]);
	test_env_fail(&s.w.env[failing], n);
	for (int side = 0; side < 2; side++) {
		if (haven_tls_attach(t.end[side], s.context[side], "a.test", NULL) < 0) {
			haven_close(t.end[side]);
			t.end[side] = NULL;
			t.all_sent[side] = t.all_read[side] = true;
		}
	}
	world_run(&s.w, is_over, &t, 600 * SECOND);
	reached = test_env_failed(&s.w.env[failing]);
	haven_close(t.end[LEFT]);
	haven_close(t.end[RIGHT]);
	world_pass(&s.w, 600 * SECOND);
	drain(&s.w);
	assert_int_equal(stats_of(&s.w, LEFT).sockets + stats_of(&s.w, RIGHT).sockets, 0);
	secure_finish(&s);
	return reached;
}

static void test_every_allocation(void **state)
{
	(void)state;
	for (int mode = 0; mode < 4; mode++) {
		uint64_t n = 1;

		while (talk(mode & 1, n, mode & 2))
			n++;
		assert_true(n > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
