/*
 * Records of TLS up to the last ClientHello that a client may send without encryption.
 *
 *	record: type 1, version 2, length 2, then so many bytes      (RFC 8446 section 5.1)
 *	message: type 1, length 3, then so many bytes                (section 4)
 *
 * A ClientHello may lie in any number of records. After it, the server may ask for another one (HelloRetryRequest, section
 * 4.1.4), and nothing but the client's conscience makes that say the same name. So records are watched until
 * one stands there that no second ClientHello can follow.
 *
 * See server_name_tls.h.
 */
#include "gateway/server_name_tls.h"

#include <string.h>

#include "gateway/client_hello.h"
#include "gateway/server_name_reader.h"

#define VERSION_MAJOR 3
#define RECORD_MAX    (16384 + 2048) /* RFC 5246 section 6.2.3 */
/* Data of a client that was in a hurry (0-RTT), which a server skips that then asks again. */
#define EARLY_DATA_MAX 65536
/*
 * No server takes a ClientHello of as many bytes (OpenSSL 131396). In a session of TLS 1.2 that is resumed, the client's encrypted
 * Finished stands where the second ClientHello would, and may begin like one.
 */
#define NO_CLIENT_HELLO 0x20200

#define TOO_MANY_RECORDS "the ClientHello is too long, or in too many records"

static uint32_t number_at(const uint8_t *data, unsigned bytes)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | data[i];
	return number;
}

static enum hv_server_name_event fail_as_tls(struct hv_server_name_reader *reader,
					     const char *fault)
{
	reader->kind = HV_SERVER_NAME_TLS;
	return hv_name_fail(reader, fault);
}

/* --- the header of the first record --------------------------------------------------------- */

bool hv_tls_may_begin(uint8_t first)
{
	return first >= HV_TLS_CHANGE_CIPHER_SPEC && first <= HV_TLS_HEARTBEAT;
}

/*
 * Some servers do not look at the version of the first record, some take an alert before the ClientHello. Nobody
 * who means well begins like this.
 */
static enum hv_server_name_event first_header_of_odd_version(
	struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	uint32_t length = number_at(tls->header + 3, 2);

	if (tls->header[0] == HV_TLS_ALERT && length == 2)
		return fail_as_tls(reader, "TLS begins with an alert");
	if (tls->header[0] == HV_TLS_ALERT || length == 0 || length > RECORD_MAX)
		return hv_name_over(reader);
	return HV_SERVER_NAME_MORE; /* its first byte decides */
}

/* After the second byte, then after the last. */
static enum hv_server_name_event first_header(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	bool is_hello = tls->header[0] == HV_TLS_HANDSHAKE;

	if (tls->header[1] == VERSION_MAJOR) {
		if (!is_hello)
			return fail_as_tls(reader, "TLS begins without a ClientHello");
		reader->kind = HV_SERVER_NAME_TLS;
		return HV_SERVER_NAME_MORE;
	}
	if (!is_hello && tls->header[0] != HV_TLS_ALERT)
		return hv_name_over(reader);
	if (tls->header_size == HV_TLS_RECORD_HEADER)
		return first_header_of_odd_version(reader);
	return HV_SERVER_NAME_MORE;
}

/* --- the headers of those that follow ------------------------------------------------------- */

/* The type of a record after a ClientHello. Only what may be another one is held. */
static enum hv_server_name_event later_type(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;

	switch (tls->header[0]) {
	case HV_TLS_HANDSHAKE:
		return HV_SERVER_NAME_MORE;
	case HV_TLS_CHANGE_CIPHER_SPEC:
		/* Before TLS 1.3 all that follows is encrypted. */
		if (!tls->knows_tls13)
			return hv_name_over(reader);
		break;
	case HV_TLS_ALERT: /* user_canceled changes nothing: RFC 8446 section 6.1 */
	case HV_TLS_HEARTBEAT:
		break;
	case HV_TLS_APPLICATION_DATA:
		if (!tls->early_data)
			return hv_name_over(reader);
		break;
	default:
		return hv_name_fail(reader, "no record of TLS follows the ClientHello");
	}
	reader->held = 0;
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event on_type(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;

	if (!tls->started)
		return HV_SERVER_NAME_MORE;
	if (tls->again && tls->hello.size == 0)
		return later_type(reader);
	/* No server takes data amid a ClientHello; so what looked like one was encrypted. */
	if (tls->again && tls->header[0] == HV_TLS_APPLICATION_DATA && !tls->early_data)
		return hv_name_over(reader);
	if (tls->header[0] != HV_TLS_HANDSHAKE)
		return hv_name_fail(reader, "a record stands in the midst of the ClientHello");
	/* With the rest of the header, and one byte of the message. */
	if (reader->held + HV_TLS_RECORD_HEADER > HV_SERVER_NAME_HELD_MAX)
		return hv_name_fail(reader, TOO_MANY_RECORDS);
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event on_version(struct hv_server_name_reader *reader)
{
	if (!reader->tls.started)
		return first_header(reader);
	if (reader->tls.header[1] != VERSION_MAJOR)
		return hv_name_fail(reader, "a record is of no known version of TLS");
	return HV_SERVER_NAME_MORE;
}

/* --- the whole header --------------------------------------------------------------------- */

static enum hv_server_name_event enter_handshake_record(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;

	if (tls->record_left == 0)
		return hv_name_fail(reader, "a record of the ClientHello is empty");
	if (reader->held + tls->record_left > HV_SERVER_NAME_HELD_MAX)
		return hv_name_fail(reader, TOO_MANY_RECORDS);
	if (tls->wanted > 0 && tls->record_left > tls->wanted - tls->hello.size)
		return hv_name_fail(reader, "something follows the ClientHello in its record");
	tls->stage = HV_TLS_IN_HELLO;
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event enter_other_record(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;

	if (tls->header[0] == HV_TLS_APPLICATION_DATA) {
		tls->early_bytes += tls->record_left;
		if (tls->early_bytes > EARLY_DATA_MAX)
			return hv_name_over(reader);
	}
	tls->stage = tls->record_left > 0 ? HV_TLS_IN_RECORD : HV_TLS_IN_HEADER;
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event on_header(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;

	if (!tls->started)
		event = first_header(reader);
	if (event != HV_SERVER_NAME_MORE)
		return event;
	tls->started = true;
	tls->header_size = 0;
	tls->record_left = number_at(tls->header + 3, 2);
	if (tls->record_left > RECORD_MAX)
		return hv_name_fail(reader, "a record is longer than TLS allows");
	if (tls->header[0] == HV_TLS_HANDSHAKE)
		return enter_handshake_record(reader);
	return enter_other_record(reader);
}

static enum hv_server_name_event read_header(struct hv_server_name_reader *reader, uint8_t byte)
{
	struct hv_tls_reader *tls = &reader->tls;

	tls->header[tls->header_size++] = byte;
	if (!tls->again || tls->header[0] == HV_TLS_HANDSHAKE || tls->hello.size > 0 ||
	    tls->header_size == 1)
		reader->held++;
	switch (tls->header_size) {
	case 1:
		return on_type(reader);
	case 2:
		return on_version(reader);
	case HV_TLS_RECORD_HEADER:
		return on_header(reader);
	default:
		return HV_SERVER_NAME_MORE;
	}
}

/* --- the ClientHello ------------------------------------------------------------------------ */

static enum hv_server_name_event on_message_type(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	bool is_hello = tls->hello.data[0] == HV_HANDSHAKE_CLIENT_HELLO;

	if (tls->header[1] != VERSION_MAJOR) /* the first record, see above */
		return is_hello ? fail_as_tls(reader, "TLS begins with an unknown version")
				: hv_name_over(reader);
	if (is_hello)
		return HV_SERVER_NAME_MORE;
	/* The server asked for nothing, and goes on; or this is encrypted. */
	return tls->again ? hv_name_over(reader)
			  : hv_name_fail(reader, "TLS begins without a ClientHello");
}

static enum hv_server_name_event on_message_length(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	uint32_t length = number_at(tls->hello.data + 1, 3);

	if (tls->again && length >= NO_CLIENT_HELLO)
		return hv_name_over(reader);
	/* A second one that seems too long may be no such thing; the next record tells, or the limit. */
	if (!tls->again && length > HV_CLIENT_HELLO_MAX)
		return hv_name_fail(reader, "the ClientHello is longer than 65535 bytes");
	tls->wanted = HV_HANDSHAKE_HEADER + length;
	if (tls->record_left > length)
		return hv_name_fail(reader, "something follows the ClientHello in its record");
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event on_hello(struct hv_server_name_reader *reader)
{
	struct hv_tls_reader *tls = &reader->tls;
	struct hv_client_hello hello;

	hv_client_hello_read(tls->hello.data + HV_HANDSHAKE_HEADER,
			     tls->hello.size - HV_HANDSHAKE_HEADER, &hello);
	hv_bytes_free(&tls->hello);
	if (hello.event == HV_SERVER_NAME_UNREADABLE)
		return hv_name_fail(reader, hello.fault);
	memcpy(reader->name, hello.name, sizeof(reader->name));
	reader->fault = hello.fault;
	tls->wanted = 0;
	tls->again = true;
	tls->knows_tls13 |= hello.knows_tls13;
	tls->early_data = hello.early_data; /* a second ClientHello has none */
	return hello.event;
}

/* The message's header byte by byte, the rest as it comes. */
static enum hv_server_name_event read_hello(struct hv_server_name_reader *reader,
					    const uint8_t *data, size_t size, size_t *used)
{
	struct hv_tls_reader *tls = &reader->tls;
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;
	size_t n = size < tls->record_left ? size : tls->record_left;

	if (tls->hello.size < HV_HANDSHAKE_HEADER)
		n = 1;
	*used = n;
	reader->held += n;
	if (!hv_bytes_append(&tls->hello, data, n))
		return hv_name_fail(reader, "there is no memory for the ClientHello");
	tls->record_left -= (uint32_t)n;
	if (tls->hello.size == 1)
		event = on_message_type(reader);
	else if (tls->hello.size == HV_HANDSHAKE_HEADER)
		event = on_message_length(reader);
	if (event != HV_SERVER_NAME_MORE)
		return event;
	if (tls->record_left == 0)
		tls->stage = HV_TLS_IN_HEADER;
	return tls->wanted == tls->hello.size ? on_hello(reader) : HV_SERVER_NAME_MORE;
}

enum hv_server_name_event hv_tls_feed(struct hv_server_name_reader *reader, const uint8_t *data,
				      size_t size, size_t *used)
{
	struct hv_tls_reader *tls = &reader->tls;

	switch (tls->stage) {
	case HV_TLS_IN_HELLO:
		return read_hello(reader, data, size, used);
	case HV_TLS_IN_RECORD:
		*used = size < tls->record_left ? size : tls->record_left;
		tls->record_left -= (uint32_t)*used;
		if (tls->record_left == 0)
			tls->stage = HV_TLS_IN_HEADER;
		return HV_SERVER_NAME_MORE;
	case HV_TLS_IN_HEADER:
	default:
		*used = 1;
		return read_header(reader, data[0]);
	}
}

/* No server does anything about a part of a message; but what is TLS has no need to show it one. */
enum hv_server_name_event hv_tls_end(struct hv_server_name_reader *reader)
{
	if (reader->held == 0 || reader->kind == HV_SERVER_NAME_UNKNOWN)
		return hv_name_over(reader);
	return hv_name_fail(reader, "the ClientHello is cut off");
}

void hv_tls_free(struct hv_tls_reader *tls)
{
	hv_bytes_free(&tls->hello);
}
