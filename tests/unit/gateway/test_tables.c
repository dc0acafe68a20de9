/* What the gateway keeps things in: hash table, peer set, timers, idle lists; and /proc/net lines. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/idle.h"
#include "gateway/loop.h"
#include "gateway/peer_set.h"
#include "gateway/port_holder.h"
#include "gateway/table.h"
#include "support/test.h"

struct item {
	struct hv_node node;
	uint32_t key;
	bool in;
};

static struct item *find(const struct hv_table *table, uint32_t key)
{
	struct hv_node *node =
		hv_table_first(table, hv_table_hash(table, 0, &key, sizeof(key)));

	for (; node; node = hv_table_next(node)) {
		struct item *item = hv_container(node, struct item, node);

		if (item->key == key)
			return item;
	}
	return NULL;
}

static void table_finds_what_is_in_it(void **state)
{
	static struct item items[5000];
	struct hv_table table;

	(void)state;
	hv_table_init(&table);
	assert_null(find(&table, 1));
	for (uint32_t i = 0; i < TEST_COUNT(items); i++) {
		items[i].key = i;
		assert_int_equal(hv_table_add(&table, &items[i].node,
					      hv_table_hash(&table, 0, &i, sizeof(i))),
				 0);
	}
	for (uint32_t i = 0; i < TEST_COUNT(items); i += 2)
		hv_table_remove(&table, &items[i].node);
	for (uint32_t i = 0; i < TEST_COUNT(items); i++)
		assert_ptr_equal(find(&table, i), i % 2 ? &items[i] : NULL);
	assert_int_equal(table.count, TEST_COUNT(items) / 2);
	hv_table_finish(&table);
}

static uint64_t weak_hash(const void *key, const uint8_t address[16])
{
	(void)key;
	return address[15] & 3;
}

static void peers_are_remembered(void **state)
{
	struct hv_peer_set set = {0};
	uint8_t address[16] = {0xfd};

	(void)state;
	assert_false(hv_peer_set_has(&set, address, weak_hash, NULL));
	for (int i = 0; i < 200; i++) {
		address[14] = (uint8_t)(i >> 4);
		address[15] = (uint8_t)i;
		hv_peer_set_add(&set, address, weak_hash, NULL);
		hv_peer_set_add(&set, address, weak_hash, NULL);
	}
	for (int i = 0; i < 200; i++) {
		address[14] = (uint8_t)(i >> 4);
		address[15] = (uint8_t)i;
		assert_true(hv_peer_set_has(&set, address, weak_hash, NULL));
	}
	address[13] = 1;
	assert_false(hv_peer_set_has(&set, address, weak_hash, NULL));
	hv_peer_set_finish(&set);
}

static uint64_t good_hash(const void *key, const uint8_t address[16])
{
	uint64_t word;

	(void)key;
	memcpy(&word, address + 8, 8);
	return word * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static void peers_are_bounded(void **state)
{
	struct hv_peer_set set = {0};
	uint8_t address[16] = {0xfd};

	(void)state;
	for (unsigned i = 0; i < 3 * HV_PEER_SET_MAX; i++) {
		memcpy(address + 12, &i, 4);
		hv_peer_set_add(&set, address, good_hash, NULL);
		assert_true(set.count <= HV_PEER_SET_MAX);
		assert_true(hv_peer_set_has(&set, address, good_hash, NULL));
	}
	hv_peer_set_finish(&set);
}

static struct hv_loop *fired_loop;
static uint64_t fired_last_ns;
static unsigned fired_count;

static void fired(struct hv_loop_timer *timer)
{
	assert_true(timer->deadline_ns >= fired_last_ns);
	assert_true(timer->deadline_ns <= fired_loop->now_ns);
	fired_last_ns = timer->deadline_ns;
	fired_count++;
}

static void timers_come_in_order(void **state)
{
	struct hv_loop loop;
	static struct hv_loop_timer timers[500];

	(void)state;
	assert_int_equal(hv_loop_init(&loop), 0);
	fired_loop = &loop;
	for (unsigned i = 0; i < TEST_COUNT(timers); i++) {
		timers[i].expired = fired;
		assert_int_equal(hv_loop_timer_set(&loop, &timers[i], 1 + (i * 7919) % 1000),
				 0);
	}
	for (unsigned i = 0; i < TEST_COUNT(timers); i += 5)
		hv_loop_timer_cancel(&loop, &timers[i]);
	hv_loop_timer_cancel(&loop, &timers[0]);
	for (unsigned i = 1; i < TEST_COUNT(timers); i += 5)
		hv_loop_timer_set(&loop, &timers[i], 2000 - i);
	/* All of it is long ago by the real clock. */
	assert_int_equal(hv_loop_wait(&loop, 0), 0);
	assert_int_equal(fired_count, TEST_COUNT(timers) * 4 / 5);
	hv_loop_finish(&loop);
}

static unsigned expired_count;

static void idle_expired(struct hv_idle *idle)
{
	(void)idle;
	expired_count++;
}

static void idle_lists(void **state)
{
	struct hv_loop loop;
	struct hv_idle_clock clock;
	struct hv_idle entries[3] = {{.expired = idle_expired},
				     {.expired = idle_expired},
				     {.expired = idle_expired}};

	(void)state;
	assert_int_equal(hv_loop_init(&loop), 0);
	loop.now_ns = 1000;
	hv_idle_init(&clock, &loop, 30, 120);
	for (unsigned i = 0; i < 3; i++)
		hv_idle_add(&clock, &entries[i]);
	assert_int_equal(clock.timer.deadline_ns, 1030);
	loop.now_ns = 1020;
	hv_idle_touch(&clock, &entries[1], 0);
	hv_idle_touch(&clock, &entries[2], 1);
	loop.now_ns = 1031;
	hv_loop_timer_cancel(&loop, &clock.timer);
	clock.timer.expired(&clock.timer);
	assert_int_equal(expired_count, 1);
	assert_int_equal(clock.timer.deadline_ns, 1050);
	assert_ptr_equal(hv_idle_oldest(&clock), &entries[1]);
	loop.now_ns = 1141;
	hv_loop_timer_cancel(&loop, &clock.timer);
	clock.timer.expired(&clock.timer);
	assert_int_equal(expired_count, 3);
	assert_null(hv_idle_oldest(&clock));
	assert_false(hv_loop_timer_armed(&clock.timer));
	hv_idle_finish(&clock);
	hv_loop_finish(&loop);
}

static void proc_net_lines(void **state)
{
	static const char listener[] =
		"   3: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  "
		"1000        0 48213 1 0000000000000000 100 0 0 10 0\n";
	static const char bound6[] =
		" 1234: 00000000000000000000000000000000:14E9 "
		"00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 "
		"   33        0 999 2 0000000000000000 0\n";
	unsigned long inode = 0;
	unsigned uid = 0;

	(void)state;
	assert_true(hv_port_holder_parse(listener, IPPROTO_TCP, 8080, &inode, &uid));
	assert_int_equal(inode, 48213);
	assert_int_equal(uid, 1000);
	assert_false(hv_port_holder_parse(listener, IPPROTO_TCP, 8081, &inode, &uid));
	assert_false(hv_port_holder_parse(listener, IPPROTO_UDP, 8080, &inode, &uid));
	assert_true(hv_port_holder_parse(bound6, IPPROTO_UDP, 5353, &inode, &uid));
	assert_int_equal(inode, 999);
	assert_false(hv_port_holder_parse("  sl  local_address rem_address   st", IPPROTO_TCP,
					  0, &inode, &uid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_finds_what_is_in_it),
		cmocka_unit_test(peers_are_remembered),
		cmocka_unit_test(peers_are_bounded),
		cmocka_unit_test(timers_come_in_order),
		cmocka_unit_test(idle_lists),
		cmocka_unit_test(proc_net_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
