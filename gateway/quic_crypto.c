/*
 * Keys and packets of QUIC's first flight. See quic_crypto.h.
 */
#include "gateway/quic_crypto.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#define SECRET_SIZE 32 /* SHA-256 */
#define TAG_SIZE    16
#define SAMPLE_SIZE 16
#define NUMBER_MAX  4 /* bytes: the sample begins behind so many */

/* --- keys ----------------------------------------------------------------------------------- */

struct secret {
	uint8_t data[SECRET_SIZE];
};

/* HKDF (RFC 5869): extract with a salt, or expand with an info. */
static bool hkdf(EVP_KDF_CTX *context, int mode, const void *key, size_t key_size,
		 const char *what, const void *other, size_t other_size, void *out,
		 size_t out_size)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_size),
		OSSL_PARAM_construct_octet_string(what, (void *)other, other_size),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_CTX_reset(context);
	return EVP_KDF_derive(context, out, out_size, params) == 1;
}

/* HKDF-Expand-Label with no context (RFC 8446 section 7.1). */
static bool expand(EVP_KDF_CTX *context, const struct secret *secret, const char *label,
		   void *out, size_t size)
{
	static const char prefix[] = "tls13 ";
	uint8_t info[64] = {0, (uint8_t)size};
	size_t length = strlen(prefix) + strlen(label);

	info[2] = (uint8_t)length;
	snprintf((char *)info + 3, sizeof(info) - 3, "%s%s", prefix, label);
	return hkdf(context, EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, sizeof(*secret),
		    OSSL_KDF_PARAM_INFO, info, 3 + length + 1, out, size);
}

static bool derive(EVP_KDF_CTX *context, uint32_t version, const uint8_t *id, size_t id_size,
		   struct hv_quic_keys *keys)
{
	static const uint8_t salts[2][20] = {
		{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
		 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
		{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
		 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
	};
	static const char *const labels[2][3] = {{"quic key", "quic iv", "quic hp"},
						 {"quicv2 key", "quicv2 iv", "quicv2 hp"}};
	bool v2 = version == HV_QUIC_VERSION_2;
	struct secret initial, client;

	return hkdf(context, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, id, id_size, OSSL_KDF_PARAM_SALT,
		    salts[v2], sizeof(salts[v2]), &initial, sizeof(initial)) &&
	       expand(context, &initial, "client in", &client, sizeof(client)) &&
	       expand(context, &client, labels[v2][0], keys->key, sizeof(keys->key)) &&
	       expand(context, &client, labels[v2][1], keys->iv, sizeof(keys->iv)) &&
	       expand(context, &client, labels[v2][2], keys->header_key,
		      sizeof(keys->header_key));
}

bool hv_quic_client_keys(uint32_t version, const uint8_t *id, size_t id_size,
			 struct hv_quic_keys *keys)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool good = context && derive(context, version, id, id_size, keys);

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

/* --- packets -------------------------------------------------------------------------------- */

/* RFC 9001 section 5.4.3: AES in ECB mode, of one block. */
static bool make_mask(EVP_CIPHER_CTX *context, const struct hv_quic_keys *keys,
		      const uint8_t *sample, uint8_t mask[SAMPLE_SIZE])
{
	int size;

	return EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, keys->header_key, NULL) ==
		       1 &&
	       EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	       EVP_EncryptUpdate(context, mask, &size, sample, SAMPLE_SIZE) == 1;
}

/* What stands before the payload is no secret, but cannot be another (section 5.3). */
struct header {
	size_t size; /* with the packet number */
	uint8_t first;
	uint8_t number_size;
	uint8_t number[NUMBER_MAX];
};

static void unmask(const struct hv_quic_packet *packet, const uint8_t mask[SAMPLE_SIZE],
		   struct header *header)
{
	header->first = packet->data[0] ^ (mask[0] & 0x0f);
	header->number_size = (header->first & 3) + 1;
	header->size = packet->number_at + header->number_size;
	for (unsigned i = 0; i < header->number_size; i++)
		header->number[i] = packet->data[packet->number_at + i] ^ mask[1 + i];
}

static bool add_header(EVP_CIPHER_CTX *context, const struct hv_quic_packet *packet,
		       const struct header *header)
{
	int size;

	return EVP_DecryptUpdate(context, NULL, &size, &header->first, 1) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &size, packet->data + 1,
				 (int)packet->number_at - 1) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &size, header->number, header->number_size) ==
		       1;
}

static enum hv_quic_opening decrypt(EVP_CIPHER_CTX *context, const struct hv_quic_keys *keys,
				    const struct hv_quic_packet *packet,
				    const struct header *header,
				    struct hv_quic_payload *payload)
{
	const uint8_t *cipher = packet->data + header->size;
	size_t cipher_size = packet->size - header->size - TAG_SIZE;
	uint8_t nonce[HV_QUIC_NONCE_SIZE];
	int size, last;

	memcpy(nonce, keys->iv, sizeof(nonce));
	payload->number = 0;
	for (unsigned i = 0; i < header->number_size; i++) {
		nonce[sizeof(nonce) - header->number_size + i] ^= header->number[i];
		payload->number = payload->number << 8 | header->number[i];
	}
	payload->first = header->first;
	if (EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL, keys->key, nonce) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE,
				(void *)(cipher + cipher_size)) != 1 ||
	    !add_header(context, packet, header) ||
	    EVP_DecryptUpdate(context, payload->data, &size, cipher, (int)cipher_size) != 1)
		return HV_QUIC_FAILING;
	payload->size = cipher_size;
	return EVP_DecryptFinal_ex(context, payload->data + size, &last) == 1 ? HV_QUIC_OPENED
									      : HV_QUIC_CLOSED;
}

enum hv_quic_opening hv_quic_open(const struct hv_quic_keys *keys,
				  const struct hv_quic_packet *packet,
				  struct hv_quic_payload *payload)
{
	EVP_CIPHER_CTX *mask_context, *context;
	enum hv_quic_opening opening = HV_QUIC_FAILING;
	uint8_t mask[SAMPLE_SIZE];
	struct header header;

	if (packet->size < packet->number_at + NUMBER_MAX + SAMPLE_SIZE)
		return HV_QUIC_CLOSED; /* section 5.4.2: no such packet is sent */
	mask_context = EVP_CIPHER_CTX_new();
	context = EVP_CIPHER_CTX_new();
	if (mask_context && context &&
	    make_mask(mask_context, keys, packet->data + packet->number_at + NUMBER_MAX,
		      mask)) {
		unmask(packet, mask, &header);
		opening = decrypt(context, keys, packet, &header, payload);
	}
	EVP_CIPHER_CTX_free(mask_context);
	EVP_CIPHER_CTX_free(context);
	return opening;
}
