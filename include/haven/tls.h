/*
 * TLS 1.2 (RFC 5246) and 1.3 (RFC 8446), client and server, by OpenSSL, without any socket of OpenSSL's.
 *
 * There are two ways in:
 *
 *	haven_tls_attach()	TLS on a connected stream socket of a stack. From then on the socket's own calls
 *				(haven_send, haven_recv, haven_shutdown, haven_close, haven_next_ready, ...) mean what is inside
 *				of TLS. This is all that most programs need.
 *	haven_tls_create()	one TLS connection without a socket: bytes of the peer go in by haven_tls_input(), bytes
 *				for the peer come out of haven_tls_output(). For streams that are not of a stack.
 *
 * Both take their settings from a context, which many connections share, and which keeps what is between connections:
 * sessions to resume, keys of tickets.
 *
 * A peer's certificate is verified, against what is trusted (the system's store unless told otherwise) and
 * for the name that was asked for, unless HAVEN_TLS_VERIFY_NOTHING_INSECURE says not to. When something fails,
 * haven_tls_error() says which check failed, and on which certificate.
 *
 * A stream that ends without the peer's close_notify may have been cut short by anybody: its reader gets -ECONNABORTED, never the
 * 0 that means the end.
 *
 * A context and its connections must be used by one thread at a time. What connections hold is bounded: doc/tls.md has
 * the figures. OpenSSL takes its memory from the C library, not from env.alloc, draws its own random numbers,
 * and reads the system's trust store from its files.
 */
#ifndef HAVEN_TLS_H
#define HAVEN_TLS_H

#include <sys/uio.h>

#include <haven/stack.h>

struct haven_tls_context;
struct haven_tls;

/* --- errors ------------------------------------------------------------------------------- */

/*
 * What went wrong. X(name, errno, text). A connection of TLS that has failed stays so: its calls return the errno (negative) from
 * then on, haven_tls_error() has the name, and a text that says the rest. (-ENOMEM is no such failure: that call found no memory,
 * and can be made again.)
 */
#define HAVEN_TLS_ERROR_MAP(X)                                                            \
	X(NONE, 0, "no error")                                                            \
	X(CONFIGURATION, EINVAL, "the configuration is wrong")                            \
	X(MEMORY, EBADMSG, "out of memory")                                               \
	X(EXPIRED, EBADMSG, "a certificate has expired")                                  \
	X(NOT_YET_VALID, EBADMSG, "a certificate is not valid yet")                       \
	X(WRONG_NAME, EBADMSG, "the certificate is for another name")                     \
	X(UNKNOWN_ISSUER, EBADMSG, "the issuer of a certificate is not known")            \
	X(SELF_SIGNED, EBADMSG, "the certificate is self-signed and not trusted")         \
	X(REVOKED, EBADMSG, "a certificate was revoked")                                  \
	X(BAD_STAPLE, EBADMSG, "the stapled OCSP response proves nothing")                \
	X(NO_STAPLE, EBADMSG, "no OCSP response is stapled where one must be")            \
	X(PURPOSE, EBADMSG, "a certificate is for another purpose")                       \
	X(NAME_CONSTRAINTS, EBADMSG, "the issuer may not certify this name")              \
	X(WEAK, EBADMSG, "a key or a signature is too weak")                              \
	X(BAD_CERTIFICATE, EBADMSG, "a certificate is no good")                           \
	X(NO_CERTIFICATE, EBADMSG, "the peer sent no certificate")                        \
	X(VERSION, EBADMSG, "no version of TLS in common")                                \
	X(NO_CIPHER, EBADMSG, "no cipher, group or signature in common")                  \
	X(NO_ALPN, EBADMSG, "no application protocol in common")                          \
	X(UNKNOWN_NAME, EBADMSG, "no certificate for the name that the client asked for") \
	X(ALERT, EBADMSG, "the peer sent an alert")                                       \
	X(NOT_TLS, EBADMSG, "the peer does not speak TLS")                                \
	X(PROTOCOL, EBADMSG, "the peer broke the protocol")                               \
	X(LIMIT, EBADMSG, "the peer's handshake is larger than the limit")                \
	X(TIMEOUT, ETIMEDOUT, "the handshake took too long")                              \
	X(HUNG_UP, ECONNABORTED, "the peer ended the connection during the handshake")    \
	X(TRUNCATED, ECONNABORTED, "the peer ended without close_notify")                 \
	X(TRANSPORT, ECONNRESET, "the connection under TLS failed")

enum haven_tls_error_code {
#define X(name, number, text) HAVEN_TLS_ERROR_##name,
	HAVEN_TLS_ERROR_MAP(X)
#undef X
};

enum { HAVEN_TLS_ERROR_TEXT = 320, HAVEN_TLS_NAME_SIZE = 256 };

struct haven_tls_error {
	enum haven_tls_error_code code;
	/*
	 * One line without a final dot, for people: "certificate of 'a.test' has expired on 2026-01-02 00:00:00 UTC; it was looked at on
	 * 2026-03-01 12:00:00 UTC". What it quotes of the peer is printable ASCII. "" with code NONE.
	 */
	char text[HAVEN_TLS_ERROR_TEXT];
};

/* Symbolic name ("WRONG_NAME"), and the text of the list above. Never NULL. */
HAVEN_API const char *haven_tls_error_name(enum haven_tls_error_code code);
HAVEN_API const char *haven_tls_error_text(enum haven_tls_error_code code);

/* --- contexts ----------------------------------------------------------------------------- */

enum haven_tls_role {
	HAVEN_TLS_CLIENT,
	HAVEN_TLS_SERVER,
};

enum haven_tls_verify {
	HAVEN_TLS_VERIFY,
	/*
	 * Take any certificate, of anybody. Whoever is on the path can read and change everything. haven_tls_info still says what would
	 * have failed.
	 */
	HAVEN_TLS_VERIFY_NOTHING_INSECURE = 0x1bad,
};

/* Whether a server asks its clients for certificates. */
enum haven_tls_client_auth {
	HAVEN_TLS_CLIENT_AUTH_NONE,
	HAVEN_TLS_CLIENT_AUTH_WANTED,	/* one that is sent must be good; none is all right */
	HAVEN_TLS_CLIENT_AUTH_REQUIRED, /* (RFC 8446 section 4.4.2.4: certificate_required) */
};

/* Numbers of RFC 8446 section 4.1.2. Older versions are not spoken (RFC 8996). */
enum haven_tls_version {
	HAVEN_TLS_1_2 = 0x0303,
	HAVEN_TLS_1_3 = 0x0304,
};

/* Who we are: a certificate, those that lead from it to its issuer, and its private key. */
struct haven_tls_identity {
	const char *chain; /* PEM, ours first */
	size_t chain_size;
	const char *key; /* PEM, without a password; NULL: it stands in chain */
	size_t key_size;
	const void *
		staple; /* OCSP response about it (DER, RFC 6960), for servers to staple; NULL: none */
	size_t staple_size;
	const char *label; /* what errors call it; NULL: "identity 1" and so on */
};

/*
 * Fill with haven_tls_config_init(), then change what you need. Everything is copied; nothing that it points to has to live
 * longer than the call, `env.user` and `user` aside.
 */
struct haven_tls_config {
	struct haven_env env; /* default: haven_env_default() */
	enum haven_tls_role role;
	enum haven_tls_verify verify;

	/*
	 * What is trusted: certificates as PEM, of authorities or of single peers. NULL: the system's store. With system_trust, both.
	 * A server that asks for client certificates must say which of the two it means.
	 */
	const char *trust;
	size_t trust_size;
	bool system_trust;

	/*
	 * A server's identities, at least one, at most 1024; chosen by the name that the client asks for: exact, then wildcard ("*.example.org",
	 * one label), then the first one. Several for one name are for several kinds of keys. A client's: none or one.
	 */
	const struct haven_tls_identity *identities;
	unsigned identity_count;
	bool refuse_unknown_names; /* no match: alert unrecognized_name (RFC 6066 section 3) in place of the first one */
	enum haven_tls_client_auth client_auth;

	/* Application protocols (RFC 7301), best first, at most 16 of 1 to 255 bytes. A server with a list refuses a
	 * client whose list has none of them; a client that sends no list is served. */
	const char *const *alpn;
	unsigned alpn_count;

	enum haven_tls_version min_version, max_version; /* default: 1.2, 1.3 */
	bool require_staple; /* client: without a good stapled OCSP response, no connection */

	/* Resumption. A client keeps sessions by server name; a server keeps nothing, but the key of its tickets, which it changes
	 * every ticket_lifetime_s. */
	bool no_resumption;
	uint32_t session_limit; /* client: sessions kept, the oldest goes first; default 256 */
	uint32_t
		ticket_lifetime_s; /* server: default 7200, at most 604,800 (RFC 8446 section 4.6.1) */

	/* Limits of a connection. */
	uint64_t handshake_timeout_ns; /* default 10 s; 0: none */
	uint32_t handshake_bytes; /* what the peer may send in its handshake; default 128 KiB */
	uint32_t
		output_bytes; /* what waits in haven_tls_output() before writing has to wait; default 64 KiB, at least 32 KiB */

	void *user; /* of those below */
	/* Server: a client asks for `name` (lower case), which none of the identities is for. haven_tls_context_replace() may be
	 * called here, and this client is then served by what it brought. NULL: they are all there is. */
	void (*name_missing)(void *user, const char *name);
	/* Seconds since 1970 UTC, for the dates in certificates. NULL: the system's clock (OpenSSL asks it). */
	int64_t (*wall_clock)(void *user);
	/* For debugging only: called with each line of a key log (SSLKEYLOGFILE), by which Wireshark reads
	 * what is captured. Whoever has it can read everything. NULL: none. */
	void (*key_log)(void *user, const char *line);
};

HAVEN_API void haven_tls_config_init(struct haven_tls_config *config, enum haven_tls_role role);

/*
 * Make a context. *error (may be NULL) says what is wrong.
 * Errors: -EINVAL (CONFIGURATION: also PEM that cannot be read, or a key that is not the certificate's), -ENOMEM.
 */
HAVEN_API int haven_tls_context_create(const struct haven_tls_config *config,
				       struct haven_tls_context **out,
				       struct haven_tls_error *error);

/* The caller is done with it. It goes when its last connection has gone. NULL is allowed. */
HAVEN_API void haven_tls_context_destroy(struct haven_tls_context *context);

/*
 * Use other identities from now on; connections whose handshake has chosen already keep theirs. On an error all is as before.
 * Errors: as haven_tls_context_create().
 */
HAVEN_API int haven_tls_context_replace(struct haven_tls_context *context,
					const struct haven_tls_identity *identities,
					unsigned count, struct haven_tls_error *error);

/* Forget the client's sessions, or change the key of the server's tickets, so that none of them is resumed. */
HAVEN_API void haven_tls_context_forget_sessions(struct haven_tls_context *context);

/* --- TLS on a socket ------------------------------------------------------------------------- */

/*
 * Put TLS on a stream socket that is connected or connecting, at this point of its two streams. The role is the context's.
 * server_name: client: the name (or address, in text) that the certificate must be for, which is also sent (RFC 6066
 * section 3; addresses are not). NULL is for clients that verify nothing. server: NULL.
 *
 * From then on the socket is one of TLS:
 *	haven_send, haven_writev	what is inside. -EAGAIN until the handshake is complete. MSG_MORE as before; MSG_OOB: -EOPNOTSUPP
 *	haven_recv, haven_readv		the same. 0: the peer's close_notify. -ECONNABORTED: it ended without. MSG_PEEK: at most what one
 *					record holds. MSG_TRUNC: -EOPNOTSUPP
 *	haven_recv_peek, _consume, haven_send_reserve, _commit	as before, with one more copy; at most 16 KiB at once
 *	haven_shutdown			SHUT_WR: close_notify, then FIN; -ENOTCONN during the handshake. The peer may go on sending
 *	haven_close			close_notify; what was sent is delivered in the background, then FIN
 *	haven_abort, haven_socket_set_user, _owner, names		as before
 *	haven_socket_events, haven_next_ready	CONNECTED: the handshake is complete. READABLE, WRITABLE: inside of TLS.
 *					PEER_CLOSED: close_notify was read, which needs all before it to be read.
 *					ERROR: see haven_tls_error(); SO_ERROR is its errno. SENT: nothing waits for an
 *					acknowledgement. The handshake is done by haven_next_ready(): drain it after each
 *					haven_poll(), as always
 *	haven_socket_set_sink		has no effect
 *
 * Errors: -EINVAL (not a stream with a connection; a name that is none, or missing: *error), -EALREADY (it has TLS), -ENOMEM.
 */
HAVEN_API int haven_tls_attach(struct haven_socket *socket, struct haven_tls_context *context,
			       const char *server_name, struct haven_tls_error *error);

/* The connection of a socket with TLS, to ask about; NULL: it has none. Lives as long as the socket. Not to be destroyed,
 * nor read, written or fed. */
HAVEN_API struct haven_tls *haven_socket_tls(const struct haven_socket *socket);

/* --- TLS without a socket ---------------------------------------------------------------------- */

/*
 * Begin a connection; a client's first bytes wait in haven_tls_output() at once. server_name: as in haven_tls_attach().
 * now_ns: monotonic, from any origin; only the time-out of the handshake and the change of ticket keys use it. Errors: -EINVAL, -ENOMEM.
 */
HAVEN_API int haven_tls_create(struct haven_tls_context *context, const char *server_name,
			       uint64_t now_ns, struct haven_tls **out,
			       struct haven_tls_error *error);
/* End it; says nothing to the peer (see haven_tls_shutdown). NULL is allowed. */
HAVEN_API void haven_tls_destroy(struct haven_tls *tls);

/*
 * Bytes from the peer. Returns how many were taken: less than size when what they hold has to be read first (haven_tls_read until -EAGAIN), or what
 * waits for the peer sent; then hand in the rest. After the peer's close_notify everything is taken, and thrown away.
 * Errors: what haven_tls_error() has; what is in haven_tls_output() (an alert) should still be sent.
 */
HAVEN_API ssize_t haven_tls_input(struct haven_tls *tls, const void *data, size_t size);
/* The peer's stream has ended (FIN), or the transport failed (error: negative errno; 0: it ended). */
HAVEN_API void haven_tls_input_end(struct haven_tls *tls, int error);

/*
 * Bytes for the peer: fills up to 2 slices, returns how many bytes they hold. Valid until the next call on this connection.
 * haven_tls_output_consume() gives up the first `size` of them; it may make more.
 */
HAVEN_API size_t haven_tls_output(const struct haven_tls *tls, struct iovec slices[2]);
HAVEN_API void haven_tls_output_consume(struct haven_tls *tls, size_t size);

/*
 * What is inside. haven_tls_read returns 0 at the peer's close_notify; -EAGAIN: more has to come in first; peek leaves it there.
 * haven_tls_write takes what fits; -EAGAIN: the handshake is not complete, or the output has to be sent first; -EPIPE: after haven_tls_shutdown().
 * Errors: those, and what haven_tls_error() has.
 */
HAVEN_API ssize_t haven_tls_read(struct haven_tls *tls, void *data, size_t size);
HAVEN_API ssize_t haven_tls_peek(struct haven_tls *tls, void *data, size_t size);
HAVEN_API ssize_t haven_tls_write(struct haven_tls *tls, const void *data, size_t size);

/*
 * No more will be written: close_notify goes out (RFC 8446 section 6.1). Reading goes on. During the handshake: ends it.
 * Errors: what haven_tls_error() has; -ENOTCONN (the handshake is not complete).
 */
HAVEN_API int haven_tls_shutdown(struct haven_tls *tls);

/* HAVEN_EVENT_ bits of <haven/socket.h>: READABLE, WRITABLE, CONNECTED, PEER_CLOSED, ERROR, HANGUP, with the meaning inside of TLS. */
HAVEN_API unsigned haven_tls_events(const struct haven_tls *tls);

/* When haven_tls_poll() must be called, or UINT64_MAX. It fails the connection when its handshake has taken too long. */
HAVEN_API uint64_t haven_tls_deadline(const struct haven_tls *tls);
HAVEN_API void haven_tls_poll(struct haven_tls *tls, uint64_t now_ns);

/* --- what a connection tells ---------------------------------------------------------------------- */

/* What failed; code NONE: nothing. Lives as long as the connection. */
HAVEN_API const struct haven_tls_error *haven_tls_error(const struct haven_tls *tls);

/* Strings live as long as the connection, "" when there is none. */
struct haven_tls_info {
	bool connected; /* the handshake is complete; else only server_name may be known */
	bool resumed;	/* by a session of an earlier connection, without certificates */
	bool verified; /* the peer's certificate was verified, in this connection or in the one that is resumed */
	uint16_t version;	  /* enum haven_tls_version; 0 */
	const char *version_name; /* "TLSv1.3" */
	const char *cipher;	  /* the name of the IANA registry: "TLS_AES_128_GCM_SHA256" */
	const char *group; /* of the key exchange: "x25519"; "" when OpenSSL does not tell */
	const char *alpn;  /* what was agreed upon */
	const char *server_name;    /* what the client asked for */
	unsigned certificate_count; /* of the peer, for haven_tls_certificate() */
	struct haven_tls_error
		finding; /* the first check of the peer's certificate that failed, also when nothing is verified */
};
HAVEN_API void haven_tls_info(const struct haven_tls *tls, struct haven_tls_info *info);

/* A certificate that the peer sent. Text is printable ASCII; what else there was is shown as '?'. */
struct haven_tls_certificate_info {
	char subject[256],
		issuer[256]; /* as RFC 2253: "CN=a.test,O=Example"; cut when longer */
	char names[512]; /* names and addresses that it is for: "a.test, *.b.test, 192.0.2.1" */
	char serial[48]; /* hexadecimal */
	int64_t not_before, not_after; /* seconds since 1970 UTC */
	uint8_t sha256[32];	       /* of the whole certificate */
};
/* index 0: the peer's own. False: there is no such one. */
HAVEN_API bool haven_tls_certificate(const struct haven_tls *tls, unsigned index,
				     struct haven_tls_certificate_info *info);

#endif
