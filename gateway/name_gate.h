/*
 * A gate in a relay: what the guest sends first is held back until the server name in it has been judged. Plain HTTP has
 * one for each request.
 *
 *	guest -- stack's receive buffer -- gate -- host socket
 *
 * What needs no judgement goes on straight from the packet, as without a gate. Nothing is copied: what is held stays in the stack's receive buffer, and closes the guest's window when it is
 * much. What the server says goes through untouched, so one that speaks first is not kept waiting.
 */
#ifndef HV_GATEWAY_NAME_GATE_H
#define HV_GATEWAY_NAME_GATE_H

#include "gateway/relay.h"

/* A connection that was allowed, if its server's name is the right one. 0 or -ENOMEM. */
int hv_name_gate_create(struct hv_relay *relay, const struct haven_verdict *verdict);
/* NULL is allowed: then there is none. */
void hv_name_gate_free(struct hv_relay *relay);

/*
 * The same for what comes straight from a packet, inside haven_input(): nothing is judged here. What may have to be goes to the receive
 * buffer, to be looked at there. Returns how many bytes, from the front, may go on; it has to be told how many did.
 */
size_t hv_name_gate_sink(struct hv_relay *relay, const uint8_t *data, size_t size);
/*
 * Look at the `size` bytes in iov that wait in the receive buffer. Returns how many of them, from the front, may go on. The gate is
 * gone when nothing more has to be looked at. A refused relay is ended, or will be (relay->flow.being_refused).
 */
size_t hv_name_gate_look(struct hv_relay *relay, const struct iovec *iov, size_t size);
/* So many bytes went on. */
void hv_name_gate_sent(struct hv_relay *relay, size_t size);
/* The guest's stream has ended, with bytes that are held. */
void hv_name_gate_ended(struct hv_relay *relay);
/* What the server said, up to 2 slices; true: look again. */
bool hv_name_gate_answered(struct hv_relay *relay, const struct iovec *iov, size_t size);

#endif
