/*
 * Which services a wrong name may have meant. It compares with all names; a person waits for the answer.
 */
#include <string.h>

#include "port/service_table.h"

enum { WORD_MAX = 31, TOO_FAR = 3 };

struct candidate {
	const char *name;
	unsigned distance;
	uint16_t port;
};

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * How many letters to insert, leave out, replace, or swap with the next (Damerau and Levenshtein). Three rows of the
 * table are enough. Both are at most WORD_MAX long.
 */
static unsigned distance(const char *a, size_t length_a, const char *b, size_t length_b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= length_b; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= length_a; i++) {
		unsigned *free_row = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length_b; j++) {
			char x = hv_service_lower(a[i - 1]), y = hv_service_lower(b[j - 1]);

			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == hv_service_lower(b[j - 2]) &&
			    hv_service_lower(a[i - 2]) == y && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[length_b];
}

/* Near names first; of those as near, lower ports, which more people know. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	return a->port < b->port;
}

static size_t insert(struct candidate *best, size_t count, size_t max,
		     const struct candidate *candidate)
{
	size_t at;

	for (size_t i = 0; i < count; i++) {
		if (hv_service_compare(candidate->name, strlen(candidate->name),
				       best[i].name) == 0)
			return count;
	}
	for (at = count; at > 0 && is_better(candidate, &best[at - 1]); at--)
		;
	if (at == max)
		return count;
	if (count == max)
		count--;
	memmove(&best[at + 1], &best[at], (count - at) * sizeof(*best));
	best[at] = *candidate;
	return count + 1;
}

size_t haven_service_nearest(const struct haven_services *overlay, const char *word,
			     unsigned protocols, const char **names, size_t max)
{
	struct candidate best[8];
	struct haven_service_query query;
	struct haven_service service;
	size_t length = strlen(word), count = 0;

	if (max > sizeof(best) / sizeof(best[0]))
		max = sizeof(best) / sizeof(best[0]);
	if (length == 0 || length > WORD_MAX || max == 0)
		return 0;
	haven_service_by_prefix(&query, overlay, "", protocols);
	while (haven_service_next(&query, &service)) {
		struct candidate candidate = {.name = query.matched, .port = service.first};
		size_t other = strlen(candidate.name);

		if (other > WORD_MAX || other + TOO_FAR <= length || length + TOO_FAR <= other)
			continue;
		candidate.distance = distance(word, length, candidate.name, other);
		/* Of a short word at most half may be wrong. */
		if (candidate.distance < TOO_FAR && candidate.distance * 2 <= other)
			count = insert(best, count, max, &candidate);
	}
	for (size_t i = 0; i < count; i++)
		names[i] = best[i].name;
	return count;
}
