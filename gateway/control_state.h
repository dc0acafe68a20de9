/*
 * Inside of the control socket: clients, and the answers that are being made for them. Shared by
 * control.c (sockets, lines, back-pressure) and control_*.c (what is answered).
 */
#ifndef HV_GATEWAY_CONTROL_STATE_H
#define HV_GATEWAY_CONTROL_STATE_H

#include <jansson.h>
#include <time.h>

#include "gateway/control.h"
#include "gateway/control_name.h"
#include "gateway/owner.h"
#include "gateway/publish.h"
#include "gateway/relay.h"

struct hv_answer_kind;

/* A publication as it was when it was asked for. */
struct hv_publication_row {
	struct haven_endpoint host;
	uint16_t guest_port;
	uint8_t protocol;
	bool tls, automatic;
};

/* What a `why` has found of a port, of one protocol. */
struct hv_why {
	unsigned protocol; /* index of hv_answer.protocols */
	bool holds;	   /* a socket holds it by itself */
	unsigned connections, time_waits;
	const struct hv_guest_socket *connection; /* one of them; of the survey */
	uint32_t expires_ms;			  /* the last in TIME-WAIT */
};

/*
 * An answer. It begins when the request is read, gives a row at each call, and ends; between two
 * calls anything may have happened to the network.
 */
struct hv_answer {
	struct hv_control *control;
	const struct hv_answer_kind *kind; /* NULL: none is being made */
	json_t *request;
	uint64_t rows;
	unsigned stage;	 /* of the kind's own */
	size_t position; /* within the stage */

	struct hv_survey_wait wait;
	bool needs_survey;	  /* set by begin */
	struct hv_survey *survey; /* there at the first step, then */
	struct hv_flow_cursor cursor;
	bool has_cursor;
	struct hv_publication_row *publications;
	size_t publication_count, publication_size;
	bool out_of_memory;

	/* What `refusals` with "follow" waits for. */
	struct hv_refusal_listener listener;
	bool listening;
	bool idle; /* there is nothing to tell now */

	/* What a `why` asks for. */
	uint8_t protocols[2]; /* 0: not this one */
	uint16_t port;	      /* 0: the endpoint */
	struct haven_endpoint endpoint;
	char name[HAVEN_NAME_SIZE]; /* in place of the endpoint's address; "": none */
	struct hv_why why;

	/* What a `connect` waits for. */
	struct hv_relay_watcher watcher;
	struct hv_relay *relay; /* NULL: it has ended */
	json_t *connected,
		*outcome; /* rows that are still to be told; NULL: not yet, or told */

	struct hv_gateway_error error; /* when text is set, the answer is this */
};

struct hv_answer_kind {
	const char *name;
	/* 0, or a negative errno with answer->error set. */
	int (*begin)(struct hv_answer *answer);
	/*
	 * A bounded piece of work. Returns false at the end, when there is nothing more. *row, NULL before:
	 * the row that came of it, if any, which is the caller's.
	 */
	bool (*step)(struct hv_answer *answer, json_t **row);
};

struct hv_control_client {
	struct hv_source source;
	LIST_ENTRY(hv_control_client) entry;
	struct hv_control *control;
	struct hv_loop_timer timeout;
	char *request; /* HV_CONTROL_REQUEST_MAX bytes */
	size_t request_used;
	char *output;
	size_t output_size, output_used, output_sent;
	int passed_fd;	/* came with a request, for the next `connect`; -1: none */
	bool connects;	/* it is one of `connect`: those may be many, and stay */
	bool ending;	/* write the output, then nothing more */
	bool lingering; /* it is written: until the client has read it, and closes */
	struct hv_answer answer;
	struct haven_rules *staged; /* that will stand by policy-replace; NULL: none */
};

LIST_HEAD(hv_control_clients, hv_control_client);

struct hv_control {
	struct hv_gateway *gateway;
	const struct hv_guest *guest;
	struct hv_surveyor *surveyor;
	struct haven_services *services; /* /etc/services; loaded when it is first wanted */
	bool services_loaded;
	struct hv_source listener;
	struct hv_loop_timer pause; /* until accepting is tried again */
	char name[HV_CONTROL_NAME_SIZE];
	char *const *command;
	bool attached;
	uint32_t privileged_ports; /* inside; below it, binding takes root */
	time_t started;
	struct hv_control_clients clients;
	unsigned client_count; /* without those that connect or are ending */
	unsigned connect_count;
	unsigned refused_count; /* those */
};

/* --- control_answer.c ------------------------------------------------------------------- */

/* A line of a client (changed). What comes of it is told by hv_answer_step. */
void hv_answer_begin(struct hv_answer *answer, struct hv_control *control, char *line,
		     size_t size);
/*
 * Whether a step can be made now; if not, hv_answer_ready(answer) is called when it can.
 */
bool hv_answer_can_step(const struct hv_answer *answer);
void hv_answer_ready(struct hv_answer *answer); /* control.c */
/* As hv_answer_kind's; the last row says that it is the end, or the error. */
bool hv_answer_step(struct hv_answer *answer, json_t **row);
/* Also in the middle. */
void hv_answer_end(struct hv_answer *answer);

__attribute__((format(printf, 3, 4))) int hv_answer_fail(struct hv_answer *answer, int error,
							 const char *format, ...);

/* --- control_rows.c: JSON --------------------------------------------------------------- */

/* Text of any bytes: what is not UTF-8 becomes '?'. */
json_t *hv_json_text(const char *text);
/* Milliseconds, or null for 0: not known. */
json_t *hv_json_ms(uint64_t ns);
json_t *hv_json_endpoint(const struct haven_endpoint *endpoint);
json_t *hv_json_process(const struct hv_survey *survey, const struct hv_guest_socket *socket);
const char *hv_control_protocol_name(uint8_t protocol);
bool hv_control_protocol(const char *name, uint8_t *protocol);
/* Sets "service" (a name or null) and "range" (RFC 6335 section 6) of a port. */
void hv_json_set_service(json_t *row, struct hv_control *control, uint8_t protocol,
			 uint16_t port);
const char *hv_guest_socket_state_name(const struct hv_guest_socket *socket);
/* "published", "unpublished", "publication" */
json_t *hv_json_publication(struct hv_control *control, const char *type,
			    const struct hv_publication_row *publication);
json_t *hv_json_flow(struct hv_control *control, const struct hv_flow *flow);
json_t *hv_json_ended_flow(struct hv_control *control, const struct hv_flow_ended *ended);

/* --- what is answered ------------------------------------------------------------------- */

extern const struct hv_answer_kind hv_answer_info, hv_answer_ports, hv_answer_flows,
	hv_answer_why, hv_answer_publish, hv_answer_unpublish, hv_answer_drops,
	hv_answer_policy, hv_answer_allow, hv_answer_deny, hv_answer_policy_remove,
	hv_answer_policy_stage, hv_answer_policy_replace, hv_answer_refusals, hv_answer_connect;

/* A row of a `why`: its sentence. control_why.c */
__attribute__((format(printf, 3, 4))) json_t *hv_why_row(const struct hv_answer *answer,
							 const char *verdict,
							 const char *format, ...);
/* What the rules say of flows to answer->endpoint, or to a name; and which refusals there were. control_why_policy.c */
json_t *hv_why_policy_row(const struct hv_answer *answer, uint8_t protocol);
json_t *hv_json_refused(struct hv_control *control, const struct hv_refused *refused);

/* The network ends, and with it what a `connect` has made: its last row is there. False: it is no `connect`, or has one. */
bool hv_answer_network_ends(struct hv_answer *answer);

/* Copy the publications of now into answer->publications. 0 or -ENOMEM with the error set. */
int hv_answer_take_publications(struct hv_answer *answer);

#endif
