/*
 * The local authority: signs the certificates of ports that are published with TLS and without --tls-cert. Made once per user, in
 * $XDG_DATA_HOME/haven (~/.local/share/haven): ca.pem and ca.key, both of mode 0600. Who adds ca.pem to what a client trusts
 * makes that client accept them; who has ca.key can make more.
 *
 * So that a key that got lost opens no more than it has to, the certificate itself bounds it (RFC 5280 section 4.2.1.10): host names are
 * those of this machine (NAME and NAME.local), and those under localhost, test (RFC 6761) and haven; others only when it was made with them
 * (`haven ca --renew --name example.org`). IP addresses are not bound, as a machine's change. It signs for TLS servers only, and
 * no further authorities.
 *
 * Files that others could have read or changed are refused, and so is what does not fit together.
 */
#ifndef HV_GATEWAY_AUTHORITY_H
#define HV_GATEWAY_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_AUTHORITY_NAMES_MAX	     64 /* in one certificate */
#define HV_AUTHORITY_LEAF_SECONDS    (90 * 86400)
#define HV_AUTHORITY_ERROR	     512 /* what any error fits in */
#define HV_AUTHORITY_FINGERPRINT_MAX (3 * 32)

struct hv_authority;

/*
 * Open the user's, or make it where there is none. Processes that do so at once get the same. 0, or a negative errno with one
 * line in error that says what to do: -EPERM (files or directories of others, or open to them), -EBADMSG (damaged, or key and certificate are not of
 * each other), -EKEYEXPIRED, -ENOENT (no home; the key is missing), and those of files.
 */
int hv_authority_open(struct hv_authority **out, char *error, size_t size);
/*
 * Make a new one in place of what is there, whatever that is, which is kept as ca.pem.old and ca.key.old. `names`: host names that it may
 * sign besides, with all under them. As above; -EINVAL: a name is none.
 */
int hv_authority_renew(const char *const *names, size_t count, struct hv_authority **out,
		       char *error, size_t size);
/* NULL is fine. */
void hv_authority_close(struct hv_authority *authority);

struct hv_authority_leaf {
	char *chain; /* PEM, the leaf first. Who trusts the authority has its certificate, so it is not in here. */
	char *key;	   /* PEM, PKCS #8 */
	int64_t not_after; /* seconds since 1970 */
};

/*
 * A new key and a certificate of it for 1 to HV_AUTHORITY_NAMES_MAX names: host names ("*.name" too) and textual IP addresses. It is valid
 * since an hour ago, for HV_AUTHORITY_LEAF_SECONDS, and no longer than the authority. 0; -EINVAL: a name is none, or there are too many; -EACCES: a
 * name that the authority may not sign; -EKEYEXPIRED; -ENOMEM. Then there is a line in error, and out is empty.
 */
int hv_authority_issue(struct hv_authority *authority, const char *const *names, unsigned count,
		       struct hv_authority_leaf *out, char *error, size_t size);
/* Wipes the key. */
void hv_authority_leaf_free(struct hv_authority_leaf *leaf);

/* Whether it may sign this host name or textual address. */
bool hv_authority_covers(const struct hv_authority *authority, const char *name);
/* The i-th host name that it is bound to, with all under it; NULL: no more (for i 0: it is not bound). */
const char *hv_authority_permitted(const struct hv_authority *authority, size_t i);

struct hv_authority_info {
	const char *path;			   /* of the certificate */
	const char *pem;			   /* the certificate */
	const char *subject;			   /* RFC 2253 */
	char sha256[HV_AUTHORITY_FINGERPRINT_MAX]; /* "AB:CD:..." */
	int64_t not_before, not_after;		   /* seconds since 1970 */
};

/* Valid until it is closed. */
void hv_authority_info(const struct hv_authority *authority, struct hv_authority_info *info);

#endif
