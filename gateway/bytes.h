/*
 * Bytes that come in pieces and are wanted in one: they are appended, looked at, dropped.
 */
#ifndef HV_GATEWAY_BYTES_H
#define HV_GATEWAY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hv_bytes {
	uint8_t *data; /* NULL as long as there are none */
	size_t size;
	size_t capacity;
};

/* Copies. False without memory; then nothing has changed. */
bool hv_bytes_append(struct hv_bytes *bytes, const uint8_t *data, size_t size);

/* Drops what is there; a little memory is kept for what comes next. */
void hv_bytes_clear(struct hv_bytes *bytes);

void hv_bytes_free(struct hv_bytes *bytes);

#endif
