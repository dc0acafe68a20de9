/*
 * Flows: what goes through the gateway, one entry for each pair of a guest's endpoint and the
 * host's side of it. Embedded in the relay, mapping or echo that does the work; here it is
 * counted, limited, told to the log and listed.
 */
#ifndef HV_GATEWAY_FLOW_H
#define HV_GATEWAY_FLOW_H

#include <sys/queue.h>

#include "gateway/address.h"
#include "gateway/log.h"

enum hv_flow_kind {
	HV_FLOW_TCP_OUT, /* guest to host */
	HV_FLOW_TCP_IN,	 /* published */
	HV_FLOW_UDP_OUT, /* one for each port of the guest; destination: the last one */
	HV_FLOW_UDP_IN,
	HV_FLOW_ECHO,
	HV_FLOW_DNS,
	HV_FLOW_KINDS
};

enum hv_flow_state {
	HV_FLOW_CONNECTING, /* the other side has not answered yet */
	HV_FLOW_OPEN,
	HV_FLOW_CLOSING, /* one direction has ended */
	HV_FLOW_STATES
};

struct haven_rule;

struct hv_flow {
	TAILQ_ENTRY(hv_flow) entry;
	enum hv_flow_kind kind;
	enum hv_flow_state state;
	bool relayed;			   /* it is that of a struct hv_relay */
	struct haven_endpoint source;	   /* who began it, as the guest sees it */
	struct haven_endpoint destination; /* as the guest sees it */
	uint16_t host_port; /* published: the port outside; UDP out: the mapped one; else 0 */
	uint64_t opened_ns;
	uint64_t ready_ns;	      /* both sides had answered; 0: not yet */
	uint64_t bytes_out, bytes_in; /* guest to host, host to guest; payload */
	/* Of the policy (policy.h). */
	struct haven_rule *rule; /* by which it was allowed; NULL: by none */
	char *name;		 /* of the server, where it came into it; NULL: none */
	bool name_said;		 /* by the flow itself, not by DNS alone */
	bool many;	 /* it stands for conversations with several, which rules are about */
	bool by_command; /* 'haven connect' began it, through the control socket */
	bool by_address; /* of --learn: it does not say the name that its address is bound to */
	bool being_refused; /* it will be ended as soon as it is known whose it is */
	const struct haven_endpoint
		*peer;	 /* of published ones: who it is, as the host sees it */
	uint64_t number; /* of the audit; 0: it does not know of it */
	/* Rules that came later refuse it: end it. NULL: it is not one that rules are about. */
	void (*refuse)(struct hv_flow *flow, const char *reason);
};

TAILQ_HEAD(hv_flow_list, hv_flow);

/* A place in the list that stays valid while flows come and go: who lists them goes in steps. */
struct hv_flow_cursor {
	LIST_ENTRY(hv_flow_cursor) entry;
	struct hv_flow *next; /* NULL: at the end */
};

LIST_HEAD(hv_flow_cursor_list, hv_flow_cursor);

/* How many flows that have ended are remembered. */
#define HV_FLOWS_ENDED 256

/* A flow that has ended, and why. */
struct hv_flow_ended {
	enum hv_flow_kind kind;
	bool was_open, by_command;
	struct haven_endpoint source, destination;
	uint16_t host_port;
	uint64_t opened_ns, closed_ns;
	uint64_t bytes_out, bytes_in;
	char reason[48];
	char name[64]; /* of the server, "": none */
};

struct hv_flow_table {
	struct hv_flow_list list;
	struct hv_flow_cursor_list cursors;
	struct hv_flow_ended ended[HV_FLOWS_ENDED]; /* a ring */
	uint64_t ended_count; /* ever; the next goes to ended[this % size] */
	const struct hv_log *log;
	uint32_t count[HV_FLOW_KINDS];
	uint32_t limit[HV_FLOW_KINDS];
	uint32_t total;
	uint64_t opened[HV_FLOW_KINDS]; /* ever */
	uint64_t refused_by_limit;
	uint32_t closed_since_trim; /* see hv_flow_table_trim */
};

void hv_flow_table_init(struct hv_flow_table *table, const struct hv_log *log);

/* False when the limit of this kind is reached; that is counted. */
bool hv_flow_allowed(struct hv_flow_table *table, enum hv_flow_kind kind);

/* What is known of a flow before it is made: its ends, and what the policy said. `from` has nothing of it any more. */
void hv_flow_take(struct hv_flow *flow, struct hv_flow *from);

/* Enter. flow->kind, source, destination (host_port) are set by the caller. */
void hv_flow_open(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns);
/* Both sides have answered. */
void hv_flow_ready(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns);
/* Leave. reason: "closed", "reset by host", an errno's text... */
void hv_flow_close(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns,
		   const char *reason);

/* List: begin, next until NULL, end. Each flow that is there all the time is given once. */
void hv_flow_cursor_begin(struct hv_flow_table *table, struct hv_flow_cursor *cursor);
struct hv_flow *hv_flow_cursor_next(struct hv_flow_cursor *cursor);
void hv_flow_cursor_end(struct hv_flow_cursor *cursor);

/*
 * After many flows have ended, hand the memory that the allocator keeps back to the system.
 * Called when nothing else is to do.
 */
void hv_flow_table_trim(struct hv_flow_table *table);
/* Whether that is worth calling. */
static inline bool hv_flow_table_wants_trim(const struct hv_flow_table *table)
{
	return table->closed_since_trim >= 256;
}

/* "tcp out 10.0.2.100:40000 -> 192.0.2.1:443", with the port outside of what is published. */
void hv_flow_describe(const struct hv_flow *flow, char *text, size_t size);

/* "tcp", "udp", "icmp", "dns"; "out" or "in". */
const char *hv_flow_protocol_name(enum hv_flow_kind kind);
const char *hv_flow_direction_name(enum hv_flow_kind kind);
const char *hv_flow_state_name(enum hv_flow_state state);

#endif
