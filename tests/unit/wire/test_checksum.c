/* The Internet checksum against the definition of RFC 1071, byte by byte. */
#include <string.h>

#include "support/test.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

/* As RFC 1071 section 1 defines it: big-endian 16-bit words, end-around carry. */
static uint16_t reference(const uint8_t *p, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The folded sum as the header would hold it. */
static uint16_t as_stored(uint16_t folded)
{
	uint8_t field[2];

	hv_put_checksum(field, folded);
	return hv_get16(field);
}

static void example_of_the_rfc(void **state)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(as_stored(hv_sum_fold(hv_sum_add(0, data, sizeof(data)))), 0xddf2);
	assert_int_equal(as_stored(hv_checksum(data, sizeof(data))), 0x220d);
}

static void every_size_and_alignment(void **state)
{
	static uint8_t data[1024];
	struct test_random random;

	(void)state;
	test_random_init(&random, 3);
	test_random_fill(&random, data, sizeof(data));
	for (size_t start = 0; start < 17; start++) {
		for (size_t size = 0; size + start <= 700; size++) {
			uint16_t sum = hv_sum_fold(hv_sum_add(0, data + start, size));

			assert_int_equal(as_stored(sum), reference(data + start, size));
		}
	}
}

static void carries_are_not_lost(void **state)
{
	static uint8_t data[65536];
	uint64_t sum = 0;

	(void)state;
	memset(data, 0xff, sizeof(data));
	assert_int_equal(hv_sum_fold(hv_sum_add(0, data, sizeof(data))), 0xffff);
	assert_int_equal(hv_sum_fold(hv_sum_add(UINT64_MAX, data, sizeof(data))), 0xffff);
	data[65535] = 0;
	for (int i = 0; i < 100; i++)
		sum = hv_sum_add(sum, data, sizeof(data));
	/* 100 times (0xffff... + 0xff00): ones' complement of 100 * 0x00ff. */
	assert_int_equal(as_stored(hv_sum_fold(sum)), (uint16_t) ~(100 * 0xff));
}

static void pieces_add_up_to_the_whole(void **state)
{
	static uint8_t data[5000];
	struct test_random random;

	(void)state;
	test_random_init(&random, 4);
	for (int i = 0; i < 2000; i++) {
		size_t size = test_random_below(&random, sizeof(data)), at = 0;
		uint64_t sum = 0;

		test_random_fill(&random, data, 64);
		while (at < size) {
			size_t piece = 1 + test_random_below(&random, size - at);

			sum = hv_sum_add_at(sum, data + at, piece, at);
			at += piece;
		}
		assert_int_equal(as_stored(hv_sum_fold(sum)), reference(data, size));
	}
}

static void pseudo_header_v4(void **state)
{
	const uint8_t src[] = {10, 0, 2, 100}, dst[] = {192, 168, 255, 254};
	uint8_t pseudo[12] = {0};
	struct hv_addr a = hv_addr_v4(src), b = hv_addr_v4(dst);

	(void)state;
	memcpy(pseudo, src, 4);
	memcpy(pseudo + 4, dst, 4);
	pseudo[9] = 17;
	hv_put16(pseudo + 10, 65515);
	assert_int_equal(as_stored(hv_sum_fold(hv_sum_pseudo(&a, &b, 17, 65515))),
			 reference(pseudo, sizeof(pseudo)));
}

static void pseudo_header_v6(void **state)
{
	uint8_t pseudo[40] = {0};
	struct test_random random;
	struct hv_addr a, b;

	(void)state;
	test_random_init(&random, 5);
	test_random_fill(&random, pseudo, 32);
	a = hv_addr_v6(pseudo);
	b = hv_addr_v6(pseudo + 16);
	hv_put32(pseudo + 32, 65535);
	pseudo[39] = 58;
	assert_int_equal(as_stored(hv_sum_fold(hv_sum_pseudo(&a, &b, 58, 65535))),
			 reference(pseudo, sizeof(pseudo)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_rfc),
		cmocka_unit_test(every_size_and_alignment),
		cmocka_unit_test(carries_are_not_lost),
		cmocka_unit_test(pieces_add_up_to_the_whole),
		cmocka_unit_test(pseudo_header_v4),
		cmocka_unit_test(pseudo_header_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
