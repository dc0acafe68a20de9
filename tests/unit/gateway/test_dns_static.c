/* Names that haven itself knows. */
#include <stdio.h>
#include <string.h>

#include "dns_build.h"
#include "gateway/dns_answer.h"
#include "gateway/dns_static.h"

/* --- --host-name ------------------------------------------------------------------------- */

static void names_are_parsed(void **state)
{
	static const struct {
		const char *text, *name, *address;
	} good[] = {
		{"db.example.org=192.0.2.1", "db.example.org", "192.0.2.1"},
		{"DB.Example.ORG.=2001:db8::1", "db.example.org", "2001:db8::1"},
		{"db=10.0.0.1", "db", "10.0.0.1"},
		{"_x-1.test=0.0.0.0", "_x-1.test", "0.0.0.0"},
	};
	char error[256], text[HV_ENDPOINT_TEXT];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct hv_dns_static_name name;

		assert_true(hv_dns_static_parse(good[i].text, &name, error, sizeof(error)));
		assert_string_equal(name.name, good[i].name);
		assert_string_equal(hv_address_text(name.address, text), good[i].address);
	}
}

static void wrong_names_say_why(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"", "'' is not NAME=ADDR"},
		{"db", "'db' is not NAME=ADDR"},
		{"=192.0.2.1", "'' is not the name of a host"},
		{".=192.0.2.1", "'' is not the name of a host"},
		{"a..b=192.0.2.1", "'a..b' is not the name of a host"},
		{"a b=192.0.2.1", "'a b' is not the name of a host"},
		{"*.a=192.0.2.1", "'*.a' is not the name of a host"},
		{"a..=192.0.2.1", "'a.' is not the name of a host"},
		{"a=b", "'b' is neither an IPv4 nor an IPv6 address"},
		{"a=192.0.2.1=", "'192.0.2.1=' is neither an IPv4 nor an IPv6 address"},
		{"a=", "'' is neither an IPv4 nor an IPv6 address"},
	};
	struct hv_dns_static_name name;
	char error[256];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		assert_false(hv_dns_static_parse(bad[i].text, &name, error, sizeof(error)));
		assert_string_equal(error, bad[i].error);
	}
}

static void longest_names(void **state)
{
	struct hv_dns_static_name name;
	char text[300], error[256];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (unsigned i = 63; i < 253; i += 64)
		text[i] = '.';
	snprintf(text + 253, sizeof(text) - 253, "=192.0.2.1");
	assert_true(hv_dns_static_parse(text, &name, error, sizeof(error)));
	assert_int_equal(strlen(name.name), 253);
	text[63] = 'a'; /* a label of 127 */
	assert_false(hv_dns_static_parse(text, &name, error, sizeof(error)));
	text[63] = '.';
	snprintf(text + 253, sizeof(text) - 253, "a=192.0.2.1");
	assert_false(hv_dns_static_parse(text, &name, error, sizeof(error)));
}

/* --- answers ----------------------------------------------------------------------------- */

static struct hv_network network;
static struct hv_dns_static names;
static uint8_t out[HV_DNS_MESSAGE_MAX];
static struct build q;
static char told[1024];
static bool host_has_address;

static bool host_address(const struct hv_network_family *family, bool v4, uint8_t address[16])
{
	assert_ptr_equal(family, v4 ? &network.v4 : &network.v6);
	assert_true(hv_address_parse(v4 ? "198.51.100.1" : "2001:db8::66", address));
	return host_has_address;
}

static int set_up(void **state)
{
	static struct hv_dns_static_name list[4];
	static const char *const texts[] = {"db.test=192.0.2.1", "db.test=2001:db8::1",
					    "db.test=192.0.2.2", "four.haven=192.0.2.4"};
	char error[256];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(list); i++)
		assert_true(hv_dns_static_parse(texts[i], &list[i], error, sizeof(error)));
	memset(&network, 0, sizeof(network));
	network.v4.enabled = network.v6.enabled = true;
	host_has_address = true;
	names = (struct hv_dns_static){.names = list,
				       .count = TEST_COUNT(list),
				       .network = &network,
				       .host_address = host_address};
	return 0;
}

static void tell(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s)
{
	char text[HV_ENDPOINT_TEXT];
	size_t length = strlen(told);

	(void)user;
	snprintf(told + length, sizeof(told) - length, "%s %s %u\n", name,
		 hv_address_text(address, text), ttl_s);
}

/* What is answered, as "RCODE n records" and the addresses that a watcher is told; "" for nothing. */
static const char *answer(const char *name, uint16_t type)
{
	struct hv_dns_question question;
	char text[1024] = "";
	size_t size;

	begin_message(&q, 1, 0x0100, name, type);
	assert_true(hv_dns_question_parse(&question, q.bytes, q.size));
	size = hv_dns_static_answer(&names, &question, out);
	told[0] = '\0';
	if (size == 0)
		return "";
	assert_true(hv_dns_answers(out, size, q.bytes, question.end));
	snprintf(text, sizeof(text), "%u %u\n", (unsigned)hv_dns_rcode(out),
		 (unsigned)hv_dns_get16(out + 6));
	hv_dns_answer_read(out, size, tell, NULL);
	strncat(text, told, sizeof(text) - strlen(text) - 1);
	memcpy(told, text, sizeof(told));
	return told;
}

static void given_names(void **state)
{
	(void)state;
	assert_string_equal(answer("db.test", HV_DNS_A),
			    "0 2\ndb.test 192.0.2.1 60\ndb.test 192.0.2.2 60\n");
	assert_string_equal(answer("DB.Test", HV_DNS_AAAA), "0 1\ndb.test 2001:db8::1 60\n");
	assert_string_equal(answer("db.test", 15), "0 0\n"); /* MX: no data */
	assert_string_equal(answer("test", HV_DNS_A), "");
	assert_string_equal(answer("x.db.test", HV_DNS_A), "");
}

static void any_is_refused_kindly(void **state)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record;

	(void)state;
	assert_string_equal(answer("db.test", HV_DNS_ANY), "0 1\n");
	assert_true(hv_dns_read_begin(&reader, out, sizeof(out)));
	assert_true(hv_dns_read_next(&reader, &record));
	assert_int_equal(record.type, HV_DNS_HINFO);
	assert_int_equal(record.data_size, 9);
	assert_memory_equal(out + record.data_at, "\7RFC8482\0", 9);
}

static void host_by_its_address(void **state)
{
	(void)state;
	assert_string_equal(answer("host.haven", HV_DNS_A),
			    "0 1\nhost.haven 198.51.100.1 60\n");
	assert_string_equal(answer("Host.HAVEN", HV_DNS_AAAA),
			    "0 1\nhost.haven 2001:db8::66 60\n");
	host_has_address = false;
	assert_string_equal(answer("host.haven", HV_DNS_A), "0 0\n");
	assert_string_equal(answer("host.haven", 16), "0 0\n");
	host_has_address = true;
	network.v6.enabled = false;
	assert_string_equal(answer("host.haven", HV_DNS_AAAA), "0 0\n");
}

static void host_by_its_loopback(void **state)
{
	(void)state;
	network.v4.has_host_loopback = true;
	assert_true(hv_address_parse("10.0.2.2", network.v4.host_loopback));
	assert_string_equal(answer("host.haven", HV_DNS_A), "0 1\nhost.haven 10.0.2.2 60\n");
	assert_string_equal(answer("host.haven", HV_DNS_AAAA),
			    "0 1\nhost.haven 2001:db8::66 60\n");
}

static void nothing_else_in_haven(void **state)
{
	(void)state;
	assert_string_equal(answer("x.haven", HV_DNS_A), "3 0\n");
	assert_string_equal(answer("x.host.haven", HV_DNS_A), "3 0\n");
	assert_string_equal(answer("haven", HV_DNS_A), "0 0\n");
	assert_string_equal(answer("four.haven", HV_DNS_A), "0 1\nfour.haven 192.0.2.4 60\n");
	assert_string_equal(answer("four.haven", HV_DNS_AAAA), "0 0\n");
	assert_string_equal(answer("haven.test", HV_DNS_A), "");
	/* Also not under names that are none of hosts. */
	assert_string_equal(answer("a b.haven", HV_DNS_A), "3 0\n");
}

static void other_classes_and_opcodes(void **state)
{
	struct hv_dns_question question;

	(void)state;
	begin_message(&q, 1, 0x0100, "host.haven", HV_DNS_A);
	q.bytes[q.size - 1] = 3; /* CHAOS */
	assert_true(hv_dns_question_parse(&question, q.bytes, q.size));
	assert_int_equal(hv_dns_static_answer(&names, &question, out), question.end);
	assert_int_equal(hv_dns_rcode(out), HV_DNS_NOERROR);
	begin_message(&q, 1, 0x2800, "host.haven", HV_DNS_SOA); /* UPDATE */
	assert_true(hv_dns_question_parse(&question, q.bytes, q.size));
	assert_int_equal(hv_dns_static_answer(&names, &question, out), question.end);
	assert_int_equal(hv_dns_rcode(out), HV_DNS_NOTIMP);
}

/* Whatever this machine has: none that the guest cannot reach. */
static void address_of_this_host(void **state)
{
	uint8_t address[16];

	(void)state;
	for (unsigned v4 = 0; v4 < 2; v4++) {
		struct hv_network_family family = {.enabled = true, .prefix = v4 ? 24 : 64};

		assert_true(hv_address_parse(v4 ? "10.0.2.2" : "fd00::2", family.gateway));
		if (!hv_dns_static_host_address(&family, v4, address))
			continue;
		assert_true(hv_address_is_v4(address) == (v4 == 1));
		assert_false(hv_address_is_loopback(address));
		assert_false(hv_address_is_link_local6(address));
		/* Of a guest in the same network, it is not reachable. */
		memcpy(family.gateway, address, 16);
		family.prefix = 0;
		assert_false(hv_dns_static_host_address(&family, v4, address));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_parsed),
		cmocka_unit_test(wrong_names_say_why),
		cmocka_unit_test(longest_names),
		cmocka_unit_test_setup(given_names, set_up),
		cmocka_unit_test_setup(any_is_refused_kindly, set_up),
		cmocka_unit_test_setup(host_by_its_address, set_up),
		cmocka_unit_test_setup(host_by_its_loopback, set_up),
		cmocka_unit_test_setup(nothing_else_in_haven, set_up),
		cmocka_unit_test_setup(other_classes_and_opcodes, set_up),
		cmocka_unit_test(address_of_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
