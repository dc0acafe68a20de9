/*
 * The inside of a reader of server names: what its parts (TLS, HTTP) share. Which part reads on is decided by the first bytes
 * of the stream, in server_name.c.
 */
#ifndef HV_GATEWAY_SERVER_NAME_READER_H
#define HV_GATEWAY_SERVER_NAME_READER_H

#include "gateway/server_name.h"
#include "gateway/server_name_http.h"
#include "gateway/server_name_ssl2.h"
#include "gateway/server_name_tls.h"

/* No part holds more. */
#define HV_SERVER_NAME_HELD_MAX ((size_t)70 * 1024)

struct hv_server_name_reader {
	enum hv_name_stage {
		HV_NAME_FIRST, /* no byte has come yet */
		HV_NAME_SSL2,  /* the first bytes may be a ClientHello of SSL 2 */
		HV_NAME_TLS,
		HV_NAME_HTTP, /* or what is found out not to be it */
		HV_NAME_OVER, /* nothing is looked at any more */
	} stage;
	enum hv_server_name_kind kind;
	bool judged; /* the last event asked for it: what is held goes on as soon as bytes are fed */
	size_t held;
	const char *fault; /* NULL: none */
	char name[HV_SERVER_NAME_SIZE];
	struct hv_ssl2_reader ssl2;
	struct hv_tls_reader tls;
	struct hv_http_reader http;
};

/* The end of what is looked at, with an event to return: all may go on, or nothing. */
static inline enum hv_server_name_event hv_name_over(struct hv_server_name_reader *reader)
{
	reader->stage = HV_NAME_OVER;
	reader->held = 0;
	return HV_SERVER_NAME_DONE;
}

static inline enum hv_server_name_event hv_name_fail(struct hv_server_name_reader *reader,
						     const char *fault)
{
	reader->stage = HV_NAME_OVER;
	reader->fault = fault;
	reader->name[0] = '\0';
	return HV_SERVER_NAME_UNREADABLE;
}

#endif
