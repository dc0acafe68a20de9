/* Names bound to addresses: how long, in which order, and what makes way. */
#include "fixture.h"

static bool binding(struct fixture *f, const char *address, unsigned at,
		    struct haven_binding *out)
{
	uint8_t bytes[16];

	address_of(address, bytes);
	return haven_filter_binding(f->filter, bytes, at, f->now_ns, out);
}

static const char *name_at(struct fixture *f, const char *address, unsigned at)
{
	struct haven_binding out;

	return binding(f, address, at, &out) ? out.name : "";
}

static int bind_error(struct fixture *f, const char *name, const char *address)
{
	uint8_t bytes[16];

	address_of(address, bytes);
	return haven_filter_bind(f->filter, name, bytes, 300 * SECOND, f->now_ns);
}

static int bind_static(struct fixture *f, const char *name, const char *address)
{
	uint8_t bytes[16];

	address_of(address, bytes);
	return haven_filter_bind_static(f->filter, name, bytes);
}

static void begin_small(struct fixture *f, uint32_t all, uint32_t addresses, uint32_t names)
{
	struct haven_filter_config config;

	test_env_init(&f->env, 1);
	haven_filter_config_init(&config);
	config.max_bindings = all;
	config.max_addresses_per_name = addresses;
	config.max_names_per_address = names;
	config.name_floor_ns = 0;
	fixture_config(f, "", &config);
}

static void the_oldest_first(void **state)
{
	struct haven_binding out;
	struct fixture f;

	(void)state;
	begin(&f, "");
	bind_name(&f, "A.Example.org.", "192.0.2.1", 300);
	f.now_ns += SECOND;
	bind_name(&f, "b.example.org", "192.0.2.1", 100);
	bind_name(&f, "a.example.org", "192.0.2.2", 300);
	assert_true(binding(&f, "192.0.2.1", 0, &out));
	assert_string_equal(out.name, "a.example.org");
	assert_int_equal(out.since_ns, f.now_ns - SECOND);
	assert_int_equal(out.expires_ns, f.now_ns + 299 * SECOND);
	assert_string_equal(name_at(&f, "192.0.2.1", 1), "b.example.org");
	assert_false(binding(&f, "192.0.2.1", 2, &out));
	assert_string_equal(name_at(&f, "192.0.2.2", 0), "a.example.org");
	assert_false(binding(&f, "192.0.2.3", 0, &out));
	end(&f);
}

static void a_time_and_its_floor(void **state)
{
	struct haven_binding out;
	struct fixture f;

	(void)state;
	begin(&f, "");
	bind_name(&f, "a.org", "192.0.2.1", 0);
	bind_name(&f, "b.org", "192.0.2.1", 61);
	f.now_ns += 60 * SECOND - 1;
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "a.org");
	f.now_ns++;
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "b.org");
	f.now_ns += SECOND;
	assert_false(binding(&f, "192.0.2.1", 0, &out));
	end(&f);
}

static void said_again(void **state)
{
	struct haven_binding out;
	struct fixture f;
	uint64_t start;

	(void)state;
	begin(&f, "");
	start = f.now_ns;
	bind_name(&f, "a.org", "192.0.2.1", 300);
	f.now_ns += 200 * SECOND;
	bind_name(&f, "b.org", "192.0.2.1", 300);
	bind_name(&f, "a.org", "192.0.2.1", 60);
	assert_true(binding(&f, "192.0.2.1", 0, &out));
	assert_string_equal(out.name, "a.org");
	assert_int_equal(out.expires_ns, start + 300 * SECOND);
	bind_name(&f, "a.org", "192.0.2.1", 300);
	assert_true(binding(&f, "192.0.2.1", 0, &out));
	assert_int_equal(out.since_ns, start);
	assert_int_equal(out.expires_ns, start + 500 * SECOND);
	/* What had ended begins anew, and is the latest. */
	bind_name(&f, "c.org", "192.0.2.1", 1000);
	f.now_ns += 305 * SECOND;
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "c.org");
	bind_name(&f, "a.org", "192.0.2.1", 300);
	assert_true(binding(&f, "192.0.2.1", 1, &out));
	assert_string_equal(out.name, "a.org");
	assert_int_equal(out.since_ns, f.now_ns);
	end(&f);
}

static void for_ever(void **state)
{
	struct haven_binding out;
	struct fixture f;

	(void)state;
	begin(&f, "");
	assert_int_equal(bind_static(&f, "db.", "127.0.0.1"), 0);
	assert_int_equal(bind_static(&f, "no name", "127.0.0.1"), -EINVAL);
	bind_name(&f, "a.org", "192.0.2.1", 300);
	assert_int_equal(bind_static(&f, "a.org", "192.0.2.1"), 0);
	assert_int_equal(bind_static(&f, "a.org", "192.0.2.1"), 0);
	f.now_ns = UINT64_MAX - 1;
	bind_name(&f, "a.org", "192.0.2.1", 1);
	assert_true(binding(&f, "127.0.0.1", 0, &out));
	assert_string_equal(out.name, "db");
	assert_int_equal(out.since_ns, 0);
	assert_int_equal(out.expires_ns, UINT64_MAX);
	assert_true(binding(&f, "192.0.2.1", 0, &out));
	assert_int_equal(out.expires_ns, UINT64_MAX);
	end(&f);
}

static void times_that_do_not_end(void **state)
{
	struct haven_binding out;
	struct fixture f;
	uint8_t bytes[16];

	(void)state;
	begin(&f, "");
	address_of("192.0.2.1", bytes);
	assert_int_equal(haven_filter_bind(f.filter, "a.org", bytes, UINT64_MAX, f.now_ns), 0);
	assert_true(binding(&f, "192.0.2.1", 0, &out));
	assert_int_equal(out.expires_ns, UINT64_MAX - 1);
	end(&f);
}

static void what_is_no_name(void **state)
{
	static const char *const bad[] = {"",	 ".",	 "a..b",	 ".a",
					  "a b", "a\tb", "b\xc3\xbc.org"};
	char long_name[300];
	struct fixture f;

	(void)state;
	begin(&f, "");
	for (unsigned i = 0; i < TEST_COUNT(bad); i++)
		assert_int_equal(bind_error(&f, bad[i], "192.0.2.1"), -EINVAL);
	memset(long_name, 'a', sizeof(long_name));
	long_name[254] = '\0';
	assert_int_equal(bind_error(&f, long_name, "192.0.2.1"), -EINVAL);
	long_name[253] = '.';
	assert_int_equal(bind_error(&f, long_name, "192.0.2.1"), 0);
	long_name[253] = '\0';
	assert_string_equal(name_at(&f, "192.0.2.1", 0), long_name);
	/* Not what hosts are called, but what an answer may say. */
	assert_int_equal(bind_error(&f, "_a!-.b/c", "192.0.2.1"), 0);
	end(&f);
}

static void addresses_without_names(void **state)
{
	static const char *const bad[] = {
		"127.0.0.1", "127.255.255.254", "::1",	       "0.0.0.0",
		"::",	     "224.0.0.1",	"ff02::1",     "255.255.255.255",
		"::",	     "198.51.100.7",	"2001:db8::7",
	};
	uint8_t host[2][16];
	struct fixture f;

	(void)state;
	begin(&f, "");
	bind_name(&f, "a.org", "198.51.100.7", 300);
	bind_name(&f, "b.org", "198.51.100.7", 300);
	assert_int_equal(bind_static(&f, "c.org", "198.51.100.7"), 0);
	bind_name(&f, "a.org", "2001:db8::7", 300);
	address_of("198.51.100.7", host[0]);
	address_of("2001:db8::7", host[1]);
	assert_int_equal(haven_filter_set_host(f.filter, host, 2), 0);
	/* What an answer had bound is gone, what the operator did is not. */
	assert_string_equal(name_at(&f, "198.51.100.7", 0), "c.org");
	assert_string_equal(name_at(&f, "198.51.100.7", 1), "");
	assert_string_equal(name_at(&f, "2001:db8::7", 0), "");
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		assert_int_equal(bind_error(&f, "a.org", bad[i]), -EPERM);
		assert_int_equal(bind_static(&f, "a.org", bad[i]), 0);
	}
	assert_int_equal(haven_filter_set_host(f.filter, NULL, 0), 0);
	assert_int_equal(bind_error(&f, "d.org", "198.51.100.7"), 0);
	end(&f);
}

static void the_first_to_end_makes_way(void **state)
{
	struct fixture f;

	(void)state;
	begin_small(&f, 4, 64, 64);
	bind_name(&f, "a.org", "192.0.2.1", 400);
	bind_name(&f, "b.org", "192.0.2.2", 200);
	bind_name(&f, "c.org", "192.0.2.3", 300);
	assert_int_equal(bind_static(&f, "s.org", "192.0.2.9"), 0);
	bind_name(&f, "d.org", "192.0.2.4", 500);
	assert_string_equal(name_at(&f, "192.0.2.2", 0), "");
	bind_name(&f, "a.org", "192.0.2.1", 600);
	bind_name(&f, "e.org", "192.0.2.5", 250);
	assert_string_equal(name_at(&f, "192.0.2.3", 0), "");
	bind_name(&f, "f.org", "192.0.2.6", 900);
	assert_string_equal(name_at(&f, "192.0.2.5", 0), "");
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "a.org");
	assert_string_equal(name_at(&f, "192.0.2.4", 0), "d.org");
	assert_string_equal(name_at(&f, "192.0.2.9", 0), "s.org");
	end(&f);
}

static void addresses_of_a_name(void **state)
{
	struct fixture f;

	(void)state;
	begin_small(&f, 100, 2, 64);
	bind_name(&f, "a.org", "192.0.2.1", 300);
	bind_name(&f, "a.org", "192.0.2.2", 200);
	bind_name(&f, "b.org", "192.0.2.2", 100);
	bind_name(&f, "a.org", "192.0.2.3", 400);
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "a.org");
	assert_string_equal(name_at(&f, "192.0.2.2", 0), "b.org");
	assert_string_equal(name_at(&f, "192.0.2.3", 0), "a.org");
	end(&f);
}

static void names_of_an_address(void **state)
{
	struct fixture f;

	(void)state;
	begin_small(&f, 100, 1, 1);
	bind_name(&f, "a.org", "192.0.2.1", 300);
	bind_name(&f, "b.org", "192.0.2.1", 200);
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "b.org");
	assert_string_equal(name_at(&f, "192.0.2.1", 1), "");
	/* Both limits at once. */
	bind_name(&f, "a.org", "192.0.2.2", 300);
	bind_name(&f, "b.org", "192.0.2.2", 300);
	assert_string_equal(name_at(&f, "192.0.2.1", 0), "");
	assert_string_equal(name_at(&f, "192.0.2.2", 0), "b.org");
	end(&f);
}

static void nothing_can_make_way(void **state)
{
	struct fixture f;

	(void)state;
	begin_small(&f, 3, 2, 2);
	assert_int_equal(bind_static(&f, "a.org", "192.0.2.1"), 0);
	assert_int_equal(bind_static(&f, "b.org", "192.0.2.1"), 0);
	assert_int_equal(bind_static(&f, "c.org", "192.0.2.1"), -ENOSPC);
	assert_int_equal(bind_error(&f, "c.org", "192.0.2.1"), -ENOSPC);
	assert_int_equal(bind_static(&f, "a.org", "192.0.2.2"), 0);
	assert_int_equal(bind_error(&f, "a.org", "192.0.2.3"), -ENOSPC);
	assert_int_equal(bind_error(&f, "d.org", "192.0.2.4"), -ENOSPC);
	assert_string_equal(name_at(&f, "192.0.2.4", 0), "");
	end(&f);
}

/* What has ended goes by and by, when others come. */
static void old_ones_go(void **state)
{
	struct fixture f;
	uint64_t before;

	(void)state;
	begin(&f, "");
	for (int i = 0; i < 2000; i++) {
		char name[32], address[32];

		snprintf(name, sizeof(name), "n%d.example.org", i % 50);
		snprintf(address, sizeof(address), "192.0.%d.%d", i / 200, i % 200);
		bind_name(&f, name, address, 60);
	}
	before = f.env.live_bytes;
	f.now_ns += 100 * SECOND;
	for (int i = 0; i < 700; i++)
		bind_name(&f, "one.example.org", i % 2 ? "192.0.2.1" : "192.0.2.2", 60);
	assert_true(f.env.live_bytes < before / 5);
	end(&f);
}

/* Against a list of all, with few names and addresses: the same are bound, in the same order. */
struct known {
	unsigned name, address;
	uint64_t since_ns, expires_ns;
};

static void compare_known(struct fixture *f, const struct known *known, unsigned count,
			  unsigned address)
{
	char text[32], name[32];
	struct haven_binding out;
	unsigned at = 0;

	snprintf(text, sizeof(text), "192.0.2.%u", address + 1);
	for (unsigned i = 0; i < count; i++) {
		if (known[i].address != address || known[i].expires_ns <= f->now_ns)
			continue;
		snprintf(name, sizeof(name), "n%u.org", known[i].name);
		assert_true(binding(f, text, at++, &out));
		assert_string_equal(out.name, name);
		assert_int_equal(out.since_ns, known[i].since_ns);
		assert_int_equal(out.expires_ns, known[i].expires_ns);
	}
	assert_false(binding(f, text, at, &out));
}

static unsigned bind_known(struct fixture *f, struct known *known, unsigned count,
			   const struct known *add)
{
	unsigned i = 0;
	char text[32], name[32];

	snprintf(text, sizeof(text), "192.0.2.%u", add->address + 1);
	snprintf(name, sizeof(name), "n%u.org", add->name);
	bind_name(f, name, text, (add->expires_ns - f->now_ns) / SECOND);
	while (i < count && (known[i].name != add->name || known[i].address != add->address))
		i++;
	if (i < count && known[i].expires_ns > f->now_ns) {
		if (known[i].expires_ns < add->expires_ns)
			known[i].expires_ns = add->expires_ns;
		return count;
	}
	if (i < count)
		memmove(&known[i], &known[i + 1], (--count - i) * sizeof(*known));
	known[count] = *add;
	return count + 1;
}

static void random_bindings(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct known known[12 * 8];
		struct test_random random;
		unsigned count = 0;
		struct fixture f;

		test_random_init(&random, seed);
		begin_small(&f, 1000, 64, 64);
		for (int i = 0; i < 400; i++) {
			struct known add = {
				.name = (unsigned)test_random_below(&random, 12),
				.address = (unsigned)test_random_below(&random, 8),
			};

			f.now_ns += test_random_below(&random, 30) * SECOND;
			add.since_ns = f.now_ns;
			add.expires_ns = f.now_ns + test_random_range(&random, 1, 600) * SECOND;
			count = bind_known(&f, known, count, &add);
			compare_known(&f, known, count,
				      (unsigned)test_random_below(&random, 8));
		}
		end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_first),
		cmocka_unit_test(a_time_and_its_floor),
		cmocka_unit_test(said_again),
		cmocka_unit_test(for_ever),
		cmocka_unit_test(times_that_do_not_end),
		cmocka_unit_test(what_is_no_name),
		cmocka_unit_test(addresses_without_names),
		cmocka_unit_test(the_first_to_end_makes_way),
		cmocka_unit_test(addresses_of_a_name),
		cmocka_unit_test(names_of_an_address),
		cmocka_unit_test(nothing_can_make_way),
		cmocka_unit_test(old_ones_go),
		cmocka_unit_test(random_bindings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
