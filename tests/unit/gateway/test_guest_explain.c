/* One line for each way in which a guest cannot be made. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "gateway/guest_explain.h"

/* A machine that allows everything. */
static const struct hv_explain_facts open_machine = {
	.max_user_namespaces = 10000,
	.max_net_namespaces = 10000,
	.max_pid_namespaces = 10000,
	.max_mnt_namespaces = 10000,
	.unprivileged_userns_clone = -1,
	.apparmor_restrict_unprivileged_userns = -1,
};

static void expect(enum hv_stage stage, int error, const struct hv_explain_facts *facts,
		   const char *part)
{
	struct hv_guest_error result;

	hv_explain(&result, stage, error, "", facts);
	assert_int_equal(result.error, error);
	assert_null(strchr(result.text, '\n'));
	if (!strstr(result.text, part))
		fail_msg("no \"%s\" in \"%s\"", part, result.text);
}

static void test_names_the_limit(void **state)
{
	struct hv_explain_facts facts = open_machine;

	(void)state;
	facts.max_user_namespaces = 0;
	expect(HV_STAGE_NAMESPACES, ENOSPC, &facts, "sudo sysctl -w user.max_user_namespaces=");
	expect(HV_STAGE_NAMESPACES, EPERM, &facts, "user.max_user_namespaces is 0");
	facts = open_machine;
	facts.max_net_namespaces = 0;
	expect(HV_STAGE_NAMESPACES, ENOSPC, &facts, "sudo sysctl -w user.max_net_namespaces=");
	expect(HV_STAGE_NAMESPACES, ENOSPC, &open_machine,
	       "the limit of namespaces is reached");
}

static void test_names_the_switch(void **state)
{
	struct hv_explain_facts facts = open_machine;

	(void)state;
	facts.unprivileged_userns_clone = 0;
	expect(HV_STAGE_NAMESPACES, EPERM, &facts,
	       "sudo sysctl -w kernel.unprivileged_userns_clone=1");
	facts = open_machine;
	facts.apparmor_restrict_unprivileged_userns = 1;
	/* AppArmor lets the namespace be made, and refuses what comes after it. */
	expect(HV_STAGE_ID_MAP, EPERM, &facts,
	       "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
	expect(HV_STAGE_MOUNTS, EACCES, &facts,
	       "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
	facts = open_machine;
	facts.seccomp = true;
	expect(HV_STAGE_NAMESPACES, EPERM, &facts, "seccomp");
}

static void test_blames_no_switch_that_is_open(void **state)
{
	struct hv_explain_facts facts = open_machine;

	(void)state;
	facts.unprivileged_userns_clone = 1;
	facts.apparmor_restrict_unprivileged_userns = 0;
	expect(HV_STAGE_NAMESPACES, EPERM, &facts, "the system refuses new namespaces");
	expect(HV_STAGE_NAMESPACES, EINVAL, &facts, "CONFIG_USER_NS");
	expect(HV_STAGE_NAMESPACES, ENOMEM, &facts, strerror(ENOMEM));
}

static void test_tun(void **state)
{
	(void)state;
	expect(HV_STAGE_TUN_OPEN, EACCES, &open_machine, "sudo chmod 0666 /dev/net/tun");
	expect(HV_STAGE_TUN_OPEN, ENOENT, &open_machine, "sudo modprobe tun");
	expect(HV_STAGE_TUN_CREATE, EBUSY, &open_machine, "is there already");
	expect(HV_STAGE_VETH, EEXIST, &open_machine, "is there already");
}

static void test_options_speak_for_themselves(void **state)
{
	struct hv_guest_error result;

	(void)state;
	hv_explain(&result, HV_STAGE_OPTIONS, EINVAL, "there is no command", &open_machine);
	assert_string_equal(result.text, "there is no command");
}

static void test_every_stage_has_its_line(void **state)
{
	char detail[HV_STAGE_COUNT * 64];
	struct hv_guest_error result;

	(void)state;
	memset(detail, 'x', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	for (int stage = HV_STAGE_PREPARE; stage < HV_STAGE_COUNT; stage++) {
		hv_explain(&result, (enum hv_stage)stage, EIO, detail, &open_machine);
		assert_memory_equal(result.text, "cannot ", 7);
		/* However long the detail is, the reason is not cut off. */
		assert_non_null(strstr(result.text, strerror(EIO)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_the_limit),
		cmocka_unit_test(test_names_the_switch),
		cmocka_unit_test(test_blames_no_switch_that_is_open),
		cmocka_unit_test(test_tun),
		cmocka_unit_test(test_options_speak_for_themselves),
		cmocka_unit_test(test_every_stage_has_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
