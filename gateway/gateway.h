/*
 * The gateway: a haven stack at one end of the guest's wire, host sockets at the other, and flows
 * that pair them.
 *
 *	guest's kernel -- wire -- link -- stack -- flows -- host sockets -- the host's network
 *
 * A turn of the gateway (hv_gateway_turn) is: wait for descriptors; frames of the wire into the
 * stack, bytes of host sockets into stack sockets; let the stack send; serve the stack sockets
 * that became ready; let the stack send what came of that. One thread, one clock reading a turn.
 */
#ifndef HV_GATEWAY_GATEWAY_H
#define HV_GATEWAY_GATEWAY_H

#include <haven/link.h>

#include "gateway/flow.h"
#include "gateway/log.h"
#include "gateway/loop.h"
#include "gateway/policy.h"
#include "gateway/policy_address.h"
#include "gateway/publish_parse.h"
#include "gateway/tls_in.h"
#include "gateway/tls_out.h"

struct hv_capture;
struct hv_dns;
struct hv_dns_static_name;
struct hv_echo_table;
struct hv_guest_wire;
struct hv_publish;
struct hv_relay;
struct hv_surveyor;
struct hv_tls_in;
struct hv_tls_out;
struct hv_udp;
struct hv_udp_talks;

TAILQ_HEAD(hv_relay_list, hv_relay);

/* What a socket of the stack belongs to (haven_socket_set_user): embedded in it, and called when the socket is ready. */
struct hv_stack_user {
	void (*event)(struct hv_stack_user *user, unsigned events);
};

/* Ports of control connections that --helper ftp can be asked for. */
#define HV_FTP_PORTS_MAX 4

struct hv_gateway_config {
	const struct hv_log *log; /* must live as long as the gateway */
	struct hv_network network;
	uint32_t mtu; /* of the wire */
	const struct hv_publication *publications;
	size_t publication_count;
	bool publish_auto;	  /* publish whatever the guest listens on */
	const char *capture_path; /* write packets to this file; NULL: not */
	bool impaired;
	struct haven_fault fault_in, fault_out; /* towards the guest, from the guest */
	struct hv_tls_in_config tls_in;
	struct hv_tls_out_config tls_out; /* must live as long as the gateway */
	const uint16_t *ftp_ports;	  /* where the helper for FTP reads along */
	unsigned ftp_port_count;	  /* 0 to HV_FTP_PORTS_MAX */
	uint64_t started_ns;	   /* when haven was (hv_session_clock_ns): for the log */
	bool attached;		   /* the guest's namespace was there before */
	uint32_t privileged_ports; /* inside; below it, binding takes root; 0: none */
	const char *name;	   /* of the network, as --name has it; NULL: one is made */
	char *const *command;	   /* what runs inside, or is attached to; ends with NULL */
	struct hv_policy_config policy;
	/* Names that DNS at the gateway knows; they must live as long as the gateway. */
	const struct hv_dns_static_name *static_names;
	size_t static_name_count;
};

struct hv_gateway {
	struct hv_loop loop;
	const struct hv_log *log;
	struct hv_network network;
	uint32_t mtu;
	struct haven_stack *stack;
	struct haven_link *link;  /* outermost; belongs to the stack */
	struct haven_link *fault; /* the impairment, when there is one */
	unsigned ifindex;
	struct hv_source wire;
	bool wire_in_memory;  /* it has no descriptor: each turn looks at it */
	unsigned wire_budget; /* frames to ask for in the next turn */
	struct hv_capture *capture;

	struct hv_flow_table flows;
	struct hv_relay_list relays;   /* all */
	struct hv_relay_list runnable; /* have more to do than one turn's share */
	struct hv_loop_timer trim;
	bool stack_work; /* the stack has something to send since its last poll */

	struct hv_udp *udp;
	struct hv_echo_table *echo;
	struct hv_dns *dns;
	struct hv_publish *publish;
	struct hv_policy *policy;
	struct hv_udp_talks *talks;
	struct hv_tls_in *tls_in;     /* NULL: there is no certificate for published ports */
	struct hv_tls_out *tls_out;   /* NULL: everything leaves as it is */
	uint8_t *tls_buffer;	      /* HV_TLS_BUFFER bytes; NULL: not used yet */
	struct hv_surveyor *surveyor; /* of the control socket; NULL: there is none now */
	uint16_t ftp_ports[HV_FTP_PORTS_MAX];
	unsigned ftp_port_count;
	unsigned ftp_waiting_count; /* ports of the host that wait for data */
	bool diag_busy; /* a listing of the guest's sockets is under way (owner.c) */

	struct hv_log_limit limit_descriptors, limit_flows;
	struct hv_log_bucket tls_lines;
};

/* Why the gateway could not be made. */
struct hv_gateway_error {
	char text[512]; /* one line */
};

/* Ports are bound and files opened here. Returns 0, or a negative errno with error->text set. */
int hv_gateway_create(const struct hv_gateway_config *config, struct hv_gateway **out,
		      struct hv_gateway_error *error);

/*
 * Plug the guest's wire in, with the wrappers that the configuration asks for. fd is the
 * caller's no more (hv_guest_wire_take). 0 or a negative errno with error->text set.
 */
int hv_gateway_attach(struct hv_gateway *gateway, const struct hv_guest_wire *wire, int fd,
		      const struct hv_gateway_config *config, struct hv_gateway_error *error);
/*
 * The same with a link that was made for gateway->stack: one end of haven_link_pair(), whose other end is a stack of this
 * process. Takes link. What the other stack sends is read in each turn.
 */
int hv_gateway_attach_link(struct hv_gateway *gateway, struct haven_link *link,
			   const struct hv_gateway_config *config,
			   struct hv_gateway_error *error);
/* gateway->link is set: wait for its frames. */
int hv_gateway_watch_wire(struct hv_gateway *gateway);

/* One turn of the loop: sleeps at most until deadline_ns (CLOCK_MONOTONIC). 0 or a negative errno. */
int hv_gateway_turn(struct hv_gateway *gateway, uint64_t deadline_ns);

/*
 * The guest has ended: go on until what it sent has reached the host's sockets, at most
 * limit_ns from now.
 */
void hv_gateway_drain(struct hv_gateway *gateway, uint64_t limit_ns);

void hv_gateway_destroy(struct hv_gateway *gateway);

/* --- for the parts of the gateway ------------------------------------------------------- */

/* A host socket could not be made for lack of descriptors, memory or ports: says so, now and then. */
bool hv_gateway_lacks_resources(struct hv_gateway *gateway, int error);
/* A flow could not be made because of the limit of its kind. */
void hv_gateway_limit_reached(struct hv_gateway *gateway, enum hv_flow_kind kind);
/* The flow has begun: it is in the list, and in the audit. */
void hv_gateway_flow_opened(struct hv_gateway *gateway, struct hv_flow *flow);
/* The flow's line in the log, its place in the list; and the memory, when many have ended. */
void hv_gateway_flow_closed(struct hv_gateway *gateway, struct hv_flow *flow,
			    const char *reason);
/* The ICMP error that tells the guest why something that it sent went nowhere. */
void hv_gateway_tell(struct hv_gateway *gateway, const struct haven_icmp_error *error);

#endif
