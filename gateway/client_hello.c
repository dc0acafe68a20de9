/*
 * ClientHello messages. See client_hello.h.
 *
 *	version 2, random 32, session id 0..32, cipher suites 2.., compression methods 1..,
 *	extensions (or nothing): type 2, length 2, data
 *
 * All lengths must fit exactly: a server that stops to read where another one goes on would see
 * other extensions.
 */
#include "gateway/client_hello.h"

#include <assert.h>

#include "gateway/host_name.h"
#include "gateway/piece.h"

/* RFC 8446 section 4.2 and the registry of IANA */
enum extension {
	SERVER_NAME = 0,
	EARLY_DATA = 42,
	SUPPORTED_VERSIONS = 43,
	ENCRYPTED_CLIENT_HELLO = 0xfe0d, /* RFC 9849 section 5 */
	ENCRYPTED_SERVER_NAME = 0xffce,	 /* draft-ietf-tls-esni-02, before it */
};

#define RANDOM_SIZE    32
#define SESSION_ID_MAX 32
#define NAME_TYPE_HOST 0
#define VERSION_MAJOR  3

static_assert(HV_HOST_NAME_SIZE == HV_SERVER_NAME_SIZE, "a host name is a server name");

static bool fail(struct hv_client_hello *hello, const char *fault)
{
	hello->event = HV_SERVER_NAME_UNREADABLE;
	hello->fault = fault;
	return false;
}

/* Up to the extensions. False: faulty. */
static bool read_fixed_part(struct hv_piece *left, struct hv_client_hello *hello)
{
	struct hv_piece version, random, session, ciphers, compression;

	if (!hv_piece_take(left, 2, &version) || !hv_piece_take(left, RANDOM_SIZE, &random) ||
	    !hv_piece_vector(left, 1, &session) || !hv_piece_vector(left, 2, &ciphers) ||
	    !hv_piece_vector(left, 1, &compression))
		return fail(hello, "the ClientHello ends too early");
	if (version.data[0] != VERSION_MAJOR)
		return fail(hello, "the ClientHello is of no known version of TLS");
	if (session.size > SESSION_ID_MAX || ciphers.size < 2 || ciphers.size % 2 != 0 ||
	    compression.size < 1)
		return fail(hello,
			    "the ClientHello has a field of a length that it cannot have");
	return true;
}

/* RFC 6066 section 3: a list that may have one name for each type, and host_name is the only type. */
static bool read_server_name(struct hv_piece data, struct hv_client_hello *hello)
{
	struct hv_piece list, name;
	uint64_t type;

	if (!hv_piece_vector(&data, 2, &list) || data.size > 0 ||
	    !hv_piece_number(&list, 1, &type) || !hv_piece_vector(&list, 2, &name))
		return fail(hello, "the server_name of the ClientHello is malformed");
	if (list.size > 0 || type != NAME_TYPE_HOST)
		return fail(hello, "the server_name of the ClientHello is not one host name");
	if (!hv_host_name(name.data, name.size, hello->name))
		return fail(hello, "the server_name of the ClientHello is no host name");
	return true;
}

static bool read_extension(uint64_t type, struct hv_piece data, struct hv_client_hello *hello)
{
	switch (type) {
	case SERVER_NAME:
		if (hello->name[0])
			return fail(hello, "the ClientHello has two server_name extensions");
		return read_server_name(data, hello);
	case ENCRYPTED_CLIENT_HELLO:
	case ENCRYPTED_SERVER_NAME:
		/* Clients send noise in its place, too, which looks the same (RFC 9849 section 6.2). */
		hello->event = HV_SERVER_NAME_HIDDEN;
		hello->fault = "the ClientHello may hide another server name (ECH)";
		return true;
	case SUPPORTED_VERSIONS:
		hello->knows_tls13 = true;
		return true;
	case EARLY_DATA:
		hello->early_data = true;
		return true;
	default:
		return true;
	}
}

static bool read_extensions(struct hv_piece left, struct hv_client_hello *hello)
{
	struct hv_piece all, data;
	uint64_t type;

	if (left.size == 0)
		return true;
	if (!hv_piece_vector(&left, 2, &all) || left.size > 0)
		return fail(hello, "the extensions of the ClientHello do not end with it");
	while (all.size > 0) {
		if (!hv_piece_number(&all, 2, &type) || !hv_piece_vector(&all, 2, &data))
			return fail(hello, "an extension of the ClientHello is cut off");
		if (!read_extension(type, data, hello))
			return false;
	}
	return true;
}

void hv_client_hello_read(const uint8_t *message, size_t size, struct hv_client_hello *hello)
{
	struct hv_piece left = {message, size};

	*hello = (struct hv_client_hello){.event = HV_SERVER_NAME_NAME};
	if (!read_fixed_part(&left, hello) || !read_extensions(left, hello)) {
		hello->name[0] = '\0';
		return;
	}
	if (hello->event == HV_SERVER_NAME_NAME && !hello->name[0]) {
		hello->event = HV_SERVER_NAME_MISSING;
		hello->fault = "the ClientHello says no server name";
	}
}
