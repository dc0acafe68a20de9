/*
 * Helpers: what stands between the two sides of a relay and reads along, because the protocol names addresses and ports
 * inside of its text, which are not the same on both sides. There is one, for FTP (`--helper ftp`).
 *
 *	guest -- stack socket --> line --> helper --> out --> host socket -- network
 *	                     <-- out <-- helper <-- line <--
 *
 * A relay with a helper goes line by line, through two small buffers each way. What the helper makes of a line is written to either
 * side, and the next line is looked at when that has been sent. It steps aside (for good) when what follows is not for it to read.
 *
 * FTP's, in the words of its two directions:
 *
 *	out	PORT, EPRT	the client inside waits for data: one connection of the server is let in to it,
 *				through a port of the host that is put in its place
 *		227, 229	the server outside waits: the address is the server's own, whatever it says
 *	in	227, 229	the server inside waits: as PORT above, for one connection of the client
 *		PORT, EPRT	the client outside waits: the address has to be the client's own
 *
 * Ports below 1024 are refused, and other addresses (RFC 2577 sections 3 and 5: nobody is made to connect to a third).
 */
#ifndef HV_GATEWAY_HELPER_H
#define HV_GATEWAY_HELPER_H

#include "gateway/relay.h"

struct hv_helper;

/* A helper for a relay whose sides are both there; NULL: none is asked for at its port, or without memory. */
struct hv_helper *hv_helper_begin(struct hv_relay *relay);
/* NULL is allowed. Also ends what waits for data on its behalf. */
void hv_helper_end(struct hv_helper *helper);

/*
 * Move what can be moved; ends the relay when both sides have ended. Returns true when the helper has stepped aside
 * and nothing is left in it: the relay goes on without.
 */
bool hv_helper_pump(struct hv_relay *relay);

#endif
