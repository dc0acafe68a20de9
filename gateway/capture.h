/*
 * The file of --pcap: what the capture link writes, buffered until the turn's end.
 */
#ifndef HV_GATEWAY_CAPTURE_H
#define HV_GATEWAY_CAPTURE_H

#include <stddef.h>

#include "gateway/log.h"

struct hv_capture;

/* Creates or empties the file. 0 or a negative errno. */
int hv_capture_open(const char *path, const struct hv_log *log, struct hv_capture **out);
/* The write callback of haven_link_capture(); user is the struct hv_capture. */
void hv_capture_write(void *user, const void *data, size_t size);
void hv_capture_flush(struct hv_capture *capture);
void hv_capture_close(struct hv_capture *capture); /* NULL is allowed */

#endif
