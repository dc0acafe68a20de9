/*
 * A BIO of our own rather than OpenSSL's in memory: that one copies what is read, and grows without a bound. This one
 * reads the caller's bytes where they lie and writes to a ring with a limit.
 */
#include "tls/tls_bio.h"

static int bio_read(BIO *bio, char *data, size_t size, size_t *got)
{
	struct haven_tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (size > tls->in_left)
		size = tls->in_left;
	*got = size;
	if (!size) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(data, tls->in, size);
	tls->in += size;
	tls->in_left -= size;
	return 1;
}

static int bio_write(BIO *bio, const char *data, size_t size, size_t *put)
{
	struct haven_tls *tls = BIO_get_data(bio);
	uint32_t space = hv_ring_space(&tls->out);

	BIO_clear_retry_flags(bio);
	if (size > space)
		size = space;
	*put = hv_ring_write(&tls->out, &tls->context->core, data, (uint32_t)size);
	if (*put)
		return 1;
	if (space)
		tls->no_memory = true;
	else
		BIO_set_retry_write(bio);
	return 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *hv_tls_bio_method(void)
{
	/* Nobody looks for it by its number, which OpenSSL has 128 of for a whole process: none is taken. */
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "haven");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_control);
	return method;
}

bool hv_tls_bio_set(struct haven_tls *tls)
{
	BIO *bio = BIO_new(tls->context->bio);

	if (!bio)
		return false;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return true;
}
