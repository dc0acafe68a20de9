/* The request "connect": what is wrong with it, and that a rule may refuse it. No stack: nothing here is connected. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/control_state.h"
#include "policy_support.h"
#include "support/test.h"

struct world {
	struct test_policy policy;
	struct hv_control control;
	struct hv_control_client client;
	int peer; /* the other end of the pair that is passed */
};

static void begin(struct world *world, const char *rules)
{
	memset(world, 0, sizeof(*world));
	test_policy_begin(&world->policy, rules, NULL);
	world->policy.gateway.network.v4.prefix = 24;
	TAILQ_INIT(&world->policy.gateway.relays);
	world->control.gateway = &world->policy.gateway;
	world->control.client_count = 1;
	world->client.control = &world->control;
}

static void end(struct world *world)
{
	hv_loop_end_turn(&world->policy.gateway.loop);
	test_policy_end(&world->policy);
}

static void pass_pair(struct world *world, int type)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
	world->client.passed_fd = pair[0];
	world->peer = pair[1];
}

/* Asks, and returns the answer's first row, which is not told by the kind itself when it is an error. */
static json_t *ask(struct world *world, const char *request)
{
	json_t *row = NULL;
	char line[256];

	snprintf(line, sizeof(line), "%s", request);
	hv_answer_begin(&world->client.answer, &world->control, line, strlen(line));
	hv_answer_step(&world->client.answer, &row);
	assert_non_null(row);
	assert_int_equal(world->client.passed_fd, -1);
	return row;
}

static void expect_error(struct world *world, const char *request, const char *part)
{
	json_t *row = ask(world, request);
	const char *message = json_string_value(json_object_get(row, "message"));

	if (!message || !strstr(message, part))
		fail_msg("%s: %s", request, message ? message : "no error");
	json_decref(row);
	hv_answer_end(&world->client.answer);
	assert_false(world->client.connects);
}

/* Whether nobody has the other end of the pair any longer. */
static bool peer_is_alone(const struct world *world)
{
	char byte;

	return recv(world->peer, &byte, 1, MSG_DONTWAIT) == 0;
}

static void a_descriptor_has_to_come(void **state)
{
	struct world world;

	(void)state;
	begin(&world, NULL);
	world.client.passed_fd = -1;
	expect_error(&world, "{\"request\":\"connect\",\"to\":\"localhost:22\"}",
		     "no descriptor came");
	end(&world);
}

static void what_is_wrong_closes_it(void **state)
{
	static const struct {
		const char *request, *error;
		int type;
	} cases[] = {
		{"{\"request\":\"connect\"}", "\"to\" is missing", SOCK_STREAM},
		{"{\"request\":\"connect\",\"to\":22}", "\"to\" is missing", SOCK_STREAM},
		{"{\"request\":\"connect\",\"to\":\"10.9.9.9:22\"}",
		 "not in the guest's network", SOCK_STREAM},
		{"{\"request\":\"connect\",\"to\":\"localhost:22\"}", "no stream socket",
		 SOCK_SEQPACKET},
	};
	struct world world;

	(void)state;
	begin(&world, NULL);
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		pass_pair(&world, cases[i].type);
		expect_error(&world, cases[i].request, cases[i].error);
		assert_true(peer_is_alone(&world));
		close(world.peer);
	}
	end(&world);
}

static void there_are_limits(void **state)
{
	struct world world;

	(void)state;
	begin(&world, NULL);
	world.control.connect_count = 1024;
	pass_pair(&world, SOCK_STREAM);
	expect_error(&world, "{\"request\":\"connect\",\"to\":\"localhost:22\"}",
		     "1024 of 'haven connect' are open");
	assert_true(peer_is_alone(&world));
	close(world.peer);
	world.control.connect_count = 0;
	world.policy.gateway.flows.limit[HV_FLOW_TCP_IN] = 0;
	pass_pair(&world, SOCK_STREAM);
	expect_error(&world, "{\"request\":\"connect\",\"to\":\"localhost:22\"}",
		     "connections inward");
	assert_true(peer_is_alone(&world));
	close(world.peer);
	end(&world);
}

static void a_rule_may_refuse_it(void **state)
{
	struct world world;
	json_t *row;

	(void)state;
	begin(&world, "deny in tcp :22\n");
	pass_pair(&world, SOCK_STREAM);
	row = ask(&world, "{\"request\":\"connect\",\"to\":\"localhost:22\"}");
	assert_string_equal(json_string_value(json_object_get(row, "type")), "closed");
	assert_true(json_is_false(json_object_get(row, "connected")));
	assert_true(json_is_false(json_object_get(row, "orderly")));
	assert_string_equal(json_string_value(json_object_get(row, "reason")),
			    "refused by rule 1 'deny in tcp :22'");
	json_decref(row);
	row = NULL;
	assert_false(hv_answer_step(&world.client.answer, &row));
	assert_string_equal(json_string_value(json_object_get(row, "type")), "end");
	json_decref(row);
	hv_answer_end(&world.client.answer);
	assert_true(peer_is_alone(&world));
	assert_non_null(strstr(test_policy_logged(&world.policy), "refused: tcp in to"));
	assert_true(world.client.connects);
	assert_int_equal(world.control.client_count, 0);
	assert_int_equal(world.control.connect_count, 1);
	close(world.peer);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_has_to_come),
		cmocka_unit_test(what_is_wrong_closes_it),
		cmocka_unit_test(there_are_limits),
		cmocka_unit_test(a_rule_may_refuse_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
