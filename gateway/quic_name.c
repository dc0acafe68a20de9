/*
 * The server names of a QUIC client, in the ClientHello of each connection that it opens. See server_name.h.
 *
 * A datagram goes through here in this order:
 *
 *	packets   all of one connection id and one version: servers differ in what they do with others
 *	keys      those of the packet's own id, with which a connection begins (or begins again, after Retry), or of the id
 *	          with which one of those before began: a server gives it another one, but the keys stay
 *	frames    into the stream of that connection
 *	stream    when a ClientHello is whole in it, that is read
 *
 * Whoever knows all keys can make a packet that is good with two of them, and says something else with each. So all are tried, and
 * only one may fit.
 */
#include "gateway/server_name.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/client_hello.h"
#include "gateway/quic_crypto.h"
#include "gateway/quic_frames.h"

/* A program that uses one port for all its connections opens some to one server. */
#define CONNECTIONS_MAX 16
/* Of all streams, in bytes of memory. */
#define BUDGET (128 * 1024)
/* What the caller holds back at most. */
#define HELD_MAX      (24 * 1024)
#define DATAGRAMS_MAX 16

#define TOO_LONG "the ClientHello is longer than what is held of QUIC"

struct connection {
	uint8_t id[HV_QUIC_ID_MAX]; /* the first destination's, from which the keys follow */
	size_t id_size;
	uint64_t next_number; /* above all packet numbers so far */
	struct hv_quic_stream stream;
	size_t read; /* offset behind the last ClientHello that was read */
	struct hv_client_hello hello;
};

struct hv_quic_name_reader {
	struct connection *connections[CONNECTIONS_MAX];
	size_t count;
	size_t budget;
	size_t held_bytes, held_datagrams;
	const char *fault;
	char name[HV_SERVER_NAME_SIZE];
};

/* The work on one datagram. */
struct work {
	struct hv_quic_name_reader *reader;
	struct connection *connection; /* of the first Initial packet */
	struct hv_quic_packet packet;
	struct hv_quic_payload payload; /* of the key that fits */
	struct hv_quic_payload trial;
	unsigned fits; /* how many do */
	bool failing;
};

/* --- life ----------------------------------------------------------------------------------- */

struct hv_quic_name_reader *hv_quic_name_new(void)
{
	struct hv_quic_name_reader *reader = calloc(1, sizeof(*reader));

	if (reader)
		reader->budget = BUDGET;
	return reader;
}

void hv_quic_name_free(struct hv_quic_name_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->count; i++) {
		hv_quic_stream_free(&reader->connections[i]->stream);
		free(reader->connections[i]);
	}
	free(reader);
}

static struct connection *add_connection(struct hv_quic_name_reader *reader,
					 const struct hv_quic_packet *packet)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	memcpy(connection->id, packet->id, packet->id_size);
	connection->id_size = packet->id_size;
	reader->connections[reader->count++] = connection;
	return connection;
}

static bool is_id(const struct connection *connection, const struct hv_quic_packet *packet)
{
	return connection->id_size == packet->id_size &&
	       memcmp(connection->id, packet->id, packet->id_size) == 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

static void swap_payloads(struct work *work)
{
	struct hv_quic_payload payload = work->payload;

	work->payload = work->trial;
	work->trial = payload;
}

/* True: the packet opens with keys of this version and id. */
static bool fits_keys(struct work *work, uint32_t version, const uint8_t *id, size_t id_size)
{
	struct hv_quic_keys keys;

	if (!hv_quic_client_keys(version, id, id_size, &keys)) {
		work->failing = true;
		return false;
	}
	switch (hv_quic_open(&keys, &work->packet, &work->trial)) {
	case HV_QUIC_OPENED:
		work->fits++;
		swap_payloads(work);
		return true;
	case HV_QUIC_FAILING:
		work->failing = true;
		return false;
	case HV_QUIC_CLOSED:
	default:
		return false;
	}
}

/* A server may go by the version that the connection has, whatever the packet says. */
static bool fits(struct work *work, const uint8_t *id, size_t id_size)
{
	uint32_t version = work->packet.version;
	uint32_t other = version ^ HV_QUIC_VERSION_1 ^ HV_QUIC_VERSION_2;
	bool good = fits_keys(work, version, id, id_size);

	if (fits_keys(work, other, id, id_size))
		work->fits++; /* by no honest client */
	return good;
}

/* NULL, or what is wrong. *found: the connection that the packet belongs to; NULL: a new one. */
static const char *find_connection(struct work *work, struct connection **found)
{
	struct hv_quic_name_reader *reader = work->reader;
	bool own = false;

	*found = NULL;
	work->fits = 0;
	for (size_t i = 0; i < reader->count; i++) {
		struct connection *connection = reader->connections[i];

		own |= is_id(connection, &work->packet);
		if (fits(work, connection->id, connection->id_size))
			*found = connection;
	}
	if (!own)
		fits(work, work->packet.id, work->packet.id_size);
	if (work->failing)
		return "there is no memory for a packet of QUIC";
	if (work->fits == 0)
		return "an Initial packet of QUIC cannot be decrypted";
	return work->fits == 1
		       ? NULL
		       : "an Initial packet of QUIC can be decrypted in more than one way";
}

/*
 * RFC 9000 appendix A.3: of a packet number only the last bytes are sent. A server that lacks packets that were seen here must find
 * the same one, or it would decrypt something else.
 */
static bool is_number_clear(const struct connection *connection, uint32_t number,
			    unsigned number_size)
{
	return number + (UINT64_C(1) << (8 * number_size - 1)) > connection->next_number;
}

/* --- packets -------------------------------------------------------------------------------- */

static const char *take_payload(struct work *work, struct connection *connection)
{
	const struct hv_quic_payload *payload = &work->payload;

	if (payload->first & 0x0c)
		return "an Initial packet of QUIC has bits that must not be set";
	if (!is_number_clear(connection, payload->number, (payload->first & 3) + 1))
		return "the number of an Initial packet of QUIC is not clear";
	if (payload->number >= connection->next_number)
		connection->next_number = (uint64_t)payload->number + 1;
	return hv_quic_frames_read(payload->data, payload->size, &connection->stream,
				   &work->reader->budget);
}

static const char *read_initial(struct work *work)
{
	struct hv_quic_name_reader *reader = work->reader;
	struct connection *connection;
	const char *fault = find_connection(work, &connection);

	if (fault)
		return fault;
	if (!connection && reader->count == CONNECTIONS_MAX)
		return "there are too many connections of QUIC on one port";
	if (!connection)
		connection = add_connection(reader, &work->packet);
	if (!connection)
		return "there is no memory for a connection of QUIC";
	if (work->connection && work->connection != connection)
		return "a datagram has packets of two connections of QUIC";
	work->connection = connection;
	return take_payload(work, connection);
}

/* RFC 9000 section 12.2: packets of another id are ignored, by those who obey. */
static const char *check_packet(const struct hv_quic_packet *first,
				const struct hv_quic_packet *packet)
{
	if (packet->version != first->version || packet->id_size != first->id_size ||
	    memcmp(packet->id, first->id, first->id_size) != 0)
		return "a datagram has packets of two connections of QUIC";
	return NULL;
}

/* All packets of a datagram. *initials: how many there were. */
static const char *read_packets(struct work *work, const uint8_t *datagram, size_t size,
				unsigned *initials)
{
	struct hv_quic_packet first, packet;
	const char *fault = NULL;

	*initials = 0;
	for (size_t at = 0; at < size && !fault; at += packet.size) {
		enum hv_quic_header header =
			hv_quic_packet_read(datagram + at, size - at, &packet);

		if (header == HV_QUIC_SHORT || (header == HV_QUIC_STRANGE && at == 0))
			break;
		if (header == HV_QUIC_STRANGE || header == HV_QUIC_BROKEN)
			return "a packet of QUIC is malformed";
		if (at == 0)
			first = packet;
		fault = check_packet(&first, &packet);
		if (fault || header != HV_QUIC_INITIAL)
			continue;
		++*initials;
		work->packet = packet;
		fault = read_initial(work);
	}
	return fault;
}

/* --- the ClientHello ------------------------------------------------------------------------ */

/* The next message of the stream, as far as it came. *whole: it was read. */
static const char *read_message(struct connection *connection, bool *whole)
{
	struct hv_quic_stream *stream = &connection->stream;
	size_t there = stream->whole - connection->read, length;
	const uint8_t *message;

	*whole = false;
	if (there == 0)
		return NULL;
	message = stream->data + connection->read;
	if (message[0] != HV_HANDSHAKE_CLIENT_HELLO)
		return "QUIC begins without a ClientHello";
	if (there < HV_HANDSHAKE_HEADER)
		return NULL;
	length = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
	length += HV_HANDSHAKE_HEADER;
	if (length > HV_QUIC_STREAM_MAX - connection->read)
		return TOO_LONG;
	if (stream->end - connection->read > length)
		return "something follows the ClientHello of QUIC";
	if (there < length)
		return NULL;
	hv_client_hello_read(message + HV_HANDSHAKE_HEADER, length - HV_HANDSHAKE_HEADER,
			     &connection->hello);
	connection->read += length;
	*whole = true;
	return NULL;
}

static enum hv_server_name_event fail(struct hv_quic_name_reader *reader, const char *fault)
{
	reader->held_bytes = reader->held_datagrams = 0;
	reader->name[0] = '\0';
	reader->fault = fault;
	return HV_SERVER_NAME_UNREADABLE;
}

static enum hv_server_name_event hold(struct hv_quic_name_reader *reader, size_t size)
{
	reader->held_bytes += size;
	reader->held_datagrams++;
	if (reader->held_bytes > HELD_MAX || reader->held_datagrams > DATAGRAMS_MAX)
		return fail(reader, TOO_LONG);
	return HV_SERVER_NAME_MORE;
}

/* What the connection says, now that all packets of the datagram were read. */
static enum hv_server_name_event conclude(struct hv_quic_name_reader *reader,
					  struct connection *connection, size_t size)
{
	const struct hv_client_hello *hello = &connection->hello;
	const char *fault = NULL;
	bool whole = true;

	if (connection->read == 0 || connection->stream.end > connection->read)
		fault = read_message(connection, &whole);
	if (fault)
		return fail(reader, fault);
	if (!whole)
		return hold(reader, size);
	if (hello->event == HV_SERVER_NAME_UNREADABLE)
		return fail(reader, hello->fault);
	reader->held_bytes = reader->held_datagrams = 0;
	reader->fault = hello->fault;
	memcpy(reader->name, hello->name, sizeof(reader->name));
	return hello->event;
}

enum hv_server_name_event hv_quic_name_feed(struct hv_quic_name_reader *reader,
					    const uint8_t *datagram, size_t size)
{
	struct work work = {.reader = reader};
	uint8_t *room; /* for two payloads, neither longer than the datagram */
	unsigned initials;
	const char *fault;

	if (!hv_quic_is_initial(datagram, size))
		return HV_SERVER_NAME_DONE;
	room = malloc(2 * size);
	if (!room)
		return fail(reader, "there is no memory for a packet of QUIC");
	work.payload.data = room;
	work.trial.data = room + size;
	fault = read_packets(&work, datagram, size, &initials);
	free(room);
	if (fault)
		return fail(reader, fault);
	return initials > 0 ? conclude(reader, work.connection, size) : HV_SERVER_NAME_DONE;
}

/* --- outside -------------------------------------------------------------------------------- */

bool hv_quic_is_initial(const uint8_t *datagram, size_t size)
{
	struct hv_quic_packet packet;

	for (size_t at = 0; at < size; at += packet.size) {
		switch (hv_quic_packet_read(datagram + at, size - at, &packet)) {
		case HV_QUIC_SHORT:
			return false;
		case HV_QUIC_STRANGE:
		case HV_QUIC_BROKEN:
		case HV_QUIC_INITIAL:
			return true;
		default:
			break;
		}
	}
	return false;
}

const char *hv_quic_name(const struct hv_quic_name_reader *reader)
{
	return reader->name;
}

const char *hv_quic_name_fault(const struct hv_quic_name_reader *reader)
{
	return reader->fault;
}
