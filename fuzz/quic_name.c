/*
 * Datagrams of a client, to a reader of server names in QUIC. The first byte chooses how they are made of the rest: as they stand, or
 * as what is inside of Initial packets, encrypted as it has to be, so that frames and ClientHello are reached.
 *
 * Each datagram is two bytes of length and what follows. Nothing may be said of one that holds no Initial packet, names are
 * names, and the same datagrams say the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/server_name.h"
#include "tests/unit/gateway/names_quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATAGRAMS_MAX 64
#define DATAGRAM_MAX  1500

struct said {
	enum hv_server_name_event event;
	char name[HV_SERVER_NAME_SIZE];
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_name(const char *name)
{
	size_t size = strlen(name);

	check(size > 0 && size < HV_SERVER_NAME_SIZE && name[size - 1] != '.');
	for (; *name; name++)
		check((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') ||
		      strchr("-_.:", *name));
}

static struct said say(struct hv_quic_name_reader *reader, const uint8_t *data, size_t size)
{
	struct said said = {.event = hv_quic_name_feed(reader, data, size)};

	if (said.event == HV_SERVER_NAME_NAME) {
		check_name(hv_quic_name(reader));
		strcpy(said.name, hv_quic_name(reader));
	} else if (said.event >= HV_SERVER_NAME_MISSING) {
		check(hv_quic_name_fault(reader));
	}
	return said;
}

/* The frames of one packet, in a datagram of the right size. */
static void wrap(struct names_bytes *datagram, const uint8_t *data, size_t size, bool version2)
{
	static struct names_bytes payload;
	struct names_packet packet = {
		.version = version2 ? 0x6b3343cf : 1,
		.id = "8394c8f03e515708",
	};

	payload.size = datagram->size = 0;
	names_put(&payload, data, size);
	if (payload.size < 1162)
		names_put_run(&payload, 0, 1162 - payload.size);
	names_put_initial(datagram, &packet, &payload);
}

static void run(struct said *said, const uint8_t *data, size_t size, uint8_t mode)
{
	static struct names_bytes datagram;
	struct hv_quic_name_reader *reader = hv_quic_name_new();

	check(reader);
	for (unsigned i = 0; i < DATAGRAMS_MAX && size > 2; i++) {
		size_t length = (size_t)(data[0] << 8 | data[1]) % DATAGRAM_MAX + 1;

		data += 2;
		size -= 2;
		length = length < size ? length : size;
		if (mode & 1) {
			wrap(&datagram, data, length, mode & 2);
			check(hv_quic_is_initial(datagram.data, datagram.size));
			said[i] = say(reader, datagram.data, datagram.size);
		} else {
			hv_quic_is_initial(data, length);
			said[i] = say(reader, data, length);
		}
		data += length;
		size -= length;
	}
	hv_quic_name_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct said first[DATAGRAMS_MAX], second[DATAGRAMS_MAX];

	if (size < 1)
		return 0;
	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	run(first, data + 1, size - 1, data[0]);
	run(second, data + 1, size - 1, data[0]);
	check(memcmp(first, second, sizeof(first)) == 0);
	return 0;
}
