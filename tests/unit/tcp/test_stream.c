/*
 * Two hosts and a bad network between them, from seeds: whatever is lost, repeated, delayed or cut
 * differently, both streams arrive whole, both ends close, and all memory comes back.
 */
#include "tcp/fixture.h"

#include <stdlib.h>

enum { WIRE_MAX = 4096 };

struct flying {
	struct hv_packet *packet; /* of the receiver's core */
	uint64_t at_ns;
	unsigned to;
};

struct network {
	struct test_random random;
	struct host *hosts[2];
	struct flying *flying;
	unsigned count;
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm;
	uint64_t delay_ns;
	bool keep_gso;
	uint64_t lost;
};

struct end {
	struct hv_tcp_conn *conn;
	uint64_t to_send, sent, received;
	unsigned salt;
	uint64_t slow_one_in; /* reads only once in so many turns */
	bool shut;
	bool use_sink;
};

static uint8_t pattern(uint64_t at, unsigned salt)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16) + salt);
}

static void put_on_wire(struct network *net, unsigned to, const uint8_t *header,
			uint32_t header_len, const struct hv_packet *from, uint32_t offset,
			uint32_t size, bool last)
{
	struct hv_core *core = &net->hosts[to]->core;
	struct hv_packet *packet = hv_packet_new(core, HV_PACKET_HEADROOM, header_len + size);
	struct flying *f;
	uint8_t *p;

	if (!packet || test_random_ppm(&net->random, net->loss_ppm)) {
		hv_packet_free(core, packet);
		net->lost++;
		return;
	}
	p = hv_packet_append(packet, header_len + size);
	memcpy(p, header, header_len);
	memcpy(p + header_len, from->d.payload + offset, size);
	hv_put32(p + 4, from->d.seq + offset);
	if (!last)
		p[13] &= (uint8_t) ~(HV_TCP_FIN | HV_TCP_PSH);
	packet->d.src = from->d.src;
	packet->d.dst = from->d.dst;
	packet->d.proto = IPPROTO_TCP;
	packet->d.l4 = p;
	packet->d.payload_len = packet->len;
	packet->csum = HV_CSUM_VALID;
	packet->gso_size = size > from->gso_size ? from->gso_size : 0;
	assert_true(net->count < WIRE_MAX);
	f = &net->flying[net->count++];
	f->packet = packet;
	f->to = to;
	f->at_ns = net->hosts[to]->core.now_ns + net->delay_ns;
	if (test_random_ppm(&net->random, net->reorder_ppm))
		f->at_ns += test_random_below(&net->random, 3 * net->delay_ns + 1);
}

static void collect(struct network *net, unsigned from)
{
	struct hv_packet *packet;

	while ((packet = host_take(net->hosts[from]))) {
		uint32_t header_len = packet->len - packet->d.payload_len;
		uint32_t cut = packet->gso_size && !net->keep_gso ? packet->gso_size
								  : packet->d.payload_len;
		uint32_t offset = 0;

		do {
			uint32_t left = packet->d.payload_len - offset;
			uint32_t size = left < cut ? left : cut;

			put_on_wire(net, !from, packet->data, header_len, packet, offset, size,
				    offset + size == packet->d.payload_len);
			if (test_random_ppm(&net->random, net->duplicate_ppm))
				put_on_wire(net, !from, packet->data, header_len, packet,
					    offset, size,
					    offset + size == packet->d.payload_len);
			offset += size;
		} while (offset < packet->d.payload_len);
		hv_packet_free(&net->hosts[from]->core, packet);
	}
}

static void deliver(struct network *net)
{
	for (unsigned i = 0; i < net->count;) {
		struct flying f = net->flying[i];

		if (f.at_ns > net->hosts[0]->core.now_ns) {
			i++;
			continue;
		}
		memmove(&net->flying[i], &net->flying[i + 1], (net->count - i - 1) * sizeof(f));
		net->count--;
		hv_tcp_input(&net->hosts[f.to]->tcp, f.packet);
	}
}

static uint64_t next_time(struct network *net)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t timer = hv_timer_next(&net->hosts[i]->core.wheel);

		next = timer < next ? timer : next;
	}
	for (unsigned i = 0; i < net->count; i++)
		next = net->flying[i].at_ns < next ? net->flying[i].at_ns : next;
	return next;
}

static size_t sink(void *user, const uint8_t *data, size_t size)
{
	struct end *end = user;

	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(end->received + i, !end->salt))
			fail_msg("byte %llu is wrong", (unsigned long long)end->received + i);
	end->received += size;
	return size;
}

static void work(struct network *net, struct end *end)
{
	static const unsigned chunk = 50000;
	uint8_t *buffer = malloc(chunk);
	size_t size;

	assert_non_null(buffer);
	if (hv_tcp_conn_events(end->conn) & HAVEN_EVENT_CONNECTED) {
		while (end->sent < end->to_send) {
			uint64_t left = end->to_send - end->sent;
			size_t want = 1 + test_random_below(&net->random, chunk), taken;

			want = want > left ? left : want;
			for (size_t i = 0; i < want; i++)
				buffer[i] = pattern(end->sent + i, end->salt);
			taken = host_send(end->conn, buffer, want);
			end->sent += taken;
			if (taken < want)
				break;
		}
		if (end->sent == end->to_send && !end->shut) {
			assert_int_equal(hv_tcp_shutdown_send(end->conn), 0);
			end->shut = true;
		}
	}
	if (!end->slow_one_in || test_random_one_in(&net->random, end->slow_one_in)) {
		while ((size = host_read(end->conn, buffer, chunk)) > 0)
			sink(end, buffer, size);
	}
	free(buffer);
}

struct plan {
	uint64_t bytes[2];
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm;
	uint64_t delay_ms;
	bool keep_gso, v6;
	uint32_t mtu;
	uint64_t slow_one_in;
	bool sinks;
	uint32_t receive_bytes; /* 0: default */
	uint32_t fail_ppm;	/* of allocations, while the connection lives */
};

static void end_init(struct end *end, struct hv_tcp_conn *conn, const struct plan *plan,
		     unsigned number)
{
	*end = (struct end){
		.conn = conn,
		.to_send = plan->bytes[number],
		.salt = number,
		.slow_one_in = plan->slow_one_in,
	};
	if (plan->sinks)
		hv_tcp_set_sink(conn, sink, end);
	if (plan->receive_bytes)
		hv_tcp_set_option(conn, SOL_SOCKET, SO_RCVBUF, (int)plan->receive_bytes);
}

/*
 * All arrived, but the ACKs of the last FIN were lost until TIME-WAIT was over, and a reset answered:
 * no protocol can exclude it.
 */
static bool both_arrived(const struct end ends[2])
{
	return ends[0].conn && ends[1].conn && hv_tcp_receive_ended(ends[0].conn) &&
	       hv_tcp_receive_ended(ends[1].conn) && ends[0].received == ends[1].to_send &&
	       ends[1].received == ends[0].to_send;
}

static void finish(struct network *net, struct hv_tcp_listener *listener, struct hv_bind *bind)
{
	for (unsigned i = 0; i < net->count; i++)
		hv_packet_free(&net->hosts[net->flying[i].to]->core, net->flying[i].packet);
	free(net->flying);
	hv_tcp_listener_close(listener);
	hv_port_unbind(&net->hosts[1]->ports, bind);
	/* 2 MSL later nothing is left. */
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned second = 0; second < 130; second++) {
			host_run(net->hosts[i], net->hosts[i]->core.now_ns + HV_TCP_SECOND);
			hv_packet_queue_clear(&net->hosts[i]->core, &net->hosts[i]->ip.sent);
		}
		host_finish(net->hosts[i]);
	}
}

/* Returns the virtual time it took, in milliseconds. */
static uint64_t run(const struct plan *plan, uint64_t seed)
{
	struct test_env env;
	struct host hosts[2];
	struct hv_bind bind;
	struct hv_tcp_listener *listener;
	struct end ends[2] = {0};
	struct network net = {
		.hosts = {&hosts[0], &hosts[1]},
		.loss_ppm = plan->loss_ppm,
		.duplicate_ppm = plan->duplicate_ppm,
		.reorder_ppm = plan->reorder_ppm,
		.delay_ns = plan->delay_ms * HV_TCP_MS,
		.keep_gso = plan->keep_gso,
	};
	uint64_t begin_ns, took_ns, turns = 0;

	test_env_init(&env, seed);
	test_random_init(&net.random, seed);
	net.flying = calloc(WIRE_MAX, sizeof(*net.flying));
	for (unsigned i = 0; i < 2; i++) {
		host_init(&hosts[i], &env, i + 1, plan->v6);
		hosts[i].ip.mtu = plan->mtu;
	}
	begin_ns = hosts[0].core.now_ns;
	listener = host_listen(&hosts[1], &bind, 80, 5);
	end_init(&ends[0], host_connect(&hosts[0], &hosts[1].addr, 80), plan, 0);
	env.fail_ppm = plan->fail_ppm;
	for (;;) {
		uint64_t next;

		for (unsigned i = 0; i < 2; i++) {
			hv_tcp_flush(&hosts[i].tcp);
			collect(&net, i);
		}
		deliver(&net);
		if (!ends[1].conn && hv_tcp_can_accept(listener)) {
			end_init(&ends[1], hv_tcp_accept(listener), plan, 1);
			hv_tcp_set_owner(ends[1].conn, &hosts[1]);
		}
		for (unsigned i = 0; i < 2; i++)
			if (ends[i].conn)
				work(&net, &ends[i]);
		if (ends[1].conn && hv_tcp_receive_ended(ends[0].conn) &&
		    hv_tcp_receive_ended(ends[1].conn) &&
		    (hv_tcp_conn_events(ends[0].conn) & HAVEN_EVENT_SENT) &&
		    (hv_tcp_conn_events(ends[1].conn) & HAVEN_EVENT_SENT))
			break;
		for (unsigned i = 0; i < 2; i++)
			hv_tcp_flush(&hosts[i].tcp);
		collect(&net, 0);
		collect(&net, 1);
		next = next_time(&net);
		if (plan->slow_one_in || plan->fail_ppm) {
			uint64_t soon = hosts[0].core.now_ns + 10 * HV_TCP_MS;

			next = soon < next ? soon : next;
		}
		if (next == UINT64_MAX && both_arrived(ends))
			break;
		if (!ends[1].conn && hv_tcp_receive_ended(ends[0].conn))
			break; /* every SYN was lost: it gave up */
		if (next == UINT64_MAX)
			fail_msg("seed %llu: nothing will ever happen again: %s, %s",
				 (unsigned long long)seed, hv_tcp_state_name(ends[0].conn),
				 ends[1].conn ? hv_tcp_state_name(ends[1].conn) : "none");
		if (next < hosts[0].core.now_ns)
			next = hosts[0].core.now_ns;
		for (unsigned i = 0; i < 2; i++)
			host_run(&hosts[i], next);
		if (next - begin_ns > 3000 * HV_TCP_SECOND && both_arrived(ends))
			break;
		if (++turns > 2000000 || next - begin_ns > 4000 * HV_TCP_SECOND)
			fail_msg("seed %llu: no end: %llu of %llu and %llu of %llu",
				 (unsigned long long)seed, (unsigned long long)ends[1].received,
				 (unsigned long long)ends[0].to_send,
				 (unsigned long long)ends[0].received,
				 (unsigned long long)ends[1].to_send);
	}
	took_ns = hosts[0].core.now_ns - begin_ns;
	env.fail_ppm = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (ends[1].conn)
			assert_int_equal(ends[i].received, ends[!i].to_send);
		if (ends[i].conn)
			hv_tcp_close(ends[i].conn);
	}
	finish(&net, listener, &bind);
	test_env_finish(&env);
	return took_ns / HV_TCP_MS;
}

static void show(const char *what, const struct plan *plan, uint64_t ms)
{
	print_message("# %s: %llu and %llu bytes in %llu ms\n", what,
		      (unsigned long long)plan->bytes[0], (unsigned long long)plan->bytes[1],
		      (unsigned long long)ms);
}

static void test_clean(void **state)
{
	struct plan plan = {.bytes = {20 << 20, 5 << 20},
			    .mtu = 1500,
			    .keep_gso = true,
			    .delay_ms = 1};

	(void)state;
	show("clean, whole packets", &plan, run(&plan, 1));
	plan.sinks = true;
	show("the same into sinks", &plan, run(&plan, 2));
	plan.keep_gso = false;
	show("the same, cut", &plan, run(&plan, 3));
	plan.v6 = true;
	plan.mtu = 65520;
	show("IPv6 at 65520", &plan, run(&plan, 4));
}

static void test_small_window(void **state)
{
	struct plan plan = {.bytes = {2 << 20, 1 << 20},
			    .mtu = 1500,
			    .delay_ms = 5,
			    .receive_bytes = 4096,
			    .slow_one_in = 3};

	(void)state;
	show("4 KiB buffers, slow readers", &plan, run(&plan, 1));
	plan.mtu = 65520;
	show("the same at MTU 65520", &plan, run(&plan, 2));
}

static void test_lossy(void **state)
{
	struct plan plan = {.bytes = {1 << 20, 1 << 20},
			    .mtu = 1500,
			    .delay_ms = 10,
			    .loss_ppm = 20000,
			    .reorder_ppm = 50000};

	(void)state;
	show("loss 2%, reorder 5%, 10 ms", &plan, run(&plan, 1));
	plan.sinks = true;
	plan.duplicate_ppm = 50000;
	show("with duplicates, into sinks", &plan, run(&plan, 2));
	plan.loss_ppm = 100000;
	show("loss 10%", &plan, run(&plan, 3));
}

static void test_seeds(void **state)
{
	/* HAVEN_TEST_SEEDS=first-last runs others. */
	const char *range = getenv("HAVEN_TEST_SEEDS");
	uint64_t first = 1, last = 200;
	char *end;

	(void)state;
	if (range) {
		first = last = strtoull(range, &end, 10);
		if (*end == '-')
			last = strtoull(end + 1, NULL, 10);
	}
	for (uint64_t seed = first; seed <= last; seed++) {
		struct test_random random;
		struct plan plan;

		test_random_init(&random, seed);
		plan = (struct plan){
			.bytes = {test_random_below(&random, 200000),
				  test_random_below(&random, 200000)},
			.loss_ppm = (uint32_t)test_random_below(&random, 200000),
			.duplicate_ppm = (uint32_t)test_random_below(&random, 50000),
			.reorder_ppm = (uint32_t)test_random_below(&random, 200000),
			.delay_ms = test_random_below(&random, 50),
			.keep_gso = test_random_one_in(&random, 2),
			.v6 = test_random_one_in(&random, 2),
			.mtu = test_random_one_in(&random, 4)
				       ? 65520
				       : 576 + (uint32_t)test_random_below(&random, 9000),
			.slow_one_in = test_random_one_in(&random, 3) ? 5 : 0,
			.sinks = test_random_one_in(&random, 2),
			.receive_bytes = test_random_one_in(&random, 3) ? 5000 : 0,
			.fail_ppm = test_random_one_in(&random, 3) ? 20000 : 0,
		};
		run(&plan, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_small_window),
		cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests_name("tcp stream", tests, NULL, NULL);
}
