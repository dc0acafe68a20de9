/* What leaves as TLS: the option, and which connections are meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_support.h"
#include "support/test.h"

static void parsed(void **state)
{
	static const struct {
		const char *text, *name;
		bool is_address;
		unsigned port;
	} good[] = {
		{"api.test:443", "api.test", false, 443},
		{"API.Test.:https", "api.test", false, 443},
		{"localhost:1", "localhost", false, 1},
		{"192.0.2.1:65535", "192.0.2.1", true, 65535},
		{"[2001:db8::1]:imaps", "2001:db8::1", true, 993},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct hv_tls_target target;
		char error[512] = "";

		if (!hv_tls_target_parse(good[i].text, &target, error, sizeof(error)))
			fail_msg("%s: %s", good[i].text, error);
		assert_string_equal(target.name, good[i].name);
		assert_int_equal(target.is_address, good[i].is_address);
		assert_int_equal(target.port, good[i].port);
	}
}

static void nonsense_is_told(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "the port is missing"},
		{"api.test", "the port is missing"},
		{"[2001:db8::1]", "the port is missing"},
		{":443", "the host is neither"},
		{"2001:db8::1:443", "the host is neither"},
		{"[192.0.2.1]:443", "the host is neither"},
		{"[api.test]:443", "the host is neither"},
		{"*.test:443", "the host is neither"},
		{"a b:443", "the host is neither"},
		{"https://api.test:443", "the host is neither"},
		{"api.test:0", "they are from 0 to 65535"},
		{"api.test:65536", "they are from 0 to 65535"},
		{"api.test:1-2", "is no"},
		{"api.test:", "is neither a port"},
		{"api.test:htps", "no TCP service is called 'htps'; did you mean"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		struct hv_tls_target target;
		char error[512] = "";

		if (hv_tls_target_parse(bad[i].text, &target, error, sizeof(error)))
			fail_msg("'%s' was taken", bad[i].text);
		if (!strstr(error, bad[i].why))
			fail_msg("'%s': %s", bad[i].text, error);
		assert_non_null(strstr(error, "it is HOST:PORT"));
	}
}

/* --- which connections ------------------------------------------------------------------ */

struct world {
	struct hv_gateway gateway;
	struct hv_tls_target targets[8];
};

static void begin(struct world *world, const char *const *texts, unsigned count)
{
	struct hv_gateway_config config = {
		.tls_out = {.targets = world->targets, .target_count = count}};
	struct hv_gateway_error error = {0};
	char text[512];

	memset(&world->gateway, 0, sizeof(world->gateway));
	for (unsigned i = 0; i < count; i++)
		assert_true(
			hv_tls_target_parse(texts[i], &world->targets[i], text, sizeof(text)));
	if (hv_tls_out_create(&world->gateway, &config, &error) < 0)
		fail_msg("%s", error.text);
}

static void bound(struct world *world, const char *name, const char *address)
{
	struct haven_endpoint endpoint = test_endpoint(address, 1);

	hv_tls_out_bound(&world->gateway, name, endpoint.address);
}

/* The name of the target that a connection is for, "" for none. */
static const char *to(struct world *world, const char *address, uint16_t port)
{
	struct haven_endpoint endpoint = test_endpoint(address, port);
	const struct hv_tls_target *target = hv_tls_out_target(&world->gateway, &endpoint);

	return target ? target->name : "";
}

static void without_targets_everything_is_in_the_clear(void **state)
{
	struct world world;

	(void)state;
	begin(&world, NULL, 0);
	assert_null(world.gateway.tls_out);
	bound(&world, "a.test", "192.0.2.1");
	assert_string_equal(to(&world, "192.0.2.1", 443), "");
	hv_tls_out_destroy(&world.gateway);
}

static void names_mean_what_dns_has_told(void **state)
{
	static const char *const texts[] = {"a.test:443", "b.test:443", "192.0.2.9:25",
					    "[2001:db8::9]:25"};
	struct world world;

	(void)state;
	begin(&world, texts, TEST_COUNT(texts));
	assert_string_equal(to(&world, "192.0.2.1", 443), "");
	bound(&world, "A.test.", "192.0.2.1");
	bound(&world, "a.test.example", "192.0.2.2");
	bound(&world, "test", "192.0.2.3");
	assert_string_equal(to(&world, "192.0.2.1", 443), "a.test");
	assert_string_equal(to(&world, "192.0.2.1", 80), "");
	assert_string_equal(to(&world, "192.0.2.2", 443), "");
	assert_string_equal(to(&world, "192.0.2.3", 443), "");
	assert_string_equal(to(&world, "192.0.2.9", 25), "192.0.2.9");
	assert_string_equal(to(&world, "2001:db8::9", 25), "2001:db8::9");
	assert_string_equal(to(&world, "2001:db8::9", 26), "");

	/* Two names of one address: what was told last. */
	bound(&world, "b.test", "192.0.2.1");
	assert_string_equal(to(&world, "192.0.2.1", 443), "b.test");
	bound(&world, "a.test", "192.0.2.1");
	assert_string_equal(to(&world, "192.0.2.1", 443), "a.test");
	hv_tls_out_destroy(&world.gateway);
}

static void so_many_addresses_of_a_name_are_kept(void **state)
{
	static const char *const texts[] = {"a.test:443"};
	struct world world;
	char address[32];

	(void)state;
	begin(&world, texts, 1);
	for (unsigned i = 0; i <= HV_TLS_OUT_ADDRESSES; i++) {
		snprintf(address, sizeof(address), "192.0.2.%u", i + 1);
		bound(&world, "a.test", address);
		bound(&world, "a.test", address);
	}
	assert_string_equal(to(&world, "192.0.2.1", 443), "");
	assert_string_equal(to(&world, "192.0.2.2", 443), "a.test");
	assert_string_equal(to(&world, address, 443), "a.test");
	hv_tls_out_destroy(&world.gateway);
}

static void authorities_that_cannot_be_read(void **state)
{
	struct hv_tls_target target = {.name = "a.test", .port = 1};
	struct hv_gateway_config config = {
		.tls_out = {.targets = &target, .target_count = 1, .ca = "/dev/null"}};
	struct hv_gateway_error error = {0};
	struct hv_gateway gateway = {0};

	(void)state;
	assert_true(hv_tls_out_create(&gateway, &config, &error) < 0);
	assert_memory_equal(error.text, "'/dev/null': there is no ", 24);
	hv_tls_out_destroy(&gateway);
	config.tls_out.ca = "/nowhere";
	assert_true(hv_tls_out_create(&gateway, &config, &error) < 0);
	assert_string_equal(error.text, "cannot read '/nowhere': No such file or directory");
	hv_tls_out_destroy(&gateway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsed),
		cmocka_unit_test(nonsense_is_told),
		cmocka_unit_test(without_targets_everything_is_in_the_clear),
		cmocka_unit_test(names_mean_what_dns_has_told),
		cmocka_unit_test(so_many_addresses_of_a_name_are_kept),
		cmocka_unit_test(authorities_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
