/*
 * The server names of a TLS client: that of its ClientHello, and of the one that may follow a HelloRetryRequest. A part of
 * server_name.h's reader.
 */
#ifndef HV_GATEWAY_SERVER_NAME_TLS_H
#define HV_GATEWAY_SERVER_NAME_TLS_H

#include "gateway/bytes.h"
#include "gateway/server_name.h"

#define HV_TLS_RECORD_HEADER 5

/* RFC 8446 section 5.1, RFC 6520 section 3 */
enum hv_tls_record {
	HV_TLS_CHANGE_CIPHER_SPEC = 20,
	HV_TLS_ALERT = 21,
	HV_TLS_HANDSHAKE = 22,
	HV_TLS_APPLICATION_DATA = 23,
	HV_TLS_HEARTBEAT = 24,
};

struct hv_tls_reader {
	enum {
		HV_TLS_IN_HEADER,
		HV_TLS_IN_HELLO,  /* of a record that carries a ClientHello */
		HV_TLS_IN_RECORD, /* of one that is passed over */
	} stage;
	uint8_t header[HV_TLS_RECORD_HEADER];
	uint8_t header_size;
	bool started;	      /* the first record's header was good */
	bool again;	      /* a ClientHello was read; another may come */
	bool knows_tls13;     /* it may */
	bool early_data;      /* and data before it */
	uint32_t early_bytes; /* how much there was */
	uint32_t record_left; /* bytes of the record's body that are to come */
	uint32_t wanted;      /* size of the ClientHello with its header; 0: not known yet */
	struct hv_bytes hello;
};

/* Whether a stream that begins with this byte may be TLS. */
bool hv_tls_may_begin(uint8_t first);

/* As hv_server_name_feed(); at least one byte is used, or the event is not MORE. */
enum hv_server_name_event hv_tls_feed(struct hv_server_name_reader *reader, const uint8_t *data,
				      size_t size, size_t *used);
/* As hv_server_name_end(). */
enum hv_server_name_event hv_tls_end(struct hv_server_name_reader *reader);
void hv_tls_free(struct hv_tls_reader *tls);

#endif
