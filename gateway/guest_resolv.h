/*
 * /etc/resolv.conf as the guest sees it.
 *
 * The file lives in a tmpfs that only the guest's mount namespace has, and lies over the host's by
 * a bind mount: nothing is written on the host, and nothing is left when the namespace goes.
 */
#ifndef HV_GATEWAY_GUEST_RESOLV_H
#define HV_GATEWAY_GUEST_RESOLV_H

#include <stddef.h>

#include "gateway/guest.h"

#define HV_RESOLV_SIZE 4096

/*
 * Writes the guest's file into `text` (at most size - 1 bytes and a NUL): "nameserver" lines of the
 * options, then what the host's file (`host`, NUL-terminated) says in lines other than "nameserver"
 * (search, domain, options, sortlist), as far as whole lines fit. Returns its length in bytes.
 */
size_t hv_resolv_compose(const struct hv_guest_options *options, const char *host, char *text,
			 size_t size);

struct hv_resolv {
	int file_fd; /* the guest's file, O_PATH; -1: none */
	int watch_fd; /* inotify, readable when the host's file may have been replaced; -1: none */
};

/*
 * Makes the file and lays it over the host's, in the guest's mount namespace, which must be private
 * already. A tmpfs stays mounted on /proc: mount the new /proc over it and say so with
 * hv_resolv_keep, or take it away with hv_resolv_drop. What goes wrong is noted on `channel`.
 */
void hv_resolv_mount(int channel, const struct hv_guest_options *options,
		     struct hv_resolv *resolv);

/* A new /proc hides the tmpfs: from now on the file can be laid over again. */
void hv_resolv_keep(struct hv_resolv *resolv);

/* There will be no new /proc: the tmpfs goes, the file stays where it lies. */
void hv_resolv_drop(struct hv_resolv *resolv);

/*
 * To be called when watch_fd is readable: the host replaced its file by rename, which takes away
 * what lay over it; puts the guest's there again.
 */
void hv_resolv_restore(const struct hv_resolv *resolv);

#endif
