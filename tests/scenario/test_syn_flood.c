/*
 * A million SYNs from addresses that do not exist, 50,000 a second, on a link of their own: meanwhile
 * a transfer goes on, honest clients connect and are served in time, and memory stays under its limit.
 *
 *	left  ----- honest -----  right (listens)  ----- flood -----  (answers vanish)
 */
#include "support.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	FLOOD = 1000000,
	PER_STEP = 50,	   /* SYNs in a millisecond */
	HONEST_EVERY = 50, /* steps between two honest clients */
	OPEN = 32,	   /* honest clients at one time */
	HALF_OPEN = 1024,
	RECORD_BYTES = 256, /* with its place in the port table */
	SYN_BYTES = 60,
};

struct flood {
	struct world w;
	struct haven_link *link;
	unsigned ifindex;
	uint64_t random, sent, answers;
	struct haven_socket *listener, *held[2];
	struct haven_socket *clients[OPEN], *servers[OPEN];
	bool said[OPEN];
	struct transfer transfer;
	unsigned begun, served;
};

static int on_send(void *user, const struct iovec *iov, int count,
		   const struct haven_frame_offload *offload)
{
	struct flood *f = user;

	(void)iov;
	(void)count;
	(void)offload;
	f->answers++; /* to nowhere */
	return 0;
}

static void limits(struct haven_stack_config *config, int side)
{
	(void)side;
	config->max_half_open = HALF_OPEN;
	config->send_buffer_bytes = config->receive_buffer_bytes = 256 << 10;
}

static void flood_init(struct flood *f, uint64_t seed)
{
	static const struct haven_link_ops ops = {.send = on_send};
	struct sockaddr_storage all = address_text("0.0.0.0", 0);
	struct haven_link_config config;

	memset(f, 0, sizeof(*f));
	f->random = seed;
	world_init(&f->w, &(struct world_options){
				  .seed = seed,
				  .fault = "delay=5ms rate=20mbit queue=256k",
				  .configure = limits,
			  });
	haven_link_config_init(&config);
	assert_int_equal(haven_link_custom(f->w.stack[RIGHT], &ops, f, false, &config,
					   &f->link),
			 0);
	assert_int_equal(haven_stack_attach(f->w.stack[RIGHT], f->link, &f->ifindex), 0);
	assert_int_equal(haven_route_add(f->w.stack[RIGHT], f->ifindex, (struct sockaddr *)&all,
					 0, NULL),
			 0);
	f->listener = listen_on(&f->w, RIGHT, false, 80, 128);
}

static uint32_t next_random(struct flood *f)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(f->random >> 32);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint16_t sum(const uint8_t *p, size_t size)
{
	uint32_t total = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		total += (uint32_t)p[i] << 8 | p[i + 1];
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* A SYN as Linux sends it, from a random address outside of 10.0.0.0/24 to 10.0.0.2 port 80. */
static void flood_one(struct flood *f)
{
	static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, [16] = 1, 3, 3, 7};
	static const struct haven_frame_offload checked = {.flags = 2};
	uint8_t p[SYN_BYTES] = {0x45, [8] = 64, IPPROTO_TCP}, *tcp = p + 20;
	uint32_t source = htonl(0xb0000000 | next_random(f) >> 4);
	uint32_t seq = next_random(f);

	put16(p + 2, SYN_BYTES);
	memcpy(p + 12, &source, 4);
	memcpy(p + 16, &(uint32_t){htonl(0x0a000002)}, 4);
	put16(p + 10, sum(p, 20));
	put16(tcp, 1024 + next_random(f) % 60000);
	put16(tcp + 2, 80);
	memcpy(tcp + 4, &seq, 4);
	tcp[12] = 10 << 4;
	tcp[13] = 2; /* SYN */
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, options, sizeof(options));
	tcp[28 + 3] = (uint8_t)seq; /* some timestamp */
	assert_int_equal(haven_link_custom_input(f->link, p, sizeof(p), &checked), 0);
	f->sent++;
}

/* Each honest client sends a byte, and is closed by the server when that has come. */
static void honest_step(struct flood *f, uint64_t step)
{
	unsigned slot = f->begun % OPEN;
	struct haven_socket *server;
	char byte;

	if (step % HONEST_EVERY == 0) {
		/* The one before it in this place began 1.6 s ago: it must be through. */
		assert_null(f->clients[slot]);
		f->clients[slot] = stream_new(&f->w, LEFT, false);
		assert_int_equal(connect_to(f->clients[slot], false, 2, 80), -EINPROGRESS);
		f->begun++;
	}
	while (!haven_accept(f->listener, NULL, NULL, &server)) {
		unsigned i = 0;

		while (i < OPEN && f->servers[i])
			i++;
		if (i == OPEN)
			fail_msg("more honest clients at a time than there were");
		else
			f->servers[i] = server;
	}
	for (unsigned i = 0; i < OPEN; i++) {
		if (f->servers[i] && haven_recv(f->servers[i], &byte, 1, 0) == 1) {
			haven_close(f->servers[i]);
			f->servers[i] = NULL;
		}
		if (!f->clients[i])
			continue;
		if (!f->said[i])
			f->said[i] = haven_send(f->clients[i], "x", 1, 0) == 1;
		if (haven_recv(f->clients[i], &byte, 1, 0) == 0) {
			haven_close(f->clients[i]);
			f->clients[i] = NULL;
			f->said[i] = false;
			f->served++;
		}
	}
}

static void test_a_million(void **state)
{
	struct flood f;
	struct haven_stats stats;
	uint64_t before, most = 0;

	(void)state;
	flood_init(&f, 1);
	f.transfer = (struct transfer){.total = UINT64_MAX};
	connect_pair(&f.w, false, 81, &f.held[0], &f.held[1]);
	f.transfer.from = f.held[0];
	f.transfer.to = f.held[1];
	before = stats_of(&f.w, RIGHT).memory_bytes;
	for (uint64_t step = 0; f.sent < FLOOD; step++) {
		for (int i = 0; i < PER_STEP; i++)
			flood_one(&f);
		assert_true(haven_input(f.w.stack[RIGHT], f.ifindex, PER_STEP, f.w.now_ns) >=
			    0);
		world_pass(&f.w, MILLISECOND);
		honest_step(&f, step);
		transfer_done(&f.transfer);
		stats = stats_of(&f.w, RIGHT);
		assert_in_range(stats.half_open, 0, HALF_OPEN);
		most = stats.memory_bytes > most ? stats.memory_bytes : most;
	}
	for (int i = 0; i < 10; i++) { /* the last ones, within a second too */
		world_pass(&f.w, 100 * MILLISECOND);
		honest_step(&f, 1);
	}
	assert_int_equal(f.begun, FLOOD / PER_STEP / HONEST_EVERY);
	assert_int_equal(f.served, f.begun);
	assert_true(f.answers >= FLOOD); /* none was ignored */
	stats = stats_of(&f.w, RIGHT);
	assert_true(stats.syn_cookies_sent > FLOOD * 9 / 10);
	assert_int_equal(stats.syn_cookies_bad, 0);
	print_message("%u honest clients, %llu bytes carried, %llu bytes of memory more\n",
		      f.served, (unsigned long long)f.transfer.received,
		      (unsigned long long)(most - before));
	/* 20 s at 20 Mbit/s are 50 MB. */
	assert_true(f.transfer.received > 40000000);
	assert_true(most - before < (size_t)HALF_OPEN * RECORD_BYTES + (1 << 20));
	haven_close(f.held[0]);
	haven_close(f.held[1]);
	haven_close(f.listener);
	world_pass(&f.w, 200 * SECOND);
	assert_int_equal(stats_of(&f.w, RIGHT).half_open, 0);
	assert_int_equal(stats_of(&f.w, RIGHT).connections, 0);
	world_finish(&f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
