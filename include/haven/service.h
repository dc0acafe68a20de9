/*
 * Service names and port numbers: IANA's registry, and what the names that people type mean.
 *
 * Everything here is a pure function over constant tables, which need no set-up; it may be called from any
 * thread. What the system or the user says on top of the registry (the text of an /etc/services) is read
 * by the caller and handed in as a struct haven_services; every function takes NULL for "none".
 *
 * Ports are in host byte order. Names are compared without regard to case (RFC 6335 section 5.1).
 */
#ifndef HAVEN_SERVICE_H
#define HAVEN_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <haven/error.h>
#include <haven/stack.h>

/* Transport protocols, as bits of a mask. A mask of 0 in a question is any of them. */
#define HAVEN_SERVICE_TCP  0x1
#define HAVEN_SERVICE_UDP  0x2
#define HAVEN_SERVICE_SCTP 0x4
#define HAVEN_SERVICE_DCCP 0x8

/* "tcp" for HAVEN_SERVICE_TCP and so on; NULL when `bit` is not one of the four. */
HAVEN_API const char *haven_service_protocol_name(unsigned bit);
/* The bit of "tcp", "udp", "sctp" or "dccp" in either case, 0: none of them. */
HAVEN_API unsigned haven_service_protocol(const char *name, size_t size);

/* Ranges of RFC 6335 section 6. They mean who assigns a port; they mean nothing to the stack. */
enum haven_port_class {
	HAVEN_PORT_SYSTEM,  /* 0-1023, also "well-known" */
	HAVEN_PORT_USER,    /* 1024-49151, also "registered" */
	HAVEN_PORT_DYNAMIC, /* 49152-65535, also "private": never assigned */
};
HAVEN_API enum haven_port_class haven_port_class(uint16_t port);
/* "system", "user", "dynamic". */
HAVEN_API const char *haven_port_class_name(enum haven_port_class port_class);

#define HAVEN_SERVICE_ALIASES 16

/* A service. The strings belong to the tables: they live as long as the overlay they were asked with. */
struct haven_service {
	const char *name;
	const char *description; /* "" when there is none */
	const char *aliases[HAVEN_SERVICE_ALIASES];
	unsigned alias_count;
	uint16_t first, last; /* equal for all but a few */
	uint8_t protocols;
	bool registered; /* IANA has this name for this port */
	bool overlay;	 /* the overlay has it */
};

/* --- an overlay -------------------------------------------------------------------------- */

struct haven_services;

/*
 * Read the text of a services(5) file: lines of "name port/protocol alias... # comment". `size` bytes, copied.
 * Lines of other protocols, and lines that are not understood are passed over and counted in *skipped (may be NULL).
 * env is copied; its alloc and free are used. On success *out is to be ended with
 * haven_services_destroy(). Errors: -EINVAL (size over 1 MiB), -ENOMEM.
 */
HAVEN_API int haven_services_parse(const struct haven_env *env, const char *text, size_t size,
				   struct haven_services **out, unsigned *skipped);
/* NULL is allowed. */
HAVEN_API void haven_services_destroy(struct haven_services *services);

/* --- questions --------------------------------------------------------------------------- */

/*
 * A question and how far its answers were read: begin it with one of the four functions, then call
 * haven_service_next() until it returns false. Nothing is allocated, nothing needs to be ended. The
 * text that was asked for must stay in place meanwhile.
 *
 * The order is: what the overlay has; then, by name, official names before aliases and lower ports before
 * higher ones, and by port, registered services before others. A service of the overlay that has a name in common with a built-in one at the same
 * port and protocol is the same service: it is one answer, with the overlay's name and
 * all aliases.
 */
struct haven_service_query {
	const struct haven_services *overlay;
	const char *name;
	size_t name_size;
	const char *matched; /* by prefix: the name or alias that begins with it */
	uint32_t port, first, last;
	uint32_t at, overlay_at;
	uint8_t kind, stage, protocols;
};

/* Services called `name`, officially or by an alias. */
HAVEN_API void haven_service_by_name(struct haven_service_query *query,
				     const struct haven_services *overlay, const char *name,
				     unsigned protocols);
/* Services at a port. */
HAVEN_API void haven_service_by_port(struct haven_service_query *query,
				     const struct haven_services *overlay, uint16_t port,
				     unsigned protocols);
/* Services at the ports from first to last, port by port; each once. */
HAVEN_API void haven_service_by_range(struct haven_service_query *query,
				      const struct haven_services *overlay, uint16_t first,
				      uint16_t last, unsigned protocols);
/* Services with a name or alias that begins with `prefix`, in the order of those names. "" is all. */
HAVEN_API void haven_service_by_prefix(struct haven_service_query *query,
				       const struct haven_services *overlay, const char *prefix,
				       unsigned protocols);
HAVEN_API bool haven_service_next(struct haven_service_query *query, struct haven_service *out);

/* The name to show for a port, or NULL. */
HAVEN_API const char *haven_service_name(const struct haven_services *overlay, uint16_t port,
					 unsigned protocols);

/*
 * Names that `word` may have been meant to be, nearest first, at most `max`. Near is up to two letters
 * inserted, left out, replaced or swapped. Returns how many were written. Compares with every name.
 */
HAVEN_API size_t haven_service_nearest(const struct haven_services *overlay, const char *word,
				       unsigned protocols, const char **names, size_t max);

/* --- what is typed ----------------------------------------------------------------------- */

struct haven_ports {
	uint16_t first, last;
	uint8_t protocols;
	bool protocol_given; /* "/tcp" stood there */
};

/*
 * Ports as a person types them: "443", "6000-6063", "https", "53/udp", "ftp-data-ssh". protocols: what is meant where
 * the text does not say it (0: any); a name must have one of them. `size` bytes of text, which need
 * not end there. *out is written on success only.
 *
 * Errors: -EINVAL (neither number nor name), -ERANGE (above 65535, or a range that runs backwards),
 * -ENOENT (no service of that name and protocol), -EPROTONOSUPPORT (no such protocol), -ENOTUNIQ (the
 * name has several ports: haven_service_by_name() lists them).
 */
HAVEN_API int haven_ports_parse(const struct haven_services *overlay, const char *text,
				size_t size, unsigned protocols, struct haven_ports *out);

/*
 * A socket address, for haven_bind(), haven_connect() and others, as a person types it: "10.0.2.2:https", "[fd00::1]:53",
 * "[fe80::1%3]:22" (3: ifindex of the stack), ":8080" (0.0.0.0; "[::]:8080" is all of IPv6). Hosts are numeric:
 * nothing is resolved. The port is a number or the name of a service, 0 is allowed; protocols: whose names are
 * meant (0: any). *out and *length are written on success only.
 *
 * Errors: -EINVAL (no such text, or a host that is no address), -ERANGE (port above 65535), -ENOENT
 * (no service of that name and protocol), -ENOTUNIQ (a name of several ports, or a range).
 */
HAVEN_API int haven_sockaddr_parse(const struct haven_services *overlay, const char *text,
				   unsigned protocols, struct sockaddr_storage *out,
				   socklen_t *length);

#define HAVEN_URL_HOST	 256
#define HAVEN_URL_SCHEME 32

struct haven_url {
	char scheme[HAVEN_URL_SCHEME]; /* lower case */
	char host[HAVEN_URL_HOST];     /* lower case; an IPv6 address without brackets */
	int family;	  /* AF_INET or AF_INET6 when the host is an address, else AF_UNSPEC */
	uint16_t port;	  /* as given, or the scheme's */
	bool port_given;  /* it stood there */
	uint8_t protocol; /* HAVEN_SERVICE_TCP or HAVEN_SERVICE_UDP */
	bool tls;	  /* security from the first byte: TLS over TCP, DTLS over UDP */
	const char *service; /* name of the scheme's default service */
	size_t path_at;	     /* where in the text "/path?query#fragment" begins */
};

/*
 * What a URL with "://" and a host (RFC 3986) asks for: transport, host, port, TLS. Schemes are those with a
 * default of their own, then any name in the registry (TCP where it has that, without TLS).
 *
 * Errors: -EINVAL (no such URL, or a host that is neither address nor name; names in other scripts
 * have to be in their "xn--" form), -EPROTONOSUPPORT (unknown scheme), -ERANGE (port not 1 to 65535).
 */
HAVEN_API int haven_url_parse(const struct haven_services *overlay, const char *text,
			      struct haven_url *out);
/* Whether `text` begins as a URL does: "scheme://". */
HAVEN_API bool haven_url_is(const char *text);

#endif
