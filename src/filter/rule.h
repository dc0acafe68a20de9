/*
 * A rule: what a line of policy says, parsed once, with what it has counted.
 *
 * A rule is made by haven_rules_add() as a draft, which has room for anything, and kept in one block of memory just as
 * large as it needs. It belongs to a list, and to each open flow that it allowed: it goes when the last of them lets it go.
 */
#ifndef HV_FILTER_RULE_H
#define HV_FILTER_RULE_H

#include <haven/filter.h>

#include "base/addr.h"

enum {
	HV_RULES_MAX = 65536,
	HV_RULE_PORTS_MAX = 64,	 /* spans of one rule, after those that touch became one */
	HV_RULE_TEXT_MAX = 1536, /* more than the longest rule takes in its shortest form */
	HV_RULE_LIMIT_MAX =
		1000000, /* flows a period: keeps the arithmetic of filter_limit.c in 64 bits */
};

/*
 * What rules may cost together: entries of the index (a range of ports is up to 30 prefixes) and labels of names. 65,536
 * rules of a worst-case range are at it; memory for this is some 100 MB.
 */
#define HV_RULES_COST_MAX (UINT32_C(1) << 21)

/* Protocols of a rule. A rule without ports and protocol means whatever there is. */
enum {
	HV_RULE_TCP = HAVEN_SERVICE_TCP,
	HV_RULE_UDP = HAVEN_SERVICE_UDP,
	HV_RULE_ICMP = 4, /* and ICMPv6 */
	HV_RULE_OTHER = 8,
	HV_RULE_ANY = 15,
};

enum hv_host_kind {
	HV_HOST_ANY,
	HV_HOST_BLOCK, /* or one address */
	HV_HOST_SELF,  /* `host` */
	HV_HOST_NAME,
	HV_HOST_BELOW, /* *.name */
};

struct hv_block {
	struct hv_addr address;
	uint8_t bits; /* of 128: an IPv4 block has 96 or more */
	bool v6;      /* ::/0 is all of IPv6, and no IPv4 */
};

struct hv_port_span {
	uint16_t first, last;
};

struct hv_rule_spec {
	bool allow, drop, log;
	uint8_t direction;    /* enum haven_direction */
	uint8_t protocols;    /* HV_RULE_ */
	uint8_t host, source; /* enum hv_host_kind; a source is never a name */
	uint16_t port_count;  /* 0: all ports */
	uint32_t max;	      /* flows at a time, 0: no limit */
	uint32_t limit;	      /* flows a period, 0: no limit */
	uint64_t limit_period_ns;
	struct hv_block host_block, source_block;
};

struct hv_rule_draft {
	struct hv_rule_spec spec;
	struct hv_port_span ports[HV_RULE_PORTS_MAX]; /* in order, and none touches the next */
	char name[HAVEN_NAME_SIZE];		      /* of HV_HOST_NAME and HV_HOST_BELOW */
};

/* The name of a file that rules came from, which they share. */
struct hv_rule_file {
	uint32_t references;
	char name[192];
};

/* Tokens of `limit`; see filter_limit.c. */
struct hv_limit {
	uint64_t credit;
	uint64_t at_ns;
	bool begun;
};

/* What each flow touches stands first: rules are many, and mostly not in the cache. */
struct haven_rule {
	uint64_t flows, refused;
	uint32_t open;
	uint32_t references; /* the list's and one for each open flow */
	uint32_t number;     /* in the filter, from 1; 0: in none */
	uint32_t cost;
	struct hv_rule_spec spec;
	const char *name; /* these three point behind the struct */
	const struct hv_port_span *ports;
	const char *text;
	struct hv_limit limit;
	uint64_t bytes;
	struct hv_rule_file *file;
	unsigned line;
	size_t size; /* of all */
};

struct haven_rules {
	struct haven_env env;
	const struct haven_services *services;
	struct haven_rule **rules;
	uint32_t count, space;
	uint32_t cost;
};

static inline bool hv_rule_has_name(const struct hv_rule_spec *spec)
{
	return spec->host == HV_HOST_NAME || spec->host == HV_HOST_BELOW;
}

/* Writes the shortest text of a rule; at least HV_RULE_TEXT_MAX bytes. Returns its length. */
size_t hv_rule_print(const struct hv_rule_draft *draft, char *text);

/* A rule with one reference, or NULL. */
struct haven_rule *hv_rule_new(const struct haven_env *env, const struct hv_rule_draft *draft,
			       struct hv_rule_file *file, unsigned line);
/* Lets a reference go. env: that which it was made with. */
void hv_rule_release(const struct haven_env *env, struct haven_rule *rule);
/* The same for a file; NULL is allowed. */
void hv_rule_file_release(const struct haven_env *env, struct hv_rule_file *file);

/* Whether `name` (of hv_name_canonical()) is one that the rule means. The rule must have a name. */
bool hv_rule_means(const struct haven_rule *rule, const char *name, size_t size);

/*
 * Port prefixes that a span is made of: writes the first of them to *bits (of 16) and returns the first port
 * behind it. Goes on until that is above `last`.
 */
uint32_t hv_port_prefix(uint32_t first, uint32_t last, unsigned *bits);

#endif
