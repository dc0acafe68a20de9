/* SipHash-2-4 against the vectors that its authors published: key 00..0f, input 00, 01, 02, ... */
#include "base/siphash.h"
#include "support/test.h"

static const uint64_t expected[] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
	UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
	UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
	UINT64_C(0x93f5f5799a932462),
};

static void vectors_agree(void **state)
{
	const struct hv_siphash_key key = {UINT64_C(0x0706050403020100),
					   UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t input[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	for (unsigned i = 0; i < TEST_COUNT(expected); i++)
		assert_true(hv_siphash(&key, input, i) == expected[i]);
	assert_true(hv_siphash(&key, input, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void key_and_input_matter(void **state)
{
	const struct hv_siphash_key a = {1, 2}, b = {1, 3};
	uint8_t input[32] = {0};
	uint64_t first = hv_siphash(&a, input, sizeof(input));

	(void)state;
	assert_true(first != hv_siphash(&b, input, sizeof(input)));
	assert_true(first != hv_siphash(&a, input, sizeof(input) - 1));
	input[31] = 1;
	assert_true(first != hv_siphash(&a, input, sizeof(input)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_agree),
		cmocka_unit_test(key_and_input_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
