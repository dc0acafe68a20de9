/*
 * Certificates and keys from files, for TLS at published ports: read, looked at, and noticed when they change.
 *
 * A set is what was read at one time. Files are followed by a stat(2) now and then rather than by inotify(7): that sees whatever puts
 * another file in a name's place (a rename, a symbolic link that is switched, another mount), and there is nothing to be lost.
 */
#ifndef HV_GATEWAY_TLS_IDENTITY_H
#define HV_GATEWAY_TLS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <haven/tls.h>

#define HV_TLS_PAIRS_MAX 256
/* Of one file. A chain of certificates has some 10 KiB; lists of authorities are larger. */
#define HV_TLS_FILE_MAX ((size_t)4 << 20)

/* --tls-cert and its --tls-key. */
struct hv_tls_pair {
	const char *certificate;
	const char *key; /* NULL: it stands in the certificate's file */
};

/* By which a file is known again. Zeroed: there was none. */
struct hv_tls_stamp {
	unsigned long long device, inode;
	long long size;
	struct timespec modified, changed;
};

struct hv_tls_file {
	char *text; /* NULL: not read */
	size_t size;
	struct hv_tls_stamp stamp;
};

/* 0, or a negative errno with one line in error. */
int hv_tls_file_read(const char *path, struct hv_tls_file *file, char *error,
		     size_t error_size);
/* Zeroed may be freed, too. What it said is overwritten. */
void hv_tls_file_free(struct hv_tls_file *file);
/* Whether another file has this name now, or none. */
bool hv_tls_file_changed(const char *path, const struct hv_tls_stamp *stamp);

/* What the engine says of files that it was given; of trusted authorities it does not know the name. */
void hv_tls_fault_text(const struct haven_tls_error *fault, const char *trust_path, char *text,
		       size_t size);

struct hv_tls_set {
	unsigned count;
	struct haven_tls_identity *identities; /* their text belongs to the set */
	struct hv_tls_file *certificates, *keys;
	char (*labels)[512];
};

/* Read all of them. 0, or a negative errno with one line in error. */
int hv_tls_set_read(const struct hv_tls_pair *pairs, unsigned count, struct hv_tls_set *set,
		    char *error, size_t error_size);
/* Overwrite what the files said; that they change is noticed all the same. */
void hv_tls_set_forget(struct hv_tls_set *set);
/* Zeroed may be freed, too. */
void hv_tls_set_free(struct hv_tls_set *set);
/* Whether one of the files that the set was read from is another one now. */
bool hv_tls_set_changed(const struct hv_tls_pair *pairs, const struct hv_tls_set *set);

/*
 * What clients will find wrong with the dates of certificate `index` at `now` (seconds since 1970), in one line. False: nothing.
 */
bool hv_tls_set_dates(const struct hv_tls_set *set, unsigned index, time_t now, char *line,
		      size_t size);

#endif
