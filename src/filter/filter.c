/* A filter's life, and what can be asked about its rules. See filter.h. */
#include "filter/filter.h"

#include <stdlib.h>
#include <string.h>

#include "filter/index.h"

void haven_filter_config_init(struct haven_filter_config *config)
{
	*config = (struct haven_filter_config){
		.max_bindings = 65536,
		.max_addresses_per_name = 64,
		.max_names_per_address = HV_NAMES_MAX,
		.name_floor_ns = UINT64_C(60000000000),
	};
	haven_env_default(&config->env);
}

int haven_filter_create(const struct haven_filter_config *config, struct haven_filter **out)
{
	const struct haven_env *env = &config->env;
	struct haven_filter *filter;

	if (!env->alloc || !env->free || !env->random || config->max_bindings == 0 ||
	    config->max_addresses_per_name == 0 || config->max_names_per_address == 0 ||
	    config->max_names_per_address > HV_NAMES_MAX)
		return -EINVAL;
	filter = env->alloc(env->user, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	memset(filter, 0, sizeof(*filter));
	hv_core_init(&filter->core, env);
	filter->name_floor_ns = config->name_floor_ns;
	filter->name_may_miss = config->name_may_miss;
	filter->index = hv_index_new(&filter->core, NULL, 0);
	if (!filter->index) {
		env->free(env->user, filter, sizeof(*filter));
		return -ENOMEM;
	}
	hv_bindings_init(&filter->bindings, &filter->core, config);
	*out = filter;
	return 0;
}

void haven_filter_destroy(struct haven_filter *filter)
{
	struct haven_env env;

	if (!filter)
		return;
	env = filter->core.env;
	hv_bindings_finish(&filter->bindings);
	hv_index_free(filter->index);
	for (uint32_t i = 0; i < filter->rule_count; i++)
		hv_rule_release(&env, filter->rules[i]);
	hv_free(&filter->core, filter->rules, filter->rule_count * sizeof(*filter->rules));
	hv_free(&filter->core, filter->host, filter->host_count * sizeof(*filter->host));
	env.free(env.user, filter, sizeof(*filter));
}

/* --- the host ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hv_addr));
}

bool hv_filter_is_host(const struct haven_filter *filter, const struct hv_addr *address)
{
	if (hv_addr_is_loopback(address))
		return true;
	return filter->host_count && bsearch(address, filter->host, filter->host_count,
					     sizeof(*filter->host), compare);
}

int haven_filter_set_host(struct haven_filter *filter, const uint8_t (*addresses)[16],
			  size_t count)
{
	struct hv_addr *host = NULL;

	if (count > 0) {
		host = hv_alloc(&filter->core, count * sizeof(*host));
		if (!host)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		host[i] = hv_addr_v6(addresses[i]);
	if (count > 0)
		qsort(host, count, sizeof(*host), compare);
	hv_free(&filter->core, filter->host, filter->host_count * sizeof(*filter->host));
	filter->host = host;
	filter->host_count = count;
	/* What an answer bound to them before they were the host's. */
	for (size_t i = 0; i < count; i++)
		hv_bindings_forget(&filter->bindings, &host[i]);
	return 0;
}

/* --- questions about rules ----------------------------------------------------------------- */

uint32_t haven_filter_rule_count(const struct haven_filter *filter)
{
	return filter->rule_count;
}

bool haven_filter_rule(const struct haven_filter *filter, uint32_t number,
		       struct haven_rule_info *info)
{
	const struct haven_rule *rule;

	if (number == 0 || number > filter->rule_count)
		return false;
	rule = filter->rules[number - 1];
	*info = (struct haven_rule_info){
		.number = number,
		.text = rule->text,
		.file = rule->file ? rule->file->name : "",
		.line = rule->line,
		.allow = rule->spec.allow,
		.direction = rule->spec.direction,
		.flows = rule->flows,
		.refused = rule->refused,
		.bytes = rule->bytes,
		.open = rule->open,
	};
	return true;
}

bool haven_filter_default_allows(const struct haven_filter *filter,
				 enum haven_direction direction)
{
	return !filter->index->allows[direction];
}

uint64_t haven_filter_default_count(const struct haven_filter *filter,
				    enum haven_direction direction)
{
	return filter->default_counts[direction];
}

bool haven_filter_has_names(const struct haven_filter *filter, enum haven_direction direction)
{
	return filter->index->has_names[direction];
}

bool haven_filter_has_host(const struct haven_filter *filter)
{
	return filter->index->has_host;
}

/* --- flows that are open ------------------------------------------------------------------- */

void haven_filter_enter(struct haven_filter *filter, struct haven_rule *rule)
{
	(void)filter;
	if (!rule)
		return;
	rule->references++;
	rule->open++;
}

void haven_filter_leave(struct haven_filter *filter, struct haven_rule *rule, uint64_t bytes)
{
	if (!rule)
		return;
	rule->open--;
	rule->bytes += bytes;
	hv_rule_release(&filter->core.env, rule);
}

uint32_t haven_filter_rule_number(const struct haven_filter *filter,
				  const struct haven_rule *rule)
{
	(void)filter;
	return rule ? rule->number : 0;
}
