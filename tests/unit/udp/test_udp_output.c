/* Datagrams out: header and checksum, batches, sizes, what is copied and what is borrowed. */
#include "udp_fixture.h"

static uint8_t data[70000];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
}

static int output(bool v6, size_t size, uint16_t gso_size)
{
	struct haven_endpoint src = end(v6, 1, 1111), dst = end(v6, 2, 2222);
	struct iovec iov[3] = {{data, size / 3}, {NULL, 0}, {data + size / 3, size - size / 3}};

	f.sent_count = 0;
	return hv_udp_output(&f.udp, &src, &dst, iov, 3, gso_size, 9, 0x28);
}

/* The checksum as the link will complete it: over the header, whose field has the pseudo-header's. */
static void check_partial_sum(bool v6, const uint8_t *udp, uint32_t length)
{
	struct hv_addr src = host(v6, 1), dst = host(v6, 2);
	uint16_t sum = hv_sum_fold(hv_sum_pseudo(&src, &dst, IPPROTO_UDP, length));

	assert_memory_equal(udp + 6, &sum, 2);
}

static void one(bool v6, uint32_t size)
{
	const uint8_t *udp;

	assert_int_equal(output(v6, size, 0), 0);
	assert_int_equal(f.sent_count, 1);
	udp = sent_udp(0);
	assert_int_equal(hv_get16(udp), 1111);
	assert_int_equal(hv_get16(udp + 2), 2222);
	assert_int_equal(hv_get16(udp + 4), 8 + size);
	assert_memory_equal(udp + 8, data, size);
	assert_int_equal(sent[0].gso_type, HV_GSO_NONE);
	assert_int_equal(sent[0].csum, HV_CSUM_PARTIAL);
	check_partial_sum(v6, udp, 8 + size);
	/* Hop limit and traffic class. */
	assert_int_equal(v6 ? sent[0].bytes[7] : sent[0].bytes[8], 9);
	assert_int_equal(v6 ? hv_get16(sent[0].bytes) >> 4 & 0xff : sent[0].bytes[1], 0x28);
}

static void test_one(void **state)
{
	(void)state;
	fill();
	for (int v6 = 0; v6 < 2; v6++) {
		one(v6, 0);
		one(v6, 1);
		one(v6, 512);
		assert_int_equal(sent[0].slices, 0);
		one(v6, 1400);
		assert_int_equal(sent[0].slices, 2);
	}
}

/* More pieces than a packet has slices: copied. */
static void test_many_pieces(void **state)
{
	struct haven_endpoint src = end(false, 1, 1), dst = end(false, 2, 2);
	struct iovec iov[140];

	(void)state;
	fill();
	for (size_t i = 0; i < TEST_COUNT(iov); i++)
		iov[i] = (struct iovec){data + i * 10, 10};
	assert_int_equal(hv_udp_output(&f.udp, &src, &dst, iov, (int)TEST_COUNT(iov), 0, 0, 0),
			 0);
	assert_int_equal(sent[0].slices, 0);
	assert_memory_equal(sent_udp(0) + 8, data, 1400);
	/* As a batch: whole datagrams in each packet, from any pieces. */
	f.sent_count = 0;
	assert_int_equal(hv_udp_output(&f.udp, &src, &dst, iov, (int)TEST_COUNT(iov), 300, 0,
				       0),
			 0);
	assert_int_equal(f.sent_count, 1);
	assert_int_equal(sent[0].gso_size, 300);
	assert_memory_equal(sent_udp(0) + 8, data, 1400);
}

static void batch(bool v6, size_t total, uint16_t gso_size, unsigned packets)
{
	size_t got = 0;
	uint64_t before = f.udp.datagrams_out;

	assert_int_equal(output(v6, total, gso_size), 0);
	assert_int_equal(f.sent_count, packets);
	assert_int_equal(f.udp.datagrams_out - before, (total + gso_size - 1) / gso_size);
	for (unsigned i = 0; i < packets; i++) {
		const uint8_t *udp = sent_udp(i);
		size_t size = sent[i].size - (v6 ? 40 : 20) - 8;

		assert_int_equal(hv_get16(udp + 4), 8 + size);
		assert_memory_equal(udp + 8, data + got, size);
		assert_int_equal(sent[i].gso_type, size > gso_size ? HV_GSO_UDP : HV_GSO_NONE);
		assert_int_equal(sent[i].gso_size, size > gso_size ? gso_size : 0);
		if (i + 1 < packets)
			assert_int_equal(size % gso_size, 0);
		got += size;
	}
	assert_int_equal(got, total);
}

static void test_batches(void **state)
{
	(void)state;
	fill();
	for (int v6 = 0; v6 < 2; v6++) {
		batch(v6, 12000, 1200, 1);
		batch(v6, 12001, 1200, 1);
		batch(v6, 1200, 1200, 1);
		batch(v6, 100, 1200, 1);
		batch(v6, 64400, 1400, 1);
		batch(v6, 64401, 1400, 2);
		batch(v6, 70000, 1400, 2);
	}
}

/* Larger than the MTU: one by one, each in fragments. */
static void test_batch_of_fragments(void **state)
{
	(void)state;
	fill();
	assert_int_equal(output(false, 6000, 3000), 0);
	assert_int_equal(f.sent_count, 6);
}

static void test_refused(void **state)
{
	struct haven_endpoint src = end(false, 1, 1), six = end(true, 2, 2);
	struct haven_endpoint no_port = end(false, 2, 0), far = end(false, 2, 2);
	struct iovec iov = {data, 10};

	(void)state;
	assert_int_equal(output(false, 65508, 0), -EMSGSIZE);
	assert_int_equal(output(true, 65528, 0), -EMSGSIZE);
	assert_int_equal(output(false, 66000, 65508), -EMSGSIZE);
	assert_int_equal(hv_udp_output(&f.udp, &src, &six, &iov, 1, 0, 0, 0), -EINVAL);
	assert_int_equal(hv_udp_output(&f.udp, &src, &no_port, &iov, 1, 0, 0, 0), -EINVAL);
	far.address[12] = 77;
	assert_int_equal(hv_udp_output(&f.udp, &src, &far, &iov, 1, 0, 0, 0), -ENETUNREACH);
	assert_int_equal(hv_udp_output(&f.udp, &src, &far, &iov, 1, 3, 0, 0), -ENETUNREACH);
	assert_int_equal(f.sent_count, 0);
	test_env_fail(&f.env, 1);
	hv_packet_pool_clear(&f.core);
	far = end(false, 2, 2);
	assert_int_equal(hv_udp_output(&f.udp, &src, &far, &iov, 1, 0, 0, 0), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_one),	    FIXTURE_TEST(test_many_pieces),
		FIXTURE_TEST(test_batches), FIXTURE_TEST(test_batch_of_fragments),
		FIXTURE_TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
