/* What clients say, put together. See names_bytes.h. */
#include "names_bytes.h"

#include <stdlib.h>
#include <string.h>

void names_put(struct names_bytes *bytes, const void *data, size_t size)
{
	if (size > NAMES_BYTES_MAX - bytes->size)
		abort();
	if (size > 0)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

void names_put_text(struct names_bytes *bytes, const char *text)
{
	names_put(bytes, text, strlen(text));
}

void names_put_run(struct names_bytes *bytes, char byte, size_t count)
{
	while (count-- > 0)
		names_put(bytes, &byte, 1);
}

const char *names_text(struct names_bytes *bytes)
{
	names_put(bytes, "", 1);
	bytes->size--;
	return (const char *)bytes->data;
}

void names_put_number(struct names_bytes *bytes, unsigned size, uint64_t number)
{
	while (size-- > 0) {
		uint8_t byte = (uint8_t)(number >> 8 * size);

		names_put(bytes, &byte, 1);
	}
}

void names_end_vector(struct names_bytes *bytes, unsigned size, size_t at)
{
	size_t length = bytes->size - at;

	for (unsigned i = 1; i <= size; i++, length >>= 8)
		bytes->data[at - i] = (uint8_t)length;
}

void names_put_hex(struct names_bytes *bytes, const char *hex)
{
	for (; *hex; hex++) {
		char pair[3] = {hex[0], hex[0] == ' ' ? '\0' : hex[1], '\0'};

		if (pair[0] == ' ')
			continue;
		names_put_number(bytes, 1, strtoul(pair, NULL, 16));
		hex++;
	}
}

/* --- TLS ------------------------------------------------------------------------------------ */

void names_put_record(struct names_bytes *bytes, unsigned type, const void *data, size_t size)
{
	names_put_number(bytes, 1, type);
	names_put_number(bytes, 2, 0x0301);
	names_put_number(bytes, 2, size);
	names_put(bytes, data, size);
}

void names_put_records(struct names_bytes *bytes, const struct names_bytes *message,
		       size_t each)
{
	for (size_t at = 0; at < message->size; at += each) {
		size_t left = message->size - at;

		names_put_record(bytes, 22, message->data + at, left < each ? left : each);
	}
}

/* Returns where the message begins. */
static size_t begin_hello(struct names_bytes *hello)
{
	size_t at;

	hello->size = 0;
	names_put_number(hello, 1, 1);
	names_put_number(hello, 3, 0);
	at = hello->size;
	names_put_number(hello, 2, 0x0303);
	for (unsigned i = 0; i < 32; i++)
		names_put_number(hello, 1, i);
	names_put_hex(hello, "00 0002 1301 01 00");
	return at;
}

static void put_server_name(struct names_bytes *hello, const char *name)
{
	size_t length = strlen(name);

	names_put_number(hello, 2, 0);
	names_put_number(hello, 2, length + 5);
	names_put_number(hello, 2, length + 3);
	names_put_number(hello, 1, 0);
	names_put_number(hello, 2, length);
	names_put_text(hello, name);
}

void names_make_hello(struct names_bytes *hello, const char *name, const char *extensions)
{
	size_t message = begin_hello(hello), at;

	names_put_number(hello, 2, 0);
	at = hello->size;
	if (name)
		put_server_name(hello, name);
	names_put_hex(hello, extensions);
	names_end_vector(hello, 2, at);
	names_end_vector(hello, 3, message);
}

void names_make_odd_hello(struct names_bytes *hello, const char *server_name_hex)
{
	size_t message = begin_hello(hello), at, body;

	names_put_number(hello, 2, 0);
	at = hello->size;
	names_put_number(hello, 4, 0);
	body = hello->size;
	names_put_hex(hello, server_name_hex);
	names_end_vector(hello, 2, body);
	names_end_vector(hello, 2, at);
	names_end_vector(hello, 3, message);
}
