/*
 * What the host's kernel says. See host_side.h.
 */
#include "cli/host_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/relay.h"

/* States of Linux (include/net/tcp_states.h). */
enum { TCP_STATE_TIME_WAIT = 6, TCP_STATES = 13 };

static const char *const states[TCP_STATES] = {
	[1] = "ESTABLISHED", [2] = "SYN-SENT",	[3] = "SYN-RECEIVED", [4] = "FIN-WAIT-1",
	[5] = "FIN-WAIT-2",  [6] = "TIME-WAIT", [7] = "CLOSED",	      [8] = "CLOSE-WAIT",
	[9] = "LAST-ACK",    [10] = "LISTEN",	[11] = "CLOSING",     [12] = "SYN-RECEIVED",
};

/* --- the handshake ---------------------------------------------------------------------- */

static bool endpoints_of(struct hv_host_side *side, int fd)
{
	struct sockaddr_storage local, remote;
	socklen_t local_size = sizeof(local), remote_size = sizeof(remote);

	side->known =
		getsockname(fd, (struct sockaddr *)&local, &local_size) == 0 &&
		getpeername(fd, (struct sockaddr *)&remote, &remote_size) == 0 &&
		haven_endpoint_from_sockaddr((struct sockaddr *)&local, &side->local) == 0 &&
		haven_endpoint_from_sockaddr((struct sockaddr *)&remote, &side->remote) == 0;
	return side->known;
}

static void tell_info(const struct hv_host_side *side, const struct hv_explain *explain, int fd)
{
	char local[HV_ENDPOINT_TEXT], remote[HV_ENDPOINT_TEXT], scale[48] = "no window scale";
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	hv_endpoint_text(&side->local, local);
	hv_endpoint_text(&side->remote, remote);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return;
	if (info.tcpi_options & TCPI_OPT_WSCALE)
		snprintf(scale, sizeof(scale), "window scales %u here, %u there",
			 info.tcpi_rcv_wscale, info.tcpi_snd_wscale);
	hv_explain_step(
		explain, "host",
		json_pack("{s:s, s:s, s:i, s:i, s:b, s:b}", "local", local, "remote", remote,
			  "rtt_us", (int)info.tcpi_rtt, "mss", (int)info.tcpi_snd_mss, "sack",
			  (info.tcpi_options & TCPI_OPT_SACK) != 0, "timestamps",
			  (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0),
		"the host's kernel has connected %s with %s by its own handshake: round trip "
		"%.3f ms, segments of %u bytes, %s, %s, %s",
		local, remote, (double)info.tcpi_rtt / 1e3, info.tcpi_snd_mss, scale,
		info.tcpi_options & TCPI_OPT_SACK ? "SACK" : "no SACK",
		info.tcpi_options & TCPI_OPT_TIMESTAMPS ? "timestamps" : "no timestamps");
}

void hv_host_side_connected(struct hv_host_side *side, const struct hv_explain *explain,
			    const struct hv_relay *relay)
{
	if (!explain->on || !relay || !endpoints_of(side, relay->source.fd))
		return;
	tell_info(side, explain, relay->source.fd);
}

/* --- the end ---------------------------------------------------------------------------- */

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

static void put_address(const struct haven_endpoint *endpoint, __be32 address[4])
{
	if (haven_endpoint_is_v4(endpoint))
		memcpy(address, endpoint->address + 12, 4);
	else
		memcpy(address, endpoint->address, 16);
}

static struct question question_about(const struct hv_host_side *side)
{
	struct question question = {
		.header = {.nlmsg_len = sizeof(question),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST},
		.request = {.sdiag_family =
				    haven_endpoint_is_v4(&side->local) ? AF_INET : AF_INET6,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_states = UINT32_MAX},
	};

	question.request.id.idiag_sport = htons(side->local.port);
	question.request.id.idiag_dport = htons(side->remote.port);
	put_address(&side->local, question.request.id.idiag_src);
	put_address(&side->remote, question.request.id.idiag_dst);
	question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return question;
}

/* 1: *answer is about it; 0: there is no such connection; -1: the kernel does not tell. */
static int ask_kernel(const struct hv_host_side *side, struct inet_diag_msg *answer)
{
	struct question question = question_about(side);
	char buffer[4096] __attribute__((aligned(8)));
	const struct nlmsghdr *header = (const void *)buffer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t size = -1;

	if (fd >= 0 && send(fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question))
		size = recv(fd, buffer, sizeof(buffer), 0);
	if (fd >= 0)
		close(fd);
	if (size < 0 || !NLMSG_OK(header, (unsigned)size))
		return -1;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error == -ENOENT ? 0 : -1;
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -1;
	memcpy(answer, NLMSG_DATA(header), sizeof(*answer));
	return 1;
}

void hv_host_side_ended(const struct hv_host_side *side, const struct hv_explain *explain)
{
	char local[HV_ENDPOINT_TEXT], remote[HV_ENDPOINT_TEXT];
	struct inet_diag_msg answer;
	int found;

	if (!explain->on || !side->known)
		return;
	found = ask_kernel(side, &answer);
	hv_endpoint_text(&side->local, local);
	hv_endpoint_text(&side->remote, remote);
	if (found < 0) {
		hv_explain_step(explain, "host-end", NULL,
				"the host's kernel does not tell what is left of %s with %s",
				local, remote);
	} else if (found == 0) {
		hv_explain_step(
			explain, "host-end", json_pack("{s:n}", "state"),
			"the host's kernel has nothing left of %s with %s: if there is a "
			"TIME-WAIT, it is the peer's",
			local, remote);
	} else if (answer.idiag_state == TCP_STATE_TIME_WAIT) {
		hv_explain_step(
			explain, "host-end",
			json_pack("{s:s, s:i}", "state", "TIME-WAIT", "left_ms",
				  (int)answer.idiag_expires),
			"the host's kernel holds %s with %s in TIME-WAIT for %.1f s more",
			local, remote, answer.idiag_expires / 1e3);
	} else {
		const char *state =
			answer.idiag_state < TCP_STATES && states[answer.idiag_state]
				? states[answer.idiag_state]
				: "a state without a name";

		hv_explain_step(explain, "host-end", json_pack("{s:s}", "state", state),
				"the host's kernel has %s with %s in %s", local, remote, state);
	}
}
