/* Server names in what OpenSSL's client says: whole handshakes with OpenSSL's server, in memory. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "names_fixture.h"

static struct names_bytes said; /* by the client */

struct handshake {
	SSL_CTX *client_context, *server_context;
	SSL *client, *server;
};

static void use_certificate(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	assert_non_null(key);
	assert_non_null(certificate);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_true(X509_set_pubkey(certificate, key));
	assert_true(X509_sign(certificate, key, EVP_sha256()));
	assert_true(SSL_CTX_use_certificate(context, certificate));
	assert_true(SSL_CTX_use_PrivateKey(context, key));
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static SSL_CTX *make_context(const SSL_METHOD *method, int version, const char *groups)
{
	SSL_CTX *context = SSL_CTX_new(method);

	assert_non_null(context);
	assert_true(SSL_CTX_set_max_proto_version(context, version));
	assert_true(SSL_CTX_set1_groups_list(context, groups));
	return context;
}

/* The client's first choice of group is X25519; a server of another group has to ask again. */
static void prepare(struct handshake *h, int client_version, int server_version,
		    const char *server_groups)
{
	h->client_context =
		make_context(TLS_client_method(), client_version, "X25519:P-256:P-384");
	h->server_context = make_context(TLS_server_method(), server_version, server_groups);
	use_certificate(h->server_context);
	SSL_CTX_set_max_early_data(h->server_context, 16384);
}

static void start(struct handshake *h, const char *name)
{
	said.size = 0;
	h->client = SSL_new(h->client_context);
	h->server = SSL_new(h->server_context);
	SSL_set_bio(h->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_bio(h->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(h->client);
	SSL_set_accept_state(h->server);
	if (name)
		assert_true(SSL_set_tlsext_host_name(h->client, name));
}

/* As if both had said goodbye: a session that broke off cannot be resumed. */
static void stop(struct handshake *h)
{
	SSL_set_shutdown(h->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_set_shutdown(h->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(h->client);
	SSL_free(h->server);
}

static void end(struct handshake *h)
{
	SSL_CTX_free(h->client_context);
	SSL_CTX_free(h->server_context);
}

/* Carries what one side wrote to the other. */
static void carry(struct handshake *h, bool to_server)
{
	BIO *from = SSL_get_wbio(to_server ? h->client : h->server);
	BIO *to = SSL_get_rbio(to_server ? h->server : h->client);
	static uint8_t buffer[70000];
	int n = BIO_read(from, buffer, sizeof(buffer));

	if (n <= 0)
		return;
	if (to_server)
		names_put(&said, buffer, (size_t)n);
	assert_int_equal(BIO_write(to, buffer, n), n);
}

/* Until both have finished, and the client said something more. */
static void shake_hands(struct handshake *h)
{
	char buffer[16];

	for (unsigned i = 0; i < 10; i++) {
		SSL_do_handshake(h->client);
		carry(h, true);
		SSL_do_handshake(h->server);
		carry(h, false);
	}
	assert_true(SSL_is_init_finished(h->client) && SSL_is_init_finished(h->server));
	SSL_read(h->client, buffer, sizeof(buffer)); /* takes what belongs to the session */
	assert_int_equal(SSL_write(h->client, "hello", 5), 5);
	carry(h, true);
}

static size_t record_size(size_t at)
{
	return 5 + (size_t)(said.data[at + 3] << 8 | said.data[at + 4]);
}

static void expect_one_name(const char *name)
{
	size_t n = record_size(0);

	names_expect(said.data, said.size, "name %s %zu %zu\ndone\nheld 0\n", name, n, n);
}

static void whole_handshakes(void **state)
{
	static const int versions[][2] = {{TLS1_3_VERSION, TLS1_3_VERSION},
					  {TLS1_3_VERSION, TLS1_2_VERSION},
					  {TLS1_2_VERSION, TLS1_2_VERSION}};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(versions); i++) {
		struct handshake h;

		prepare(&h, versions[i][0], versions[i][1], "X25519:P-256");
		start(&h, "www.Example.com");
		shake_hands(&h);
		expect_one_name("www.example.com");
		stop(&h);
		end(&h);
	}
}

static void resumed_handshakes(void **state)
{
	static const int versions[][2] = {{TLS1_3_VERSION, TLS1_3_VERSION},
					  {TLS1_3_VERSION, TLS1_2_VERSION},
					  {TLS1_2_VERSION, TLS1_2_VERSION}};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(versions); i++) {
		SSL_SESSION *session;
		struct handshake h;

		prepare(&h, versions[i][0], versions[i][1], "X25519:P-256");
		start(&h, "example.com");
		shake_hands(&h);
		session = SSL_get1_session(h.client);
		stop(&h);
		start(&h, "example.com");
		assert_true(SSL_set_session(h.client, session));
		shake_hands(&h);
		assert_true(SSL_session_reused(h.client));
		expect_one_name("example.com");
		SSL_SESSION_free(session);
		stop(&h);
		end(&h);
	}
}

static void server_asks_again(void **state)
{
	struct handshake h;
	size_t n, at;

	(void)state;
	prepare(&h, TLS1_3_VERSION, TLS1_3_VERSION, "P-384");
	start(&h, "example.com");
	shake_hands(&h);
	n = at = record_size(0);
	if (said.data[at] == 20)
		at += record_size(at);
	names_expect(said.data, said.size,
		     "name example.com %zu %zu\nname example.com %zu %zu\ndone\nheld 0\n", n, n,
		     at + record_size(at), record_size(at));
	stop(&h);
	end(&h);
}

static void no_name(void **state)
{
	struct handshake h;
	size_t n;

	(void)state;
	prepare(&h, TLS1_3_VERSION, TLS1_3_VERSION, "X25519:P-256");
	start(&h, NULL);
	shake_hands(&h);
	n = record_size(0);
	names_expect(said.data, said.size, "missing %zu %zu\ndone\nheld 0\n", n, n);
	stop(&h);
	end(&h);
}

/* The client's list of protocols takes more than two records. */
static void hello_of_many_records(void **state)
{
	static uint8_t protocols[40000];
	struct handshake h;

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i += 250)
		protocols[i] = 249;
	prepare(&h, TLS1_3_VERSION, TLS1_3_VERSION, "X25519:P-256");
	start(&h, "example.com");
	assert_int_equal(SSL_set_alpn_protos(h.client, protocols, sizeof(protocols)), 0);
	SSL_do_handshake(h.client);
	carry(&h, true);
	assert_true(said.size > sizeof(protocols) && record_size(0) < said.size);
	names_expect(said.data, said.size, "name example.com %zu %zu\nheld 0\n", said.size,
		     said.size);
	stop(&h);
	end(&h);
}

/* Data at once, to a server that has to ask again: the second ClientHello comes after that data. */
static void early_data_before_the_second_hello(void **state)
{
	SSL_SESSION *session;
	struct handshake h;
	size_t written, n;

	(void)state;
	prepare(&h, TLS1_3_VERSION, TLS1_3_VERSION, "X25519:P-256:P-384");
	start(&h, "example.com");
	shake_hands(&h);
	session = SSL_get1_session(h.client);
	stop(&h);
	assert_true(SSL_SESSION_get_max_early_data(session) > 0);
	assert_true(SSL_CTX_set1_groups_list(h.server_context, "P-384"));
	start(&h, "example.com");
	assert_true(SSL_set_session(h.client, session));
	assert_int_equal(SSL_write_early_data(h.client, "early", 5, &written), 1);
	shake_hands(&h);
	n = record_size(0);
	assert_int_equal(said.data[n] == 20 ? said.data[n + 6] : said.data[n], 23);
	{
		size_t at = n;

		while (said.data[at] != 22)
			at += record_size(at);
		names_expect(said.data, said.size,
			     "name example.com %zu %zu\nname example.com %zu %zu\n"
			     "done\nheld 0\n",
			     n, n, at + record_size(at), record_size(at));
	}
	SSL_SESSION_free(session);
	stop(&h);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_handshakes),
		cmocka_unit_test(resumed_handshakes),
		cmocka_unit_test(server_asks_again),
		cmocka_unit_test(no_name),
		cmocka_unit_test(hello_of_many_records),
		cmocka_unit_test(early_data_before_the_second_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
