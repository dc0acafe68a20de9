/* src/ip/group.c: groups that were joined are taken, others are not; the table has a limit. */
#include "fixture.h"

static int join(const char *text)
{
	struct hv_addr group = ip(text);

	return hv_ip_group_join(&f.ip, 1, &group);
}

static void leave(const char *text)
{
	struct hv_addr group = ip(text);

	hv_ip_group_leave(&f.ip, 1, &group);
}

static enum hv_ip_scope scope(const char *text)
{
	struct hv_addr addr = ip(text);

	return hv_ip_scope(&f.ip, &f.link, &addr);
}

static void is_left_with_the_last(void **state)
{
	static const char *const groups[] = {"239.1.2.3", "ff15::1:2"};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(groups); i++) {
		assert_int_equal(scope(groups[i]), HV_IP_SCOPE_OTHER_GROUP);
		assert_int_equal(join(groups[i]), 0);
		assert_int_equal(join(groups[i]), 0);
		assert_int_equal(scope(groups[i]), HV_IP_SCOPE_GROUP);
		leave(groups[i]);
		assert_int_equal(scope(groups[i]), HV_IP_SCOPE_GROUP);
		leave(groups[i]);
		assert_int_equal(scope(groups[i]), HV_IP_SCOPE_OTHER_GROUP);
		leave(groups[i]);
	}
	assert_int_equal(f.ip.group_count, 0);
}

static void refuses_what_cannot_be_joined(void **state)
{
	struct hv_addr group = ip("239.1.2.3");

	(void)state;
	assert_int_equal(join("10.0.2.100"), -EINVAL);
	assert_int_equal(join("fd00::100"), -EINVAL);
	assert_int_equal(hv_ip_group_join(&f.ip, 9, &group), -ENODEV);
	assert_int_equal(hv_ip_group_join(&f.ip, 0, &group), -ENODEV);
	assert_false(hv_ip_is_member(&f.ip, 0, &group));
}

static void has_a_limit(void **state)
{
	char text[32];

	(void)state;
	for (unsigned i = 0; i < HV_IP_MAX_GROUPS; i++) {
		snprintf(text, sizeof(text), "239.0.0.%u", i);
		assert_int_equal(join(text), 0);
	}
	assert_int_equal(join("239.0.1.0"), -ENOBUFS);
	assert_int_equal(join("239.0.0.5"), 0);
	leave("239.0.0.7");
	assert_int_equal(join("239.0.1.0"), 0);
	assert_int_equal(scope("239.0.0.7"), HV_IP_SCOPE_OTHER_GROUP);
	assert_int_equal(scope("239.0.0.63"), HV_IP_SCOPE_GROUP);
}

static void finds_the_link(void **state)
{
	struct hv_addr group = ip("239.1.2.3"), ours = ip("10.0.2.2"), other = ip("10.0.2.3");
	struct hv_addr any = ip("0.0.0.0");

	(void)state;
	assert_int_equal(hv_ip_group_link(&f.ip, &group, &any), 1);
	assert_int_equal(hv_ip_group_link(&f.ip, &group, &ours), 1);
	assert_int_equal(hv_ip_group_link(&f.ip, &group, &other), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(is_left_with_the_last),
		FIXTURE_TEST(refuses_what_cannot_be_joined),
		FIXTURE_TEST(has_a_limit),
		FIXTURE_TEST(finds_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
