/* The life of a rule, and which names it means. See rule.h. */
#include "filter/rule.h"

#include <string.h>

#include "filter/name.h"

/* Entries of the index for its ports; a rule that denies a name is there twice (filter_index.c). */
static uint32_t cost_of(const struct hv_rule_draft *draft)
{
	const struct hv_rule_spec *spec = &draft->spec;
	uint32_t entries = spec->port_count == 0, labels = 0;
	unsigned bits;

	for (unsigned i = 0; i < spec->port_count; i++) {
		uint32_t first = draft->ports[i].first, last = draft->ports[i].last;

		for (; first <= last; entries++)
			first = hv_port_prefix(first, last, &bits);
	}
	if (!hv_rule_has_name(spec))
		return entries;
	for (const char *c = draft->name; *c; c++)
		labels += *c == '.';
	return (spec->allow ? entries : 2 * entries) + labels + 1;
}

struct haven_rule *hv_rule_new(const struct haven_env *env, const struct hv_rule_draft *draft,
			       struct hv_rule_file *file, unsigned line)
{
	char text[HV_RULE_TEXT_MAX];
	size_t text_size = hv_rule_print(draft, text) + 1;
	size_t name_size = strlen(draft->name) + 1;
	size_t ports_size = draft->spec.port_count * sizeof(*draft->ports);
	size_t size = sizeof(struct haven_rule) + ports_size + name_size + text_size;
	struct haven_rule *rule = env->alloc(env->user, size);
	char *rest;

	if (!rule)
		return NULL;
	memset(rule, 0, sizeof(*rule));
	rule->spec = draft->spec;
	rule->size = size;
	rule->cost = cost_of(draft);
	rule->references = 1;
	rule->line = line;
	rule->file = file;
	if (file)
		file->references++;
	rest = (char *)(rule + 1);
	rule->ports = memcpy(rest, draft->ports, ports_size);
	rule->name = memcpy(rest + ports_size, draft->name, name_size);
	rule->text = memcpy(rest + ports_size + name_size, text, text_size);
	return rule;
}

void hv_rule_release(const struct haven_env *env, struct haven_rule *rule)
{
	if (--rule->references > 0)
		return;
	hv_rule_file_release(env, rule->file);
	env->free(env->user, rule, rule->size);
}

void hv_rule_file_release(const struct haven_env *env, struct hv_rule_file *file)
{
	if (file && --file->references == 0)
		env->free(env->user, file, sizeof(*file));
}

bool hv_rule_means(const struct haven_rule *rule, const char *name, size_t size)
{
	size_t own = strlen(rule->name);

	if (rule->spec.host == HV_HOST_NAME)
		return size == own && memcmp(name, rule->name, own) == 0;
	return size > own + 1 && name[size - own - 1] == '.' &&
	       memcmp(name + size - own, rule->name, own) == 0;
}
