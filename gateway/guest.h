/*
 * The guest: a command in a network of its own, or a namespace that exists already.
 *
 * This is the far end of the wire. `hv_guest_start` makes the namespaces and everything in them
 * up to the instant before the command's first instruction, and hands the near end of the wire
 * (a TAP, or an AF_PACKET socket on a veth) to the gateway. The command waits until the gateway
 * says `hv_guest_release`, so that its first packet finds the gateway at work.
 *
 *	struct hv_guest_options options;
 *	struct hv_guest_error error;
 *	struct hv_guest *guest;
 *
 *	hv_guest_options_init(&options);
 *	options.argv = argv;
 *	if (hv_guest_start(&options, &guest, &error) < 0)
 *		die(125, error.text);
 *	wire = hv_guest_wire(guest);            // wire->fd goes to the link back-end
 *	epoll_ctl(epoll, EPOLL_CTL_ADD, hv_guest_fd(guest), ...);
 *	hv_guest_release(guest);
 *	// whenever hv_guest_fd() is readable:
 *	if (hv_guest_turn(guest) == HV_GUEST_ENDED)
 *		status = hv_guest_status(guest);
 *	hv_guest_destroy(guest);
 *
 * One process and one thread: every function is called from the thread that called start or
 * attach, which must also be the one whose death ends the process (PR_SET_PDEATHSIG goes by
 * thread). A program that goes to the background forks before, not between: a signalfd in an epoll
 * set belongs to the process that put it there.
 */
#ifndef HV_GATEWAY_GUEST_H
#define HV_GATEWAY_GUEST_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The most DNS addresses of one family that the guest's resolv.conf gets (glibc reads three). */
#define HV_GUEST_DNS_MAX 3

/* What haven itself exits with when it failed, and what a shell uses for a bad command. */
#define HV_EXIT_FAILED	       125
#define HV_EXIT_NOT_EXECUTABLE 126
#define HV_EXIT_NOT_FOUND      127

enum hv_wire_kind {
	HV_WIRE_AUTO, /* TAP where /dev/net/tun can be had, veth where not */
	HV_WIRE_TAP,
	HV_WIRE_VETH,
};

/* One address family of the guest's interface. */
struct hv_guest_ipv4 {
	bool enabled;
	struct in_addr address;
	uint8_t prefix; /* bits */
	struct in_addr gateway;
};

struct hv_guest_ipv6 {
	bool enabled; /* false: the interface has no IPv6, not even a link-local address */
	struct in6_addr address;
	uint8_t prefix; /* bits */
	struct in6_addr gateway;
};

/* The guest's end of the wire, the same for a command and for an attached namespace. */
struct hv_guest_network {
	enum hv_wire_kind wire;
	char ifname[IFNAMSIZ]; /* empty: "tap0" for TAP, "eth0" for veth */
	uint32_t mtu;	       /* bytes; 68..65520, with IPv6 at least 1280 */
	uint8_t mac[6];	       /* of the guest's interface */
	struct hv_guest_ipv4 ipv4;
	struct hv_guest_ipv6 ipv6;
	/*
	 * False leaves link state, MTU, MAC, addresses and routes alone and only opens the
	 * wire: for a TAP that somebody else has made and configured (slirp4netns without -c).
	 */
	bool configure;
};

enum hv_guest_log_level {
	HV_GUEST_LOG_DEBUG,   /* a fallback that was taken, for those who ask */
	HV_GUEST_LOG_WARNING, /* something that the user asked for is not as asked */
	HV_GUEST_LOG_ERROR,   /* the command could not be executed */
};

struct hv_guest_log {
	/* `text` is one line without newline, valid during the call. NULL: nothing is said. */
	void (*line)(void *context, enum hv_guest_log_level level, const char *text);
	void *context;
};

/* All that `haven run` needs. Pointers are borrowed until hv_guest_start returns. */
struct hv_guest_options {
	char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	char *const *env;  /* NULL-terminated; NULL: the caller's */
	bool map_root;	   /* the user is root (uid 0, gid 0) inside */
	uint32_t
		privileged_ports; /* below it, binding takes root inside; 0: every port is for all */
	bool new_privileges_off; /* set no_new_privs; off by default, see doc comment below */
	struct hv_guest_network network;
	struct in_addr dns4[HV_GUEST_DNS_MAX];
	size_t dns4_count;
	struct in6_addr dns6[HV_GUEST_DNS_MAX];
	size_t dns6_count; /* both counts 0: resolv.conf inside is the host's */
	struct hv_guest_log log;
};
/*
 * new_privileges_off: no_new_privs would make file capabilities and set-uid bits void inside.
 * In a user namespace set-uid programs of other ids do nothing anyway, but file capabilities do
 * work and are harmless there (Debian's ping has cap_net_raw), and as real root daemons rely on
 * set-uid helpers; so it is off unless asked for.
 */

/* All that `haven attach` needs. One of pid and path names the target. */
struct hv_guest_attach_options {
	pid_t pid;		 /* > 0: the network namespace of this process */
	const char *path;	 /* else: a namespace file, as /run/netns/x or /proc/1/ns/net */
	const char *userns_path; /* the user namespace to join first; NULL: found by itself */
	struct hv_guest_network network;
	struct hv_guest_log log;
};

/* Why start or attach failed. */
struct hv_guest_error {
	int error;	/* positive errno */
	char text[512]; /* one line, says what to do about it; no "haven:" prefix, no newline */
};

/* The near end of the wire. The descriptors belong to the guest, close-on-exec, non-blocking. */
struct hv_guest_wire {
	enum hv_wire_kind kind; /* TAP or VETH, never AUTO */
	/*
	 * TAP: an open /dev/net/tun, attached, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, up; offloads
	 * are not set (TUNSETOFFLOAD works on the descriptor from anywhere).
	 * VETH: an AF_PACKET SOCK_RAW socket of protocol 0, not yet bound and so receiving
	 * nothing: set its options, then bind it to `ifindex` with ETH_P_ALL.
	 */
	int fd;
	int ifindex; /* VETH: of haven's end, in the wire's namespace; TAP: of the TAP */
	char ifname[IFNAMSIZ]; /* of the guest's interface, as the guest sees it */
	uint8_t guest_mac[6];  /* of the guest's interface */
	int netns_fd;	       /* the guest's network namespace */
	int diag_fd;	       /* NETLINK_SOCK_DIAG opened inside: lists the guest's sockets */
};

struct hv_guest;

/*
 * Fills in the defaults: TAP or veth by itself, MTU 65520, 10.0.2.100/24 and fd00::100/64, gateways
 * 10.0.2.2 and fd00::2, DNS 10.0.2.3 and fd00::3, a fixed MAC, own ids kept, the caller's
 * environment. argv is left NULL.
 */
void hv_guest_options_init(struct hv_guest_options *options);

/* The same for attach; pid 0 and path NULL are left for the caller to set. */
void hv_guest_attach_options_init(struct hv_guest_attach_options *options);

/*
 * Makes the namespaces, the wire and the process that will become the command, all but its
 * exec.
 *
 * As a plain user: a user, mount, process and network namespace, with one id mapped. As root: the
 * same without the user namespace, so that set-uid, chown and what daemons do work; with it when
 * the first is refused (containers).
 *
 * Call it while the process still is as the user started it: signal mask and dispositions, limits,
 * working directory and descriptors without close-on-exec are what the command will have.
 * From here on SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 and SIGCONT are blocked in the
 * caller and taken by the guest: see hv_guest_turn.
 *
 * Returns 0 and *guest, which the caller destroys; or a negative errno with error->text set, and
 * nothing left behind.
 */
int hv_guest_start(const struct hv_guest_options *options, struct hv_guest **guest,
		   struct hv_guest_error *error);

/*
 * Makes the wire inside of a network namespace that exists. The guest ends when the process
 * ends, when the path is deleted, or by SIGHUP, SIGINT or SIGTERM to haven. What was made in the
 * namespace goes when the guest is destroyed or haven dies.
 *
 * Returns 0 and *guest, or a negative errno with error->text set: -ESRCH no such process, -ENOENT no
 * such path, -EINVAL not a network namespace, -EPERM not allowed to join it, -EEXIST the interface
 * is there already.
 */
int hv_guest_attach(const struct hv_guest_attach_options *options, struct hv_guest **guest,
		    struct hv_guest_error *error);

/* The near end of the wire; valid until hv_guest_destroy, which closes its descriptors. */
const struct hv_guest_wire *hv_guest_wire(const struct hv_guest *guest);

/* Gives wire->fd away: the caller closes it from now on, hv_guest_destroy does not. */
int hv_guest_wire_take(struct hv_guest *guest);

/* One descriptor to poll for reading; when it is readable, call hv_guest_turn. */
int hv_guest_fd(const struct hv_guest *guest);

/*
 * "The network is ready": lets the command exec. Returns 0, or -EPIPE when its process is gone
 * already. Does nothing for an attached guest.
 */
int hv_guest_release(struct hv_guest *guest);

enum hv_guest_state {
	HV_GUEST_RUNNING,
	HV_GUEST_ENDED, /* every process inside is gone; hv_guest_status is valid */
};

/*
 * Does what is due and returns at once: forwards signals that came to haven, follows the command
 * into a stop and out of it (job control: haven itself stops in here), notices the end.
 *
 * Packets that the command's sockets had not yet sent when it ended still come out of the wire
 * after HV_GUEST_ENDED, as long as the wire is open: a gateway may drain for a moment.
 */
enum hv_guest_state hv_guest_turn(struct hv_guest *guest);

/*
 * Sends a signal to the command (not to its children). Returns 0, -ESRCH when it has ended or was
 * not released yet, -EOPNOTSUPP for an attached guest.
 */
int hv_guest_signal(const struct hv_guest *guest, int signal_number);

/*
 * After HV_GUEST_ENDED, what haven exits with: the command's status, 128+n when signal n ended it,
 * 126/127 when it could not be executed. Attached: 0 when the target ended, 128+n when signal n
 * told haven to end.
 */
int hv_guest_status(const struct hv_guest *guest);

/*
 * SIGINT when the interrupt key ended the command, else 0. haven should then die by it too, after
 * hv_guest_destroy: signal(SIGINT, SIG_DFL); raise(SIGINT). A shell sees the same 130, but only so
 * does a script know that ^C was meant for it as well.
 */
int hv_guest_die_by(const struct hv_guest *guest);

/*
 * In the ids of the caller: the first process inside, for /proc/PID/net and `haven ls`; attached:
 * the target, or 0 for a path.
 */
pid_t hv_guest_pid(const struct hv_guest *guest);

/*
 * Ends everything inside that still runs, waits for it, gives the terminal back, closes the
 * descriptors, restores the signal mask. NULL is allowed.
 */
void hv_guest_destroy(struct hv_guest *guest);

#endif
