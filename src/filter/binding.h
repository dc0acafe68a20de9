/*
 * Which names are bound to which addresses, and until when.
 *
 *	name  --<  binding  >--  address
 *
 * A name and an address are there while they have a binding. Bindings that end are in a heap, the first on top: that one
 * makes way when there are too many. Those given by the operator never end.
 *
 * What has ended is passed over when it is looked up and taken away, a few at a time, when others come. It is
 * kept HV_BINDING_GRACE_NS longer, for flows that say their server's name a little after they began.
 */
#ifndef HV_FILTER_BINDING_H
#define HV_FILTER_BINDING_H

#include "base/addr.h"
#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"

#include "filter/rule.h"

enum { HV_NAMES_MAX = 64 }; /* of an address, at most, whatever is configured */

#define HV_BINDING_GRACE_NS UINT64_C(10000000000)

struct hv_bound_name {
	struct hv_hash_node node;
	struct hv_list bindings;
	uint32_t count;
	uint16_t length;
	char text[];
};

struct hv_bound_address {
	struct hv_hash_node node;
	struct hv_list bindings; /* the oldest first */
	uint32_t count;
	struct hv_addr address;
};

struct hv_binding {
	struct hv_list of_name, of_address;
	struct hv_bound_name *name;
	struct hv_bound_address *address;
	uint64_t since_ns, expires_ns; /* UINT64_MAX: never */
	uint32_t heap_at;	       /* where in the heap, when it ends at all */
};

struct hv_bindings {
	struct hv_core *core;
	uint32_t max, max_addresses, max_names; /* in all, of a name, of an address */
	struct hv_hash names, addresses;
	uint32_t count;
	struct hv_binding **heap;
	uint32_t heap_count, heap_space;
};

void hv_bindings_init(struct hv_bindings *bindings, struct hv_core *core,
		      const struct haven_filter_config *config);
void hv_bindings_finish(struct hv_bindings *bindings);

/*
 * Binds a name (of hv_name_canonical()) until expires_ns (UINT64_MAX: for ever), or lets it stay longer.
 * Errors: -ENOMEM, -ENOSPC (only what never ends could make way).
 */
int hv_bindings_add(struct hv_bindings *bindings, const char *name, size_t length,
		    const struct hv_addr *address, uint64_t expires_ns, uint64_t now_ns);
/* Ends all bindings of an address but those for ever. */
void hv_bindings_forget(struct hv_bindings *bindings, const struct hv_addr *address);

/*
 * The names that are bound to an address, the oldest first. grace: also those that ended up to HV_BINDING_GRACE_NS
 * ago. Returns how many.
 */
unsigned hv_bindings_of(const struct hv_bindings *bindings, const struct hv_addr *address,
			uint64_t now_ns, bool grace,
			const struct hv_binding *found[HV_NAMES_MAX]);

/* The heap, by when they end; binding_heap.c. */
bool hv_heap_reserve(struct hv_bindings *bindings); /* room for one more; false: no memory */
void hv_heap_add(struct hv_bindings *bindings, struct hv_binding *binding);
void hv_heap_remove(struct hv_bindings *bindings, struct hv_binding *binding);
void hv_heap_later(struct hv_bindings *bindings, struct hv_binding *binding);

static inline bool hv_binding_is_static(const struct hv_binding *binding)
{
	return binding->expires_ns == UINT64_MAX;
}

#endif
