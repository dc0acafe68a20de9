/* Handshakes: versions, ciphers, protocols, bytes in any portion. */
#include "tls/pair.h"

#include <string.h>

static void test_connects(void **state)
{
	struct pair p;
	struct haven_tls_info info;

	(void)state;
	pair_init(&p);
	pair_connect(&p, "a.test");
	info = info_of(&p, CLIENT);
	assert_int_equal(info.version, HAVEN_TLS_1_3);
	assert_string_equal(info.version_name, "TLSv1.3");
	assert_string_equal(info.cipher, "TLS_AES_256_GCM_SHA384");
	assert_string_equal(info.group, "x25519");
	assert_string_equal(info.alpn, "");
	assert_true(info.verified);
	assert_false(info.resumed);
	assert_int_equal(info.certificate_count, 1);
	assert_string_equal(info_of(&p, SERVER).server_name, "a.test");
	assert_false(info_of(&p, SERVER).verified);
	expect_message(&p, CLIENT, "hello, server");
	expect_message(&p, SERVER, "hello, client");
	pair_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
