/* Binds: conflicts as Linux decides them, look-up, listeners, privilege, lack of memory. */
#include "port_fixture.h"

static const struct hv_port_config config = {
	.privileged_limit = 1024,
	.ephemeral_first = 32768,
	.ephemeral_last = 60999,
};

/* An end, written short: 4 or 6 and the last byte of the address (0: any); D: dual-stack ::. */
static struct hv_bind bind_of(const char *text, uint16_t port, uint8_t proto)
{
	struct hv_bind bind = {.port = port, .proto = proto};
	uint8_t n = (uint8_t)(text[1] - '0');

	bind.local = text[0] == '4' ? v4(n) : v6(n);
	bind.dual = text[0] == 'D';
	bind.reuse_addr = text[2] == 'r' || (text[2] && text[3] == 'r');
	return bind;
}

/*
 * Each row: the first socket (4, 6, D and address; 'l' listens, 'r' has SO_REUSEADDR), the second, and whether the
 * second may bind the same port.
 */
static const struct {
	const char *first, *second;
	bool allowed;
} matrix[] = {
	/* one family, no options */
	{"40", "40", false},
	{"41", "41", false},
	{"41", "42", true},
	{"40", "41", false},
	{"41", "40", false},
	{"60", "60", false},
	{"61", "62", true},
	{"60", "61", false},
	{"61", "60", false},
	/* across families */
	{"40", "60", true},
	{"60", "40", true},
	{"41", "61", true},
	{"40", "D0", false},
	{"D0", "40", false},
	{"41", "D0", false},
	{"D0", "41", false},
	{"D0", "61", false},
	{"61", "D0", false},
	{"D0", "60", false},
	{"D0", "D0", false},
	/* SO_REUSEADDR on one of them is not enough */
	{"40r", "40", false},
	{"40", "40r", false},
	{"41", "40r", false},
	/* on both it is, until one listens */
	{"40r", "40r", true},
	{"41r", "41r", true},
	{"40r", "41r", true},
	{"41r", "40r", true},
	{"D0r", "40r", true},
	{"D0r", "D0r", true},
	{"40lr", "40r", false},
	{"40lr", "41r", false},
	{"41lr", "40r", false},
	{"41lr", "42r", true},
	{"D0lr", "41r", false},
	{"60lr", "41r", true},
};

static void test_conflicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEST_COUNT(matrix); i++) {
		struct port_fixture f;
		struct hv_bind first = bind_of(matrix[i].first, 8080, IPPROTO_TCP);
		struct hv_bind second = bind_of(matrix[i].second, 8080, IPPROTO_TCP);
		struct hv_bind other = bind_of(matrix[i].second, 8080, IPPROTO_UDP);

		port_setup(&f, i, &config);
		assert_int_equal(hv_port_bind(&f.table, &first), 0);
		if (matrix[i].first[2] == 'l')
			assert_int_equal(hv_port_listen(&f.table, &first), 0);
		if (hv_port_bind(&f.table, &second) != (matrix[i].allowed ? 0 : -EADDRINUSE))
			fail_msg("%s then %s", matrix[i].first, matrix[i].second);
		/* The other protocol has ports of its own. */
		assert_int_equal(hv_port_bind(&f.table, &other), 0);
		/* What goes leaves nothing behind. */
		hv_port_unbind(&f.table, &first);
		hv_port_unbind(&f.table, &first);
		hv_port_unbind(&f.table, &second);
		assert_int_equal(hv_port_bind(&f.table, &first), 0);
		hv_port_unbind(&f.table, &first);
		hv_port_unbind(&f.table, &other);
		port_teardown(&f);
	}
}

/* Two with SO_REUSEADDR may be bound; only the first may listen. */
static void test_listen_once(void **state)
{
	struct port_fixture f;
	struct hv_bind a = bind_of("40r", 80, IPPROTO_TCP), b = bind_of("41r", 80, IPPROTO_TCP);
	struct hv_addr local = v4(1), other = v4(2);

	(void)state;
	port_setup(&f, 1, &config);
	f.table.config.privileged = true;
	assert_int_equal(hv_port_bind(&f.table, &a), 0);
	assert_int_equal(hv_port_bind(&f.table, &b), 0);
	assert_null(hv_port_find_bind(&f.table, IPPROTO_TCP, &local, 80, true));
	assert_int_equal(hv_port_listen(&f.table, &a), 0);
	assert_int_equal(hv_port_listen(&f.table, &b), -EADDRINUSE);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_TCP, &local, 80, true), &a);
	hv_port_unbind(&f.table, &a);
	assert_int_equal(hv_port_listen(&f.table, &b), 0);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_TCP, &local, 80, true), &b);
	assert_null(hv_port_find_bind(&f.table, IPPROTO_TCP, &other, 80, true));
	hv_port_unbind(&f.table, &b);
	port_teardown(&f);
}

/* The address first, then any of the family, then dual-stack. */
static void test_find_order(void **state)
{
	struct port_fixture f;
	struct hv_bind exact = bind_of("41r", 53, IPPROTO_UDP);
	struct hv_bind any = bind_of("40r", 53, IPPROTO_UDP);
	struct hv_bind dual = bind_of("D0r", 53, IPPROTO_UDP);
	struct hv_addr one = v4(1), two = v4(2), six = v6(1);

	(void)state;
	port_setup(&f, 1, &config);
	f.table.config.privileged = true;
	assert_int_equal(hv_port_bind(&f.table, &exact), 0);
	assert_int_equal(hv_port_bind(&f.table, &any), 0);
	assert_int_equal(hv_port_bind(&f.table, &dual), 0);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &one, 53, false), &exact);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &two, 53, false), &any);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &six, 53, false), &dual);
	/* Connected, a datagram socket is not found any more, and is again afterwards. */
	hv_port_set_receiving(&f.table, &exact, false);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &one, 53, false), &any);
	hv_port_set_receiving(&f.table, &exact, true);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &one, 53, false), &exact);
	hv_port_unbind(&f.table, &any);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &two, 53, false), &dual);
	assert_null(hv_port_find_bind(&f.table, IPPROTO_UDP, &two, 54, false));
	hv_port_unbind(&f.table, &exact);
	hv_port_unbind(&f.table, &dual);
	port_teardown(&f);
}

/* :: that is IPv6 only does not take IPv4, also behind one that does. */
static void test_v6_only(void **state)
{
	struct port_fixture f;
	struct hv_bind only = bind_of("60r", 5000, IPPROTO_UDP);
	struct hv_bind dual = bind_of("D0r", 5000, IPPROTO_UDP);
	struct hv_addr four = v4(1), six = v6(1);

	(void)state;
	port_setup(&f, 1, &config);
	assert_int_equal(hv_port_bind(&f.table, &only), 0);
	assert_null(hv_port_find_bind(&f.table, IPPROTO_UDP, &four, 5000, false));
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &six, 5000, false), &only);
	hv_port_unbind(&f.table, &only);
	assert_int_equal(hv_port_bind(&f.table, &dual), 0);
	assert_int_equal(hv_port_bind(&f.table, &only), 0);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &six, 5000, false), &only);
	assert_ptr_equal(hv_port_find_bind(&f.table, IPPROTO_UDP, &four, 5000, false), &dual);
	hv_port_unbind(&f.table, &only);
	hv_port_unbind(&f.table, &dual);
	port_teardown(&f);
}

static void test_privilege(void **state)
{
	struct port_fixture f;
	struct hv_bind bind = bind_of("40", 1023, IPPROTO_TCP);

	(void)state;
	port_setup(&f, 1, &config);
	assert_int_equal(hv_port_bind(&f.table, &bind), -EACCES);
	bind.port = 1024;
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	hv_port_unbind(&f.table, &bind);
	bind.port = 1;
	f.table.config.privileged_limit = 0;
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	hv_port_unbind(&f.table, &bind);
	bind.port = 65535;
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	hv_port_unbind(&f.table, &bind);
	port_teardown(&f);
}

static bool count_binds(const struct hv_bind *bind, void *ctx)
{
	(void)bind;
	return ++*(int *)ctx != 7;
}

/* One 4-tuple in the place of another: nobody sees the change, and nothing is allocated. */
static void test_replace(void **state)
{
	struct hv_tuple first = {.proto = IPPROTO_TCP, .kind = 1, .hold = HV_HOLD_BOUND};
	struct hv_tuple second = {.proto = IPPROTO_TCP, .kind = 2};
	struct hv_bind bind = bind_of("41", 4000, IPPROTO_TCP);
	struct port_fixture f;
	struct hv_addr local = v4(1), remote = v4(2);

	(void)state;
	port_setup(&f, 1, &config);
	first.local = local;
	first.remote = remote;
	first.local_port = 4000;
	first.remote_port = 5000;
	assert_int_equal(hv_port_insert(&f.table, &first), 0);
	f.env.fail_ppm = 1000000;
	hv_port_replace(&f.table, &first, &second);
	f.env.fail_ppm = 0;
	assert_ptr_equal(hv_port_find(&f.table, IPPROTO_TCP, &local, 4000, &remote, 5000),
			 &second);
	assert_int_equal(second.kind, 2);
	assert_int_equal(second.hold, HV_HOLD_BOUND);
	assert_int_equal(hv_port_bind(&f.table, &bind),
			 -EADDRINUSE); /* it still holds the port */
	hv_port_remove(&f.table, &second);
	assert_int_equal(f.table.tuples.count, 0);
	assert_int_equal(f.table.slots.count, 0);
	assert_int_equal(hv_port_bind(&f.table, &bind), 0);
	hv_port_unbind(&f.table, &bind);
	port_teardown(&f);
}

/* Thousands of sockets on one port cost no more than thousands on many. */
static void test_many_on_one_port(void **state)
{
	enum { MANY = 20000 };
	static struct hv_bind binds[MANY];
	struct port_fixture f;
	int count = 0;

	(void)state;
	port_setup(&f, 1, &config);
	for (int i = 0; i < MANY; i++) {
		binds[i] = bind_of("40r", 4000, IPPROTO_TCP);
		assert_int_equal(hv_port_bind(&f.table, &binds[i]), 0);
	}
	hv_port_each_bind(&f.table, count_binds, &count);
	assert_int_equal(count, 7);
	for (int i = 0; i < MANY; i++)
		hv_port_unbind(&f.table, &binds[i]);
	assert_int_equal(f.table.slots.count, 0);
	assert_int_equal(f.table.ports.count, 0);
	port_teardown(&f);
}

/* Every allocation may fail; the table stays whole. */
static void test_no_memory(void **state)
{
	struct port_fixture f;
	bool failed;

	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct hv_bind bind = bind_of("40", 0, IPPROTO_TCP);
		int error;

		port_setup(&f, nth, &config);
		test_env_fail(&f.env, nth);
		error = hv_port_bind(&f.table, &bind);
		failed = test_env_failed(&f.env);
		test_env_fail(&f.env, 0);
		if (failed) {
			assert_int_equal(error, -ENOMEM);
			assert_null(bind.slot);
			assert_int_equal(f.table.ports.count, 0);
		} else {
			assert_int_equal(error, 0);
		}
		hv_port_unbind(&f.table, &bind);
		port_teardown(&f);
		if (!failed)
			break;
		assert_true(nth < 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conflicts),  cmocka_unit_test(test_listen_once),
		cmocka_unit_test(test_find_order), cmocka_unit_test(test_v6_only),
		cmocka_unit_test(test_privilege),  cmocka_unit_test(test_many_on_one_port),
		cmocka_unit_test(test_replace),	   cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
