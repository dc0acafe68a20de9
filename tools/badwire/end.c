/*
 * Opening one end of the wire. See end.h.
 *
 * A namespace is joined for good by a process (its user namespace too, when a plain user owns it),
 * so a child does that and hands the TAP back; the descriptor works from everywhere.
 */
#include "end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/guest.h"
#include "gateway/netlink.h"
#include "gateway/netns.h"

/* --- what the user wrote ----------------------------------------------------------------- */

static bool parse_address(struct end *end, const char *word, char error[HV_OPTION_ERROR])
{
	struct end_address *address = &end->addresses[end->address_count];
	char text[INET6_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(word, '/');
	char *rest = NULL;
	unsigned long bits = slash ? strtoul(slash + 1, &rest, 10) : 0;

	if (end->address_count == END_ADDRESSES_MAX) {
		snprintf(error, HV_OPTION_ERROR, "%s: more than %d addresses", end->text,
			 END_ADDRESSES_MAX);
		return false;
	}
	if (!slash || rest == slash + 1 || *rest || (size_t)(slash - word) >= sizeof(text))
		goto bad;
	memcpy(text, word, (size_t)(slash - word));
	address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(address->family, text, address->bytes) != 1 ||
	    bits > (address->family == AF_INET ? 32 : 128))
		goto bad;
	address->prefix_bits = (uint8_t)bits;
	end->address_count++;
	return true;
bad:
	snprintf(error, HV_OPTION_ERROR,
		 "%s: \"%.80s\" is not mtu=N and no address with its prefix (10.0.0.1/24)",
		 end->text, word);
	return false;
}

static bool parse_word(struct end *end, const char *word, char error[HV_OPTION_ERROR])
{
	char *rest;

	if (strncmp(word, "mtu=", 4) != 0)
		return parse_address(end, word, error);
	end->mtu = (uint32_t)strtoul(word + 4, &rest, 10);
	if (*rest == '\0' && end->mtu >= MTU_MIN && end->mtu <= MTU_MAX)
		return true;
	snprintf(error, HV_OPTION_ERROR, "%s: the MTU must be from %d to %d", end->text,
		 MTU_MIN, MTU_MAX);
	return false;
}

/* A process id, a path, or the name of a file of `ip netns`. */
static void set_netns(struct end *end, const char *name, size_t length)
{
	if (strspn(name, "0123456789") >= length)
		snprintf(end->netns, sizeof(end->netns), "/proc/%.*s/ns/net", (int)length,
			 name);
	else if (memchr(name, '/', length))
		snprintf(end->netns, sizeof(end->netns), "%.*s", (int)length, name);
	else
		snprintf(end->netns, sizeof(end->netns), "/run/netns/%.*s", (int)length, name);
}

bool end_parse(struct end *end, const char *text, char error[HV_OPTION_ERROR])
{
	size_t head = strcspn(text, ",");
	const char *colon = memchr(text, ':', head);
	const char *name = colon ? colon + 1 : text;
	size_t length = head - (size_t)(name - text);
	char words[512], *save = NULL;

	*end = (struct end){.text = text, .fd = -1};
	if (strncmp(text, "fd:", 3) == 0) {
		char *rest;

		end->fd = (int)strtol(text + 3, &rest, 10);
		end->given = true;
		if (rest != text + 3 && *rest == '\0' && end->fd >= 0)
			return true;
		snprintf(error, HV_OPTION_ERROR, "%s: not the number of a descriptor", text);
		return false;
	}
	if (length == 0 || length >= sizeof(end->tap)) {
		snprintf(error, HV_OPTION_ERROR,
			 "%s: the name of the TAP must have 1 to %zu letters", text,
			 sizeof(end->tap) - 1);
		return false;
	}
	memcpy(end->tap, name, length);
	if (colon)
		set_netns(end, text, (size_t)(colon - text));
	snprintf(words, sizeof(words), "%s", text + head);
	for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save))
		if (!parse_word(end, word, error))
			return false;
	return true;
}

/* --- the TAP ----------------------------------------------------------------------------- */

static bool open_tap(struct end *end, char error[HV_OPTION_ERROR])
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	memcpy(request.ifr_name, end->tap, sizeof(end->tap));
	end->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (end->fd < 0) {
		snprintf(error, HV_OPTION_ERROR, "%s: cannot open /dev/net/tun: %s", end->text,
			 strerror(errno));
		return false;
	}
	if (ioctl(end->fd, TUNSETIFF, &request) == 0)
		return true;
	snprintf(error, HV_OPTION_ERROR, "%s: cannot open the TAP: %s%s", end->text,
		 strerror(errno),
		 errno == EPERM	  ? "; it takes root there (or see --run)"
		 : errno == EBUSY ? " (another program has it)"
				  : "");
	close(end->fd);
	end->fd = -1;
	return false;
}

static bool set_up(const struct end *end, char error[HV_OPTION_ERROR])
{
	struct hv_netlink netlink;
	const char *failed = "open a netlink socket";
	int ifindex = (int)if_nametoindex(end->tap);
	int result = hv_netlink_open(&netlink);

	if (result == 0) {
		struct hv_netlink_link link = {.ifindex = ifindex, .mtu = end->mtu};

		if (end->mtu)
			hv_netlink_set_link(&netlink, "set the MTU", &link);
		hv_netlink_set_up(&netlink, "bring it up", ifindex);
		for (unsigned i = 0; i < end->address_count; i++)
			hv_netlink_add_address(&netlink, "add the address", ifindex,
					       end->addresses[i].family,
					       end->addresses[i].bytes,
					       end->addresses[i].prefix_bits);
		result = hv_netlink_commit(&netlink, &failed);
		hv_netlink_close(&netlink);
	}
	/* A TAP that its owner may open but not set up is up already, or will be. */
	if (result == 0 || (result == -EPERM && !end->mtu && !end->address_count))
		return true;
	snprintf(error, HV_OPTION_ERROR, "%s: cannot %s: %s", end->text, failed,
		 strerror(-result));
	return false;
}

bool end_open_here(struct end *end, char error[HV_OPTION_ERROR])
{
	if (end->given)
		return true;
	if (!open_tap(end, error))
		return false;
	if (set_up(end, error))
		return true;
	close(end->fd);
	end->fd = -1;
	return false;
}

/* --- in another namespace ---------------------------------------------------------------- */

/* What the child tells: the descriptor beside an empty line, or why there is none. */
static void send_end(int channel, int fd, const char *error)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)error, strlen(error) + 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	sendmsg(channel, &message, MSG_NOSIGNAL);
}

static bool receive_end(int channel, int *fd, char error[HV_OPTION_ERROR])
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {error, HV_OPTION_ERROR};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;

	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) <= 0) {
		snprintf(error, HV_OPTION_ERROR, "the process that opens the TAP ended");
		return false;
	}
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return false;
	memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return true;
}

static void open_in_child(struct end *end, int channel)
{
	const struct hv_guest_attach_options options = {.path = end->netns};
	char error[HV_OPTION_ERROR] = "";
	struct hv_guest_error why;
	struct hv_netns netns;
	int result;

	if (hv_netns_open(&options, &netns, &why) < 0) {
		snprintf(error, sizeof(error), "%.100s: %.300s", end->text, why.text);
	} else {
		result = hv_netns_join(&netns);
		if (result < 0)
			snprintf(error, sizeof(error), "%.100s: cannot join %.200s: %s",
				 end->text, end->netns, strerror(-result));
		else
			end_open_here(end, error);
	}
	send_end(channel, end->fd, error);
}

bool end_open(struct end *end, char error[HV_OPTION_ERROR])
{
	int channel[2];
	bool opened;
	pid_t child;

	if (end->given || !*end->netns)
		return end_open_here(end, error);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
		snprintf(error, HV_OPTION_ERROR, "socketpair: %s", strerror(errno));
		return false;
	}
	child = fork();
	if (child == 0) {
		open_in_child(end, channel[1]);
		_exit(0);
	}
	close(channel[1]);
	opened = child > 0 && receive_end(channel[0], &end->fd, error);
	if (child < 0)
		snprintf(error, HV_OPTION_ERROR, "fork: %s", strerror(errno));
	else
		waitpid(child, NULL, 0);
	close(channel[0]);
	return opened;
}
