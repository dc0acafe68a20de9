/* Surveys: sockets by inode, connections counted at their listeners, processes found in /proc. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/owner.h"
#include "support/test.h"

static void add(struct hv_survey *survey, uint8_t state, const char *local, uint16_t port,
		uint16_t remote_port, uint32_t inode)
{
	struct inet_diag_msg message = {
		.idiag_family = AF_INET,
		.idiag_state = state,
		.idiag_inode = inode,
		.id = {.idiag_sport = htons(port), .idiag_dport = htons(remote_port)},
	};

	inet_pton(AF_INET, local, message.id.idiag_src);
	assert_true(hv_survey_add(survey, IPPROTO_TCP, &message, false));
}

static void sockets_are_found_by_inode(void **state)
{
	struct hv_survey *survey = hv_survey_new();

	(void)state;
	assert_null(hv_survey_find(survey, 5));
	/* The same low bits again and again. */
	for (uint32_t i = 1; i <= 5000; i++)
		add(survey, HV_GUEST_ESTABLISHED, "10.0.2.100", (uint16_t)i, 80, i * 4096);
	for (uint32_t i = 1; i <= 5000; i++)
		assert_int_equal(hv_survey_find(survey, i * 4096)->local.port, i);
	assert_null(hv_survey_find(survey, 4097));
	assert_null(hv_survey_find(survey, 0));
	hv_survey_release(survey);
}

static void connections_are_counted_at_their_listener(void **state)
{
	struct hv_survey *survey = hv_survey_new();

	(void)state;
	add(survey, HV_GUEST_LISTEN, "0.0.0.0", 80, 0, 1);
	add(survey, HV_GUEST_LISTEN, "127.0.0.1", 80, 0, 2);
	add(survey, HV_GUEST_LISTEN, "10.0.2.100", 81, 0, 3);
	for (uint16_t i = 0; i < 100; i++)
		add(survey, HV_GUEST_ESTABLISHED, "10.0.2.100", 80, (uint16_t)(1000 + i),
		    10U + i);
	add(survey, HV_GUEST_ESTABLISHED, "127.0.0.1", 80, 999, 200);
	add(survey, HV_GUEST_TIME_WAIT, "10.0.2.100", 80, 998, 0);
	add(survey, HV_GUEST_ESTABLISHED, "10.0.2.100", 40000, 80, 201);
	add(survey, HV_GUEST_ESTABLISHED, "10.0.2.101", 81, 80, 202);
	assert_int_equal(hv_survey_find(survey, 1)->connections, 100);
	assert_int_equal(hv_survey_find(survey, 2)->connections, 1);
	assert_int_equal(hv_survey_find(survey, 3)->connections, 0);
	assert_true(hv_survey_find(survey, 10)->counted);
	assert_false(hv_survey_find(survey, 201)->counted);
	assert_false(hv_survey_find(survey, 202)->counted);
	hv_survey_release(survey);
}

static void the_start_is_read_behind_any_name(void **state)
{
	(void)state;
	assert_int_equal(hv_process_start_ticks("1 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 "
						"4711 0 0\n"),
			 4711);
	assert_int_equal(hv_process_start_ticks(
				 "1 (a) S 9) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 "
				 "0 4712 0 0\n"),
			 4712);
	assert_int_equal(hv_process_start_ticks("1 (a) S 1 1"), 0);
	assert_int_equal(hv_process_start_ticks(""), 0);
}

/* This process is the guest; its sockets are looked for. */
static void processes_are_found(void **state)
{
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct hv_survey *survey = hv_survey_new();
	const struct hv_guest_socket *found;
	struct hv_process_scan *scan;
	struct stat status;
	unsigned steps = 0;

	(void)state;
	assert_true(netns >= 0 && fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	add(survey, HV_GUEST_LISTEN, "0.0.0.0", 80, 0, (uint32_t)status.st_ino);
	scan = hv_process_scan_new(survey, netns);
	assert_non_null(scan);
	while (hv_process_scan_step(scan))
		assert_true(++steps < 1000000);
	hv_process_scan_free(scan);
	found = hv_survey_find(survey, (uint32_t)status.st_ino);
	assert_int_equal(found->holders, 1);
	assert_int_equal(survey->processes[found->process].pid, getpid());
	assert_true(survey->processes[found->process].started > 0);
	assert_true(survey->processes[found->process].started <= time(NULL) + 1);
	hv_survey_release(survey);
	close(fd);
	close(netns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_found_by_inode),
		cmocka_unit_test(connections_are_counted_at_their_listener),
		cmocka_unit_test(the_start_is_read_behind_any_name),
		cmocka_unit_test(processes_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
