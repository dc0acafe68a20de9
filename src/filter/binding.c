/* Names bound to addresses: two tables, the heap, and limits. See binding.h. */
#include "filter/binding.h"

#include <string.h>

/* How many of those that have ended go when a new one comes: more than come, so that they do not add up. */
enum { CLEAN_UP = 4 };

void hv_bindings_init(struct hv_bindings *bindings, struct hv_core *core,
		      const struct haven_filter_config *config)
{
	*bindings = (struct hv_bindings){
		.core = core,
		.max = config->max_bindings,
		.max_addresses = config->max_addresses_per_name,
		.max_names = config->max_names_per_address,
	};
	hv_hash_init(&bindings->names, core);
	hv_hash_init(&bindings->addresses, core);
}

/* --- names and addresses ------------------------------------------------------------------- */

struct name_key {
	const char *text;
	size_t length;
};

static bool name_is(const struct hv_hash_node *node, const void *key)
{
	const struct hv_bound_name *name = hv_container(node, struct hv_bound_name, node);
	const struct name_key *wanted = key;

	return name->length == wanted->length &&
	       memcmp(name->text, wanted->text, wanted->length) == 0;
}

static bool address_is(const struct hv_hash_node *node, const void *key)
{
	return hv_addr_equal(&hv_container(node, struct hv_bound_address, node)->address, key);
}

static uint32_t hash_of(const struct hv_bindings *bindings, const void *data, size_t size)
{
	return (uint32_t)hv_siphash(&bindings->core->hash_key, data, size);
}

static struct hv_bound_name *find_name(const struct hv_bindings *bindings, const char *text,
				       size_t length)
{
	struct name_key key = {text, length};
	struct hv_hash_node *node =
		hv_hash_find(&bindings->names, hash_of(bindings, text, length), name_is, &key);

	return node ? hv_container(node, struct hv_bound_name, node) : NULL;
}

static struct hv_bound_address *find_address(const struct hv_bindings *bindings,
					     const struct hv_addr *address)
{
	struct hv_hash_node *node =
		hv_hash_find(&bindings->addresses, hash_of(bindings, address, sizeof(*address)),
			     address_is, address);

	return node ? hv_container(node, struct hv_bound_address, node) : NULL;
}

/* The name that is there, or a new one, with one more to count on it. */
static struct hv_bound_name *hold_name(struct hv_bindings *bindings, const char *text,
				       size_t length)
{
	struct hv_bound_name *name = find_name(bindings, text, length);
	size_t size = sizeof(*name) + length + 1;

	if (name) {
		name->count++;
		return name;
	}
	name = hv_zalloc(bindings->core, size);
	if (!name)
		return NULL;
	hv_list_init(&name->bindings);
	name->count = 1;
	name->length = (uint16_t)length;
	memcpy(name->text, text, length);
	if (hv_hash_insert(&bindings->names, &name->node, hash_of(bindings, text, length)) == 0)
		return name;
	hv_free(bindings->core, name, size);
	return NULL;
}

static void drop_name(struct hv_bindings *bindings, struct hv_bound_name *name)
{
	if (--name->count > 0)
		return;
	hv_hash_remove(&bindings->names, &name->node);
	hv_free(bindings->core, name, sizeof(*name) + name->length + 1U);
}

static struct hv_bound_address *hold_address(struct hv_bindings *bindings,
					     const struct hv_addr *bytes)
{
	struct hv_bound_address *address = find_address(bindings, bytes);

	if (address) {
		address->count++;
		return address;
	}
	address = hv_zalloc(bindings->core, sizeof(*address));
	if (!address)
		return NULL;
	hv_list_init(&address->bindings);
	address->count = 1;
	address->address = *bytes;
	if (hv_hash_insert(&bindings->addresses, &address->node,
			   hash_of(bindings, bytes, sizeof(*bytes))) == 0)
		return address;
	hv_free(bindings->core, address, sizeof(*address));
	return NULL;
}

static void drop_address(struct hv_bindings *bindings, struct hv_bound_address *address)
{
	if (--address->count > 0)
		return;
	hv_hash_remove(&bindings->addresses, &address->node);
	hv_free(bindings->core, address, sizeof(*address));
}

/* --- bindings ------------------------------------------------------------------------------ */

static struct hv_binding *in_name(struct hv_list *node)
{
	return hv_container(node, struct hv_binding, of_name);
}

static struct hv_binding *in_address(struct hv_list *node)
{
	return hv_container(node, struct hv_binding, of_address);
}

static bool is_bound(const struct hv_binding *binding, uint64_t now_ns, bool grace)
{
	return binding->expires_ns > now_ns ||
	       (grace && now_ns - binding->expires_ns < HV_BINDING_GRACE_NS);
}

static void remove_binding(struct hv_bindings *bindings, struct hv_binding *binding)
{
	if (!hv_binding_is_static(binding))
		hv_heap_remove(bindings, binding);
	hv_list_remove(&binding->of_name);
	hv_list_remove(&binding->of_address);
	bindings->count--;
	drop_name(bindings, binding->name);
	drop_address(bindings, binding->address);
	hv_free(bindings->core, binding, sizeof(*binding));
}

static struct hv_binding *find_binding(const struct hv_bindings *bindings, const char *name,
				       size_t length, const struct hv_addr *bytes)
{
	struct name_key key = {name, length};
	struct hv_bound_address *address = find_address(bindings, bytes);

	if (!address)
		return NULL;
	for (struct hv_list *node = address->bindings.next; node != &address->bindings;
	     node = node->next) {
		if (name_is(&in_address(node)->name->node, &key))
			return in_address(node);
	}
	return NULL;
}

/* --- limits -------------------------------------------------------------------------------- */

/* Which of a list has to make way: the first to end, NULL when none ever does. */
static struct hv_binding *first_to_end(struct hv_list *list,
				       struct hv_binding *(*of)(struct hv_list *node))
{
	struct hv_binding *first = NULL;

	for (struct hv_list *node = list->next; node != list; node = node->next) {
		struct hv_binding *binding = of(node);

		if (!hv_binding_is_static(binding) &&
		    (!first || binding->expires_ns < first->expires_ns))
			first = binding;
	}
	return first;
}

/* Makes way for one more of a name and an address on which it counts already. -ENOSPC: then nothing was done. */
static int make_room(struct hv_bindings *bindings, struct hv_bound_name *name,
		     struct hv_bound_address *address)
{
	bool name_full = name->count > bindings->max_addresses;
	bool address_full = address->count > bindings->max_names;
	struct hv_binding *of_name = name_full ? first_to_end(&name->bindings, in_name) : NULL;
	struct hv_binding *of_address =
		address_full ? first_to_end(&address->bindings, in_address) : NULL;

	if ((name_full && !of_name) || (address_full && !of_address))
		return -ENOSPC;
	if (!of_name && !of_address && bindings->count == bindings->max &&
	    bindings->heap_count == 0)
		return -ENOSPC;
	if (of_name)
		remove_binding(bindings, of_name);
	if (of_address)
		remove_binding(bindings, of_address);
	if (bindings->count == bindings->max)
		remove_binding(bindings, bindings->heap[0]);
	return 0;
}

static void clean_up(struct hv_bindings *bindings, uint64_t now_ns)
{
	for (int i = 0; i < CLEAN_UP && bindings->heap_count > 0; i++) {
		if (is_bound(bindings->heap[0], now_ns, true))
			return;
		remove_binding(bindings, bindings->heap[0]);
	}
}

/* --- calls --------------------------------------------------------------------------------- */

/* What is bound stays so longer, never shorter. What had ended begins anew. */
static void renew(struct hv_bindings *bindings, struct hv_binding *binding, uint64_t expires_ns,
		  uint64_t now_ns)
{
	if (!is_bound(binding, now_ns, false)) {
		binding->since_ns = now_ns;
		hv_list_remove(&binding->of_address);
		hv_list_append(&binding->address->bindings, &binding->of_address);
	}
	if (expires_ns <= binding->expires_ns)
		return;
	if (expires_ns == UINT64_MAX)
		hv_heap_remove(bindings, binding);
	binding->expires_ns = expires_ns;
	if (expires_ns != UINT64_MAX)
		hv_heap_later(bindings, binding);
}

static void link_binding(struct hv_bindings *bindings, struct hv_binding *binding)
{
	hv_list_append(&binding->name->bindings, &binding->of_name);
	hv_list_append(&binding->address->bindings, &binding->of_address);
	bindings->count++;
	if (!hv_binding_is_static(binding))
		hv_heap_add(bindings, binding);
}

int hv_bindings_add(struct hv_bindings *bindings, const char *name, size_t length,
		    const struct hv_addr *address, uint64_t expires_ns, uint64_t now_ns)
{
	struct hv_binding *binding;
	int error = -ENOMEM;

	clean_up(bindings, now_ns);
	binding = find_binding(bindings, name, length, address);
	if (binding) {
		renew(bindings, binding, expires_ns, now_ns);
		return 0;
	}
	if (!hv_heap_reserve(bindings))
		return -ENOMEM;
	binding = hv_zalloc(bindings->core, sizeof(*binding));
	if (!binding)
		return -ENOMEM;
	binding->since_ns = now_ns;
	binding->expires_ns = expires_ns;
	binding->name = hold_name(bindings, name, length);
	if (!binding->name)
		goto no_name;
	binding->address = hold_address(bindings, address);
	if (!binding->address)
		goto no_address;
	error = make_room(bindings, binding->name, binding->address);
	if (error < 0)
		goto no_room;
	link_binding(bindings, binding);
	return 0;

no_room:
	drop_address(bindings, binding->address);
no_address:
	drop_name(bindings, binding->name);
no_name:
	hv_free(bindings->core, binding, sizeof(*binding));
	return error;
}

void hv_bindings_forget(struct hv_bindings *bindings, const struct hv_addr *bytes)
{
	struct hv_bound_address *address = find_address(bindings, bytes);
	struct hv_binding *binding;

	/* The last that goes takes the address with it. */
	while (address && (binding = first_to_end(&address->bindings, in_address))) {
		bool last = address->count == 1;

		remove_binding(bindings, binding);
		if (last)
			return;
	}
}

unsigned hv_bindings_of(const struct hv_bindings *bindings, const struct hv_addr *bytes,
			uint64_t now_ns, bool grace,
			const struct hv_binding *found[HV_NAMES_MAX])
{
	struct hv_bound_address *address;
	unsigned count = 0;

	if (bindings->count == 0)
		return 0;
	address = find_address(bindings, bytes);
	if (!address)
		return 0;
	for (struct hv_list *node = address->bindings.next;
	     node != &address->bindings && count < HV_NAMES_MAX; node = node->next) {
		if (is_bound(in_address(node), now_ns, grace))
			found[count++] = in_address(node);
	}
	return count;
}

static bool remove_all(struct hv_hash_node *node, void *ctx)
{
	struct hv_bound_address *address = hv_container(node, struct hv_bound_address, node);

	for (uint32_t left = address->count; left > 0; left--)
		remove_binding(ctx, in_address(address->bindings.next));
	return true;
}

void hv_bindings_finish(struct hv_bindings *bindings)
{
	hv_hash_each(&bindings->addresses, remove_all, bindings);
	hv_hash_finish(&bindings->names);
	hv_hash_finish(&bindings->addresses);
	hv_free(bindings->core, bindings->heap,
		bindings->heap_space * sizeof(struct hv_binding *));
}
