/*
 * The head of an HTTP/1 request (RFC 9112 sections 2 to 6), line by line: which host it names and how long its body
 * is. What servers are known to understand in more than one way is a fault.
 */
#ifndef HV_GATEWAY_HTTP_HEAD_H
#define HV_GATEWAY_HTTP_HEAD_H

#include "gateway/server_name.h"

enum hv_http_method {
	HV_HTTP_METHOD_OTHER,
	HV_HTTP_METHOD_HEAD, /* whose answer has no body */
	HV_HTTP_METHOD_CONNECT,
	HV_HTTP_METHOD_OPTIONS,
};

/* Zeroed before the first line. */
struct hv_http_head {
	unsigned lines;
	bool bare;  /* lines end with LF alone */
	bool ended; /* the empty line has come */
	enum hv_http_method method;
	bool minor;			     /* HTTP/1.1, not HTTP/1.0 */
	bool has_authority;		     /* in the request line */
	bool has_host;			     /* the field, which may be empty */
	bool has_length;		     /* Content-Length */
	bool chunked;			     /* Transfer-Encoding */
	bool upgrade;			     /* the connection may stop to be HTTP */
	char authority[HV_SERVER_NAME_SIZE]; /* without port */
	char host[HV_SERVER_NAME_SIZE];
	uint64_t length;
};

/*
 * The next line, with the LF that ends it. NULL when it is good, and else what is wrong with it.
 */
const char *hv_http_head_line(struct hv_http_head *head, const uint8_t *line, size_t size);

/* After the empty line: NAME (name is filled in), MISSING or UNREADABLE, those with a fault. */
enum hv_server_name_event hv_http_head_judge(const struct hv_http_head *head,
					     char name[HV_SERVER_NAME_SIZE],
					     const char **fault);

#endif
