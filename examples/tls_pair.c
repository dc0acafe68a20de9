/*
 * TLS between two TCP/IP hosts in one process (two_stacks.c has more about those). The server makes itself a certificate for "shop.example";
 * the client trusts that one, and connects twice: as to shop.example, which is what it gets, and as to bank.example, which it does not.
 *
 *	cc tls_pair.c $(pkg-config --cflags --libs libhaven) -lcrypto
 *
 * After haven_tls_attach() a socket is used like any other: haven_send() and haven_recv() are for what is inside of TLS, and
 * haven_next_ready() tells of that, too. What fails is said by haven_tls_error().
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <haven/link.h>
#include <haven/socket.h>
#include <haven/tls.h>

struct host {
	struct haven_stack *stack;
	unsigned ifindex;
	struct haven_tls_context *tls;
	struct haven_socket *listener, *connection;
};

static void check(int error, const char *what)
{
	if (error < 0 && error != -EINPROGRESS) {
		fprintf(stderr, "%s: %s\n", what, haven_strerror(error));
		exit(1);
	}
}

/* A certificate, signed by itself, for a day, and its key, as PEM: OpenSSL's business, not haven's. The caller frees it. */
static char *make_certificate(const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	X509_EXTENSION *extension;
	long size;

	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	X509_set_version(x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600);
	X509_set_pubkey(x, key);
	X509_add_ext(x, extension, -1);
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(bio, x);
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	size = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)size);
	X509_EXTENSION_free(extension);
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return text;
}

/* Contexts: what the connections of a side have in common. */
static void set_up_tls(struct host *server, struct host *client, const char *pem)
{
	struct haven_tls_identity identity = {.chain = pem, .chain_size = strlen(pem)};
	struct haven_tls_config config;

	haven_tls_config_init(&config, HAVEN_TLS_SERVER);
	config.identities = &identity;
	config.identity_count = 1;
	check(haven_tls_context_create(&config, &server->tls, NULL), "the server's context");

	haven_tls_config_init(&config, HAVEN_TLS_CLIENT);
	config.trust = pem; /* else: whom the system trusts */
	config.trust_size = strlen(pem);
	check(haven_tls_context_create(&config, &client->tls, NULL), "the client's context");
}

static void plug(struct host *host, struct haven_link *link, const char *address)
{
	struct sockaddr_in own = {.sin_family = AF_INET};

	inet_pton(AF_INET, address, &own.sin_addr);
	check(haven_stack_attach(host->stack, link, &host->ifindex), "attach");
	check(haven_address_add(host->stack, host->ifindex, (struct sockaddr *)&own, 24),
	      "add");
}

static void set_up_network(struct host *server, struct host *client)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct haven_stack_config config;
	struct haven_link_config wire;
	struct haven_link *left, *right;

	haven_stack_config_init(&config);
	config.privileged_port_limit = 0;
	check(haven_stack_create(&config, &server->stack), "haven_stack_create");
	check(haven_stack_create(&config, &client->stack), "haven_stack_create");
	haven_link_config_init(&wire);
	check(haven_link_pair(server->stack, client->stack, &wire, 0, &left, &right), "pair");
	plug(server, left, "10.0.0.1");
	plug(client, right, "10.0.0.2");
	check(haven_socket(server->stack, AF_INET, SOCK_STREAM, 0, &server->listener),
	      "socket");
	check(haven_bind(server->listener, (struct sockaddr *)&any, sizeof(any)), "bind");
	check(haven_listen(server->listener, 8), "listen");
}

/* Connect, and put TLS on it at once: the handshake follows when TCP is connected. */
static void begin(struct host *client, const char *name)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(443)};

	inet_pton(AF_INET, "10.0.0.1", &peer.sin_addr);
	check(haven_socket(client->stack, AF_INET, SOCK_STREAM, 0, &client->connection),
	      "socket");
	check(haven_connect(client->connection, (void *)&peer, sizeof(peer)), "connect");
	check(haven_tls_attach(client->connection, client->tls, name, NULL),
	      "haven_tls_attach");
	printf("client: connects to 10.0.0.1, and wants to speak with %s\n", name);
}

/* Returns whether this side is done with its connection. */
static bool happened(struct host *host, const char *who, struct haven_socket *socket,
		     unsigned events)
{
	struct haven_tls_info info;
	char line[128];
	ssize_t size;

	if (socket == host->listener) {
		check(haven_accept(socket, NULL, NULL, &host->connection), "accept");
		check(haven_tls_attach(host->connection, host->tls, NULL, NULL), "attach");
		return false;
	}
	if (events & HAVEN_EVENT_ERROR) {
		printf("%s: failed: %s\n", who,
		       haven_tls_error(haven_socket_tls(socket))->text);
		return true;
	}
	haven_tls_info(haven_socket_tls(socket), &info);
	if (host->listener == NULL && (events & HAVEN_EVENT_WRITABLE) &&
	    haven_send(socket, "what do you sell?", 17, 0) == 17) {
		printf("client: %s, %s, %s; the certificate is %s\n", info.version_name,
		       info.cipher, info.group, info.verified ? "verified" : "not verified");
		haven_shutdown(socket, SHUT_WR); /* close_notify, then FIN */
	}
	while ((size = haven_recv(socket, line, sizeof(line) - 1, 0)) > 0) {
		printf("%s: received \"%.*s\"\n", who, (int)size, line);
		if (host->listener)
			check((int)haven_send(socket, "houses", 6, 0), "send");
	}
	return size == 0; /* the peer's close_notify: nothing is missing */
}

static void turn(struct host *host, const char *who, uint64_t now_ns)
{
	struct haven_socket *socket;
	unsigned events;

	haven_input(host->stack, host->ifindex, 64, now_ns);
	haven_poll(host->stack, now_ns);
	while ((socket = haven_next_ready(host->stack, &events))) {
		if (!happened(host, who, socket, events))
			continue;
		haven_close(socket);
		host->connection = NULL;
	}
}

int main(void)
{
	struct host server = {0}, client = {0};
	uint64_t now_ns = 0;
	char *pem = make_certificate("DNS:shop.example");

	set_up_network(&server, &client);
	set_up_tls(&server, &client, pem);
	for (int i = 0; i < 2; i++) {
		begin(&client, i ? "bank.example" : "shop.example");
		do {
			turn(&server, "server", now_ns);
			turn(&client, "client", now_ns);
			now_ns +=
				100000; /* 0.1 ms: a program with links of its own asks a clock */
		} while (client.connection || server.connection);
	}
	haven_stack_destroy(server.stack);
	haven_stack_destroy(client.stack);
	haven_tls_context_destroy(server.tls);
	haven_tls_context_destroy(client.tls);
	free(pem);
	return 0;
}
