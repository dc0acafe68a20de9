/*
 * What a filter costs a flow: the decision with no rules, 10 rules, 10,000 rules, and 10,000 rules with 10,000 names bound, taken in turn
 * in one run, so that a slow moment meets all alike. Each case is asked about the same flows, which the 10,000 rules decide from
 * the first to the last, by name and by address, or not at all.
 *
 *	filter_cases [ROUNDS [CASE]]
 *
 * CASE, from 0, is measured alone: for callgrind, where measured_flows() is what is to be counted.
 * Prints a line for each case: nanoseconds a decision (the median of all rounds), and how many times those of the case
 * with 10 rules; then how long 10,000 rules take to read and to take effect.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <haven/filter.h>

enum { FLOWS = 4096, ROUNDS = 101, ROUNDS_MAX = 10001, MANY = 10000 };

struct bench_case {
	const char *label;
	uint32_t rules, bindings;
	struct haven_filter *filter;
	struct haven_filter_flow *flows;
	uint64_t allowed; /* so that nothing is left out */
	uint64_t *ns;	  /* of each round, for all flows */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "filter_cases: %s\n", what);
	exit(1);
}

static void v4(uint32_t address, uint8_t bytes[16])
{
	memset(bytes, 0, 10);
	bytes[10] = bytes[11] = 0xff;
	for (int i = 0; i < 4; i++)
		bytes[12 + i] = (uint8_t)(address >> (24 - 8 * i));
}

/* --- rules and flows ------------------------------------------------------------------------ */

/* Of each four: a name, all below a name, a block, and an address with a range of ports. */
static void rule_text(uint32_t i, char *text, size_t size)
{
	switch (i % 4) {
	case 0:
		snprintf(text, size, "out n%u.example.org:https", i);
		break;
	case 1:
		snprintf(text, size, "out *.d%u.example.net:80,443", i);
		break;
	case 2:
		snprintf(text, size, "out tcp 10.%u.%u.0/24", i >> 8, i & 255);
		break;
	default:
		snprintf(text, size, "out 172.16.%u.%u:8000-8099", i >> 8, i & 255);
		break;
	}
}

static struct haven_rules *make_rules(const struct haven_env *env, uint32_t count)
{
	struct haven_rules *rules;
	char text[80];

	must(haven_rules_create(env, NULL, &rules) == 0, "no memory");
	for (uint32_t i = 0; i < count; i++) {
		rule_text(i, text, sizeof(text));
		must(haven_rules_add(rules, HAVEN_RULE_ALLOW, text, NULL) == 0, text);
	}
	return rules;
}

/* Binding i is of the name that rule i means, or one that no rule means. */
static void bind_names(struct bench_case *c)
{
	for (uint32_t i = 0; i < c->bindings; i++) {
		uint8_t address[16];
		char name[64];

		if (i % 4 == 0)
			snprintf(name, sizeof(name), "n%u.example.org", i);
		else if (i % 4 == 1)
			snprintf(name, sizeof(name), "www.d%u.example.net", i);
		else
			snprintf(name, sizeof(name), "other%u.example.com", i);
		v4(0xc6120000U + i, address); /* 198.18.0.0/15 */
		must(haven_filter_bind(c->filter, name, address, UINT64_MAX, 0) == 0,
		     "no binding");
	}
}

/*
 * Flow i goes where one of 10,000 rules leads, from both ends, to a name's address, or nowhere. They are the same in
 * each case, so that it is the rules that differ.
 */
static void make_flows(struct bench_case *c)
{
	const uint32_t rules = MANY, half = rules / 8;

	c->flows = calloc(FLOWS, sizeof(*c->flows));
	must(c->flows, "no memory");
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct haven_filter_flow *flow = &c->flows[i];
		uint32_t step = i / 4 % half;
		uint32_t rule = (i & 1 ? step * 4 : rules - 4 - step * 4) & ~3U;

		flow->direction = HAVEN_OUT;
		flow->protocol = IPPROTO_TCP;
		flow->destination.port = 443;
		v4(0x0a000264, flow->source.address);
		switch (i % 8 / 2) {
		case 0:
			v4(0x0a000001U + ((rule + 2) << 8), flow->destination.address);
			break;
		case 1:
			v4(0xac100000U + rule + 3, flow->destination.address);
			flow->destination.port = (uint16_t)(8000 + i % 100);
			break;
		case 2:
			v4(0xc6120000U + rule, flow->destination.address);
			break;
		default:
			v4(0xcb007100U + (i & 255), flow->destination.address);
			break;
		}
	}
}

static void prepare(struct bench_case *c, unsigned rounds)
{
	struct haven_filter_config config;

	haven_filter_config_init(&config);
	must(haven_filter_create(&config, &c->filter) == 0, "no filter");
	must(haven_filter_replace(c->filter, make_rules(&config.env, c->rules)) == 0,
	     "no rules");
	bind_names(c);
	make_flows(c);
	c->ns = calloc(rounds, sizeof(*c->ns));
	must(c->ns, "no memory");
}

/* --- what is measured ----------------------------------------------------------------------- */

__attribute__((noinline)) static void measured_flows(struct bench_case *c)
{
	struct haven_verdict verdict;

	for (unsigned i = 0; i < FLOWS; i++) {
		haven_filter_decide(c->filter, &c->flows[i], 1, &verdict);
		c->allowed += verdict.allowed;
	}
}

static void measure(struct bench_case *c, unsigned round)
{
	uint64_t start = now_ns();

	measured_flows(c);
	c->ns[round] = now_ns() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median(struct bench_case *c, unsigned rounds)
{
	qsort(c->ns, rounds, sizeof(*c->ns), compare);
	return (double)c->ns[rounds / 2] / FLOWS;
}

static void measure_change(void)
{
	struct haven_filter_config config;
	struct haven_filter *filter;
	struct haven_rules *rules;
	uint64_t start = now_ns(), read, done;

	haven_filter_config_init(&config);
	must(haven_filter_create(&config, &filter) == 0, "no filter");
	rules = make_rules(&config.env, MANY);
	read = now_ns();
	must(haven_filter_replace(filter, rules) == 0, "no rules");
	done = now_ns();
	printf("%u rules: read in %.1f ms, in effect %.1f ms later\n", (unsigned)MANY,
	       (double)(read - start) / 1e6, (double)(done - read) / 1e6);
	haven_filter_destroy(filter);
}

int main(int argc, char **argv)
{
	struct bench_case cases[] = {
		{.label = "no rules", .rules = 0},
		{.label = "10 rules", .rules = 10},
		{.label = "10,000 rules", .rules = MANY},
		{.label = "10 rules, 10,000 names", .rules = 10, .bindings = MANY},
		{.label = "10,000 rules, 10,000 names", .rules = MANY, .bindings = MANY},
	};
	unsigned count = sizeof(cases) / sizeof(cases[0]);
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
	unsigned only = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	double base = 0;

	must(rounds > 0 && rounds <= ROUNDS_MAX, "ROUNDS is 1 to 10001");
	must(argc < 4 && (argc < 3 || only < count), "CASE is 0 to 4");
	if (argc == 3) {
		cases[0] = cases[only];
		count = 1;
	}
	for (unsigned i = 0; i < count; i++)
		prepare(&cases[i], rounds);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < count; i++)
			measure(&cases[i], round);
	}
	for (unsigned i = 0; i < count; i++) {
		double ns = median(&cases[i], rounds);

		if (i == 1)
			base = ns;
		printf("%-28s %7.1f ns a flow", cases[i].label, ns);
		if (i > 1)
			printf("   %.2f times 10 rules", ns / base);
		printf("   (%" PRIu64 " of %u allowed)\n", cases[i].allowed / rounds,
		       (unsigned)FLOWS);
		haven_filter_destroy(cases[i].filter);
		free(cases[i].flows);
		free(cases[i].ns);
	}
	if (argc < 3)
		measure_change();
	return 0;
}
