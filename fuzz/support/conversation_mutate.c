/*
 * libFuzzer's mutations, by steps: one is put in, taken out, doubled, moved or changed in one field, mostly to a value
 * that is at some border. Bytes that are not understood are nowhere.
 */
#include <string.h>

#include "fuzz/support/conversation.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static uint32_t draw(uint64_t *random, uint32_t bound)
{
	*random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((*random >> 33) % bound);
}

static uint8_t *step_at(uint8_t *data, size_t index)
{
	return data + CONVERSATION_HEAD + index * STEP_BYTES;
}

static size_t steps_in(size_t size)
{
	return size < CONVERSATION_HEAD ? 0 : (size - CONVERSATION_HEAD) / STEP_BYTES;
}

static int16_t draw_delta(uint64_t *random)
{
	static const int16_t borders[] = {0,   0,    0,	  1,	-1,    2,     -2,
					  100, -100, 536, 1448, 32767, -32768};

	if (draw(random, 3))
		return borders[draw(random, sizeof(borders) / sizeof(borders[0]))];
	return (int16_t)draw(random, 65536);
}

static uint16_t draw_size(uint64_t *random)
{
	static const uint16_t borders[] = {0,	1,    2,    10,	  100,	535,   536,
					   537, 1447, 1448, 1460, 2896, 10000, 65535};

	if (draw(random, 3))
		return borders[draw(random, sizeof(borders) / sizeof(borders[0]))];
	return (uint16_t)draw(random, 4096);
}

static uint8_t draw_flags(uint64_t *random)
{
	static const uint8_t common[] = {0x10, 0x10, 0x10, 0x18, 0x11, 0x02, 0x12, 0x04,
					 0x14, 0x01, 0x00, 0x50, 0x90, 0xc2, 0x30};

	if (draw(random, 4))
		return common[draw(random, sizeof(common))];
	return (uint8_t)draw(random, 256);
}

static void change_field(struct step *step, uint64_t *random)
{
	switch (draw(random, 14)) {
	case 0:
		step->kind = (uint8_t)draw(random, STEP_KINDS);
		break;
	case 1:
		step->peer = (uint8_t)draw(random, CONVERSATION_PEERS);
		break;
	case 2:
		step->flags = draw_flags(random);
		break;
	case 3:
		step->base = (uint8_t)(draw(random, SEQ_BASES) | draw(random, ACK_BASES) << 4);
		break;
	case 4:
		step->seq_delta = draw_delta(random);
		break;
	case 5:
		step->ack_delta = draw_delta(random);
		break;
	case 6:
		step->window = draw_size(random);
		break;
	case 7:
		step->size = draw_size(random);
		break;
	case 8:
		step->options ^= (uint8_t)(1 << draw(random, 8));
		break;
	case 9:
		step->choice = (uint8_t)draw(random, 256);
		break;
	case 10:
		step->shape = draw(random, 2) ? 0 : (uint8_t)draw(random, 256);
		break;
	case 11:
		step->extra = (uint8_t)draw(random, draw(random, 2) ? 8 : 256);
		break;
	case 12:
		step->scale = (uint8_t)draw(random, 16);
		break;
	default:
		step->time_delta = (int8_t)draw(random, 256);
		break;
	}
}

/* A step that makes sense: what a peer and a program mostly do. */
static void new_step(struct step *step, uint64_t *random)
{
	static const uint8_t kinds[] = {STEP_POLITE,  STEP_POLITE, STEP_POLITE, STEP_SEGMENT,
					STEP_SEGMENT, STEP_CALL,   STEP_CALL,	STEP_TIME,
					STEP_TIME,    STEP_ICMP,   STEP_HOLD,	STEP_LINK,
					STEP_MEMORY};

	*step = (struct step){
		.kind = kinds[draw(random, sizeof(kinds))],
		.peer = (uint8_t)draw(random, CONVERSATION_PEERS),
		.flags = 0x10,
		.window = 60000,
		.size = draw_size(random),
		.choice = (uint8_t)draw(random, 256),
	};
	if (step->kind == STEP_HOLD || step->kind == STEP_LINK)
		step->extra = (uint8_t)(1 + draw(random, 4));
	for (uint32_t n = draw(random, 4); n > 0; n--) {
		uint8_t kind = step->kind;

		change_field(step, random);
		step->kind = kind;
	}
}

static size_t insert(uint8_t *data, size_t count, size_t at, const struct step *step)
{
	memmove(step_at(data, at + 1), step_at(data, at), (count - at) * STEP_BYTES);
	memcpy(step_at(data, at), step, STEP_BYTES);
	return count + 1;
}

static void change(uint8_t *data, size_t at, uint64_t *random)
{
	struct step step;

	memcpy(&step, step_at(data, at), STEP_BYTES);
	for (uint32_t n = 1 + draw(random, 3); n > 0; n--)
		change_field(&step, random);
	memcpy(step_at(data, at), &step, STEP_BYTES);
}

static size_t mutate_once(uint8_t *data, size_t count, size_t most, uint64_t *random)
{
	uint32_t what = draw(random, 12);
	struct step step;
	size_t at;

	if (count == 0 || (what < 4 && count < most)) {
		new_step(&step, random);
		/* Mostly where the conversation has come to. */
		at = draw(random, 2) ? count : draw(random, (uint32_t)count + 1);
		return count < most ? insert(data, count, at, &step) : count;
	}
	at = draw(random, (uint32_t)count);
	switch (what) {
	case 4:
		memmove(step_at(data, at), step_at(data, at + 1),
			(count - at - 1) * STEP_BYTES);
		return count - 1;
	case 5:
		memcpy(&step, step_at(data, at), STEP_BYTES);
		return count < most
			       ? insert(data, count, draw(random, (uint32_t)count + 1), &step)
			       : count;
	case 6: /* the whole conversation with another peer: other role, other family */
		for (size_t i = 0, by = 1 + draw(random, CONVERSATION_PEERS - 1); i < count;
		     i++)
			step_at(data, i)[1] =
				(uint8_t)((step_at(data, i)[1] + by) % CONVERSATION_PEERS);
		return count;
	case 7:
		LLVMFuzzerMutate(data, CONVERSATION_HEAD, CONVERSATION_HEAD);
		return count;
	default:
		change(data, at, random);
		return count;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	uint64_t random = seed;
	size_t count = steps_in(size), most = steps_in(max_size);

	if (max_size < CONVERSATION_HEAD + STEP_BYTES)
		return LLVMFuzzerMutate(data, size, max_size);
	if (size < CONVERSATION_HEAD)
		memset(data + size, 0, CONVERSATION_HEAD - size);
	if (most > CONVERSATION_STEPS_MAX)
		most = CONVERSATION_STEPS_MAX;
	if (count > most)
		count = most;
	for (uint32_t n = 1 + draw(&random, 4); n > 0; n--)
		count = mutate_once(data, count, most, &random);
	return CONVERSATION_HEAD + count * STEP_BYTES;
}

/* The beginning of one conversation, then the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_size, unsigned seed)
{
	uint64_t random = seed;
	size_t count1 = steps_in(size1), count2 = steps_in(size2), most = steps_in(max_size);
	size_t first, rest;

	if (size1 < CONVERSATION_HEAD || size2 < CONVERSATION_HEAD || most == 0)
		return 0;
	first = draw(&random, (uint32_t)count1 + 1);
	first = first < most ? first : most;
	rest = count2 ? draw(&random, (uint32_t)count2 + 1) : 0;
	rest = rest < most - first ? rest : most - first;
	memcpy(out, data1, CONVERSATION_HEAD + first * STEP_BYTES);
	memcpy(step_at(out, first), data2 + CONVERSATION_HEAD + (count2 - rest) * STEP_BYTES,
	       rest * STEP_BYTES);
	return CONVERSATION_HEAD + (first + rest) * STEP_BYTES;
}
