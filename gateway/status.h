/*
 * What the gateway is doing, as aligned text: port table, published ports, flows, drops.
 */
#ifndef HV_GATEWAY_STATUS_H
#define HV_GATEWAY_STATUS_H

#include "gateway/gateway.h"

/* Writes it to a file descriptor at once. */
void hv_status_write(struct hv_gateway *gateway, int fd);

#endif
