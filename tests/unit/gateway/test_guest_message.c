/* The words between haven and the guest's first process. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/guest_message.h"

static void test_carries_descriptors(void **state)
{
	struct hv_message message = {.kind = HV_MESSAGE_READY};
	int ends[2], pipes[2];
	char byte = 0;

	(void)state;
	assert_int_equal(hv_message_pair(ends), 0);
	assert_int_equal(pipe(pipes), 0);
	message.wire = (struct hv_guest_wire){.kind = HV_WIRE_VETH,
					      .ifindex = 7,
					      .ifname = "eth0",
					      .fd = pipes[1],
					      .netns_fd = pipes[0],
					      .diag_fd = pipes[0]};
	assert_int_equal(hv_message_send(ends[1], &message), 0);
	assert_int_equal(hv_message_receive(ends[0], &message, true), 1);
	assert_int_equal(message.kind, HV_MESSAGE_READY);
	assert_int_equal(message.sender, getpid());
	assert_int_equal(message.wire.ifindex, 7);
	assert_string_equal(message.wire.ifname, "eth0");
	assert_int_not_equal(message.wire.fd, pipes[1]);
	assert_true(fcntl(message.wire.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(message.wire.fd, "x", 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(message.wire.fd);
	close(message.wire.netns_fd);
	close(message.wire.diag_fd);
	close(pipes[0]);
	close(pipes[1]);
	close(ends[0]);
	close(ends[1]);
}

static void test_cuts_long_notes(void **state)
{
	char text[2 * HV_MESSAGE_TEXT_SIZE];
	struct hv_message message;
	int ends[2];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(hv_message_pair(ends), 0);
	hv_message_note(ends[1], HV_GUEST_LOG_WARNING, "%s", text);
	assert_int_equal(hv_message_failed(ends[1], HV_STAGE_VETH, EPERM, text), -EPERM);
	assert_int_equal(hv_message_receive(ends[0], &message, false), 1);
	assert_int_equal(message.kind, HV_MESSAGE_NOTE);
	assert_int_equal(message.value, HV_GUEST_LOG_WARNING);
	assert_int_equal(strlen(message.text), HV_MESSAGE_TEXT_SIZE - 1);
	assert_int_equal(hv_message_receive(ends[0], &message, false), 1);
	assert_int_equal(message.kind, HV_MESSAGE_FAILED);
	assert_int_equal(message.value, HV_STAGE_VETH);
	assert_int_equal(message.error, EPERM);
	close(ends[0]);
	close(ends[1]);
}

static void test_tells_the_end(void **state)
{
	struct hv_message message = {.kind = HV_MESSAGE_RELEASE};
	int ends[2];

	(void)state;
	assert_int_equal(hv_message_pair(ends), 0);
	assert_int_equal(hv_message_receive(ends[0], &message, false), -EAGAIN);
	close(ends[1]);
	assert_int_equal(hv_message_receive(ends[0], &message, false), 0);
	assert_int_equal(hv_message_receive(ends[0], &message, true), 0);
	assert_int_equal(hv_message_send(ends[0], &message), -EPIPE);
	close(ends[0]);
}

static void test_refuses_what_is_no_message(void **state)
{
	struct hv_message message;
	int ends[2];

	(void)state;
	assert_int_equal(hv_message_pair(ends), 0);
	assert_int_equal(send(ends[1], "short", 5, 0), 5);
	assert_int_equal(hv_message_receive(ends[0], &message, false), -EPROTO);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carries_descriptors),
		cmocka_unit_test(test_cuts_long_notes),
		cmocka_unit_test(test_tells_the_end),
		cmocka_unit_test(test_refuses_what_is_no_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
