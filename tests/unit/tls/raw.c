/* A peer that is OpenSSL itself: see raw.h. */
#include "tls/raw.h"

void raw_init(struct raw *raw, struct pair *p, int role)
{
	*raw = (struct raw){.context = SSL_CTX_new(TLS_method())};
	assert_non_null(raw->context);
	if (role == SERVER)
		assert_int_equal(SSL_CTX_use_cert_and_key(raw->context, p->leaf.certificate,
							  p->leaf.key, NULL, 1),
				 1);
}

void raw_open(struct raw *raw, int role)
{
	raw->ssl = SSL_new(raw->context);
	raw->in = BIO_new(BIO_s_mem());
	raw->out = BIO_new(BIO_s_mem());
	assert_true(raw->ssl && raw->in && raw->out);
	BIO_set_mem_eof_return(raw->in, -1);
	SSL_set_bio(raw->ssl, raw->in, raw->out);
	if (role == CLIENT)
		SSL_set_connect_state(raw->ssl);
	else
		SSL_set_accept_state(raw->ssl);
}

void raw_finish(struct raw *raw)
{
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->context);
}

void pair_open_one(struct pair *p, int end, const char *name)
{
	if (!p->context[end])
		assert_int_equal(haven_tls_context_create(&p->config[end], &p->context[end],
							  &p->error),
				 0);
	assert_int_equal(haven_tls_create(p->context[end], name, p->now_ns, &p->end[end],
					  &p->error),
			 0);
}

size_t raw_to_end(struct raw *raw, struct haven_tls *end)
{
	char *data;
	long size = BIO_get_mem_data(raw->out, &data);
	ssize_t taken;
	char scratch[4096];

	if (size <= 0)
		return 0;
	taken = haven_tls_input(end, data, (size_t)size);
	if (taken < 0)
		taken = size;
	/* Out of the BIO what was taken. */
	for (ssize_t left = taken; left > 0;)
		left -= BIO_read(raw->out, scratch,
				 left < (ssize_t)sizeof(scratch) ? (int)left
								 : (int)sizeof(scratch));
	return (size_t)taken;
}

size_t end_to_raw(struct haven_tls *end, struct raw *raw)
{
	struct iovec slices[2];
	size_t size = haven_tls_output(end, slices);

	if (!size)
		return 0;
	assert_int_equal(BIO_write(raw->in, slices[0].iov_base, (int)slices[0].iov_len),
			 slices[0].iov_len);
	haven_tls_output_consume(end, slices[0].iov_len);
	return slices[0].iov_len;
}

void raw_run(struct raw *raw, struct pair *p, int end)
{
	do {
		ERR_clear_error();
		SSL_do_handshake(raw->ssl);
	} while (raw_to_end(raw, p->end[end]) + end_to_raw(p->end[end], raw));
	ERR_clear_error();
}
