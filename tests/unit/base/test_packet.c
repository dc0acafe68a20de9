/* Packets: room, ownership, borrowed slices, free lists, queues. */
#include <string.h>

#include "base/fixture.h"

static void small_and_large_by_need(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *p;

	p = hv_packet_new(&f->core, 128, HV_PACKET_SMALL - 128);
	assert_int_equal(p->capacity, HV_PACKET_SMALL);
	assert_int_equal(hv_packet_headroom(p), 128);
	assert_int_equal(hv_packet_tailroom(p), HV_PACKET_SMALL - 128);
	assert_int_equal(hv_packet_size(p), 0);
	hv_packet_free(&f->core, p);
	p = hv_packet_new(&f->core, 129, HV_PACKET_SMALL - 128);
	assert_int_equal(p->capacity, HV_PACKET_LARGE);
	memset(hv_packet_append(p, HV_PACKET_SMALL), 0xff, HV_PACKET_SMALL);
	hv_packet_free(&f->core, p);
	p = hv_packet_new(&f->core, 128, HV_PACKET_LARGE - 128);
	assert_non_null(p);
	memset(hv_packet_append(p, HV_PACKET_LARGE - 128), 0xff, HV_PACKET_LARGE - 128);
	hv_packet_free(&f->core, p);
	assert_null(hv_packet_new(&f->core, 128, HV_PACKET_LARGE - 127));
	assert_null(hv_packet_new(&f->core, UINT32_MAX, UINT32_MAX));
	hv_packet_free(&f->core, NULL);
}

static void last_freed_is_first_used_and_clean(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *a = hv_packet_new(&f->core, 10, 100);
	struct hv_packet *b = hv_packet_new(&f->core, 10, 100);

	b->gso_size = 1;
	b->d.src_port = 2;
	hv_packet_append(b, 50);
	hv_packet_free(&f->core, a);
	hv_packet_free(&f->core, b);
	assert_ptr_equal(hv_packet_new(&f->core, 20, 100), b);
	assert_int_equal(b->gso_size + b->d.src_port + b->len, 0);
	assert_null(b->next);
	assert_int_equal(hv_packet_headroom(b), 20);
	assert_ptr_equal(hv_packet_new(&f->core, 10, 100), a);
	hv_packet_free(&f->core, a);
	hv_packet_free(&f->core, b);
}

static void free_lists_are_bounded(void **state)
{
	struct fixture *f = *state;
	static struct hv_packet *packets[1000];

	for (int i = 0; i < 1000; i++)
		packets[i] = hv_packet_new(&f->core, 0, i % 2 ? 5000 : 500);
	for (int i = 0; i < 1000; i++)
		hv_packet_free(&f->core, packets[i]);
	assert_int_equal(f->core.pool.small_count, HV_PACKET_POOL_SMALL);
	assert_int_equal(f->core.pool.large_count, HV_PACKET_POOL_LARGE);
	assert_int_equal(f->env.live, HV_PACKET_POOL_SMALL + HV_PACKET_POOL_LARGE);
	hv_packet_pool_clear(&f->core);
	assert_int_equal(f->core.memory_bytes, 0);
}

static void headers_go_on_and_come_off(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *p = hv_packet_new(&f->core, 20, 20);

	memcpy(hv_packet_append(p, 4), "data", 4);
	memcpy(hv_packet_push(p, 3), "tcp", 3);
	memcpy(hv_packet_push(p, 2), "ip", 2);
	assert_int_equal(p->len, 9);
	assert_memory_equal(p->data, "iptcpdata", 9);
	hv_packet_pull(p, 5);
	assert_memory_equal(p->data, "data", 4);
	assert_int_equal(hv_packet_headroom(p), 20);
	hv_packet_free(&f->core, p);
}

static struct hv_packet *with_slices(struct fixture *f, const char *first, const char *second)
{
	struct hv_packet *p = hv_packet_new(&f->core, 64, 16);

	memcpy(hv_packet_append(p, 4), "head", 4);
	hv_packet_add_slice(p, first, (uint32_t)strlen(first));
	hv_packet_add_slice(p, second, (uint32_t)strlen(second));
	return p;
}

static void copy_folds_slices_and_moves_pointers(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *p = with_slices(f, "one", "two"), *copy;

	assert_int_equal(hv_packet_size(p), 10);
	p->d.l3 = p->data;
	p->d.l4 = p->data + 2;
	p->d.payload = p->data + 3;
	p->csum = HV_CSUM_PARTIAL;
	p->csum_start = 66;
	p->csum_offset = 1;
	p->gso_type = HV_GSO_TCP6;
	p->gso_size = 1400;
	p->time_ns = 12345;
	p->d.proto = 6;
	copy = hv_packet_copy(&f->core, p);
	assert_ptr_not_equal(copy, p);
	assert_int_equal(copy->len, 10);
	assert_int_equal(copy->slice_count + copy->slices_len, 0);
	assert_memory_equal(copy->data, "headonetwo", 10);
	assert_ptr_equal(copy->d.l3, copy->data);
	assert_ptr_equal(copy->d.l4, copy->data + 2);
	assert_ptr_equal(copy->d.payload, copy->data + 3);
	assert_null(copy->d.options);
	assert_int_equal(copy->csum, HV_CSUM_PARTIAL);
	assert_ptr_equal(copy->head + copy->csum_start, copy->data + 2);
	assert_int_equal(copy->gso_type, HV_GSO_TCP6);
	assert_int_equal(copy->gso_size, 1400);
	assert_true(copy->time_ns == 12345);
	assert_int_equal(p->slice_count, 2);
	hv_packet_free(&f->core, p);
	hv_packet_free(&f->core, copy);
}

static void own_folds_in_place_when_there_is_room(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *p = with_slices(f, "one", "two"), *owned;

	owned = hv_packet_own(&f->core, p);
	assert_ptr_equal(owned, p);
	assert_memory_equal(owned->data, "headonetwo", 10);
	assert_int_equal(owned->slice_count + owned->slices_len, 0);
	assert_ptr_equal(hv_packet_own(&f->core, p), p);
	hv_packet_free(&f->core, p);
}

static void own_moves_to_a_larger_buffer(void **state)
{
	struct fixture *f = *state;
	static char large[60000];
	struct hv_packet *p = hv_packet_new(&f->core, 64, 16);

	memset(large, 'L', sizeof(large));
	memcpy(hv_packet_append(p, 4), "head", 4);
	hv_packet_add_slice(p, large, sizeof(large));
	p = hv_packet_own(&f->core, p);
	assert_int_equal(p->capacity, HV_PACKET_LARGE);
	assert_int_equal(p->len, 60004);
	assert_memory_equal(p->data + 4, large, sizeof(large));
	assert_int_equal(hv_packet_headroom(p), 64);
	hv_packet_free(&f->core, p);
}

static void own_without_memory_frees(void **state)
{
	struct fixture *f = *state;
	static char large[60000];
	struct hv_packet *p = hv_packet_new(&f->core, 64, 16);

	hv_packet_add_slice(p, large, sizeof(large));
	test_env_fail(&f->env, 1);
	assert_null(hv_packet_own(&f->core, p));
	assert_int_equal(f->core.pool.small_count, 1);
	test_env_fail(&f->env, 1);
	assert_null(hv_packet_new(&f->core, 0, 60000));
}

static void copy_without_memory_leaves_the_packet(void **state)
{
	struct fixture *f = *state;
	struct hv_packet *p = with_slices(f, "one", "two");

	test_env_fail(&f->env, 1);
	assert_null(hv_packet_copy(&f->core, p));
	assert_int_equal(hv_packet_size(p), 10);
	hv_packet_free(&f->core, p);
}

static void queue_is_first_in_first_out(void **state)
{
	struct fixture *f = *state;
	struct hv_packet_queue queue = {0};
	struct hv_packet *p[3];

	assert_null(hv_packet_queue_pop(&queue));
	for (int i = 0; i < 3; i++) {
		p[i] = with_slices(f, "12345", "");
		hv_packet_queue_push(&queue, p[i]);
	}
	assert_int_equal(queue.count, 3);
	assert_int_equal(queue.bytes, 27);
	assert_ptr_equal(hv_packet_queue_pop(&queue), p[0]);
	assert_null(p[0]->next);
	hv_packet_queue_push(&queue, p[0]);
	assert_ptr_equal(hv_packet_queue_pop(&queue), p[1]);
	hv_packet_free(&f->core, p[1]);
	hv_packet_queue_clear(&f->core, &queue);
	assert_int_equal(queue.count + queue.bytes, 0);
	assert_null(queue.first);
	assert_null(queue.last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(small_and_large_by_need),
		FIXTURE_TEST(last_freed_is_first_used_and_clean),
		FIXTURE_TEST(free_lists_are_bounded),
		FIXTURE_TEST(headers_go_on_and_come_off),
		FIXTURE_TEST(copy_folds_slices_and_moves_pointers),
		FIXTURE_TEST(own_folds_in_place_when_there_is_room),
		FIXTURE_TEST(own_moves_to_a_larger_buffer),
		FIXTURE_TEST(own_without_memory_frees),
		FIXTURE_TEST(copy_without_memory_leaves_the_packet),
		FIXTURE_TEST(queue_is_first_in_first_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
