/*
 * Server names of TCP flows, judged before the server hears of them. See name_gate.h.
 */
#include "gateway/name_gate.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/server_name.h"

struct hv_name_gate {
	struct hv_server_name_reader *reader;
	struct haven_verdict first;	/* when the flow began */
	size_t fed;			/* of the bytes that wait at the front: looked at */
	enum hv_server_name_event seen; /* by the sink, and not acted upon yet; or MORE */
	bool waiting;			/* for the server's answer */
};

int hv_name_gate_create(struct hv_relay *relay, const struct haven_verdict *verdict)
{
	struct hv_name_gate *gate = calloc(1, sizeof(*gate));

	if (gate)
		gate->reader = hv_server_name_new();
	if (!gate || !gate->reader) {
		free(gate);
		return -ENOMEM;
	}
	gate->first = *verdict;
	relay->gate = gate;
	return 0;
}

void hv_name_gate_free(struct hv_relay *relay)
{
	if (!relay->gate)
		return;
	hv_server_name_free(relay->gate->reader);
	free(relay->gate);
	relay->gate = NULL;
}

/* --- judging ---------------------------------------------------------------------------- */

/* Returns false when the flow is refused. */
static bool judge_name(struct hv_relay *relay)
{
	const char *name = hv_server_name(relay->gate->reader);
	struct haven_verdict verdict;
	char fault[HV_NAME_FAULT_SIZE];

	if (hv_policy_judge(relay->gateway, &relay->flow, name, &verdict) == HV_POLICY_ALLOWED)
		return true;
	hv_policy_end(relay->gateway, &relay->flow, &verdict,
		      hv_policy_name_fault(&relay->flow, name, fault));
	return false;
}

static bool judge_nameless(struct hv_relay *relay, const char *fault)
{
	struct haven_verdict verdict = relay->gate->first;

	if (hv_policy_judge_nameless(relay->gateway, &relay->flow, &verdict))
		return true;
	verdict.allowed = false;
	hv_policy_end(relay->gateway, &relay->flow, &verdict, fault);
	return false;
}

/* What comes of an event of the reader. Returns false when there is nothing to feed any more. */
static bool act(struct hv_relay *relay, enum hv_server_name_event event)
{
	struct hv_name_gate *gate = relay->gate;

	switch (event) {
	case HV_SERVER_NAME_MORE:
		return true;
	case HV_SERVER_NAME_NAME:
		return judge_name(relay);
	case HV_SERVER_NAME_WAIT:
		gate->waiting = true;
		return false;
	case HV_SERVER_NAME_DONE:
		/* A name that had to be said was not: this is no protocol that says one. */
		if (gate->first.name_check == HAVEN_NAME_MUST_BE_SAID && !relay->flow.name_said)
			judge_nameless(relay,
				       "its address serves other names that are refused, "
				       "and it says none");
		else
			hv_name_gate_free(relay);
		return false;
	case HV_SERVER_NAME_HIDDEN:
		if (!judge_nameless(relay, hv_server_name_fault(gate->reader)))
			return false;
		return judge_name(relay); /* by the outer name */
	case HV_SERVER_NAME_MISSING:
	case HV_SERVER_NAME_UNREADABLE:
		break;
	}
	return judge_nameless(relay, hv_server_name_fault(gate->reader));
}

/* Returns false when there is nothing to feed any more. */
static bool feed(struct hv_relay *relay, const uint8_t *data, size_t size)
{
	enum hv_server_name_event event;

	/* After a name the reader is asked once more, though nothing is left: by that it knows that the name was good. */
	do {
		struct hv_name_gate *gate = relay->gate;
		size_t used = 0;

		event = hv_server_name_feed(gate->reader, data, size, &used);
		gate->fed += used;
		data += used;
		size -= used;
		if (!act(relay, event))
			return false;
	} while (size > 0 || event != HV_SERVER_NAME_MORE);
	return true;
}

/* --- the relay's calls ------------------------------------------------------------------ */

size_t hv_name_gate_sink(struct hv_relay *relay, const uint8_t *data, size_t size)
{
	struct hv_name_gate *gate = relay->gate;
	size_t used = 0;

	if (gate->seen != HV_SERVER_NAME_MORE || gate->waiting)
		return 0;
	gate->seen = hv_server_name_feed(gate->reader, data, size, &used);
	gate->fed += used;
	return gate->seen == HV_SERVER_NAME_MORE ? used - hv_server_name_held(gate->reader) : 0;
}

/* What the sink saw. Returns false when there is nothing to feed any more. */
static bool act_on_seen(struct hv_relay *relay)
{
	enum hv_server_name_event seen = relay->gate->seen;

	relay->gate->seen = HV_SERVER_NAME_MORE;
	if (seen == HV_SERVER_NAME_MORE)
		return !relay->gate->waiting;
	return act(relay, seen) && feed(relay, NULL, 0);
}

size_t hv_name_gate_look(struct hv_relay *relay, const struct iovec *iov, size_t size)
{
	struct hv_name_gate *gate = relay->gate;
	bool goes_on = act_on_seen(relay);
	size_t skip = goes_on ? gate->fed : 0, left = size - skip;

	for (int i = 0; i < 2 && left > 0 && goes_on; i++) {
		const uint8_t *data = iov[i].iov_base;
		size_t length = iov[i].iov_len;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		length = length - skip < left ? length - skip : left;
		goes_on = feed(relay, data + skip, length);
		left -= length;
		skip = 0;
	}
	if (relay->flow.being_refused || relay->phase != HV_RELAY_OPEN)
		return 0;
	if (!relay->gate)
		return size;
	return gate->fed - hv_server_name_held(gate->reader);
}

void hv_name_gate_sent(struct hv_relay *relay, size_t size)
{
	if (relay->gate)
		relay->gate->fed -= size;
}

void hv_name_gate_ended(struct hv_relay *relay)
{
	struct hv_name_gate *gate = relay->gate;
	bool must = gate->first.name_check == HAVEN_NAME_MUST_BE_SAID && !relay->flow.name_said;
	const char *fault = "it ended before its server name was said";

	if (hv_server_name_end(gate->reader) != HV_SERVER_NAME_DONE)
		must = !judge_nameless(relay, hv_server_name_fault(gate->reader));
	else if (must)
		must = !judge_nameless(relay, fault);
	if (!must)
		hv_name_gate_free(relay);
}

bool hv_name_gate_answered(struct hv_relay *relay, const struct iovec *iov, size_t size)
{
	struct hv_name_gate *gate = relay->gate;
	bool answered = false;

	if (!hv_server_name_listens(gate->reader))
		return false;
	for (int i = 0; i < 2 && size > 0; i++) {
		size_t length = iov[i].iov_len < size ? iov[i].iov_len : size;

		answered = hv_server_name_answered(gate->reader, iov[i].iov_base, length);
		size -= length;
	}
	answered = answered && gate->waiting;
	if (answered)
		gate->waiting = false;
	return answered;
}
