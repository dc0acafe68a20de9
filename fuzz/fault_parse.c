/* The words of --impair: any text is taken or refused at a place within it. */
#include <stdlib.h>
#include <string.h>

#include <haven/link.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct haven_fault in, out;
	const char *bad = NULL;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (haven_fault_parse(text, &in, &out, &bad) == 0) {
		if (bad || in.loss_ppm > 1000000 || in.burst_ppm > 1000000 ||
		    out.corrupt_ppm > 1000000)
			abort();
	} else if (bad < text || bad >= text + strlen(text)) {
		abort();
	}
	free(text);
	return 0;
}
