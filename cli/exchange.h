/*
 * One exchange of `haven connect -` or `haven listen`: what both have in common, once there is a socket.
 *
 *	begin -- connect_here.c or listen_here.c: a socket -- TLS -- stream, datagrams or HTTP (fetch.h) -- end
 */
#ifndef HV_CLI_EXCHANGE_H
#define HV_CLI_EXCHANGE_H

#include <haven/tls.h>

#include "cli/connect.h"
#include "cli/host_side.h"
#include "cli/packet_watch.h"
#include "cli/pump.h"
#include "cli/target.h"

struct hv_exchange {
	const struct hv_connect_settings *settings;
	const struct hv_log *log;
	struct hv_log gateway_log; /* what the gateway itself says */
	struct haven_services *services;
	struct hv_target target;
	struct hv_explain explain;
	struct hv_packet_watch watch;
	struct hv_host_side host_side;
	struct hv_inproc *inproc;
	struct hv_stdio in, out;
	struct haven_tls_context *tls; /* NULL: no TLS */
	enum haven_tls_role role;
	struct haven_socket *socket; /* the one that bytes go by; NULL: none now */
	uint16_t port;		     /* of the client's stack */
	struct haven_endpoint far;   /* the other end, as it is seen there */
	const char *name;	     /* whom errors are about: the peer */
	uint64_t deadline_ns;	     /* of connecting */
};

/* target and gateway_log are set. Returns 0, or what haven exits with, after a line. */
int hv_exchange_begin(struct hv_exchange *exchange);
void hv_exchange_end(struct hv_exchange *exchange);
/* Until then it must be connected, from now on; begin does it, too. */
void hv_exchange_set_deadline(struct hv_exchange *exchange);

/* A line on standard error; return what haven exits with: HV_EXIT_FAILED, HV_EXIT_NETWORK. */
__attribute__((format(printf, 2, 3))) int hv_exchange_fail(const struct hv_exchange *exchange,
							   const char *format, ...);
__attribute__((format(printf, 2, 3))) int hv_exchange_refused(
	const struct hv_exchange *exchange, const char *format, ...);

/* What the socket's error means, when it failed with this negative errno: TLS's own text where there is one. */
#define HV_EXCHANGE_TEXT 512
const char *hv_exchange_error(const struct hv_exchange *exchange, int error,
			      char text[HV_EXCHANGE_TEXT]);

/* The socket is connected: TLS, if it is wanted, until its handshake is done. 0, or what haven exits with. */
int hv_exchange_tls(struct hv_exchange *exchange);

/* Bytes of standard input and output, until both directions have ended. What haven exits with. */
int hv_exchange_stream(struct hv_exchange *exchange);
int hv_exchange_datagrams(struct hv_exchange *exchange);

/* What a failed pump leaves to be said. What haven exits with. */
int hv_exchange_pump_failed(struct hv_exchange *exchange, const struct hv_pump *pump,
			    enum hv_pump_result result);

/* Closes the socket (abort: resets it), and tells who is left with what. */
void hv_exchange_close(struct hv_exchange *exchange, bool abort);

#endif
