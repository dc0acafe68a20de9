/*
 * A filter over its life: the input is a program of steps that change rules, bind names, let time pass and ask about
 * flows. Few rules, names and addresses, so that they meet.
 *
 * What must hold: an explanation says what the decision says, but for limits; a verdict's parts agree; a flow that may say its
 * name is refused at most for that; what was entered is counted; and memory stays in bounds and comes back.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <haven/filter.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPEN_MAX = 16, ADDRESSES = 8 };

static const char *const rules_texts[] = {
	"allow out *.example.org:443",
	"deny out bad.example.org",
	"deny out *.net log",
	"allow out 192.0.2.0/30 limit 3/s",
	"deny out host drop",
	"allow out udp :1-60000 max 2",
	"allow out a.b.c.net",
	"deny out 192.0.2.1:53,80-90",
	"allow in tcp ssh from host",
	"allow out [2001:db8::/126]:443",
	"deny in icmp",
	"allow out *.org max 1 limit 2/min",
	"allow out",
	"deny out from 10.0.0.0/8 log",
	"allow out example.org",
	"deny out *.example.org:444",
};
static const char *const names[] = {
	"example.org", "bad.example.org", "good.example.org.", "A.B.C.net",
	"c.net",       "x.y.example.org", "1.2.3.4",	       "not a name",
};

struct life {
	struct haven_env env;
	struct haven_filter *filter;
	struct haven_rule *open[OPEN_MAX];
	unsigned open_count;
	uint64_t now_ns;
	const uint8_t *at, *end;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static unsigned draw(struct life *l, unsigned below)
{
	return l->at < l->end ? *l->at++ % below : 0;
}

#define DRAW(l, array) ((array)[draw(l, sizeof(array) / sizeof((array)[0]))])

static void draw_address(struct life *l, uint8_t address[16])
{
	static const uint8_t v4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 0};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8};
	unsigned which = draw(l, 2 * ADDRESSES);

	memcpy(address, which < ADDRESSES ? v4 : v6, 16);
	address[15] = (uint8_t)(which % ADDRESSES);
	if (which == ADDRESSES - 1)
		address[12] = 127;
}

static struct haven_rules *draw_rules(struct life *l, unsigned most)
{
	struct haven_rules *rules;

	check(haven_rules_create(&l->env, NULL, &rules) == 0);
	for (unsigned count = draw(l, most + 1); count > 0; count--) {
		const char *text = DRAW(l, rules_texts);

		check(haven_rules_add(rules, HAVEN_RULE_IN_TEXT, text, NULL) == 0);
	}
	return rules;
}

/* --- steps --------------------------------------------------------------------------------- */

static void change(struct life *l)
{
	uint32_t count = haven_filter_rule_count(l->filter);
	uint32_t number = draw(l, 8);
	int result;

	switch (draw(l, 3)) {
	case 0:
		check(haven_filter_replace(l->filter, draw_rules(l, 12)) == 0);
		break;
	case 1:
		result = haven_filter_insert(l->filter, number, draw_rules(l, 2));
		check(result == (number == 0 || number > count + 1 ? -EINVAL : 0));
		break;
	default:
		result = haven_filter_remove(l->filter, number);
		check(result == (number == 0 || number > count ? -ENOENT : 0));
		break;
	}
}

static void bind_name(struct life *l)
{
	const char *name = DRAW(l, names);
	uint64_t ttl_ns = draw(l, 256) * UINT64_C(1000000000);
	struct haven_binding binding;
	uint8_t address[16];
	unsigned count = 0;
	int result;

	draw_address(l, address);
	if (draw(l, 16) == 0)
		result = haven_filter_bind_static(l->filter, name, address);
	else
		result = haven_filter_bind(l->filter, name, address, ttl_ns, l->now_ns);
	check(result == 0 || result == -EINVAL || result == -EPERM || result == -ENOSPC);
	while (haven_filter_binding(l->filter, address, count, l->now_ns, &binding)) {
		check(binding.expires_ns > l->now_ns && *binding.name);
		count++;
	}
	check(count <= 3 && (result != 0 || count > 0));
}

static void set_host(struct life *l)
{
	uint8_t addresses[3][16];
	unsigned count = draw(l, 4);

	for (unsigned i = 0; i < count; i++)
		draw_address(l, addresses[i]);
	check(haven_filter_set_host(l->filter, (const uint8_t(*)[16])addresses, count) == 0);
}

static void check_verdict(const struct life *l, const struct haven_verdict *v)
{
	struct haven_rule_info info;

	check((v->rule == 0) == (v->handle == NULL));
	check(haven_filter_rule_number(l->filter, v->handle) == v->rule);
	check(!v->silent || !v->allowed);
	check(v->allowed || v->name_check == HAVEN_NAME_FREE);
	check(!v->name_may_miss || v->name_check == HAVEN_NAME_IF_SAID);
	check(strlen(v->name) < sizeof(v->name));
	if (v->rule) {
		check(haven_filter_rule(l->filter, v->rule, &info));
		check(info.refused <= info.flows);
		check(v->reason != HAVEN_VERDICT_RULE || v->allowed == info.allow);
	}
	if (v->reason == HAVEN_VERDICT_DEFAULT)
		check(v->rule == 0);
	if (v->reason >= HAVEN_VERDICT_LIMIT)
		check(!v->allowed);
}

static void enter(struct life *l, const struct haven_verdict *verdict)
{
	if (!verdict->allowed || l->open_count == OPEN_MAX)
		return;
	haven_filter_enter(l->filter, verdict->handle);
	l->open[l->open_count++] = verdict->handle;
}

static void leave(struct life *l)
{
	if (l->open_count)
		haven_filter_leave(l->filter, l->open[--l->open_count], draw(l, 256));
}

/* A flow that may say its name: with it, it is decided by rules alone. */
static void say_name(struct life *l, struct haven_filter_flow *flow,
		     const struct haven_verdict *before)
{
	struct haven_verdict verdict;

	flow->server_name = DRAW(l, names);
	haven_filter_decide(l->filter, flow, l->now_ns, &verdict);
	check_verdict(l, &verdict);
	check(verdict.name_check == HAVEN_NAME_FREE);
	/* No rule with a name comes into it: the same rule decides, whatever is said. */
	if (before->allowed && before->name_check == HAVEN_NAME_FREE)
		check(verdict.allowed && verdict.rule == before->rule);
}

static void ask(struct life *l)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 132};
	static const uint16_t ports[] = {443, 444, 53, 22, 80, 853, 60001};
	struct haven_verdict verdict, explained;
	struct haven_filter_flow flow = {
		.direction = draw(l, 4) ? HAVEN_OUT : HAVEN_IN,
		.protocol = DRAW(l, protocols),
	};

	draw_address(l, flow.source.address);
	draw_address(l, flow.destination.address);
	flow.destination.port = DRAW(l, ports);
	if (draw(l, 8) == 0)
		flow.bound_name = DRAW(l, names);
	haven_filter_explain(l->filter, &flow, l->now_ns, &explained);
	haven_filter_decide(l->filter, &flow, l->now_ns, &verdict);
	check_verdict(l, &explained);
	check_verdict(l, &verdict);
	check(verdict.rule == explained.rule && strcmp(verdict.name, explained.name) == 0);
	check(verdict.allowed == explained.allowed || verdict.reason == HAVEN_VERDICT_LIMIT ||
	      verdict.reason == HAVEN_VERDICT_MAX);
	enter(l, &verdict);
	if (draw(l, 2))
		say_name(l, &flow, &verdict);
	haven_filter_can_reach(l->filter, DRAW(l, names));
}

static void step(struct life *l)
{
	switch (draw(l, 10)) {
	case 0:
		change(l);
		break;
	case 1:
		set_host(l);
		break;
	case 2:
		l->now_ns += draw(l, 256) * UINT64_C(500000000);
		break;
	case 3:
		leave(l);
		break;
	case 4:
	case 5:
	case 6:
		bind_name(l);
		break;
	default:
		ask(l);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct haven_filter_config config;
	struct life l = {.at = data, .end = data + size};

	haven_filter_config_init(&config);
	config.max_bindings = 12;
	config.max_addresses_per_name = 4;
	config.max_names_per_address = 3;
	config.name_floor_ns = 1;
	l.env = config.env;
	check(haven_filter_create(&config, &l.filter) == 0);
	while (l.at < l.end)
		step(&l);
	while (l.open_count)
		leave(&l);
	for (uint32_t i = 1; i <= haven_filter_rule_count(l.filter); i++) {
		struct haven_rule_info info;

		check(haven_filter_rule(l.filter, i, &info) && info.open == 0);
	}
	haven_filter_destroy(l.filter);
	return 0;
}
