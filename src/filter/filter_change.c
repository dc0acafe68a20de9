/*
 * Changing the rules of a filter. A new array and its index are made first; only when both are there do they take
 * the place of the old ones, so that without memory all is as before.
 *
 * A rule that stays is the same object, with its counters and the flows that hold it. In haven_filter_replace() a rule stays when its
 * text does: the n-th of that text among the old ones becomes the n-th among the new ones.
 */
#include <string.h>

#include "filter/filter.h"
#include "filter/index.h"

/* Rules in force are freed by the filter, long after the list that they came in. */
static bool is_same_memory(const struct haven_filter *filter, const struct haven_rules *rules)
{
	const struct haven_env *a = &filter->core.env, *b = &rules->env;

	return a->user == b->user && a->alloc == b->alloc && a->free == b->free;
}

static struct haven_rule **new_array(struct haven_filter *filter, uint32_t count)
{
	return hv_alloc(&filter->core, count * sizeof(struct haven_rule *));
}

static void free_array(struct haven_filter *filter, struct haven_rule **array, uint32_t count)
{
	hv_free(&filter->core, array, count * sizeof(struct haven_rule *));
}

/*
 * The last step, which cannot fail. array: rules with a reference that becomes the filter's, or that are
 * the filter's already. Those of before that are not in it go.
 */
static void install(struct haven_filter *filter, struct haven_rule **array, uint32_t count,
		    struct hv_index *index)
{
	for (uint32_t i = 0; i < filter->rule_count; i++)
		filter->rules[i]->number = 0;
	for (uint32_t i = 0; i < count; i++)
		array[i]->number = i + 1;
	hv_index_free(filter->index);
	for (uint32_t i = 0; i < filter->rule_count; i++) {
		if (filter->rules[i]->number == 0)
			hv_rule_release(&filter->core.env, filter->rules[i]);
	}
	free_array(filter, filter->rules, filter->rule_count);
	filter->rules = array;
	filter->rule_count = count;
	filter->index = index;
}

/* --- which rules stay ---------------------------------------------------------------------- */

/* Old rules by text: those of one text are a queue, in order. */
struct queue {
	uint32_t text;	      /* one that has it, plus one; 0: free */
	uint32_t first, last; /* plus one; first 0: none left */
};

struct old_rules {
	struct haven_filter *filter;
	struct queue *queues;
	uint32_t queue_count; /* a power of two */
	uint32_t *next;	      /* plus one, by old rule, and one to spare: never of size 0 */
};

static struct queue *queue_of(const struct old_rules *old, const char *text)
{
	struct haven_filter *filter = old->filter;
	uint32_t mask = old->queue_count - 1;
	uint64_t hash = hv_siphash(&filter->core.hash_key, text, strlen(text));

	for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
		struct queue *queue = &old->queues[at];

		if (queue->text == 0 || strcmp(filter->rules[queue->text - 1]->text, text) == 0)
			return queue;
	}
}

static void finish_old(struct old_rules *old)
{
	struct hv_core *core = &old->filter->core;

	hv_free(core, old->queues, old->queue_count * sizeof(*old->queues));
	hv_free(core, old->next, (old->filter->rule_count + 1) * sizeof(*old->next));
}

static bool collect_old(struct old_rules *old, struct haven_filter *filter)
{
	struct hv_core *core = &filter->core;

	*old = (struct old_rules){.filter = filter, .queue_count = 4};
	while (old->queue_count < 2 * filter->rule_count)
		old->queue_count *= 2;
	old->queues = hv_zalloc(core, old->queue_count * sizeof(*old->queues));
	old->next = hv_zalloc(core, (filter->rule_count + 1) * sizeof(*old->next));
	if (!old->queues || !old->next) {
		finish_old(old);
		return false;
	}
	for (uint32_t i = 1; i <= filter->rule_count; i++) {
		struct queue *queue = queue_of(old, filter->rules[i - 1]->text);

		if (queue->text == 0)
			*queue = (struct queue){.text = i, .first = i};
		else
			old->next[queue->last - 1] = i;
		queue->last = i;
	}
	return true;
}

/* The old rule of this text that stays next, or NULL. */
static struct haven_rule *take_old(struct old_rules *old, const char *text)
{
	struct queue *queue = queue_of(old, text);
	uint32_t rule = queue->first;

	if (rule == 0)
		return NULL;
	queue->first = old->next[rule - 1];
	return old->filter->rules[rule - 1];
}

/* --- the three changes --------------------------------------------------------------------- */

/* From the list into the array: what stays says from now on where the new one stands. */
static void move_rules(struct haven_rules *rules, struct haven_rule **array)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		struct haven_rule *rule = rules->rules[i];

		if (array[i] != rule) {
			struct hv_rule_file *file = array[i]->file;

			array[i]->file = rule->file;
			array[i]->line = rule->line;
			rule->file = file;
			hv_rule_release(&rules->env, rule);
		}
	}
	rules->count = 0;
}

static int replace(struct haven_filter *filter, struct haven_rules *rules)
{
	struct haven_rule **array = NULL;
	struct hv_index *index;
	struct old_rules old;

	if (!is_same_memory(filter, rules))
		return -EINVAL;
	if (rules->count) {
		array = new_array(filter, rules->count);
		if (!array)
			return -ENOMEM;
	}
	if (!collect_old(&old, filter)) {
		free_array(filter, array, rules->count);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < rules->count; i++) {
		struct haven_rule *stays = take_old(&old, rules->rules[i]->text);

		array[i] = stays ? stays : rules->rules[i];
	}
	finish_old(&old);
	index = hv_index_new(&filter->core, array, rules->count);
	if (!index) {
		free_array(filter, array, rules->count);
		return -ENOMEM;
	}
	/* What is moved is not counted in the list any more. */
	install(filter, array, rules->count, index);
	move_rules(rules, array);
	return 0;
}

int haven_filter_replace(struct haven_filter *filter, struct haven_rules *rules)
{
	int error = replace(filter, rules);

	haven_rules_destroy(rules);
	return error;
}

static uint32_t cost_of(const struct haven_filter *filter)
{
	uint32_t cost = 0;

	for (uint32_t i = 0; i < filter->rule_count; i++)
		cost += filter->rules[i]->cost;
	return cost;
}

static int insert(struct haven_filter *filter, uint32_t number, struct haven_rules *rules)
{
	uint32_t before = number - 1, count = filter->rule_count + rules->count;
	struct haven_rule **array;
	struct hv_index *index;

	if (number == 0 || before > filter->rule_count || !is_same_memory(filter, rules))
		return -EINVAL;
	if (rules->count == 0)
		return 0;
	if (count > HV_RULES_MAX || cost_of(filter) + rules->cost > HV_RULES_COST_MAX)
		return -ENOSPC;
	array = new_array(filter, count);
	if (!array)
		return -ENOMEM;
	for (uint32_t i = 0; i < before; i++)
		array[i] = filter->rules[i];
	for (uint32_t i = 0; i < rules->count; i++)
		array[before + i] = rules->rules[i];
	for (uint32_t i = before; i < filter->rule_count; i++)
		array[rules->count + i] = filter->rules[i];
	index = hv_index_new(&filter->core, array, count);
	if (!index) {
		free_array(filter, array, count);
		return -ENOMEM;
	}
	install(filter, array, count, index);
	rules->count = 0; /* they are the filter's now */
	return 0;
}

int haven_filter_insert(struct haven_filter *filter, uint32_t number, struct haven_rules *rules)
{
	int error = insert(filter, number, rules);

	haven_rules_destroy(rules);
	return error;
}

int haven_filter_remove(struct haven_filter *filter, uint32_t number)
{
	uint32_t count = filter->rule_count - 1;
	struct haven_rule **array = NULL;
	struct hv_index *index;

	if (number == 0 || number > filter->rule_count)
		return -ENOENT;
	if (count) {
		array = new_array(filter, count);
		if (!array)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		array[i] = filter->rules[i < number - 1 ? i : i + 1];
	index = hv_index_new(&filter->core, array, count);
	if (!index) {
		free_array(filter, array, count);
		return -ENOMEM;
	}
	install(filter, array, count, index);
	return 0;
}
