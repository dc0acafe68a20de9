/* A set of ports: what binds and what connections to one destination occupy. */
#include "port/port_set.h"

void hv_port_set_add(struct hv_port_set *set, uint16_t port)
{
	uint32_t word = port / 64;

	if (hv_port_set_has(set, port))
		return;
	set->words[word] |= UINT64_C(1) << (port % 64);
	if (set->words[word] == UINT64_MAX)
		set->full[word / 64] |= UINT64_C(1) << (word % 64);
	set->count++;
}

void hv_port_set_remove(struct hv_port_set *set, uint16_t port)
{
	uint32_t word = port / 64;

	if (!hv_port_set_has(set, port))
		return;
	set->words[word] &= ~(UINT64_C(1) << (port % 64));
	set->full[word / 64] &= ~(UINT64_C(1) << (word % 64));
	set->count--;
}

/* The first zero bit from `from` to `last` in a map; -1: none. */
static int next_zero(const uint64_t *map, uint32_t from, uint32_t last)
{
	for (uint32_t word = from / 64; word <= last / 64; word++) {
		uint64_t zeros = ~map[word];

		if (word == from / 64)
			zeros &= UINT64_MAX << (from % 64);
		if (zeros) {
			uint32_t bit = word * 64 + (uint32_t)__builtin_ctzll(zeros);

			return bit <= last ? (int)bit : -1;
		}
	}
	return -1;
}

int hv_port_set_next_free(const struct hv_port_set *set, uint32_t from, uint32_t last)
{
	uint32_t word_end = from | 63;
	int port, word;

	if (from > last)
		return -1;
	/* The rest of the first word; then the first word that has room, by the upper level. */
	port = next_zero(set->words, from, word_end < last ? word_end : last);
	if (port >= 0 || word_end >= last)
		return port;
	word = next_zero(set->full, from / 64 + 1, last / 64);
	if (word < 0)
		return -1;
	return next_zero(set->words, (uint32_t)word * 64, last);
}
