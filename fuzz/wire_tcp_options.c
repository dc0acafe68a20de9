/* TCP options: parse, write again, parse again; both times the same. */
#include <stdlib.h>
#include <string.h>

#include "wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_tcp_options first, second;
	uint8_t out[40];
	unsigned written;

	if (size > 40)
		return 0;
	hv_wire_tcp_options_parse(data, (unsigned)size, &first);
	written = hv_wire_tcp_options_write(out, &first);
	if (written > sizeof(out) || written % 4 != 0)
		abort();
	hv_wire_tcp_options_parse(out, written, &second);
	/* SACK blocks beyond the room are the only thing that may get lost. */
	for (unsigned i = second.sack_count; i < first.sack_count; i++)
		first.sack[i][0] = first.sack[i][1] = 0;
	if (second.sack_count > first.sack_count)
		abort();
	first.sack_count = second.sack_count;
	/* The cookie stands in the bytes themselves: what is there counts, not where. */
	if (first.fast_open_len != second.fast_open_len ||
	    (first.fast_open_len &&
	     memcmp(first.fast_open, second.fast_open, first.fast_open_len) != 0))
		abort();
	first.fast_open = second.fast_open = NULL;
	if (memcmp(&first, &second, sizeof(first)) != 0)
		abort();
	return 0;
}
