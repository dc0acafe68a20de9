/*
 * Names and addresses of an answer. See dns_answer.h.
 *
 * Names that matter are nodes of a tree: the question at its root, what a CNAME, an alias or a service leads to
 * below it. Each node is looked for in all records, so their order in the message does not matter.
 */
#include "gateway/dns_answer.h"

#include <string.h>

#include "gateway/address.h"

/* SvcParamKeys, RFC 9460 section 14.3.2 */
#define KEY_IPV4HINT 4
#define KEY_IPV6HINT 6

struct node {
	char name[HV_DNS_NAME_SIZE];
	uint32_t ttl_s; /* the shortest on the way here */
	int parent;	/* index; -1: the question */
	bool service; /* the target of a HTTPS or SVCB record: the additional section counts */
	bool binds;   /* addresses may be bound to its name */
};

struct reading {
	const uint8_t *message;
	size_t size;
	unsigned records; /* that are whole, of those that are looked at */
	unsigned addresses;
	hv_dns_bound_fn *bound;
	void *user;
	char question[HV_DNS_NAME_SIZE]; /* the name that it is about */
	int count;
	struct node nodes[HV_DNS_ANSWER_NAMES];
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* --- what is told ----------------------------------------------------------------------- */

static void tell(struct reading *r, int node, const uint8_t address[16], uint32_t ttl_s)
{
	if (r->addresses == HV_DNS_ANSWER_ADDRESSES)
		return;
	r->addresses++;
	ttl_s = least(ttl_s, r->nodes[node].ttl_s);
	for (; node >= 0; node = r->nodes[node].parent) {
		if (r->nodes[node].binds)
			r->bound(r->user, node == 0 ? r->question : r->nodes[node].name,
				 address, ttl_s);
	}
}

static void tell_bytes(struct reading *r, int node, const uint8_t *bytes, bool v4,
		       uint32_t ttl_s)
{
	uint8_t address[16];

	if (v4)
		hv_address_from_v4(address, bytes);
	else
		memcpy(address, bytes, 16);
	tell(r, node, address, ttl_s);
}

/* --- names ------------------------------------------------------------------------------ */

/* The index, or -1: it is there already (a loop ends so), or there are too many. */
static int add_node(struct reading *r, int parent, const char *name, uint32_t ttl_s)
{
	struct node *node = &r->nodes[r->count];

	if (!*name || r->count == HV_DNS_ANSWER_NAMES)
		return -1;
	for (int i = 0; i < r->count; i++) {
		if (strcmp(r->nodes[i].name, name) == 0)
			return -1;
	}
	memcpy(node->name, name, strlen(name) + 1);
	node->parent = parent;
	node->ttl_s = parent < 0 ? ttl_s : least(ttl_s, r->nodes[parent].ttl_s);
	node->service = false;
	node->binds = true;
	return r->count++;
}

const char *hv_dns_without_port(const char *name, uint16_t type)
{
	static const char scheme[] = "._https.";
	size_t digits;

	if (type != HV_DNS_HTTPS || name[0] != '_')
		return name;
	digits = strspn(name + 1, "0123456789");
	if (digits == 0 || strncmp(name + 1 + digits, scheme, sizeof(scheme) - 1) != 0)
		return name;
	return name + 1 + digits + sizeof(scheme) - 1;
}

/* Also when they are the same. */
static bool is_below(const char *name, const char *top)
{
	size_t size = strlen(name), top_size = strlen(top);

	if (size < top_size || strcmp(name + size - top_size, top) != 0)
		return false;
	return size == top_size || name[size - top_size - 1] == '.';
}

/* --- records ---------------------------------------------------------------------------- */

static void read_cname(struct reading *r, int node, const struct hv_dns_record *record)
{
	char target[HV_DNS_NAME_SIZE];
	size_t end;
	int added;

	if (!hv_dns_read_name(r->message, r->size, record->data_at, target, &end) ||
	    end != record->data_at + record->data_size)
		return;
	added = add_node(r, node, target, record->ttl_s);
	/* Behind a service's target, no name is better vouched for than that. */
	if (added >= 0 && r->nodes[node].service) {
		r->nodes[added].service = true;
		r->nodes[added].binds = false;
	}
}

/* Keys in strictly increasing order, each with its whole value (RFC 9460 section 2.2); else the record counts for nothing. */
static bool are_params(const uint8_t *data, size_t size)
{
	int last = -1;

	while (size > 0) {
		size_t value;

		if (size < 4 || hv_dns_get16(data) <= last)
			return false;
		last = hv_dns_get16(data);
		value = hv_dns_get16(data + 2);
		if (value > size - 4)
			return false;
		/* Hints are whole addresses, at least one (section 7.3). */
		if ((last == KEY_IPV4HINT && (value == 0 || value % 4 != 0)) ||
		    (last == KEY_IPV6HINT && (value == 0 || value % 16 != 0)))
			return false;
		data += 4 + value;
		size -= 4 + value;
	}
	return true;
}

static void read_hints(struct reading *r, int node, const uint8_t *data, size_t size,
		       uint32_t ttl_s)
{
	while (size > 0) {
		uint16_t key = hv_dns_get16(data);
		size_t value = hv_dns_get16(data + 2);
		size_t each = key == KEY_IPV4HINT ? 4 : 16;

		for (size_t i = 0; (key == KEY_IPV4HINT || key == KEY_IPV6HINT) && i < value;
		     i += each)
			tell_bytes(r, node, data + 4 + i, key == KEY_IPV4HINT, ttl_s);
		data += 4 + value;
		size -= 4 + value;
	}
}

/* The node of a service's target; the service's own where the target is none, or led to it. */
static int target_node(struct reading *r, int node, const char *target, uint32_t ttl_s)
{
	const char *owner = node == 0 ? r->question : r->nodes[node].name;
	int added;

	for (int i = 0; i < r->count; i++) {
		if (r->nodes[i].parent == node && strcmp(r->nodes[i].name, target) == 0)
			return i;
	}
	added = add_node(r, node, target, ttl_s);
	if (added < 0)
		return node;
	r->nodes[added].service = true;
	r->nodes[added].binds = r->nodes[node].binds && is_below(target, owner);
	return added;
}

static void read_service(struct reading *r, int node, const struct hv_dns_record *record)
{
	const uint8_t *data = r->message + record->data_at;
	size_t data_end = record->data_at + record->data_size, end;
	char target[HV_DNS_NAME_SIZE];
	bool alias, same;

	if (record->data_size < 3 ||
	    !hv_dns_read_name(r->message, r->size, record->data_at + 2, target, &end) ||
	    end > data_end || !are_params(r->message + end, data_end - end))
		return;
	alias = hv_dns_get16(data) == 0;
	same = data[2] == 0; /* "." is the owner; as an alias it is nothing (section 2.5) */
	if (alias && same)
		return;
	if (same)
		r->nodes[node].service = true;
	else
		node = target_node(r, node, target, record->ttl_s);
	if (!alias)
		read_hints(r, node, r->message + end, data_end - end, record->ttl_s);
}

static void read_record(struct reading *r, int node, const struct hv_dns_record *record)
{
	const uint8_t *data = r->message + record->data_at;

	if (record->type == HV_DNS_A && record->data_size == 4)
		tell_bytes(r, node, data, true, record->ttl_s);
	else if (record->type == HV_DNS_AAAA && record->data_size == 16)
		tell_bytes(r, node, data, false, record->ttl_s);
	else if (record->type == HV_DNS_CNAME)
		read_cname(r, node, record);
	else if (record->type == HV_DNS_HTTPS || record->type == HV_DNS_SVCB)
		read_service(r, node, record);
}

/* --- the whole -------------------------------------------------------------------------- */

/* All records of a node's name. */
static void read_node(struct reading *r, int node)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record;

	if (!hv_dns_read_begin(&reader, r->message, r->size))
		return;
	for (unsigned i = 0; i < r->records && hv_dns_read_next(&reader, &record); i++) {
		bool counts = record.section == HV_DNS_ANSWER ||
			      (record.section == HV_DNS_ADDITIONAL && r->nodes[node].service);

		if (counts && record.class == HV_DNS_CLASS_IN &&
		    strcmp(record.name, r->nodes[node].name) == 0)
			read_record(r, node, &record);
	}
}

/* How many records are whole: a name that is too long to be one costs its length, and is met once. */
static unsigned count_records(const struct reading *r)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record;
	unsigned count = 0;

	if (!hv_dns_read_begin(&reader, r->message, r->size))
		return 0;
	while (count < HV_DNS_ANSWER_RECORDS && hv_dns_read_next(&reader, &record))
		count++;
	return count;
}

static bool begin(struct reading *r)
{
	char name[HV_DNS_NAME_SIZE];
	const char *question;
	size_t end;
	uint16_t type;

	if (r->size < HV_DNS_HEADER_SIZE || !(r->message[2] & HV_DNS_FLAG_QR) ||
	    (r->message[2] & HV_DNS_MASK_OPCODE) || hv_dns_get16(r->message + 4) != 1 ||
	    hv_dns_rcode(r->message) != HV_DNS_NOERROR)
		return false;
	if (!hv_dns_read_name(r->message, r->size, HV_DNS_HEADER_SIZE, name, &end) ||
	    r->size - end < 4 || hv_dns_get16(r->message + end + 2) != HV_DNS_CLASS_IN)
		return false;
	type = hv_dns_get16(r->message + end);
	question = hv_dns_without_port(name, type);
	memcpy(r->question, question, strlen(question) + 1);
	return add_node(r, -1, name, UINT32_MAX) == 0;
}

unsigned hv_dns_answer_read(const uint8_t *message, size_t size, hv_dns_bound_fn *bound,
			    void *user)
{
	struct reading r = {.message = message, .size = size, .bound = bound, .user = user};

	if (!begin(&r))
		return 0;
	r.records = count_records(&r);
	for (int node = 0; node < r.count; node++)
		read_node(&r, node);
	return r.addresses;
}
