/* The neighbour table and its state machine. See neighbour.h. */
#include <assert.h>

#include "ip/ip_state.h"

struct neighbour_key {
	struct hv_addr addr;
	const struct haven_link *link;
};

static void timer_fire(struct hv_timer *timer);

void hv_neighbour_init(struct hv_ip *ip)
{
	hv_hash_init(&ip->neighbours.hash, ip->core);
	hv_list_init(&ip->neighbours.age);
}

/* Take it out of the table. Its packets stay with it. */
static void unlink_entry(struct hv_ip *ip, struct hv_neighbour *n)
{
	hv_hash_remove(&ip->neighbours.hash, &n->node);
	hv_list_remove(&n->age);
	hv_timer_cancel(&ip->core->wheel, &n->timer);
	ip->neighbours.count--;
	hv_ip_paths_changed(ip);
}

void hv_neighbour_finish(struct hv_ip *ip)
{
	struct hv_neighbour_table *table = &ip->neighbours;

	while (!hv_list_is_empty(&table->age)) {
		struct hv_neighbour *n =
			hv_container(table->age.next, struct hv_neighbour, age);

		unlink_entry(ip, n);
		hv_packet_queue_clear(ip->core, &n->queue);
		hv_free(ip->core, n, sizeof(*n));
	}
	hv_hash_finish(&table->hash);
}

static bool entry_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_neighbour *n = hv_container(node, struct hv_neighbour, node);
	const struct neighbour_key *wanted = key;

	return n->link == wanted->link && hv_addr_equal(&n->addr, &wanted->addr);
}

static uint32_t hash_of(const struct hv_ip *ip, const struct neighbour_key *key)
{
	return (uint32_t)hv_siphash(&ip->core->hash_key, &key->addr, sizeof(key->addr));
}

struct hv_neighbour *hv_neighbour_find(const struct hv_ip *ip, const struct haven_link *link,
				       const struct hv_addr *addr)
{
	struct neighbour_key key = {.addr = *addr, .link = link};
	struct hv_hash_node *node =
		hv_hash_find(&ip->neighbours.hash, hash_of(ip, &key), entry_equal, &key);

	return node ? hv_container(node, struct hv_neighbour, node) : NULL;
}

/*
 * Make room for one: the entry that was unused for longest. Senders do not move entries in the list
 * (they only note the time), so those used since they were listed get a second chance here.
 */
static void evict(struct hv_ip *ip)
{
	struct hv_neighbour_table *table = &ip->neighbours;
	struct hv_neighbour *n = NULL;

	for (unsigned tries = 0; tries < 8; tries++) {
		n = hv_container(table->age.next, struct hv_neighbour, age);
		if (n->used_ns <= n->listed_ns)
			break;
		n->listed_ns = n->used_ns;
		hv_list_remove(&n->age);
		hv_list_append(&table->age, &n->age);
	}
	unlink_entry(ip, n);
	while (n->queue.first)
		hv_drop(ip->core, hv_packet_queue_pop(&n->queue), HV_DROP_NEIGHBOUR_QUEUE);
	hv_free(ip->core, n, sizeof(*n));
}

struct hv_neighbour *hv_neighbour_get(struct hv_ip *ip, struct haven_link *link,
				      const struct hv_addr *addr)
{
	struct neighbour_key key = {.addr = *addr, .link = link};
	struct hv_neighbour *n = hv_neighbour_find(ip, link, addr);

	if (n)
		return n;
	if (ip->neighbours.count > 0 && ip->neighbours.count >= ip->config.max_neighbours)
		evict(ip);
	n = hv_zalloc(ip->core, sizeof(*n));
	if (!n)
		return NULL;
	n->ip = ip;
	n->link = link;
	n->addr = *addr;
	n->state = HV_NEIGHBOUR_INCOMPLETE;
	n->used_ns = n->listed_ns = ip->core->now_ns;
	hv_timer_init(&n->timer, timer_fire);
	if (hv_hash_insert(&ip->neighbours.hash, &n->node, hash_of(ip, &key)) < 0) {
		hv_free(ip->core, n, sizeof(*n));
		return NULL;
	}
	hv_list_append(&ip->neighbours.age, &n->age);
	ip->neighbours.count++;
	return n;
}

/* Ask for the address: everybody while it is unknown, only the neighbour to see if it is still there. */
static void solicit(struct hv_neighbour *n)
{
	bool unicast = n->state == HV_NEIGHBOUR_PROBE;
	uint8_t mac[HV_ETH_ADDR];

	n->tries++;
	hv_timer_set(&n->ip->core->wheel, &n->timer,
		     n->ip->core->now_ns + HV_NEIGHBOUR_RETRANSMIT_NS);
	if (!hv_addr_is_v4(&n->addr)) {
		hv_ndp_solicit(n->ip, n->link, &n->addr, unicast);
		return;
	}
	memcpy(mac, hv_eth_dst(n->ethernet), sizeof(mac));
	hv_arp_solicit(n->ip, n->link, &n->addr, unicast ? mac : NULL);
}

/* Nobody answered. The senders of what waited learn it (RFC 4861 section 7.2.2; RFC 1122 section
 * 2.3.2.2). They may send again from within: the entry is gone by then. */
static void give_up(struct hv_neighbour *n)
{
	struct hv_packet_queue queue = n->queue;
	struct hv_ip *ip = n->ip;
	struct hv_packet *packet;

	unlink_entry(ip, n);
	hv_free(ip->core, n, sizeof(*n));
	while ((packet = hv_packet_queue_pop(&queue)) != NULL) {
		hv_icmp_report_local(ip, packet, EHOSTUNREACH);
		hv_drop(ip->core, packet, HV_DROP_NEIGHBOUR_UNREACHABLE);
	}
}

static void timer_fire(struct hv_timer *timer)
{
	struct hv_neighbour *n = hv_container(timer, struct hv_neighbour, timer);

	switch ((enum hv_neighbour_state)n->state) {
	case HV_NEIGHBOUR_DELAY:
		n->state = HV_NEIGHBOUR_PROBE;
		n->tries = 0;
		solicit(n);
		return;
	case HV_NEIGHBOUR_INCOMPLETE:
	case HV_NEIGHBOUR_PROBE:
		if (n->tries < HV_NEIGHBOUR_TRIES)
			solicit(n);
		else
			give_up(n);
		return;
	case HV_NEIGHBOUR_REACHABLE:
	case HV_NEIGHBOUR_STALE:
		break;
	}
	assert(!"these states set no timer");
}

static void wait_for_address(struct hv_neighbour *n, struct hv_packet *packet)
{
	struct hv_packet_queue *queue = &n->queue;
	uint32_t size = hv_packet_size(packet);

	while (queue->count && (queue->count >= HV_NEIGHBOUR_QUEUE_PACKETS ||
				queue->bytes + size > HV_NEIGHBOUR_QUEUE_BYTES))
		hv_drop(n->ip->core, hv_packet_queue_pop(queue), HV_DROP_NEIGHBOUR_QUEUE);
	hv_packet_queue_push(queue, packet);
}

static int send_frame(struct hv_neighbour *n, struct hv_packet *packet)
{
	memcpy(hv_packet_push(packet, HV_ETH_HEADER), n->ethernet, HV_ETH_HEADER);
	return hv_link_output(n->link, packet);
}

int hv_neighbour_output(struct hv_neighbour *n, struct hv_packet *packet)
{
	struct hv_core *core = n->ip->core;

	n->used_ns = core->now_ns;
	if (n->state == HV_NEIGHBOUR_REACHABLE) {
		if (core->now_ns < n->reachable_until_ns)
			return send_frame(n, packet);
		n->state = HV_NEIGHBOUR_STALE;
	}
	if (n->state == HV_NEIGHBOUR_STALE) {
		n->state = HV_NEIGHBOUR_DELAY;
		hv_timer_set(&core->wheel, &n->timer, core->now_ns + HV_NEIGHBOUR_DELAY_NS);
	}
	if (n->state != HV_NEIGHBOUR_INCOMPLETE)
		return send_frame(n, packet);

	packet = hv_packet_own(core, packet);
	if (!packet) {
		core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	wait_for_address(n, packet);
	if (!hv_timer_is_set(&n->timer))
		solicit(n);
	return 0;
}

static void set_mac(struct hv_neighbour *n, const uint8_t *mac)
{
	hv_eth_write(n->ethernet, mac, n->link->mac,
		     hv_addr_is_v4(&n->addr) ? HV_ETHERTYPE_IPV4 : HV_ETHERTYPE_IPV6);
}

static void set_state(struct hv_neighbour *n, enum hv_neighbour_state state)
{
	struct hv_core *core = n->ip->core;

	n->state = (uint8_t)state;
	n->tries = 0;
	hv_timer_cancel(&core->wheel, &n->timer);
	/* RFC 4861 section 6.3.2: between half and one and a half of it, at random. */
	if (state == HV_NEIGHBOUR_REACHABLE)
		n->reachable_until_ns = core->now_ns + HV_NEIGHBOUR_REACHABLE_NS / 2 +
					(uint64_t)hv_random_below(core, 1000) *
						(HV_NEIGHBOUR_REACHABLE_NS / 1000);
}

void hv_neighbour_suspect(struct hv_neighbour *n)
{
	if (n->state == HV_NEIGHBOUR_REACHABLE)
		set_state(n, HV_NEIGHBOUR_STALE);
}

/* The address is known now: what waited goes out. */
static void flush(struct hv_neighbour *n)
{
	struct hv_packet_queue queue = n->queue;
	struct hv_packet *packet;

	memset(&n->queue, 0, sizeof(n->queue));
	while ((packet = hv_packet_queue_pop(&queue)) != NULL)
		hv_neighbour_output(n, packet);
}

void hv_neighbour_learn(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *addr,
			const uint8_t *mac, bool create)
{
	struct hv_neighbour *n =
		create ? hv_neighbour_get(ip, link, addr) : hv_neighbour_find(ip, link, addr);

	if (!n)
		return;
	if (n->state != HV_NEIGHBOUR_INCOMPLETE && hv_eth_equal(hv_eth_dst(n->ethernet), mac))
		return;
	set_mac(n, mac);
	set_state(n, HV_NEIGHBOUR_STALE);
	flush(n);
}

void hv_neighbour_answer(struct hv_neighbour *n, const uint8_t *mac, bool solicited,
			 bool override)
{
	bool differs;

	if (n->state == HV_NEIGHBOUR_INCOMPLETE) {
		if (!mac)
			return;
		set_mac(n, mac);
		set_state(n, solicited ? HV_NEIGHBOUR_REACHABLE : HV_NEIGHBOUR_STALE);
		flush(n);
		return;
	}
	differs = mac && !hv_eth_equal(hv_eth_dst(n->ethernet), mac);
	if (differs && !override) {
		/* Someone else says it has the address: see for ourselves at next use. */
		if (n->state == HV_NEIGHBOUR_REACHABLE)
			set_state(n, HV_NEIGHBOUR_STALE);
		return;
	}
	if (differs)
		set_mac(n, mac);
	if (solicited)
		set_state(n, HV_NEIGHBOUR_REACHABLE);
	else if (differs)
		set_state(n, HV_NEIGHBOUR_STALE);
}
