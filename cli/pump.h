/*
 * Bytes between standard input and output and a socket, in both directions at once.
 *
 *	input --read--> socket's send space          socket's received bytes --write--> output
 *
 * Each direction goes on by itself and waits for its slower side. The input's end becomes FIN (after close_notify, with TLS), and the
 * peer's FIN closes the output; both: done.
 */
#ifndef HV_CLI_PUMP_H
#define HV_CLI_PUMP_H

#include "cli/explain.h"
#include "cli/inproc.h"
#include "cli/standard_io.h"

enum hv_pump_result {
	HV_PUMP_DONE,
	HV_PUMP_NETWORK, /* the connection failed: error is a negative errno of the socket */
	HV_PUMP_INPUT,	 /* standard input or output did: error is a negative errno */
	HV_PUMP_OUTPUT,
	HV_PUMP_LOOP,
};

struct hv_pump {
	struct hv_inproc *inproc;
	struct haven_socket *socket;
	struct hv_stdio *in, *out;
	struct hv_explain *explain;
	bool keep_output; /* it stays open at the peer's end: others will come */
	uint64_t bytes_sent, bytes_received;
	bool sent_end, received_end;
	int error;
};

/* A stream; everything but bytes and flags is set. */
enum hv_pump_result hv_pump_stream(struct hv_pump *pump);

/*
 * Datagrams: each read of the input is one, each that comes is a write. Ends when the input has, and wait_ns have gone by without another
 * datagram.
 */
enum hv_pump_result hv_pump_datagrams(struct hv_pump *pump, uint64_t wait_ns);

#endif
