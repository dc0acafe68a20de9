/*
 * A frame with any virtio-net header in front of it, as a hostile guest could send: it goes
 * through a link with all wrappers on it, is cut, completed, captured and sent back.
 * Input: one byte of choices, ten of header, then the frame.
 */
#include <stdlib.h>
#include <string.h>

#include "base/core.h"
#include "link/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The link's far side must see packets that are whole. */
static int send_frame(void *user, const struct iovec *iov, int count,
		      const struct haven_frame_offload *offload)
{
	size_t size = 0;

	(void)user;
	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	if (offload->flags & 1 && (size_t)offload->csum_start + offload->csum_offset + 2 > size)
		abort();
	if (offload->gso_type && !offload->gso_size)
		abort();
	return 0;
}

static void write_capture(void *user, const void *data, size_t size)
{
	uint32_t length;

	(void)user;
	memcpy(&length, (const char *)data + 4, sizeof(length));
	if (length != size)
		abort();
}

/* The same input, the same run. */
static void fill(void *user, void *buffer, size_t size)
{
	(void)user;
	memset(buffer, 0x5c, size);
}

/* Send back what came in. */
static void deliver(void *ctx, struct haven_link *link, struct hv_packet *packet)
{
	(void)ctx;
	hv_link_output(link, packet);
}

static void run(struct hv_core *core, uint8_t choices, const uint8_t *header,
		const uint8_t *frame, size_t size)
{
	const struct haven_link_ops ops = {.send = send_frame};
	const struct haven_fault some = {.duplicate_ppm = 500000, .corrupt_ppm = 300000};
	const struct haven_fault none = {0};
	struct haven_stack *stack = (struct haven_stack *)core;
	struct haven_link_config config;
	struct haven_frame_offload offload;
	struct haven_link *custom, *link;

	haven_link_config_init(&config);
	config.offloads = choices & 15;
	if (haven_link_custom(stack, &ops, NULL, choices & 16, &config, &custom) != 0)
		return;
	link = custom;
	if (haven_link_fault(stack, link, choices & 32 ? &some : &none,
			     choices & 64 ? &some : &none, &link) != 0 ||
	    haven_link_capture(stack, link, write_capture, NULL, 0, &link) != 0)
		return;
	link->deliver = deliver;
	offload = (struct haven_frame_offload){.flags = header[0], .gso_type = header[1]};
	memcpy(&offload.gso_size, header + 4, 2);
	memcpy(&offload.csum_start, header + 6, 2);
	memcpy(&offload.csum_offset, header + 8, 2);
	haven_link_custom_input(custom, frame, size, &offload);
	hv_link_receive(link, 64);
	haven_link_destroy(link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct haven_env env;
	struct hv_core core;

	if (size < 11)
		return 0;
	haven_env_default(&env);
	env.random = fill;
	if (hv_core_init(&core, &env) != 0)
		return 0;
	run(&core, data[0], data + 1, data + 11, size - 11);
	hv_core_finish(&core);
	if (core.memory_bytes)
		abort();
	return 0;
}
