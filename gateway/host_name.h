/*
 * Host names as clients say them, in the one form in which they are compared: lower case, without the final dot.
 */
#ifndef HV_GATEWAY_HOST_NAME_H
#define HV_GATEWAY_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_HOST_NAME_SIZE 256

/*
 * A name of letters, digits, hyphens and underscores in labels that are not empty (RFC 1123 section 2.1, and
 * the underscore, which is in use), of at most 253 bytes. False: it is none, and out is "".
 */
bool hv_host_name(const uint8_t *text, size_t size, char out[HV_HOST_NAME_SIZE]);

/*
 * host[:port] (RFC 9110 section 7.2): a name as above or an IPv6 address in brackets; out has neither brackets nor
 * port, and the address as RFC 5952 writes it. No user, no spaces. False: it is no such thing, and out is "".
 */
bool hv_host_and_port(const uint8_t *text, size_t size, char out[HV_HOST_NAME_SIZE]);

#endif
