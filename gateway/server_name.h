/*
 * The server name that a client says at the beginning of what it sends: the server_name of a TLS ClientHello, the
 * Host of each HTTP/1 request, the same ClientHello inside of QUIC Initial packets. No socket, no flow, no
 * policy: bytes in, names out.
 *
 * A reader of a stream is fed what the client sends, in order, in any pieces. It tells where a name has to be judged, and how many of
 * the last bytes may not go on to the server before:
 *
 *	feed -> MORE           nothing to judge; all but the last `held` bytes may go on
 *	     -> NAME           `name` is to be judged; when it is good, feed what is left, and `held` is 0 again
 *	     -> MISSING...     it is TLS or HTTP, and no name can be had: to be judged by who asks
 *	     -> WAIT           the server has to answer before more can be understood: do not feed, but hv_server_name_answered()
 *	     -> DONE           nothing more will be looked at: it, and all that follows, may go on
 */
#ifndef HV_GATEWAY_SERVER_NAME_H
#define HV_GATEWAY_SERVER_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_SERVER_NAME_SIZE 256

enum hv_server_name_event {
	HV_SERVER_NAME_MORE,
	HV_SERVER_NAME_NAME,
	HV_SERVER_NAME_WAIT,
	HV_SERVER_NAME_DONE,
	/* From here on: no name. */
	HV_SERVER_NAME_MISSING,	   /* TLS without server_name, HTTP without Host */
	HV_SERVER_NAME_HIDDEN,	   /* an encrypted ClientHello (ECH); `name` is the outer one */
	HV_SERVER_NAME_UNREADABLE, /* malformed, over-long, contradictory, or HTTP/2 without TLS */
};

enum hv_server_name_kind {
	HV_SERVER_NAME_UNKNOWN, /* not known yet, or neither */
	HV_SERVER_NAME_TLS,
	HV_SERVER_NAME_HTTP,
	HV_SERVER_NAME_QUIC,
};

struct hv_server_name_reader;

/* Of a stream. NULL without memory. At most 70 KiB are held, in all. */
struct hv_server_name_reader *hv_server_name_new(void);
void hv_server_name_free(struct hv_server_name_reader *reader); /* NULL is allowed */

/*
 * The client's next bytes. *used: how many of them were understood; all of them with MORE and DONE. After MISSING and HIDDEN, feeding again goes on as if the name were good; after UNREADABLE it is DONE.
 */
enum hv_server_name_event hv_server_name_feed(struct hv_server_name_reader *reader,
					      const uint8_t *data, size_t size, size_t *used);
/*
 * The client says no more. DONE: what is held may go on. MISSING or UNREADABLE: it may not, for a server could take it for a
 * whole request.
 */
enum hv_server_name_event hv_server_name_end(struct hv_server_name_reader *reader);
/* How many of the bytes that were fed, the last ones, may not go on yet. */
size_t hv_server_name_held(const struct hv_server_name_reader *reader);
/* Lower case, without port and final dot; an IPv6 address without brackets. After NAME and HIDDEN. */
const char *hv_server_name(const struct hv_server_name_reader *reader);
enum hv_server_name_kind hv_server_name_kind_of(const struct hv_server_name_reader *reader);
/* What was wrong, for a person: "the ClientHello is longer than 65536 bytes". After MISSING and what follows it. */
const char *hv_server_name_fault(const struct hv_server_name_reader *reader);

/*
 * An HTTP request may ask that the connection goes on as something else (Upgrade, CONNECT); only the server's answer tells, and only whoever
 * has seen all answers before it knows which one that is. So as long as hv_server_name_listens(), which begins with the first request, all that
 * the server says is shown to hv_server_name_answered(), in order, and goes on to the client whatever is returned.
 * True: nothing is waited for; after WAIT, feed again. When the answer is 101 (or 2xx to CONNECT), that gives DONE, else HTTP goes on.
 */
bool hv_server_name_listens(const struct hv_server_name_reader *reader);
bool hv_server_name_answered(struct hv_server_name_reader *reader, const uint8_t *data,
			     size_t size);

/* --- QUIC --------------------------------------------------------------------------------- */

struct hv_quic_name_reader;

/* Of all that a client sends from one port to one other: that may be more than one connection. NULL without memory. */
struct hv_quic_name_reader *hv_quic_name_new(void);
void hv_quic_name_free(struct hv_quic_name_reader *reader); /* NULL is allowed */

/*
 * Whether a datagram has to be fed: it holds an Initial packet of QUIC 1 or 2 (RFC 9000, RFC 9369), maybe behind others, or begins as a
 * packet of a version that is not known. It costs a look at the first byte for most that are neither.
 *
 * The first datagram is always fed, and later ones that this is true for, until the end: with each of those the client may
 * open another connection, which says another name, or say another name on the same connection (after a HelloRetryRequest, or where the
 * first one did not arrive).
 */
bool hv_quic_is_initial(const uint8_t *datagram, size_t size);

/*
 * A datagram of the client, whole.
 *
 *	MORE              the ClientHello goes on in another one: this one is held back
 *	NAME, MISSING, HIDDEN
 *	                  what the connection said that this one belongs to. When that is good, what was held back goes on, then this
 *	                  one. It is said again with each datagram of the connection.
 *	UNREADABLE        it and what was held back is not to go on; a later one may be good again
 *	DONE              it is no QUIC, or none with a version that is known, or has no Initial packet; nothing was
 *	                  understood, and what is held back stays so
 */
enum hv_server_name_event hv_quic_name_feed(struct hv_quic_name_reader *reader,
					    const uint8_t *datagram, size_t size);
const char *hv_quic_name(const struct hv_quic_name_reader *reader);
const char *hv_quic_name_fault(const struct hv_quic_name_reader *reader);

#endif
