/*
 * Ephemeral ports: the whole range and nothing else, unique, unpredictable, shared between
 * destinations, exhausted exactly, free again when given back.
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

/* Fill a range towards one destination; every port exactly once, then EADDRNOTAVAIL. */
static void fill_range(uint16_t first, uint16_t last)
{
	static struct hv_tuple tuples[65536];
	static bool seen[65536];
	const struct hv_port_config config = {.ephemeral_first = first, .ephemeral_last = last};
	uint32_t size = (uint32_t)last - first + 1;
	struct port_fixture f;
	struct hv_tuple more;

	memset(seen, 0, sizeof(seen));
	port_setup(&f, first, &config);
	for (uint32_t i = 0; i < size; i++) {
		tuples[i] = tuple_to(1, 80);
		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuples[i]), 0);
		assert_in_range(tuples[i].local_port, first, last);
		assert_false(seen[tuples[i].local_port]);
		seen[tuples[i].local_port] = true;
	}
	for (int i = 0; i < 100; i++) {
		more = tuple_to(1, 80);
		assert_int_equal(hv_port_insert_ephemeral(&f.table, &more), -EADDRNOTAVAIL);
	}
	/* Another port or host is another destination. */
	more = tuple_to(1, 81);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &more), 0);
	hv_port_remove(&f.table, &more);
	more = tuple_to(2, 80);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &more), 0);
	hv_port_remove(&f.table, &more);
	/* One that is given back is the one that is found. */
	hv_port_remove(&f.table, &tuples[size / 2]);
	more = tuple_to(1, 80);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &more), 0);
	assert_int_equal(more.local_port, tuples[size / 2].local_port);
	hv_port_remove(&f.table, &more);
	for (uint32_t i = 0; i < size; i++) {
		if (i != size / 2)
			hv_port_remove(&f.table, &tuples[i]);
	}
	assert_int_equal(f.table.tuples.count, 0);
	assert_int_equal(f.table.groups.count, 0);
	port_teardown(&f);
}

static void test_default_range(void **state)
{
	(void)state;
	fill_range(32768, 60999);
}

static void test_whole_range(void **state)
{
	(void)state;
	fill_range(1, 65535);
}

static void test_small_ranges(void **state)
{
	(void)state;
	fill_range(65535, 65535);
	fill_range(1, 1);
	fill_range(65530, 65535);
	fill_range(1000, 1256);
	fill_range(1000, 1255);
	fill_range(40000, 41000);
}

/* bind to port 0, until the range is full. */
static void test_bind_zero(void **state)
{
	enum { SIZE = 300 };
	static const struct hv_port_config config = {.ephemeral_first = 65236,
						     .ephemeral_last = 65535};
	static struct hv_bind binds[SIZE], more;
	struct port_fixture f;
	struct hv_tuple tuple = tuple_to(1, 80);

	(void)state;
	port_setup(&f, 3, &config);
	for (int i = 0; i < SIZE; i++) {
		binds[i] = (struct hv_bind){.local = v4(1), .proto = IPPROTO_TCP};
		assert_int_equal(hv_port_bind(&f.table, &binds[i]), 0);
		assert_in_range(binds[i].port, 65236, 65535);
	}
	more = (struct hv_bind){.local = v4(1), .proto = IPPROTO_TCP};
	assert_int_equal(hv_port_bind(&f.table, &more), -EADDRNOTAVAIL);
	more.local = v4(0);
	assert_int_equal(hv_port_bind(&f.table, &more), -EADDRNOTAVAIL);
	/* An address of its own has its own ports. */
	more.local = v4(2);
	assert_int_equal(hv_port_bind(&f.table, &more), 0);
	hv_port_unbind(&f.table, &more);
	/* Ports with a bind are not chosen for connections. */
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), -EADDRNOTAVAIL);
	hv_port_unbind(&f.table, &binds[17]);
	assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
	assert_int_equal(tuple.local_port, binds[17].port);
	hv_port_remove(&f.table, &tuple);
	for (int i = 0; i < SIZE; i++)
		hv_port_unbind(&f.table, &binds[i]);
	port_teardown(&f);
}

/* The ports chosen for one destination one after the other, each given back at once. */
static void sequence(uint64_t seed, uint16_t *ports, int count)
{
	static const struct hv_port_config config = {.ephemeral_first = 32768,
						     .ephemeral_last = 60999};
	struct port_fixture f;

	port_setup(&f, seed, &config);
	for (int i = 0; i < count; i++) {
		struct hv_tuple tuple = tuple_to(1, 80);

		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
		ports[i] = tuple.local_port;
		hv_port_remove(&f.table, &tuple);
	}
	port_teardown(&f);
}

static void test_keys_differ(void **state)
{
	enum { COUNT = 100 };
	uint16_t a[COUNT], b[COUNT];
	int same = 0, steps[17] = {0}, kinds = 0;

	(void)state;
	sequence(1, a, COUNT);
	sequence(2, b, COUNT);
	for (int i = 0; i < COUNT; i++)
		same += a[i] == b[i];
	assert_true(same < 5);
	/* A port is not used again at once, and the step to the next is not constant. */
	for (int i = 1; i < COUNT; i++) {
		int step = (a[i] - a[i - 1] + 28232) % 28232;

		assert_in_range(step, 1, 16);
		kinds += !steps[step]++;
	}
	assert_true(kinds > 8);
}

/* The first port for a destination says nothing about that for another: chi-square over 64 bins. */
static void test_first_choice_is_uniform(void **state)
{
	enum { BINS = 64, DRAWS = 64 * 200 };
	static const struct hv_port_config config = {.ephemeral_first = 1024,
						     .ephemeral_last = 65535};
	int bins[BINS] = {0};
	double chi = 0;
	struct port_fixture f;

	(void)state;
	port_setup(&f, 11, &config);
	for (int i = 0; i < DRAWS; i++) {
		struct hv_tuple tuple = tuple_to((uint8_t)(i % 250 + 1), (uint16_t)(i / 250));

		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuple), 0);
		bins[(tuple.local_port - 1024) / (64512 / BINS)]++;
		hv_port_remove(&f.table, &tuple);
	}
	for (int i = 0; i < BINS; i++)
		chi += (bins[i] - 200.0) * (bins[i] - 200.0) / 200.0;
	/* 63 degrees of freedom: above 120 has a chance of one in 50,000; the seed is fixed. */
	assert_true(chi < 120);
	port_teardown(&f);
}

/* Nearly full for a long time, connections come and go: always found, never twice. */
static void test_churn_when_nearly_full(void **state)
{
	enum { SIZE = 28232 };
	static struct hv_tuple tuples[SIZE];
	static const struct hv_port_config config = {.ephemeral_first = 32768,
						     .ephemeral_last = 60999};
	struct port_fixture f;
	struct test_random random;

	(void)state;
	test_random_init(&random, 5);
	port_setup(&f, 5, &config);
	for (int i = 0; i < SIZE; i++) {
		tuples[i] = tuple_to(1, 443);
		assert_int_equal(hv_port_insert_ephemeral(&f.table, &tuples[i]), 0);
	}
	for (int i = 0; i < 100000; i++) {
		struct hv_tuple *tuple = &tuples[test_random_below(&random, SIZE)];

		hv_port_remove(&f.table, tuple);
		assert_int_equal(hv_port_insert_ephemeral(&f.table, tuple), 0);
	}
	assert_int_equal(f.table.tuples.count, SIZE);
	for (int i = 0; i < SIZE; i++) {
		assert_ptr_equal(hv_port_find(&f.table, IPPROTO_TCP, &tuples[i].local,
					      tuples[i].local_port, &tuples[i].remote, 443),
				 &tuples[i]);
	}
	for (int i = 0; i < SIZE; i++)
		hv_port_remove(&f.table, &tuples[i]);
	port_teardown(&f);
}

static void test_bad_ranges(void **state)
{
	static const struct hv_port_config bad[] = {
		{.ephemeral_first = 0, .ephemeral_last = 65535},
		{.ephemeral_first = 2, .ephemeral_last = 1},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(bad); i++) {
		struct test_env test_env;
		struct haven_env env;
		struct hv_core core;
		struct hv_port_table table;

		test_env_init(&test_env, 1);
		env = test_env_haven(&test_env);
		assert_int_equal(hv_core_init(&core, &env), 0);
		assert_int_equal(hv_port_table_init(&table, &core, &bad[i]), -EINVAL);
		hv_core_finish(&core);
		test_env_finish(&test_env);
	}
}

static void test_no_memory(void **state)
{
	static const struct hv_port_config config = {.ephemeral_first = 1000,
						     .ephemeral_last = 2000};
	bool failed;

	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct port_fixture f;
		struct hv_tuple tuple = tuple_to(1, 80);
		int error;

		port_setup(&f, nth, &config);
		test_env_fail(&f.env, nth);
		error = hv_port_insert_ephemeral(&f.table, &tuple);
		failed = test_env_failed(&f.env);
		test_env_fail(&f.env, 0);
		assert_int_equal(error, failed ? -ENOMEM : 0);
		assert_int_equal(f.table.tuples.count, !failed);
		if (!failed)
			hv_port_remove(&f.table, &tuple);
		port_teardown(&f);
		if (!failed)
			break;
		assert_true(nth < 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_range),
		cmocka_unit_test(test_whole_range),
		cmocka_unit_test(test_small_ranges),
		cmocka_unit_test(test_bind_zero),
		cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_first_choice_is_uniform),
		cmocka_unit_test(test_churn_when_nearly_full),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
