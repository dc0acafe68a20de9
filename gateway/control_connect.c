/*
 * The request "connect": a stream socket of the Unix domain that comes with it, and a connection into the guest's network,
 * with a relay between them. What is said here is how that went; the bytes go by the socket.
 *
 *	connecting -> connected -> closed	orderly, reset...
 *	           `-> closed			refused, timed out, or a rule says no
 *
 * A client that leaves does not end the connection: its socket's end does.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/connect_target.h"
#include "gateway/control_state.h"
#include "gateway/passed.h"

/* Each has two descriptors and a request's buffer. */
#define CONNECTS_MAX 1024

static void wake(struct hv_answer *answer)
{
	if (!answer->idle)
		return;
	answer->idle = false;
	hv_answer_ready(answer);
}

static json_t *progress_row(const struct hv_answer *answer, const char *type)
{
	const struct hv_flow *flow = &answer->relay->flow;

	return json_pack("{s:s, s:o, s:o}", "type", type, "source",
			 hv_json_endpoint(&flow->source), "destination",
			 hv_json_endpoint(&flow->destination));
}

static void opened(struct hv_relay_watcher *watcher)
{
	struct hv_answer *answer = hv_container(watcher, struct hv_answer, watcher);

	answer->connected = progress_row(answer, "connected");
	wake(answer);
}

static json_t *closed_row(bool connected, bool orderly, const char *reason, uint64_t bytes_out,
			  uint64_t bytes_in)
{
	return json_pack("{s:s, s:b, s:b, s:o, s:I, s:I}", "type", "closed", "connected",
			 connected, "orderly", orderly, "reason", hv_json_text(reason),
			 "bytes_out", (json_int_t)bytes_out, "bytes_in", (json_int_t)bytes_in);
}

static void ended(struct hv_relay_watcher *watcher, const char *reason)
{
	struct hv_answer *answer = hv_container(watcher, struct hv_answer, watcher);
	const struct hv_relay *relay = answer->relay;

	answer->outcome =
		closed_row(relay->flow.ready_ns != 0, relay->guest_eof && relay->host_eof,
			   reason, relay->flow.bytes_out, relay->flow.bytes_in);
	answer->relay = NULL;
	wake(answer);
}

bool hv_answer_network_ends(struct hv_answer *answer)
{
	static const char reason[] = "the network has ended";
	struct hv_relay *relay = answer->relay;
	bool complete;

	if (!relay)
		return false;
	/* All that the guest had to say has been said: that the client may say more does not matter any longer. */
	complete = relay->guest_eof;
	if (complete)
		hv_relay_close(relay, reason);
	else
		hv_relay_abort(relay, reason);
	json_object_set_new(answer->outcome, "orderly", json_boolean(complete));
	return true;
}

/* A rule that says no is the network's answer, as a refusal of the guest would be. */
static void refused(struct hv_answer *answer)
{
	char reason[sizeof(answer->error.text) + 16];

	snprintf(reason, sizeof(reason), "refused %s", answer->error.text);
	answer->error.text[0] = '\0';
	answer->outcome = closed_row(false, false, reason, 0, 0);
}

/* Takes fd. */
static int start(struct hv_answer *answer, int fd, const struct hv_connect_target *target)
{
	struct hv_control_client *client =
		hv_container(answer, struct hv_control_client, answer);
	struct hv_control *control = answer->control;
	int failed = hv_tcp_in_connect(control->gateway, fd, &target->endpoint,
				       target->any_family, &answer->relay, &answer->error);

	if (failed == -EACCES)
		refused(answer);
	else if (failed < 0)
		return failed;
	if (answer->relay) {
		answer->watcher.opened = opened;
		answer->watcher.ended = ended;
		answer->relay->watcher = &answer->watcher;
	}
	if (!client->connects) {
		client->connects = true;
		control->client_count--;
		control->connect_count++;
	}
	return 0;
}

static int check(struct hv_answer *answer, int fd, struct hv_connect_target *target)
{
	const char *text = json_string_value(json_object_get(answer->request, "to"));
	struct hv_gateway *gateway = answer->control->gateway;
	struct hv_gateway_error *error = &answer->error;
	const char *fault;

	if (!text)
		return hv_answer_fail(answer, -EINVAL, "the member \"to\" is missing");
	if (fd < 0)
		return hv_answer_fail(answer, -EINVAL,
				      "no descriptor came with the request (SCM_RIGHTS)");
	fault = hv_passed_prepare(fd);
	if (fault)
		return hv_answer_fail(answer, -EINVAL, "%s", fault);
	if (!hv_connect_target_parse(text, &gateway->network, target, error->text,
				     sizeof(error->text)))
		return -EINVAL;
	if (answer->control->connect_count >= CONNECTS_MAX)
		return hv_answer_fail(answer, -ENOSPC, "%d of 'haven connect' are open already",
				      CONNECTS_MAX);
	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_TCP_IN)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_TCP_IN);
		return hv_answer_fail(answer, -ENOSPC,
				      "the network has its %u connections inward",
				      gateway->flows.limit[HV_FLOW_TCP_IN]);
	}
	return 0;
}

static int connect_begin(struct hv_answer *answer)
{
	struct hv_control_client *client =
		hv_container(answer, struct hv_control_client, answer);
	struct hv_connect_target target = {0};
	int fd = client->passed_fd;
	int failed = check(answer, fd, &target);

	client->passed_fd = -1;
	if (failed == 0)
		return start(answer, fd, &target);
	if (fd >= 0)
		close(fd);
	return failed;
}

/* position: whether "connecting" was told. */
static bool connect_step(struct hv_answer *answer, json_t **row)
{
	if (answer->position == 0 && answer->relay) {
		*row = progress_row(answer, "connecting");
		answer->position = 1;
	} else if (answer->connected) {
		*row = answer->connected;
		answer->connected = NULL;
	} else if (answer->outcome) {
		*row = answer->outcome;
		answer->outcome = NULL;
	} else if (!answer->relay) {
		return false;
	} else {
		answer->idle = true;
	}
	return true;
}

const struct hv_answer_kind hv_answer_connect = {
	.name = "connect",
	.begin = connect_begin,
	.step = connect_step,
};
