/* Bindings by when they end: a binary heap, the first to end on top. Each knows its place. See binding.h. */
#include <string.h>

#include "filter/binding.h"

bool hv_heap_reserve(struct hv_bindings *bindings)
{
	uint32_t space = bindings->heap_space ? bindings->heap_space * 2 : 16;
	struct hv_binding **larger;

	if (bindings->heap_count < bindings->heap_space)
		return true;
	larger = hv_alloc(bindings->core, space * sizeof(struct hv_binding *));
	if (!larger)
		return false;
	if (bindings->heap)
		memcpy(larger, bindings->heap,
		       bindings->heap_count * sizeof(struct hv_binding *));
	hv_free(bindings->core, bindings->heap,
		bindings->heap_space * sizeof(struct hv_binding *));
	bindings->heap = larger;
	bindings->heap_space = space;
	return true;
}

static void put(struct hv_bindings *bindings, uint32_t at, struct hv_binding *binding)
{
	bindings->heap[at] = binding;
	binding->heap_at = at;
}

static void sift_up(struct hv_bindings *bindings, uint32_t at, struct hv_binding *binding)
{
	while (at > 0) {
		struct hv_binding *parent = bindings->heap[(at - 1) / 2];

		if (parent->expires_ns <= binding->expires_ns)
			break;
		put(bindings, at, parent);
		at = (at - 1) / 2;
	}
	put(bindings, at, binding);
}

static void sift_down(struct hv_bindings *bindings, uint32_t at, struct hv_binding *binding)
{
	uint32_t child;

	while ((child = 2 * at + 1) < bindings->heap_count) {
		if (child + 1 < bindings->heap_count &&
		    bindings->heap[child + 1]->expires_ns < bindings->heap[child]->expires_ns)
			child++;
		if (binding->expires_ns <= bindings->heap[child]->expires_ns)
			break;
		put(bindings, at, bindings->heap[child]);
		at = child;
	}
	put(bindings, at, binding);
}

void hv_heap_add(struct hv_bindings *bindings, struct hv_binding *binding)
{
	sift_up(bindings, bindings->heap_count++, binding);
}

void hv_heap_remove(struct hv_bindings *bindings, struct hv_binding *binding)
{
	struct hv_binding *last = bindings->heap[--bindings->heap_count];
	uint32_t at = binding->heap_at;

	if (last == binding)
		return;
	put(bindings, at, last);
	sift_down(bindings, at, last);
	sift_up(bindings, last->heap_at, last);
}

void hv_heap_later(struct hv_bindings *bindings, struct hv_binding *binding)
{
	sift_down(bindings, binding->heap_at, binding);
}
