/*
 * The guest alone, without a stack behind its wire: what guest.test runs.
 *
 *	guest_driver [option...] [--] COMMAND...	a command in namespaces of its own
 *	guest_driver [option...] --attach PID|PATH	the wire in a namespace that exists
 *
 * --link tap|veth, --map-root, --mtu N, --ipv4-only, --no-dns, --ifname NAME, --userns PATH;
 * --verbose prints the log's debug lines and the wire; --frames
 * prints the type and length of each frame that the guest sends.
 * Exits as haven does: the command's status, 125 when the driver failed.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/guest.h"

/* Before each frame of a TAP; a packet socket has none unless asked. */
#define VNET_HEADER_SIZE 10

struct driver {
	struct hv_guest_options run;
	struct hv_guest_attach_options attach;
	const char *target; /* of --attach */
	bool verbose;
	bool frames;
};

static void print_line(void *context, enum hv_guest_log_level level, const char *text)
{
	const struct driver *driver = context;

	if (level != HV_GUEST_LOG_DEBUG || driver->verbose)
		fprintf(stderr, "guest_driver: %s\n", text);
}

static void parse_target(struct driver *driver)
{
	char *rest;
	long pid = strtol(driver->target, &rest, 10);

	if (*rest == '\0')
		driver->attach.pid = (pid_t)pid;
	else
		driver->attach.path = driver->target;
}

static void parse(struct driver *driver, int argc, char **argv)
{
	static const struct option options[] = {
		{"attach", required_argument, NULL, 'a'},
		{"link", required_argument, NULL, 'l'},
		{"map-root", no_argument, NULL, 'r'},
		{"mtu", required_argument, NULL, 'm'},
		{"ipv4-only", no_argument, NULL, '4'},
		{"no-dns", no_argument, NULL, 'd'},
		{"ifname", required_argument, NULL, 'i'},
		{"userns", required_argument, NULL, 'u'},
		{"verbose", no_argument, NULL, 'v'},
		{"frames", no_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	struct hv_guest_network *network = &driver->run.network;
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'a':
			driver->target = optarg;
			break;
		case 'l':
			network->wire = strcmp(optarg, "tap") == 0 ? HV_WIRE_TAP : HV_WIRE_VETH;
			break;
		case 'r':
			driver->run.map_root = true;
			break;
		case 'm':
			network->mtu = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case '4':
			network->ipv6.enabled = false;
			break;
		case 'd':
			driver->run.dns4_count = driver->run.dns6_count = 0;
			break;
		case 'i':
			snprintf(network->ifname, sizeof(network->ifname), "%s", optarg);
			break;
		case 'u':
			driver->attach.userns_path = optarg;
			break;
		case 'v':
			driver->verbose = true;
			break;
		case 'f':
			driver->frames = true;
			break;
		default:
			exit(HV_EXIT_FAILED);
		}
	}
	driver->run.argv = argv + optind;
	driver->attach.network = *network;
	if (driver->target)
		parse_target(driver);
}

/* A packet socket receives once it is bound. */
static void bind_wire(const struct hv_guest_wire *wire)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = wire->ifindex};

	if (wire->kind == HV_WIRE_VETH &&
	    bind(wire->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		perror("guest_driver: bind");
}

static void read_frames(const struct hv_guest_wire *wire)
{
	static unsigned char frame[65536 + 64];
	size_t header = wire->kind == HV_WIRE_TAP ? VNET_HEADER_SIZE : 0;
	ssize_t length;

	while ((length = read(wire->fd, frame, sizeof(frame))) > 0) {
		const unsigned char *type = frame + header + 12;

		if ((size_t)length < header + 14)
			continue;
		fprintf(stderr, "frame %02x%02x %zd\n", type[0], type[1],
			length - (ssize_t)header);
	}
}

static int serve(struct driver *driver, struct hv_guest *guest)
{
	const struct hv_guest_wire *wire = hv_guest_wire(guest);
	struct pollfd fds[] = {
		{.fd = hv_guest_fd(guest), .events = POLLIN},
		{.fd = driver->frames ? wire->fd : -1, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return HV_EXIT_FAILED;
		if (fds[1].revents)
			read_frames(wire);
		if (fds[0].revents && hv_guest_turn(guest) == HV_GUEST_ENDED)
			return hv_guest_status(guest);
	}
}

int main(int argc, char **argv)
{
	struct driver driver = {0};
	struct hv_guest_error error;
	struct hv_guest *guest;
	int result, die_by;

	hv_guest_options_init(&driver.run);
	hv_guest_attach_options_init(&driver.attach);
	parse(&driver, argc, argv);
	driver.run.log = (struct hv_guest_log){.line = print_line, .context = &driver};
	driver.attach.log = driver.run.log;
	result = driver.target ? hv_guest_attach(&driver.attach, &guest, &error)
			       : hv_guest_start(&driver.run, &guest, &error);
	if (result < 0) {
		fprintf(stderr, "guest_driver: %s\n", error.text);
		return HV_EXIT_FAILED;
	}
	if (driver.verbose)
		fprintf(stderr, "guest_driver: wire %s %s pid %d\n",
			hv_guest_wire(guest)->kind == HV_WIRE_TAP ? "tap" : "veth",
			hv_guest_wire(guest)->ifname, (int)hv_guest_pid(guest));
	bind_wire(hv_guest_wire(guest));
	hv_guest_release(guest);
	result = serve(&driver, guest);
	die_by = hv_guest_die_by(guest);
	hv_guest_destroy(guest);
	if (die_by) {
		signal(die_by, SIG_DFL);
		raise(die_by);
	}
	return result;
}
