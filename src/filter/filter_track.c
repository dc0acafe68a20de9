/* What the filter of a stack remembers: one entry for each flow, found by its two ends. */
#include "filter/filter_track.h"

#include <netinet/in.h>

#include "filter/rule.h"

struct tracked {
	struct hv_hash_node node;
	struct hv_list link; /* track->lists[kind]; of a stream: in none */
	struct hv_filter_ends ends;
	struct haven_rule *rule; /* it counts for; NULL: the default */
	uint64_t bytes;		 /* both ways; TCP counts those of streams */
	uint64_t used_ns;
	uint8_t kind;	   /* enum hv_filter_kind */
	uint8_t direction; /* enum haven_direction, of its first packet */
	uint16_t name_size;
	char name[]; /* by which it was allowed, with the final 0 */
};

static const uint64_t lives_ns[HV_FILTER_KINDS] = {
	[HV_FILTER_ONE_WAY] = HV_FILTER_ONE_WAY_NS,
	[HV_FILTER_ECHO] = HV_FILTER_ECHO_NS,
	[HV_FILTER_BOTH_WAYS] = HV_FILTER_BOTH_WAYS_NS,
};

/* --- the table ----------------------------------------------------------------------------- */

static uint32_t hash_of(const struct hv_filter_track *track, const struct hv_filter_ends *ends)
{
	_Static_assert(sizeof(*ends) == 40, "no padding may be hashed");
	return (uint32_t)hv_siphash(&track->core->hash_key, ends, sizeof(*ends));
}

static bool ends_equal(const struct hv_hash_node *node, const void *key)
{
	return !memcmp(&hv_container(node, struct tracked, node)->ends, key,
		       sizeof(struct hv_filter_ends));
}

static struct tracked *find(const struct hv_filter_track *track,
			    const struct hv_filter_ends *ends)
{
	struct hv_hash_node *node =
		hv_hash_find(&track->flows, hash_of(track, ends), ends_equal, ends);

	return node ? hv_container(node, struct tracked, node) : NULL;
}

static size_t size_of(const struct tracked *flow)
{
	return sizeof(*flow) + flow->name_size;
}

static void forget(struct hv_filter_track *track, struct tracked *flow)
{
	hv_hash_remove(&track->flows, &flow->node);
	hv_list_remove(&flow->link);
	if (flow->kind != HV_FILTER_STREAM)
		track->count--;
	haven_filter_leave(track->filter, flow->rule, flow->bytes);
	hv_free(track->core, flow, size_of(flow));
}

static struct tracked *first_of(struct hv_list *list)
{
	return hv_list_is_empty(list) ? NULL : hv_container(list->next, struct tracked, link);
}

static uint64_t deadline_of(const struct tracked *flow)
{
	return flow->used_ns + lives_ns[flow->kind];
}

/* Make room for one more at the limit. */
static void displace(struct hv_filter_track *track)
{
	struct tracked *flow = NULL;

	for (unsigned i = 0; i < HV_FILTER_KINDS && !flow; i++)
		flow = first_of(&track->lists[i]);
	if (!flow)
		return;
	forget(track, flow);
	track->displaced++;
}

/* --- time ------------------------------------------------------------------------------------ */

/* End what has been unused for too long: those at the front of the lists. */
static void expire(struct hv_filter_track *track)
{
	for (unsigned i = 0; i < HV_FILTER_KINDS; i++) {
		struct tracked *flow;

		while ((flow = first_of(&track->lists[i])) &&
		       deadline_of(flow) <= track->core->now_ns)
			forget(track, flow);
	}
}

static void arm(struct hv_filter_track *track, uint64_t deadline_ns)
{
	if (!hv_timer_is_set(&track->timer) || track->timer.deadline_ns > deadline_ns)
		hv_timer_set(&track->core->wheel, &track->timer, deadline_ns);
}

static void fire(struct hv_timer *timer)
{
	struct hv_filter_track *track = hv_container(timer, struct hv_filter_track, timer);

	expire(track);
	for (unsigned i = 0; i < HV_FILTER_KINDS; i++) {
		const struct tracked *flow = first_of(&track->lists[i]);

		if (flow)
			arm(track, deadline_of(flow));
	}
}

/* A packet of it: it lives on, from now. */
static void use(struct hv_filter_track *track, struct tracked *flow, uint64_t bytes)
{
	flow->bytes += bytes;
	flow->used_ns = track->core->now_ns;
	hv_list_remove(&flow->link);
	hv_list_append(&track->lists[flow->kind], &flow->link);
	arm(track, deadline_of(flow));
}

/* --- asking ---------------------------------------------------------------------------------- */

static void endpoint_set(struct haven_endpoint *endpoint, const struct hv_addr *addr,
			 uint16_t port)
{
	memcpy(endpoint->address, addr->b, sizeof(endpoint->address));
	endpoint->port = port;
}

static void flow_fill(struct haven_filter_flow *flow, const struct hv_filter_ends *ends,
		      enum haven_direction direction)
{
	bool has_ports = ends->protocol == IPPROTO_TCP || ends->protocol == IPPROTO_UDP;
	bool out = direction == HAVEN_OUT;

	*flow = (struct haven_filter_flow){
		.direction = direction,
		.protocol = (uint8_t)ends->protocol,
	};
	endpoint_set(out ? &flow->source : &flow->destination, &ends->local,
		     has_ports ? ends->local_port : 0);
	endpoint_set(out ? &flow->destination : &flow->source, &ends->remote,
		     has_ports ? ends->remote_port : 0);
}

static const char *protocol_name(uint32_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "icmp";
}

/* For rules that have `log`. */
static void tell(const struct hv_filter_track *track, const struct hv_filter_ends *ends,
		 enum haven_direction direction, const struct haven_verdict *verdict,
		 enum hv_filter_answer answer)
{
	enum { TEXT = 46 };
	char local[TEXT], remote[TEXT];

	if (!track->core->env.log)
		return;
	hv_log(track->core, HAVEN_LOG_INFO,
	       "filter: %s %s %s, local %s port %u, remote %s port %u, by rule %u",
	       answer == HV_FILTER_PASS ? "allowed" : "refused",
	       direction == HAVEN_OUT ? "out" : "in", protocol_name(ends->protocol),
	       hv_addr_text(&ends->local, local, TEXT), ends->local_port,
	       hv_addr_text(&ends->remote, remote, TEXT), ends->remote_port, verdict->rule);
}

/*
 * Nobody looks here for the server name that a flow says: where it would have to say one, it is refused.
 */
static enum hv_filter_answer answer_of(const struct haven_verdict *verdict)
{
	if (verdict->allowed && verdict->name_check != HAVEN_NAME_MUST_BE_SAID)
		return HV_FILTER_PASS;
	return verdict->silent ? HV_FILTER_SWALLOW : HV_FILTER_REFUSE;
}

static enum hv_filter_answer decide(struct hv_filter_track *track,
				    const struct hv_filter_ends *ends,
				    enum haven_direction direction,
				    struct haven_verdict *verdict)
{
	struct haven_filter_flow flow;
	enum hv_filter_answer answer;

	flow_fill(&flow, ends, direction);
	haven_filter_decide(track->filter, &flow, track->core->now_ns, verdict);
	answer = answer_of(verdict);
	if (verdict->log)
		tell(track, ends, direction, verdict, answer);
	return answer;
}

static enum hv_filter_answer explain(struct hv_filter_track *track,
				     const struct hv_filter_ends *ends,
				     enum haven_direction direction, const char *bound_name,
				     struct haven_verdict *verdict)
{
	struct haven_filter_flow flow;

	flow_fill(&flow, ends, direction);
	flow.bound_name = bound_name;
	haven_filter_explain(track->filter, &flow, track->core->now_ns, verdict);
	return answer_of(verdict);
}

enum hv_filter_answer hv_filter_ask(struct hv_filter_track *track,
				    const struct hv_filter_ends *ends,
				    enum haven_direction direction)
{
	struct haven_verdict verdict;

	return decide(track, ends, direction, &verdict);
}

/* Remember what the verdict allows. NULL: no memory. */
static struct tracked *keep(struct hv_filter_track *track, const struct hv_filter_ends *ends,
			    enum haven_direction direction, enum hv_filter_kind kind,
			    const struct haven_verdict *verdict)
{
	size_t name_size = strlen(verdict->name) + 1;
	struct tracked *flow = hv_alloc(track->core, sizeof(*flow) + name_size);

	if (!flow)
		return NULL;
	*flow = (struct tracked){
		.ends = *ends,
		.rule = verdict->handle,
		.kind = (uint8_t)kind,
		.direction = (uint8_t)direction,
		.name_size = (uint16_t)name_size,
	};
	memcpy(flow->name, verdict->name, name_size);
	hv_list_init(&flow->link);
	if (hv_hash_insert(&track->flows, &flow->node, hash_of(track, ends)) < 0) {
		hv_free(track->core, flow, size_of(flow));
		return NULL;
	}
	haven_filter_enter(track->filter, flow->rule);
	return flow;
}

/* --- streams ----------------------------------------------------------------------------------- */

/* One that counts for no rule, and is not bound to a name, needs no entry. */
static enum hv_filter_answer stream_keep(struct hv_filter_track *track,
					 const struct hv_filter_ends *ends,
					 enum haven_direction direction,
					 const struct haven_verdict *verdict)
{
	if (!verdict->handle && !verdict->name[0])
		return HV_FILTER_PASS;
	return keep(track, ends, direction, HV_FILTER_STREAM, verdict) ? HV_FILTER_PASS
								       : HV_FILTER_NO_MEMORY;
}

enum hv_filter_answer hv_filter_stream_begin(struct hv_filter_track *track,
					     const struct hv_filter_ends *ends,
					     enum haven_direction direction)
{
	struct haven_verdict verdict;
	enum hv_filter_answer answer;

	expire(track); /* what is over counts for no rule's `max` */
	answer = decide(track, ends, direction, &verdict);
	return answer == HV_FILTER_PASS ? stream_keep(track, ends, direction, &verdict)
					: answer;
}

enum hv_filter_answer hv_filter_stream_resume(struct hv_filter_track *track,
					      const struct hv_filter_ends *ends,
					      enum haven_direction direction)
{
	struct haven_verdict verdict;
	enum hv_filter_answer answer = explain(track, ends, direction, NULL, &verdict);

	if (answer != HV_FILTER_PASS)
		return answer;
	/* Since it was asked about, others may have begun. */
	if (verdict.handle && verdict.handle->spec.max &&
	    verdict.handle->open >= verdict.handle->spec.max)
		return HV_FILTER_REFUSE;
	return stream_keep(track, ends, direction, &verdict);
}

void hv_filter_stream_end(struct hv_filter_track *track, const struct hv_filter_ends *ends,
			  uint64_t bytes)
{
	struct tracked *flow = find(track, ends);

	if (!flow)
		return;
	flow->bytes = bytes;
	forget(track, flow);
}

enum hv_filter_answer hv_filter_stream_again(struct hv_filter_track *track,
					     const struct hv_filter_ends *ends,
					     enum haven_direction direction)
{
	struct tracked *flow = find(track, ends);
	struct haven_verdict verdict;
	enum hv_filter_answer answer =
		explain(track, ends, direction, flow && flow->name[0] ? flow->name : NULL,
			&verdict);

	if (answer != HV_FILTER_PASS)
		return answer;
	if (!flow) {
		stream_keep(track, ends, direction, &verdict);
	} else if (flow->rule != verdict.handle) {
		haven_filter_enter(track->filter, verdict.handle);
		haven_filter_leave(track->filter, flow->rule, 0);
		flow->rule = verdict.handle;
	}
	return HV_FILTER_PASS;
}

/* --- datagrams and echo ------------------------------------------------------------------------ */

enum hv_filter_answer hv_filter_datagram(struct hv_filter_track *track,
					 const struct hv_filter_ends *ends,
					 enum haven_direction direction, uint64_t bytes)
{
	struct haven_verdict verdict;
	enum hv_filter_answer answer;
	struct tracked *flow;

	expire(track);
	flow = find(track, ends);
	if (!flow) {
		answer = decide(track, ends, direction, &verdict);
		if (answer != HV_FILTER_PASS)
			return answer;
		if (track->count >= track->limit)
			displace(track);
		flow = keep(track, ends, direction,
			    ends->protocol == IPPROTO_UDP ? HV_FILTER_ONE_WAY : HV_FILTER_ECHO,
			    &verdict);
		if (!flow)
			return HV_FILTER_NO_MEMORY;
		track->count++;
	} else if (flow->kind == HV_FILTER_ONE_WAY && direction != flow->direction) {
		flow->kind = HV_FILTER_BOTH_WAYS;
	}
	use(track, flow, bytes);
	return HV_FILTER_PASS;
}

void hv_filter_forget_datagrams(struct hv_filter_track *track)
{
	struct tracked *flow;

	for (unsigned i = 0; i < HV_FILTER_KINDS; i++) {
		while ((flow = first_of(&track->lists[i])))
			forget(track, flow);
	}
}

/* --- life -------------------------------------------------------------------------------------- */

void hv_filter_track_init(struct hv_filter_track *track, struct hv_core *core, uint32_t limit)
{
	*track = (struct hv_filter_track){.core = core, .limit = limit};
	hv_hash_init(&track->flows, core);
	for (unsigned i = 0; i < HV_FILTER_KINDS; i++)
		hv_list_init(&track->lists[i]);
	hv_timer_init(&track->timer, fire);
}

static bool forget_visit(struct hv_hash_node *node, void *ctx)
{
	forget(ctx, hv_container(node, struct tracked, node));
	return true;
}

void hv_filter_track_set(struct hv_filter_track *track, struct haven_filter *filter)
{
	if (filter == track->filter)
		return;
	hv_hash_each(&track->flows, forget_visit, track);
	hv_hash_finish(&track->flows);
	hv_hash_init(&track->flows, track->core);
	hv_timer_cancel(&track->core->wheel, &track->timer);
	track->filter = filter;
}
