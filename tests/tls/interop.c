/*
 * haven's TLS with another program at the other end: `openssl s_server` and `openssl s_client`, over the host's loopback. Skipped where
 * there is no such command. Prints TAP lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ocsp.h>

#include "peer.h"
#include "support/certificates.h"

enum { EXIT_SKIP = 77, SECONDS = 60 };

/* A root, a server's and a client's certificate, as text here and as files in a directory of their own. */
struct setting {
	char directory[64];
	struct test_certificate root, leaf, alice;
	char *root_pem, *chain, *key, *alice_pem, *alice_key;
	uint8_t *staple;
	size_t staple_size;
	unsigned cases, failed;
};

static int64_t wall_clock(void *user)
{
	(void)user;
	return TEST_NOW;
}

static void verdict(struct setting *s, bool ok, const char *name, const char *said)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", ++s->cases, name);
	if (ok)
		return;
	s->failed++;
	printf("# what was said:\n%s\n", said);
}

/* --- the setting ----------------------------------------------------------------------------------- */

static const char *path_of(const struct setting *s, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", s->directory, name);
	return path;
}

static void put_file(const struct setting *s, const char *name, const void *data, size_t size)
{
	char path[128];
	FILE *file = fopen(path_of(s, name, path), "wb");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void put_text(const struct setting *s, const char *name, const char *text)
{
	put_file(s, name, text, strlen(text));
}

static const char *const files[] = {"root.pem",	 "chain.pem",	"key.pem", "alice.pem",
				    "alice.key", "staple.resp", "session"};

static void setting_init(struct setting *s)
{
	*s = (struct setting){.directory = "/tmp/haven-tls-XXXXXX"};
	if (!mkdtemp(s->directory))
		exit(1);
	s->root = test_certificate(
		&(struct test_certificate_options){.name = "Test Root", .ca = true});
	s->leaf = test_certificate(&(struct test_certificate_options){.name = "a.test",
								      .names = "DNS:a.test",
								      .issuer = &s->root});
	s->alice = test_certificate(
		&(struct test_certificate_options){.name = "alice", .issuer = &s->root});
	s->staple = test_staple(&(struct test_staple_options){.about = &s->leaf,
							      .issuer = &s->root},
				&s->staple_size);
	put_text(s, "root.pem", s->root_pem = test_pem(&s->root, NULL));
	put_text(s, "chain.pem", s->chain = test_pem(&s->leaf, NULL));
	put_text(s, "key.pem", s->key = test_pem_key(&s->leaf));
	put_text(s, "alice.pem", s->alice_pem = test_pem(&s->alice, NULL));
	put_text(s, "alice.key", s->alice_key = test_pem_key(&s->alice));
	put_file(s, "staple.resp", s->staple, s->staple_size);
}

static void setting_finish(struct setting *s)
{
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path_of(s, files[i], path));
	rmdir(s->directory);
	test_certificate_free(&s->root);
	test_certificate_free(&s->leaf);
	test_certificate_free(&s->alice);
	free(s->root_pem);
	free(s->chain);
	free(s->key);
	free(s->alice_pem);
	free(s->alice_key);
	free(s->staple);
}

static struct haven_tls_context *context_of(struct haven_tls_config *config)
{
	struct haven_tls_context *context;
	struct haven_tls_error error;

	config->wall_clock = wall_clock;
	if (haven_tls_context_create(config, &context, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	return context;
}

/* --- our client, their server ------------------------------------------------------------------------ */

enum { WORDS_MAX = 32 };

/* `openssl s_server` with these words besides; paths are by file name: the process works in the directory. */
static unsigned start_server(const struct setting *s, struct process *server,
			     const char *const *more)
{
	char time[32];
	const char *words[WORDS_MAX] = {"openssl", "s_server", "-accept",   "127.0.0.1:0",
					"-www",	   "-cert",    "chain.pem", "-key",
					"key.pem", "-attime",  time};
	const char *accept;
	int count = 11;

	snprintf(time, sizeof(time), "%lld", (long long)TEST_NOW);
	for (; *more && count < WORDS_MAX - 1; more++)
		words[count++] = *more;
	if (chdir(s->directory) != 0)
		exit(1);
	process_start(server, words);
	if (!process_says(server, "ACCEPT 127.0.0.1:") || !process_says(server, "\n"))
		return 0;
	accept = strstr(server->said, "ACCEPT 127.0.0.1:");
	return (unsigned)strtoul(accept + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
}

/* Fetch the page; what is known of the connection then is in *info. */
static bool fetch(struct haven_tls_context *context, unsigned port, struct carrier *c,
		  struct haven_tls_info *info)
{
	*c = (struct carrier){.fd = connect_port(port)};
	if (haven_tls_create(context, "a.test", 0, &c->tls, NULL) < 0)
		return false;
	carry_handshake(c);
	if (!haven_tls_error(c->tls)->code) {
		carry_write(c, "GET / HTTP/1.0\r\n\r\n");
		carry_read(c, sizeof(c->got) - 1);
	}
	haven_tls_info(c->tls, info);
	haven_tls_shutdown(c->tls);
	carry_flush(c);
	close(c->fd);
	return strstr(c->got, "200 ok") && c->result == 0;
}

struct client_case {
	const char *name;
	const char *more[6]; /* to the server */
	enum haven_tls_version max_version;
	bool certificate, require_staple;
	/* What must hold: a word in the page, the group. */
	const char *page, *group;
};

static const struct client_case client_cases[] = {
	{"s_server, TLS 1.3", {NULL}, HAVEN_TLS_1_3, false, false, "TLSv1.3", "x25519"},
	{"s_server, TLS 1.2", {NULL}, HAVEN_TLS_1_2, false, false, "TLSv1.2", "x25519"},
	{"s_server, hello retry request",
	 {"-groups", "P-384", NULL},
	 HAVEN_TLS_1_3,
	 false,
	 false,
	 "TLSv1.3",
	 "secp384r1"},
	{"s_server, client certificate",
	 {"-Verify", "1", "-CAfile", "root.pem", NULL},
	 HAVEN_TLS_1_3,
	 true,
	 false,
	 "alice",
	 "x25519"},
	{"s_server, client certificate, TLS 1.2",
	 {"-Verify", "1", "-CAfile", "root.pem", NULL},
	 HAVEN_TLS_1_2,
	 true,
	 false,
	 "alice",
	 "x25519"},
	{"s_server, staple",
	 {"-status_file", "staple.resp", NULL},
	 HAVEN_TLS_1_3,
	 false,
	 true,
	 "TLSv1.3",
	 "x25519"},
};

static void run_client_case(struct setting *s, const struct client_case *t)
{
	struct haven_tls_identity alice = {s->alice_pem, strlen(s->alice_pem),
					   s->alice_key, strlen(s->alice_key),
					   NULL,	 0};
	struct haven_tls_config config;
	struct haven_tls_context *context;
	struct haven_tls_info info;
	struct process server;
	struct carrier c;
	unsigned port = start_server(s, &server, t->more);
	bool first, again;

	haven_tls_config_init(&config, HAVEN_TLS_CLIENT);
	config.trust = s->root_pem;
	config.trust_size = strlen(s->root_pem);
	config.max_version = t->max_version;
	config.require_staple = t->require_staple;
	config.identities = &alice;
	config.identity_count = t->certificate;
	context = context_of(&config);
	first = port && fetch(context, port, &c, &info) && info.verified && !info.resumed &&
		strstr(c.got, t->page) && !strcmp(info.group, t->group);
	if (first)
		haven_tls_destroy(c.tls);
	again = first && fetch(context, port, &c, &info) && info.verified && info.resumed;
	verdict(s, again, t->name, port ? haven_tls_error(c.tls)->text : server.said);
	if (first || port)
		haven_tls_destroy(c.tls);
	haven_tls_context_destroy(context);
	process_kill(&server);
}

static void run_refused_server(struct setting *s)
{
	static const char *const none[] = {NULL};
	struct haven_tls_config config;
	struct haven_tls_context *context;
	struct process server;
	unsigned port = start_server(s, &server, none);
	struct carrier c = {.fd = connect_port(port)};
	bool ok;

	haven_tls_config_init(&config, HAVEN_TLS_CLIENT);
	config.trust = s->root_pem;
	config.trust_size = strlen(s->root_pem);
	context = context_of(&config);
	haven_tls_create(context, "b.test", 0, &c.tls, NULL);
	carry_handshake(&c);
	carry_flush(&c);
	ok = haven_tls_error(c.tls)->code == HAVEN_TLS_ERROR_WRONG_NAME &&
	     process_says(&server, "alert bad certificate");
	verdict(s, ok, "s_server is refused for its name, and told", server.said);
	haven_tls_destroy(c.tls);
	close(c.fd);
	haven_tls_context_destroy(context);
	process_kill(&server);
}

/* --- their client, our server --------------------------------------------------------------------------- */

struct server_case {
	const char *name;
	const char *more[8]; /* to the client */
	enum haven_tls_client_auth client_auth;
	const char *says[4]; /* what the client must say */
	bool refused;	     /* it is not let in */
};

static const struct server_case server_cases[] = {
	{"s_client, TLS 1.3",
	 {"-tls1_3", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"TLSv1.3", "Verify return code: 0 (ok)", "you said hello", NULL},
	 false},
	{"s_client, TLS 1.2",
	 {"-tls1_2", "-sess_out", "session", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"New, TLSv1.2, Cipher is ECDHE-ECDSA-AES256-GCM-SHA384", "you said hello", NULL},
	 false},
	{"s_client resumes, TLS 1.2",
	 {"-tls1_2", "-sess_in", "session", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"Reused, TLSv1.2", "you said hello", NULL},
	 false},
	{"s_client, ALPN",
	 {"-alpn", "h2,http/1.1", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"ALPN protocol: http/1.1", "you said hello", NULL},
	 false},
	{"s_client, staple",
	 {"-status", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"OCSP Response Status: successful", "Cert Status: good", NULL},
	 false},
	{"s_client, hello retry request",
	 {"-groups", "P-521:P-256", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"Server Temp Key: ECDH, prime256v1", "you said hello", NULL},
	 false},
	{"s_client, client certificate",
	 {"-cert", "alice.pem", "-key", "alice.key", NULL},
	 HAVEN_TLS_CLIENT_AUTH_REQUIRED,
	 {"you said hello", "and are alice", NULL},
	 false},
	{"s_client, no client certificate",
	 {NULL},
	 HAVEN_TLS_CLIENT_AUTH_REQUIRED,
	 {"alert certificate required", NULL},
	 true},
	{"s_client, TLS 1.1",
	 {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"alert protocol version", NULL},
	 true},
	{"s_client, no forward secrecy",
	 {"-tls1_2", "-cipher", "AES128-SHA", NULL},
	 HAVEN_TLS_CLIENT_AUTH_NONE,
	 {"alert handshake failure", NULL},
	 true},
};

static void start_client(const struct setting *s, struct process *client, unsigned port,
			 const char *const *more)
{
	char to[32], time[32];
	const char *words[WORDS_MAX] = {"openssl",
					"s_client",
					"-connect",
					to,
					"-servername",
					"a.test",
					"-CAfile",
					"root.pem",
					"-attime",
					time,
					"-verify_hostname",
					"a.test",
					"-verify_return_error",
					"-ign_eof"};
	int count = 14;

	snprintf(to, sizeof(to), "127.0.0.1:%u", port);
	snprintf(time, sizeof(time), "%lld", (long long)TEST_NOW);
	for (; *more && count < WORDS_MAX - 1; more++)
		words[count++] = *more;
	if (chdir(s->directory) != 0)
		exit(1);
	process_start(client, words);
	if (write(client->input, "hello\n", 6) != 6)
		exit(1);
}

/* Answer the line that comes with who said it. */
static void serve(struct carrier *c)
{
	struct haven_tls_certificate_info who;
	char answer[512];

	carry_handshake(c);
	if (!haven_tls_error(c->tls)->code)
		carry_read(c, 6);
	if (!haven_tls_error(c->tls)->code) {
		haven_tls_certificate(c->tls, 0, &who);
		snprintf(answer, sizeof(answer), "you said %.5s\nand are %.99s\n", c->got,
			 *who.subject ? who.subject + strlen("CN=") : "nobody");
		carry_write(c, answer);
		haven_tls_shutdown(c->tls);
	}
	carry_flush(c);
}

static bool says_all(struct process *client, const char *const *says)
{
	for (; *says; says++) {
		if (!strstr(client->said, *says)) {
			printf("# it did not say '%s'\n", *says);
			return false;
		}
	}
	return true;
}

static void run_server_case(struct setting *s, struct haven_tls_context *context,
			    const struct server_case *t)
{
	struct process client;
	struct carrier c = {0};
	unsigned port;
	int listener = listen_anywhere(&port);
	bool ok;

	start_client(s, &client, port, t->more);
	c.fd = accept_one(listener);
	haven_tls_create(context, NULL, 0, &c.tls, NULL);
	serve(&c);
	shutdown(c.fd, SHUT_WR);
	process_end(&client);
	ok = says_all(&client, t->says) &&
	     t->refused == (haven_tls_error(c.tls)->code != HAVEN_TLS_ERROR_NONE);
	verdict(s, ok, t->name, client.said);
	haven_tls_destroy(c.tls);
	close(c.fd);
	close(listener);
}

static void run_server_cases(struct setting *s)
{
	static const char *const http[] = {"http/1.1"};
	struct haven_tls_identity identity = {s->chain,	      strlen(s->chain), s->key,
					      strlen(s->key), s->staple,	s->staple_size};
	struct haven_tls_context *contexts[2];

	for (int asks = 0; asks < 2; asks++) {
		struct haven_tls_config config;

		haven_tls_config_init(&config, HAVEN_TLS_SERVER);
		config.identities = &identity;
		config.identity_count = 1;
		config.alpn = http;
		config.alpn_count = 1;
		config.trust = s->root_pem;
		config.trust_size = strlen(s->root_pem);
		config.client_auth =
			asks ? HAVEN_TLS_CLIENT_AUTH_REQUIRED : HAVEN_TLS_CLIENT_AUTH_NONE;
		contexts[asks] = context_of(&config);
	}
	for (size_t i = 0; i < sizeof(server_cases) / sizeof(server_cases[0]); i++)
		run_server_case(s, contexts[server_cases[i].client_auth != 0],
				&server_cases[i]);
	haven_tls_context_destroy(contexts[0]);
	haven_tls_context_destroy(contexts[1]);
}

int main(void)
{
	struct setting s;

	if (system("openssl version >/dev/null 2>&1") != 0) {
		printf("1..0 # SKIP there is no openssl command\n");
		return EXIT_SKIP;
	}
	peer_begin(SECONDS);
	setting_init(&s);
	for (size_t i = 0; i < sizeof(client_cases) / sizeof(client_cases[0]); i++)
		run_client_case(&s, &client_cases[i]);
	run_refused_server(&s);
	run_server_cases(&s);
	setting_finish(&s);
	printf("1..%u\n", s.cases);
	return s.failed ? 1 : 0;
}
