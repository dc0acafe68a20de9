/* Descriptors that are passed: one is taken, whatever else comes is closed again. */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/passed.h"
#include "support/test.h"

#define FDS_MAX 8

static unsigned open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* A message with `count` copies of fd. */
static void send_copies(int socket, int fd, unsigned count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = {0};
	char byte = 'x';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count > 0) {
		struct cmsghdr *header = &control.align;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * count);
		for (unsigned i = 0; i < count; i++)
			memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static void one_is_taken(void **state)
{
	int pair[2], fd;
	const char *fault;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), -1);
	assert_int_equal(fd, -1);
	send_copies(pair[1], STDIN_FILENO, 0);
	assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), 1);
	assert_int_equal(fd, -1);
	assert_null(fault);
	send_copies(pair[1], STDIN_FILENO, 1);
	assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), 1);
	assert_null(fault);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	close(pair[1]);
	assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), 0);
	close(pair[0]);
}

static void more_are_closed(void **state)
{
	int pair[2], fd;
	unsigned before;
	const char *fault;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	before = open_files();
	for (unsigned count = 2; count <= FDS_MAX; count++) {
		send_copies(pair[1], STDIN_FILENO, count);
		assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), 1);
		assert_int_equal(fd, -1);
		assert_non_null(strstr(fault, "one descriptor"));
		assert_int_equal(open_files(), before);
	}
	close(pair[0]);
	close(pair[1]);
}

static void without_room_it_is_said(void **state)
{
	struct rlimit limit, none;
	int pair[2], fd;
	const char *fault;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	send_copies(pair[1], STDIN_FILENO, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(hv_passed_receive(pair[0], &byte, 1, &fd, &fault), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(fault, "no room"));
	close(pair[0]);
	close(pair[1]);
}

static void a_pair_is_made_ready(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_null(hv_passed_prepare(pair[0]));
	assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(pair[1], F_GETFL) & O_NONBLOCK);
	close(pair[0]);
	close(pair[1]);
}

static void faulty(int fd, const char *part)
{
	const char *fault = hv_passed_prepare(fd);

	assert_true(fd >= 0);
	assert_non_null(fault);
	assert_non_null(strstr(fault, part));
	close(fd);
}

static void all_else_is_faulty(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int pair[2];

	(void)state;
	/* Without a name it is given one (unix(7), autobind). */
	assert_int_equal(bind(listener, (struct sockaddr *)&address,
			      sizeof(address.sun_family)),
			 0);
	assert_int_equal(listen(listener, 1), 0);
	faulty(listener, "not connected");
	faulty(socket(AF_UNIX, SOCK_STREAM, 0), "not connected");
	faulty(socket(AF_INET, SOCK_STREAM, 0), "no stream socket of the Unix domain");
	faulty(open("/dev/null", O_RDWR), "no stream socket");
	faulty(open("/", O_PATH), "no stream socket");
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	faulty(pair[0], "no stream socket");
	close(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	faulty(pair[0], "no stream socket");
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_taken),
		cmocka_unit_test(more_are_closed),
		cmocka_unit_test(without_room_it_is_said),
		cmocka_unit_test(a_pair_is_made_ready),
		cmocka_unit_test(all_else_is_faulty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
