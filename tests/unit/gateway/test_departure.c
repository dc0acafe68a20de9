/* What a guest's datagram becomes for the host: which may be fragmented, and their hop limit. */
#include "gateway/udp.h"
#include "support/test.h"

static struct hv_udp_departure depart(const char *address, size_t size, uint16_t gso_size,
				      bool dont_fragment, uint8_t hop_limit)
{
	static const uint8_t data[65507];
	struct haven_datagram datagram = {
		.data = data,
		.size = size,
		.gso_size = gso_size,
		.dont_fragment = dont_fragment,
		.hop_limit = hop_limit,
	};
	struct hv_udp_departure departure;

	assert_true(hv_address_parse(address, datagram.source.address));
	assert_true(hv_address_parse(address, datagram.destination.address));
	hv_udp_departure_of(&datagram, &datagram.destination, &departure);
	assert_ptr_equal(departure.data, data);
	assert_int_equal(departure.size, size);
	assert_int_equal(departure.gso_size, gso_size);
	return departure;
}

static void only_what_ethernet_carries_is_kept_whole(void **state)
{
	static const struct {
		const char *address;
		size_t size;
		uint16_t gso_size;
		bool asked, kept;
	} cases[] = {
		{"192.0.2.1", 1, 0, true, true},	 {"192.0.2.1", 1472, 0, true, true},
		{"192.0.2.1", 1473, 0, true, false},	 {"192.0.2.1", 65507, 0, true, false},
		{"192.0.2.1", 1472, 0, false, false},	 {"192.0.2.1", 60000, 1472, true, true},
		{"192.0.2.1", 60000, 9000, true, false}, {"2001:db8::1", 1452, 0, true, true},
		{"2001:db8::1", 1453, 0, true, false},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++)
		assert_int_equal(depart(cases[i].address, cases[i].size, cases[i].gso_size,
					cases[i].asked, 64)
					 .dont_fragment,
				 cases[i].kept);
}

static void the_gateway_is_a_hop(void **state)
{
	(void)state;
	assert_int_equal(depart("192.0.2.1", 1, 0, false, 64).hop_limit, 0);
	assert_int_equal(depart("192.0.2.1", 1, 0, false, 255).hop_limit, 254);
	assert_int_equal(depart("192.0.2.1", 1, 0, false, 2).hop_limit, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_ethernet_carries_is_kept_whole),
		cmocka_unit_test(the_gateway_is_a_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
