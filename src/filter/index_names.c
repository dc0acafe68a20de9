/*
 * Names of rules as a tree of labels, from the last to the first: "www.example.org" is org > example > www. A name is
 * looked up label by label, as far as the tree goes. See index.h.
 */
#include <string.h>

#include "filter/index.h"

enum { LABEL_MAX = 63 };

static uint32_t hash_of(const struct hv_name_tree *tree, uint32_t parent, const char *label,
			size_t length)
{
	char key[sizeof(parent) + LABEL_MAX];

	memcpy(key, &parent, sizeof(parent));
	memcpy(key + sizeof(parent), label, length);
	return (uint32_t)hv_siphash(&tree->core->hash_key, key, sizeof(parent) + length);
}

/* Where the label is, or the free slot where it would be. */
static uint32_t *slot_of(const struct hv_name_tree *tree, uint32_t hash, uint32_t parent,
			 const char *label, size_t length)
{
	uint32_t mask = tree->slot_count - 1;

	for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
		const struct hv_name_node *node = &tree->nodes[tree->slots[at]];

		if (tree->slots[at] == 0 ||
		    (node->hash == hash && node->parent == parent && node->length == length &&
		     memcmp(node->label, label, length) == 0))
			return &tree->slots[at];
	}
}

/* The start of the last label of a name that ends at `end`. */
static size_t label_before(const char *name, size_t end)
{
	while (end > 0 && name[end - 1] != '.')
		end--;
	return end;
}

/* --- making it ----------------------------------------------------------------------------- */

bool hv_names_init(struct hv_name_tree *tree, struct hv_core *core, uint32_t labels)
{
	*tree = (struct hv_name_tree){.core = core, .space = labels + 1, .count = 1};
	if (labels == 0)
		return true;
	tree->slot_count = 4;
	while (tree->slot_count < 2 * tree->space)
		tree->slot_count *= 2;
	tree->nodes = hv_zalloc(core, tree->space * sizeof(*tree->nodes));
	tree->slots = hv_zalloc(core, tree->slot_count * sizeof(*tree->slots));
	return tree->nodes && tree->slots;
}

static uint32_t mark_count(const struct hv_name_tree *tree)
{
	return 2 * tree->count;
}

static uint32_t bound_space(const struct hv_name_tree *tree)
{
	uint32_t most = HV_NAMES_MAX * (tree->depth + 1);

	return most < mark_count(tree) ? most : mark_count(tree);
}

void hv_names_finish(struct hv_name_tree *tree)
{
	struct hv_core *core = tree->core;

	hv_free(core, tree->server.numbers, (tree->depth + 1) * sizeof(uint32_t));
	hv_free(core, tree->bound.numbers, bound_space(tree) * sizeof(uint32_t));
	hv_free(core, tree->marks, mark_count(tree) * sizeof(*tree->marks));
	hv_free(core, tree->slots, tree->slot_count * sizeof(*tree->slots));
	hv_free(core, tree->nodes, tree->space * sizeof(*tree->nodes));
}

static uint32_t insert_label(struct hv_name_tree *tree, uint32_t parent, const char *label,
			     size_t length)
{
	uint32_t hash = hash_of(tree, parent, label, length);
	uint32_t *slot = slot_of(tree, hash, parent, label, length);

	if (*slot == 0) {
		*slot = tree->count++;
		tree->nodes[*slot] = (struct hv_name_node){
			.hash = hash,
			.parent = parent,
			.label = label,
			.length = (uint8_t)length,
			.allow = {UINT32_MAX, UINT32_MAX},
			.deny = {UINT32_MAX, UINT32_MAX},
		};
	}
	return *slot;
}

uint32_t hv_names_insert(struct hv_name_tree *tree, const char *name, bool below)
{
	uint32_t node = 0;
	unsigned depth = 0;

	for (size_t end = strlen(name);;) {
		size_t start = label_before(name, end);

		node = insert_label(tree, node, name + start, end - start);
		depth++;
		if (start == 0)
			break;
		end = start - 1;
	}
	if (tree->depth < depth)
		tree->depth = depth;
	tree->nodes[node].used[below] = true;
	return node * 2 + below;
}

bool hv_names_ready(struct hv_name_tree *tree)
{
	if (tree->count == 1)
		return true;
	tree->marks = hv_zalloc(tree->core, mark_count(tree) * sizeof(*tree->marks));
	tree->bound.numbers = hv_alloc(tree->core, bound_space(tree) * sizeof(uint32_t));
	tree->server.numbers = hv_alloc(tree->core, (tree->depth + 1) * sizeof(uint32_t));
	return tree->marks && tree->bound.numbers && tree->server.numbers;
}

/* --- questions ----------------------------------------------------------------------------- */

void hv_names_begin(struct hv_name_tree *tree)
{
	tree->bound.count = tree->server.count = 0;
	if (++tree->turn != 0 || !tree->marks)
		return;
	/* Marks of 2^32 questions ago would count again. */
	memset(tree->marks, 0, mark_count(tree) * sizeof(*tree->marks));
	tree->turn = 1;
}

static void add_bound(struct hv_name_tree *tree, uint32_t number)
{
	struct hv_name_mark *mark = &tree->marks[number];

	if (mark->turn != tree->turn) {
		*mark = (struct hv_name_mark){.turn = tree->turn};
		tree->bound.numbers[tree->bound.count++] = number;
	}
	mark->count++;
}

static void add_server(struct hv_name_tree *tree, uint32_t number)
{
	tree->server.numbers[tree->server.count++] = number;
}

/* Numbers of all names in rules that mean this one. */
static void each_number(struct hv_name_tree *tree, const char *name, size_t length,
			void (*add)(struct hv_name_tree *tree, uint32_t number))
{
	uint32_t node = 0;

	for (size_t end = length; tree->count > 1;) {
		size_t start = label_before(name, end), size = end - start;

		if (size > LABEL_MAX)
			return;
		node = *slot_of(tree, hash_of(tree, node, name + start, size), node,
				name + start, size);
		if (node == 0)
			return;
		if (tree->nodes[node].used[start > 0])
			add(tree, node * 2 + (start > 0));
		if (start == 0)
			return;
		end = start - 1;
	}
}

void hv_names_bound(struct hv_name_tree *tree, const char *name, size_t length)
{
	each_number(tree, name, length, add_bound);
}

void hv_names_server(struct hv_name_tree *tree, const char *name, size_t length)
{
	each_number(tree, name, length, add_server);
}

uint32_t hv_names_count(const struct hv_name_tree *tree, uint32_t number)
{
	const struct hv_name_mark *mark = &tree->marks[number];

	return mark->turn == tree->turn ? mark->count : 0;
}
