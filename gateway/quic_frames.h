/*
 * Frames of a client's Initial packets (RFC 9000 sections 12.4 and 19).
 */
#ifndef HV_GATEWAY_QUIC_FRAMES_H
#define HV_GATEWAY_QUIC_FRAMES_H

#include "gateway/quic_stream.h"

/*
 * Adds what CRYPTO frames carry. NULL, or what is wrong: a frame that has no place in an Initial packet, is cut off, or says
 * something else than one before.
 */
const char *hv_quic_frames_read(const uint8_t *payload, size_t size,
				struct hv_quic_stream *stream, size_t *budget);

#endif
