/* SipHash-2-4 (Aumasson and Bernstein): keyed hash of short input. */
#ifndef HV_BASE_SIPHASH_H
#define HV_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct hv_siphash_key {
	uint64_t k0, k1;
};
uint64_t hv_siphash(const struct hv_siphash_key *key, const void *data, size_t size);

#endif
