/*
 * Look-up in the built-in registry. See service_table.h; doc/services.md draws the arrays.
 *
 * The table holds offsets, no pointers: it needs no relocation, so its pages are shared by all processes
 * and come from the file when they are first looked at.
 */
#include "port/service_table.h"

#include <string.h>

/* A service: where its strings begin ("name\0description\0alias\0..."), and what is at hand. */
struct service_row {
	uint32_t text : 20, protocols : 4, aliases : 7, registered : 1;
	uint16_t first, last;
};

#include "data/services.inc"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SLOT_MASK    (COUNT(service_slots) - 1)

_Static_assert(sizeof(struct service_row) == 8, "a row is eight bytes");
_Static_assert((COUNT(service_slots) & SLOT_MASK) == 0, "a power of two");
_Static_assert(COUNT(service_names) == COUNT(service_name_rows), "one row for each name");
_Static_assert(COUNT(service_port_words) == 65536 / 64, "a bit for each port");

uint32_t hv_service_hash(const char *name, size_t size)
{
	uint32_t hash = 0x811c9dc5;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)hv_service_lower(name[i])) * 0x01000193;
	return hash ^ hash >> 15;
}

int hv_service_compare(const char *a, size_t size, const char *b)
{
	for (size_t i = 0; i < size; i++) {
		int d = (uint8_t)hv_service_lower(a[i]) - (uint8_t)hv_service_lower(b[i]);

		if (d != 0 || b[i] == '\0')
			return d;
	}
	return b[size] == '\0' ? 0 : -1;
}

bool hv_service_begins(const char *name, const char *prefix, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (name[i] == '\0' || hv_service_lower(name[i]) != hv_service_lower(prefix[i]))
			return false;
	}
	return true;
}

static const char *next_string(const char *string)
{
	return string + strlen(string) + 1;
}

void hv_service_row(uint32_t index, struct haven_service *out)
{
	const struct service_row *row = &service_rows[index];
	const char *text = service_text + row->text;

	memset(out, 0, sizeof(*out));
	out->name = text;
	text = next_string(text);
	out->description = text;
	for (unsigned i = 0; i < row->aliases; i++) {
		text = next_string(text);
		out->aliases[out->alias_count++] = text;
	}
	out->first = row->first;
	out->last = row->last;
	out->protocols = row->protocols;
	out->registered = row->registered;
}

bool hv_service_row_has(uint32_t index, const char *name, size_t size)
{
	const struct service_row *row = &service_rows[index];
	const char *text = service_text + row->text;

	if (hv_service_compare(name, size, text) == 0)
		return true;
	text = next_string(text);
	for (unsigned i = 0; i < row->aliases; i++) {
		text = next_string(text);
		if (hv_service_compare(name, size, text) == 0)
			return true;
	}
	return false;
}

uint16_t hv_service_row_port(uint32_t row)
{
	return service_rows[row].first;
}

bool hv_service_row_single(uint32_t row)
{
	return service_rows[row].first == service_rows[row].last;
}

uint8_t hv_service_row_protocols(uint32_t row)
{
	return service_rows[row].protocols;
}

/* Open addressing with linear probing; a slot is the index of a name plus one, 0 is empty. */
uint32_t hv_service_probe(const char *name, size_t size, uint32_t *probe)
{
	uint32_t start = hv_service_hash(name, size);

	for (;;) {
		uint16_t slot = service_slots[(start + *probe) & SLOT_MASK];

		if (slot == 0)
			return HV_SERVICE_NONE;
		++*probe;
		if (hv_service_compare(name, size, service_text + service_names[slot - 1]) == 0)
			return service_name_rows[slot - 1];
	}
}

/* A bit says whether a port has a service, the ones before it say how many have: their lists stand in that order. */
uint32_t hv_service_at_port(uint16_t port, uint32_t index)
{
	uint64_t word = service_port_words[port / 64];
	uint64_t bit = UINT64_C(1) << (port % 64);
	uint32_t rank, start;

	if (!(word & bit))
		return HV_SERVICE_NONE;
	rank = service_port_ranks[port / 64] + (uint32_t)__builtin_popcountll(word & (bit - 1));
	start = service_port_starts[rank];
	if (start + index >= service_port_starts[rank + 1])
		return HV_SERVICE_NONE;
	return service_port_rows[start + index];
}

uint32_t hv_service_names(void)
{
	return COUNT(service_names);
}

const char *hv_service_name_text(uint32_t index)
{
	return service_text + service_names[index];
}

uint32_t hv_service_name_row(uint32_t index)
{
	return service_name_rows[index];
}
