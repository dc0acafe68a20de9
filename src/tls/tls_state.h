/*
 * Inside of the TLS room: what a context and a connection are.
 *
 *	tls_context.c		settings checked and copied; OpenSSL's SSL_CTX set up by them
 *	tls_pem.c		certificates and keys from text, with errors that say which one
 *	tls_identity.c		our certificates: loaded, chosen by name, replaced
 *	tls_session.c		a client's sessions, kept to be resumed
 *	tls_ticket.c		a server's ticket keys
 *	tls_connection.c	a connection begins and ends; its time-out
 *	tls_bio.c		where OpenSSL reads and writes: two places in memory
 *	tls_handshake.c		drives the handshake, looks at what is not TLS at all
 *	tls_io.c		bytes in, bytes out
 *	tls_error.c		how a connection fails, and what is said about it
 *	tls_verify.c		what is wrong with a certificate
 *	tls_staple.c		stapled OCSP responses
 *	tls_text.c		names and dates of certificates as text
 *	tls_info.c		what a connection tells about itself
 *	tls_socket.c		the layer on a stream socket; tls_socket_io.c its bytes
 *
 * Theory of operation. OpenSSL is handed bytes while haven_tls_input() runs, and only then: `in` is what is left of the
 * caller's bytes, nothing is kept of them but what OpenSSL itself needs to complete a record (16 KiB and a header). As
 * soon as a record of user data is open nothing more is taken until the user has read it, so that the peer's data
 * waits in the transport, whose flow control holds the peer back. What OpenSSL writes goes to the ring `out`; when
 * that is full, OpenSSL is told to wait. A user's write is let in only where there is room for a whole record, and then some
 * for an alert: what was encrypted never has to be done again.
 */
#ifndef HV_TLS_TLS_STATE_H
#define HV_TLS_TLS_STATE_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <haven/tls.h>

#include "base/core.h"
#include "base/list.h"
#include "base/ring.h"

enum {
	HV_TLS_RECORD_BYTES = 16384, /* most that is inside of one (RFC 8446 section 5.1) */
	/* What so much user data takes in the output, also in records of 512 bytes (RFC 6066 section 4), and close_notify behind it. */
	HV_TLS_RECORD_ROOM = HV_TLS_RECORD_BYTES + 2048,
	/* AES-GCM is good for 2^24.5 of them by one key (RFC 8446 section 5.5). */
	HV_TLS_RECORDS_OF_KEY = 1 << 23,
	HV_TLS_HEAD_BYTES = 64,
	HV_TLS_NAME_TEXT = 96, /* of a certificate, in an error */
	HV_TLS_DATE_TEXT = 80, /* with years that no certificate has */
};

/* One certificate of ours. */
struct hv_tls_identity {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *key;
	uint8_t *staple;
	size_t staple_size;
	char *names; /* lower case, each with its NUL, one after the other */
	size_t names_size;
};

struct hv_tls_identities {
	unsigned count;
	struct hv_tls_identity items[];
};

struct hv_tls_ticket_key {
	uint8_t name[16], cipher[32], mac[32];
};

struct haven_tls_context {
	struct hv_core core; /* memory and randomness; its time and packets are not used */
	unsigned uses;	     /* the caller, and each connection */
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	enum haven_tls_role role;
	enum haven_tls_verify verify;
	enum haven_tls_client_auth client_auth;
	enum haven_tls_version min_version, max_version;
	bool refuse_unknown_names, require_staple, no_resumption;
	uint32_t session_limit, handshake_bytes, output_bytes;
	uint64_t handshake_timeout_ns, ticket_lifetime_ns;
	void *user;
	void (*name_missing)(void *user, const char *name);
	int64_t (*wall_clock)(void *user);
	void (*key_log)(void *user, const char *line);
	uint8_t *
		alpn; /* as on the wire: length, name, length, name...; then as text: name, NUL, name, NUL... */
	size_t alpn_size;		      /* of one of the two */
	struct hv_tls_identities *identities; /* NULL: none */
	struct hv_list sessions;	      /* of a client, the latest first */
	uint32_t session_count;
	struct hv_tls_ticket_key ticket_keys[2]; /* now, and before */
	bool has_ticket_key[2];
	uint64_t ticket_key_ns; /* when the first was made */
};

struct haven_tls {
	struct haven_tls_context *context;
	SSL *ssl;
	const uint8_t *in; /* what is left of the bytes that the caller just handed in */
	size_t in_left;
	struct hv_ring out;
	uint64_t now_ns, deadline_ns;
	uint64_t bytes_in;    /* until the handshake is complete */
	uint32_t records_out; /* by the present key */
	bool connected;	      /* the handshake is complete */
	bool write_shut;      /* nothing more may be written */
	bool close_wanted;    /* close_notify found no room yet */
	bool read_closed;     /* the peer's close_notify was read */
	bool ended;	      /* the transport has: nothing more comes in */
	bool stalled;	      /* OpenSSL waits for room in `out` */
	bool no_memory;	      /* it found no memory there */
	bool verified;
	int end_error; /* of the transport, negative errno; 0: it just ended */
	struct haven_tls_error error;
	int error_number;		 /* what calls return from then on: negative errno */
	struct haven_tls_error finding;	 /* about the peer's certificate */
	uint8_t head[HV_TLS_HEAD_BYTES]; /* how the peer's stream begins */
	size_t head_size;
	bool name_is_address;
	char name[HAVEN_TLS_NAME_SIZE]; /* client: the peer's, "" when none was given */
};

static inline struct haven_tls *hv_tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* tls_context.c: write CONFIGURATION into *error (may be NULL). Returns -EINVAL. */
int hv_tls_refuse(struct haven_tls_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Write MEMORY into *error (may be NULL). Returns -ENOMEM. */
int hv_tls_no_memory(struct haven_tls_error *error);
/* Seconds since 1970. */
int64_t hv_tls_wall_clock(const struct haven_tls_context *context);
void hv_tls_context_release(struct haven_tls_context *context);
/* tls_info.c: the application protocol that was agreed upon, "" for none; NULL: one that is not ours. */
const char *hv_tls_alpn_of(const struct haven_tls *tls);

#endif
