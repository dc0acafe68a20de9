/*
 * The gateway's end of the wire: the link on the guest's TAP or veth, with its wrappers, and the
 * addresses that the gateway has there.
 *
 *	stack -- fault (--impair) -- capture (--pcap) -- TAP or packet socket -- guest
 *	                                             \-- pair in memory -- a stack of this process
 *
 * The capture is next to the guest, and so shows the network that the guest has.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway/capture.h"
#include "gateway/guest.h"

/* What to add to the stack's time for the date. */
static int64_t wall_offset_ns(void)
{
	struct timespec wall, monotonic;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (int64_t)(wall.tv_sec - monotonic.tv_sec) * (int64_t)HV_NS_PER_S +
	       (wall.tv_nsec - monotonic.tv_nsec);
}

/* fd is closed when it fails. */
static int make_link(struct hv_gateway *gateway, const struct hv_guest_wire *wire, int fd,
		     struct haven_link **link)
{
	struct haven_link_config config;
	int error;

	haven_link_config_init(&config);
	config.mtu = gateway->mtu;
	if (wire->kind == HV_WIRE_TAP)
		error = haven_link_tap(gateway->stack, fd, &config, link);
	else
		error = haven_link_packet(gateway->stack, fd, wire->ifindex, &config, link);
	if (error < 0)
		close(fd);
	return error;
}

static int wrap_link(struct hv_gateway *gateway, const struct haven_fault *from_guest,
		     const struct haven_fault *to_guest, struct haven_link **link)
{
	int error = 0;

	if (gateway->capture)
		error = haven_link_capture(gateway->stack, *link, hv_capture_write,
					   gateway->capture, wall_offset_ns(), link);
	if (error == 0 && from_guest) {
		error = haven_link_fault(gateway->stack, *link, from_guest, to_guest, link);
		gateway->fault = error == 0 ? *link : NULL;
	}
	return error;
}

static int add_address(struct hv_gateway *gateway, const uint8_t address[16], unsigned prefix)
{
	struct haven_endpoint endpoint = {0};
	struct sockaddr_storage sockaddr;
	int error;

	memcpy(endpoint.address, address, 16);
	haven_endpoint_to_sockaddr(&endpoint, &sockaddr);
	error = haven_address_add(gateway->stack, gateway->ifindex,
				  (struct sockaddr *)&sockaddr, prefix);
	return error == -EADDRINUSE ? 0 : error;
}

/* The gateway's own, and those on the guest's link that it stands in for. */
static int add_addresses(struct hv_gateway *gateway, const struct hv_network_family *family)
{
	int error;

	if (!family->enabled)
		return 0;
	error = add_address(gateway, family->gateway, family->prefix);
	if (error == 0 && family->has_dns)
		error = add_address(gateway, family->dns, family->prefix);
	if (error == 0 && family->has_host_loopback &&
	    hv_address_in_prefix(family->host_loopback, family->gateway, family->prefix))
		error = add_address(gateway, family->host_loopback, family->prefix);
	return error;
}

static int plug_in(struct hv_gateway *gateway, struct haven_link *link)
{
	int error = haven_stack_attach(gateway->stack, link, &gateway->ifindex);

	if (error == 0)
		error = add_addresses(gateway, &gateway->network.v4);
	if (error == 0)
		error = add_addresses(gateway, &gateway->network.v6);
	if (error < 0)
		return error;
	gateway->link = link;
	return 0;
}

/* link: not attached yet; taken. */
static int wrap_and_plug_in(struct hv_gateway *gateway, struct haven_link *link,
			    const struct hv_gateway_config *config)
{
	const struct haven_fault *from_guest = config->impaired ? &config->fault_out : NULL;
	int failed = wrap_link(gateway, from_guest, &config->fault_in, &link);

	if (failed == 0)
		failed = plug_in(gateway, link);
	if (failed == 0)
		failed = hv_gateway_watch_wire(gateway);
	return failed;
}

int hv_gateway_attach(struct hv_gateway *gateway, const struct hv_guest_wire *wire, int fd,
		      const struct hv_gateway_config *config, struct hv_gateway_error *error)
{
	struct haven_link *link;
	int failed = make_link(gateway, wire, fd, &link);

	if (failed == 0)
		failed = wrap_and_plug_in(gateway, link, config);
	if (failed < 0)
		snprintf(error->text, sizeof(error->text),
			 "cannot use the wire to the guest (%s): %s",
			 wire->kind == HV_WIRE_TAP ? "tap" : "veth", strerror(-failed));
	return failed;
}

int hv_gateway_attach_link(struct hv_gateway *gateway, struct haven_link *link,
			   const struct hv_gateway_config *config,
			   struct hv_gateway_error *error)
{
	int failed = wrap_and_plug_in(gateway, link, config);

	if (failed < 0)
		snprintf(error->text, sizeof(error->text), "cannot use the wire in memory: %s",
			 haven_strerror(failed));
	return failed;
}
