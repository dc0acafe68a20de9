/* The hash table: grows and shrinks under random operations without losing anything. */
#include <string.h>

#include "base/fixture.h"
#include "base/hash.h"
#include "base/list.h"

enum { ITEMS = 5000, OPERATIONS = 100000 };

struct item {
	struct hv_hash_node node;
	uint32_t key;
	bool in;
	unsigned visits;
};

struct table {
	struct hv_hash hash;
	struct item items[ITEMS];
	uint32_t count;
	uint32_t hash_mask; /* few bits: long chains */
};

static bool key_equal(const struct hv_hash_node *node, const void *key)
{
	return hv_container(node, const struct item, node)->key == *(const uint32_t *)key;
}

static uint32_t hash_of(const struct table *table, uint32_t key)
{
	return key * UINT32_C(2654435761) & table->hash_mask;
}

static struct table *table_new(struct fixture *f, uint32_t hash_mask)
{
	struct table *table = calloc(1, sizeof(*table));

	assert_non_null(table);
	hv_hash_init(&table->hash, &f->core);
	table->hash_mask = hash_mask;
	for (uint32_t i = 0; i < ITEMS; i++)
		table->items[i].key = i * 7 + 1;
	return table;
}

static void table_free(struct table *table)
{
	hv_hash_finish(&table->hash);
	free(table);
}

static struct item *find(const struct table *table, uint32_t key)
{
	struct hv_hash_node *node =
		hv_hash_find(&table->hash, hash_of(table, key), key_equal, &key);

	return node ? hv_container(node, struct item, node) : NULL;
}

static void toggle(struct table *table, struct item *item)
{
	if (item->in) {
		hv_hash_remove(&table->hash, &item->node);
		item->in = false;
		table->count--;
	} else if (hv_hash_insert(&table->hash, &item->node, hash_of(table, item->key)) == 0) {
		item->in = true;
		table->count++;
	}
}

static void check_all(const struct table *table)
{
	assert_int_equal(table->hash.count, table->count);
	for (uint32_t i = 0; i < ITEMS; i++) {
		const struct item *item = &table->items[i];

		assert_ptr_equal(find(table, item->key), item->in ? item : NULL);
	}
}

static void empty_table_finds_nothing(void **state)
{
	struct table *table = table_new(*state, UINT32_MAX);

	assert_null(find(table, 1));
	check_all(table);
	table_free(table);
}

static void random_operations(struct fixture *f, uint32_t hash_mask)
{
	struct table *table = table_new(f, hash_mask);
	uint32_t range = ITEMS;

	for (int i = 0; i < OPERATIONS; i++) {
		struct item *item;

		/* Breathe: now many items, now few, so that it grows and shrinks. */
		if (i % 5000 == 0)
			range = range == ITEMS ? 50 : ITEMS;
		item = &table->items[test_random_below(&f->env.random, ITEMS)];
		if (!item->in && item - table->items >= range)
			continue;
		toggle(table, item);
		assert_ptr_equal(find(table, item->key), item->in ? item : NULL);
		if (i % 1000 == 0)
			check_all(table);
	}
	check_all(table);
	table_free(table);
}

static void random_operations_agree(void **state)
{
	random_operations(*state, UINT32_MAX);
}

static void colliding_hashes_agree(void **state)
{
	random_operations(*state, 0x3f);
}

static void size_follows_count(void **state)
{
	struct table *table = table_new(*state, UINT32_MAX);
	uint32_t size;

	for (uint32_t i = 0; i < ITEMS; i++)
		toggle(table, &table->items[i]);
	size = table->hash.size;
	assert_in_range(size, ITEMS / 2, ITEMS * 2);
	for (uint32_t i = 0; i < ITEMS; i++)
		toggle(table, &table->items[i]);
	assert_true(table->hash.size <= 16);
	assert_null(table->hash.old_buckets);
	table_free(table);
}

static bool visit_item(struct hv_hash_node *node, void *ctx)
{
	struct table *table = ctx;
	struct item *item = hv_container(node, struct item, node);

	item->visits++;
	if (item->key % 2 == 0)
		toggle(table, item);
	return true;
}

static bool visit_three(struct hv_hash_node *node, void *ctx)
{
	(void)node;
	return ++*(unsigned *)ctx < 3;
}

/* At every stage of a resize: each is visited once, also when some are removed by the visit. */
static void each_visits_all_once(void **state)
{
	for (uint32_t items = 1; items < 200; items++) {
		struct table *table = table_new(*state, UINT32_MAX);
		unsigned visits = 0;

		for (uint32_t i = 0; i < items; i++)
			toggle(table, &table->items[i]);
		hv_hash_each(&table->hash, visit_three, &visits);
		assert_int_equal(visits, items < 3 ? items : 3);
		hv_hash_each(&table->hash, visit_item, table);
		for (uint32_t i = 0; i < items; i++)
			assert_int_equal(table->items[i].visits, 1);
		check_all(table);
		hv_hash_each(&table->hash, visit_item, table);
		table_free(table);
	}
}

static void without_memory_the_first_insert_fails(void **state)
{
	struct fixture *f = *state;
	struct table *table = table_new(f, UINT32_MAX);

	test_env_fail(&f->env, 1);
	assert_int_equal(hv_hash_insert(&table->hash, &table->items[0].node, 1), -ENOMEM);
	assert_int_equal(table->hash.count, 0);
	assert_int_equal(hv_hash_insert(&table->hash, &table->items[0].node, 1), 0);
	table_free(table);
}

static void without_memory_it_goes_on_unresized(void **state)
{
	struct fixture *f = *state;
	struct table *table = table_new(f, UINT32_MAX);

	toggle(table, &table->items[0]);
	f->env.fail_ppm = 1000000;
	for (uint32_t i = 1; i < 1000; i++)
		toggle(table, &table->items[i]);
	check_all(table);
	assert_int_equal(table->count, 1000);
	assert_int_equal(table->hash.size, 16);
	f->env.fail_ppm = 0;
	for (uint32_t i = 1000; i < 4000; i++)
		toggle(table, &table->items[i]);
	assert_true(table->hash.size >= 1024);
	f->env.fail_ppm = 1000000;
	for (uint32_t i = 0; i < 4000; i++)
		toggle(table, &table->items[i]);
	check_all(table);
	f->env.fail_ppm = 0;
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(empty_table_finds_nothing),
		FIXTURE_TEST(random_operations_agree),
		FIXTURE_TEST(colliding_hashes_agree),
		FIXTURE_TEST(size_follows_count),
		FIXTURE_TEST(each_visits_all_once),
		FIXTURE_TEST(without_memory_the_first_insert_fails),
		FIXTURE_TEST(without_memory_it_goes_on_unresized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
