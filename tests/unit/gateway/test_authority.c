/* The local authority: made once, sound certificates, and what it refuses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/authority.h"
#include "gateway/certificate.h"
#include "support/certificates.h"
#include "support/test.h"

#define OPENERS 12
#define DAY	86400

static char place[32];
static char error[HV_AUTHORITY_ERROR];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/data/haven/%s", place, name);
	return path;
}

static int begin(void **state)
{
	static char data[64];

	(void)state;
	snprintf(place, sizeof(place), "/tmp/haven-test-XXXXXX");
	if (!mkdtemp(place))
		return -1;
	snprintf(data, sizeof(data), "%s/data", place);
	return setenv("XDG_DATA_HOME", data, 1);
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	return system(command); /* NOLINT(cert-env33-c) */
}

static struct hv_authority *open_one(void)
{
	struct hv_authority *authority = NULL;

	error[0] = '\0';
	if (hv_authority_open(&authority, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	return authority;
}

static void assert_refused(int code, const char *said)
{
	struct hv_authority *authority = NULL;

	error[0] = '\0';
	assert_int_equal(hv_authority_open(&authority, error, sizeof(error)), code);
	assert_null(authority);
	if (!strstr(error, said))
		fail_msg("'%s' is not in '%s'", said, error);
	assert_null(strchr(error, '\n'));
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static char *read_file(const char *name)
{
	static char text[16384];
	FILE *file = fopen(path_of(name), "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static mode_t mode_of(const char *name)
{
	struct stat file;

	assert_int_equal(stat(path_of(name), &file), 0);
	return file.st_mode & 07777;
}

/* --- made once ------------------------------------------------------------------------------ */

static void it_is_made_once_and_for_its_user_only(void **state)
{
	struct hv_authority *authority = open_one();
	struct hv_authority_info first, second;
	char old[sizeof(first.sha256)];

	(void)state;
	assert_int_equal(mode_of("ca.key"), 0600);
	assert_int_equal(mode_of("ca.pem"), 0600);
	assert_int_equal(mode_of(""), 0700);
	assert_int_equal(mode_of(".."), 0700);
	hv_authority_info(authority, &first);
	assert_string_equal(first.path, path_of("ca.pem"));
	assert_string_equal(first.pem, read_file("ca.pem"));
	assert_int_equal(strlen(first.sha256), 95);
	memcpy(old, first.sha256, sizeof(old));
	hv_authority_close(authority);

	authority = open_one();
	hv_authority_info(authority, &second);
	assert_string_equal(second.sha256, old);
	hv_authority_close(authority);
	hv_authority_close(NULL);
}

static void without_xdg_it_is_in_the_home(void **state)
{
	struct hv_authority *authority;
	struct hv_authority_info info;
	char wanted[128];

	(void)state;
	setenv("XDG_DATA_HOME", "not/absolute", 1);
	setenv("HOME", place, 1);
	authority = open_one();
	hv_authority_info(authority, &info);
	snprintf(wanted, sizeof(wanted), "%s/.local/share/haven/ca.pem", place);
	assert_string_equal(info.path, wanted);
	hv_authority_close(authority);
}

/* Opens when `start` is closed, and tells which it got. */
static void opener(int start, int answer)
{
	struct hv_authority *authority;
	struct hv_authority_info info;
	char byte;

	if (read(start, &byte, 1) != 0 ||
	    hv_authority_open(&authority, error, sizeof(error)) < 0)
		_exit(1);
	hv_authority_info(authority, &info);
	_exit(write(answer, info.sha256, sizeof(info.sha256)) != sizeof(info.sha256));
}

static void processes_at_once_get_the_same(void **state)
{
	char first[HV_AUTHORITY_FINGERPRINT_MAX] = "", other[HV_AUTHORITY_FINGERPRINT_MAX];
	int start[2], answer[2], status;

	(void)state;
	assert_int_equal(pipe(start), 0);
	assert_int_equal(pipe(answer), 0);
	for (unsigned i = 0; i < OPENERS; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			close(start[1]);
			opener(start[0], answer[1]);
		}
	}
	close(start[1]);
	close(start[0]);
	for (unsigned i = 0; i < OPENERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
		assert_int_equal(read(answer[0], other, sizeof(other)), sizeof(other));
		if (i == 0)
			memcpy(first, other, sizeof(first));
		assert_string_equal(first, other);
	}
	close(answer[0]);
	close(answer[1]);
}

static void one_that_is_renewed_meanwhile_is_whole(void **state)
{
	struct hv_authority *authority = open_one();
	pid_t child = fork();
	int status = 1;

	(void)state;
	hv_authority_close(authority);
	if (child == 0) {
		for (unsigned i = 0; i < 50; i++) {
			if (hv_authority_renew(NULL, 0, &authority, error, sizeof(error)) < 0)
				_exit(1);
			hv_authority_close(authority);
		}
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0)
		hv_authority_close(open_one());
	assert_int_equal(status, 0);
}

static void a_run_that_was_killed_is_made_up_for(void **state)
{
	(void)state;
	hv_authority_close(open_one());
	assert_int_equal(unlink(path_of("ca.pem")), 0);
	write_file("ca.key", "half a ke", 0600);
	write_file("ca.key.new", "half a ke", 0644);
	write_file("ca.pem.new", "half a certifica", 0644);
	hv_authority_close(open_one());
	assert_int_equal(mode_of("ca.key"), 0600);
	assert_int_equal(access(path_of("ca.pem.new"), F_OK), -1);
}

static void renewing_keeps_the_old_one(void **state)
{
	struct hv_authority *authority = open_one();
	struct hv_authority_info info;
	char *old = strdup(read_file("ca.pem"));

	(void)state;
	hv_authority_close(authority);
	write_file("ca.key", "damaged", 0644);
	assert_int_equal(hv_authority_renew(NULL, 0, &authority, error, sizeof(error)), 0);
	hv_authority_info(authority, &info);
	assert_string_not_equal(info.pem, old);
	assert_string_equal(read_file("ca.pem"), info.pem);
	assert_string_equal(read_file("ca.pem.old"), old);
	assert_string_equal(read_file("ca.key.old"), "damaged");
	hv_authority_close(authority);
	hv_authority_close(open_one());
	free(old);
}

/* --- what it signs -------------------------------------------------------------------------- */

static X509 *certificate_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(certificate);
	BIO_free(bio);
	return certificate;
}

/* X509_V_OK, or what is wrong with it as a server's certificate of `name`. */
static int verify(X509 *leaf, X509 *trusted, const char *name)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int result;

	if (trusted)
		X509_STORE_add_cert(store, trusted);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	if (strchr(name, ':') || (name[0] >= '0' && name[0] <= '9'))
		X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else
		X509_VERIFY_PARAM_set1_host(param, name, 0);
	X509_verify_cert(context);
	result = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return result;
}

static void certificates_verify_for_their_names(void **state)
{
	static const char *const names[] = {"localhost", "a.TEST.", "*.b.test", "127.0.0.1",
					    "2001:db8::1"};
	struct hv_authority *authority = open_one();
	struct hv_authority_info info;
	struct hv_authority_leaf leaf;
	X509 *trusted, *certificate;
	BIO *bio;
	EVP_PKEY *key;

	(void)state;
	hv_authority_info(authority, &info);
	trusted = certificate_of(info.pem);
	assert_int_equal(hv_authority_issue(authority, names, TEST_COUNT(names), &leaf, error,
					    sizeof(error)),
			 0);
	certificate = certificate_of(leaf.chain);
	assert_int_equal(verify(certificate, trusted, "localhost"), X509_V_OK);
	assert_int_equal(verify(certificate, trusted, "a.test"), X509_V_OK);
	assert_int_equal(verify(certificate, trusted, "x.b.test"), X509_V_OK);
	assert_int_equal(verify(certificate, trusted, "127.0.0.1"), X509_V_OK);
	assert_int_equal(verify(certificate, trusted, "2001:db8:0::1"), X509_V_OK);
	assert_int_equal(verify(certificate, trusted, "b.test"), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(certificate, trusted, "127.0.0.2"),
			 X509_V_ERR_IP_ADDRESS_MISMATCH);
	assert_int_equal(verify(certificate, NULL, "localhost"),
			 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	bio = BIO_new_mem_buf(leaf.key, -1);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	assert_int_equal(X509_check_private_key(certificate, key), 1);
	BIO_free(bio);
	EVP_PKEY_free(key);
	X509_free(certificate);
	X509_free(trusted);
	hv_authority_leaf_free(&leaf);
	assert_null(leaf.key);
	hv_authority_leaf_free(&leaf);
	hv_authority_close(authority);
}

static void assert_sound(X509 *certificate, int authority)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	char group[32] = "";
	size_t size;

	assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
	assert_true(ASN1_STRING_length(X509_get0_serialNumber(certificate)) >= 15);
	EVP_PKEY_get_group_name(key, group, sizeof(group), &size);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_check_ca(certificate), authority);
	assert_non_null(X509_get0_subject_key_id(certificate));
	assert_non_null(X509_get0_authority_key_id(certificate));
	assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
}

static void certificates_are_what_clients_ask_for(void **state)
{
	static const char *const names[] = {"127.0.0.1"};
	struct hv_authority *authority = open_one();
	struct hv_authority_info info;
	struct hv_authority_leaf leaf;
	int64_t now = (int64_t)time(NULL), begins;
	X509 *certificate;

	(void)state;
	hv_authority_info(authority, &info);
	certificate = certificate_of(info.pem);
	assert_sound(certificate, 1);
	assert_int_equal(X509_get_pathlen(certificate), 0);
	assert_int_equal(X509_get_key_usage(certificate), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_true(info.not_before < now - DAY / 2 && info.not_before > now - 2 * DAY);
	assert_true(info.not_after > now + 3650LL * DAY);
	assert_non_null(strstr(info.subject, "CN=haven "));
	X509_free(certificate);

	assert_int_equal(hv_authority_issue(authority, names, 1, &leaf, error, sizeof(error)),
			 0);
	certificate = certificate_of(leaf.chain);
	assert_sound(certificate, 0);
	assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
	begins = hv_certificate_time(X509_get0_notBefore(certificate));
	assert_true(begins < now && begins > now - DAY);
	assert_int_equal(hv_certificate_time(X509_get0_notAfter(certificate)), leaf.not_after);
	assert_true(leaf.not_after > now + 89LL * DAY &&
		    leaf.not_after - begins <= 397LL * DAY);
	X509_free(certificate);
	hv_authority_leaf_free(&leaf);
	hv_authority_close(authority);
}

static void bad_names_are_told(void **state)
{
	static const char *const bad[] = {
		"",	    "a b",	    "a..test",	"*",	       "*.",
		"a,b.test", "fe80::1%eth0", "x.*.test", "localhost:80"};
	const char *many[HV_AUTHORITY_NAMES_MAX + 1];
	struct hv_authority *authority = open_one();
	struct hv_authority_leaf leaf;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		const char *names[] = {"localhost", bad[i]};

		assert_int_equal(hv_authority_issue(authority, names, 2, &leaf, error,
						    sizeof(error)),
				 -EINVAL);
		assert_non_null(strstr(error, bad[i]));
		assert_null(leaf.chain);
	}
	for (unsigned i = 0; i < TEST_COUNT(many); i++)
		many[i] = "localhost";
	assert_int_equal(hv_authority_issue(authority, many, 0, &leaf, error, sizeof(error)),
			 -EINVAL);
	assert_int_equal(hv_authority_issue(authority, many, TEST_COUNT(many), &leaf, error,
					    sizeof(error)),
			 -EINVAL);
	assert_int_equal(hv_authority_issue(authority, many, TEST_COUNT(many) - 1, &leaf, error,
					    sizeof(error)),
			 0);
	hv_authority_leaf_free(&leaf);
	hv_authority_close(authority);
}

static void only_names_of_this_machine_are_signed(void **state)
{
	static const char *const names[] = {"sub.example.org"}, *const more[] = {"example.org"};
	struct hv_authority *authority = open_one();
	struct hv_authority_leaf leaf;
	char host[256];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_true(hv_authority_covers(authority, host));
	assert_true(hv_authority_covers(authority, "a.localhost"));
	assert_true(hv_authority_covers(authority, "*.test"));
	assert_true(hv_authority_covers(authority, "203.0.113.9"));
	assert_false(hv_authority_covers(authority, "latest"));
	assert_false(hv_authority_covers(authority, "example.org"));
	assert_string_equal(hv_authority_permitted(authority, 0), "localhost");
	assert_null(hv_authority_permitted(authority, 50));
	assert_int_equal(hv_authority_issue(authority, names, 1, &leaf, error, sizeof(error)),
			 -EACCES);
	assert_non_null(strstr(error, "--name sub.example.org"));
	hv_authority_close(authority);

	assert_int_equal(hv_authority_renew(more, 1, &authority, error, sizeof(error)), 0);
	assert_int_equal(hv_authority_issue(authority, names, 1, &leaf, error, sizeof(error)),
			 0);
	hv_authority_leaf_free(&leaf);
	hv_authority_close(authority);
}

/* Who took the key and signs another name with it is not believed. */
static void a_stolen_key_signs_no_other_name(void **state)
{
	static const char *const permitted[] = {"test"};
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	EVP_PKEY *key = hv_certificate_new_key();
	int64_t now = (int64_t)time(NULL);
	X509 *authority = hv_certificate_new_authority(key, permitted, 1, now), *leaf;
	struct hv_certificate_issuer issuer = {authority, key};

	(void)state;
	sk_GENERAL_NAME_push(names, hv_certificate_name("example.org"));
	leaf = hv_certificate_new_leaf(&issuer, key, names, now, now + DAY);
	assert_int_equal(verify(leaf, authority, "example.org"),
			 X509_V_ERR_PERMITTED_VIOLATION);
	X509_free(leaf);
	X509_free(authority);
	EVP_PKEY_free(key);
	GENERAL_NAMES_free(names);
}

/* --- what it refuses ------------------------------------------------------------------------ */

static void what_others_can_reach_is_refused(void **state)
{
	(void)state;
	hv_authority_close(open_one());
	chmod(path_of("ca.key"), 0640);
	assert_refused(-EPERM, "ca.key' (mode 0640)");
	chmod(path_of("ca.key"), 0602);
	assert_refused(-EPERM, "haven ca --renew");
	chmod(path_of("ca.key"), 0400);
	hv_authority_close(open_one());
	chmod(path_of("ca.pem"), 0666);
	assert_refused(-EPERM, "ca.pem' (mode 0666)");
	chmod(path_of("ca.pem"), 0644); /* a certificate is no secret */
	hv_authority_close(open_one());
	chmod(path_of(""), 0775);
	assert_refused(-EPERM, "chmod 700");
}

static void what_belongs_to_others_is_refused(void **state)
{
	char other[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	hv_authority_close(open_one());
	assert_int_equal(chown(path_of("ca.key"), 12345, 12345), 0);
	assert_refused(-EPERM, "belongs to user 12345");
	assert_int_equal(chown(path_of(""), 12345, 12345), 0);
	assert_refused(-EPERM, "belongs to user 12345");
	/* As under sudo -E: a user's home gets nothing of root's. */
	assert_int_equal(chown(place, 12345, 12345), 0);
	snprintf(other, sizeof(other), "%s/other", place);
	setenv("XDG_DATA_HOME", other, 1);
	assert_refused(-EPERM, "as root");
	assert_int_equal(access(other, F_OK), -1);
}

static void write_pair(const struct test_certificate *certificate,
		       const struct test_certificate *key)
{
	char *pem = test_pem(certificate, NULL), *key_pem = test_pem_key(key);

	write_file("ca.pem", pem, 0600);
	write_file("ca.key", key_pem, 0600);
	free(pem);
	free(key_pem);
}

static void dates_count(void **state)
{
	int64_t now = (int64_t)time(NULL);
	struct test_certificate past = test_certificate(
		&(struct test_certificate_options){.name = "past",
						   .ca = true,
						   .not_before = now - 3LL * DAY,
						   .not_after = now - DAY});
	struct test_certificate future = test_certificate(
		&(struct test_certificate_options){.name = "future",
						   .ca = true,
						   .not_before = now + DAY,
						   .not_after = now + 3 * DAY});
	struct test_certificate ending = test_certificate(&(struct test_certificate_options){
		.name = "ending", .ca = true, .not_before = now - DAY, .not_after = now + DAY});
	static const char *const names[] = {"anything.example"};
	struct hv_authority_leaf leaf;
	struct hv_authority *authority;

	(void)state;
	hv_authority_close(open_one());
	write_pair(&past, &past);
	assert_refused(-EKEYEXPIRED, "has expired: 'haven ca --renew'");
	write_pair(&future, &future);
	assert_refused(-EKEYEXPIRED, "clock");
	/* One of somebody's own making, without constraints; what it signs ends with it. */
	write_pair(&ending, &ending);
	authority = open_one();
	assert_null(hv_authority_permitted(authority, 0));
	assert_int_equal(hv_authority_issue(authority, names, 1, &leaf, error, sizeof(error)),
			 0);
	assert_int_equal(leaf.not_after, now + DAY);
	hv_authority_leaf_free(&leaf);
	hv_authority_close(authority);
	test_certificate_free(&past);
	test_certificate_free(&future);
	test_certificate_free(&ending);
}

static void what_does_not_fit_together_is_refused(void **state)
{
	int64_t now = (int64_t)time(NULL);
	struct test_certificate_options options = {.name = "one",
						   .ca = true,
						   .not_before = now - DAY,
						   .not_after = now + DAY};
	struct test_certificate one = test_certificate(&options), two, server, signed_by_one;

	(void)state;
	two = test_certificate(&options);
	options.issuer = &one;
	signed_by_one = test_certificate(&options);
	options.issuer = NULL;
	options.ca = false;
	server = test_certificate(&options);

	hv_authority_close(open_one());
	write_pair(&one, &two);
	assert_refused(-EBADMSG, "not that of the key");
	write_pair(&server, &server);
	assert_refused(-EBADMSG, "no authority's certificate");
	write_pair(&signed_by_one, &signed_by_one);
	assert_refused(-EBADMSG, "not signed by itself");
	write_pair(&one, &one);
	hv_authority_close(open_one());
	unlink(path_of("ca.key"));
	assert_refused(-ENOENT, "is missing");
	test_certificate_free(&one);
	test_certificate_free(&two);
	test_certificate_free(&server);
	test_certificate_free(&signed_by_one);
}

/* Whatever bit of the certificate turns over: refused, never a crash. */
static void damaged_files_are_refused(void **state)
{
	static const char encrypted[] =
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
	char *certificate, *key, *middle;

	(void)state;
	hv_authority_close(open_one());
	certificate = strdup(read_file("ca.pem"));
	key = strdup(read_file("ca.key"));
	for (size_t i = strlen("-----BEGIN CERTIFICATE-----\n"); i < strlen(certificate) - 32;
	     i += 7) {
		char good = certificate[i];

		certificate[i] = good == 'A' ? 'B' : 'A';
		write_file("ca.pem", certificate, 0600);
		assert_refused(-EBADMSG, "haven ca --renew");
		certificate[i] = good;
	}
	write_file("ca.pem", "", 0600);
	assert_refused(-EBADMSG, "is damaged");
	write_file("ca.pem", certificate, 0600);
	write_file("ca.key", encrypted, 0600);
	assert_refused(-EBADMSG, "passphrase");
	middle = key + strlen(key) / 2;
	*middle = '\0';
	write_file("ca.key", key, 0600);
	assert_refused(-EBADMSG, "is damaged");
	free(certificate);
	free(key);
}

static void what_is_no_file_is_refused(void **state)
{
	char *large = malloc(70000);

	(void)state;
	hv_authority_close(open_one());
	memset(large, 'A', 69999);
	large[69999] = '\0';
	write_file("ca.key", large, 0600);
	assert_refused(-EFBIG, "too large");
	free(large);
	unlink(path_of("ca.key"));
	assert_int_equal(mkfifo(path_of("ca.key"), 0600), 0);
	assert_refused(-EPERM, "is no file");
	unlink(path_of("ca.pem"));
	assert_int_equal(mkdir(path_of("ca.pem"), 0700), 0);
	assert_refused(-EPERM, "is no file");
	assert_int_equal(unlink(path_of("ca.lock")), 0);
	assert_int_equal(symlink("/nowhere/else", path_of("ca.lock")), 0);
	assert_refused(-ELOOP, "ca.lock");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_made_once_and_for_its_user_only),
		TEST(without_xdg_it_is_in_the_home),
		TEST(processes_at_once_get_the_same),
		TEST(one_that_is_renewed_meanwhile_is_whole),
		TEST(a_run_that_was_killed_is_made_up_for),
		TEST(renewing_keeps_the_old_one),
		TEST(certificates_verify_for_their_names),
		TEST(certificates_are_what_clients_ask_for),
		TEST(bad_names_are_told),
		TEST(only_names_of_this_machine_are_signed),
		TEST(a_stolen_key_signs_no_other_name),
		TEST(what_others_can_reach_is_refused),
		TEST(what_belongs_to_others_is_refused),
		TEST(dates_count),
		TEST(what_does_not_fit_together_is_refused),
		TEST(damaged_files_are_refused),
		TEST(what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
