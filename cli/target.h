/*
 * What to connect to: URL, HOST:PORT, tls:HOST:PORT; and what to listen at: [ADDR:]PORT.
 */
#ifndef HV_CLI_TARGET_H
#define HV_CLI_TARGET_H

#include <haven/service.h>

#define HV_TARGET_ERROR 512

struct hv_target {
	bool is_url, http; /* http: of http and https URLs, whose request is made */
	bool tls, udp;
	char host[HAVEN_URL_HOST]; /* name in small letters, or an address without brackets */
	int family;		   /* AF_INET, AF_INET6: it is an address; AF_UNSPEC: a name */
	uint16_t port;
	bool port_given;	       /* else it is the scheme's */
	char scheme[HAVEN_URL_SCHEME]; /* of a URL */
	const char *service;	       /* of a URL: what the scheme's port is registered for */
	const char *path;	       /* of a URL: in its text; "" when there is none */
};

/* udp: datagrams are wanted (--udp). False with a line in error. The text must live on. */
bool hv_target_parse(const struct haven_services *services, const char *text, bool udp,
		     struct hv_target *target, char error[HV_TARGET_ERROR]);

/* "8080", "http", "127.0.0.1:0", "[::1]:8080"; target->host is "" without an address. Port 0 is allowed. */
bool hv_target_parse_listen(const struct haven_services *services, const char *text, bool udp,
			    struct hv_target *target, char error[HV_TARGET_ERROR]);

/* "example.org:443", "[::1]:80" */
#define HV_TARGET_TEXT (HAVEN_URL_HOST + 16)
const char *hv_target_text(const struct hv_target *target, char text[HV_TARGET_TEXT]);

#endif
