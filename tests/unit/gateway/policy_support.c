#include "policy_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/test.h"

static struct haven_rules *rules_of(const char *text)
{
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_env env;

	haven_env_default(&env);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	assert_int_equal(haven_rules_add_text(rules, "test", text, strlen(text), NULL, &error),
			 0);
	return rules;
}

void test_policy_begin(struct test_policy *test, const char *rules,
		       const struct hv_policy_config *config)
{
	struct hv_gateway *gateway = &test->gateway;
	static char name[] = "curl", url[] = "https://b.test/";
	static char *command[] = {name, url, NULL};
	struct hv_gateway_config whole = {.command = command};
	struct hv_gateway_error error;

	memset(test, 0, sizeof(*test));
	assert_int_equal(pipe2(test->log_fds, O_NONBLOCK | O_CLOEXEC), 0);
	hv_log_init(&test->log, test->log_fds[1], HV_LOG_WARNING);
	gateway->log = &test->log;
	assert_int_equal(hv_loop_init(&gateway->loop), 0);
	gateway->loop.now_ns = HV_NS_PER_S;
	hv_flow_table_init(&gateway->flows, &test->log);
	gateway->network.v4.enabled = true;
	hv_address_parse("10.0.2.100", gateway->network.v4.guest);
	hv_address_parse("10.0.2.2", gateway->network.v4.gateway);
	if (config)
		whole.policy = *config;
	whole.policy.rules = rules ? rules_of(rules) : NULL;
	assert_int_equal(hv_policy_create(gateway, &whole, &error), 0);
	/* The host of these tests has one address, whatever machine they run on. */
	assert_int_equal(haven_filter_set_host(gateway->policy->filter,
					       &gateway->network.v4.gateway, 1),
			 0);
	gateway->policy->host_read_ns = UINT64_MAX / 2;
}

void test_policy_end(struct test_policy *test)
{
	hv_policy_destroy(&test->gateway);
	hv_loop_finish(&test->gateway.loop);
	close(test->log_fds[0]);
	close(test->log_fds[1]);
}

const char *test_policy_logged(struct test_policy *test)
{
	static char text[65536];
	ssize_t size = read(test->log_fds[0], text, sizeof(text) - 1);

	text[size > 0 ? size : 0] = '\0';
	return text;
}

const char *test_policy_file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	assert_true(fd >= 0);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	return text;
}

struct haven_endpoint test_endpoint(const char *address, uint16_t port)
{
	struct haven_endpoint endpoint = {.port = port};

	assert_true(hv_address_parse(address, endpoint.address));
	return endpoint;
}

struct hv_flow test_flow(enum hv_flow_kind kind, const char *destination, uint16_t port)
{
	return (struct hv_flow){
		.kind = kind,
		.source = test_endpoint("10.0.2.100", 40000),
		.destination = test_endpoint(destination, port),
	};
}
