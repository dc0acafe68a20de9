/* Names of a filter: binding them to addresses, and what can be asked about them. */
#include <string.h>

#include "filter/filter.h"
#include "filter/index.h"
#include "filter/name.h"

/* Addresses that an answer must not give a name to: with it, a rule that allows the name would open them. */
static bool is_bindable(const struct haven_filter *filter, const struct hv_addr *address)
{
	return !hv_addr_is_any(address) && !hv_addr_is_multicast(address) &&
	       !hv_addr_is_v4_broadcast(address) && !hv_filter_is_host(filter, address);
}

/* The last moment is that of what never ends. */
static uint64_t add_time(uint64_t now_ns, uint64_t duration_ns)
{
	uint64_t latest = UINT64_MAX - 1;

	return now_ns < latest && duration_ns < latest - now_ns ? now_ns + duration_ns : latest;
}

int haven_filter_bind(struct haven_filter *filter, const char *text, const uint8_t bytes[16],
		      uint64_t ttl_ns, uint64_t now_ns)
{
	uint64_t duration_ns = ttl_ns > filter->name_floor_ns ? ttl_ns : filter->name_floor_ns;
	struct hv_addr address = hv_addr_v6(bytes);
	char name[HAVEN_NAME_SIZE];
	int length = hv_name_canonical(text, strlen(text), name);

	if (length < 0)
		return length;
	if (!is_bindable(filter, &address))
		return -EPERM;
	return hv_bindings_add(&filter->bindings, name, (size_t)length, &address,
			       add_time(now_ns, duration_ns), now_ns);
}

int haven_filter_bind_static(struct haven_filter *filter, const char *text,
			     const uint8_t bytes[16])
{
	struct hv_addr address = hv_addr_v6(bytes);
	char name[HAVEN_NAME_SIZE];
	int length = hv_name_canonical(text, strlen(text), name);

	if (length < 0)
		return length;
	return hv_bindings_add(&filter->bindings, name, (size_t)length, &address, UINT64_MAX,
			       0);
}

bool haven_filter_binding(const struct haven_filter *filter, const uint8_t bytes[16],
			  unsigned at, uint64_t now_ns, struct haven_binding *binding)
{
	const struct hv_binding *found[HV_NAMES_MAX];
	struct hv_addr address = hv_addr_v6(bytes);
	unsigned count = hv_bindings_of(&filter->bindings, &address, now_ns, false, found);

	if (at >= count)
		return false;
	*binding = (struct haven_binding){
		.name = found[at]->name->text,
		.since_ns = found[at]->since_ns,
		.expires_ns = found[at]->expires_ns,
	};
	return true;
}

bool haven_filter_can_reach(const struct haven_filter *filter, const char *text)
{
	struct hv_index *index = filter->index;
	uint32_t allow = index->reach_allow, deny = index->reach_deny;
	struct hv_name_tree *names = &index->names;
	char name[HAVEN_NAME_SIZE];
	int length = hv_name_canonical(text, strlen(text), name);

	if (length < 0)
		return false;
	hv_names_begin(names);
	hv_names_server(names, name, (size_t)length);
	for (uint32_t i = 0; i < names->server.count; i++) {
		uint32_t number = names->server.numbers[i];
		const struct hv_name_node *node = &names->nodes[number / 2];

		if (node->allow[number % 2] < allow)
			allow = node->allow[number % 2];
		if (node->deny[number % 2] < deny)
			deny = node->deny[number % 2];
	}
	if (allow != UINT32_MAX || deny != UINT32_MAX)
		return allow < deny;
	return haven_filter_default_allows(filter, HAVEN_OUT);
}
