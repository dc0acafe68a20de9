/* Files of certificates and keys: read, noticed when they change, and what is said about them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/tls_identity.h"
#include "support/certificates.h"
#include "support/test.h"

static char folder[] = "/tmp/haven-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, 128, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* NAME.pem and NAME.key; valid as certificates of tests are. */
static void make_pair(const char *name)
{
	struct test_certificate made = test_certificate(
		&(struct test_certificate_options){.name = name, .names = "DNS:a.test"});
	char *chain = test_pem(&made, NULL), *key = test_pem_key(&made);
	char file[64];

	snprintf(file, sizeof(file), "%s.pem", name);
	write_file(file, chain);
	snprintf(file, sizeof(file), "%s.key", name);
	write_file(file, key);
	free(chain);
	free(key);
	test_certificate_free(&made);
}

static void a_pair_is_read_with_its_names(void **state)
{
	struct hv_tls_pair pairs[] = {{path_of("one.pem"), path_of("one.key")},
				      {path_of("one.pem"), NULL}};
	char error[512] = "", wanted[512];
	struct hv_tls_set set;

	(void)state;
	assert_int_equal(hv_tls_set_read(pairs, 2, &set, error, sizeof(error)), 0);
	assert_int_equal(set.count, 2);
	assert_memory_equal(set.identities[0].chain, "-----BEGIN CERTIFICATE", 22);
	assert_memory_equal(set.identities[0].key, "-----BEGIN PRIVATE KEY", 22);
	snprintf(wanted, sizeof(wanted), "'%s' with key '%s'", pairs[0].certificate,
		 pairs[0].key);
	assert_string_equal(set.identities[0].label, wanted);
	assert_null(set.identities[1].key);
	snprintf(wanted, sizeof(wanted), "'%s'", pairs[1].certificate);
	assert_string_equal(set.identities[1].label, wanted);
	hv_tls_set_free(&set);
	hv_tls_set_free(&set);
}

static void what_cannot_be_read_is_named(void **state)
{
	const struct {
		struct hv_tls_pair pair;
		const char *named, *why;
	} cases[] = {
		{{path_of("none.pem"), NULL}, path_of("none.pem"), "No such file"},
		{{path_of("one.pem"), path_of("none.key")},
		 path_of("none.key"),
		 "No such file"},
		{{folder, NULL}, folder, "Is a directory"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char error[512] = "", wanted[256];
		struct hv_tls_set set;

		assert_true(hv_tls_set_read(&cases[i].pair, 1, &set, error, sizeof(error)) < 0);
		snprintf(wanted, sizeof(wanted), "cannot read '%s': %s", cases[i].named,
			 cases[i].why);
		assert_memory_equal(error, wanted, strlen(wanted));
	}
}

static void a_file_that_has_no_end_is_not_read(void **state)
{
	struct hv_tls_file file;
	char error[512];

	(void)state;
	assert_true(hv_tls_file_read("/dev/zero", &file, error, sizeof(error)) < 0);
	assert_string_equal(error, "cannot read '/dev/zero': File too large");
	hv_tls_file_free(&file);
}

static void changes_are_noticed_and_nothing_else(void **state)
{
	struct hv_tls_pair pair = {path_of("one.pem"), path_of("one.key")};
	struct hv_tls_set set;
	char error[512];

	(void)state;
	assert_int_equal(hv_tls_set_read(&pair, 1, &set, error, sizeof(error)), 0);
	hv_tls_set_forget(&set);
	assert_false(hv_tls_set_changed(&pair, &set));

	/* By another file that takes the name, and back by the first. */
	make_pair("two");
	assert_int_equal(rename(pair.key, path_of("kept.key")), 0);
	assert_true(hv_tls_set_changed(&pair, &set));
	assert_int_equal(rename(path_of("two.key"), pair.key), 0);
	assert_true(hv_tls_set_changed(&pair, &set));
	assert_int_equal(rename(path_of("kept.key"), pair.key), 0);
	hv_tls_set_free(&set);

	/* In place, by its size. */
	assert_int_equal(hv_tls_set_read(&pair, 1, &set, error, sizeof(error)), 0);
	write_file("one.pem", "shorter");
	assert_true(hv_tls_set_changed(&pair, &set));
	hv_tls_set_free(&set);
	make_pair("one");
}

static void a_symbolic_link_that_is_switched_is_a_change(void **state)
{
	struct hv_tls_pair pair = {path_of("link/one.pem"), path_of("link/one.key")};
	struct hv_tls_set set;
	char error[512];

	(void)state;
	assert_int_equal(mkdir(path_of("other"), 0700), 0);
	make_pair("other/one");
	assert_int_equal(symlink(folder, path_of("link")), 0);
	assert_int_equal(hv_tls_set_read(&pair, 1, &set, error, sizeof(error)), 0);
	assert_int_equal(symlink("other", path_of("new")), 0);
	assert_int_equal(rename(path_of("new"), path_of("link")), 0);
	assert_true(hv_tls_set_changed(&pair, &set));
	hv_tls_set_free(&set);
}

static void dates_that_clients_refuse_are_told(void **state)
{
	struct hv_tls_pair pair = {path_of("one.pem"), path_of("one.key")};
	char error[512], line[512] = "";
	struct hv_tls_set set;

	(void)state;
	assert_int_equal(hv_tls_set_read(&pair, 1, &set, error, sizeof(error)), 0);
	assert_false(hv_tls_set_dates(&set, 0, TEST_NOW, line, sizeof(line)));
	assert_true(hv_tls_set_dates(&set, 0, TEST_2027 + TEST_DAY, line, sizeof(line)));
	assert_non_null(strstr(line, "has expired on 2027-01-01 00:00:00 UTC"));
	assert_non_null(strstr(line, pair.certificate));
	assert_true(hv_tls_set_dates(&set, 0, TEST_2026 - TEST_DAY, line, sizeof(line)));
	assert_non_null(strstr(line, "is not valid before 2026-01-01 00:00:00 UTC"));
	hv_tls_set_free(&set);
}

static void errors_of_the_engine_name_the_files(void **state)
{
	struct hv_tls_pair pair = {path_of("one.pem"), path_of("two.key")};
	struct haven_tls_context *context;
	struct haven_tls_config config;
	struct haven_tls_error fault;
	struct hv_tls_set set;
	char error[512];

	(void)state;
	make_pair("two");
	assert_int_equal(hv_tls_set_read(&pair, 1, &set, error, sizeof(error)), 0);
	haven_tls_config_init(&config, HAVEN_TLS_SERVER);
	config.identities = set.identities;
	config.identity_count = set.count;
	assert_int_equal(haven_tls_context_create(&config, &context, &fault), -EINVAL);
	snprintf(error, sizeof(error),
		 "'%s' with key '%s': the private key is not that of certificate 'one'",
		 pair.certificate, pair.key);
	assert_string_equal(fault.text, error);
	hv_tls_set_free(&set);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	make_pair("one");
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_read_with_its_names),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(a_file_that_has_no_end_is_not_read),
		cmocka_unit_test(changes_are_noticed_and_nothing_else),
		cmocka_unit_test(a_symbolic_link_that_is_switched_is_a_change),
		cmocka_unit_test(dates_that_clients_refuse_are_told),
		cmocka_unit_test(errors_of_the_engine_name_the_files),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
