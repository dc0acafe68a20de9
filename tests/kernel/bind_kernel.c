/*
 * The bind matrix as the kernel has it: all cases on its own sockets, in a network namespace made for
 * them.
 *
 *	bind_kernel             print the matrix
 *	bind_kernel FILE        compare it with FILE; exit status 0: equal
 *
 * Where a namespace is not permitted the exit status is 77, which skips the test.
 */
#include "bind_cases.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { SKIP = 77 };

/* Descriptors are handed out plus one: 0 is no socket. */
static intptr_t kernel_open(void *ctx, bool peer, bool v6, bool stream)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET,
			(stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	(void)ctx;
	(void)peer;
	return fd + 1;
}

static int result(int status)
{
	return status < 0 ? -errno : 0;
}

static int kernel_option(void *ctx, intptr_t socket, int level, int option, int value)
{
	(void)ctx;
	return result(setsockopt((int)socket - 1, level, option, &value, sizeof(value)));
}

static int kernel_bind(void *ctx, intptr_t socket, const struct sockaddr *address,
		       socklen_t length)
{
	(void)ctx;
	return result(bind((int)socket - 1, address, length));
}

static int kernel_listen(void *ctx, intptr_t socket)
{
	(void)ctx;
	return result(listen((int)socket - 1, 8));
}

static int kernel_connect(void *ctx, intptr_t socket, const struct sockaddr *address,
			  socklen_t length)
{
	(void)ctx;
	return result(connect((int)socket - 1, address, length));
}

static intptr_t kernel_accept(void *ctx, intptr_t socket)
{
	(void)ctx;
	return accept((int)socket - 1, NULL, NULL) + 1;
}

static uint16_t kernel_port(void *ctx, intptr_t socket)
{
	struct sockaddr_in6 address = {0};
	socklen_t length = sizeof(address);

	(void)ctx;
	getsockname((int)socket - 1, (struct sockaddr *)&address, &length);
	return ntohs(address.sin6_port); /* where sin_port is */
}

static void kernel_drain(void *ctx, intptr_t socket)
{
	char byte;

	(void)ctx;
	while (read((int)socket - 1, &byte, 1) > 0)
		;
}

static void kernel_close(void *ctx, intptr_t socket)
{
	(void)ctx;
	close((int)socket - 1);
}

/* All addresses stand on the loopback link; what goes to the peer's comes from the first of ours. */
static const char *const setup[] = {
	"ip link set lo up",
	"ip addr add 10.0.0.1/24 dev lo",
	"ip addr add 10.0.0.11/24 dev lo",
	"ip addr add 10.0.0.2/24 dev lo",
	"ip addr add fd00::1/64 dev lo nodad",
	"ip addr add fd00::11/64 dev lo nodad",
	"ip addr add fd00::2/64 dev lo nodad",
	"ip route change local 10.0.0.2 dev lo table local src 10.0.0.1",
	"ip -6 route del local fd00::2 dev lo table local",
	"ip -6 route add local fd00::2 dev lo table local src fd00::1 metric 0",
	"echo 0 > /proc/sys/net/ipv6/bindv6only",
};

static int namespace_make(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "no network namespace: %s\n", strerror(errno));
		return SKIP;
	}
	for (size_t i = 0; i < sizeof(setup) / sizeof(setup[0]); i++) {
		int tries = 50;

		/* The kernel makes the routes of its own addresses a little later. */
		while (system(setup[i]) != 0 && --tries)
			usleep(20000);
		if (!tries) {
			fprintf(stderr, "failed: %s\n", setup[i]);
			return SKIP;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct bind_host host = {
		.open = kernel_open,
		.option = kernel_option,
		.bind = kernel_bind,
		.listen = kernel_listen,
		.connect = kernel_connect,
		.accept = kernel_accept,
		.port = kernel_port,
		.drain = kernel_drain,
		.close = kernel_close,
	};
	char path[] = "/tmp/bind-matrix-XXXXXX";
	FILE *out = stdout;
	struct utsname system_name;
	int differ, status = namespace_make();
	unsigned cases;

	if (status)
		return status;
	if (argc > 1)
		out = fdopen(mkstemp(path), "w");
	if (!out)
		return SKIP;
	uname(&system_name);
	if (argc == 1)
		printf("# Taken from Linux %s by tests/kernel/bind_kernel; bind_cases.h says "
		       "how to read it.\n",
		       system_name.release);
	cases = bind_cases_run(&host, out);
	if (argc == 1)
		return 0;
	fclose(out);
	differ = bind_cases_compare(argv[1], path);
	unlink(path);
	printf("%u cases on Linux %s, %d lines differ\n", cases, system_name.release, differ);
	return differ != 0;
}
