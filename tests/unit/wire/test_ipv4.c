/* The IPv4 header. */
#include <string.h>

#include "support/test.h"
#include "wire/ipv4.h"

static const struct hv_ipv4_header sample = {
	.total_length = 40,
	.id = 0xbeef,
	.fragment_offset = 1480,
	.more_fragments = true,
	.ttl = 64,
	.protocol = 17,
	.traffic_class = 0xb8,
};

static void write_sample(uint8_t *p)
{
	const uint8_t a[] = {10, 0, 2, 100}, b[] = {10, 0, 2, 2};
	struct hv_ipv4_header header = sample;

	header.src = hv_addr_v4(a);
	header.dst = hv_addr_v4(b);
	hv_wire_ipv4_write(p, &header);
}

static void reads_what_was_written(void **state)
{
	uint8_t p[60] = {0};
	struct hv_ipv4_header out;

	(void)state;
	write_sample(p);
	assert_int_equal(hv_wire_ipv4_parse(p, 46, true, &out), HV_DROP_COUNT);
	assert_int_equal(out.total_length, 40);
	assert_int_equal(out.header_length, 20);
	assert_int_equal(out.id, 0xbeef);
	assert_int_equal(out.fragment_offset, 1480);
	assert_true(out.more_fragments);
	assert_false(out.dont_fragment);
	assert_true(hv_ipv4_is_fragment(&out));
	assert_int_equal(out.ttl, 64);
	assert_int_equal(out.protocol, 17);
	assert_int_equal(out.traffic_class, 0xb8);
	assert_int_equal(out.src.b[15], 100);
	assert_int_equal(out.dst.b[15], 2);
	assert_true(hv_addr_is_v4(&out.src));
}

static void lengths_that_lie_are_refused(void **state)
{
	struct hv_ipv4_header out;
	uint8_t p[60] = {0};

	(void)state;
	for (uint32_t size = 0; size < 40; size++) {
		write_sample(p);
		assert_int_equal(hv_wire_ipv4_parse(p, size, true, &out), HV_DROP_IP_HEADER);
	}
	write_sample(p);
	p[0] = 0x44;
	assert_int_equal(hv_wire_ipv4_parse(p, 60, false, &out), HV_DROP_IP_HEADER);
	p[0] = 0x4f; /* 60 bytes of header in 40 */
	assert_int_equal(hv_wire_ipv4_parse(p, 60, false, &out), HV_DROP_IP_HEADER);
	p[0] = 0x65;
	assert_int_equal(hv_wire_ipv4_parse(p, 60, false, &out), HV_DROP_IP_HEADER);
	write_sample(p);
	hv_put16(p + 2, 19);
	assert_int_equal(hv_wire_ipv4_parse(p, 60, false, &out), HV_DROP_IP_HEADER);
}

static void every_flipped_bit_is_seen(void **state)
{
	struct hv_ipv4_header out;
	uint8_t p[60] = {0};

	(void)state;
	for (unsigned bit = 0; bit < 160; bit++) {
		write_sample(p);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hv_wire_ipv4_parse(p, 60, true, &out), HV_DROP_COUNT);
	}
	write_sample(p);
	p[10] ^= 1;
	assert_int_equal(hv_wire_ipv4_parse(p, 60, true, &out), HV_DROP_IP_CHECKSUM);
	assert_int_equal(hv_wire_ipv4_parse(p, 60, false, &out), HV_DROP_COUNT);
}

static void quotations_may_be_cut_short(void **state)
{
	struct hv_ipv4_header out;
	uint8_t p[60] = {0};

	(void)state;
	write_sample(p);
	assert_true(hv_wire_ipv4_parse_quote(p, 28, &out));
	assert_int_equal(out.total_length, 40);
	assert_true(hv_wire_ipv4_parse_quote(p, 20, &out));
	assert_false(hv_wire_ipv4_parse_quote(p, 19, &out));
	p[0] = 0x46;
	assert_false(hv_wire_ipv4_parse_quote(p, 20, &out));
}

static void source_routes_are_refused(void **state)
{
	static const struct {
		uint8_t options[8];
		int verdict;
	} cases[] = {
		{{0}, HV_DROP_COUNT},
		{{1, 1, 1, 0, 131, 3, 4}, HV_DROP_COUNT},    /* after the end */
		{{148, 4, 0, 0, 1, 1, 1, 1}, HV_DROP_COUNT}, /* router alert */
		{{1, 131, 3, 4, 0}, HV_DROP_IP_OPTIONS},
		{{137, 3, 4, 0}, HV_DROP_IP_OPTIONS},
		{{1, 1, 1, 1, 1, 1, 1, 7}, HV_DROP_IP_OPTIONS}, /* no length */
		{{7, 0, 0, 0}, HV_DROP_IP_OPTIONS},
		{{7, 1, 0, 0}, HV_DROP_IP_OPTIONS},
		{{7, 9, 0, 0}, HV_DROP_IP_OPTIONS},
	};
	uint8_t p[28] = {0};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		memcpy(p + 20, cases[i].options, 8);
		assert_int_equal(hv_wire_ipv4_options(p, 28), cases[i].verdict);
	}
	assert_int_equal(hv_wire_ipv4_options(p, 20), HV_DROP_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(every_flipped_bit_is_seen),
		cmocka_unit_test(quotations_may_be_cut_short),
		cmocka_unit_test(source_routes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
