/*
 * The policy: which flows may be. It asks the library's filter about each new flow, remembers at the flow what allowed
 * it, tells who was refused and why, and asks again when a name is said or the rules have changed.
 *
 *	new flow -> hv_policy_ask -> allowed: the flow has a rule and perhaps a name; refused: hv_policy_refused
 *	name said (name_gate.c, udp_talk.c) -> hv_policy_judge -> the same
 *	rules changed (control_policy.c) -> hv_policy_recheck -> flows that are refused now are ended
 *	flow closed -> hv_policy_leave
 *
 * Without rules, and when nobody wants to know about flows (--audit, --learn), none of it happens.
 */
#ifndef HV_GATEWAY_POLICY_H
#define HV_GATEWAY_POLICY_H

#include <haven/filter.h>

#include "gateway/flow.h"
#include "gateway/loop.h"

struct haven_services;
struct hv_audit;
struct hv_dns_static_name;
struct hv_gateway;
struct hv_gateway_config;
struct hv_gateway_error;
struct hv_learn;
struct hv_refusals;

struct hv_policy_config {
	struct haven_rules *rules; /* taken by hv_policy_create; NULL: none */
	bool name_may_miss;	   /* --require-sni no */
	bool dns_strict;	   /* questions for names that no rule can reach are refused */
	uint32_t name_floor_s;	   /* the least time that a name stays bound; 0: the default */
	const char *audit_path;	   /* NULL: no audit */
	const char *learn_path; /* everything is allowed, and this policy written; NULL: not */
};

struct hv_policy {
	struct hv_gateway *gateway;
	struct haven_filter *filter;
	struct haven_services *services; /* /etc/services, for rules that come later */
	struct hv_refusals *refusals;
	struct hv_audit *audit; /* NULL: not wanted */
	struct hv_learn *learn; /* the same */
	const struct hv_dns_static_name *static_names;
	size_t static_name_count;
	bool dns_strict;
	bool active;	       /* flows are asked about */
	uint64_t host_read_ns; /* when the host's addresses were read; 0: never */
	struct hv_log_limit limit_rebinding;
	/* Open flows are being asked about again, some in a turn. */
	uint32_t generation; /* of the rules that open flows must keep to */
	struct hv_loop_timer recheck;
	struct hv_flow_cursor cursor;
	bool rechecking;
};

/* 0, or a negative errno with error->text set. */
int hv_policy_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		     struct hv_gateway_error *error);
/* All flows are closed. Writes what was learned. */
void hv_policy_destroy(struct hv_gateway *gateway);

enum hv_policy_answer {
	HV_POLICY_ALLOWED,
	HV_POLICY_REFUSED, /* visibly */
	HV_POLICY_SILENT,  /* refused, without a word to anybody */
};

/*
 * A flow that would begin: kind, source and destination are set. peer: who began a published one, as the host sees it;
 * else NULL. Allowed: the flow's rule and name are set until hv_policy_leave(). *verdict has the rest.
 */
enum hv_policy_answer hv_policy_ask(struct hv_gateway *gateway, struct hv_flow *flow,
				    const struct haven_endpoint *peer,
				    struct haven_verdict *verdict);

/* The flow says that its server is `name`. Allowed: its rule and name are those of this answer. Refused: verdict->name is it. */
enum hv_policy_answer hv_policy_judge(struct hv_gateway *gateway, struct hv_flow *flow,
				      const char *name, struct haven_verdict *verdict);

/* What is wrong with a name that was refused, for hv_policy_end(). Returns text. */
#define HV_NAME_FAULT_SIZE (HAVEN_NAME_SIZE + 64)
const char *hv_policy_name_fault(const struct hv_flow *flow, const char *name,
				 char text[HV_NAME_FAULT_SIZE]);

/* It says no name, or one that cannot be read. first: what hv_policy_ask() gave. Whether it may go on. */
bool hv_policy_judge_nameless(struct hv_gateway *gateway, struct hv_flow *flow,
			      const struct haven_verdict *first);

/* Whether the rules of now would allow an open flow; counts nothing. */
bool hv_policy_still_allows(struct hv_gateway *gateway, const struct hv_flow *flow);

/* The flow ends, or could not be made after it was allowed. */
void hv_policy_leave(struct hv_gateway *gateway, struct hv_flow *flow);

/* Rules have changed. end_flows: those that they refuse are ended: TCP and echo some in a turn, UDP with its next datagram. */
void hv_policy_changed(struct hv_gateway *gateway, bool end_flows);

/* --- DNS (hv_dns_watcher) ----------------------------------------------------------------- */

void hv_policy_bound(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s);
/* DNS is made: what it answers is bound, and with --dns-strict only what can be reached is asked for. */
void hv_policy_watch_dns(struct hv_gateway *gateway);

/* --- policy_refusal.c: who was refused, and why --------------------------------------------- */

/* How many refusals are remembered for who asks later. */
#define HV_REFUSALS_KEPT 256

/* A flow that was refused. */
struct hv_refused {
	uint64_t number; /* from 1 */
	int64_t at;	 /* seconds since 1970 */
	enum hv_flow_kind kind;
	struct haven_endpoint source, destination;
	char name[HAVEN_NAME_SIZE]; /* of the destination, "": none is known */
	uint32_t rule;		    /* 0: the default */
	char reason[512];	    /* "by rule 2 'deny out evil.test'" */
	int pid;		    /* 0: not known */
	char process[16];
};

int hv_refusals_create(struct hv_policy *policy);
void hv_refusals_destroy(struct hv_policy *policy);

/*
 * A flow that was to begin is refused: it is logged and remembered. fault: what its name lacks, or NULL. request: of TCP out, refused
 * here, at once or when it is known whose it is; NULL: none.
 */
void hv_policy_refused(struct hv_gateway *gateway, const struct hv_flow *flow,
		       const struct haven_verdict *verdict, const char *fault,
		       struct haven_request *request);
/* "by rule 2 'deny in :22'" */
void hv_policy_reason(const struct hv_policy *policy, const struct haven_verdict *verdict,
		      char *text, size_t size);
/* The same of a flow that is open: flow->refuse() is called, at once or when it is known whose it is (flow->being_refused until then). */
void hv_policy_end(struct hv_gateway *gateway, struct hv_flow *flow,
		   const struct haven_verdict *verdict, const char *fault);
/* It ended by itself meanwhile. */
void hv_refusal_flow_ended(struct hv_gateway *gateway, const struct hv_flow *flow);
/* The guest gave a request up. True: it was one of those that wait here. */
bool hv_refusal_cancelled(struct hv_gateway *gateway, const struct haven_request *request);
/* Nobody can tell whose sockets are any more. */
void hv_refusals_stop(struct hv_gateway *gateway);

/* The first that is kept and has a number above `after`; NULL: there is none. */
const struct hv_refused *hv_refusal_after(const struct hv_policy *policy, uint64_t after);
/* Somebody who wants to know of new ones. Embedded. */
struct hv_refusal_listener {
	LIST_ENTRY(hv_refusal_listener) entry;
	void (*refused)(struct hv_refusal_listener *listener);
};
void hv_refusal_listen(struct hv_policy *policy, struct hv_refusal_listener *listener);
void hv_refusal_unlisten(struct hv_refusal_listener *listener);

/* "refused: tcp out to evil.test (10.77.0.2) port 443 (https) by rule 2 'deny out evil.test', process curl (4711)" */
void hv_refused_text(const struct hv_policy *policy, const struct hv_refused *refused,
		     char *text, size_t size);

#endif
