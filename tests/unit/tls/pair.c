/* A client and a server of TLS in memory: see pair.h. */
#include "tls/pair.h"

#include <stdlib.h>
#include <string.h>

static int64_t wall_clock(void *user)
{
	return *(const int64_t *)user;
}

static void config_init(struct pair *p, int end)
{
	struct haven_tls_config *config = &p->config[end];

	haven_tls_config_init(config, end == CLIENT ? HAVEN_TLS_CLIENT : HAVEN_TLS_SERVER);
	config->env = test_env_haven(&p->env);
	config->user = &p->wall;
	config->wall_clock = wall_clock;
}

void pair_init(struct pair *p)
{
	*p = (struct pair){.wall = TEST_NOW, .now_ns = UINT64_C(1000000000)};
	test_env_init(&p->env, 1);
	p->root = test_certificate(
		&(struct test_certificate_options){.name = "Test Root", .ca = true});
	p->leaf = test_certificate(&(struct test_certificate_options){.name = "a.test",
								      .names = "DNS:a.test",
								      .issuer = &p->root});
	p->root_pem = test_pem(&p->root, NULL);
	p->chain = test_pem(&p->leaf, NULL);
	p->key = test_pem_key(&p->leaf);
	p->identity = (struct haven_tls_identity){
		.chain = p->chain,
		.chain_size = strlen(p->chain),
		.key = p->key,
		.key_size = strlen(p->key),
	};
	config_init(p, CLIENT);
	config_init(p, SERVER);
	p->config[CLIENT].trust = p->root_pem;
	p->config[CLIENT].trust_size = strlen(p->root_pem);
	p->config[SERVER].identities = &p->identity;
	p->config[SERVER].identity_count = 1;
}

void pair_contexts(struct pair *p)
{
	for (int end = 0; end < 2; end++) {
		if (!p->context[end] &&
		    haven_tls_context_create(&p->config[end], &p->context[end], &p->error) < 0)
			fail_msg("context %d: %s", end, p->error.text);
	}
}

void pair_open(struct pair *p, const char *name)
{
	pair_contexts(p);
	for (int end = 0; end < 2; end++)
		assert_int_equal(haven_tls_create(p->context[end], end == CLIENT ? name : NULL,
						  p->now_ns, &p->end[end], &p->error),
				 0);
	p->carried[0] = p->carried[1] = 0;
}

size_t pair_carry(struct pair *p, int from)
{
	struct iovec slices[2];
	size_t size = haven_tls_output(p->end[from], slices);
	ssize_t taken;

	if (!size)
		return 0;
	size = slices[0].iov_len;
	if (p->step && size > p->step)
		size = p->step;
	taken = haven_tls_input(p->end[!from], slices[0].iov_base, size);
	if (taken < 0) /* it has failed: the rest is for nobody */
		taken = (ssize_t)size;
	haven_tls_output_consume(p->end[from], (size_t)taken);
	p->carried[from] += (uint64_t)taken;
	return (size_t)taken;
}

void pair_run(struct pair *p)
{
	while (pair_carry(p, CLIENT) + pair_carry(p, SERVER))
		;
}

void pair_connect(struct pair *p, const char *name)
{
	pair_open(p, name);
	pair_run(p);
	for (int end = 0; end < 2; end++) {
		if (haven_tls_error(p->end[end])->code)
			fail_msg("end %d: %s", end, haven_tls_error(p->end[end])->text);
		assert_true(haven_tls_events(p->end[end]) & HAVEN_EVENT_CONNECTED);
	}
}

void pair_close(struct pair *p)
{
	for (int end = 0; end < 2; end++) {
		haven_tls_destroy(p->end[end]);
		p->end[end] = NULL;
	}
}

void pair_finish(struct pair *p)
{
	pair_close(p);
	haven_tls_context_destroy(p->context[CLIENT]);
	haven_tls_context_destroy(p->context[SERVER]);
	test_certificate_free(&p->leaf);
	test_certificate_free(&p->root);
	free(p->root_pem);
	free(p->chain);
	free(p->key);
	test_env_finish(&p->env);
}

void expect_error(const struct pair *p, int end, enum haven_tls_error_code code,
		  const char *text)
{
	const struct haven_tls_error *error = haven_tls_error(p->end[end]);

	if (error->code != code || !strstr(error->text, text))
		fail_msg("%s '%s' rather than %s '%s'", haven_tls_error_name(error->code),
			 error->text, haven_tls_error_name(code), text);
}

void expect_message(struct pair *p, int from, const char *text)
{
	size_t size = strlen(text), done = 0;
	char got[256];

	assert_int_equal(haven_tls_write(p->end[from], text, size), size);
	while (done < size) {
		ssize_t result = haven_tls_read(p->end[!from], got + done, sizeof(got) - done);

		if (result == -EAGAIN && pair_carry(p, from))
			continue;
		assert_true(result > 0);
		done += (size_t)result;
	}
	assert_int_equal(done, size);
	assert_memory_equal(got, text, size);
}

struct haven_tls_info info_of(const struct pair *p, int end)
{
	struct haven_tls_info info;

	haven_tls_info(p->end[end], &info);
	return info;
}
