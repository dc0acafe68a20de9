/*
 * ClientHellos in the format of SSL 2:
 *
 *	length 2 (the highest bit set), type 1 (1: ClientHello), version 2 (3.x, or 0.2: SSL 2 itself)
 *
 * The form with a header of three bytes is not looked for: no server of this time takes it, and SOCKS 5 begins with
 * three bytes that could be one, and then waits.
 *
 * See server_name_ssl2.h.
 */
#include "gateway/server_name_ssl2.h"

#include "gateway/server_name_reader.h"

#define LONG_HEADER  0x80
#define CLIENT_HELLO 1
#define LENGTH_MIN   9		    /* RFC 5246 appendix E.2: up to the three lengths */
#define LENGTH_MAX   (16384 + 2048) /* more than any server has room for */

bool hv_ssl2_may_begin(uint8_t first)
{
	return first >= LONG_HEADER && (first & ~LONG_HEADER) <= LENGTH_MAX >> 8;
}

/* Whether the bytes so far may be the first ones of a ClientHello. */
static bool may_be(const struct hv_ssl2_reader *ssl2)
{
	const uint8_t *p = ssl2->first;
	unsigned length = (unsigned)(p[0] & ~LONG_HEADER) << 8 | p[1];

	switch (ssl2->size) {
	case 2:
		return length >= LENGTH_MIN && length <= LENGTH_MAX;
	case 3:
		return p[2] == CLIENT_HELLO;
	case 4:
		return p[3] == 3 || p[3] == 0;
	case 5:
		return p[3] == 3 || p[4] == 2;
	default:
		return true;
	}
}

/* Two of the first bytes are white space for some servers of HTTP: then the others are read as HTTP. */
static enum hv_server_name_event try_http(struct hv_server_name_reader *reader)
{
	const struct hv_ssl2_reader *ssl2 = &reader->ssl2;
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;
	size_t used;

	if (!hv_http_is_space(ssl2->first[0]))
		return hv_name_over(reader);
	reader->stage = HV_NAME_HTTP;
	reader->held = 0;
	hv_http_begin_odd(&reader->http);
	for (size_t i = 1; i < ssl2->size && event == HV_SERVER_NAME_MORE; i += used) {
		used = 0;
		event = hv_http_feed(reader, &ssl2->first[i], 1, &used);
	}
	return event;
}

enum hv_server_name_event hv_ssl2_feed(struct hv_server_name_reader *reader,
				       const uint8_t *data, size_t *used)
{
	struct hv_ssl2_reader *ssl2 = &reader->ssl2;

	ssl2->first[ssl2->size++] = data[0];
	reader->held++;
	*used = 1;
	if (!may_be(ssl2))
		return try_http(reader);
	if (ssl2->size < HV_SSL2_BYTES && !(ssl2->size == 4 && ssl2->first[3] == 3))
		return HV_SERVER_NAME_MORE;
	reader->kind = HV_SERVER_NAME_TLS;
	reader->fault = "a ClientHello of SSL 2 says no server name";
	reader->stage = HV_NAME_OVER; /* what follows has no plain ClientHello any more */
	return HV_SERVER_NAME_MISSING;
}
