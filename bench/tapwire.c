/* tapwire MODE NETNS MTU PIDFILE - shuttle frames between TAP tw0 (here) and
 * TAP tw1 (in NETNS). MODE plain: bare frames. MODE gso: virtio-net header,
 * checksum and TSO offload, so one read or write moves up to 64 KiB.
 * A bound for any TAP gateway: two TAP operations a frame, no TCP work. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DIE(s)             \
	do {               \
		perror(s); \
		exit(1);   \
	} while (0)

static int tap(const char *name, int gso)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK), sz = 10;

	if (fd < 0)
		DIE("tun");
	if (gso)
		r.ifr_flags |= IFF_VNET_HDR;
	strcpy(r.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &r))
		DIE("TUNSETIFF");
	if (gso && (ioctl(fd, TUNSETVNETHDRSZ, &sz) ||
		    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)))
		DIE("TUNSETOFFLOAD");
	return fd;
}

int main(int argc, char **argv)
{
	static char buf[70000];
	int gso, self, ns;
	struct pollfd p[2];
	FILE *f;

	if (argc < 5)
		return 2;
	gso = !strcmp(argv[1], "gso");
	self = open("/proc/self/ns/net", O_RDONLY);
	ns = open(argv[2], O_RDONLY);
	p[0].fd = tap("tw0", gso);
	if (setns(ns, CLONE_NEWNET))
		DIE("setns");
	p[1].fd = tap("tw1", gso);
	setns(self, CLONE_NEWNET);
	f = fopen(argv[4], "w");
	fprintf(f, "%d\n", getpid());
	fclose(f);
	p[0].events = p[1].events = POLLIN;
	for (;;) {
		poll(p, 2, -1);
		for (int i = 0; i < 2; i++) {
			if (!(p[i].revents & POLLIN))
				continue;
			for (int k = 0; k < 64; k++) {
				ssize_t n = read(p[i].fd, buf, sizeof(buf));
				if (n <= 0)
					break;
				if (write(p[!i].fd, buf, n) < 0 && errno != EIO &&
				    errno != EINVAL)
					DIE("write");
			}
		}
	}
}
