/*
 * Files of certificates and keys. See tls_identity.h.
 */
#include "gateway/tls_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "gateway/read_fd.h"

/* --- one file --------------------------------------------------------------------------- */

static struct hv_tls_stamp stamp_of(const struct stat *status)
{
	return (struct hv_tls_stamp){
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
	};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool hv_tls_file_changed(const char *path, const struct hv_tls_stamp *stamp)
{
	struct hv_tls_stamp now = {0};
	struct stat status;

	if (stat(path, &status) == 0)
		now = stamp_of(&status);
	return now.device != stamp->device || now.inode != stamp->inode ||
	       now.size != stamp->size || !same_time(&now.modified, &stamp->modified) ||
	       !same_time(&now.changed, &stamp->changed);
}

/* The stamp is of before it is read: what is written meanwhile is noticed later. */
static int read_file(int fd, struct hv_tls_file *file)
{
	struct stat status;
	ssize_t size;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (status.st_size < 0 || (size_t)status.st_size >= HV_TLS_FILE_MAX)
		return -EFBIG;
	file->stamp = stamp_of(&status);
	file->text = malloc(HV_TLS_FILE_MAX);
	if (!file->text)
		return -ENOMEM;
	size = hv_read_fd(fd, file->text, HV_TLS_FILE_MAX);
	if (size < 0)
		return (int)size;
	if ((size_t)size == HV_TLS_FILE_MAX)
		return -EFBIG;
	file->size = (size_t)size;
	file->text = realloc(file->text, file->size + 1); /* smaller: it cannot fail */
	return 0;
}

int hv_tls_file_read(const char *path, struct hv_tls_file *file, char *error, size_t error_size)
{
	/* A pipe in the file's place must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int failed = fd < 0 ? -errno : 0;

	*file = (struct hv_tls_file){0};
	if (fd >= 0) {
		failed = read_file(fd, file);
		close(fd);
	}
	if (failed < 0) {
		hv_tls_file_free(file);
		snprintf(error, error_size, "cannot read '%.300s': %s", path,
			 strerror(-failed));
	}
	return failed;
}

void hv_tls_file_free(struct hv_tls_file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->size);
	free(file->text);
	file->text = NULL;
	file->size = 0;
}

void hv_tls_fault_text(const struct haven_tls_error *fault, const char *trust_path, char *text,
		       size_t size)
{
	static const char trust[] = "trust: ";

	if (trust_path && strncmp(fault->text, trust, sizeof(trust) - 1) == 0)
		snprintf(text, size, "'%.200s': %s", trust_path,
			 fault->text + sizeof(trust) - 1);
	else
		snprintf(text, size, "%s", fault->text);
}

/* --- all of them ------------------------------------------------------------------------ */

static int read_pair(const struct hv_tls_pair *pair, struct hv_tls_set *set, unsigned i,
		     char *error, size_t error_size)
{
	struct haven_tls_identity *identity = &set->identities[i];
	int failed =
		hv_tls_file_read(pair->certificate, &set->certificates[i], error, error_size);

	if (failed == 0 && pair->key)
		failed = hv_tls_file_read(pair->key, &set->keys[i], error, error_size);
	if (failed < 0)
		return failed;
	identity->chain = set->certificates[i].text;
	identity->chain_size = set->certificates[i].size;
	identity->key = set->keys[i].text;
	identity->key_size = set->keys[i].size;
	snprintf(set->labels[i], sizeof(set->labels[i]),
		 pair->key ? "'%s' with key '%s'" : "'%s'", pair->certificate, pair->key);
	identity->label = set->labels[i];
	return 0;
}

int hv_tls_set_read(const struct hv_tls_pair *pairs, unsigned count, struct hv_tls_set *set,
		    char *error, size_t error_size)
{
	int failed = 0;

	*set = (struct hv_tls_set){
		.count = count,
		.identities = calloc(count, sizeof(*set->identities)),
		.certificates = calloc(count, sizeof(*set->certificates)),
		.keys = calloc(count, sizeof(*set->keys)),
		.labels = calloc(count, sizeof(*set->labels)),
	};
	if (!set->identities || !set->certificates || !set->keys || !set->labels) {
		snprintf(error, error_size, "out of memory");
		failed = -ENOMEM;
	}
	for (unsigned i = 0; i < count && failed == 0; i++)
		failed = read_pair(&pairs[i], set, i, error, error_size);
	if (failed < 0)
		hv_tls_set_free(set);
	return failed;
}

void hv_tls_set_forget(struct hv_tls_set *set)
{
	for (unsigned i = 0; set->certificates && set->keys && i < set->count; i++) {
		hv_tls_file_free(&set->certificates[i]);
		hv_tls_file_free(&set->keys[i]);
	}
}

void hv_tls_set_free(struct hv_tls_set *set)
{
	hv_tls_set_forget(set);
	free(set->identities);
	free(set->certificates);
	free(set->keys);
	free(set->labels);
	*set = (struct hv_tls_set){0};
}

bool hv_tls_set_changed(const struct hv_tls_pair *pairs, const struct hv_tls_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (hv_tls_file_changed(pairs[i].certificate, &set->certificates[i].stamp))
			return true;
		if (pairs[i].key && hv_tls_file_changed(pairs[i].key, &set->keys[i].stamp))
			return true;
	}
	return false;
}

/* --- dates ------------------------------------------------------------------------------ */

static void date_text(const ASN1_TIME *date, char text[32])
{
	struct tm tm = {0};

	text[0] = '\0';
	if (ASN1_TIME_to_tm(date, &tm) == 1)
		strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

bool hv_tls_set_dates(const struct hv_tls_set *set, unsigned index, time_t now, char *line,
		      size_t size)
{
	const struct haven_tls_identity *identity = &set->identities[index];
	BIO *bio = BIO_new_mem_buf(identity->chain, (int)identity->chain_size);
	X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool expired = leaf && X509_cmp_time(X509_get0_notAfter(leaf), &now) < 0;
	bool early = leaf && X509_cmp_time(X509_get0_notBefore(leaf), &now) > 0;
	char date[32];

	if (expired || early) {
		date_text(expired ? X509_get0_notAfter(leaf) : X509_get0_notBefore(leaf), date);
		snprintf(line, size, "the certificate in %.300s %s %s: clients will refuse it",
			 identity->label, expired ? "has expired on" : "is not valid before",
			 date);
	}
	X509_free(leaf);
	BIO_free(bio);
	ERR_clear_error();
	return expired || early;
}
