/* What tests of filters share: a filter of a few lines of rules, and flows written as text. */
#ifndef TEST_FILTER_FIXTURE_H
#define TEST_FILTER_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haven/filter.h>

#include "support/test.h"

#define SECOND UINT64_C(1000000000)

struct fixture {
	struct test_env env;
	struct haven_filter *filter;
	uint64_t now_ns;
};

static inline void address_of(const char *text, uint8_t address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(address, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, address + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, address), 1);
}

/* Lines of rules; fails with what the error says. */
static inline struct haven_rules *rules_of(struct fixture *f, const char *text)
{
	struct haven_env env = test_env_haven(&f->env);
	struct haven_rule_error error;
	struct haven_rules *rules;

	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	if (haven_rules_add_text(rules, "policy", text, strlen(text), NULL, &error) < 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	return rules;
}

static inline void set_rules(struct fixture *f, const char *text)
{
	assert_int_equal(haven_filter_replace(f->filter, rules_of(f, text)), 0);
}

static inline void fixture_config(struct fixture *f, const char *rules,
				  struct haven_filter_config *config)
{
	f->now_ns = 1000 * SECOND;
	config->env = test_env_haven(&f->env);
	assert_int_equal(haven_filter_create(config, &f->filter), 0);
	set_rules(f, rules);
}

static inline void begin(struct fixture *f, const char *rules)
{
	struct haven_filter_config config;

	test_env_init(&f->env, 1);
	haven_filter_config_init(&config);
	fixture_config(f, rules, &config);
}

static inline void end(struct fixture *f)
{
	haven_filter_destroy(f->filter);
	test_env_finish(&f->env);
}

static inline void bind_name(struct fixture *f, const char *name, const char *address,
			     uint64_t seconds)
{
	uint8_t bytes[16];

	address_of(address, bytes);
	assert_int_equal(haven_filter_bind(f->filter, name, bytes, seconds * SECOND, f->now_ns),
			 0);
}

/* "out tcp 10.0.2.100 192.0.2.1:443" */
static inline struct haven_filter_flow flow_of(const char *text)
{
	struct haven_filter_flow flow = {0};
	char direction[4], protocol[7], source[64], destination[64], *colon;

	assert_int_equal(sscanf(text, "%3s %6s %63s %63s", direction, protocol, source,
				destination),
			 4);
	flow.direction = strcmp(direction, "in") == 0 ? HAVEN_IN : HAVEN_OUT;
	if (strcmp(protocol, "tcp") == 0)
		flow.protocol = IPPROTO_TCP;
	else if (strcmp(protocol, "udp") == 0)
		flow.protocol = IPPROTO_UDP;
	else if (strcmp(protocol, "icmp6") == 0)
		flow.protocol = IPPROTO_ICMPV6;
	else
		flow.protocol = IPPROTO_ICMP;
	colon = strrchr(destination, ':');
	if (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP) {
		assert_non_null(colon);
		flow.destination.port = (uint16_t)strtoul(colon + 1, NULL, 10);
		flow.source.port = 40000;
		*colon = '\0';
	}
	address_of(source, flow.source.address);
	address_of(destination, flow.destination.address);
	return flow;
}

static inline struct haven_verdict ask(struct fixture *f, const char *text, const char *server)
{
	struct haven_filter_flow flow = flow_of(text);
	struct haven_verdict verdict;

	flow.server_name = server;
	haven_filter_decide(f->filter, &flow, f->now_ns, &verdict);
	return verdict;
}

/* Which rule decides, with a minus when it refuses. */
static inline int decided(struct fixture *f, const char *text, const char *server)
{
	struct haven_verdict verdict = ask(f, text, server);

	return verdict.allowed ? (int)verdict.rule : -(int)verdict.rule;
}

static inline struct haven_rule_info info_of(struct fixture *f, uint32_t number)
{
	struct haven_rule_info info;

	assert_true(haven_filter_rule(f->filter, number, &info));
	return info;
}

#endif
