/*
 * The index against the rules one by one: random rules over few addresses, ports and names, so that they meet, and
 * random flows, without and with a server's name. A failing seed is in the message.
 */
#include "fixture.h"

enum { SEEDS = 300, FLOWS = 60, RULES_MAX = 24, NAMES = 8, BOUND_MAX = 4 };

static const char *const hosts[] = {
	"",
	"*",
	"10.0.0.1",
	"10.0.0.2",
	"10.0.0.0/30",
	"10.0.0.0/29",
	"10.0.0.4/30",
	"0.0.0.0/0",
	"2001:db8::1",
	"2001:db8::2",
	"2001:db8::/126",
	"2001:db8::/64",
	"::/0",
	"host",
	"a.org",
	"b.a.org",
	"c.org",
	"*.a.org",
	"*.org",
	"*.b.a.org",
};
static const char *const sources[] = {"", "", "", "192.0.2.1", "192.0.2.0/24", "host", "::/0"};
static const char *const ports[] = {"", "", "1-9", "2", "5-6", "3,8", "53", "4-853", "1-65535"};
static const char *const protocols[] = {"", "", "tcp", "udp", "icmp"};
static const char *const names[NAMES] = {
	"a.org", "b.a.org", "c.b.a.org", "c.org", "org", "x.net", "a.org.net", "ba.org",
};
static const char *const destinations[] = {
	"10.0.0.1",    "10.0.0.2",    "10.0.0.5",    "10.0.0.7",    "10.0.0.9",	    "127.0.0.1",
	"2001:db8::1", "2001:db8::2", "2001:db8::9", "2001:dc8::1", "198.51.100.1",
};

/* A rule as the test knows it; its text is what the filter reads. */
struct model_rule {
	bool allow, out;
	const char *host, *source, *ports, *protocol;
};

struct model {
	struct fixture f;
	struct test_random random;
	struct model_rule rules[RULES_MAX];
	unsigned count;
	const char *bound[TEST_COUNT(destinations)][BOUND_MAX];
};

/* --- rules one by one ---------------------------------------------------------------------- */

static bool in_block(const uint8_t address[16], const char *block)
{
	char text[64];
	uint8_t bytes[16];
	char *slash;
	unsigned bits = 128;

	snprintf(text, sizeof(text), "%s", block);
	slash = strchr(text, '/');
	if (slash) {
		*slash = '\0';
		bits = (unsigned)atoi(slash + 1);
	}
	address_of(text, bytes);
	if (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		bits = slash ? bits + 96 : 128;
	else if (memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return false;
	for (unsigned i = 0; i < bits; i++) {
		if ((address[i / 8] ^ bytes[i / 8]) & (0x80 >> i % 8))
			return false;
	}
	return true;
}

static bool is_host(const uint8_t address[16])
{
	uint8_t own[16];

	address_of("198.51.100.1", own);
	return memcmp(address, own, 16) == 0 || in_block(address, "127.0.0.0/8") ||
	       in_block(address, "::1");
}

static bool matches_address(const uint8_t address[16], const char *pattern)
{
	if (!*pattern || strcmp(pattern, "*") == 0)
		return true;
	if (strcmp(pattern, "host") == 0)
		return is_host(address);
	return in_block(address, pattern);
}

static bool has_name(const struct model_rule *rule)
{
	size_t size = strlen(rule->host);

	return size > 4 && strcmp(rule->host + size - 4, ".org") == 0;
}

static bool means(const struct model_rule *rule, const char *name)
{
	size_t size = strlen(name), end = strlen(rule->host) - 1;

	if (*rule->host != '*')
		return strcmp(rule->host, name) == 0;
	return size > end && strcmp(name + size - end, rule->host + 1) == 0;
}

static bool matches_port(const struct model_rule *rule, const struct haven_filter_flow *flow)
{
	const char *text = rule->ports;
	int first, last, used;

	if (!*text)
		return true;
	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		return false;
	for (;; text++) {
		assert_int_equal(sscanf(text, "%d%n", &first, &used), 1);
		last = first;
		text += used;
		if (*text == '-') {
			assert_int_equal(sscanf(text + 1, "%d%n", &last, &used), 1);
			text += used + 1;
		}
		if (flow->destination.port >= first && flow->destination.port <= last)
			return true;
		if (*text == '\0')
			return false;
	}
}

static bool matches_protocol(const struct model_rule *rule, uint8_t protocol)
{
	if (strcmp(rule->protocol, "tcp") == 0)
		return protocol == IPPROTO_TCP;
	if (strcmp(rule->protocol, "udp") == 0)
		return protocol == IPPROTO_UDP;
	if (strcmp(rule->protocol, "icmp") == 0)
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	return true;
}

/* All but a name. */
static bool matches(const struct model_rule *rule, const struct haven_filter_flow *flow)
{
	return rule->out == (flow->direction == HAVEN_OUT) &&
	       matches_protocol(rule, flow->protocol) && matches_port(rule, flow) &&
	       matches_address(flow->source.address, rule->source) &&
	       (has_name(rule) || matches_address(flow->destination.address, rule->host));
}

enum match { NO, YES, SOME };

static enum match matches_name(const struct model_rule *rule, const char *const *bound,
			       unsigned count, const char *server)
{
	unsigned meant = 0;

	for (unsigned i = 0; i < count; i++)
		meant += means(rule, bound[i]);
	if (rule->allow)
		return meant && (!server || means(rule, server)) ? YES : NO;
	if (server)
		return means(rule, server) ? YES : NO;
	if (meant == 0)
		return NO;
	return meant == count ? YES : SOME;
}

static void expected(const struct model *m, const struct haven_filter_flow *flow,
		     const char *const *bound, unsigned count, struct haven_verdict *v)
{
	bool named = false, allows = false, some = false, may_deny = false, by_name = false;
	const struct model_rule *decider = NULL;

	for (unsigned i = 0; i < m->count; i++) {
		const struct model_rule *rule = &m->rules[i];
		enum match match = YES;

		named |= rule->out && has_name(rule);
		allows |= rule->allow && rule->out == (flow->direction == HAVEN_OUT);
		if (decider || !matches(rule, flow))
			continue;
		if (has_name(rule)) {
			match = matches_name(rule, bound, count, flow->server_name);
			may_deny |= !rule->allow;
		}
		some |= match == SOME;
		if (match != YES)
			continue;
		decider = rule;
		v->rule = i + 1;
	}
	if (decider)
		by_name = has_name(decider);
	v->allowed = decider ? decider->allow : !allows;
	v->reason = decider ? HAVEN_VERDICT_RULE : HAVEN_VERDICT_DEFAULT;
	if (v->allowed && named && flow->direction == HAVEN_OUT &&
	    !(decider && *decider->ports) &&
	    (flow->destination.port == 53 || flow->destination.port == 853)) {
		v->allowed = false;
		v->reason = HAVEN_VERDICT_DNS;
	}
	if (!v->allowed || flow->server_name)
		return;
	if (some)
		v->name_check = HAVEN_NAME_MUST_BE_SAID;
	else if (by_name || may_deny)
		v->name_check = HAVEN_NAME_IF_SAID;
	v->name_may_miss = v->name_check == HAVEN_NAME_IF_SAID && !by_name;
}

/* --- drawing ------------------------------------------------------------------------------- */

#define DRAW(m, array) ((array)[test_random_below(&(m)->random, TEST_COUNT(array))])

static void draw_rule(struct model *m, struct model_rule *rule)
{
	*rule = (struct model_rule){
		.allow = test_random_one_in(&m->random, 2),
		.out = !test_random_one_in(&m->random, 4),
		.host = DRAW(m, hosts),
		.source = DRAW(m, sources),
		.protocol = DRAW(m, protocols),
		.ports = "",
	};
	if (strcmp(rule->protocol, "icmp") != 0)
		rule->ports = DRAW(m, ports);
}

static void rule_text(const struct model_rule *rule, char *text, size_t size)
{
	bool v6 = strchr(rule->host, ':') != NULL;

	snprintf(text, size, "%s %s %s %s%s%s%s%s %s%s\n", rule->allow ? "allow" : "deny",
		 rule->out ? "out" : "in", rule->protocol, v6 ? "[" : "", rule->host,
		 v6 ? "]" : "", *rule->ports ? ":" : "", rule->ports,
		 *rule->source ? "from " : "", rule->source);
}

static struct haven_rules *draw_rules(struct model *m, unsigned at, unsigned count)
{
	char text[RULES_MAX * 128] = "";

	for (unsigned i = at; i < at + count; i++) {
		size_t end = strlen(text);

		draw_rule(m, &m->rules[i]);
		rule_text(&m->rules[i], text + end, sizeof(text) - end);
	}
	return rules_of(&m->f, text);
}

static void draw_bindings(struct model *m)
{
	memset(m->bound, 0, sizeof(m->bound));
	for (unsigned i = 0; i < TEST_COUNT(destinations); i++) {
		unsigned count = (unsigned)test_random_below(&m->random, BOUND_MAX + 1);

		if (strcmp(destinations[i], "127.0.0.1") == 0 ||
		    strcmp(destinations[i], "198.51.100.1") == 0)
			continue;
		for (unsigned j = 0; j < count; j++) {
			const char *name = DRAW(m, names);
			unsigned k = 0;

			while (m->bound[i][k] && strcmp(m->bound[i][k], name) != 0)
				k++;
			m->bound[i][k] = name;
			bind_name(&m->f, name, destinations[i], 300);
		}
	}
}

static void draw_flow(struct model *m, struct haven_filter_flow *flow, unsigned *to)
{
	static const uint8_t all[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	static const char *const from4[] = {"192.0.2.1", "192.0.2.9", "127.0.0.1",
					    "203.0.113.5"};
	static const char *const from6[] = {"2001:db8::7", "::1"};

	*to = (unsigned)test_random_below(&m->random, TEST_COUNT(destinations));
	*flow = (struct haven_filter_flow){
		.direction = test_random_one_in(&m->random, 4) ? HAVEN_IN : HAVEN_OUT,
		.protocol = DRAW(m, all),
	};
	address_of(strchr(destinations[*to], ':') ? DRAW(m, from6) : DRAW(m, from4),
		   flow->source.address);
	address_of(destinations[*to], flow->destination.address);
	if (flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP)
		flow->destination.port = (uint16_t)test_random_range(&m->random, 1, 10);
	if (flow->destination.port == 10)
		flow->destination.port = test_random_one_in(&m->random, 2) ? 53 : 853;
	if (test_random_one_in(&m->random, 3))
		flow->server_name = DRAW(m, names);
	if (test_random_one_in(&m->random, 8))
		flow->bound_name = DRAW(m, names);
}

/* --- comparing ----------------------------------------------------------------------------- */

static void compare(struct model *m, uint64_t seed, struct haven_filter_flow *flow, unsigned to)
{
	struct haven_verdict want = {.name_check = HAVEN_NAME_FREE}, got, explained;
	const char *const *bound = m->bound[to];
	unsigned count = 0;

	while (count < BOUND_MAX && bound[count])
		count++;
	if (flow->bound_name) {
		bound = &flow->bound_name;
		count = 1;
	}
	expected(m, flow, bound, count, &want);
	haven_filter_explain(m->f.filter, flow, m->f.now_ns, &explained);
	haven_filter_decide(m->f.filter, flow, m->f.now_ns, &got);
	if (got.rule != want.rule || got.allowed != want.allowed || got.reason != want.reason ||
	    got.name_check != want.name_check || got.name_may_miss != want.name_may_miss)
		fail_msg(
			"seed %d, to %s port %d, server %s: rule %u allowed %d reason %d check "
			"%d miss %d, expected %u %d %d %d %d",
			(int)seed, destinations[to], flow->destination.port,
			flow->server_name ? flow->server_name : "-", got.rule, got.allowed,
			(int)got.reason, (int)got.name_check, got.name_may_miss, want.rule,
			want.allowed, (int)want.reason, (int)want.name_check,
			want.name_may_miss);
	assert_int_equal(explained.rule, got.rule);
	assert_int_equal(explained.allowed, got.allowed);
	assert_int_equal(explained.name_check, got.name_check);
	assert_string_equal(explained.name, got.name);
	assert_int_equal(*got.name != '\0', count > 0);
	assert_int_equal(haven_filter_rule_number(m->f.filter, got.handle), got.rule);
}

static void compare_some(struct model *m, uint64_t seed)
{
	struct haven_filter_flow flow;
	unsigned to;

	for (unsigned i = 0; i < FLOWS; i++) {
		draw_flow(m, &flow, &to);
		compare(m, seed, &flow, to);
	}
}

static void change(struct model *m)
{
	uint32_t at = (uint32_t)test_random_below(&m->random, m->count + 1);

	if (m->count < RULES_MAX && test_random_one_in(&m->random, 2)) {
		memmove(&m->rules[at + 1], &m->rules[at],
			(m->count - at) * sizeof(m->rules[0]));
		assert_int_equal(haven_filter_insert(m->f.filter, at + 1, draw_rules(m, at, 1)),
				 0);
		m->count++;
	} else if (at < m->count) {
		assert_int_equal(haven_filter_remove(m->f.filter, at + 1), 0);
		m->count--;
		memmove(&m->rules[at], &m->rules[at + 1],
			(m->count - at) * sizeof(m->rules[0]));
	}
}

static void as_the_rules_say(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint8_t host[1][16];
		struct model m = {0};

		test_random_init(&m.random, seed);
		begin(&m.f, "");
		address_of("198.51.100.1", host[0]);
		assert_int_equal(haven_filter_set_host(m.f.filter, host, 1), 0);
		draw_bindings(&m);
		m.count = (unsigned)test_random_below(&m.random, RULES_MAX);
		assert_int_equal(haven_filter_replace(m.f.filter, draw_rules(&m, 0, m.count)),
				 0);
		for (int i = 0; i < 4; i++) {
			compare_some(&m, seed);
			change(&m);
		}
		end(&m.f);
	}
}

/* Each port of each range, at both of its ends. */
static void every_port_of_a_range(void **state)
{
	struct test_random random;
	struct fixture f;

	(void)state;
	test_random_init(&random, 7);
	begin(&f, "");
	for (int i = 0; i < 60; i++) {
		struct haven_filter_flow flow = flow_of("out tcp 10.0.2.100 192.0.2.1:1");
		uint16_t a = (uint16_t)test_random_range(&random, 1, 65535);
		uint16_t b = (uint16_t)test_random_range(&random, a, 65535);
		struct haven_verdict verdict;
		char text[64];

		snprintf(text, sizeof(text), "deny out :%u-%u", a, b);
		set_rules(&f, text);
		for (uint32_t port = 0; port < 65536; port += i ? 251 : 1) {
			flow.destination.port = (uint16_t)port;
			haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
			assert_int_equal(verdict.allowed, port < a || port > b);
		}
		for (int near = -1; near < 2; near++) {
			flow.destination.port = (uint16_t)(a + near);
			haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
			assert_int_equal(verdict.allowed, near < 0 || a + near > b);
			flow.destination.port = (uint16_t)(b - near);
			haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
			assert_int_equal(verdict.allowed, near < 0 || b - near < a);
		}
	}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_rules_say),
		cmocka_unit_test(every_port_of_a_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
