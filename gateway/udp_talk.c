/*
 * Which destinations each port of the guest may speak to. See udp_talk.h.
 */
#include "gateway/udp_talk.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/audit.h"
#include "gateway/learn.h"
#include "gateway/server_name.h"

#define TALKS_MAX 65536
/* As mappings (udp_out.c). */
#define IDLE_ONE_WAY_NS	  (30 * HV_NS_PER_S)
#define IDLE_BOTH_WAYS_NS (120 * HV_NS_PER_S)
/* A refusal holds this long; then the rules, or what is known of names, may be others. */
#define REFUSED_NS HV_NS_PER_S
/* Datagrams of one conversation that are held, and their bytes. */
#define HELD_MAX       16
#define HELD_BYTES_MAX 24576

#define PORT_QUIC 443 /* RFC 9114 section 3.1: where HTTP/3 is, and nothing else is expected */

enum talk_state { TALK_OPEN, TALK_LOOKING, TALK_REFUSED };

struct held {
	struct held *next;
	struct haven_datagram datagram;
	uint8_t data[];
};

struct talk {
	struct hv_flow flow; /* not in the list of flows: its mapping is */
	struct hv_node node;
	struct hv_idle idle;
	struct hv_gateway *gateway;
	enum talk_state state;
	uint32_t generation; /* of the rules that allowed it */
	uint64_t refused_until_ns;
	bool silent;
	enum haven_name_check check;
	bool name_may_miss;
	struct haven_endpoint host;
	bool looked_at;			    /* its first datagram was, for a name */
	struct hv_quic_name_reader *reader; /* NULL: nothing was QUIC yet */
	struct held *held, **held_end;
	unsigned held_count;
	size_t held_bytes;
};

struct hv_udp_talks {
	struct hv_table table;
	struct hv_idle_clock idle;
};

/* --- the table -------------------------------------------------------------------------- */

static uint64_t hash_talk(const struct hv_table *table, const struct haven_endpoint *guest,
			  const struct haven_endpoint *peer)
{
	uint64_t hash = hv_table_hash(table, guest->port, guest->address, 16);

	return hv_table_hash(table, hash + peer->port, peer->address, 16);
}

static struct talk *find(struct hv_udp_talks *talks, const struct haven_endpoint *guest,
			 const struct haven_endpoint *peer)
{
	struct hv_node *node =
		hv_table_first(&talks->table, hash_talk(&talks->table, guest, peer));

	for (; node; node = hv_table_next(node)) {
		struct talk *talk = hv_container(node, struct talk, node);

		if (hv_endpoint_equal(&talk->flow.source, guest) &&
		    hv_endpoint_equal(&talk->flow.destination, peer))
			return talk;
	}
	return NULL;
}

static void drop_held(struct talk *talk)
{
	while (talk->held) {
		struct held *held = talk->held;

		talk->held = held->next;
		free(held);
	}
	talk->held_end = &talk->held;
	talk->held_count = 0;
	talk->held_bytes = 0;
}

static void forget_names(struct talk *talk)
{
	drop_held(talk);
	hv_quic_name_free(talk->reader);
	talk->reader = NULL;
	talk->looked_at = false;
}

/* Off its idle list already. */
static void end_talk(struct talk *talk, const char *reason)
{
	struct hv_gateway *gateway = talk->gateway;

	hv_audit_ended(gateway->policy->audit, &talk->flow, reason);
	if (talk->state != TALK_REFUSED)
		hv_learn_ended(gateway->policy->learn, &talk->flow);
	hv_policy_leave(gateway, &talk->flow);
	forget_names(talk);
	hv_table_remove(&gateway->talks->table, &talk->node);
	free(talk);
}

static void talk_expired(struct hv_idle *idle)
{
	end_talk(hv_container(idle, struct talk, idle), "idle");
}

static void remove_talk(struct talk *talk, const char *reason)
{
	hv_idle_remove(&talk->gateway->talks->idle, &talk->idle);
	end_talk(talk, reason);
}

static struct talk *new_talk(struct hv_gateway *gateway, const struct haven_endpoint *guest,
			     const struct haven_endpoint *peer,
			     const struct haven_endpoint *host)
{
	struct hv_udp_talks *talks = gateway->talks;
	struct talk *talk = calloc(1, sizeof(*talk));

	if (talks->table.count >= TALKS_MAX)
		remove_talk(hv_container(hv_idle_oldest(&talks->idle), struct talk, idle),
			    "displaced by a newer one");
	if (!talk)
		return NULL;
	talk->gateway = gateway;
	talk->flow.kind = HV_FLOW_UDP_OUT;
	talk->flow.source = *guest;
	talk->flow.destination = *peer;
	talk->flow.opened_ns = gateway->loop.now_ns;
	talk->host = *host;
	talk->held_end = &talk->held;
	talk->idle.expired = talk_expired;
	if (hv_table_add(&talks->table, &talk->node, hash_talk(&talks->table, guest, peer)) <
	    0) {
		free(talk);
		return NULL;
	}
	hv_idle_add(&talks->idle, &talk->idle);
	return talk;
}

/* --- refusing --------------------------------------------------------------------------- */

static void tell_guest(struct hv_gateway *gateway, const struct haven_datagram *datagram)
{
	struct hv_net_error error = {.local = true,
				     .kind = HAVEN_ICMP_PROHIBITED,
				     .size = datagram->size};

	hv_udp_tell(gateway, &datagram->source, &datagram->destination, &error);
}

static void refuse(struct talk *talk, const struct haven_verdict *verdict, const char *fault)
{
	struct hv_gateway *gateway = talk->gateway;

	talk->state = TALK_REFUSED;
	talk->silent = verdict->silent;
	talk->refused_until_ns = gateway->loop.now_ns + REFUSED_NS;
	hv_policy_refused(gateway, &talk->flow, verdict, fault, NULL);
	hv_audit_ended(gateway->policy->audit, &talk->flow, "refused by a rule");
	talk->flow.number = 0;
	hv_policy_leave(gateway, &talk->flow);
	forget_names(talk);
}

/* --- asking ----------------------------------------------------------------------------- */

static void ask(struct talk *talk)
{
	struct hv_gateway *gateway = talk->gateway;
	struct haven_verdict verdict;

	talk->generation = gateway->policy->generation;
	if (hv_policy_ask(gateway, &talk->flow, NULL, &verdict) != HV_POLICY_ALLOWED) {
		refuse(talk, &verdict, NULL);
		return;
	}
	hv_audit_began(gateway->policy->audit, &talk->flow);
	talk->check = verdict.name_check;
	talk->name_may_miss = verdict.name_may_miss;
	talk->state = verdict.name_check == HAVEN_NAME_FREE ? TALK_OPEN : TALK_LOOKING;
}

/* As the rules of now have it. */
static void refresh(struct talk *talk)
{
	struct hv_gateway *gateway = talk->gateway;
	bool again =
		talk->state == TALK_REFUSED && gateway->loop.now_ns >= talk->refused_until_ns;

	if (talk->generation != gateway->policy->generation) {
		again = talk->state == TALK_REFUSED ||
			!hv_policy_still_allows(gateway, &talk->flow);
		talk->generation = gateway->policy->generation;
	}
	if (!again)
		return;
	hv_audit_ended(gateway->policy->audit, &talk->flow, "refused by new rules");
	talk->flow.number = 0;
	hv_policy_leave(gateway, &talk->flow);
	forget_names(talk);
	ask(talk);
}

/* --- names ------------------------------------------------------------------------------ */

static struct haven_verdict verdict_of(const struct talk *talk)
{
	return (struct haven_verdict){
		.name_check = talk->check,
		.name_may_miss = talk->name_may_miss,
		.rule = haven_filter_rule_number(talk->gateway->policy->filter,
						 talk->flow.rule),
	};
}

static bool nameless(struct talk *talk, const char *fault)
{
	struct haven_verdict verdict = verdict_of(talk);

	if (hv_policy_judge_nameless(talk->gateway, &talk->flow, &verdict))
		return true;
	refuse(talk, &verdict, fault);
	return false;
}

static bool judge(struct talk *talk, const char *name)
{
	struct haven_verdict verdict;
	char fault[HV_NAME_FAULT_SIZE];

	if (hv_policy_judge(talk->gateway, &talk->flow, name, &verdict) == HV_POLICY_ALLOWED)
		return true;
	refuse(talk, &verdict, hv_policy_name_fault(&talk->flow, name, fault));
	return false;
}

static bool hold(struct talk *talk, const struct haven_datagram *datagram)
{
	struct held *held;

	if (talk->held_count >= HELD_MAX || talk->held_bytes + datagram->size > HELD_BYTES_MAX)
		return false;
	held = malloc(sizeof(*held) + datagram->size);
	if (!held)
		return false;
	held->next = NULL;
	held->datagram = *datagram;
	held->datagram.data = held->data;
	memcpy(held->data, datagram->data, datagram->size);
	*talk->held_end = held;
	talk->held_end = &held->next;
	talk->held_count++;
	talk->held_bytes += datagram->size;
	return true;
}

static void release(struct talk *talk)
{
	for (const struct held *held = talk->held; held; held = held->next) {
		talk->flow.bytes_out += held->datagram.size;
		hv_udp_out_send(talk->gateway, &held->datagram, &talk->host);
	}
	drop_held(talk);
}

/*
 * What a datagram says: the first of all, or one that QUIC may begin a connection with (initial). Returns false when it has to be held, until more of them have come; else
 * the talk is OPEN or REFUSED.
 */
static bool look(struct talk *talk, const uint8_t *data, size_t size, bool initial)
{
	enum hv_server_name_event event =
		initial ? HV_SERVER_NAME_UNREADABLE : HV_SERVER_NAME_DONE;
	const char *fault = "there is no memory to read it";
	bool good = false;

	if (initial && !talk->reader)
		talk->reader = hv_quic_name_new();
	if (initial && talk->reader) {
		event = hv_quic_name_feed(talk->reader, data, size);
		fault = hv_quic_name_fault(talk->reader);
	}
	switch (event) {
	case HV_SERVER_NAME_MORE:
	case HV_SERVER_NAME_WAIT:
		return false;
	case HV_SERVER_NAME_NAME:
		good = judge(talk, hv_quic_name(talk->reader));
		break;
	case HV_SERVER_NAME_DONE: /* no QUIC */
		good = (talk->flow.destination.port != PORT_QUIC &&
			talk->check != HAVEN_NAME_MUST_BE_SAID) ||
		       nameless(talk, "it is no QUIC that can be read");
		break;
	case HV_SERVER_NAME_HIDDEN:
		good = nameless(talk, fault) && judge(talk, hv_quic_name(talk->reader));
		break;
	case HV_SERVER_NAME_MISSING:
	case HV_SERVER_NAME_UNREADABLE:
		good = nameless(talk, fault);
		break;
	}
	if (!good)
		return true;
	talk->state = TALK_OPEN;
	if (event != HV_SERVER_NAME_DONE) /* that says nothing of what is held */
		release(talk);
	return true;
}

/*
 * Each datagram of a batch: the first of all, and later ones that may begin another connection, in the same talk, to another name. What comes
 * before a name was judged is held. Returns false when the batch has to be.
 */
static bool look_at_all(struct talk *talk, const struct haven_datagram *datagram)
{
	size_t each = datagram->gso_size ? datagram->gso_size : datagram->size;
	bool known = talk->state == TALK_OPEN;

	for (size_t at = 0; at < datagram->size && talk->state != TALK_REFUSED; at += each) {
		const uint8_t *data = datagram->data + at;
		size_t size = datagram->size - at < each ? datagram->size - at : each;
		bool initial = hv_quic_is_initial(data, size);

		if (!talk->looked_at || initial)
			known = look(talk, data, size, initial);
		talk->looked_at = talk->state != TALK_REFUSED;
	}
	return known;
}

/* --- from outside ----------------------------------------------------------------------- */

bool hv_udp_talk_out(struct hv_gateway *gateway, const struct haven_datagram *datagram,
		     const struct haven_endpoint *host)
{
	struct talk *talk = find(gateway->talks, &datagram->source, &datagram->destination);

	if (talk) {
		refresh(talk);
	} else {
		talk = new_talk(gateway, &datagram->source, &datagram->destination, host);
		if (!talk)
			return false;
		ask(talk);
	}
	hv_idle_touch(&gateway->talks->idle, &talk->idle, talk->flow.ready_ns ? 1 : 0);
	if (talk->state != TALK_REFUSED && talk->check != HAVEN_NAME_FREE &&
	    !look_at_all(talk, datagram) && talk->state != TALK_REFUSED) {
		hold(talk, datagram); /* beyond the limit: lost, and sent again */
		return false;
	}
	if (talk->state == TALK_REFUSED) {
		if (!talk->silent)
			tell_guest(gateway, datagram);
		return false;
	}
	talk->flow.bytes_out += datagram->size;
	return true;
}

bool hv_udp_talk_in(struct hv_gateway *gateway, const struct haven_endpoint *guest,
		    const struct haven_endpoint *peer, size_t size)
{
	struct talk *talk = find(gateway->talks, guest, peer);
	struct haven_endpoint host;

	if (talk) {
		refresh(talk);
	} else {
		/* From before there were rules, or from another port of a host that was spoken to. */
		hv_policy_destination(&gateway->network, peer, &host);
		talk = new_talk(gateway, guest, peer, &host);
		if (!talk)
			return false;
		ask(talk);
	}
	if (talk->state != TALK_OPEN)
		return false;
	if (talk->flow.ready_ns == 0)
		talk->flow.ready_ns = gateway->loop.now_ns;
	talk->flow.bytes_in += size;
	hv_idle_touch(&gateway->talks->idle, &talk->idle, 1);
	return true;
}

int hv_udp_talks_create(struct hv_gateway *gateway)
{
	struct hv_udp_talks *talks = calloc(1, sizeof(*talks));

	if (!talks)
		return -ENOMEM;
	gateway->talks = talks;
	hv_table_init(&talks->table);
	hv_idle_init(&talks->idle, &gateway->loop, IDLE_ONE_WAY_NS, IDLE_BOTH_WAYS_NS);
	return 0;
}

void hv_udp_talks_destroy(struct hv_gateway *gateway)
{
	struct hv_udp_talks *talks = gateway->talks;
	struct hv_idle *idle;

	if (!talks)
		return;
	while ((idle = hv_idle_oldest(&talks->idle))) {
		hv_idle_remove(&talks->idle, idle);
		idle->expired(idle);
	}
	hv_idle_finish(&talks->idle);
	hv_table_finish(&talks->table);
	free(talks);
	gateway->talks = NULL;
}
