/*
 * Filters: which flows may be, by direction, protocol, address, port, service and host name.
 *
 * A filter has an ordered list of rules; the first that matches a flow decides about it. It is asked once a
 * flow, not once a packet, and what it costs does not grow with the number of rules. A filter belongs to
 * nobody: a stack can be given one (haven_stack_set_filter), and a program can ask one about flows of its
 * own (haven_filter_decide), as the gateway of `haven run` does.
 *
 * A rule is a line of text:
 *
 *	allow|deny in|out [tcp|udp|icmp|any] [HOST][:PORTS] [from HOST] [drop] [log] [limit N/s] [max N]
 *
 *	HOST	192.0.2.1, 2001:db8::1, 192.0.2.0/24, 2001:db8::/32, example.org, *.example.org (names that end in
 *		.example.org, not example.org itself), `host` (the addresses that haven_filter_set_host() was told),
 *		or `*` (any). An IPv6 address with PORTS behind it stands in brackets. Of `out` it is the destination,
 *		of `in` the address that the connection comes to.
 *	PORTS	80, https, 8000-8099, or a list of them: :http,https,8000-8099; at most 64 that do not touch each other. Without it:
 *		all ports. A word without dot and colon, but `host` and `*`, is PORTS, too (`out https`): a name of one label
 *		is written with a dot behind it (`out redis.`) or with PORTS (`out redis:6379`), so that a service
 *		that is misspelt is an error and not a host. A name of several ports means all of them.
 *	from	the source: an address, a block, `host`; not a name
 *	drop	(deny) say nothing to who is refused; else: RST, or ICMP "administratively prohibited"
 *	log	tell the flow, also when it is allowed
 *	limit	(allow) new flows a second (or /min, /h), a token bucket with as many tokens; beyond it the flow is refused
 *	max	(allow) flows at a time; beyond it the flow is refused
 *
 * Words after HOST can stand in any order, each once. `#` begins a comment. Where no rule matches, a flow is refused if
 * an `allow` rule of its direction stands, else allowed. N of `limit` is at most 1,000,000. `icmp` is ICMP and ICMPv6.
 * PORTS without a protocol are those of TCP and UDP. IPv4 blocks, written as ::ffff:0:0/96 or not, never mean IPv6
 * addresses, nor the other way round. Names are those of hosts in ASCII (letters, digits, `-`, `_`).
 *
 * haven_filter_rule() shows a rule in its shortest form, in which two rules that say the same are the same text: ports
 * as numbers in order, names in lower case, options in the order above.
 *
 * Names are bound to addresses by haven_filter_bind(), with what DNS answers said, for as long as they said it. A rule
 * with a name matches an address that such a name is bound to, never by looking anything up. As one address can serve many
 * names, the verdict says whether the flow must be decided again when its own server name is known (TLS, HTTP).
 */
#ifndef HAVEN_FILTER_H
#define HAVEN_FILTER_H

#include <haven/forward.h>
#include <haven/service.h>

struct haven_filter;
struct haven_rule;
struct haven_rules;

enum haven_direction {
	HAVEN_OUT, /* from the network that is being filtered: the guest, or the stack's own sockets */
	HAVEN_IN,
};

/* A domain name without final dot, at most 253 characters (RFC 1035 section 2.3.4), and its end. */
#define HAVEN_NAME_SIZE 256

/* --- rules as text ------------------------------------------------------------------------ */

/* Where a text is wrong. All 0 and "" when nothing was. */
struct haven_rule_error {
	char file
		[192]; /* of haven_rules_add_text(), the included one when it is there; else "" */
	unsigned line, column; /* from 1; columns are bytes */
	char text[320];	       /* one line of ASCII: expected `in` or `out`, found 'uot' */
};

/* What stands at the front of a rule. */
enum haven_rule_verb {
	HAVEN_RULE_IN_TEXT, /* the text says it itself */
	HAVEN_RULE_ALLOW,   /* the text begins with in|out */
	HAVEN_RULE_DENY,
};

/*
 * A list of rules, empty at first. env is copied; its alloc and free are used. services: what names of services mean on top of the
 * registry, NULL for nothing; it must live as long as the rules are added to. Errors: -ENOMEM.
 */
HAVEN_API int haven_rules_create(const struct haven_env *env,
				 const struct haven_services *services,
				 struct haven_rules **out);
/* NULL is allowed. */
HAVEN_API void haven_rules_destroy(struct haven_rules *rules);
HAVEN_API uint32_t haven_rules_count(const struct haven_rules *rules);
/* No rule in its shortest form is as long as this, with its end. */
#define HAVEN_RULE_TEXT 1536
/* Rule `number` (from 1) in its shortest form, with its verb; NULL: there is none. Lives as long as the rules. */
HAVEN_API const char *haven_rules_text(const struct haven_rules *rules, uint32_t number);
/* Whether a rule of this direction has a name. */
HAVEN_API bool haven_rules_have_names(const struct haven_rules *rules,
				      enum haven_direction direction);

/*
 * Add one rule at the end. Errors: -EINVAL (*error says where and why), -ENOMEM, -ENOSPC (65,536 rules, or 2,097,152
 * prefixes of ports and labels of names in all; *error says so, too). On an error nothing is added. error may be NULL.
 */
HAVEN_API int haven_rules_add(struct haven_rules *rules, enum haven_rule_verb verb,
			      const char *text, struct haven_rule_error *error);

/*
 * Where `include FILE` in a text finds what it names: the rest of the line, blanks inside and all. open: FILE as written, and
 * the file that says so; on success *text (of *size bytes) and `path` (its name in errors) are set, and close is called with
 * them when it was read. Negative errno: it cannot be read, which makes the text wrong (-EINVAL) unless it is -ENOMEM.
 */
struct haven_rules_source {
	void *user;
	int (*open)(void *user, const char *file, const char *from, const char **text,
		    size_t *size, char path[192]);
	void (*close)(void *user, const char *text, size_t size);
};

/*
 * Add the rules of a text, a line each; blank lines and `#` comments are passed over. file: its name, for errors. source may be NULL
 * (then `include` is an error). Includes nest 8 deep, and are at most 1,024 in all. Errors: as haven_rules_add(). On an error
 * nothing is added.
 */
HAVEN_API int haven_rules_add_text(struct haven_rules *rules, const char *file,
				   const char *text, size_t size,
				   const struct haven_rules_source *source,
				   struct haven_rule_error *error);

/* --- a filter ----------------------------------------------------------------------------- */

struct haven_filter_config {
	struct haven_env env;
	uint32_t
		max_bindings; /* names bound to addresses; at the limit the one that expires first goes; default 65,536 */
	uint32_t max_addresses_per_name; /* default 64; the same */
	uint32_t
		max_names_per_address; /* default, and at most, 64: what a decision has to look at; the same */
	uint64_t
		name_floor_ns; /* a name stays bound at least this long, whatever its TTL; default 60 s */
	bool name_may_miss; /* a flow that is allowed by a name need not say its server's name (see haven_name_check) */
};
HAVEN_API void haven_filter_config_init(struct haven_filter_config *config);

/* A filter without rules, which allows everything. Errors: -EINVAL (env lacks a function, a limit is 0), -ENOMEM. */
HAVEN_API int haven_filter_create(const struct haven_filter_config *config,
				  struct haven_filter **out);
/* Stacks must have been taken off it, handles given back. NULL is allowed. */
HAVEN_API void haven_filter_destroy(struct haven_filter *filter);

/*
 * From now on `rules` stand instead of those there were. Takes them, whatever is returned; on an error all is as before. A rule
 * that was there with the same text keeps its counters, its flows and its tokens. Errors: -ENOMEM, -EINVAL (the rules were
 * created with another user, alloc or free than the filter).
 */
HAVEN_API int haven_filter_replace(struct haven_filter *filter, struct haven_rules *rules);
/*
 * Insert before rule `number` (1: in front; one more than there are: behind all). Takes rules. Errors: -ENOMEM, -EINVAL
 * (no such place, or as haven_filter_replace()), -ENOSPC (as haven_rules_add()).
 */
HAVEN_API int haven_filter_insert(struct haven_filter *filter, uint32_t number,
				  struct haven_rules *rules);
/* Take rule `number` away. Errors: -ENOENT, -ENOMEM. */
HAVEN_API int haven_filter_remove(struct haven_filter *filter, uint32_t number);

/*
 * Addresses that `host` stands for besides loopback, 16 bytes each, IPv4 v4-mapped, in place of those of before. They, loopback,
 * unspecified, multicast and broadcast addresses are never bound to a name by haven_filter_bind(); what was bound to them by it
 * ends. Copied. Errors: -ENOMEM.
 */
HAVEN_API int haven_filter_set_host(struct haven_filter *filter, const uint8_t (*addresses)[16],
				    size_t count);

struct haven_rule_info {
	uint32_t number;  /* from 1, in order */
	const char *text; /* the rule, in its shortest form; lives until rules change */
	const char *file; /* where it came from, "" when it was no file */
	unsigned line;
	bool allow;
	enum haven_direction direction;
	uint64_t flows;	  /* that it decided about */
	uint64_t refused; /* of them: by `deny`, limit, max, or as DNS (HAVEN_VERDICT_DNS) */
	uint64_t bytes;	  /* of flows that have ended, both ways */
	uint32_t open;	  /* flows at this time */
};
HAVEN_API uint32_t haven_filter_rule_count(const struct haven_filter *filter);
/* False: there is no such rule. */
HAVEN_API bool haven_filter_rule(const struct haven_filter *filter, uint32_t number,
				 struct haven_rule_info *info);
/* What becomes of flows in this direction that no rule matches, and how many there were. */
HAVEN_API bool haven_filter_default_allows(const struct haven_filter *filter,
					   enum haven_direction direction);
HAVEN_API uint64_t haven_filter_default_count(const struct haven_filter *filter,
					      enum haven_direction direction);
/* Whether a rule of this direction has a name; whether one has `host` in it, of either direction. */
HAVEN_API bool haven_filter_has_names(const struct haven_filter *filter,
				      enum haven_direction direction);
HAVEN_API bool haven_filter_has_host(const struct haven_filter *filter);

/* --- names -------------------------------------------------------------------------------- */

/*
 * A DNS answer said that `name` has `address` for ttl_ns. Names are compared without regard to case, a final dot is
 * passed over. What is bound already stays so until the later of both times. Errors: -EINVAL (no such name: empty, longer than 253
 * characters, with empty labels or other than printable ASCII; who asked should not be given an address that rules on names
 * do not see), -EPERM (an address that names may not be bound to: the host's, loopback, unspecified, multicast, broadcast),
 * -ENOSPC (a limit is reached and all bindings are static), -ENOMEM.
 */
HAVEN_API int haven_filter_bind(struct haven_filter *filter, const char *name,
				const uint8_t address[16], uint64_t ttl_ns, uint64_t now_ns);
/* The same for a name that the operator gives: any address, for ever. Makes way for nothing. */
HAVEN_API int haven_filter_bind_static(struct haven_filter *filter, const char *name,
				       const uint8_t address[16]);

struct haven_binding {
	const char *name;	       /* lives until the next call that changes the filter */
	uint64_t since_ns, expires_ns; /* static ones: 0 unless bound before, UINT64_MAX */
};
/* The index-th name that is bound to an address now. False: there are no more. The oldest first. */
HAVEN_API bool haven_filter_binding(const struct haven_filter *filter,
				    const uint8_t address[16], unsigned index, uint64_t now_ns,
				    struct haven_binding *binding);
/*
 * Whether some flow out to an address of this name may be allowed: by a rule with a name that matches, by one without, or by
 * default. False is sure, true is not: only rules that deny all of a name or all there is are counted against it. Rules for `host`
 * do not help, as its addresses are bound to no name.
 */
HAVEN_API bool haven_filter_can_reach(const struct haven_filter *filter, const char *name);

/* --- questions ---------------------------------------------------------------------------- */

struct haven_filter_flow {
	enum haven_direction direction;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 */
	struct haven_endpoint source, destination; /* ICMP: ports are 0 */
	const char *
		server_name; /* what the flow itself says (TLS, HTTP, QUIC); NULL: not known, or not yet */
	const char *
		bound_name; /* of an open flow: the name it was allowed by, in place of those bound now; else NULL */
};

/* Why a verdict is what it is. */
enum haven_verdict_reason {
	HAVEN_VERDICT_RULE,
	HAVEN_VERDICT_DEFAULT,
	HAVEN_VERDICT_LIMIT, /* refused by `limit` of the rule */
	HAVEN_VERDICT_MAX,   /* refused by `max` of the rule */
	/*
	 * Refused: DNS that goes elsewhere (port 53, 853) while rules with names stand, since they only know what DNS answers
	 * said here. A rule that allows it must name the port.
	 */
	HAVEN_VERDICT_DNS,
};

/* Whether the server name that an allowed flow says has to be looked at. */
enum haven_name_check {
	HAVEN_NAME_FREE, /* no: no rule with a name comes into it */
	/*
	 * A rule with a name decided, or one that denies a name stands before the one that did: when the flow says a name, decide again
	 * with it; when it is of a kind that says none (neither TLS nor HTTP nor QUIC), it is allowed.
	 */
	HAVEN_NAME_IF_SAID,
	HAVEN_NAME_MUST_BE_SAID, /* the address serves a name that is denied, too: without a name it is refused */
};

struct haven_verdict {
	bool allowed;
	bool silent; /* refused: say nothing */
	bool log;
	enum haven_verdict_reason reason;
	enum haven_name_check
		name_check; /* of allowed ones; HAVEN_NAME_FREE when server_name was given */
	/*
	 * With HAVEN_NAME_IF_SAID: TLS, HTTP and QUIC without a name, or with one that cannot be read, are allowed, too. So it is where the
	 * configuration says so, and where the rule that decided has no name.
	 */
	bool name_may_miss;
	uint32_t rule; /* number of the rule that decided, 0: the default */
	struct haven_rule
		*handle; /* the same; NULL: the default. For haven_filter_enter(), at once */
	char name
		[HAVEN_NAME_SIZE]; /* the bound name that the rule matched by, else the latest that is bound, else "" */
	uint64_t name_since_ns;
};

/*
 * What is to become of a flow. Counts it at its rule, holds it against `max` and takes a token of `limit`.
 *
 * When server_name is given the flow was asked about before, without it: when the rule that decides now is the one that
 * decides without server_name, nothing of this is done again; when it is another, it is all done there. A caller that entered
 * the first (haven_filter_enter) then leaves it, and enters the other if that allows. Who knows the name from the start asks
 * twice. A name whose time ran out at most 10 s ago is still taken as bound then, since it was when the flow began.
 *
 * With server_name: a rule that allows matches if a name that it means is bound to the address and server_name is one that it
 * means; a rule that denies, if server_name is one that it means.
 * Without: a rule that allows matches by the binding; a rule that denies, if all names that are bound to the address are ones
 * that it means (and there is one); if only some are, it is passed over and the verdict is HAVEN_NAME_MUST_BE_SAID.
 * server_name is compared as names are; one that is none, or an address, is just one that no rule means.
 */
HAVEN_API void haven_filter_decide(struct haven_filter *filter,
				   const struct haven_filter_flow *flow, uint64_t now_ns,
				   struct haven_verdict *verdict);

/* The same without a trace: counts nothing, takes no token, limits do not refuse. For explanations, and for open flows after rules changed. */
HAVEN_API void haven_filter_explain(struct haven_filter *filter,
				    const struct haven_filter_flow *flow, uint64_t now_ns,
				    struct haven_verdict *verdict);

/*
 * An allowed flow begins: it counts for `max` of the verdict's rule, and the handle stays valid until haven_filter_leave(), also when the rule
 * is taken away. NULL (the default rule) is allowed in both.
 */
HAVEN_API void haven_filter_enter(struct haven_filter *filter, struct haven_rule *rule);
HAVEN_API void haven_filter_leave(struct haven_filter *filter, struct haven_rule *rule,
				  uint64_t bytes);
/* The number that the rule of a handle has now; 0: it was taken away, or NULL. */
HAVEN_API uint32_t haven_filter_rule_number(const struct haven_filter *filter,
					    const struct haven_rule *rule);

/* --- a filter on a stack -------------------------------------------------------------------- */

/*
 * Filter what the sockets of a stack do: connections of connect() and datagrams out, connections and datagrams to its sockets in, and echo
 * requests that the stack answers. The forwarder's traffic is not filtered here: who answers it asks by itself.
 * NULL takes the filter off. The filter stays the caller's, and can be on many stacks of one thread.
 *
 * What is refused: connect() of a stream and sends give -EPERM; a connection from outside is reset, a datagram or an echo request
 * answered by ICMP "administratively prohibited" (one to a group or to all is not answered). With `drop` nothing is said: a send succeeds,
 * and connect() goes on until it has timed out. What no socket waits for is asked about, too, so that it tells nobody which ports are open.
 *
 * A flow is asked about once, and its answers pass:
 *
 *	TCP	a connection, until it is closed, reset or in TIME-WAIT; its bytes are those of data that arrived, both ways. SYNs
 *		that are answered with a cookie are asked about each, since nothing is kept of them.
 *	UDP	what goes between two ends (address and port), until neither has sent for 30 s, or once both have, for 120 s (RFC 4787
 *		section 4.3). A refused datagram is no flow: the next one is asked about again. Answers to what was sent to a group or to all
 *		come from other ends: they are asked about.
 *	echo	requests of one identifier from one address, until none came for 60 s (RFC 5508 section 3.2)
 *
 * ICMP errors pass, as they belong to flows. haven_stack_config has the limit of UDP and echo flows (max_filter_flows).
 * Rules with names know what haven_filter_bind() was told by whoever asks DNS for the stack. Nobody looks for server names here: a flow
 * that has to say one (HAVEN_NAME_MUST_BE_SAID) is refused. Flows of rules with `log` are told to the log of the stack (HAVEN_LOG_INFO).
 *
 * Connections that were there before the filter go on, and count for no rule before haven_stack_filter_again().
 * Returns 0: memory is taken with the flows. Without it, a call returns -ENOMEM, and what came in is dropped.
 */
HAVEN_API int haven_stack_set_filter(struct haven_stack *stack, struct haven_filter *filter);

/*
 * After rules have changed: resets connections that they refuse now, also half-open ones; a socket of one sees -ECONNABORTED. The others count for
 * the rules that allow them now. Datagram and echo flows are forgotten: their next packet is asked about. A connection that was allowed by a
 * name is judged by that name. Returns how many connections were ended.
 */
HAVEN_API uint32_t haven_stack_filter_again(struct haven_stack *stack);

#endif
