/*
 * A TCP relay: one host socket and one stream socket of the stack, and bytes between them.
 *
 *	guest -- stack socket ---- sink / pump_out ----> host socket -- network
 *	      \                <--- pump_in -----------/
 *
 * From the host, bytes are read straight into the send space of the stack. From the guest, they
 * are written to the host straight from the packet (the sink), and from the stack's receive
 * buffer when the host's socket is full or the packet came out of order.
 *
 * What happens on one side happens on the other: end of stream becomes end of stream, of that
 * direction alone; a reset becomes a reset; a side that does not read stops the other by its window.
 *
 * The host socket is watched edge-triggered for everything at once, so that an idle and a busy
 * relay cost no epoll_ctl: host_readable and host_writable remember the edges.
 */
#ifndef HV_GATEWAY_RELAY_H
#define HV_GATEWAY_RELAY_H

#include "gateway/gateway.h"

struct hv_name_gate;

/* Somebody who wants to know what becomes of a relay. Embedded. */
struct hv_relay_watcher {
	/* Both sides are there. */
	void (*opened)(struct hv_relay_watcher *watcher);
	/* It ends, and can be looked at for the last time. reason: "closed", "reset by the guest's side", an errno's text... */
	void (*ended)(struct hv_relay_watcher *watcher, const char *reason);
};

enum hv_relay_phase {
	HV_RELAY_HOST_CONNECTING,  /* guest's request waits for the host's connect */
	HV_RELAY_SECURING,	   /* TLS shakes hands on the host's side */
	HV_RELAY_GUEST_CONNECTING, /* host's connection waits for the guest's answer */
	HV_RELAY_OPEN,
	HV_RELAY_ENDED, /* off all lists, memory until the turn's end */
};

struct hv_helper;
struct hv_relay_tls;

struct hv_relay {
	struct hv_source source;   /* host socket */
	struct hv_stack_user user; /* of the stack's socket */
	struct hv_flow flow;
	TAILQ_ENTRY(hv_relay) entry, runnable_entry;
	struct hv_gateway *gateway;
	struct haven_socket *socket;   /* NULL while HOST_CONNECTING and SECURING */
	struct haven_request *request; /* of the guest's, until the host's side is there */
	enum hv_relay_phase phase;
	uint32_t chunk; /* how much the next read of the host socket asks for, bytes */
	struct hv_helper *helper;  /* reads along (helper.h); NULL: bytes go straight through */
	struct hv_relay_tls *tls;  /* on the host's side (relay_tls.h); NULL: in the clear */
	int host_error;		   /* errno that the sink met; handled outside of it */
	struct hv_name_gate *gate; /* what the guest sends is looked at first; NULL: not */

	bool runnable;
	bool host_readable, host_writable; /* no EAGAIN since the last edge */
	bool host_ending;   /* the host said RDHUP, HUP or ERR: read until it shows */
	bool host_eof;	    /* the host's stream has ended, and the guest was told */
	bool guest_eof;	    /* the guest's stream has ended, and the host was told */
	bool reset_pending; /* the host reset; the guest is told after what came before */
	bool host_gone; /* nobody is at the other end: what the guest sends has no way to go */
	struct hv_relay_watcher *watcher; /* NULL: nobody watches */

	/* Published connections: what else can be tried when the guest refuses. */
	struct haven_endpoint peer; /* who connected, as the host sees it */
	bool other_family_tried;
};

/* Takes fd, also when it fails (NULL). The flow's fields are set by the caller before hv_relay_start. */
struct hv_relay *hv_relay_new(struct hv_gateway *gateway, int fd, enum hv_flow_kind kind);
/* Enter the tables and watch the host socket. 0 or a negative errno. */
int hv_relay_start(struct hv_relay *relay);
/* End one that hv_relay_start refused. */
void hv_relay_discard(struct hv_relay *relay);

/* Both sides are there: bytes flow. */
void hv_relay_open(struct hv_relay *relay);

/* More of what did not fit into a turn. */
void hv_relay_run(struct hv_relay *relay);

/* End both sides: orderly, or with resets where a side is still up. */
void hv_relay_close(struct hv_relay *relay, const char *reason);
void hv_relay_abort(struct hv_relay *relay, const char *reason);

/* What closes the host socket next resets its connection. */
void hv_relay_reset_host(const struct hv_relay *relay);

/* Whether everything that the guest sent, its end included, was handed to the host. */
bool hv_relay_drained(const struct hv_relay *relay);

/* --- for a helper, which moves the bytes itself ------------------------------------------- */

/* The host's connection broke (an errno): the guest is reset, after what it was sent before. */
void hv_relay_host_failed(struct hv_relay *relay, int error);
/* All of one side has gone on to the other, and its end has to. */
void hv_relay_host_ended(struct hv_relay *relay);
void hv_relay_guest_ended(struct hv_relay *relay);
/* There is more to do: in the next turn, with hv_relay_run(). */
void hv_relay_run_again(struct hv_relay *relay);

/* --- tcp_out.c: guest to host ----------------------------------------------------------- */
void hv_tcp_out_request(void *user, struct haven_request *request,
			const struct haven_endpoint *source,
			const struct haven_endpoint *destination);
void hv_tcp_out_cancelled(void *user, struct haven_request *request);
void hv_tcp_out_host_event(struct hv_relay *relay, uint32_t events);
/* TLS with the server: its certificate is good; it has failed, or the server has. */
void hv_tcp_out_secured(struct hv_relay *relay);
void hv_tcp_out_insecure(struct hv_relay *relay);

/* --- tcp_in.c: published ports ---------------------------------------------------------- */
/* A connection to a published port. Takes fd. peer: who connected. guest_port: where to. tls: that is what it speaks. */
void hv_tcp_in_accept(struct hv_gateway *gateway, int fd, const struct haven_endpoint *peer,
		      uint16_t host_port, uint16_t guest_port, bool tls);
/* TLS with the client: it may speak to the guest; it has failed, or the client has. */
void hv_tcp_in_secured(struct hv_relay *relay);
void hv_tcp_in_insecure(struct hv_relay *relay);
/*
 * 'haven connect': from the gateway's address to destination, where fd, a stream socket of the Unix domain, is the host's
 * side. any_family: the guest's other address is tried, too. Takes fd. 0, with *out connecting; or a negative errno with
 * error->text set: -EACCES, a rule refuses it.
 */
int hv_tcp_in_connect(struct hv_gateway *gateway, int fd,
		      const struct haven_endpoint *destination, bool any_family,
		      struct hv_relay **out, struct hv_gateway_error *error);
void hv_tcp_in_guest_event(struct hv_relay *relay, unsigned events);

#endif
