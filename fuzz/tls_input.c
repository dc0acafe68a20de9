/*
 * TLS with a peer that says anything, at any time. The input is a program: its first byte chooses what the two ends are set to, and then each
 * byte says what happens next: bytes of the input for one end, bytes that the ends exchange (whole, in part, or with one of
 * them changed), what users write, read and close, and time. Two ends of ours make up the handshake, so that what is changed lies deep
 * inside of it too.
 *
 * OpenSSL's randomness is replaced by a sequence that starts anew with each input: the same input, the same run.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include <haven/socket.h>
#include <haven/tls.h>

#include "support/certificates.h"

enum { CLIENT, SERVER };

struct fuzz {
	const uint8_t *data;
	size_t left;
	struct haven_tls *end[2];
	uint64_t now_ns;
	bool tampered; /* something was changed on the way: nothing is promised but good manners */
	uint64_t written[2], read[2];
};

/* --- chance that is none ----------------------------------------------------------------------- */

static uint64_t chance;

static int draw(unsigned char *buffer, int size)
{
	for (int i = 0; i < size; i++) {
		chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		buffer[i] = (unsigned char)(chance >> 33);
	}
	return 1;
}

static int status(void)
{
	return 1;
}

static const RAND_METHOD drawing = {.bytes = draw, .pseudorand = draw, .status = status};

static void env_random(void *user, void *buffer, size_t size)
{
	(void)user;
	draw(buffer, (int)size);
}

static int64_t wall_clock(void *user)
{
	(void)user;
	return TEST_NOW;
}

/* --- the ends -------------------------------------------------------------------------------------- */

/* Made once: keys cost more than anything else here. */
struct fixed {
	char *trust, *chain, *key, *alice, *alice_key;
	uint8_t *staple;
	size_t staple_size;
};

static void fixed_init(struct fixed *f)
{
	struct test_certificate root = test_certificate(
		&(struct test_certificate_options){.name = "Root", .ca = true});
	struct test_certificate leaf =
		test_certificate(&(struct test_certificate_options){.name = "a.test",
								    .names = "DNS:a.test",
								    .issuer = &root});
	struct test_certificate alice = test_certificate(
		&(struct test_certificate_options){.name = "alice", .issuer = &root});

	f->trust = test_pem(&root, NULL);
	f->chain = test_pem(&leaf, NULL);
	f->key = test_pem_key(&leaf);
	f->alice = test_pem(&alice, NULL);
	f->alice_key = test_pem_key(&alice);
	f->staple = test_staple(&(struct test_staple_options){.about = &leaf, .issuer = &root},
				&f->staple_size);
	test_certificate_free(&root);
	test_certificate_free(&leaf);
	test_certificate_free(&alice);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	RAND_set_rand_method(&drawing);
	return 0;
}

static void configure(struct haven_tls_config *config, const struct fixed *f,
		      struct haven_tls_identity *identity, uint8_t choice)
{
	static const char *const protocols[] = {"h2", "http/1.1"};
	bool server = config->role == HAVEN_TLS_SERVER;

	*identity = (struct haven_tls_identity){.chain = server ? f->chain : f->alice,
						.key = server ? f->key : f->alice_key};
	identity->chain_size = strlen(identity->chain);
	identity->key_size = strlen(identity->key);
	if (server && (choice & 1)) {
		identity->staple = f->staple;
		identity->staple_size = f->staple_size;
	}
	config->env.random = env_random;
	config->wall_clock = wall_clock;
	config->identities = identity;
	config->identity_count = server || (choice & 2);
	config->trust = f->trust;
	config->trust_size = strlen(f->trust);
	if (choice & 4)
		config->max_version = HAVEN_TLS_1_2;
	if (choice & 8) {
		config->alpn = protocols;
		config->alpn_count = 2;
	}
	if (server)
		config->client_auth = (choice >> 4) % 3;
	config->no_resumption = choice & 0x40;
	config->handshake_bytes = 16384;
}

static struct haven_tls_context *context_of(const struct fixed *f, enum haven_tls_role role,
					    uint8_t choice)
{
	struct haven_tls_identity identity;
	struct haven_tls_config config;
	struct haven_tls_context *context;

	haven_tls_config_init(&config, role);
	configure(&config, f, &identity, choice);
	if (haven_tls_context_create(&config, &context, NULL) < 0)
		abort();
	return context;
}

/* --- what happens -------------------------------------------------------------------------------------- */

static uint8_t next_byte(struct fuzz *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->data++;
}

static void check(const struct fuzz *f)
{
	for (int end = 0; end < 2; end++) {
		const struct haven_tls_error *error = haven_tls_error(f->end[end]);
		struct iovec slices[2];

		assert(haven_tls_output(f->end[end], slices) <= 64 << 10);
		assert(strlen(error->text) < sizeof(error->text));
		assert(!error->code || *error->text);
		for (const char *p = error->text; *p; p++)
			assert(*p >= 0x20 && *p < 0x7f);
		/* Two of ours understand each other, in portions of any size. */
		assert(f->tampered || (error->code != HAVEN_TLS_ERROR_PROTOCOL &&
				       error->code != HAVEN_TLS_ERROR_NOT_TLS));
		/* What comes out is what went in at the other end. */
		assert(f->read[end] <= f->written[!end]);
	}
}

/* Bytes of the input are the peer's. */
static void say(struct fuzz *f, int end)
{
	size_t size = next_byte(f);

	if (size > f->left)
		size = f->left;
	f->tampered = true;
	(void)haven_tls_input(f->end[end], f->data, size);
	f->data += size;
	f->left -= size;
}

/* What one end has said goes to the other; change: one of its bytes. */
static void carry(struct fuzz *f, int from, size_t most, bool change)
{
	struct iovec slices[2];
	size_t size;
	ssize_t taken;
	uint8_t *copy;

	if (!haven_tls_output(f->end[from], slices))
		return;
	size = slices[0].iov_len < most ? slices[0].iov_len : most;
	copy = malloc(
		size); /* as long as it is, so that the sanitizer sees what is read beyond */
	if (!copy)
		abort();
	memcpy(copy, slices[0].iov_base, size);
	if (change) {
		size_t at = (size_t)next_byte(f) << 4 | (next_byte(f) & 15);

		copy[at % size] ^= (uint8_t)(next_byte(f) | 1);
		f->tampered = true;
	}
	taken = haven_tls_input(f->end[!from], copy, size);
	assert(taken <= (ssize_t)size);
	haven_tls_output_consume(f->end[from], taken < 0 ? size : (size_t)taken);
	free(copy);
}

static void write_some(struct fuzz *f, int end)
{
	static const uint8_t zeros[20000];
	ssize_t size = haven_tls_write(f->end[end], zeros, (size_t)next_byte(f) * 78 + 1);

	if (size > 0)
		f->written[end] += (uint64_t)size;
}

static void read_some(struct fuzz *f, int end)
{
	uint8_t bytes[20000];
	ssize_t size = haven_tls_read(f->end[end], bytes, (size_t)next_byte(f) * 70 + 1);

	if (size > 0)
		f->read[end] += (uint64_t)size;
	for (ssize_t i = 0; i < size; i++)
		assert(bytes[i] == 0);
}

static void ask(struct fuzz *f, int end)
{
	struct haven_tls_certificate_info certificate;
	struct haven_tls_info info;

	haven_tls_info(f->end[end], &info);
	assert(!info.connected || info.version);
	/* The wrong peer is never taken for the right one: the keys are ours. */
	assert(!info.verified || info.connected);
	(void)haven_tls_certificate(f->end[end], 0, &certificate);
	(void)haven_tls_events(f->end[end]);
}

static void step(struct fuzz *f)
{
	uint8_t what = next_byte(f);
	int end = what & 1;

	switch ((what >> 1) % 10) {
	case 0:
		say(f, end);
		break;
	case 1:
	case 2:
		carry(f, end, SIZE_MAX, false);
		break;
	case 3:
		carry(f, end, (size_t)next_byte(f) + 1, false);
		break;
	case 4:
		carry(f, end, SIZE_MAX, true);
		break;
	case 5:
		write_some(f, end);
		break;
	case 6:
		read_some(f, end);
		break;
	case 7:
		(void)haven_tls_shutdown(f->end[end]);
		break;
	case 8:
		haven_tls_input_end(f->end[end], what & 0x80 ? -ECONNRESET : 0);
		break;
	default:
		f->now_ns += (uint64_t)next_byte(f) << 28;
		haven_tls_poll(f->end[end], f->now_ns);
		ask(f, end);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fixed fixed;
	struct haven_tls_context *contexts[2];
	struct fuzz f = {.data = data, .left = size};
	uint8_t choice[2];

	if (!fixed.trust)
		fixed_init(&fixed);
	chance = 1;
	choice[CLIENT] = next_byte(&f);
	choice[SERVER] = next_byte(&f);
	contexts[CLIENT] = context_of(&fixed, HAVEN_TLS_CLIENT, choice[CLIENT]);
	contexts[SERVER] = context_of(&fixed, HAVEN_TLS_SERVER, choice[SERVER]);
	if (haven_tls_create(contexts[CLIENT], "a.test", 0, &f.end[CLIENT], NULL) < 0 ||
	    haven_tls_create(contexts[SERVER], NULL, 0, &f.end[SERVER], NULL) < 0)
		abort();
	while (f.left) {
		step(&f);
		check(&f);
	}
	for (int end = 0; end < 2; end++) {
		haven_tls_destroy(f.end[end]);
		haven_tls_context_destroy(contexts[end]);
	}
	return 0;
}
