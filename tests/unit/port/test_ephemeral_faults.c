/*
 * Faults that other stacks have, or had, in choosing ports; one test each. (lwIP, VPP, picoTCP, TAS, gVisor,
 * Demikernel and F-Stack are whom they were seen in.)
 */
#include "port_fixture.h"

static struct hv_tuple tuple_to(uint8_t remote, uint16_t port)
{
	return (struct hv_tuple){
		.local = v4(100),
		.remote = v4(remote),
		.remote_port = port,
		.proto = IPPROTO_TCP,
	};
}

static void setup(struct port_fixture *f, uint64_t seed, uint16_t first, uint16_t last)
{
	const struct hv_port_config config = {.ephemeral_first = first, .ephemeral_last = last};

	port_setup(f, seed, &config);
}

/* Fill a range towards one destination. */
static void fill(struct port_fixture *f, struct hv_tuple *tuples, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		tuples[i] = tuple_to(1, 80);
		assert_int_equal(hv_port_insert_ephemeral(&f->table, &tuples[i]), 0);
	}
}

/* lwIP, VPP, picoTCP: the upper end of the range is left out. */
static void test_65535_is_chosen(void **state)
{
	static struct hv_tuple tuples[4];
	struct port_fixture f;
	bool seen = false;

	(void)state;
	setup(&f, 1, 65532, 65535);
	fill(&f, tuples, 4);
	for (int i = 0; i < 4; i++)
		seen |= tuples[i].local_port == 65535;
	assert_true(seen);
	port_teardown(&f);
}

/* The same without a full range: both ends turn up by chance, as often as any other. */
static void test_both_ends_by_chance(void **state)
{
	struct port_fixture f;
	int first = 0, last = 0;

	(void)state;
	setup(&f, 2, 65500, 65535);
	for (int i = 0; i < 36 * 100; i++) {
		struct hv_tuple tuple = tuple_to((uint8_t)(i % 250 + 1), (uint16_t)i);

		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
		first += tuple.local_port == 65500;
		last += tuple.local_port == 65535;
		hv_port_remove(&f.table, &tuple);
	}
	assert_in_range(first, 50, 150);
	assert_in_range(last, 50, 150);
	port_teardown(&f);
}

/* picoTCP: no end to the search when all is full. Here thousands of refusals take no time. */
static void test_full_is_said_at_once(void **state)
{
	static struct hv_tuple tuples[64512];
	struct port_fixture f;

	(void)state;
	setup(&f, 3, 1024, 65535);
	fill(&f, tuples, 64512);
	for (int i = 0; i < 100000; i++) {
		struct hv_tuple more = tuple_to(1, 80);

		assert_int_equal(hv_port_insert_ephemeral(&f.table, &more), -EADDRNOTAVAIL);
	}
	port_teardown(&f);
}

/* VPP: when all is full, a port in use is handed out. */
static void test_full_gives_no_used_port(void **state)
{
	static struct hv_tuple tuples[1000];
	struct hv_bind binds[8], more = {.local = v4(100), .proto = IPPROTO_TCP};
	struct port_fixture f;
	struct hv_tuple another = tuple_to(1, 80);

	(void)state;
	setup(&f, 4, 20000, 20999);
	fill(&f, tuples, 1000);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &another), -EADDRNOTAVAIL);
	assert_int_equal(hv_port_bind(&f.table, &more), -EADDRNOTAVAIL);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(hv_port_find(&f.table, IPPROTO_TCP, &tuples[i].local,
					      tuples[i].local_port, &tuples[i].remote, 80),
				 &tuples[i]);
	port_teardown(&f);
	/* Nor one that is bound with SO_REUSEADDR, by who has it too. */
	setup(&f, 4, 20000, 20007);
	for (int i = 0; i < 8; i++) {
		binds[i] = (struct hv_bind){.local = v4(100),
					    .proto = IPPROTO_TCP,
					    .reuse_addr = true};
		assert_int_equal(hv_port_bind(&f.table, &binds[i]), 0);
	}
	more.reuse_addr = true;
	more.port = 0;
	assert_int_equal(hv_port_bind(&f.table, &more), -EADDRNOTAVAIL);
	for (int i = 0; i < 8; i++)
		hv_port_unbind(&f.table, &binds[i]);
	port_teardown(&f);
}

/* TAS: ports below the range. */
static void test_never_outside_the_range(void **state)
{
	static const uint16_t ranges[][2] = {{1, 3},
					     {1023, 1024},
					     {32768, 60999},
					     {65535, 65535}};

	(void)state;
	for (size_t r = 0; r < TEST_COUNT(ranges); r++) {
		struct port_fixture f;

		setup(&f, r, ranges[r][0], ranges[r][1]);
		for (int i = 0; i < 20000; i++) {
			struct hv_tuple tuple = tuple_to((uint8_t)(i % 250 + 1), (uint16_t)i);
			struct hv_bind bind = {.local = v4(0), .proto = IPPROTO_UDP};

			assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
			assert_in_range(tuple.local_port, ranges[r][0], ranges[r][1]);
			hv_port_remove(&f.table, &tuple);
			assert_int_equal(hv_port_bind(&f.table, &bind), 0);
			assert_in_range(bind.port, ranges[r][0], ranges[r][1]);
			hv_port_unbind(&f.table, &bind);
		}
		port_teardown(&f);
	}
}

/* gVisor: 65,536 ports do not fit into 16 bits of count. From 1 to 65535, as 0 is no port, and all excluded but one. */
static void test_no_overflow_of_the_whole_range(void **state)
{
	static struct hv_tuple tuples[65535];
	struct port_fixture f;
	struct hv_tuple tuple = tuple_to(1, 80);

	(void)state;
	setup(&f, 6, 1, 65535);
	fill(&f, tuples, 65535);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), -EADDRNOTAVAIL);
	port_teardown(&f);
	setup(&f, 6, 1, 65535);
	assert_int_equal(hv_port_exclude(&f.table, 0, 65535, true), 0);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), -EADDRNOTAVAIL);
	assert_int_equal(hv_port_exclude(&f.table, 65535, 65535, false), 0);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
	assert_int_equal(tuple.local_port, 65535);
	hv_port_remove(&f.table, &tuple);
	port_teardown(&f);
}

/* Demikernel: every run the same ports. Two keys, and two runs of many, share no sequence. */
static void test_no_two_runs_alike(void **state)
{
	enum { RUNS = 40, LENGTH = 8 };
	uint16_t ports[RUNS][LENGTH];

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		struct port_fixture f;

		setup(&f, 100 + (uint64_t)run, 32768, 60999);
		for (int i = 0; i < LENGTH; i++) {
			struct hv_tuple tuple = tuple_to(1, 443);

			assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
			ports[run][i] = tuple.local_port;
			hv_port_remove(&f.table, &tuple);
		}
		port_teardown(&f);
		for (int before = 0; before < run; before++) {
			/* Not even the steps from one to the next are the same. */
			int same = 0;

			for (int i = 1; i < LENGTH; i++)
				same += (uint16_t)(ports[run][i] - ports[run][i - 1]) ==
					(uint16_t)(ports[before][i] - ports[before][i - 1]);
			assert_true(same < LENGTH - 1);
			assert_memory_not_equal(ports[run], ports[before], sizeof(ports[0]));
		}
	}
}

/* F-Stack: a port serves one destination only, and 28,232 connections are all there are. */
static void test_one_port_serves_many(void **state)
{
	enum { MANY = 2000 };
	static struct hv_tuple tuples[MANY];
	struct port_fixture f;

	(void)state;
	setup(&f, 8, 50000, 50003);
	for (int i = 0; i < MANY; i++) {
		tuples[i] = tuple_to((uint8_t)(i / 4 % 250 + 1), (uint16_t)(80 + i / 1000));
		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuples[i]), 0);
	}
	assert_int_equal(f.table.tuples.count, MANY);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(hv_port_find(&f.table, IPPROTO_TCP, &tuples[i].local,
					      tuples[i].local_port, &tuples[i].remote,
					      tuples[i].remote_port),
				 &tuples[i]);
	port_teardown(&f);
}

/* A port on which somebody listens, or did while its connections last, is not chosen for a client. */
static void test_listening_ports_are_passed_by(void **state)
{
	struct port_fixture f;
	struct hv_bind bind = {.local = v4(0), .port = 50001, .proto = IPPROTO_TCP};
	struct hv_tuple accepted = tuple_to(9, 999), tuple;

	(void)state;
	setup(&f, 9, 50000, 50001);
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	assert_int_equal(hv_port_listen(&f.table, &bind), 0);
	accepted.local_port = 50001;
	accepted.hold = HV_HOLD_BOUND;
	assert_int_equal(hv_port_insert(&f.table, &accepted), 0);
	hv_port_unbind(&f.table, &bind);
	for (int i = 0; i < 100; i++) {
		tuple = tuple_to(1, (uint16_t)(80 + i));
		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
		assert_int_equal(tuple.local_port, 50000);
		hv_port_remove(&f.table, &tuple);
	}
	/* And bind to port 0 leaves alone what connect has chosen. */
	hv_port_remove(&f.table, &accepted);
	tuple = tuple_to(1, 80);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
	bind.port = 0;
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	assert_int_not_equal(bind.port, tuple.local_port);
	hv_port_unbind(&f.table, &bind);
	hv_port_remove(&f.table, &tuple);
	port_teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_65535_is_chosen),
		cmocka_unit_test(test_both_ends_by_chance),
		cmocka_unit_test(test_full_is_said_at_once),
		cmocka_unit_test(test_full_gives_no_used_port),
		cmocka_unit_test(test_never_outside_the_range),
		cmocka_unit_test(test_no_overflow_of_the_whole_range),
		cmocka_unit_test(test_no_two_runs_alike),
		cmocka_unit_test(test_one_port_serves_many),
		cmocka_unit_test(test_listening_ports_are_passed_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
