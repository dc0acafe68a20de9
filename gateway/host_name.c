/*
 * Host names in the form in which they are compared. See host_name.h.
 */
#include "gateway/host_name.h"

#include <arpa/inet.h>
#include <string.h>

#define NAME_MAX 253 /* RFC 1035 section 2.3.4: 255 bytes on the wire */

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static char lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool fill(const uint8_t *text, size_t size, char *out)
{
	bool dot = true; /* before the byte stands a dot, or nothing */

	if (size > 0 && text[size - 1] == '.')
		size--;
	if (size == 0 || size > NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '.' ? dot : !is_name_byte(text[i]))
			return false;
		dot = text[i] == '.';
		out[i] = lower(text[i]);
	}
	out[size] = '\0';
	return !dot;
}

bool hv_host_name(const uint8_t *text, size_t size, char out[HV_HOST_NAME_SIZE])
{
	if (fill(text, size, out))
		return true;
	out[0] = '\0';
	return false;
}

/* RFC 3986 section 3.2.3: digits, or none at all. */
static bool is_port(const uint8_t *text, size_t size)
{
	unsigned port = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (text[i] - '0');
		if (port > 65535)
			return false;
	}
	return true;
}

static bool is_colon_and_port(const uint8_t *text, size_t size)
{
	return size == 0 || (text[0] == ':' && is_port(text + 1, size - 1));
}

/* "[2001:db8::1]:443": zones and addresses of a later version are for nobody outside. */
static bool read_bracketed(const uint8_t *text, size_t size, char *out)
{
	const uint8_t *end = memchr(text, ']', size);
	size_t length = end ? (size_t)(end - text) - 1 : 0;
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	if (length == 0 || length >= sizeof(address) ||
	    !is_colon_and_port(end + 1, size - length - 2))
		return false;
	memcpy(address, text + 1, length);
	address[length] = '\0';
	return inet_pton(AF_INET6, address, &binary) == 1 &&
	       inet_ntop(AF_INET6, &binary, out, HV_HOST_NAME_SIZE);
}

bool hv_host_and_port(const uint8_t *text, size_t size, char out[HV_HOST_NAME_SIZE])
{
	const uint8_t *colon = size > 0 ? memchr(text, ':', size) : NULL;
	size_t length = colon ? (size_t)(colon - text) : size;

	out[0] = '\0';
	if (size > 0 && text[0] == '[')
		return read_bracketed(text, size, out);
	return is_colon_and_port(text + length, size - length) &&
	       hv_host_name(text, length, out);
}
