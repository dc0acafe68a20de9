/*
 * What a line of FTP's control connection may name, and what is put in its place. See helper.h.
 */
#include "gateway/helper_state.h"

#include <errno.h>
#include <stdio.h>

#define PORT_MIN 1024 /* RFC 2577 section 3: no data to where other services are */

static bool client_is_inside(const struct hv_helper *helper)
{
	return helper->relay->flow.kind == HV_FLOW_TCP_OUT;
}

static struct hv_helper_side *client_of(struct hv_helper *helper)
{
	return client_is_inside(helper) ? &helper->guest : &helper->host;
}

/* A reply in the server's place. */
static enum hv_helper_rest refuse(struct hv_helper *helper, const char *why)
{
	char line[HV_FTP_DATA_LINE];
	int size = snprintf(line, sizeof(line), "500 haven: %s.\r\n", why);

	hv_helper_tell(client_of(helper), line, (size_t)size);
	hv_log_line(helper->relay->gateway->log, HV_LOG_DEBUG, "ftp: refused, %s", why);
	return HV_HELPER_REST_DROP;
}

/* This end of the host's socket, or the other one. Its port is left out. */
static bool host_address(const struct hv_helper *helper, bool ours, uint8_t address[16])
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	struct sockaddr *raw = (struct sockaddr *)&storage;
	struct haven_endpoint endpoint;
	int fd = helper->relay->source.fd;

	if ((ours ? getsockname(fd, raw, &size) : getpeername(fd, raw, &size)) < 0 ||
	    haven_endpoint_from_sockaddr(raw, &endpoint) < 0)
		return false;
	memcpy(address, endpoint.address, 16);
	return true;
}

/* A port of the host that leads to the guest's, for who is at the other end; *local: where. */
static bool wait_for_data(struct hv_helper *helper, uint16_t guest_port,
			  struct haven_endpoint *local)
{
	uint8_t peer[16];

	return host_address(helper, true, local->address) &&
	       host_address(helper, false, peer) &&
	       hv_ftp_wait(helper, local, peer, guest_port) == 0;
}

/* --- commands --------------------------------------------------------------------------- */

/* The client inside waits at `data`: the server outside is told a port of the host. */
static enum hv_helper_rest guest_waits(struct hv_helper *helper, enum hv_ftp_command command,
				       const struct haven_endpoint *data)
{
	struct haven_endpoint local;
	char line[HV_FTP_DATA_LINE];
	size_t size;

	if (!hv_address_equal(data->address, helper->relay->flow.source.address))
		return refuse(helper, "that is not the address of yours that I know");
	if (!wait_for_data(helper, data->port, &local))
		return refuse(helper, "no port of the host can be had for data");
	if (command == HV_FTP_PORT && hv_address_is_v4(local.address))
		size = hv_ftp_write_port(line, &local);
	else
		size = hv_ftp_write_eprt(line, &local);
	hv_helper_tell(&helper->host, line, size);
	hv_ftp_dialogue_ask(&helper->dialogue, command);
	return HV_HELPER_REST_DROP;
}

/* The client outside waits at `data`: the server inside connects to it like anybody. */
static enum hv_helper_rest host_waits(struct hv_helper *helper, enum hv_ftp_command command,
				      const struct haven_endpoint *data, const char *line,
				      size_t size)
{
	const struct hv_relay *relay = helper->relay;

	if (!hv_address_equal(data->address, relay->peer.address))
		return refuse(helper, "that is not the address that you come from");
	/* The guest knows it by the gateway's address, where it could not reach it. */
	if (!hv_address_equal(relay->flow.source.address, relay->peer.address))
		return refuse(helper, "the server cannot connect to you; use passive mode");
	hv_helper_tell(&helper->guest, line, size);
	hv_ftp_dialogue_ask(&helper->dialogue, command);
	return HV_HELPER_REST_PASS;
}

static enum hv_helper_rest client_line(struct hv_helper *helper, const char *line, size_t size)
{
	struct haven_endpoint data;
	enum hv_ftp_command command = hv_ftp_command_parse(line, size, &data);

	if (command == HV_FTP_UNCLEAR)
		return refuse(helper, "that way to name a port is not understood");
	if (command == HV_FTP_PORT || command == HV_FTP_EPRT) {
		if (data.port < PORT_MIN)
			return refuse(helper, "ports below 1024 are not for data");
		return client_is_inside(helper)
			       ? guest_waits(helper, command, &data)
			       : host_waits(helper, command, &data, line, size);
	}
	hv_helper_tell(client_is_inside(helper) ? &helper->host : &helper->guest, line, size);
	hv_ftp_dialogue_ask(&helper->dialogue, command);
	return HV_HELPER_REST_PASS;
}

/* --- replies ---------------------------------------------------------------------------- */

/* The server inside waits at a port: the client outside is told one of the host. */
static enum hv_helper_rest tell_host_port(struct hv_helper *helper, bool extended,
					  uint16_t guest_port)
{
	struct haven_endpoint local;
	char line[HV_FTP_DATA_LINE];
	size_t size;

	if (!wait_for_data(helper, guest_port, &local))
		return refuse(helper, "no port of the host can be had for data");
	if (!extended && !hv_address_is_v4(local.address))
		return refuse(helper, "PASV is of IPv4; use EPSV");
	size = extended ? hv_ftp_write_extended_passive(line, local.port)
			: hv_ftp_write_passive(line, &local);
	hv_helper_tell(&helper->host, line, size);
	return HV_HELPER_REST_DROP;
}

/* The server waits. Of its address only one is true: its own. */
static enum hv_helper_rest server_waits(struct hv_helper *helper, bool extended,
					struct haven_endpoint *data, const char *line,
					size_t size)
{
	const uint8_t *server = helper->relay->flow.destination.address;
	char text[HV_FTP_DATA_LINE];

	if (data->port < PORT_MIN)
		return refuse(helper, "the server waits at a port below 1024");
	if (!client_is_inside(helper))
		return tell_host_port(helper, extended, data->port);
	if (!extended && !hv_address_is_v4(server))
		return refuse(helper, "PASV is of IPv4; use EPSV");
	if (!extended && !hv_address_equal(data->address, server)) {
		memcpy(data->address, server, 16);
		hv_helper_tell(&helper->guest, text, hv_ftp_write_passive(text, data));
		return HV_HELPER_REST_DROP;
	}
	hv_helper_tell(&helper->guest, line, size);
	return HV_HELPER_REST_PASS;
}

static enum hv_helper_rest server_line(struct hv_helper *helper, const char *line, size_t size)
{
	struct haven_endpoint data = {0};
	enum hv_ftp_command asked;
	unsigned code = hv_ftp_dialogue_reply(&helper->dialogue, line, size, &asked);

	if (code == 227 && asked == HV_FTP_PASV && hv_ftp_passive_parse(line, size, &data))
		return server_waits(helper, false, &data, line, size);
	if (code == 229 && asked == HV_FTP_EPSV &&
	    hv_ftp_extended_passive_parse(line, size, &data.port))
		return server_waits(helper, true, &data, line, size);
	hv_helper_tell(client_of(helper), line, size);
	/* From here on it is TLS, or what else was agreed (RFC 4217 section 4, RFC 2228 section 5.1). */
	if (code == 234 && asked == HV_FTP_AUTH)
		helper->aside = true;
	return HV_HELPER_REST_PASS;
}

enum hv_helper_rest hv_ftp_line(struct hv_helper *helper, struct hv_helper_side *from,
				const char *line, size_t size)
{
	return from == client_of(helper) ? client_line(helper, line, size)
					 : server_line(helper, line, size);
}
