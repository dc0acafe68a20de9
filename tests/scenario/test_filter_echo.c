/*
 * A filter on a stack, and echo requests to its addresses. They come over a second link of the right stack, which carries
 * bare IP packets that the test writes and reads.
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "policy.h"

struct pinger {
	struct world w;
	struct haven_link *link;
	unsigned ifindex;
	uint8_t answer[512]; /* the last packet that came back */
	unsigned answers;
};

static int on_send(void *user, const struct iovec *iov, int count,
		   const struct haven_frame_offload *offload)
{
	struct pinger *p = user;
	size_t size = 0;

	(void)offload;
	for (int i = 0; i < count; i++) {
		assert_true(size + iov[i].iov_len <= sizeof(p->answer));
		memcpy(p->answer + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	p->answers++;
	return 0;
}

static void pinger_init(struct pinger *p)
{
	static const struct haven_link_ops ops = {.send = on_send};
	struct haven_link_config config;

	memset(p, 0, sizeof(*p));
	world_init(&p->w, &(struct world_options){0});
	haven_link_config_init(&config);
	assert_int_equal(haven_link_custom(p->w.stack[RIGHT], &ops, p, false, &config,
					   &p->link),
			 0);
	assert_int_equal(haven_stack_attach(p->w.stack[RIGHT], p->link, &p->ifindex), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage all = address_text(v6 ? "::" : "0.0.0.0", 0);

		assert_int_equal(haven_route_add(p->w.stack[RIGHT], p->ifindex,
						 (struct sockaddr *)&all, 0, NULL),
				 0);
	}
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint16_t sum(const uint8_t *p, size_t size)
{
	uint32_t total = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		total += (uint32_t)p[i] << 8 | p[i + 1];
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* The type of the ICMP message that answers a request with 16 bytes of data; -1: nothing does. code may be NULL. */
static int ping(struct pinger *p, bool v6, uint16_t identifier, uint8_t *code)
{
	enum { DATA = 16, ICMP = 8 };
	static const struct haven_frame_offload checked = {.flags = 2};
	uint8_t packet[40 + ICMP + DATA] = {0};
	size_t header = v6 ? 40 : 20, size = header + ICMP + DATA;
	uint8_t *icmp = packet + header;
	unsigned before = p->answers;

	if (v6) {
		packet[0] = 0x60;
		put16(packet + 4, ICMP + DATA);
		packet[6] = IPPROTO_ICMPV6;
		packet[7] = 64;
		inet_pton(AF_INET6, "2001:db8::1", packet + 8);
		inet_pton(AF_INET6, "fd00::2", packet + 24);
	} else {
		packet[0] = 0x45;
		put16(packet + 2, (uint32_t)size);
		packet[8] = 64;
		packet[9] = IPPROTO_ICMP;
		inet_pton(AF_INET, "192.0.2.1", packet + 12);
		inet_pton(AF_INET, "10.0.0.2", packet + 16);
		put16(packet + 10, sum(packet, 20));
	}
	icmp[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	put16(icmp + 4, identifier);
	assert_int_equal(haven_link_custom_input(p->link, packet, size, &checked), 0);
	haven_input(p->w.stack[RIGHT], p->ifindex, 64, p->w.now_ns);
	world_settle(&p->w);
	if (p->answers == before)
		return -1;
	assert_int_equal(p->answers, before + 1);
	if (code)
		*code = p->answer[header + 1];
	return p->answer[header];
}

static void test_allowed(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct pinger p;
		struct policy policy;
		int reply = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;

		pinger_init(&p);
		policy_init(&policy, &p.w, RIGHT, "allow in icmp max 2\ndeny out");
		for (int i = 0; i < 3; i++)
			assert_int_equal(ping(&p, v6, 77, NULL), reply);
		assert_int_equal(ping(&p, v6, 78, NULL), reply);
		/* Each identifier is a flow. */
		assert_int_equal(rule_of(&policy, 1).flows, 2);
		assert_int_equal(rule_of(&policy, 1).open, 2);
		assert_int_not_equal(ping(&p, v6, 79, NULL), reply);
		world_pass(&p.w, 59 * SECOND);
		assert_int_equal(ping(&p, v6, 77, NULL), reply);
		world_pass(&p.w, 2 * SECOND);
		assert_int_equal(rule_of(&policy, 1).open, 1);
		assert_int_equal(rule_of(&policy, 1).bytes, 2 * 16);
		assert_int_equal(ping(&p, v6, 79, NULL), reply);
		world_pass(&p.w, 61 * SECOND);
		assert_int_equal(rule_of(&policy, 1).open, 0);
		assert_int_equal(rule_of(&policy, 1).bytes, (1 + 4 + 1) * 2 * 16);
		assert_int_equal(stats_of(&p.w, RIGHT).filter_flows, 0);
		world_finish(&p.w);
		policy_finish(&policy);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct pinger p;
		struct policy policy;
		uint8_t code = 0;

		pinger_init(&p);
		policy_init(&policy, &p.w, RIGHT, "deny in icmp");
		assert_int_equal(ping(&p, v6, 77, &code),
				 v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH);
		assert_int_equal(code, v6 ? ICMP6_DST_UNREACH_ADMIN : ICMP_PKT_FILTERED);
		assert_int_equal(drops_of(&p.w, RIGHT, "filter"), 1);
		assert_int_equal(drops_of(&p.w, RIGHT, "icmp: nothing"), 0);
		policy_change(&policy, "deny in icmp drop");
		assert_int_equal(ping(&p, v6, 77, NULL), -1);
		assert_int_equal(drops_of(&p.w, RIGHT, "filter"), 2);
		/* Taken off, it refuses nothing. */
		assert_int_equal(haven_stack_set_filter(p.w.stack[RIGHT], NULL), 0);
		assert_int_equal(ping(&p, v6, 77, NULL),
				 v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
		world_finish(&p.w);
		policy_finish(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
