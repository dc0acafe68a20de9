/*
 * Answers of HTTP servers to one GET, in two ways of cutting them: both must give the same body, the same end and the same fault,
 * and no span may be outside of what was fed.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

struct outcome {
	uint8_t *body;
	size_t size, taken;
	struct hv_http_answer *answer;
};

static void run(struct outcome *outcome, const uint8_t *data, size_t size, size_t step)
{
	struct hv_http_answer *answer = calloc(1, sizeof(*answer));

	*outcome = (struct outcome){.body = malloc(size + 1), .answer = answer};
	while (outcome->taken < size && !answer->fault && answer->stage != HV_HTTP_DONE) {
		size_t left = size - outcome->taken, piece = left < step ? left : step;
		struct hv_http_span span;
		size_t used = hv_http_answer_take(answer, data + outcome->taken, piece, &span);

		check(used <= piece && (used > 0 || answer->fault));
		check(span.size == 0 || span.data + span.size == data + outcome->taken + used);
		if (span.size > 0)
			memcpy(outcome->body + outcome->size, span.data, span.size);
		outcome->size += span.size;
		outcome->taken += used;
	}
	check(outcome->size == answer->body_bytes && outcome->size <= size);
	if (!answer->fault)
		hv_http_answer_end(answer);
	check(!answer->fault == (answer->stage == HV_HTTP_DONE) || answer->fault);
}

static void finish(struct outcome *outcome)
{
	free(outcome->body);
	free(outcome->answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (size < 1)
		return 0;
	run(&whole, data + 1, size - 1, size);
	run(&pieces, data + 1, size - 1, 1 + data[0] % 32);
	check(whole.size == pieces.size && memcmp(whole.body, pieces.body, whole.size) == 0);
	check(whole.answer->stage == pieces.answer->stage);
	/* One that is too long is noticed sooner or later. */
	check(!whole.answer->fault == !pieces.answer->fault);
	finish(&whole);
	finish(&pieces);
	return 0;
}
