/* CUBIC's arithmetic, for its test: tcp_cubic.c. */
#ifndef HV_TCP_CUBIC_H
#define HV_TCP_CUBIC_H

#include <stdint.h>

/* The largest integer whose cube is at most value. */
uint32_t hv_tcp_cube_root(uint64_t value);
/* C * t^3 segments in bytes, t in milliseconds: how far the window is from W_max; at most 2^31. */
uint32_t hv_tcp_cubic_distance(uint32_t t_ms, uint16_t mss);
/* K in milliseconds: how long until the window has grown by that many bytes (RFC 9438 equation 2). */
uint32_t hv_tcp_cubic_k(uint32_t bytes, uint16_t mss);

#endif
