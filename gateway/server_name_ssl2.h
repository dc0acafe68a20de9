/*
 * ClientHellos in the format of SSL 2 (RFC 5246 appendix E.2), which servers of today may still take. They have no place for a
 * server name, so all there is to know is whether a stream begins with one. A part of server_name.h's reader.
 */
#ifndef HV_GATEWAY_SERVER_NAME_SSL2_H
#define HV_GATEWAY_SERVER_NAME_SSL2_H

#include "gateway/server_name.h"

#define HV_SSL2_BYTES 5 /* that tell */

struct hv_ssl2_reader {
	uint8_t first[HV_SSL2_BYTES];
	uint8_t size;
};

/* Whether a stream that begins with this byte may be SSL 2. */
bool hv_ssl2_may_begin(uint8_t first);

/* As hv_server_name_feed(), one byte at a time. */
enum hv_server_name_event hv_ssl2_feed(struct hv_server_name_reader *reader,
				       const uint8_t *data, size_t *used);

#endif
