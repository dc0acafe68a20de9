/*
 * Frames as --explain of `haven connect` reads them: nothing outside of the frame is read, and what is said of a segment holds for
 * its bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/packet_watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_explain explain = {0};
	struct hv_packet_watch watch = {.explain = &explain};
	char text[HV_SEGMENT_OPTIONS_TEXT];
	struct hv_segment segment;
	uint8_t *frame = malloc(size ? size : 1);

	if (!frame)
		return 0;
	memcpy(frame, data, size);
	if (hv_segment_read(frame, size, &segment)) {
		check(size >= 54 && segment.payload <= size - 54);
		check(strlen(hv_segment_options(&segment, text)) < sizeof(text));
		hv_packet_watch_begin(&watch, segment.destination_port, NULL);
		hv_packet_watch_see(&watch, false, frame, size);
		check(watch.syn_seen == (segment.syn && !segment.is_ack && watch.port != 0));
	}
	free(frame);
	return 0;
}
