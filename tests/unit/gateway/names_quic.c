/* Initial packets of QUIC clients. See names_quic.h; RFC 9001 section 5, with nothing of what is tested. */
#include "names_quic.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_2 0x6b3343cf

static void must(bool good)
{
	if (!good)
		abort();
}

void names_put_varint(struct names_bytes *bytes, uint64_t number)
{
	unsigned log = number < 64 ? 0 : number < 16384 ? 1 : number < 1 << 30 ? 2 : 3;

	names_put_number(bytes, 1u << log, number | (uint64_t)log << (8 * (1u << log) - 2));
}

void names_put_crypto(struct names_bytes *payload, size_t offset, const void *data, size_t size)
{
	names_put_number(payload, 1, 6);
	names_put_varint(payload, offset);
	names_put_varint(payload, size);
	names_put(payload, data, size);
}

/* --- keys ----------------------------------------------------------------------------------- */

static void hmac(const uint8_t *key, size_t key_size, const struct names_bytes *data,
		 uint8_t out[32])
{
	unsigned size = 32;

	must(HMAC(EVP_sha256(), key, (int)key_size, data->data, data->size, out, &size));
}

static void expand(const uint8_t secret[32], const char *label, uint8_t size, uint8_t *out)
{
	static struct names_bytes info;
	uint8_t block[32];

	info.size = 0;
	names_put_number(&info, 2, size);
	names_put_number(&info, 1, strlen("tls13 ") + strlen(label));
	names_put_text(&info, "tls13 ");
	names_put_text(&info, label);
	names_put_number(&info, 1, 0);
	names_put_number(&info, 1, 1);
	hmac(secret, 32, &info, block);
	memcpy(out, block, size);
}

struct keys {
	uint8_t key[16], iv[12], header_key[16];
};

static void make_keys(uint32_t version, const char *id, struct keys *keys)
{
	static struct names_bytes salt, secret;
	uint8_t initial[32], client[32];
	bool v2 = version == VERSION_2;

	salt.size = secret.size = 0;
	names_put_hex(&salt, v2 ? "0dede3def700a6db819381be6e269dcbf9bd2ed9"
				: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
	names_put_hex(&secret, id);
	hmac(salt.data, 20, &secret, initial);
	expand(initial, "client in", 32, client);
	expand(client, v2 ? "quicv2 key" : "quic key", 16, keys->key);
	expand(client, v2 ? "quicv2 iv" : "quic iv", 12, keys->iv);
	expand(client, v2 ? "quicv2 hp" : "quic hp", 16, keys->header_key);
}

/* --- packets -------------------------------------------------------------------------------- */

/* Behind the header, which ends at `at` and began at `from`. */
static void put_protected(struct names_bytes *datagram, size_t from, const struct keys *keys,
			  uint32_t number, const struct names_bytes *payload)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	static uint8_t cipher[NAMES_BYTES_MAX];
	uint8_t nonce[12], tag[16];
	int size;

	memcpy(nonce, keys->iv, sizeof(nonce));
	for (unsigned i = 0; i < 4; i++)
		nonce[8 + i] ^= (uint8_t)(number >> 8 * (3 - i));
	must(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, keys->key, nonce));
	must(EVP_EncryptUpdate(context, NULL, &size, datagram->data + from,
			       (int)(datagram->size - from)));
	must(EVP_EncryptUpdate(context, cipher, &size, payload->data, (int)payload->size));
	must(EVP_EncryptFinal_ex(context, cipher + size, &size));
	must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag));
	names_put(datagram, cipher, payload->size);
	names_put(datagram, tag, sizeof(tag));
	EVP_CIPHER_CTX_free(context);
}

static void protect_header(struct names_bytes *datagram, size_t from, size_t number_at,
			   unsigned number_size, const struct keys *keys)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t mask[16];
	int size;

	must(EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, keys->header_key, NULL));
	must(EVP_EncryptUpdate(context, mask, &size, datagram->data + number_at + 4, 16));
	datagram->data[from] ^= mask[0] & 0x0f;
	for (unsigned i = 0; i < number_size; i++)
		datagram->data[number_at + i] ^= mask[1 + i];
	EVP_CIPHER_CTX_free(context);
}

static void put_id(struct names_bytes *datagram, const char *id)
{
	size_t at;

	names_put_number(datagram, 1, 0);
	at = datagram->size;
	names_put_hex(datagram, id ? id : "");
	names_end_vector(datagram, 1, at);
}

static void put_token(struct names_bytes *datagram, const char *token)
{
	static struct names_bytes bytes;

	bytes.size = 0;
	names_put_hex(&bytes, token ? token : "");
	names_put_varint(datagram, bytes.size);
	names_put(datagram, bytes.data, bytes.size);
}

void names_put_initial(struct names_bytes *datagram, const struct names_packet *packet,
		       const struct names_bytes *payload)
{
	static struct names_bytes padded;
	uint32_t version = packet->version ? packet->version : 1;
	const char *key_id = packet->key_id ? packet->key_id : packet->id;
	unsigned number_size = packet->number_size ? packet->number_size : 1;
	size_t from = datagram->size, number_at;
	struct keys keys;

	padded.size = 0;
	names_put(&padded, payload->data, payload->size);
	while (padded.size > 0 && padded.size + number_size < 4)
		names_put_number(&padded, 1, 0);
	names_put_number(datagram, 1,
			 ((version == VERSION_2 ? 0xd0u : 0xc0u) | (number_size - 1)) ^
				 packet->flip);
	names_put_number(datagram, 4, version);
	put_id(datagram, packet->id);
	put_id(datagram, NULL);
	put_token(datagram, packet->token);
	names_put_varint(datagram, number_size + padded.size + 16);
	number_at = datagram->size;
	names_put_number(datagram, number_size, packet->number);
	make_keys(packet->key_version ? packet->key_version : version, key_id ? key_id : "",
		  &keys);
	put_protected(datagram, from, &keys, packet->number, &padded);
	protect_header(datagram, from, number_at, number_size, &keys);
	datagram->data[datagram->size - 1] ^= packet->break_tag;
}

void names_put_noise(struct names_bytes *datagram, unsigned type, const char *id, size_t size)
{
	names_put_number(datagram, 1, 0xc0 | type << 4);
	names_put_number(datagram, 4, 1);
	put_id(datagram, id);
	put_id(datagram, NULL);
	names_put_varint(datagram, size);
	names_put_run(datagram, 'x', size);
}
