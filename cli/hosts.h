/*
 * Names that the host knows without DNS: /etc/hosts (hosts(5)), and localhost (RFC 6761 section 6.3).
 */
#ifndef HV_CLI_HOSTS_H
#define HV_CLI_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_HOSTS_PATH "/etc/hosts"
#define HV_HOSTS_MAX  16 /* addresses of one name */

/*
 * The addresses of `name` (in small letters) in a text of such lines, as they stand: 16 bytes, IPv4 v4-mapped. Returns how many were
 * written. An address that stands twice is given once.
 */
unsigned hv_hosts_find(const char *text, size_t size, const char *name,
		       uint8_t addresses[HV_HOSTS_MAX][16]);

/* The same in a file; 0 when it cannot be read. What is behind its first MiB is not looked at. */
unsigned hv_hosts_lookup(const char *path, const char *name,
			 uint8_t addresses[HV_HOSTS_MAX][16]);

/* "localhost", and what ends in ".localhost". */
bool hv_hosts_is_localhost(const char *name);

#endif
