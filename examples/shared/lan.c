/* The switch: see lan.h. */
#include "lan.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a (Fowler, Noll and Vo). */
static uint64_t digest_add(uint64_t digest, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		digest = (digest ^ data[i]) * UINT64_C(0x100000001b3);
	return digest;
}

/* Where an address is kept, or would be: near its digest. Of more than go there, the latest stays. */
static struct lan_address *slot_of(struct lan *lan, const uint8_t mac[6])
{
	enum { NEAR = 8 };
	uint64_t first = digest_add(0, mac, 6);

	for (unsigned i = 0; i < NEAR; i++) {
		struct lan_address *slot = &lan->learned[(first + i) % LAN_ADDRESSES];

		if (!slot->port || !memcmp(slot->mac, mac, 6))
			return slot;
	}
	return &lan->learned[first % LAN_ADDRESSES];
}

static void learn(struct lan *lan, const uint8_t source[6], struct lan_port *port)
{
	struct lan_address *slot = slot_of(lan, source);

	memcpy(slot->mac, source, 6);
	slot->port = port;
}

/* NULL: nobody known, or everybody (the group bit, IEEE 802.3 section 3.2.3). */
static struct lan_port *find(struct lan *lan, const uint8_t destination[6])
{
	const struct lan_address *slot = slot_of(lan, destination);

	if (destination[0] & 1 || memcmp(slot->mac, destination, 6) != 0)
		return NULL;
	return slot->port;
}

/* What a port's queue has no room for is lost, as on any network. */
static void forward(const struct lan_port *to, const uint8_t *frame, size_t size,
		    const struct haven_frame_offload *offload)
{
	if (to->link)
		haven_link_custom_input(to->link, frame, size, offload);
}

/*
 * A host sends. Its frame comes in parts, and goes on as one, with the marks that say what is still to be
 * done to it ("fill in the checksum", "cut this"): as nothing here is a real wire, nobody ever has to.
 */
static int port_send(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct lan_port *from = user, *to;
	struct lan *lan = from->lan;
	size_t size = 0;

	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > sizeof(lan->frame) - size)
			return -ENOBUFS;
		memcpy(lan->frame + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	lan->frames++;
	lan->digest = digest_add(lan->digest, lan->frame, size);
	learn(lan, lan->frame + 6, from);
	to = find(lan, lan->frame);
	if (to) {
		forward(to, lan->frame, size, offload);
		return 0;
	}
	lan->flooded++;
	for (unsigned i = 0; i < lan->port_count; i++)
		if (&lan->ports[i] != from)
			forward(&lan->ports[i], lan->frame, size, offload);
	return 0;
}

/* The host's stack is gone. */
static void port_destroy(void *user)
{
	((struct lan_port *)user)->link = NULL;
}

void lan_plug(struct lan *lan, struct host *host, const char *fault)
{
	static const struct haven_link_ops ops = {.send = port_send, .destroy = port_destroy};
	struct haven_link_config config;
	struct lan_port *port;
	char address[ADDRESS_TEXT];

	expect(lan->port_count < LAN_PORTS_MAX, "the switch has a port left");
	port = &lan->ports[lan->port_count++];
	port->lan = lan;
	haven_link_config_init(&config);
	check(haven_link_custom(host->stack, &ops, port, true, &config, &port->link),
	      "haven_link_custom");
	host_attach(host, port->link, fault);
	snprintf(address, sizeof(address), "10.0.%u.%u/16", lan->port_count / 256,
		 lan->port_count % 256);
	host_address(host, address);
}
