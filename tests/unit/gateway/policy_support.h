/* A gateway with a policy and no stack: enough to ask about flows. */
#ifndef TEST_GATEWAY_POLICY_SUPPORT_H
#define TEST_GATEWAY_POLICY_SUPPORT_H

#include "gateway/gateway.h"

struct test_policy {
	struct hv_gateway gateway;
	struct hv_log log;
	int log_fds[2]; /* a pipe */
};

/* rules: a text as in a policy file; NULL: none. config: of the policy, without rules. */
void test_policy_begin(struct test_policy *test, const char *rules,
		       const struct hv_policy_config *config);
void test_policy_end(struct test_policy *test);
/* What was logged since; a static buffer. */
const char *test_policy_logged(struct test_policy *test);
/* Whole file; a static buffer. */
const char *test_policy_file(const char *path);

struct haven_endpoint test_endpoint(const char *address, uint16_t port);
struct hv_flow test_flow(enum hv_flow_kind kind, const char *destination, uint16_t port);

#endif
