/*
 * What `-p` takes: [[ADDR:]HOSTPORT[-END]:]PORT[-END][/tcp|/udp][/tls], as docker has it.
 *
 *	80		guest's port 80 on a port of the host that is chosen
 *	8080:80		the host's 8080, all its addresses of both families
 *	127.0.0.1:8080:80, [::1]:8080:80	that address only
 *	127.0.0.1::80	that address, a port that is chosen
 *	8000-8009:80-89	port by port
 *	8000-8009:80	the first of them that is free
 *	0:80		as 80
 *	8443:80/tls	TLS outside, in the clear inside; also 80/tcp/tls
 *	8080:http, https, 5353:domain/udp	services by name
 *
 * Names are those of the registry, with /etc/services (which is read when there is a name) on top.
 */
#ifndef HV_GATEWAY_PUBLISH_PARSE_H
#define HV_GATEWAY_PUBLISH_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hv_publication {
	bool any_address; /* both families; else: */
	uint8_t address[16];
	uint16_t host_first, host_last; /* 0: chosen */
	uint16_t guest_first, guest_last;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	bool tls;	  /* clients outside speak TLS, the guest does not */
};

/* Returns false with one line of what is wrong in error. */
bool hv_publication_parse(const char *text, struct hv_publication *publication, char *error,
			  size_t error_size);

#endif
